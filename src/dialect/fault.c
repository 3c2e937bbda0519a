/* SPDX-License-Identifier: MIT */
#include "dialect/fault.h"

static const struct {
    int error;
    int32_t code;
} codes[] = {
    {KOINE_EINVAL, KOINE_FAULT_INVALID_ARGUMENT},
    {KOINE_EDATA, KOINE_FAULT_INVALID_ARGUMENT},
    {KOINE_ESYNTAX, KOINE_FAULT_INVALID_ARGUMENT},
    {KOINE_EDEPTH, KOINE_FAULT_INVALID_ARGUMENT},
    {KOINE_ENOENT, KOINE_FAULT_NOT_FOUND},
    {KOINE_EMEMBER, KOINE_FAULT_UNIMPLEMENTED},
    {KOINE_EUNSUPPORTED, KOINE_FAULT_UNIMPLEMENTED},
    {KOINE_EVERSION, KOINE_FAULT_UNIMPLEMENTED},
    {KOINE_EPERM, KOINE_FAULT_PERMISSION_DENIED},
    {KOINE_ENOMEM, KOINE_FAULT_RESOURCE_EXHAUSTED},
    {KOINE_ELIMIT, KOINE_FAULT_RESOURCE_EXHAUSTED},
    {KOINE_EFULL, KOINE_FAULT_RESOURCE_EXHAUSTED},
    {KOINE_ETOOBIG, KOINE_FAULT_RESOURCE_EXHAUSTED},
    {KOINE_EDEADLINE, KOINE_FAULT_DEADLINE_EXCEEDED},
    {KOINE_EDOWN, KOINE_FAULT_UNAVAILABLE},
    {KOINE_ECLOSED, KOINE_FAULT_UNAVAILABLE},
    {KOINE_ECANCELLED, KOINE_FAULT_CANCELLED},
    {KOINE_ETYPE, KOINE_FAULT_FAILED_PRECONDITION},
};

static int32_t code_of(int error)
{
    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].error == error)
            return codes[i].code;
    return KOINE_FAULT_INTERNAL;
}

struct koine_fault kn_fault_of(int error, const char *message)
{
    int32_t code = code_of(error);
    return (struct koine_fault){
        .code = code,
        .completion = KOINE_COMPLETED_NO,
        .retryable = code == KOINE_FAULT_UNAVAILABLE || error == KOINE_EFULL,
        .name = "",
        .message = message ? message : koine_strerror(error),
        .origin = "",
    };
}
