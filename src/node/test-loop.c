/* SPDX-License-Identifier: MIT */
#include "node/test-server.h"

#include "thermostat.h"

#include "base/clock.h"
#include "node/names.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct loop {
    struct test_server server;
    struct koine_node *node;
    int pipe[2];
    struct koine_watch *watch;
    struct koine_timer *timer;
    struct koine_ref *ref;
    int ready, due, error;
    unsigned events;
};

static int begin(void **state)
{
    struct loop *loop = calloc(1, sizeof *loop);
    test_make_dir();
    loop->server = test_start(NULL);
    loop->node = test_node();
    loop->error = 1;
    assert_int_equal(pipe(loop->pipe), 0);
    *state = loop;
    return 0;
}

static int end(void **state)
{
    struct loop *loop = *state;
    koine_watch_close(loop->watch);
    koine_timer_close(loop->timer);
    koine_node_close(loop->node);
    close(loop->pipe[0]);
    close(loop->pipe[1]);
    if (loop->server.pid)
        test_stop(&loop->server);
    test_remove_dir();
    free(loop);
    return 0;
}

/* ---------------------------------------------------------------- descriptors and timers */

static void on_ready(void *arg, unsigned events)
{
    struct loop *loop = arg;
    char octet;
    loop->ready++;
    loop->events = events;
    assert_int_equal(read(loop->pipe[0], &octet, 1), 1);
    assert_int_equal(koine_node_run(loop->node), KOINE_EBUSY);
    assert_int_equal(koine_watch_change(loop->watch, 0), 0);
    koine_node_stop(loop->node);
}

static void on_due(void *arg)
{
    struct loop *loop = arg;
    loop->due++;
    koine_node_stop(loop->node);
}

static void open_both(struct loop *loop)
{
    assert_int_equal(
        koine_watch_open(&loop->watch, loop->node, loop->pipe[0], KOINE_READABLE, on_ready, loop),
        0);
    assert_int_equal(koine_timer_open(&loop->timer, loop->node, on_due, loop), 0);
}

static void a_foreign_descriptor_is_told_in_the_nodes_loop(void **state)
{
    struct loop *loop = *state;
    open_both(loop);
    assert_int_equal(write(loop->pipe[1], "x", 1), 1);
    assert_int_equal(koine_node_run(loop->node), 0);
    assert_int_equal(loop->ready, 1);
    assert_int_equal(loop->events, KOINE_READABLE);
}

static void a_watch_that_wants_nothing_is_silent_even_after_a_hang_up(void **state)
{
    struct loop *loop = *state;
    open_both(loop);
    assert_int_equal(koine_watch_change(loop->watch, 0), 0);
    assert_int_equal(write(loop->pipe[1], "x", 1), 1);
    close(loop->pipe[1]);
    loop->pipe[1] = dup(loop->pipe[0]);
    koine_timer_set(loop->timer, kn_now() + 5 * KOINE_MILLISECOND);
    assert_int_equal(koine_node_run(loop->node), 0);
    assert_int_equal(loop->ready, 0);
    assert_int_equal(loop->due, 1);
    assert_int_equal(koine_watch_change(loop->watch, KOINE_READABLE), 0);
    assert_int_equal(koine_node_run(loop->node), 0);
    assert_int_equal(loop->ready, 1);
}

static void what_cannot_be_watched_is_refused(void **state)
{
    struct loop *loop = *state;
    struct koine_watch *watch = NULL;
    FILE *file = tmpfile();
    assert_int_equal(
        koine_watch_open(&watch, loop->node, fileno(file), KOINE_READABLE, on_ready, loop),
        KOINE_ESYSTEM);
    assert_null(watch);
    fclose(file);
}

static void close_itself(void *arg, unsigned events)
{
    struct loop *loop = arg;
    (void)events;
    loop->ready++;
    loop->watch = koine_watch_close(loop->watch);
    koine_node_stop(loop->node);
}

static void a_watch_may_close_itself(void **state)
{
    struct loop *loop = *state;
    assert_int_equal(koine_watch_open(&loop->watch, loop->node, loop->pipe[0], KOINE_READABLE,
                                      close_itself, loop),
                     0);
    assert_int_equal(write(loop->pipe[1], "x", 1), 1);
    assert_int_equal(koine_node_run(loop->node), 0);
    while (koine_node_process(loop->node, 0))
        ;
    assert_int_equal(loop->ready, 1);
}

