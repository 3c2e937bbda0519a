/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

enum { ALIGN = 16, BLOCK = 4096 - 64, BLOCK_MAX = 1 << 20, KEEP_MAX = 256 << 10, LIMIT = 64 << 20 };

struct kn_arena_block {
    struct kn_arena_block *next;
    size_t size, used;
    _Alignas(ALIGN) unsigned char octets[];
};

void kn_arena_init(struct kn_arena *arena, size_t limit)
{
    *arena = (struct kn_arena){.limit = limit ? limit : LIMIT};
}

static void free_blocks(struct kn_arena_block *block)
{
    while (block) {
        struct kn_arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void kn_arena_deinit(struct kn_arena *arena)
{
    free_blocks(arena->first);
    arena->first = arena->last = NULL;
    arena->used = 0;
}

void kn_arena_reset(struct kn_arena *arena)
{
    if (arena->first && arena->first->size > KEEP_MAX)
        kn_arena_deinit(arena);
    arena->used = 0;
    if (!arena->first)
        return;
    free_blocks(arena->first->next);
    arena->first->next = NULL;
    arena->first->used = 0;
    arena->last = arena->first;
}

/* Blocks double up to a megabyte, so that a long list of small things costs few of them. */
static struct kn_arena_block *add_block(struct kn_arena *arena, size_t size)
{
    size_t room = arena->last ? 2 * arena->last->size : BLOCK;
    if (room > BLOCK_MAX)
        room = BLOCK_MAX;
    if (room < size)
        room = size;
    struct kn_arena_block *block = malloc(sizeof *block + room);
    if (!block)
        return NULL;
    *block = (struct kn_arena_block){.size = room};
    if (arena->last)
        arena->last->next = block;
    else
        arena->first = block;
    arena->last = block;
    return block;
}

void *kn_arena_alloc(struct kn_arena *arena, size_t size)
{
    if (size > arena->limit)
        return NULL;
    size_t rounded = size ? (size + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
    if (rounded > arena->limit - arena->used)
        return NULL;
    struct kn_arena_block *block = arena->last;
    if (!block || block->size - block->used < rounded)
        block = add_block(arena, rounded);
    if (!block)
        return NULL;
    void *octets = block->octets + block->used;
    block->used += rounded;
    arena->used += rounded;
    return octets;
}

void *kn_arena_zalloc(struct kn_arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *octets = kn_arena_alloc(arena, total);
    return octets ? memset(octets, 0, total) : NULL;
}

char *kn_arena_text(struct kn_arena *arena, const char *text, size_t length)
{
    if (length == SIZE_MAX)
        return NULL;
    char *copy = kn_arena_alloc(arena, length + 1);
    if (!copy)
        return NULL;
    if (length)
        memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}
