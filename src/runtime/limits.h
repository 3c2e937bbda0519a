/* SPDX-License-Identifier: MIT
 *
 * The options of a URI that are the runtime's own; the others are the dialect's.
 */
#ifndef KN_RUNTIME_LIMITS_H
#define KN_RUNTIME_LIMITS_H

#include "runtime/internal.h"

/* Fills `limits` and hands the options of the dialect to `own`, which has room for all. KOINE_EINVAL:
 * an option that neither knows, or a value that it cannot have; `why` names it. */
int kn_limits_read(struct kn_limits *limits, struct kn_option *own, size_t *countp,
                   const struct koine_attachment *attachment, struct koine_why *why);

#endif
