/* SPDX-License-Identifier: MIT */
#include "codec/xdr.h"

#include "value/border.h"
#include "value/test-random.h"
#include "value/types.h"

#include <koine/idl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { OCTETS_MAX = 1024 };

static long left = -1; /* allocations that still succeed; negative: all */

static bool refused(void)
{
    if (left > 0)
        left--;
    else if (!left)
        return true;
    return false;
}

void *__real_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return refused() ? NULL : __real_realloc(old, size);
}

static struct koine_idl *idl;
static const struct koine_interface *interface;

static int read_idl(void **state)
{
    (void)state;
    char *errors = NULL;
    if (koine_idl_read_file(&idl, KN_TEST_DIR "/vectors.idl", &errors))
        fail_msg("%s", errors);
    interface = koine_idl_interface(idl, 0);
    return 0;
}

static int free_idl(void **state)
{
    (void)state;
    idl = koine_idl_free(idl);
    return 0;
}

/* The arguments of an operation, or a type by its scoped name. */
static const struct koine_type *type_of(const char *name)
{
    uint32_t member;
    if (!koine_interface_find(&member, interface, name))
        return kn_feature_in(interface, member);
    for (uint32_t i = 0; i < interface->types.length; i++)
        if (!strcmp(interface->types.ptr[i].name.ptr, name))
            return &interface->types.ptr[i];
    fail_msg("vectors.idl has no %s", name);
    return NULL;
}

/* Octets from digits, blanks between them allowed. */
static size_t octets_of(uint8_t *octets, const char *hex)
{
    size_t count = 0;
    unsigned octet;
    int length;
    for (; sscanf(hex, " %2x%n", &octet, &length) == 1; hex += length) {
        assert_true(count < OCTETS_MAX);
        octets[count++] = (uint8_t)octet;
    }
    return count;
}

/* Reads from a block of exactly that size, so that a sanitizer sees who looks behind it. */
static int read_exact(void **valuep, size_t *behindp, struct kn_arena *arena,
                      const struct koine_type *type, struct kn_str octets, struct koine_why *why)
{
    char *exact = malloc(octets.length + !octets.length);
    assert_non_null(exact);
    memcpy(exact, octets.ptr, octets.length);
    struct kn_cursor cursor = kn_cursor(exact, octets.length);
    int rc = kn_xdr_read(valuep, &cursor, arena, type, why);
    *behindp = kn_cursor_left(&cursor);
    assert_int_equal(cursor.failed, rc != 0);
    free(exact);
    return rc;
}

static struct kn_str text_of(const struct kn_buffer *buffer)
{
    return (struct kn_str){buffer->ptr, buffer->length};
}

/* ---------------------------------------------------------------- what others write */

static void vector_is_written(const char *name, const char *json, struct kn_str octets)
{
    struct koine_why why = {""};
    struct kn_buffer buffer;
    void *value;
    kn_buffer_init(&buffer, 0);
    if (koine_value_read(&value, type_of(name), json, strlen(json), &why) ||
        kn_xdr_write(&buffer, type_of(name), value, &why))
        fail_msg("%s %s: %s", name, json, why.text);
    assert_int_equal(buffer.length, octets.length);
    if (octets.length)
        assert_memory_equal(buffer.ptr, octets.ptr, octets.length);
    kn_buffer_deinit(&buffer);
    free(value);
}

static void vector_is_read(const char *name, const char *json, struct kn_str octets)
{
    struct koine_why why = {""};
    struct kn_arena arena;
    void *value;
    size_t behind;
    char *text;
    kn_arena_init(&arena, 0);
    if (read_exact(&value, &behind, &arena, type_of(name), octets, &why))
        fail_msg("%s %s: %s", name, json, why.text);
    assert_int_equal(behind, 0);
    assert_int_equal(koine_value_write(&text, NULL, type_of(name), value, 0), 0);
    assert_string_equal(text, json);
    free(text);
    kn_arena_deinit(&arena);
}

