/* SPDX-License-Identifier: MIT
 *
 * The test of the generic tests: variants of the test dialect that are wrong in one place each, which
 * they have to find; and what the simulated network gives that no pair of one dialect asks for.
 */
#include "dialect/test-pair.h"
#include "dialect/test-plain/frame.h"
#include "dialect/test-plain/plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { RUNS = 2000 };

/* ---------------------------------------------------------------- bugs put in on purpose */

/* Whether runs of a wrong variant end otherwise than well. */
static bool is_found(const char *bug)
{
    int status = 0;
    uint64_t seed = (uint64_t)time(NULL) * 1000000;
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)!freopen("/dev/null", "w", stderr);
        test_pair_bug = bug;
        (void)test_pair_runs(&kn_dialect_test_plain, seed, 10, RUNS);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return !WIFEXITED(status) || WEXITSTATUS(status);
}

static void the_right_one_is_found_right(void **state)
{
    (void)state;
    test_pair_bug = "right";
    assert_true(test_pair_runs(&kn_dialect_test_plain, 1, 1, RUNS) > 0);
    test_pair_bug = NULL;
}

#define FINDS(test, bug)            \
    static void test(void **state)  \
    {                               \
        (void)state;                \
        assert_true(is_found(bug)); \
    }

FINDS(a_request_that_is_lost_and_not_repeated_is_found, "lost")
FINDS(a_request_that_runs_twice_is_found, "twice")
FINDS(answers_that_are_taken_in_order_are_found, "order")
FINDS(a_half_closed_stream_without_answers_is_found, "half")
FINDS(a_timer_that_is_not_set_again_is_found, "timer")
FINDS(a_death_in_the_middle_that_ends_nothing_is_found, "death")

/* ---------------------------------------------------------------- what no pair asks for */

static struct test_services services;
static struct sim sim;
static struct sim_endpoint *serving;
static struct sim_peer peer;

static const struct kn_options over_tcp = {.role = KN_SERVE, .transport = "tcp"};

static int load(void **state)
{
    (void)state;
    test_services_init(&services, 1);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    test_services_deinit(&services);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    sim_init(&sim, &sim_plain, &services);
    sim.print = getenv("SIM_PRINT") != NULL;
    serving = sim_start(&sim, &kn_dialect_test_plain, &over_tcp, NULL);
    peer = (struct sim_peer){.channel = NULL};
    sim_meet(&peer, serving, KN_STREAM);
    return peer.channel == NULL;
}

static int end(void **state)
{
    (void)state;
    sim_part(&peer);
    sim_deinit(&sim);
    return 0;
}

static void run(int64_t time)
{
    (void)sim_run(&sim, -1, sim.now + time);
}

static void say(const struct plain_packet *packet)
{
    size_t length = plain_size(packet);
    char *octets = malloc(length);
    plain_write(octets, packet);
    sim_feed(&peer, (struct kn_str){octets, length}, false);
    free(octets);
}

/* The packet that comes next. */
static struct plain_packet hear(void)
{
    static struct kn_buffer last;
    struct plain_packet packet = {.kind = 0};
    uint32_t length;
    run(KOINE_SECOND);
    assert_true(peer.out.length > sizeof length);
    memcpy(&length, peer.out.ptr, sizeof length);
    kn_buffer_deinit(&last);
    kn_buffer_init(&last, 0);
    kn_buffer_add(&last, peer.out.ptr + sizeof length, length);
    kn_buffer_drop(&peer.out, sizeof length + length);
    assert_true(plain_read(&packet, (struct kn_str){last.ptr, last.length}));
    return packet;
}

static void assert_text(struct kn_str found, const char *wanted)
{
    if (!kn_str_equal(found, kn_str(wanted)))
        fail_msg("found '%.*s', wanted '%s'", (int)found.length, found.ptr, wanted);
}

