/* SPDX-License-Identifier: MIT
 *
 * From flight to rest: the one place where octets of a peer become a value.
 *
 * What is checked is always private: a message up to KN_SPINE_MAX is copied whole before the first
 * look, and of a larger one each block of the spine is copied, once, when the walk reaches it. A block
 * must begin at or behind the end of the last one, so blocks cannot overlap, the walk cannot visit
 * more octets than the message has, and turning offsets into pointers in the copy cannot disturb a
 * block that is still to be checked. Leaves of a large message are not looked at: every bit pattern of
 * them is a value, and their pointer and length are private.
 */
#include "value/border.h"

#include "base/copy.h"
#include "base/utf8.h"
#include "value/scalar.h"
#include "value/types.h"

struct admit {
    const uint8_t *from;
    uint64_t length;
    uint64_t next;          /* no block begins before this */
    struct kn_arena *arena; /* NULL: `from` is private, and changed in place */
    struct koine_why *why;
    int depth;
};

/* What an empty reference points to at rest: never NULL, aligned, and a NUL. */
static const uint64_t nothing = 0;

static int turn(struct admit *admit, const struct koine_type *type, uint8_t *value,
                const struct kn_frame *frame);

static bool is_leaf(const struct koine_type *type)
{
    return type->kind == KOINE_KIND_OCTETS ||
           (type->kind == KOINE_KIND_SEQUENCE &&
            (koine_type_element(type)->flags & KOINE_TYPE_PLAIN));
}

/* The block of `octets` octets at `offset`, private unless it is a leaf. */
static int fetch(struct admit *admit, uint8_t **blockp, uint64_t offset, uint64_t octets, bool leaf,
                 const struct kn_frame *frame)
{
    if (offset & 7 || offset < admit->next)
        return kn_refuse(admit->why, KOINE_EDATA, frame,
                         "offset %llu is not behind %llu, or not aligned",
                         (unsigned long long)offset, (unsigned long long)admit->next);
    if (offset > admit->length || octets > admit->length - offset)
        return kn_refuse(admit->why, KOINE_EDATA, frame, "reaches beyond the message");
    admit->next = offset + octets;
    const uint8_t *block = admit->from + offset;
    if (!admit->arena || leaf) {
        *blockp = (uint8_t *)block;
        return 0;
    }
    uint8_t *copy = kn_arena_alloc(admit->arena, octets);
    if (!copy)
        return kn_refuse(admit->why, KOINE_ENOMEM, frame, "no memory for %llu octets",
                         (unsigned long long)octets);
    kn_copy_in(copy, block, octets);
    *blockp = copy;
    return 0;
}

static int turn_string(struct admit *admit, struct koine_octets *octets,
                       const struct kn_frame *frame)
{
    uint8_t *block;
    int rc = fetch(admit, &block, octets->offset, (uint64_t)octets->length + 1, false, frame);
    if (rc)
        return rc;
    if (block[octets->length])
        return kn_refuse(admit->why, KOINE_EDATA, frame, "no NUL behind the string");
    size_t valid = kn_utf8_valid((const char *)block, octets->length);
    if (valid < octets->length)
        return kn_refuse(admit->why, KOINE_EDATA, frame, "not UTF-8 at octet %zu", valid);
    octets->ptr = block;
    return 0;
}

static int turn_elements(struct admit *admit, const struct koine_type *element, uint8_t *block,
                         uint32_t count, const struct kn_frame *frame)
{
    int rc = 0;
    if (element->flags & KOINE_TYPE_PLAIN)
        return 0;
    for (uint32_t i = 0; i < count && !rc; i++) {
        struct kn_frame inner = {frame, {NULL, 0}, i};
        rc = turn(admit, element, block + (size_t)i * element->size, &inner);
    }
    return rc;
}

static int turn_run(struct admit *admit, const struct koine_type *type, struct koine_octets *octets,
                    const struct kn_frame *frame)
{
    bool sequence = type->kind == KOINE_KIND_SEQUENCE;
    uint64_t size = sequence ? koine_type_element(type)->size : 1;
    uint8_t *block;
    int rc = fetch(admit, &block, octets->offset, octets->length * size, is_leaf(type), frame);
    if (rc)
        return rc;
    octets->ptr = block;
    return sequence ? turn_elements(admit, koine_type_element(type), block, octets->length, frame)
                    : 0;
}

