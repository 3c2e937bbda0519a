/* SPDX-License-Identifier: MIT
 *
 * The host: what a dialect asks for, answered with native references. A call keeps its own record from
 * delivery until its answer; when its channel closes first, it is cancelled, the service learns of it,
 * and nobody hears its answer.
 */
#include "runtime/internal.h"

#include "dialect/fault.h"
#include "runtime/policy.h"
#include "value/types.h"

#include <stdlib.h>

struct kn_call {
    struct kn_list in_chan; /* or in the attachment's `late` */
    struct kn_chan *chan;   /* NULL: nobody wants the answer */
    struct kn_bond *bond;
    struct koine_pending *pending;
    const struct koine_interface *interface;
    uint64_t serial;
    uint32_t member;
    uint8_t kind;
    bool refused; /* by the rules: it did not run */
    int error;    /* of a late answer */
};

static struct kn_chan *chan_of(struct kn_channel *channel)
{
    return KN_LIST_ENTRY(channel, struct kn_chan, channel);
}

/* ---------------------------------------------------------------- memory */

union block {
    size_t size;
    max_align_t align;
};

static void *host_alloc(struct kn_channel *channel, size_t size)
{
    struct kn_conn *conn = chan_of(channel)->conn;
    if (size > KN_PEER_OCTETS || !kn_conn_hold(conn, size))
        return NULL;
    union block *block = malloc(sizeof *block + size);
    if (!block) {
        kn_conn_release(conn, size);
        return NULL;
    }
    block->size = size;
    return block + 1;
}

static void host_free(struct kn_channel *channel, void *memory)
{
    if (!memory)
        return;
    union block *block = (union block *)memory - 1;
    kn_conn_release(chan_of(channel)->conn, block->size);
    free(block);
}

/* ---------------------------------------------------------------- octets */

static int host_write(struct kn_channel *channel, struct kn_str octets)
{
    struct kn_chan *chan = chan_of(channel);
    if (!chan->collecting)
        return kn_conn_write(chan->conn, octets);
    if (!kn_conn_hold(chan->conn, octets.length)) {
        chan->failed = true;
        kn_conn_touch(chan->conn);
        return KOINE_EFULL;
    }
    size_t before = chan->body.length;
    kn_buffer_str(&chan->body, octets);
    kn_conn_release(chan->conn, octets.length - (chan->body.length - before));
    return 0;
}

static void host_flow(struct kn_channel *channel, bool reading)
{
    struct kn_chan *chan = chan_of(channel);
    if (!chan->collecting)
        kn_conn_flow(chan->conn, reading);
}

static void host_close(struct kn_channel *channel)
{
    struct kn_chan *chan = chan_of(channel);
    chan->closing = true;
    kn_conn_touch(chan->conn);
}

static int host_ask(struct kn_answer *answerp, struct kn_channel *channel,
                    const struct kn_question *question, uint64_t cookie)
{
    if (question->kind != KN_ASK_INTERFACE)
        return KOINE_EUNSUPPORTED;
    kn_conn_begin_anew(chan_of(channel)->conn);
    return kn_bond_ask(answerp, chan_of(channel), question->name, cookie);
}

/* ---------------------------------------------------------------- answers */

static void free_call(struct kn_call *call)
{
    kn_list_unlink(&call->in_chan);
    call->bond->users--;
    call->bond->conn->calls--;
    free(call);
}

/* What happened to a call that was on its way: whether it ran is not known. */
static struct koine_fault lost(int error)
{
    static const struct {
        int error;
        int32_t code;
        const char *message;
    } rows[] = {
        {KOINE_EDOWN, KOINE_FAULT_UNAVAILABLE, "the service went away before it answered"},
        {KOINE_EDEADLINE, KOINE_FAULT_DEADLINE_EXCEEDED, "the service did not answer in time"},
        {KOINE_ENOMEM, KOINE_FAULT_RESOURCE_EXHAUSTED, "no memory for the answer"},
    };
    struct koine_fault fault = {.code = KOINE_FAULT_INTERNAL,
                                .completion = KOINE_COMPLETED_MAYBE,
                                .name = "",
                                .message = "the answer of the service cannot be read",
                                .origin = "gateway"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].error == error) {
            fault.code = rows[i].code;
            fault.message = rows[i].message;
        }
    return fault;
}

static struct koine_fault not_allowed(void)
{
    return (struct koine_fault){.code = KOINE_FAULT_PERMISSION_DENIED,
                                .completion = KOINE_COMPLETED_NO,
                                .name = "",
                                .message = KN_NOT_ALLOWED,
                                .origin = "gateway"};
}

