/* SPDX-License-Identifier: MIT
 *
 * Publishing. The hot path is the payload, one stamp, and one load per reader; no fence, no clock, no
 * allocation. When the ring or the pool is full the service's policy decides: wait for the slowest
 * reader up to a limit and then drop it, or drop it at once. A dead one is dropped without waiting.
 */
#include "node/event.h"

#include "value/json.h"
#include "value/types.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAUSE_NS = 20000, BATCH = 16, SPINS_IN_VAIN = 8, RETRY_SPIN = 64 };

static const struct koine_type *type_of(const struct koine_service *service, uint32_t feature)
{
    return kn_feature_out(service->interface, feature);
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

static uint64_t seen_by(const struct kn_topic *topic, const struct kn_reader *reader)
{
    for (uint32_t i = 0; i < topic->ring.count; i++)
        if (topic->ring.readers[i].owner == reader)
            return topic->ring.readers[i].seen;
    return topic->ring.pos;
}

/* How many of the chunks that `size` octets could have been put in wait for this reader. */
static uint32_t blocked_by(const struct kn_topic *topic, uint32_t i, size_t size)
{
    uint64_t seen = seen_by(topic, topic->readers[i]);
    uint32_t kind = 0, blocked = 0;
    for (uint32_t id = 0; id < KN_POOLS; id++) {
        const struct kn_room *room = &topic->rooms[id];
        if (room->size < size || (kind && room->size != kind))
            continue;
        kind = room->size;
        blocked += kn_pool_blocked(&room->pool, seen, &topic->holds[i]);
    }
    return blocked;
}

/* The reader that most chunks wait for; NULL when they wait for nobody. */
static struct kn_reader *greediest(const struct kn_topic *topic, size_t size)
{
    uint32_t most = 0;
    struct kn_reader *reader = NULL;
    for (uint32_t i = 0; i < topic->count; i++) {
        uint32_t blocked = blocked_by(topic, i, size);
        if (blocked <= most)
            continue;
        most = blocked;
        reader = topic->readers[i];
    }
    return reader;
}

/* Looks at all cursors; who lies is dropped. */
static void refresh(struct kn_topic *topic)
{
    void *owner;
    while (kn_ring_refresh(&topic->ring, &owner))
        drop_reader(owner, &topic->service->counts.protocol_errors);
}

/* A reader that is at work makes room soon, and sleeping is for those that are not. */
static void pause_for(struct kn_topic *topic, const struct kn_reader *slow)
{
    struct timespec pause = kn_timespec(PAUSE_NS);
    struct koine_node *node = topic->service->node;
    bool try = node->spin && node->pauses_failed < SPINS_IN_VAIN;
    wake_readers(topic, true);
    int64_t end = try ? kn_now() + node->spin : 0;
    for (unsigned turn = 1; try; turn++) {
        if (kn_ring_moved(&topic->ring, slow)) {
            node->pauses_failed = 0;
            return;
        }
        kn_relax();
        if (turn % 64 == 0)
            try = kn_now() < end;
    }
    node->pauses_failed = node->pauses_failed < RETRY_SPIN ? node->pauses_failed + 1 : 0;
    nanosleep(&pause, NULL);
}

/* One step towards room: a dead or a too slow reader is dropped, or a moment passes. */
static void push(struct kn_topic *topic, struct kn_reader *slow, uint64_t *countp, int64_t deadline)
{
    const struct koine_service *service = topic->service;
    /* Its word that it reads now may lie in the socket, which nobody looks at while a handler publishes. */
    if (!kn_ring_is_ready(&topic->ring, slow) && kn_now() < deadline &&
        kn_link_controls(slow->link))
        return;
    if (is_dead(slow->link))
        drop_reader(slow, NULL);
    else if (service->options.policy == KOINE_DISCONNECT_SLOW || kn_now() >= deadline)
        drop_reader(slow, countp);
    else
        pause_for(topic, slow);
}

static int64_t patience(const struct koine_service *service)
{
    int64_t block = service->options.block;
    return kn_deadline(kn_now(), block > 0 ? block : KOINE_SECOND);
}

static int await_slot(struct kn_topic *topic)
{
    int64_t deadline = 0;
    while (!kn_ring_has_room(&topic->ring)) {
        refresh(topic);
        if (kn_ring_has_room(&topic->ring))
            break;
        struct kn_reader *slow = kn_ring_slowest(&topic->ring);
        if (!slow)
            return KOINE_EFULL;
        deadline = deadline ? deadline : patience(topic->service);
        push(topic, slow, &topic->service->counts.dropped_slow, deadline);
    }
    return 0;
}

/* Whose fault it is that there is no chunk is only known after a fresh look at the cursors. */
static int await_chunk(struct kn_topic *topic, uint32_t *refp, void **chunkp, size_t size)
{
    int64_t deadline = 0;
    int rc;
    while ((rc = kn_topic_take(refp, chunkp, topic, size)) == KOINE_EFULL) {
        refresh(topic);
        if ((rc = kn_topic_take(refp, chunkp, topic, size)) != KOINE_EFULL)
            break;
        struct kn_reader *slow = greediest(topic, size);
        if (!slow)
            return KOINE_EFULL;
        deadline = deadline ? deadline : patience(topic->service);
        push(topic, slow, &topic->service->counts.revoked, deadline);
    }
    return rc;
}

static int explain(const struct kn_topic *topic, int rc, size_t size)
{
    struct koine_node *node = topic->service->node;
    if (rc == KOINE_ETOOBIG)
        return kn_node_fail(node, rc, "%zu octets, a sample holds at most %u", size,
                            kn_rooms_most(topic->rooms));
    if (rc == KOINE_ENOMEM || rc == KOINE_ELIMIT)
        return kn_node_fail(node, rc, "no memory to publish %zu octets", size);
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
    if (value != chunk || !ref) {
        if ((rc = await_chunk(topic, &ref, &chunk, size)))
            return explain(topic, rc, size);
        rc = kn_value_gather(chunk, size, type, value, &node->why);
    } else {
        topic->loan = 0;
        topic->loaned = NULL;
    }
    if (rc) {
        kn_rooms_give(topic->rooms, ref);
        return rc;
    }
    kn_rooms_publish(topic->rooms, ref, topic->ring.pos);
    kn_head_write(words, head);
    kn_copy_out(kn_ring_slot(&topic->ring)->payload, words, KN_HEAD_SIZE);
    kn_ring_publish(&topic->ring, (uint32_t)size, ref);
    return 0;
}

/* What has neither references nor padding nor wrong values goes straight into the slot, `ahead` of the
 * next one. */
static void put_plain(struct kn_topic *topic, const void *value, uint64_t serial, uint64_t ahead)
{
    const struct kn_head head = {.kind = KN_EVENT, .member = topic->feature, .serial = serial};
    uint64_t words[KN_HEAD_SIZE / 8];
    struct kn_ring_out *ring = &topic->ring;
    uint64_t *payload = kn_ring_slot_ahead(ring, ahead)->payload;
    memcpy(words, &head, sizeof words);
    kn_shared_store(&payload[0], words[0]);
    kn_shared_store(&payload[1], words[1]);
    kn_copy_out(&payload[2], value, topic->plain);
    kn_ring_publish_ahead(ring, ahead, KN_HEAD_SIZE + topic->plain);
}

/* From the last to the first. Killed in the middle, it has published what lies before the hole. */
static void put_plain_many(struct kn_topic *topic, const uint8_t *values, size_t count,
                           size_t stride)
{
    struct koine_service *service = topic->service;
    uint64_t *serial = &service->serials[topic->feature];
    for (size_t i = count; i--;)
        put_plain(topic, values + i * stride, *serial + i + 1, i);
    kn_ring_pass(&topic->ring, count);
    *serial += count;
    service->counts.events += count;
}

static int put_any(struct koine_service *service, uint32_t feature, const void *value)
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
    if (!rc)
        service->serials[feature]++;
    return rc;
}

