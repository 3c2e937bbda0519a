/* SPDX-License-Identifier: MIT */
#include "idl/table.h"
#include "value/types.h"

struct koine_string kn_idl_string(struct kn_str text)
{
    return (struct koine_string){{text.length ? text.ptr : ""}, (uint32_t)text.length, 0};
}

static bool grow(struct kn_idl_table *t)
{
    uint32_t room = t->room ? t->room * 2 : 32;
    struct koine_type *types = kn_arena_zalloc(t->arena, room, sizeof *types);
    struct kn_idl_entry *entries = kn_arena_zalloc(t->arena, room, sizeof *entries);
    if (!types || !entries)
        return false;
    if (t->count) {
        memcpy(types, t->types, t->count * sizeof *types);
        memcpy(entries, t->entries, t->count * sizeof *entries);
    }
    t->types = types;
    t->entries = entries;
    t->room = room;
    return true;
}

static uint32_t add(struct kn_idl_table *t, struct koine_type type, struct kn_idl_entry entry)
{
    if (!t->failed && t->count == KN_TYPES_MAX)
        t->failed = KOINE_ELIMIT;
    if (!t->failed && t->count == t->room && !grow(t))
        t->failed = KOINE_ENOMEM;
    if (t->failed)
        return 0;
    t->types[t->count] = type;
    t->entries[t->count] = entry;
    return t->count++;
}

static struct koine_type bare(uint8_t kind, struct kn_str name, struct kn_str doc)
{
    struct koine_type type = {.name = kn_idl_string(name), .doc = kn_idl_string(doc)};
    type.kind = kind;
    type.members.ptr = NULL;
    return type;
}

static bool find(const struct kn_idl_table *t, const struct kn_idl_decl *decl,
                 enum kn_idl_side side, uint32_t *indexp)
{
    for (*indexp = 0; *indexp < t->count; ++*indexp) {
        if (t->entries[*indexp].decl == decl && t->entries[*indexp].side == side)
            return true;
    }
    return false;
}

/* ---- anonymous types */

static uint32_t anonymous(struct kn_idl_table *t, const struct kn_idl_type *type)
{
    uint32_t element = type->element ? kn_idl_table_type(t, type->element) : 0;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct koine_type *other = t->types + i;
        if (!t->entries[i].decl && other->kind == type->kind && other->count == type->count &&
            (!type->element || (int64_t)i + other->element == (int64_t)element))
            return i;
    }
    struct koine_type made = bare(type->kind, KN_STR(""), KN_STR(""));
    made.count = type->count;
    if (type->element)
        made.element = (int32_t)element - (int32_t)t->count;
    return add(t, made, (struct kn_idl_entry){NULL, KN_IDL_SIDE_NONE});
}

uint32_t kn_idl_table_type(struct kn_idl_table *t, const struct kn_idl_type *type)
{
    if (t->failed)
        return 0;
    return type->decl ? kn_idl_table_decl(t, type->decl) : anonymous(t, type);
}

/* ---- structs, exceptions, enums */

struct filler {
    struct kn_idl_table *table;
    struct koine_member *members;
    uint32_t index; /* of the type */
    uint32_t at;
};

static void put(struct filler *f, struct kn_str name, struct kn_str doc,
                const struct kn_idl_type *type)
{
    uint32_t index = kn_idl_table_type(f->table, type);
    if (f->table->failed)
        return;
    f->members[f->at++] = (struct koine_member){
        .name = kn_idl_string(name),
        .doc = kn_idl_string(doc),
        .type = (int32_t)index - (int32_t)f->index,
    };
}

static void put_members(struct filler *f, const struct kn_idl_decl *decl)
{
    if (decl->base)
        put_members(f, decl->base);
    for (const struct kn_idl_decl *m = decl->first; m; m = m->next)
        put(f, m->name, m->doc, m->type);
}

