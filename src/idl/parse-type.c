/* SPDX-License-Identifier: MIT
 *
 * Types: the basic ones by their names, templates, and those that were declared.
 */
#include "idl/parse.h"

#include <strings.h>

/* Words of IDL 4.2 (7.2.4, table 7-6). `taken`: not an identifier here. The others begin parts of IDL
 * that are not read (components, ports, homes) and are so common as names that they are let through. */
static const struct word {
    const char *text;
    bool taken;
} words[] = {
    {"abstract", true},   {"alias", false},      {"any", true},          {"attribute", true},
    {"bitfield", true},   {"bitmask", true},     {"bitset", true},       {"boolean", true},
    {"case", true},       {"char", true},        {"component", false},   {"connector", false},
    {"const", true},      {"consumes", false},   {"context", false},     {"custom", false},
    {"default", true},    {"double", true},      {"emits", false},       {"enum", true},
    {"eventtype", false}, {"exception", true},   {"factory", false},     {"false", true},
    {"finder", false},    {"fixed", true},       {"float", true},        {"getraises", true},
    {"home", false},      {"import", false},     {"in", true},           {"inout", true},
    {"int16", true},      {"int32", true},       {"int64", true},        {"int8", true},
    {"interface", true},  {"local", true},       {"long", true},         {"manages", false},
    {"map", true},        {"mirrorport", false}, {"module", true},       {"multiple", false},
    {"native", true},     {"object", true},      {"octet", true},        {"oneway", true},
    {"out", true},        {"port", false},       {"porttype", false},    {"primarykey", false},
    {"private", false},   {"provides", false},   {"public", false},      {"publishes", false},
    {"raises", true},     {"readonly", true},    {"sequence", true},     {"setraises", true},
    {"short", true},      {"string", true},      {"struct", true},       {"supports", false},
    {"switch", true},     {"true", true},        {"truncatable", false}, {"typedef", true},
    {"typeid", false},    {"typename", false},   {"typeprefix", false},  {"uint16", true},
    {"uint32", true},     {"uint64", true},      {"uint8", true},        {"union", true},
    {"unsigned", true},   {"uses", false},       {"valuebase", true},    {"valuetype", true},
    {"void", true},       {"wchar", true},       {"wstring", true},
};

bool kn_idl_word(struct kn_str name, bool *refusedp)
{
    *refusedp = false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *text = words[i].text;
        if (strlen(text) != name.length || strncasecmp(text, name.ptr, name.length))
            continue;
        *refusedp = words[i].taken;
        return true;
    }
    return false;
}

