/* SPDX-License-Identifier: MIT */
#include "codec/http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <cmocka.h>

enum { BODY_MAX = 100 };

/* What came out, as one line for each request: "METHOD target authority minor flags [body]", and at the
 * end of a refusal "! status". */
static void tell(struct kn_buffer *log, struct kn_http1 *http, enum kn_http1_event event)
{
    const struct kn_http1_request *request = &http->request;
    if (event == KN_HTTP1_HEAD)
        kn_buffer_print(log, "%.*s %.*s %.*s %d%s%s [", (int)request->method.length,
                        request->method.ptr, (int)request->target.length, request->target.ptr,
                        (int)request->authority.length,
                        request->authority.ptr ? request->authority.ptr : "", request->minor,
                        request->persistent ? "" : " close", request->expects ? " expects" : "");
    else if (event == KN_HTTP1_PIECE)
        kn_buffer_str(log, http->piece);
    else if (event == KN_HTTP1_END)
        kn_buffer_text(log, "]");
    else if (event == KN_HTTP1_REFUSED)
        kn_buffer_print(log, "!%d", http->status);
}

/* False once it was refused. */
static bool feed(struct kn_buffer *log, struct kn_http1 *http, struct kn_str data)
{
    for (;;) {
        enum kn_http1_event event = kn_http1_feed(http, &data);
        tell(log, http, event);
        if (event == KN_HTTP1_REFUSED)
            return false;
        if (event == KN_HTTP1_END)
            kn_http1_next(http);
        if (event == KN_HTTP1_MORE) {
            assert_int_equal(data.length, 0);
            return true;
        }
    }
}

/* Fed in pieces: up to `cut`, then of `step` octets. Every piece lies in a block of its own, so that a
 * sanitizer sees whoever looks past it. */
static char *parse(struct kn_str input, size_t cut, size_t step)
{
    struct kn_http1 http;
    struct kn_buffer log;
    char *text;
    bool more = true;
    kn_http1_init(&http, BODY_MAX);
    kn_buffer_init(&log, 0);
    for (size_t at = 0; at < input.length && more;) {
        size_t length = at < cut ? cut : step;
        if (length > input.length - at)
            length = input.length - at;
        char *piece = malloc(length);
        memcpy(piece, input.ptr + at, length);
        more = feed(&log, &http, (struct kn_str){piece, length});
        free(piece);
        at += length;
    }
    kn_http1_deinit(&http);
    assert_int_equal(kn_buffer_steal(&text, NULL, &log), 0);
    return text;
}

static void expect_text(struct kn_str input, const char *expected)
{
    for (size_t cut = 0; cut <= input.length; cut += input.length < 2000 ? 1 : 997) {
        char *text = parse(input, cut, input.length);
        if (strcmp(text, expected))
            fprintf(stderr, "# cut at %zu of: %.*s\n", cut, (int)input.length, input.ptr);
        assert_string_equal(text, expected);
        free(text);
    }
    char *text = parse(input, 0, 1);
    assert_string_equal(text, expected);
    free(text);
}

struct row {
    const char *input, *expected;
};

static void expect_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_text(kn_str(rows[i].input), rows[i].expected);
}

#define EXPECT(rows) expect_rows(rows, sizeof rows / sizeof *rows)
#define H            "Host: a\r\n"
#define POST         "POST / HTTP/1.1\r\n" H

