/* SPDX-License-Identifier: MIT
 *
 * What call-backs close, at the worst moments. Service and caller are two nodes of this process, so that
 * what comes when is said by the test.
 */
#include "node/internal.h"
#include "node/test-server.h"

#include "thermostat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct world {
    struct koine_node *serving, *node;
    struct koine_service *service;
    struct koine_ref *ref, *second;
    struct koine_sub *sub;
    struct koine_timer *timer;
    struct koine_request *kept[4];
    int kept_count, ready, ends, error;
};

static int keep(void *self, struct koine_request *request)
{
    struct world *world = self;
    world->kept[world->kept_count++] = request;
    return KOINE_PENDING;
}

static void settle(struct world *world)
{
    int count;
    do {
        count = koine_node_process(world->serving, 0);
        assert_true(count >= 0);
        int more = koine_node_process(world->node, 0);
        assert_true(more >= 0);
        count += more;
    } while (count);
}

static void on_ready(void *arg, struct koine_ref *ref, int error)
{
    (void)ref;
    ((struct world *)arg)->ready = error;
}

static struct koine_ref *open_ref(struct world *world, const struct koine_face *face)
{
    struct koine_ref *ref;
    world->ready = 1;
    assert_int_equal(koine_ref_start(&ref, world->node, "here", face, 0, on_ready, world), 0);
    settle(world);
    assert_int_equal(world->ready, 0);
    return ref;
}

static void serve(struct world *world)
{
    const struct koine_service_options options = {.size = sizeof options, .event_slots = 4};
    world->serving = test_node();
    assert_int_equal(koine_service_open_generic(&world->service, world->serving, "here",
                                                demo_Thermostat.interface, keep, world, &options),
                     0);
}

static int begin(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct koine_node_options options = {
        .size = sizeof options, .dir = test_dir, .timeout = 5 * KOINE_SECOND, .spin = -1};
    test_make_dir();
    serve(world);
    assert_int_equal(koine_node_open(&world->node, &options), 0);
    world->ref = open_ref(world, &demo_Thermostat);
    *state = world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    koine_unsubscribe(world->sub);
    koine_node_close(world->node);
    koine_node_close(world->serving);
    free(world);
    test_remove_dir();
    return 0;
}

static void start(struct world *world, struct koine_ref *ref, koine_done *done)
{
    const struct demo_Thermostat_add_in in = {1, 2};
    assert_int_equal(
        koine_start(NULL, ref, KOINE_REQUEST_CALL, demo_Thermostat_add_index, &in, 0, done, world),
        0);
}

/* Runs `due` as soon as the node waits. */
static void soon(struct world *world, koine_timer_due *due)
{
    assert_int_equal(koine_timer_open(&world->timer, world->node, due, world), 0);
    koine_timer_set(world->timer, 1);
}

static void close_timer(struct world *world)
{
    world->timer = koine_timer_close(world->timer);
}

/* ---------------------------------------------------------------- references */

static void note_end(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct world *world = arg;
    (void)out;
    (void)fault;
    world->ends++;
    world->error = error;
}

static void use_the_node(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct world *world = arg;
    note_end(arg, error, out, fault);
    assert_true(koine_node_process(world->node, 0) >= 0);
}

static void who_is_told_of_a_closing_may_use_the_node(void **state)
{
    struct world *world = *state;
    start(world, world->ref, use_the_node);
    world->ref = koine_ref_close(world->ref);
    assert_int_equal(world->ends, 1);
    assert_int_equal(world->error, KOINE_ECLOSED);
}

static void close_second(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct world *world = arg;
    use_the_node(arg, error, out, fault);
    world->second = koine_ref_close(world->second);
}

static void who_is_told_of_a_closing_may_close_more(void **state)
{
    struct world *world = *state;
    world->second = open_ref(world, &demo_Thermostat);
    start(world, world->ref, close_second);
    start(world, world->second, use_the_node);
    world->node = koine_node_close(world->node);
    assert_int_equal(world->ends, 2);
    assert_int_equal(world->error, KOINE_ECLOSED);
}

