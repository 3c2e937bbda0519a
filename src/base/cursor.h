/* SPDX-License-Identifier: MIT
 *
 * The one reader of octets that somebody else wrote. A read beyond the end fails, and the failure is
 * sticky: every later read answers zero, so a decoder is straight-line code with one look at `failed`
 * at its end.
 */
#ifndef KN_BASE_CURSOR_H
#define KN_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct kn_cursor {
    const uint8_t *at, *end, *start;
    bool failed;
};

static inline struct kn_cursor kn_cursor(const void *octets, size_t length)
{
    const uint8_t *start = octets;
    return (struct kn_cursor){start, start + length, start, false};
}

static inline size_t kn_cursor_left(const struct kn_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

/* The next `length` octets, or NULL. */
static inline const uint8_t *kn_cursor_take(struct kn_cursor *cursor, size_t length)
{
    if (cursor->failed || length > kn_cursor_left(cursor)) {
        cursor->failed = true;
        return NULL;
    }
    const uint8_t *taken = cursor->at;
    cursor->at += length;
    return taken;
}

/* Copies `length` octets out; zeroes on failure. */
static inline void kn_cursor_copy(struct kn_cursor *cursor, void *to, size_t length)
{
    const uint8_t *taken = kn_cursor_take(cursor, length);
    if (taken)
        memcpy(to, taken, length);
    else
        memset(to, 0, length);
}

/* Skips to a multiple of `align` (a power of two) from the start. */
static inline void kn_cursor_align(struct kn_cursor *cursor, size_t align)
{
    size_t past = (size_t)(cursor->at - cursor->start) & (align - 1);
    if (past)
        (void)kn_cursor_take(cursor, align - past);
}

/* Native byte order: for what never leaves the machine. */
static inline uint8_t kn_cursor_u8(struct kn_cursor *cursor)
{
    const uint8_t *taken = kn_cursor_take(cursor, 1);
    return taken ? *taken : 0;
}

static inline uint16_t kn_cursor_u16(struct kn_cursor *cursor)
{
    uint16_t value;
    kn_cursor_copy(cursor, &value, sizeof value);
    return value;
}

static inline uint32_t kn_cursor_u32(struct kn_cursor *cursor)
{
    uint32_t value;
    kn_cursor_copy(cursor, &value, sizeof value);
    return value;
}

static inline uint64_t kn_cursor_u64(struct kn_cursor *cursor)
{
    uint64_t value;
    kn_cursor_copy(cursor, &value, sizeof value);
    return value;
}

#endif
