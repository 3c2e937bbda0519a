/* SPDX-License-Identifier: MIT
 *
 * Exchanges over HTTP/1.1: each request is a channel, opened when it is whole and answered before the
 * next one on its connection is looked at, so answers come in order. What comes meanwhile is kept, up to
 * KN_AHEAD_MAX, and then no more is read.
 *
 * A web page can make a browser send requests to loopback. So whatever says Origin is refused unless
 * that origin is listed, and Host, which a page that rebinds its own name to 127.0.0.1 cannot choose
 * freely, must be a loopback literal or be listed. For the same reason it does not matter which
 * Content-Type a request has.
 */
#include "runtime/internal.h"

#include "base/clock.h"
#include "codec/http1.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

struct http {
    struct kn_conn *conn;
    struct kn_http1 parser;
    struct kn_buffer body, ahead, out;
    struct kn_chan *exchange;
    struct kn_str origin; /* of the present request, listed; ptr NULL: none */
    bool answered;        /* refused by its head: nothing is done with the rest */
};

/* ---------------------------------------------------------------- answers */

/* IMF-fixdate (RFC 9110 section 5.6.7), in no locale. */
static void write_date(char to[32])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = time(NULL);
    struct tm at;
    if (!gmtime_r(&now, &at))
        at = (struct tm){.tm_mday = 1, .tm_year = 70, .tm_wday = 4};
    snprintf(to, 32, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + 3 * at.tm_wday,
             (unsigned)at.tm_mday % 100, months + 3 * at.tm_mon,
             (unsigned)(at.tm_year + 1900) % 10000, (unsigned)at.tm_hour % 100,
             (unsigned)at.tm_min % 100, (unsigned)at.tm_sec % 100);
}

static bool is_method(const struct http *http, struct kn_str method)
{
    return kn_str_equal(http->parser.request.method, method);
}

static void answer(struct http *http, int status, const char *more, struct kn_str body)
{
    const struct kn_http1_request *request = &http->parser.request;
    struct koine_attachment *attachment = http->conn->attachment;
    struct kn_buffer fields;
    char date[32];
    bool last = !request->persistent || attachment->draining ||
                (status >= 400 && (http->parser.status || request->has_body));
    kn_buffer_init(&fields, 0);
    if (more)
        kn_buffer_text(&fields, more);
    if (http->origin.ptr)
        kn_buffer_print(&fields, "Access-Control-Allow-Origin: %.*s\r\nVary: Origin\r\n",
                        (int)http->origin.length, http->origin.ptr);
    write_date(date);
    kn_buffer_clear(&http->out);
    kn_http1_answer(&http->out,
                    &(struct kn_http1_answer){
                        .status = status,
                        .close = last,
                        .keep = !last && !request->minor,
                        .bare = is_method(http, KN_STR("HEAD")),
                        .type = status == 200 ? attachment->dialect->identity->exchange_type : NULL,
                        .date = date,
                        .more = fields.ptr,
                        .body = body,
                    });
    if (http->out.failed || fields.failed)
        kn_conn_doom(http->conn);
    else
        (void)kn_conn_write(http->conn, (struct kn_str){http->out.ptr, http->out.length});
    if (last)
        kn_conn_finish(http->conn);
    kn_buffer_deinit(&fields);
    if (http->out.room > KN_QUEUE_HIGH)
        kn_buffer_deinit(&http->out);
}

/* In words, for whoever reads it with curl. */
static void refuse(struct http *http, int status, const char *more, const char *why)
{
    char text[256];
    snprintf(text, sizeof text, "%s\n", why);
    http->answered = true;
    answer(http, status, more, kn_str(text));
}

/* ---------------------------------------------------------------- who may ask */

/* Whether `item` stands in a list with commas, in whatever letters. */
static bool is_listed(const char *list, struct kn_str item)
{
    for (const char *at = list; at && *at;) {
        size_t length = strcspn(at, ",");
        if (length == item.length && !strncasecmp(at, item.ptr, length))
            return true;
        at += length + (at[length] == ',');
    }
    return false;
}

static bool is_loopback(struct kn_str host)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    if (is_listed("localhost", host) || kn_str_equal(host, KN_STR("[::1]")))
        return true;
    if (host.length >= sizeof text)
        return false;
    memcpy(text, host.ptr, host.length);
    text[host.length] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static bool check_host(struct http *http)
{
    const struct kn_limits *limits = &http->conn->attachment->limits;
    struct kn_str authority = http->parser.request.authority, host = kn_http1_host(authority);
    if (!authority.ptr || (host.ptr && (is_loopback(host) || is_listed(limits->hosts, host))))
        return true;
    refuse(http, 403, NULL,
           "Host is neither a loopback address nor listed in the endpoint's option host=");
    return false;
}

