/* SPDX-License-Identifier: MIT
 *
 * Layout: natural alignment up to 8, members in order, a struct's size a multiple of its alignment.
 * One computation serves both for laying out a table of our own and for checking a foreign one, so
 * the two cannot disagree. It works on a scratch array: the table itself is only written through
 * `settle`, and not at all when it is foreign.
 */
#include "value/types.h"

#include "value/why.h"

#include <stdlib.h>

#define KINDS (KOINE_KIND_ARRAY + 1)

enum { ALL = KOINE_TYPE_FIXED | KOINE_TYPE_PLAIN | KOINE_TYPE_DENSE };

struct measure {
    uint32_t size;
    uint16_t align;
    uint8_t flags;
    uint8_t state; /* enum state */
};

enum state { UNSEEN, WITHIN, DONE };

struct pass {
    const struct koine_type *types;
    size_t count;
    struct measure *measures;
    bool foreign;
    struct koine_why *why;
};

static const struct {
    const char *name;
    uint8_t size, flags;
} kinds[KINDS] = {
    [KOINE_KIND_BOOLEAN] = {"boolean", 1, KOINE_TYPE_FIXED | KOINE_TYPE_DENSE},
    [KOINE_KIND_INT8] = {"int8", 1, ALL},
    [KOINE_KIND_INT16] = {"int16", 2, ALL},
    [KOINE_KIND_INT32] = {"int32", 4, ALL},
    [KOINE_KIND_INT64] = {"int64", 8, ALL},
    [KOINE_KIND_UINT8] = {"uint8", 1, ALL},
    [KOINE_KIND_UINT16] = {"uint16", 2, ALL},
    [KOINE_KIND_UINT32] = {"uint32", 4, ALL},
    [KOINE_KIND_UINT64] = {"uint64", 8, ALL},
    [KOINE_KIND_FLOAT] = {"float", 4, ALL},
    [KOINE_KIND_DOUBLE] = {"double", 8, ALL},
    [KOINE_KIND_STRING] = {"string", 16, 0},
    [KOINE_KIND_OCTETS] = {"octets", 16, 0},
    [KOINE_KIND_ENUM] = {"enum", 4, KOINE_TYPE_FIXED | KOINE_TYPE_DENSE},
    [KOINE_KIND_STRUCT] = {"struct", 0, ALL},
    [KOINE_KIND_EXCEPTION] = {"exception", 0, ALL},
    [KOINE_KIND_SEQUENCE] = {"sequence", 16, 0},
    [KOINE_KIND_ARRAY] = {"array", 0, 0},
};

const char *kn_kind_name(unsigned kind)
{
    return kind < KINDS && kinds[kind].name ? kinds[kind].name : "?";
}

static bool has_element(const struct koine_type *type)
{
    return type->kind == KOINE_KIND_SEQUENCE || type->kind == KOINE_KIND_ARRAY;
}

static bool has_types(const struct koine_type *type)
{
    return type->kind == KOINE_KIND_STRUCT || type->kind == KOINE_KIND_EXCEPTION;
}

static int refuse(const struct pass *pass, size_t index, const char *what)
{
    const struct koine_type *type = &pass->types[index];
    return kn_refuse(pass->why, KOINE_EDATA, NULL, "type %zu (%s %.*s): %s", index,
                     kn_kind_name(type->kind), (int)type->name.length,
                     type->name.ptr ? type->name.ptr : "", what);
}

/* The index that a distance leads to, or `count` when it leads nowhere. */
static size_t at_distance(const struct pass *pass, size_t index, int32_t distance)
{
    int64_t target = (int64_t)index + distance;
    return distance && target >= 0 && (size_t)target < pass->count ? (size_t)target : pass->count;
}

static int measure_type(const struct pass *pass, size_t index, int depth);

/* Measures what `index` holds by value; a type that is being measured already would hold itself. */
static int measure_part(const struct pass *pass, size_t index, int32_t distance, int depth)
{
    size_t part = at_distance(pass, index, distance);
    if (part == pass->count)
        return refuse(pass, index, "names a type outside of its table");
    if (pass->measures[part].state == WITHIN)
        return refuse(pass, index, "holds itself by value");
    return measure_type(pass, part, depth + 1);
}

static int settle_offset(const struct pass *pass, size_t index, size_t member, uint32_t offset)
{
    const struct koine_member *at = &pass->types[index].members.ptr[member];
    if (!pass->foreign)
        ((struct koine_member *)at)->offset = offset;
    return at->offset == offset ? 0 : refuse(pass, index, "has a member at a wrong offset");
}

static int measure_struct(const struct pass *pass, size_t index, int depth)
{
    const struct koine_type *type = &pass->types[index];
    struct measure sum = {.align = 1, .flags = ALL};
    uint64_t end = 0;
    for (uint32_t i = 0; i < type->members.length; i++) {
        int rc = measure_part(pass, index, type->members.ptr[i].type, depth);
        if (rc)
            return rc;
        const struct measure *part =
            &pass->measures[index + (size_t)(ptrdiff_t)type->members.ptr[i].type];
        uint64_t offset = (end + part->align - 1) / part->align * part->align;
        if ((rc = settle_offset(pass, index, i, (uint32_t)offset)))
            return rc;
        sum.flags &= (uint8_t)(offset == end ? part->flags : part->flags & ~KOINE_TYPE_DENSE);
        sum.align = part->align > sum.align ? part->align : sum.align;
        end = offset + part->size;
        if (end > KN_VALUE_SIZE_MAX)
            return refuse(pass, index, "is too large");
    }
    uint64_t size = (end + sum.align - 1) / sum.align * sum.align;
    if (size != end)
        sum.flags &= (uint8_t)~KOINE_TYPE_DENSE;
    sum.size = (uint32_t)size;
    pass->measures[index] = sum;
    return 0;
}

