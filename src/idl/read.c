/* SPDX-License-Identifier: MIT
 *
 * The reader as a whole: errors, and what the public functions answer about what was read.
 */
#include "idl/x.h"
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- errors */

void kn_idl_fail(struct kn_idl_parser *p, int error)
{
    if (!p->fatal)
        p->fatal = error;
}

void kn_idl_error(struct kn_idl_parser *p, const struct kn_idl_token *at, const char *format, ...)
{
    char text[512];
    if (p->fatal || p->error_count == KN_IDL_MAX_ERRORS)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    p->error_count++;
    kn_buffer_print(&p->errors, "%s:%u:%u: %s\n", at->file, at->line, at->column, text);
    if (p->error_count == KN_IDL_MAX_ERRORS)
        kn_idl_fail(p, KOINE_EDATA);
}

void kn_idl_expected(struct kn_idl_parser *p, const char *what)
{
    const struct kn_idl_token *t = &p->token;
    const char *quote = t->sort == KN_IDL_STRING ? "\"" : "'";
    if (p->fatal)
        return;
    p->syntax = true;
    if (t->sort == KN_IDL_END)
        kn_idl_error(p, t, "found the end of the file, expected %s", what);
    else
        kn_idl_error(p, t, "found %s%s%.*s%s, expected %s", quote, t->escaped ? "_" : "",
                     (int)(t->text.length < 64 ? t->text.length : 64), t->text.ptr, quote, what);
}

void kn_idl_unsupported(struct kn_idl_parser *p, const struct kn_idl_token *at)
{
    p->syntax = true;
    kn_idl_error(p, at, "not supported yet: %.*s", (int)at->text.length, at->text.ptr);
}

struct kn_str kn_idl_keep(struct kn_idl_parser *p, const char *text, size_t length)
{
    if (!length)
        return KN_STR("");
    char *copy = kn_arena_text(&p->idl->arena, text, length);
    if (!copy) {
        kn_idl_fail(p, KOINE_ENOMEM);
        return KN_STR("");
    }
    return (struct kn_str){copy, length};
}

/* ---- reading */

static void check_announced(struct kn_idl_parser *p)
{
    for (const struct kn_idl_decl *d = &p->idl->root; d; d = kn_idl_next(p->idl, d)) {
        if (d->sort != KN_IDL_FORWARD || d->base->placed)
            continue;
        struct kn_idl_token at = {.file = d->file, .line = d->line, .column = 1};
        kn_idl_error(p, &at, "found '%.*s' only announced, expected its body somewhere",
                     (int)d->name.length, d->name.ptr);
    }
}

/* The notations, by what stands behind the last dot of a file's name; the first for all others. */
static const struct notation {
    const char *suffix;
    void (*read)(struct kn_idl_parser *p);
} notations[] = {
    {".idl", kn_idl_file},
    {".x", kn_x_file},
};

static const struct notation *notation_of(const char *file)
{
    const char *dot = strrchr(file, '.');
    for (size_t i = 0; dot && i < sizeof notations / sizeof *notations; i++) {
        if (!strcmp(dot, notations[i].suffix))
            return notations + i;
    }
    return notations;
}

static int run(struct kn_idl_parser *p, const char *file, const char *text, size_t length)
{
    if (length > KN_IDL_MAX_TEXT)
        return KOINE_ETOOBIG;
    p->text = length;
    struct kn_str name = kn_idl_keep(p, file, strlen(file));
    int rc = kn_map_put_text(&p->once, name, p);
    if (!rc)
        rc = p->fatal ? p->fatal : kn_idl_source_push(p, name.ptr, text, length);
    if (rc)
        return rc;
    kn_idl_advance(p);
    notation_of(file)->read(p);
    if (!p->fatal)
        check_announced(p);
    if (!p->error_count && !p->fatal)
        kn_idl_build(p);
    if (p->fatal == KOINE_ENOMEM || (p->fatal && !p->error_count))
        return p->fatal;
    if (p->error_count)
        return p->syntax ? KOINE_ESYNTAX : KOINE_EDATA;
    return 0;
}

static int give_errors(struct kn_idl_parser *p, int rc, char **errorsp)
{
    if ((rc != KOINE_ESYNTAX && rc != KOINE_EDATA) || !errorsp)
        return rc;
    kn_buffer_drop(&p->errors, 0);
    if (p->errors.length)
        p->errors.ptr[--p->errors.length] = '\0'; /* the last line's end */
    int failed = kn_buffer_steal(errorsp, NULL, &p->errors);
    return failed ? failed : rc;
}

