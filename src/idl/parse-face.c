/* SPDX-License-Identifier: MIT
 *
 * Interfaces: operations, attributes, events.
 */
#include "idl/parse.h"

static bool finished(struct kn_idl_parser *p, bool good)
{
    if (!good || !kn_idl_expect(p, ';', "';'"))
        kn_idl_recover(p);
    return good;
}

/* ---- raises */

static bool add_raise(struct kn_idl_parser *p, struct kn_idl_decl *op)
{
    struct kn_idl_token at;
    const struct kn_idl_decl *exception = kn_idl_resolve(p, &at, "an exception");
    if (!exception)
        return false;
    if (exception->sort != KN_IDL_EXCEPTION) {
        kn_idl_error(p, &at, "found '%.*s', expected an exception", (int)exception->name.length,
                     exception->name.ptr);
        return false;
    }
    for (uint32_t i = 0; i < op->raised; i++) {
        if (op->raises[i] == exception) {
            kn_idl_error(p, &at, "found '%.*s' again, expected each exception once",
                         (int)exception->name.length, exception->name.ptr);
            return false;
        }
    }
    op->raises[op->raised++] = exception;
    return true;
}

static bool raises(struct kn_idl_parser *p, struct kn_idl_decl *op)
{
    struct kn_idl_token at = p->token;
    if (!kn_idl_accept_word(p, "raises"))
        return true;
    if (op->flags & KOINE_ONEWAY)
        kn_idl_error(p, &at, "found 'raises', expected ';' (nobody waits for a oneway operation)");
    if (!kn_idl_expect(p, '(', "'('"))
        return false;
    enum { MOST = 64 };
    op->raises = kn_arena_zalloc(&p->idl->arena, MOST, sizeof(struct kn_idl_decl *));
    if (!op->raises) {
        kn_idl_fail(p, KOINE_ENOMEM);
        return false;
    }
    do {
        if (op->raised == MOST) {
            kn_idl_error(p, &p->token, "found more than %d exceptions, expected fewer", MOST);
            return false;
        }
        if (!add_raise(p, op))
            return false;
    } while (kn_idl_accept(p, ','));
    return kn_idl_expect(p, ')', "',' or ')'");
}

/* ---- operations */

static uint8_t direction(struct kn_idl_parser *p)
{
    if (kn_idl_accept_word(p, "in"))
        return KN_IDL_IN;
    if (kn_idl_accept_word(p, "out"))
        return KN_IDL_OUT;
    if (kn_idl_accept_word(p, "inout"))
        return KN_IDL_INOUT;
    kn_idl_expected(p, "'in', 'out' or 'inout'");
    return 0;
}

static bool complete(struct kn_idl_parser *p, const struct kn_idl_token *at,
                     const struct kn_idl_type *type)
{
    while (type->element)
        type = type->element;
    if (type->kind != KOINE_KIND_STRUCT || type->decl->complete)
        return true;
    kn_idl_error(p, at, "found '%.*s', expected a struct whose body is known",
                 (int)type->decl->name.length, type->decl->name.ptr);
    return false;
}

static const struct kn_idl_type *whole_type(struct kn_idl_parser *p)
{
    struct kn_idl_token at = p->token;
    const struct kn_idl_type *type = kn_idl_type(p);
    return type && complete(p, &at, type) ? type : NULL;
}

static bool parameter(struct kn_idl_parser *p, bool only_in)
{
    struct kn_idl_token name;
    struct kn_str doc = p->token.doc;
    kn_idl_annotate(p);
    struct kn_idl_token at = p->token;
    uint8_t way = direction(p);
    if (way > KN_IDL_IN && only_in)
        kn_idl_error(p, &at,
                     "found '%.*s', expected 'in' (events and oneway operations answer "
                     "nothing)",
                     (int)at.text.length, at.text.ptr);
    const struct kn_idl_type *type = way ? whole_type(p) : NULL;
    if (!type || !kn_idl_identifier(p, &name))
        return false;
    if (way & KN_IDL_OUT && name.text.length == 6 && !strncmp(name.text.ptr, "return", 6))
        kn_idl_error(p, &name, "found 'return', expected another name (the result has it)");
    struct kn_idl_decl *decl = kn_idl_declare(p, KN_IDL_PARAMETER, &name, doc);
    decl->type = type;
    decl->direction = way;
    return true;
}

static bool parameters(struct kn_idl_parser *p, struct kn_idl_decl *op)
{
    struct kn_idl_decl *outer = p->scope;
    bool only_in = op->sort == KN_IDL_EVENT || op->flags & KOINE_ONEWAY;
    if (!kn_idl_expect(p, '(', "'('"))
        return false;
    p->scope = op;
    bool good = true;
    if (p->token.sort != ')') {
        do
            good = parameter(p, only_in);
        while (good && kn_idl_accept(p, ','));
    }
    p->scope = outer;
    p->last = op;
    return good && kn_idl_expect(p, ')', op->first ? "',' or ')'" : "a parameter or ')'");
}

