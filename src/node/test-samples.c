/* SPDX-License-Identifier: MIT */
#include "node/internal.h"
#include "node/test-echo.h"
#include "node/test-server.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { KIB = 1 << 10, MIB = 1 << 20, ROOT = 16, MOST = 16 * MIB - ROOT };

struct pair {
    struct echo echo;
    struct koine_node *node;
    struct koine_ref *ref;
};

/* Every subscription of a test, given back at its end. */
static struct koine_sub *subs[16];

static struct koine_sub *keep(struct koine_sub *sub)
{
    for (size_t i = 0; i < sizeof subs / sizeof *subs; i++) {
        if (subs[i])
            continue;
        return subs[i] = sub;
    }
    abort();
}

static struct koine_sub *subscribe(struct pair *pair)
{
    struct koine_sub *sub;
    assert_int_equal(koine_subscribe(&sub, pair->ref, wire_Echo_frame_index, 0), 0);
    return keep(sub);
}

static void unsubscribe(const struct koine_sub *sub)
{
    for (size_t i = 0; i < sizeof subs / sizeof *subs; i++)
        if (!sub || subs[i] == sub)
            subs[i] = koine_unsubscribe(subs[i]);
}

static void open_all(struct pair *pair, const struct echo_options *options)
{
    uint32_t noted;
    pair->echo = echo_start(options);
    pair->node = test_node();
    assert_int_equal(koine_ref_open(&pair->ref, pair->node, "wire/echo", &wire_Echo, 0), 0);
    assert_int_equal(wire_Echo_noted(&noted, pair->ref), 0);
}

static int begin(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);
    test_make_dir();
    open_all(pair, NULL);
    *state = pair;
    return 0;
}

static int end(void **state)
{
    struct pair *pair = *state;
    unsubscribe(NULL);
    koine_node_close(pair->node);
    if (pair->echo.pid)
        echo_stop(&pair->echo);
    test_remove_dir();
    free(pair);
    return 0;
}

static void start_again(struct pair *pair, const struct echo_options *options)
{
    unsubscribe(NULL);
    koine_node_close(pair->node);
    echo_stop(&pair->echo);
    open_all(pair, options);
}

static bool is_frame(const struct koine_sample *sample, uint32_t size, uint32_t seed)
{
    const struct wire_Echo_frame *frame = koine_sample_value(sample);
    return frame->data.length == size && test_is_data(frame->data.ptr, size, seed);
}

static struct koine_sample *take(struct koine_sub *sub, uint32_t size, uint32_t seed)
{
    struct koine_sample *sample;
    assert_int_equal(koine_event_wait(&sample, sub, 10 * KOINE_SECOND), 0);
    assert_true(is_frame(sample, size, seed));
    assert_int_equal(koine_sample_lost(sample), 0);
    return sample;
}

static void take_and_release(struct koine_sub *sub, uint32_t size, uint32_t seed)
{
    assert_int_equal(koine_sample_release(take(sub, size, seed)), 0);
}

static const uint32_t sizes[] = {64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB - 1,
                                 MIB,          MIB + 1,  16 * MIB};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void samples_of_every_size_reach_all_readers(void **state)
{
    struct pair *pair = *state;
    struct koine_sub *first = subscribe(pair), *second = subscribe(pair);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < SIZES; i++) {
            assert_int_equal(echo_publish(&pair->echo, sizes[i] - ROOT, i, 1), 0);
            take_and_release(first, sizes[i] - ROOT, i);
            take_and_release(second, sizes[i] - ROOT, i);
        }
    }
    assert_int_equal(echo_publish(&pair->echo, MOST + 1, 0, 1), KOINE_ETOOBIG);
    assert_int_equal(echo_publish(&pair->echo, 100, 1, 1), 0);
    take_and_release(first, 100, 1);
    struct koine_sub *late = subscribe(pair);
    assert_int_equal(echo_publish(&pair->echo, MOST, 4, 1), 0);
    assert_int_equal(echo_publish(&pair->echo, MIB - ROOT, 5, 1), 0);
    take_and_release(late, MOST, 4);
    take_and_release(late, MIB - ROOT, 5);
}

static void an_entry_that_is_used_again_starts_anew(void **state)
{
    struct pair *pair = *state;
    for (uint32_t i = 0; i < 5; i++) {
        struct koine_sub *sub = subscribe(pair);
        assert_int_equal(echo_publish(&pair->echo, MIB - ROOT, i, 1), 0);
        if (i & 1)
            take_and_release(sub, MIB - ROOT, i);
        unsubscribe(sub);
    }
}

