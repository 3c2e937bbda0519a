/* SPDX-License-Identifier: MIT
 *
 * The message: the neutral form between a dialect and everything else. A dialect turns octets of its
 * world into messages and messages into octets; what lies on the other side (a native link, a function
 * call in the same process, another dialect) it does not know.
 *
 * Requests (call, get, set, describe, subscribe) go either way: from a foreign client to a service, from
 * a native caller to a foreign service, and back to a peer that called. Each is answered once, by a reply
 * or a fault with its serial, unless it is one-way, or was cancelled, or its channel closed. An answer is
 * of the channel that its request was of: home, for what a native caller asked. A subscription that was
 * granted goes on until it is given up, its channel closes, or a fault with its serial ends it.
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
    KN_MESSAGE_SET,         /* `body` is the attribute's new value */
    KN_MESSAGE_DESCRIBE,    /* what interface has `service`? */
    KN_MESSAGE_SUBSCRIBE,   /* to event `member`, or to what attribute `member` becomes */
    KN_MESSAGE_UNSUBSCRIBE, /* `serial` is the subscription's; not answered, nothing more comes */
    KN_MESSAGE_REPLY, /* `body`: out struct, value of the attribute, koine::Interface, or none */
    KN_MESSAGE_FAULT,
    KN_MESSAGE_CANCEL, /* of the request with this serial, by the side that made it; not answered */
    KN_MESSAGE_EVENT, /* `serial` is the subscription's; `body`: the event's struct, or the value */
    /* Of a dialect that is a transport, by `serial` on the channel of the first: */
    KN_MESSAGE_OPEN, /* a channel of the dialect above; one that is sent, on home, is answered */
    KN_MESSAGE_ITEM, /* `octets` from it or to it, one whole message */
    KN_MESSAGE_END   /* it is over; nothing follows, from either side */
};

#define KN_MESSAGE_ONEWAY     1u /* no answer is wanted, and none comes */
#define KN_MESSAGE_IDEMPOTENT 2u /* may be sent twice */

struct kn_body {
    const struct koine_type *type; /* NULL: none */
    const void *value;
};

/* Who somebody says to be, and on whose word: no fact as kernel credentials are. */
struct kn_claim {
    const char *authority; /* "AUTH_SYS" ... */
    struct kn_str machine;
    uint32_t uid, gid;
    const uint32_t *gids;
    size_t gid_count;
};

struct kn_message {
    uint8_t kind;    /* enum kn_message_kind */
    uint8_t flags;   /* KN_MESSAGE_... */
    uint32_t member; /* index in the interface */
    uint64_t serial; /* chosen by whoever asks, per channel; its answer carries it back */
    uint64_t lost;   /* of an event: so many before it did not come */
    int64_t
        deadline; /* of a request, on the host's clock; KOINE_FOREVER: none. The host cancels then */
    struct kn_channel
        *channel;          /* on whose behalf, or to whom; the endpoint's home: the native side */
    struct kn_str service; /* "": the object that the peer itself is */
    const struct koine_interface
        *interface; /* of a request: the one that `member` was looked up in */
    struct kn_body body;
    struct kn_str octets;            /* of KN_MESSAGE_ITEM */
    const struct koine_fault *fault; /* of KN_MESSAGE_FAULT */
    const struct kn_claim *claim;    /* of a request; NULL: none */
};

#endif