static int turn_reference(struct admit *admit, const struct koine_type *type, uint8_t *value,
                          const struct kn_frame *frame)
{
    struct koine_octets octets;
    memcpy(&octets, value, sizeof octets);
    if (octets.flags & ~KOINE_NULL)
        return kn_refuse(admit->why, KOINE_EDATA, frame, "unknown flags 0x%x", octets.flags);
    if (octets.flags && octets.length)
        return kn_refuse(admit->why, KOINE_EDATA, frame, "null with a length");
    if (type->count && octets.length > type->count)
        return kn_refuse(admit->why, KOINE_EDATA, frame, "length %u, at most %u", octets.length,
                         type->count);
    int rc = 0;
    octets.flags = 0;
    if (!octets.length)
        octets.ptr = (const uint8_t *)&nothing;
    else if (type->kind == KOINE_KIND_STRING)
        rc = turn_string(admit, &octets, frame);
    else
        rc = turn_run(admit, type, &octets, frame);
    if (!rc)
        memcpy(value, &octets, sizeof octets);
    return rc;
}

static int turn_struct(struct admit *admit, const struct koine_type *type, uint8_t *value,
                       const struct kn_frame *frame)
{
    int rc = 0;
    for (uint32_t i = 0; i < type->members.length && !rc; i++) {
        const struct koine_member *member = &type->members.ptr[i];
        const struct koine_type *inner_type = koine_type_of_member(type, member);
        if (inner_type->flags & KOINE_TYPE_PLAIN)
            continue;
        struct kn_frame inner = {frame, {member->name.ptr, member->name.length}, 0};
        rc = turn(admit, inner_type, value + member->offset, &inner);
    }
    return rc;
}

static int turn_inner(struct admit *admit, const struct koine_type *type, uint8_t *value,
                      const struct kn_frame *frame)
{
    switch (type->kind) {
    case KOINE_KIND_STRING:
    case KOINE_KIND_OCTETS:
    case KOINE_KIND_SEQUENCE:
        return turn_reference(admit, type, value, frame);
    case KOINE_KIND_STRUCT:
    case KOINE_KIND_EXCEPTION:
        return turn_struct(admit, type, value, frame);
    case KOINE_KIND_ARRAY:
        return turn_elements(admit, koine_type_element(type), value, type->count, frame);
    default:
        return kn_scalar_check(type, value, admit->why, frame);
    }
}

static int turn(struct admit *admit, const struct koine_type *type, uint8_t *value,
                const struct kn_frame *frame)
{
    if (admit->depth == KN_VALUE_DEPTH)
        return kn_refuse(admit->why, KOINE_EDEPTH, frame, "nested deeper than %d", KN_VALUE_DEPTH);
    admit->depth++;
    int rc = turn_inner(admit, type, value, frame);
    admit->depth--;
    return rc;
}

static int check_root(const struct koine_type *type, size_t length, struct koine_why *why)
{
    if (length >= type->size)
        return 0;
    return kn_refuse(why, KOINE_EDATA, NULL, "%zu octets, the type needs %u", length, type->size);
}

int kn_value_admit_private(const struct koine_type *type, void *from, size_t length,
                           struct koine_why *why)
{
    int rc = check_root(type, length, why);
    if (rc || (type->flags & KOINE_TYPE_PLAIN))
        return rc;
    struct admit admit = {.from = from, .length = length, .next = type->size, .why = why};
    return turn(&admit, type, from, NULL);
}

static int admit_large(uint8_t **rootp, struct kn_arena *arena, const struct koine_type *type,
                       const void *from, size_t length, struct koine_why *why)
{
    struct admit admit = {.from = from, .length = length, .arena = arena, .why = why};
    int rc = fetch(&admit, rootp, 0, type->size, false, NULL);
    return rc ? rc : turn(&admit, type, *rootp, NULL);
}

static int admit_small(uint8_t **rootp, struct kn_arena *arena, const struct koine_type *type,
                       const void *from, size_t length, struct koine_why *why)
{
    uint8_t *copy = kn_arena_alloc(arena, length);
    if (!copy)
        return kn_refuse(why, KOINE_ENOMEM, NULL, "no memory for %zu octets", length);
    kn_copy_in(copy, from, length);
    *rootp = copy;
    return kn_value_admit_private(type, copy, length, why);
}

int kn_value_admit(const void **valuep, struct kn_arena *arena, const struct koine_type *type,
                   const void *from, size_t length, struct koine_why *why)
{
    int rc = check_root(type, length, why);
    if (rc)
        return rc;
    if ((type->flags & KOINE_TYPE_PLAIN) && length > KN_SPINE_MAX) {
        *valuep = from;
        return 0;
    }
    uint8_t *root;
    rc = length > KN_SPINE_MAX ? admit_large(&root, arena, type, from, length, why)
                               : admit_small(&root, arena, type, from, length, why);
    if (!rc)
        *valuep = root;
    return rc;
}
