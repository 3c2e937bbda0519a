/* SPDX-License-Identifier: MIT */
#include "value/border.h"
#include "value/types.h"

#include <koine/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { TEXT, NUMBER, IN, OUT, NODE, NODES, WRONG, TYPES };

/* A fresh, laid-out interface whose parts may be changed. */
struct sample {
    struct koine_member in[2], out[1], node[2], wrong[1];
    struct koine_type types[TYPES];
    uint32_t raises[1];
    struct koine_feature features[2];
    struct koine_interface interface;
};

static void make(struct sample *sample)
{
    *sample = (struct sample){
        .in = {{.name = KOINE_TEXT("room"), .type = TEXT - IN},
               {.name = KOINE_TEXT("n"), .type = NUMBER - IN}},
        .out = {{.name = KOINE_TEXT("return"), .type = NODES - OUT}},
        .node = {{.name = KOINE_TEXT("name"), .type = TEXT - NODE},
                 {.name = KOINE_TEXT("sons"), .type = NODES - NODE}},
        .wrong = {{.name = KOINE_TEXT("min"), .type = NUMBER - WRONG}},
        .raises = {WRONG},
    };
    struct koine_type *types = sample->types;
    types[TEXT] = (struct koine_type){.kind = KOINE_KIND_STRING};
    types[NUMBER] = (struct koine_type){.kind = KOINE_KIND_INT32};
    types[IN] = (struct koine_type){
        .name = KOINE_TEXT("in"), .kind = KOINE_KIND_STRUCT, .members = KOINE_MANY(sample->in, 2)};
    types[OUT] = (struct koine_type){.name = KOINE_TEXT("out"),
                                     .kind = KOINE_KIND_STRUCT,
                                     .members = KOINE_MANY(sample->out, 1)};
    types[NODE] = (struct koine_type){.name = KOINE_TEXT("demo::Node"),
                                      .kind = KOINE_KIND_STRUCT,
                                      .members = KOINE_MANY(sample->node, 2)};
    types[NODES] = (struct koine_type){.kind = KOINE_KIND_SEQUENCE, .element = NODE - NODES};
    types[WRONG] = (struct koine_type){.name = KOINE_TEXT("demo::Wrong"),
                                       .kind = KOINE_KIND_EXCEPTION,
                                       .members = KOINE_MANY(sample->wrong, 1)};
    sample->features[0] = (struct koine_feature){.name = KOINE_TEXT("find"),
                                                 .sort = KOINE_OPERATION,
                                                 .in = IN,
                                                 .out = OUT,
                                                 .raises = KOINE_MANY(sample->raises, 1)};
    sample->features[1] = (struct koine_feature){
        .name = KOINE_TEXT("label"), .sort = KOINE_ATTRIBUTE, .in = TEXT, .out = TEXT};
    sample->interface = (struct koine_interface){.name = KOINE_TEXT("demo::Finder"),
                                                 .types = KOINE_MANY(types, TYPES),
                                                 .features = KOINE_MANY(sample->features, 2)};
    assert_int_equal(kn_types_layout(types, TYPES, NULL), 0);
    assert_int_equal(kn_interface_hash(&sample->interface.hash, &sample->interface), 0);
}

static void features_are_found_by_name(void **state)
{
    (void)state;
    struct sample sample;
    uint32_t index = 99;
    make(&sample);
    assert_int_equal(koine_interface_find(&index, &sample.interface, "label"), 0);
    assert_int_equal(index, 1);
    assert_int_equal(koine_interface_find(&index, &sample.interface, "lab"), KOINE_EMEMBER);
    assert_int_equal(kn_feature_out(&sample.interface, 0)->size, 16);
}

static void a_description_crosses_the_border_as_a_value(void **state)
{
    (void)state;
    struct sample sample;
    struct kn_arena arena;
    struct koine_why why = {""};
    const void *value;
    size_t size;
    make(&sample);
    kn_arena_init(&arena, 0);
    assert_int_equal(kn_value_size(&size, kn_interface_type(), &sample.interface, NULL), 0);
    uint8_t *flight = calloc(1, (size + 7) & ~(size_t)7);
    assert_int_equal(kn_value_gather(flight, size, kn_interface_type(), &sample.interface, NULL),
                     0);
    assert_int_equal(kn_value_admit(&value, &arena, kn_interface_type(), flight, size, &why), 0);
    const struct koine_interface *back = value;
    assert_int_equal(kn_interface_check(back, &why), 0);
    assert_int_equal(kn_interface_difference(&why, &sample.interface, back), 0);
    assert_string_equal(koine_type_element(&back->types.ptr[NODES])->name.ptr, "demo::Node");
    free(flight);
    kn_arena_deinit(&arena);
}

static void the_meta_types_describe_themselves(void **state)
{
    (void)state;
    const struct koine_type *interface = kn_interface_type();
    struct koine_why why = {""};
    if (kn_types_check(interface - 16, 17, &why))
        fail_msg("%s", why.text);
    assert_int_equal(interface->size, sizeof(struct koine_interface));
}

#define AT(field) offsetof(struct sample, field), sizeof(((struct sample *)0)->field)

