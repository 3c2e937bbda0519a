/* SPDX-License-Identifier: MIT
 *
 * A wrong taker of names: the name can be seen before anybody listens.
 */
#ifndef KN_TESTS_KILL_WRONG_LISTEN_H
#define KN_TESTS_KILL_WRONG_LISTEN_H

#include <stdio.h>
#include <sys/socket.h>

static int late_listener;

static inline int listen_later(int fd, int backlog)
{
    (void)backlog;
    late_listener = fd;
    return 0;
}

static inline int rename_then_listen(int from_dir, const char *from, int to_dir, const char *to)
{
    int rc = renameat(from_dir, from, to_dir, to);
    return rc ? rc : listen(late_listener, 128);
}

#define listen   listen_later
#define renameat rename_then_listen

#endif
