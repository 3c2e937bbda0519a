/* SPDX-License-Identifier: MIT
 *
 * koine::Fault, the value that travels when a call did not succeed. A declared exception rides in it as
 * octets in flight form, which the receiver checks against its own type of that exception.
 */
#ifndef KN_NODE_FAULT_H
#define KN_NODE_FAULT_H

#include <koine/error.h>
#include <koine/type.h>

struct kn_fault_value {
    int32_t code;
    uint8_t completion, retryable, kn_pad0[2];
    struct koine_string name, message, origin;
    struct koine_octets exception;
};

const struct koine_type *kn_fault_type(void);

#endif
