/* SPDX-License-Identifier: MIT
 *
 * Where inside a value something is wrong: a path that costs nothing until it is printed.
 *
 * Every walker of values keeps a chain of frames on its own stack; only a refusal turns the chain into
 * text, "rooms[3].name: not UTF-8".
 */
#ifndef KN_VALUE_WHY_H
#define KN_VALUE_WHY_H

#include "base/str.h"

#include <koine/value.h>

struct kn_frame {
    const struct kn_frame *outer; /* NULL: the root */
    struct kn_str name;           /* a member; ptr NULL: an element, by index */
    size_t index;
};

/* Writes "path: message" into `why` (may be NULL) and answers `error`. */
int kn_refuse(struct koine_why *why, int error, const struct kn_frame *frame, const char *format,
              ...) __attribute__((format(printf, 4, 5)));

#endif
