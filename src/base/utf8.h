/* SPDX-License-Identifier: MIT */
#ifndef KN_BASE_UTF8_H
#define KN_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The number of leading octets that are well-formed UTF-8 (RFC 3629: no surrogates, nothing over
 * U+10FFFF, shortest form only); `length` when all are. Embedded NULs are well-formed. */
size_t kn_utf8_valid(const char *text, size_t length);

/* Writes `code` (a scalar value) and answers the number of octets, 1 to 4; 0 when it is none. */
size_t kn_utf8_put(char to[4], uint32_t code);

#endif
