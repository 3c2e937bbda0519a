/* SPDX-License-Identifier: MIT
 *
 * Lines out of a descriptor, as they come. A line has at most CLI_LINE_MAX octets; a longer one is
 * thrown away as it arrives.
 */
#ifndef KN_CLI_LINES_H
#define KN_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct cli_lines {
    char *text;
    size_t start, length, room; /* the octets from `start` to `length` were not given out */
    size_t scanned;             /* up to here there is no end of a line */
    unsigned long number;       /* of the line given out last; from 1 */
    bool skipping;              /* inside of a line that is too long */
    bool ended;                 /* end of file: what is left is a line */
};

enum cli_line { CLI_LINE_NONE, CLI_LINE, CLI_LINE_TOO_LONG };

/* Reads once, at most 64 KiB. The octets, 0 at the end of the file, negative an errno (-EAGAIN: nothing
 * now). */
long kn_cli_lines_read(struct cli_lines *lines, int fd);
/* The next whole line, without its end and with a NUL behind it, until the next read. A line that is
 * too long is told once. */
enum cli_line kn_cli_lines_next(struct cli_lines *lines, char **linep, size_t *lengthp);
void kn_cli_lines_deinit(struct cli_lines *lines);

#endif
