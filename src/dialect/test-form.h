/* SPDX-License-Identifier: MIT
 *
 * What the generic tests have to be told about a dialect: src/dialect/<name>/test/form.c.
 */
#ifndef KN_DIALECT_TEST_FORM_H
#define KN_DIALECT_TEST_FORM_H

#include "base/buffer.h"
#include "dialect/dialect.h"

/* The length of the first whole message of a server's output, which must be well-formed; 0: it is not,
 * or not whole. */
size_t test_form_unit(struct kn_str output, enum kn_shape shape);

/* A request, whole for a stream, that reads an attribute. */
void test_form_get(struct kn_buffer *request, struct kn_str service, struct kn_str attribute);
/* One that writes it, with the value that stands in `answer`, the answer to a request that read it. */
void test_form_set(struct kn_buffer *request, struct kn_str service, struct kn_str attribute,
                   struct kn_str answer);

/* The options of an endpoint of a pair, one of several sets by `choice`. */
const struct kn_option *test_form_options(size_t *countp, enum kn_role role, uint32_t choice);

#endif
