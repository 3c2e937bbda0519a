/* SPDX-License-Identifier: MIT */
#include "test-stream.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { SLOTS = 16, MANY = 5000, CHUNKS = 32 };

static char dir[128];

/* ---------------------------------------------------------------- a publisher in a process of its own */

struct publisher {
    struct koine_service *service;
    int64_t sent;
};

/* Further apart than they are long. */
struct spaced {
    struct test_Stream_line line;
    uint64_t between;
};

static int lines(void *self, struct koine_request *request, const struct test_Stream_lines_in *in)
{
    struct publisher *publisher = self;
    struct spaced *values = koine_request_alloc(request, in->batch * sizeof *values);
    memset(values, 0xee, in->batch * sizeof *values);
    for (uint32_t left = in->count; left;) {
        uint32_t some = left < in->batch ? left : in->batch;
        for (uint32_t i = 0; i < some; i++)
            for (uint64_t word = 0; word < 8; word++)
                values[i].line.value[word] = (uint64_t)publisher->sent + i + (word << 32);
        int rc = some == 1 ? test_Stream_line_publish(publisher->service, &values->line)
                           : koine_event_publish_many(publisher->service, test_Stream_line_index,
                                                      values, some, sizeof *values);
        if (rc)
            return rc;
        publisher->sent += some;
        left -= some;
    }
    return 0;
}

static uint8_t is_clear(const void *octets, size_t size)
{
    const uint8_t *at = octets;
    for (size_t i = 0; i < size; i++)
        if (at[i])
            return 0;
    return 1;
}

static int loans(void *self, struct koine_request *request, struct test_Stream_loans_out *out)
{
    struct publisher *publisher = self;
    struct test_Stream_page *page;
    struct test_Stream_odd *odd;
    (void)request;
    int rc = test_Stream_page_loan(&page, publisher->service);
    if (!rc)
        rc = test_Stream_odd_loan(&odd, publisher->service);
    if (rc)
        return rc;
    out->page = is_clear(page, sizeof *page);
    out->odd = is_clear(odd, sizeof *odd);
    memset(page, 0xff, sizeof *page);
    memset(odd, 0xff, sizeof *odd);
    rc = test_Stream_page_publish(publisher->service, page);
    return rc ? rc : test_Stream_odd_publish(publisher->service, odd);
}

static int sent(void *self, struct koine_request *request, struct test_Stream_sent_out *out)
{
    (void)request;
    out->return_ = ((struct publisher *)self)->sent;
    return 0;
}

static const struct test_Stream_handlers handlers = {lines, loans, sent};
static struct koine_node *serving;

static void stop(int number)
{
    (void)number;
    koine_node_stop(serving);
}

static int open_node(struct koine_node **nodep, int64_t spin)
{
    const struct koine_node_options options = {
        .size = sizeof options, .dir = dir, .timeout = 20 * KOINE_SECOND, .spin = spin};
    return koine_node_open(nodep, &options);
}

static void serve(int ready, int64_t spin)
{
    const struct koine_service_options options = {
        .size = sizeof options, .event_slots = SLOTS, .block = 20 * KOINE_SECOND};
    struct publisher publisher = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (open_node(&serving, spin) || signal(SIGTERM, stop) == SIG_ERR ||
        koine_service_open(&publisher.service, serving, "stream", &test_Stream, &handlers,
                           &publisher, &options) ||
        write(ready, "k", 1) != 1)
        _exit(2);
    int rc = koine_node_run(serving);
    koine_node_close(serving);
    _exit(rc ? 3 : 0);
}

struct pair {
    pid_t pid;
    struct koine_node *node;
    struct koine_ref *ref;
};

static void begin(struct pair *pair, int64_t spin)
{
    int ready[2];
    char octet;
    const char *below = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/koine-test.XXXXXX", below ? below : "/tmp");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(pipe(ready), 0);
    pair->pid = fork();
    if (!pair->pid)
        serve(ready[1], spin);
    close(ready[1]);
    assert_int_equal(read(ready[0], &octet, 1), 1);
    close(ready[0]);
    assert_int_equal(open_node(&pair->node, spin), 0);
    assert_int_equal(koine_ref_open(&pair->ref, pair->node, "stream", &test_Stream, 0), 0);
}

/* Whatever it does, a service ends when it is told to. */
static void end(struct pair *pair)
{
    int status;
    assert_int_equal(kill(pair->pid, SIGTERM), 0);
    assert_int_equal(waitpid(pair->pid, &status, 0), pair->pid);
    assert_int_equal(status, 0);
    koine_node_close(pair->node);
    char command[192];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

/* ---------------------------------------------------------------- tests */

static void take_lines(struct koine_sub *sub, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct koine_sample *sample;
        assert_int_equal(koine_event_wait(&sample, sub, 0), 0);
        const struct test_Stream_line *line = koine_sample_value(sample);
        for (uint64_t word = 0; word < 8; word++)
            assert_true(line->value[word] == i + (word << 32));
        assert_true(koine_sample_serial(sample) == i + 1 && !koine_sample_lost(sample));
        assert_int_equal(koine_sample_release(sample), 0);
    }
}

