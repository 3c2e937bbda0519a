/* SPDX-License-Identifier: MIT
 *
 * A command that lives no longer than this process.
 *
 * Between the two stands a guard, a fork of this process without any of its descriptors. It leads a
 * process group in which the command is started, and the kernel signals it when this process is gone,
 * however that came about; then it kills the group. So what a shell started ends as well; only who
 * leaves the group (setsid) escapes. The guard ends with the command's status.
 */
#ifndef KN_CLI_CHILD_H
#define KN_CLI_CHILD_H

#include <sys/types.h>

struct cli_child {
    pid_t pid; /* of the guard, and of the group */
    int pidfd; /* readable when the command has ended */
    int in;    /* write end of its standard input, not blocking */
    int out;   /* read end of its standard output, not blocking */
};

/* Starts argv[0], found in $PATH. 0, or an errno: it could not be started. */
int kn_cli_child_start(struct cli_child *child, char *const *argv);
/* Closes its standard input. */
void kn_cli_child_hang_up(struct cli_child *child);
/* Asks it to end (SIGTERM), kills what is left of the group after two seconds or when the command has
 * ended, and closes everything. The exit status, 128 and the signal when one killed it. */
int kn_cli_child_end(struct cli_child *child);

#endif
