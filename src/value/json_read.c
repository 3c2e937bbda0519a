/* SPDX-License-Identifier: MIT
 *
 * From JSON into a value at rest. The type leads: each kind reads what it needs, so nothing is built
 * that is thrown away, and what the type does not know is an error that names it.
 */
#include "value/json.h"

#include "value/json_number.h"
#include "value/types.h"

#include <koine/error.h>

#include <float.h>
#include <math.h>

struct reader {
    struct kn_json json;
    struct kn_arena *arena;
    unsigned flags;
    int depth;
};

static int read_value(struct reader *reader, const struct koine_type *type, uint8_t *to);

static int name_length(const struct koine_string *name)
{
    return (int)name->length;
}

static int mismatch(struct reader *reader, const char *wanted)
{
    char kind = kn_json_peek(&reader->json);
    const char *found = kind == '{'                  ? "an object"
                        : kind == '['                ? "an array"
                        : kind == '"'                ? "a string"
                        : kind == '0' || kind == '-' ? "a number"
                        : kind == 't' || kind == 'f' ? "a boolean"
                        : kind == 'n'                ? "null"
                                                     : NULL;
    if (!found)
        return kn_json_skip(NULL, &reader->json);
    return kn_json_fail(&reader->json, KOINE_EDATA, "found %s, expected %s", found, wanted);
}

static bool at_number(struct reader *reader)
{
    char kind = kn_json_peek(&reader->json);
    return kind == '0' || kind == '-';
}

/* A number, or (`strings`) a string that is to hold one. */
static int read_digits(struct reader *reader, struct kn_str *textp, const char *wanted,
                       bool strings)
{
    if (at_number(reader))
        return kn_json_number(textp, &reader->json);
    if (strings && kn_json_peek(&reader->json) == '"')
        return kn_json_string(textp, &reader->json, reader->arena);
    return mismatch(reader, wanted);
}

static int read_integer(struct reader *reader, const struct koine_type *type, uint8_t *to)
{
    bool is_signed = type->kind <= KOINE_KIND_INT64, negative;
    uint64_t magnitude, most = UINT64_MAX >> (64 - 8 * type->size + is_signed);
    struct kn_str text;
    int rc = read_digits(reader, &text, kn_kind_name(type->kind), type->size == 8);
    if (rc)
        return rc;
    rc = kn_number_integer(&negative, &magnitude, text);
    if (rc == KOINE_ESYNTAX)
        return kn_json_fail(&reader->json, KOINE_EDATA, "the string is no %s",
                            kn_kind_name(type->kind));
    if (rc || magnitude > most + (negative && is_signed) || (negative && magnitude && !is_signed))
        return kn_json_fail(&reader->json, KOINE_EDATA, "%.*s is no %s", (int)text.length, text.ptr,
                            kn_kind_name(type->kind));
    uint64_t bits = negative ? -magnitude : magnitude;
    for (uint32_t i = 0; i < type->size; i++) {
        uint32_t at = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? i : type->size - 1 - i;
        to[at] = (uint8_t)(bits >> (8 * i));
    }
    return 0;
}

static int read_special(struct reader *reader, double *valuep)
{
    struct kn_str text;
    int rc = kn_json_string(&text, &reader->json, reader->arena);
    if (rc)
        return rc;
    if (kn_str_equal(text, KN_STR("NaN")))
        *valuep = (double)NAN;
    else if (kn_str_equal(text, KN_STR("Infinity")))
        *valuep = (double)INFINITY;
    else if (kn_str_equal(text, KN_STR("-Infinity")))
        *valuep = -(double)INFINITY;
    else
        return kn_json_fail(&reader->json, KOINE_EDATA,
                            "found a string, expected a number, \"NaN\" or \"Infinity\"");
    return 0;
}

static int read_finite(struct reader *reader, const struct koine_type *type, double *valuep)
{
    struct kn_str text;
    int rc = read_digits(reader, &text, "a number", false);
    if (rc)
        return rc;
    rc = kn_number_double(valuep, text);
    bool beyond = type->kind == KOINE_KIND_FLOAT && !rc && isinf((float)*valuep);
    if (rc || beyond)
        return kn_json_fail(&reader->json, KOINE_EDATA, "%.*s is too large for a %s",
                            (int)text.length, text.ptr, kn_kind_name(type->kind));
    return 0;
}

static int read_float(struct reader *reader, const struct koine_type *type, uint8_t *to)
{
    double value = 0;
    int rc = kn_json_peek(&reader->json) == '"' ? read_special(reader, &value)
                                                : read_finite(reader, type, &value);
    if (rc)
        return rc;
    float single = (float)value;
    if (type->kind == KOINE_KIND_FLOAT)
        memcpy(to, &single, sizeof single);
    else
        memcpy(to, &value, sizeof value);
    return 0;
}

static int read_boolean(struct reader *reader, uint8_t *to)
{
    char kind = kn_json_peek(&reader->json);
    if (kind != 't' && kind != 'f')
        return mismatch(reader, "true or false");
    *to = kind == 't';
    return kn_json_word(&reader->json, kind);
}

