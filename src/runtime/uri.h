/* SPDX-License-Identifier: MIT
 *
 * An endpoint as text: dialect+transport://address/path?key=value&key=value
 *
 *      jsonrpc+http://127.0.0.1:8080/rpc?host=box.lan     jsonrpc+tcp://[::1]:0     jsonrpc+unix:///run/x.sock
 *
 * Path, keys and values may have %XX. This reads the text and knows no dialect and no transport.
 */
#ifndef KN_RUNTIME_URI_H
#define KN_RUNTIME_URI_H

#include "dialect/dialect.h"

#include <koine/value.h>

enum { KN_URI_MAX = 16384, KN_URI_OPTIONS_MAX = 16 };

struct kn_uri {
    const char *dialect, *transport;
    const char *host; /* without brackets; "" when there is none */
    const char *port; /* digits, or "" */
    const char *path; /* with its slash, or "" */
    bool bracketed;   /* host is an IPv6 literal */
    struct kn_option options[KN_URI_OPTIONS_MAX];
    size_t option_count;
    char text[]; /* what all of them point into */
};

/* One heap block, for free(). Errors: KOINE_EINVAL (`why` says what, where and what would be right),
 * KOINE_ENOMEM. */
int kn_uri_parse(struct kn_uri **urip, const char *text, struct koine_why *why);
/* The value, or NULL. */
const char *kn_uri_option(const struct kn_uri *uri, const char *key);

#endif
