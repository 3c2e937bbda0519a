/* SPDX-License-Identifier: MIT
 *
 * Any octets, or spoilt good ones, as XDR of a type. There is one way to write a value, so what is read
 * is written as it came, and is a good value; what is refused has a reason, and cost no more than came.
 *
 *      type (2) | way | octets                    way: 1 spoilt
 *      type (2) | way | seed (2) | at (2), octet ...
 */
#include "fuzz.h"
#include "round.h"

#include "codec/xdr.h"
#include "value/test-random.h"

enum { SPOILT = 1 };

static void write_good(struct kn_buffer *buffer, struct kn_arena *arena,
                       const struct koine_type *type, uint64_t seed)
{
    struct random_source source = {seed};
    if (type->name.length && !strcmp(type->name.ptr, "koine::Interface"))
        return;
    const void *value = random_value(&source, arena, type);
    int rc = kn_xdr_write(buffer, type, value, NULL);
    FUZZ_HOLDS(!rc || rc == KOINE_EDEPTH);
}

/* Octets at rest for what came: see src/codec/xdr_read.c. */
static size_t most_for(const struct koine_type *type, size_t octets)
{
    return type->size + 32 + 5 * octets + (octets / 8 + 1) * 17;
}

static void read_back(const struct koine_type *type, const uint8_t *octets, size_t length)
{
    struct koine_why why = {""};
    struct kn_arena arena;
    struct kn_buffer again;
    void *value;
    kn_arena_init(&arena, 0);
    kn_buffer_init(&again, 0);
    struct kn_cursor cursor = kn_cursor(octets, length);
    int rc = kn_xdr_read(&value, &cursor, &arena, type, &why);
    FUZZ_HOLDS((rc == 0) == (why.text[0] == 0));
    FUZZ_HOLDS(arena.used <= most_for(type, length));
    if (!rc) {
        fuzz_round(type, value);
        FUZZ_HOLDS(!kn_xdr_write(&again, type, value, NULL));
        FUZZ_HOLDS(again.length == length - kn_cursor_left(&cursor));
        FUZZ_HOLDS(!again.length || !memcmp(again.ptr, octets, again.length));
    }
    kn_buffer_deinit(&again);
    kn_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct kn_arena arena;
    struct kn_buffer octets;
    kn_arena_init(&arena, 0);
    kn_buffer_init(&octets, 0);
    const struct koine_type *type = fuzz_type(&arena, (uint16_t)fuzz_number(&input, 2));
    int way = fuzz_octet(&input);
    if (type && way & SPOILT) {
        write_good(&octets, &arena, type, fuzz_number(&input, 2));
        fuzz_spoil(&input, (uint8_t *)octets.ptr, octets.length);
    } else
        kn_buffer_add(&octets, input.at, input.left);
    /* To the octet, so that a sanitizer sees what is read behind the end. */
    uint8_t *exact = malloc(octets.length + !octets.length);
    if (type && exact) {
        if (octets.length)
            memcpy(exact, octets.ptr, octets.length);
        read_back(type, exact, octets.length);
    }
    free(exact);
    kn_buffer_deinit(&octets);
    kn_arena_deinit(&arena);
    return 0;
}
