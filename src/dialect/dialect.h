/* SPDX-License-Identifier: MIT
 *
 * The contract of a dialect: a foreign protocol as a pure state machine.
 *
 *      octets  -> feed    -> messages        host->deliver
 *      octets  <- send    <- messages        host->write
 *
 * A dialect does no I/O, reads no clock, draws no random numbers and opens nothing. What it wants from
 * the world it asks of the host that is handed to it at `start`, and what cannot be answered at once
 * comes back as an input by `wake` or `channel`. So the same code is recorded, replayed, run on a
 * simulated network in virtual time, fuzzed, sandboxed in a process of its own, or linked into a service.
 *
 * Two roles. Serve: foreign clients reach native services; requests come out of `feed` by `deliver`, and
 * answers go into `send`. Reach: native callers reach a foreign service; requests go into `send` with the
 * home channel, and answers come out by `deliver`. Where the protocol has requests both ways, both roles
 * do both: a request that is sent to a foreign client's channel, or delivered with service "" by a foreign
 * service, is for the object that the peer is itself.
 *
 * State belongs to the endpoint; a channel is one connection, one socket for datagrams, or one exchange (a
 * request with its answer, as in HTTP). What belongs to no peer belongs to the channel `home`, which lives
 * as long as the endpoint and moves no octets. One endpoint is used by one thread. The host calls the six
 * functions one at a time and never from inside a function that the dialect called: no input arrives
 * during an output.
 *
 * Every function answers 0 or a negative KOINE_E...; the host then closes the channel, and nothing else
 * happens. What a peer may do wrong is answered in the protocol's own words before that. Of home, a request
 * that `send` answers an error to is not taken, and the host answers it with that; any other error ends
 * the endpoint.
 */
#ifndef KN_DIALECT_DIALECT_H
#define KN_DIALECT_DIALECT_H

#include "base/buffer.h"
#include "dialect/message.h"

#include <koine/koine.h>

#include <stdbool.h>

struct kn_dialect;
struct kn_host;

enum kn_role { KN_SERVE = 1, KN_REACH };

enum kn_shape {
    KN_STREAM = 1, /* octets in order, split anywhere */
    KN_EXCHANGE,   /* one whole request, one whole answer, then it is over; in role reach we ask */
    KN_DATAGRAM,   /* each input and each write is one datagram */
    KN_PACKET,     /* whole messages in order */
    KN_LISTENER,   /* has an address and accepts; no octets */
    KN_HOME        /* the endpoint's own */
};

enum kn_family {
    KN_NOWHERE,
    KN_IPV4,
    KN_IPV6,
    KN_LOCAL /* a unix socket; its path is not told */
};

struct kn_address {
    uint8_t family; /* enum kn_family */
    uint8_t octets[16];
    uint16_t port;
    uint32_t scope; /* of an IPv6 address */
};

/* Made by the host; lives from KN_OPENED to KN_CLOSED, or during KN_REFUSED. */
struct kn_channel {
    const struct kn_host *host;
    struct kn_endpoint *endpoint; /* of `home`: set by kn_endpoint_init */
    void *self;                   /* the dialect's */
    enum kn_shape shape;
    uint64_t cookie; /* of the connect or listen that it came from; 0: of the endpoint's own URI */
    struct kn_address local, peer;
    struct koine_caller caller; /* kernel credentials where the transport has them, else unknown */
    int error;                  /* of KN_REFUSED; of KN_CLOSED: 0, or what broke */
};

/* The dialect's own struct begins with this one. */
struct kn_endpoint {
    const struct kn_dialect *dialect;
    struct kn_channel *home;
};

enum kn_change {
    KN_OPENED = 1,
    KN_REFUSED,  /* what `connect` or `listen` wanted cannot be had; no other change comes */
    KN_WRITABLE, /* what was written has gone out: after a write that answered KOINE_EFULL */
    KN_CLOSED    /* for whatever reason; its calls are cancelled already, nothing may be written */
};

struct kn_header {
    struct kn_str name, value; /* the name in small letters */
};

