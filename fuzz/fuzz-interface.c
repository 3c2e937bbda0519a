/* SPDX-License-Identifier: MIT
 *
 * A hostile description of an interface, as a service may send one: any octets, or the flight of a good
 * one, spoilt. What kn_interface_check lets through must bear everything that a node does with it.
 *
 *      0 | octets            1 | at (2), octet ...
 */
#include "fuzz.h"
#include "round.h"

#include "everything.h"
#include "value/border.h"
#include "value/types.h"

#include <koine/idl.h>
#include <koine/value.h>

enum { ROOM = 1 << 16, VALUE_MAX = 4096 };

/* Zeros are a good value of many types: such a value goes through every form. */
static void use_type(const struct koine_type *type)
{
    struct koine_why why;
    const void *value;
    struct kn_arena arena;
    if (type->size > VALUE_MAX)
        return;
    kn_arena_init(&arena, 0);
    uint64_t *zeros = calloc(1, VALUE_MAX);
    if (zeros && !kn_value_admit(&value, &arena, type, zeros, type->size, &why))
        fuzz_round(type, value);
    free(zeros);
    kn_arena_deinit(&arena);
}

/* Every member is found; the types of one, chosen by the input, are used. */
static void use(const struct koine_interface *interface, uint32_t chosen)
{
    struct koine_why why;
    char *text;
    uint64_t hash;
    uint32_t index;
    FUZZ_HOLDS(!kn_interface_hash(&hash, interface) && hash == interface->hash);
    if (chosen & 0x80)
        FUZZ_HOLDS(!kn_interface_difference(&why, interface, interface));
    else if (chosen & 0x40)
        kn_interface_difference(&why, a_inner_Third.interface, interface);
    for (uint32_t i = 0; i < interface->features.length; i++) {
        FUZZ_HOLDS(!koine_interface_find(&index, interface, interface->features.ptr[i].name.ptr));
        if (i != chosen % interface->features.length)
            continue;
        use_type(kn_feature_in(interface, i));
        use_type(kn_feature_out(interface, i));
    }
    if (!koine_interface_print(&text, interface))
        free(text);
}

static size_t load(struct fuzz_input *input, uint8_t *octets)
{
    const struct koine_interface *good = a_inner_Third.interface;
    size_t length = input->left < ROOM ? input->left : ROOM;
    if (!(fuzz_octet(input) & 1)) {
        memcpy(octets, input->at, input->left < ROOM ? input->left : ROOM);
        return length;
    }
    FUZZ_HOLDS(!kn_value_size(&length, kn_interface_type(), good, NULL) && length <= ROOM);
    FUZZ_HOLDS(!kn_value_gather(octets, length, kn_interface_type(), good, NULL));
    fuzz_spoil(input, octets, length);
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct koine_why why = {""};
    const void *value;
    struct kn_arena arena;
    kn_arena_init(&arena, 0);
    uint8_t *octets = calloc(1, ROOM);
    size_t length = octets ? load(&input, octets) : 0;
    if (octets && !kn_value_admit(&value, &arena, kn_interface_type(), octets, length, &why) &&
        !kn_interface_check(value, &why))
        use(value, size ? data[size - 1] : 0);
    free(octets);
    kn_arena_deinit(&arena);
    return 0;
}
