/* SPDX-License-Identifier: MIT */
#include "runtime/limits.h"

#include "runtime/policy.h"

#include "value/why.h"

#include <stdlib.h>

enum where { TCP = 1, UNIX = 2, HTTP = 4, ANY = 7 };

/* False: the value is none that the option may have. */
static bool read_number(long *numberp, const char *text, int base, long least, long most)
{
    char *end;
    if (*text < '0' || *text > '9' || strlen(text) > 18)
        return false;
    *numberp = strtol(text, &end, base);
    return !*end && *numberp >= least && *numberp <= most;
}

static bool take_connections(struct kn_limits *limits, const char *text)
{
    long number;
    bool good = read_number(&number, text, 10, 1, 65536);
    if (good)
        limits->connections = (size_t)number;
    return good;
}

static bool take_calls(struct kn_limits *limits, const char *text)
{
    long number;
    bool good = read_number(&number, text, 10, 1, 65536);
    if (good)
        limits->calls = (size_t)number;
    return good;
}

static bool take_body(struct kn_limits *limits, const char *text)
{
    long number;
    bool good = read_number(&number, text, 10, 1, KN_BODY_MAX_DEFAULT);
    if (good)
        limits->body = (size_t)number;
    return good;
}

static bool take_stall(struct kn_limits *limits, const char *text)
{
    long number;
    bool good = read_number(&number, text, 10, 1, 3600);
    if (good)
        limits->stall = number * KOINE_SECOND;
    return good;
}

static bool take_timeout(struct kn_limits *limits, const char *text)
{
    long number;
    bool good = read_number(&number, text, 10, 1, 86400);
    if (good)
        limits->timeout = number * KOINE_SECOND;
    return good;
}

static bool take_mode(struct kn_limits *limits, const char *text)
{
    long number;
    bool good = read_number(&number, text, 8, 0, 0777);
    if (good)
        limits->mode = (mode_t)number;
    return good;
}

static bool take_public(struct kn_limits *limits, const char *text)
{
    limits->public = !strcmp(text, "yes");
    return limits->public || !strcmp(text, "no");
}

static bool take_origin(struct kn_limits *limits, const char *text)
{
    limits->origins = text;
    return *text;
}

static bool take_host(struct kn_limits *limits, const char *text)
{
    limits->hosts = text;
    return *text;
}

static bool take_callers(struct kn_limits *limits, const char *text)
{
    limits->callers_allowed = text;
    return kn_policy_callers_valid(text);
}

static bool take_calls_allowed(struct kn_limits *limits, const char *text)
{
    limits->calls_allowed = text;
    return kn_policy_calls_valid(text);
}

static const struct {
    const char *key;
    unsigned where;
    bool (*take)(struct kn_limits *limits, const char *text);
    const char *values;
} table[] = {
    {"connections", ANY, take_connections, "1 to 65536"},
    {"calls", ANY, take_calls, "1 to 65536"},
    {"stall", ANY, take_stall, "seconds, 1 to 3600"},
    {"timeout", ANY, take_timeout, "seconds, 1 to 86400"},
    {"body", HTTP, take_body, "octets, 1 to 16777216"},
    {"mode", UNIX, take_mode, "octal, 0600 or more open"},
    {"public", TCP | HTTP, take_public, "yes or no"},
    {"origin", HTTP, take_origin, "origins with commas, http://box:3000"},
    {"host", HTTP, take_host, "hosts with commas, without ports"},
    {"allow", UNIX, take_callers, "uid:N, gid:N and uid:* with commas"},
    {"allow-call", ANY, take_calls_allowed, "service.member with commas, * for any octets"},
};

static unsigned place_of(const struct kn_transport *transport)
{
    return transport == &kn_transport_http ? HTTP : transport->local ? UNIX : TCP;
}

static bool is_of_dialect(const struct kn_identity *identity, const char *key)
{
    for (const char *const *option = identity->options; option && *option; option++)
        if (!strcmp(*option, key))
            return true;
    return false;
}

/* 1 taken, 0 unknown, negative a wrong value. */
static int take(struct kn_limits *limits, const struct kn_option *option, unsigned place,
                struct koine_why *why)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].key, option->key) || !(table[i].where & place))
            continue;
        if (table[i].take(limits, option->value))
            return 1;
        return kn_refuse(why, KOINE_EINVAL, NULL, "option '%s' takes %s, not '%.60s'", option->key,
                         table[i].values, option->value);
    }
    return 0;
}

static int refuse_unknown(const char *key, unsigned place, struct koine_why *why)
{
    char known[128] = "";
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].where & place) {
            strcat(known, *known ? ", " : "");
            strcat(known, table[i].key);
        }
    return kn_refuse(why, KOINE_EINVAL, NULL,
                     "this transport and dialect have no option '%.40s'; there are %s", key, known);
}

int kn_limits_read(struct kn_limits *limits, struct kn_option *own, size_t *countp,
                   const struct koine_attachment *attachment, struct koine_why *why)
{
    const struct kn_uri *uri = attachment->uri;
    unsigned place = place_of(attachment->transport);
    *limits = (struct kn_limits){.connections = KN_CONNECTIONS_MAX,
                                 .calls = KN_CALLS_MAX,
                                 .body = KN_BODY_MAX_DEFAULT,
                                 .stall = KN_STALL_NS,
                                 .timeout = 30 * KOINE_SECOND,
                                 .mode = 0600};
    *countp = 0;
    for (size_t i = 0; i < uri->option_count; i++) {
        const struct kn_option *option = &uri->options[i];
        int rc = 1;
        if (is_of_dialect(attachment->dialect->identity, option->key))
            own[(*countp)++] = *option;
        else
            rc = take(limits, option, place, why);
        if (rc <= 0)
            return rc ? rc : refuse_unknown(option->key, place, why);
    }
    return 0;
}
