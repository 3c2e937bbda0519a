/* SPDX-License-Identifier: MIT
 *
 * Types, structs, enums and constants of the RPC language.
 *
 * Every type of RFC 4506 is read or refused by its name. What rpcgen has besides is read where its size
 * on the wire is a size that there is: char, short and long, which are 4 octets each, and u_int and its
 * like. Arrays of unsigned char are refused: here they would be octets, which are opaque on the wire.
 */
#include "idl/x.h"

#include "value/types.h"

static const char *const keywords[] = {
    "bool",   "case",    "char",  "const",     "default", "double", "enum",     "float",
    "hyper",  "int",     "long",  "opaque",    "program", "short",  "string",   "struct",
    "switch", "typedef", "union", "quadruple", "version", "void",   "unsigned",
};

static bool is_keyword(struct kn_str name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (kn_str_equal(name, kn_str(keywords[i])))
            return true;
    }
    return false;
}

bool kn_x_identifier(struct kn_idl_parser *p, struct kn_idl_token *namep)
{
    *namep = p->token;
    if (p->token.sort != KN_IDL_NAME || p->token.escaped || is_keyword(p->token.text)) {
        kn_idl_expected(p, "an identifier (a letter, then letters, digits, underscores)");
        return false;
    }
    kn_idl_advance(p);
    return true;
}

/* ---- numbers */

static const struct kn_idl_decl *constant_of(struct kn_idl_parser *p)
{
    struct kn_x_def *def = p->token.sort == KN_IDL_NAME ? kn_x_find(p, p->token.text) : NULL;
    bool number =
        def && (def->sort == KN_X_CONST || def->sort == KN_X_DEFINE || def->sort == KN_X_LABEL);
    if (number && def->side && !def->decl) {
        struct kn_x_spot here = kn_x_save(p);
        kn_x_restore(p, &def->spot);
        kn_x_constant(p, def);
        kn_x_restore(p, &here);
    }
    if (number && def->decl)
        return def->decl;
    if (p->token.sort == KN_IDL_NAME)
        kn_idl_error(p, &p->token, "found '%.*s', expected a number that is declared in this file",
                     (int)p->token.text.length, p->token.text.ptr);
    else
        kn_idl_expected(p, "a number or the name of one");
    return NULL;
}

/* The present token, behind a sign. */
static bool value(struct kn_idl_parser *p, struct kn_idl_value *valuep)
{
    bool minus = kn_idl_accept(p, '-');
    struct kn_idl_value v = {.sort = KN_IDL_INTEGER, .magnitude = p->token.whole};
    if (p->token.sort == KN_IDL_STRING && !minus) {
        v = (struct kn_idl_value){.sort = KN_IDL_TEXT, .text = p->token.text};
    } else if (p->token.sort != KN_IDL_WHOLE) {
        const struct kn_idl_decl *decl = constant_of(p);
        if (!decl)
            return false;
        int64_t label = decl->label;
        v = decl->value;
        if (decl->sort == KN_IDL_LABEL)
            v = (struct kn_idl_value){.sort = KN_IDL_INTEGER,
                                      .negative = label < 0,
                                      .magnitude = (uint64_t)(label < 0 ? -label : label)};
    }
    kn_idl_advance(p);
    if (v.sort == KN_IDL_INTEGER && minus && v.magnitude)
        v.negative = !v.negative;
    *valuep = v;
    return true;
}

bool kn_x_number(struct kn_idl_parser *p, int64_t *numberp, int64_t low, int64_t high)
{
    struct kn_idl_token at = p->token;
    struct kn_idl_value v;
    if (!value(p, &v))
        return false;
    int64_t number = v.negative ? -(int64_t)v.magnitude : (int64_t)v.magnitude;
    bool whole = v.sort == KN_IDL_INTEGER && v.magnitude <= INT64_MAX;
    if (!whole || number < low || number > high) {
        kn_idl_error(p, &at, "found '%.*s', expected a number from %lld to %lld",
                     (int)at.text.length, at.text.ptr, (long long)low, (long long)high);
        return false;
    }
    *numberp = number;
    return true;
}

