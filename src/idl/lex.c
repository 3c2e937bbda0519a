/* SPDX-License-Identifier: MIT
 *
 * Characters to tokens. Comments, documentation, #include and #pragma end here; the parser sees
 * neither. `>>` comes as two tokens, the second one `glued`, so that sequence<sequence<long>> needs no
 * blank.
 */
#include "idl/x.h"
#include "base/utf8.h"

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static char peek(const struct kn_idl_source *s, size_t ahead)
{
    return (size_t)(s->end - s->at) > ahead ? s->at[ahead] : '\0';
}

static void step(struct kn_idl_source *s)
{
    if (*s->at++ != '\n')
        return;
    s->line++;
    s->line_start = s->at;
}

void kn_idl_place(const struct kn_idl_parser *p, struct kn_idl_token *token)
{
    struct kn_idl_source *s = p->source;
    if (s->counted < s->line_start) {
        s->counted = s->line_start;
        s->column = 1;
    }
    for (; s->counted < s->at; s->counted++)
        s->column += ((unsigned char)*s->counted & 0xc0) != 0x80;
    token->file = s->file;
    token->line = s->line;
    token->included = s->outer != NULL;
    token->column = s->column;
}

int kn_idl_source_push(struct kn_idl_parser *p, const char *file, const char *text, size_t length)
{
    struct kn_idl_source *s = kn_arena_zalloc(&p->idl->arena, 1, sizeof *s);
    char *copy = kn_arena_text(&p->idl->arena, text, length);
    if (!s || !copy)
        return KOINE_ENOMEM;
    *s = (struct kn_idl_source){p->source, file, copy, copy + length, copy, 1, copy, 1};
    p->source = s;
    size_t valid = kn_utf8_valid(text, strnlen(text, length)); /* nor is a NUL text */
    if (valid == length)
        return 0;
    while (s->at < copy + valid)
        step(s);
    struct kn_idl_token at = {.sort = KN_IDL_BAD};
    kn_idl_place(p, &at);
    p->syntax = true;
    kn_idl_error(p, &at, "found an octet 0x%02x, expected UTF-8", (unsigned char)text[valid]);
    s->at = s->end = s->line_start;
    return 0;
}

/* ---- comments */