static void close_node(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct world *world = arg;
    use_the_node(arg, error, out, fault);
    world->node = koine_node_close(world->node);
}

static void also_the_node(void **state)
{
    struct world *world = *state;
    start(world, world->ref, close_node);
    world->ref = koine_ref_close(world->ref);
    assert_int_equal(world->ends, 1);
}

static void due_closes_ref(void *arg)
{
    struct world *world = arg;
    world->ref = koine_ref_close(world->ref);
    assert_int_equal(koine_node_process(world->serving, 0) >= 0, 1);
}

/* Starting waits while it connects again. */
static void a_reference_may_be_closed_while_it_connects(void **state)
{
    struct world *world = *state;
    const struct demo_Thermostat_add_in in = {1, 2};
    koine_node_close(world->serving);
    while (world->ref->link)
        assert_true(koine_node_process(world->node, 0) >= 0);
    serve(world);
    soon(world, due_closes_ref);
    assert_true(koine_start(NULL, world->ref, KOINE_REQUEST_CALL, demo_Thermostat_add_index, &in,
                            50 * KOINE_MILLISECOND, use_the_node, world) < 0);
    close_timer(world);
    assert_int_equal(world->ends, 0);
}

static void due_serves(void *arg)
{
    struct world *world = arg;
    assert_true(koine_node_process(world->serving, 0) >= 0);
    koine_timer_set(world->timer, koine_now() + KOINE_MILLISECOND);
}

static void due_starts_a_call(void *arg)
{
    struct world *world = arg;
    start(world, world->ref, use_the_node);
}

/* A call-back of the node that connects uses the same reference, and is there first. */
static void a_reference_has_one_link(void **state)
{
    struct world *world = *state;
    struct koine_timer *timer;
    koine_node_close(world->serving);
    while (world->ref->link)
        assert_true(koine_node_process(world->node, 0) >= 0);
    serve(world);
    assert_int_equal(koine_timer_open(&timer, world->node, due_starts_a_call, world), 0);
    koine_timer_set(timer, 1);
    soon(world, due_serves);
    start(world, world->ref, use_the_node);
    close_timer(world);
    koine_timer_close(timer);
    settle(world);
    assert_int_equal(world->kept_count, 2);
    assert_int_equal(koine_service_links(world->service), 1);
    assert_int_equal(world->ends, 0);
}

static void due_describes_and_dies(void *arg)
{
    struct world *world = arg;
    while (koine_node_process(world->serving, 0) > 0)
        ;
    world->serving = koine_node_close(world->serving);
    while (world->ref->link)
        assert_true(koine_node_process(world->node, 0) >= 0);
}

static void a_service_may_die_once_it_has_described_itself(void **state)
{
    struct world *world = *state;
    const void *out;
    koine_ref_close(world->ref);
    soon(world, due_serves);
    assert_int_equal(koine_ref_open(&world->ref, world->node, "here", NULL, 0), 0);
    close_timer(world);
    soon(world, due_describes_and_dies);
    assert_int_equal(koine_get(&out, world->ref, demo_Thermostat_label_index, 0), KOINE_ENOENT);
    close_timer(world);
}

static void due_answers_and_closes_node(void *arg)
{
    struct world *world = arg;
    const struct demo_Thermostat_add_out out = {3};
    assert_true(koine_node_process(world->serving, 0) >= 0);
    assert_int_equal(world->kept_count, 1);
    assert_int_equal(koine_reply(world->kept[0], &out), 0);
    close_timer(world);
    world->node = koine_node_close(world->node);
}

static void an_answer_that_comes_to_a_closed_node_is_none(void **state)
{
    struct world *world = *state;
    const char *json;
    soon(world, due_answers_and_closes_node);
    assert_int_equal(koine_call_text(&json, world->ref, "add", "[1, 2]", 0), KOINE_ECLOSED);
}

