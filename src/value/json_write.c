/* SPDX-License-Identifier: MIT */
#include "value/json.h"

#include "value/json_number.h"
#include "value/types.h"

#include <koine/error.h>

#include <math.h>

struct writer {
    struct kn_buffer *buffer;
    bool pretty;
    int depth;
};

static int write_value(struct writer *writer, const struct koine_type *type, const uint8_t *value);

void kn_json_write_string(struct kn_buffer *buffer, struct kn_str text)
{
    static const char named[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    kn_buffer_char(buffer, '"');
    size_t plain = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        kn_buffer_add(buffer, text.ptr + plain, i - plain);
        plain = i + 1;
        const char *name = c ? strchr(named, c) : NULL;
        if (name)
            kn_buffer_print(buffer, "\\%c", letters[name - named]);
        else
            kn_buffer_print(buffer, "\\u%04x", c);
    }
    kn_buffer_add(buffer, text.ptr + plain, text.length - plain);
    kn_buffer_char(buffer, '"');
}

static void write_base64(struct kn_buffer *buffer, const uint8_t *octets, uint32_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    kn_buffer_char(buffer, '"');
    for (uint32_t i = 0; i < length; i += 3) {
        uint32_t left = length - i;
        uint32_t bits = (uint32_t)octets[i] << 16 | (left > 1 ? (uint32_t)octets[i + 1] << 8 : 0) |
                        (left > 2 ? octets[i + 2] : 0);
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        left > 1 ? digits[bits >> 6 & 63] : '=',
                        left > 2 ? digits[bits & 63] : '='};
        kn_buffer_add(buffer, four, sizeof four);
    }
    kn_buffer_char(buffer, '"');
}

/* Sign-extends or not, by kind. */
static void write_integer(struct kn_buffer *buffer, const struct koine_type *type,
                          const uint8_t *value)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < type->size; i++) {
        uint32_t at = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? i : type->size - 1 - i;
        bits |= (uint64_t)value[at] << (8 * i);
    }
    unsigned shift = 64 - 8 * type->size;
    if (type->kind <= KOINE_KIND_INT64)
        kn_buffer_int(buffer, (int64_t)(bits << shift) >> shift);
    else
        kn_buffer_uint(buffer, bits);
}

static void write_float(struct kn_buffer *buffer, const struct koine_type *type,
                        const uint8_t *value)
{
    double number;
    float single;
    bool is_single = type->kind == KOINE_KIND_FLOAT;
    memcpy(&single, value, sizeof single);
    if (is_single)
        number = (double)single;
    else
        memcpy(&number, value, sizeof number);
    if (isnan(number))
        kn_buffer_text(buffer, "\"NaN\"");
    else if (isinf(number))
        kn_buffer_text(buffer, number < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    else
        kn_number_write(buffer, number, is_single);
}

static void write_enum(struct kn_buffer *buffer, const struct koine_type *type,
                       const uint8_t *value)
{
    int32_t number;
    memcpy(&number, value, sizeof number);
    for (uint32_t i = 0; i < type->members.length; i++) {
        const struct koine_member *label = &type->members.ptr[i];
        if (label->type != number)
            continue;
        kn_json_write_string(buffer, (struct kn_str){label->name.ptr, label->name.length});
        return;
    }
    buffer->failed = buffer->failed ? buffer->failed : KOINE_EDATA;
}

static void new_line(struct writer *writer)
{
    if (!writer->pretty)
        return;
    kn_buffer_char(writer->buffer, '\n');
    kn_buffer_fill(writer->buffer, ' ', 2 * (size_t)writer->depth);
}

static int write_elements(struct writer *writer, const struct koine_type *element,
                          const uint8_t *values, uint32_t count)
{
    int rc = 0;
    bool lines = element->kind >= KOINE_KIND_STRUCT;
    kn_buffer_char(writer->buffer, '[');
    for (uint32_t i = 0; i < count && !rc && !writer->buffer->failed; i++) {
        if (i)
            kn_buffer_text(writer->buffer, writer->pretty && !lines ? ", " : ",");
        if (lines)
            new_line(writer);
        rc = write_value(writer, element, values + (size_t)i * element->size);
    }
    writer->depth--;
    if (lines && count)
        new_line(writer);
    writer->depth++;
    kn_buffer_char(writer->buffer, ']');
    return rc;
}

static int write_struct(struct writer *writer, const struct koine_type *type, const uint8_t *value)
{
    int rc = 0;
    kn_buffer_char(writer->buffer, '{');
    for (uint32_t i = 0; i < type->members.length && !rc; i++) {
        const struct koine_member *member = &type->members.ptr[i];
        if (i)
            kn_buffer_char(writer->buffer, ',');
        new_line(writer);
        kn_json_write_string(writer->buffer,
                             (struct kn_str){member->name.ptr, member->name.length});
        kn_buffer_text(writer->buffer, writer->pretty ? ": " : ":");
        rc = write_value(writer, koine_type_of_member(type, member), value + member->offset);
    }
    writer->depth--;
    if (type->members.length)
        new_line(writer);
    writer->depth++;
    kn_buffer_char(writer->buffer, '}');
    return rc;
}

static int write_reference(struct writer *writer, const struct koine_type *type,
                           const uint8_t *value)
{
    struct koine_octets octets;
    memcpy(&octets, value, sizeof octets);
    if (type->kind == KOINE_KIND_STRING)
        kn_json_write_string(writer->buffer,
                             (struct kn_str){(const char *)octets.ptr, octets.length});
    else if (type->kind == KOINE_KIND_OCTETS)
        write_base64(writer->buffer, octets.ptr, octets.length);
    else
        return write_elements(writer, koine_type_element(type), octets.ptr, octets.length);
    return 0;
}

static int write_inner(struct writer *writer, const struct koine_type *type, const uint8_t *value)
{
    switch (type->kind) {
    case KOINE_KIND_BOOLEAN:
        kn_buffer_text(writer->buffer, *value ? "true" : "false");
        return 0;
    case KOINE_KIND_FLOAT:
    case KOINE_KIND_DOUBLE:
        write_float(writer->buffer, type, value);
        return 0;
    case KOINE_KIND_ENUM:
        write_enum(writer->buffer, type, value);
        return 0;
    case KOINE_KIND_STRING:
    case KOINE_KIND_OCTETS:
    case KOINE_KIND_SEQUENCE:
        return write_reference(writer, type, value);
    case KOINE_KIND_STRUCT:
    case KOINE_KIND_EXCEPTION:
        return write_struct(writer, type, value);
    case KOINE_KIND_ARRAY:
        return write_elements(writer, koine_type_element(type), value, type->count);
    default:
        write_integer(writer->buffer, type, value);
        return 0;
    }
}

static int write_value(struct writer *writer, const struct koine_type *type, const uint8_t *value)
{
    if (writer->depth == KN_VALUE_DEPTH)
        return KOINE_EDEPTH;
    writer->depth++;
    int rc = write_inner(writer, type, value);
    writer->depth--;
    return rc;
}

int kn_json_write(struct kn_buffer *buffer, const struct koine_type *type, const void *value,
                  unsigned flags)
{
    struct writer writer = {.buffer = buffer, .pretty = flags & KOINE_JSON_PRETTY};
    int rc = write_value(&writer, type, value);
    return rc ? rc : buffer->failed;
}