static struct kn_idl_type *make(struct kn_idl_parser *p, uint8_t kind)
{
    struct kn_idl_type *type = kn_arena_zalloc(&p->idl->arena, 1, sizeof *type);
    if (!type) {
        kn_idl_fail(p, KOINE_ENOMEM);
        type = &p->spare.type;
        *type = (struct kn_idl_type){.element = NULL};
    }
    type->kind = kind;
    return type;
}

/* The smallest of the kinds that hold it. */
static uint8_t kind_of(const struct kn_idl_value *v)
{
    if (v->sort == KN_IDL_TEXT)
        return KOINE_KIND_STRING;
    if (v->negative)
        return v->magnitude <= (uint64_t)INT32_MAX + 1 ? KOINE_KIND_INT32 : KOINE_KIND_INT64;
    if (v->magnitude <= INT32_MAX)
        return KOINE_KIND_INT32;
    if (v->magnitude <= UINT32_MAX)
        return KOINE_KIND_UINT32;
    return v->magnitude <= INT64_MAX ? KOINE_KIND_INT64 : KOINE_KIND_UINT64;
}

void kn_x_constant(struct kn_idl_parser *p, struct kn_x_def *def)
{
    struct kn_idl_token name = def->name;
    struct kn_idl_value v;
    bool good = true;
    struct kn_str doc = p->token.doc;
    if (def->sort == KN_X_CONST) {
        kn_idl_advance(p);
        good = kn_x_identifier(p, &name) && kn_idl_expect(p, '=', "'='");
    }
    struct kn_idl_token at = p->token;
    if (!good || !value(p, &v))
        return;
    if (v.negative && v.magnitude > (uint64_t)INT64_MAX + 1) {
        kn_idl_error(p, &at, "found a number below -2^63, expected one of 64 bits");
        return;
    }
    struct kn_idl_decl *decl = def->side ? kn_arena_zalloc(&p->idl->arena, 1, sizeof *decl)
                                         : kn_idl_declare_free(p, KN_IDL_CONST, &name, doc);
    if (!decl) {
        kn_idl_fail(p, KOINE_ENOMEM);
        return;
    }
    decl->sort = KN_IDL_CONST;
    decl->type = make(p, kind_of(&v));
    decl->value = v;
    def->decl = decl;
    if (def->sort == KN_X_CONST)
        kn_idl_expect(p, ';', "';'");
}

/* ---- types */

static void not_yet(struct kn_idl_parser *p, const struct kn_idl_token *at, const char *what)
{
    p->syntax = true;
    kn_idl_error(p, at, "not supported yet: %s", what);
}

static const struct kn_idl_type *of_struct(struct kn_idl_parser *p, struct kn_x_def *def)
{
    if (!def->decl && def->state != KN_X_DONE) {
        struct kn_idl_decl *scope = p->scope;
        p->scope = &p->idl->root;
        def->name = kn_idl_free_name(p, KN_IDL_STRUCT, &def->name);
        kn_idl_announce(p, KN_IDL_STRUCT, &def->name);
        if (!p->fatal)
            def->decl = (struct kn_idl_decl *)p->scope->last->base;
        p->scope = scope;
    }
    if (!def->decl)
        return NULL;
    struct kn_idl_type *type = make(p, KOINE_KIND_STRUCT);
    type->decl = def->decl;
    return type;
}

static const struct kn_idl_type *of_other(struct kn_idl_parser *p, const struct kn_idl_token *at,
                                          const struct kn_x_def *def)
{
    if (def->state == KN_X_WITHIN) {
        kn_idl_error(p, at, "found '%.*s' within itself, expected another type",
                     (int)at->text.length, at->text.ptr);
        return NULL;
    }
    if (!def->decl || (def->sort == KN_X_TYPEDEF && !def->decl->type))
        return NULL;
    struct kn_idl_type *type = make(p, KOINE_KIND_ENUM);
    if (def->sort == KN_X_ENUM) {
        type->decl = def->decl;
    } else {
        *type = *def->decl->type;
        type->alias = def->decl;
    }
    return type;
}

