/* SPDX-License-Identifier: MIT */
#include "node/test-server.h"

#include "thermostat.h"

#include "base/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct pair {
    struct test_server server;
    struct koine_node *node;
    struct koine_ref *ref;
};

static int begin(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);
    test_make_dir();
    pair->server = test_start(NULL);
    pair->node = test_node();
    assert_int_equal(
        koine_ref_open(&pair->ref, pair->node, "plant/thermostat", &demo_Thermostat, 0), 0);
    *state = pair;
    return 0;
}

static int end(void **state)
{
    struct pair *pair = *state;
    koine_node_close(pair->node);
    if (pair->server.pid)
        test_stop(&pair->server);
    test_remove_dir();
    free(pair);
    return 0;
}

static void a_call_brings_its_answer(void **state)
{
    struct pair *pair = *state;
    int64_t sum = 0;
    for (int64_t i = 0; i < 2000; i++) {
        assert_int_equal(demo_Thermostat_add(&sum, pair->ref, i, INT64_MAX / 2), 0);
        assert_true(sum == i + INT64_MAX / 2);
    }
}

static void values_cross_with_strings_and_sequences(void **state)
{
    struct pair *pair = *state;
    struct demo_Room_seq rooms;
    struct koine_string a = KOINE_TEXT("left"), b = KOINE_TEXT("right");
    uint32_t length;
    assert_int_equal(demo_Thermostat_set_target(pair->ref, "hall", 21.5), 0);
    assert_int_equal(demo_Thermostat_rooms(&rooms, pair->ref), 0);
    assert_int_equal(rooms.length, 2);
    assert_string_equal(rooms.ptr[0].name.ptr, "hall");
    assert_true(rooms.ptr[0].celsius == 21.5 && rooms.ptr[0].mode == demo_Mode_heat);
    assert_true(rooms.ptr[0].history.length == 3 && rooms.ptr[0].history.ptr[2] == 3.0);
    assert_string_equal(rooms.ptr[1].name.ptr, "attic");
    assert_int_equal(demo_Thermostat_swap(&a, &b, &length, pair->ref), 0);
    assert_string_equal(a.ptr, "right");
    assert_string_equal(b.ptr, "left");
    assert_int_equal(length, 9);
}

static void bodies_beyond_a_slot_cross(void **state)
{
    struct pair *pair = *state;
    uint32_t length;
    static const uint32_t sizes[] = {90, 100, 112, 113, 500, 4096, 30000, 65000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *text = malloc(sizes[i] + 1);
        memset(text, 'x', sizes[i]);
        text[sizes[i]] = 0;
        struct koine_string a = koine_string(text), b = KOINE_TEXT("end");
        assert_int_equal(demo_Thermostat_swap(&a, &b, &length, pair->ref), 0);
        assert_int_equal(length, sizes[i] + 3);
        assert_string_equal(b.ptr, text);
        free(text);
    }
}

static void faults_arrive_with_what_they_carry(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(demo_Thermostat_set_target(pair->ref, "hall", 99), KOINE_EFAULT);
    const struct koine_fault *fault = koine_ref_fault(pair->ref);
    assert_string_equal(fault->name, "demo::OutOfRange");
    const struct demo_OutOfRange *range = fault->value;
    assert_non_null(range);
    assert_true(range->min == 5 && range->max == 30);
    assert_int_equal(demo_Thermostat_set_target(pair->ref, "forbidden", 20), KOINE_EFAULT);
    fault = koine_ref_fault(pair->ref);
    assert_int_equal(fault->code, KOINE_FAULT_PERMISSION_DENIED);
    assert_string_equal(fault->message, "that room is not yours");
    assert_int_equal(demo_Thermostat_set_target(pair->ref, "broken", 20), KOINE_EFAULT);
    assert_int_equal(koine_ref_fault(pair->ref)->code, KOINE_FAULT_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(koine_node_why(pair->node), "answered a fault"));
}

