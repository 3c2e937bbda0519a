// SPDX-License-Identifier: MIT
#include "histogram.h"

#include <string.h>

enum { SUB = 64, BAR = 48 };

static const uint64_t bounds[HISTOGRAM_ROWS] = {
    1000,      2000,      5000,       10000,      20000,      50000,      100000,   200000,
    500000,    1000000,   2000000,    5000000,    10000000,   20000000,   50000000, 100000000,
    200000000, 500000000, 1000000000, 2000000000, 5000000000, UINT64_MAX,
};

/* Values below 64 have a bucket each; above, the leading bit chooses the octave and the next six the
 * bucket in it. */
static unsigned fine_of(uint64_t value)
{
    unsigned top = value < SUB ? 0 : 63u - (unsigned)__builtin_clzll(value) - 6;
    unsigned index = top * SUB + (unsigned)(value >> top);
    return index < HISTOGRAM_FINE ? index : HISTOGRAM_FINE - 1;
}

static uint64_t end_of(unsigned index)
{
    unsigned top = index < 2 * SUB ? 0 : index / SUB - 1;
    return ((uint64_t)(index - top * SUB + 1) << top) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t nanoseconds)
{
    int row = 0;
    while (row < HISTOGRAM_ROWS - 1 && nanoseconds >= bounds[row])
        row++;
    histogram->rows[row]++;
    histogram->fine[fine_of(nanoseconds)]++;
    histogram->count++;
    if (nanoseconds > histogram->max)
        histogram->max = nanoseconds;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    double wanted = share * (double)histogram->count;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_FINE; i++) {
        seen += histogram->fine[i];
        if (seen && (double)seen >= wanted)
            return end_of(i) < histogram->max ? end_of(i) : histogram->max;
    }
    return histogram->max;
}

void histogram_time(char to[16], uint64_t nanoseconds)
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
    int i = 0;
    while (i < 3 && (double)nanoseconds < 0.9995 * units[i].unit)
        i++;
    double value = (double)nanoseconds / units[i].unit;
    bool whole = value >= 99.95 || value == (double)(uint64_t)value;
    snprintf(to, 16, "%.*f %s", whole ? 0 : value < 9.995 ? 2 : 1, value, units[i].name);
}

/* Eighths of a character: a row with values shows at least one. */
static void draw_bar(FILE *to, double share, const struct histogram_look *look)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int length = (int)(share * BAR * 8 + 0.5), drawn = 0;
    if (look->colour)
        fputs("\033[36m", to);
    if (!look->unicode) {
        for (; drawn < (length + 7) / 8; drawn++)
            fputc('#', to);
    } else {
        length = length ? length : 1;
        for (; drawn < length / 8; drawn++)
            fputs("█", to);
        fputs(eighths[length % 8], to);
        drawn += length % 8 != 0;
    }
    if (look->colour)
        fputs("\033[0m", to);
    fprintf(to, "%*s", BAR - drawn + 1, "");
}

static void draw_row(const struct histogram *histogram, int row, uint64_t most, FILE *to,
                     const struct histogram_look *look)
{
    char bound[16];
    histogram_time(bound, row < HISTOGRAM_ROWS - 1 ? bounds[row] : bounds[row - 1]);
    fprintf(to, "  %s %7s  ", row < HISTOGRAM_ROWS - 1 ? "below" : "above", bound);
    uint64_t count = histogram->rows[row];
    if (count)
        draw_bar(to, (double)count / (double)most, look);
    else
        fprintf(to, "%*s", BAR + 1, "");
    fprintf(to, "%9llu  %6.2f %%\n", (unsigned long long)count,
            100.0 * (double)count / (double)histogram->count);
}

void histogram_draw(const struct histogram *histogram, FILE *to, const struct histogram_look *look)
{
    int first = HISTOGRAM_ROWS, last = -1;
    uint64_t most = 0;
    for (int i = 0; i < HISTOGRAM_ROWS; i++) {
        if (!histogram->rows[i])
            continue;
        first = first < i ? first : i;
        last = i;
        most = most > histogram->rows[i] ? most : histogram->rows[i];
    }
    for (int i = first; i <= last; i++)
        draw_row(histogram, i, most, to, look);
}