static const struct kn_idl_type *named(struct kn_idl_parser *p)
{
    struct kn_idl_token at;
    if (!kn_x_identifier(p, &at))
        return NULL;
    struct kn_x_def *def = kn_x_find(p, at.text);
    if (def && def->sort == KN_X_STRUCT && !def->exception)
        return of_struct(p, def);
    if (def && (def->sort == KN_X_ENUM || def->sort == KN_X_TYPEDEF))
        return of_other(p, &at, def);
    if (def && def->sort == KN_X_UNION) {
        if (def->state == KN_X_UNSEEN)
            not_yet(p, &at, "union");
        return NULL; /* else it is refused where it stands */
    }
    kn_idl_error(p, &at,
                 def && def->exception
                     ? "found '%.*s', expected a type (it is what a procedure raises)"
                     : "found '%.*s', expected a type that is declared in this file",
                 (int)at.text.length, at.text.ptr);
    return NULL;
}

static const struct basic {
    const char *word;
    uint8_t kind, with_unsigned; /* 0: not so */
} basics[] = {
    {"int", KOINE_KIND_INT32, KOINE_KIND_UINT32},
    {"hyper", KOINE_KIND_INT64, KOINE_KIND_UINT64},
    {"float", KOINE_KIND_FLOAT, 0},
    {"double", KOINE_KIND_DOUBLE, 0},
    {"bool", KOINE_KIND_BOOLEAN, 0},
    {"char", KOINE_KIND_INT8, KOINE_KIND_UINT8},
    {"short", KOINE_KIND_INT16, KOINE_KIND_UINT16},
    {"long", KOINE_KIND_INT32, KOINE_KIND_UINT32},
    {"u_char", KOINE_KIND_UINT8, 0},
    {"u_short", KOINE_KIND_UINT16, 0},
    {"u_int", KOINE_KIND_UINT32, 0},
    {"u_long", KOINE_KIND_UINT32, 0},
    {"int8_t", KOINE_KIND_INT8, 0},
    {"uint8_t", KOINE_KIND_UINT8, 0},
    {"int16_t", KOINE_KIND_INT16, 0},
    {"uint16_t", KOINE_KIND_UINT16, 0},
    {"int32_t", KOINE_KIND_INT32, 0},
    {"uint32_t", KOINE_KIND_UINT32, 0},
    {"int64_t", KOINE_KIND_INT64, 0},
    {"uint64_t", KOINE_KIND_UINT64, 0},
};

static const struct kn_idl_type *basic(struct kn_idl_parser *p)
{
    bool is_unsigned = kn_idl_accept_word(p, "unsigned");
    for (size_t i = 0; i < sizeof basics / sizeof *basics; i++) {
        const struct basic *b = basics + i;
        bool known = strchr(b->word, '_') && kn_x_find(p, kn_str(b->word));
        uint8_t kind = is_unsigned ? b->with_unsigned : b->kind;
        if (kind && !known && kn_idl_accept_word(p, b->word))
            return make(p, kind);
    }
    return is_unsigned ? make(p, KOINE_KIND_UINT32) : NULL;
}

const struct kn_idl_type *kn_x_type(struct kn_idl_parser *p)
{
    struct kn_idl_token at = p->token;
    const struct kn_idl_type *type = basic(p);
    if (type)
        return type;
    if (kn_idl_is(p, "quadruple")) {
        not_yet(p, &at, "quadruple");
        return NULL;
    }
    bool body = kn_idl_accept_word(p, "struct") || kn_idl_accept_word(p, "enum") ||
                kn_idl_accept_word(p, "union");
    if (body && p->token.sort == '{') {
        not_yet(p, &at, "a body within a declaration (give it a name)");
        return NULL;
    }
    if (p->token.sort != KN_IDL_NAME || p->token.escaped || is_keyword(p->token.text)) {
        kn_idl_expected(p, "a type");
        return NULL;
    }
    return named(p);
}