/* Each row spoils one thing of a good description. */
static const struct {
    const char *part; /* of the reason that is given */
    struct poke {
        size_t at, size; /* size 0: no more */
        int64_t value;
    } pokes[6];
} lies[] = {
    {"outside of its table", {{AT(types[NODES].element), 100}}},
    {"outside of its table", {{AT(types[NODES].element), -100}}},
    {"outside of its table", {{AT(types[NODES].element), 0}}},
    {"outside of its table", {{AT(in[0].type), INT32_MIN}}},
    {"wrong size", {{AT(types[NODE].size), 8}}},
    {"wrong offset", {{AT(node[1].offset), 4096}}},
    {"wrong size", {{AT(types[NODE].flags), KOINE_TYPE_PLAIN | KOINE_TYPE_FIXED}}},
    {"no known kind", {{AT(types[NODE].kind), 200}}},
    {"outside of its table", {{AT(node[1].type), 0}}},
    {"holds itself", {{AT(types[NODES].kind), KOINE_KIND_ARRAY}, {AT(types[NODES].count), 2}}},
    {"no elements", {{AT(types[NODES].kind), KOINE_KIND_ARRAY}}},
    {"outside of the table", {{AT(features[0].in), 50}}},
    {"are no struct", {{AT(features[0].out), TEXT}}},
    {"no known sort", {{AT(features[0].sort), 9}}},
    {"no exception", {{AT(raises[0]), NODE}}},
    {"unknown interface", {{AT(features[0].origin), 1}}},
    {"has no name", {{AT(features[1].name.length), 0}}},
    {"hash", {{AT(interface.hash), 0}}},
    {"has an element", {{AT(types[TEXT].element), 1}}},
    {"has members", {{AT(types[NUMBER].members.length), 2}}},
    {"extends", {{AT(types[NODE].base), 77}}},
    {"no labels", {{AT(types[NODE].kind), KOINE_KIND_ENUM}, {AT(types[NODE].members.length), 0}}},
    {"wrong size", {{AT(types[NODE].members.length), 0}}},
    {"empty elements",
     {{AT(types[OUT].members.length), 0},
      {AT(types[OUT].size), 0},
      {AT(types[OUT].align), 1},
      {AT(types[OUT].flags), 7},
      {AT(types[NODES].element), OUT - NODES}}},
};

static void write_poke(struct sample *sample, const struct poke *poke)
{
    void *to = (char *)sample + poke->at;
    if (poke->size == 1)
        *(uint8_t *)to = (uint8_t)poke->value;
    else if (poke->size == 2)
        *(uint16_t *)to = (uint16_t)poke->value;
    else if (poke->size == 4)
        *(uint32_t *)to = (uint32_t)poke->value;
    else
        *(uint64_t *)to = (uint64_t)poke->value;
}

static void lying_descriptions_are_refused(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof lies / sizeof *lies; row++) {
        struct sample sample;
        struct koine_why why = {""};
        make(&sample);
        for (const struct poke *poke = lies[row].pokes; poke->size; poke++)
            write_poke(&sample, poke);
        assert_int_equal(kn_interface_check(&sample.interface, &why), KOINE_EDATA);
        if (!strstr(why.text, lies[row].part))
            fail_msg("row %zu: '%s' does not say '%s'", row, why.text, lies[row].part);
    }
}

static void the_hash_sees_what_must_agree_and_not_the_rest(void **state)
{
    (void)state;
    struct sample a, b;
    make(&a);
    make(&b);
    b.types[NODE].doc = koine_string("documentation is for people");
    uint64_t hash;
    assert_int_equal(kn_interface_hash(&hash, &b.interface), 0);
    assert_true(hash == a.interface.hash);
    b.node[1].name = koine_string("sonS");
    assert_int_equal(kn_interface_hash(&hash, &b.interface), 0);
    assert_true(hash != a.interface.hash);
}

static void the_first_difference_is_named(void **state)
{
    (void)state;
    struct sample a, b;
    struct koine_why why;
    make(&a);
    make(&b);
    b.node[1].name = koine_string("children");
    assert_int_equal(kn_interface_difference(&why, &a.interface, &b.interface), 1);
    assert_string_equal(why.text, "find.return.element.sons: ours is 'sons', theirs 'children'");
    make(&b);
    b.types[NUMBER].kind = KOINE_KIND_UINT32;
    assert_int_equal(kn_interface_difference(&why, &a.interface, &b.interface), 1);
    assert_string_equal(why.text, "find.n: ours is int32, theirs uint32");
    make(&b);
    b.interface.features.length = 1;
    assert_int_equal(kn_interface_difference(&why, &a.interface, &b.interface), 1);
    assert_string_equal(why.text, "interface: features: ours 2, theirs 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_are_found_by_name),
        cmocka_unit_test(a_description_crosses_the_border_as_a_value),
        cmocka_unit_test(the_meta_types_describe_themselves),
        cmocka_unit_test(lying_descriptions_are_refused),
        cmocka_unit_test(the_hash_sees_what_must_agree_and_not_the_rest),
        cmocka_unit_test(the_first_difference_is_named),
    };
    return cmocka_run_group_tests_name("interface", tests, NULL, NULL);
}
