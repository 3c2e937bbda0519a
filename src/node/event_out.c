/* SPDX-License-Identifier: MIT
 *
 * Publishing. The hot path is the payload, one stamp, and one load per reader; no fence, no clock, no
 * allocation. When the ring or the pool is full the service's policy decides: wait for the slowest
 * reader up to a limit and then drop it, or drop it at once. A dead one is dropped without waiting.
 */
#include "node/control.h"
#include "node/event.h"

#include "value/json.h"
#include "value/types.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAUSE_NS = 20000, BATCH = 16 };

static const struct koine_type *type_of(const struct koine_service *service, uint32_t feature)
{
    return kn_feature_out(service->interface, feature);
}

/* ---------------------------------------------------------------- topics */

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

/* Chunks only where a value may not fit a slot. */
static void shape_pool(const struct koine_type *type, uint32_t *sizep, uint32_t *countp)
{
    bool fixed = type->flags & KOINE_TYPE_FIXED;
    *sizep = fixed ? (uint32_t)round_up(type->size, 4096) : KN_CHUNK_SIZE;
    *countp = fixed && KN_HEAD_SIZE + type->size <= KN_SLOT_ROOM ? 0 : KN_EVENT_CHUNKS;
    while (*countp > 2 && (uint64_t)*sizep * *countp > KN_EVENT_POOL_MAX)
        *countp /= 2;
}

static void free_topic(struct kn_topic *topic)
{
    kn_ring_out_deinit(&topic->ring);
    kn_pool_deinit(&topic->pool);
    kn_segment_deinit(&topic->segment);
    if (topic->fd >= 0)
        close(topic->fd);
    free(topic->readers);
    free(topic->holds);
    free(topic);
}

