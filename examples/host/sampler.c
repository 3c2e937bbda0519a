// SPDX-License-Identifier: MIT
#include "sampler.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 256, SHARE = 20 };

static const int64_t window = KOINE_SECOND / 2, longest_gap = KOINE_SECOND;

/* ---------------------------------------------------------------- reading */

static void read_counters(struct sampler *sampler)
{
    struct text *text = &sampler->text;
    int64_t start = koine_now();
    if (!text_read_fd(text, sampler->stat, FIGURES_MOST))
        (void)figures_counters(&sampler->counters, text);
    if (!text_read_fd(text, sampler->meminfo, FIGURES_MOST))
        (void)figures_memory(&sampler->memory, text);
    if (!text_read_fd(text, sampler->loadavg, FIGURES_MOST))
        (void)figures_load(&sampler->load, text);
    sampler->read_at = koine_now();
    sampler->read_cost = sampler->read_at - start;
}

static void start_window(struct sampler *sampler)
{
    sampler->window_at = sampler->read_at;
    sampler->window_counters = sampler->counters;
    sampler->window_published = sampler->published;
}

static void end_window(struct sampler *sampler)
{
    uint64_t all = sampler->counters.all - sampler->window_counters.all;
    uint64_t busy = sampler->counters.busy - sampler->window_counters.busy;
    int64_t time = sampler->read_at - sampler->window_at;
    if (all && busy <= all)
        sampler->busy = (double)busy / (double)all;
    sampler->real_rate =
        (double)(sampler->published - sampler->window_published) * 1e9 / (double)time;
    start_window(sampler);
}

static void refresh(struct sampler *sampler, int64_t now)
{
    int64_t age = now - sampler->read_at;
    if (age < KOINE_MILLISECOND || age < SHARE * sampler->read_cost)
        return;
    read_counters(sampler);
    if (sampler->read_at - sampler->window_at >= window)
        end_window(sampler);
}

/* ---------------------------------------------------------------- publishing */

static int64_t real_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * KOINE_SECOND + now.tv_nsec;
}

static int publish(struct sampler *sampler)
{
    struct machine_Host_sample *sample;
    int rc = machine_Host_sample_loan(&sample, sampler->service);
    if (rc)
        return rc;
    *sample = (struct machine_Host_sample){
        .time = real_time(),
        .busy = sampler->busy,
        .memory_used = sampler->memory.used,
        .switches = sampler->counters.switches,
        .interrupts = sampler->counters.interrupts,
        .forks = sampler->counters.forks,
        .runnable = sampler->load.runnable,
        .threads = sampler->load.threads,
        .rate = sampler->real_rate,
    };
    sample->published = koine_now();
    sample->age = sample->published - sampler->read_at;
    rc = machine_Host_sample_publish(sampler->service, sample);
    sampler->published += !rc;
    return rc;
}

static void advance(struct sampler *sampler)
{
    sampler->due += KOINE_SECOND / sampler->rate;
    sampler->odd += (uint32_t)(KOINE_SECOND % sampler->rate);
    if (sampler->odd < sampler->rate)
        return;
    sampler->odd -= sampler->rate;
    sampler->due++;
}

/* After a burst the node looks for calls before the rest is published. */
static void on_due(void *arg)
{
    struct sampler *sampler = arg;
    int64_t now = koine_now();
    refresh(sampler, now);
    if (now - sampler->due > longest_gap)
        sampler->due = now;
    for (int i = 0; i < BURST && sampler->due <= now; i++) {
        if (publish(sampler))
            sampler->due = now;
        advance(sampler);
    }
    koine_timer_set(sampler->timer, sampler->due);
}

/* ---------------------------------------------------------------- life */

int sampler_init(struct sampler *sampler, struct koine_node *node, int proc)
{
    *sampler = (struct sampler){
        .stat = openat(proc, "stat", O_RDONLY | O_CLOEXEC),
        .meminfo = openat(proc, "meminfo", O_RDONLY | O_CLOEXEC),
        .loadavg = openat(proc, "loadavg", O_RDONLY | O_CLOEXEC),
    };
    if (sampler->stat < 0 || sampler->meminfo < 0 || sampler->loadavg < 0)
        return KOINE_ESYSTEM;
    return koine_timer_open(&sampler->timer, node, on_due, sampler);
}

void sampler_deinit(struct sampler *sampler)
{
    int fds[] = {sampler->stat, sampler->meminfo, sampler->loadavg};
    koine_timer_close(sampler->timer);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    text_deinit(&sampler->text);
}

void sampler_start(struct sampler *sampler, struct koine_service *service, uint32_t rate)
{
    sampler->service = service;
    read_counters(sampler);
    start_window(sampler);
    sampler_set_rate(sampler, rate);
}

/* The real rate is told of the new one alone: its window starts here. */
void sampler_set_rate(struct sampler *sampler, uint32_t rate)
{
    sampler->rate = rate;
    sampler->odd = 0;
    sampler->due = koine_now();
    sampler->real_rate = 0;
    start_window(sampler);
    advance(sampler);
    koine_timer_set(sampler->timer, sampler->due);
}