static void attributes_are_read_and_written(void **state)
{
    struct pair *pair = *state;
    struct koine_string label;
    double outside = 1;
    assert_int_equal(demo_Thermostat_get_label(&label, pair->ref), 0);
    assert_string_equal(label.ptr, "door");
    assert_int_equal(demo_Thermostat_set_label(pair->ref, "gate"), 0);
    assert_int_equal(demo_Thermostat_get_label(&label, pair->ref), 0);
    assert_string_equal(label.ptr, "gate");
    assert_int_equal(koine_set(pair->ref, demo_Thermostat_outside_index, &outside, 0), KOINE_EPERM);
    assert_int_equal(koine_get(NULL, pair->ref, demo_Thermostat_add_index, 0), KOINE_EMEMBER);
    assert_int_equal(koine_call(NULL, pair->ref, 99, NULL, 0), KOINE_EMEMBER);
}

static void oneway_calls_keep_their_order_with_calls(void **state)
{
    struct pair *pair = *state;
    double logged;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(demo_Thermostat_log(pair->ref, "line"), 0);
    assert_int_equal(demo_Thermostat_get_outside(&logged, pair->ref), 0);
    assert_true(logged == 1000);
}

static void a_service_is_called_without_generated_code(void **state)
{
    struct pair *pair = *state;
    struct koine_ref *ref;
    const char *json;
    assert_int_equal(koine_ref_open(&ref, pair->node, "plant/thermostat", NULL, 0), 0);
    assert_int_equal(koine_call_text(&json, ref, "add", "{\"a\":9007199254740993,\"b\":1}", 0), 0);
    assert_string_equal(json, "{\"return\":9007199254740994}");
    assert_int_equal(koine_call_text(&json, ref, "set_target", "[\"hall\",20]", 0), 0);
    assert_string_equal(json, "{}");
    assert_int_equal(koine_call_text(&json, ref, "rooms", NULL, 0), 0);
    assert_string_equal(
        json,
        "{\"return\":[{\"name\":\"hall\",\"celsius\":20,\"mode\":\"heat\",\"history\":[0,1.5,3]},"
        "{\"name\":\"attic\",\"celsius\":-2.25,\"mode\":\"off\",\"history\":[]}]}");
    assert_int_equal(koine_set_text(ref, "label", "\"fence\"", 0), 0);
    assert_int_equal(koine_get_text(&json, ref, "label", 0), 0);
    assert_string_equal(json, "\"fence\"");
    assert_int_equal(koine_call_text(&json, ref, "nothing", NULL, 0), KOINE_EMEMBER);
    assert_int_equal(koine_call_text(&json, ref, "add", "{\"a\":1}", 0), KOINE_EDATA);
    assert_string_equal(koine_node_why(pair->node), "line 1, column 8: 'b' is missing");
    assert_int_equal(koine_call_text(&json, ref, "set_target", "[\"hall\",99]", 0), KOINE_EFAULT);
    koine_ref_close(ref);
}

/* ---------------------------------------------------------------- asynchronous */

struct seen {
    int count, error;
    int64_t sum;
};

static void note(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct seen *seen = arg;
    const struct demo_Thermostat_add_out *answer = out;
    (void)fault;
    seen->count++;
    seen->error = error;
    if (!error && out)
        seen->sum += answer->return_;
}

static void many_calls_are_under_way_at_once(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    for (int64_t i = 0; i < 500; i++) {
        struct demo_Thermostat_add_in in = {i, 1};
        assert_int_equal(koine_start(NULL, pair->ref, KOINE_REQUEST_CALL, demo_Thermostat_add_index,
                                     &in, 0, note, &seen),
                         0);
    }
    while (seen.count < 500)
        assert_true(koine_node_process(pair->node, KOINE_SECOND) >= 0);
    assert_true(seen.sum == 499 * 500 / 2 + 500);
    assert_int_equal(seen.error, 0);
}