static struct kn_topic *new_topic(struct koine_service *service, uint32_t feature)
{
    uint32_t slots = slots_of(service), size, count;
    struct kn_topic *topic = calloc(1, sizeof *topic);
    if (!topic)
        return NULL;
    topic->service = service;
    topic->feature = feature;
    topic->fd = -1;
    shape_pool(type_of(service, feature), &size, &count);
    size_t ring = (size_t)slots * KN_SLOT_SIZE;
    size_t total = round_up(ring + (size_t)size * count, 4096);
    if (kn_segment_create(&topic->segment, &topic->fd, total) ||
        kn_pool_init(&topic->pool, 0, topic->segment.base + ring, size, count)) {
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

static const struct kn_reader_words *words_of(const struct kn_reader *reader)
{
    const struct kn_control_page *page = (const void *)reader->link->in.base;
    return &page->readers[reader->entry];
}

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
    topic->holds[topic->count++] = (struct kn_pool_holds){words_of(reader)->holds, reader};
    kn_list_append(&reader->link->readers, &reader->in_link);
    void *owner;
    return kn_ring_refresh(&topic->ring, &owner) ? KOINE_EPROTOCOL : 0;
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

static bool on_subscribe(struct kn_link *link, const struct kn_control *control)
{
    struct kn_control answer = {.type = KN_SUBSCRIBED, .value = {control->value[1]}};
    struct kn_reader *reader = NULL;
    answer.error = subscribe(link, control->value[0], control->value[1], &reader);
    if (answer.error)
        return !kn_control_send(link, &answer, NULL, 0);
    const struct kn_topic *topic = reader->topic;
    answer.value[1] = topic->ring.mask + 1;
    answer.value[2] = topic->pool.size;
    answer.value[3] = topic->pool.count;
    answer.value[4] = topic->ring.pos;
    answer.value[5] = topic->segment.size;
    return !kn_control_send(link, &answer, &topic->fd, 1);
}

bool kn_event_serving(struct kn_link *link, const struct kn_control *control)
{
    struct kn_reader *reader = find_reader(link, control->value[0]);
    switch (control->type) {
    case KN_SUBSCRIBE:
        return on_subscribe(link, control);
    case KN_LISTENING:
        if (reader)
            kn_ring_ready(&reader->topic->ring, reader, &words_of(reader)->cursor);
        return reader != NULL;
    case KN_UNSUBSCRIBE:
        if (reader)
            free_reader(reader);
        return reader != NULL;
    default:
        return false;
    }
}

/* ---------------------------------------------------------------- room */

static bool is_dead(const struct kn_link *link)
{
    struct pollfd ends[2] = {{.fd = link->fd}, {.fd = link->pidfd, .events = POLLIN}};
    return poll(ends, 2, 0) > 0 && (ends[0].revents || ends[1].revents);
}

static void drop_reader(struct kn_reader *reader, uint64_t *countp)
{
    if (countp)
        (*countp)++;
    kn_link_drop(reader->link);
}

static void wake_reader(const struct kn_reader *reader, bool fence)
{
    if (kn_wake_look(&reader->link->wake, fence))
        (void)send(reader->link->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void wake_readers(const struct kn_topic *topic, bool fence)
{
    for (uint32_t i = 0; i < topic->count; i++)
        wake_reader(topic->readers[i], fence);
}

/* The reader that holds most chunks, when the pool and not the ring is full. */
static struct kn_reader *greediest(const struct kn_topic *topic)
{
    uint32_t best = 0, most = 0;
    for (uint32_t i = 0; i < topic->count; i++) {
        uint32_t held = 0;
        for (int h = 0; h < KN_HOLDS; h++)
            held += atomic_load_explicit(&topic->holds[i].words[h], memory_order_relaxed) != 0;
        if (held > most) {
            most = held;
            best = i;
        }
    }
    return topic->count ? topic->readers[best] : NULL;
}

/* One step towards room: a liar, a dead or a too slow reader is dropped, or a moment passes. */
static int make_progress(struct kn_topic *topic, bool pool, int64_t deadline)
{
    struct koine_service *service = topic->service;
    void *owner = NULL;
    if (kn_ring_refresh(&topic->ring, &owner)) {
        drop_reader(owner, &service->counts.protocol_errors);
        return 0;
    }
    if (!pool && kn_ring_has_room(&topic->ring))
        return 0;
    struct kn_reader *slow = kn_ring_slowest(&topic->ring);
    if (pool && kn_ring_passed(&topic->ring) == topic->ring.pos)
        slow = greediest(topic);
    if (!slow)
        return KOINE_EFULL;
    if (is_dead(slow->link))
        drop_reader(slow, NULL);
    else if (service->options.policy == KOINE_DISCONNECT_SLOW || kn_now() >= deadline)
        drop_reader(slow, pool ? &service->counts.revoked : &service->counts.dropped_slow);
    else {
        struct timespec pause = kn_timespec(PAUSE_NS);
        wake_readers(topic, true);
        nanosleep(&pause, NULL);
    }
    return 0;
}

static int64_t patience(const struct koine_service *service)
{
    int64_t block = service->options.block;
    return kn_deadline(kn_now(), block > 0 ? block : KOINE_SECOND);
}

static int await_slot(struct kn_topic *topic)
{
    int64_t deadline = 0;
    int rc = 0;
    while (!rc && !kn_ring_has_room(&topic->ring)) {
        deadline = deadline ? deadline : patience(topic->service);
        rc = make_progress(topic, false, deadline);
    }
    return rc;
}

static int await_chunk(struct kn_topic *topic, uint32_t *refp, void **chunkp)
{
    int64_t deadline = 0;
    int rc;
    while ((rc = kn_pool_take(refp, chunkp, &topic->pool, &topic->ring, topic->holds,
                              topic->count)) == KOINE_EFULL) {
        deadline = deadline ? deadline : patience(topic->service);
        if ((rc = make_progress(topic, true, deadline)))
            return rc;
    }
    return rc;
}

/* ---------------------------------------------------------------- publishing */

static int put_inline(struct kn_topic *topic, const struct kn_head *head,
                      const struct koine_type *type, const void *value, size_t size)
{
    struct koine_node *node = topic->service->node;
    uint64_t words[KN_SLOT_ROOM / 8];
    kn_head_write(words, head);
    int rc =
        size ? kn_value_gather((uint8_t *)words + KN_HEAD_SIZE, size, type, value, &node->why) : 0;
    if (rc)
        return rc;
    kn_copy_out(kn_ring_slot(&topic->ring)->payload, words, KN_HEAD_SIZE + size);
    kn_ring_publish(&topic->ring, (uint32_t)(KN_HEAD_SIZE + size), 0);
    return 0;
}

static int put_chunk(struct kn_topic *topic, const struct kn_head *head,
                     const struct koine_type *type, const void *value, size_t size)
{
    struct koine_node *node = topic->service->node;
    uint64_t words[KN_HEAD_MAX / 8];
    uint32_t ref = topic->loan;
    void *chunk = topic->loaned;
    int rc = 0;
    if (size > topic->pool.size)
        return kn_node_fail(node, KOINE_ETOOBIG, "%zu octets, a sample holds at most %u", size,
                            topic->pool.size);
    if (value != chunk || !ref) {
        if ((rc = await_chunk(topic, &ref, &chunk)))
            return rc;
        rc = kn_value_gather(chunk, size, type, value, &node->why);
    } else {
        topic->loan = 0;
        topic->loaned = NULL;
    }
    if (rc) {
        kn_pool_give(&topic->pool, ref);
        return rc;
    }
    kn_pool_publish(&topic->pool, ref, topic->ring.pos);
    kn_head_write(words, head);
    kn_copy_out(kn_ring_slot(&topic->ring)->payload, words, KN_HEAD_SIZE);
    kn_ring_publish(&topic->ring, (uint32_t)size, ref);
    return 0;
}

static int put(struct koine_service *service, uint32_t feature, const void *value)
{
    struct kn_topic *topic = service->topics[feature];
    const struct koine_type *type = type_of(service, feature);
    struct kn_head head = {
        .kind = KN_EVENT, .member = feature, .serial = service->serials[feature] + 1};
    size_t size;
    int rc = kn_value_size(&size, type, value, &service->node->why);
    if (!rc && topic && topic->count) {
        rc = await_slot(topic);
        if (!rc)
            rc = KN_HEAD_SIZE + size <= KN_SLOT_ROOM ? put_inline(topic, &head, type, value, size)
                                                     : put_chunk(topic, &head, type, value, size);
    }
    if (rc)
        return rc;
    service->serials[feature]++;
    service->counts.events++;
    return 0;
}

static int check(struct koine_service *service, uint32_t feature, enum koine_sort sort)
{
    if (!*service->node->guard)
        return KOINE_EFORKED;
    const struct koine_interface *interface = service->interface;
    if (feature < interface->features.length && interface->features.ptr[feature].sort == sort)
        return 0;
    return kn_node_fail(service->node, KOINE_EMEMBER, "'%s' has no %s %u", service->name,
                        sort == KOINE_EVENT ? "event" : "attribute", feature);
}

static int publish(struct koine_service *service, uint32_t feature, enum koine_sort sort,
                   const void *value)
{
    int rc = check(service, feature, sort);
    if (!rc)
        rc = put(service, feature, value);
    if (!rc && service->topics[feature])
        wake_readers(service->topics[feature], false);
    return rc;
}

int koine_event_publish(struct koine_service *service, uint32_t member, const void *value)
{
    return publish(service, member, KOINE_EVENT, value);
}

int koine_changed(struct koine_service *service, uint32_t member, const void *value)
{
    return publish(service, member, KOINE_ATTRIBUTE, value);
}

int koine_event_publish_many(struct koine_service *service, uint32_t member, const void *values,
                             size_t count, size_t stride)
{
    int rc = check(service, member, KOINE_EVENT);
    if (!rc && !(type_of(service, member)->flags & KOINE_TYPE_FIXED))
        return kn_node_fail(service->node, KOINE_EINVAL,
                            "only values of a fixed type lie one behind the other");
    for (size_t i = 0; i < count && !rc; i++) {
        rc = put(service, member, (const uint8_t *)values + i * stride);
        if (service->topics[member] && (i % BATCH == BATCH - 1 || i + 1 == count))
            wake_readers(service->topics[member], false);
    }
    return rc;
}

/* ---------------------------------------------------------------- loans */

int koine_event_loan(void **valuep, struct koine_service *service, uint32_t member)
{
    int rc = check(service, member, KOINE_EVENT);
    if (rc)
        return rc;
    const struct koine_type *type = type_of(service, member);
    struct kn_topic *topic = service->topics[member];
    bool in_place = topic && topic->count && topic->pool.count && (type->flags & KOINE_TYPE_FIXED);
    if (in_place && !topic->loan && (rc = await_chunk(topic, &topic->loan, &topic->loaned)))
        return rc;
    if (in_place) {
        *valuep = memset(topic->loaned, 0, type->size);
        return 0;
    }
    if (!service->staging[member])
        service->staging[member] = malloc(type->size ? type->size : 1);
    if (!service->staging[member])
        return KOINE_ENOMEM;
    *valuep = memset(service->staging[member], 0, type->size);
    return 0;
}

void koine_event_discard(struct koine_service *service, uint32_t member)
{
    struct kn_topic *topic = check(service, member, KOINE_EVENT) ? NULL : service->topics[member];
    if (!topic || !topic->loan)
        return;
    kn_pool_give(&topic->pool, topic->loan);
    topic->loan = 0;
    topic->loaned = NULL;
}

/* ---------------------------------------------------------------- with JSON */

static int publish_text(struct koine_service *service, const char *member, enum koine_sort sort,
                        const char *json)
{
    struct kn_arena arena;
    uint32_t feature;
    void *value;
    if (!*service->node->guard)
        return KOINE_EFORKED;
    if (koine_interface_find(&feature, service->interface, member))
        return kn_node_fail(service->node, KOINE_EMEMBER, "'%s' has no member '%s'", service->name,
                            member);
    kn_arena_init(&arena, 0);
    int rc = kn_json_read(&value, &arena, type_of(service, feature), kn_str(json), 0,
                          &service->node->why);
    if (!rc)
        rc = publish(service, feature, sort, value);
    kn_arena_deinit(&arena);
    return rc;
}

int koine_event_publish_text(struct koine_service *service, const char *member, const char *json)
{
    return publish_text(service, member, KOINE_EVENT, json);
}

int koine_changed_text(struct koine_service *service, const char *member, const char *json)
{
    return publish_text(service, member, KOINE_ATTRIBUTE, json);
}
