/* SPDX-License-Identifier: MIT
 *
 * JSON (RFC 8259) straight into values and out of them, without a tree in between, and a scanner for
 * envelopes whose parts are wanted as they stand.
 *
 * Strict: one value and nothing behind it; UTF-8; no duplicate names; no lone surrogates; at most
 * KN_JSON_DEPTH levels. Numbers keep all their digits: an integer is never rounded, and one of 64 bits
 * is also accepted as a decimal string. NaN and the infinities are the strings "NaN", "Infinity" and
 * "-Infinity". Octets are base64 (RFC 4648 section 4). An enum is its label.
 */
#ifndef KN_VALUE_JSON_H
#define KN_VALUE_JSON_H

#include "base/arena.h"
#include "base/buffer.h"
#include "value/why.h"

#include <koine/error.h>
#include <koine/type.h>

enum { KN_JSON_DEPTH = 64 };

struct kn_json {
    const char *start, *at, *end;
    struct koine_why *why; /* may be NULL */
    int depth;
    int failed; /* 0, or the error that every later call answers too */
};

void kn_json_init(struct kn_json *json, struct kn_str text, struct koine_why *why);

/* The first character of the next value: { [ " - or 0 (a number), t f n; NUL at the end or for what
 * begins no value. Skips white space. */
char kn_json_peek(struct kn_json *json);

/* Enters an object or array whose `open` is '{' or '['. */
int kn_json_enter(struct kn_json *json, char open);
/* After kn_json_enter and after each member: 1 there is one more (of an object its name is read next,
 * by kn_json_name), 0 it is closed, negative an error. `first` is set by the caller to 1 and cleared
 * here. */
int kn_json_more(struct kn_json *json, char open, int *first);
/* A member's name and its colon. */
int kn_json_name(struct kn_str *namep, struct kn_json *json, struct kn_arena *arena);

/* A string, decoded into `arena` with a NUL behind it. */
int kn_json_string(struct kn_str *textp, struct kn_json *json, struct kn_arena *arena);
/* A number as it stands; its form is checked. */
int kn_json_number(struct kn_str *textp, struct kn_json *json);
/* true, false or null, by its first letter. */
int kn_json_word(struct kn_json *json, char first);
/* Any value; `*rawp` (may be NULL) is its text as it stands. Strings in it are checked as they would be
 * when read; duplicate names are not looked for. */
int kn_json_skip(struct kn_str *rawp, struct kn_json *json);
/* That nothing but white space follows. */
int kn_json_end(struct kn_json *json);
/* Makes `json` fail at the present place. */
int kn_json_fail(struct kn_json *json, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define KN_JSON_POSITIONAL 1u /* the root struct may also be an array, by position */

/* Reads one value of `type`, at rest, into `arena`. Errors: KOINE_ESYNTAX, KOINE_EDATA, KOINE_EDEPTH,
 * KOINE_ENOMEM; `why` says where. */
int kn_json_read(void **valuep, struct kn_arena *arena, const struct koine_type *type,
                 struct kn_str text, unsigned flags, struct koine_why *why);

/* Writes a value at rest; `flags` KOINE_JSON_*. Answers the buffer's failure, or KOINE_EDEPTH. */
int kn_json_write(struct kn_buffer *buffer, const struct koine_type *type, const void *value,
                  unsigned flags);
/* {"code":"not_found","name":...,"message":...,"completion":"no","retryable":false,"origin":...,
 * "value":{...}}, without name, message, origin and value where there are none. */
int kn_json_write_fault(struct kn_buffer *buffer, const struct koine_fault *fault);
/* A JSON string. */
void kn_json_write_string(struct kn_buffer *buffer, struct kn_str text);

#endif
