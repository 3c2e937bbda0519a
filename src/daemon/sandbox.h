/* SPDX-License-Identifier: MIT
 *
 * What a worker gives up before it reads its first octet from a stranger. Afterwards it has what it holds:
 * listeners, a socket to its supervisor, and memory. It opens nothing, connects to nothing, starts
 * nothing, signals and traces nobody.
 *
 *      no new privileges, no capabilities, not dumpable, no core files, no processes
 *      Landlock    no file, no TCP, no abstract unix socket, no signal      as far as the kernel has it
 *      seccomp     a list of calls; every other one ends the process        required
 *
 * A look at a file (open, stat, readlink ...) answers EACCES, because the C library looks by itself, for the
 * time zone or the kernel's policy of memory, and can do without. Whatever else is not on the list was
 * never a part of this program: ending it is better than letting it try again, and is told in the log.
 * There is no limit on the size of files, since it would be one on shared memory as well.
 */
#ifndef KN_DAEMON_SANDBOX_H
#define KN_DAEMON_SANDBOX_H

#include <koine/value.h>

/* Of the calling process, for ever. The process has one thread, and all sockets that it will need.
 * KOINE_ESYSTEM: `why` says what the kernel refused; part of it may be in force. */
int kn_sandbox_enter(struct koine_why *why);

/* What it consists of here, "seccomp, Landlock 7". Static, or in `room`. */
const char *kn_sandbox_describe(char room[64]);

#endif
