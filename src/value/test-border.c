/* SPDX-License-Identifier: MIT */
#include "value/border.h"
#include "value/json.h"
#include "value/test-random.h"
#include "value/types.h"

#include <koine/error.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

struct round {
    struct kn_arena arena;
    const struct koine_type *type;
    void *value;
    uint8_t *flight; /* a heap block whose size is a multiple of 8 */
    size_t size;
};

static uint64_t fresh_seed(void)
{
    const char *given = getenv("KOINE_TEST_SEED");
    uint64_t seed =
        given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
    fprintf(stderr, "# seed %#llx (KOINE_TEST_SEED)\n", (unsigned long long)seed);
    return seed;
}

static void begin(struct round *round, struct random_source *source)
{
    struct koine_why why = {""};
    size_t count;
    kn_arena_init(&round->arena, 0);
    struct koine_type *types = random_types(source, &round->arena, &count);
    assert_non_null(types);
    assert_int_equal(kn_types_check(types, count, &why), 0);
    round->type = &types[count - 1];
    round->value = random_value(source, &round->arena, round->type);
    if (kn_value_size(&round->size, round->type, round->value, &why))
        fail_msg("%s", why.text);
    round->flight = calloc(1, (round->size + 7) & ~(size_t)7);
    if (kn_value_gather(round->flight, round->size, round->type, round->value, &why))
        fail_msg("%s", why.text);
}

static void end(struct round *round)
{
    free(round->flight);
    kn_arena_deinit(&round->arena);
}

static void what_crosses_the_border_is_equal(void **state)
{
    (void)state;
    struct random_source source = {fresh_seed()};
    for (int i = 0; i < 1500; i++) {
        struct round round;
        struct koine_why why = {""};
        const void *back;
        begin(&round, &source);
        if (kn_value_admit(&back, &round.arena, round.type, round.flight, round.size, &why))
            fail_msg("%s", why.text);
        assert_int_equal(koine_value_differ(round.type, round.value, back), 0);
        uint8_t *again = malloc(round.size + 1);
        assert_int_equal(kn_value_gather(again, round.size, round.type, back, NULL), 0);
        assert_memory_equal(again, round.flight, round.size);
        free(again);
        end(&round);
    }
}

static void what_is_written_as_json_is_read_equal(void **state)
{
    (void)state;
    struct random_source source = {fresh_seed()};
    for (int i = 0; i < 1500; i++) {
        struct round round;
        struct koine_why why = {""};
        char *json;
        void *back;
        begin(&round, &source);
        unsigned flags = i & 1 ? KOINE_JSON_PRETTY : 0;
        assert_int_equal(koine_value_write(&json, NULL, round.type, round.value, flags), 0);
        if (koine_value_read(&back, round.type, json, strlen(json), &why))
            fail_msg("%s in %s", why.text, json);
        assert_int_equal(koine_value_differ(round.type, round.value, back), 0);
        free(json);
        free(back);
        end(&round);
    }
}

/* Whatever is accepted must itself cross the border: nothing unchecked came in. */
static void try_damaged(const struct round *round, const uint8_t *flight, size_t length,
                        int *refusedp)
{
    struct kn_arena arena;
    const void *value;
    size_t size;
    struct koine_why why = {""};
    kn_arena_init(&arena, 4 * round->size + 4096);
    if (kn_value_admit(&value, &arena, round->type, flight, length, &why)) {
        assert_true(why.text[0]);
        (*refusedp)++;
    } else {
        assert_int_equal(kn_value_size(&size, round->type, value, NULL), 0);
        uint8_t *again = malloc(size + 1);
        assert_int_equal(kn_value_gather(again, size, round->type, value, NULL), 0);
        free(again);
    }
    kn_arena_deinit(&arena);
}

