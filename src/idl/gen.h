/* SPDX-License-Identifier: MIT
 *
 * The generator of C: what its files share.
 */
#ifndef KN_IDL_GEN_H
#define KN_IDL_GEN_H

#include "base/buffer.h"
#include "idl/table.h"

struct kn_gen {
    const struct koine_idl *idl;
    const char *stem;
    struct kn_buffer header, source;
    struct kn_arena arena;
    struct kn_map names;       /* C names at file scope that are taken */
    struct kn_idl_table table; /* every type of the file and its includes, laid out */
    const char **type_names;   /* by table index: the struct's or enum's C name, else NULL */
    int failed;
};

/* An operation, attribute or event as an interface (or one that inherits it) has it. */
struct kn_gen_feature {
    const struct kn_idl_decl *decl;
    const struct koine_feature *feature;
    uint32_t member;
    const char *name;  /* "set_target", safe as a C name */
    const char *whole; /* "demo_Thermostat_set_target" */
    const char *index; /* "demo_Thermostat_set_target_index" */
    uint32_t in, out;  /* table indices; attribute: its type */
    bool has_in, has_out;
};

struct kn_gen_face {
    const struct koine_interface *interface;
    const struct kn_idl_decl *decl;
    const char *name; /* "demo_Thermostat" */
    struct kn_gen_feature *features;
    uint32_t count;
};

/* gen-name.c */
const char *kn_gen_format(struct kn_gen *g, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *kn_gen_keep(struct kn_gen *g, const char *text, size_t length); /* gen.c */
/* A C name at file scope: no keyword, not taken; it is taken now. */
const char *kn_gen_take(struct kn_gen *g, const char *wanted);
bool kn_gen_taken(const struct kn_gen *g, const char *name);
const char *kn_gen_scoped(struct kn_gen *g, struct kn_str scoped); /* "a::b" as "a_b" */
/* Names within a struct or parameter list: keywords and doubles made good, in place. */
void kn_gen_locals(struct kn_gen *g, const char **names, size_t count, bool parameters);
int kn_gen_reserve(struct kn_gen *g);
/* Whether C or C++ has a word as its own. */
bool kn_gen_word(const char *name);
void kn_gen_doc(struct kn_buffer *b, const char *indent, struct kn_str doc);

/* gen-type.c */
int kn_gen_collect(struct kn_gen *g);
/* `double name[3]`: a declaration of a table type. */
void kn_gen_declare(struct kn_gen *g, struct kn_buffer *b, uint32_t type, const char *name);
const char **kn_gen_member_names(struct kn_gen *g, uint32_t type);
void kn_gen_decl(struct kn_gen *g, const struct kn_idl_decl *decl);
uint32_t kn_gen_index(struct kn_gen *g, const struct kn_idl_decl *decl, enum kn_idl_side side);
uint32_t kn_gen_type_index(struct kn_gen *g, const struct kn_idl_type *type);

void kn_gen_text(struct kn_buffer *b, struct kn_str text); /* a C literal */

/* gen-table.c */
void kn_gen_tables(struct kn_gen *g, const struct kn_gen_face *face);
/* gen-stub.c */
void kn_gen_client(struct kn_gen *g, const struct kn_gen_face *face);
/* gen-server.c */
void kn_gen_server(struct kn_gen *g, const struct kn_gen_face *face);

#endif
