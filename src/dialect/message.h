/* SPDX-License-Identifier: MIT
 *
 * The message: the neutral form between a dialect and everything else. A dialect turns octets of its
 * world into messages and messages into octets; what lies on the other side (a native link, a function
 * call in the same process, another dialect) it does not know.
 *
 * A body is a value at rest (docs/values.md) with its type, which describes it for as long as the
 * message lives: during the one function that the message is handed to.
 */
#ifndef KN_DIALECT_MESSAGE_H
#define KN_DIALECT_MESSAGE_H

#include "base/str.h"

#include <koine/error.h>
#include <koine/type.h>

struct kn_channel;

enum kn_message_kind {
    KN_MESSAGE_CALL = 1, /* `body` is the operation's in struct */
    KN_MESSAGE_GET,
    KN_MESSAGE_SET,   /* `body` is the attribute's new value */
    KN_MESSAGE_REPLY, /* `body` is the operation's out struct, or the value of the attribute */
    KN_MESSAGE_FAULT,
    KN_MESSAGE_CANCEL /* of the call with this serial, by the side that made it */
};

#define KN_MESSAGE_ONEWAY 1u /* no answer is wanted, and none comes */

struct kn_body {
    const struct koine_type *type; /* NULL: none */
    const void *value;
};

struct kn_message {
    uint8_t kind;    /* enum kn_message_kind */
    uint8_t flags;   /* KN_MESSAGE_ONEWAY */
    uint32_t member; /* index in the service's interface */
    uint64_t serial; /* chosen by whoever calls, per channel; its answer carries it back */
    struct kn_channel *channel; /* on whose behalf, or to whom */
    struct kn_str service;
    const struct koine_interface *interface; /* of a call: the one that `member` was looked up in */
    struct kn_body body;
    const struct koine_fault *fault; /* of KN_MESSAGE_FAULT */
};

#endif
