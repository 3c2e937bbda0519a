/* SPDX-License-Identifier: MIT
 *
 * A dialect for the tests of the runtime: lines that make it use each function of the host.
 *
 *      add SERVICE A B     calls member `add`:  "= 3", or "! CODE COMPLETION"
 *      keep SERVICE        calls `set_target` with room "keep"
 *      cancel              cancels the last call
 *      alloc N             keeps N octets more: "yes" or "no"
 *      write N             writes lines of 1000 octets up to N times, "full" where the host says so;
 *                          "writable" when it may go on
 *      spill N             the same, although the host says so
 *      close, fail         closes; answers an error
 *
 * It aborts when it is called while it is itself calling the host.
 */
#ifndef KN_RUNTIME_TEST_DIALECT_H
#define KN_RUNTIME_TEST_DIALECT_H

#include "dialect/dialect.h"

extern const struct kn_dialect kn_dialect_plain;

#endif
