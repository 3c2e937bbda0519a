/* SPDX-License-Identifier: MIT
 *
 * What holds for every dialect at the level of octets, whatever it says. Built once per dialect of the
 * list; its conversations are <name>/test/stream-*.in and exchange-*.in, each with the expected .out.
 *
 *      whole | split everywhere | cut anywhere | each allocation failing | late, shuffled, slow, full
 *      what a get answers can be set again: encode, decode, equal
 *
 * The simulated network (test-sim.h) aborts when the contract is broken. The seed of a random run is printed.
 */
#include "dialect/test-sim.h"
#include "dialect/test-form.h"
#include "dialect/test-pair.h"

#include <glob.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

extern const struct kn_dialect KN_DIALECT;

enum { CONVERSATIONS = 64, RANDOM_SPLITS = 60, RANDOM_PLANS = 40, RANDOM_TYPES = 20 };

struct conversation {
    const char *name;
    enum kn_shape shape;
    char *in, *out;
    size_t in_length, out_length;
};

static struct conversation conversations[CONVERSATIONS];
static size_t conversation_count;
static const struct conversation *recorded; /* NULL: it reaches not */
static struct test_services services;
static const struct kn_options serving = {.role = KN_SERVE, .transport = "tcp"};

/* ---------------------------------------------------------------- allocation by the dialect */

static long mallocs_left = -1; /* of the dialect that succeed; negative: all */

static int refused(void)
{
    if (!test_inside || mallocs_left < 0)
        return 0;
    return mallocs_left ? (mallocs_left--, 0) : 1;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return refused() ? NULL : __real_realloc(old, size);
}

/* ---------------------------------------------------------------- conversations */

static char *read_file(size_t *lengthp, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s is missing", path);
    char *text = malloc(1 << 20);
    *lengthp = fread(text, 1, 1 << 20, file);
    fclose(file);
    return text;
}

static void load(const char *pattern, enum kn_shape shape)
{
    glob_t found;
    char path[1024];
    if (glob(pattern, 0, NULL, &found))
        return;
    for (size_t i = 0; i < found.gl_pathc && conversation_count < CONVERSATIONS; i++) {
        struct conversation *one = &conversations[conversation_count++];
        snprintf(path, sizeof path, "%s", found.gl_pathv[i]);
        one->shape = shape;
        one->name = strdup(strrchr(path, '/') + 1);
        one->in = read_file(&one->in_length, path);
        memcpy(path + strlen(path) - 3, ".out", sizeof ".out");
        one->out = read_file(&one->out_length, path);
    }
    globfree(&found);
}

/* What the two roles say to each other is a conversation too. */
static void record(void)
{
    struct kn_buffer to_serve, to_reach;
    struct conversation *one = &conversations[conversation_count];
    kn_buffer_init(&to_serve, 0);
    kn_buffer_init(&to_reach, 0);
    if (!test_pair_record(&to_serve, &to_reach, &KN_DIALECT, &services))
        return;
    *one = (struct conversation){.name = strdup("recorded"), .shape = KN_STREAM};
    (void)kn_buffer_steal(&one->in, &one->in_length, &to_serve);
    (void)kn_buffer_steal(&one->out, &one->out_length, &to_reach);
    recorded = one;
    conversation_count++;
}

static int load_all(void **state)
{
    (void)state;
    test_services_init(&services, 1);
    record();
    load(KN_TEST_DIR "/stream-*.in", KN_STREAM);
    load(KN_TEST_DIR "/exchange-*.in", KN_EXCHANGE);
    return conversation_count == 0;
}

static int drop_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < conversation_count; i++) {
        free((char *)conversations[i].name);
        free(conversations[i].in);
        free(conversations[i].out);
    }
    test_services_deinit(&services);
    return 0;
}

/* An hour, so that what goes on for ever ends. */
static void run(struct sim_lone *lone, long steps)
{
    (void)sim_run(&lone->sim, steps, lone->sim.now + 3600 * KOINE_SECOND);
}

static void begin(struct sim_lone *lone, const struct conversation *one,
                  const struct sim_plan *plan)
{
    sim_lone_init(lone, &KN_DIALECT, &serving, plan, &services);
    sim_meet(&lone->peer, lone->endpoint, one->shape);
}

/* ---------------------------------------------------------------- output */

