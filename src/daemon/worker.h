/* SPDX-License-Identifier: MIT
 *
 * A worker: koined executed again, as `koined --worker URI...`. It serves the endpoints of the URIs, each
 * over a listener that it was given open.
 *
 *      0        the supervisor (letter.h); when it hangs up the worker ends
 *      1        nothing
 *      2        a pipe to the supervisor, which writes its lines into the log
 *      3...     one listener for each URI
 *
 * SIGTERM lets answers under way out, five seconds at most.
 */
#ifndef KN_DAEMON_WORKER_H
#define KN_DAEMON_WORKER_H

#include <koine/koine.h>

enum { KN_WORKER_LISTENERS = 3 };
#define KN_DRAIN_NS (5 * KOINE_SECOND)

/* The process's exit code. */
int kn_worker_run(char *const *uris, int count);

#endif
