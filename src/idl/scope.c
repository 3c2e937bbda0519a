/* SPDX-License-Identifier: MIT
 *
 * Names: who declares what, and what a name means where it stands.
 *
 * All names lie in one map, by their scoped name in small letters: two that differ only in case are
 * one key, which IDL forbids (IDL 4.2, 7.2.3). A lookup tries the scope, then what it inherits from,
 * then the scope around it (7.5.2).
 */
#include "idl/parse.h"

#include <stdio.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* "scope::name"; in small letters when `key`. Kept in the arena. */
static struct kn_str qualified(struct kn_idl_parser *p, struct kn_str scope, struct kn_str name,
                               bool key)
{
    struct kn_buffer *b = &p->scratch;
    kn_buffer_clear(b);
    kn_buffer_str(b, scope);
    if (scope.length)
        kn_buffer_text(b, "::");
    kn_buffer_str(b, name);
    if (b->failed)
        kn_idl_fail(p, b->failed);
    for (size_t i = 0; key && i < b->length; i++)
        b->ptr[i] = lower(b->ptr[i]);
    return key ? (struct kn_str){b->ptr, b->length} : kn_idl_keep(p, b->ptr, b->length);
}

static struct kn_idl_decl *look(struct kn_idl_parser *p, const struct kn_idl_decl *scope,
                                struct kn_str name)
{
    struct kn_str key = qualified(p, scope->scoped, name, true);
    return p->fatal ? NULL : kn_map_get_text(&p->idl->names, key);
}

static void taken(struct kn_idl_parser *p, const struct kn_idl_token *name,
                  const struct kn_idl_decl *other)
{
    const char *why = kn_str_equal(name->text, other->name) ? "" : ", which differs only in case";
    kn_idl_error(p, name, "found '%.*s', expected a new name ('%.*s' is declared at %s:%u%s)",
                 (int)name->text.length, name->text.ptr, (int)other->name.length, other->name.ptr,
                 other->file, other->line, why);
}

/* Where a declaration's name is known: a label's in the scope around its enum. */
static struct kn_idl_decl *home(struct kn_idl_parser *p, enum kn_idl_sort sort)
{
    return sort == KN_IDL_LABEL ? p->scope->parent : p->scope;
}

/* A member or feature of that name in what p->scope inherits from. */
static const struct kn_idl_decl *inherited(struct kn_idl_parser *p, enum kn_idl_sort sort,
                                           struct kn_str name)
{
    if (sort < KN_IDL_OPERATION || sort == KN_IDL_PARAMETER)
        return NULL;
    const struct kn_idl_decl *found = NULL;
    for (const struct kn_idl_decl *base = p->scope->base; base && !found; base = base->base)
        found = look(p, base, name);
    return found && found->sort >= KN_IDL_OPERATION ? found : NULL;
}

static void append(struct kn_idl_parser *p, struct kn_idl_decl *decl)
{
    struct kn_idl_decl *parent = p->scope;
    if (parent->last)
        parent->last->next = decl;
    else
        parent->first = decl;
    parent->last = decl;
    parent->count++;
    decl->parent = parent;
    decl->placed = true;
}

static struct kn_idl_decl *make(struct kn_idl_parser *p, enum kn_idl_sort sort,
                                const struct kn_idl_token *name)
{
    struct kn_idl_decl *decl = kn_arena_zalloc(&p->idl->arena, 1, sizeof *decl);
    if (!decl) {
        kn_idl_fail(p, KOINE_ENOMEM);
        p->spare.decl = (struct kn_idl_decl){.parent = p->scope};
        decl = &p->spare.decl;
    }
    decl->sort = sort;
    decl->name = kn_idl_keep(p, name->text.ptr, name->text.length);
    decl->file = name->file;
    decl->line = name->line;
    decl->included = name->included;
    decl->parent = p->scope;
    decl->scoped = qualified(p, home(p, sort)->scoped, name->text, false);
    return decl;
}

static struct kn_str whole_doc(struct kn_idl_parser *p, const struct kn_idl_token *name,
                               struct kn_str doc)
{
    if (p->token.trailing.length && p->token.trailing_line == name->line)
        doc = kn_idl_join_docs(p, doc, p->token.trailing);
    while (doc.length && strchr(" \t\r\n", doc.ptr[doc.length - 1]))
        doc.length--;
    return kn_idl_keep(p, doc.ptr, doc.length);
}

/* The name into the map. A module may be there already. */
static void enter(struct kn_idl_parser *p, struct kn_idl_decl *decl,
                  const struct kn_idl_token *name)
{
    struct kn_str key = qualified(p, home(p, decl->sort)->scoped, name->text, true);
    if (p->fatal)
        return;
    const struct kn_idl_decl *other = kn_map_get_text(&p->idl->names, key);
    bool again = other && other->sort == KN_IDL_MODULE && decl->sort == KN_IDL_MODULE &&
                 kn_str_equal(other->name, decl->name);
    if (other && !again)
        taken(p, name, other);
    if (other)
        return;
    key = kn_idl_keep(p, key.ptr, key.length);
    if (!p->fatal && kn_map_put_text(&p->idl->names, key, decl))
        kn_idl_fail(p, KOINE_ENOMEM);
}

