/* SPDX-License-Identifier: MIT */
#include "node/test-echo.h"
#include "node/test-server.h"

#include "base/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
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

static struct koine_ref *open_ref(struct koine_node *node)
{
    struct koine_ref *ref;
    assert_int_equal(koine_ref_open(&ref, node, "wire/echo", &wire_Echo, 0), 0);
    return ref;
}

/* And greeted at both ends. */
static struct koine_ref *open_ref_whole(struct koine_node *node)
{
    uint32_t noted;
    struct koine_ref *ref = open_ref(node);
    assert_int_equal(wire_Echo_noted(&noted, ref), 0);
    return ref;
}

static struct koine_octets octets(const uint8_t *data, uint32_t size)
{
    return (struct koine_octets){{data}, size, 0};
}

static int echo(struct koine_ref *ref, uint32_t size, uint32_t seed)
{
    uint8_t *data = test_data(size, seed);
    struct koine_octets in = octets(data, size), out = {0};
    int rc = wire_Echo_echo(&out, ref, &in);
    if (!rc && (out.length != size || memcmp(out.ptr, data, size)))
        rc = 1;
    free(data);
    return rc;
}

static int begin(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);
    test_make_dir();
    pair->echo = echo_start(NULL);
    pair->node = test_node();
    pair->ref = open_ref_whole(pair->node);
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

static void start_again(struct pair *pair, const struct echo_options *options)
{
    echo_stop(&pair->echo);
    pair->echo = echo_start(options);
    koine_ref_close(pair->ref);
    pair->ref = open_ref_whole(pair->node);
}

/* ---------------------------------------------------------------- every kind of message */

