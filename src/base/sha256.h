/* SPDX-License-Identifier: MIT
 *
 * SHA-256 (FIPS 180-4, section 6.2) of a text that is whole in memory. For numbers that both sides
 * derive from a name; nothing secret goes through it.
 */
#ifndef KN_BASE_SHA256_H
#define KN_BASE_SHA256_H

#include "base/str.h"

#include <stdint.h>

enum { KN_SHA256_SIZE = 32 };

void kn_sha256(uint8_t digest[KN_SHA256_SIZE], struct kn_str text);

#endif
