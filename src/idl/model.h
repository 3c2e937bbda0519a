/* SPDX-License-Identifier: MIT
 *
 * What a file of interfaces declared, as a tree in one arena.
 *
 * Names are declared before use, so the reader resolves them at once: the tree holds pointers, never
 * names that are still to be looked up. A module that is opened again is a node of its own, which
 * keeps the order of declarations; the names of all its nodes are one scope.
 */
#ifndef KN_IDL_MODEL_H
#define KN_IDL_MODEL_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/map.h"
#include "base/str.h"

#include <koine/idl.h>

#include <stdbool.h>

#define KN_IDL_MAX_TEXT     ((size_t)16 << 20) /* octets of a file with all its includes */
#define KN_IDL_MAX_ARENA    ((size_t)256 << 20)
#define KN_IDL_MAX_INCLUDES 16 /* files within files */
#define KN_IDL_MAX_DEPTH    32 /* modules, types, brackets, ancestors, within each other */
#define KN_IDL_MAX_ERRORS   20
#define KN_IDL_MAX_MEMBERS  1024 /* of a struct, enum, interface, operation */
#define KN_IDL_MAX_NAME     255  /* octets of an identifier */

enum kn_idl_sort {
    KN_IDL_MODULE,
    KN_IDL_TYPEDEF,
    KN_IDL_CONST,
    KN_IDL_ENUM,
    KN_IDL_LABEL,
    KN_IDL_STRUCT,
    KN_IDL_EXCEPTION,
    KN_IDL_INTERFACE,
    KN_IDL_OPERATION,
    KN_IDL_ATTRIBUTE,
    KN_IDL_EVENT,
    KN_IDL_MEMBER, /* of a struct or exception */
    KN_IDL_PARAMETER,
    KN_IDL_FORWARD /* `struct X;`: `base` is what it announces */
};

enum kn_idl_direction { KN_IDL_IN = 1, KN_IDL_OUT = 2, KN_IDL_INOUT = 3 };

struct kn_idl_decl;

/* A type where it is used. One that a typedef names is a copy with `alias` set. */
struct kn_idl_type {
    uint8_t kind;  /* enum koine_kind */
    uint8_t depth; /* sequences and arrays within it */
    uint32_t count;
    const struct kn_idl_decl *decl;  /* enum, struct */
    const struct kn_idl_decl *alias; /* the typedef that was named, or NULL */
    const struct kn_idl_type *element;
};

enum kn_idl_value_sort {
    KN_IDL_NO_VALUE, /* an error was reported */
    KN_IDL_INTEGER,
    KN_IDL_FLOATING,
    KN_IDL_BOOLEAN,
    KN_IDL_TEXT,
    KN_IDL_LABELLED
};

struct kn_idl_value {
    enum kn_idl_value_sort sort;
    bool negative;      /* never with magnitude 0 */
    uint64_t magnitude; /* of an integer; a boolean: 0 or 1 */
    double floating;
    struct kn_str text;
    const struct kn_idl_decl *label;
};

/* Part of an annotation that somebody else reads: "onc.program". */
struct kn_idl_note {
    struct kn_str name, value;
    const struct kn_idl_note *next;
};

struct kn_idl_decl {
    enum kn_idl_sort sort;
    struct kn_str name;   /* without the escaping underscore */
    struct kn_str scoped; /* "demo::Room" */
    struct kn_str doc;
    const char *file;
    uint32_t line;
    bool included; /* stands in an included file */
    bool complete; /* the body was read */
    bool placed;   /* in the tree; before that it was only announced */
    uint8_t direction;
    uint8_t flags;                     /* KOINE_ONEWAY ... */
    uint16_t depth;                    /* struct, interface: ancestors */
    int32_t label;                     /* of a label: its value */
    uint32_t id;                       /* of an operation, attribute, event; 0 none */
    const struct kn_idl_note *notes;   /* interface */
    const struct kn_idl_type *type;    /* of typedef, const, member, parameter, attribute; of an
                                       operation its result, NULL for void */
    const struct kn_idl_decl *base;    /* struct, interface */
    struct kn_idl_value value;         /* const */
    const struct kn_idl_decl **raises; /* operation */
    uint32_t raised;
    uint32_t count; /* children */
    struct kn_idl_decl *parent, *first, *last, *next;
};

struct kn_idl_include {
    struct kn_idl_include *next;
    const char *path; /* as written */
};

struct koine_idl {
    struct kn_arena arena;
    struct kn_map names; /* "demo::room" in small letters -> struct kn_idl_decl */
    struct kn_idl_decl root;
    struct kn_idl_include *includes;     /* of the file itself, in order */
    struct koine_interface *interfaces;  /* of the file itself */
    const struct kn_idl_decl **declared; /* their declarations */
    size_t count;
};

/* Words of IDL 4.2. `refused` is set for those that the reader does not take as an identifier. */
bool kn_idl_word(struct kn_str name, bool *refusedp);

/* A floating literal of the same value, as short as can be, in any locale. */
void kn_idl_put_double(struct kn_buffer *buffer, double value);

/* Steps to the next declaration of the whole tree, in order of declaration; NULL at the end. */
const struct kn_idl_decl *kn_idl_next(const struct koine_idl *idl, const struct kn_idl_decl *decl);

#endif