static const struct koine_type *answer_type(const struct kn_call *call)
{
    return call->kind == KN_MESSAGE_SET ? NULL : kn_feature_out(call->interface, call->member);
}

static void send_answer(struct kn_call *call, int error, const void *out,
                        const struct koine_fault *fault)
{
    struct kn_chan *chan = call->chan;
    struct koine_attachment *attachment = chan->conn->attachment;
    struct koine_fault own = call->refused ? not_allowed() : lost(error);
    struct kn_message message = {.kind = error ? KN_MESSAGE_FAULT : KN_MESSAGE_REPLY,
                                 .member = call->member,
                                 .serial = call->serial,
                                 .channel = &chan->channel,
                                 .interface = call->interface};
    if (error)
        message.fault = fault ? fault : &own;
    else
        message.body = (struct kn_body){answer_type(call), out};
    attachment->counts.faults += error != 0;
    free_call(call);
    attachment->inside++;
    if (attachment->dialect->send(attachment->endpoint, &message))
        chan->failed = true;
    attachment->inside--;
    kn_conn_touch(chan->conn);
}

static void answer_late(struct kn_call *call, int error)
{
    struct koine_attachment *attachment = call->chan->conn->attachment;
    call->error = error;
    kn_list_unlink(&call->in_chan);
    kn_list_append(&attachment->late, &call->in_chan);
    koine_timer_set(attachment->soon, 0);
}

/* Inside the dialect only errors can come (a link that breaks while something is sent on it). */
static void on_answer(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct kn_call *call = arg;
    call->pending = NULL;
    if (!call->chan) {
        free_call(call);
        return;
    }
    struct koine_attachment *attachment = call->chan->conn->attachment;
    if (!attachment->inside) {
        send_answer(call, error, out, fault);
        return;
    }
    answer_late(call, error && error != KOINE_EFAULT ? error : KOINE_EPROTOCOL);
}

void kn_calls_settle(struct koine_attachment *attachment)
{
    while (!kn_list_empty(&attachment->late)) {
        struct kn_call *call = KN_LIST_ENTRY(attachment->late.next, struct kn_call, in_chan);
        if (call->chan)
            send_answer(call, call->error, NULL, NULL);
        else
            free_call(call);
    }
}

/* ---------------------------------------------------------------- calls */

static void cancel(struct kn_call *call)
{
    call->chan = NULL;
    if (call->pending)
        (void)koine_cancel(call->pending);
    else
        free_call(call);
}

static int cancel_by_serial(struct kn_chan *chan, uint64_t serial)
{
    KN_LIST_EACH(at, &chan->calls)
    {
        struct kn_call *call = KN_LIST_ENTRY(at, struct kn_call, in_chan);
        if (call->serial != serial)
            continue;
        cancel(call);
        return 0;
    }
    return 0;
}

static enum koine_request_sort sort_of(uint8_t kind)
{
    return kind == KN_MESSAGE_GET   ? KOINE_REQUEST_GET
           : kind == KN_MESSAGE_SET ? KOINE_REQUEST_SET
                                    : KOINE_REQUEST_CALL;
}

static bool is_allowed(const struct kn_call *call, const struct koine_feature *feature)
{
    return kn_policy_calls(call->chan->conn->attachment->limits.calls_allowed,
                           kn_str(call->bond->name),
                           (struct kn_str){feature->name.ptr, feature->name.length});
}

/* It is answered like what ran; of what has no answer the dialect is told at once. */
static int refuse(struct kn_call *call, bool oneway)
{
    call->refused = true;
    if (oneway)
        free_call(call);
    else
        answer_late(call, KOINE_EPERM);
    return oneway ? KOINE_EPERM : 0;
}

static int start(struct kn_call *call, const struct kn_message *message)
{
    struct kn_conn *conn = call->chan->conn;
    int64_t timeout = conn->attachment->limits.timeout;
    const struct koine_feature *feature = &call->interface->features.ptr[call->member];
    bool oneway = call->kind == KN_MESSAGE_CALL && (feature->flags & KOINE_ONEWAY);
    if (!is_allowed(call, feature))
        return refuse(call, oneway);
    int rc = koine_start(&call->pending, call->bond->ref, sort_of(call->kind), call->member,
                         message->body.value, timeout, on_answer, call);
    conn->attachment->counts.calls += !rc;
    if (rc || oneway)
        free_call(call);
    return rc;
}