static int compare_units(const void *a, const void *b)
{
    return kn_str_compare(*(const struct kn_str *)a, *(const struct kn_str *)b);
}

/* The whole messages of an output, sorted. Fails when something else is left. */
static size_t units(struct kn_str **unitsp, const char *name, struct kn_str output,
                    enum kn_shape shape)
{
    size_t count = 0, length;
    struct kn_str *all = calloc(output.length + 1, sizeof *all);
    for (; output.length; output.ptr += length, output.length -= length) {
        length = test_form_unit(output, shape);
        if (!length)
            fail_msg("%s: no well-formed output: %.*s", name, (int)output.length, output.ptr);
        all[count++] = (struct kn_str){output.ptr, length};
    }
    qsort(all, count, sizeof *all, compare_units);
    *unitsp = all;
    return count;
}

static struct kn_str output(const struct sim_lone *lone)
{
    return (struct kn_str){lone->peer.out.ptr ? lone->peer.out.ptr : "", lone->peer.out.length};
}

static void assert_well_formed(const struct conversation *one, const struct sim_lone *lone)
{
    struct kn_str *all;
    (void)units(&all, one->name, output(lone), one->shape);
    free(all);
}

/* The same answers, in any order. */
static void assert_same_answers(const struct conversation *one, const struct sim_lone *lone)
{
    struct kn_str *wanted, *found;
    size_t count =
        units(&wanted, one->name, (struct kn_str){one->out, one->out_length}, one->shape);
    assert_int_equal(units(&found, one->name, output(lone), one->shape), count);
    for (size_t i = 0; i < count; i++)
        if (!kn_str_equal(wanted[i], found[i]))
            fail_msg("%s: found %.*s wanted %.*s", one->name, (int)found[i].length, found[i].ptr,
                     (int)wanted[i].length, wanted[i].ptr);
    free(wanted);
    free(found);
}

/* Everything was answered and the dialect has ended the channel by itself. */
static void finish(struct sim_lone *lone, const struct conversation *one)
{
    run(lone, -1);
    if (lone->peer.channel)
        fail_msg("%s: not closed", one->name);
    assert_int_equal(sim_lone_error(lone), 0);
}

/* ---------------------------------------------------------------- whole and split */

static void conversations_are_answered_as_written(void **state)
{
    struct sim_lone lone;
    (void)state;
    for (size_t i = 0; i < conversation_count; i++) {
        const struct conversation *one = &conversations[i];
        begin(&lone, one, &sim_plain);
        sim_feed(&lone.peer, (struct kn_str){one->in, one->in_length}, true);
        finish(&lone, one);
        struct kn_str found = output(&lone);
        if (!kn_str_equal(found, (struct kn_str){one->out, one->out_length}))
            fail_msg("%s: found\n%.*s\nwanted\n%.*s", one->name, (int)found.length, found.ptr,
                     (int)one->out_length, one->out);
        assert_well_formed(one, &lone);
        sim_lone_deinit(&lone);
    }
}

static void feed_in_pieces(const struct conversation *one, const size_t *ends, size_t count,
                           const struct sim_plan *plan)
{
    struct sim_lone lone;
    size_t at = 0;
    begin(&lone, one, plan);
    for (size_t i = 0; i < count; i++) {
        sim_feed(&lone.peer, (struct kn_str){one->in + at, ends[i] - at}, false);
        run(&lone, plan->shuffle ? (long)random_below(&lone.sim.random, 4) : -1);
        at = ends[i];
    }
    sim_feed(&lone.peer, (struct kn_str){one->in + at, one->in_length - at}, true);
    finish(&lone, one);
    assert_same_answers(one, &lone);
    sim_lone_deinit(&lone);
}

static void streams_may_be_split_at_every_octet(void **state)
{
    (void)state;
    for (size_t i = 0; i < conversation_count; i++) {
        const struct conversation *one = &conversations[i];
        size_t *every = calloc(one->in_length + 1, sizeof *every);
        for (size_t end = 0; one->shape == KN_STREAM && end <= one->in_length; end++) {
            feed_in_pieces(one, &end, 1, &sim_plain);
            every[end] = end;
        }
        if (one->shape == KN_STREAM)
            feed_in_pieces(one, every, one->in_length + 1, &sim_plain);
        free(every);
    }
}