static void put_labels(struct filler *f, const struct kn_idl_decl *decl)
{
    for (const struct kn_idl_decl *label = decl->first; label; label = label->next) {
        f->members[f->at++] = (struct koine_member){
            .name = kn_idl_string(label->name),
            .doc = kn_idl_string(label->doc),
            .type = label->label,
        };
    }
}

/* Room for `count` members of the type at `index`. */
static struct filler fill(struct kn_idl_table *t, uint32_t index, uint32_t count)
{
    struct filler f = {t, kn_arena_zalloc(t->arena, count + 1, sizeof(struct koine_member)), index,
                       0};
    if (!f.members)
        t->failed = KOINE_ENOMEM;
    else if (count > KN_MEMBERS_MAX)
        t->failed = KOINE_ELIMIT;
    return f;
}

static void filled(struct filler *f)
{
    if (f->table->failed)
        return;
    struct koine_type *type = f->table->types + f->index;
    type->members.ptr = f->members;
    type->members.length = f->at;
}

static uint8_t kind_of(const struct kn_idl_decl *decl)
{
    if (decl->sort == KN_IDL_ENUM)
        return KOINE_KIND_ENUM;
    return decl->sort == KN_IDL_EXCEPTION ? KOINE_KIND_EXCEPTION : KOINE_KIND_STRUCT;
}

static uint32_t count_members(const struct kn_idl_decl *decl)
{
    uint32_t count = 0;
    for (; decl; decl = decl->base)
        count += decl->count;
    return count;
}

uint32_t kn_idl_table_decl(struct kn_idl_table *t, const struct kn_idl_decl *decl)
{
    uint32_t index;
    if (find(t, decl, KN_IDL_SIDE_NONE, &index))
        return index;
    index = add(t, bare(kind_of(decl), decl->scoped, decl->doc),
                (struct kn_idl_entry){decl, KN_IDL_SIDE_NONE});
    struct filler f = fill(t, index, count_members(decl));
    if (t->failed)
        return 0;
    uint32_t base = decl->base ? kn_idl_table_decl(t, decl->base) : index;
    if (decl->sort == KN_IDL_ENUM)
        put_labels(&f, decl);
    else
        put_members(&f, decl);
    filled(&f);
    if (!t->failed)
        t->types[index].base = (int32_t)base - (int32_t)index;
    return index;
}

/* ---- parameters */

static struct kn_str side_name(struct kn_idl_table *t, const struct kn_idl_decl *feature,
                               enum kn_idl_side side)
{
    struct kn_str suffix = side == KN_IDL_SIDE_IN ? KN_STR("::in") : KN_STR("::out");
    if (feature->sort == KN_IDL_EVENT)
        return feature->scoped;
    size_t length = feature->scoped.length + suffix.length;
    char *text = kn_arena_zalloc(t->arena, length + 1, 1);
    if (!text) {
        t->failed = KOINE_ENOMEM;
        return KN_STR("");
    }
    memcpy(text, feature->scoped.ptr, feature->scoped.length);
    memcpy(text + feature->scoped.length, suffix.ptr, suffix.length);
    return (struct kn_str){text, length};
}

uint32_t kn_idl_table_side(struct kn_idl_table *t, const struct kn_idl_decl *feature,
                           enum kn_idl_side side)
{
    uint32_t index;
    if (find(t, feature, side, &index))
        return index;
    struct kn_str doc = feature->sort == KN_IDL_EVENT ? feature->doc : KN_STR("");
    index = add(t, bare(KOINE_KIND_STRUCT, side_name(t, feature, side), doc),
                (struct kn_idl_entry){feature, side});
    struct filler f = fill(t, index, feature->count + 1);
    if (t->failed)
        return 0;
    uint8_t way = side == KN_IDL_SIDE_IN ? KN_IDL_IN : KN_IDL_OUT;
    if (side == KN_IDL_SIDE_OUT && feature->type)
        put(&f, KN_STR("return"), KN_STR(""), feature->type);
    for (const struct kn_idl_decl *param = feature->first; param; param = param->next) {
        if (param->direction & way)
            put(&f, param->name, param->doc, param->type);
    }
    filled(&f);
    return index;
}
