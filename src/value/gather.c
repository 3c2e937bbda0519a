/* SPDX-License-Identifier: MIT
 *
 * From rest to flight. Both passes walk in the same order; the first adds sizes up, the second places
 * blocks. A dense fixed value is one memcpy.
 */
#include "value/border.h"

#include "base/utf8.h"
#include "value/scalar.h"
#include "value/types.h"

struct gather {
    uint8_t *to; /* NULL: only sizes are wanted */
    uint64_t used, size;
    struct koine_why *why;
    int depth;
};

static int put(struct gather *gather, const struct koine_type *type, const void *value, uint64_t at,
               const struct kn_frame *frame);

/* Every reference has the form of struct koine_octets. */
static struct koine_octets reference(const void *value)
{
    struct koine_octets octets;
    memcpy(&octets, value, sizeof octets);
    return octets;
}

/* Reserves the next block and writes the reference to it at `at`. */
static int place(struct gather *gather, uint64_t *blockp, uint64_t at, uint32_t length,
                 uint64_t octets, const struct kn_frame *frame)
{
    uint64_t end = gather->used, block = (end + 7) & ~UINT64_C(7);
    if (octets > UINT32_MAX || block + octets > UINT32_MAX)
        return kn_refuse(gather->why, KOINE_ETOOBIG, frame, "more than 4 GiB");
    gather->used = block + octets;
    *blockp = block;
    if (!gather->to)
        return 0;
    if (gather->used > gather->size)
        return kn_refuse(gather->why, KOINE_EDATA, frame, "changed while it was sent");
    memset(gather->to + end, 0, block - end);
    struct koine_octets flight = {{.offset = block}, length, 0};
    memcpy(gather->to + at, &flight, sizeof flight);
    return 0;
}

static int check_reference(struct gather *gather, const struct koine_octets *octets, uint32_t bound,
                           const struct kn_frame *frame)
{
    if (octets->flags & ~KOINE_NULL)
        return kn_refuse(gather->why, KOINE_EDATA, frame, "unknown flags 0x%x", octets->flags);
    if (octets->length && !octets->ptr)
        return kn_refuse(gather->why, KOINE_EDATA, frame, "has a length and no pointer");
    if (bound && octets->length > bound)
        return kn_refuse(gather->why, KOINE_EDATA, frame, "length %u, at most %u", octets->length,
                         bound);
    return 0;
}

static int put_string(struct gather *gather, const struct koine_octets *octets, uint64_t at,
                      const struct kn_frame *frame)
{
    uint64_t block;
    int rc = place(gather, &block, at, octets->length, (uint64_t)octets->length + 1, frame);
    if (rc || !gather->to)
        return rc;
    size_t valid = kn_utf8_valid((const char *)octets->ptr, octets->length);
    if (valid < octets->length)
        return kn_refuse(gather->why, KOINE_EDATA, frame, "not UTF-8 at octet %zu", valid);
    memcpy(gather->to + block, octets->ptr, octets->length);
    gather->to[block + octets->length] = 0;
    return 0;
}

static int put_octets(struct gather *gather, const struct koine_octets *octets, uint64_t at,
                      const struct kn_frame *frame)
{
    uint64_t block;
    int rc = place(gather, &block, at, octets->length, octets->length, frame);
    if (!rc && gather->to)
        memcpy(gather->to + block, octets->ptr, octets->length);
    return rc;
}

static int put_elements(struct gather *gather, const struct koine_type *element,
                        const uint8_t *from, uint64_t count, uint64_t at,
                        const struct kn_frame *frame)
{
    if ((element->flags & KOINE_TYPE_PLAIN) && (element->flags & KOINE_TYPE_DENSE)) {
        if (gather->to)
            memcpy(gather->to + at, from, count * element->size);
        return 0;
    }
    if (!gather->to && (element->flags & KOINE_TYPE_FIXED))
        return 0;
    int rc = 0;
    for (uint64_t i = 0; i < count && !rc; i++) {
        struct kn_frame inner = {frame, {NULL, 0}, i};
        rc = put(gather, element, from + i * element->size, at + i * element->size, &inner);
    }
    return rc;
}