/* What was kept when the subscription ended is kept by nobody. */
static void an_entry_that_is_used_again_holds_nothing(void **state)
{
    struct pair *pair = *state;
    struct echo_report report;
    for (uint32_t i = 0; i < 20; i++) {
        struct koine_sub *sub = subscribe(pair);
        assert_int_equal(echo_publish(&pair->echo, MIB - ROOT, i, 1), 0);
        (void)take(sub, MIB - ROOT, i);
        unsubscribe(sub);
    }
    echo_report(&report, &pair->echo);
    assert_int_equal(report.dropped, 0);
}

static void an_attribute_as_large_is_watched(void **state)
{
    struct pair *pair = *state;
    struct koine_sub *sub;
    struct koine_sample *sample;
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t *data = test_data(3 * MIB, i);
        struct koine_octets in = {{data}, 3 * MIB, 0};
        assert_int_equal(wire_Echo_set_blob(pair->ref, &in), 0);
        if (!i) {
            assert_int_equal(wire_Echo_watch_blob(&sub, pair->ref), 0);
            keep(sub);
        }
        assert_int_equal(koine_event_wait(&sample, sub, 10 * KOINE_SECOND), 0);
        const struct koine_octets *value = koine_sample_value(sample);
        assert_true(value->length == 3 * MIB && !memcmp(value->ptr, data, 3 * MIB));
        assert_int_equal(koine_sample_release(sample), 0);
        free(data);
    }
}

/* ---------------------------------------------------------------- holding */

static void held_samples_stay_as_they_are(void **state)
{
    struct pair *pair = *state;
    struct koine_sub *sub = subscribe(pair);
    assert_int_equal(echo_publish(&pair->echo, MIB - ROOT, 1, 1), 0);
    struct koine_sample *first = take(sub, MIB - ROOT, 1);
    assert_int_equal(echo_publish(&pair->echo, MOST, 2, 1), 0);
    struct koine_sample *second = take(sub, MOST, 2);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(echo_publish(&pair->echo, i & 1 ? MIB - ROOT : MOST, i, 1), 0);
        take_and_release(sub, i & 1 ? MIB - ROOT : MOST, i);
    }
    assert_true(is_frame(first, MIB - ROOT, 1));
    assert_true(is_frame(second, MOST, 2));
    assert_int_equal(koine_sample_release(first), 0);
    assert_int_equal(koine_sample_release(second), 0);
}

/* Who holds the last chunks is dropped, and nobody else. */
static void hold_for_ever(struct pair *pair, const struct echo_options *options)
{
    struct koine_sample *held[2], *none;
    start_again(pair, options);
    struct koine_node *node = test_node();
    struct pair greedy = {.echo = pair->echo, .node = node};
    assert_int_equal(koine_ref_open(&greedy.ref, node, "wire/echo", &wire_Echo, 0), 0);
    struct koine_sub *slow = subscribe(&greedy), *sub = subscribe(pair);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(echo_publish(&pair->echo, MOST, i, 1), 0);
        held[i] = take(slow, MOST, i);
        take_and_release(sub, MOST, i);
    }
    for (uint32_t i = 2; i < 6; i++) {
        assert_int_equal(echo_publish(&pair->echo, MOST, i, 1), 0);
        take_and_release(sub, MOST, i);
    }
    assert_int_equal(koine_event_wait(&none, slow, 10 * KOINE_SECOND), KOINE_EDOWN);
    for (int i = 0; i < 2; i++)
        assert_int_equal(koine_sample_release(held[i]), KOINE_EREVOKED);
    struct echo_report report;
    echo_report(&report, &pair->echo);
    assert_int_equal(report.dropped, 1);
    unsubscribe(slow);
    koine_node_close(node);
}

static void who_holds_for_ever_is_dropped_after_a_while(void **state)
{
    struct echo_options options = {
        .service = {.size = sizeof options.service, .block = 30 * KOINE_MILLISECOND}};
    hold_for_ever(*state, &options);
}

static void or_at_once(void **state)
{
    struct echo_options options = {
        .service = {.size = sizeof options.service, .policy = KOINE_DISCONNECT_SLOW}};
    hold_for_ever(*state, &options);
}

/* Readers that keep up are not taken for slow because their cursors were not looked at. */
static void who_keeps_up_is_never_slow(void **state)
{
    struct pair *pair = *state;
    struct echo_options options = {
        .service = {.size = sizeof options.service, .policy = KOINE_DISCONNECT_SLOW}};
    start_again(pair, &options);
    struct koine_sub *sub = subscribe(pair);
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t size = i % 10 ? 30 * KIB : MIB - ROOT;
        assert_int_equal(echo_publish(&pair->echo, size, i, 1), 0);
        take_and_release(sub, size, i);
    }
}

/* ---------------------------------------------------------------- life and death */

