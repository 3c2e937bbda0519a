/* SPDX-License-Identifier: MIT
 *
 * What a function of Koine may answer, and what a fault that travelled looks like.
 *
 * Every function that can fail returns int: 0 done, negative one of enum koine_error, positive only
 * where its own comment says so. An error is local and says why this call of the library failed; a
 * fault is a value that a peer sent in place of an answer (KOINE_EFAULT says: there is one to read).
 */
#ifndef KOINE_ERROR_H
#define KOINE_ERROR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct koine_type;

enum koine_error {
    KOINE_OK = 0,
    KOINE_PENDING = 1,       /* a handler's answer: the reply will come later */
    KOINE_EINVAL = -1,       /* an argument is wrong */
    KOINE_ENOMEM = -2,       /* no memory here */
    KOINE_ESYSTEM = -3,      /* a system call failed; errno holds why */
    KOINE_ENOENT = -4,       /* no such service */
    KOINE_EDOWN = -5,        /* the peer is gone, or cannot be reached */
    KOINE_EDEADLINE = -6,    /* the deadline passed */
    KOINE_EPERM = -7,        /* not permitted */
    KOINE_EBUSY = -8,        /* not from inside a callback, or not while in use */
    KOINE_EEXIST = -9,       /* the name is taken by a living service */
    KOINE_EAGAIN = -10,      /* nothing there now */
    KOINE_EFULL = -11,       /* no room now, and the policy does not wait */
    KOINE_EMEMBER = -12,     /* the interface has no such member, or not of this sort */
    KOINE_ETYPE = -13,       /* the two sides' interfaces differ */
    KOINE_EDATA = -14,       /* a value does not fit its type */
    KOINE_ESYNTAX = -15,     /* a text cannot be read */
    KOINE_EPROTOCOL = -16,   /* the peer broke the link's rules; the link is closed */
    KOINE_EVERSION = -17,    /* the peer speaks another major version */
    KOINE_EFAULT = -18,      /* the peer answered a fault */
    KOINE_EHOLDS = -19,      /* too many samples held; release some */
    KOINE_EREVOKED = -20,    /* the loan was taken back by its owner */
    KOINE_EFORKED = -21,     /* the handle belongs to the process that forked */
    KOINE_EDEPTH = -22,      /* nested too deep */
    KOINE_ELIMIT = -23,      /* a limit was reached */
    KOINE_ETOOBIG = -24,     /* larger than this link carries */
    KOINE_ECANCELLED = -25,  /* the caller cancelled */
    KOINE_ECLOSED = -26,     /* the handle was closed */
    KOINE_EUNSUPPORTED = -27 /* this build or this peer cannot */
};

/* A short English phrase; never NULL, static. */
const char *koine_strerror(int error);

/* The canonical fault codes, with the numbers that gRPC made common
 * (github.com/grpc/grpc, doc/statuscodes.md). */
enum koine_fault_code {
    KOINE_FAULT_OK = 0,
    KOINE_FAULT_CANCELLED = 1,
    KOINE_FAULT_UNKNOWN = 2, /* also: a declared exception */
    KOINE_FAULT_INVALID_ARGUMENT = 3,
    KOINE_FAULT_DEADLINE_EXCEEDED = 4,
    KOINE_FAULT_NOT_FOUND = 5,
    KOINE_FAULT_ALREADY_EXISTS = 6,
    KOINE_FAULT_PERMISSION_DENIED = 7,
    KOINE_FAULT_RESOURCE_EXHAUSTED = 8,
    KOINE_FAULT_FAILED_PRECONDITION = 9,
    KOINE_FAULT_ABORTED = 10,
    KOINE_FAULT_OUT_OF_RANGE = 11,
    KOINE_FAULT_UNIMPLEMENTED = 12,
    KOINE_FAULT_INTERNAL = 13,
    KOINE_FAULT_UNAVAILABLE = 14,
    KOINE_FAULT_DATA_LOSS = 15,
    KOINE_FAULT_UNAUTHENTICATED = 16
};

/* The code's name in small letters ("not_found"); NULL when it is none of the seventeen. */
const char *koine_fault_code_name(int32_t code);

enum koine_completion {
    KOINE_COMPLETED_NO = 0,
    KOINE_COMPLETED_YES = 1,
    KOINE_COMPLETED_MAYBE = 2
};

struct koine_fault {
    int32_t code;                  /* enum koine_fault_code */
    uint8_t completion;            /* enum koine_completion: did the operation run? */
    uint8_t retryable;             /* 1: the same call may succeed later */
    const char *name;              /* scoped name of the declared exception; "" when none */
    const char *message;           /* for people; never NULL */
    const struct koine_type *type; /* of value; NULL when there is none */
    const void *value;             /* the declared exception, at rest */
    const char *origin;            /* the hop that made the fault; "" when the service itself */
};

#ifdef __cplusplus
}
#endif
#endif