static void recorded_octets_are_written_and_read(void **state)
{
    (void)state;
    FILE *file = fopen(KN_TEST_DIR "/vectors.txt", "r");
    assert_non_null(file);
    char line[2048];
    int rows = 0;
    while (fgets(line, sizeof line, file)) {
        uint8_t octets[OCTETS_MAX];
        char *json = strchr(line, ' '), *hex = strrchr(line, ' ');
        if (*line == '#')
            continue;
        assert_true(json && hex > json);
        *json++ = *hex++ = 0;
        struct kn_str recorded = {(const char *)octets, octets_of(octets, hex)};
        vector_is_written(line, json, recorded);
        vector_is_read(line, json, recorded);
        rows++;
    }
    fclose(file);
    assert_in_range(rows, 38, 1000);
}

/* ---------------------------------------------------------------- what is refused */

static void wrong_octets_are_refused_with_reasons(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex, *why;
    } rows[] = {
        {"small", "00000080 00000000 00000000 00000000", "a: 128 is no int8, at octet 0"},
        {"small", "ffffff7f 00000000 00000000 00000000", "a: -129 is no int8, at octet 0"},
        {"small", "00000000 00008000 00000000 00000000", "b: 32768 is no int16, at octet 4"},
        {"small", "00000000 ffff7fff 00000000 00000000", "b: -32769 is no int16, at octet 4"},
        {"small", "00000000 00000000 0000012c 00000000", "c: 300 is no uint8, at octet 8"},
        {"small", "00000000 00000000 ffffffff 00000000", "c: 4294967295 is no uint8, at octet 8"},
        {"small", "00000000 00000000 00000000 00010000", "d: 65536 is no uint16, at octet 12"},
        {"small", "00000000 000000", "b: takes 4 octets, 3 are left, at octet 4"},
        {"small", "", "takes 4 octets at least, 0 are left, at octet 0"},
        {"booleans", "00000001 00000002", "b: boolean of 2, at octet 4"},
        {"booleans", "01000000 00000001", "a: boolean of 16777216, at octet 0"},
        {"modes", "00000003 00000000", "one: 3 is no label of vectors::Mode, at octet 0"},
        {"modes", "ffffffff 00000000", "one: -1 is no label of vectors::Mode, at octet 0"},
        {"modes", "00000000 00000002 00000000 00000009",
         "many[1]: 9 is no label of vectors::Mode, at octet 12"},
        {"text", "00000001 61000001", "s: the fill behind it is not zero, at octet 4"},
        {"text", "00000003 61626301", "s: the fill behind it is not zero, at octet 4"},
        {"text", "00000001 616263", "s: takes 4 octets, 3 are left, at octet 4"},
        {"text", "ffffffff 61626364", "s: takes 4294967296 octets, 4 are left, at octet 4"},
        {"text", "00000004 616280ff", "s: not UTF-8 at octet 2, at octet 4"},
        {"bounded", "00000009 6162636465666768 69000000", "s: length 9, at most 8, at octet 0"},
        {"bounded_data", "7fffffff", "o: length 2147483647, at most 8, at octet 0"},
        {"data", "00000008 00000000", "o: takes 8 octets, 4 are left, at octet 4"},
        {"digest", "010203040506 0100 00000000", "d: the fill behind it is not zero, at octet 0"},
        {"ints", "40000000 00000001",
         "a: takes 4294967296 octets at least, 4 are left, at octet 0"},
        {"ints", "00000000 00000005 00000000", "b: length 5, at most 4, at octet 4"},
        {"hypers", "00000001 00000000", "a: takes 8 octets at least, 4 are left, at octet 0"},
        {"bits", "00000005 00000001", "b: takes 20 octets at least, 4 are left, at octet 0"},
        {"table", "00000001 00000002 00000004 61626364",
         "t[0][1]: takes 4 octets, 0 are left, at octet 16"},
        {"table", "00000001 00000002 00000001 61000000 00000002 c3280000",
         "t[0][1]: not UTF-8 at octet 0, at octet 20"},
        {"table",
         "00000002 00000001 00000010 61616161 61616161 61616161 61616161 00000003 00000000",
         "t[1]: takes 12 octets at least, 4 are left, at octet 28"},
        {"readings", "00000001 00000000 4035800000000000 00000007 00000000 00000000",
         "r[0].heating: boolean of 7, at octet 16"},
        {"matrix", "00000001 00000002 00000003 00000004 00000005",
         "m[1]: takes 12 octets, 8 are left, at octet 12"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t octets[OCTETS_MAX];
        struct koine_why why = {""};
        struct kn_arena arena;
        void *value = NULL;
        size_t behind;
        kn_arena_init(&arena, 0);
        struct kn_str wrong = {(const char *)octets, octets_of(octets, rows[i].hex)};
        int rc = read_exact(&value, &behind, &arena, type_of(rows[i].name), wrong, &why);
        assert_string_equal(why.text, rows[i].why);
        assert_int_equal(rc, KOINE_EDATA);
        assert_null(value);
        assert_int_equal(read_exact(&value, &behind, &arena, type_of(rows[i].name), wrong, NULL),
                         rc);
        kn_arena_deinit(&arena);
    }
}