static void bodies_of_every_size_come_back_as_they_were(void **state)
{
    struct pair *pair = *state;
    static const uint32_t sizes[] = {64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB - 1,
                                     MIB,          MIB + 1,  5 * MIB,      16 * MIB};
    for (uint32_t round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            assert_int_equal(echo(pair->ref, sizes[i] - ROOT, round), 0);
}

static void what_is_larger_is_refused_with_both_numbers(void **state)
{
    struct pair *pair = *state;
    struct koine_octets out;
    assert_int_equal(echo(pair->ref, MOST + 1, 1), KOINE_ETOOBIG);
    assert_non_null(strstr(koine_node_why(pair->node), "16777217"));
    assert_non_null(strstr(koine_node_why(pair->node), "16777216"));
    assert_int_equal(wire_Echo_make(&out, pair->ref, MOST + 1), KOINE_EFAULT);
    const struct koine_fault *fault = koine_ref_fault(pair->ref);
    assert_int_equal(fault->code, KOINE_FAULT_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(fault->message, "16777217"));
    assert_int_equal(echo(pair->ref, MOST, 2), 0);
}

static void strings_and_many_strings_cross(void **state)
{
    struct pair *pair = *state;
    enum { COUNT = 100000, LENGTH = 6 * MIB };
    char *text = malloc(LENGTH + 1);
    struct koine_string *names = malloc(COUNT * sizeof *names), out;
    struct koine_seq_string back, in = KOINE_MANY(names, COUNT);
    memset(text, 'x', LENGTH);
    text[LENGTH] = 0;
    assert_int_equal(wire_Echo_text(&out, pair->ref, text), 0);
    assert_int_equal(out.length, LENGTH);
    assert_string_equal(out.ptr, text);
    for (uint32_t i = 0; i < COUNT; i++)
        names[i] = koine_string(text + LENGTH - i % 90);
    assert_int_equal(wire_Echo_names(&back, pair->ref, &in), 0);
    assert_int_equal(back.length, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_string_equal(back.ptr[i].ptr, names[i].ptr);
    free(text);
    free(names);
}

static void attributes_oneways_and_exceptions_are_as_large(void **state)
{
    struct pair *pair = *state;
    uint8_t *data = test_data(3 * MIB, 7);
    struct koine_octets in = octets(data, 3 * MIB), out;
    uint32_t noted;
    assert_int_equal(wire_Echo_set_blob(pair->ref, &in), 0);
    assert_int_equal(wire_Echo_get_blob(&out, pair->ref), 0);
    assert_true(out.length == in.length && !memcmp(out.ptr, data, in.length));
    for (int i = 0; i < 5; i++)
        assert_int_equal(wire_Echo_note(pair->ref, &in), 0);
    assert_int_equal(wire_Echo_noted(&noted, pair->ref), 0);
    assert_int_equal(noted, 5 * test_sum(data, in.length));
    assert_int_equal(wire_Echo_fail(pair->ref, 2 * MIB), KOINE_EFAULT);
    const struct koine_fault *fault = koine_ref_fault(pair->ref);
    assert_string_equal(fault->name, "wire::Large");
    assert_non_null(fault->value);
    const struct wire_Large *large = fault->value;
    assert_int_equal(large->data.length, 2 * MIB);
    assert_true(test_is_data(large->data.ptr, 2 * MIB, 2 * MIB));
    free(data);
}

static int never(void *self, struct koine_request *request)
{
    (void)self;
    (void)request;
    return KOINE_EPERM;
}

static void note_opened(void *arg, struct koine_ref *ref, int error)
{
    (void)ref;
    *(int *)arg = error;
}

/* In a process of its own; the exit status. */
static int read_description(const char *text, bool start)
{
    struct koine_node *node = test_node();
    const struct koine_interface *theirs;
    struct koine_ref *ref;
    const char *json;
    int opened = 1;
    int rc = start ? koine_ref_start(&ref, node, "wire/doc", NULL, 0, note_opened, &opened)
                   : koine_ref_open(&ref, node, "wire/doc", NULL, 0);
    while (!rc && start && opened == 1)
        (void)koine_node_process(node, KOINE_SECOND);
    if (rc || koine_ref_interface(&theirs, ref, 0) ||
        koine_call_text(&json, ref, "noted", NULL, 0) != KOINE_EFAULT)
        return 1;
    koine_ref_done(ref);
    koine_node_process(node, 0);
    return theirs->doc.length != MIB || strcmp(theirs->doc.ptr, text) ||
           theirs->features.ptr[wire_Echo_fail_index].raises.length != 1 ||
           test_is_shared(theirs->features.ptr[wire_Echo_fail_index].raises.ptr);
}

/* A description is kept for as long as the reference, so nothing of it may stay in the link. */
static void a_large_description_arrives_and_stays(void **state)
{
    struct pair *pair = *state;
    struct koine_service *service;
    struct koine_interface interface = *wire_Echo.interface;
    char *text = malloc(MIB + 1);
    memset(text, 'd', MIB);
    text[MIB] = 0;
    interface.doc = koine_string(text);
    struct koine_node *server = test_node();
    assert_int_equal(
        koine_service_open_generic(&service, server, "wire/doc", &interface, never, NULL, NULL), 0);
    for (int start = 0; start < 2; start++) {
        int status;
        pid_t pid = fork();
        if (!pid)
            _exit(read_description(text, start));
        while (!waitpid(pid, &status, WNOHANG))
            assert_true(koine_node_process(server, 10 * KOINE_MILLISECOND) >= 0);
        assert_int_equal(status, 0);
    }
    koine_node_close(server);
    free(text);
    (void)pair;
}

/* ---------------------------------------------------------------- how long a value lives */

struct seen {
    int count, wrong;
};

static void check_answer(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct seen *seen = arg;
    const struct wire_Echo_make_out *answer = out;
    (void)fault;
    seen->wrong +=
        error || !test_is_data(answer->return_.ptr, answer->return_.length, answer->return_.length);
    seen->count++;
}

static void start_make(struct pair *pair, uint32_t size, struct seen *seen)
{
    struct wire_Echo_make_in in = {size};
    assert_int_equal(koine_start(NULL, pair->ref, KOINE_REQUEST_CALL, wire_Echo_make_index, &in, 0,
                                 check_answer, seen),
                     0);
}

static void await(struct pair *pair, const struct seen *seen, int count)
{
    int64_t deadline = kn_now() + 20 * KOINE_SECOND;
    while (seen->count < count && kn_now() < deadline)
        assert_true(koine_node_process(pair->node, KOINE_SECOND) >= 0);
    assert_int_equal(seen->count, count);
    assert_int_equal(seen->wrong, 0);
}

/* Four chunks of a megabyte and as many holds: the fifth answer must find another place or wait. */
static void an_answer_stays_until_it_is_given_back(void **state)
{
    struct pair *pair = *state;
    struct koine_octets kept;
    struct seen seen = {0};
    assert_int_equal(wire_Echo_make(&kept, pair->ref, MIB - ROOT), 0);
    for (int i = 0; i < 12; i++)
        start_make(pair, MIB - ROOT - (uint32_t)i, &seen);
    await(pair, &seen, 12);
    assert_true(test_is_data(kept.ptr, kept.length, MIB - ROOT));
    koine_ref_done(pair->ref);
    assert_int_equal(wire_Echo_make(&kept, pair->ref, MOST), 0);
    for (int i = 0; i < 3; i++)
        start_make(pair, MOST - (uint32_t)i, &seen);
    await(pair, &seen, 15);
    assert_true(test_is_data(kept.ptr, kept.length, MOST));
}

static void note_sum(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    const struct wire_Echo_keep_out *answer = out;
    (void)fault;
    *(int64_t *)arg = error ? error : (int64_t)answer->return_;
}

static void start_keep(struct pair *pair, const uint8_t *data, uint32_t size, int64_t *sum)
{
    struct wire_Echo_keep_in in = {octets(data, size)};
    assert_int_equal(koine_start(NULL, pair->ref, KOINE_REQUEST_CALL, wire_Echo_keep_index, &in, 0,
                                 note_sum, sum),
                     0);
}

static void arguments_stay_until_the_answer(void **state)
{
    struct pair *pair = *state;
    static const uint32_t sizes[] = {MIB - ROOT, MOST};
    for (int k = 0; k < 2; k++) {
        uint8_t *data = test_data(sizes[k], 3);
        int64_t sum = -1000;
        start_keep(pair, data, sizes[k], &sum);
        for (uint32_t i = 0; i < 9; i++)
            assert_int_equal(echo(pair->ref, sizes[k] - i, i), 0);
        assert_int_equal(echo_kept(&pair->echo), (int)test_sum(data, sizes[k]));
        assert_int_equal(wire_Echo_release(pair->ref), 0);
        while (sum == -1000)
            assert_true(koine_node_process(pair->node, KOINE_SECOND) >= 0);
        assert_int_equal(sum, test_sum(data, sizes[k]));
        free(data);
    }
}

static void call_inside(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct pair *pair = arg;
    const struct wire_Echo_make_out *answer = out;
    (void)fault;
    assert_int_equal(error, 0);
    assert_int_equal(echo(pair->ref, MOST, 5), 0);
    assert_true(test_is_data(answer->return_.ptr, MOST, MOST));
    koine_ref_done(pair->ref);
    koine_node_stop(pair->node);
}

static void a_call_inside_a_callback_leaves_its_value_alone(void **state)
{
    struct pair *pair = *state;
    struct wire_Echo_make_in in = {MOST};
    assert_int_equal(koine_start(NULL, pair->ref, KOINE_REQUEST_CALL, wire_Echo_make_index, &in, 0,
                                 call_inside, pair),
                     0);
    assert_int_equal(koine_node_run(pair->node), 0);
}

/* ---------------------------------------------------------------- what it costs */

static void large_bodies_leave_nothing_and_small_ones_need_nothing(void **state)
{
    struct pair *pair = *state;
    struct echo_report before, between, after;
    int fds = test_fds(), maps = test_maps();
    struct koine_ref *ref = open_ref_whole(pair->node);
    echo_report(&before, &pair->echo);
    assert_int_equal(echo(ref, 64 * KIB - ROOT, 1), 0);
    echo_report(&between, &pair->echo);
    assert_int_equal(between.fds, before.fds);
    assert_int_equal(between.maps, before.maps);
    assert_int_equal(echo(ref, MOST, 1), 0);
    assert_int_equal(echo(ref, MIB - ROOT, 1), 0);
    echo_report(&between, &pair->echo);
    assert_int_equal(between.fds, before.fds);
    assert_int_equal(between.maps, before.maps + 4);
    koine_ref_close(ref);
    assert_int_equal(koine_node_process(pair->node, 0), 0);
    assert_int_equal(test_fds(), fds);
    assert_int_equal(test_maps(), maps);
    int64_t deadline = kn_now() + 10 * KOINE_SECOND;
    do
        echo_report(&after, &pair->echo);
    while (after.maps > before.maps - 2 && kn_now() < deadline);
    assert_int_equal(after.maps, before.maps - 2);
    assert_int_equal(after.links, 1);
}

static void many_clients_send_large_bodies_at_once(void **state)
{
    struct pair *pair = *state;
    pid_t pids[6];
    for (uint32_t i = 0; i < 6; i++) {
        pids[i] = fork();
        if (pids[i])
            continue;
        struct koine_node *node = test_node();
        struct koine_ref *ref = open_ref(node);
        int wrong = 0;
        for (uint32_t k = 0; k < 12; k++)
            wrong += echo(ref, k % 4 ? MIB - k : 3 * MIB + k, i * 100 + k) != 0;
        koine_node_close(node);
        _exit(wrong);
    }
    for (int i = 0; i < 6; i++) {
        int status;
        waitpid(pids[i], &status, 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(echo(pair->ref, MIB, 0), 0);
}

/* ---------------------------------------------------------------- death */

static void a_service_killed_on_a_large_body_fails_its_caller_at_once(void **state)
{
    struct pair *pair = *state;
    uint8_t *data = test_data(MOST, 1);
    struct koine_octets in = octets(data, MOST);
    int fds = test_fds(), maps = test_maps();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wire_Echo_die(pair->ref, &in), KOINE_EDOWN);
        echo_kill(&pair->echo);
        pair->echo = echo_start(NULL);
        assert_int_equal(echo(pair->ref, MIB - ROOT, (uint32_t)i), 0);
    }
    koine_ref_done(pair->ref);
    assert_int_equal(test_fds(), fds);
    assert_int_equal(test_maps(), maps + 2);
    free(data);
}

static void an_answer_outlives_its_service(void **state)
{
    struct pair *pair = *state;
    struct koine_octets out;
    assert_int_equal(wire_Echo_make(&out, pair->ref, MOST), 0);
    echo_kill(&pair->echo);
    while (koine_node_process(pair->node, 50 * KOINE_MILLISECOND) > 0)
        ;
    assert_true(test_is_data(out.ptr, MOST, MOST));
    pair->echo = echo_start(NULL);
    assert_int_equal(echo(pair->ref, MIB, 1), 0);
}

static void killed_callers_leave_nothing_but_what_is_kept(void **state)
{
    struct pair *pair = *state;
    struct echo_report before, after;
    echo_report(&before, &pair->echo);
    int sum = -1, status;
    for (int i = 0; i < 4; i++) {
        pid_t pid = fork();
        if (!pid) {
            struct pair own = {.node = test_node()};
            own.ref = open_ref(own.node);
            uint8_t *data = test_data(MOST, 9);
            int64_t answer = -1000;
            start_keep(&own, data, MOST, &answer);
            if (echo(own.ref, MIB, 1))
                _exit(1);
            raise(SIGKILL);
        }
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        int64_t deadline = kn_now() + 10 * KOINE_SECOND;
        do
            echo_report(&after, &pair->echo);
        while (after.links > 1 && kn_now() < deadline);
        int kept = echo_kept(&pair->echo);
        assert_true(kept > 0 && (sum < 0 || kept == sum));
        sum = kept;
        assert_int_equal(wire_Echo_release(pair->ref), 0);
    }
    echo_report(&after, &pair->echo);
    assert_int_equal(after.links, 1);
    assert_int_equal(after.fds, before.fds);
    assert_int_equal(after.maps, before.maps);
}

static void a_forked_child_has_none_of_it(void **state)
{
    struct pair *pair = *state;
    struct koine_octets out;
    int status;
    assert_int_equal(wire_Echo_make(&out, pair->ref, MIB), 0);
    pid_t pid = fork();
    if (!pid)
        _exit(test_maps() || wire_Echo_make(&out, pair->ref, MIB) != KOINE_EFORKED);
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_true(test_is_data(out.ptr, MIB, MIB));
    assert_int_equal(echo(pair->ref, MOST, 1), 0);
}

/* ---------------------------------------------------------------- no memory */

static void a_caller_without_memory_gets_an_error_and_goes_on(void **state)
{
    struct pair *pair = *state;
    struct echo_report report;
    int status;
    pid_t pid = fork();
    if (!pid) {
        struct koine_node *node = test_node();
        struct koine_ref *ref = open_ref(node);
        struct koine_octets out;
        test_make_poor(8 * MIB);
        int wrong = echo(ref, MIB - ROOT, 1) != 0;
        for (int i = 0; i < 3; i++) {
            wrong += echo(ref, MOST, 1) != KOINE_ENOMEM;
            wrong += !strstr(koine_node_why(node), "16777216");
            wrong += echo(ref, 1000, 1) != 0;
        }
        wrong += wire_Echo_make(&out, ref, MOST) != 0;
        _exit(wrong);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    echo_report(&report, &pair->echo);
    assert_int_equal(report.protocol_errors, 0);
}

static void a_service_without_memory_answers_a_fault_and_goes_on(void **state)
{
    struct pair *pair = *state;
    struct koine_octets out;
    struct echo_options poor = {.service = {.size = sizeof poor.service}, .poor = true};
    start_again(pair, &poor);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wire_Echo_make(&out, pair->ref, 100 * KIB), KOINE_EFAULT);
        assert_int_equal(koine_ref_fault(pair->ref)->code, KOINE_FAULT_RESOURCE_EXHAUSTED);
        assert_int_equal(wire_Echo_fail(pair->ref, 100 * KIB), KOINE_EFAULT);
        assert_int_equal(koine_ref_fault(pair->ref)->code, KOINE_FAULT_RESOURCE_EXHAUSTED);
        assert_int_equal(echo(pair->ref, 60 * KIB, 1), 0);
    }
}

static void memory_for_answers_is_limited(void **state)
{
    struct pair *pair = *state;
    struct koine_octets out;
    struct echo_options tight = {.service = {.size = sizeof tight.service}, .max_octets = 21 * MIB};
    start_again(pair, &tight);
    assert_int_equal(wire_Echo_make(&out, pair->ref, MIB), 0);
    assert_int_equal(wire_Echo_make(&out, pair->ref, MIB - ROOT), 0);
    struct koine_ref *second = open_ref(pair->node);
    assert_int_equal(wire_Echo_make(&out, second, MIB - ROOT), KOINE_EFAULT);
    assert_int_equal(koine_ref_fault(second)->code, KOINE_FAULT_RESOURCE_EXHAUSTED);
    koine_ref_close(pair->ref);
    int64_t deadline = kn_now() + 10 * KOINE_SECOND;
    struct echo_report report;
    do
        echo_report(&report, &pair->echo);
    while (report.links > 1 && kn_now() < deadline);
    assert_int_equal(wire_Echo_make(&out, second, MIB - ROOT), 0);
    assert_int_equal(wire_Echo_make(&out, second, MOST), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bodies_of_every_size_come_back_as_they_were),
        TEST(what_is_larger_is_refused_with_both_numbers),
        TEST(strings_and_many_strings_cross),
        TEST(attributes_oneways_and_exceptions_are_as_large),
        TEST(a_large_description_arrives_and_stays),
        TEST(an_answer_stays_until_it_is_given_back),
        TEST(arguments_stay_until_the_answer),
        TEST(a_call_inside_a_callback_leaves_its_value_alone),
        TEST(large_bodies_leave_nothing_and_small_ones_need_nothing),
        TEST(many_clients_send_large_bodies_at_once),
        TEST(a_service_killed_on_a_large_body_fails_its_caller_at_once),
        TEST(an_answer_outlives_its_service),
        TEST(killed_callers_leave_nothing_but_what_is_kept),
        TEST(a_forked_child_has_none_of_it),
        TEST(a_caller_without_memory_gets_an_error_and_goes_on),
        TEST(a_service_without_memory_answers_a_fault_and_goes_on),
        TEST(memory_for_answers_is_limited),
    };
    return cmocka_run_group_tests_name("bodies", tests, NULL, NULL);
}