bool kn_idl_no_type(struct kn_idl_parser *p)
{
    static const char *const none[] = {
        "any",       "Object",    "char",       "wchar",    "wstring",   "fixed",
        "map",       "union",     "bitset",     "bitmask",  "native",    "valuetype",
        "ValueBase", "abstract",  "local",      "import",   "typeid",    "component",
        "home",      "eventtype", "typeprefix", "porttype", "connector", "custom",
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        if (kn_idl_is(p, none[i]))
            return true;
    }
    return false;
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

/* `<N>` behind string: the greatest length. 0 without one; false: an error was reported. */
static bool bound(struct kn_idl_parser *p, uint32_t *countp)
{
    *countp = 0;
    if (!kn_idl_accept(p, '<'))
        return true;
    *countp = kn_idl_positive(p, true);
    return *countp && kn_idl_expect(p, '>', "'>'");
}

static const struct kn_idl_type *string(struct kn_idl_parser *p)
{
    struct kn_idl_type *type = make(p, KOINE_KIND_STRING);
    kn_idl_advance(p);
    return bound(p, &type->count) ? type : NULL;
}

static const struct kn_idl_type *sequence_of(struct kn_idl_parser *p,
                                             const struct kn_idl_type *element)
{
    struct kn_idl_type *type = make(p, KOINE_KIND_SEQUENCE);
    type->element = element;
    type->depth = (uint8_t)(element->depth + 1);
    if (element->kind == KOINE_KIND_UINT8) {
        type->kind = KOINE_KIND_OCTETS;
        type->element = NULL;
    }
    if (kn_idl_accept(p, ',')) {
        type->count = kn_idl_positive(p, true);
        if (!type->count)
            return NULL;
    }
    return kn_idl_expect(p, '>', "',' or '>'") ? type : NULL;
}

static bool too_deep(struct kn_idl_parser *p, const struct kn_idl_type *type)
{
    if (type->depth < KN_IDL_MAX_DEPTH)
        return false;
    kn_idl_error(p, &p->token, "found sequences and arrays %d deep, expected fewer",
                 KN_IDL_MAX_DEPTH);
    return true;
}

static const struct kn_idl_type *sequence(struct kn_idl_parser *p)
{
    kn_idl_advance(p);
    if (!kn_idl_expect(p, '<', "'<'"))
        return NULL;
    const struct kn_idl_type *element = kn_idl_enter(p) ? kn_idl_type(p) : NULL;
    kn_idl_leave(p);
    return element && !too_deep(p, element) ? sequence_of(p, element) : NULL;
}

const struct kn_idl_type *kn_idl_dimensions(struct kn_idl_parser *p, const struct kn_idl_type *type)
{
    if (!kn_idl_accept(p, '['))
        return type;
    uint32_t count = kn_idl_positive(p, false);
    if (!count || !kn_idl_expect(p, ']', "']'"))
        return NULL;
    const struct kn_idl_type *rest = kn_idl_enter(p) ? kn_idl_dimensions(p, type) : NULL;
    kn_idl_leave(p);
    if (!rest || too_deep(p, rest))
        return NULL;
    struct kn_idl_type *array = make(p, KOINE_KIND_ARRAY);
    array->count = count;
    array->element = rest;
    array->depth = (uint8_t)(rest->depth + 1);
    return array;
}

static const struct kn_idl_type *of_typedef(struct kn_idl_parser *p, const struct kn_idl_decl *decl)
{
    if (!decl->type)
        return NULL;
    struct kn_idl_type *type = make(p, 0);
    *type = *decl->type;
    type->alias = decl;
    return type;
}

static const struct kn_idl_type *named(struct kn_idl_parser *p)
{
    struct kn_idl_token at;
    const struct kn_idl_decl *decl = kn_idl_resolve(p, &at, "a type");
    if (!decl)
        return NULL;
    if (decl->sort == KN_IDL_TYPEDEF)
        return of_typedef(p, decl);
    if (decl->sort == KN_IDL_ENUM || decl->sort == KN_IDL_STRUCT) {
        struct kn_idl_type *type =
            make(p, decl->sort == KN_IDL_ENUM ? KOINE_KIND_ENUM : KOINE_KIND_STRUCT);
        type->decl = decl;
        return type;
    }
    if (decl->sort == KN_IDL_INTERFACE)
        kn_idl_error(p, &at, "not supported yet: interface '%.*s' as a type",
                     (int)decl->name.length, decl->name.ptr);
    else
        kn_idl_error(p, &at, "found '%.*s', expected a type", (int)decl->name.length,
                     decl->name.ptr);
    return NULL;
}

/* `long`, `long long`, `unsigned short` ... */
static const struct kn_idl_type *wordy_integer(struct kn_idl_parser *p)
{
    bool is_unsigned = kn_idl_accept_word(p, "unsigned");
    uint8_t kind = is_unsigned ? KOINE_KIND_UINT16 : KOINE_KIND_INT16;
    struct kn_idl_token at = p->token;
    if (kn_idl_accept_word(p, "short"))
        return make(p, kind);
    if (!kn_idl_accept_word(p, "long")) {
        kn_idl_expected(p, "'short' or 'long'");
        return NULL;
    }
    if (kn_idl_is(p, "double")) {
        kn_idl_error(p, &at, "not supported yet: long double");
        return NULL;
    }
    bool twice = kn_idl_accept_word(p, "long");
    return make(p, (uint8_t)(kind + (twice ? 2 : 1)));
}

static const struct basic {
    const char *word;
    uint8_t kind;
} basics[] = {
    {"boolean", KOINE_KIND_BOOLEAN}, {"octet", KOINE_KIND_UINT8},   {"int8", KOINE_KIND_INT8},
    {"int16", KOINE_KIND_INT16},     {"int32", KOINE_KIND_INT32},   {"int64", KOINE_KIND_INT64},
    {"uint8", KOINE_KIND_UINT8},     {"uint16", KOINE_KIND_UINT16}, {"uint32", KOINE_KIND_UINT32},
    {"uint64", KOINE_KIND_UINT64},   {"float", KOINE_KIND_FLOAT},   {"double", KOINE_KIND_DOUBLE},
};

const struct kn_idl_type *kn_idl_type(struct kn_idl_parser *p)
{
    for (size_t i = 0; i < sizeof basics / sizeof basics[0]; i++) {
        if (kn_idl_accept_word(p, basics[i].word))
            return make(p, basics[i].kind);
    }
    if (kn_idl_is(p, "unsigned") || kn_idl_is(p, "short") || kn_idl_is(p, "long"))
        return wordy_integer(p);
    if (kn_idl_is(p, "string"))
        return string(p);
    if (kn_idl_is(p, "sequence"))
        return sequence(p);
    if (kn_idl_no_type(p)) {
        kn_idl_unsupported(p, &p->token);
        return NULL;
    }
    bool word = false;
    if (p->token.sort == KN_IDL_NAME && !p->token.escaped)
        kn_idl_word(p->token.text, &word);
    if (!word && (p->token.sort == KN_IDL_NAME || p->token.sort == KN_IDL_SCOPE))
        return named(p);
    kn_idl_expected(p, "a type");
    return NULL;
}