const struct kn_idl_type *kn_x_whole(struct kn_idl_parser *p, const struct kn_idl_token *at,
                                     const struct kn_idl_type *type)
{
    const struct kn_idl_type *inner = type;
    while (inner && inner->kind == KOINE_KIND_ARRAY)
        inner = inner->element;
    if (!inner || inner->kind != KOINE_KIND_STRUCT || inner->decl->complete)
        return type;
    kn_idl_error(p, at, "found '%.*s' within itself, expected it in an array <> or another type",
                 (int)inner->decl->name.length, inner->decl->name.ptr);
    return NULL;
}

/* `[4]` or `<4>` or `<>`; 0 for none. */
static bool size(struct kn_idl_parser *p, uint32_t *countp)
{
    int64_t count = 0;
    bool fixed = p->token.sort == '[';
    kn_idl_advance(p);
    if (!fixed && kn_idl_accept(p, '>')) {
        *countp = 0;
        return true;
    }
    if (!kn_x_number(p, &count, 1, UINT32_MAX))
        return false;
    *countp = !fixed && count == UINT32_MAX ? 0 : (uint32_t)count;
    return kn_idl_expect(p, fixed ? ']' : '>', fixed ? "']'" : "'>'");
}

/* A string or opaque, or an array of `element`. */
static const struct kn_idl_type *sized(struct kn_idl_parser *p, const struct kn_idl_token *at,
                                       const struct kn_idl_type *element, uint8_t kind)
{
    bool fixed = p->token.sort == '[';
    uint32_t count;
    if (element && element->kind == KOINE_KIND_UINT8) {
        not_yet(p, at, "arrays of unsigned char (octets are opaque)");
        return NULL;
    }
    if (element && element->depth + 1 >= KN_IDL_MAX_DEPTH) {
        kn_idl_error(p, at, "found arrays %d deep, expected fewer", KN_IDL_MAX_DEPTH);
        return NULL;
    }
    if (!size(p, &count))
        return NULL;
    struct kn_idl_type *type = make(p, fixed ? KOINE_KIND_ARRAY : kind);
    type->count = count;
    type->element = kind == KOINE_KIND_OCTETS && fixed ? make(p, KOINE_KIND_UINT8) : element;
    type->depth = (uint8_t)(type->element ? type->element->depth + 1 : 0);
    return type;
}

static const struct kn_idl_type *text_or_opaque(struct kn_idl_parser *p, struct kn_idl_token *namep)
{
    bool string = kn_idl_is(p, "string");
    struct kn_idl_token at = p->token;
    kn_idl_advance(p);
    if (!kn_x_identifier(p, namep))
        return NULL;
    if (p->token.sort != '<' && (string || p->token.sort != '[')) {
        kn_idl_expected(p, string ? "'<'" : "'[' or '<'");
        return NULL;
    }
    return sized(p, &at, NULL, string ? KOINE_KIND_STRING : KOINE_KIND_OCTETS);
}

const struct kn_idl_type *kn_x_declaration(struct kn_idl_parser *p, struct kn_idl_token *namep)
{
    struct kn_idl_token at = p->token;
    if (kn_idl_is(p, "string") || kn_idl_is(p, "opaque"))
        return text_or_opaque(p, namep);
    const struct kn_idl_type *type = kn_x_type(p);
    if (!type)
        return NULL;
    if (p->token.sort == '*') {
        not_yet(p, &p->token, "optional data (*)");
        return NULL;
    }
    if (!kn_x_identifier(p, namep))
        return NULL;
    if (p->token.sort == '[' || p->token.sort == '<')
        type = sized(p, &at, type, KOINE_KIND_SEQUENCE);
    return type ? kn_x_whole(p, &at, type) : NULL;
}

/* ---- definitions */

void kn_x_typedef(struct kn_idl_parser *p, struct kn_x_def *def)
{
    struct kn_idl_token name;
    struct kn_str doc = p->token.doc;
    kn_idl_advance(p);
    const struct kn_idl_type *type = kn_x_declaration(p, &name);
    if (!type)
        return;
    def->decl = kn_idl_declare_free(p, KN_IDL_TYPEDEF, &name, doc);
    def->decl->type = type;
    kn_idl_expect(p, ';', "';'");
}

