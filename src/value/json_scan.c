/* SPDX-License-Identifier: MIT */
#include "value/json.h"

#include "base/utf8.h"

#include <koine/error.h>

#include <stdarg.h>
#include <stdio.h>

void kn_json_init(struct kn_json *json, struct kn_str text, struct koine_why *why)
{
    *json = (struct kn_json){text.ptr, text.ptr, text.ptr + text.length, why, 0, 0};
}

/* Where `at` is, as people count. */
static void position(const struct kn_json *json, unsigned long *linep, unsigned long *columnp)
{
    *linep = *columnp = 1;
    for (const char *c = json->start; c < json->at; c++) {
        (*columnp)++;
        if (*c == '\n') {
            (*linep)++;
            *columnp = 1;
        }
    }
}

int kn_json_fail(struct kn_json *json, int error, const char *format, ...)
{
    if (json->failed)
        return json->failed;
    json->failed = error;
    if (!json->why)
        return error;
    unsigned long line, column;
    position(json, &line, &column);
    char *text = json->why->text;
    size_t room = sizeof json->why->text;
    int used = snprintf(text, room, "line %lu, column %lu: ", line, column);
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, room - (size_t)used, format, args);
    va_end(args);
    return error;
}

static void skip_space(struct kn_json *json)
{
    while (json->at < json->end &&
           (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
        json->at++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

char kn_json_peek(struct kn_json *json)
{
    skip_space(json);
    if (json->failed || json->at == json->end)
        return 0;
    char c = *json->at;
    if (is_digit(c))
        return '0';
    return strchr("{[\"-tfn", c) ? c : 0;
}

/* Says what stands where `wanted` should. */
static int unexpected(struct kn_json *json, const char *wanted)
{
    if (json->at == json->end)
        return kn_json_fail(json, KOINE_ESYNTAX, "the text ends, expected %s", wanted);
    unsigned char c = (unsigned char)*json->at;
    if (c < 0x20 || c > 0x7e)
        return kn_json_fail(json, KOINE_ESYNTAX, "found octet 0x%02x, expected %s", c, wanted);
    return kn_json_fail(json, KOINE_ESYNTAX, "found '%c', expected %s", c, wanted);
}

static bool take(struct kn_json *json, char c)
{
    skip_space(json);
    if (json->failed || json->at == json->end || *json->at != c)
        return false;
    json->at++;
    return true;
}

int kn_json_enter(struct kn_json *json, char open)
{
    if (!take(json, open))
        return unexpected(json, open == '{' ? "an object" : "an array");
    if (++json->depth > KN_JSON_DEPTH)
        return kn_json_fail(json, KOINE_EDEPTH, "nested deeper than %d", KN_JSON_DEPTH);
    return 0;
}

int kn_json_more(struct kn_json *json, char open, int *first)
{
    if (json->failed)
        return json->failed;
    bool object = open == '{';
    if (take(json, object ? '}' : ']')) {
        json->depth--;
        return 0;
    }
    if (!*first && !take(json, ','))
        return unexpected(json, object ? "',' or '}'" : "',' or ']'");
    *first = 0;
    return 1;
}

int kn_json_name(struct kn_str *namep, struct kn_json *json, struct kn_arena *arena)
{
    if (kn_json_peek(json) != '"')
        return unexpected(json, "a name in quotes");
    int rc = kn_json_string(namep, json, arena);
    if (rc)
        return rc;
    return take(json, ':') ? 0 : unexpected(json, "':'");
}

/* ---------------------------------------------------------------- strings */

static int hex4(struct kn_json *json, uint32_t *codep)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++, json->at++) {
        char c = json->at < json->end ? *json->at : 0;
        uint32_t digit;
        if (is_digit(c))
            digit = (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            digit = (uint32_t)((c | 32) - 'a' + 10);
        else
            return unexpected(json, "four hexadecimal digits");
        code = code << 4 | digit;
    }
    *codep = code;
    return 0;
}

/* Behind "\u": a scalar value, from one or two escapes. */
static int unicode_escape(struct kn_json *json, uint32_t *codep)
{
    uint32_t code = 0, low = 0;
    int rc = hex4(json, &code);
    if (rc)
        return rc;
    if (code >= 0xdc00 && code <= 0xdfff)
        return kn_json_fail(json, KOINE_ESYNTAX, "a low surrogate without a high one");
    if (code >= 0xd800 && code <= 0xdbff) {
        if (json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u')
            return kn_json_fail(json, KOINE_ESYNTAX, "a high surrogate without a low one");
        json->at += 2;
        if ((rc = hex4(json, &low)))
            return rc;
        if (low < 0xdc00 || low > 0xdfff)
            return kn_json_fail(json, KOINE_ESYNTAX, "a high surrogate without a low one");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *codep = code;
    return 0;
}

static int escape(struct kn_json *json, char *to, size_t *lengthp)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char c = json->at < json->end ? *json->at : 0;
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter) {
        json->at++;
        to[(*lengthp)++] = meanings[letter - letters];
        return 0;
    }
    if (c != 'u')
        return unexpected(json, "an escape");
    json->at++;
    uint32_t code = 0;
    int rc = unicode_escape(json, &code);
    if (!rc)
        *lengthp += kn_utf8_put(to + *lengthp, code);
    return rc;
}

/* The octets between the quotes, escapes and all; checked but for the escapes. */
static int find_quote(struct kn_json *json, struct kn_str *rawp)
{
    const char *start = json->at, *c = start;
    while (c < json->end && *c != '"') {
        if ((unsigned char)*c < 0x20) {
            json->at = c;
            return kn_json_fail(json, KOINE_ESYNTAX, "a control character in a string");
        }
        c += *c == '\\' && c + 1 < json->end ? 2 : 1;
    }
    if (c >= json->end) {
        json->at = json->end;
        return kn_json_fail(json, KOINE_ESYNTAX, "the text ends inside a string");
    }
    size_t length = (size_t)(c - start), valid = kn_utf8_valid(start, length);
    if (valid < length) {
        json->at = start + valid;
        return kn_json_fail(json, KOINE_ESYNTAX, "not UTF-8");
    }
    *rawp = (struct kn_str){start, length};
    return 0;
}

/* Decodes into `to`, which has room for the raw length: no escape is shorter than what it means. */
static int decode(struct kn_json *json, struct kn_str raw, char *to, size_t *lengthp)
{
    const char *end = raw.ptr + raw.length;
    size_t length = 0;
    int rc = 0;
    while (json->at < end && !rc) {
        char c = *json->at++;
        if (c == '\\')
            rc = escape(json, to, &length);
        else
            to[length++] = c;
    }
    json->at++;
    *lengthp = length;
    return rc;
}

int kn_json_string(struct kn_str *textp, struct kn_json *json, struct kn_arena *arena)
{
    struct kn_str raw;
    if (!take(json, '"'))
        return unexpected(json, "a string");
    int rc = find_quote(json, &raw);
    if (rc)
        return rc;
    char *text = kn_arena_alloc(arena, raw.length + 1);
    if (!text)
        return kn_json_fail(json, KOINE_ENOMEM, "no memory for a string");
    size_t length = 0;
    if ((rc = decode(json, raw, text, &length)))
        return rc;
    text[length] = 0;
    *textp = (struct kn_str){text, length};
    return 0;
}

/* Checks the escapes of a string without keeping what they mean. */
static int skip_string(struct kn_json *json)
{
    struct kn_str raw;
    json->at++;
    int rc = find_quote(json, &raw);
    const char *end = rc ? json->end : raw.ptr + raw.length;
    while (!rc && json->at < end) {
        char meant[4];
        size_t length = 0;
        if (*json->at++ == '\\')
            rc = escape(json, meant, &length);
    }
    if (!rc)
        json->at++;
    return rc;
}

/* ---------------------------------------------------------------- numbers, words, whole values */

static bool digits(struct kn_json *json)
{
    const char *start = json->at;
    while (json->at < json->end && is_digit(*json->at))
        json->at++;
    return json->at > start;
}

static bool take_now(struct kn_json *json, char c)
{
    bool there = json->at < json->end && *json->at == c;
    json->at += there;
    return there;
}

int kn_json_number(struct kn_str *textp, struct kn_json *json)
{
    skip_space(json);
    if (json->failed)
        return json->failed;
    const char *start = json->at;
    (void)take_now(json, '-');
    bool zero = take_now(json, '0');
    if (!zero && !digits(json))
        return unexpected(json, "a digit");
    if (zero && json->at < json->end && is_digit(*json->at))
        return kn_json_fail(json, KOINE_ESYNTAX, "a number begins with 0");
    if (take_now(json, '.') && !digits(json))
        return unexpected(json, "a digit");
    if (take_now(json, 'e') || take_now(json, 'E')) {
        if (!take_now(json, '+'))
            (void)take_now(json, '-');
        if (!digits(json))
            return unexpected(json, "a digit");
    }
    *textp = (struct kn_str){start, (size_t)(json->at - start)};
    return 0;
}

int kn_json_word(struct kn_json *json, char first)
{
    const char *word = first == 't' ? "true" : first == 'f' ? "false" : "null";
    skip_space(json);
    for (const char *c = word; *c; c++)
        if (json->failed || !take_now(json, *c))
            return unexpected(json, word);
    return 0;
}

static int skip_value(struct kn_json *json);

static int skip_members(struct kn_json *json, char open)
{
    int first = 1, more, rc = kn_json_enter(json, open);
    while (!rc && (more = kn_json_more(json, open, &first)) != 0) {
        if (more < 0)
            return more;
        if (open == '{') {
            if (kn_json_peek(json) != '"')
                return unexpected(json, "a name in quotes");
            if ((rc = skip_string(json)))
                return rc;
            if (!take(json, ':'))
                return unexpected(json, "':'");
        }
        rc = skip_value(json);
    }
    return rc;
}

static int skip_value(struct kn_json *json)
{
    struct kn_str number;
    char kind = kn_json_peek(json);
    if (kind == '{' || kind == '[')
        return skip_members(json, kind);
    if (kind == '"')
        return skip_string(json);
    if (kind == '0' || kind == '-')
        return kn_json_number(&number, json);
    return kind ? kn_json_word(json, kind) : unexpected(json, "a value");
}

int kn_json_skip(struct kn_str *rawp, struct kn_json *json)
{
    skip_space(json);
    const char *start = json->at;
    int rc = json->failed ? json->failed : skip_value(json);
    if (!rc && rawp)
        *rawp = (struct kn_str){start, (size_t)(json->at - start)};
    return rc;
}

int kn_json_end(struct kn_json *json)
{
    skip_space(json);
    if (json->failed)
        return json->failed;
    return json->at == json->end ? 0 : unexpected(json, "the end of the text");
}
