/* SPDX-License-Identifier: MIT
 *
 * Any octets as HTTP/1.1 requests, whole and cut in two: what is read must be the same. The first octet
 * says where the cut is.
 */
#include "codec/http1.h"

#include "base/hash.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t add(uint64_t hash, struct kn_str text)
{
    return kn_hash(kn_hash_u64(hash, text.length), text.ptr, text.length);
}

static uint64_t add_head(uint64_t hash, const struct kn_http1_request *request)
{
    hash = add(add(hash, request->method), request->target);
    hash = add(hash, request->authority);
    for (size_t i = 0; i < request->field_count; i++)
        hash = add(add(hash, request->fields[i].name), request->fields[i].value);
    return kn_hash_u64(hash, (uint64_t)request->minor << 2 | (uint64_t)request->persistent << 1 |
                                 request->expects);
}

/* Pieces of a body count octet by octet, however they were cut. */
static uint64_t feed(uint64_t hash, struct kn_http1 *http, struct kn_str data)
{
    for (;;) {
        enum kn_http1_event event = kn_http1_feed(http, &data);
        if (event == KN_HTTP1_MORE)
            return hash;
        if (event == KN_HTTP1_PIECE) {
            hash = kn_hash(hash, http->piece.ptr, http->piece.length);
            continue;
        }
        hash = kn_hash_u64(hash, event);
        if (event == KN_HTTP1_HEAD)
            hash = add_head(hash, &http->request);
        if (event == KN_HTTP1_REFUSED)
            return kn_hash_u64(hash, (uint64_t)http->status);
        if (event == KN_HTTP1_END)
            kn_http1_next(http);
    }
}

static uint64_t parse(struct kn_str data, size_t cut)
{
    struct kn_http1 http;
    kn_http1_init(&http, 1000);
    uint64_t hash = feed(KN_HASH_START, &http, (struct kn_str){data.ptr, cut});
    if (!http.status)
        hash = feed(hash, &http, (struct kn_str){data.ptr + cut, data.length - cut});
    kn_http1_deinit(&http);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct kn_str text = {(const char *)data + 1, size - 1};
    size_t cut = data[0] < text.length ? data[0] : text.length;
    if (parse(text, text.length) != parse(text, cut))
        abort();
    return 0;
}
