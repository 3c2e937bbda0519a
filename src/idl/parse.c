/* SPDX-License-Identifier: MIT
 *
 * Definitions: modules, constants, typedefs, enums, structs, exceptions.
 *
 * One token is looked at, nothing is read twice. An error is reported where it is met; the reader then
 * goes on behind the next `;`, or before the brace that closes what it is in, so that one text shows
 * all its errors and not one after the other.
 */
#include "idl/parse.h"

/* ---- tokens */

void kn_idl_advance(struct kn_idl_parser *p)
{
    int sort = p->token.sort;
    uint32_t line = p->token.line;
    kn_idl_lex(p);
    struct kn_idl_token *t = &p->token;
    if (!t->trailing.length || t->trailing_line != line || !p->last)
        return;
    if (sort == ';' || sort == ',' || sort == '{' || sort == '}')
        p->last->doc = kn_idl_join_docs(p, p->last->doc, t->trailing);
}

bool kn_idl_is(const struct kn_idl_parser *p, const char *word)
{
    return p->token.sort == KN_IDL_NAME && !p->token.escaped &&
           kn_str_equal(p->token.text, kn_str(word));
}

bool kn_idl_accept(struct kn_idl_parser *p, int sort)
{
    if (p->token.sort != sort)
        return false;
    kn_idl_advance(p);
    return true;
}

bool kn_idl_accept_word(struct kn_idl_parser *p, const char *word)
{
    if (!kn_idl_is(p, word))
        return false;
    kn_idl_advance(p);
    return true;
}

bool kn_idl_expect(struct kn_idl_parser *p, int sort, const char *what)
{
    if (kn_idl_accept(p, sort))
        return true;
    kn_idl_expected(p, what);
    return false;
}

bool kn_idl_identifier(struct kn_idl_parser *p, struct kn_idl_token *namep)
{
    bool refused = false;
    *namep = p->token;
    if (p->token.sort != KN_IDL_NAME) {
        kn_idl_expected(p, "an identifier");
        return false;
    }
    if (!p->token.escaped)
        kn_idl_word(p->token.text, &refused);
    if (refused) {
        p->syntax = true;
        kn_idl_error(p, &p->token,
                     "found '%.*s', expected an identifier (a word of IDL is one as _%.*s)",
                     (int)p->token.text.length, p->token.text.ptr, (int)p->token.text.length,
                     p->token.text.ptr);
        return false;
    }
    kn_idl_advance(p);
    return true;
}

bool kn_idl_enter(struct kn_idl_parser *p)
{
    if (++p->depth <= KN_IDL_MAX_DEPTH)
        return true;
    kn_idl_error(p, &p->token, "found something within %d others, expected fewer",
                 KN_IDL_MAX_DEPTH);
    kn_idl_fail(p, KOINE_EDATA);
    return false;
}

void kn_idl_leave(struct kn_idl_parser *p)
{
    p->depth--;
}

void kn_idl_recover(struct kn_idl_parser *p)
{
    unsigned depth = 0;
    for (; p->token.sort != KN_IDL_END; kn_idl_advance(p)) {
        if (p->token.sort == ';' && !depth)
            break;
        if (p->token.sort == '}' && !depth)
            return;
        depth += p->token.sort == '{';
        depth -= p->token.sort == '}';
    }
    kn_idl_accept(p, ';');
}

/* The `;` behind a declaration, or behind what is left of it. */
static void finish(struct kn_idl_parser *p, bool good)
{
    if (!good || !kn_idl_expect(p, ';', "';'"))
        kn_idl_recover(p);
}

/* ---- annotations */

/* Those that would change what a value or a call is, and so cannot be passed over. */
static bool weighty(struct kn_str name)
{
    static const char *const names[] = {"optional", "stream", "queue", "nullable"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (kn_str_equal(name, kn_str(names[i])))
            return true;
    }
    return false;
}

struct kn_idl_annotations kn_idl_annotate(struct kn_idl_parser *p)
{
    struct kn_idl_annotations a = {.event = false};
    p->notes = NULL;
    while (p->token.sort == '@') {
        struct kn_idl_token at = p->token;
        kn_idl_advance(p);
        kn_idl_accept(p, KN_IDL_SCOPE);
        struct kn_str name;
        do {
            name = p->token.text;
            if (p->token.sort != KN_IDL_NAME) {
                kn_idl_expected(p, "the name of an annotation");
                return a;
            }
            a.event |= kn_str_equal(name, KN_STR("event"));
            a.idempotent |= kn_str_equal(name, KN_STR("idempotent"));
            if (weighty(name))
                kn_idl_error(p, &at, "not supported yet: @%.*s", (int)name.length, name.ptr);
            kn_idl_advance(p);
        } while (kn_idl_accept(p, KN_IDL_SCOPE));
        kn_idl_brackets(p, &a, name);
    }
    p->notes = a.notes;
    return a;
}

