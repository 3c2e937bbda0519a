/* SPDX-License-Identifier: MIT
 *
 * The event `sample` at its rate.
 *
 * A timer is due at fixed points in time. When it is late (the processor was busy, a call took long), all
 * samples that are due are published one behind the other, so the rate holds; after a second without any
 * (the machine slept) it starts anew. The counters cost some 50 us to read, and more with more processors,
 * so they are read when they are a millisecond old and have cost no more than a twentieth of the time.
 */
#ifndef HOST_SAMPLER_H
#define HOST_SAMPLER_H

#include "figures.h"

enum { RATE_LEAST = 1, RATE_MOST = 20000 };

struct sampler {
    struct koine_service *service;
    struct koine_timer *timer;
    uint32_t rate;
    int64_t due;                /* CLOCK_MONOTONIC of the next sample */
    uint32_t odd;               /* what the period leaves over, in 1/rate nanoseconds */
    int stat, meminfo, loadavg; /* open files */
    struct text text;
    struct counters counters, window_counters; /* now, and when the window began */
    struct machine_Memory memory;
    struct machine_Load load;
    int64_t read_at, read_cost;
    int64_t window_at;
    uint64_t published, window_published;
    double busy, real_rate;
};

/* Opens the files and the timer; 0 or an error of Koine. Deinitialise it also then. */
int sampler_init(struct sampler *sampler, struct koine_node *node, int proc);
void sampler_deinit(struct sampler *sampler);
void sampler_start(struct sampler *sampler, struct koine_service *service, uint32_t rate);
/* From RATE_LEAST to RATE_MOST. */
void sampler_set_rate(struct sampler *sampler, uint32_t rate);

#endif