static void each_question_has_its_answer(void **state)
{
    static const struct {
        enum kn_question_kind kind;
        const char *name, *data, *answer;
        int error;
    } cases[] = {
        {KN_ASK_FIND, "test", "", "test/everything\ntest/random\n", 0},
        {KN_ASK_FIND, "tes", "", "", 0},
        {KN_ASK_SECRET, "key", "", "secret of key", 0},
        {KN_ASK_SECRET, "none", "", "", KOINE_ENOENT},
        {KN_ASK_MAP, "frame", "", "memory of frame", 0},
        {KN_ASK_START, "test/random", "", "", 0},
        {KN_ASK_START, "test/gone", "", "", KOINE_EDOWN},
        {KN_ASK_RESOLVE, "a", "", "", KOINE_ENOENT},
        {KN_ASK_ADVERTISE, "a", "1", "", 0},
        {KN_ASK_ADVERTISE, "b", "2", "", 0},
        {KN_ASK_RESOLVE, "a", "", "1", 0},
        {KN_ASK_RESOLVE, "", "", "a 1\nb 2\n", 0},
        {KN_ASK_WITHDRAW, "a", "", "", 0},
        {KN_ASK_WITHDRAW, "a", "", "", KOINE_ENOENT},
        {KN_ASK_AUTH, "SIM", "first", "", KOINE_EPERM},
        {KN_ASK_AUTH, "SIM", "hello", "first", 0},
        {KN_ASK_AUTH, "SIM", "first", "second", 0},
        {KN_ASK_AUTH, "OTHER", "second", "", KOINE_EUNSUPPORTED},
        {KN_ASK_CONVERT, "", "\x01\x01\0", "\x01\x01\0\0\0\0\0", 0},
    };
    static const struct sim_plan late = {.allocations = -1, .late = true};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        size_t n = i % (sizeof cases / sizeof *cases);
        struct plain_packet asks = {.kind = PLAIN_ASK, .member = cases[n].kind, .id = i + 1};
        bool convert = cases[n].kind == KN_ASK_CONVERT;
        asks.service = kn_str(cases[n].name);
        asks.body = convert ? (struct kn_str){cases[n].data, 4} : kn_str(cases[n].data);
        sim.plan = i < sizeof cases / sizeof *cases ? &sim_plain : &late;
        say(&asks);
        struct plain_packet answer = hear();
        assert_int_equal(answer.kind, PLAIN_ANSWER);
        assert_int_equal(answer.id, asks.id);
        assert_int_equal(-(int)answer.member, cases[n].error);
        if (convert)
            assert_int_equal(answer.body.length, 8);
        if (convert)
            assert_memory_equal(answer.body.ptr, cases[n].answer, 8);
        else
            assert_text(answer.body, cases[n].answer);
    }
}

static void who_proves_himself_is_the_caller(void **state)
{
    static const char *const legs[] = {"hello", "first", "second"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(peer.channel->channel.caller.uid, 0);
        say(&(struct plain_packet){.kind = PLAIN_ASK,
                                   .member = KN_ASK_AUTH,
                                   .id = i,
                                   .service = KN_STR("SIM"),
                                   .body = kn_str(legs[i])});
        assert_int_equal(hear().flags, i == 2);
    }
    assert_int_equal(peer.channel->channel.caller.uid, 1000);
}

static void what_is_entered_in_the_directory_goes_with_who_entered_it(void **state)
{
    (void)state;
    say(&(struct plain_packet){
        .kind = PLAIN_ASK, .member = KN_ASK_ADVERTISE, .id = 1, .service = KN_STR("a")});
    (void)hear();
    assert_false(kn_list_empty(&sim.directory));
    sim_kill(serving);
    assert_true(kn_list_empty(&sim.directory));
}

static void descriptors_come_and_go_with_octets(void **state)
{
    struct plain_packet packet = {.kind = PLAIN_BACK};
    int ends[2];
    char octets[64], read_back = 0;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    plain_write(octets, &packet);
    struct kn_input input = {.data = {octets, plain_size(&packet)}, .fds = &ends[1], .fd_count = 1};
    assert_true(sim_tell_feed(peer.channel, &input));
    assert_int_equal(peer.fd_count, 1);
    close(ends[1]);
    assert_int_equal(write(peer.fds[0], "x", 1), 1);
    assert_int_equal(read(ends[0], &read_back, 1), 1);
    assert_int_equal(read_back, 'x');
    close(ends[0]);
}

/* ---------------------------------------------------------------- callers */

static struct kn_message_seen {
    uint8_t kind;
    int32_t code;
    int error;
    unsigned count;
} seen;

static void on_done(struct sim_want *want, const struct kn_message *answer, int error)
{
    (void)want;
    seen.count++;
    seen.error = error;
    seen.kind = answer ? answer->kind : 0;
    seen.code = answer && answer->fault ? answer->fault->code : 0;
}

static struct sim_endpoint *reach(const struct kn_option *options, size_t count, const char *uri)
{
    struct kn_options all = {.role = KN_REACH,
                             .transport = "tcp",
                             .target = KN_STR("plant/thermostat"),
                             .all = options,
                             .count = count};
    struct sim_endpoint *endpoint = sim_start(&sim, &kn_dialect_test_plain, &all, uri);
    assert_int_equal(endpoint->error, 0);
    return endpoint;
}

static void swap(struct sim_endpoint *reaching, const char *text)
{
    const struct {
        struct koine_string a, b;
    } in = {koine_string(text), koine_string("b")};
    uint32_t member;
    const struct koine_interface *interface = services.thermostat;
    assert_int_equal(koine_interface_find(&member, interface, "swap"), 0);
    seen = (struct kn_message_seen){.kind = 0};
    (void)sim_want(reaching->home, &(struct sim_want){.kind = KN_MESSAGE_CALL,
                                                      .member = member,
                                                      .deadline = KOINE_FOREVER,
                                                      .interface = interface,
                                                      .type = interface->types.ptr +
                                                              interface->features.ptr[member].in,
                                                      .value = (void *)(uintptr_t)&in,
                                                      .done = on_done});
    run(10 * KOINE_SECOND);
    assert_int_equal(seen.count, 1);
}

