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

/* A member of a JSON object: its name, decoded, and its value as it stands; a NUL follows each. */
struct koine_json_part {
    struct koine_string name, json;
};

#define KOINE_JSON_PARTS 64 /* members of an object that is split */

/* Splits a JSON object into its members, for envelopes whose values are read with a type of their own
 * or handed on. The whole text is checked; a name stands once. One heap block; free with free(). `why`
 * may be NULL. Errors: KOINE_ESYNTAX, KOINE_EDEPTH, KOINE_ELIMIT, KOINE_ETOOBIG (4 GiB), KOINE_ENOMEM. */
int koine_json_split(struct koine_json_part **partsp, size_t *countp, const char *json,
                     size_t length, struct koine_why *why);

/* A deep copy in one heap block; free with free(). */
int koine_value_copy(void **copyp, const struct koine_type *type, const void *value);

/* 0 equal, 1 different. */
int koine_value_differ(const struct koine_type *type, const void *a, const void *b);

#ifdef __cplusplus
}
#endif
#endif