static void streams_may_be_split_twice_anywhere(void **state)
{
    struct random_source random = {2};
    (void)state;
    for (size_t i = 0; i < conversation_count; i++) {
        const struct conversation *one = &conversations[i];
        for (int n = 0; n < RANDOM_SPLITS && one->shape == KN_STREAM; n++) {
            size_t ends[2];
            ends[1] = random_below(&random, (uint32_t)one->in_length + 1);
            ends[0] = random_below(&random, (uint32_t)ends[1] + 1);
            feed_in_pieces(one, ends, 2, &sim_plain);
        }
    }
}

/* ---------------------------------------------------------------- cut */

static void a_peer_that_is_gone_leaves_nothing(void **state)
{
    static const struct sim_plan late = {
        .seed = 3, .late = true, .slow_every = 2, .allocations = -1};
    (void)state;
    for (size_t i = 0; i < conversation_count; i++) {
        const struct conversation *one = &conversations[i];
        for (size_t end = 0; end <= one->in_length; end++) {
            struct sim_lone lone;
            begin(&lone, one, end % 2 ? &late : &sim_plain);
            sim_feed(&lone.peer, (struct kn_str){one->in, end}, false);
            run(&lone, (long)(end % 5));
            sim_hang_up(&lone.peer);
            sim_lone_deinit(&lone);
        }
    }
}

static void a_stream_that_ends_anywhere_is_answered_and_closed(void **state)
{
    (void)state;
    for (size_t i = 0; i < conversation_count; i++) {
        const struct conversation *one = &conversations[i];
        for (size_t end = 0; end <= one->in_length; end++) {
            struct sim_lone lone;
            begin(&lone, one, &sim_plain);
            sim_feed(&lone.peer, (struct kn_str){one->in, end}, true);
            finish(&lone, one);
            assert_well_formed(one, &lone);
            sim_lone_deinit(&lone);
        }
    }
}

/* ---------------------------------------------------------------- memory */

/* Output may break off only where the channel was given up. True when it was not. */
static bool survives(const struct conversation *one, const struct sim_plan *plan)
{
    struct sim_lone lone;
    size_t third = one->shape == KN_STREAM ? one->in_length / 3 : 0;
    begin(&lone, one, plan);
    for (int i = 0; i < 2 && third; i++)
        sim_feed(&lone.peer, (struct kn_str){one->in + (size_t)i * third, third}, false);
    sim_feed(&lone.peer, (struct kn_str){one->in + 2 * third, one->in_length - 2 * third}, true);
    run(&lone, -1);
    assert_null(lone.peer.channel);
    bool good = sim_lone_error(&lone) == 0;
    if (good)
        assert_well_formed(one, &lone);
    bool same = lone.peer.out.length == one->out_length;
    sim_lone_deinit(&lone);
    return good && same;
}

static void every_allocation_of_the_host_may_fail(void **state)
{
    struct sim_plan plan = {.seed = 4, .late = true, .slow_every = 3};
    long failed = 0;
    (void)state;
    for (size_t i = 0; i < conversation_count; i++) {
        plan.allocations = 0;
        while (!survives(&conversations[i], &plan) && plan.allocations < 100000) {
            plan.allocations++;
            failed++;
        }
        assert_true(plan.allocations < 100000);
    }
    assert_true(failed > 0);
}

static void every_quota_is_enough_or_refused(void **state)
{
    struct sim_plan plan = {.seed = 5, .late = true, .allocations = -1};
    (void)state;
    for (size_t i = 0; i < conversation_count; i++)
        for (plan.quota = 1; plan.quota < 6000; plan.quota += 67)
            (void)survives(&conversations[i], &plan);
}

static void every_malloc_may_fail(void **state)
{
    long failed = 0, most;
    (void)state;
    for (size_t i = 0; i < conversation_count; i++) {
        for (most = 0; most < 100000; most++) {
            mallocs_left = most;
            bool good = survives(&conversations[i], &sim_plain);
            mallocs_left = -1;
            if (good)
                break;
            failed++;
        }
        assert_true(most < 100000);
    }
    assert_true(failed > 0);
}

/* ---------------------------------------------------------------- time */

