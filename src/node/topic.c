/* SPDX-License-Identifier: MIT
 *
 * Topics and who reads them. A topic begins with a ring and the pool that its type needs; a type of
 * varying size gets further pools when a sample first needs one, each a segment of its own. Its descriptor
 * goes to every reader before the first slot that names it, and to later readers when they join.
 */
#include "node/control.h"
#include "node/event.h"

#include "value/types.h"

#include <stdlib.h>
#include <unistd.h>

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

static uint32_t slots_of(const struct koine_service *service)
{
    uint32_t wanted = service->options.event_slots ? service->options.event_slots : KN_EVENT_SLOTS;
    uint32_t slots = 4;
    while (slots < wanted && slots < KN_EVENT_SLOTS_MAX)
        slots *= 2;
    return slots;
}

/* Chunks only where a value may not fit a slot, and further rooms only where its size varies. */
static void shape_rooms(struct kn_room rooms[KN_POOLS], const struct koine_type *type)
{
    bool fixed = type->flags & KOINE_TYPE_FIXED;
    struct kn_room *first = &rooms[0];
    kn_rooms_init(rooms);
    first->size = fixed ? (uint32_t)round_up(type->size, 4096) : KN_CHUNK_SIZE;
    first->count = fixed && KN_HEAD_SIZE + type->size <= KN_SLOT_ROOM ? 0 : KN_EVENT_CHUNKS;
    while (first->count > 2 && (uint64_t)first->size * first->count > KN_EVENT_POOL_MAX)
        first->count /= 2;
    for (uint32_t id = 1; fixed && id < KN_POOLS; id++)
        rooms[id].size = 0;
}

static void free_topic(struct kn_topic *topic)
{
    kn_ring_out_deinit(&topic->ring);
    kn_octets_give(topic->service->node, topic->rooms);
    kn_rooms_deinit(topic->rooms);
    kn_segment_deinit(&topic->segment);
    if (topic->fd >= 0)
        close(topic->fd);
    free(topic->readers);
    free(topic->holds);
    free(topic);
}

static struct kn_topic *new_topic(struct koine_service *service, uint32_t feature)
{
    uint32_t slots = slots_of(service);
    struct kn_topic *topic = calloc(1, sizeof *topic);
    if (!topic)
        return NULL;
    topic->service = service;
    topic->feature = feature;
    topic->fd = -1;
    struct kn_room *room = &topic->rooms[0];
    const struct koine_type *type = kn_feature_out(service->interface, feature);
    shape_rooms(topic->rooms, type);
    if ((type->flags & KOINE_TYPE_PLAIN) && (type->flags & KOINE_TYPE_DENSE) && !room->count)
        topic->plain = type->size;
    size_t ring = (size_t)slots * KN_SLOT_SIZE;
    size_t total = round_up(ring + (size_t)room->size * room->count, 4096);
    if (kn_segment_create(&topic->segment, &topic->fd, total) ||
        kn_pool_init(&room->pool, 0, topic->segment.base + ring, room->size, room->count)) {
        free_topic(topic);
        return NULL;
    }
    kn_ring_out_init(&topic->ring, topic->segment.base, slots);
    return topic;
}

void kn_topics_close(struct koine_service *service)
{
    for (uint32_t i = 0; i < service->interface->features.length; i++) {
        if (service->topics[i])
            free_topic(service->topics[i]);
        service->topics[i] = NULL;
    }
}

/* ---------------------------------------------------------------- readers */

const struct kn_reader_words *kn_reader_words(const struct kn_reader *reader)
{
    const struct kn_control_page *page = (const void *)reader->link->in.base;
    return &page->readers[reader->entry];
}

/* Cursors are not looked at here: who lies about his is met and dropped by publishing. */
static int add_reader(struct kn_topic *topic, struct kn_reader *reader)
{
    if (topic->count == topic->room) {
        uint32_t room = topic->room ? 2 * topic->room : 4;
        struct kn_reader **readers = realloc(topic->readers, room * sizeof(void *));
        if (readers)
            topic->readers = readers;
        struct kn_pool_holds *holds = readers ? realloc(topic->holds, room * sizeof *holds) : NULL;
        if (!holds)
            return KOINE_ENOMEM;
        topic->holds = holds;
        topic->room = room;
    }
    int rc = kn_ring_join(&topic->ring, reader, NULL);
    if (rc)
        return rc;
    topic->readers[topic->count] = reader;
    topic->holds[topic->count++] = (struct kn_pool_holds){kn_reader_words(reader)->holds, reader};
    kn_list_append(&reader->link->readers, &reader->in_link);
    return 0;
}

static void free_reader(struct kn_reader *reader)
{
    struct kn_topic *topic = reader->topic;
    void *owner;
    kn_ring_leave(&topic->ring, reader);
    for (uint32_t i = 0; i < topic->count; i++) {
        if (topic->readers[i] != reader)
            continue;
        topic->readers[i] = topic->readers[--topic->count];
        topic->holds[i] = topic->holds[topic->count];
        break;
    }
    (void)kn_ring_refresh(&topic->ring, &owner);
    kn_list_unlink(&reader->in_link);
    free(reader);
}

