/* SPDX-License-Identifier: MIT
 *
 * What must hold of every value that was let in, wherever it came from.
 */
#ifndef KN_FUZZ_ROUND_H
#define KN_FUZZ_ROUND_H

#include "base/arena.h"

#include <koine/type.h>

/* `value` at rest prints as JSON, and JSON and flight give it back: each of the three forms prints the
 * same text. */
void fuzz_round(const struct koine_type *type, const void *value);

/* A type for `selector` and the memory that it lies in: 0 koine::Interface, else the last of a table of
 * random types; NULL when that table is none. */
const struct koine_type *fuzz_type(struct kn_arena *arena, uint16_t selector);

#endif