/* "Mode_" in front of every label of enum Mode is there for C and goes. */
static size_t prefix_of(struct kn_idl_parser *p, const struct kn_x_def *def)
{
    size_t length = def->name.text.length + 1;
    for (const struct kn_x_def *label = p->x->first; label; label = label->next) {
        struct kn_str text = label->name.text;
        if (label->owner != def)
            continue;
        bool has = text.length > length && text.ptr[length - 1] == '_' &&
                   !memcmp(text.ptr, def->name.text.ptr, length - 1);
        char first = has ? text.ptr[length] : '_';
        if (!((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z')))
            return 0;
    }
    return length;
}

static bool label(struct kn_idl_parser *p, size_t prefix)
{
    struct kn_idl_token name;
    struct kn_idl_annotations notes = {.valued = false};
    struct kn_str doc = p->token.doc;
    int64_t number;
    if (!kn_x_identifier(p, &name))
        return false;
    struct kn_x_def *def = kn_x_find(p, name.text);
    if (kn_idl_accept(p, '=')) {
        if (!kn_x_number(p, &number, INT32_MIN, INT32_MAX))
            return false;
        notes.valued = true;
        notes.value = (int32_t)number;
    }
    struct kn_idl_token at = name;
    name.text.ptr += prefix;
    name.text.length -= prefix;
    struct kn_idl_decl *decl = kn_idl_declare_free(p, KN_IDL_LABEL, &name, doc);
    kn_idl_label_value(p, decl, &notes, &at);
    if (def)
        def->decl = decl;
    return true;
}

/* Declares what has a body and goes into it. */
static struct kn_idl_decl *enter(struct kn_idl_parser *p, struct kn_x_def *def,
                                 enum kn_idl_sort sort)
{
    struct kn_idl_token name;
    struct kn_str doc = p->token.doc;
    kn_idl_advance(p);
    if (!kn_x_identifier(p, &name) || !kn_idl_expect(p, '{', "'{'"))
        return NULL;
    if (!def->decl)
        def->name = kn_idl_free_name(p, sort, &def->name);
    def->decl = kn_idl_define(p, sort, &def->name, doc);
    return p->scope = def->decl;
}

static void leave(struct kn_idl_parser *p, bool good)
{
    p->scope->complete = true;
    p->scope = &p->idl->root;
    if (good && kn_idl_expect(p, '}', "'}'"))
        kn_idl_expect(p, ';', "';'");
}

void kn_x_enum(struct kn_idl_parser *p, struct kn_x_def *def)
{
    size_t prefix = prefix_of(p, def);
    if (!enter(p, def, KN_IDL_ENUM))
        return;
    bool good;
    do
        good = label(p, prefix);
    while (good && kn_idl_accept(p, ',') && p->token.sort != '}');
    leave(p, good);
}

void kn_x_struct(struct kn_idl_parser *p, struct kn_x_def *def)
{
    bool good = enter(p, def, def->exception ? KN_IDL_EXCEPTION : KN_IDL_STRUCT);
    if (!good)
        return;
    if (p->token.sort == '}') {
        kn_idl_expected(p, "a member");
        good = false;
    }
    while (good && p->token.sort != '}' && p->token.sort != KN_IDL_END) {
        struct kn_idl_token name;
        struct kn_str doc = p->token.doc;
        const struct kn_idl_type *type = kn_x_declaration(p, &name);
        if (type)
            kn_idl_declare_free(p, KN_IDL_MEMBER, &name, doc)->type = type;
        if (!type || !kn_idl_expect(p, ';', "';'")) {
            kn_idl_recover(p);
            good = p->token.sort != KN_IDL_END;
        }
    }
    leave(p, good);
}

void kn_x_union(struct kn_idl_parser *p, struct kn_x_def *def)
{
    (void)def;
    kn_idl_unsupported(p, &p->token);
}