static void late_and_shuffled_answers_are_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RANDOM_PLANS; seed++) {
        struct sim_plan plan = {.seed = seed,
                                .late = seed & 1,
                                .shuffle = seed & 2,
                                .full_every = seed & 4 ? 2 : 0,
                                .slow_every = seed & 8 ? 1 + (unsigned)seed % 3 : 0,
                                .allocations = -1};
        for (size_t i = 0; i < conversation_count; i++) {
            const struct conversation *one = &conversations[i];
            size_t ends[2] = {one->in_length / 3, one->in_length / 2};
            feed_in_pieces(one, ends, one->shape == KN_STREAM ? 2 : 0, &plan);
        }
    }
}

/* ---------------------------------------------------------------- values */

static void ask(struct kn_buffer *answer, struct sim_lone *lone, const struct kn_buffer *request)
{
    size_t before = lone->peer.out.length;
    sim_feed(&lone->peer, (struct kn_str){request->ptr, request->length}, false);
    run(lone, -1);
    assert_true(lone->peer.channel && lone->peer.out.length > before);
    kn_buffer_clear(answer);
    kn_buffer_add(answer, lone->peer.out.ptr + before, lone->peer.out.length - before);
}

static void set_what_was_got(struct sim_lone *lone, struct kn_str attribute)
{
    struct kn_buffer request, answer;
    kn_buffer_init(&request, 0);
    kn_buffer_init(&answer, 0);
    test_form_get(&request, KN_STR("test/random"), attribute);
    ask(&answer, lone, &request);
    struct kn_str got = {answer.ptr, answer.length};
    kn_buffer_clear(&request);
    test_form_set(&request, KN_STR("test/random"), attribute, got);
    unsigned before = lone->endpoint->state.set;
    ask(&answer, lone, &request);
    if (lone->endpoint->state.set != before + 1)
        fail_msg("%.*s %.*s", (int)request.length, request.ptr, (int)answer.length, answer.ptr);
    kn_buffer_deinit(&request);
    kn_buffer_deinit(&answer);
}

static void what_is_read_can_be_written_back(void **state)
{
    static const struct conversation stream = {.shape = KN_STREAM};
    (void)state;
    for (uint64_t seed = 1; seed <= RANDOM_TYPES; seed++) {
        struct sim_lone lone;
        struct test_services own;
        test_services_init(&own, seed);
        sim_lone_init(&lone, &KN_DIALECT, &serving, &sim_plain, &own);
        sim_meet(&lone.peer, lone.endpoint, stream.shape);
        for (uint32_t i = 0; i < own.random_count; i++) {
            const struct koine_string *name = &own.random.features.ptr[i].name;
            set_what_was_got(&lone, (struct kn_str){name->ptr, name->length});
        }
        assert_int_equal(lone.endpoint->state.spoilt, 0);
        sim_lone_deinit(&lone);
        test_services_deinit(&own);
    }
}

/* ---------------------------------------------------------------- reaching */

static const struct sim_plan quiet = {.seed = 7, .allocations = -1};
static unsigned wanted_replies;

/* True when every request got its answer. With three pieces the rest never comes. */
static bool answer_in_pieces(const struct sim_plan *plan, const size_t *ends, size_t count)
{
    struct test_alone alone;
    size_t at = 0;
    test_alone_init(&alone, &KN_DIALECT, plan, &services);
    for (size_t i = 0; i < count; at = ends[i++]) {
        sim_feed(&alone.lone.peer, (struct kn_str){recorded->out + at, ends[i] - at}, false);
        run(&alone.lone, -1);
    }
    size_t rest = recorded->out_length - at;
    if (count < 3)
        sim_feed(&alone.lone.peer, (struct kn_str){recorded->out + at, rest}, true);
    unsigned replies = test_alone_replies(&alone);
    test_alone_deinit(&alone);
    return replies == wanted_replies;
}

static void answers_may_be_split_at_every_octet(void **state)
{
    struct test_alone alone;
    (void)state;
    test_alone_init(&alone, &KN_DIALECT, &quiet, &services);
    sim_feed(&alone.lone.peer, (struct kn_str){recorded->out, recorded->out_length}, false);
    wanted_replies = test_alone_replies(&alone);
    test_alone_deinit(&alone);
    assert_true(wanted_replies > 3);
    for (size_t end = 0; end <= recorded->out_length; end++)
        assert_true(answer_in_pieces(&quiet, &end, 1));
}

