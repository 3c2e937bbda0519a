/* SPDX-License-Identifier: MIT
 *
 * One process, read through a descriptor of its /proc/PID. The kernel ties that descriptor to the process
 * and not to the number, so all that is read through it is of one process, also when that ends meanwhile
 * and another gets its number; reading then fails with ESRCH or ENOENT.
 *
 * The name and the arguments are what the process says of itself: parentheses, blanks, line ends and any
 * octets may stand in them.
 */
#ifndef HOST_PROCESS_H
#define HOST_PROCESS_H

#include "host.h"
#include "text.h"

enum { PROCESS_NAME = 64, PROCESS_COMMAND = 161, PROCESS_ARGUMENTS = 16384 };

/* `value` is filled but for its strings, which are here. */
struct process {
    struct machine_Process value;
    char name[PROCESS_NAME], command[PROCESS_COMMAND];
    int32_t session, nice;
    uint64_t virtual_size;
    bool kernel_thread;
};

/* What /proc/PID/status tells beyond. */
struct process_status {
    int32_t group; /* the process, also when a thread was asked for */
    uint32_t uid, effective_uid, saved_uid;
    uint64_t caught;       /* signals with a handler, bit n-1 */
    uint64_t capabilities; /* effective */
    uint64_t swapped, waits, preempted;
};

/* A descriptor of process `pid` below `proc`, or -1 with errno; ESRCH also for numbers of threads. */
int process_open(int proc, int32_t pid);

/* Each fills its part and answers 0 or an errno. `text` is memory to work in. */
int process_read_stat(struct process *process, struct text *text, int dir);
int process_read_status(struct process_status *status, struct text *text, int dir);
/* Leaves the arguments in `text`, each with a NUL behind it. */
int process_read_command(struct process *process, struct text *text, int dir);

/* Open descriptors, 0 when that may not be seen. */
uint32_t process_count_files(int dir);
/* A symbolic link such as "exe" as UTF-8, empty when it may not be read. */
void process_read_link(char *to, size_t room, int dir, const char *name);

#endif
