/* SPDX-License-Identifier: MIT */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/copy.h"
#include "base/cursor.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/sha256.h"
#include "base/utf8.h"

#include <koine/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void arena_gives_aligned_memory_up_to_its_limit(void **state)
{
    (void)state;
    struct kn_arena arena;
    kn_arena_init(&arena, 10000);
    size_t given = 0;
    for (void *p; (p = kn_arena_alloc(&arena, 100)); given++)
        assert_int_equal((uintptr_t)p % 16, 0);
    assert_in_range(given, 80, 100);
    kn_arena_reset(&arena);
    assert_non_null(kn_arena_alloc(&arena, 9984));
    assert_null(kn_arena_alloc(&arena, 100));
    assert_null(kn_arena_zalloc(&arena, SIZE_MAX / 2, 4));
    assert_null(kn_arena_alloc(&arena, SIZE_MAX));
    kn_arena_deinit(&arena);
}

static void arena_keeps_a_small_block_for_the_next_round_and_no_large_one(void **state)
{
    (void)state;
    struct kn_arena arena;
    kn_arena_init(&arena, 0);
    void *small = kn_arena_alloc(&arena, 100);
    kn_arena_reset(&arena);
    assert_ptr_equal(kn_arena_alloc(&arena, 100), small);
    kn_arena_deinit(&arena);
    assert_non_null(kn_arena_alloc(&arena, 16 << 20));
    kn_arena_reset(&arena);
    assert_null(arena.first);
    assert_non_null(kn_arena_alloc(&arena, 64 << 20));
    kn_arena_deinit(&arena);
}

static void arena_does_not_give_endless_empty_things(void **state)
{
    (void)state;
    struct kn_arena arena;
    kn_arena_init(&arena, 1000);
    int given = 0;
    while (kn_arena_alloc(&arena, 0))
        given++;
    assert_in_range(given, 50, 63);
    kn_arena_deinit(&arena);
}

static void arena_text_ends_with_nul(void **state)
{
    (void)state;
    struct kn_arena arena;
    kn_arena_init(&arena, 0);
    assert_string_equal(kn_arena_text(&arena, "hallway", 4), "hall");
    assert_string_equal(kn_arena_text(&arena, NULL, 0), "");
    kn_arena_deinit(&arena);
}

static void buffer_failure_is_sticky(void **state)
{
    (void)state;
    struct kn_buffer buffer;
    kn_buffer_init(&buffer, 10);
    kn_buffer_text(&buffer, "12345");
    kn_buffer_text(&buffer, "678901");
    kn_buffer_text(&buffer, "6");
    assert_int_equal(buffer.failed, KOINE_ETOOBIG);
    assert_string_equal(buffer.ptr, "12345");
    char *text = NULL;
    assert_int_equal(kn_buffer_steal(&text, NULL, &buffer), KOINE_ETOOBIG);
    assert_null(text);
    assert_int_equal(kn_buffer_steal(&text, NULL, &buffer), 0);
    assert_string_equal(text, "");
    free(text);
}

static void buffer_gives_room_to_write_in_place(void **state)
{
    (void)state;
    struct kn_buffer buffer;
    size_t room = 0;
    kn_buffer_init(&buffer, 300);
    kn_buffer_text(&buffer, "at ");
    char *at = kn_buffer_room(&room, &buffer, 290);
    assert_int_equal(room, 297);
    memset(at, 'x', room);
    kn_buffer_take(&buffer, 2);
    assert_string_equal(buffer.ptr, "at xx");
    assert_int_equal(buffer.length, 5);
    assert_null(kn_buffer_room(&room, &buffer, 296));
    assert_int_equal(buffer.failed, KOINE_ETOOBIG);
    assert_string_equal(buffer.ptr, "at xx");
    kn_buffer_deinit(&buffer);
}

static void buffer_writes_numbers_exactly(void **state)
{
    (void)state;
    struct kn_buffer buffer;
    kn_buffer_init(&buffer, 0);
    kn_buffer_int(&buffer, INT64_MIN);
    kn_buffer_char(&buffer, ' ');
    kn_buffer_uint(&buffer, UINT64_MAX);
    kn_buffer_print(&buffer, " %03d", 7);
    kn_buffer_fill(&buffer, '-', 3);
    assert_string_equal(buffer.ptr, "-9223372036854775808 18446744073709551615 007---");
    kn_buffer_drop(&buffer, 21);
    assert_string_equal(buffer.ptr, "18446744073709551615 007---");
    kn_buffer_deinit(&buffer);
}

