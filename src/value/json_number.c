/* SPDX-License-Identifier: MIT */
#include "value/json_number.h"

#include <koine/error.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DIGITS = 1100
}; /* more significant digits than any double needs to be told from its neighbours */

/* The digits of a number without its point, and the power of ten that they are to be multiplied by. */
struct decimal {
    char digits[DIGITS];
    size_t count;
    long exponent;
    bool negative, cut;
};

static const char *read_exponent(long *exponentp, const char *at, const char *end)
{
    bool negative = at < end && *at == '-';
    long exponent = 0;
    at += at < end && (*at == '-' || *at == '+');
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        if (exponent < 100000)
            exponent = exponent * 10 + (*at - '0');
    *exponentp += negative ? -exponent : exponent;
    return at;
}

/* Leading and trailing zeros are not kept. */
static int split(struct decimal *decimal, struct kn_str text)
{
    const char *at = text.ptr, *end = at + text.length;
    bool point = false, any = false;
    *decimal = (struct decimal){.negative = at < end && *at == '-'};
    for (at += decimal->negative; at < end && (*at == '.' || (*at >= '0' && *at <= '9')); at++) {
        if (*at == '.') {
            if (point)
                return KOINE_ESYNTAX;
            point = true;
            continue;
        }
        any = true;
        decimal->exponent -= point;
        if (decimal->count == DIGITS) {
            decimal->cut |= *at != '0';
            decimal->exponent++;
        } else if (decimal->count || *at != '0') {
            decimal->digits[decimal->count++] = *at;
        }
    }
    if (any && at < end && (*at | 32) == 'e')
        at = read_exponent(&decimal->exponent, at + 1, end);
    while (decimal->count && decimal->digits[decimal->count - 1] == '0') {
        decimal->count--;
        decimal->exponent++;
    }
    return any && at == end ? 0 : KOINE_ESYNTAX;
}

int kn_number_integer(bool *negativep, uint64_t *magnitudep, struct kn_str text)
{
    struct decimal decimal;
    uint64_t magnitude = 0;
    int rc = split(&decimal, text);
    if (rc)
        return rc;
    if (decimal.count && (decimal.exponent < 0 || decimal.exponent > 20 || decimal.count > 20))
        return KOINE_EDATA;
    for (size_t i = 0; decimal.count && i < decimal.count + (size_t)decimal.exponent; i++) {
        uint64_t digit = i < decimal.count ? (uint64_t)(decimal.digits[i] - '0') : 0;
        if (__builtin_mul_overflow(magnitude, 10, &magnitude) ||
            __builtin_add_overflow(magnitude, digit, &magnitude))
            return KOINE_EDATA;
    }
    *negativep = decimal.negative;
    *magnitudep = magnitude;
    return 0;
}

/* strtod needs no point when all digits stand before the exponent, so no locale can disturb it. */
int kn_number_double(double *valuep, struct kn_str text)
{
    struct decimal decimal;
    char plain[DIGITS + 40];
    int rc = split(&decimal, text);
    if (rc)
        return rc;
    if (!decimal.count)
        decimal.digits[decimal.count++] = '0';
    /* A digit that was cut off can only decide an exact tie; a 1 behind all others decides it right. */
    if (decimal.cut)
        decimal.digits[decimal.count - 1] = '1';
    snprintf(plain, sizeof plain, "%s%.*se%ld", decimal.negative ? "-" : "", (int)decimal.count,
             decimal.digits, decimal.exponent);
    double value = strtod(plain, NULL);
    if (isinf(value))
        return KOINE_EDATA;
    *valuep = value;
    return 0;
}

/* Back from the text that snprintf made, with its locale's point taken out. */
static bool reads_back(const char *text, double value, bool single)
{
    double back;
    if (kn_number_double(&back, kn_str(text)))
        return false;
    return single ? (float)back == (float)value : back == value;
}

void kn_number_write(struct kn_buffer *buffer, double value, bool single)
{
    char text[40];
    for (int digits = single ? 6 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        for (char *c = text; *c; c++)
            if (!strchr("0123456789+-eE", *c))
                *c = '.';
        if (reads_back(text, value, single))
            break;
    }
    kn_buffer_text(buffer, text);
}
