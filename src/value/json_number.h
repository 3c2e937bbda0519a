/* SPDX-License-Identifier: MIT
 *
 * JSON numbers without loss. The text has passed kn_json_number, or is a decimal string.
 */
#ifndef KN_VALUE_JSON_NUMBER_H
#define KN_VALUE_JSON_NUMBER_H

#include "base/buffer.h"

#include <stdint.h>

/* The integer that `text` is, as sign and magnitude; 1.0 and 1e2 are integers. KOINE_ESYNTAX: no
 * number; KOINE_EDATA: a fraction, or beyond 64 bits. */
int kn_number_integer(bool *negativep, uint64_t *magnitudep, struct kn_str text);

/* The nearest double. KOINE_EDATA when that would be infinite. Independent of the locale. */
int kn_number_double(double *valuep, struct kn_str text);

/* The shortest text that reads back as the same value; `single`: as the same float. Not for NaN and
 * infinities. */
void kn_number_write(struct kn_buffer *buffer, double value, bool single);

#endif
