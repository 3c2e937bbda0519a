/* SPDX-License-Identifier: MIT
 *
 * Companion names: how a dialect that knows nothing but operations reaches what an interface has
 * besides. Attribute `label` is `_get_label` and, if it may be written, `_set_label`, which takes one
 * argument, `value`. A member that is really named so wins.
 */
#ifndef KN_DIALECT_COMPANION_H
#define KN_DIALECT_COMPANION_H

#include "base/str.h"

#include "value/procedure.h"

#include <koine/type.h>
#include <koine/value.h>

#define KN_COMPANION_GET   KN_PROCEDURE_GET_PREFIX
#define KN_COMPANION_SET   KN_PROCEDURE_SET_PREFIX
#define KN_COMPANION_VALUE KN_PROCEDURE_VALUE

/* What `name` asks of `interface`: *kindp is KN_MESSAGE_CALL, _GET or _SET. KOINE_EMEMBER, and `why`
 * says what there is instead. */
int kn_companion_find(uint8_t *kindp, uint32_t *memberp, const struct koine_interface *interface,
                      struct kn_str name, struct koine_why *why);

#endif