static bool check_origin(struct http *http)
{
    const struct kn_limits *limits = &http->conn->attachment->limits;
    struct kn_str origin = kn_http1_field(&http->parser.request, "origin");
    if (!origin.ptr)
        return true;
    if (is_listed(limits->origins, origin)) {
        http->origin = origin;
        return true;
    }
    refuse(http, 403, NULL, "Origin is not listed in the endpoint's option origin=");
    return false;
}

/* An endpoint with a path has that path only. */
static bool check_path(struct http *http)
{
    const char *path = http->conn->attachment->uri->path;
    struct kn_str target = http->parser.request.target;
    const char *query = target.length ? memchr(target.ptr, '?', target.length) : NULL;
    if (query)
        target.length = (size_t)(query - target.ptr);
    if (!*path || !strcmp(path, "/") || kn_str_equal(target, kn_str(path)) ||
        kn_str_equal(target, KN_STR("*")))
        return true;
    refuse(http, 404, NULL, "the endpoint has another path");
    return false;
}

static bool check_method(struct http *http)
{
    const char *methods = http->conn->attachment->dialect->identity->exchange_methods;
    struct kn_str method = http->parser.request.method;
    char allow[128];
    for (const char *at = methods; *at; at += strspn(at, ", ")) {
        size_t length = strcspn(at, ", ");
        if (kn_str_equal(method, (struct kn_str){at, length}))
            return true;
        at += length;
    }
    if (http->origin.ptr && is_method(http, KN_STR("OPTIONS"))) {
        snprintf(allow, sizeof allow,
                 "Access-Control-Allow-Methods: %.40s\r\n"
                 "Access-Control-Allow-Headers: Content-Type\r\n",
                 methods);
        http->answered = true;
        answer(http, 204, allow, (struct kn_str){NULL, 0});
        return false;
    }
    snprintf(allow, sizeof allow, "Allow: %.100s\r\n", methods);
    refuse(http, 405, allow, "requests to this endpoint are made with the methods in Allow");
    return false;
}

/* ---------------------------------------------------------------- a request */

static void take_head(struct http *http)
{
    if (!check_host(http) || !check_origin(http) || !check_path(http) || !check_method(http))
        return;
    if (http->parser.request.expects)
        (void)kn_conn_write(http->conn, KN_STR("HTTP/1.1 100 Continue\r\n\r\n"));
}

static void take_piece(struct http *http)
{
    struct kn_str piece = http->parser.piece;
    if (http->answered)
        return;
    size_t before = http->body.length;
    if (!kn_conn_hold(http->conn, piece.length)) {
        http->parser.status = 503;
        refuse(http, 503, NULL, "too much is held for this peer or for all of them");
        return;
    }
    kn_buffer_str(&http->body, piece);
    kn_conn_release(http->conn, piece.length - (http->body.length - before));
    if (http->body.failed)
        kn_conn_doom(http->conn);
}

static void forget_body(struct http *http)
{
    kn_conn_release(http->conn, http->body.length);
    if (http->body.room > KN_QUEUE_HIGH)
        kn_buffer_deinit(&http->body);
    else
        kn_buffer_clear(&http->body);
}

static void end_request(struct http *http)
{
    forget_body(http);
    http->answered = false;
    http->origin = (struct kn_str){NULL, 0};
    kn_http1_next(&http->parser);
}

static void end_exchange(struct http *http)
{
    struct kn_chan *chan = http->exchange;
    struct kn_str body = {chan->body.ptr, chan->body.length};
    if (chan->failed || chan->body.failed)
        refuse(http, 500, NULL, "the request could not be worked off");
    else
        answer(http, body.length ? 200 : 204, NULL, body);
    http->exchange = kn_chan_close(chan);
    end_request(http);
}

static void begin_exchange(struct http *http)
{
    const struct kn_http1_request *request = &http->parser.request;
    struct kn_header headers[KN_HTTP1_FIELDS_MAX];
    for (size_t i = 0; i < request->field_count; i++)
        headers[i] = (struct kn_header){request->fields[i].name, request->fields[i].value};
    http->exchange = kn_chan_open(http->conn, KN_EXCHANGE);
    if (!http->exchange) {
        refuse(http, 503, NULL, "no memory for the request");
        end_request(http);
        return;
    }
    kn_chan_feed(http->exchange, &(struct kn_input){.data = {http->body.ptr ? http->body.ptr : "",
                                                             http->body.length},
                                                    .end = true,
                                                    .method = request->method,
                                                    .target = request->target,
                                                    .headers = headers,
                                                    .header_count = request->field_count});
    if (http->exchange->closing || http->exchange->failed)
        end_exchange(http);
}

