/* SPDX-License-Identifier: MIT */
#include "node/fault.h"

enum { INT32, UINT8, STRING, OCTETS, FAULT, COUNT };

#define IN(field, of)                                    \
    {                                                    \
        .name = KOINE_TEXT(#field), .type = (of)-FAULT,  \
        .offset = offsetof(struct kn_fault_value, field) \
    }

static const struct koine_member members[] = {
    IN(code, INT32),     IN(completion, UINT8), IN(retryable, UINT8),  IN(name, STRING),
    IN(message, STRING), IN(origin, STRING),    IN(exception, OCTETS),
};

enum { ALL = KOINE_TYPE_FIXED | KOINE_TYPE_PLAIN | KOINE_TYPE_DENSE };

static const struct koine_type types[COUNT] = {
    [INT32] = {.kind = KOINE_KIND_INT32, .flags = ALL, .align = 4, .size = 4},
    [UINT8] = {.kind = KOINE_KIND_UINT8, .flags = ALL, .align = 1, .size = 1},
    [STRING] = {.kind = KOINE_KIND_STRING, .align = 8, .size = 16},
    [OCTETS] = {.kind = KOINE_KIND_OCTETS, .align = 8, .size = 16},
    [FAULT] = {.name = KOINE_TEXT("koine::Fault"),
               .kind = KOINE_KIND_STRUCT,
               .align = 8,
               .size = sizeof(struct kn_fault_value),
               .members = KOINE_ARRAY(members)},
};

const struct koine_type *kn_fault_type(void)
{
    return &types[FAULT];
}