/* What is full is worth waiting for only while something of this channel's own will end. */
static int too_many(const struct kn_chan *chan)
{
    return kn_list_empty(&chan->calls) ? KOINE_ELIMIT : KOINE_EFULL;
}

static int host_deliver(const struct kn_message *message)
{
    struct kn_chan *chan = chan_of(message->channel);
    struct kn_conn *conn = chan->conn;
    struct koine_caller unused;
    if (message->kind == KN_MESSAGE_CANCEL)
        return cancel_by_serial(chan, message->serial);
    struct kn_bond *bond = kn_bond_find(conn, message->service);
    if (!bond || bond->interface != message->interface || koine_ref_peer(&unused, bond->ref))
        return KOINE_EDOWN;
    if (message->member >= bond->interface->features.length)
        return KOINE_EMEMBER;
    if (conn->calls >= conn->attachment->limits.calls)
        return too_many(chan);
    struct kn_call *call = calloc(1, sizeof *call);
    if (!call)
        return KOINE_ENOMEM;
    *call = (struct kn_call){.chan = chan,
                             .bond = bond,
                             .interface = bond->interface,
                             .serial = message->serial,
                             .member = message->member,
                             .kind = message->kind};
    bool first = kn_list_empty(&chan->calls);
    kn_list_append(&chan->calls, &call->in_chan);
    bond->users++;
    conn->calls++;
    int rc = start(call, message);
    return rc == KOINE_EFULL && first ? KOINE_ELIMIT : rc;
}

const struct kn_host kn_runtime_host = {
    .alloc = host_alloc,
    .free = host_free,
    .write = host_write,
    .flow = host_flow,
    .close = host_close,
    .ask = host_ask,
    .deliver = host_deliver,
};

/* ---------------------------------------------------------------- channels */

static int tell(struct kn_chan *chan, enum kn_change change)
{
    struct koine_attachment *attachment = chan->conn->attachment;
    attachment->inside++;
    int rc = attachment->dialect->channel(&chan->channel, change);
    attachment->inside--;
    return rc;
}

struct kn_chan *kn_chan_open(struct kn_conn *conn, enum kn_shape shape)
{
    struct kn_chan *chan = calloc(1, sizeof *chan);
    if (!chan)
        return NULL;
    *chan = (struct kn_chan){.channel = {.host = &kn_runtime_host,
                                         .endpoint = conn->attachment->endpoint,
                                         .shape = shape,
                                         .caller = conn->caller},
                             .conn = conn,
                             .collecting = shape == KN_EXCHANGE};
    kn_list_init(&chan->calls);
    kn_list_init(&chan->asks);
    kn_buffer_init(&chan->body, KN_PEER_OCTETS);
    if (tell(chan, KN_OPENED))
        return kn_chan_close(chan);
    chan->idle_octets = conn->octets;
    return chan;
}

/* Late answers of this channel are in another list, with their `chan` still set. */
static void forget_late(struct kn_chan *chan)
{
    KN_LIST_EACH(at, &chan->conn->attachment->late)
    {
        struct kn_call *call = KN_LIST_ENTRY(at, struct kn_call, in_chan);
        if (call->chan == chan)
            free_call(call);
    }
}

struct kn_chan *kn_chan_close(struct kn_chan *chan)
{
    if (!chan)
        return NULL;
    KN_LIST_EACH(at, &chan->asks)
    kn_ask_free(KN_LIST_ENTRY(at, struct kn_ask, in_chan));
    while (!kn_list_empty(&chan->calls))
        cancel(KN_LIST_ENTRY(chan->calls.next, struct kn_call, in_chan));
    forget_late(chan);
    (void)tell(chan, KN_CLOSED);
    kn_conn_release(chan->conn, chan->body.length);
    kn_buffer_deinit(&chan->body);
    free(chan);
    return NULL;
}

void kn_chan_feed(struct kn_chan *chan, const struct kn_input *input)
{
    struct koine_attachment *attachment = chan->conn->attachment;
    if (chan->failed || chan->closing)
        return;
    attachment->inside++;
    if (attachment->dialect->feed(&chan->channel, input))
        chan->failed = true;
    attachment->inside--;
    kn_conn_touch(chan->conn);
}

void kn_chan_writable(struct kn_chan *chan)
{
    if (!chan->failed && tell(chan, KN_WRITABLE))
        chan->failed = true;
    kn_conn_touch(chan->conn);
}