static void cursor_failure_is_sticky(void **state)
{
    (void)state;
    uint8_t octets[] = {1, 2, 0, 3, 0, 0, 0, 9};
    struct kn_cursor cursor = kn_cursor(octets, sizeof octets);
    assert_int_equal(kn_cursor_u8(&cursor), 1);
    assert_int_equal(kn_cursor_u16(&cursor), 2);
    assert_int_equal(kn_cursor_u32(&cursor), 3);
    assert_int_equal(kn_cursor_u64(&cursor), 0);
    assert_true(cursor.failed);
    assert_int_equal(kn_cursor_u8(&cursor), 0);
    assert_null(kn_cursor_take(&cursor, SIZE_MAX));
}

static void cursor_aligns_from_its_start(void **state)
{
    (void)state;
    uint8_t octets[9] = {0};
    struct kn_cursor cursor = kn_cursor(octets, sizeof octets);
    kn_cursor_u8(&cursor);
    kn_cursor_align(&cursor, 8);
    assert_int_equal(kn_cursor_left(&cursor), 1);
    kn_cursor_u8(&cursor);
    assert_false(cursor.failed);
    kn_cursor_align(&cursor, 8);
    assert_true(cursor.failed);
}

/* Against sorting by hand: entries are put, moved and removed by a fixed sequence of numbers. */
static void heap_gives_the_least_first(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    struct kn_heap_entry entries[COUNT] = {{0}};
    struct kn_heap heap = {0};
    uint32_t random = 12345;
    assert_null(kn_heap_first(&heap));
    assert_int_equal(kn_heap_reserve(&heap, COUNT), 0);
    for (int step = 0; step < 20000; step++) {
        random = random * 1664525 + 1013904223;
        struct kn_heap_entry *entry = &entries[(random >> 8) % COUNT];
        if (random >> 30)
            kn_heap_put(&heap, entry, (int64_t)(random >> 16 & 1023) - 512);
        else
            kn_heap_remove(&heap, entry);
        const struct kn_heap_entry *least = NULL;
        size_t in = 0;
        for (int i = 0; i < COUNT; i++) {
            in += entries[i].place != 0;
            if (entries[i].place && (!least || entries[i].key < least->key))
                least = &entries[i];
        }
        assert_int_equal(heap.count, in);
        assert_true(least ? kn_heap_first(&heap)->key == least->key : !kn_heap_first(&heap));
    }
    kn_heap_deinit(&heap);
}

static void map_keeps_what_was_put(void **state)
{
    (void)state;
    enum { N = 3000 };
    static int things[N];
    struct kn_map map;
    kn_map_init(&map, 42);
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < N; i++)
            assert_int_equal(kn_map_put(&map, i * 7, &things[i]), 0);
        assert_int_equal(kn_map_put(&map, 7, &things[0]), KOINE_EEXIST);
        for (uint64_t i = 0; i < N; i++)
            assert_ptr_equal(kn_map_take(&map, i * 7), &things[i]);
        assert_null(kn_map_any(&map, NULL));
    }
    assert_true(map.room <= 4 * N);
    kn_map_deinit(&map);
}

static void map_finds_texts_by_content(void **state)
{
    (void)state;
    struct kn_map map;
    int a, b;
    kn_map_init(&map, 1);
    assert_null(kn_map_get_text(&map, KN_STR("a")));
    assert_int_equal(kn_map_put_text(&map, KN_STR("a"), &a), 0);
    assert_int_equal(kn_map_put_text(&map, KN_STR(""), &b), 0);
    assert_ptr_equal(kn_map_get_text(&map, KN_STR("a")), &a);
    assert_ptr_equal(kn_map_take_text(&map, KN_STR("")), &b);
    assert_null(kn_map_get_text(&map, KN_STR("")));
    kn_map_deinit(&map);
}

static void utf8_takes_exactly_the_well_formed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length, valid;
    } rows[] = {
        {"plain ascii, longer than a word", 31, 31},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, 9},
        {"a\0b", 3, 3},
        {"\xc0\x80", 2, 0},
        {"\xe0\x9f\xbf", 3, 0},
        {"\xed\xa0\x80", 3, 0},
        {"\xf4\x90\x80\x80", 4, 0},
        {"\xf0\x8f\xbf\xbf", 4, 0},
        {"\xf5\x80\x80\x80", 4, 0},
        {"ab\xe2\x82", 4, 2},
        {"ab\xe2", 3, 2},
        {"\x80", 1, 0},
        {"12345678\xff", 9, 8},
        {"\xe2\x82\x41", 3, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(kn_utf8_valid(rows[i].text, rows[i].length), rows[i].valid);
}