/* ---- constants, typedefs, enums */

static bool constant_kind(const struct kn_idl_type *type)
{
    return type->kind <= KOINE_KIND_STRING || type->kind == KOINE_KIND_ENUM;
}

static void constant(struct kn_idl_parser *p, struct kn_str doc)
{
    struct kn_idl_token name, at;
    kn_idl_advance(p);
    at = p->token;
    const struct kn_idl_type *type = kn_idl_type(p);
    bool good = type && kn_idl_identifier(p, &name);
    if (good && !constant_kind(type)) {
        kn_idl_error(p, &at, "found a type of many values, expected one of a constant");
        good = false;
    }
    if (good && kn_idl_expect(p, '=', "'='")) {
        struct kn_idl_value value = kn_idl_expression(p, type);
        struct kn_idl_decl *decl = kn_idl_declare(p, KN_IDL_CONST, &name, doc);
        decl->type = type;
        decl->value = value;
        good = value.sort != KN_IDL_NO_VALUE;
    } else {
        good = false;
    }
    finish(p, good);
}

/* `type a, b[3]` as declarations of `sort`. */
static bool declarators(struct kn_idl_parser *p, enum kn_idl_sort sort,
                        const struct kn_idl_type *type, struct kn_str doc)
{
    do {
        struct kn_idl_token name;
        if (!kn_idl_identifier(p, &name))
            return false;
        const struct kn_idl_type *whole = kn_idl_dimensions(p, type);
        if (!whole)
            return false;
        struct kn_idl_decl *decl = kn_idl_declare(p, sort, &name, doc);
        decl->type = whole;
    } while (kn_idl_accept(p, ','));
    return true;
}

static void type_definition(struct kn_idl_parser *p, struct kn_str doc)
{
    kn_idl_advance(p);
    kn_idl_annotate(p);
    const struct kn_idl_type *type = kn_idl_type(p);
    finish(p, type && declarators(p, KN_IDL_TYPEDEF, type, doc));
}

static struct kn_idl_decl *open_scope(struct kn_idl_parser *p, struct kn_idl_decl *decl)
{
    struct kn_idl_decl *outer = p->scope;
    p->scope = decl;
    kn_idl_enter(p);
    return outer;
}

static void close_scope(struct kn_idl_parser *p, struct kn_idl_decl *outer)
{
    p->scope->complete = true;
    p->last = p->scope;
    p->scope = outer;
    kn_idl_leave(p);
}

static bool labels(struct kn_idl_parser *p)
{
    do {
        struct kn_idl_token name;
        struct kn_str doc = p->token.doc;
        struct kn_idl_annotations notes = kn_idl_annotate(p);
        if (!kn_idl_identifier(p, &name))
            return false;
        struct kn_idl_decl *label = kn_idl_declare(p, KN_IDL_LABEL, &name, doc);
        kn_idl_label_value(p, label, &notes, &name);
    } while (kn_idl_accept(p, ','));
    return true;
}

static void enumeration(struct kn_idl_parser *p, struct kn_str doc)
{
    struct kn_idl_token name;
    kn_idl_advance(p);
    bool good = kn_idl_identifier(p, &name) && kn_idl_expect(p, '{', "'{'");
    if (good) {
        struct kn_idl_decl *outer = open_scope(p, kn_idl_declare(p, KN_IDL_ENUM, &name, doc));
        good = labels(p);
        close_scope(p, outer);
        good = good && kn_idl_expect(p, '}', "',' or '}'");
        if (!good) {
            kn_idl_recover(p);
            good = kn_idl_accept(p, '}');
        }
    }
    finish(p, good);
}

/* ---- structs and exceptions */

static bool whole_type(struct kn_idl_parser *p, const struct kn_idl_token *at,
                       const struct kn_idl_type *type)
{
    while (type->kind == KOINE_KIND_ARRAY)
        type = type->element;
    if (type->kind != KOINE_KIND_STRUCT || type->decl->complete)
        return true;
    kn_idl_error(p, at, "found '%.*s', expected a struct whose body is known (or a sequence of it)",
                 (int)type->decl->name.length, type->decl->name.ptr);
    return false;
}