static void a_place_is_found_in_the_directory(void **state)
{
    static const struct kn_option name[] = {{"name", "here"}, {"second", "tcp://127.0.0.1:0"}},
                                  find[] = {{"find", "here"}}, other[] = {{"find", "there"}};
    struct kn_options named = over_tcp;
    (void)state;
    named.all = name;
    named.count = 2;
    struct sim_endpoint *served =
        sim_start(&sim, &kn_dialect_test_plain, &named, "tcp://127.0.0.1:0");
    run(KOINE_SECOND);
    unsigned listeners = 0;
    KN_LIST_EACH(at, &served->channels)
    {
        listeners++;
    }
    assert_int_equal(listeners, 2);
    swap(reach(find, 1, "tcp://127.0.0.1:1"), "a");
    assert_int_equal(seen.kind, KN_MESSAGE_REPLY);
    swap(reach(other, 1, "tcp://127.0.0.1:1"), "a");
    assert_int_equal(seen.kind, KN_MESSAGE_FAULT);
    assert_int_equal(seen.code, KOINE_FAULT_UNAVAILABLE);
}

static void nobody_there_is_unavailable_and_somebody_later_is_not(void **state)
{
    (void)state;
    struct sim_endpoint *reaching = reach(NULL, 0, "tcp://127.0.0.1:5");
    swap(reaching, "a");
    assert_int_equal(seen.code, KOINE_FAULT_UNAVAILABLE);
    (void)sim_start(&sim, &kn_dialect_test_plain, &over_tcp, "tcp://127.0.0.1:5");
    run(0);
    swap(reaching, "a");
    assert_int_equal(seen.kind, KN_MESSAGE_REPLY);
}

static void a_large_value_is_put_in_its_place(void **state)
{
    static char large[100000];
    static const struct sim_plan split = {
        .seed = 3, .allocations = -1, .split = 50, .window = 4096};
    (void)state;
    memset(large, 'l', sizeof large - 1);
    sim.plan = &split;
    (void)sim_start(&sim, &kn_dialect_test_plain, &over_tcp, "tcp://127.0.0.1:5");
    run(0);
    swap(reach(NULL, 0, "tcp://127.0.0.1:5"), large);
    assert_int_equal(seen.kind, KN_MESSAGE_REPLY);
    assert_true(sim.filled > 0);
}

/* ---------------------------------------------------------------- one dialect on another */

static void a_dialect_runs_on_another(void **state)
{
    static char large[100000];
    static const struct sim_plan rough = {.seed = 3, .allocations = -1, .split = 50, .window = 512};
    struct kn_options reaching = {.role = KN_REACH, .transport = "tcp"};
    (void)state;
    memset(large, 'l', sizeof large - 1);
    sim.plan = &rough;
    struct sim_endpoint *lower =
        sim_start(&sim, &kn_dialect_test_frame, &over_tcp, "tcp://127.0.0.1:5");
    serving->below = lower;
    struct sim_endpoint *upper = reach(NULL, 0, NULL);
    upper->below = sim_start(&sim, &kn_dialect_test_frame, &reaching, "tcp://127.0.0.1:5");
    run(0);
    swap(upper, "a");
    assert_int_equal(seen.kind, KN_MESSAGE_REPLY);
    swap(upper, large);
    assert_int_equal(seen.kind, KN_MESSAGE_REPLY);
    sim_kill(lower);
    run(KOINE_SECOND);
    swap(upper, "a");
    assert_int_equal(seen.code, KOINE_FAULT_UNAVAILABLE);
    sim_restart(lower);
    run(KOINE_SECOND);
    swap(upper, "a");
    assert_int_equal(seen.kind, KN_MESSAGE_REPLY);
}

static void one_seed_is_one_run(void **state)
{
    (void)state;
    uint64_t first = test_pair_run(&kn_dialect_test_plain, 5);
    assert_true(test_pair_run(&kn_dialect_test_plain, 5) == first);
    assert_true(test_pair_run(&kn_dialect_test_plain, 6) != first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_question_has_its_answer),
        TEST(who_proves_himself_is_the_caller),
        TEST(what_is_entered_in_the_directory_goes_with_who_entered_it),
        TEST(descriptors_come_and_go_with_octets),
        TEST(a_place_is_found_in_the_directory),
        TEST(nobody_there_is_unavailable_and_somebody_later_is_not),
        TEST(a_large_value_is_put_in_its_place),
        TEST(a_dialect_runs_on_another),
        cmocka_unit_test(one_seed_is_one_run),
        cmocka_unit_test(the_right_one_is_found_right),
        cmocka_unit_test(a_request_that_is_lost_and_not_repeated_is_found),
        cmocka_unit_test(a_request_that_runs_twice_is_found),
        cmocka_unit_test(answers_that_are_taken_in_order_are_found),
        cmocka_unit_test(a_half_closed_stream_without_answers_is_found),
        cmocka_unit_test(a_timer_that_is_not_set_again_is_found),
        cmocka_unit_test(a_death_in_the_middle_that_ends_nothing_is_found),
    };
    return cmocka_run_group_tests_name("test-plain", tests, load, drop);
}
