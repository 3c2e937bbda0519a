/* SPDX-License-Identifier: MIT
 *
 * What koined is to serve: from --listen, or from INI files.
 */
#ifndef KN_DAEMON_CONFIG_H
#define KN_DAEMON_CONFIG_H

#include <koine/value.h>

#include <stddef.h>

enum { KN_ENDPOINTS_MAX = 64, KN_WORKERS_MAX = 64, KN_MOUNTS_MAX = 64, KN_ENDPOINT_NAME_MAX = 32 };

#define KN_CONFIG_DEFAULT "/etc/koine/koined.ini"

struct kn_endpoint_config {
    char *name;  /* of its section; NULL: from --listen */
    char *where; /* "file:line" of the section, for complaints; NULL */
    char *uri;   /* with all options */
    char *group; /* NULL: alone */
    unsigned workers;
};

struct kn_mount_config {
    char *name, *uri, *where;
};

struct kn_config {
    struct kn_endpoint_config endpoints[KN_ENDPOINTS_MAX];
    struct kn_mount_config mounts[KN_MOUNTS_MAX];
    size_t count, mount_count;
};

/* Errors of all: KOINE_EINVAL, KOINE_EPERM, KOINE_ESYSTEM, KOINE_ENOMEM; `why` begins with where it is. */

/* One --listen. */
int kn_config_listen(struct kn_config *config, const char *uri, struct koine_why *why);
/* One --mount, NAME=URI. */
int kn_config_mount(struct kn_config *config, const char *text, struct koine_why *why);
/* An INI file and what it includes. */
int kn_config_read(struct kn_config *config, const char *path, struct koine_why *why);
/* Everything that can be said without opening an endpoint. *wherep: what it is said of. */
int kn_config_check(const char **wherep, const struct kn_config *config, struct koine_why *why);
void kn_config_deinit(struct kn_config *config);

#endif
