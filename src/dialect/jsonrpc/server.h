/* SPDX-License-Identifier: MIT
 *
 * A channel of the serving side.
 *
 *      input -> text -> request -> ask interface -> arguments -> deliver
 *                    -> batch: its requests, one by one
 *      send  -> answer -> line            or, in a batch, kept until all of the batch is answered
 *
 * Requests are worked off strictly in the order in which they came. What stops one (an interface that
 * is being fetched, a host that has too many calls, too many unanswered requests, a peer that does not
 * read) stops all behind it: they stay where they are, as octets, and the channel's input is turned off.
 * So nothing that is half done has to be remembered: a request is either still text, or delivered and
 * then a struct jsonrpc_pending of its id. Answers leave in the order in which they come.
 */
#ifndef KN_JSONRPC_SERVER_H
#define KN_JSONRPC_SERVER_H

#include "dialect/dialect.h"
#include "dialect/held.h"
#include "dialect/jsonrpc/codec.h"
#include "dialect/outbox.h"

#include "base/list.h"

struct jsonrpc_endpoint {
    struct kn_endpoint base;
    struct kn_arena arena; /* of the request at hand */
    struct kn_buffer out;  /* the answer at hand */
};

struct jsonrpc_channel {
    struct kn_channel *channel;
    struct jsonrpc_endpoint *endpoint;
    struct kn_outbox outbox;
    struct kn_held held;
    size_t searched; /* octets of the input at hand that hold no line end */
    struct kn_list pending, batches;
    struct jsonrpc_batch *batch; /* whose requests are being read */
    uint64_t serial, cookie;
    size_t waiting;                 /* delivered calls that will be answered, notifications too */
    const struct kn_answer *answer; /* to the question that `asking` was about */
    bool begun;                     /* one of them at least was read */
    bool asking;                    /* an interface was asked for and has not come */
    bool full;                      /* the host takes no call before the next `send` */
    bool taken;                     /* of an exchange: its body */
    bool ended;                     /* no more input comes, or none is wanted */
    bool stopped;                   /* flow is off */
    bool closing;
};

/* A delivered request that wants an answer, or a place in a batch's answer. */
struct jsonrpc_pending {
    struct kn_list in_channel;
    struct jsonrpc_batch *batch;  /* NULL: alone */
    struct jsonrpc_pending *next; /* in the batch */
    uint64_t serial;
    char *answer; /* of one in a batch */
    size_t answer_length;
    uint8_t kind;
    size_t id_length;
    char id[];
};

/* -- answers.c; each answers 0, or an error that ends the channel -- */

struct jsonrpc_pending *jsonrpc_pending_new(struct jsonrpc_channel *ch, uint8_t kind,
                                            struct kn_str id);
struct jsonrpc_pending *jsonrpc_pending_find(const struct jsonrpc_channel *ch, uint64_t serial);
/* Undoes jsonrpc_pending_new for what was not delivered. */
void jsonrpc_pending_free(struct jsonrpc_channel *ch, struct jsonrpc_pending *pending);
/* After delivery: gives it its place in the batch that is being read. */
void jsonrpc_pending_place(struct jsonrpc_channel *ch, struct jsonrpc_pending *pending);

int jsonrpc_answer(struct jsonrpc_channel *ch, struct jsonrpc_pending *pending,
                   const struct kn_message *message);
/* To a request that was never pending: an error, or with `fault` NULL null. */
int jsonrpc_answer_now(struct jsonrpc_channel *ch, struct kn_str id, int code,
                       const struct koine_fault *fault);

int jsonrpc_batch_open(struct jsonrpc_channel *ch);
/* All its requests were read. */
int jsonrpc_batch_read(struct jsonrpc_channel *ch);
/* Everything that waits for answers. */
void jsonrpc_forget(struct jsonrpc_channel *ch);

extern const struct kn_dialect kn_dialect_jsonrpc;

/* -- server.c: the contract's functions -- */

int jsonrpc_start(struct kn_endpoint **endpointp, struct kn_channel *home,
                  const struct kn_options *options);
void jsonrpc_stop(struct kn_endpoint *endpoint);
int jsonrpc_change(struct kn_channel *channel, enum kn_change change);
int jsonrpc_feed(struct kn_channel *channel, const struct kn_input *input);
int jsonrpc_send(struct kn_endpoint *endpoint, const struct kn_message *message);
int jsonrpc_wake(struct kn_endpoint *endpoint, uint64_t cookie, const struct kn_answer *answer);

#endif
