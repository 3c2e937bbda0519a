/* SPDX-License-Identifier: MIT
 *
 * A section [endpoint NAME] becomes one URI: what koined itself does not know of it are options of the URI,
 * so there is one list of them and one check. The URI is put together when the section ends.
 */
#include "daemon/config.h"

#include "base/buffer.h"
#include "daemon/inifile.h"
#include "dialect/dialect.h"
#include "runtime/endpoint.h"
#include "runtime/uri.h"
#include "value/why.h"

#include <stdio.h>
#include <stdlib.h>

struct option {
    char *key, *value;
};

struct reader {
    struct kn_config *config;
    char section[64];
    struct kn_endpoint_config *endpoint; /* that the section is about; NULL */
    struct kn_mount_config *mount;
    char *listen;
    struct option options[KN_URI_OPTIONS_MAX];
    size_t option_count;
};

/* ---------------------------------------------------------------- names */

static bool is_name(const char *text)
{
    size_t length =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    return length && length <= KN_ENDPOINT_NAME_MAX && !text[length];
}

static int refuse_name(const char *name, struct koine_why *why)
{
    return kn_refuse(why, KOINE_EINVAL, NULL,
                     "'%.50s' is no name: 1 to %d letters, digits, '_', '-' and '.'", name,
                     KN_ENDPOINT_NAME_MAX);
}

static bool is_taken(const struct kn_config *config, const char *name)
{
    for (size_t i = 0; i < config->count; i++)
        if (config->endpoints[i].name && !strcmp(config->endpoints[i].name, name))
            return true;
    return false;
}

/* ---------------------------------------------------------------- the end of a section */

static void write_value(struct kn_buffer *to, const char *value)
{
    for (; *value; value++)
        if (strchr("%&#?", *value) || *value <= ' ')
            kn_buffer_print(to, "%%%02x", (unsigned)(unsigned char)*value);
        else
            kn_buffer_char(to, *value);
}

static int write_uri(struct reader *reader)
{
    struct kn_buffer uri;
    bool first = !strchr(reader->listen, '?');
    kn_buffer_init(&uri, 0);
    kn_buffer_text(&uri, reader->listen);
    for (size_t i = 0; i < reader->option_count; i++, first = false) {
        kn_buffer_print(&uri, "%c%s=", first ? '?' : '&', reader->options[i].key);
        write_value(&uri, reader->options[i].value);
    }
    int rc = kn_buffer_steal(&reader->endpoint->uri, NULL, &uri);
    kn_buffer_deinit(&uri);
    return rc;
}

static void forget(struct reader *reader)
{
    for (size_t i = 0; i < reader->option_count; i++) {
        free(reader->options[i].key);
        free(reader->options[i].value);
    }
    free(reader->listen);
    reader->listen = NULL;
    reader->option_count = 0;
    reader->endpoint = NULL;
    reader->mount = NULL;
}

static int end_section(struct reader *reader, struct koine_why *why)
{
    int rc = 0;
    if (reader->endpoint && !reader->listen)
        rc = kn_refuse(why, KOINE_EINVAL, NULL, "%.120s: [%.60s] has no 'listen = URI'",
                       reader->endpoint->where, reader->section);
    else if (reader->endpoint)
        rc = write_uri(reader);
    else if (reader->mount && !reader->mount->uri)
        rc = kn_refuse(why, KOINE_EINVAL, NULL, "%.120s: [%.60s] has no 'uri = URI'",
                       reader->mount->where, reader->section);
    forget(reader);
    return rc;
}

/* ---------------------------------------------------------------- lines of a section */

static int take_text(char **textp, const char *key, const char *value, struct koine_why *why)
{
    if (*textp)
        return kn_refuse(why, KOINE_EINVAL, NULL, "'%.40s' stands twice", key);
    *textp = strdup(value);
    return *textp ? 0 : KOINE_ENOMEM;
}

