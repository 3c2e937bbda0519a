/* SPDX-License-Identifier: MIT
 *
 * HTTP/1.1 requests read, and answers written, without I/O (RFC 9112, with the semantics of RFC 9110).
 *
 * A parser is fed octets as they come, split anywhere, and answers events:
 *
 *      MORE* HEAD (MORE | PIECE)* END      then kn_http1_next, and the octets of the next request
 *      MORE* ... REFUSED                   `status` and `why` say what to answer; the connection ends
 *
 * It is strict wherever two readers of the same octets could disagree about where a request ends, and
 * makes use of what the RFC permits to refuse: lines end in CRLF and hold no other CR or LF; no folded
 * fields, no blank before a colon; one Content-Length, of digits; never Content-Length together with
 * Transfer-Encoding; `chunked` alone as transfer coding, and none in HTTP/1.0; exactly one Host in
 * HTTP/1.1. Chunk extensions and trailers are skipped. Everything has a limit, and a body that is
 * announced as too large is refused before one octet of it is read.
 */
#ifndef KN_CODEC_HTTP1_H
#define KN_CODEC_HTTP1_H

#include "base/buffer.h"

enum {
    KN_HTTP1_LINE_MAX = 8 << 10,      /* octets of the request line; 414 */
    KN_HTTP1_HEAD_MAX = 16 << 10,     /* octets of request line and fields; 431 */
    KN_HTTP1_FIELDS_MAX = 100,        /* 431 */
    KN_HTTP1_TRAILER_MAX = 8 << 10,   /* octets behind the last chunk; 431 */
    KN_HTTP1_EXTENSIONS_MAX = 4 << 10 /* octets of chunk extensions in one body; 400 */
};

enum kn_http1_event {
    KN_HTTP1_MORE = 0, /* all octets are taken */
    KN_HTTP1_HEAD,     /* `request` is there */
    KN_HTTP1_PIECE,    /* `piece` is the next part of the body; it points into what was fed */
    KN_HTTP1_END,      /* the request is whole; answered until kn_http1_next */
    KN_HTTP1_REFUSED   /* answered for ever */
};

struct kn_http1_field {
    struct kn_str name, value; /* the name in small letters */
};

/* Lives from KN_HTTP1_HEAD to kn_http1_next. */
struct kn_http1_request {
    struct kn_str method;
    struct kn_str target;    /* path and query, or "*" */
    struct kn_str authority; /* of an absolute target, else of Host; ptr NULL: none (HTTP/1.0) */
    const struct kn_http1_field *fields;
    size_t field_count;
    int minor;       /* HTTP/1.minor, 0 or 1 */
    bool persistent; /* the client wants the connection to stay open */
    bool has_body;   /* it is not announced as empty */
    bool expects;    /* the client waits for 100 (Continue) before it sends the body */
};

struct kn_http1 {
    struct kn_http1_request request;
    struct kn_str piece;
    int status;      /* of a refusal: the answer's */
    const char *why; /* the same in words */

    uint64_t body_max, left, total;
    char *head;
    size_t length, line, count, extra;
    uint8_t state;
    bool cr, sized, chunked, hosted, closing, huge;
    struct kn_http1_field fields[KN_HTTP1_FIELDS_MAX];
};

/* Allocates nothing yet. `body_max`: octets of a body; 413. */
void kn_http1_init(struct kn_http1 *http, uint64_t body_max);
void kn_http1_deinit(struct kn_http1 *http);
/* Forgets the request that ended. */
void kn_http1_next(struct kn_http1 *http);
/* Takes octets from the front of *data up to the next event. */
enum kn_http1_event kn_http1_feed(struct kn_http1 *http, struct kn_str *data);
/* Whether a request has begun and not ended: its sender owes the rest. */
bool kn_http1_begun(const struct kn_http1 *http);
/* The value of the first field `name` (small letters); ptr NULL when there is none. */
struct kn_str kn_http1_field(const struct kn_http1_request *request, const char *name);
/* Whether the comma list `list` has `item`, which is in small letters; in whatever letters it stands. */
bool kn_http1_listed(struct kn_str list, const char *item);
/* The host of "host", "host:port", "[v6]" or "[v6]:port", brackets kept; ptr NULL when it is none. */
struct kn_str kn_http1_host(struct kn_str authority);

struct kn_http1_answer {
    int status;
    bool close;       /* the connection ends behind it */
    bool keep;        /* said to an HTTP/1.0 client: it does not */
    bool bare;        /* answer to HEAD: the body is counted, not sent */
    const char *type; /* of the body; NULL: text/plain */
    const char *date; /* NULL: no clock */
    const char *more; /* further fields, each with its CRLF; NULL: none */
    struct kn_str body;
};

void kn_http1_answer(struct kn_buffer *to, const struct kn_http1_answer *answer);
/* "Not Found". Never NULL. */
const char *kn_http1_phrase(int status);

#endif
