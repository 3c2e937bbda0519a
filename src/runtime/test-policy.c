/* SPDX-License-Identifier: MIT */
#include "runtime/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static void lists_of_callers_are_checked(void **state)
{
    static const char *const good[] = {"uid:0", "gid:4294967294", "uid:*", "uid:1, gid:50 ,uid:2"};
    static const char *const bad[] = {
        "",       ",",        "uid:",       "uid:x",          "1000",
        "user:1", "uid:1,,2", "uid:1 uid:", "uid:4294967295", "uid:-1"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!kn_policy_callers_valid(good[i]))
            fail_msg("'%s' was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (kn_policy_callers_valid(bad[i]))
            fail_msg("'%s' was taken", bad[i]);
}

static void lists_of_calls_are_checked(void **state)
{
    static const char *const good[] = {"*", "a/b", "a/b.c", "a.b.*", "a/*, b/*.get_*"};
    static const char *const bad[] = {"", ",", "a,,b", ".x", "a.", "a b.c", "a.b/c"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!kn_policy_calls_valid(good[i]))
            fail_msg("'%s' was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (kn_policy_calls_valid(bad[i]))
            fail_msg("'%s' was taken", bad[i]);
}

static bool calls(const char *rules, const char *service, const char *member)
{
    bool may = kn_policy_calls(rules, kn_str(service), kn_str(member));
    if (may)
        assert_true(kn_policy_reaches(rules, kn_str(service)));
    return may;
}

static void what_no_rule_names_is_not_called(void **state)
{
    (void)state;
    assert_true(calls(NULL, "plant/a", "add"));
    assert_true(calls("plant/a", "plant/a", "add"));
    assert_false(calls("plant/a", "plant/ab", "add"));
    assert_false(calls("plant/a", "plant/a/b", "add"));
    assert_true(calls("plant/*", "plant/a/b", "add"));
    assert_false(calls("plant/*", "plan/a", "add"));
    assert_true(calls("plant/a.add", "plant/a", "add"));
    assert_false(calls("plant/a.add", "plant/a", "addition"));
    assert_false(calls("plant/a.add", "plant/a", "ad"));
    assert_true(calls("x, plant/*.get_*", "plant/a", "get_x"));
    assert_false(calls("x, plant/*.get_*", "plant/a", "set_x"));
    assert_true(kn_policy_reaches("x, plant/*.get_*", KN_STR("plant/a")));
    assert_false(kn_policy_reaches("x, plant/*.get_*", KN_STR("lab/a")));
}

static void dots_in_the_name_of_a_service_belong_to_it(void **state)
{
    (void)state;
    assert_false(calls("a.b", "a.b", "c"));
    assert_true(calls("a.b", "a", "b"));
    assert_true(calls("a.b.*", "a.b", "c"));
    assert_false(calls("a.*", "a.b", "c"));
}

static void stars_may_stand_anywhere(void **state)
{
    (void)state;
    assert_true(calls("*a*b*", "xaxbx", "m"));
    assert_true(calls("*a*b*", "ab", "m"));
    assert_false(calls("*a*b*", "ba", "m"));
    assert_true(calls("*ab", "aab", "m"));
    assert_true(calls("**", "", "m"));
    assert_false(calls("a*b", "a", "m"));
}

static bool admits(const char *format, unsigned id)
{
    char rules[64];
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    snprintf(rules, sizeof rules, format, id);
    bool may = kn_policy_admits(*rules ? rules : NULL, pair[0]);
    close(pair[0]);
    close(pair[1]);
    return may;
}

static void callers_are_known_by_the_kernel(void **state)
{
    (void)state;
    assert_true(admits("", 0));
    assert_true(admits("uid:%u", geteuid()));
    assert_false(admits("uid:%u", geteuid() + 1));
    assert_true(admits("uid:77, gid:%u", getegid()));
    assert_false(admits("gid:%u", getegid() + 4711));
    assert_true(admits("uid:*", 0));
}

/* Whoever sends such a rule may otherwise take seconds for each of its calls. */
static void many_stars_take_no_long_time(void **state)
{
    char rule[1024], name[1024];
    (void)state;
    for (size_t i = 0; i + 2 < sizeof rule; i += 2)
        memcpy(rule + i, "*a", 2);
    memcpy(rule + sizeof rule - 4, "*b", 3);
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(calls(rule, name, "m"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_callers_are_checked),
        cmocka_unit_test(lists_of_calls_are_checked),
        cmocka_unit_test(what_no_rule_names_is_not_called),
        cmocka_unit_test(dots_in_the_name_of_a_service_belong_to_it),
        cmocka_unit_test(stars_may_stand_anywhere),
        cmocka_unit_test(callers_are_known_by_the_kernel),
        cmocka_unit_test(many_stars_take_no_long_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