static void wrong_values_are_not_written(void **state)
{
    (void)state;
    static const uint8_t two = 2;
    static const int32_t three = 3;
    static const struct koine_string no_text = KOINE_MANY("a\xff", 2),
                                     long_text = KOINE_TEXT("123456789"), absent = {{NULL}, 1, 0},
                                     null = {{"x"}, 1, KOINE_NULL}, strange = {{"x"}, 1, 8};
    const struct {
        const char *name, *why;
        const void *value;
    } rows[] = {
        {"text", "s: not UTF-8 at octet 1", &no_text},
        {"bounded", "s: length 9, at most 8", &long_text},
        {"text", "s: null with a length", &absent},
        {"text", "s: null with a length", &null},
        {"text", "s: unknown flags 0x8", &strange},
    };
    struct kn_buffer buffer;
    struct koine_why why;
    kn_buffer_init(&buffer, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(kn_xdr_write(&buffer, type_of(rows[i].name), rows[i].value, &why),
                         KOINE_EDATA);
        assert_string_equal(why.text, rows[i].why);
    }
    const struct koine_type *booleans = type_of("booleans"), *mode = type_of("vectors::Mode");
    assert_int_equal(
        kn_xdr_write(&buffer, koine_type_of_member(booleans, booleans->members.ptr), &two, NULL),
        KOINE_EDATA);
    assert_int_equal(kn_xdr_write(&buffer, mode, &three, NULL), KOINE_EDATA);
    assert_int_equal(buffer.length, 0);
    kn_buffer_deinit(&buffer);
}

static void what_fails_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    struct {
        struct koine_octets o;
    } args = {KOINE_MANY((const uint8_t *)"12345678", 8)};
    static const struct koine_string no_text = KOINE_MANY("\xff", 1);
    struct kn_buffer buffer;
    kn_buffer_init(&buffer, 20);
    kn_xdr_put_u32(&buffer, 7);
    assert_int_equal(kn_xdr_write(&buffer, type_of("text"), &no_text, NULL), KOINE_EDATA);
    assert_int_equal(buffer.length, 4);
    assert_int_equal(kn_xdr_write(&buffer, type_of("data"), &args, NULL), 0);
    assert_int_equal(buffer.length, 16);
    assert_memory_equal(buffer.ptr,
                        "\0\0\0\7\0\0\0\010"
                        "12345678",
                        17);
    assert_int_equal(kn_xdr_write(&buffer, type_of("data"), &args, NULL), KOINE_ETOOBIG);
    assert_int_equal(buffer.length, 16);
    assert_int_equal(buffer.failed, KOINE_ETOOBIG);
    assert_int_equal(kn_xdr_write(&buffer, type_of("nothing"), NULL, NULL), KOINE_ETOOBIG);
    kn_buffer_deinit(&buffer);
}

static void null_is_written_as_empty(void **state)
{
    (void)state;
    struct koine_string null = {{NULL}, 0, KOINE_NULL};
    struct kn_buffer buffer;
    kn_buffer_init(&buffer, 0);
    assert_int_equal(kn_xdr_write(&buffer, type_of("text"), &null, NULL), 0);
    assert_int_equal(buffer.length, 4);
    assert_memory_equal(buffer.ptr, "\0\0\0\0", 4);
    kn_buffer_deinit(&buffer);
}

