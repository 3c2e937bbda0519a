/* SPDX-License-Identifier: MIT
 *
 * Lines for others: rpcgen copies those with % into its output, and # is for the C preprocessor.
 *
 * Conditions are decided the first time through, and the reader jumps where it jumped then. RPC_HDR is
 * defined: what rpcgen sees when it writes the header is the interface.
 */
#include "idl/x.h"

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct kn_str trim(struct kn_str line)
{
    while (line.length && blank(*line.ptr))
        line.ptr++, line.length--;
    return line;
}

static bool part_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct kn_str take_word(struct kn_str *line)
{
    *line = trim(*line);
    struct kn_str word = {line->ptr, 0};
    while (word.length < line->length && part_of_name(word.ptr[word.length]))
        word.length++;
    *line = trim((struct kn_str){line->ptr + word.length, line->length - word.length});
    return word;
}

static bool is(struct kn_str word, const char *text)
{
    return kn_str_equal(word, kn_str(text));
}

/* The next line of the source, without its end; false: there is none. */
static bool next_line(struct kn_idl_source *s, struct kn_str *linep)
{
    if (s->at == s->end)
        return false;
    s->at++; /* the line's end */
    s->line++;
    s->line_start = s->at;
    *linep = kn_idl_line(s);
    return true;
}

/* Over a part that is not read, to the line with its #else or #endif; true at #endif. */
static bool skip_part(struct kn_idl_parser *p, const struct kn_idl_token *at, bool to_else)
{
    unsigned depth = 0;
    struct kn_str line;
    while (next_line(p->source, &line)) {
        line = trim(line);
        if (!line.length || *line.ptr != '#')
            continue;
        line.ptr++, line.length--;
        struct kn_str word = take_word(&line);
        if (is(word, "if") || is(word, "ifdef") || is(word, "ifndef"))
            depth++;
        else if (is(word, "endif") && !depth--)
            return true;
        else if (is(word, "else") && !depth && to_else)
            return false;
    }
    p->syntax = true;
    kn_idl_error(p, at, "found a condition without end, expected #endif");
    return true;
}

static void condition(struct kn_idl_parser *p, const struct kn_idl_token *at, struct kn_str name,
                      bool wanted)
{
    if (!name.length || (*name.ptr >= '0' && *name.ptr <= '9')) {
        kn_idl_error(p, at, "not supported yet: conditions other than one name");
        return;
    }
    bool known = is(name, "RPC_HDR") || kn_map_get_text(&p->x->defined, name);
    if (known != wanted && skip_part(p, at, true))
        return;
    if (++p->x->ifs > KN_X_MAX_IFS)
        kn_idl_error(p, at, "found conditions %d deep, expected fewer", KN_X_MAX_IFS);
}

/* Behind #else or at #endif of a part that was read. */
static void close_part(struct kn_idl_parser *p, const struct kn_idl_token *at, struct kn_str word)
{
    if (!p->x->ifs) {
        p->syntax = true;
        kn_idl_error(p, at, "found #%.*s, expected a condition before it", (int)word.length,
                     word.ptr);
        return;
    }
    p->x->ifs--;
    if (is(word, "else"))
        skip_part(p, at, false);
}

/* The line's rest is `body`, and the source stands behind it. */
static void define(struct kn_idl_parser *p, struct kn_idl_token *at, struct kn_str name,
                   struct kn_str body)
{
    if (!name.length || (*name.ptr >= '0' && *name.ptr <= '9')) {
        p->syntax = true;
        kn_idl_error(p, at, "found #define, expected a name behind it");
        return;
    }
    int rc = kn_map_put_text(&p->x->defined, name, p);
    if (rc == KOINE_ENOMEM)
        kn_idl_fail(p, rc);
    if (!body.length || body.ptr[0] == '/')
        return;
    bool digits = *body.ptr >= '0' && *body.ptr <= '9';
    bool minus = body.length > 1 && *body.ptr == '-' && body.ptr[1] >= '0' && body.ptr[1] <= '9';
    if (!digits && !minus) {
        kn_idl_error(p, at, "not supported yet: #define of anything but a number");
        return;
    }
    struct kn_x_spot behind = kn_x_save(p);
    struct kn_idl_token token = *at;
    token.sort = KN_IDL_NAME;
    token.text = name;
    token.doc = token.trailing = KN_STR("");
    struct kn_x_def *def = kn_x_add(p, KN_X_DEFINE, &token);
    p->source->at = body.ptr;
    kn_idl_lex(p);
    if (def)
        def->spot = kn_x_save(p);
    kn_x_restore(p, &behind);
}

static void directive(struct kn_idl_parser *p, struct kn_idl_token *at, struct kn_str line)
{
    struct kn_str word = take_word(&line);
    struct kn_str rest = line, name = take_word(&rest);
    if (is(word, "if") || is(word, "ifdef"))
        condition(p, at, name, true);
    else if (is(word, "ifndef"))
        condition(p, at, name, false);
    else if (is(word, "else") || is(word, "endif"))
        close_part(p, at, word);
    else if (is(word, "define"))
        define(p, at, name, rest);
    else if (is(word, "include"))
        kn_idl_error(p, at, "not supported yet: #include (declare here what is used of it)");
    else if (word.length && !is(word, "pragma") && !is(word, "ident") && !(*word.ptr <= '9'))
        kn_idl_error(p, at, "not supported yet: #%.*s", (int)(word.length & 0x3f), word.ptr);
}

static void jump(struct kn_idl_source *s, const char *target)
{
    for (; s->at < target; s->at++) {
        if (*s->at != '\n')
            continue;
        s->line++;
        s->line_start = s->at + 1;
    }
}

void kn_x_line(struct kn_idl_parser *p)
{
    struct kn_idl_source *s = p->source;
    const char *from = s->at;
    const char *target = kn_map_get(&p->x->jumps, (uintptr_t)from);
    struct kn_idl_token at = {.sort = KN_IDL_BAD};
    kn_idl_place(p, &at);
    if (target) {
        jump(s, target);
        return;
    }
    struct kn_str line = kn_idl_line(s);
    if (*from == '#')
        directive(p, &at, (struct kn_str){line.ptr + 1, line.length - 1});
    if (*from == '#' && kn_map_put(&p->x->jumps, (uintptr_t)from, (void *)(uintptr_t)s->at))
        kn_idl_fail(p, KOINE_ENOMEM);
}
