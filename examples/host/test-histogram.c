// SPDX-License-Identifier: MIT
#include "histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void quantiles_are_right_within_a_bucket(void **state)
{
    static struct histogram histogram;
    (void)state;
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    for (uint64_t i = 1; i <= 100000; i++)
        histogram_add(&histogram, i * 10);
    for (int share = 1; share < 100; share++) {
        uint64_t exact = (uint64_t)share * 10000,
                 got = histogram_quantile(&histogram, share / 100.0);
        assert_in_range(got, exact, exact + exact / 60);
    }
    assert_int_equal(histogram_quantile(&histogram, 1), 1000000);
    assert_int_equal(histogram.max, 1000000);
}

static void small_and_endless_values_have_their_place(void **state)
{
    static struct histogram histogram;
    (void)state;
    for (uint64_t i = 0; i < 200; i++)
        histogram_add(&histogram, i);
    assert_int_equal(histogram_quantile(&histogram, 0.005), 0);
    assert_int_equal(histogram_quantile(&histogram, 0.05), 9);
    histogram_add(&histogram, UINT64_MAX);
    assert_true(histogram.max == UINT64_MAX);
    assert_int_equal(histogram.count, 201);
    assert_int_equal(histogram.rows[HISTOGRAM_ROWS - 1], 1);
}

static void times_have_three_digits(void **state)
{
    static const struct {
        uint64_t time;
        const char *text;
    } rows[] = {{0, "0 ns"},          {999, "999 ns"},       {1000, "1 us"},      {4123, "4.12 us"},
                {41230, "41.2 us"},   {412300, "412 us"},    {999999, "1.00 ms"}, {2000000, "2 ms"},
                {99960000, "100 ms"}, {1500000000, "1.50 s"}};
    char text[16];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        histogram_time(text, rows[i].time);
        assert_string_equal(text, rows[i].text);
    }
}

static void rows_are_drawn_from_the_first_to_the_last(void **state)
{
    static struct histogram histogram;
    const struct histogram_look plain = {false, false}, unicode = {true, false};
    char *text;
    size_t length;
    (void)state;
    for (int i = 0; i < 4; i++)
        histogram_add(&histogram, 1500);
    histogram_add(&histogram, 7000);
    FILE *to = open_memstream(&text, &length);
    histogram_draw(&histogram, to, &plain);
    histogram_draw(&histogram, to, &unicode);
    fclose(to);
    assert_non_null(
        strstr(text, "below    2 us  ################################################"));
    assert_non_null(strstr(text, "below    5 us  "));
    assert_non_null(strstr(text, "below   10 us  ############ "));
    assert_non_null(strstr(text, "  20.00 %\n"));
    assert_non_null(strstr(text, "below   10 us  ████████████ "));
    assert_null(strstr(text, "below    1 us"));
    assert_null(strstr(text, "below   20 us"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_right_within_a_bucket),
        cmocka_unit_test(small_and_endless_values_have_their_place),
        cmocka_unit_test(times_have_three_digits),
        cmocka_unit_test(rows_are_drawn_from_the_first_to_the_last),
    };
    return cmocka_run_group_tests_name("host/histogram", tests, NULL, NULL);
}