static void text_may_hold_a_nul_and_has_one_behind_it(void **state)
{
    (void)state;
    struct kn_arena arena;
    struct koine_string *text;
    size_t behind;
    kn_arena_init(&arena, 0);
    assert_int_equal(
        read_exact((void **)&text, &behind, &arena, type_of("text"), KN_STR("\0\0\0\4a\0bc"), NULL),
        0);
    assert_int_equal(text->length, 4);
    assert_memory_equal(text->ptr, "a\0bc", 5);
    assert_int_equal(
        read_exact((void **)&text, &behind, &arena, type_of("text"), KN_STR("\0\0\0\0"), NULL), 0);
    assert_string_equal(text->ptr, "");
    kn_arena_deinit(&arena);
}

static void padding_is_zero(void **state)
{
    (void)state;
    struct reading { /* vectors::Reading */
        struct koine_string room;
        double celsius;
        uint8_t heating, padding[3];
        int32_t mode;
        uint8_t channel, behind[7];
    };
    KOINE_SEQUENCE(readings, struct reading) * readings;
    static const uint8_t zeros[7];
    struct kn_arena arena;
    char octets[28 + 4] = {[3] = 1};
    size_t behind;
    kn_arena_init(&arena, 0);
    memset(kn_arena_alloc(&arena, 1000), 0xff, 1000);
    kn_arena_reset(&arena);
    assert_int_equal(read_exact((void **)&readings, &behind, &arena, type_of("readings"),
                                (struct kn_str){octets, sizeof octets}, NULL),
                     0);
    assert_int_equal(behind, 4);
    assert_memory_equal(readings->ptr->padding, zeros, sizeof readings->ptr->padding);
    assert_memory_equal(readings->ptr->behind, zeros, sizeof readings->ptr->behind);
    kn_arena_deinit(&arena);
}

static void what_is_left_over_is_the_callers(void **state)
{
    (void)state;
    static const char octets[] = "\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\1abc";
    struct kn_cursor cursor = kn_cursor(octets, sizeof octets - 1);
    struct kn_arena arena;
    uint8_t *truths;
    void *value;
    kn_arena_init(&arena, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kn_xdr_read((void **)&truths, &cursor, &arena, type_of("booleans"), NULL),
                         0);
        assert_int_equal(truths[i], 1);
        assert_int_equal(truths[!i], 0);
    }
    assert_int_equal(kn_cursor_left(&cursor), 3);
    struct koine_why why;
    assert_int_equal(kn_xdr_read(&value, &cursor, &arena, type_of("booleans"), &why), KOINE_EDATA);
    assert_string_equal(why.text, "takes 4 octets at least, 3 are left, at octet 16");
    assert_int_equal(kn_xdr_read(&value, &cursor, &arena, type_of("nothing"), NULL), KOINE_EDATA);
    kn_arena_deinit(&arena);
}

static void parts_of_headers_are_read_and_written(void **state)
{
    (void)state;
    struct kn_buffer buffer;
    kn_buffer_init(&buffer, 0);
    kn_xdr_put_u32(&buffer, 0x01020304);
    kn_xdr_put_u64(&buffer, UINT64_C(0x0102030405060708));
    kn_xdr_put_opaque(&buffer, KN_STR("hall!"));
    kn_xdr_put_opaque(&buffer, KN_STR(""));
    assert_int_equal(buffer.length, 28);
    assert_memory_equal(buffer.ptr, "\1\2\3\4\1\2\3\4\5\6\7\010\0\0\0\5hall!\0\0\0\0\0\0\0", 28);
    struct kn_cursor cursor = kn_cursor(buffer.ptr, buffer.length);
    assert_int_equal(kn_xdr_u32(&cursor), 0x01020304);
    assert_true(kn_xdr_u64(&cursor) == UINT64_C(0x0102030405060708));
    assert_true(kn_str_equal(kn_xdr_opaque(&cursor, 5), KN_STR("hall!")));
    assert_int_equal(kn_xdr_opaque(&cursor, 0).length, 0);
    assert_int_equal(kn_cursor_left(&cursor), 0);
    assert_false(cursor.failed);
    static const struct kn_str wrong[] = {{"\0\0\0\5hall!\0\0", 11},
                                          {"\0\0\0\6hallwa\0\0", 12},
                                          {"\0\0\0\5hall!\0\0\1", 12},
                                          {"\0\0\0", 3}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cursor = kn_cursor(wrong[i].ptr, wrong[i].length);
        assert_null(kn_xdr_opaque(&cursor, 5).ptr);
        assert_true(cursor.failed);
    }
    kn_buffer_deinit(&buffer);
}

