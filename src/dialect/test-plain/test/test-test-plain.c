/* SPDX-License-Identifier: MIT
 *
 * The test of the generic tests: variants of the test dialect that are wrong in one place each, which
 * they have to find; and what the simulated network gives that no pair of one dialect asks for.
 */
#include "dialect/test-pair.h"
#include "dialect/test-plain/plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_one_is_found_right),
        cmocka_unit_test(a_request_that_is_lost_and_not_repeated_is_found),
        cmocka_unit_test(a_request_that_runs_twice_is_found),
        cmocka_unit_test(answers_that_are_taken_in_order_are_found),
        cmocka_unit_test(a_half_closed_stream_without_answers_is_found),
        cmocka_unit_test(a_timer_that_is_not_set_again_is_found),
        cmocka_unit_test(a_death_in_the_middle_that_ends_nothing_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
