// SPDX-License-Identifier: MIT
#include "figures.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

int figures_memory(struct machine_Memory *memory, const struct text *meminfo)
{
    static const struct {
        const char *key;
        size_t at;
    } rows[] = {
        {"MemTotal:", offsetof(struct machine_Memory, total)},
        {"MemAvailable:", offsetof(struct machine_Memory, available)},
        {"MemFree:", offsetof(struct machine_Memory, free)},
        {"Buffers:", offsetof(struct machine_Memory, buffers)},
        {"Cached:", offsetof(struct machine_Memory, cached)},
        {"Shmem:", offsetof(struct machine_Memory, shared)},
        {"Dirty:", offsetof(struct machine_Memory, dirty)},
        {"SwapTotal:", offsetof(struct machine_Memory, swap_total)},
        {"SwapFree:", offsetof(struct machine_Memory, swap_free)},
    };
    *memory = (struct machine_Memory){0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        *(uint64_t *)((char *)memory + rows[i].at) = text_number(meminfo, rows[i].key) * 1024;
    if (!memory->total || memory->available > memory->total)
        return EINVAL;
    memory->used = memory->total - memory->available;
    return 0;
}

int figures_load(struct machine_Load *load, const struct text *loadavg)
{
    *load = (struct machine_Load){0};
    int got = sscanf(loadavg->ptr, "%lf %lf %lf %" SCNu32 "/%" SCNu32, &load->one, &load->five,
                     &load->fifteen, &load->runnable, &load->threads);
    return got == 5 ? 0 : EINVAL;
}

/* The time of guests is contained in that of users, so the first eight are all there is. */
int figures_counters(struct counters *counters, const struct text *stat)
{
    enum { USER, NICE, SYSTEM, IDLE, IO_WAIT, IRQ, SOFT_IRQ, STEAL, TIMES };
    uint64_t times[TIMES] = {0};
    const char *line = text_find(stat, "cpu ");
    int got = line ? sscanf(line,
                            "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64
                            "%" SCNu64 "%" SCNu64,
                            &times[USER], &times[NICE], &times[SYSTEM], &times[IDLE],
                            &times[IO_WAIT], &times[IRQ], &times[SOFT_IRQ], &times[STEAL])
                   : 0;
    if (got < 4)
        return EINVAL;
    *counters = (struct counters){
        .interrupts = text_number(stat, "intr "),
        .switches = text_number(stat, "ctxt "),
        .forks = text_number(stat, "processes "),
    };
    for (int i = 0; i < TIMES; i++)
        counters->all += times[i];
    counters->busy = counters->all - times[IDLE] - times[IO_WAIT];
    return 0;
}
