/* SPDX-License-Identifier: MIT
 *
 * From XDR into a value at rest. The type leads; every value is at one place of the octets, so one walk
 * does it.
 *
 * Nothing is allocated for what is not there. Data, text and rows of wide numbers are taken from the
 * octets before room for them is made. Other elements are many values, of which none is smaller in XDR
 * than a quarter of its size at rest (an empty string, 4 octets and 16, is the worst, and padding behind a
 * member is less than that; docs/codecs.md). So a sequence is given room when what is left could hold its
 * elements, and all sequences together no more than four octets for each that came, also where a false
 * length is found out only at the end. A kind that breaks the quarter, as a member that may be absent and
 * has its place all the same would, must be counted by what it takes at least.
 *
 * Recursive types exist, through sequences, so depth is the peer's choice and has a limit.
 */
#include "codec/xdr.h"

#include "base/utf8.h"
#include "codec/turn.h"
#include "value/scalar.h"
#include "value/types.h"

#include <stdio.h>

enum { SPREAD = 4 }; /* octets at rest for one of XDR, at most */

struct reader {
    struct kn_cursor *cursor;
    struct kn_arena *arena;
    struct koine_why *why;
    const uint8_t *item; /* where begins what is being read */
    uint64_t budget;     /* octets of XDR that no room was made for yet */
    int depth;
    int refusal; /* why a function answered NULL instead of octets */
};

static const uint64_t nothing = 0; /* what an empty reference points to: aligned, and a NUL */

static int read_value(struct reader *reader, const struct koine_type *type, uint8_t *to,
                      const struct kn_frame *frame);

/* The next `count` octets, or NULL. */
static const uint8_t *take(struct reader *reader, uint64_t count, const struct kn_frame *frame)
{
    struct kn_cursor *cursor = reader->cursor;
    reader->item = cursor->at;
    if (count <= kn_cursor_left(cursor))
        return kn_cursor_take(cursor, (size_t)count);
    reader->refusal = kn_refuse(reader->why, KOINE_EDATA, frame, "takes %llu octets, %zu are left",
                                (unsigned long long)count, kn_cursor_left(cursor));
    return NULL;
}

static uint8_t *allot(struct reader *reader, uint64_t size, const struct kn_frame *frame)
{
    const struct kn_arena *arena = reader->arena;
    uint8_t *block = size <= SIZE_MAX ? kn_arena_alloc(reader->arena, (size_t)size) : NULL;
    if (block)
        return block;
    /* The arena rounds sizes up to 16. */
    bool beyond = size + 15 > arena->limit - arena->used;
    reader->refusal = kn_refuse(reader->why, beyond ? KOINE_ETOOBIG : KOINE_ENOMEM, frame,
                                "no room for %llu octets", (unsigned long long)size);
    return NULL;
}

/* ---------------------------------------------------------------- one number */

static int word(uint32_t *wordp, struct reader *reader, const struct kn_frame *frame)
{
    const uint8_t *octets = take(reader, sizeof *wordp, frame);
    if (!octets)
        return reader->refusal;
    kn_turn32(wordp, octets);
    return 0;
}

/* A number of 4 or 8 octets. */
static int read_number(struct reader *reader, const struct koine_type *type, uint8_t *to,
                       const struct kn_frame *frame)
{
    const uint8_t *octets = take(reader, type->size, frame);
    if (!octets)
        return reader->refusal;
    if (type->size == 4)
        kn_turn32(to, octets);
    else
        kn_turn64(to, octets);
    return 0;
}

/* A number of one or two octets. */
static int read_small(struct reader *reader, const struct koine_type *type, uint8_t *to,
                      const struct kn_frame *frame)
{
    uint32_t bits = 0;
    int rc = word(&bits, reader, frame);
    if (rc)
        return rc;
    bool is_signed = type->kind == KOINE_KIND_INT8 || type->kind == KOINE_KIND_INT16;
    int64_t number = is_signed ? (int64_t)(int32_t)bits : (int64_t)bits;
    int64_t span = INT64_C(1) << 8 * type->size, least = is_signed ? -span / 2 : 0;
    if (number < least || number >= least + span)
        return kn_refuse(reader->why, KOINE_EDATA, frame, "%lld is no %s", (long long)number,
                         kn_kind_name(type->kind));
    uint16_t both = (uint16_t)bits;
    if (type->size == 1)
        *to = (uint8_t)bits;
    else
        memcpy(to, &both, sizeof both);
    return 0;
}

static int read_boolean(struct reader *reader, uint8_t *to, const struct kn_frame *frame)
{
    uint32_t truth = 0;
    int rc = word(&truth, reader, frame);
    if (!rc && truth > 1)
        rc = kn_refuse(reader->why, KOINE_EDATA, frame, "boolean of %u", truth);
    if (!rc)
        *to = (uint8_t)truth;
    return rc;
}

