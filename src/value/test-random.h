/* SPDX-License-Identifier: MIT
 *
 * Random tables of types and random values of them, from a seed that the tests print.
 */
#ifndef KN_VALUE_TEST_RANDOM_H
#define KN_VALUE_TEST_RANDOM_H

#include "base/arena.h"

#include <koine/type.h>

struct random_source {
    uint64_t state;
};

uint64_t random_next(struct random_source *source);
/* Less than `bound`. */
uint32_t random_below(struct random_source *source, uint32_t bound);

/* A laid-out table; the last type is a struct that uses the others. */
struct koine_type *random_types(struct random_source *source, struct kn_arena *arena,
                                size_t *countp);
/* A value at rest of `type`, with every sort of content that JSON and flight must carry. */
void *random_value(struct random_source *source, struct kn_arena *arena,
                   const struct koine_type *type);

#endif