static void damaged_flights_are_refused_or_harmless(void **state)
{
    (void)state;
    struct random_source source = {fresh_seed()};
    int refused = 0;
    for (int i = 0; i < 60; i++) {
        struct round round;
        begin(&round, &source);
        for (size_t at = 0; at < round.size; at++) {
            uint8_t kept = round.flight[at];
            round.flight[at] = (uint8_t)(kept ^ (1u << random_below(&source, 8)));
            try_damaged(&round, round.flight, round.size, &refused);
            round.flight[at] = kept;
        }
        for (size_t length = 0; length < round.size; length += 8) {
            uint8_t *cut = malloc(length ? length : 8);
            memcpy(cut, round.flight, length);
            try_damaged(&round, cut, length, &refused);
            free(cut);
        }
        end(&round);
    }
    assert_true(refused > 100);
}

/* ---------------------------------------------------------------- exact cases */

enum { U8, TEXT, DATA, TEXTS, TRUTH, MODE, WORDS, THING, THINGS, BOX, TYPES };

static const struct koine_member mode_labels[] = {{.name = KOINE_TEXT("off"), .type = 0},
                                                  {.name = KOINE_TEXT("heat"), .type = 7}};
static struct koine_member thing_members[] = {
    {.name = KOINE_TEXT("mode"), .type = MODE - THING},
    {.name = KOINE_TEXT("on"), .type = TRUTH - THING},
    {.name = KOINE_TEXT("name"), .type = TEXT - THING},
    {.name = KOINE_TEXT("inner"), .type = THINGS - THING}};
static struct koine_member box_members[] = {{.name = KOINE_TEXT("data"), .type = DATA - BOX},
                                            {.name = KOINE_TEXT("things"), .type = THINGS - BOX},
                                            {.name = KOINE_TEXT("words"), .type = WORDS - BOX}};
static struct koine_type types[TYPES] = {
    [U8] = {.kind = KOINE_KIND_UINT8},
    [TEXT] = {.kind = KOINE_KIND_STRING, .count = 20},
    [DATA] = {.kind = KOINE_KIND_OCTETS},
    [TEXTS] = {.kind = KOINE_KIND_SEQUENCE, .element = TEXT - TEXTS},
    [TRUTH] = {.kind = KOINE_KIND_BOOLEAN},
    [MODE] = {.name = KOINE_TEXT("demo::Mode"),
              .kind = KOINE_KIND_ENUM,
              .members = KOINE_ARRAY(mode_labels)},
    [WORDS] = {.kind = KOINE_KIND_ARRAY, .element = TEXT - WORDS, .count = 2},
    [THING] = {.name = KOINE_TEXT("demo::Thing"),
               .kind = KOINE_KIND_STRUCT,
               .members = KOINE_ARRAY(thing_members)},
    [THINGS] = {.kind = KOINE_KIND_SEQUENCE, .element = THING - THINGS},
    [BOX] = {.name = KOINE_TEXT("demo::Box"),
             .kind = KOINE_KIND_STRUCT,
             .members = KOINE_ARRAY(box_members)},
};

struct thing {
    int32_t mode;
    uint8_t on, pad[3];
    struct koine_string name;
    struct koine_octets inner;
};

struct box {
    struct koine_octets data, things;
    struct koine_string words[2];
};

static int lay_out(void **state)
{
    (void)state;
    return kn_types_layout(types, TYPES, NULL);
}

static void the_layout_is_that_of_c(void **state)
{
    (void)state;
    assert_int_equal(types[THING].size, sizeof(struct thing));
    assert_int_equal(types[BOX].size, sizeof(struct box));
    assert_int_equal(thing_members[1].offset, offsetof(struct thing, on));
    assert_int_equal(thing_members[2].offset, offsetof(struct thing, name));
    assert_int_equal(types[MODE].flags, KOINE_TYPE_FIXED | KOINE_TYPE_DENSE);
    assert_int_equal(types[U8].flags, KOINE_TYPE_FIXED | KOINE_TYPE_PLAIN | KOINE_TYPE_DENSE);
    assert_int_equal(types[BOX].flags, 0);
}