static void take_request(struct http *http)
{
    if (http->answered)
        end_request(http);
    else
        begin_exchange(http);
}

static bool is_blocked(const struct http *http)
{
    return http->exchange || http->conn->finishing || http->conn->doomed || http->conn->full;
}

/* Takes from the front of *data until there is nothing to do now. */
static void run(struct http *http, struct kn_str *data)
{
    enum kn_http1_event event = KN_HTTP1_HEAD;
    while (event && !is_blocked(http)) {
        event = kn_http1_feed(&http->parser, data);
        if (event == KN_HTTP1_HEAD)
            take_head(http);
        else if (event == KN_HTTP1_PIECE)
            take_piece(http);
        else if (event == KN_HTTP1_END)
            take_request(http);
        else if (event == KN_HTTP1_REFUSED)
            refuse(http, http->parser.status, NULL, http->parser.why);
    }
}

/* ---------------------------------------------------------------- the transport */

static void keep_ahead(struct http *http, struct kn_str octets)
{
    if (!octets.length)
        return;
    if (!kn_conn_hold(http->conn, octets.length)) {
        kn_conn_doom(http->conn);
        return;
    }
    size_t before = http->ahead.length;
    kn_buffer_str(&http->ahead, octets);
    kn_conn_release(http->conn, octets.length - (http->ahead.length - before));
    if (http->ahead.failed)
        kn_conn_doom(http->conn);
    kn_conn_flow(http->conn, http->ahead.length < KN_AHEAD_MAX);
}

static void take_input(struct kn_conn *conn, struct kn_str octets)
{
    struct http *http = conn->self;
    if (!http->ahead.length)
        run(http, &octets);
    if (!conn->finishing)
        keep_ahead(http, octets);
}

static void run_ahead(struct http *http)
{
    struct kn_str data = {http->ahead.ptr, http->ahead.length};
    if (!data.length || is_blocked(http))
        return;
    run(http, &data);
    size_t taken = http->ahead.length - data.length;
    kn_conn_release(http->conn, taken);
    kn_buffer_drop(&http->ahead, taken);
    kn_conn_flow(http->conn, http->ahead.length < KN_AHEAD_MAX);
}

/* An end inside a request ends the connection with it. */
static void settle(struct kn_conn *conn)
{
    struct http *http = conn->self;
    if (http->exchange && (http->exchange->closing || http->exchange->failed))
        end_exchange(http);
    run_ahead(http);
    bool begun = kn_http1_begun(&http->parser);
    if (!http->exchange && !conn->full && !http->ahead.length &&
        (conn->ended || (conn->attachment->draining && !begun)))
        kn_conn_finish(conn);
}

static void take_end(struct kn_conn *conn)
{
    kn_conn_touch(conn);
}

static bool owes(const struct kn_conn *conn)
{
    const struct http *http = conn->self;
    return http && !http->exchange && !conn->full && kn_http1_begun(&http->parser);
}

static int open_http(struct kn_conn *conn)
{
    size_t body = conn->attachment->limits.body;
    struct http *http = calloc(1, sizeof *http);
    if (!http)
        return KOINE_ENOMEM;
    http->conn = conn;
    kn_http1_init(&http->parser, body);
    kn_buffer_init(&http->body, body + 1);
    kn_buffer_init(&http->ahead, 0);
    kn_buffer_init(&http->out, KN_PEER_OCTETS);
    conn->self = http;
    return 0;
}

static void close_http(struct kn_conn *conn)
{
    struct http *http = conn->self;
    if (!http)
        return;
    if (http->exchange)
        kn_chan_close(http->exchange);
    kn_conn_release(conn, http->body.length + http->ahead.length);
    kn_http1_deinit(&http->parser);
    kn_buffer_deinit(&http->body);
    kn_buffer_deinit(&http->ahead);
    kn_buffer_deinit(&http->out);
    free(http);
    conn->self = NULL;
}

const struct kn_transport kn_transport_http = {
    .name = "http",
    .open = open_http,
    .close = close_http,
    .input = take_input,
    .end = take_end,
    .writable = kn_conn_touch,
    .settle = settle,
    .owes = owes,
};
