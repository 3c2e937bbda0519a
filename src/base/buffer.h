/* SPDX-License-Identifier: MIT
 *
 * Growing output with a limit and a sticky failure: write as often as needed, look at `failed` once.
 */
#ifndef KN_BASE_BUFFER_H
#define KN_BASE_BUFFER_H

#include "base/str.h"

#include <stdint.h>

struct kn_buffer {
    char *ptr; /* NULL or NUL-terminated */
    size_t length;
    size_t room;
    size_t limit;
    int failed; /* 0, KOINE_ENOMEM or KOINE_ETOOBIG; after a failure nothing is added */
};

/* `limit` 0 means 256 MiB. */
void kn_buffer_init(struct kn_buffer *buffer, size_t limit);
void kn_buffer_deinit(struct kn_buffer *buffer);
/* Empty again, memory and limit kept. */
void kn_buffer_clear(struct kn_buffer *buffer);
/* Hands over the text (never NULL on success, free()) and empties the buffer; answers `failed`. */
int kn_buffer_steal(char **textp, size_t *lengthp, struct kn_buffer *buffer);

void kn_buffer_add(struct kn_buffer *buffer, const void *octets, size_t length);
void kn_buffer_char(struct kn_buffer *buffer, char c);
void kn_buffer_text(struct kn_buffer *buffer, const char *text);
void kn_buffer_str(struct kn_buffer *buffer, struct kn_str str);
void kn_buffer_fill(struct kn_buffer *buffer, char c, size_t count);
void kn_buffer_int(struct kn_buffer *buffer, int64_t value);
void kn_buffer_uint(struct kn_buffer *buffer, uint64_t value);
/* Where `*roomp` octets, at least `least`, may be written behind what is there, within the limit; NULL on
 * failure. They count once they are taken, and a write by any other function moves them. */
char *kn_buffer_room(size_t *roomp, struct kn_buffer *buffer, size_t least);
/* The first `length` octets of that room are written and belong to the buffer now. */
void kn_buffer_take(struct kn_buffer *buffer, size_t length);
/* Drops the first `length` octets. */
void kn_buffer_drop(struct kn_buffer *buffer, size_t length);
void kn_buffer_print(struct kn_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