/* A list may have several lines. */
static bool is_list(const char *key)
{
    static const char *const lists[] = {"allow", "allow-call", "host", "origin"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (!strcmp(lists[i], key))
            return true;
    return false;
}

static int lengthen(struct option *option, const char *value)
{
    struct kn_buffer list;
    kn_buffer_init(&list, 0);
    kn_buffer_print(&list, "%s,%s", option->value, value);
    char *joined;
    int rc = kn_buffer_steal(&joined, NULL, &list);
    kn_buffer_deinit(&list);
    if (rc)
        return rc;
    free(option->value);
    option->value = joined;
    return 0;
}

static int take_option(struct reader *reader, const char *key, const char *value,
                       struct koine_why *why)
{
    for (size_t i = 0; i < reader->option_count; i++)
        if (!strcmp(reader->options[i].key, key))
            return is_list(key) ? lengthen(&reader->options[i], value)
                                : kn_refuse(why, KOINE_EINVAL, NULL, "'%.40s' stands twice", key);
    if (reader->option_count == KN_URI_OPTIONS_MAX)
        return kn_refuse(why, KOINE_EINVAL, NULL, "too many options");
    struct option *option = &reader->options[reader->option_count++];
    *option = (struct option){strdup(key), strdup(value)};
    return option->key && option->value ? 0 : KOINE_ENOMEM;
}

static int take_workers(unsigned *workersp, const char *value, struct koine_why *why)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || !number || number > KN_WORKERS_MAX)
        return kn_refuse(why, KOINE_EINVAL, NULL, "'workers' takes 1 to %d, not '%.40s'",
                         KN_WORKERS_MAX, value);
    *workersp = (unsigned)number;
    return 0;
}

static int take_group(char **groupp, const char *value, struct koine_why *why)
{
    return is_name(value) ? take_text(groupp, "group", value, why) : refuse_name(value, why);
}

static int take_of_endpoint(struct reader *reader, const char *key, const char *value,
                            struct koine_why *why)
{
    if (!strcmp(key, "listen"))
        return take_text(&reader->listen, key, value, why);
    if (!strcmp(key, "group"))
        return take_group(&reader->endpoint->group, value, why);
    if (!strcmp(key, "workers"))
        return take_workers(&reader->endpoint->workers, value, why);
    return take_option(reader, key, value, why);
}

static int take_of_mount(struct reader *reader, const char *key, const char *value,
                         struct koine_why *why)
{
    return strcmp(key, "uri")
               ? kn_refuse(why, KOINE_EINVAL, NULL, "a mount has 'uri' only, not '%.40s'", key)
               : take_text(&reader->mount->uri, key, value, why);
}

/* ---------------------------------------------------------------- sections */

static int full(struct koine_why *why)
{
    return kn_refuse(why, KOINE_EINVAL, NULL, "more than %d of them; start another koined",
                     KN_ENDPOINTS_MAX);
}

static int begin_endpoint(struct reader *reader, const char *name, const char *where,
                          struct koine_why *why)
{
    struct kn_config *config = reader->config;
    if (!is_name(name))
        return refuse_name(name, why);
    if (is_taken(config, name))
        return kn_refuse(why, KOINE_EINVAL, NULL, "there is an endpoint '%s' already", name);
    if (config->count == KN_ENDPOINTS_MAX)
        return full(why);
    reader->endpoint = &config->endpoints[config->count++];
    *reader->endpoint = (struct kn_endpoint_config){strdup(name), strdup(where), NULL, NULL, 1};
    return reader->endpoint->name && reader->endpoint->where ? 0 : KOINE_ENOMEM;
}

static int begin_mount(struct reader *reader, const char *name, const char *where,
                       struct koine_why *why)
{
    struct kn_config *config = reader->config;
    if (config->mount_count == KN_MOUNTS_MAX)
        return full(why);
    reader->mount = &config->mounts[config->mount_count++];
    *reader->mount = (struct kn_mount_config){strdup(name), NULL, strdup(where)};
    return reader->mount->name && reader->mount->where ? 0 : KOINE_ENOMEM;
}

static int begin_section(struct reader *reader, const char *section, const char *where,
                         struct koine_why *why)
{
    static const char endpoint[] = "endpoint ", mount[] = "mount ";
    snprintf(reader->section, sizeof reader->section, "%s", section);
    if (!strncmp(section, endpoint, sizeof endpoint - 1))
        return begin_endpoint(reader, section + sizeof endpoint - 1, where, why);
    if (!strncmp(section, mount, sizeof mount - 1))
        return begin_mount(reader, section + sizeof mount - 1, where, why);
    return kn_refuse(why, KOINE_EINVAL, NULL,
                     *section ? "a section is [endpoint NAME] or [mount NAME]"
                              : "only 'include' stands before the first section");
}

