/* SPDX-License-Identifier: MIT
 *
 * The head of a message in its slot:
 *
 *      0      1       2         4         8          16
 *      +------+-------+---------+---------+----------+------------------------+
 *      | kind | flags | present | member  | serial   | each present field, 8  |
 *      +------+-------+---------+---------+----------+------------------------+
 *
 * The body follows, 8-aligned, or lies in the chunk that the slot refers to. A deadline travels as what
 * is left of it, so the two ends need no common clock.
 */
#ifndef KN_NODE_HEAD_H
#define KN_NODE_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum kn_kind { KN_CALL = 1, KN_REPLY, KN_FAULT, KN_CANCEL, KN_GET, KN_SET, KN_DESCRIBE, KN_EVENT };

#define KN_FLAG_ONEWAY      1u
#define KN_PRESENT_DEADLINE 1u

struct kn_head {
    uint8_t kind;
    uint8_t flags;
    uint16_t present;
    uint32_t member;
    uint64_t serial;
    int64_t remaining; /* when present */
};

enum { KN_HEAD_SIZE = 16, KN_HEAD_MAX = 24 };

static inline size_t kn_head_size(const struct kn_head *head)
{
    return KN_HEAD_SIZE + (head->present & KN_PRESENT_DEADLINE ? 8u : 0u);
}

static inline void kn_head_write(uint64_t *words, const struct kn_head *head)
{
    memcpy(words, head, kn_head_size(head));
}

/* False when the words say what no version knows. */
static inline bool kn_head_read(struct kn_head *head, const uint64_t *words)
{
    memcpy(head, words, KN_HEAD_SIZE);
    head->remaining = INT64_MAX;
    if (head->present & ~KN_PRESENT_DEADLINE || !head->kind || head->kind > KN_EVENT)
        return false;
    if (head->present)
        memcpy(&head->remaining, &words[2], sizeof head->remaining);
    return true;
}

_Static_assert(sizeof(struct kn_head) == KN_HEAD_MAX, "the head is written as it lies in memory");

#endif