static void check_sort(struct kn_idl_parser *p, const struct kn_idl_token *at,
                       const struct kn_idl_decl *op)
{
    bool event = op->sort == KN_IDL_EVENT;
    if (op->type && (event || op->flags & KOINE_ONEWAY))
        kn_idl_error(p, at, "found a result, expected 'void' (%s answers nothing)",
                     event ? "an event" : "a oneway operation");
    if (event && op->flags)
        kn_idl_error(p, at, "found an event that is oneway or @idempotent, expected neither");
    if (event && op->raised)
        kn_idl_error(p, at, "found an event that raises, expected none");
}

static bool operation(struct kn_idl_parser *p, struct kn_idl_annotations notes, struct kn_str doc)
{
    struct kn_idl_token name, at;
    bool oneway = kn_idl_accept_word(p, "oneway");
    at = p->token;
    bool nothing = kn_idl_accept_word(p, "void");
    const struct kn_idl_type *type = nothing ? NULL : whole_type(p);
    if ((!nothing && !type) || !kn_idl_identifier(p, &name))
        return false;
    struct kn_idl_decl *op =
        kn_idl_declare(p, notes.event ? KN_IDL_EVENT : KN_IDL_OPERATION, &name, doc);
    op->type = type;
    kn_idl_identify(p, op, notes.event ? 0 : notes.id, &name);
    op->flags = (uint8_t)((oneway ? KOINE_ONEWAY : 0) | (notes.idempotent ? KOINE_IDEMPOTENT : 0));
    if (!parameters(p, op) || !raises(p, op))
        return false;
    if (kn_idl_is(p, "context")) {
        kn_idl_unsupported(p, &p->token);
        return false;
    }
    check_sort(p, &at, op);
    return true;
}

/* ---- attributes */

static bool attribute(struct kn_idl_parser *p, struct kn_idl_annotations notes, struct kn_str doc)
{
    struct kn_idl_token at = p->token;
    bool readonly = kn_idl_accept_word(p, "readonly");
    if (!kn_idl_accept_word(p, "attribute")) {
        kn_idl_expected(p, "'attribute'");
        return false;
    }
    if (notes.event)
        kn_idl_error(p, &at, "found an attribute that is an @event, expected an operation");
    const struct kn_idl_type *type = whole_type(p);
    if (!type)
        return false;
    do {
        struct kn_idl_token name;
        if (!kn_idl_identifier(p, &name))
            return false;
        struct kn_idl_decl *decl = kn_idl_declare(p, KN_IDL_ATTRIBUTE, &name, doc);
        decl->type = type;
        decl->flags = readonly ? KOINE_READONLY : 0;
    } while (kn_idl_accept(p, ','));
    if (kn_idl_is(p, "raises") || kn_idl_is(p, "getraises") || kn_idl_is(p, "setraises")) {
        kn_idl_unsupported(p, &p->token);
        return false;
    }
    return true;
}

/* ---- interfaces */

static void feature(struct kn_idl_parser *p)
{
    struct kn_str doc = p->token.doc;
    struct kn_idl_annotations notes = kn_idl_annotate(p);
    if (kn_idl_definition(p, doc))
        return;
    if (kn_idl_is(p, "attribute") || kn_idl_is(p, "readonly"))
        finished(p, attribute(p, notes, doc));
    else
        finished(p, operation(p, notes, doc));
}

static bool base_interface(struct kn_idl_parser *p, struct kn_idl_decl *decl)
{
    struct kn_idl_token at;
    const struct kn_idl_decl *base = kn_idl_resolve(p, &at, "an interface");
    if (!base)
        return false;
    if (base->sort != KN_IDL_INTERFACE || !base->complete) {
        kn_idl_error(p, &at, "found '%.*s', expected an interface whose body is known",
                     (int)base->name.length, base->name.ptr);
        return false;
    }
    decl->base = base;
    decl->depth = (uint16_t)(base->depth + 1);
    if (decl->depth > KN_IDL_MAX_DEPTH) {
        kn_idl_error(p, &at, "found more than %d ancestors, expected fewer", KN_IDL_MAX_DEPTH);
        return false;
    }
    if (p->token.sort != ',')
        return true;
    kn_idl_error(p, &p->token, "not supported yet: an interface with several bases");
    return false;
}

static bool body(struct kn_idl_parser *p)
{
    if (!kn_idl_expect(p, '{', p->scope->base ? "'{'" : "':' or '{'"))
        return false;
    while (p->token.sort != '}' && p->token.sort != KN_IDL_END)
        feature(p);
    return kn_idl_expect(p, '}', "'}'");
}

void kn_idl_interface(struct kn_idl_parser *p, struct kn_str doc)
{
    struct kn_idl_token name;
    const struct kn_idl_note *notes = p->notes;
    kn_idl_advance(p);
    bool good = kn_idl_identifier(p, &name);
    if (good && p->token.sort == ';') {
        kn_idl_announce(p, KN_IDL_INTERFACE, &name);
    } else if (good) {
        struct kn_idl_decl *decl = kn_idl_define(p, KN_IDL_INTERFACE, &name, doc);
        if (kn_idl_accept(p, ':'))
            good = base_interface(p, decl);
        decl->notes = notes;
        struct kn_idl_decl *outer = p->scope;
        p->scope = decl;
        good = kn_idl_enter(p) && good && body(p);
        kn_idl_leave(p);
        decl->complete = true;
        p->scope = outer;
        p->last = decl;
    }
    finished(p, good);
}
