/* SPDX-License-Identifier: MIT */
#include "runtime/uri.h"

#include "value/why.h"

#include <stdlib.h>

static const char form[] = "dialect+transport://address/path?option=value";

static int wrong(struct koine_why *why, const char *text, const char *what)
{
    return kn_refuse(why, KOINE_EINVAL, NULL, "endpoint '%.100s': %s", text, what);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char small = (char)(c | 32);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

/* In place; false for %XX that is none, or %00. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *at = text; *at; at++) {
        if (*at != '%') {
            *to++ = *at;
            continue;
        }
        int high = hex(at[1]), low = high < 0 ? -1 : hex(at[2]);
        if (low < 0 || !(high << 4 | low))
            return false;
        *to++ = (char)(high << 4 | low);
        at += 2;
    }
    *to = '\0';
    return true;
}

static bool is_word(const char *text)
{
    const char *at = text;
    while ((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9'))
        at++;
    return at > text && !*at;
}

/* Ends the text in front of the first of `ends` and answers what is behind it, or NULL. */
static char *cut(char *text, const char *ends)
{
    char *at = strpbrk(text, ends);
    if (!at)
        return NULL;
    *at = '\0';
    return at + 1;
}

static const char *take_options(struct kn_uri *uri, char *text)
{
    for (char *next = text; text && *text; text = next) {
        next = cut(text, "&");
        char *value = cut(text, "=");
        if (!value || !*text)
            return "behind '?' come options, key=value with '&' between";
        if (!decode(text) || !decode(value))
            return "'%' takes two hexadecimal digits, and not 00";
        if (kn_uri_option(uri, text))
            return "an option stands twice";
        if (uri->option_count == KN_URI_OPTIONS_MAX)
            return "too many options";
        uri->options[uri->option_count++] = (struct kn_option){text, value};
    }
    return NULL;
}

static const char *take_address(struct kn_uri *uri, char *text)
{
    char *port = NULL;
    uri->bracketed = *text == '[';
    if (uri->bracketed) {
        uri->host = text + 1;
        char *behind = cut(text, "]");
        if (!behind || (*behind && *behind != ':'))
            return "an IPv6 address stands in brackets, [::1], and a port behind them";
        port = *behind ? behind + 1 : NULL;
    } else {
        uri->host = text;
        port = cut(text, ":");
    }
    uri->port = port ? port : "";
    if (port && (!*port || strlen(port) > 5 || strspn(port, "0123456789") != strlen(port)))
        return "a port is a number up to 65535; 0 takes a free one";
    return NULL;
}

/* From behind to front: options, path, address. The path keeps its slash, so the address is moved by one
 * to make room for its NUL; what stood there is a part of "://". */
static const char *take_rest(struct kn_uri *uri, char *text)
{
    char *options = cut(text, "?"), *path = strchr(text, '/');
    const char *error = take_options(uri, options);
    if (error)
        return error;
    uri->path = "";
    if (path) {
        memmove(text - 1, text, (size_t)(path - text));
        path[-1] = '\0';
        text--;
        uri->path = path;
        if (!decode(path))
            return "'%' takes two hexadecimal digits, and not 00";
    }
    return take_address(uri, text);
}

static const char *take_all(struct kn_uri *uri)
{
    char *text = uri->text, *rest = strstr(text, "://");
    if (!rest)
        return "has no '://'";
    if (strchr(rest, '#'))
        return "a service behind '#' is part of a target, not of an endpoint";
    *rest = '\0';
    char *transport = cut(text, "+");
    uri->dialect = text;
    uri->transport = transport ? transport : "";
    if (!is_word(text))
        return "does not begin with the name of a dialect";
    if (!is_word(uri->transport))
        return "says no transport";
    return take_rest(uri, rest + 3);
}

int kn_uri_parse(struct kn_uri **urip, const char *text, struct koine_why *why)
{
    size_t length = strlen(text);
    if (length > KN_URI_MAX)
        return wrong(why, text, "is too long");
    struct kn_uri *uri = calloc(1, sizeof *uri + length + 2);
    if (!uri)
        return KOINE_ENOMEM;
    memcpy(uri->text, text, length);
    const char *error = take_all(uri);
    if (error) {
        free(uri);
        return kn_refuse(why, KOINE_EINVAL, NULL, "endpoint '%.100s': %s; the form is %s", text,
                         error, form);
    }
    *urip = uri;
    return 0;
}

const char *kn_uri_option(const struct kn_uri *uri, const char *key)
{
    for (size_t i = 0; i < uri->option_count; i++)
        if (!strcmp(uri->options[i].key, key))
            return uri->options[i].value;
    return NULL;
}