struct kn_idl_decl *kn_idl_declare(struct kn_idl_parser *p, enum kn_idl_sort sort,
                                   const struct kn_idl_token *name, struct kn_str doc)
{
    struct kn_idl_decl *decl = make(p, sort, name);
    decl->doc = whole_doc(p, name, doc);
    const struct kn_idl_decl *other = inherited(p, sort, name->text);
    if (other)
        taken(p, name, other);
    enter(p, decl, name);
    if (decl == &p->spare.decl)
        return decl;
    append(p, decl);
    if (p->scope->count > KN_IDL_MAX_MEMBERS && p->scope->sort != KN_IDL_MODULE) {
        kn_idl_error(p, name, "found more than %d declarations in '%.*s', expected fewer",
                     KN_IDL_MAX_MEMBERS, (int)p->scope->name.length, p->scope->name.ptr);
        kn_idl_fail(p, KOINE_EDATA);
    }
    p->last = decl;
    return decl;
}

void kn_idl_announce(struct kn_idl_parser *p, enum kn_idl_sort sort,
                     const struct kn_idl_token *name)
{
    struct kn_idl_decl *known = look(p, p->scope, name->text);
    struct kn_idl_decl *forward = make(p, KN_IDL_FORWARD, name);
    if (!known || known->sort != sort || !kn_str_equal(known->name, name->text)) {
        known = make(p, sort, name);
        enter(p, known, name);
    }
    forward->base = known;
    if (!p->fatal)
        append(p, forward);
}

struct kn_idl_decl *kn_idl_define(struct kn_idl_parser *p, enum kn_idl_sort sort,
                                  const struct kn_idl_token *name, struct kn_str doc)
{
    struct kn_idl_decl *known = look(p, p->scope, name->text);
    if (!known || known->sort != sort || known->placed || !kn_str_equal(known->name, name->text))
        return kn_idl_declare(p, sort, name, doc);
    known->doc = whole_doc(p, name, doc);
    known->line = name->line;
    known->file = name->file;
    known->included = name->included;
    append(p, known);
    p->last = known;
    return known;
}

struct kn_idl_decl *kn_idl_declare_free(struct kn_idl_parser *p, enum kn_idl_sort sort,
                                        const struct kn_idl_token *name, struct kn_str doc)
{
    struct kn_idl_token free = kn_idl_free_name(p, sort, name);
    return kn_idl_declare(p, sort, &free, doc);
}

struct kn_idl_token kn_idl_free_name(struct kn_idl_parser *p, enum kn_idl_sort sort,
                                     const struct kn_idl_token *name)
{
    struct kn_idl_token free = *name;
    char text[KN_IDL_MAX_NAME + 16];
    for (unsigned n = 2; look(p, home(p, sort), free.text) && !p->fatal; n++) {
        int length =
            snprintf(text, sizeof text, "%.*s_%u", (int)name->text.length, name->text.ptr, n);
        free.text = kn_idl_keep(p, text, (size_t)length);
    }
    return free;
}

/* ---- lookups */

static struct kn_idl_decl *look_inherited(struct kn_idl_parser *p, const struct kn_idl_decl *scope,
                                          struct kn_str name)
{
    struct kn_idl_decl *found = look(p, scope, name);
    for (const struct kn_idl_decl *base = scope->base;
         !found && base && scope->sort == KN_IDL_INTERFACE; base = base->base)
        found = look(p, base, name);
    return found;
}

/* A name that differs in case is passed over for one further out that does not: beside an attribute
 * `mode` the type `Mode` around it is still meant. */
static struct kn_idl_decl *look_outwards(struct kn_idl_parser *p, struct kn_str name)
{
    struct kn_idl_decl *nearly = NULL;
    for (const struct kn_idl_decl *scope = p->scope; scope; scope = scope->parent) {
        if (scope->sort != KN_IDL_MODULE && scope->sort != KN_IDL_INTERFACE)
            continue;
        struct kn_idl_decl *found = look_inherited(p, scope, name);
        if (found && kn_str_equal(found->name, name))
            return found;
        nearly = nearly ? nearly : found;
    }
    return nearly;
}

static bool same_case(struct kn_idl_parser *p, const struct kn_idl_token *name,
                      const struct kn_idl_decl *found)
{
    if (kn_str_equal(name->text, found->name))
        return true;
    kn_idl_error(p, name, "found '%.*s', expected '%.*s' (names keep their case)",
                 (int)name->text.length, name->text.ptr, (int)found->name.length, found->name.ptr);
    return false;
}

struct kn_idl_decl *kn_idl_resolve(struct kn_idl_parser *p, struct kn_idl_token *atp,
                                   const char *what)
{
    struct kn_idl_decl *found = NULL;
    struct kn_idl_token name = *atp = p->token;
    bool global = kn_idl_accept(p, KN_IDL_SCOPE), good = true;
    for (bool first = true; first || kn_idl_accept(p, KN_IDL_SCOPE); first = false) {
        struct kn_idl_decl *scope = found;
        if (!kn_idl_identifier(p, &name))
            return NULL;
        if (!good)
            continue;
        if (first)
            found = global ? look(p, &p->idl->root, name.text) : look_outwards(p, name.text);
        else
            found = look_inherited(p, scope, name.text);
        if (!found)
            kn_idl_error(p, &name, "found '%.*s', expected %s that is declared before",
                         (int)name.text.length, name.text.ptr, what);
        good = found && same_case(p, &name, found);
    }
    return good ? found : NULL;
}

const struct kn_idl_decl *kn_idl_next(const struct koine_idl *idl, const struct kn_idl_decl *decl)
{
    if (decl->first)
        return decl->first;
    while (decl != &idl->root && !decl->next)
        decl = decl->parent;
    return decl == &idl->root ? NULL : decl->next;
}