static int put(struct koine_service *service, uint32_t feature, const void *value)
{
    struct kn_topic *topic = service->topics[feature];
    if (topic && topic->plain && topic->count && kn_ring_has_room(&topic->ring)) {
        put_plain_many(topic, value, 1, 0);
        return 0;
    }
    int rc = put_any(service, feature, value);
    service->counts.events += !rc;
    return rc;
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

/* As many as there are in *countp, or fewer where the ring has no room for all of them at once. */
static int put_some(struct koine_service *service, uint32_t feature, const uint8_t *values,
                    size_t *countp, size_t stride)
{
    struct kn_topic *topic = service->topics[feature];
    uint64_t room = topic && topic->plain && topic->count ? kn_ring_room(&topic->ring) : 0;
    if (room) {
        *countp = *countp < room ? *countp : (size_t)room;
        put_plain_many(topic, values, *countp, stride);
        return 0;
    }
    *countp = 1;
    return put(service, feature, values);
}

int koine_event_publish_many(struct koine_service *service, uint32_t member, const void *values,
                             size_t count, size_t stride)
{
    int rc = check(service, member, KOINE_EVENT);
    if (!rc && !(type_of(service, member)->flags & KOINE_TYPE_FIXED))
        return kn_node_fail(service->node, KOINE_EINVAL,
                            "only values of a fixed type lie one behind the other");
    const uint8_t *from = values;
    while (count && !rc) {
        size_t some = count < BATCH ? count : BATCH;
        rc = put_some(service, member, from, &some, stride);
        if (!rc && service->topics[member])
            wake_readers(service->topics[member], false);
        from += some * stride;
        count -= some;
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
    bool in_place =
        topic && topic->count && topic->rooms[0].count && (type->flags & KOINE_TYPE_FIXED);
    if (in_place && !topic->loan &&
        (rc = await_chunk(topic, &topic->loan, &topic->loaned, type->size)))
        return rc;
    if (in_place) {
        *valuep = topic->loaned;
        if (!(type->flags & KOINE_TYPE_DENSE))
            memset(topic->loaned, 0, type->size);
        return 0;
    }
    if (!service->staging[member])
        service->staging[member] = malloc(type->size ? type->size : 1);
    if (!service->staging[member])
        return KOINE_ENOMEM;
    *valuep = memset(service->staging[member], 0, type->size);
    return 0;
}

size_t koine_event_readers(const struct koine_service *service, uint32_t member)
{
    const struct kn_topic *topic =
        member < service->interface->features.length ? service->topics[member] : NULL;
    return topic ? topic->count : 0;
}

void koine_event_discard(struct koine_service *service, uint32_t member)
{
    struct kn_topic *topic = check(service, member, KOINE_EVENT) ? NULL : service->topics[member];
    if (!topic || !topic->loan)
        return;
    kn_rooms_give(topic->rooms, topic->loan);
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
    if (koine_interface_find(&feature, service->interface, member) ||
        service->interface->features.ptr[feature].sort != sort)
        return kn_node_fail(service->node, KOINE_EMEMBER, "'%s' has no %s '%s'", service->name,
                            sort == KOINE_EVENT ? "event" : "attribute", member);
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
