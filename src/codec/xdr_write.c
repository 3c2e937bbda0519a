/* SPDX-License-Identifier: MIT
 *
 * From a value at rest to XDR, in one walk that writes into the buffer's own room. A buffer that has grown
 * once (kn_buffer_clear keeps its memory) is written without a further allocation.
 */
#include "codec/xdr.h"

#include "base/utf8.h"
#include "codec/turn.h"
#include "value/scalar.h"
#include "value/types.h"

struct writer {
    struct kn_buffer *buffer;
    uint8_t *at, *end; /* the room; what is before `at` is not taken yet */
    struct koine_why *why;
    int depth;
};

static int write_value(struct writer *writer, const struct koine_type *type, const uint8_t *value,
                       const struct kn_frame *frame);

static uint8_t *start_of(const struct writer *writer)
{
    return (uint8_t *)writer->buffer->ptr + writer->buffer->length;
}

static int grow(struct writer *writer, size_t octets, const struct kn_frame *frame)
{
    struct kn_buffer *buffer = writer->buffer;
    size_t room;
    if (writer->at)
        kn_buffer_take(buffer, (size_t)(writer->at - start_of(writer)));
    char *at = kn_buffer_room(&room, buffer, octets);
    if (!at)
        return kn_refuse(writer->why, buffer->failed, frame, "no room for %zu octets", octets);
    writer->at = (uint8_t *)at;
    writer->end = writer->at + room;
    return 0;
}

/* Where `octets` octets go. */
static inline int place(uint8_t **atp, struct writer *writer, size_t octets,
                        const struct kn_frame *frame)
{
    if ((size_t)(writer->end - writer->at) < octets) {
        int rc = grow(writer, octets, frame);
        if (rc)
            return rc;
    }
    *atp = writer->at;
    writer->at += octets;
    return 0;
}

static int write_word(struct writer *writer, uint32_t word, const struct kn_frame *frame)
{
    uint8_t *at;
    int rc = place(&at, writer, sizeof word, frame);
    if (!rc)
        kn_turn32(at, &word);
    return rc;
}

/* One of 4 or 8 octets. */
static int write_number(struct writer *writer, const struct koine_type *type, const uint8_t *value,
                        const struct kn_frame *frame)
{
    uint8_t *at;
    int rc = place(&at, writer, type->size, frame);
    if (rc)
        return rc;
    if (type->size == 4)
        kn_turn32(at, value);
    else
        kn_turn64(at, value);
    return 0;
}

static int write_small(struct writer *writer, const struct koine_type *type, const uint8_t *value,
                       const struct kn_frame *frame)
{
    uint16_t both;
    memcpy(&both, value, type->size == 2 ? 2 : 1);
    uint8_t low = *value;
    switch (type->kind) {
    case KOINE_KIND_INT8:
        return write_word(writer, (uint32_t)(int8_t)low, frame);
    case KOINE_KIND_INT16:
        return write_word(writer, (uint32_t)(int16_t)both, frame);
    case KOINE_KIND_UINT16:
        return write_word(writer, both, frame);
    default:
        return write_word(writer, low, frame);
    }
}

/* A boolean or an enum. */
static int write_checked(struct writer *writer, const struct koine_type *type, const uint8_t *value,
                         const struct kn_frame *frame)
{
    uint32_t number = *value;
    int rc = kn_scalar_check(type, value, writer->why, frame);
    if (rc)
        return rc;
    if (type->kind == KOINE_KIND_ENUM)
        memcpy(&number, value, sizeof number);
    return write_word(writer, number, frame);
}

static int write_opaque(struct writer *writer, const uint8_t *octets, uint32_t length,
                        const struct kn_frame *frame)
{
    size_t fill = -length & 3;
    uint8_t *at;
    int rc = place(&at, writer, length + fill, frame);
    if (rc)
        return rc;
    memcpy(at, octets, length);
    memset(at + length, 0, fill);
    return 0;
}

static int write_string(struct writer *writer, const uint8_t *octets, uint32_t length,
                        const struct kn_frame *frame)
{
    size_t valid = kn_utf8_valid((const char *)octets, length);
    if (valid < length)
        return kn_refuse(writer->why, KOINE_EDATA, frame, "not UTF-8 at octet %zu", valid);
    return write_opaque(writer, octets, length, frame);
}

static int write_numbers(struct writer *writer, const struct koine_type *type,
                         const uint8_t *values, uint32_t count, const struct kn_frame *frame)
{
    uint8_t *at;
    int rc = place(&at, writer, (size_t)count * type->size, frame);
    if (!rc)
        kn_turn(at, values, count, type->size);
    return rc;
}

static int write_elements(struct writer *writer, const struct koine_type *element,
                          const uint8_t *values, uint32_t count, const struct kn_frame *frame)
{
    if (element->kind == KOINE_KIND_UINT8)
        return write_opaque(writer, values, count, frame);
    if (kn_turns(element))
        return write_numbers(writer, element, values, count, frame);
    int rc = 0;
    for (uint32_t i = 0; i < count && !rc; i++) {
        struct kn_frame inner = {frame, {NULL, 0}, i};
        rc = write_value(writer, element, values + (size_t)i * element->size, &inner);
    }
    return rc;
}