static void utf8_written_is_read(void **state)
{
    (void)state;
    char text[4];
    for (uint32_t code = 0; code < 0x110800; code += 7) {
        size_t length = kn_utf8_put(text, code);
        if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            assert_int_equal(length, 0);
        else
            assert_true(length && kn_utf8_valid(text, length) == length);
    }
}

static void shared_copies_clear_the_rest_of_the_last_word(void **state)
{
    (void)state;
    _Alignas(8) uint8_t shared[16], private[16];
    memset(shared, 0xff, sizeof shared);
    memset(private, 0xee, sizeof private);
    kn_copy_out(shared, "0123456789", 10);
    kn_copy_in(private, shared, 10);
    assert_memory_equal(private, "0123456789\xee\xee", 12);
    assert_memory_equal(shared + 10, "\0\0\0\0\0", 6);
}

static void deadlines_stop_at_the_ends(void **state)
{
    (void)state;
    assert_true(kn_deadline(5, INT64_MAX) == INT64_MAX);
    assert_true(kn_deadline(5, 7) == 12);
    assert_true(kn_deadline(5, -7) == 5);
    assert_true(kn_remaining(INT64_MAX, 3) == INT64_MAX);
    assert_true(kn_remaining(3, 5) == 0);
    assert_true(kn_timespec(1500000000).tv_nsec == 500000000);
}

static void every_error_has_a_phrase(void **state)
{
    (void)state;
    for (int error = 0; error >= KOINE_EUNSUPPORTED; error--)
        assert_string_not_equal(koine_strerror(error), "unknown error");
    assert_string_equal(koine_strerror(-1000), "unknown error");
    assert_string_equal(koine_strerror(INT32_MIN), "unknown error");
    assert_string_equal(koine_fault_code_name(KOINE_FAULT_NOT_FOUND), "not_found");
    assert_null(koine_fault_code_name(17));
}

/* FIPS 180-4 with the examples of NIST; then as many a as lie around the ends of blocks. */
static void sha256_gives_the_digests_of_its_standard(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length; /* of a's, without text */
        const char *hex;
    } rows[] = {
        {"", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", 0, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 0,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {NULL, 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
        {NULL, 56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
        {NULL, 63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
        {NULL, 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
        {NULL, 119, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb"},
        {NULL, 120, "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c"},
        {NULL, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    char *many = malloc(1000000);
    assert_non_null(many);
    memset(many, 'a', 1000000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t digest[KN_SHA256_SIZE];
        char hex[2 * KN_SHA256_SIZE + 1];
        kn_sha256(digest,
                  rows[i].text ? kn_str(rows[i].text) : (struct kn_str){many, rows[i].length});
        for (size_t k = 0; k < sizeof digest; k++)
            snprintf(hex + 2 * k, 3, "%02x", digest[k]);
        assert_string_equal(hex, rows[i].hex);
    }
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_aligned_memory_up_to_its_limit),
        cmocka_unit_test(arena_keeps_a_small_block_for_the_next_round_and_no_large_one),
        cmocka_unit_test(arena_does_not_give_endless_empty_things),
        cmocka_unit_test(arena_text_ends_with_nul),
        cmocka_unit_test(buffer_failure_is_sticky),
        cmocka_unit_test(buffer_gives_room_to_write_in_place),
        cmocka_unit_test(buffer_writes_numbers_exactly),
        cmocka_unit_test(cursor_failure_is_sticky),
        cmocka_unit_test(cursor_aligns_from_its_start),
        cmocka_unit_test(heap_gives_the_least_first),
        cmocka_unit_test(map_keeps_what_was_put),
        cmocka_unit_test(map_finds_texts_by_content),
        cmocka_unit_test(sha256_gives_the_digests_of_its_standard),
        cmocka_unit_test(utf8_takes_exactly_the_well_formed),
        cmocka_unit_test(utf8_written_is_read),
        cmocka_unit_test(shared_copies_clear_the_rest_of_the_last_word),
        cmocka_unit_test(deadlines_stop_at_the_ends),
        cmocka_unit_test(every_error_has_a_phrase),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