/* A service that goes on publishes over what this reader has not passed: it is told so before. */
void kn_event_leave_all(struct kn_link *link)
{
    struct kn_control_page *own = (void *)link->out.base;
    if (!kn_list_empty(&link->readers) && link->service->listener >= 0) {
        atomic_store_explicit(&own->revoked, UINT64_MAX, memory_order_relaxed);
        atomic_thread_fence(memory_order_release);
    }
    while (!kn_list_empty(&link->readers))
        free_reader(KN_LIST_ENTRY(link->readers.next, struct kn_reader, in_link));
}

static struct kn_reader *find_reader(struct kn_link *link, uint64_t entry)
{
    KN_LIST_EACH(at, &link->readers)
    {
        struct kn_reader *reader = KN_LIST_ENTRY(at, struct kn_reader, in_link);
        if (reader->entry == entry)
            return reader;
    }
    return NULL;
}

static int subscribe(struct kn_link *link, uint64_t feature, uint64_t entry,
                     struct kn_reader **readerp)
{
    struct koine_service *service = link->service;
    if (feature >= service->interface->features.length || entry >= KN_LINK_READERS ||
        service->interface->features.ptr[feature].sort == KOINE_OPERATION ||
        find_reader(link, entry))
        return KOINE_EMEMBER;
    if (!service->topics[feature])
        service->topics[feature] = new_topic(service, (uint32_t)feature);
    struct kn_reader *reader = service->topics[feature] ? calloc(1, sizeof *reader) : NULL;
    if (!reader)
        return KOINE_ENOMEM;
    *reader = (struct kn_reader){
        .link = link, .topic = service->topics[feature], .entry = (uint32_t)entry};
    kn_list_init(&reader->in_link);
    int rc = add_reader(reader->topic, reader);
    if (rc)
        free(reader);
    else
        *readerp = reader;
    return rc;
}

static int send_room(struct kn_reader *reader, uint32_t id)
{
    const struct kn_room *room = &reader->topic->rooms[id];
    struct kn_control pool = {
        .type = KN_POOL,
        .value = {1 + reader->entry, id, room->size, room->count, room->segment.size}};
    reader->told |= 1u << id;
    return kn_control_send(reader->link, &pool, &room->fd, 1);
}

static struct kn_reader *next_untold(const struct kn_topic *topic, uint32_t id)
{
    for (uint32_t i = 0; i < topic->count; i++)
        if (!(topic->readers[i]->told & 1u << id))
            return topic->readers[i];
    return NULL;
}

/* A reader whose socket takes no more is gone with all that its link carries. */
static int make_room(void *owner, uint32_t id)
{
    struct kn_topic *topic = owner;
    struct kn_room *room = &topic->rooms[id];
    struct kn_reader *reader;
    int rc = kn_octets_create(room, id, &room->fd, topic->service->node);
    while (!rc && (reader = next_untold(topic, id))) {
        if (!send_room(reader, id))
            continue;
        topic->service->counts.dropped_slow++;
        kn_link_drop(reader->link);
    }
    return rc;
}

int kn_topic_take(uint32_t *refp, void **chunkp, struct kn_topic *topic, size_t size)
{
    struct kn_taking taking = {topic->rooms, &topic->ring, topic->holds,
                               topic->count, make_room,    topic};
    return kn_rooms_take(refp, chunkp, &taking, size);
}

static int send_topic(struct kn_reader *reader)
{
    const struct kn_topic *topic = reader->topic;
    struct kn_control answer = {.type = KN_SUBSCRIBED,
                                .value = {reader->entry, topic->ring.mask + 1, topic->rooms[0].size,
                                          topic->rooms[0].count, topic->ring.pos,
                                          topic->segment.size}};
    int rc = kn_control_send(reader->link, &answer, &topic->fd, 1);
    for (uint32_t id = 1; id < KN_POOLS && !rc; id++)
        if (topic->rooms[id].pool.base)
            rc = send_room(reader, id);
    return rc;
}

static bool on_subscribe(struct kn_link *link, const struct kn_control *control)
{
    struct kn_control answer = {.type = KN_SUBSCRIBED, .value = {control->value[1]}};
    struct kn_reader *reader = NULL;
    answer.error = subscribe(link, control->value[0], control->value[1], &reader);
    if (answer.error)
        return !kn_control_send(link, &answer, NULL, 0);
    return !send_topic(reader);
}

bool kn_event_serving(struct kn_link *link, const struct kn_control *control)
{
    struct kn_reader *reader = find_reader(link, control->value[0]);
    switch (control->type) {
    case KN_SUBSCRIBE:
        return on_subscribe(link, control);
    case KN_LISTENING:
        if (reader)
            kn_ring_ready(&reader->topic->ring, reader, &kn_reader_words(reader)->cursor);
        return reader != NULL;
    case KN_UNSUBSCRIBE:
        if (reader)
            free_reader(reader);
        return reader != NULL;
    default:
        return false;
    }
}
