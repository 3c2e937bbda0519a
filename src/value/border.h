/* SPDX-License-Identifier: MIT
 *
 * Values across the border: offsets in flight, pointers at rest.
 *
 * In flight a value is its root at offset 0 and, behind it, everything it refers to, each at a multiple
 * of 8, in the order of a walk: a block (a string with its NUL, octets, the elements of a sequence)
 * comes before the blocks that its elements refer to, and members come in order. So every offset is
 * larger than all before it, blocks never overlap, and one pass of the reader checks that.
 */
#ifndef KN_VALUE_BORDER_H
#define KN_VALUE_BORDER_H

#include "base/arena.h"

#include <koine/type.h>
#include <koine/value.h>

enum { KN_SPINE_MAX = 64 << 10 }; /* a message up to this is copied whole, leaves included */

/* The octets that `value` needs in flight. Errors: KOINE_EDEPTH, KOINE_ETOOBIG (over 4 GiB), and
 * KOINE_EDATA where a reference has a length and no pointer. */
int kn_value_size(size_t *sizep, const struct koine_type *type, const void *value,
                  struct koine_why *why);

/* Writes `value` to `to`, 8-aligned, of exactly the size that kn_value_size gave. Nothing is read back
 * from `to`, which may be shared. Padding becomes zero. What the reader would refuse is refused here:
 * KOINE_EDATA for UTF-8, booleans, enums, bounds. */
int kn_value_gather(void *to, size_t size, const struct koine_type *type, const void *value,
                    struct koine_why *why);

/* Checks `length` octets in flight at `from` (8-aligned, perhaps shared and changing) and gives the
 * value at rest. Up to KN_SPINE_MAX octets are copied to `arena` whole; of more only the spine is, and
 * its leaves (octets, sequences of plain elements, a plain root) stay at `from`, with pointers and
 * lengths that are private. Each shared word is loaded once. Errors: KOINE_EDATA, KOINE_EDEPTH,
 * KOINE_ENOMEM. Octets behind the value are ignored; `from` must be readable up to a multiple of 8. */
int kn_value_admit(const void **valuep, struct kn_arena *arena, const struct koine_type *type,
                   const void *from, size_t length, struct koine_why *why);

/* The same in place, for octets that nobody else can reach: no copy. */
int kn_value_admit_private(const struct koine_type *type, void *from, size_t length,
                           struct koine_why *why);

#endif