enum { MANY = 400 };

struct keeper {
    struct koine_node *node;
    struct koine_request *kept[MANY];
    int count, control;
};

/* Takes its time now and then, so that the caller falls asleep. */
static int keep(void *self, struct koine_request *request)
{
    static const struct timespec busy = {.tv_nsec = 20000000};
    struct keeper *keeper = self;
    keeper->kept[keeper->count++] = request;
    if (keeper->count % 100 == 0)
        nanosleep(&busy, NULL);
    return KOINE_PENDING;
}

/* Answers none before it has all. */
static void *keep_many(void *arg)
{
    struct keeper *keeper = arg;
    struct koine_service *service;
    struct demo_Thermostat_add_out out = {3};
    struct koine_node_options options = {
        .size = sizeof options, .dir = test_dir, .max_pending = MANY};
    if (koine_node_open(&keeper->node, &options) ||
        koine_service_open_generic(&service, keeper->node, "keeper", demo_Thermostat.interface,
                                   keep, keeper, NULL) ||
        send(keeper->control, "k", 1, 0) != 1)
        return NULL;
    while (keeper->count < MANY)
        if (koine_node_process(keeper->node, KOINE_FOREVER) < 0)
            return NULL;
    for (int i = 0; i < MANY; i++)
        (void)koine_reply(keeper->kept[i], &out);
    while (koine_service_links(service))
        if (koine_node_process(keeper->node, KOINE_FOREVER) < 0)
            return NULL;
    koine_node_close(keeper->node);
    return arg;
}

/* The caller's ring is full again and again, and there is no answer that would wake it. */
static void calls_go_on_when_a_full_ring_has_room_again(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct keeper keeper = {.count = 0};
    struct koine_ref *ref;
    pthread_t thread;
    int control[2];
    char ready;
    void *went_well = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control), 0);
    keeper.control = control[1];
    assert_int_equal(pthread_create(&thread, NULL, keep_many, &keeper), 0);
    assert_int_equal(recv(control[0], &ready, 1, 0), 1);
    assert_int_equal(koine_ref_open(&ref, pair->node, "keeper", &demo_Thermostat, 0), 0);
    for (int64_t i = 0; i < MANY; i++) {
        struct demo_Thermostat_add_in in = {1, 2};
        assert_int_equal(koine_start(NULL, ref, KOINE_REQUEST_CALL, demo_Thermostat_add_index, &in,
                                     KOINE_FOREVER, note, &seen),
                         0);
    }
    while (seen.count < MANY)
        assert_true(koine_node_process(pair->node, 20 * KOINE_SECOND) > 0);
    assert_int_equal(seen.error, 0);
    koine_ref_close(ref);
    assert_int_equal(pthread_join(thread, &went_well), 0);
    assert_non_null(went_well);
    close(control[0]);
    close(control[1]);
}

static void a_handler_may_answer_later_and_out_of_order(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct demo_Thermostat_set_target_in in = {KOINE_TEXT("keep"), 20};
    int64_t sum;
    assert_int_equal(koine_start(NULL, pair->ref, KOINE_REQUEST_CALL,
                                 demo_Thermostat_set_target_index, &in, 0, note, &seen),
                     0);
    assert_int_equal(demo_Thermostat_add(&sum, pair->ref, 1, 2), 0);
    assert_int_equal(seen.count, 0);
    assert_int_equal(demo_Thermostat_set_target(pair->ref, "release", 20), 0);
    while (!seen.count)
        assert_true(koine_node_process(pair->node, KOINE_SECOND) >= 0);
    assert_int_equal(seen.error, 0);
}

