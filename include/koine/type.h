/* SPDX-License-Identifier: MIT
 *
 * Types, interfaces, and the layout of a value.
 *
 * A value is a C struct in Koine's own layout (natural alignment up to 8; boolean is uint8_t, enum is
 * int32_t). A member that refers (string, octets, sequence) is 16 octets and is a pointer at rest, an
 * offset from the start of the message in flight:
 *
 *      0               8       12      16
 *      +---------------+-------+-------+
 *      | ptr | offset  |length | flags |
 *      +---------------+-------+-------+
 *
 * A type is a value too: struct koine_type and struct koine_interface below are the C form of
 * koine::Type and koine::Interface, so a description is stored, sent, compared and printed like any
 * other value. All types of an interface lie in one array, and a type names another by its *distance*
 * in that array: `type + type->element` is the element's type. 0 is none. A description that came
 * from a peer is checked (distances, sizes and offsets are computed again) before anybody walks it.
 */
#ifndef KOINE_TYPE_H
#define KOINE_TYPE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KOINE_NULL 1u /* in `flags` of a reference: null, which is not empty */

/* Declares struct `name`: a reference to `length` elements of C type `element`. */
#define KOINE_SEQUENCE(name, element)      \
    struct name {                          \
        union {                            \
            const element *ptr;            \
            uint64_t offset;               \
        };                                 \
        uint32_t length; /* in elements */ \
        uint32_t flags;                    \
    }

KOINE_SEQUENCE(koine_string, char);    /* UTF-8, length in octets, and a NUL after it */
KOINE_SEQUENCE(koine_octets, uint8_t); /* sequence<octet> */
KOINE_SEQUENCE(koine_seq_boolean, uint8_t);
KOINE_SEQUENCE(koine_seq_int8, int8_t);
KOINE_SEQUENCE(koine_seq_int16, int16_t);
KOINE_SEQUENCE(koine_seq_int32, int32_t); /* also of enums */
KOINE_SEQUENCE(koine_seq_int64, int64_t);
KOINE_SEQUENCE(koine_seq_uint8, uint8_t);
KOINE_SEQUENCE(koine_seq_uint16, uint16_t);
KOINE_SEQUENCE(koine_seq_uint32, uint32_t);
KOINE_SEQUENCE(koine_seq_uint64, uint64_t);
KOINE_SEQUENCE(koine_seq_float, float);
KOINE_SEQUENCE(koine_seq_double, double);
KOINE_SEQUENCE(koine_seq_string, struct koine_string);
KOINE_SEQUENCE(koine_seq_octets, struct koine_octets);

/* Initialisers for references at rest. KOINE_TEXT takes a literal. */
/* clang-format off */
#define KOINE_TEXT(literal)    {{(literal)}, (uint32_t)(sizeof(literal) - 1), 0}
#define KOINE_ARRAY(array)     {{(array)}, (uint32_t)(sizeof(array) / sizeof((array)[0])), 0}
#define KOINE_MANY(pointer, n) {{(pointer)}, (n), 0}
#define KOINE_NOTHING          {{NULL}, 0, 0}
/* clang-format on */

/* A reference at rest to a NUL-terminated string that must outlive it; NULL gives an empty one. */
struct koine_string koine_string(const char *text);

enum koine_kind {
    KOINE_KIND_BOOLEAN = 1,
    KOINE_KIND_INT8,
    KOINE_KIND_INT16,
    KOINE_KIND_INT32,
    KOINE_KIND_INT64,
    KOINE_KIND_UINT8, /* IDL octet and uint8 */
    KOINE_KIND_UINT16,
    KOINE_KIND_UINT32,
    KOINE_KIND_UINT64,
    KOINE_KIND_FLOAT,
    KOINE_KIND_DOUBLE,
    KOINE_KIND_STRING,
    KOINE_KIND_OCTETS,
    KOINE_KIND_ENUM,
    KOINE_KIND_STRUCT,
    KOINE_KIND_EXCEPTION,
    KOINE_KIND_SEQUENCE,
    KOINE_KIND_ARRAY
};

