/* SPDX-License-Identifier: MIT
 *
 * The order of stores, as thread sanitizer sees it: both ends are threads on one mapping, because it is
 * blind across two, and payload is copied plainly here, because relaxed words are no race to it. Then it
 * is the stamp, the cursor and the hold alone that keep the two ends apart, and a plain store in place of
 * any of them must be reported. Without thread sanitizer only the right form runs.
 */
#include "base/copy.h"

static inline void plain_copy(void *to, const void *from, size_t length)
{
    memcpy(to, from, length);
}

#define kn_copy_in plain_copy
#include "plane/pool.h"
#include "plane/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { SLOTS = 8, CHUNKS = 3, CHUNK = 64, MESSAGES = 2000, REPORTED = 66 };

enum wrong { RIGHT, PLAIN_STAMP, PLAIN_CURSOR, PLAIN_HOLD, WRONGS };

struct ends {
    struct kn_control_page *page; /* the reader's */
    uint8_t *memory;              /* the writer's: slots, then chunks */
    struct kn_ring_out out;
    struct kn_ring_in in;
    struct kn_pool pool;
    enum wrong wrong;
};

static void *map(size_t size)
{
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        abort();
    return base;
}

/* A store as it would be if somebody forgot what it is for. */
static void store_plainly(void *word, uint64_t value, size_t size)
{
    if (size == sizeof(uint32_t))
        *(volatile uint32_t *)word = (uint32_t)value;
    else
        *(volatile uint64_t *)word = value;
}

static void publish(struct ends *ends, uint32_t ref)
{
    struct kn_slot *slot = kn_ring_slot(&ends->out);
    kn_pool_publish(&ends->pool, ref, ends->out.pos);
    if (ends->wrong != PLAIN_STAMP) {
        kn_ring_publish(&ends->out, 16, ref);
        return;
    }
    atomic_store_explicit(&slot->shape, 16 | (uint64_t)ref << 32, memory_order_relaxed);
    store_plainly(&slot->stamp, ++ends->out.pos, sizeof slot->stamp);
}

static void *write_all(void *arg)
{
    struct ends *ends = arg;
    struct kn_pool_holds holds = {ends->page->holds, ends};
    uint64_t words[2] = {0};
    uint32_t ref;
    void *chunk, *owner;
    while (words[0] < MESSAGES) {
        if (kn_ring_refresh(&ends->out, &owner))
            abort();
        if (!kn_ring_has_room(&ends->out) ||
            kn_pool_take(&ref, &chunk, &ends->pool, &ends->out, &holds, 1)) {
            sched_yield();
            continue;
        }
        words[0]++;
        plain_copy(chunk, words, sizeof words);
        plain_copy(kn_ring_slot(&ends->out)->payload, words, sizeof words);
        publish(ends, ref);
    }
    return NULL;
}

static void next(struct ends *ends)
{
    if (ends->wrong == PLAIN_CURSOR)
        store_plainly(ends->in.cursor, ++ends->in.pos, sizeof *ends->in.cursor);
    else {
        kn_ring_next(&ends->in);
        kn_ring_tell(&ends->in);
    }
}

static void release(struct ends *ends, int hold)
{
    if (ends->wrong == PLAIN_HOLD)
        store_plainly(&ends->page->holds[hold], 0, sizeof ends->page->holds[hold]);
    else
        kn_pool_release(ends->page->holds, hold);
}

/* 0, or 1 when a message was not whole. */
static int read_all(struct ends *ends)
{
    uint64_t words[KN_SLOT_ROOM / 8], held[2], expected = 0;
    uint32_t length, ref;
    int wrong = 0;
    while (expected < MESSAGES) {
        if (!kn_ring_has_more(&ends->in)) {
            sched_yield();
            continue;
        }
        kn_ring_take(&ends->in, words, &length, &ref);
        int hold = kn_pool_hold(ends->page->holds, ref);
        next(ends);
        const void *chunk = kn_pool_find(ends->pool.base, CHUNK, CHUNKS, ref, sizeof held);
        plain_copy(held, chunk, sizeof held);
        release(ends, hold);
        expected++;
        wrong |= words[0] != expected || held[0] != expected;
    }
    return wrong;
}

static int run(enum wrong wrong)
{
    struct ends ends = {.wrong = wrong};
    pthread_t writer;
    ends.page = map(sizeof *ends.page);
    ends.memory = map(SLOTS * KN_SLOT_SIZE + CHUNKS * CHUNK);
    kn_ring_out_init(&ends.out, ends.memory, SLOTS);
    kn_ring_in_init(&ends.in, ends.memory, SLOTS, &ends.page->cursor, 0);
    if (kn_ring_join(&ends.out, &ends, &ends.page->cursor) ||
        kn_pool_init(&ends.pool, 0, ends.memory + SLOTS * KN_SLOT_SIZE, CHUNK, CHUNKS) ||
        pthread_create(&writer, NULL, write_all, &ends))
        return 2;
    int torn = read_all(&ends);
    pthread_join(writer, NULL);
    kn_pool_deinit(&ends.pool);
    kn_ring_out_deinit(&ends.out);
    return torn;
}

/* In a program of its own, whose reports nobody needs to read. */
static int run_apart(enum wrong wrong)
{
    char number[] = {(char)('0' + wrong), 0}, self[] = "/proc/self/exe";
    char *arguments[] = {self, number, NULL};
    int status;
    pid_t pid = fork();
    if (!pid) {
        setenv("TSAN_OPTIONS", "exitcode=66:log_path=/dev/null", 1);
        execv(self, arguments);
        _exit(3);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_right_order_is_no_race(void **state)
{
    (void)state;
    assert_int_equal(run_apart(RIGHT), 0);
}

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif

#ifdef THREAD_SANITIZER
static void a_plain_store_for_any_release_is_reported(void **state)
{
    (void)state;
    for (int wrong = RIGHT + 1; wrong < WRONGS; wrong++)
        assert_int_equal(run_apart((enum wrong)wrong), REPORTED);
}
#endif

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_order_is_no_race),
#ifdef THREAD_SANITIZER
        cmocka_unit_test(a_plain_store_for_any_release_is_reported),
#endif
    };
    if (argc == 2)
        return run((enum wrong)(argv[1][0] - '0'));
    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
