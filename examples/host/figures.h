/* SPDX-License-Identifier: MIT
 *
 * Figures of the whole machine: memory, load, and the counters of the processors.
 */
#ifndef HOST_FIGURES_H
#define HOST_FIGURES_H

#include "host.h"
#include "text.h"

enum { FIGURES_MOST = 4 << 20 };

struct counters {
    uint64_t busy, all; /* ticks of all processors */
    uint64_t interrupts, switches, forks;
};

/* Each takes the text of its file and answers 0, or EINVAL when it is another. */
int figures_memory(struct machine_Memory *memory, const struct text *meminfo);
int figures_load(struct machine_Load *load, const struct text *loadavg);
int figures_counters(struct counters *counters, const struct text *stat);

#endif
