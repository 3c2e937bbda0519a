/* SPDX-License-Identifier: MIT */
#include <koine/error.h>

#include <stddef.h>

static const char *const phrases[] = {
    [0] = "done",
    [-KOINE_EINVAL] = "an argument is wrong",
    [-KOINE_ENOMEM] = "no memory",
    [-KOINE_ESYSTEM] = "a system call failed",
    [-KOINE_ENOENT] = "no such service",
    [-KOINE_EDOWN] = "the peer is gone",
    [-KOINE_EDEADLINE] = "the deadline passed",
    [-KOINE_EPERM] = "not permitted",
    [-KOINE_EBUSY] = "not from inside a callback",
    [-KOINE_EEXIST] = "the name is taken",
    [-KOINE_EAGAIN] = "nothing there now",
    [-KOINE_EFULL] = "no room now",
    [-KOINE_EMEMBER] = "no such member",
    [-KOINE_ETYPE] = "the two sides' interfaces differ",
    [-KOINE_EDATA] = "the value does not fit its type",
    [-KOINE_ESYNTAX] = "the text cannot be read",
    [-KOINE_EPROTOCOL] = "the peer broke the rules of the link",
    [-KOINE_EVERSION] = "the peer speaks another version",
    [-KOINE_EFAULT] = "the peer answered a fault",
    [-KOINE_EHOLDS] = "too many samples held",
    [-KOINE_EREVOKED] = "the loan was revoked",
    [-KOINE_EFORKED] = "the handle belongs to the parent process",
    [-KOINE_EDEPTH] = "nested too deep",
    [-KOINE_ELIMIT] = "a limit was reached",
    [-KOINE_ETOOBIG] = "too large",
    [-KOINE_ECANCELLED] = "cancelled",
    [-KOINE_ECLOSED] = "closed",
    [-KOINE_EUNSUPPORTED] = "not supported",
};

static const char *const codes[] = {
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
};

const char *koine_strerror(int error)
{
    if (error == KOINE_PENDING)
        return "pending";
    size_t index = error <= 0 ? (size_t) - (long)error : sizeof phrases;
    if (index >= sizeof phrases / sizeof *phrases || !phrases[index])
        return "unknown error";
    return phrases[index];
}

const char *koine_fault_code_name(int32_t code)
{
    if (code < 0 || (size_t)code >= sizeof codes / sizeof *codes)
        return NULL;
    return codes[code];
}