static int put_sequence(struct gather *gather, const struct koine_type *type,
                        const struct koine_octets *octets, uint64_t at,
                        const struct kn_frame *frame)
{
    const struct koine_type *element = koine_type_element(type);
    uint64_t block, size = (uint64_t)octets->length * element->size;
    int rc = place(gather, &block, at, octets->length, size, frame);
    return rc ? rc : put_elements(gather, element, octets->ptr, octets->length, block, frame);
}

static int put_reference(struct gather *gather, const struct koine_type *type, const void *value,
                         uint64_t at, const struct kn_frame *frame)
{
    struct koine_octets octets = reference(value);
    int rc = check_reference(gather, &octets, type->count, frame);
    if (rc)
        return rc;
    if (!octets.length) {
        if (gather->to)
            memset(gather->to + at, 0, sizeof octets);
        return 0;
    }
    if (type->kind == KOINE_KIND_STRING)
        return put_string(gather, &octets, at, frame);
    if (type->kind == KOINE_KIND_OCTETS)
        return put_octets(gather, &octets, at, frame);
    return put_sequence(gather, type, &octets, at, frame);
}

static int put_struct(struct gather *gather, const struct koine_type *type, const uint8_t *value,
                      uint64_t at, const struct kn_frame *frame)
{
    if (gather->to && !(type->flags & KOINE_TYPE_DENSE))
        memset(gather->to + at, 0, type->size);
    int rc = 0;
    for (uint32_t i = 0; i < type->members.length && !rc; i++) {
        const struct koine_member *member = &type->members.ptr[i];
        struct kn_frame inner = {frame, {member->name.ptr, member->name.length}, 0};
        rc = put(gather, koine_type_of_member(type, member), value + member->offset,
                 at + member->offset, &inner);
    }
    return rc;
}

static int put_scalar(struct gather *gather, const struct koine_type *type, const void *value,
                      uint64_t at, const struct kn_frame *frame)
{
    if (!gather->to)
        return 0;
    int rc = kn_scalar_check(type, value, gather->why, frame);
    if (!rc)
        memcpy(gather->to + at, value, type->size);
    return rc;
}

static int put_inner(struct gather *gather, const struct koine_type *type, const void *value,
                     uint64_t at, const struct kn_frame *frame)
{
    switch (type->kind) {
    case KOINE_KIND_STRING:
    case KOINE_KIND_OCTETS:
    case KOINE_KIND_SEQUENCE:
        return put_reference(gather, type, value, at, frame);
    case KOINE_KIND_STRUCT:
    case KOINE_KIND_EXCEPTION:
        return put_struct(gather, type, value, at, frame);
    case KOINE_KIND_ARRAY:
        return put_elements(gather, koine_type_element(type), value, type->count, at, frame);
    default:
        return put_scalar(gather, type, value, at, frame);
    }
}

static int put(struct gather *gather, const struct koine_type *type, const void *value, uint64_t at,
               const struct kn_frame *frame)
{
    if (gather->depth == KN_VALUE_DEPTH)
        return kn_refuse(gather->why, KOINE_EDEPTH, frame, "nested deeper than %d", KN_VALUE_DEPTH);
    gather->depth++;
    int rc = put_inner(gather, type, value, at, frame);
    gather->depth--;
    return rc;
}

int kn_value_size(size_t *sizep, const struct koine_type *type, const void *value,
                  struct koine_why *why)
{
    if (type->flags & KOINE_TYPE_FIXED) {
        *sizep = type->size;
        return 0;
    }
    struct gather gather = {.used = type->size, .why = why};
    int rc = put(&gather, type, value, 0, NULL);
    if (!rc)
        *sizep = (size_t)gather.used;
    return rc;
}

int kn_value_gather(void *to, size_t size, const struct koine_type *type, const void *value,
                    struct koine_why *why)
{
    if (size < type->size)
        return kn_refuse(why, KOINE_EINVAL, NULL, "no room");
    if ((type->flags & KOINE_TYPE_PLAIN) && (type->flags & KOINE_TYPE_DENSE)) {
        if (type->size)
            memcpy(to, value, type->size);
        return 0;
    }
    struct gather gather = {.to = to, .used = type->size, .size = size, .why = why};
    return put(&gather, type, value, 0, NULL);
}