static void deadlines_and_cancels_end_calls_and_late_replies_are_dropped(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct koine_pending *pending;
    struct demo_Thermostat_set_target_in in = {KOINE_TEXT("keep"), 20};
    int64_t sum;
    assert_int_equal(demo_Thermostat_set_target_call(pair->ref, &in, 20 * KOINE_MILLISECOND),
                     KOINE_EDEADLINE);
    assert_int_equal(demo_Thermostat_set_target(pair->ref, "release", 20), 0);
    assert_int_equal(koine_start(&pending, pair->ref, KOINE_REQUEST_CALL,
                                 demo_Thermostat_set_target_index, &in, 0, note, &seen),
                     0);
    assert_int_equal(koine_cancel(pending), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.error, KOINE_ECANCELLED);
    assert_int_equal(demo_Thermostat_set_target(pair->ref, "release", 20), 0);
    assert_int_equal(demo_Thermostat_add(&sum, pair->ref, 1, 2), 0);
    assert_int_equal(seen.count, 1);
}

/* ---------------------------------------------------------------- life and death */

static void a_killed_service_fails_its_callers_at_once_and_can_be_served_again(void **state)
{
    struct pair *pair = *state;
    int64_t sum, start = kn_now();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(demo_Thermostat_set_target(pair->ref, "die", 20), KOINE_EDOWN);
        test_kill(&pair->server);
        assert_int_equal(demo_Thermostat_add(&sum, pair->ref, 1, 2), KOINE_ENOENT);
        pair->server = test_start(NULL);
        assert_int_equal(demo_Thermostat_add(&sum, pair->ref, 1, 2), 0);
    }
    assert_true(kn_now() - start < 15 * KOINE_SECOND);
}

static void count_server(const struct pair *pair, int *linksp, int *fdsp)
{
    int report[2];
    assert_int_equal(send(pair->server.control, "l", 1, 0), 1);
    assert_int_equal(recv(pair->server.control, report, sizeof report, 0), (int)sizeof report);
    *linksp = report[0];
    *fdsp = report[1];
}

static void killed_clients_leave_nothing_in_the_service(void **state)
{
    struct pair *pair = *state;
    int links, before, after, status;
    count_server(pair, &links, &before);
    assert_int_equal(links, 1);
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (!pid) {
            struct koine_node *node = test_node();
            struct koine_ref *ref;
            struct koine_sub *sub;
            int64_t sum;
            if (koine_ref_open(&ref, node, "plant/thermostat", &demo_Thermostat, 0) ||
                demo_Thermostat_reading_subscribe(&sub, ref) ||
                demo_Thermostat_add(&sum, ref, 1, 1))
                _exit(1);
            raise(SIGKILL);
        }
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
    }
    int64_t deadline = kn_now() + 10 * KOINE_SECOND;
    do
        count_server(pair, &links, &after);
    while (links > 1 && kn_now() < deadline);
    assert_int_equal(links, 1);
    assert_true(after <= before + 1);
}

static void a_name_is_served_once(void **state)
{
    struct pair *pair = *state;
    struct koine_service *service;
    static const struct demo_Thermostat_handlers none = {0};
    assert_int_equal(koine_service_open(&service, pair->node, "plant/thermostat", &demo_Thermostat,
                                        &none, NULL, NULL),
                     KOINE_EEXIST);
    assert_int_equal(
        koine_service_open(&service, pair->node, "plant", &demo_Thermostat, &none, NULL, NULL),
        KOINE_EINVAL);
    assert_int_equal(koine_service_open(&service, pair->node, "plant/thermostat/below",
                                        &demo_Thermostat, &none, NULL, NULL),
                     KOINE_EINVAL);
    assert_int_equal(
        koine_service_open(&service, pair->node, "a b", &demo_Thermostat, &none, NULL, NULL),
        KOINE_EINVAL);
    assert_int_equal(
        koine_service_open(&service, pair->node, ".hidden", &demo_Thermostat, &none, NULL, NULL),
        KOINE_EINVAL);
    assert_int_equal(koine_service_open(&service, pair->node, "plant/other", &demo_Thermostat,
                                        &none, NULL, NULL),
                     0);
    koine_service_close(service);
}

