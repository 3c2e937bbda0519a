/* SPDX-License-Identifier: MIT
 *
 * Messages that the ring or the pool has no room for yet: answers, which may not fail for want of it, and
 * calls that were started without waiting. They are kept in flight form and in their order; while there is
 * one, everything that is posted queues behind it.
 *
 * Count and octets are bounded. A calling end answers KOINE_EFULL beyond; a serving end stops reading
 * requests at half of that (`choked`), and has room for an answer to each that it has taken. A fault is a
 * few words and one per request, and is taken always.
 */
#include "node/internal.h"

#include <stdlib.h>

enum { SMALL = 4096 };

struct kn_late {
    struct kn_list in_link;
    struct kn_head head;
    int64_t deadline; /* what the head says is left when it is sent */
    size_t size;
    uint64_t octets[];
};

static void note_size(struct kn_link *link, const struct kn_late *late, bool more)
{
    link->late_count += more ? 1u : -1u;
    link->late_octets += more ? late->size : -late->size;
    link->choked = link->service &&
                   (link->late_count >= KN_LATE_MAX / 2 || link->late_octets >= KN_LATE_OCTETS / 2);
}

static void take_out(struct kn_link *link, struct kn_late *late)
{
    kn_list_unlink(&late->in_link);
    note_size(link, late, false);
}

void kn_late_clear(struct kn_link *link)
{
    while (!kn_list_empty(&link->late)) {
        struct kn_late *late = KN_LIST_ENTRY(link->late.next, struct kn_late, in_link);
        take_out(link, late);
        free(late);
    }
}

static bool is_full(const struct kn_link *link, const struct kn_head *head, size_t size)
{
    if ((head->kind == KN_FAULT && size <= SMALL) || head->kind == KN_CANCEL)
        return false;
    uint32_t most = KN_LATE_MAX + (link->service ? link->node->max_pending : 0);
    return link->late_count >= most || link->late_octets + size > KN_LATE_OCTETS;
}

int kn_late_add(struct kn_link *link, const struct kn_head *head,
                const struct kn_outgoing *outgoing, struct koine_why *why)
{
    if (is_full(link, head, outgoing->size))
        return kn_refuse(why, KOINE_EFULL, NULL, "%u messages of %zu octets wait for room already",
                         link->late_count, link->late_octets);
    struct kn_late *late = malloc(sizeof *late + ((outgoing->size + 7) & ~(size_t)7));
    if (!late)
        return KOINE_ENOMEM;
    late->head = *head;
    late->deadline = head->present ? kn_deadline(kn_now(), head->remaining) : INT64_MAX;
    late->size = outgoing->size;
    int rc = outgoing->size ? kn_outgoing_put(late->octets, outgoing, why) : 0;
    if (rc) {
        free(late);
        return rc;
    }
    kn_list_append(&link->late, &late->in_link);
    note_size(link, late, true);
    return 0;
}

/* A call-back may post more, cancel, or close; so the queue is looked at anew each time. */
void kn_late_send(struct kn_link *link)
{
    while (link->state == KN_LINKED && !kn_list_empty(&link->late)) {
        struct kn_late *late = KN_LIST_ENTRY(link->late.next, struct kn_late, in_link);
        struct kn_outgoing outgoing = {NULL, late->octets, late->size};
        if (late->head.present)
            late->head.remaining = kn_remaining(late->deadline, kn_now());
        int rc = kn_link_put(link, &late->head, &outgoing, NULL);
        if (rc == KOINE_EFULL || link->state != KN_LINKED)
            return;
        struct kn_head head = late->head;
        take_out(link, late);
        free(late);
        if (rc && link->service)
            kn_answer_lost(link, &head, rc);
        else if (rc)
            kn_call_lost(link, head.serial, rc);
    }
}

bool kn_late_cancel(struct kn_link *link, uint64_t serial)
{
    KN_LIST_EACH(at, &link->late)
    {
        struct kn_late *late = KN_LIST_ENTRY(at, struct kn_late, in_link);
        if (late->head.serial != serial || late->head.kind == KN_CANCEL)
            continue;
        take_out(link, late);
        free(late);
        return true;
    }
    return false;
}