static struct koine_idl *make(void)
{
    struct koine_idl *idl = calloc(1, sizeof *idl);
    if (!idl)
        return NULL;
    kn_arena_init(&idl->arena, KN_IDL_MAX_ARENA);
    kn_map_init(&idl->names, 0);
    idl->root.sort = KN_IDL_MODULE;
    idl->root.name = idl->root.scoped = idl->root.doc = KN_STR("");
    return idl;
}

struct koine_idl *koine_idl_free(struct koine_idl *idl)
{
    if (!idl)
        return NULL;
    kn_map_deinit(&idl->names);
    kn_arena_deinit(&idl->arena);
    free(idl);
    return NULL;
}

int koine_idl_read(struct koine_idl **idlp, const char *file, const char *text, size_t length,
                   koine_idl_open *open, void *arg, char **errorsp)
{
    if (!idlp || !file || (!text && length))
        return KOINE_EINVAL;
    struct koine_idl *idl = make();
    if (!idl)
        return KOINE_ENOMEM;
    struct kn_idl_parser p = {.idl = idl, .open = open, .arg = arg, .scope = &idl->root};
    p.include_end = &idl->includes;
    struct kn_x x = {.end = &x.first};
    p.x = notation_of(file)->read == kn_x_file ? &x : NULL;
    kn_map_init(&x.defs, 0);
    kn_map_init(&x.jumps, 0);
    kn_map_init(&x.defined, 0);
    kn_map_init(&p.once, 0);
    kn_buffer_init(&p.errors, 0);
    kn_buffer_init(&p.scratch, 0);
    int rc = run(&p, file, text ? text : "", length);
    rc = give_errors(&p, rc, errorsp);
    kn_map_deinit(&x.defs);
    kn_map_deinit(&x.jumps);
    kn_map_deinit(&x.defined);
    kn_map_deinit(&p.once);
    kn_buffer_deinit(&p.errors);
    kn_buffer_deinit(&p.scratch);
    if (rc)
        koine_idl_free(idl);
    else
        *idlp = idl;
    return rc;
}

/* ---- what was read */

size_t koine_idl_interfaces(const struct koine_idl *idl)
{
    return idl ? idl->count : 0;
}

const struct koine_interface *koine_idl_interface(const struct koine_idl *idl, size_t index)
{
    return idl && index < idl->count ? idl->interfaces + index : NULL;
}

static bool is_base(const struct koine_idl *idl, const struct kn_idl_decl *decl)
{
    for (size_t i = 0; i < idl->count; i++) {
        for (const struct kn_idl_decl *d = idl->declared[i]->base; d; d = d->base) {
            if (d == decl)
                return true;
        }
    }
    return false;
}

static void list_interfaces(struct kn_buffer *errors, const struct koine_idl *idl)
{
    for (size_t i = 0; i < idl->count; i++) {
        kn_buffer_text(errors, i ? ", " : idl->count > 1 ? "one of " : "");
        kn_buffer_str(errors, idl->declared[i]->scoped);
    }
    if (!idl->count)
        kn_buffer_text(errors, "a file that declares one");
}

static int refuse(int rc, const struct koine_idl *idl, const char *found, char **errorsp)
{
    if (!errorsp)
        return rc;
    struct kn_buffer errors;
    kn_buffer_init(&errors, 0);
    kn_buffer_print(&errors, "found %s, expected ", found);
    list_interfaces(&errors, idl);
    int failed = kn_buffer_steal(errorsp, NULL, &errors);
    kn_buffer_deinit(&errors);
    return failed ? failed : rc;
}

static int choose_only(const struct koine_interface **interfacep, const struct koine_idl *idl,
                       char **errorsp)
{
    const struct koine_interface *only = NULL;
    size_t count = 0;
    for (size_t i = 0; i < idl->count; i++) {
        if (is_base(idl, idl->declared[i]))
            continue;
        only = idl->interfaces + i;
        count++;
    }
    if (!count)
        return refuse(KOINE_ENOENT, idl, "no interface", errorsp);
    if (count > 1)
        return refuse(KOINE_EINVAL, idl, "several interfaces", errorsp);
    *interfacep = only;
    return 0;
}

int koine_idl_choose(const struct koine_interface **interfacep, const struct koine_idl *idl,
                     const char *name, char **errorsp)
{
    if (!interfacep || !idl)
        return KOINE_EINVAL;
    if (!name)
        return choose_only(interfacep, idl, errorsp);
    for (size_t i = 0; i < idl->count; i++) {
        if (!kn_str_equal(idl->declared[i]->scoped, kn_str(name)))
            continue;
        *interfacep = idl->interfaces + i;
        return 0;
    }
    return refuse(KOINE_ENOENT, idl, "no interface of that name", errorsp);
}