struct kn_input {
    struct kn_str data;     /* of an exchange, datagram or packet: the whole of it */
    bool end;               /* stream: the peer writes no more (it may still read) */
    struct kn_address from; /* of a datagram */
    const int *fds;         /* came with the first octet; taken by dup, closed by the host */
    size_t fd_count;
    struct kn_str method, target; /* of an exchange that is served */
    int status;                   /* of an exchange's answer, in role reach */
    const struct kn_header *headers;
    size_t header_count;
};

/* ------------------------------------------------------------------ what is asked of the host */

enum kn_question_kind {
    KN_TIMER,         /* no question: a timer's wake */
    KN_FILLED,        /* no question: what `fill` wanted is there */
    KN_ASK_INTERFACE, /* of the service `name`, as this channel's caller sees it */
    KN_ASK_FIND,      /* the names of services that are `name` or below it; "": all */
    KN_ASK_ADVERTISE, /* entry `name` of the dialect's directory is `data`, until withdrawn or stopped */
    KN_ASK_WITHDRAW, /* it is no more */
    KN_ASK_RESOLVE,  /* what is `name` in the dialect's directory? "": all, one entry a line */
    KN_ASK_AUTH,     /* `data` is the peer's token for mechanism `name` */
    KN_ASK_SECRET,   /* the key, cookie or password that is called `name` */
    KN_ASK_START,    /* see that service `name` runs */
    KN_ASK_MAP,      /* the memory that is called `name` */
    KN_ASK_CONVERT   /* `body` is wanted as type `type` */
};

struct kn_question {
    enum kn_question_kind kind;
    struct kn_str name, data;
    struct kn_body body;
    const struct koine_type *type;
};

/* Lives during the function that it is handed to, the interface until the channel is closed or the
 * service comes back with another one: it is asked for anew for each call. */
struct kn_answer {
    enum kn_question_kind kind;
    int error; /* 0; KOINE_ENOENT no such service, KOINE_EPERM, KOINE_EDOWN, KOINE_EDEADLINE,
                  KOINE_EUNSUPPORTED: nobody here knows ... */
    struct kn_channel *channel;
    const struct koine_interface *interface;
    const struct kn_str *names; /* sorted */
    size_t name_count;
    struct kn_str data; /* entry, token, secret, memory */
    bool done;          /* AUTH: the peer is `caller` now; else `data` is for him, and more comes */
    struct koine_caller caller;
    struct kn_body body;
    const char *why; /* static; NULL: what koine_strerror says of the error */
};

/* Every function belongs to a channel: what it takes is counted there, and what was asked, timed or
 * connected there comes no more when the channel is closed. */
struct kn_host {
    /* Monotonic nanoseconds. The same during one function of the dialect. */
    int64_t (*now)(struct kn_channel *channel);
    void (*random)(struct kn_channel *channel, void *octets, size_t size);
    /* Memory of this channel's peer, counted against its quota; NULL when that is used up. What is not
     * freed when the channel closes is a bug of the dialect. */
    void *(*alloc)(struct kn_channel *channel, size_t size);
    void (*free)(struct kn_channel *channel, void *memory);
    /* Copies and sends in order. KOINE_EFULL: taken, but the peer reads too slowly; write no more before
     * KN_WRITABLE. Of an exchange, the octets are collected into its body. Of datagrams, to the channel's
     * peer; what does not fit is lost, as on the wire. */
    int (*write)(struct kn_channel *channel, struct kn_str octets);
    /* The same, with descriptors that arrive with the first octet; they are dupped. KOINE_EUNSUPPORTED
     * where the transport carries none. */
    int (*pass)(struct kn_channel *channel, struct kn_str octets, const int *fds, size_t count);
    /* One datagram to somebody. */
    int (*write_to)(struct kn_channel *channel, const struct kn_address *to, struct kn_str octets);
    /* The next `size` octets of a stream go to `into`, memory of `alloc`, and are not fed; wake with
     * KN_FILLED and `cookie` when they are all there. Not while octets of the input at hand are left. */
    int (*fill)(struct kn_channel *channel, void *into, size_t size, uint64_t cookie);
    /* Whether the channel's input is wanted now. Octets that were read already are still fed. */
    void (*flow)(struct kn_channel *channel, bool reading);
    /* Nothing more is written: shuts the sending side of a stream; in role reach, the request of an
     * exchange is whole. */
    int (*end)(struct kn_channel *channel);
    /* Ends the channel after what was written has gone out; KN_CLOSED follows, later. An exchange that is
     * served is answered by this: with nothing written, that all is well and there is nothing to say. */
    void (*close)(struct kn_channel *channel);
    /* A channel to transport://address?option=value, or with "" to where the endpoint's URI says. It
     * comes by `channel`, later, with `cookie`: KN_OPENED or KN_REFUSED. */
    int (*connect)(struct kn_channel *home, struct kn_str uri, uint64_t cookie);
    /* The same for a listener, or a socket for datagrams; port 0 takes a free one, and `local` says
     * which. What it accepts has its cookie. */
    int (*listen)(struct kn_channel *home, struct kn_str uri, uint64_t cookie);
    /* One per channel and cookie: wake with KN_TIMER at `when`, or now if that is past. KOINE_FOREVER:
     * not any more. KOINE_ENOMEM. */
    int (*timer)(struct kn_channel *channel, uint64_t cookie, int64_t when);
    /* 1: *answerp is set. 0: it will come by `wake` with `cookie`, unless the channel closes before. */
    int (*ask)(struct kn_answer *answerp, struct kn_channel *channel,
               const struct kn_question *question, uint64_t cookie);
    /* A message of this channel. Answers to requests come by `send`, never from inside here, exactly one
     * for each that is not one-way, unless it is cancelled or the channel closes. KOINE_EFULL: too many
     * of this channel's requests wait; deliver again in its next `send`, and after a cancel, which no
     * `send` follows. Any other error: not delivered, and no answer comes. Answers, and events, are
     * always taken. */
    int (*deliver)(const struct kn_message *message);
};