struct kn_str kn_idl_line(struct kn_idl_source *s)
{
    const char *start = s->at;
    while (s->at < s->end && *s->at != '\n')
        s->at++;
    const char *end = s->at;
    while (end > start && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    return (struct kn_str){start, (size_t)(end - start)};
}

static void add_doc(struct kn_idl_parser *p, struct kn_str *docp, struct kn_str raw, bool line)
{
    *docp = kn_idl_join_docs(p, *docp, kn_idl_doc(p, raw, line));
}

/* Runs of `///` lines are one text. */
static void line_comment(struct kn_idl_parser *p, struct kn_idl_token *token)
{
    struct kn_idl_source *s = p->source;
    struct kn_str line = kn_idl_line(s);
    if (line.length < 3 || line.ptr[2] != '/' || (line.length > 3 && line.ptr[3] == '/'))
        return;
    if (line.length > 3 && line.ptr[3] == '<') {
        add_doc(p, &token->trailing, (struct kn_str){line.ptr + 4, line.length - 4}, true);
        token->trailing_line = s->line;
        return;
    }
    add_doc(p, &token->doc, (struct kn_str){line.ptr + 3, line.length - 3}, true);
}

static void block_comment(struct kn_idl_parser *p, struct kn_idl_token *token)
{
    struct kn_idl_source *s = p->source;
    struct kn_idl_token at = {.sort = KN_IDL_BAD};
    kn_idl_place(p, &at);
    const char *start = s->at;
    s->at += 2;
    while (s->at < s->end && !(s->at[0] == '*' && peek(s, 1) == '/'))
        step(s);
    if (s->at == s->end) {
        p->syntax = true;
        kn_idl_error(p, &at, "found a comment without end, expected '*/'");
        return;
    }
    const char *end = s->at;
    s->at += 2;
    if (end < start + 3 || start[2] != '*' || start[3] == '*')
        return;
    bool behind = start[3] == '<';
    struct kn_str raw = {start + 3 + behind, (size_t)(end - start) - 3 - behind};
    add_doc(p, behind ? &token->trailing : &token->doc, raw, false);
    if (behind)
        token->trailing_line = at.line;
}

/* Skips what is no token; false at the end of the outermost file. */
static bool skip(struct kn_idl_parser *p, struct kn_idl_token *token)
{
    while (!p->fatal) {
        struct kn_idl_source *s = p->source;
        char c = peek(s, 0);
        if (s->at == s->end) {
            if (!s->outer)
                return false;
            p->source = s->outer;
        } else if (c && strchr(" \t\n\r\f\v", c)) {
            step(s);
        } else if (c == '/' && peek(s, 1) == '/') {
            line_comment(p, token);
        } else if (c == '/' && peek(s, 1) == '*') {
            block_comment(p, token);
        } else if (p->x && (c == '#' || (c == '%' && s->at == s->line_start))) {
            kn_x_line(p);
        } else if (c == '#') {
            kn_idl_directive(p);
        } else {
            return true;
        }
    }
    return false;
}

/* ---- tokens */

static void name(struct kn_idl_parser *p, struct kn_idl_token *token)
{
    struct kn_idl_source *s = p->source;
    const char *start = s->at;
    while (letter(peek(s, 0)) || digit(peek(s, 0)))
        s->at++;
    token->sort = KN_IDL_NAME;
    token->escaped = *start == '_';
    start += token->escaped;
    token->text = (struct kn_str){start, (size_t)(s->at - start)};
    bool good = token->text.length && *start != '_' && letter(*start);
    if (good && token->text.length <= KN_IDL_MAX_NAME)
        return;
    token->sort = KN_IDL_BAD;
    p->syntax = true;
    if (good)
        kn_idl_error(p, token, "found an identifier of %zu octets, expected at most %d",
                     token->text.length, KN_IDL_MAX_NAME);
    else
        kn_idl_error(p, token, "found '_%.*s', expected an identifier that begins with a letter",
                     (int)(token->text.length & 0xff), start);
}

static void punctuation(struct kn_idl_parser *p, struct kn_idl_token *token)
{
    struct kn_idl_source *s = p->source;
    char c = *s->at;
    token->text = (struct kn_str){s->at, 1};
    token->sort = (unsigned char)c;
    if (c == ':' && peek(s, 1) == ':') {
        token->sort = KN_IDL_SCOPE;
        token->text.length = 2;
        s->at++;
    } else if (!c || !strchr("{}()[]<>;:,=@|^&+-*/%~", c)) {
        token->sort = KN_IDL_BAD;
        p->syntax = true;
        if (c == '\'')
            kn_idl_error(p, token, "not supported yet: character literals");
        else if (c > ' ' && c < 0x7f)
            kn_idl_error(p, token, "found '%c', expected a word or a sign of IDL", c);
        else
            kn_idl_error(p, token, "found an octet 0x%02x, expected a word or a sign of IDL",
                         (unsigned char)c);
    }
    s->at++;
    if (c != '\'')
        return;
    while (s->at < s->end && *s->at != '\'' && *s->at != '\n')
        s->at++;
    s->at += s->at < s->end && *s->at == '\'';
}

void kn_idl_lex(struct kn_idl_parser *p)
{
    struct kn_idl_token token = {.sort = KN_IDL_END};
    const char *before = p->source->at;
    bool more;
    do {
        more = skip(p, &token);
        token.glued = p->source->at == before;
        kn_idl_place(p, &token);
        char c = more ? *p->source->at : '\0';
        if (!more)
            token.sort = KN_IDL_END;
        else if (letter(c))
            name(p, &token);
        else if (digit(c) || (c == '.' && digit(peek(p->source, 1))))
            kn_idl_number(p, &token);
        else if (c == '"')
            kn_idl_literal(p, &token);
        else
            punctuation(p, &token);
    } while (token.sort == KN_IDL_BAD);
    if (p->fatal)
        token.sort = KN_IDL_END;
    p->token = token;
}
