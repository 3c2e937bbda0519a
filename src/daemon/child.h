/* SPDX-License-Identifier: MIT
 *
 * The supervisor's side of one worker: it is started, reaches services through here, is restarted when it
 * ends, after 100 ms and then twice as long each time up to 10 s, and at once ends when told to. A life of
 * 30 s makes up for all earlier ones. Its listeners stay open meanwhile, so who connects then waits.
 */
#ifndef KN_DAEMON_CHILD_H
#define KN_DAEMON_CHILD_H

#include "daemon/spawn.h"

#include <koine/dialects.h>

#include <stdbool.h>

enum { KN_CHILD_LOG_MAX = 64 << 10 }; /* octets of its lines that are passed on, of one life */

struct kn_child {
    /* Set before the start. */
    struct koine_node *node;
    const char *dirs; /* where it may reach names */
    const char *name;
    const char *uris[KN_SPAWN_LISTENERS_MAX];
    const struct koine_attachment *endpoints[KN_SPAWN_LISTENERS_MAX];
    size_t count;
    void (*changed)(void *arg, struct kn_child *child); /* it is ready, or it ended */
    void *arg;

    struct kn_spawned spawned; /* pid 0: none runs */
    struct koine_watch *life, *letters, *log;
    struct koine_timer *again;
    int64_t born, delay;
    size_t logged;
    bool ready, stopping, killed;
    int error; /* why it could not begin; KOINE_E... */
    int code;  /* of the last end: exit code, or 128 and the signal */
};

/* Starts it; from then on it is started again by itself. 0, or -1 with errno. */
int kn_child_start(struct kn_child *child);
/* From here on its end is its end. */
void kn_child_stop(struct kn_child *child, int signal);
static inline bool kn_child_runs(const struct kn_child *child)
{
    return child->spawned.pid != 0;
}
/* Of one that does not run. */
void kn_child_deinit(struct kn_child *child);

#endif
