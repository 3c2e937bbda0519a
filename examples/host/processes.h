/* SPDX-License-Identifier: MIT
 *
 * All processes that fit a filter.
 */
#ifndef HOST_PROCESSES_H
#define HOST_PROCESSES_H

#include "process.h"

enum { PROCESSES_MOST = 1 << 20 };

struct processes {
    struct process *rows;
    size_t count, room;
};

/* Reads those below `proc` that fit, in the filter's order and no more than its limit. Those that end
 * meanwhile, or that may not be seen, are left out. 0 or an errno; `processes` starts zeroed, and is
 * deinitialised also after an error. */
int processes_read(struct processes *processes, int proc, const struct machine_Filter *filter);
void processes_deinit(struct processes *processes);

#endif
