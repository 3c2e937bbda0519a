/* SPDX-License-Identifier: MIT
 *
 * The public functions on values: each gives one heap block, so that free() is all there is to know.
 */
#include <koine/value.h>

#include "value/border.h"
#include "value/json.h"

#include <stdlib.h>

/* A value at rest of what `arena` holds in pieces: through flight, in one block. */
static int flatten(void **blockp, const struct koine_type *type, const void *value,
                   struct koine_why *why)
{
    size_t size;
    int rc = kn_value_size(&size, type, value, why);
    if (rc)
        return rc;
    void *block = malloc(size ? size : 1);
    if (!block)
        return KOINE_ENOMEM;
    rc = kn_value_gather(block, size, type, value, why);
    if (!rc)
        rc = kn_value_admit_private(type, block, size, why);
    if (rc)
        free(block);
    else
        *blockp = block;
    return rc;
}

int koine_value_read(void **valuep, const struct koine_type *type, const char *json, size_t length,
                     struct koine_why *why)
{
    struct kn_arena arena;
    void *value;
    kn_arena_init(&arena, 0);
    int rc =
        kn_json_read(&value, &arena, type, (struct kn_str){json, length}, KN_JSON_POSITIONAL, why);
    if (!rc)
        rc = flatten(valuep, type, value, why);
    kn_arena_deinit(&arena);
    return rc;
}

int koine_value_write(char **jsonp, size_t *lengthp, const struct koine_type *type,
                      const void *value, unsigned flags)
{
    struct kn_buffer buffer;
    kn_buffer_init(&buffer, 0);
    int rc = kn_json_write(&buffer, type, value, flags);
    if (!rc)
        rc = kn_buffer_steal(jsonp, lengthp, &buffer);
    kn_buffer_deinit(&buffer);
    return rc;
}

int koine_value_copy(void **copyp, const struct koine_type *type, const void *value)
{
    return flatten(copyp, type, value, NULL);
}

static int differ(const struct koine_type *type, const uint8_t *a, const uint8_t *b, int depth);

static int differ_run(const struct koine_type *element, const uint8_t *a, const uint8_t *b,
                      uint32_t count, int depth)
{
    if (element->flags & KOINE_TYPE_DENSE)
        return count && memcmp(a, b, (size_t)count * element->size);
    int different = 0;
    for (uint32_t i = 0; i < count && !different; i++)
        different =
            differ(element, a + (size_t)i * element->size, b + (size_t)i * element->size, depth);
    return different;
}

static int differ_references(const struct koine_type *type, const uint8_t *a, const uint8_t *b,
                             int depth)
{
    struct koine_octets left, right;
    memcpy(&left, a, sizeof left);
    memcpy(&right, b, sizeof right);
    if (left.length != right.length)
        return 1;
    if (type->kind == KOINE_KIND_SEQUENCE)
        return differ_run(koine_type_element(type), left.ptr, right.ptr, left.length, depth);
    return left.length && memcmp(left.ptr, right.ptr, left.length);
}

/* Deeper than values may be, there is nothing left that could differ. */
static int differ(const struct koine_type *type, const uint8_t *a, const uint8_t *b, int depth)
{
    if (depth == 0)
        return 0;
    if (type->flags & KOINE_TYPE_DENSE)
        return type->size && memcmp(a, b, type->size);
    if (type->kind == KOINE_KIND_ARRAY)
        return differ_run(koine_type_element(type), a, b, type->count, depth - 1);
    if (type->kind != KOINE_KIND_STRUCT && type->kind != KOINE_KIND_EXCEPTION)
        return differ_references(type, a, b, depth - 1);
    int different = 0;
    for (uint32_t i = 0; i < type->members.length && !different; i++) {
        const struct koine_member *member = &type->members.ptr[i];
        different = differ(koine_type_of_member(type, member), a + member->offset,
                           b + member->offset, depth - 1);
    }
    return different;
}

int koine_value_differ(const struct koine_type *type, const void *a, const void *b)
{
    return differ(type, a, b, 40) != 0;
}
