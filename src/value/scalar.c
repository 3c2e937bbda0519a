/* SPDX-License-Identifier: MIT */
#include "value/scalar.h"

static int check_enum(const struct koine_type *type, int32_t number, struct koine_why *why,
                      const struct kn_frame *frame)
{
    const struct koine_member *labels = type->members.ptr;
    if (number >= 0 && (uint32_t)number < type->members.length && labels[number].type == number)
        return 0;
    for (uint32_t i = 0; i < type->members.length; i++)
        if (labels[i].type == number)
            return 0;
    return kn_refuse(why, KOINE_EDATA, frame, "%d is no label of %.*s", number,
                     (int)type->name.length, type->name.ptr ? type->name.ptr : "");
}

int kn_scalar_check(const struct koine_type *type, const void *value, struct koine_why *why,
                    const struct kn_frame *frame)
{
    if (type->kind == KOINE_KIND_BOOLEAN) {
        uint8_t truth = *(const uint8_t *)value;
        return truth < 2 ? 0 : kn_refuse(why, KOINE_EDATA, frame, "boolean of %u", truth);
    }
    if (type->kind != KOINE_KIND_ENUM)
        return 0;
    int32_t number;
    memcpy(&number, value, sizeof number);
    return check_enum(type, number, why, frame);
}