static int check_reference(struct writer *writer, const struct koine_type *type,
                           const struct koine_octets *octets, const struct kn_frame *frame)
{
    if (octets->flags & ~KOINE_NULL)
        return kn_refuse(writer->why, KOINE_EDATA, frame, "unknown flags 0x%x", octets->flags);
    if (octets->length && (octets->flags || !octets->ptr))
        return kn_refuse(writer->why, KOINE_EDATA, frame, "null with a length");
    if (type->count && octets->length > type->count)
        return kn_refuse(writer->why, KOINE_EDATA, frame, "length %u, at most %u", octets->length,
                         type->count);
    return 0;
}

/* Null is written as empty: XDR has no other. */
static int write_reference(struct writer *writer, const struct koine_type *type,
                           const uint8_t *value, const struct kn_frame *frame)
{
    struct koine_octets octets;
    memcpy(&octets, value, sizeof octets);
    int rc = check_reference(writer, type, &octets, frame);
    if (!rc)
        rc = write_word(writer, octets.length, frame);
    if (rc || !octets.length)
        return rc;
    if (type->kind == KOINE_KIND_STRING)
        return write_string(writer, octets.ptr, octets.length, frame);
    if (type->kind == KOINE_KIND_OCTETS)
        return write_opaque(writer, octets.ptr, octets.length, frame);
    return write_elements(writer, koine_type_element(type), octets.ptr, octets.length, frame);
}

static int write_struct(struct writer *writer, const struct koine_type *type, const uint8_t *value,
                        const struct kn_frame *frame)
{
    int rc = 0;
    for (uint32_t i = 0; i < type->members.length && !rc; i++) {
        const struct koine_member *member = &type->members.ptr[i];
        const struct koine_type *part = koine_type_of_member(type, member);
        struct kn_frame inner = {frame, {member->name.ptr, member->name.length}, 0};
        rc = kn_turns(part) && writer->depth < KN_VALUE_DEPTH
                 ? write_number(writer, part, value + member->offset, &inner)
                 : write_value(writer, part, value + member->offset, &inner);
    }
    return rc;
}

static int write_inner(struct writer *writer, const struct koine_type *type, const uint8_t *value,
                       const struct kn_frame *frame)
{
    switch (type->kind) {
    case KOINE_KIND_INT8:
    case KOINE_KIND_INT16:
    case KOINE_KIND_UINT8:
    case KOINE_KIND_UINT16:
        return write_small(writer, type, value, frame);
    case KOINE_KIND_BOOLEAN:
    case KOINE_KIND_ENUM:
        return write_checked(writer, type, value, frame);
    case KOINE_KIND_STRING:
    case KOINE_KIND_OCTETS:
    case KOINE_KIND_SEQUENCE:
        return write_reference(writer, type, value, frame);
    case KOINE_KIND_STRUCT:
    case KOINE_KIND_EXCEPTION:
        return write_struct(writer, type, value, frame);
    case KOINE_KIND_ARRAY:
        return write_elements(writer, koine_type_element(type), value, type->count, frame);
    default:
        return write_number(writer, type, value, frame);
    }
}

static int write_value(struct writer *writer, const struct koine_type *type, const uint8_t *value,
                       const struct kn_frame *frame)
{
    if (writer->depth == KN_VALUE_DEPTH)
        return kn_refuse(writer->why, KOINE_EDEPTH, frame, "nested deeper than %d", KN_VALUE_DEPTH);
    writer->depth++;
    int rc = write_inner(writer, type, value, frame);
    writer->depth--;
    return rc;
}

int kn_xdr_write(struct kn_buffer *buffer, const struct koine_type *type, const void *value,
                 struct koine_why *why)
{
    struct writer writer = {.buffer = buffer, .why = why};
    size_t before = buffer->length;
    int rc = buffer->failed ? buffer->failed : write_value(&writer, type, value, NULL);
    if (writer.at)
        kn_buffer_take(buffer, rc ? 0 : (size_t)(writer.at - start_of(&writer)));
    if (rc && buffer->ptr) {
        buffer->length = before;
        buffer->ptr[before] = 0;
    }
    return rc;
}

void kn_xdr_put_u32(struct kn_buffer *buffer, uint32_t number)
{
    number = htobe32(number);
    kn_buffer_add(buffer, &number, sizeof number);
}

void kn_xdr_put_u64(struct kn_buffer *buffer, uint64_t number)
{
    number = htobe64(number);
    kn_buffer_add(buffer, &number, sizeof number);
}

void kn_xdr_put_opaque(struct kn_buffer *buffer, struct kn_str octets)
{
    kn_xdr_put_u32(buffer, (uint32_t)octets.length);
    kn_buffer_str(buffer, octets);
    kn_buffer_fill(buffer, 0, -octets.length & 3);
}
