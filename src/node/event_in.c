/* SPDX-License-Identifier: MIT
 *
 * Subscribing and taking. A sample up to the spine's limit is copied; of a larger one the leaves stay in
 * the publisher's chunk, which is held, before the cursor passes it, until the sample is released.
 */
#include "node/control.h"
#include "node/event.h"

#include "value/json.h"
#include "value/types.h"

#include <stdlib.h>
#include <unistd.h>

bool kn_event_serving(struct kn_link *link, const struct kn_control *control);

struct koine_sample {
    struct koine_sub *sub;
    struct kn_arena arena;
    struct kn_buffer text;
    const void *value;
    uint64_t lost, serial;
    int hold;                        /* -1: none */
    bool chunk;                      /* it came in one */
    uint64_t slot[KN_SLOT_ROOM / 8]; /* what came in a slot, head and all */
};

struct koine_sub {
    struct kn_list in_ref;
    struct koine_ref *ref;
    struct kn_link *link; /* NULL: the service is gone, or the sub was ended */
    const struct koine_type *type;
    uint32_t member, entry;
    int error, users; /* users: frames that stand on it */
    bool answered, ended;
    bool gone; /* unsubscribed, and to be freed by the last of them */
    bool cut;  /* the publisher took its memory back: nothing more can be read */
    struct kn_segment segment;
    struct kn_ring_in ring;
    struct kn_view views[KN_POOLS]; /* the first behind the ring */
    uint64_t last;
    uint32_t used; /* bit n: samples[n] is with the user */
    struct koine_sample samples[KN_HOLDS];
    struct koine_sample *first; /* an attribute's present value */
};

static struct kn_reader_words *words_of(const struct koine_sub *sub)
{
    struct kn_control_page *page = (void *)sub->link->out.base;
    return &page->readers[sub->entry];
}

/* ---------------------------------------------------------------- subscribing */

static int map_topic(struct koine_sub *sub, const struct kn_control *control, int fd)
{
    const uint64_t *value = control->value;
    uint64_t slots = value[1], size = value[2], count = value[3], ring = slots * KN_SLOT_SIZE;
    bool sane = slots >= 4 && slots <= KN_EVENT_SLOTS_MAX && !(slots & (slots - 1)) &&
                !(size & 7) && size <= UINT32_MAX && count <= KN_POOL_CHUNKS_MAX &&
                ring + size * count <= value[5] && value[5] <= UINT32_MAX;
    if (!sane) {
        close(fd);
        return KOINE_EPROTOCOL;
    }
    int rc = kn_segment_adopt(&sub->segment, fd, value[5]);
    if (rc)
        return rc;
    kn_ring_in_init(&sub->ring, sub->segment.base, (uint32_t)slots, &words_of(sub)->cursor,
                    value[4]);
    sub->views[0].base = sub->segment.base + ring;
    sub->views[0].size = (uint32_t)size;
    sub->views[0].count = (uint32_t)count;
    return 0;
}

/* Answers come in the order of the questions, so those that nobody waits for any more come first. */
static bool on_abandoned(struct kn_link *link, const struct kn_control *control)
{
    struct kn_control leave = {.type = KN_UNSUBSCRIBE, .value = {control->value[0]}};
    link->abandoned--;
    if (!control->error)
        (void)kn_control_send(link, &leave, NULL, 0);
    return true;
}

/* The calling end's side of the answer. */
static bool on_subscribed(struct kn_link *link, const struct kn_control *control, int *fdp)
{
    struct koine_sub *sub = link->joining;
    struct kn_control listening = {.type = KN_LISTENING};
    if (link->abandoned)
        return on_abandoned(link, control);
    if (!sub || control->value[0] != sub->entry || (!control->error && *fdp < 0))
        return false;
    link->joining = NULL;
    sub->answered = true;
    sub->error = control->error;
    if (!sub->error) {
        sub->error = map_topic(sub, control, *fdp);
        *fdp = -1;
    }
    listening.value[0] = sub->entry;
    if (!sub->error)
        (void)kn_control_send(link, &listening, NULL, 0); /* who is gone has left its samples */
    return true;
}

static struct koine_sub *find_sub(const struct kn_link *link, uint64_t entry)
{
    KN_LIST_EACH(at, &link->ref->subs)
    {
        struct koine_sub *sub = KN_LIST_ENTRY(at, struct koine_sub, in_ref);
        if (sub->link == link && sub->entry == entry && sub->segment.base)
            return sub;
    }
    return NULL;
}

