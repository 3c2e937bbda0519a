/* SPDX-License-Identifier: MIT
 *
 * Small text files, read whole, and text that may be anything, made UTF-8.
 */
#ifndef HOST_TEXT_H
#define HOST_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *ptr; /* NULL before the first reading; a NUL stands behind `length` octets */
    size_t length, room;
    bool cut; /* the file goes on */
};

/* Reads at most `most` octets of `path` below `dir` (AT_FDCWD: anywhere) into `text`, whose memory is used
 * again. Answers 0, or an errno. */
int text_read(struct text *text, int dir, const char *path, size_t most);
/* The same from the start of an open file, as /proc gives it anew. */
int text_read_fd(struct text *text, int fd, size_t most);
void text_deinit(struct text *text);

/* What stands behind `key` at the start of a line, without blanks; NULL when there is no such line. */
const char *text_find(const struct text *text, const char *key);
/* The same as a number; 0 when there is none. */
uint64_t text_number(const struct text *text, const char *key);

/* Copies `length` octets as UTF-8 with a NUL behind it: each octet that belongs to no character becomes
 * U+FFFD, and with `one_line` each control character a blank. What does not fit `room` is cut between two
 * characters. Answers the length. */
size_t text_clean(char *to, size_t room, const char *from, size_t length, bool one_line);

#endif
