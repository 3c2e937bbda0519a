/* SPDX-License-Identifier: MIT */
#ifndef KN_DIALECT_TEST_FRAME_H
#define KN_DIALECT_TEST_FRAME_H

#include "dialect/dialect.h"

extern const struct kn_dialect kn_dialect_test_frame;

#endif