static int read_enum(struct reader *reader, const struct koine_type *type, uint8_t *to,
                     const struct kn_frame *frame)
{
    uint32_t number = 0;
    int rc = word(&number, reader, frame);
    if (rc)
        return rc;
    memcpy(to, &number, sizeof number);
    return kn_scalar_check(type, to, reader->why, frame);
}

/* ---------------------------------------------------------------- what refers */

static int read_length(uint32_t *lengthp, struct reader *reader, const struct koine_type *type,
                       const struct kn_frame *frame)
{
    int rc = word(lengthp, reader, frame);
    if (!rc && type->count && *lengthp > type->count)
        rc = kn_refuse(reader->why, KOINE_EDATA, frame, "length %u, at most %u", *lengthp,
                       type->count);
    return rc;
}

/* Octets with their fill, or NULL. */
static const uint8_t *take_opaque(struct reader *reader, uint32_t count,
                                  const struct kn_frame *frame)
{
    uint64_t filled = ((uint64_t)count + 3) & ~UINT64_C(3);
    const uint8_t *octets = take(reader, filled, frame);
    for (uint64_t at = count; octets && at < filled; at++)
        if (octets[at]) {
            reader->refusal =
                kn_refuse(reader->why, KOINE_EDATA, frame, "the fill behind it is not zero");
            octets = NULL;
        }
    return octets;
}

static int read_opaque(const uint8_t **blockp, struct reader *reader, uint32_t length,
                       const struct kn_frame *frame)
{
    const uint8_t *octets = take_opaque(reader, length, frame);
    uint8_t *block = octets ? allot(reader, (uint64_t)length + 1, frame) : NULL;
    if (!block)
        return reader->refusal;
    memcpy(block, octets, length);
    block[length] = 0;
    *blockp = block;
    return 0;
}

static int read_string(const uint8_t **blockp, struct reader *reader, uint32_t length,
                       const struct kn_frame *frame)
{
    int rc = read_opaque(blockp, reader, length, frame);
    if (rc)
        return rc;
    size_t valid = kn_utf8_valid((const char *)*blockp, length);
    if (valid < length)
        rc = kn_refuse(reader->why, KOINE_EDATA, frame, "not UTF-8 at octet %zu", valid);
    return rc;
}

static int read_numbers(struct reader *reader, const struct koine_type *type, uint8_t *to,
                        uint32_t count, const struct kn_frame *frame)
{
    const uint8_t *octets = take(reader, (uint64_t)count * type->size, frame);
    if (!octets)
        return reader->refusal;
    kn_turn(to, octets, count, type->size);
    return 0;
}

static int read_elements(struct reader *reader, const struct koine_type *element, uint8_t *to,
                         uint32_t count, const struct kn_frame *frame)
{
    if (kn_turns(element))
        return read_numbers(reader, element, to, count, frame);
    int rc = 0;
    for (uint32_t i = 0; i < count && !rc; i++) {
        struct kn_frame inner = {frame, {NULL, 0}, i};
        rc = read_value(reader, element, to + (size_t)i * element->size, &inner);
    }
    return rc;
}

/* Octets of XDR that a value takes at least; nothing but an empty struct takes less than one number. */
static uint64_t least_of(const struct koine_type *type)
{
    if (kn_turns(type))
        return type->size;
    uint64_t quarter = ((uint64_t)type->size + SPREAD - 1) / SPREAD;
    return type->size && quarter < 4 ? 4 : quarter;
}

/* Room for elements, when what is left can be as many, or NULL. Padding in it is zero. */
static uint8_t *make_room(struct reader *reader, const struct koine_type *element, uint32_t count,
                          const struct kn_frame *frame)
{
    uint64_t size = (uint64_t)count * element->size, left = kn_cursor_left(reader->cursor);
    uint64_t least = count * least_of(element);
    if (least > left || least > reader->budget) {
        reader->refusal =
            kn_refuse(reader->why, KOINE_EDATA, frame, "takes %llu octets at least, %llu are left",
                      (unsigned long long)least, (unsigned long long)left);
        return NULL;
    }
    reader->budget -= least;
    uint8_t *block = allot(reader, size, frame);
    if (block && !(element->flags & KOINE_TYPE_DENSE))
        memset(block, 0, size);
    return block;
}

static int read_sequence(const uint8_t **blockp, struct reader *reader,
                         const struct koine_type *element, uint32_t length,
                         const struct kn_frame *frame)
{
    if (element->kind == KOINE_KIND_UINT8)
        return read_opaque(blockp, reader, length, frame);
    uint8_t *block = make_room(reader, element, length, frame);
    int rc = block ? read_elements(reader, element, block, length, frame) : reader->refusal;
    if (!rc)
        *blockp = block;
    return rc;
}

