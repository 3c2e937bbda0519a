/* SPDX-License-Identifier: MIT */
#include "base/heap.h"

#include <koine/error.h>

#include <stdlib.h>

void kn_heap_deinit(struct kn_heap *heap)
{
    free(heap->entries);
    *heap = (struct kn_heap){0};
}

int kn_heap_reserve(struct kn_heap *heap, size_t count)
{
    size_t room = heap->room ? heap->room : 8;
    if (count <= heap->room)
        return 0;
    while (room < count)
        room *= 2;
    struct kn_heap_entry **entries = realloc(heap->entries, room * sizeof *entries);
    if (!entries)
        return KOINE_ENOMEM;
    heap->entries = entries;
    heap->room = room;
    return 0;
}

static void set(struct kn_heap *heap, size_t at, struct kn_heap_entry *entry)
{
    heap->entries[at] = entry;
    entry->place = at + 1;
}

static size_t rise(struct kn_heap *heap, size_t at, const struct kn_heap_entry *entry)
{
    while (at && heap->entries[(at - 1) / 2]->key > entry->key) {
        set(heap, at, heap->entries[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    return at;
}

static size_t sink(struct kn_heap *heap, size_t at, const struct kn_heap_entry *entry)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < heap->count && heap->entries[child + 1]->key < heap->entries[child]->key)
            child++;
        if (child >= heap->count || heap->entries[child]->key >= entry->key)
            return at;
        set(heap, at, heap->entries[child]);
        at = child;
    }
}

static void settle(struct kn_heap *heap, size_t at, struct kn_heap_entry *entry)
{
    set(heap, sink(heap, rise(heap, at, entry), entry), entry);
}

void kn_heap_put(struct kn_heap *heap, struct kn_heap_entry *entry, int64_t key)
{
    entry->key = key;
    settle(heap, entry->place ? entry->place - 1 : heap->count++, entry);
}

void kn_heap_remove(struct kn_heap *heap, struct kn_heap_entry *entry)
{
    if (!entry->place)
        return;
    size_t at = entry->place - 1;
    struct kn_heap_entry *last = heap->entries[--heap->count];
    entry->place = 0;
    if (last != entry)
        settle(heap, at, last);
}

struct kn_heap_entry *kn_heap_first(const struct kn_heap *heap)
{
    return heap->count ? heap->entries[0] : NULL;
}
