/* SPDX-License-Identifier: MIT
 *
 * Where each definition stands, what it needs, and so the order in which they are read.
 */
#include "idl/x.h"

struct kn_x_spot kn_x_save(const struct kn_idl_parser *p)
{
    return (struct kn_x_spot){*p->source, p->token};
}

void kn_x_restore(struct kn_idl_parser *p, const struct kn_x_spot *spot)
{
    *p->source = spot->source;
    p->token = spot->token;
}

struct kn_x_def *kn_x_find(const struct kn_idl_parser *p, struct kn_str name)
{
    return kn_map_get_text(&p->x->defs, name);
}

struct kn_x_def *kn_x_add(struct kn_idl_parser *p, enum kn_x_sort sort,
                          const struct kn_idl_token *name)
{
    struct kn_x_def *other = kn_x_find(p, name->text);
    if (other) {
        kn_idl_error(p, name, "found '%.*s', expected a new name ('%.*s' is declared at %s:%u)",
                     (int)name->text.length, name->text.ptr, (int)name->text.length, name->text.ptr,
                     other->name.file, other->name.line);
        return NULL;
    }
    struct kn_x_def *def = kn_arena_zalloc(&p->idl->arena, 1, sizeof *def);
    if (!def || kn_map_put_text(&p->x->defs, name->text, def)) {
        kn_idl_fail(p, KOINE_ENOMEM);
        return NULL;
    }
    def->sort = sort;
    def->name = *name;
    *p->x->end = def;
    p->x->end = &def->next;
    return def;
}

/* ---- the first time through */

static const struct opening {
    const char *word;
    enum kn_x_sort sort;
    void (*read)(struct kn_idl_parser *p, struct kn_x_def *def);
} openings[] = {
    [KN_X_CONST] = {"const", KN_X_CONST, kn_x_constant},
    [KN_X_DEFINE] = {NULL, KN_X_DEFINE, kn_x_constant},
    [KN_X_TYPEDEF] = {"typedef", KN_X_TYPEDEF, kn_x_typedef},
    [KN_X_ENUM] = {"enum", KN_X_ENUM, kn_x_enum},
    [KN_X_LABEL] = {NULL, KN_X_LABEL, NULL},
    [KN_X_STRUCT] = {"struct", KN_X_STRUCT, kn_x_struct},
    [KN_X_UNION] = {"union", KN_X_UNION, kn_x_union},
    [KN_X_PROGRAM] = {"program", KN_X_PROGRAM, kn_x_program},
};

static const struct opening *opening(const struct kn_idl_parser *p)
{
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
        if (openings[i].word && kn_idl_is(p, openings[i].word))
            return openings + i;
    }
    return NULL;
}

/* The name that a typedef gives stands last before what is in brackets. */
static bool typedef_name(struct kn_idl_parser *p, struct kn_idl_token *namep)
{
    unsigned depth = 0;
    bool found = false;
    for (; p->token.sort != KN_IDL_END; kn_idl_advance(p)) {
        int sort = p->token.sort;
        if (!depth && (sort == ';' || sort == '[' || sort == '<'))
            break;
        depth += sort == '{';
        depth -= sort == '}' && depth;
        if (depth || sort != KN_IDL_NAME)
            continue;
        *namep = p->token;
        found = true;
    }
    if (!found)
        kn_idl_expected(p, "a type and a name");
    return found;
}

/* The rest of a definition, up to its `;`, with the labels of an enum. */
static bool rest(struct kn_idl_parser *p, struct kn_x_def *labels_of)
{
    unsigned depth = 0;
    int before = 0;
    for (; p->token.sort != KN_IDL_END; kn_idl_advance(p)) {
        int sort = p->token.sort;
        if (sort == ';' && !depth)
            break;
        depth += sort == '{';
        depth -= sort == '}' && depth;
        if (labels_of && sort == KN_IDL_NAME && (before == '{' || before == ',')) {
            struct kn_x_def *label = kn_x_add(p, KN_X_LABEL, &p->token);
            if (label)
                label->owner = labels_of;
        }
        before = sort;
    }
    return kn_idl_expect(p, ';', "';'");
}