/* ---------------------------------------------------------------- deadlines */

/* A foreign loop that is told of nothing polls: whatever ran may have used the node meanwhile. */
static void a_call_that_is_over_is_a_thing_handled(void **state)
{
    struct world *world = *state;
    const struct demo_Thermostat_add_in in = {1, 2};
    static const int64_t timeouts[] = {1, 10 * KOINE_MILLISECOND};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(koine_start(NULL, world->ref, KOINE_REQUEST_CALL,
                                     demo_Thermostat_add_index, &in, timeouts[i], note_end, world),
                         0);
        assert_int_equal(koine_node_process(world->node, i ? KOINE_FOREVER : 0), 1);
        assert_int_equal(world->ends, i + 1);
        assert_int_equal(world->error, KOINE_EDEADLINE);
    }
}

/* With their number. */
static void answer_all(struct world *world)
{
    int from = world->kept_count;
    assert_true(koine_node_process(world->serving, 0) >= 0);
    for (int i = from; i < world->kept_count; i++) {
        const struct demo_Thermostat_add_out out = {i};
        assert_int_equal(koine_reply(world->kept[i], &out), 0);
    }
}

static void due_answers(void *arg)
{
    struct world *world = arg;
    answer_all(world);
    koine_timer_set(world->timer, koine_now() + KOINE_MILLISECOND);
}

static void due_asks_and_gives_back(void *arg)
{
    struct world *world = arg;
    const struct demo_Thermostat_add_in in = {1, 2};
    const void *out;
    close_timer(world);
    answer_all(world);
    assert_true(koine_node_process(world->node, 0) > 0);
    koine_ref_done(world->ref);
    soon(world, due_answers);
    assert_int_equal(koine_call(&out, world->ref, demo_Thermostat_add_index, &in, 0), 0);
    assert_int_equal(((const struct demo_Thermostat_add_out *)out)->return_, 1);
    close_timer(world);
}

/* A call-back that gives its own answer back leaves that of whoever waits below it. */
static void an_answer_is_not_given_back_by_another(void **state)
{
    struct world *world = *state;
    const struct demo_Thermostat_add_in in = {1, 2};
    const void *out;
    soon(world, due_asks_and_gives_back);
    assert_int_equal(koine_call(&out, world->ref, demo_Thermostat_add_index, &in, 0), 0);
    assert_int_equal(((const struct demo_Thermostat_add_out *)out)->return_, 0);
}

/* ---------------------------------------------------------------- limits */

/* Memory of a caller's own is no part of what its node may make for answers and samples. */
static void links_that_end_give_back_no_more_than_was_taken(void **state)
{
    enum { LARGE = 100 << 10 };
    struct world *world = *state;
    char *line = calloc(1, LARGE);
    memset(line, 'x', LARGE - 1);
    const struct demo_Thermostat_log_in in = {koine_string(line)};
    assert_int_equal(koine_start(NULL, world->ref, KOINE_REQUEST_CALL, demo_Thermostat_log_index,
                                 &in, 0, use_the_node, world),
                     0);
    settle(world);
    assert_int_equal(world->kept_count, 1);
    assert_non_null(world->ref->link->rooms[1].segment.base);
    world->ref = koine_ref_close(world->ref);
    assert_int_equal(world->node->octets, 0);
    free(line);
}

/* Faults are taken beyond the limit, and move it for nobody else. */
static void what_waits_for_room_is_bounded_also_with_faults(void **state)
{
    struct world *world = *state;
    struct kn_link link = {.node = world->serving, .service = world->service};
    struct kn_head reply = {.kind = KN_REPLY}, fault = {.kind = KN_FAULT};
    void *octets = calloc(1, KN_BODY_MAX);
    const struct kn_outgoing large = {NULL, octets, KN_BODY_MAX}, small = {NULL, octets, 64};
    kn_list_init(&link.late);
    assert_int_equal(kn_late_add(&link, &reply, &large, NULL), 0);
    assert_int_equal(kn_late_add(&link, &reply, &large, NULL), 0);
    assert_int_equal(kn_late_add(&link, &reply, &small, NULL), KOINE_EFULL);
    assert_int_equal(kn_late_add(&link, &fault, &small, NULL), 0);
    assert_int_equal(kn_late_add(&link, &reply, &large, NULL), KOINE_EFULL);
    kn_late_clear(&link);
    assert_int_equal(link.late_octets, 0);
    free(octets);
}