/* ---------------------------------------------------------------- what a peer can cost */

/* Octets at rest for what came: four for one of each sequence, the text and data, and what the arena rounds
 * up, at most 17 for each block, which has 8 octets of its own. */
static size_t most_for(const struct koine_type *type, size_t octets)
{
    return type->size + 32 + 4 * octets + octets + (octets / 8 + 1) * 17;
}

/* Each level says that all that is left are its elements. */
static void false_lengths_allocate_no_more_than_came(void **state)
{
    (void)state;
    enum { COUNT = 1 << 16 };
    uint8_t *octets = calloc(1, COUNT);
    const struct koine_type *tree = type_of("vectors::Tree");
    size_t behind;
    void *value;
    struct kn_arena arena;
    kn_arena_init(&arena, 0);
    struct kn_buffer buffer;
    kn_buffer_init(&buffer, 0);
    for (int level = 0; level < KN_VALUE_DEPTH; level++) {
        kn_xdr_put_u32(&buffer, 0);
        kn_xdr_put_u32(&buffer, (COUNT - 400) / 8);
    }
    memcpy(octets, buffer.ptr, buffer.length);
    int rc =
        read_exact(&value, &behind, &arena, tree, (struct kn_str){(char *)octets, COUNT}, NULL);
    assert_int_equal(rc, KOINE_EDATA);
    assert_in_range(arena.used, COUNT, most_for(tree, COUNT));
    kn_buffer_deinit(&buffer);
    kn_arena_deinit(&arena);
    free(octets);
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    struct kn_buffer buffer;
    struct kn_arena arena;
    struct koine_why why;
    void *value;
    kn_arena_init(&arena, 0);
    kn_buffer_init(&buffer, 0);
    for (int level = 0; level < 10000; level++) {
        kn_xdr_put_u32(&buffer, 0);
        kn_xdr_put_u32(&buffer, 1);
    }
    struct kn_cursor cursor = kn_cursor(buffer.ptr, buffer.length);
    assert_int_equal(kn_xdr_read(&value, &cursor, &arena, type_of("vectors::Tree"), &why),
                     KOINE_EDEPTH);
    kn_arena_deinit(&arena);

    struct tree {
        struct koine_string name;
        KOINE_SEQUENCE(, struct tree) sons;
    } trees[KN_VALUE_DEPTH] = {0};
    for (int i = 0; i + 1 < KN_VALUE_DEPTH; i++) {
        trees[i].sons.ptr = &trees[i + 1];
        trees[i].sons.length = 1;
    }
    assert_int_equal(kn_xdr_write(&buffer, type_of("vectors::Tree"), trees, &why), KOINE_EDEPTH);
    kn_buffer_deinit(&buffer);
}

static void more_than_the_arena_may_hold_is_too_big(void **state)
{
    (void)state;
    static const char octets[4004] = {0, 0, 15, (char)0xa0};
    struct kn_arena arena;
    struct koine_why why;
    size_t behind;
    void *value;
    kn_arena_init(&arena, 2000);
    assert_int_equal(read_exact(&value, &behind, &arena, type_of("data"),
                                (struct kn_str){octets, sizeof octets}, &why),
                     KOINE_ETOOBIG);
    assert_string_equal(why.text, "o: no room for 4001 octets, at octet 4");
    kn_arena_deinit(&arena);
}

/* ---------------------------------------------------------------- random values */

struct round {
    struct random_source source;
    struct kn_arena arena, landed;
    const struct koine_type *type;
    const void *value;
    struct kn_buffer buffer;
};

static void start(struct round *round, uint64_t seed)
{
    size_t count;
    *round = (struct round){.source = {seed}};
    kn_arena_init(&round->arena, 0);
    kn_arena_init(&round->landed, 0);
    kn_buffer_init(&round->buffer, 0);
    const struct koine_type *types = random_types(&round->source, &round->arena, &count);
    assert_non_null(types);
    round->type = types + count - 1;
    round->value = random_value(&round->source, &round->arena, round->type);
    struct koine_why why;
    size_t size;
    int fits = kn_value_size(&size, round->type, round->value, NULL);
    int rc = kn_xdr_write(&round->buffer, round->type, round->value, &why);
    if (rc != fits)
        fail_msg("seed %llu: %s", (unsigned long long)seed, why.text);
}