static void senders_are_told_what_receivers_would_refuse(void **state)
{
    (void)state;
    struct thing thing = {.mode = 7, .on = 1, .name = KOINE_TEXT("hall")};
    struct box box = {.things = {{(const void *)&thing}, 1, 0},
                      .words = {KOINE_TEXT("a"), KOINE_TEXT("b")}};
    static const struct {
        int32_t mode;
        uint8_t on;
        struct koine_string name;
        const char *why;
    } rows[] = {
        {3, 1, KOINE_TEXT("x"), "things[0].mode: 3 is no label of demo::Mode"},
        {7, 2, KOINE_TEXT("x"), "things[0].on: boolean of 2"},
        {0, 0, KOINE_TEXT("ab\xff"), "things[0].name: not UTF-8 at octet 2"},
        {0, 0, KOINE_TEXT("longer than twenty octets"), "things[0].name: length 25, at most 20"},
        {0, 0, {{NULL}, 4, 0}, "things[0].name: has a length and no pointer"},
        {0, 0, {{"x"}, 1, 8}, "things[0].name: unknown flags 0x8"},
    };
    uint8_t flight[512];
    size_t size;
    struct koine_why why;
    assert_int_equal(kn_value_size(&size, &types[BOX], &box, NULL), 0);
    assert_int_equal(kn_value_gather(flight, size, &types[BOX], &box, NULL), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        thing.mode = rows[i].mode;
        thing.on = rows[i].on;
        thing.name = rows[i].name;
        int rc = kn_value_size(&size, &types[BOX], &box, &why);
        if (!rc)
            rc = kn_value_gather(flight, sizeof flight, &types[BOX], &box, &why);
        assert_int_equal(rc, KOINE_EDATA);
        assert_string_equal(why.text, rows[i].why);
    }
}

static void padding_never_travels(void **state)
{
    (void)state;
    struct thing thing;
    memset(&thing, 0xaa, sizeof thing);
    thing.mode = 0;
    thing.on = 1;
    thing.name = koine_string("abc");
    thing.inner = (struct koine_octets)KOINE_NOTHING;
    uint8_t flight[64];
    memset(flight, 0x55, sizeof flight);
    size_t size;
    assert_int_equal(kn_value_size(&size, &types[THING], &thing, NULL), 0);
    assert_int_equal(kn_value_gather(flight, size, &types[THING], &thing, NULL), 0);
    assert_memory_equal(flight + 5, "\0\0\0", 3);
}

static void a_value_without_end_is_refused(void **state)
{
    (void)state;
    struct thing thing = {.name = KOINE_TEXT("")};
    thing.inner = (struct koine_octets){{(const void *)&thing}, 1, 0};
    size_t size;
    struct koine_why why;
    assert_int_equal(kn_value_size(&size, &types[THING], &thing, &why), KOINE_EDEPTH);
}

static void leaves_of_large_messages_stay_in_place(void **state)
{
    (void)state;
    enum { LARGE = 200000 };
    uint8_t *data = calloc(1, LARGE);
    data[LARGE - 1] = 9;
    struct box box = {.data = {{data}, LARGE, 0}, .words = {KOINE_TEXT("a"), KOINE_TEXT("b")}};
    size_t size;
    const void *value;
    struct kn_arena arena;
    assert_int_equal(kn_value_size(&size, &types[BOX], &box, NULL), 0);
    uint8_t *flight = calloc(1, size + 8);
    assert_int_equal(kn_value_gather(flight, size, &types[BOX], &box, NULL), 0);
    kn_arena_init(&arena, 8192);
    assert_int_equal(kn_value_admit(&value, &arena, &types[BOX], flight, size, NULL), 0);
    const struct box *back = value;
    assert_in_range((uintptr_t)back->data.ptr, (uintptr_t)flight, (uintptr_t)flight + size);
    assert_false((const uint8_t *)back >= flight && (const uint8_t *)back < flight + size);
    assert_false((const uint8_t *)back->words[0].ptr >= flight &&
                 (const uint8_t *)back->words[0].ptr < flight + size);
    assert_int_equal(koine_value_differ(&types[BOX], &box, back), 0);
    kn_arena_deinit(&arena);
    free(flight);
    free(data);
}

