/* SPDX-License-Identifier: MIT
 *
 * Lines that begin with '#'. A file is read once, however often it is included, which is what
 * include guards are for: their lines are passed over, other conditions are refused.
 */
#include "idl/parse.h"

#include <stdlib.h>

/* `path` beside `including`, without "./". */
static const char *beside(struct kn_idl_parser *p, const char *including, struct kn_str path)
{
    const char *slash = strrchr(including, '/');
    struct kn_buffer *b = &p->scratch;
    kn_buffer_clear(b);
    if (slash && path.ptr[0] != '/')
        kn_buffer_add(b, including, (size_t)(slash - including) + 1);
    kn_buffer_str(b, path);
    if (b->failed)
        return NULL;
    char *out = b->ptr;
    const char *in = b->ptr;
    while (*in) {
        size_t all = strcspn(in, "/");
        all += in[all] == '/';
        if (all != 2 || in[0] != '.' || in[1] != '/') {
            memmove(out, in, all);
            out += all;
        }
        in += all;
    }
    return kn_arena_text(&p->idl->arena, b->ptr, (size_t)(out - b->ptr));
}

static unsigned source_depth(const struct kn_idl_parser *p)
{
    unsigned depth = 0;
    for (const struct kn_idl_source *s = p->source; s; s = s->outer)
        depth++;
    return depth;
}

static int open_include(struct kn_idl_parser *p, const struct kn_idl_token *at, const char *path,
                        const char *file)
{
    char *text = NULL;
    size_t length = 0;
    int rc = p->open ? p->open(p->arg, &text, &length, path, p->source->file) : KOINE_ENOENT;
    if (rc == KOINE_ENOMEM)
        return rc;
    if (rc) {
        kn_idl_error(p, at, "found #include \"%s\", expected a file that can be read", path);
        return 0;
    }
    rc = KOINE_ETOOBIG;
    if (length <= KN_IDL_MAX_TEXT - p->text) {
        p->text += length;
        rc = kn_idl_source_push(p, file, text, length);
    }
    free(text);
    return rc;
}

static int note_include(struct kn_idl_parser *p, const char *path)
{
    struct kn_idl_include *include = kn_arena_zalloc(&p->idl->arena, 1, sizeof *include);
    if (!include)
        return KOINE_ENOMEM;
    include->path = path;
    *p->include_end = include;
    p->include_end = &include->next;
    return 0;
}

static int include(struct kn_idl_parser *p, const struct kn_idl_token *at, struct kn_str name)
{
    const char *path = kn_arena_text(&p->idl->arena, name.ptr, name.length);
    const char *file = beside(p, p->source->file, name);
    if (!path || !file)
        return KOINE_ENOMEM;
    int rc = p->source->outer ? 0 : note_include(p, path);
    if (rc || kn_map_get_text(&p->once, kn_str(file)))
        return rc;
    if (source_depth(p) > KN_IDL_MAX_INCLUDES) {
        kn_idl_error(p, at, "found an #include within %d others, expected fewer",
                     KN_IDL_MAX_INCLUDES);
        return 0;
    }
    rc = kn_map_put_text(&p->once, kn_str(file), p);
    return rc ? rc : open_include(p, at, path, file);
}

static void skip_blanks(struct kn_str *line)
{
    while (line->length && (*line->ptr == ' ' || *line->ptr == '\t'))
        line->ptr++, line->length--;
}

static struct kn_str word_of(struct kn_str *line)
{
    skip_blanks(line);
    struct kn_str word = {line->ptr, 0};
    while (word.length < line->length && word.ptr[word.length] >= 'a' &&
           word.ptr[word.length] <= 'z')
        word.length++;
    line->ptr += word.length;
    line->length -= word.length;
    skip_blanks(line);
    return word;
}

/* #ifndef NAME, #define NAME without a value, #endif: what guards are made of. */
static bool guard(struct kn_str word, struct kn_str rest)
{
    if (kn_str_equal(word, KN_STR("endif")))
        return true;
    if (!kn_str_equal(word, KN_STR("ifndef")) && !kn_str_equal(word, KN_STR("define")))
        return false;
    for (size_t i = 0; i < rest.length; i++) {
        if (strchr(" \t(", rest.ptr[i]))
            return false;
    }
    return rest.length != 0;
}

void kn_idl_directive(struct kn_idl_parser *p)
{
    struct kn_idl_token at = {.sort = KN_IDL_BAD};
    kn_idl_place(p, &at);
    p->source->at++;
    struct kn_str line = kn_idl_line(p->source);
    struct kn_str word = word_of(&line);
    if (kn_str_equal(word, KN_STR("pragma")) || guard(word, line))
        return;
    if (!kn_str_equal(word, KN_STR("include"))) {
        kn_idl_error(p, &at, "not supported yet: #%.*s", (int)(word.length & 0x3f), word.ptr);
        return;
    }
    char close = line.length && *line.ptr == '<' ? '>' : '"';
    const char *end = line.length > 1 ? memchr(line.ptr + 1, close, line.length - 1) : NULL;
    if (!end || (*line.ptr != '"' && *line.ptr != '<') || end == line.ptr + 1 ||
        memchr(line.ptr, '\0', line.length)) {
        p->syntax = true;
        kn_idl_error(p, &at, "found #include, expected #include \"file\"");
        return;
    }
    int rc = include(p, &at, (struct kn_str){line.ptr + 1, (size_t)(end - line.ptr - 1)});
    if (rc)
        kn_idl_fail(p, rc);
}
