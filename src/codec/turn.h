/* SPDX-License-Identifier: MIT
 *
 * Rows of numbers between big-endian and the machine's order, unaligned on either side. The loops are as
 * plain as compilers want them.
 */
#ifndef KN_CODEC_TURN_H
#define KN_CODEC_TURN_H

#include <koine/type.h>

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void kn_turn32(void *to, const void *from)
{
    uint32_t number;
    memcpy(&number, from, sizeof number);
    number = be32toh(number);
    memcpy(to, &number, sizeof number);
}

static inline void kn_turn64(void *to, const void *from)
{
    uint64_t number;
    memcpy(&number, from, sizeof number);
    number = be64toh(number);
    memcpy(to, &number, sizeof number);
}

/* Whether values of `type` are numbers of 4 or 8 octets, which only change their order. */
static inline bool kn_turns(const struct koine_type *type)
{
    return type->kind <= KOINE_KIND_DOUBLE && type->size >= 4;
}

/* `count` numbers of `width` octets, 4 or 8. */
static inline void kn_turn(uint8_t *restrict to, const uint8_t *restrict from, size_t count,
                           size_t width)
{
    if (width == 4)
        for (size_t i = 0; i < count; i++)
            kn_turn32(to + 4 * i, from + 4 * i);
    else
        for (size_t i = 0; i < count; i++)
            kn_turn64(to + 8 * i, from + 8 * i);
}

#endif