/* ------------------------------------------------------------------ the dialect */

/* What a dialect has of its own; for the rest its interfaces gain companion operations. */
#define KN_CARRIES_ATTRIBUTES 1u
#define KN_CARRIES_EVENTS     2u

/* What is known of a dialect without running it. */
struct kn_identity {
    const char *name;  /* the first part of its URIs */
    const char *title; /* as its world writes it */
    const char *spec;
    unsigned carries; /* KN_CARRIES_... */
    bool stateless;   /* serving: connections share nothing, so several processes may accept */
    bool transport;   /* it carries another dialect, by OPEN, ITEM and END and nothing else */
    const char *const *transports; /* in URIs behind "name+", to serve; NULL at the end */
    const char *const *reaches;    /* the same, to reach; NULL: it cannot */
    const char *exchange_methods;  /* methods that an exchange may have, with ", " between */
    const char *exchange_type;     /* media type of its requests and answers */
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
    enum kn_role role;
    const char *transport; /* of the endpoint's URI */
    struct kn_str target;  /* what stands behind '#': the foreign service, in role reach */
    const struct kn_option *all;
    size_t count;
};

struct kn_dialect {
    const struct kn_identity *identity;
    /* In role reach it connects when it wants to, now or at the first request. */
    int (*start)(struct kn_endpoint **endpointp, struct kn_channel *home,
                 const struct kn_options *options);
    /* All channels but home are closed before. */
    void (*stop)(struct kn_endpoint *endpoint);
    int (*channel)(struct kn_channel *channel, enum kn_change change);
    int (*feed)(struct kn_channel *channel, const struct kn_input *input);
    /* KOINE_EFULL: not taken (no answer, only a request or an event): the peer reads too slowly. The host
     * tries again after the channel's next change, feed or wake. KOINE_EUNSUPPORTED: no message that this
     * protocol can carry to this channel; the host answers it. Both leave the channel open. */
    int (*send)(struct kn_endpoint *endpoint, const struct kn_message *message);
    int (*wake)(struct kn_endpoint *endpoint, uint64_t cookie, const struct kn_answer *answer);
};

/* The beginning of `start`. */
static inline void kn_endpoint_init(struct kn_endpoint *endpoint, const struct kn_dialect *dialect,
                                    struct kn_channel *home)
{
    *endpoint = (struct kn_endpoint){dialect, home};
    home->endpoint = endpoint;
}

/* The list, made by the build from src/dialect/meson.build; NULL at the end. */
extern const struct kn_dialect *const kn_dialects[];

#endif
