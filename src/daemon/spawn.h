/* SPDX-License-Identifier: MIT
 *
 * This program once more, as a worker.
 */
#ifndef KN_DAEMON_SPAWN_H
#define KN_DAEMON_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

enum { KN_SPAWN_LISTENERS_MAX = 64 };

struct kn_spawned {
    pid_t pid;
    int pidfd, letters, log; /* log: what it writes to its standard error */
};

/* `listeners` become its descriptors from 3 on, one for each of the `count` URIs; it has no other ones of
 * this process. It dies with this process, however that dies. 0, or -1 with errno. */
int kn_spawn(struct kn_spawned *spawned, const char *const *uris, const int *listeners,
             size_t count);

#endif
