// SPDX-License-Identifier: MIT
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_ROOM = 4096 };

static int grow(struct text *text)
{
    size_t room = text->room ? 2 * text->room : FIRST_ROOM;
    char *ptr = realloc(text->ptr, room);
    if (!ptr)
        return ENOMEM;
    text->ptr = ptr;
    text->room = room;
    return 0;
}

/* Files of /proc have no size, so one octet more than `most` is asked for to see whether they go on. */
int text_read_fd(struct text *text, int fd, size_t most)
{
    text->length = 0;
    for (;;) {
        if (text->length + 1 >= text->room && grow(text))
            return ENOMEM;
        size_t room = text->room - text->length - 1;
        if (room > most + 1 - text->length)
            room = most + 1 - text->length;
        ssize_t got = pread(fd, text->ptr + text->length, room, (off_t)text->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        text->length += (size_t)got;
        if (!got || text->length > most)
            break;
    }
    text->cut = text->length > most;
    text->length = text->cut ? most : text->length;
    text->ptr[text->length] = 0;
    return 0;
}

int text_read(struct text *text, int dir, const char *path, size_t most)
{
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno;
    int rc = text_read_fd(text, fd, most);
    close(fd);
    return rc;
}

void text_deinit(struct text *text)
{
    free(text->ptr);
    *text = (struct text){0};
}

const char *text_find(const struct text *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text->ptr; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, key, length))
            return line + length + strspn(line + length, " \t");
    }
    return NULL;
}

uint64_t text_number(const struct text *text, const char *key)
{
    const char *found = text_find(text, key);
    return found ? strtoull(found, NULL, 10) : 0;
}

/* The octets of the well-formed character at `from` (Unicode 15, table 3-7), or 0. */
static size_t character(const unsigned char *from, size_t length)
{
    static const struct {
        unsigned char first, last, second_least, second_most, octets;
    } rows[] = {
        {0x00, 0x7f, 0x00, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t octets = rows[i].octets;
        if (*from < rows[i].first || *from > rows[i].last)
            continue;
        if (octets > length ||
            (octets > 1 && (from[1] < rows[i].second_least || from[1] > rows[i].second_most)))
            return 0;
        for (size_t n = 2; n < octets; n++)
            if ((from[n] & 0xc0) != 0x80)
                return 0;
        return octets;
    }
    return 0;
}

size_t text_clean(char *to, size_t room, const char *from, size_t length, bool one_line)
{
    size_t filled = 0;
    for (size_t at = 0; at < length;) {
        size_t octets = character((const unsigned char *)from + at, length - at);
        bool control = octets == 1 && ((unsigned char)from[at] < 0x20 || from[at] == 0x7f);
        const char *take = !octets ? "\xef\xbf\xbd" : control && one_line ? " " : from + at;
        size_t size = octets ? octets : 3;
        if (filled + size >= room)
            break;
        memcpy(to + filled, take, size);
        filled += size;
        at += octets ? octets : 1;
    }
    to[filled] = 0;
    return filled;
}
