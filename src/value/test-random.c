/* SPDX-License-Identifier: MIT */
#include "value/test-random.h"

#include "value/types.h"

#include <stdio.h>

uint64_t random_next(struct random_source *source)
{
    uint64_t x = source->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint32_t random_below(struct random_source *source, uint32_t bound)
{
    return (uint32_t)(random_next(source) % bound);
}

static struct koine_string number_name(struct kn_arena *arena, const char *stem, size_t number)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%s%zu", stem, number);
    return koine_string(kn_arena_text(arena, text, (size_t)length));
}

static void add_members(struct random_source *source, struct kn_arena *arena,
                        struct koine_type *type, size_t index)
{
    uint32_t count = 1 + random_below(source, 6);
    struct koine_member *members = kn_arena_zalloc(arena, count, sizeof *members);
    for (uint32_t i = 0; i < count; i++) {
        members[i].name = number_name(arena, "m", i);
        bool label = type->kind == KOINE_KIND_ENUM;
        members[i].type =
            label ? (int32_t)(i * 3) - 4 : -(int32_t)(1 + random_below(source, (uint32_t)index));
    }
    type->members = (struct koine_seq_member)KOINE_MANY(members, count);
}

/* The first types are one of each simple kind, so that later ones have something to name. */
static void fill_type(struct random_source *source, struct kn_arena *arena,
                      struct koine_type *types, size_t index, bool last)
{
    struct koine_type *type = &types[index];
    static const uint8_t composed[] = {KOINE_KIND_ENUM, KOINE_KIND_STRUCT, KOINE_KIND_SEQUENCE,
                                       KOINE_KIND_ARRAY, KOINE_KIND_STRUCT};
    type->name = number_name(arena, "T", index);
    if (index < KOINE_KIND_OCTETS)
        type->kind = (uint8_t)(index + 1);
    else
        type->kind = last ? KOINE_KIND_STRUCT : composed[random_below(source, sizeof composed)];
    if (type->kind == KOINE_KIND_ENUM || type->kind == KOINE_KIND_STRUCT)
        add_members(source, arena, type, index);
    if (type->kind == KOINE_KIND_SEQUENCE || type->kind == KOINE_KIND_ARRAY)
        type->element = -(int32_t)(1 + random_below(source, (uint32_t)index));
    if (type->kind == KOINE_KIND_ARRAY)
        type->count = 1 + random_below(source, 3);
}

struct koine_type *random_types(struct random_source *source, struct kn_arena *arena,
                                size_t *countp)
{
    size_t count = KOINE_KIND_OCTETS + 4 + random_below(source, 8);
    struct koine_type *types = kn_arena_zalloc(arena, count, sizeof *types);
    for (size_t i = 0; i < count; i++)
        fill_type(source, arena, types, i, i + 1 == count);
    *countp = count;
    return kn_types_layout(types, count, NULL) ? NULL : types;
}

static void fill(struct random_source *source, struct kn_arena *arena,
                 const struct koine_type *type, uint8_t *to, int depth);

static void fill_string(struct random_source *source, struct kn_arena *arena, uint8_t *to)
{
    static const char *const texts[] = {"", "hall", "caf\xc3\xa9 \xf0\x9f\x98\x80",
                                        "\"\\/\b\f\n\r\t\x01\x7f",
                                        "a rather long text that does not fit into a few words"};
    uint32_t which = random_below(source, 6);
    struct koine_string string =
        which == 5 ? (struct koine_string){{"a\0b"}, 3, 0} : koine_string(texts[which]);
    (void)arena;
    memcpy(to, &string, sizeof string);
}

static void fill_run(struct random_source *source, struct kn_arena *arena,
                     const struct koine_type *type, uint8_t *to, int depth)
{
    bool octets = type->kind == KOINE_KIND_OCTETS;
    uint32_t length = depth > 6 ? 0 : random_below(source, octets ? 40 : 4);
    uint32_t size = octets ? 1 : koine_type_element(type)->size;
    uint8_t *elements = kn_arena_zalloc(arena, length, size);
    for (uint32_t i = 0; i < length; i++) {
        if (octets)
            elements[i] = (uint8_t)random_next(source);
        else
            fill(source, arena, koine_type_element(type), elements + (size_t)i * size, depth + 1);
    }
    struct koine_octets run = {{elements}, length, 0};
    memcpy(to, &run, sizeof run);
}

static void fill_scalar(struct random_source *source, const struct koine_type *type, uint8_t *to)
{
    uint64_t bits = random_next(source) >> random_below(source, 64);
    double number = (double)(int64_t)bits / (random_below(source, 2) ? 1 : 1e3);
    float single = (float)number;
    if (type->kind == KOINE_KIND_BOOLEAN)
        *to = bits & 1;
    else if (type->kind == KOINE_KIND_FLOAT)
        memcpy(to, &single, sizeof single);
    else if (type->kind == KOINE_KIND_DOUBLE)
        memcpy(to, &number, sizeof number);
    else if (type->kind == KOINE_KIND_ENUM)
        memcpy(to, &type->members.ptr[bits % type->members.length].type, 4);
    else
        memcpy(to, &bits, type->size);
}

static void fill(struct random_source *source, struct kn_arena *arena,
                 const struct koine_type *type, uint8_t *to, int depth)
{
    if (type->kind == KOINE_KIND_STRING)
        fill_string(source, arena, to);
    else if (type->kind == KOINE_KIND_OCTETS || type->kind == KOINE_KIND_SEQUENCE)
        fill_run(source, arena, type, to, depth);
    else if (type->kind == KOINE_KIND_STRUCT)
        for (uint32_t i = 0; i < type->members.length; i++)
            fill(source, arena, koine_type_of_member(type, &type->members.ptr[i]),
                 to + type->members.ptr[i].offset, depth + 1);
    else if (type->kind == KOINE_KIND_ARRAY)
        for (uint32_t i = 0; i < type->count; i++)
            fill(source, arena, koine_type_element(type), to + i * koine_type_element(type)->size,
                 depth + 1);
    else
        fill_scalar(source, type, to);
}

void *random_value(struct random_source *source, struct kn_arena *arena,
                   const struct koine_type *type)
{
    uint8_t *value = kn_arena_zalloc(arena, 1, type->size);
    fill(source, arena, type, value, 0);
    return value;
}
