/* SPDX-License-Identifier: MIT */
#include "runtime/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void expect(const char *text, const char *expected)
{
    struct kn_uri *uri;
    struct kn_buffer told;
    kn_buffer_init(&told, 0);
    assert_int_equal(kn_uri_parse(&uri, text, NULL), 0);
    kn_buffer_print(&told, "%s %s %s%s %s %s", uri->dialect, uri->transport,
                    uri->bracketed ? "6:" : "", uri->host, uri->port, uri->path);
    for (size_t i = 0; i < uri->option_count; i++)
        kn_buffer_print(&told, " %s=%s", uri->options[i].key, uri->options[i].value);
    assert_string_equal(told.ptr, expected);
    kn_buffer_deinit(&told);
    free(uri);
}

static void the_parts_of_a_uri_are_found(void **state)
{
    (void)state;
    expect("a+tcp://127.0.0.1:80", "a tcp 127.0.0.1 80 ");
    expect("a+tcp://127.0.0.1:0/", "a tcp 127.0.0.1 0 /");
    expect("a1+http://h:1/p/q?x=1&y=", "a1 http h 1 /p/q x=1 y=");
    expect("a+http://h:1?x=1", "a http h 1  x=1");
    expect("a+tcp://[::1]:80/p", "a tcp 6:::1 80 /p");
    expect("a+tcp://[::1]", "a tcp 6:::1  ");
    expect("a+unix:///run/x.sock?mode=0600", "a unix   /run/x.sock mode=0600");
    expect("a+unix:///run/%41%2f%c3%a4?a%3d=%26", "a unix   /run/A/\xc3\xa4 a==&");
    expect("a+tcp://", "a tcp   ");
}

static void expect_refused(const char *text, const char *what)
{
    struct kn_uri *uri = NULL;
    struct koine_why why = {""};
    assert_int_equal(kn_uri_parse(&uri, text, &why), KOINE_EINVAL);
    assert_null(uri);
    if (!strstr(why.text, what))
        assert_string_equal(why.text, what);
}

static void what_is_no_uri_is_explained(void **state)
{
    (void)state;
    expect_refused("", "has no '://'");
    expect_refused("plant/thermostat", "has no '://'");
    expect_refused("http://127.0.0.1", "says no transport; the form is dialect+transport://");
    expect_refused("+tcp://x", "does not begin with the name of a dialect");
    expect_refused("A+tcp://x", "does not begin with the name of a dialect");
    expect_refused("a+t-p://x", "says no transport");
    expect_refused("a+tcp://x:", "a port is a number");
    expect_refused("a+tcp://x:1a", "a port is a number");
    expect_refused("a+tcp://x:-1", "a port is a number");
    expect_refused("a+tcp://x:123456", "a port is a number");
    expect_refused("a+tcp://[::1", "in brackets");
    expect_refused("a+tcp://[::1]80", "in brackets");
    expect_refused("a+tcp://x#y", "part of a target");
    expect_refused("a+tcp://x?y#z", "part of a target");
    expect_refused("a+tcp://x?y", "key=value");
    expect_refused("a+tcp://x?=y", "key=value");
    expect_refused("a+tcp://x?y=1&y=2", "stands twice");
    expect_refused("a+tcp://x/%4", "hexadecimal");
    expect_refused("a+tcp://x/%4g", "hexadecimal");
    expect_refused("a+tcp://x/%", "hexadecimal");
    expect_refused("a+tcp://x/%00", "not 00");
    expect_refused("a+tcp://x?a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1&l=1&m=1&n=1&o=1&p=1&q=1",
                   "too many options");
}

static void a_uri_that_is_too_long_is_refused(void **state)
{
    struct kn_buffer text;
    (void)state;
    kn_buffer_init(&text, 0);
    kn_buffer_text(&text, "a+unix:///");
    kn_buffer_fill(&text, 'x', KN_URI_MAX);
    expect_refused(text.ptr, "is too long");
    kn_buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parts_of_a_uri_are_found),
        cmocka_unit_test(what_is_no_uri_is_explained),
        cmocka_unit_test(a_uri_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests_name("uri", tests, NULL, NULL);
}