static void blocks_may_not_overlap_or_go_back(void **state)
{
    (void)state;
    struct box box = {.words = {KOINE_TEXT("aaaa"), KOINE_TEXT("bbbb")}};
    uint8_t flight[256] = {0};
    size_t size;
    struct kn_arena arena;
    struct koine_why why;
    const void *value;
    assert_int_equal(kn_value_size(&size, &types[BOX], &box, NULL), 0);
    assert_int_equal(kn_value_gather(flight, size, &types[BOX], &box, NULL), 0);
    uint64_t first;
    memcpy(&first, flight + offsetof(struct box, words), 8);
    memcpy(flight + offsetof(struct box, words) + 16, &first, 8);
    kn_arena_init(&arena, 0);
    assert_int_equal(kn_value_admit(&value, &arena, &types[BOX], flight, size, &why), KOINE_EDATA);
    assert_non_null(strstr(why.text, "words[1]: offset 64 is not behind 69"));
    kn_arena_deinit(&arena);
}

/* ---------------------------------------------------------------- a sender that goes on writing */

struct liar {
    _Alignas(8) uint8_t flight[70000];
    size_t size;
    _Atomic int stop;
};

static void *lie(void *arg)
{
    struct liar *liar = arg;
    struct random_source source = {77};
    while (!atomic_load_explicit(&liar->stop, memory_order_relaxed)) {
        size_t at = random_below(&source, 40) * 8u;
        uint64_t old = atomic_load_explicit((_Atomic uint64_t *)(void *)(liar->flight + at),
                                            memory_order_relaxed);
        atomic_store_explicit((_Atomic uint64_t *)(void *)(liar->flight + at), random_next(&source),
                              memory_order_relaxed);
        atomic_store_explicit((_Atomic uint64_t *)(void *)(liar->flight + at), old,
                              memory_order_relaxed);
    }
    return NULL;
}

static void a_sender_that_goes_on_writing_harms_nobody(void **state)
{
    (void)state;
    static struct liar liar;
    static uint8_t data[66000];
    struct thing thing = {.name = KOINE_TEXT("hall")};
    struct box box = {.data = {{data}, sizeof data, 0},
                      .things = {{(const void *)&thing}, 1, 0},
                      .words = {KOINE_TEXT("a"), KOINE_TEXT("b")}};
    assert_int_equal(kn_value_size(&liar.size, &types[BOX], &box, NULL), 0);
    assert_true(liar.size < sizeof liar.flight);
    assert_int_equal(kn_value_gather(liar.flight, liar.size, &types[BOX], &box, NULL), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, lie, &liar), 0);
    int taken = 0;
    for (int i = 0; i < 20000; i++) {
        struct kn_arena arena;
        const void *value;
        size_t size;
        kn_arena_init(&arena, 1 << 20);
        if (!kn_value_admit(&value, &arena, &types[BOX], liar.flight, liar.size, NULL)) {
            assert_int_equal(kn_value_size(&size, &types[BOX], value, NULL), 0);
            taken++;
        }
        kn_arena_deinit(&arena);
    }
    atomic_store(&liar.stop, 1);
    pthread_join(thread, NULL);
    assert_true(taken > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_crosses_the_border_is_equal),
        cmocka_unit_test(what_is_written_as_json_is_read_equal),
        cmocka_unit_test(damaged_flights_are_refused_or_harmless),
        cmocka_unit_test(the_layout_is_that_of_c),
        cmocka_unit_test(senders_are_told_what_receivers_would_refuse),
        cmocka_unit_test(padding_never_travels),
        cmocka_unit_test(a_value_without_end_is_refused),
        cmocka_unit_test(leaves_of_large_messages_stay_in_place),
        cmocka_unit_test(blocks_may_not_overlap_or_go_back),
        cmocka_unit_test(a_sender_that_goes_on_writing_harms_nobody),
    };
    return cmocka_run_group_tests_name("border", tests, lay_out, NULL);
}
