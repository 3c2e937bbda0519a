/* SPDX-License-Identifier: MIT
 *
 * What stands inside comments of documentation and inside literals.
 *
 * Documentation is kept as plain lines: without the signs of the comment, without a column of stars,
 * without blanks at the ends of lines and blank lines at either end.
 */
#include "idl/parse.h"
#include "base/utf8.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static struct kn_str trim_right(struct kn_str line)
{
    while (line.length && blank(line.ptr[line.length - 1]))
        line.length--;
    return line;
}

static struct kn_str trim_left(struct kn_str line)
{
    while (line.length && blank(*line.ptr))
        line.ptr++, line.length--;
    return line;
}

/* A line of a block: an optional star after blanks, then one blank. */
static struct kn_str unstar(struct kn_str line)
{
    struct kn_str bare = trim_left(line);
    if (!bare.length || *bare.ptr != '*')
        return bare;
    bare.ptr++, bare.length--;
    if (bare.length && blank(*bare.ptr))
        bare.ptr++, bare.length--;
    return bare;
}

/* One line of a comment without what only decorates it: of `//` lines the blank in front, of a block
 * its stars. */
static struct kn_str undecorated(struct kn_str line, bool first, bool lines)
{
    if (!lines || !first)
        return trim_right(first ? trim_left(line) : unstar(line));
    if (line.length && blank(*line.ptr))
        line.ptr++, line.length--;
    return trim_right(line);
}

struct kn_str kn_idl_doc(struct kn_idl_parser *p, struct kn_str raw, bool lines)
{
    struct kn_buffer *b = &p->scratch;
    kn_buffer_clear(b);
    size_t kept = 0;
    for (bool first = true; raw.length || first; first = false) {
        const char *end = raw.length ? memchr(raw.ptr, '\n', raw.length) : NULL;
        struct kn_str line = {raw.ptr, end ? (size_t)(end - raw.ptr) : raw.length};
        size_t used = line.length + (end != NULL);
        raw = (struct kn_str){raw.ptr + used, raw.length - used};
        line = undecorated(line, first, lines);
        if (!lines && !b->length)
            line = trim_left(line);
        if (!lines && !b->length && !line.length)
            continue;
        if (!first && b->length)
            kn_buffer_char(b, '\n');
        kn_buffer_str(b, line);
        kept = line.length ? b->length : kept;
    }
    if (b->failed)
        kn_idl_fail(p, b->failed);
    return kn_idl_keep(p, b->ptr, lines ? b->length : kept);
}

/* Two comments before one thing: one text. Blank lines at the end go when it is used. */
struct kn_str kn_idl_join_docs(struct kn_idl_parser *p, struct kn_str a, struct kn_str b)
{
    if (!a.length)
        return trim_left(b);
    struct kn_buffer *s = &p->scratch;
    kn_buffer_clear(s);
    kn_buffer_str(s, a);
    kn_buffer_char(s, '\n');
    kn_buffer_str(s, b);
    if (s->failed)
        kn_idl_fail(p, s->failed);
    return kn_idl_keep(p, s->ptr, s->length);
}

/* ---- literals */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void bad(struct kn_idl_parser *p, struct kn_idl_token *token, const char *text)
{
    p->syntax = true;
    kn_idl_error(p, token, "%s", text);
    struct kn_idl_source *s = p->source;
    while (s->at < s->end && *s->at != '"' && *s->at != '\n')
        s->at++;
    s->at += s->at < s->end && *s->at == '"';
}

/* Digits of `base`, at most `most` of them. */
static uint32_t digits(struct kn_idl_source *s, int base, int most)
{
    uint32_t value = 0;
    for (int i = 0; i < most && s->at < s->end; i++, s->at++) {
        int d = hex(*s->at);
        if (d < 0 || d >= base)
            break;
        value = value * (uint32_t)base + (uint32_t)d;
    }
    return value;
}

/* Behind the backslash. False: no such escape, or one for NUL. */
static bool escape(struct kn_buffer *b, struct kn_idl_source *s)
{
    static const char from[] = "ntvbrfa\\?'\"", to[] = "\n\t\v\b\r\f\a\\?'\"";
    char c = *s->at;
    const char *plain = c ? strchr(from, c) : NULL;
    uint32_t code;
    if (plain) {
        s->at++;
        kn_buffer_char(b, to[plain - from]);
        return true;
    }
    if (c == 'u') {
        char utf8[4];
        s->at++;
        code = digits(s, 16, 4);
        size_t length = kn_utf8_put(utf8, code);
        kn_buffer_add(b, utf8, length);
        return code && length;
    }
    if (c == 'x')
        s->at++;
    code = c == 'x' ? digits(s, 16, 2) : digits(s, 8, 3);
    kn_buffer_char(b, (char)code);
    return code && code < 256;
}

