/* SPDX-License-Identifier: MIT
 *
 * A borrowed run of characters: not owned, not necessarily followed by a NUL.
 */
#ifndef KN_BASE_STR_H
#define KN_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct kn_str {
    const char *ptr;
    size_t length;
};

#define KN_STR(literal) ((struct kn_str){(literal), sizeof(literal) - 1})

static inline struct kn_str kn_str(const char *text)
{
    return (struct kn_str){text, text ? strlen(text) : 0};
}

static inline bool kn_str_equal(struct kn_str a, struct kn_str b)
{
    return a.length == b.length && (!a.length || !memcmp(a.ptr, b.ptr, a.length));
}

/* Orders by octets, a prefix first. */
static inline int kn_str_compare(struct kn_str a, struct kn_str b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

#endif