static int measure_array(const struct pass *pass, size_t index, int depth)
{
    const struct koine_type *type = &pass->types[index];
    if (!type->count)
        return refuse(pass, index, "has no elements");
    int rc = measure_part(pass, index, type->element, depth);
    if (rc)
        return rc;
    struct measure element = pass->measures[index + (size_t)(ptrdiff_t)type->element];
    if (!element.size)
        return refuse(pass, index, "has empty elements");
    if ((uint64_t)element.size * type->count > KN_VALUE_SIZE_MAX)
        return refuse(pass, index, "is too large");
    element.size *= type->count;
    pass->measures[index] = element;
    return 0;
}

static int measure_body(const struct pass *pass, size_t index, int depth)
{
    const struct koine_type *type = &pass->types[index];
    if (has_types(type))
        return measure_struct(pass, index, depth);
    if (type->kind == KOINE_KIND_ARRAY)
        return measure_array(pass, index, depth);
    uint8_t size = kinds[type->kind].size;
    pass->measures[index] = (struct measure){
        .size = size, .align = size < 8 ? size : 8, .flags = kinds[type->kind].flags};
    if (type->kind == KOINE_KIND_SEQUENCE && at_distance(pass, index, type->element) == pass->count)
        return refuse(pass, index, "names a type outside of its table");
    return 0;
}

/* The shape that can be seen without following a distance. */
static int check_form(const struct pass *pass, size_t index)
{
    const struct koine_type *type = &pass->types[index];
    if (type->kind >= KINDS || !kinds[type->kind].name)
        return refuse(pass, index, "has no known kind");
    bool named = has_types(type) || type->kind == KOINE_KIND_ENUM;
    if (type->members.length && !named)
        return refuse(pass, index, "has members");
    if (type->members.length > KN_MEMBERS_MAX)
        return refuse(pass, index, "has too many members");
    if (type->kind == KOINE_KIND_ENUM && !type->members.length)
        return refuse(pass, index, "has no labels");
    if (!has_element(type) && type->element)
        return refuse(pass, index, "has an element");
    for (uint32_t i = 0; i < type->members.length; i++)
        if (!type->members.ptr[i].name.length)
            return refuse(pass, index, "has a member without a name");
    if (type->base && at_distance(pass, index, type->base) == pass->count)
        return refuse(pass, index, "extends a type outside of its table");
    return 0;
}

static int settle(const struct pass *pass, size_t index)
{
    const struct koine_type *type = &pass->types[index];
    const struct measure *measure = &pass->measures[index];
    if (!pass->foreign) {
        struct koine_type *own = (struct koine_type *)type;
        own->size = measure->size;
        own->align = measure->align;
        own->flags = measure->flags;
    }
    bool agrees = type->size == measure->size && type->align == measure->align &&
                  type->flags == measure->flags;
    return agrees ? 0 : refuse(pass, index, "has a wrong size, alignment or flags");
}

static int measure_type(const struct pass *pass, size_t index, int depth)
{
    if (pass->measures[index].state == DONE)
        return 0;
    if (depth > KN_TYPE_DEPTH)
        return refuse(pass, index, "is nested too deep");
    int rc = check_form(pass, index);
    if (rc)
        return rc;
    pass->measures[index].state = WITHIN;
    if ((rc = measure_body(pass, index, depth)))
        return rc;
    pass->measures[index].state = DONE;
    return settle(pass, index);
}

/* An element without size would let a short message stand for billions of elements. */
static int check_sequence(const struct pass *pass, size_t index)
{
    const struct koine_type *type = &pass->types[index];
    if (type->kind != KOINE_KIND_SEQUENCE)
        return 0;
    size_t element = index + (size_t)(ptrdiff_t)type->element;
    return pass->measures[element].size ? 0 : refuse(pass, index, "has empty elements");
}

static int measure_all(const struct koine_type *types, size_t count, bool foreign,
                       struct koine_why *why)
{
    if (count > KN_TYPES_MAX)
        return kn_refuse(why, KOINE_EDATA, NULL, "more than %d types", KN_TYPES_MAX);
    struct pass pass = {types, count, calloc(count ? count : 1, sizeof(struct measure)), foreign,
                        why};
    if (!pass.measures)
        return KOINE_ENOMEM;
    int rc = 0;
    for (size_t i = 0; i < count && !rc; i++)
        rc = measure_type(&pass, i, 0);
    for (size_t i = 0; i < count && !rc; i++)
        rc = check_sequence(&pass, i);
    free(pass.measures);
    return rc;
}

int kn_types_layout(struct koine_type *types, size_t count, struct koine_why *why)
{
    return measure_all(types, count, false, why);
}

int kn_types_check(const struct koine_type *types, size_t count, struct koine_why *why)
{
    return measure_all(types, count, true, why);
}