static void call_from_inside(void *arg, unsigned events)
{
    struct loop *loop = arg;
    int64_t sum;
    char octet;
    (void)events;
    assert_int_equal(read(loop->pipe[0], &octet, 1), 1);
    assert_int_equal(demo_Thermostat_add(&sum, loop->ref, 40, 2), 0);
    loop->ready = (int)sum;
    koine_node_stop(loop->node);
}

static void calls_may_be_made_inside_a_callback(void **state)
{
    struct loop *loop = *state;
    assert_int_equal(
        koine_ref_open(&loop->ref, loop->node, "plant/thermostat", &demo_Thermostat, 0), 0);
    assert_int_equal(koine_watch_open(&loop->watch, loop->node, loop->pipe[0], KOINE_READABLE,
                                      call_from_inside, loop),
                     0);
    assert_int_equal(write(loop->pipe[1], "x", 1), 1);
    assert_int_equal(koine_node_run(loop->node), 0);
    assert_int_equal(loop->ready, 42);
}

static void timers_run_in_their_order_and_not_when_taken_back(void **state)
{
    struct loop *loop = *state;
    open_both(loop);
    koine_timer_set(loop->timer, kn_now() + 3600 * KOINE_SECOND);
    koine_timer_set(loop->timer, KOINE_FOREVER);
    assert_int_equal(koine_node_process(loop->node, 0), 0);
    assert_int_equal(loop->due, 0);
    koine_timer_set(loop->timer, kn_now() - 1);
    assert_int_equal(koine_node_run(loop->node), 0);
    assert_int_equal(loop->due, 1);
    while (koine_node_process(loop->node, 0))
        ;
    assert_int_equal(loop->due, 1);
}

static void a_foreign_loop_learns_of_timers_by_the_nodes_descriptor(void **state)
{
    struct loop *loop = *state;
    open_both(loop);
    koine_timer_set(loop->timer, kn_now() + 20 * KOINE_MILLISECOND);
    struct pollfd polled = {.fd = koine_node_fd(loop->node), .events = POLLIN};
    while (!loop->due) {
        while (koine_node_process(loop->node, 0))
            ;
        if (!loop->due)
            assert_int_equal(poll(&polled, 1, 10000), 1);
    }
    koine_timer_set(loop->timer, KOINE_FOREVER);
    while (koine_node_process(loop->node, 0))
        ;
    assert_int_equal(poll(&polled, 1, 0), 0);
}

/* ---------------------------------------------------------------- opening without waiting */

static void on_open(void *arg, struct koine_ref *ref, int error)
{
    struct loop *loop = arg;
    assert_ptr_equal(ref, loop->ref);
    assert_int_equal(loop->error, 1);
    loop->error = error;
    if (error)
        loop->ref = koine_ref_close(ref);
    koine_node_stop(loop->node);
}

static void a_reference_opens_without_waiting(void **state)
{
    struct loop *loop = *state;
    const struct koine_interface *interface;
    const struct koine_face *faces[] = {NULL, &demo_Thermostat};
    for (int i = 0; i < 2; i++) {
        loop->error = 1;
        assert_int_equal(
            koine_ref_start(&loop->ref, loop->node, "plant/thermostat", faces[i], 0, on_open, loop),
            0);
        assert_int_equal(loop->error, 1);
        assert_int_equal(koine_node_run(loop->node), 0);
        assert_int_equal(loop->error, 0);
        assert_int_equal(koine_ref_interface(&interface, loop->ref, 0), 0);
        assert_string_equal(interface->name.ptr, "demo::Thermostat");
        int64_t sum;
        assert_int_equal(demo_Thermostat_add(&sum, loop->ref, 1, 2), 0);
        loop->ref = koine_ref_close(loop->ref);
    }
}

static void what_is_not_served_is_said_at_once(void **state)
{
    struct loop *loop = *state;
    assert_int_equal(
        koine_ref_start(&loop->ref, loop->node, "plant/nothing", NULL, 0, on_open, loop),
        KOINE_ENOENT);
    assert_int_equal(koine_ref_start(&loop->ref, loop->node, "no name", NULL, 0, on_open, loop),
                     KOINE_EINVAL);
    assert_int_equal(loop->error, 1);
}

/* A process that took the name and accepts, and says nothing. */
static int mute(struct kn_name_claim *claim)
{
    int listener;
    struct koine_why why;
    assert_int_equal(kn_name_take(claim, &listener, test_dir, "plant/mute", 0600, &why), 0);
    return listener;
}

static void a_service_that_says_nothing_ends_at_the_deadline(void **state)
{
    struct loop *loop = *state;
    struct kn_name_claim claim;
    int listener = mute(&claim);
    assert_int_equal(koine_ref_start(&loop->ref, loop->node, "plant/mute", NULL,
                                     20 * KOINE_MILLISECOND, on_open, loop),
                     0);
    assert_int_equal(koine_node_run(loop->node), 0);
    assert_int_equal(loop->error, KOINE_EDEADLINE);
    kn_name_give(&claim);
    close(listener);
}

