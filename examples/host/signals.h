/* SPDX-License-Identifier: MIT
 *
 * Signals on behalf of a caller, by the kernel's rule for the caller and not for this process, which may
 * be root (kill(2); kernel/signal.c, check_kill_permission):
 *
 *   - root with CAP_KILL may all;
 *   - else the caller's user must be the real or the saved one of the process: so a user may end a setuid
 *     program that it started, until that has become another user altogether;
 *   - CONT may also be sent within a session.
 *
 * What the node knows of a caller is one of its users and its number, as the kernel told them when it
 * connected. Its capabilities and its session are read from /proc, which can only make the rule stricter.
 * The rule is stricter than the kernel's also for root of another user namespace, which is a user without
 * rights here, and for 65534, which stands for all users that this namespace does not know.
 *
 * Between the look and the signal the number may go to another process and the process to another user.
 * So the process is held by a pidfd, which must still be alive when all was read; and root sends as the
 * caller's user, so that the kernel itself applies its rule in the moment of sending. For that moment the
 * real user is one whom nobody is, and the saved one stays root: to have the caller's as real user would
 * let the caller signal this process.
 */
#ifndef HOST_SIGNALS_H
#define HOST_SIGNALS_H

#include "host.h"

#include <stdbool.h>

enum { SIGNALS_UNKNOWN_USER = 65534 };

struct signaller {
    uint32_t uid;
    bool may_all;    /* CAP_KILL */
    int32_t session; /* 0: unknown */
};

struct signalled {
    uint32_t uid, saved_uid;
    int32_t session;
};

bool signals_permitted(const struct signaller *by, const struct signalled *to, int signal);

enum signals_outcome {
    SIGNALS_SENT,
    SIGNALS_NO_PROCESS,
    SIGNALS_DENIED,
    SIGNALS_UNHEARD, /* the process would not notice; *reasonp says why */
    SIGNALS_FAILED   /* *reasonp says why */
};

/* `proc` is a descriptor of /proc. Does not block. */
enum signals_outcome signals_send(const char **reasonp, int proc, const struct koine_caller *caller,
                                  int32_t pid, int32_t signal);

#endif