/* ---------------------------------------------------------------- subscriptions */

static void due_subscribes(void *arg)
{
    struct world *world = arg;
    assert_true(koine_node_process(world->serving, 0) >= 0);
    koine_timer_set(world->timer, koine_now() + KOINE_MILLISECOND);
}

static void subscribe(struct world *world)
{
    soon(world, due_subscribes);
    assert_int_equal(demo_Thermostat_reading_subscribe(&world->sub, world->ref), 0);
    settle(world);
    close_timer(world);
}

static void publish(struct world *world)
{
    const struct demo_Thermostat_reading reading = {.room = KOINE_TEXT("hall"), .celsius = 20};
    assert_int_equal(demo_Thermostat_reading_publish(world->service, &reading), 0);
}

/* Its publisher saw a node that was up, and woke nobody. */
static void a_sample_that_is_there_ends_the_wait_for_the_first_thing(void **state)
{
    struct world *world = *state;
    struct koine_sample *sample;
    subscribe(world);
    for (int i = 0; i < 3; i++) {
        int64_t begun = koine_now();
        publish(world);
        assert_true(koine_node_process(world->node, 10 * KOINE_SECOND) > 0);
        assert_true(koine_now() - begun < 5 * KOINE_SECOND);
        assert_int_equal(koine_event_take(&sample, world->sub), 0);
        assert_int_equal(koine_sample_release(sample), 0);
        assert_int_equal(koine_event_take(&sample, world->sub), KOINE_EAGAIN);
    }
}

static void due_closes_ref_before_a_sample(void *arg)
{
    struct world *world = arg;
    publish(world);
    world->ref = koine_ref_close(world->ref);
}

static void due_unsubscribes_before_a_sample(void *arg)
{
    struct world *world = arg;
    publish(world);
    world->sub = koine_unsubscribe(world->sub);
}

static void wait_and_lose(struct world *world, koine_timer_due *due)
{
    struct koine_sample *sample;
    subscribe(world);
    soon(world, due);
    assert_int_equal(koine_event_wait(&sample, world->sub, KOINE_SECOND), KOINE_ECLOSED);
    close_timer(world);
}

static void who_waits_for_a_sample_is_told_of_the_references_end(void **state)
{
    wait_and_lose(*state, due_closes_ref_before_a_sample);
}

static void who_waits_for_a_sample_is_told_of_the_subscriptions_end(void **state)
{
    wait_and_lose(*state, due_unsubscribes_before_a_sample);
}

/* Its answer comes when nobody waits for it, and then ends what was subscribed and nothing else. */
static void a_subscription_that_comes_too_late_leaves_its_link(void **state)
{
    struct world *world = *state;
    struct koine_sample *sample;
    struct kn_link *link = world->ref->link;
    start(world, world->ref, use_the_node);
    assert_int_equal(koine_subscribe(&world->sub, world->ref, demo_Thermostat_reading_index,
                                     5 * KOINE_MILLISECOND),
                     KOINE_EDEADLINE);
    subscribe(world);
    assert_ptr_equal(world->ref->link, link);
    assert_int_equal(world->ends, 0);
    assert_int_equal(koine_event_readers(world->service, demo_Thermostat_reading_index), 1);
    publish(world);
    assert_int_equal(koine_event_take(&sample, world->sub), 0);
    assert_int_equal(koine_sample_release(sample), 0);
}

