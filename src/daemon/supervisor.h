/* SPDX-License-Identifier: MIT
 *
 * koined itself: it owns the listeners and keeps a worker for each endpoint or group, or several for one
 * endpoint. It speaks no foreign protocol and reads nothing that a foreign client wrote.
 */
#ifndef KN_DAEMON_SUPERVISOR_H
#define KN_DAEMON_SUPERVISOR_H

#include "daemon/config.h"

enum { KN_EXIT_DONE = 0, KN_EXIT_USAGE = 2, KN_EXIT_PERMISSION = 5, KN_EXIT_LOCAL = 6 };

/* Says why on standard error, answers `code`. */
int kn_complain(int code, const char *what, const char *why);
/* The exit code for an error of this library. */
int kn_exit_code(int error);

/* Until a signal. `dir`: where names are looked up; NULL: as everywhere. The exit code. */
int kn_supervise(const struct kn_config *config, const char *dir);

#endif