static void the_list_of_names_shows_the_living(void **state)
{
    struct pair *pair = *state;
    struct koine_name *names;
    size_t count;
    assert_int_equal(koine_names(&names, &count, test_dir), 0);
    assert_int_equal(count, 1);
    assert_string_equal(names[0].name, "plant/thermostat");
    assert_int_equal(names[0].alive, 1);
    koine_names_free(names);
    test_kill(&pair->server);
    pair->server.pid = 0;
    assert_int_equal(koine_names(&names, &count, test_dir), 0);
    assert_int_equal(count, 0);
    koine_names_free(names);
}

/* A process that is killed between binding and renaming leaves a hidden socket. */
static void what_a_killed_taker_left_is_removed_by_the_next(void **state)
{
    struct pair *pair = *state;
    struct koine_service *service;
    struct stat status;
    struct sockaddr_un left = {.sun_family = AF_UNIX};
    static const struct demo_Thermostat_handlers none = {0};
    char parent[sizeof test_dir + 16];
    snprintf(parent, sizeof parent, "%s/plant", test_dir);
    int dir = open(parent, O_PATH | O_CLOEXEC);
    snprintf(left.sun_path, sizeof left.sun_path, "/proc/self/fd/%d/.other.new", dir);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&left, sizeof left), 0);
    close(fd);
    assert_int_equal(koine_service_open(&service, pair->node, "plant/other", &demo_Thermostat,
                                        &none, NULL, NULL),
                     0);
    assert_int_equal(fstatat(dir, ".other.new", &status, AT_SYMLINK_NOFOLLOW), -1);
    close(dir);
    koine_service_close(service);
}

