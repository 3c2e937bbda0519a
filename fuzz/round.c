/* SPDX-License-Identifier: MIT */
#include "round.h"

#include "fuzz.h"

#include "value/border.h"
#include "value/test-random.h"
#include "value/types.h"

#include <koine/value.h>

static char *print(const struct koine_type *type, const void *value, unsigned flags)
{
    char *text;
    size_t length;
    int rc = koine_value_write(&text, &length, type, value, flags);
    FUZZ_HOLDS(!rc && strlen(text) == length);
    return text;
}

static void through_json(const struct koine_type *type, const char *text, const char *expected)
{
    void *value;
    struct koine_why why;
    int rc = koine_value_read(&value, type, text, strlen(text), &why);
    if (rc)
        fprintf(stderr, "%s\n%s\n", why.text, text);
    FUZZ_HOLDS(!rc);
    char *again = print(type, value, 0);
    FUZZ_HOLDS(!strcmp(again, expected));
    free(again);
    free(value);
}

static void through_flight(const struct koine_type *type, const void *value, const char *expected)
{
    struct koine_why why;
    const void *landed;
    struct kn_arena arena;
    size_t size;
    kn_arena_init(&arena, 0);
    FUZZ_HOLDS(!kn_value_size(&size, type, value, &why));
    uint8_t *flight = calloc(1, ((size + 7) & ~(size_t)7) + 8);
    FUZZ_HOLDS(flight && !kn_value_gather(flight, size, type, value, &why));
    FUZZ_HOLDS(!kn_value_admit(&landed, &arena, type, flight, size, &why));
    char *again = print(type, landed, 0);
    FUZZ_HOLDS(!strcmp(again, expected));
    FUZZ_HOLDS(!koine_value_differ(type, value, landed));
    free(again);
    free(flight);
    kn_arena_deinit(&arena);
}

void fuzz_round(const struct koine_type *type, const void *value)
{
    char *text = print(type, value, 0), *pretty = print(type, value, KOINE_JSON_PRETTY);
    void *copy;
    through_json(type, text, text);
    through_json(type, pretty, text);
    through_flight(type, value, text);
    FUZZ_HOLDS(!koine_value_copy(&copy, type, value));
    FUZZ_HOLDS(!koine_value_differ(type, value, copy));
    free(copy);
    free(pretty);
    free(text);
}

const struct koine_type *fuzz_type(struct kn_arena *arena, uint16_t selector)
{
    struct random_source source = {selector};
    size_t count;
    if (!selector)
        return kn_interface_type();
    const struct koine_type *types = random_types(&source, arena, &count);
    return types ? types + count - 1 : NULL;
}
