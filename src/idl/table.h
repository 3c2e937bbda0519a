/* SPDX-License-Identifier: MIT
 *
 * From declarations to a table of types as <koine/type.h> describes it, each type once.
 */
#ifndef KN_IDL_TABLE_H
#define KN_IDL_TABLE_H

#include "idl/model.h"

struct kn_idl_table {
    struct kn_arena *arena;
    struct koine_type *types;
    struct kn_idl_entry *entries; /* where each came from */
    uint32_t count, room;
    int failed; /* KOINE_ENOMEM, KOINE_ELIMIT */
};

enum kn_idl_side { KN_IDL_SIDE_NONE, KN_IDL_SIDE_IN, KN_IDL_SIDE_OUT };

struct kn_idl_entry {
    const struct kn_idl_decl *decl; /* NULL: anonymous */
    enum kn_idl_side side;          /* of an operation or event */
};

/* Each answers the index of a type, adding it and all it needs. After a failure: 0. */
uint32_t kn_idl_table_type(struct kn_idl_table *table, const struct kn_idl_type *type);
uint32_t kn_idl_table_decl(struct kn_idl_table *table, const struct kn_idl_decl *decl);
uint32_t kn_idl_table_side(struct kn_idl_table *table, const struct kn_idl_decl *feature,
                           enum kn_idl_side side);

/* A reference at rest to a kept text. */
struct koine_string kn_idl_string(struct kn_str text);

#endif