/* Connections fill the listener's queue, which nobody empties. */
static void a_full_listener_is_asked_again_until_the_deadline(void **state)
{
    struct loop *loop = *state;
    struct kn_name_claim claim;
    struct koine_why why;
    int fds[600], count = 0, listener = mute(&claim);
    uid_t owner;
    assert_int_equal(listen(listener, 2), 0);
    while (count < 600 && !kn_name_connect(&fds[count], &owner, test_dir, "plant/mute", &why))
        count++;
    assert_in_range(count, 1, 599);
    assert_int_equal(koine_ref_start(&loop->ref, loop->node, "plant/mute", NULL, 0, on_open, loop),
                     KOINE_EAGAIN);
    assert_int_equal(
        koine_ref_open(&loop->ref, loop->node, "plant/mute", NULL, 20 * KOINE_MILLISECOND),
        KOINE_EDEADLINE);
    assert_non_null(strstr(koine_node_why(loop->node), "too many waiting connections"));
    while (count)
        close(fds[--count]);
    kn_name_give(&claim);
    close(listener);
}

static void a_service_that_hangs_up_is_down(void **state)
{
    struct loop *loop = *state;
    struct kn_name_claim claim;
    int listener = mute(&claim);
    assert_int_equal(koine_ref_start(&loop->ref, loop->node, "plant/mute", NULL, 0, on_open, loop),
                     0);
    kn_name_give(&claim);
    close(listener);
    assert_int_equal(koine_node_run(loop->node), 0);
    assert_int_equal(loop->error, KOINE_EDOWN);
}

static void a_reference_closed_while_it_opens_tells_nobody(void **state)
{
    struct loop *loop = *state;
    for (int turns = 0; turns < 4; turns++) {
        assert_int_equal(
            koine_ref_start(&loop->ref, loop->node, "plant/thermostat", NULL, 0, on_open, loop), 0);
        for (int i = 0; i < turns; i++)
            (void)koine_node_process(loop->node, 0);
        koine_ref_close(loop->ref);
        while (koine_node_process(loop->node, 0))
            ;
    }
    assert_int_equal(loop->error, 1);
}

static void another_interface_is_named(void **state)
{
    struct loop *loop = *state;
    struct koine_interface other = *demo_Thermostat.interface;
    struct koine_face face = {.interface = &other};
    struct koine_feature features[64];
    memcpy(features, other.features.ptr, other.features.length * sizeof *features);
    features[0].name = (struct koine_string)KOINE_TEXT("set_wish");
    other.features.ptr = features;
    other.hash++;
    assert_int_equal(
        koine_ref_start(&loop->ref, loop->node, "plant/thermostat", &face, 0, on_open, loop), 0);
    assert_int_equal(koine_node_run(loop->node), 0);
    assert_int_equal(loop->error, KOINE_ETYPE);
    assert_non_null(strstr(koine_node_why(loop->node), "set_wish"));
}

/* ---------------------------------------------------------------- a service inside a caller's loop */

enum { READINGS = 10 };

struct hasty {
    struct koine_node *node;
    struct koine_service *service;
};

/* It publishes for its first reader, and is gone before that can say that it listens. */
static void serve_hastily(void *arg, unsigned events)
{
    struct hasty *hasty = arg;
    (void)events;
    while (koine_node_process(hasty->node, 0))
        ;
    if (!hasty->service || !koine_event_readers(hasty->service, demo_Thermostat_reading_index))
        return;
    for (int i = 0; i < READINGS; i++)
        assert_int_equal(koine_event_publish_text(hasty->service, "reading",
                                                  "{\"room\":\"hall\",\"celsius\":20}"),
                         0);
    hasty->service = koine_service_close(hasty->service);
}

