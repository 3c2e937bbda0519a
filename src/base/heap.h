/* SPDX-License-Identifier: MIT
 *
 * A binary heap of entries that their owners keep: what is due first, without allocating when it changes.
 */
#ifndef KN_BASE_HEAP_H
#define KN_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct kn_heap_entry {
    int64_t key;
    size_t place; /* 1 + index in the heap; 0: not in it */
};

struct kn_heap {
    struct kn_heap_entry **entries;
    size_t count, room;
};

void kn_heap_deinit(struct kn_heap *heap);
/* Room for `count` entries altogether: kn_heap_put never fails below it. KOINE_ENOMEM. */
int kn_heap_reserve(struct kn_heap *heap, size_t count);
/* Puts the entry in, or moves it, to its new key. */
void kn_heap_put(struct kn_heap *heap, struct kn_heap_entry *entry, int64_t key);
/* Nothing happens when it is not in. */
void kn_heap_remove(struct kn_heap *heap, struct kn_heap_entry *entry);
/* The entry with the least key, or NULL. */
struct kn_heap_entry *kn_heap_first(const struct kn_heap *heap);

#endif