static void a_server_that_is_gone_ends_what_was_asked(void **state)
{
    static const struct sim_plan late = {
        .seed = 7, .late = true, .slow_every = 2, .allocations = -1};
    (void)state;
    for (size_t end = 0; end <= recorded->out_length; end++) {
        size_t ends[3] = {end / 2, end, end};
        (void)answer_in_pieces(end % 2 ? &late : &quiet, ends, 3);
    }
}

static void every_allocation_of_who_reaches_may_fail(void **state)
{
    struct sim_plan plan = {.seed = 7};
    size_t third = recorded->out_length / 3;
    long failed = 0;
    (void)state;
    for (; plan.allocations < 100000; plan.allocations++, failed++)
        if (answer_in_pieces(&plan, &third, 1))
            break;
    assert_true(failed > 0 && plan.allocations < 100000);
    plan.allocations = -1;
    for (plan.quota = 1; plan.quota < 6000; plan.quota += 67)
        (void)answer_in_pieces(&plan, &third, 1);
}

static void every_malloc_of_who_reaches_may_fail(void **state)
{
    size_t third = recorded->out_length / 3;
    long most = 0;
    bool good = false;
    (void)state;
    for (; !good && most < 100000; most++) {
        mallocs_left = most;
        good = answer_in_pieces(&quiet, &third, 1);
        mallocs_left = -1;
    }
    assert_true(good);
}

/* ---------------------------------------------------------------- both roles */

enum { RUN_SECONDS = 3, REACHING = 5 };

static uint64_t first_seed;

static void both_roles_keep_their_word_whatever_happens(void **state)
{
    (void)state;
    printf("# runs from --seed %llu\n", (unsigned long long)first_seed);
    unsigned runs = test_pair_runs(&KN_DIALECT, first_seed, RUN_SECONDS, UINT_MAX);
    printf("# %u runs: ", runs);
    test_pair_report();
    assert_true(runs > 0);
}

/* -- by hand: --seed N [--runs N] [--print] [--bug NAME] -- */

static int run_by_hand(int argc, char **argv)
{
    unsigned runs = 1;
    if (!KN_DIALECT.identity->reaches) {
        printf("%s: only one role\n", KN_DIALECT.identity->name);
        return 0;
    }
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (!strcmp(argv[i], "--print"))
            test_pair_print = true;
        else if (!strcmp(argv[i], "--seed") && more)
            first_seed = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--runs") && more)
            runs = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--bug") && more)
            test_pair_bug = argv[++i];
        else
            return 2;
    }
    runs = test_pair_runs(&KN_DIALECT, first_seed, 1e9, runs);
    printf("%s: %u runs from --seed %llu: ", KN_DIALECT.identity->name, runs,
           (unsigned long long)first_seed);
    test_pair_report();
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations_are_answered_as_written),
        cmocka_unit_test(streams_may_be_split_at_every_octet),
        cmocka_unit_test(streams_may_be_split_twice_anywhere),
        cmocka_unit_test(a_peer_that_is_gone_leaves_nothing),
        cmocka_unit_test(a_stream_that_ends_anywhere_is_answered_and_closed),
        cmocka_unit_test(every_allocation_of_the_host_may_fail),
        cmocka_unit_test(every_quota_is_enough_or_refused),
        cmocka_unit_test(every_malloc_may_fail),
        cmocka_unit_test(late_and_shuffled_answers_are_the_same),
        cmocka_unit_test(what_is_read_can_be_written_back),
        /* These need both roles. */
        cmocka_unit_test(answers_may_be_split_at_every_octet),
        cmocka_unit_test(a_server_that_is_gone_ends_what_was_asked),
        cmocka_unit_test(every_allocation_of_who_reaches_may_fail),
        cmocka_unit_test(every_malloc_of_who_reaches_may_fail),
        cmocka_unit_test(both_roles_keep_their_word_whatever_happens),
    };
    size_t count = sizeof tests / sizeof *tests - (KN_DIALECT.identity->reaches ? 0 : REACHING);
    first_seed = (uint64_t)time(NULL) * 1000000;
    if (argc > 1)
        return run_by_hand(argc, argv);
    return _cmocka_run_group_tests("generic", tests, count, load_all, drop_all);
}
