/* SPDX-License-Identifier: MIT */
#include "codec/http1.h"

#include <stdlib.h>

enum state {
    IN_HEAD,
    IN_SIZED,   /* a body of Content-Length octets */
    AT_SIZE,    /* the hexadecimal size of a chunk */
    AT_BLANK,   /* behind it: blanks, which only a ';' may end */
    AT_EXT,     /* a chunk extension */
    AT_SIZE_LF, /* the LF of that line */
    IN_CHUNK,
    AT_CR, /* behind the data */
    AT_LF,
    IN_TRAILER,
    AT_END,
    REFUSED
};

enum { EMPTY_LINES_MAX = 4, SIZE_DIGITS_MAX = 16 };

static enum kn_http1_event refuse(struct kn_http1 *http, int status, const char *why)
{
    http->state = REFUSED;
    http->status = status;
    http->why = why;
    return KN_HTTP1_REFUSED;
}

/* ---------------------------------------------------------------- characters */

/* RFC 9110 section 5.6.2. */
static bool is_token(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_text(unsigned char c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool all(struct kn_str text, bool (*is)(unsigned char))
{
    for (size_t i = 0; i < text.length; i++)
        if (!is((unsigned char)text.ptr[i]))
            return false;
    return true;
}

static bool is_visible(unsigned char c)
{
    return c > ' ' && c < 0x7f;
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static struct kn_str trim(struct kn_str text)
{
    while (text.length && (*text.ptr == ' ' || *text.ptr == '\t'))
        text = (struct kn_str){text.ptr + 1, text.length - 1};
    while (text.length && (text.ptr[text.length - 1] == ' ' || text.ptr[text.length - 1] == '\t'))
        text.length--;
    return text;
}

static bool same(struct kn_str text, const char *word)
{
    size_t i = 0;
    for (; i < text.length && word[i]; i++)
        if (small(text.ptr[i]) != word[i])
            return false;
    return i == text.length && !word[i];
}

/* The text before the first `end`, which is taken off with it; ptr NULL when there is no `end`. */
static struct kn_str take_until(struct kn_str *from, char end)
{
    const char *at = from->length ? memchr(from->ptr, end, from->length) : NULL;
    if (!at)
        return (struct kn_str){NULL, 0};
    struct kn_str taken = {from->ptr, (size_t)(at - from->ptr)};
    *from = (struct kn_str){at + 1, from->length - taken.length - 1};
    return taken;
}

bool kn_http1_listed(struct kn_str list, const char *item)
{
    for (;;) {
        struct kn_str rest = list, each = take_until(&rest, ',');
        if (same(trim(each.ptr ? each : list), item))
            return true;
        if (!each.ptr)
            return false;
        list = rest;
    }
}

/* RFC 3986 section 3.2, of which HTTP uses host and port. */
struct kn_str kn_http1_host(struct kn_str authority)
{
    const struct kn_str none = {NULL, 0};
    const char *end = authority.ptr + authority.length, *at = authority.ptr;
    if (!authority.length)
        return none;
    if (*at == '[') {
        while (at < end && *at != ']')
            at++;
        if (at++ == end)
            return none;
    } else {
        while (at < end && *at != ':')
            at++;
    }
    struct kn_str host = {authority.ptr, (size_t)(at - authority.ptr)};
    if (at < end && *at++ != ':')
        return none;
    struct kn_str port = {at, (size_t)(end - at)};
    if (!host.length || port.length > 5 || !all(port, is_digit) || !all(host, is_visible) ||
        memchr(host.ptr, '@', host.length) || memchr(host.ptr, '/', host.length))
        return none;
    return host;
}

/* ---------------------------------------------------------------- fields that matter here */

static enum kn_http1_event on_length(struct kn_http1 *http, struct kn_str value)
{
    if (http->sized)
        return refuse(http, 400, "Content-Length stands twice");
    if (!value.length || !all(value, is_digit))
        return refuse(http, 400, "Content-Length is no number");
    http->sized = true;
    for (size_t i = 0; i < value.length; i++) {
        uint64_t digit = (uint64_t)(value.ptr[i] - '0');
        if (http->left > (UINT64_MAX - digit) / 10)
            http->huge = true;
        else
            http->left = http->left * 10 + digit;
    }
    return KN_HTTP1_MORE;
}

static enum kn_http1_event on_coding(struct kn_http1 *http, struct kn_str value)
{
    if (http->chunked)
        return refuse(http, 400, "Transfer-Encoding stands twice");
    if (!same(value, "chunked"))
        return refuse(http, 501, "the only transfer coding that is known here is chunked");
    http->chunked = true;
    return KN_HTTP1_MORE;
}

static enum kn_http1_event on_host(struct kn_http1 *http, struct kn_str value)
{
    if (http->hosted)
        return refuse(http, 400, "Host stands twice");
    if (value.length && !kn_http1_host(value).ptr)
        return refuse(http, 400, "Host is no host with an optional port");
    http->hosted = true;
    if (!http->request.authority.ptr)
        http->request.authority = value;
    return KN_HTTP1_MORE;
}

static enum kn_http1_event on_connection(struct kn_http1 *http, struct kn_str value)
{
    if (kn_http1_listed(value, "close"))
        http->closing = true;
    else if (kn_http1_listed(value, "keep-alive") && !http->request.minor)
        http->request.persistent = true;
    return KN_HTTP1_MORE;
}

static enum kn_http1_event on_expect(struct kn_http1 *http, struct kn_str value)
{
    if (!http->request.minor)
        return KN_HTTP1_MORE;
    if (!same(value, "100-continue"))
        return refuse(http, 417, "the only expectation that is met here is 100-continue");
    http->request.expects = true;
    return KN_HTTP1_MORE;
}

static const struct {
    const char *name;
    enum kn_http1_event (*take)(struct kn_http1 *http, struct kn_str value);
} known[] = {
    {"content-length", on_length},
    {"transfer-encoding", on_coding},
    {"host", on_host},
    {"connection", on_connection},
    {"expect", on_expect},
};

/* ---------------------------------------------------------------- head */

/* RFC 9112 section 3.2: origin-form, absolute-form, and asterisk-form. */
static enum kn_http1_event take_target(struct kn_http1 *http, struct kn_str target)
{
    struct kn_http1_request *request = &http->request;
    if (!target.length || !all(target, is_visible))
        return refuse(http, 400, "the request target has characters that none may have");
    request->target = target;
    if (*target.ptr == '/' || same(target, "*"))
        return KN_HTTP1_MORE;
    if (target.length < 7 || !same((struct kn_str){target.ptr, 7}, "http://"))
        return refuse(http, 400, "the request target is neither a path nor an http URI");
    struct kn_str rest = {target.ptr + 7, target.length - 7};
    const char *slash = rest.length ? memchr(rest.ptr, '/', rest.length) : NULL;
    size_t length = slash ? (size_t)(slash - rest.ptr) : rest.length;
    request->authority = (struct kn_str){rest.ptr, length};
    if (!kn_http1_host(request->authority).ptr)
        return refuse(http, 400, "the request target has no valid host");
    request->target = slash ? (struct kn_str){slash, rest.length - length} : KN_STR("/");
    return KN_HTTP1_MORE;
}

static enum kn_http1_event take_version(struct kn_http1 *http, struct kn_str version)
{
    if (version.length != 8 || memcmp(version.ptr, "HTTP/", 5) || version.ptr[6] != '.' ||
        !is_digit((unsigned char)version.ptr[5]) || !is_digit((unsigned char)version.ptr[7]))
        return refuse(http, 400, "the request line does not end in an HTTP version");
    if (version.ptr[5] != '1')
        return refuse(http, 505, "this is HTTP/1.1");
    http->request.minor = version.ptr[7] != '0';
    http->request.persistent = http->request.minor;
    return KN_HTTP1_MORE;
}

static enum kn_http1_event take_request_line(struct kn_http1 *http, struct kn_str line)
{
    struct kn_str method = take_until(&line, ' ');
    struct kn_str target = take_until(&line, ' ');
    if (!method.length || !all(method, is_token) || !target.ptr)
        return refuse(http, 400, "the first line is no HTTP request line");
    http->request.method = method;
    enum kn_http1_event event = take_target(http, target);
    return event ? event : take_version(http, line);
}

static enum kn_http1_event take_field(struct kn_http1 *http, struct kn_str line)
{
    if (*line.ptr == ' ' || *line.ptr == '\t')
        return refuse(http, 400, "a field line begins with a blank");
    struct kn_str name = take_until(&line, ':'), value = trim(line);
    if (!name.length || !all(name, is_token))
        return refuse(http, 400, "a field line has no valid name before a colon");
    if (!all(value, is_text))
        return refuse(http, 400, "a field value has a control character");
    if (http->count == KN_HTTP1_FIELDS_MAX)
        return refuse(http, 431, "too many fields");
    for (char *c = http->head + (name.ptr - http->head); c < name.ptr + name.length; c++)
        *c = small(*c);
    http->fields[http->count++] = (struct kn_http1_field){name, value};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (same(name, known[i].name))
            return known[i].take(http, value);
    return KN_HTTP1_MORE;
}

/* Where the body ends: RFC 9112 section 6.3. */
static enum kn_http1_event finish_head(struct kn_http1 *http)
{
    struct kn_http1_request *request = &http->request;
    if (request->minor && !http->hosted)
        return refuse(http, 400, "Host is missing");
    if (http->chunked && !request->minor)
        return refuse(http, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (http->chunked && http->sized)
        return refuse(http, 400, "both Content-Length and Transfer-Encoding");
    if (http->huge || http->left > http->body_max)
        return refuse(http, 413, "the body is larger than is taken here");
    if (http->closing)
        request->persistent = false;
    request->fields = http->fields;
    request->field_count = http->count;
    request->has_body = http->chunked || http->left;
    request->expects = request->expects && request->has_body;
    http->state = http->chunked ? AT_SIZE : http->left ? IN_SIZED : AT_END;
    http->count = http->extra = 0;
    return KN_HTTP1_HEAD;
}

static enum kn_http1_event take_line(struct kn_http1 *http)
{
    struct kn_str line = {http->head + http->line, http->length - http->line};
    bool first = !http->request.method.ptr;
    if (line.length < 2 || line.ptr[line.length - 2] != '\r')
        return refuse(http, 400, "a line does not end in CR and LF");
    line.length -= 2;
    http->line = http->length;
    if (line.length)
        return first ? take_request_line(http, line) : take_field(http, line);
    if (!first)
        return finish_head(http);
    http->line = http->length = 0;
    return ++http->extra > EMPTY_LINES_MAX ? refuse(http, 400, "empty lines and no request")
                                           : KN_HTTP1_MORE;
}

/* One line at most, so that what is refused does not depend on how the octets came. */
static enum kn_http1_event in_head(struct kn_http1 *http, struct kn_str *data)
{
    bool first = !http->request.method.ptr;
    size_t room = (first ? KN_HTTP1_LINE_MAX : KN_HTTP1_HEAD_MAX) - http->length;
    size_t most = data->length < room ? data->length : room;
    if (!http->head && !(http->head = malloc(KN_HTTP1_HEAD_MAX)))
        return refuse(http, 503, "no memory");
    const char *end = memchr(data->ptr, '\n', most);
    size_t length = end ? (size_t)(end - data->ptr) + 1 : most;
    memcpy(http->head + http->length, data->ptr, length);
    http->length += length;
    *data = (struct kn_str){data->ptr + length, data->length - length};
    if (end)
        return take_line(http);
    if (length < room)
        return KN_HTTP1_MORE;
    return first ? refuse(http, 414, "the request line is too long")
                 : refuse(http, 431, "the fields are too long");
}

/* ---------------------------------------------------------------- body */

static unsigned char take(struct kn_str *data)
{
    unsigned char c = (unsigned char)*data->ptr;
    *data = (struct kn_str){data->ptr + 1, data->length - 1};
    return c;
}

static enum kn_http1_event take_piece(struct kn_http1 *http, struct kn_str *data, enum state next)
{
    size_t length = data->length < http->left ? data->length : (size_t)http->left;
    http->piece = (struct kn_str){data->ptr, length};
    *data = (struct kn_str){data->ptr + length, data->length - length};
    http->left -= length;
    if (!http->left)
        http->state = (uint8_t)next;
    return KN_HTTP1_PIECE;
}

static enum kn_http1_event in_sized(struct kn_http1 *http, struct kn_str *data)
{
    return take_piece(http, data, AT_END);
}

static enum kn_http1_event in_chunk(struct kn_http1 *http, struct kn_str *data)
{
    return take_piece(http, data, AT_CR);
}

static int hex(unsigned char c)
{
    unsigned char letter = (unsigned char)(c | 32);
    if (is_digit(c))
        return c - '0';
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* RFC 9112 section 7.1. */
static enum kn_http1_event at_size(struct kn_http1 *http, struct kn_str *data)
{
    unsigned char c = take(data);
    int digit = hex(c);
    if (digit >= 0) {
        if (++http->count > SIZE_DIGITS_MAX)
            return refuse(http, 400, "the size of a chunk has too many digits");
        http->left = http->left << 4 | (unsigned)digit;
        return KN_HTTP1_MORE;
    }
    if (!http->count || !(c == '\r' || c == ';' || c == ' ' || c == '\t'))
        return refuse(http, 400, "the size of a chunk is no hexadecimal number");
    if (http->left > http->body_max - http->total)
        return refuse(http, 413, "the body is larger than is taken here");
    http->total += http->left;
    http->count = 0;
    http->state = c == '\r' ? AT_SIZE_LF : c == ';' ? AT_EXT : AT_BLANK;
    return KN_HTTP1_MORE;
}

static enum kn_http1_event skip_extension(struct kn_http1 *http)
{
    return ++http->extra > KN_HTTP1_EXTENSIONS_MAX
               ? refuse(http, 400, "the chunk extensions are too long")
               : KN_HTTP1_MORE;
}

static enum kn_http1_event at_blank(struct kn_http1 *http, struct kn_str *data)
{
    unsigned char c = take(data);
    if (c == ';')
        http->state = AT_EXT;
    else if (c != ' ' && c != '\t')
        return refuse(http, 400, "the size of a chunk is followed by something else");
    return skip_extension(http);
}

static enum kn_http1_event at_ext(struct kn_http1 *http, struct kn_str *data)
{
    unsigned char c = take(data);
    if (c == '\r') {
        http->state = AT_SIZE_LF;
        return KN_HTTP1_MORE;
    }
    return is_text(c) ? skip_extension(http)
                      : refuse(http, 400, "a chunk extension has a control character");
}

static enum kn_http1_event at_size_lf(struct kn_http1 *http, struct kn_str *data)
{
    if (take(data) != '\n')
        return refuse(http, 400, "a CR stands alone");
    http->state = http->left ? IN_CHUNK : IN_TRAILER;
    if (!http->left)
        http->extra = 0;
    return KN_HTTP1_MORE;
}

static enum kn_http1_event at_cr(struct kn_http1 *http, struct kn_str *data)
{
    if (take(data) != '\r')
        return refuse(http, 400, "a chunk is longer than its size");
    http->state = AT_LF;
    return KN_HTTP1_MORE;
}

static enum kn_http1_event at_lf(struct kn_http1 *http, struct kn_str *data)
{
    if (take(data) != '\n')
        return refuse(http, 400, "a CR stands alone");
    http->state = AT_SIZE;
    return KN_HTTP1_MORE;
}

/* `count` is the length of the present line. */
static enum kn_http1_event in_trailer(struct kn_http1 *http, struct kn_str *data)
{
    unsigned char c = take(data);
    if (++http->extra > KN_HTTP1_TRAILER_MAX)
        return refuse(http, 431, "the trailer is too long");
    if (http->cr != (c == '\n') || !(c == '\r' || c == '\n' || is_text(c)))
        return refuse(http, 400, "a line of the trailer does not end in CR and LF");
    http->cr = c == '\r';
    if (c == '\n' && !http->count)
        http->state = AT_END;
    else if (c == '\n')
        http->count = 0;
    else if (c != '\r')
        http->count++;
    return KN_HTTP1_MORE;
}

/* ---------------------------------------------------------------- the machine */

static enum kn_http1_event (*const steps[])(struct kn_http1 *http, struct kn_str *data) = {
    [IN_HEAD] = in_head, [IN_SIZED] = in_sized,     [AT_SIZE] = at_size,   [AT_BLANK] = at_blank,
    [AT_EXT] = at_ext,   [AT_SIZE_LF] = at_size_lf, [IN_CHUNK] = in_chunk, [AT_CR] = at_cr,
    [AT_LF] = at_lf,     [IN_TRAILER] = in_trailer,
};

enum kn_http1_event kn_http1_feed(struct kn_http1 *http, struct kn_str *data)
{
    enum kn_http1_event event = KN_HTTP1_MORE;
    while (!event) {
        if (http->state == REFUSED)
            return KN_HTTP1_REFUSED;
        if (http->state == AT_END)
            return KN_HTTP1_END;
        if (!data->length)
            return KN_HTTP1_MORE;
        event = steps[http->state](http, data);
    }
    return event;
}

void kn_http1_init(struct kn_http1 *http, uint64_t body_max)
{
    *http = (struct kn_http1){.body_max = body_max};
}

void kn_http1_deinit(struct kn_http1 *http)
{
    free(http->head);
    http->head = NULL;
}

void kn_http1_next(struct kn_http1 *http)
{
    kn_http1_deinit(http);
    kn_http1_init(http, http->body_max);
}

bool kn_http1_begun(const struct kn_http1 *http)
{
    return http->state != AT_END && http->state != REFUSED &&
           (http->length || http->request.method.ptr);
}

struct kn_str kn_http1_field(const struct kn_http1_request *request, const char *name)
{
    for (size_t i = 0; i < request->field_count; i++)
        if (same(request->fields[i].name, name))
            return request->fields[i].value;
    return (struct kn_str){NULL, 0};
}

/* ---------------------------------------------------------------- answers */

const char *kn_http1_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {100, "Continue"},
        {200, "OK"},
        {204, "No Content"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {417, "Expectation Failed"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Unknown";
}

/* A 204 has neither a body nor a length (RFC 9110 section 8.6). */
void kn_http1_answer(struct kn_buffer *to, const struct kn_http1_answer *answer)
{
    kn_buffer_print(to, "HTTP/1.1 %d %s\r\n", answer->status, kn_http1_phrase(answer->status));
    if (answer->date)
        kn_buffer_print(to, "Date: %s\r\n", answer->date);
    if (answer->more)
        kn_buffer_text(to, answer->more);
    if (answer->close || answer->keep)
        kn_buffer_print(to, "Connection: %s\r\n", answer->close ? "close" : "keep-alive");
    if (answer->status != 204)
        kn_buffer_print(to, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                        answer->type ? answer->type : "text/plain; charset=utf-8",
                        answer->body.length);
    kn_buffer_text(to, "\r\n");
    if (answer->status != 204 && !answer->bare)
        kn_buffer_str(to, answer->body);
}