static void a_sample_whose_type_went_with_the_reference_is_no_text(void **state)
{
    struct world *world = *state;
    struct koine_sample *sample;
    const char *json;
    koine_ref_close(world->ref);
    world->ref = open_ref(world, NULL);
    subscribe(world);
    publish(world);
    assert_int_equal(koine_event_take(&sample, world->sub), 0);
    assert_int_equal(koine_sample_text(&json, sample), 0);
    world->ref = koine_ref_close(world->ref);
    assert_int_equal(koine_sample_text(&json, sample), KOINE_ECLOSED);
    assert_int_equal(koine_sample_release(sample), 0);
}

/* ---------------------------------------------------------------- children */

static int all_is_forked(struct world *world, struct koine_sample *sample)
{
    const struct demo_Thermostat_add_out out = {3};
    const struct koine_fault fault = {.name = "", .message = "", .origin = ""};
    struct koine_service_counts counts = {.size = sizeof counts};
    struct koine_request *request = world->kept[0];
    struct koine_caller peer;
    const char *json;
    size_t length;
    int wrong = koine_reply(request, &out) != KOINE_EFORKED;
    wrong += koine_reply_text(request, "{}", 2) != KOINE_EFORKED;
    wrong += koine_reply_fault(request, &fault) != KOINE_EFORKED;
    wrong += koine_request_fault(request, KOINE_FAULT_ABORTED, "") != KOINE_EFORKED;
    wrong += koine_request_raise(request, 0, NULL) != KOINE_EFORKED;
    wrong += koine_request_text(&json, &length, request) != KOINE_EFORKED;
    wrong += koine_service_counts(&counts, world->service) != KOINE_EFORKED;
    wrong += koine_ref_peer(&peer, world->ref) != KOINE_EFORKED;
    wrong += koine_sample_text(&json, sample) != KOINE_EFORKED;
    wrong += koine_sample_release(sample) != KOINE_EFORKED;
    wrong += koine_node_run(world->node) != KOINE_EFORKED;
    koine_ref_done(world->ref);
    koine_unsubscribe(world->sub);
    return wrong;
}

/* A child has the parent's sockets and not its memory: it may neither speak nor reach there. */
static void nothing_that_a_child_does_reaches_the_service(void **state)
{
    struct world *world = *state;
    struct koine_sample *sample;
    int status;
    subscribe(world);
    publish(world);
    assert_int_equal(koine_event_take(&sample, world->sub), 0);
    start(world, world->ref, use_the_node);
    settle(world);
    assert_int_equal(world->kept_count, 1);
    pid_t pid = fork();
    if (!pid)
        _exit(all_is_forked(world, sample));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    settle(world);
    assert_int_equal(koine_event_readers(world->service, demo_Thermostat_reading_index), 1);
    assert_int_equal(world->ends, 0);
    assert_int_equal(koine_sample_release(sample), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_told_of_a_closing_may_use_the_node),
        TEST(who_is_told_of_a_closing_may_close_more),
        TEST(also_the_node),
        TEST(a_reference_may_be_closed_while_it_connects),
        TEST(a_reference_has_one_link),
        TEST(a_service_may_die_once_it_has_described_itself),
        TEST(an_answer_that_comes_to_a_closed_node_is_none),
        TEST(a_call_that_is_over_is_a_thing_handled),
        TEST(an_answer_is_not_given_back_by_another),
        TEST(links_that_end_give_back_no_more_than_was_taken),
        TEST(what_waits_for_room_is_bounded_also_with_faults),
        TEST(a_sample_that_is_there_ends_the_wait_for_the_first_thing),
        TEST(who_waits_for_a_sample_is_told_of_the_references_end),
        TEST(who_waits_for_a_sample_is_told_of_the_subscriptions_end),
        TEST(a_subscription_that_comes_too_late_leaves_its_link),
        TEST(a_sample_whose_type_went_with_the_reference_is_no_text),
        TEST(nothing_that_a_child_does_reaches_the_service),
    };
    return cmocka_run_group_tests_name("closing", tests, NULL, NULL);
}
