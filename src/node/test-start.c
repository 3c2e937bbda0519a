/* SPDX-License-Identifier: MIT
 *
 * Calls that are started without waiting. The service is stopped (SIGSTOP) where nothing may move.
 */
#include "node/test-echo.h"
#include "node/test-server.h"

#include "base/clock.h"
#include "node/internal.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { MIB = 1 << 20, ROOT = 16, MOST = 16 * MIB - ROOT };

struct pair {
    struct echo echo;
    struct koine_node *node;
    struct koine_ref *ref;
};

static int begin(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);
    uint32_t noted;
    test_make_dir();
    pair->echo = echo_start(NULL);
    pair->node = test_node();
    assert_int_equal(koine_ref_open(&pair->ref, pair->node, "wire/echo", &wire_Echo, 0), 0);
    assert_int_equal(wire_Echo_noted(&noted, pair->ref), 0);
    *state = pair;
    return 0;
}

static int end(void **state)
{
    struct pair *pair = *state;
    koine_node_close(pair->node);
    if (pair->echo.pid)
        echo_stop(&pair->echo);
    test_remove_dir();
    free(pair);
    return 0;
}

static void freeze(const struct pair *pair)
{
    int status;
    kill(pair->echo.pid, SIGSTOP);
    assert_int_equal(waitpid(pair->echo.pid, &status, WUNTRACED), pair->echo.pid);
}

static void thaw(const struct pair *pair)
{
    kill(pair->echo.pid, SIGCONT);
}

/* Answers must come in the order of the calls: call n asks for n octets. */
struct seen {
    uint32_t count, wrong, errors;
    int error;
};

static void note(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct seen *seen = arg;
    const struct wire_Echo_make_out *answer = out;
    (void)fault;
    seen->error = error;
    seen->errors += error != 0;
    if (!error)
        seen->wrong += answer->return_.length != seen->count;
    seen->count++;
}

static int start_make(const struct pair *pair, uint32_t size, struct seen *seen)
{
    struct wire_Echo_make_in in = {size};
    return koine_start(NULL, pair->ref, KOINE_REQUEST_CALL, wire_Echo_make_index, &in, 0, note,
                       seen);
}

static void await(const struct pair *pair, const struct seen *seen, uint32_t count)
{
    int64_t deadline = kn_now() + 20 * KOINE_SECOND;
    while (seen->count < count && kn_now() < deadline)
        assert_true(koine_node_process(pair->node, KOINE_SECOND) >= 0);
    assert_int_equal(seen->count, count);
}

static void calls_wait_in_their_order_and_not_the_caller(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    uint32_t started = 0, noted;
    int rc;
    freeze(pair);
    while (!(rc = start_make(pair, started, &seen)) && started < 4 * KN_LATE_MAX)
        started++;
    assert_int_equal(rc, KOINE_EFULL);
    /* Stopped before it slept, the service may not have told yet what it has read. */
    assert_in_range(started, KN_LINK_SLOTS + KN_LATE_MAX - 4, KN_LINK_SLOTS + KN_LATE_MAX);
    assert_non_null(strstr(koine_node_why(pair->node), "wait for room"));
    thaw(pair);
    assert_int_equal(wire_Echo_noted(&noted, pair->ref), 0);
    assert_int_equal(seen.count, started);
    assert_int_equal(seen.wrong, 0);
    assert_int_equal(start_make(pair, started, &seen), 0);
    await(pair, &seen, started + 1);
}

static void check_echo(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct seen *seen = arg;
    const struct wire_Echo_echo_out *answer = out;
    (void)fault;
    seen->error = error;
    seen->wrong +=
        !error && !test_is_data(answer->return_.ptr, answer->return_.length, seen->count);
    seen->count++;
}

static int start_echo(const struct pair *pair, uint32_t size, uint32_t seed, struct seen *seen)
{
    uint8_t *data = test_data(size, seed);
    struct wire_Echo_echo_in in = {{{data}, size, 0}};
    int rc = koine_start(NULL, pair->ref, KOINE_REQUEST_CALL, wire_Echo_echo_index, &in, 0,
                         check_echo, seen);
    free(data);
    return rc;
}

static void as_many_octets_wait_as_two_of_the_largest_have(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    freeze(pair);
    assert_int_equal(start_echo(pair, MOST, 0, &seen), 0);
    assert_int_equal(start_echo(pair, MOST, 1, &seen), 0);
    assert_int_equal(start_echo(pair, MOST, 2, &seen), KOINE_EFULL);
    assert_int_equal(start_echo(pair, 100, 2, &seen), KOINE_EFULL);
    thaw(pair);
    await(pair, &seen, 2);
    assert_int_equal(start_echo(pair, MOST, 2, &seen), 0);
    assert_int_equal(start_echo(pair, 100, 3, &seen), 0);
    await(pair, &seen, 4);
    assert_int_equal(seen.wrong, 0);
    assert_int_equal(seen.error, 0);
}

static void fill_ring(const struct pair *pair, struct seen *seen)
{
    for (uint32_t i = 0; i < KN_LINK_SLOTS; i++)
        assert_int_equal(start_make(pair, i, seen), 0);
}

static uint64_t calls_of(const struct pair *pair)
{
    struct echo_report report;
    echo_report(&report, &pair->echo);
    return report.calls;
}