static void requests_are_read(void **state)
{
    static const struct row rows[] = {
        {"GET / HTTP/1.1\r\n" H "\r\n", "GET / a 1 []"},
        {"GET /a?b=c HTTP/1.1\r\nhOST:\t a:80 \t\r\n\r\n", "GET /a?b=c a:80 1 []"},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET /  1 []"},
        {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS * a 1 []"},
        {"GET http://b:1/x?y HTTP/1.1\r\n" H "\r\n", "GET /x?y b:1 1 []"},
        {"GET HTTP://b HTTP/1.1\r\n" H "\r\n", "GET / b 1 []"},
        {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / [::1]:80 1 []"},
        {"\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", "GET / a 1 []"},
        {"GET / HTTP/1.9\r\n" H "\r\n", "GET / a 1 []"},
        {"GET / HTTP/1.1\r\n" H "X: \xc3\xa4\t\"\r\nY:\r\n\r\n", "GET / a 1 []"},
        {POST "Content-Length: 5\r\n\r\nhello", "POST / a 1 [hello]"},
        {POST "Content-Length: 0005\r\n\r\nhello", "POST / a 1 [hello]"},
        {POST "Content-Length: 0\r\n\r\n", "POST / a 1 []"},
        {POST "Content-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\n" H "\r\n",
         "POST / a 1 [hello]GET /2 a 1 []"},
        {POST "Content-Length: 5\r\n\r\nhel", "POST / a 1 [hel"},
        {"GET / HTTP/1.1\r\n" H, ""},
    };
    (void)state;
    EXPECT(rows);
}

static void chunks_are_put_together(void **state)
{
    static const struct row rows[] = {
        {POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "POST / a 1 [hello]"},
        {POST "Transfer-Encoding: Chunked\r\n\r\n2\r\nhe\r\n003\r\nllo\r\n000\r\n\r\n",
         "POST / a 1 [hello]"},
        {POST "Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nX: y\r\nZ: \r\n\r\nGET",
         "POST / a 1 [0123456789]"},
        {POST "Transfer-Encoding: chunked\r\n\r\n2 ;x=\"y\"\r\nhe\r\n0;z\r\n\r\n",
         "POST / a 1 [he]"},
        {POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n", "POST / a 1 [hello!400"},
        {POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\r", "POST / a 1 [hello!400"},
        {POST "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n", "POST / a 1 [!400"},
        {POST "Transfer-Encoding: chunked\r\n\r\n\r\n", "POST / a 1 [!400"},
        {POST "Transfer-Encoding: chunked\r\n\r\n-1\r\n", "POST / a 1 [!400"},
        {POST "Transfer-Encoding: chunked\r\n\r\n0x5\r\n", "POST / a 1 [!400"},
        {POST "Transfer-Encoding: chunked\r\n\r\n5 6\r\n", "POST / a 1 [!400"},
        {POST "Transfer-Encoding: chunked\r\n\r\n5 \r\n", "POST / a 1 [!400"},
        {POST "Transfer-Encoding: chunked\r\n\r\n5;a\nhello", "POST / a 1 [!400"},
        {POST "Transfer-Encoding: chunked\r\n\r\n5\r\rhello", "POST / a 1 [!400"},
        {POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n", "POST / a 1 [!400"},
        {POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\rX\r\n", "POST / a 1 [!400"},
        {POST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "POST / a 1 [!400"},
        {POST "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "POST / a 1 [!413"},
        {POST "Transfer-Encoding: chunked\r\n\r\n65\r\n", "POST / a 1 [!413"},
        {POST "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n63\r\n", "POST / a 1 [ab!413"},
    };
    (void)state;
    EXPECT(rows);
}

static void what_two_readers_could_read_differently_is_refused(void **state)
{
    static const struct row rows[] = {
        {POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "!400"},
        {POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "!400"},
        {POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "!400"},
        {POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "!400"},
        {POST "Content-Length: 5, 5\r\n\r\n", "!400"},
        {POST "Content-Length: +5\r\n\r\n", "!400"},
        {POST "Content-Length: 0x5\r\n\r\n", "!400"},
        {POST "Content-Length:\r\n\r\n", "!400"},
        {POST "Content-Length: 5 5\r\n\r\n", "!400"},
        {POST "Content-Length : 5\r\n\r\n", "!400"},
        {POST "Content-Length\r\n\r\n", "!400"},
        {POST ": 5\r\n\r\n", "!400"},
        {POST "X: y\r\n z\r\n\r\n", "!400"},
        {"POST / HTTP/1.1\r\n X: y\r\n" H "\r\n", "!400"},
        {POST "X: y\n\r\n", "!400"},
        {POST "X: y\rz\r\n\r\n", "!400"},
        {POST "X: y\x01\r\n\r\n", "!400"},
        {POST "Transfer-Encoding: gzip\r\n\r\n", "!501"},
        {POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "!501"},
        {POST "Transfer-Encoding: identity\r\n\r\n", "!501"},
        {POST "Transfer-Encoding: \"chunked\"\r\n\r\n", "!501"},
        {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "!400"},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\n" H H "\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "!400"},
    };
    (void)state;
    EXPECT(rows);
}

static void first_lines_that_are_none_are_refused(void **state)
{
    static const struct row rows[] = {
        {"{\"version\":\"2.0\"}\n", "!400"},      {"GET /\r\n\r\n", "!400"},
        {"GET  / HTTP/1.1\r\n\r\n", "!400"},      {"GET / HTTP/1.1 \r\n\r\n", "!400"},
        {" GET / HTTP/1.1\r\n\r\n", "!400"},      {"G\tT / HTTP/1.1\r\n\r\n", "!400"},
        {"GET /\x7f HTTP/1.1\r\n\r\n", "!400"},   {"GET a HTTP/1.1\r\n\r\n", "!400"},
        {"GET http:// HTTP/1.1\r\n\r\n", "!400"}, {"CONNECT a:80 HTTP/1.1\r\n\r\n", "!400"},
        {"GET / http/1.1\r\n\r\n", "!400"},       {"GET / HTTP/11\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\n\r\n", "!400"},         {"PRI * HTTP/2.0\r\n\r\n", "!505"},
        {"GET / HTTP/0.9\r\n\r\n", "!505"},       {"\n", "!400"},
        {"\r\n\r\n\r\n\r\n\r\n", "!400"},
    };
    (void)state;
    EXPECT(rows);
}

static void connections_persist_as_their_version_says(void **state)
{
    static const struct row rows[] = {
        {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "GET / a 1 close []"},
        {"GET / HTTP/1.1\r\n" H "Connection: x , CLOSE\r\n\r\n", "GET / a 1 close []"},
        {"GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n", "GET / a 1 []"},
        {"GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n",
         "GET / a 1 close []"},
        {"GET / HTTP/1.0\r\n\r\n", "GET /  0 close []"},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET /  0 []"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET /  0 close []"},
        {"GET / HTTP/1.0\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
         "GET /  0 close []"},
    };
    (void)state;
    EXPECT(rows);
}

static void expectations_are_known_or_refused(void **state)
{
    static const struct row rows[] = {
        {POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx", "POST / a 1 expects [x]"},
        {POST "Expect: 100-continue\r\n\r\n", "POST / a 1 []"},
        {POST "Expect: money\r\n\r\n", "!417"},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
         "POST /  0 close [x]"},
    };
    (void)state;
    EXPECT(rows);
}

static void a_body_that_is_too_large_is_refused_before_it_comes(void **state)
{
    static const struct row rows[] = {
        {POST "Content-Length: 101\r\n\r\n", "!413"},
        {POST "Content-Length: 1073741824\r\n\r\n", "!413"},
        {POST "Content-Length: 18446744073709551616\r\n\r\n", "!413"},
        {POST "Content-Length: 99999999999999999999999999\r\n\r\n", "!413"},
    };
    (void)state;
    EXPECT(rows);
}

/* `count` times `each` between `before` and `after`. */
static void expect_long(const char *before, const char *each, size_t count, const char *after,
                        const char *expected)
{
    struct kn_buffer input;
    kn_buffer_init(&input, 0);
    kn_buffer_text(&input, before);
    for (size_t i = 0; i < count; i++)
        kn_buffer_text(&input, each);
    kn_buffer_text(&input, after);
    expect_text((struct kn_str){input.ptr, input.length}, expected);
    kn_buffer_deinit(&input);
}

static void everything_has_a_limit(void **state)
{
    const char *end = " HTTP/1.1\r\n" H "\r\n",
               *chunked = POST "Transfer-Encoding: chunked\r\n\r\n";
    (void)state;
    expect_long("GET /", "x", KN_HTTP1_LINE_MAX, end, "!414");
    expect_long("GET /", "x", KN_HTTP1_LINE_MAX - 15, end, "!414");
    expect_long("", "x", KN_HTTP1_LINE_MAX, "", "!414");
    expect_long("GET / HTTP/1.1\r\nX:", "x", KN_HTTP1_HEAD_MAX, "\r\n" H "\r\n", "!431");
    expect_long("GET / HTTP/1.1\r\n", "X:y\r\n", KN_HTTP1_FIELDS_MAX, H "\r\n", "!431");
    expect_long("GET / HTTP/1.1\r\n", "X:y\r\n", KN_HTTP1_FIELDS_MAX - 1, H "\r\n", "GET / a 1 []");
    char text[256];
    snprintf(text, sizeof text, "%s1;", chunked);
    expect_long(text, "x", KN_HTTP1_EXTENSIONS_MAX + 1, "\r\nh\r\n0\r\n\r\n", "POST / a 1 [!400");
    expect_long(text, "x", KN_HTTP1_EXTENSIONS_MAX, "\r\nh\r\n0\r\n\r\n", "POST / a 1 [h]");
    snprintf(text, sizeof text, "%s0\r\n", chunked);
    expect_long(text, "X: y\r\n", KN_HTTP1_TRAILER_MAX / 6 + 1, "\r\n", "POST / a 1 [!431");
    expect_long(text, "X: y\r\n", 1000, "\r\n", "POST / a 1 []");
    expect_long(chunked, "0", 17, "\r\n\r\n", "POST / a 1 [!400");
}

static void a_request_that_began_is_owed(void **state)
{
    struct kn_http1 http;
    struct kn_str empty = KN_STR("\r\n"), half = KN_STR("GE");
    struct kn_str rest = KN_STR("T / HTTP/1.1\r\n" H "\r\n");
    (void)state;
    kn_http1_init(&http, BODY_MAX);
    assert_int_equal(kn_http1_feed(&http, &empty), KN_HTTP1_MORE);
    assert_false(kn_http1_begun(&http));
    assert_int_equal(kn_http1_feed(&http, &half), KN_HTTP1_MORE);
    assert_true(kn_http1_begun(&http));
    assert_int_equal(kn_http1_feed(&http, &rest), KN_HTTP1_HEAD);
    assert_int_equal(kn_http1_feed(&http, &rest), KN_HTTP1_END);
    assert_int_equal(kn_http1_feed(&http, &rest), KN_HTTP1_END);
    assert_false(kn_http1_begun(&http));
    kn_http1_deinit(&http);
}

static void fields_are_found_by_their_small_names(void **state)
{
    struct kn_http1 http;
    struct kn_str data = KN_STR("GET / HTTP/1.1\r\n" H "X-Thing:  a, b \r\nx-thing: c\r\n\r\n");
    (void)state;
    kn_http1_init(&http, BODY_MAX);
    assert_int_equal(kn_http1_feed(&http, &data), KN_HTTP1_HEAD);
    struct kn_str value = kn_http1_field(&http.request, "x-thing");
    assert_true(kn_str_equal(value, KN_STR("a, b")));
    assert_null(kn_http1_field(&http.request, "x").ptr);
    assert_int_equal(http.request.field_count, 3);
    kn_http1_deinit(&http);
}

static void hosts_are_told_from_their_ports(void **state)
{
    static const struct row rows[] = {
        {"a", "a"},    {"a:1", "a"},       {"a:", "a"},   {"[::1]", "[::1]"}, {"[::1]:80", "[::1]"},
        {"", NULL},    {":80", NULL},      {"a:b", NULL}, {"[::1", NULL},     {"[::1]x", NULL},
        {"u@a", NULL}, {"a:123456", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kn_str host = kn_http1_host(kn_str(rows[i].input));
        assert_true(!host.ptr == !rows[i].expected);
        assert_true(!host.ptr || kn_str_equal(host, kn_str(rows[i].expected)));
    }
}

static void expect_answer(const struct kn_http1_answer *answer, const char *expected)
{
    struct kn_buffer text;
    kn_buffer_init(&text, 0);
    kn_http1_answer(&text, answer);
    assert_string_equal(text.ptr, expected);
    kn_buffer_deinit(&text);
}

static void answers_are_written(void **state)
{
    (void)state;
    expect_answer(&(struct kn_http1_answer){.status = 200, .type = "a/b", .body = KN_STR("hello")},
                  "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhello");
    expect_answer(&(struct kn_http1_answer){.status = 204, .date = "D", .keep = true},
                  "HTTP/1.1 204 No Content\r\nDate: D\r\nConnection: keep-alive\r\n\r\n");
    expect_answer(&(struct kn_http1_answer){.status = 405,
                                            .close = true,
                                            .bare = true,
                                            .more = "Allow: POST\r\n",
                                            .body = KN_STR("no")},
                  "HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nConnection: close\r\n"
                  "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read),
        cmocka_unit_test(chunks_are_put_together),
        cmocka_unit_test(what_two_readers_could_read_differently_is_refused),
        cmocka_unit_test(first_lines_that_are_none_are_refused),
        cmocka_unit_test(connections_persist_as_their_version_says),
        cmocka_unit_test(expectations_are_known_or_refused),
        cmocka_unit_test(a_body_that_is_too_large_is_refused_before_it_comes),
        cmocka_unit_test(everything_has_a_limit),
        cmocka_unit_test(a_request_that_began_is_owed),
        cmocka_unit_test(fields_are_found_by_their_small_names),
        cmocka_unit_test(hosts_are_told_from_their_ports),
        cmocka_unit_test(answers_are_written),
    };
    return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}
