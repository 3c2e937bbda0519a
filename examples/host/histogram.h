/* SPDX-License-Identifier: MIT
 *
 * Latencies in buckets: fine ones (64 an octave, so a quantile is right within 1.6 %) for quantiles, and
 * coarse ones (1, 2, 5 a decade) to be drawn. Memory does not grow with the number of values.
 */
#ifndef HOST_HISTOGRAM_H
#define HOST_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { HISTOGRAM_FINE = 64 * 59, HISTOGRAM_ROWS = 22 };

struct histogram {
    uint64_t count, max;
    uint64_t fine[HISTOGRAM_FINE], rows[HISTOGRAM_ROWS];
};

void histogram_add(struct histogram *histogram, uint64_t nanoseconds);
/* The least value that a share of at least `share` (0 to 1) does not exceed, rounded up to its bucket's
 * end and never above the greatest; 0 without values. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);
/* "850 ns", "4.1 us", "12 ms", "1.5 s": three digits at most. */
void histogram_time(char to[16], uint64_t nanoseconds);

struct histogram_look {
    bool unicode, colour;
};
/* A line for each row from the first to the last that has values. */
void histogram_draw(const struct histogram *histogram, FILE *to, const struct histogram_look *look);

#endif