static int check_bound(struct reader *reader, const struct koine_type *type, size_t length)
{
    if (length > UINT32_MAX || (type->count && length > type->count))
        return kn_json_fail(&reader->json, KOINE_EDATA, "length %zu, at most %u", length,
                            type->count ? type->count : UINT32_MAX);
    return 0;
}

static int read_string(struct reader *reader, const struct koine_type *type, uint8_t *to)
{
    struct kn_str text;
    if (kn_json_peek(&reader->json) != '"')
        return mismatch(reader, "a string");
    int rc = kn_json_string(&text, &reader->json, reader->arena);
    if (!rc)
        rc = check_bound(reader, type, text.length);
    if (rc)
        return rc;
    struct koine_string string = {{text.ptr}, (uint32_t)text.length, 0};
    memcpy(to, &string, sizeof string);
    return 0;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* In place: three octets from four characters. False when it is no canonical base64. */
static bool decode_base64(uint8_t *octets, size_t *lengthp, struct kn_str text)
{
    size_t padding = 0, length = 0;
    while (padding < 2 && padding < text.length && text.ptr[text.length - 1 - padding] == '=')
        padding++;
    if (text.length % 4)
        return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.length - padding; i++) {
        int digit = base64_digit(text.ptr[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4)
            octets[length++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *lengthp = length;
    return !padding || !(bits & (padding == 1 ? 3 : 15));
}

static int read_octets(struct reader *reader, const struct koine_type *type, uint8_t *to)
{
    struct kn_str text;
    size_t length;
    if (kn_json_peek(&reader->json) != '"')
        return mismatch(reader, "a string of base64");
    int rc = kn_json_string(&text, &reader->json, reader->arena);
    if (rc)
        return rc;
    uint8_t *octets = (uint8_t *)text.ptr;
    if (!decode_base64(octets, &length, text))
        return kn_json_fail(&reader->json, KOINE_EDATA, "the string is not base64");
    if ((rc = check_bound(reader, type, length)))
        return rc;
    struct koine_octets value = {{octets}, (uint32_t)length, 0};
    memcpy(to, &value, sizeof value);
    return 0;
}

static int read_enum(struct reader *reader, const struct koine_type *type, uint8_t *to)
{
    struct kn_str text;
    if (kn_json_peek(&reader->json) != '"')
        return mismatch(reader, "the name of an enum label");
    int rc = kn_json_string(&text, &reader->json, reader->arena);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < type->members.length; i++) {
        const struct koine_member *label = &type->members.ptr[i];
        if (!kn_str_equal(text, (struct kn_str){label->name.ptr, label->name.length}))
            continue;
        memcpy(to, &label->type, sizeof label->type);
        return 0;
    }
    return kn_json_fail(&reader->json, KOINE_EDATA, "'%.*s' is no label of %.*s", (int)text.length,
                        text.ptr, name_length(&type->name), type->name.ptr);
}

/* ---------------------------------------------------------------- arrays, sequences, structs */

static int read_array(struct reader *reader, const struct koine_type *type, uint8_t *to)
{
    const struct koine_type *element = koine_type_element(type);
    if (kn_json_peek(&reader->json) != '[')
        return mismatch(reader, "an array");
    int first = 1, more, rc = kn_json_enter(&reader->json, '[');
    uint32_t count = 0;
    while (!rc && (more = kn_json_more(&reader->json, '[', &first)) != 0) {
        if (more < 0)
            return more;
        if (count == type->count)
            return kn_json_fail(&reader->json, KOINE_EDATA, "more than %u elements", type->count);
        rc = read_value(reader, element, to + (size_t)count++ * element->size);
    }
    if (!rc && count < type->count)
        rc = kn_json_fail(&reader->json, KOINE_EDATA, "%u elements, expected %u", count,
                          type->count);
    return rc;
}

/* Doubles the room of a sequence that is being read. */
static uint8_t *grow(struct reader *reader, const uint8_t *old, uint32_t count, uint32_t room,
                     uint32_t size)
{
    uint8_t *grown = kn_arena_zalloc(reader->arena, room, size);
    if (!grown)
        kn_json_fail(&reader->json, KOINE_ENOMEM, "no memory for %u elements", room);
    else if (count)
        memcpy(grown, old, (size_t)count * size);
    return grown;
}

static int read_sequence(struct reader *reader, const struct koine_type *type, uint8_t *to)
{
    const struct koine_type *element = koine_type_element(type);
    uint8_t *elements = NULL;
    uint32_t count = 0, room = 0;
    if (kn_json_peek(&reader->json) != '[')
        return mismatch(reader, "an array");
    int first = 1, more, rc = kn_json_enter(&reader->json, '[');
    while (!rc && (more = kn_json_more(&reader->json, '[', &first)) != 0) {
        if (more < 0)
            return more;
        if ((rc = check_bound(reader, type, (size_t)count + 1)))
            return rc;
        if (count == room) {
            room = room ? room * 2 : 4;
            if (!(elements = grow(reader, elements, count, room, element->size)))
                return reader->json.failed;
        }
        rc = read_value(reader, element, elements + (size_t)count++ * element->size);
    }
    struct koine_octets sequence = {{elements}, count, 0};
    memcpy(to, &sequence, sizeof sequence);
    return rc;
}

static int read_member(struct reader *reader, const struct koine_type *type, uint32_t index,
                       uint8_t *to)
{
    const struct koine_member *member = &type->members.ptr[index];
    return read_value(reader, koine_type_of_member(type, member), to + member->offset);
}

static int missing(struct reader *reader, const struct koine_type *type, uint32_t index)
{
    const struct koine_string *name = &type->members.ptr[index].name;
    return kn_json_fail(&reader->json, KOINE_EDATA, "'%.*s' is missing", name_length(name),
                        name->ptr);
}

static int find_member(struct reader *reader, uint32_t *indexp, const struct koine_type *type,
                       const uint8_t *seen, struct kn_str name)
{
    for (uint32_t i = 0; i < type->members.length; i++) {
        const struct koine_string *at = &type->members.ptr[i].name;
        if (!kn_str_equal(name, (struct kn_str){at->ptr, at->length}))
            continue;
        if (seen[i])
            return kn_json_fail(&reader->json, KOINE_ESYNTAX, "'%.*s' stands twice",
                                (int)name.length, name.ptr);
        *indexp = i;
        return 0;
    }
    return kn_json_fail(&reader->json, KOINE_EDATA, "'%.*s' is not known here", (int)name.length,
                        name.ptr);
}

static int read_object(struct reader *reader, const struct koine_type *type, uint8_t *to)
{
    uint8_t seen[KN_MEMBERS_MAX] = {0};
    struct kn_str name;
    uint32_t index = 0;
    int first = 1, more, rc = kn_json_enter(&reader->json, '{');
    while (!rc && (more = kn_json_more(&reader->json, '{', &first)) != 0) {
        if (more < 0 || (rc = kn_json_name(&name, &reader->json, reader->arena)) ||
            (rc = find_member(reader, &index, type, seen, name)))
            return more < 0 ? more : rc;
        seen[index] = 1;
        rc = read_member(reader, type, index, to);
    }
    for (uint32_t i = 0; i < type->members.length && !rc; i++)
        if (!seen[i])
            rc = missing(reader, type, i);
    return rc;
}

static int read_positional(struct reader *reader, const struct koine_type *type, uint8_t *to)
{
    int first = 1, more, rc = kn_json_enter(&reader->json, '[');
    uint32_t index = 0;
    while (!rc && (more = kn_json_more(&reader->json, '[', &first)) != 0) {
        if (more < 0)
            return more;
        if (index == type->members.length)
            return kn_json_fail(&reader->json, KOINE_EDATA, "more than %u arguments", index);
        rc = read_member(reader, type, index++, to);
    }
    return !rc && index < type->members.length ? missing(reader, type, index) : rc;
}

static int read_struct(struct reader *reader, const struct koine_type *type, uint8_t *to)
{
    char kind = kn_json_peek(&reader->json);
    bool root = reader->depth == 1;
    if (kind == '[' && root && (reader->flags & KN_JSON_POSITIONAL))
        return read_positional(reader, type, to);
    if (kind != '{')
        return mismatch(reader, "an object");
    return read_object(reader, type, to);
}

static int read_inner(struct reader *reader, const struct koine_type *type, uint8_t *to)
{
    switch (type->kind) {
    case KOINE_KIND_BOOLEAN:
        return read_boolean(reader, to);
    case KOINE_KIND_FLOAT:
    case KOINE_KIND_DOUBLE:
        return read_float(reader, type, to);
    case KOINE_KIND_STRING:
        return read_string(reader, type, to);
    case KOINE_KIND_OCTETS:
        return read_octets(reader, type, to);
    case KOINE_KIND_ENUM:
        return read_enum(reader, type, to);
    case KOINE_KIND_STRUCT:
    case KOINE_KIND_EXCEPTION:
        return read_struct(reader, type, to);
    case KOINE_KIND_SEQUENCE:
        return read_sequence(reader, type, to);
    case KOINE_KIND_ARRAY:
        return read_array(reader, type, to);
    default:
        return read_integer(reader, type, to);
    }
}

static int read_value(struct reader *reader, const struct koine_type *type, uint8_t *to)
{
    if (reader->depth == KN_VALUE_DEPTH)
        return kn_json_fail(&reader->json, KOINE_EDEPTH, "nested deeper than %d", KN_VALUE_DEPTH);
    reader->depth++;
    int rc = read_inner(reader, type, to);
    reader->depth--;
    return rc;
}

int kn_json_read(void **valuep, struct kn_arena *arena, const struct koine_type *type,
                 struct kn_str text, unsigned flags, struct koine_why *why)
{
    struct reader reader = {.arena = arena, .flags = flags};
    kn_json_init(&reader.json, text, why);
    uint8_t *value = kn_arena_zalloc(arena, 1, type->size);
    if (!value)
        return kn_json_fail(&reader.json, KOINE_ENOMEM, "no memory for the value");
    int rc = read_value(&reader, type, value);
    if (!rc)
        rc = kn_json_end(&reader.json);
    if (!rc)
        *valuep = value;
    return rc;
}