static void handles_of_the_parent_are_refused_in_a_child(void **state)
{
    struct pair *pair = *state;
    int status;
    pid_t pid = fork();
    if (!pid) {
        int64_t sum;
        int rc = demo_Thermostat_add(&sum, pair->ref, 1, 2);
        int other = koine_node_process(pair->node, 0);
        _exit(!(rc == KOINE_EFORKED && other == KOINE_EFORKED));
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    int64_t sum;
    assert_int_equal(demo_Thermostat_add(&sum, pair->ref, 1, 2), 0);
}

static void *call_from_a_thread(void *arg)
{
    struct koine_node *node = test_node();
    struct koine_ref *ref;
    int64_t sum;
    intptr_t failed = koine_ref_open(&ref, node, "plant/thermostat", &demo_Thermostat, 0);
    for (int64_t i = 0; i < 300 && !failed; i++)
        failed = demo_Thermostat_add(&sum, ref, i, (intptr_t)arg) || sum != i + (intptr_t)arg;
    koine_node_close(node);
    return (void *)failed;
}

static void threads_have_a_node_each(void **state)
{
    pthread_t threads[8];
    void *failed;
    (void)state;
    for (intptr_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_from_a_thread, (void *)i), 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

/* ---------------------------------------------------------------- events */

static void take_readings(struct koine_sub *sub, int from, int count)
{
    struct koine_sample *sample;
    for (int i = from; i < from + count; i++) {
        assert_int_equal(koine_event_wait(&sample, sub, 10 * KOINE_SECOND), 0);
        const struct demo_Thermostat_reading *reading = koine_sample_value(sample);
        assert_string_equal(reading->room.ptr, "hall");
        assert_true(reading->celsius == i % 100);
        assert_int_equal(koine_sample_lost(sample), 0);
        assert_int_equal(koine_sample_release(sample), 0);
    }
}

static void events_reach_their_subscribers_in_order(void **state)
{
    struct pair *pair = *state;
    struct koine_sub *first, *second;
    struct koine_sample *sample;
    test_tell(&pair->server, 'r');
    assert_int_equal(demo_Thermostat_reading_subscribe(&first, pair->ref), 0);
    assert_int_equal(koine_event_take(&sample, first), KOINE_EAGAIN);
    test_tell(&pair->server, 'r');
    assert_int_equal(demo_Thermostat_reading_subscribe(&second, pair->ref), 0);
    test_tell(&pair->server, 'r');
    take_readings(first, 0, 200);
    take_readings(second, 0, 100);
    assert_int_equal(koine_event_take(&sample, first), KOINE_EAGAIN);
    assert_int_equal(koine_event_wait(&sample, second, 5 * KOINE_MILLISECOND), KOINE_EDEADLINE);
    koine_unsubscribe(first);
    test_tell(&pair->server, 'r');
    take_readings(second, 0, 100);
    koine_unsubscribe(second);
}

static void sixteen_samples_are_held_and_the_rest_waits(void **state)
{
    struct pair *pair = *state;
    struct koine_sub *sub;
    struct koine_sample *samples[17];
    assert_int_equal(demo_Thermostat_reading_subscribe(&sub, pair->ref), 0);
    test_tell(&pair->server, 'r');
    for (int i = 0; i < 16; i++)
        assert_int_equal(koine_event_wait(&samples[i], sub, KOINE_SECOND), 0);
    assert_int_equal(koine_event_take(&samples[16], sub), KOINE_EHOLDS);
    for (int i = 0; i < 16; i++) {
        const struct demo_Thermostat_reading *reading = koine_sample_value(samples[i]);
        assert_true(reading->celsius == i);
        assert_int_equal(koine_sample_release(samples[i]), 0);
    }
    take_readings(sub, 16, 84);
    koine_unsubscribe(sub);
}

static void a_service_knows_how_many_listen(void **state)
{
    struct pair *pair = *state;
    struct koine_service *service;
    struct koine_ref *ref;
    struct koine_sub *first, *second;
    struct koine_sample *sample;
    const uint32_t reading = demo_Thermostat_reading_index;
    static const struct demo_Thermostat_handlers none = {0};
    assert_int_equal(
        koine_service_open(&service, pair->node, "own", &demo_Thermostat, &none, NULL, NULL), 0);
    assert_int_equal(koine_ref_open(&ref, pair->node, "own", &demo_Thermostat, 0), 0);
    assert_int_equal(koine_event_readers(service, reading), 0);
    assert_int_equal(koine_subscribe(&first, ref, reading, 0), 0);
    assert_int_equal(koine_subscribe(&second, ref, reading, 0), 0);
    assert_int_equal(koine_event_readers(service, reading), 2);
    assert_int_equal(koine_event_readers(service, demo_Thermostat_label_index), 0);
    assert_int_equal(koine_event_readers(service, 1000), 0);
    assert_int_equal(
        koine_event_publish_text(service, "reading", "{\"room\":\"hall\",\"celsius\":1}"), 0);
    assert_int_equal(koine_event_publish_text(service, "label", "\"x\""), KOINE_EMEMBER);
    assert_string_equal(koine_node_why(pair->node), "'own' has no event 'label'");
    assert_int_equal(koine_changed_text(service, "reading", "{}"), KOINE_EMEMBER);
    assert_string_equal(koine_node_why(pair->node), "'own' has no attribute 'reading'");
    assert_int_equal(koine_event_take(&sample, first), 0);
    koine_unsubscribe(first);
    while (koine_event_readers(service, reading) == 2)
        assert_true(koine_node_process(pair->node, 5 * KOINE_SECOND) > 0);
    assert_int_equal(koine_event_readers(service, reading), 1);
    koine_unsubscribe(second);
    koine_ref_close(ref);
    koine_service_close(service);
}

static void *listen_for_a_moment(void *arg)
{
    struct koine_node *node = test_node();
    struct koine_ref *ref = NULL;
    struct koine_sub *sub = NULL;
    int *stay = arg;
    char octet;
    if (koine_ref_open(&ref, node, "own", &demo_Thermostat, 0) ||
        koine_subscribe(&sub, ref, demo_Thermostat_reading_index, 0))
        ref = NULL;
    ssize_t told = read(*stay, &octet, 1);
    koine_unsubscribe(sub);
    koine_node_close(node);
    return ref && told == 1 ? arg : NULL;
}

/* What a sleeping node handles before it goes on must end koine_node_process as well. */
static void a_node_that_slept_tells_what_it_handled(void **state)
{
    struct pair *pair = *state;
    struct koine_service *service;
    static const struct demo_Thermostat_handlers none = {0};
    int stay[2];
    assert_int_equal(pipe(stay), 0);
    assert_int_equal(
        koine_service_open(&service, pair->node, "own", &demo_Thermostat, &none, NULL, NULL), 0);
    for (int round = 0; round < 10; round++) {
        pthread_t thread;
        void *went_well = NULL;
        assert_int_equal(pthread_create(&thread, NULL, listen_for_a_moment, &stay[0]), 0);
        while (!koine_event_readers(service, demo_Thermostat_reading_index))
            assert_in_range(koine_node_process(pair->node, 20 * KOINE_SECOND), 1, 1000);
        assert_int_equal(write(stay[1], "", 1), 1);
        while (koine_event_readers(service, demo_Thermostat_reading_index))
            assert_in_range(koine_node_process(pair->node, 20 * KOINE_SECOND), 1, 1000);
        assert_int_equal(pthread_join(thread, &went_well), 0);
        assert_non_null(went_well);
    }
    koine_service_close(service);
    close(stay[0]);
    close(stay[1]);
}

static void a_subscription_outlives_its_node_until_it_is_ended(void **state)
{
    struct pair *pair = *state;
    struct koine_node *node = test_node();
    struct koine_ref *ref;
    struct koine_sub *sub;
    struct koine_sample *sample;
    assert_int_equal(koine_ref_open(&ref, node, "plant/thermostat", &demo_Thermostat, 0), 0);
    assert_int_equal(koine_subscribe(&sub, ref, demo_Thermostat_reading_index, 0), 0);
    test_tell(&pair->server, 'r');
    assert_int_equal(koine_event_take(&sample, sub), 0);
    assert_null(koine_node_close(node));
    assert_int_equal(koine_event_take(&sample, sub), KOINE_ECLOSED);
    assert_int_equal(koine_event_wait(&sample, sub, KOINE_MILLISECOND), KOINE_ECLOSED);
    assert_null(koine_unsubscribe(sub));
    assert_null(koine_unsubscribe(NULL));
}

static void what_was_published_before_a_kill_is_still_read(void **state)
{
    struct pair *pair = *state;
    struct koine_sub *sub;
    struct koine_sample *sample;
    assert_int_equal(demo_Thermostat_reading_subscribe(&sub, pair->ref), 0);
    test_tell(&pair->server, 'r');
    test_kill(&pair->server);
    pair->server.pid = 0;
    take_readings(sub, 0, 100);
    assert_int_equal(koine_event_wait(&sample, sub, 10 * KOINE_SECOND), KOINE_EDOWN);
    koine_unsubscribe(sub);
}

static void watching_an_attribute_begins_with_its_value(void **state)
{
    struct pair *pair = *state;
    struct koine_sub *sub;
    struct koine_sample *sample;
    assert_int_equal(demo_Thermostat_watch_label(&sub, pair->ref), 0);
    assert_int_equal(demo_Thermostat_set_label(pair->ref, "gate"), 0);
    static const char *const labels[] = {"door", "gate"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(koine_event_wait(&sample, sub, KOINE_SECOND), 0);
        assert_string_equal(((const struct koine_string *)koine_sample_value(sample))->ptr,
                            labels[i]);
        const char *json;
        assert_int_equal(koine_sample_text(&json, sample), 0);
        assert_int_equal(json[0], '"');
        assert_int_equal(koine_sample_release(sample), 0);
    }
    koine_unsubscribe(sub);
}

/* A subscriber that takes nothing is dropped, and the others lose nothing. */
static void a_slow_subscriber_is_dropped_and_hurts_nobody(void **state)
{
    struct pair *pair = *state;
    struct koine_service_options options = {
        .size = sizeof options, .policy = KOINE_DISCONNECT_SLOW, .event_slots = 512};
    struct koine_node *slow = test_node();
    struct koine_ref *ref;
    struct koine_sub *lazy, *sub;
    struct koine_sample *sample;
    int rc = 0, taken = 0;
    test_stop(&pair->server);
    pair->server = test_start(&options);
    assert_int_equal(koine_ref_open(&ref, slow, "plant/thermostat", &demo_Thermostat, 0), 0);
    assert_int_equal(demo_Thermostat_reading_subscribe(&lazy, ref), 0);
    assert_int_equal(demo_Thermostat_reading_subscribe(&sub, pair->ref), 0);
    for (int i = 0; i < 20; i++) {
        test_tell(&pair->server, 'r');
        take_readings(sub, 0, 100);
    }
    while (!rc) {
        rc = koine_event_wait(&sample, lazy, 10 * KOINE_SECOND);
        if (!rc)
            koine_sample_release(sample);
        taken++;
    }
    assert_int_equal(rc, KOINE_EDOWN);
    assert_true(taken < 1000);
    koine_unsubscribe(lazy);
    koine_unsubscribe(sub);
    koine_node_close(slow);
}

static void the_descriptor_tells_of_what_comes_after_parking(void **state)
{
    struct pair *pair = *state;
    struct koine_sub *sub;
    struct koine_sample *sample;
    assert_int_equal(demo_Thermostat_reading_subscribe(&sub, pair->ref), 0);
    while (koine_node_process(pair->node, 0))
        ;
    struct pollfd polled = {.fd = koine_node_fd(pair->node), .events = POLLIN};
    assert_int_equal(poll(&polled, 1, 0), 0);
    test_tell(&pair->server, 'r');
    assert_int_equal(poll(&polled, 1, 5000), 1);
    assert_int_equal(koine_event_take(&sample, sub), 0);
    koine_sample_release(sample);
    koine_unsubscribe(sub);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_brings_its_answer),
        TEST(values_cross_with_strings_and_sequences),
        TEST(bodies_beyond_a_slot_cross),
        TEST(faults_arrive_with_what_they_carry),
        TEST(attributes_are_read_and_written),
        TEST(oneway_calls_keep_their_order_with_calls),
        TEST(a_service_is_called_without_generated_code),
        TEST(many_calls_are_under_way_at_once),
        TEST(calls_go_on_when_a_full_ring_has_room_again),
        TEST(a_handler_may_answer_later_and_out_of_order),
        TEST(deadlines_and_cancels_end_calls_and_late_replies_are_dropped),
        TEST(a_killed_service_fails_its_callers_at_once_and_can_be_served_again),
        TEST(killed_clients_leave_nothing_in_the_service),
        TEST(a_name_is_served_once),
        TEST(the_list_of_names_shows_the_living),
        TEST(what_a_killed_taker_left_is_removed_by_the_next),
        TEST(handles_of_the_parent_are_refused_in_a_child),
        TEST(threads_have_a_node_each),
        TEST(events_reach_their_subscribers_in_order),
        TEST(sixteen_samples_are_held_and_the_rest_waits),
        TEST(a_service_knows_how_many_listen),
        TEST(a_node_that_slept_tells_what_it_handled),
        TEST(a_subscription_outlives_its_node_until_it_is_ended),
        TEST(what_was_published_before_a_kill_is_still_read),
        TEST(watching_an_attribute_begins_with_its_value),
        TEST(a_slow_subscriber_is_dropped_and_hurts_nobody),
        TEST(the_descriptor_tells_of_what_comes_after_parking),
    };
    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
