/* SPDX-License-Identifier: MIT
 *
 * koine::Interface and what it is made of, as types. The C structs of <koine/type.h> are values of
 * these types, at rest; the assertions hold the two together.
 */
#include "value/types.h"

enum index {
    STRING,
    UINT8,
    UINT16,
    UINT32,
    INT32,
    UINT64,
    MEMBER,
    MEMBERS,
    TYPE,
    TYPES,
    NUMBERS,
    FEATURE,
    FEATURES,
    STRINGS,
    NOTE,
    NOTES,
    INTERFACE,
    COUNT
};

#define SCALAR(k, octets)                                                             \
    {                                                                                 \
        .kind = (k), .flags = KOINE_TYPE_FIXED | KOINE_TYPE_PLAIN | KOINE_TYPE_DENSE, \
        .align = (octets), .size = (octets)                                           \
    }
#define SEQUENCE(own, of)                                                                     \
    {                                                                                         \
        .kind = KOINE_KIND_SEQUENCE, .align = 8, .size = 16, .element = (int32_t)(of) - (own) \
    }
#define STRUCT(text, c, list)                                                                      \
    {                                                                                              \
        .name = KOINE_TEXT(text), .kind = KOINE_KIND_STRUCT, .align = 8, .size = sizeof(struct c), \
        .members = KOINE_ARRAY(list)                                                               \
    }
#define IN(own, c, member, of)                                      \
    {                                                               \
        .name = KOINE_TEXT(#member), .type = (int32_t)(of) - (own), \
        .offset = offsetof(struct c, member)                        \
    }

static const struct koine_member member_members[] = {
    IN(MEMBER, koine_member, name, STRING),
    IN(MEMBER, koine_member, doc, STRING),
    IN(MEMBER, koine_member, type, INT32),
    IN(MEMBER, koine_member, offset, UINT32),
};

static const struct koine_member type_members[] = {
    IN(TYPE, koine_type, name, STRING),     IN(TYPE, koine_type, doc, STRING),
    IN(TYPE, koine_type, kind, UINT8),      IN(TYPE, koine_type, flags, UINT8),
    IN(TYPE, koine_type, align, UINT16),    IN(TYPE, koine_type, size, UINT32),
    IN(TYPE, koine_type, element, INT32),   IN(TYPE, koine_type, count, UINT32),
    IN(TYPE, koine_type, members, MEMBERS), IN(TYPE, koine_type, base, INT32),
    IN(TYPE, koine_type, reserved, UINT32),
};

static const struct koine_member feature_members[] = {
    IN(FEATURE, koine_feature, name, STRING),    IN(FEATURE, koine_feature, doc, STRING),
    IN(FEATURE, koine_feature, sort, UINT8),     IN(FEATURE, koine_feature, flags, UINT8),
    IN(FEATURE, koine_feature, origin, UINT16),  IN(FEATURE, koine_feature, in, UINT32),
    IN(FEATURE, koine_feature, out, UINT32),     IN(FEATURE, koine_feature, id, UINT32),
    IN(FEATURE, koine_feature, raises, NUMBERS),
};

static const struct koine_member note_members[] = {
    IN(NOTE, koine_note, name, STRING),
    IN(NOTE, koine_note, value, STRING),
};

static const struct koine_member interface_members[] = {
    IN(INTERFACE, koine_interface, name, STRING),
    IN(INTERFACE, koine_interface, doc, STRING),
    IN(INTERFACE, koine_interface, bases, STRINGS),
    IN(INTERFACE, koine_interface, types, TYPES),
    IN(INTERFACE, koine_interface, features, FEATURES),
    IN(INTERFACE, koine_interface, notes, NOTES),
    IN(INTERFACE, koine_interface, hash, UINT64),
};

static const struct koine_type table[COUNT] = {
    [STRING] = {.kind = KOINE_KIND_STRING, .align = 8, .size = 16},
    [UINT8] = SCALAR(KOINE_KIND_UINT8, 1),
    [UINT16] = SCALAR(KOINE_KIND_UINT16, 2),
    [UINT32] = SCALAR(KOINE_KIND_UINT32, 4),
    [INT32] = SCALAR(KOINE_KIND_INT32, 4),
    [UINT64] = SCALAR(KOINE_KIND_UINT64, 8),
    [MEMBER] = STRUCT("koine::Member", koine_member, member_members),
    [MEMBERS] = SEQUENCE(MEMBERS, MEMBER),
    [TYPE] = STRUCT("koine::Type", koine_type, type_members),
    [TYPES] = SEQUENCE(TYPES, TYPE),
    [NUMBERS] = SEQUENCE(NUMBERS, UINT32),
    [FEATURE] = STRUCT("koine::Feature", koine_feature, feature_members),
    [FEATURES] = SEQUENCE(FEATURES, FEATURE),
    [STRINGS] = SEQUENCE(STRINGS, STRING),
    [NOTE] = STRUCT("koine::Note", koine_note, note_members),
    [NOTES] = SEQUENCE(NOTES, NOTE),
    [INTERFACE] = STRUCT("koine::Interface", koine_interface, interface_members),
};

_Static_assert(sizeof(struct koine_string) == 16, "a reference is 16 octets");
_Static_assert(sizeof(struct koine_member) == 40, "koine::Member");
_Static_assert(sizeof(struct koine_type) == 72, "koine::Type");
_Static_assert(sizeof(struct koine_feature) == 64, "koine::Feature");
_Static_assert(sizeof(struct koine_interface) == 104, "koine::Interface");

const struct koine_type *kn_interface_type(void)
{
    return &table[INTERFACE];
}