static void what_a_service_published_before_it_went_is_read_by_who_had_just_joined(void **state)
{
    struct loop *loop = *state;
    static const struct demo_Thermostat_handlers none = {0};
    struct hasty hasty = {.node = test_node()};
    struct koine_watch *watch;
    struct koine_sub *sub;
    struct koine_sample *sample;
    assert_int_equal(koine_service_open(&hasty.service, hasty.node, "plant/hasty", &demo_Thermostat,
                                        &none, NULL, NULL),
                     0);
    assert_int_equal(koine_node_process(hasty.node, 0), 0);
    assert_int_equal(koine_watch_open(&watch, loop->node, koine_node_fd(hasty.node), KOINE_READABLE,
                                      serve_hastily, &hasty),
                     0);
    assert_int_equal(koine_ref_open(&loop->ref, loop->node, "plant/hasty", &demo_Thermostat, 0), 0);
    assert_int_equal(demo_Thermostat_reading_subscribe(&sub, loop->ref), 0);
    assert_null(hasty.service);
    for (int i = 0; i < READINGS; i++) {
        assert_int_equal(koine_event_wait(&sample, sub, 0), 0);
        assert_int_equal(koine_sample_lost(sample), 0);
        koine_sample_release(sample);
    }
    assert_int_equal(koine_event_wait(&sample, sub, 0), KOINE_EDOWN);
    koine_unsubscribe(sub);
    koine_watch_close(watch);
    koine_node_close(hasty.node);
}

enum { HELD = 3000 };

struct holder {
    struct koine_node *node;
    struct koine_service *service;
    struct koine_request *held[HELD];
    int count, right;
};

static int hold(void *self, struct koine_request *request)
{
    struct holder *holder = self;
    assert_true(holder->count < HELD);
    holder->held[holder->count++] = request;
    return KOINE_PENDING;
}

static void note_answer(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct holder *holder = arg;
    const struct demo_Thermostat_add_out *answer = out;
    (void)fault;
    holder->right += !error && answer->return_ == 7;
}

static void start_all(struct loop *loop, struct holder *holder)
{
    struct demo_Thermostat_add_in in = {3, 4};
    for (int i = 0; i < HELD; i++) {
        assert_int_equal(koine_start(NULL, loop->ref, KOINE_REQUEST_CALL, demo_Thermostat_add_index,
                                     &in, 0, note_answer, holder),
                         0);
        while (i % 100 == 0 && holder->count < i)
            assert_true(koine_node_process(holder->node, 0) + koine_node_process(loop->node, 0) >=
                        0);
    }
    while (holder->count < HELD)
        assert_true(koine_node_process(holder->node, 0) + koine_node_process(loop->node, 0) >= 0);
}

/* The caller reads nothing meanwhile, and a ring has 128 slots. */
static void every_request_that_was_taken_has_room_for_its_answer(void **state)
{
    struct loop *loop = *state;
    struct holder *holder = calloc(1, sizeof *holder);
    struct koine_node_options options = {
        .size = sizeof options, .dir = test_dir, .max_pending = HELD};
    struct demo_Thermostat_add_out out = {7};
    assert_int_equal(koine_node_open(&holder->node, &options), 0);
    assert_int_equal(koine_service_open_generic(&holder->service, holder->node, "plant/holder",
                                                demo_Thermostat.interface, hold, holder, NULL),
                     0);
    assert_int_equal(
        koine_ref_start(&loop->ref, loop->node, "plant/holder", &demo_Thermostat, 0, on_open, loop),
        0);
    while (loop->error == 1)
        assert_true(koine_node_process(holder->node, 0) + koine_node_process(loop->node, 0) >= 0);
    start_all(loop, holder);
    for (int i = 0; i < HELD; i++)
        assert_int_equal(koine_reply(holder->held[i], &out), 0);
    int64_t deadline = kn_now() + 20 * KOINE_SECOND;
    while (holder->right < HELD && kn_now() < deadline)
        assert_true(koine_node_process(holder->node, 0) + koine_node_process(loop->node, 0) >= 0);
    assert_int_equal(holder->right, HELD);
    loop->ref = koine_ref_close(loop->ref);
    koine_node_close(holder->node);
    free(holder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_foreign_descriptor_is_told_in_the_nodes_loop),
        TEST(a_watch_that_wants_nothing_is_silent_even_after_a_hang_up),
        TEST(what_cannot_be_watched_is_refused),
        TEST(a_watch_may_close_itself),
        TEST(calls_may_be_made_inside_a_callback),
        TEST(timers_run_in_their_order_and_not_when_taken_back),
        TEST(a_foreign_loop_learns_of_timers_by_the_nodes_descriptor),
        TEST(a_reference_opens_without_waiting),
        TEST(what_is_not_served_is_said_at_once),
        TEST(a_service_that_says_nothing_ends_at_the_deadline),
        TEST(a_full_listener_is_asked_again_until_the_deadline),
        TEST(a_service_that_hangs_up_is_down),
        TEST(a_reference_closed_while_it_opens_tells_nobody),
        TEST(another_interface_is_named),
        TEST(every_request_that_was_taken_has_room_for_its_answer),
        TEST(what_a_service_published_before_it_went_is_read_by_who_had_just_joined),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
