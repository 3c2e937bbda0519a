/* SPDX-License-Identifier: MIT
 *
 * CLOCK_MONOTONIC in signed nanoseconds, and sums that stop at the ends.
 */
#ifndef KN_BASE_CLOCK_H
#define KN_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t kn_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Between two looks of a loop that spins. */
static inline void kn_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* now + timeout; INT64_MAX stays for ever, a negative timeout is none at all. */
static inline int64_t kn_deadline(int64_t now, int64_t timeout)
{
    int64_t sum;
    if (timeout <= 0)
        return now;
    return __builtin_add_overflow(now, timeout, &sum) ? INT64_MAX : sum;
}

/* What is left; never negative, INT64_MAX for ever. */
static inline int64_t kn_remaining(int64_t deadline, int64_t now)
{
    if (deadline == INT64_MAX)
        return INT64_MAX;
    return deadline > now ? deadline - now : 0;
}

static inline struct timespec kn_timespec(int64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000),
                             .tv_nsec = (long)(ns % 1000000000)};
}

#endif
