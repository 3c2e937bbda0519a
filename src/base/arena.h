/* SPDX-License-Identifier: MIT
 *
 * A bump allocator with a limit: many small things that die together.
 */
#ifndef KN_BASE_ARENA_H
#define KN_BASE_ARENA_H

#include "base/str.h"

#include <stddef.h>

struct kn_arena_block;

struct kn_arena {
    struct kn_arena_block *first; /* kept by reset */
    struct kn_arena_block *last;
    size_t used;  /* octets handed out since the last reset */
    size_t limit; /* greatest `used` */
};

/* Allocates nothing yet. `limit` 0 means 64 MiB. */
void kn_arena_init(struct kn_arena *arena, size_t limit);
void kn_arena_deinit(struct kn_arena *arena);

/* Everything handed out is gone; the first block stays for the next round, unless it is large. */
void kn_arena_reset(struct kn_arena *arena);

/* `size` octets aligned to 16, not cleared; NULL without memory or beyond the limit. Size 0 gives a
 * valid pointer. */
void *kn_arena_alloc(struct kn_arena *arena, size_t size);
/* The same, zeroed, for `count` things; NULL also when the product does not fit. */
void *kn_arena_zalloc(struct kn_arena *arena, size_t count, size_t size);
/* A copy with a NUL behind it. */
char *kn_arena_text(struct kn_arena *arena, const char *text, size_t length);

#endif