#define KOINE_TYPE_FIXED 1u /* holds no reference: the value is `size` octets and nothing else */
#define KOINE_TYPE_PLAIN 2u /* fixed, and every bit pattern is a value: no boolean or enum inside */
#define KOINE_TYPE_DENSE 4u /* fixed, and without padding */

/* A member of a struct or exception, or a label of an enum. 40 octets on 64-bit. */
struct koine_member {
    struct koine_string name; /* the wire name */
    struct koine_string doc;
    int32_t type;    /* distance from the type that owns this member; a label: its value */
    uint32_t offset; /* octets from the start of the struct; a label: 0 */
};
KOINE_SEQUENCE(koine_seq_member, struct koine_member);

struct koine_type {
    struct koine_string name; /* scoped: "demo::Reading"; empty when anonymous */
    struct koine_string doc;
    uint8_t kind;    /* enum koine_kind */
    uint8_t flags;   /* KOINE_TYPE_* */
    uint16_t align;  /* 1, 2, 4 or 8 */
    uint32_t size;   /* octets in place; a reference: 16 */
    int32_t element; /* sequence, array: distance to the element's type */
    uint32_t count;  /* array: elements; string, octets, sequence: greatest length, 0 for none */
    struct koine_seq_member members; /* struct, exception: all, inherited first; enum: labels */
    int32_t base;                    /* struct: distance to the one it extends; 0 none */
    uint32_t reserved;
};
KOINE_SEQUENCE(koine_seq_type, struct koine_type);

enum koine_sort { KOINE_OPERATION = 1, KOINE_ATTRIBUTE, KOINE_EVENT };

#define KOINE_ONEWAY     1u
#define KOINE_READONLY   2u
#define KOINE_IDEMPOTENT 4u

/* An operation, attribute or event of an interface. */
struct koine_feature {
    struct koine_string name;
    struct koine_string doc;
    uint8_t sort;    /* enum koine_sort */
    uint8_t flags;   /* KOINE_ONEWAY ... */
    uint16_t origin; /* 0 this interface, else 1 + index in `bases` of the one that declares it */
    /* Index in `types`. Operation: a struct of its in and inout parameters; event: a struct of its
     * members; attribute: its type. */
    uint32_t in;
    /* Operation: a struct of `return` (first, when not void), inout and out; else the same as `in`. */
    uint32_t out;
    uint32_t id; /* its number in protocols that number operations; 0: none was given */
    struct koine_seq_uint32 raises; /* indices in `types` */
};
KOINE_SEQUENCE(koine_seq_feature, struct koine_feature);

/* What an interface says to one foreign protocol and nobody else: "onc.program" is "100005". */
struct koine_note {
    struct koine_string name, value;
};
KOINE_SEQUENCE(koine_seq_note, struct koine_note);

/* A struct of parameters without any has size 0: pass NULL. */
struct koine_interface {
    struct koine_string name; /* scoped: "demo::Thermostat" */
    struct koine_string doc;
    struct koine_seq_string bases; /* every ancestor, each once, base first */
    struct koine_seq_type types;
    struct koine_seq_feature features; /* one index space: inherited first, each base once */
    struct koine_seq_note notes;
    uint64_t hash; /* of all that must agree between two sides: no documentation, ids, notes */
};

/* `member` of the interface by name, or KOINE_EMEMBER. The index is stable for one interface. */
int koine_interface_find(uint32_t *memberp, const struct koine_interface *interface,
                         const char *name);

static inline const struct koine_type *koine_type_element(const struct koine_type *type)
{
    return type + type->element;
}

static inline const struct koine_type *koine_type_of_member(const struct koine_type *type,
                                                            const struct koine_member *member)
{
    return type + member->type;
}

#ifdef __cplusplus
}
#endif
#endif
