/* SPDX-License-Identifier: MIT
 *
 * The fault that a local error is, for a caller who is elsewhere.
 */
#ifndef KN_DIALECT_FAULT_H
#define KN_DIALECT_FAULT_H

#include <koine/error.h>

/* `error` is a KOINE_E...; `message` is borrowed, NULL: koine_strerror. Says that nothing ran. */
struct koine_fault kn_fault_of(int error, const char *message);

#endif
