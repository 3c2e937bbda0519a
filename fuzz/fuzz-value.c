/* SPDX-License-Identifier: MIT
 *
 * Any octets, or a spoilt good message, as a value in flight. What is let in must print, read and fly
 * again.
 *
 *      type (2) | way | octets                    way: 1 spoilt, 2 in place, 4 larger than a spine
 *      type (2) | way | seed (2) | at (2), octet ...
 */
#include "fuzz.h"
#include "round.h"

#include "value/border.h"
#include "value/test-random.h"

enum { SPOILT = 1, PRIVATE = 2, LONG = 4, ROOM = KN_SPINE_MAX + 4096 };

/* The octets of a good message of `type`; what it has no room for is left out. */
static size_t good_message(struct kn_arena *arena, const struct koine_type *type, uint64_t seed,
                           uint8_t *to)
{
    struct random_source source = {seed};
    size_t size = 0;
    if (type->name.length && !strcmp(type->name.ptr, "koine::Interface"))
        return 0;
    const void *value = random_value(&source, arena, type);
    if (kn_value_size(&size, type, value, NULL) || size > ROOM)
        return 0;
    FUZZ_HOLDS(!kn_value_gather(to, size, type, value, NULL));
    return size;
}

static void admit(struct kn_arena *arena, const struct koine_type *type, uint8_t *octets,
                  size_t length, int way)
{
    struct koine_why why = {""};
    const void *value = octets;
    int rc = way & PRIVATE ? kn_value_admit_private(type, octets, length, &why)
                           : kn_value_admit(&value, arena, type, octets, length, &why);
    FUZZ_HOLDS((rc == 0) == (why.text[0] == 0));
    if (!rc)
        fuzz_round(type, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct kn_arena arena;
    kn_arena_init(&arena, 0);
    const struct koine_type *type = fuzz_type(&arena, (uint16_t)fuzz_number(&input, 2));
    int way = fuzz_octet(&input);
    uint8_t *octets = calloc(1, ROOM);
    size_t length = 0;
    if (type && octets && way & SPOILT) {
        length = good_message(&arena, type, fuzz_number(&input, 2), octets);
        fuzz_spoil(&input, octets, length);
    } else if (octets) {
        length = input.left < ROOM ? input.left : ROOM;
        memcpy(octets, input.at, length);
    }
    if (way & LONG)
        length = ROOM;
    /* To the octet, so that a sanitizer sees what is read behind the end. */
    uint8_t *exact = malloc(((length + 7) & ~(size_t)7) + !length);
    if (type && exact) {
        memset(exact, 0, (length + 7) & ~(size_t)7);
        memcpy(exact, octets, length);
        admit(&arena, type, exact, length, way);
    }
    free(exact);
    free(octets);
    kn_arena_deinit(&arena);
    return 0;
}
