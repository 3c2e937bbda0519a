/* SPDX-License-Identifier: MIT
 *
 * The reader of the RPC language (RFC 5531, 12; RFC 4506, 6): what its files share.
 *
 * The language lets a name be used before it is declared; the tree does not. So the file is gone through
 * once for where each definition stands, and then each is read when it is needed first: the lexer is put
 * back to its beginning. Words are the same tokens as in IDL, so its lexer does it.
 *
 *     x-lex.c       lines that begin with % or #
 *     x-file.c      where definitions stand, and their order
 *     x-type.c      types, structs, enums, constants
 *     x-program.c   programs; and the structs and unions that only carry parameters and results
 */
#ifndef KN_IDL_X_H
#define KN_IDL_X_H

#include "idl/parse.h"

#define KN_X_MAX_IFS 32 /* conditions within each other */

enum kn_x_sort {
    KN_X_CONST,
    KN_X_DEFINE, /* #define NAME number */
    KN_X_TYPEDEF,
    KN_X_ENUM,
    KN_X_LABEL,
    KN_X_STRUCT,
    KN_X_UNION,
    KN_X_PROGRAM
};

/* Where the lexer is. */
struct kn_x_spot {
    struct kn_idl_source source;
    struct kn_idl_token token;
};

struct kn_x_def {
    enum kn_x_sort sort;
    enum { KN_X_UNSEEN, KN_X_WITHIN, KN_X_DONE } state;
    struct kn_idl_token name;
    struct kn_x_spot spot;    /* its first word; of a #define what stands behind the name */
    struct kn_x_def *owner;   /* of a label: its enum */
    struct kn_idl_decl *decl; /* NULL: not yet, or an error was reported */
    bool side;                /* parameters or results of a procedure and nothing else */
    bool exception;           /* a struct that a procedure raises */
    struct kn_x_def *next;
};

struct kn_x {
    struct kn_map defs;    /* by name -> struct kn_x_def */
    struct kn_map jumps;   /* from a # to where the reader goes on */
    struct kn_map defined; /* names of #define */
    struct kn_x_def *first, **end;
    unsigned ifs;
};

/* x-lex.c: the lexer is at a % or # */
void kn_x_line(struct kn_idl_parser *p);

/* x-file.c */
void kn_x_file(struct kn_idl_parser *p);
struct kn_x_spot kn_x_save(const struct kn_idl_parser *p);
void kn_x_restore(struct kn_idl_parser *p, const struct kn_x_spot *spot);
struct kn_x_def *kn_x_find(const struct kn_idl_parser *p, struct kn_str name);
struct kn_x_def *kn_x_add(struct kn_idl_parser *p, enum kn_x_sort sort,
                          const struct kn_idl_token *name);
/* Reads a definition, and those it needs before it, unless that has been done. */
void kn_x_need(struct kn_idl_parser *p, struct kn_x_def *def);

/* x-type.c */
/* A type by its name or words; NULL: an error was reported. */
const struct kn_idl_type *kn_x_type(struct kn_idl_parser *p);
/* `int x`, `opaque x[4]`, `string x<>`. */
const struct kn_idl_type *kn_x_declaration(struct kn_idl_parser *p, struct kn_idl_token *namep);
/* A type that must be whole here. */
const struct kn_idl_type *kn_x_whole(struct kn_idl_parser *p, const struct kn_idl_token *at,
                                     const struct kn_idl_type *type);
bool kn_x_identifier(struct kn_idl_parser *p, struct kn_idl_token *namep);
/* A number or the name of one; within [low, high]. */
bool kn_x_number(struct kn_idl_parser *p, int64_t *numberp, int64_t low, int64_t high);
void kn_x_constant(struct kn_idl_parser *p, struct kn_x_def *def);
void kn_x_typedef(struct kn_idl_parser *p, struct kn_x_def *def);
void kn_x_enum(struct kn_idl_parser *p, struct kn_x_def *def);
void kn_x_struct(struct kn_idl_parser *p, struct kn_x_def *def);
void kn_x_union(struct kn_idl_parser *p, struct kn_x_def *def);

/* x-program.c */
/* Marks what only carries parameters and results of a program's procedures. */
void kn_x_mark(struct kn_idl_parser *p, struct kn_x_def *program);
void kn_x_program(struct kn_idl_parser *p, struct kn_x_def *def);

#endif
