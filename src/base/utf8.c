/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

/* What may follow a leading octet (Unicode 15, table 3-7): how many, and the range of the first. */
struct tail {
    uint8_t count, low, high;
};

static struct tail tail_of(uint8_t lead)
{
    if (lead >= 0xc2 && lead <= 0xdf)
        return (struct tail){1, 0x80, 0xbf};
    if (lead >= 0xe0 && lead <= 0xef)
        return (struct tail){2, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf};
    if (lead >= 0xf0 && lead <= 0xf4)
        return (struct tail){3, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf};
    return (struct tail){0, 0, 0};
}

/* Octets of the sequence at `text`, 0 when it is not one. */
static size_t sequence(const uint8_t *text, size_t left)
{
    struct tail tail = tail_of(text[0]);
    if (!tail.count || tail.count >= left || text[1] < tail.low || text[1] > tail.high)
        return 0;
    for (size_t i = 2; i <= tail.count; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return tail.count + 1u;
}

static size_t ascii_run(const uint8_t *text, size_t length)
{
    size_t at = 0;
    uint64_t word;
    for (; at + sizeof word <= length; at += sizeof word) {
        memcpy(&word, text + at, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (at < length && text[at] < 0x80)
        at++;
    return at;
}

size_t kn_utf8_valid(const char *text, size_t length)
{
    const uint8_t *octets = (const uint8_t *)text;
    size_t at = 0;
    for (;;) {
        at += ascii_run(octets + at, length - at);
        if (at == length)
            return length;
        size_t step = sequence(octets + at, length - at);
        if (!step)
            return at;
        at += step;
    }
}

size_t kn_utf8_put(char to[4], uint32_t code)
{
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t count = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = count - 1; i; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(leads[count] | code);
    return count;
}