/* What is not empty. */
static int read_content(const uint8_t **blockp, struct reader *reader,
                        const struct koine_type *type, uint32_t length,
                        const struct kn_frame *frame)
{
    if (type->kind == KOINE_KIND_STRING)
        return read_string(blockp, reader, length, frame);
    if (type->kind == KOINE_KIND_OCTETS)
        return read_opaque(blockp, reader, length, frame);
    return read_sequence(blockp, reader, koine_type_element(type), length, frame);
}

static int read_reference(struct reader *reader, const struct koine_type *type, uint8_t *to,
                          const struct kn_frame *frame)
{
    struct koine_octets octets = {{(const uint8_t *)&nothing}, 0, 0};
    int rc = read_length(&octets.length, reader, type, frame);
    if (!rc && octets.length)
        rc = read_content(&octets.ptr, reader, type, octets.length, frame);
    if (!rc)
        memcpy(to, &octets, sizeof octets);
    return rc;
}

/* ---------------------------------------------------------------- what is in place */

static int read_array(struct reader *reader, const struct koine_type *type, uint8_t *to,
                      const struct kn_frame *frame)
{
    const struct koine_type *element = koine_type_element(type);
    if (element->kind != KOINE_KIND_UINT8)
        return read_elements(reader, element, to, type->count, frame);
    const uint8_t *octets = take_opaque(reader, type->count, frame);
    if (!octets)
        return reader->refusal;
    memcpy(to, octets, type->count);
    return 0;
}

static int read_struct(struct reader *reader, const struct koine_type *type, uint8_t *to,
                       const struct kn_frame *frame)
{
    int rc = 0;
    for (uint32_t i = 0; i < type->members.length && !rc; i++) {
        const struct koine_member *member = &type->members.ptr[i];
        const struct koine_type *part = koine_type_of_member(type, member);
        struct kn_frame inner = {frame, {member->name.ptr, member->name.length}, 0};
        rc = kn_turns(part) && reader->depth < KN_VALUE_DEPTH
                 ? read_number(reader, part, to + member->offset, &inner)
                 : read_value(reader, part, to + member->offset, &inner);
    }
    return rc;
}

static int read_inner(struct reader *reader, const struct koine_type *type, uint8_t *to,
                      const struct kn_frame *frame)
{
    switch (type->kind) {
    case KOINE_KIND_BOOLEAN:
        return read_boolean(reader, to, frame);
    case KOINE_KIND_INT8:
    case KOINE_KIND_INT16:
    case KOINE_KIND_UINT8:
    case KOINE_KIND_UINT16:
        return read_small(reader, type, to, frame);
    case KOINE_KIND_ENUM:
        return read_enum(reader, type, to, frame);
    case KOINE_KIND_STRING:
    case KOINE_KIND_OCTETS:
    case KOINE_KIND_SEQUENCE:
        return read_reference(reader, type, to, frame);
    case KOINE_KIND_STRUCT:
    case KOINE_KIND_EXCEPTION:
        return read_struct(reader, type, to, frame);
    case KOINE_KIND_ARRAY:
        return read_array(reader, type, to, frame);
    default:
        return read_number(reader, type, to, frame);
    }
}

static int read_value(struct reader *reader, const struct koine_type *type, uint8_t *to,
                      const struct kn_frame *frame)
{
    if (reader->depth == KN_VALUE_DEPTH)
        return kn_refuse(reader->why, KOINE_EDEPTH, frame, "nested deeper than %d", KN_VALUE_DEPTH);
    reader->depth++;
    int rc = read_inner(reader, type, to, frame);
    reader->depth--;
    return rc;
}

static void tell_octet(const struct reader *reader)
{
    if (!reader->why)
        return;
    size_t length = strlen(reader->why->text);
    snprintf(reader->why->text + length, sizeof reader->why->text - length, ", at octet %zu",
             (size_t)(reader->item - reader->cursor->start));
}

int kn_xdr_read(void **valuep, struct kn_cursor *cursor, struct kn_arena *arena,
                const struct koine_type *type, struct koine_why *why)
{
    struct reader reader = {.cursor = cursor,
                            .arena = arena,
                            .why = why,
                            .item = cursor->at,
                            .budget = kn_cursor_left(cursor)};
    if (cursor->failed)
        return kn_refuse(why, KOINE_EDATA, NULL, "what is before it is wrong");
    uint8_t *value = make_room(&reader, type, 1, NULL);
    int rc = value ? read_value(&reader, type, value, NULL) : reader.refusal;
    if (!rc) {
        *valuep = value;
        return 0;
    }
    cursor->failed = true;
    tell_octet(&reader);
    return rc;
}

struct kn_str kn_xdr_opaque(struct kn_cursor *cursor, uint32_t most)
{
    uint32_t length = kn_xdr_u32(cursor);
    struct reader reader = {.cursor = cursor};
    const uint8_t *octets =
        cursor->failed || length > most ? NULL : take_opaque(&reader, length, NULL);
    if (!octets) {
        cursor->failed = true;
        return (struct kn_str){NULL, 0};
    }
    return (struct kn_str){(const char *)octets, length};
}