/* Batches larger and smaller than the ring, and such that do not divide it. */
static void lines_cross(int64_t spin, uint32_t batch)
{
    struct pair pair;
    struct koine_sub *sub;
    int64_t all;
    begin(&pair, spin);
    assert_int_equal(test_Stream_line_subscribe(&sub, pair.ref), 0);
    assert_int_equal(test_Stream_lines(pair.ref, MANY, batch), 0);
    take_lines(sub, MANY);
    assert_int_equal(test_Stream_sent(&all, pair.ref), 0);
    assert_int_equal(all, MANY);
    koine_unsubscribe(sub);
    end(&pair);
}

static void samples_come_in_order_and_once_whatever_the_batch(void **state)
{
    (void)state;
    static const uint32_t batches[] = {1, 3, SLOTS, SLOTS + 1, 1000};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
        lines_cross(0, batches[i]);
}

static void nobody_who_never_spins_misses_a_sample(void **state)
{
    (void)state;
    lines_cross(-1, 1);
    lines_cross(-1, 7);
}

static void a_loan_with_padding_is_clear_and_one_without_may_not_be(void **state)
{
    (void)state;
    struct pair pair;
    struct koine_sub *pages, *odds;
    begin(&pair, 0);
    assert_int_equal(test_Stream_page_subscribe(&pages, pair.ref), 0);
    assert_int_equal(test_Stream_odd_subscribe(&odds, pair.ref), 0);
    for (int turn = 0; turn < 3 * CHUNKS; turn++) {
        const struct test_Stream_loans_out *out;
        assert_int_equal(test_Stream_loans_call(&out, pair.ref, 0), 0);
        assert_int_equal(out->odd, 1);
        assert_int_equal(out->page, turn < CHUNKS);
        struct koine_sample *page, *odd;
        assert_int_equal(koine_event_wait(&page, pages, 0), 0);
        assert_int_equal(koine_event_wait(&odd, odds, 0), 0);
        const struct test_Stream_page *octets = koine_sample_value(page);
        for (size_t i = 0; i < sizeof octets->value; i++)
            assert_int_equal(octets->value[i], 0xff);
        koine_sample_release(page);
        koine_sample_release(odd);
        struct koine_sample *none;
        assert_int_equal(koine_event_take(&none, pages), KOINE_EAGAIN);
        assert_int_equal(koine_event_take(&none, odds), KOINE_EAGAIN);
    }
    koine_unsubscribe(pages);
    koine_unsubscribe(odds);
    end(&pair);
}

/* A service sleeps at the bell of its only caller, and yet sees the second. */
static void a_newcomer_is_met_by_a_service_that_has_one_caller(void **state)
{
    (void)state;
    struct pair pair;
    begin(&pair, -1);
    for (int turn = 0; turn < 20; turn++) {
        struct koine_node *node;
        struct koine_ref *ref;
        int64_t all = -1;
        for (int i = 0; i < 100; i++)
            assert_int_equal(test_Stream_sent(&all, pair.ref), 0);
        assert_int_equal(open_node(&node, -1), 0);
        assert_int_equal(koine_ref_open(&ref, node, "stream", &test_Stream, 0), 0);
        assert_int_equal(test_Stream_sent(&all, ref), 0);
        assert_int_equal(test_Stream_sent(&all, pair.ref), 0);
        koine_node_close(node);
    }
    end(&pair);
}

static const struct test_Stream_handlers nothing;

static _Noreturn void be_newcomer(void)
{
    struct koine_node *node;
    struct koine_ref *ref;
    int64_t all;
    if (open_node(&node, 0) || koine_ref_open(&ref, node, "busy", &test_Stream, 0))
        _exit(2);
    _exit(test_Stream_sent(&all, ref) == KOINE_EFAULT ? 0 : 3);
}

/* Its waits all end at once, by samples of another link, and yet it takes a call in. */
static void a_newcomer_is_met_by_a_node_that_is_busy_with_samples(void **state)
{
    (void)state;
    struct pair pair;
    struct koine_service *busy;
    struct koine_sub *sub;
    struct koine_sample *sample;
    int status = -1;
    begin(&pair, 0);
    assert_int_equal(
        koine_service_open(&busy, pair.node, "busy", &test_Stream, &nothing, NULL, NULL), 0);
    assert_int_equal(test_Stream_line_subscribe(&sub, pair.ref), 0);
    pid_t pid = fork();
    if (!pid)
        be_newcomer();
    int64_t until = koine_now() + 10 * KOINE_SECOND;
    while (waitpid(pid, &status, WNOHANG) != pid && koine_now() < until) {
        assert_int_equal(test_Stream_lines(pair.ref, 1, 1), 0);
        assert_int_equal(koine_event_wait(&sample, sub, 0), 0);
        koine_sample_release(sample);
    }
    assert_int_equal(status, 0);
    koine_unsubscribe(sub);
    end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_come_in_order_and_once_whatever_the_batch),
        cmocka_unit_test(nobody_who_never_spins_misses_a_sample),
        cmocka_unit_test(a_loan_with_padding_is_clear_and_one_without_may_not_be),
        cmocka_unit_test(a_newcomer_is_met_by_a_service_that_has_one_caller),
        cmocka_unit_test(a_newcomer_is_met_by_a_node_that_is_busy_with_samples),
    };
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