static bool one_literal(struct kn_idl_parser *p, struct kn_idl_token *token)
{
    struct kn_idl_source *s = p->source;
    s->at++;
    while (s->at < s->end && *s->at != '"' && *s->at != '\n') {
        if (*s->at != '\\') {
            kn_buffer_char(&p->scratch, *s->at++);
            continue;
        }
        if (++s->at == s->end || !escape(&p->scratch, s)) {
            bad(p, token,
                "found an escape in a string that IDL does not have, expected \\n, \\t, "
                "\\\\, \\\", \\x41, \\u00e9 ...");
            return false;
        }
    }
    if (s->at < s->end && *s->at == '"') {
        s->at++;
        return true;
    }
    bad(p, token, "found a string without end, expected '\"'");
    return false;
}

/* A string, and those that follow it at once: they are one. */
void kn_idl_literal(struct kn_idl_parser *p, struct kn_idl_token *token)
{
    struct kn_idl_source *s = p->source;
    kn_buffer_clear(&p->scratch);
    token->sort = KN_IDL_STRING;
    do {
        if (!one_literal(p, token))
            return;
        while (s->at < s->end && (blank(*s->at) || *s->at == '\n')) {
            s->line += *s->at == '\n';
            s->at++;
            if (s->at[-1] == '\n')
                s->line_start = s->at;
        }
    } while (s->at < s->end && *s->at == '"');
    if (p->scratch.failed)
        kn_idl_fail(p, p->scratch.failed);
    token->text = kn_idl_keep(p, p->scratch.ptr, p->scratch.length);
    if (kn_utf8_valid(token->text.ptr, token->text.length) == token->text.length)
        return;
    p->syntax = true;
    kn_idl_error(p, token, "found a string that is not UTF-8, expected UTF-8");
}

static bool whole(struct kn_str text, uint64_t *wholep)
{
    int base = text.length > 1 && *text.ptr == '0' ? 8 : 10;
    size_t at = 0;
    if (base == 8 && (text.ptr[1] == 'x' || text.ptr[1] == 'X')) {
        base = 16;
        at = 2;
        if (text.length == 2)
            return false;
    }
    uint64_t value = 0;
    for (; at < text.length; at++) {
        int d = hex(text.ptr[at]);
        if (d < 0 || d >= base || __builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)d, &value))
            return false;
    }
    *wholep = value;
    return true;
}

void kn_idl_put_double(struct kn_buffer *buffer, double value)
{
    char text[40];
    double again = 0;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = c ? uselocale(c) : (locale_t)0;
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        again = strtod(text, NULL);
        if (memcmp(&again, &value, sizeof value) == 0)
            break;
    }
    if (c) {
        uselocale(before);
        freelocale(c);
    } else {
        buffer->failed = KOINE_ENOMEM;
    }
    kn_buffer_text(buffer, text);
    if (!strpbrk(text, ".e"))
        kn_buffer_text(buffer, ".0");
}

/* In the C locale, whatever the program's is. */
static bool real(struct kn_str text, double *realp)
{
    char copy[128], *end;
    if (text.length >= sizeof copy)
        return false;
    memcpy(copy, text.ptr, text.length);
    copy[text.length] = '\0';
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c)
        return false;
    *realp = strtod_l(copy, &end, c);
    freelocale(c);
    return !*end && isfinite(*realp);
}

void kn_idl_number(struct kn_idl_parser *p, struct kn_idl_token *token)
{
    struct kn_idl_source *s = p->source;
    const char *start = s->at;
    bool sixteen = s->end - start > 1 && *start == '0' && (start[1] | 0x20) == 'x';
    bool floating = false;
    for (; s->at < s->end; s->at++) {
        char c = *s->at;
        bool exponent = !sixteen && (c | 0x20) == 'e';
        bool sign = (c == '+' || c == '-') && floating && (s->at[-1] | 0x20) == 'e';
        floating |= exponent || c == '.';
        if (hex(c) < 0 && c != '.' && !sign && !(c == 'x' || c == 'X') && !(c >= 'g' && c <= 'z'))
            break;
    }
    token->text = (struct kn_str){start, (size_t)(s->at - start)};
    token->sort = floating ? KN_IDL_REAL : KN_IDL_WHOLE;
    if (floating ? real(token->text, &token->real) : whole(token->text, &token->whole))
        return;
    p->syntax = true;
    kn_idl_error(p, token, "found '%.*s', expected a number of at most 64 bits",
                 (int)(token->text.length < 64 ? token->text.length : 64), token->text.ptr);
}