/* A further pool. One that was sent before the subscription ended, or before another took its entry, is
 * for nobody. */
static bool on_pool(struct kn_link *link, const struct kn_control *control, int *fdp)
{
    const uint64_t *value = control->value;
    struct koine_sub *sub = link->ref ? find_sub(link, value[0] - 1) : NULL;
    if (!sub)
        return true;
    struct kn_view *view = value[1] && value[1] < KN_POOLS ? &sub->views[value[1]] : NULL;
    if (!view || view->base || *fdp < 0 || !value[2] || value[2] & 7 || value[2] > KN_CHUNK_MAX ||
        !value[3] || value[3] > KN_POOL_CHUNKS_MAX || value[2] * value[3] > value[4] ||
        value[4] > UINT32_MAX)
        return false;
    view->size = (uint32_t)value[2];
    view->count = (uint32_t)value[3];
    int rc = kn_view_adopt(view, *fdp, value[4]);
    *fdp = -1;
    return !rc;
}

bool kn_event_control(struct kn_link *link, const struct kn_control *control, int *fdp)
{
    if (link->service)
        return kn_event_serving(link, control);
    if (control->type == KN_POOL)
        return on_pool(link, control, fdp);
    return control->type == KN_SUBSCRIBED && on_subscribed(link, control, fdp);
}

static bool is_answered(void *arg)
{
    struct koine_sub *sub = arg;
    return sub->answered || !sub->link;
}

static bool is_heard(void *arg)
{
    const struct kn_link *link = arg;
    return !link->abandoned || link->state != KN_LINKED;
}

static int free_entry(const struct koine_ref *ref, uint32_t *entryp)
{
    uint32_t taken = 0;
    KN_LIST_EACH(at, &ref->subs)
    {
        const struct koine_sub *sub = KN_LIST_ENTRY(at, struct koine_sub, in_ref);
        if (sub->link && sub->link == ref->link)
            taken |= 1u << sub->entry;
    }
    for (uint32_t entry = 0; entry < KN_LINK_READERS; entry++) {
        if (taken & 1u << entry)
            continue;
        *entryp = entry;
        return 0;
    }
    return kn_node_fail(ref->node, KOINE_ELIMIT, "more than %d subscriptions of '%s'",
                        KN_LINK_READERS, ref->name);
}

static int join(struct koine_sub *sub, int64_t deadline)
{
    struct kn_link *link = sub->ref->link;
    struct koine_node *node = sub->ref->node;
    struct kn_control ask = {.type = KN_SUBSCRIBE, .value = {sub->member, sub->entry}};
    if (link->joining)
        return kn_node_fail(node, KOINE_EBUSY, "another subscription of '%s' is under way",
                            sub->ref->name);
    sub->link = link;
    link->joining = sub;
    link->users++;
    int rc = is_heard(link) ? 0 : kn_node_until(node, is_heard, link, link, deadline, false);
    if (!rc && !(rc = kn_control_send(link, &ask, NULL, 0))) {
        rc = kn_node_until(node, is_answered, sub, link, deadline, false);
        link->abandoned += rc == KOINE_EDEADLINE && !sub->answered;
    }
    if (!rc)
        rc = sub->answered ? sub->error : KOINE_EDOWN;
    link->joining = NULL;
    link->users--;
    return rc ? kn_node_fail(node, rc, "'%s' takes no subscription: %s", sub->ref->name,
                             koine_strerror(rc))
              : 0;
}

static struct koine_sample *new_sample(struct koine_sub *sub)
{
    uint32_t left = ~sub->used & ((1u << KN_HOLDS) - 1);
    if (!left)
        return NULL;
    struct koine_sample *sample = &sub->samples[__builtin_ctz(left)];
    sub->used |= left & -left;
    sample->sub = sub;
    sample->hold = -1;
    sample->chunk = false;
    sample->lost = 0;
    return sample;
}

/* The present value of a watched attribute: asked for after joining, so no change falls between. */
static int take_present(struct koine_sub *sub, int64_t timeout)
{
    const void *value;
    int rc = koine_get(&value, sub->ref, sub->member, timeout);
    void *copy = NULL;
    if (!rc)
        rc = koine_value_copy(&copy, sub->type, value);
    if (rc)
        return rc;
    struct koine_sample *sample = new_sample(sub);
    size_t size;
    (void)kn_value_size(&size, sub->type, copy, NULL);
    uint8_t *flight = kn_arena_zalloc(&sample->arena, 1, (size + 7) & ~(size_t)7);
    if (!flight)
        rc = KOINE_ENOMEM;
    else if (!(rc = kn_value_gather(flight, size, sub->type, copy, NULL)))
        rc = kn_value_admit_private(sub->type, flight, size, NULL);
    free(copy);
    sample->value = flight;
    sample->serial = 0;
    sub->first = sample;
    return rc;
}