static void a_queued_call_that_is_cancelled_is_never_sent(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0}, other = {0};
    struct koine_pending *pending;
    struct wire_Echo_make_in in = {5};
    uint64_t before = calls_of(pair);
    freeze(pair);
    fill_ring(pair, &seen);
    assert_int_equal(koine_start(&pending, pair->ref, KOINE_REQUEST_CALL, wire_Echo_make_index, &in,
                                 0, note, &other),
                     0);
    assert_int_equal(start_make(pair, KN_LINK_SLOTS, &seen), 0);
    assert_int_equal(koine_cancel(pending), 0);
    assert_int_equal(other.error, KOINE_ECANCELLED);
    thaw(pair);
    await(pair, &seen, KN_LINK_SLOTS + 1);
    assert_int_equal(seen.wrong, 0);
    assert_int_equal(other.count, 1);
    assert_int_equal(calls_of(pair), before + KN_LINK_SLOTS + 1);
}

static void a_queued_call_whose_deadline_passes_is_never_sent(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0}, other = {0};
    struct wire_Echo_make_in in = {5};
    uint64_t before = calls_of(pair);
    freeze(pair);
    fill_ring(pair, &seen);
    assert_int_equal(koine_start(NULL, pair->ref, KOINE_REQUEST_CALL, wire_Echo_make_index, &in,
                                 KOINE_MILLISECOND, note, &other),
                     0);
    await(pair, &other, 1);
    assert_int_equal(other.error, KOINE_EDEADLINE);
    thaw(pair);
    await(pair, &seen, KN_LINK_SLOTS);
    assert_int_equal(calls_of(pair), before + KN_LINK_SLOTS);
}

/* With calls that wait for room the node still parks, and the descriptor tells when to try again. */
static void a_foreign_loop_sleeps_while_calls_wait_for_room(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct pollfd polled = {.fd = koine_node_fd(pair->node), .events = POLLIN};
    int turns = 0;
    freeze(pair);
    fill_ring(pair, &seen);
    assert_int_equal(start_make(pair, KN_LINK_SLOTS, &seen), 0);
    while (koine_node_process(pair->node, 0) && turns < 1000)
        turns++;
    assert_in_range(turns, 0, 999);
    thaw(pair);
    while (seen.count <= KN_LINK_SLOTS) {
        assert_int_equal(poll(&polled, 1, 10000), 1);
        while (koine_node_process(pair->node, 0))
            ;
    }
    assert_int_equal(seen.wrong, 0);
}

static void queued_calls_end_with_their_service(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    freeze(pair);
    fill_ring(pair, &seen);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(start_make(pair, KN_LINK_SLOTS + i, &seen), 0);
    echo_kill(&pair->echo);
    pair->echo.pid = 0;
    await(pair, &seen, KN_LINK_SLOTS + 10);
    assert_int_equal(seen.error, KOINE_EDOWN);
}

/* A caller that reads no answers stops the service's reading of its calls, and nothing else. */
static void who_reads_no_answers_harms_only_himself(void **state)
{
    struct pair *pair = *state;
    enum { ANSWER = 60 << 10, CALLS = 1000, LOOKS = 50 };
    struct seen seen = {0};
    struct koine_node *node = test_node();
    struct pair other = {.echo = pair->echo, .node = node};
    uint32_t noted;
    assert_int_equal(koine_ref_open(&other.ref, node, "wire/echo", &wire_Echo, 0), 0);
    for (uint32_t i = 0; i < CALLS; i++)
        assert_int_equal(start_make(pair, ANSWER, &seen), 0);
    uint64_t before = 0, now;
    for (int same = 0; same < LOOKS; same++) {
        kn_late_send(pair->ref->link);
        now = calls_of(pair);
        same = now == before ? same : 0;
        before = now;
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(wire_Echo_noted(&noted, other.ref), 0);
    assert_true(calls_of(pair) < CALLS / 2);
    await(pair, &seen, CALLS);
    assert_int_equal(seen.errors, 0);
    koine_node_close(node);
}

static void a_queued_call_without_memory_ends_with_that_error(void **state)
{
    struct pair *pair = *state;
    int status;
    pid_t pid = fork();
    if (!pid) {
        struct pair own = {.node = test_node()};
        struct seen large = {0}, small = {0};
        if (koine_ref_open(&own.ref, own.node, "wire/echo", &wire_Echo, 0))
            _exit(1);
        test_make_poor(8 * MIB);
        if (start_echo(&own, MOST, 0, &large) || start_echo(&own, 100, 0, &small))
            _exit(2);
        while (!small.count)
            (void)koine_node_process(own.node, KOINE_SECOND);
        _exit(large.error != KOINE_ENOMEM || small.error || small.wrong);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    (void)pair;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_wait_in_their_order_and_not_the_caller),
        TEST(as_many_octets_wait_as_two_of_the_largest_have),
        TEST(a_queued_call_that_is_cancelled_is_never_sent),
        TEST(a_queued_call_whose_deadline_passes_is_never_sent),
        TEST(a_foreign_loop_sleeps_while_calls_wait_for_room),
        TEST(queued_calls_end_with_their_service),
        TEST(who_reads_no_answers_harms_only_himself),
        TEST(a_queued_call_without_memory_ends_with_that_error),
    };
    return cmocka_run_group_tests_name("start", tests, NULL, NULL);
}
