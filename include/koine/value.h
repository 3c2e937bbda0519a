/* SPDX-License-Identifier: MIT
 *
 * Values without a link: the JSON form, copies, comparison. Pure functions; no I/O.
 * JSON form: docs/values.md; numbers keep all their digits.
 */
#ifndef KOINE_VALUE_H
#define KOINE_VALUE_H

#include <koine/error.h>
#include <koine/type.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a value or text was refused: a sentence with path, line and column where there are any. */
struct koine_why {
    char text[256];
};

/* Reads JSON into one heap block, at rest; free with free(). `why` may be NULL.
 * Errors: KOINE_ESYNTAX, KOINE_EDATA, KOINE_EDEPTH, KOINE_ETOOBIG, KOINE_ENOMEM. */
int koine_value_read(void **valuep, const struct koine_type *type, const char *json, size_t length,
                     struct koine_why *why);

#define KOINE_JSON_PRETTY 1u /* laid out for people, two blanks per level */

/* Writes a value at rest as JSON into one heap block with a NUL after it; free with free(). */
int koine_value_write(char **jsonp, size_t *lengthp, const struct koine_type *type,
                      const void *value, unsigned flags);

/* A deep copy in one heap block; free with free(). */
int koine_value_copy(void **copyp, const struct koine_type *type, const void *value);

/* 0 equal, 1 different. */
int koine_value_differ(const struct koine_type *type, const void *a, const void *b);

#ifdef __cplusplus
}
#endif
#endif