static int subscribe(struct koine_sub *sub, int64_t deadline)
{
    struct koine_ref *ref = sub->ref;
    const struct koine_interface *interface;
    (void)kn_node_look(ref->node); /* a service that went away is met here, and not by asking it */
    int rc = koine_ref_interface(&interface, ref, kn_remaining(deadline, kn_now()));
    if (!rc)
        rc = kn_ref_link(ref, deadline);
    if (rc)
        return rc;
    if (sub->member >= interface->features.length ||
        interface->features.ptr[sub->member].sort == KOINE_OPERATION)
        return kn_node_fail(ref->node, KOINE_EMEMBER, "'%s' has no event or attribute %u",
                            ref->name, sub->member);
    sub->type = kn_feature_out(interface, sub->member);
    if ((rc = free_entry(ref, &sub->entry)) || (rc = join(sub, deadline)))
        return rc;
    if (interface->features.ptr[sub->member].sort == KOINE_ATTRIBUTE)
        rc = take_present(sub, kn_remaining(deadline, kn_now()));
    return rc;
}

int koine_subscribe(struct koine_sub **subp, struct koine_ref *ref, uint32_t member,
                    int64_t timeout)
{
    int rc = kn_node_enter(ref->node);
    if (rc)
        return rc;
    struct koine_sub *sub = calloc(1, sizeof *sub);
    if (sub) {
        sub->ref = ref;
        sub->member = member;
        kn_views_init(sub->views);
        kn_list_append(&ref->subs, &sub->in_ref);
        for (int i = 0; i < KN_HOLDS; i++) {
            kn_arena_init(&sub->samples[i].arena, 0);
            kn_buffer_init(&sub->samples[i].text, 0);
        }
        ref->waiting++;
        rc = subscribe(sub, kn_deadline(kn_now(), timeout ? timeout : ref->node->timeout));
        ref->waiting--;
    } else {
        rc = KOINE_ENOMEM;
    }
    if (!rc)
        *subp = sub;
    else
        koine_unsubscribe(sub);
    kn_node_leave(ref->node);
    return rc;
}

static void end(struct koine_sub *sub)
{
    struct kn_control control = {.type = KN_UNSUBSCRIBE, .value = {sub->entry}};
    if (sub->link && sub->link == sub->ref->link && sub->segment.base)
        (void)kn_control_send(sub->link, &control, NULL, 0);
    sub->link = NULL;
}

static void free_sub(struct koine_sub *sub)
{
    for (int i = 0; i < KN_HOLDS; i++) {
        kn_arena_deinit(&sub->samples[i].arena);
        kn_buffer_deinit(&sub->samples[i].text);
    }
    kn_views_deinit(sub->views);
    kn_segment_deinit(&sub->segment);
    free(sub);
}

static void give_back(struct koine_sample *sample);

/* What the user still holds goes with the subscription: the words are the next one's. */
struct koine_sub *koine_unsubscribe(struct koine_sub *sub)
{
    if (!sub || (!sub->ended && !*sub->ref->node->guard))
        return NULL;
    for (int i = 0; !sub->ended && i < KN_HOLDS; i++)
        if (sub->used & 1u << i)
            give_back(&sub->samples[i]);
    if (!sub->ended)
        end(sub);
    sub->ended = sub->gone = true;
    kn_list_unlink(&sub->in_ref);
    if (!sub->users)
        free_sub(sub);
    return NULL;
}

/* The reference is closed: its subscriptions are at their end, and stay until they are unsubscribed. */
void kn_sub_ended(struct koine_ref *ref)
{
    KN_LIST_EACH(at, &ref->subs)
    {
        struct koine_sub *sub = KN_LIST_ENTRY(at, struct koine_sub, in_ref);
        end(sub);
        sub->ended = true;
        kn_list_unlink(&sub->in_ref);
    }
}

/* The publisher says so before it overwrites anything that this reader has not passed; so what was read
 * before this answers no was whole. */
static bool is_revoked(const struct koine_sub *sub)
{
    const struct kn_control_page *page = (const void *)sub->link->in.base;
    atomic_thread_fence(memory_order_acquire);
    return page && atomic_load_explicit(&page->revoked, memory_order_relaxed);
}

