/* SPDX-License-Identifier: MIT
 *
 * The contract of a dialect: a foreign protocol as a pure state machine.
 *
 *      octets  -> feed    -> messages        host->deliver
 *      octets  <- send    <- messages        host->write
 *
 * A dialect does no I/O, reads no clock, draws no random numbers and opens nothing. What it wants from
 * the world it asks of the host that is handed to it at `start`, and what cannot be answered at once
 * comes back as an input by `wake`. So the same code is recorded, replayed, run on a simulated network,
 * fuzzed, sandboxed in a process of its own, or linked into a service.
 *
 * State belongs to the endpoint; a channel is one connection, or one exchange (a request with its
 * answer, as in HTTP). One endpoint is used by one thread. The host calls the six functions one at a
 * time and never from inside a function that the dialect called: no input arrives during an output.
 *
 * Every function answers 0 or a negative KOINE_E...; the host then closes the channel, and nothing else
 * happens. What a peer may do wrong is answered in the protocol's own words before that.
 */
#ifndef KN_DIALECT_DIALECT_H
#define KN_DIALECT_DIALECT_H

#include "base/buffer.h"
#include "dialect/message.h"

#include <koine/koine.h>

#include <stdbool.h>

struct kn_host;

/* The dialect's own struct begins with this one. */
struct kn_endpoint {
    const struct kn_dialect *dialect;
    const struct kn_host *host;
    void *world; /* the host's */
};

enum kn_shape {
    KN_STREAM = 1, /* octets in order, split anywhere */
    KN_EXCHANGE    /* one whole request in, one whole answer out, then it is over */
};

/* Made by the host; lives from KN_OPENED to KN_CLOSED. */
struct kn_channel {
    struct kn_endpoint *endpoint;
    void *self; /* the dialect's */
    enum kn_shape shape;
    struct koine_caller caller; /* kernel credentials where the transport has them, else unknown */
};

enum kn_change {
    KN_OPENED = 1,
    KN_WRITABLE, /* what was written has gone out: after a write that answered KOINE_EFULL */
    KN_CLOSED    /* for whatever reason; its calls are cancelled already, nothing may be written */
};

struct kn_header {
    struct kn_str name, value; /* the name in small letters */
};

struct kn_input {
    struct kn_str data;           /* of an exchange: the whole body */
    bool end;                     /* stream: the peer writes no more (it may still read) */
    struct kn_str method, target; /* of an exchange */
    const struct kn_header *headers;
    size_t header_count;
};

/* ------------------------------------------------------------------ what is asked of the host */

enum kn_question_kind {
    KN_ASK_INTERFACE = 1 /* of the service `name`, as this channel's caller sees it */
};

struct kn_question {
    enum kn_question_kind kind;
    struct kn_str name;
};

/* Lives during the function that it is handed to, the interface until the channel is closed or the
 * service comes back with another one: it is asked for anew for each call. */
struct kn_answer {
    int error; /* 0; KOINE_ENOENT no such service, KOINE_EPERM, KOINE_EDOWN, KOINE_EDEADLINE ... */
    const struct koine_interface *interface;
    struct kn_channel *channel;
};

struct kn_host {
    /* Memory of this channel's peer, counted against its quota; NULL when that is used up. What is not
     * freed when the channel closes is a bug of the dialect. */
    void *(*alloc)(struct kn_channel *channel, size_t size);
    void (*free)(struct kn_channel *channel, void *memory);
    /* Copies and sends in order. KOINE_EFULL: taken, but the peer reads too slowly; write no more before
     * KN_WRITABLE. Of an exchange, the octets are collected into the body of the answer. */
    int (*write)(struct kn_channel *channel, struct kn_str octets);
    /* Whether the channel's input is wanted now. Octets that were read already are still fed. */
    void (*flow)(struct kn_channel *channel, bool reading);
    /* Ends the channel after what was written has gone out; KN_CLOSED follows, later. An exchange is
     * answered by this: with nothing written, that all is well and there is nothing to say. */
    void (*close)(struct kn_channel *channel);
    /* 1: *answerp is set. 0: it will come by `wake` with `cookie`, unless the channel closes before. */
    int (*ask)(struct kn_answer *answerp, struct kn_channel *channel,
               const struct kn_question *question, uint64_t cookie);
    /* A call, one-way call, get, set or cancel of this channel. Answers come by `send`, never from inside
     * here, exactly one for each delivered request that is not one-way, unless it is cancelled or the
     * channel closes. KOINE_EFULL: too many of this channel's calls wait; deliver again in its next
     * `send`. Any other error: not delivered, and no answer comes. */
    int (*deliver)(const struct kn_message *message);
};

/* ------------------------------------------------------------------ the dialect */

/* What is known of a dialect without running it. */
struct kn_identity {
    const char *name;  /* the first part of its URIs */
    const char *title; /* as its world writes it */
    const char *spec;
    const char *const *transports; /* in URIs behind "name+"; NULL at the end */
    const char *exchange_methods;  /* methods that an exchange may have, with ", " between */
    const char *exchange_type;     /* media type of its answers */
    const char *const *options;    /* keys that its URIs may have behind '?'; NULL at the end */
    /* What a foreign client has to say to reach `member` of `service`, as one line of text. */
    void (*address)(struct kn_buffer *to, struct kn_str service,
                    const struct koine_interface *interface, uint32_t member);
};

/* The options of a URI, checked against the identity's list. */
struct kn_option {
    const char *key, *value;
};

struct kn_options {
    const struct kn_option *all;
    size_t count;
};

struct kn_dialect {
    const struct kn_identity *identity;
    int (*start)(struct kn_endpoint **endpointp, const struct kn_host *host, void *world,
                 const struct kn_options *options);
    /* All channels are closed before. */
    void (*stop)(struct kn_endpoint *endpoint);
    int (*channel)(struct kn_channel *channel, enum kn_change change);
    int (*feed)(struct kn_channel *channel, const struct kn_input *input);
    int (*send)(struct kn_endpoint *endpoint, const struct kn_message *message);
    int (*wake)(struct kn_endpoint *endpoint, uint64_t cookie, const struct kn_answer *answer);
};

/* The list, made by the build from src/dialect/meson.build; NULL at the end. */
extern const struct kn_dialect *const kn_dialects[];

#endif
