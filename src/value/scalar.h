/* SPDX-License-Identifier: MIT */
#ifndef KN_VALUE_SCALAR_H
#define KN_VALUE_SCALAR_H

#include "value/why.h"

/* Whether the private octets of a boolean or enum are one of its values; all else always is. */
int kn_scalar_check(const struct koine_type *type, const void *value, struct koine_why *why,
                    const struct kn_frame *frame);

#endif