/* The link is gone, and with it the own segment in which the subscriptions kept their words. A peer that
 * did not hang up lives, and goes on writing. */
void kn_subs_unlink(struct kn_link *link)
{
    KN_LIST_EACH(at, &link->ref->subs)
    {
        struct koine_sub *sub = KN_LIST_ENTRY(at, struct koine_sub, in_ref);
        if (sub->link != link)
            continue;
        sub->cut = !link->hung_up || is_revoked(sub);
        sub->link = NULL;
    }
}

bool kn_node_has_subs(struct koine_node *node)
{
    KN_LIST_EACH(at, &node->refs)
    {
        if (!kn_list_empty(&KN_LIST_ENTRY(at, struct koine_ref, in_node)->subs))
            return true;
    }
    return false;
}

bool kn_node_has_samples(struct koine_node *node)
{
    KN_LIST_EACH(at, &node->refs)
    {
        KN_LIST_EACH(each, &KN_LIST_ENTRY(at, struct koine_ref, in_node)->subs)
        {
            const struct koine_sub *sub = KN_LIST_ENTRY(each, struct koine_sub, in_ref);
            if (sub->link && kn_ring_has_more(&sub->ring))
                return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- taking */

static bool is_up(const struct koine_sub *sub)
{
    return !sub->ended && sub->link && sub->link == sub->ref->link && sub->link->state == KN_LINKED;
}

static bool has_sample(void *arg)
{
    const struct koine_sub *sub = arg;
    return sub->first || kn_ring_has_more(&sub->ring) || !is_up(sub);
}

/* Keeps a large sample's chunk: the hold is stored before the cursor moves. What a dead service left
 * needs none: nobody writes it again. */
static int open_chunk(struct koine_sub *sub, struct koine_sample *sample, uint32_t ref,
                      uint32_t length)
{
    const void *chunk;
    if (!kn_views_know(sub->views, ref) && is_up(sub))
        kn_link_drain(sub->link);
    int rc = kn_views_find(&chunk, sub->views, ref, length);
    if (rc)
        return rc;
    if (length > KN_SPINE_MAX && is_up(sub)) {
        sample->hold = kn_pool_hold(words_of(sub)->holds, ref);
        if (sample->hold < 0)
            return KOINE_EHOLDS;
    }
    return kn_value_admit(&sample->value, &sample->arena, sub->type, chunk, length,
                          &sub->ref->node->why);
}

/* The slot is private now, and what it holds is turned in place. */
static int open_inline(struct koine_sub *sub, struct koine_sample *sample, uint32_t length)
{
    void *body = &sample->slot[KN_HEAD_SIZE / 8];
    if (length < KN_HEAD_SIZE || length > KN_SLOT_ROOM)
        return KOINE_EPROTOCOL;
    sample->value = body;
    return kn_value_admit_private(sub->type, body, length - KN_HEAD_SIZE, &sub->ref->node->why);
}

static int open_sample(struct koine_sub *sub, struct koine_sample *sample)
{
    uint32_t length, ref;
    struct kn_head head;
    sample->slot[0] = 0; /* no kind, where the slot says it has no octet */
    kn_ring_take(&sub->ring, sample->slot, &length, &ref);
    if (!kn_head_read(&head, sample->slot) || head.kind != KN_EVENT || head.present)
        return KOINE_EPROTOCOL;
    sample->chunk = ref != 0;
    int rc = ref ? open_chunk(sub, sample, ref, length) : open_inline(sub, sample, length);
    if (rc)
        return rc;
    sample->serial = head.serial;
    sample->lost = sub->last && head.serial > sub->last + 1 ? head.serial - sub->last - 1 : 0;
    sub->last = head.serial;
    return 0;
}

static void give_back(struct koine_sample *sample)
{
    if (sample->hold >= 0 && is_up(sample->sub))
        kn_pool_release(words_of(sample->sub)->holds, sample->hold);
    sample->hold = -1;
    sample->sub->used &= ~(1u << (sample - sample->sub->samples));
    if (sample->arena.used)
        kn_arena_reset(&sample->arena);
}

/* Chunks are fewer than slots, so the publisher is told of each that was read. */
static void advance(struct koine_sub *sub, bool chunk)
{
    if (!is_up(sub)) {
        sub->ring.pos++;
        return;
    }
    kn_ring_next(&sub->ring);
    if (chunk)
        kn_ring_tell(&sub->ring);
}

static int take(struct koine_sample **samplep, struct koine_sub *sub)
{
    if (sub->first) {
        *samplep = sub->first;
        sub->first = NULL;
        return 0;
    }
    if (sub->cut)
        return KOINE_EDOWN;
    if (!kn_ring_has_more(&sub->ring)) {
        if (is_up(sub))
            kn_ring_tell(&sub->ring);
        return is_up(sub) ? KOINE_EAGAIN : KOINE_EDOWN;
    }
    struct koine_sample *sample = new_sample(sub);
    if (!sample)
        return KOINE_EHOLDS;
    int rc = open_sample(sub, sample);
    if (sub->cut || (sub->link && is_revoked(sub))) {
        give_back(sample);
        sub->cut = true;
        return KOINE_EDOWN;
    }
    if (rc == KOINE_EHOLDS || rc == KOINE_ENOMEM) {
        give_back(sample);
        return rc;
    }
    advance(sub, sample->chunk);
    if (!rc) {
        *samplep = sample;
        return 0;
    }
    give_back(sample);
    if (is_up(sub))
        kn_link_drop(sub->link);
    return kn_node_fail(sub->ref->node, KOINE_EPROTOCOL, "'%s' published what is no sample",
                        sub->ref->name);
}

/* After the ref is closed the node may be gone, and nothing of both is looked at. */
static int enter(struct koine_sub *sub)
{
    int rc = sub->ended ? KOINE_ECLOSED : kn_node_enter(sub->ref->node);
    if (rc)
        return rc;
    sub->ref->waiting++;
    sub->users++;
    return 0;
}

static int leave(struct koine_sub *sub, struct koine_ref *ref, int rc)
{
    ref->waiting--;
    if (sub->gone)
        rc = KOINE_ECLOSED;
    if (!--sub->users && sub->gone)
        free_sub(sub);
    kn_node_leave(ref->node);
    return rc;
}

int koine_event_take(struct koine_sample **samplep, struct koine_sub *sub)
{
    int rc = enter(sub);
    if (rc)
        return rc;
    struct koine_ref *ref = sub->ref;
    rc = take(samplep, sub);
    if (rc == KOINE_EAGAIN && kn_node_glance(ref->node))
        rc = sub->ended ? KOINE_ECLOSED : take(samplep, sub);
    return leave(sub, ref, rc);
}

int koine_event_wait(struct koine_sample **samplep, struct koine_sub *sub, int64_t timeout)
{
    int rc = enter(sub);
    if (rc)
        return rc;
    struct koine_ref *ref = sub->ref;
    struct koine_node *node = ref->node;
    rc = take(samplep, sub);
    if (rc == KOINE_EAGAIN) {
        struct kn_link *link = sub->link;
        link->users++;
        rc = kn_node_spin(node, has_sample, sub, link)
                 ? 0
                 : kn_node_until(node, has_sample, sub, link,
                                 kn_deadline(kn_now(), timeout ? timeout : node->timeout), true);
        link->users--;
        if (!rc)
            rc = sub->ended ? KOINE_ECLOSED : take(samplep, sub);
    }
    return leave(sub, ref, rc);
}

const void *koine_sample_value(const struct koine_sample *sample)
{
    return sample->value;
}

uint64_t koine_sample_lost(const struct koine_sample *sample)
{
    return sample->lost;
}

uint64_t koine_sample_serial(const struct koine_sample *sample)
{
    return sample->serial;
}

int koine_sample_text(const char **jsonp, struct koine_sample *sample)
{
    if (sample->sub->ended)
        return KOINE_ECLOSED; /* the type may be gone with the reference */
    if (!*sample->sub->ref->node->guard)
        return KOINE_EFORKED;
    kn_buffer_clear(&sample->text);
    int rc = kn_json_write(&sample->text, sample->sub->type, sample->value, 0);
    if (!rc)
        *jsonp = sample->text.ptr;
    return rc;
}

/* The publisher may have written over what this reader holds: it dropped the reader, or the reader left. */
static bool is_taken_back(const struct koine_sub *sub)
{
    return sub->ended || sub->cut || (sub->link && is_revoked(sub));
}

int koine_sample_release(struct koine_sample *sample)
{
    if (!sample->sub->ended && !*sample->sub->ref->node->guard)
        return KOINE_EFORKED;
    bool held = sample->hold >= 0, taken_back = is_taken_back(sample->sub);
    give_back(sample);
    return held && taken_back ? KOINE_EREVOKED : 0;
}