static void scan_definition(struct kn_idl_parser *p)
{
    const struct opening *row = opening(p);
    struct kn_x_spot spot = kn_x_save(p);
    struct kn_idl_token name;
    if (!row) {
        kn_idl_expected(p, "a definition (const, typedef, enum, struct, union, program)");
        kn_idl_advance(p);
        kn_idl_recover(p);
        kn_idl_accept(p, '}');
        return;
    }
    kn_idl_advance(p);
    bool good = row->sort == KN_X_TYPEDEF ? typedef_name(p, &name) : kn_x_identifier(p, &name);
    struct kn_x_def *def = good ? kn_x_add(p, row->sort, &name) : NULL;
    if (def)
        def->spot = spot;
    rest(p, row->sort == KN_X_ENUM ? def : NULL);
}

/* ---- what a definition needs */

/* A name is meant here, not given: before another name or a star, behind a bracket, = or case. */
static bool is_reference(const struct kn_idl_token *before, const struct kn_idl_token *token,
                         int next)
{
    if (next == KN_IDL_NAME || next == '*')
        return true;
    if (before->sort == KN_IDL_NAME)
        return kn_str_equal(before->text, KN_STR("case")) ||
               kn_str_equal(before->text, KN_STR("struct"));
    return token->sort == KN_IDL_NAME && before->sort && strchr("[<=(,", before->sort);
}

/* `typedef T name<>` needs of a struct T no more than that it is announced; so T may hold `name`. */
static bool is_loose(struct kn_idl_parser *p, const struct kn_x_def *def)
{
    bool loose = false;
    if (def->sort != KN_X_TYPEDEF)
        return false;
    for (; p->token.sort != KN_IDL_END && p->token.sort != ';'; kn_idl_lex(p))
        loose |= p->token.sort == '<' || p->token.sort == '*';
    kn_x_restore(p, &def->spot);
    return loose;
}

static void need_others(struct kn_idl_parser *p, struct kn_x_def *def)
{
    unsigned depth = 0;
    bool loose = is_loose(p, def);
    struct kn_idl_token before = {.sort = 0}, token = p->token;
    while (token.sort != KN_IDL_END && !(token.sort == ';' && !depth) && !p->fatal) {
        kn_idl_lex(p);
        depth += token.sort == '{';
        depth -= token.sort == '}' && depth;
        struct kn_x_def *other = token.sort == KN_IDL_NAME ? kn_x_find(p, token.text) : NULL;
        bool own = def->sort == KN_X_PROGRAM && other && other->side;
        if (other && !own && !(loose && other->sort == KN_X_STRUCT) &&
            other->sort != KN_X_PROGRAM && is_reference(&before, &token, p->token.sort))
            kn_x_need(p, other);
        before = token;
        token = p->token;
    }
}

void kn_x_need(struct kn_idl_parser *p, struct kn_x_def *def)
{
    def = def->owner ? def->owner : def;
    if (def->state != KN_X_UNSEEN || p->fatal)
        return;
    struct kn_x_spot here = kn_x_save(p);
    struct kn_idl_decl *scope = p->scope;
    def->state = KN_X_WITHIN;
    if (kn_idl_enter(p)) {
        p->scope = &p->idl->root;
        kn_x_restore(p, &def->spot);
        if (def->sort != KN_X_DEFINE)
            need_others(p, def);
        kn_x_restore(p, &def->spot);
        p->last = NULL;
        openings[def->sort].read(p, def);
    }
    kn_idl_leave(p);
    def->state = KN_X_DONE;
    p->scope = scope;
    kn_x_restore(p, &here);
}

/* ---- the whole */

static void read_all(struct kn_idl_parser *p)
{
    for (struct kn_x_def *def = p->x->first; def; def = def->next) {
        if (def->sort == KN_X_PROGRAM)
            kn_x_mark(p, def);
    }
    for (struct kn_x_def *def = p->x->first; def; def = def->next) {
        if (!def->side && def->sort != KN_X_PROGRAM)
            kn_x_need(p, def);
    }
    for (struct kn_x_def *def = p->x->first; def; def = def->next) {
        if (def->sort == KN_X_PROGRAM)
            kn_x_need(p, def);
    }
}

void kn_x_file(struct kn_idl_parser *p)
{
    while (p->token.sort != KN_IDL_END)
        scan_definition(p);
    if (p->x->ifs && !p->fatal) {
        p->syntax = true;
        kn_idl_error(p, &p->token, "found the end of the file, expected #endif");
    }
    if (!p->error_count && !p->fatal)
        read_all(p);
}
