/* SPDX-License-Identifier: MIT
 *
 * From the tree to struct koine_interface.
 */
#include "idl/parse.h"
#include "idl/table.h"
#include "value/types.h"

struct builder {
    struct koine_idl *idl;
    struct kn_idl_table table;
    struct koine_feature *features;
    uint32_t at;
};

static bool is_feature(const struct kn_idl_decl *decl)
{
    return decl->sort == KN_IDL_OPERATION || decl->sort == KN_IDL_ATTRIBUTE ||
           decl->sort == KN_IDL_EVENT;
}

static int put_raises(struct builder *b, struct koine_feature *feature,
                      const struct kn_idl_decl *decl)
{
    uint32_t *raises = kn_arena_zalloc(&b->idl->arena, decl->raised + 1, sizeof *raises);
    if (!raises)
        return KOINE_ENOMEM;
    for (uint32_t i = 0; i < decl->raised; i++)
        raises[i] = kn_idl_table_decl(&b->table, decl->raises[i]);
    feature->raises = (struct koine_seq_uint32)KOINE_MANY(raises, decl->raised);
    return 0;
}

static int put_feature(struct builder *b, const struct kn_idl_decl *decl, uint16_t origin)
{
    struct koine_feature *f = b->features + b->at++;
    f->name = kn_idl_string(decl->name);
    f->doc = kn_idl_string(decl->doc);
    f->flags = decl->flags;
    f->origin = origin;
    f->id = decl->id;
    if (decl->sort == KN_IDL_ATTRIBUTE) {
        f->sort = KOINE_ATTRIBUTE;
        f->in = f->out = kn_idl_table_type(&b->table, decl->type);
    } else if (decl->sort == KN_IDL_EVENT) {
        f->sort = KOINE_EVENT;
        f->in = f->out = kn_idl_table_side(&b->table, decl, KN_IDL_SIDE_IN);
    } else {
        f->sort = KOINE_OPERATION;
        f->in = kn_idl_table_side(&b->table, decl, KN_IDL_SIDE_IN);
        f->out = kn_idl_table_side(&b->table, decl, KN_IDL_SIDE_OUT);
    }
    return put_raises(b, f, decl);
}

/* Ancestors first; `origin` of a base is its place in `bases`. */
static int put_features(struct builder *b, const struct kn_idl_decl *interface,
                        const struct kn_idl_decl *whole)
{
    int rc = interface->base ? put_features(b, interface->base, whole) : 0;
    uint16_t origin = interface == whole ? 0 : (uint16_t)(interface->depth + 1);
    for (const struct kn_idl_decl *d = interface->first; d && !rc; d = d->next) {
        if (is_feature(d))
            rc = put_feature(b, d, origin);
    }
    return rc;
}

static uint32_t count_features(const struct kn_idl_decl *interface)
{
    uint32_t count = 0;
    for (; interface; interface = interface->base) {
        for (const struct kn_idl_decl *d = interface->first; d; d = d->next)
            count += is_feature(d);
    }
    return count;
}

static int put_bases(struct builder *b, struct koine_interface *interface,
                     const struct kn_idl_decl *decl)
{
    struct koine_string *bases = kn_arena_zalloc(&b->idl->arena, decl->depth + 1u, sizeof *bases);
    if (!bases)
        return KOINE_ENOMEM;
    for (const struct kn_idl_decl *base = decl->base; base; base = base->base)
        bases[base->depth] = kn_idl_string(base->scoped);
    interface->bases = (struct koine_seq_string)KOINE_MANY(bases, decl->depth);
    return 0;
}

static int put_notes(struct builder *b, struct koine_interface *interface,
                     const struct kn_idl_decl *decl)
{
    uint32_t count = 0;
    for (const struct kn_idl_note *n = decl->notes; n; n = n->next)
        count++;
    struct koine_note *notes = kn_arena_zalloc(&b->idl->arena, count + 1, sizeof *notes);
    if (!notes)
        return KOINE_ENOMEM;
    interface->notes = (struct koine_seq_note)KOINE_MANY(notes, count);
    for (const struct kn_idl_note *n = decl->notes; n; n = n->next, notes++)
        *notes = (struct koine_note){kn_idl_string(n->name), kn_idl_string(n->value)};
    return 0;
}

/* `why` says what was wrong when the answer is KOINE_EDATA. */
static int build(struct koine_idl *idl, struct koine_interface *interface,
                 const struct kn_idl_decl *decl, struct koine_why *why)
{
    uint32_t count = count_features(decl);
    struct builder b = {.idl = idl, .table = {.arena = &idl->arena}};
    b.features = kn_arena_zalloc(&idl->arena, count + 1, sizeof *b.features);
    if (!b.features)
        return KOINE_ENOMEM;
    interface->name = kn_idl_string(decl->scoped);
    interface->doc = kn_idl_string(decl->doc);
    int rc = put_bases(&b, interface, decl);
    if (!rc)
        rc = put_notes(&b, interface, decl);
    if (!rc)
        rc = put_features(&b, decl, decl);
    if (!rc)
        rc = b.table.failed;
    if (!rc)
        rc = kn_types_layout(b.table.types, b.table.count, why);
    interface->types = (struct koine_seq_type)KOINE_MANY(b.table.types, b.table.count);
    interface->features = (struct koine_seq_feature)KOINE_MANY(b.features, count);
    return rc ? rc : kn_interface_hash(&interface->hash, interface);
}

static void refuse(struct kn_idl_parser *p, const struct kn_idl_decl *decl,
                   const struct koine_why *why)
{
    struct kn_idl_token at = {.file = decl->file, .line = decl->line, .column = 1};
    kn_idl_error(p, &at,
                 "found interface '%.*s' with types that cannot be laid out, expected "
                 "less (%s)",
                 (int)decl->name.length, decl->name.ptr, why->text);
}

void kn_idl_build(struct kn_idl_parser *p)
{
    struct koine_idl *idl = p->idl;
    size_t count = 0;
    for (const struct kn_idl_decl *d = &idl->root; d; d = kn_idl_next(idl, d))
        count += d->sort == KN_IDL_INTERFACE && !d->included;
    idl->interfaces = kn_arena_zalloc(&idl->arena, count + 1, sizeof *idl->interfaces);
    idl->declared = kn_arena_zalloc(&idl->arena, count + 1, sizeof *idl->declared);
    if (!idl->interfaces || !idl->declared) {
        kn_idl_fail(p, KOINE_ENOMEM);
        return;
    }
    for (const struct kn_idl_decl *d = &idl->root; d && !p->fatal; d = kn_idl_next(idl, d)) {
        if (d->sort != KN_IDL_INTERFACE || d->included)
            continue;
        struct koine_why why = {"more than 4096 types or 1024 members"};
        int rc = build(idl, idl->interfaces + idl->count, d, &why);
        idl->declared[idl->count++] = d;
        if (rc == KOINE_ENOMEM)
            kn_idl_fail(p, rc);
        else if (rc)
            refuse(p, d, &why);
    }
}