static int take_line(struct kn_ini *ini, const char *section, const char *key, const char *value,
                     struct koine_why *why)
{
    struct reader *reader = ini->arg;
    bool same = (reader->endpoint || reader->mount) && !strcmp(section, reader->section);
    int rc = same ? 0 : end_section(reader, why);
    if (!rc && !same)
        rc = begin_section(reader, section, ini->where, why);
    if (rc)
        return rc;
    return reader->endpoint ? take_of_endpoint(reader, key, value, why)
                            : take_of_mount(reader, key, value, why);
}

int kn_config_read(struct kn_config *config, const char *path, struct koine_why *why)
{
    struct reader reader = {.config = config};
    struct kn_ini ini = {.line = take_line, .arg = &reader};
    int rc = kn_ini_read(&ini, path, why);
    if (!rc)
        rc = end_section(&reader, why);
    forget(&reader);
    return rc;
}

/* ---------------------------------------------------------------- the command line */

int kn_config_listen(struct kn_config *config, const char *uri, struct koine_why *why)
{
    if (config->count == KN_ENDPOINTS_MAX)
        return full(why);
    struct kn_endpoint_config *endpoint = &config->endpoints[config->count++];
    *endpoint = (struct kn_endpoint_config){.uri = strdup(uri), .workers = 1};
    return endpoint->uri ? 0 : KOINE_ENOMEM;
}

int kn_config_mount(struct kn_config *config, const char *text, struct koine_why *why)
{
    const char *equal = strchr(text, '=');
    if (!equal || equal == text || !equal[1])
        return kn_refuse(why, KOINE_EINVAL, NULL, "--mount takes NAME=URI, not '%.100s'", text);
    if (config->mount_count == KN_MOUNTS_MAX)
        return full(why);
    struct kn_mount_config *mount = &config->mounts[config->mount_count++];
    *mount = (struct kn_mount_config){strndup(text, (size_t)(equal - text)), strdup(equal + 1),
                                      strdup("--mount")};
    return mount->name && mount->uri && mount->where ? 0 : KOINE_ENOMEM;
}

/* ---------------------------------------------------------------- checking */

static int check_sharing(const struct kn_endpoint_config *endpoint,
                         const struct kn_identity *identity, struct koine_why *why)
{
    if (endpoint->workers > 1 && endpoint->group)
        return kn_refuse(why, KOINE_EINVAL, NULL, "either 'group' or 'workers'");
    if (endpoint->workers > 1 && !identity->stateless)
        return kn_refuse(why, KOINE_EINVAL, NULL,
                         "%s keeps something between its connections and has one worker",
                         identity->name);
    return 0;
}

static int check_endpoint(const struct kn_endpoint_config *endpoint, struct koine_why *why)
{
    const struct kn_identity *identity;
    int rc = kn_endpoint_check(&identity, endpoint->uri, why);
    return rc ? rc : check_sharing(endpoint, identity, why);
}

int kn_config_check(const char **wherep, const struct kn_config *config, struct koine_why *why)
{
    size_t workers = 0;
    if (config->mount_count) {
        *wherep = config->mounts[0].where;
        return kn_refuse(why, KOINE_EUNSUPPORTED, NULL,
                         "'%.40s': foreign services cannot be mounted in this version",
                         config->mounts[0].name);
    }
    for (size_t i = 0; i < config->count; i++) {
        const struct kn_endpoint_config *endpoint = &config->endpoints[i];
        *wherep = endpoint->where ? endpoint->where : endpoint->uri;
        int rc = check_endpoint(endpoint, why);
        if (rc)
            return rc;
        workers += endpoint->workers;
        if (workers > KN_WORKERS_MAX)
            return kn_refuse(why, KOINE_EINVAL, NULL, "more than %d workers", KN_WORKERS_MAX);
    }
    return 0;
}

void kn_config_deinit(struct kn_config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        free(config->endpoints[i].name);
        free(config->endpoints[i].where);
        free(config->endpoints[i].uri);
        free(config->endpoints[i].group);
    }
    for (size_t i = 0; i < config->mount_count; i++) {
        free(config->mounts[i].name);
        free(config->mounts[i].uri);
        free(config->mounts[i].where);
    }
    config->count = config->mount_count = 0;
}