static bool member(struct kn_idl_parser *p)
{
    struct kn_str doc = p->token.doc;
    kn_idl_annotate(p);
    struct kn_idl_token at = p->token;
    const struct kn_idl_type *type = kn_idl_type(p);
    return type && whole_type(p, &at, type) && declarators(p, KN_IDL_MEMBER, type, doc);
}

static bool members(struct kn_idl_parser *p)
{
    unsigned before = p->error_count;
    while (p->token.sort != '}' && p->token.sort != KN_IDL_END)
        finish(p, member(p));
    if (p->error_count == before && !p->scope->first && !p->scope->base &&
        p->scope->sort == KN_IDL_STRUCT && p->token.sort == '}')
        kn_idl_expected(p, "a member");
    return kn_idl_expect(p, '}', "'}'");
}

static bool base_struct(struct kn_idl_parser *p, struct kn_idl_decl *decl)
{
    struct kn_idl_token at;
    const struct kn_idl_decl *base = kn_idl_resolve(p, &at, "a struct");
    if (!base)
        return false;
    if (base->sort != KN_IDL_STRUCT || !base->complete) {
        kn_idl_error(p, &at, "found '%.*s', expected a struct whose body is known",
                     (int)base->name.length, base->name.ptr);
        return false;
    }
    decl->base = base;
    decl->depth = (uint16_t)(base->depth + 1);
    if (decl->depth <= KN_IDL_MAX_DEPTH)
        return true;
    kn_idl_error(p, &at, "found more than %d ancestors, expected fewer", KN_IDL_MAX_DEPTH);
    return false;
}

static void structure(struct kn_idl_parser *p, enum kn_idl_sort sort, struct kn_str doc)
{
    struct kn_idl_token name;
    kn_idl_advance(p);
    bool good = kn_idl_identifier(p, &name);
    if (good && sort == KN_IDL_STRUCT && p->token.sort == ';') {
        kn_idl_announce(p, sort, &name);
        finish(p, true);
        return;
    }
    if (good) {
        struct kn_idl_decl *decl = kn_idl_define(p, sort, &name, doc);
        if (sort == KN_IDL_STRUCT && kn_idl_accept(p, ':'))
            good = base_struct(p, decl);
        struct kn_idl_decl *outer = open_scope(p, decl);
        good = good && kn_idl_expect(p, '{', sort == KN_IDL_STRUCT ? "':' or '{'" : "'{'") &&
               members(p);
        close_scope(p, outer);
    }
    finish(p, good);
}

/* ---- modules */

static void definitions(struct kn_idl_parser *p)
{
    while (p->token.sort != '}' && p->token.sort != KN_IDL_END) {
        struct kn_str doc = p->token.doc;
        kn_idl_annotate(p);
        if (kn_idl_definition(p, doc))
            continue;
        if (kn_idl_no_type(p))
            kn_idl_unsupported(p, &p->token);
        else
            kn_idl_expected(p, "a definition (module, interface, struct, enum, typedef, const, "
                               "exception)");
        kn_idl_advance(p);
        kn_idl_recover(p);
    }
}

static void module(struct kn_idl_parser *p, struct kn_str doc)
{
    struct kn_idl_token name;
    kn_idl_advance(p);
    bool good = kn_idl_identifier(p, &name) && kn_idl_expect(p, '{', "'{'");
    if (good) {
        struct kn_idl_decl *outer = open_scope(p, kn_idl_declare(p, KN_IDL_MODULE, &name, doc));
        definitions(p);
        close_scope(p, outer);
        good = kn_idl_expect(p, '}', "'}'");
    }
    finish(p, good);
}

bool kn_idl_definition(struct kn_idl_parser *p, struct kn_str doc)
{
    if (kn_idl_is(p, "const"))
        constant(p, doc);
    else if (kn_idl_is(p, "typedef"))
        type_definition(p, doc);
    else if (kn_idl_is(p, "enum"))
        enumeration(p, doc);
    else if (kn_idl_is(p, "struct"))
        structure(p, KN_IDL_STRUCT, doc);
    else if (kn_idl_is(p, "exception"))
        structure(p, KN_IDL_EXCEPTION, doc);
    else if (p->scope->sort != KN_IDL_MODULE)
        return false;
    else if (kn_idl_is(p, "module"))
        module(p, doc);
    else if (kn_idl_is(p, "interface"))
        kn_idl_interface(p, doc);
    else
        return false;
    return true;
}

void kn_idl_file(struct kn_idl_parser *p)
{
    for (;;) {
        definitions(p);
        if (p->token.sort == KN_IDL_END)
            return;
        kn_idl_expected(p, "a definition");
        kn_idl_advance(p);
        kn_idl_accept(p, ';');
    }
}