static void read_what_was_left(struct pair *pair, bool death_first)
{
    struct koine_sample *none;
    struct koine_sub *sub = subscribe(pair);
    assert_int_equal(echo_publish(&pair->echo, MIB - ROOT, 1, 3), 0);
    assert_int_equal(echo_publish(&pair->echo, MOST, 7, 2), 0);
    echo_kill(&pair->echo);
    pair->echo.pid = 0;
    if (death_first)
        kn_link_died(&pair->ref->link->life, 0);
    for (uint32_t i = 0; i < 3; i++)
        take_and_release(sub, MIB - ROOT, 1 + i);
    for (uint32_t i = 0; i < 2; i++)
        take_and_release(sub, MOST, 7 + i);
    assert_int_equal(koine_event_wait(&none, sub, 10 * KOINE_SECOND), KOINE_EDOWN);
}

static void large_samples_of_a_killed_publisher_are_still_read(void **state)
{
    read_what_was_left(*state, false);
}

static void also_when_the_death_is_seen_before_the_socket_was_read(void **state)
{
    read_what_was_left(*state, true);
}

static void a_sample_outlives_its_publisher(void **state)
{
    struct pair *pair = *state;
    struct koine_sample *none;
    struct koine_sub *sub = subscribe(pair);
    assert_int_equal(echo_publish(&pair->echo, MOST, 1, 1), 0);
    struct koine_sample *held = take(sub, MOST, 1);
    echo_kill(&pair->echo);
    pair->echo.pid = 0;
    assert_int_equal(koine_event_wait(&none, sub, 10 * KOINE_SECOND), KOINE_EDOWN);
    assert_true(is_frame(held, MOST, 1));
    assert_int_equal(koine_sample_release(held), 0);
}

static void killed_readers_hold_nothing(void **state)
{
    struct pair *pair = *state;
    struct koine_sub *sub = subscribe(pair);
    for (uint32_t i = 0; i < 6; i++) {
        int gate[2], status;
        char octet;
        assert_int_equal(pipe(gate), 0);
        pid_t pid = fork();
        if (!pid) {
            struct pair own = {.node = test_node()};
            if (koine_ref_open(&own.ref, own.node, "wire/echo", &wire_Echo, 0))
                _exit(1);
            struct koine_sub *mine = subscribe(&own);
            if (write(gate[1], "s", 1) != 1)
                _exit(2);
            (void)take(mine, MOST, i);
            kill(getpid(), SIGKILL);
        }
        assert_int_equal(read(gate[0], &octet, 1), 1);
        assert_int_equal(echo_publish(&pair->echo, MOST, i, 1), 0);
        take_and_release(sub, MOST, i);
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        close(gate[0]);
        close(gate[1]);
    }
    struct echo_report report;
    echo_report(&report, &pair->echo);
    assert_int_equal(report.dropped, 0);
}

static void subscriptions_leave_nothing(void **state)
{
    struct pair *pair = *state;
    struct koine_sub *sub;
    int fds = test_fds(), maps = test_maps();
    for (uint32_t i = 0; i < 3; i++) {
        sub = subscribe(pair);
        assert_int_equal(echo_publish(&pair->echo, MOST, i, 1), 0);
        take_and_release(sub, MOST, i);
        unsubscribe(sub);
        assert_int_equal(test_fds(), fds);
        assert_int_equal(test_maps(), maps);
    }
}

static void a_publisher_without_memory_goes_on(void **state)
{
    struct pair *pair = *state;
    struct echo_options tight = {.service = {.size = sizeof tight.service}, .max_octets = 5 * MIB};
    start_again(pair, &tight);
    struct koine_sub *sub = subscribe(pair);
    assert_int_equal(echo_publish(&pair->echo, MOST, 1, 1), KOINE_ELIMIT);
    assert_int_equal(echo_publish(&pair->echo, MIB - ROOT, 1, 1), 0);
    take_and_release(sub, MIB - ROOT, 1);
    tight.max_octets = 0;
    tight.poor = true;
    start_again(pair, &tight);
    assert_int_equal(echo_publish(&pair->echo, 10, 0, 1), 0);
    assert_int_equal(koine_subscribe(&sub, pair->ref, wire_Echo_frame_index, 0), KOINE_ENOMEM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(samples_of_every_size_reach_all_readers),
        TEST(an_entry_that_is_used_again_starts_anew),
        TEST(an_entry_that_is_used_again_holds_nothing),
        TEST(an_attribute_as_large_is_watched),
        TEST(held_samples_stay_as_they_are),
        TEST(who_holds_for_ever_is_dropped_after_a_while),
        TEST(or_at_once),
        TEST(who_keeps_up_is_never_slow),
        TEST(large_samples_of_a_killed_publisher_are_still_read),
        TEST(also_when_the_death_is_seen_before_the_socket_was_read),
        TEST(a_sample_outlives_its_publisher),
        TEST(killed_readers_hold_nothing),
        TEST(subscriptions_leave_nothing),
        TEST(a_publisher_without_memory_goes_on),
    };
    return cmocka_run_group_tests_name("samples", tests, NULL, NULL);
}
