/* SPDX-License-Identifier: MIT */
#include "cli/lines.h"

#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 64 << 10, KEPT = 1 << 20 };

/* Room for one more piece and a NUL. What was given out is moved away, and a large buffer that is empty
 * is given back. */
static bool make_room(struct cli_lines *lines)
{
    if (lines->start == lines->length && lines->room > KEPT) {
        free(lines->text);
        *lines = (struct cli_lines){.number = lines->number, .skipping = lines->skipping};
    }
    if (lines->start) {
        memmove(lines->text, lines->text + lines->start, lines->length - lines->start);
        lines->length -= lines->start;
        lines->scanned -= lines->start;
        lines->start = 0;
    }
    if (lines->room - lines->length > PIECE)
        return true;
    size_t room = 2 * lines->room > 2 * PIECE ? 2 * lines->room : 2 * PIECE;
    char *text = realloc(lines->text, room);
    if (!text)
        return false;
    lines->text = text;
    lines->room = room;
    return true;
}

long kn_cli_lines_read(struct cli_lines *lines, int fd)
{
    if (!make_room(lines))
        return -ENOMEM;
    ssize_t got = read(fd, lines->text + lines->length, PIECE);
    if (got < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    lines->length += (size_t)got;
    lines->ended = !got;
    return got;
}

static enum cli_line give(struct cli_lines *lines, size_t end, char **linep, size_t *lengthp)
{
    bool skipped = lines->skipping;
    *linep = lines->text + lines->start;
    *lengthp = end - lines->start;
    (*linep)[*lengthp] = 0;
    lines->start = lines->scanned = end < lines->length ? end + 1 : end;
    lines->skipping = false;
    lines->number += !skipped;
    return skipped ? CLI_LINE_NONE : CLI_LINE;
}

enum cli_line kn_cli_lines_next(struct cli_lines *lines, char **linep, size_t *lengthp)
{
    for (;;) {
        size_t left = lines->length - lines->scanned;
        const char *end = left ? memchr(lines->text + lines->scanned, '\n', left) : NULL;
        bool last = !end && lines->ended && lines->length > lines->start;
        if (end || last) {
            size_t at = end ? (size_t)(end - lines->text) : lines->length;
            if (give(lines, at, linep, lengthp))
                return CLI_LINE;
            continue;
        }
        lines->scanned = lines->length;
        bool too_long = lines->length - lines->start > CLI_LINE_MAX;
        if (too_long || lines->skipping)
            lines->start = lines->length;
        if (!too_long || lines->skipping)
            return CLI_LINE_NONE;
        lines->skipping = true;
        lines->number++;
        return CLI_LINE_TOO_LONG;
    }
}

void kn_cli_lines_deinit(struct cli_lines *lines)
{
    free(lines->text);
    *lines = (struct cli_lines){0};
}
