/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "plane/pool.h"
#include "plane/ring.h"
#include "plane/segment.h"
#include "plane/wake.h"

#include <koine/error.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { SIZE = 1 << 16, MANY = 60000 };

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* ---------------------------------------------------------------- segments */

static void nobody_can_write_shrink_or_grow_a_segment(void **state)
{
    (void)state;
    struct kn_segment segment, reading;
    char path[40];
    int fd;
    assert_int_equal(kn_segment_create(&segment, &fd, SIZE), 0);
    segment.base[5] = 'k';
    assert_int_equal(write(fd, "x", 1), -1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, O_RDWR | O_CLOEXEC);
    assert_true(again >= 0);
    assert_ptr_equal(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0), MAP_FAILED);
    assert_int_equal(pwrite(again, "x", 1, 0), -1);
    assert_int_equal(ftruncate(again, 0), -1);
    assert_int_equal(ftruncate(again, 2 * SIZE), -1);
    assert_int_equal(fallocate(again, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
    assert_int_equal(fcntl(again, F_ADD_SEALS, F_SEAL_WRITE), -1);
    close(again);
    assert_int_equal(kn_segment_adopt(&reading, fd, SIZE), 0);
    assert_int_equal(reading.base[5], 'k');
    assert_int_equal(mprotect(reading.base, SIZE, PROT_READ | PROT_WRITE), -1);
    segment.base[6] = 'n';
    assert_int_equal(reading.base[6], 'n');
    kn_segment_deinit(&reading);
    kn_segment_deinit(&segment);
}

static void the_caller_writes_what_the_server_made(void **state)
{
    (void)state;
    struct kn_segment server, caller;
    int fd;
    assert_int_equal(kn_segment_offer(&server, &fd, SIZE), 0);
    assert_int_equal(kn_segment_verify(fd, SIZE), KOINE_EPROTOCOL);
    assert_int_equal(kn_segment_accept(&caller, dup(fd), SIZE), 0);
    assert_int_equal(kn_segment_verify(fd, SIZE), 0);
    assert_int_equal(kn_segment_verify(fd, 2 * SIZE), KOINE_EPROTOCOL);
    caller.base[9] = 'c';
    assert_int_equal(server.base[9], 'c');
    assert_ptr_equal(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    close(fd);
    kn_segment_deinit(&caller);
    kn_segment_deinit(&server);
}

static int memfd_of(size_t size, int reserve, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    if (reserve)
        assert_int_equal(fallocate(fd, 0, 0, (off_t)size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void what_is_no_whole_segment_is_refused(void **state)
{
    (void)state;
    int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | 0x10, before = open_descriptors();
    struct kn_segment segment;
    assert_int_equal(kn_segment_adopt(&segment, memfd_of(SIZE, 0, all), SIZE), KOINE_EPROTOCOL);
    assert_int_equal(kn_segment_adopt(&segment, memfd_of(SIZE / 2, 1, all), SIZE), KOINE_EPROTOCOL);
    for (int bit = 0; bit < 5; bit++) {
        if (!(all & 1 << bit))
            continue;
        int fd = memfd_of(SIZE, 1, all & ~(1 << bit));
        assert_int_equal(kn_segment_adopt(&segment, fd, SIZE), KOINE_EPROTOCOL);
    }
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(kn_segment_adopt(&segment, pipes[0], SIZE), KOINE_EPROTOCOL);
    assert_int_equal(kn_segment_accept(&segment, pipes[1], SIZE), KOINE_EPROTOCOL);
    assert_int_equal(kn_segment_accept(&segment, memfd_of(SIZE, 0, F_SEAL_GROW), SIZE),
                     KOINE_EPROTOCOL);
    assert_int_equal(kn_segment_adopt(&segment, -1, SIZE), KOINE_EPROTOCOL);
    assert_int_equal(open_descriptors(), before);
}

static void segments_are_not_inherited(void **state)
{
    (void)state;
    struct kn_segment segment;
    int fd, status;
    assert_int_equal(kn_segment_create(&segment, &fd, SIZE), 0);
    close(fd);
    pid_t pid = fork();
    if (!pid) {
        unsigned char present;
        _exit(mincore(segment.base, 4096, &present) == 0);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    kn_segment_deinit(&segment);
}

/* ---------------------------------------------------------------- rings, both ends on one mapping */

struct pair {
    struct kn_control_page *page[2];
    struct kn_slot *slots;
    struct kn_ring_out out;
    struct kn_ring_in in;
    struct kn_wake writer, reader;
    _Atomic int wrong;
    int fence;
};

static void open_pair(struct pair *pair, uint32_t slots)
{
    *pair = (struct pair){.fence = 1};
    for (int i = 0; i < 2; i++) {
        pair->page[i] = aligned_alloc(4096, sizeof *pair->page[i]);
        memset(pair->page[i], 0, sizeof *pair->page[i]);
    }
    pair->slots = aligned_alloc(4096, (slots * sizeof *pair->slots + 4095) / 4096 * 4096);
    memset(pair->slots, 0, slots * sizeof *pair->slots);
    kn_ring_out_init(&pair->out, pair->slots, slots);
    kn_ring_in_init(&pair->in, pair->slots, slots, &pair->page[1]->cursor, 0);
    kn_wake_init(&pair->writer, pair->page[0], pair->page[1]);
    kn_wake_init(&pair->reader, pair->page[1], pair->page[0]);
}

static void close_pair(struct pair *pair)
{
    kn_ring_out_deinit(&pair->out);
    free(pair->page[0]);
    free(pair->page[1]);
    free(pair->slots);
}

static void put(struct kn_ring_out *ring, uint64_t number)
{
    uint64_t payload[8];
    for (int i = 0; i < 8; i++)
        payload[i] = number * 8 + (uint64_t)i;
    kn_copy_out(kn_ring_slot(ring)->payload, payload, sizeof payload);
    kn_ring_publish(ring, sizeof payload, 0);
}

static int check(const struct kn_ring_in *ring, uint64_t number)
{
    uint64_t payload[KN_SLOT_ROOM / 8];
    uint32_t length, ref;
    kn_ring_take(ring, payload, &length, &ref);
    for (int i = 0; i < 8; i++)
        if (payload[i] != number * 8 + (uint64_t)i)
            return 0;
    return length == 64 && ref == 0;
}

static void a_full_ring_waits_for_its_slowest_reader(void **state)
{
    (void)state;
    struct pair pair;
    void *owner = NULL;
    uint64_t number = 0;
    open_pair(&pair, 8);
    assert_int_equal(kn_ring_join(&pair.out, &pair, &pair.page[1]->cursor), 0);
    assert_int_equal(kn_ring_refresh(&pair.out, &owner), 0);
    while (kn_ring_has_room(&pair.out))
        put(&pair.out, number++);
    assert_int_equal(number, 8);
    assert_int_equal(kn_ring_refresh(&pair.out, &owner), 0);
    assert_false(kn_ring_has_room(&pair.out));
    assert_ptr_equal(kn_ring_slowest(&pair.out), &pair);
    for (uint64_t i = 0; i < 3; i++) {
        assert_true(kn_ring_has_more(&pair.in) && check(&pair.in, i));
        kn_ring_next(&pair.in);
    }
    kn_ring_tell(&pair.in);
    assert_int_equal(kn_ring_refresh(&pair.out, &owner), 0);
    for (int i = 0; i < 3; i++) {
        assert_true(kn_ring_has_room(&pair.out));
        put(&pair.out, number++);
    }
    assert_false(kn_ring_has_room(&pair.out));
    kn_ring_leave(&pair.out, &pair);
    assert_int_equal(kn_ring_refresh(&pair.out, &owner), 0);
    assert_true(kn_ring_has_room(&pair.out));
    close_pair(&pair);
}

static void a_reader_that_lies_is_named(void **state)
{
    (void)state;
    struct pair pair;
    void *owner = NULL;
    open_pair(&pair, 8);
    assert_int_equal(kn_ring_join(&pair.out, &pair, NULL), 0);
    for (int i = 0; i < 5; i++)
        put(&pair.out, 1);
    atomic_store(&pair.page[1]->cursor, 3);
    assert_int_equal(kn_ring_refresh(&pair.out, &owner), 0);
    assert_int_equal(kn_ring_passed(&pair.out), 0);
    kn_ring_ready(&pair.out, &pair, &pair.page[1]->cursor);
    assert_int_equal(kn_ring_refresh(&pair.out, &owner), 0);
    assert_int_equal(kn_ring_passed(&pair.out), 3);
    static const uint64_t lies[] = {2, 6, UINT64_MAX, 1ull << 63};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        owner = NULL;
        atomic_store(&pair.page[1]->cursor, lies[i]);
        assert_int_equal(kn_ring_refresh(&pair.out, &owner), KOINE_EPROTOCOL);
        assert_ptr_equal(owner, &pair);
        assert_int_equal(kn_ring_passed(&pair.out), 3);
    }
    close_pair(&pair);
}

static void a_batch_is_seen_whole_or_not_at_all(void **state)
{
    (void)state;
    struct pair pair;
    void *owner = NULL;
    open_pair(&pair, 8);
    assert_int_equal(kn_ring_join(&pair.out, &pair, &pair.page[1]->cursor), 0);
    assert_int_equal(kn_ring_refresh(&pair.out, &owner), 0);
    put(&pair.out, 0);
    assert_int_equal(kn_ring_room(&pair.out), 7);
    for (uint64_t i = 7; i--;) {
        assert_true(kn_ring_has_more(&pair.in));
        struct kn_ring_in next = pair.in;
        next.pos++;
        assert_false(kn_ring_has_more(&next));
        uint64_t payload[8];
        for (uint64_t word = 0; word < 8; word++)
            payload[word] = (i + 1) * 8 + word;
        kn_copy_out(pair.slots[i + 1].payload, payload, sizeof payload);
        kn_ring_publish_ahead(&pair.out, i, sizeof payload);
    }
    kn_ring_pass(&pair.out, 7);
    assert_int_equal(kn_ring_room(&pair.out), 0);
    for (uint64_t i = 0; i < 8; i++) {
        assert_true(kn_ring_has_more(&pair.in) && check(&pair.in, i));
        kn_ring_next(&pair.in);
    }
    assert_false(kn_ring_has_more(&pair.in));
    close_pair(&pair);
}

static void a_reader_that_goes_on_has_moved(void **state)
{
    (void)state;
    struct pair pair;
    void *owner = NULL;
    open_pair(&pair, 8);
    assert_int_equal(kn_ring_join(&pair.out, &pair, NULL), 0);
    put(&pair.out, 0);
    assert_false(kn_ring_moved(&pair.out, &pair));
    assert_false(kn_ring_is_ready(&pair.out, &pair));
    kn_ring_ready(&pair.out, &pair, &pair.page[1]->cursor);
    assert_true(kn_ring_is_ready(&pair.out, &pair));
    assert_false(kn_ring_moved(&pair.out, &pair));
    kn_ring_next(&pair.in);
    kn_ring_tell(&pair.in);
    assert_true(kn_ring_moved(&pair.out, &pair));
    assert_int_equal(kn_ring_refresh(&pair.out, &owner), 0);
    assert_false(kn_ring_moved(&pair.out, &pair));
    kn_ring_leave(&pair.out, &pair);
    assert_true(kn_ring_moved(&pair.out, &pair));
    close_pair(&pair);
}

/* Reads MANY, sleeping whenever there is nothing, with the nap that a writer without fence needs. */
static void *read_many(void *arg)
{
    struct pair *pair = arg;
    for (uint64_t number = 0; number < MANY;) {
        if (kn_ring_has_more(&pair->in)) {
            if (!check(&pair->in, number))
                atomic_store(&pair->wrong, 1);
            kn_ring_next(&pair->in);
            number++;
            continue;
        }
        kn_ring_tell(&pair->in);
        uint32_t bell = kn_wake_bell(&pair->reader);
        kn_wake_park(&pair->reader, KN_AT_BELL);
        if (!kn_ring_has_more(&pair->in))
            kn_wake_sleep(&pair->reader, bell,
                          kn_now() + (pair->fence && !kn_wake_throttled(&pair->reader)
                                          ? 2000 * KN_THROTTLED_NS
                                          : KN_NAP_NS));
        kn_wake_up(&pair->reader);
    }
    return NULL;
}

static void write_many(struct pair *pair)
{
    void *owner;
    for (uint64_t number = 0; number < MANY; number++) {
        while (!kn_ring_has_room(&pair->out))
            assert_int_equal(kn_ring_refresh(&pair->out, &owner), 0);
        put(&pair->out, number);
        assert_false(kn_wake_look(&pair->writer, pair->fence));
        for (volatile uint64_t i = 0; i < number % 700; i = i + 1)
            ;
    }
}

static void many_messages(int fence)
{
    struct pair pair;
    pthread_t thread;
    int64_t start = kn_now();
    open_pair(&pair, 64);
    pair.fence = fence;
    assert_int_equal(kn_ring_join(&pair.out, &pair, &pair.page[1]->cursor), 0);
    assert_int_equal(pthread_create(&thread, NULL, read_many, &pair), 0);
    write_many(&pair);
    pthread_join(thread, NULL);
    assert_int_equal(pair.wrong, 0);
    assert_true(kn_now() - start < 60 * INT64_C(1000000000));
    close_pair(&pair);
}

static void calls_cross_threads_whole_and_wake_the_sleeper(void **state)
{
    (void)state;
    many_messages(1);
}

static void streams_cross_threads_whole_and_are_found_after_a_nap(void **state)
{
    (void)state;
    many_messages(0);
}

static void a_peer_that_always_sleeps_is_rung_a_bounded_number_of_times(void **state)
{
    (void)state;
    struct pair pair;
    int rung = 0;
    open_pair(&pair, 8);
    int64_t start = kn_now();
    for (int i = 0; i < 20000; i++) {
        kn_wake_park(&pair.reader, KN_AT_SOCKET);
        rung += kn_wake_look(&pair.writer, true);
    }
    int64_t allowed = KN_BURST + (kn_now() - start) / KN_REFILL_NS + 1;
    assert_true(rung >= KN_BURST && rung <= allowed);
    assert_false(kn_wake_look(&pair.writer, true) && kn_wake_look(&pair.writer, true));
    close_pair(&pair);
}

static bool park_and_ring(struct pair *pair)
{
    kn_wake_park(&pair->reader, KN_AT_SOCKET);
    return kn_wake_look(&pair->writer, true);
}

static void a_message_of_the_peer_pays_for_a_ring(void **state)
{
    (void)state;
    struct pair pair;
    open_pair(&pair, 8);
    pair.writer.refilled = kn_now() + 3600 * INT64_C(1000000000); /* nothing is earned by time */
    for (int i = 0; i < KN_BURST; i++)
        assert_true(park_and_ring(&pair));
    assert_false(park_and_ring(&pair));
    kn_wake_earn(&pair.writer);
    assert_true(park_and_ring(&pair));
    assert_false(park_and_ring(&pair));
    for (int i = 0; i < 10 * KN_BURST; i++)
        kn_wake_earn(&pair.writer);
    for (int i = 0; i < KN_BURST; i++)
        assert_true(park_and_ring(&pair));
    assert_false(park_and_ring(&pair));
    close_pair(&pair);
}

static void one_parking_is_rung_once(void **state)
{
    (void)state;
    struct pair pair;
    open_pair(&pair, 8);
    assert_false(kn_wake_look(&pair.writer, true));
    kn_wake_park(&pair.reader, KN_AT_SOCKET);
    uint32_t bell = kn_wake_bell(&pair.reader);
    assert_true(kn_wake_look(&pair.writer, true));
    assert_int_equal(kn_wake_bell(&pair.reader), bell + 1);
    assert_false(kn_wake_look(&pair.writer, true));
    kn_wake_up(&pair.reader);
    assert_false(kn_wake_look(&pair.writer, true));
    kn_wake_park(&pair.reader, KN_AT_BELL);
    assert_false(kn_wake_look(&pair.writer, true));
    assert_int_equal(kn_wake_bell(&pair.reader), bell + 2);
    close_pair(&pair);
}

/* ---------------------------------------------------------------- chunks */

static void a_held_chunk_is_not_used_again(void **state)
{
    (void)state;
    struct pair pair;
    struct kn_pool pool;
    static uint64_t memory[4 * 8];
    void *chunk, *owner;
    uint32_t ref;
    open_pair(&pair, 8);
    struct kn_pool_holds holds = {pair.page[1]->holds, &pair};
    assert_int_equal(kn_pool_init(&pool, 0, memory, 64, 4), 0);
    assert_int_equal(kn_ring_join(&pair.out, &pair, &pair.page[1]->cursor), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(kn_pool_take(&ref, &chunk, &pool, &pair.out, &holds, 1), 0);
        assert_ptr_equal(kn_pool_find((uint8_t *)memory, 64, 4, ref, 64), chunk);
        kn_pool_publish(&pool, ref, pair.out.pos);
        kn_ring_publish(&pair.out, 64, ref);
    }
    assert_int_equal(kn_pool_take(&ref, &chunk, &pool, &pair.out, &holds, 1), KOINE_EFULL);
    int hold = kn_pool_hold(pair.page[1]->holds, 1);
    assert_int_equal(hold, 0);
    for (int i = 0; i < 4; i++)
        kn_ring_next(&pair.in);
    kn_ring_tell(&pair.in);
    assert_int_equal(kn_ring_refresh(&pair.out, &owner), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kn_pool_take(&ref, &chunk, &pool, &pair.out, &holds, 1), 0);
        assert_int_not_equal(ref, 1);
    }
    assert_int_equal(kn_pool_take(&ref, &chunk, &pool, &pair.out, &holds, 1), KOINE_EFULL);
    kn_pool_release(pair.page[1]->holds, hold);
    assert_int_equal(kn_pool_take(&ref, &chunk, &pool, &pair.out, &holds, 1), 0);
    assert_int_equal(ref, 1);
    kn_pool_give(&pool, ref);
    assert_int_equal(kn_pool_take(&ref, &chunk, &pool, &pair.out, &holds, 1), 0);
    kn_pool_deinit(&pool);
    close_pair(&pair);
}

static uint32_t send_chunk(struct pair *pair, struct kn_pool *pool, struct kn_pool_holds *holds)
{
    uint32_t ref;
    void *chunk;
    assert_int_equal(kn_pool_take(&ref, &chunk, pool, &pair->out, holds, 1), 0);
    kn_pool_publish(pool, ref, pair->out.pos);
    kn_ring_publish(&pair->out, 64, ref);
    return ref;
}

/* Chunks of the same number in two pools are not taken for each other. */
static void one_set_of_holds_serves_several_pools(void **state)
{
    (void)state;
    struct pair pair;
    struct kn_pool small, large;
    static uint64_t memory[2][2 * 8];
    void *owner;
    open_pair(&pair, 8);
    struct kn_pool_holds holds = {pair.page[1]->holds, &pair};
    assert_int_equal(kn_pool_init(&small, 0, memory[0], 64, 2), 0);
    assert_int_equal(kn_pool_init(&large, 3, memory[1], 128, 1), 0);
    assert_int_equal(kn_ring_join(&pair.out, &pair, &pair.page[1]->cursor), 0);
    assert_int_equal(send_chunk(&pair, &small, &holds), 1);
    uint32_t ref = send_chunk(&pair, &large, &holds);
    assert_int_equal(kn_ref_pool(ref), 3);
    assert_ptr_equal(kn_pool_find((uint8_t *)memory[1], 128, 1, ref, 128), memory[1]);
    assert_int_equal(kn_pool_blocked(&small, 0, &holds), 1);
    assert_int_equal(kn_pool_blocked(&large, 1, &holds), 1);
    assert_int_equal(kn_pool_blocked(&large, 2, &holds), 0);
    int hold = kn_pool_hold(pair.page[1]->holds, ref);
    assert_int_equal(kn_pool_blocked(&large, 1, &holds), 1);
    assert_int_equal(kn_pool_blocked(&large, 2, &holds), 1);
    assert_int_equal(kn_pool_blocked(&small, 2, &holds), 0);
    kn_ring_next(&pair.in);
    kn_ring_next(&pair.in);
    kn_ring_tell(&pair.in);
    assert_int_equal(kn_ring_refresh(&pair.out, &owner), 0);
    assert_int_equal(send_chunk(&pair, &small, &holds), 2);
    assert_int_equal(send_chunk(&pair, &small, &holds), 1);
    void *chunk;
    assert_int_equal(kn_pool_take(&ref, &chunk, &large, &pair.out, &holds, 1), KOINE_EFULL);
    kn_pool_release(pair.page[1]->holds, hold);
    assert_int_equal(kn_pool_take(&ref, &chunk, &large, &pair.out, &holds, 1), 0);
    kn_pool_deinit(&small);
    kn_pool_deinit(&large);
    close_pair(&pair);
}

static void sixteen_holds_and_no_more(void **state)
{
    (void)state;
    struct pair pair;
    open_pair(&pair, 8);
    for (uint32_t i = 0; i < KN_HOLDS; i++)
        assert_int_equal(kn_pool_hold(pair.page[1]->holds, i + 1), (int)i);
    assert_int_equal(kn_pool_hold(pair.page[1]->holds, 77), KOINE_EHOLDS);
    close_pair(&pair);
}

static void references_that_lie_lead_nowhere(void **state)
{
    (void)state;
    static const struct {
        uint32_t ref, length;
    } lies[] = {{0, 8}, {5, 8}, {UINT32_MAX, 8}, {1, 65}, {4, UINT32_MAX}};
    uint8_t memory[256];
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        assert_null(kn_pool_find(memory, 64, 4, lies[i].ref, lies[i].length));
    assert_ptr_equal(kn_pool_find(memory, 64, 4, 4, 64), memory + 192);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_can_write_shrink_or_grow_a_segment),
        cmocka_unit_test(the_caller_writes_what_the_server_made),
        cmocka_unit_test(what_is_no_whole_segment_is_refused),
        cmocka_unit_test(segments_are_not_inherited),
        cmocka_unit_test(a_full_ring_waits_for_its_slowest_reader),
        cmocka_unit_test(a_reader_that_lies_is_named),
        cmocka_unit_test(a_batch_is_seen_whole_or_not_at_all),
        cmocka_unit_test(a_reader_that_goes_on_has_moved),
        cmocka_unit_test(calls_cross_threads_whole_and_wake_the_sleeper),
        cmocka_unit_test(streams_cross_threads_whole_and_are_found_after_a_nap),
        cmocka_unit_test(a_peer_that_always_sleeps_is_rung_a_bounded_number_of_times),
        cmocka_unit_test(a_message_of_the_peer_pays_for_a_ring),
        cmocka_unit_test(one_parking_is_rung_once),
        cmocka_unit_test(a_held_chunk_is_not_used_again),
        cmocka_unit_test(one_set_of_holds_serves_several_pools),
        cmocka_unit_test(sixteen_holds_and_no_more),
        cmocka_unit_test(references_that_lie_lead_nowhere),
    };
    return cmocka_run_group_tests_name("plane", tests, NULL, NULL);
}