static void end(struct round *round)
{
    kn_buffer_deinit(&round->buffer);
    kn_arena_deinit(&round->landed);
    kn_arena_deinit(&round->arena);
}

static void random_values_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct round round;
        struct koine_why why;
        size_t behind;
        void *value;
        start(&round, seed);
        if (read_exact(&value, &behind, &round.landed, round.type, text_of(&round.buffer), &why))
            fail_msg("seed %llu: %s", (unsigned long long)seed, why.text);
        assert_int_equal(behind, 0);
        assert_int_equal(round.buffer.length % 4, 0);
        assert_int_equal(koine_value_differ(round.type, round.value, value), 0);
        assert_in_range(round.landed.used, 0, most_for(round.type, round.buffer.length));
        end(&round);
    }
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct round round;
        size_t behind;
        void *value;
        start(&round, seed);
        struct kn_str cut = {round.buffer.ptr, 0};
        for (; cut.length < round.buffer.length; cut.length++) {
            kn_arena_reset(&round.landed);
            assert_int_equal(read_exact(&value, &behind, &round.landed, round.type, cut, NULL),
                             KOINE_EDATA);
            assert_in_range(round.landed.used, 0, most_for(round.type, cut.length));
        }
        end(&round);
    }
}

/* There is one way to write a value, so what is read of any octets is written as they are. */
static void damaged_octets_are_refused_or_another_value(void **state)
{
    (void)state;
    int read = 0, wrong = 0;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct round round;
        struct kn_buffer again;
        size_t behind;
        void *value;
        start(&round, seed % 300 + 1);
        round.source.state = seed;
        kn_buffer_init(&again, 0);
        size_t length = round.buffer.length;
        for (uint32_t n = random_below(&round.source, 4) + 1; n && length; n--)
            round.buffer.ptr[random_below(&round.source, (uint32_t)length)] =
                (char)(random_next(&round.source) >> random_below(&round.source, 8));
        struct kn_str octets = text_of(&round.buffer);
        if (!read_exact(&value, &behind, &round.landed, round.type, octets, NULL)) {
            read++;
            assert_int_equal(kn_xdr_write(&again, round.type, value, NULL), 0);
            assert_int_equal(again.length, length - behind);
            assert_memory_equal(again.ptr, octets.ptr, again.length);
        } else
            wrong++;
        assert_in_range(round.landed.used, 0, most_for(round.type, length));
        kn_buffer_deinit(&again);
        end(&round);
    }
    assert_in_range(read, 100, 2900);
    assert_in_range(wrong, 100, 2900);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    int failures = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct round round;
        start(&round, seed);
        struct kn_cursor cursor;
        struct kn_buffer again;
        void *value;
        int rc = KOINE_ENOMEM;
        for (long n = 0; rc; n++) {
            kn_arena_deinit(&round.landed);
            kn_buffer_init(&again, 0);
            cursor = kn_cursor(round.buffer.ptr, round.buffer.length);
            left = n;
            rc = kn_xdr_read(&value, &cursor, &round.landed, round.type, NULL);
            if (!rc)
                rc = kn_xdr_write(&again, round.type, value, NULL);
            left = -1;
            assert_true(!rc || rc == KOINE_ENOMEM);
            failures += rc != 0;
            kn_buffer_deinit(&again);
        }
        end(&round);
    }
    assert_in_range(failures, 90, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_octets_are_written_and_read),
        cmocka_unit_test(wrong_octets_are_refused_with_reasons),
        cmocka_unit_test(wrong_values_are_not_written),
        cmocka_unit_test(what_fails_leaves_the_buffer_as_it_was),
        cmocka_unit_test(null_is_written_as_empty),
        cmocka_unit_test(text_may_hold_a_nul_and_has_one_behind_it),
        cmocka_unit_test(padding_is_zero),
        cmocka_unit_test(what_is_left_over_is_the_callers),
        cmocka_unit_test(parts_of_headers_are_read_and_written),
        cmocka_unit_test(false_lengths_allocate_no_more_than_came),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(more_than_the_arena_may_hold_is_too_big),
        cmocka_unit_test(random_values_come_back),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(damaged_octets_are_refused_or_another_value),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("xdr", tests, read_idl, free_idl);
}
