/* SPDX-License-Identifier: MIT
 *
 * The native sides. Before an endpoint that reaches stand callers: each request is a struct sim_want, which
 * is answered once, or ended by its deadline, its caller or the death of its endpoint. Behind an endpoint
 * that serves stand the services of test-service.h: each request is a struct sim_call until its answer, a
 * subscription until its end. Where a protocol has requests both ways, both are at both.
 */
#include "dialect/test-sim.h"

#include "dialect/fault.h"
#include "value/types.h"

#include <koine/value.h>

#include <stdlib.h>

enum { EVENTS = 6 }; /* of one subscription */

/* Up to so much longer does a service take that is slow. */
#define SLOW (200 * KOINE_MILLISECOND)

struct sim_call {
    struct kn_list in_channel;
    uint64_t serial, sequence, lost;
    uint8_t kind;
    uint32_t member;
    const struct koine_interface *interface;
    struct test_reply reply;
    bool waiting; /* for its answer */
};

static struct sim_channel *channel_of(const struct kn_channel *channel)
{
    return KN_LIST_ENTRY(channel, struct sim_channel, channel);
}

static bool is_request(uint8_t kind)
{
    return kind >= KN_MESSAGE_CALL && kind <= KN_MESSAGE_SUBSCRIBE;
}

/* ---------------------------------------------------------------- checks */

static void check_body(const struct kn_body *body, const struct koine_type *type)
{
    void *copy = NULL;
    test_require(body->type == type, "another type");
    if (!type || !type->size)
        return;
    test_require(body->value && !koine_value_copy(&copy, type, body->value),
                 "a body that is no value");
    free(copy);
}

static const uint8_t sorts[] = {[KN_MESSAGE_CALL] = KOINE_OPERATION,
                                [KN_MESSAGE_GET] = KOINE_ATTRIBUTE,
                                [KN_MESSAGE_SET] = KOINE_ATTRIBUTE};

static void check_request(const struct sim_channel *channel, const struct kn_message *message)
{
    const struct koine_interface *interface = message->interface, *wanted;
    const struct test_services *services = channel->endpoint->sim->services;
    test_require(channel->open && !channel->closing, "a request of a channel that is closed");
    if (message->kind == KN_MESSAGE_DESCRIBE)
        return;
    test_require(interface && message->member < interface->features.length, "a call of no member");
    test_require(!test_service_find(&wanted, services, message->service) && wanted == interface,
                 "the interface of another service");
    const struct koine_feature *feature = &interface->features.ptr[message->member];
    if (message->kind == KN_MESSAGE_SUBSCRIBE)
        test_require(feature->sort != KOINE_OPERATION, "subscribed to an operation");
    else
        test_require(feature->sort == sorts[message->kind], "a member of another sort");
    bool oneway = message->flags & KN_MESSAGE_ONEWAY;
    test_require(oneway == (message->kind == KN_MESSAGE_CALL && (feature->flags & KOINE_ONEWAY)),
                 "one-way or not");
    if (message->kind == KN_MESSAGE_CALL || message->kind == KN_MESSAGE_SET)
        check_body(&message->body, kn_feature_in(interface, message->member));
}

static const struct koine_type *answer_type(uint8_t kind, const struct koine_interface *interface,
                                            uint32_t member)
{
    if (kind == KN_MESSAGE_DESCRIBE)
        return kn_interface_type();
    return kind == KN_MESSAGE_CALL || kind == KN_MESSAGE_GET ? kn_feature_out(interface, member)
                                                             : NULL;
}

static void check_fault(const struct koine_fault *fault)
{
    test_require(fault && fault->name && fault->message && fault->origin && fault->code,
                 "a fault that is not filled in");
    if (fault->value)
        check_body(&(struct kn_body){fault->type, fault->value}, fault->type);
}

/* ---------------------------------------------------------------- services */

static struct sim_call *find_call(const struct sim_channel *channel, uint64_t serial)
{
    KN_LIST_EACH(at, &channel->calls)
    {
        struct sim_call *call = KN_LIST_ENTRY(at, struct sim_call, in_channel);
        if (call->serial == serial)
            return call;
    }
    return NULL;
}

static void free_call(struct sim_channel *channel, struct sim_call *call)
{
    KN_LIST_EACH(at, &channel->events)
    {
        struct sim_event *event = KN_LIST_ENTRY(at, struct sim_event, in_channel);
        if (event->of == call)
            sim_forget(event);
    }
    channel->waiting -= call->waiting;
    kn_list_unlink(&call->in_channel);
    free(call->reply.value);
    free(call);
}

static void emit(struct sim_event *event);

static void emit_later(struct sim_channel *channel, struct sim_call *call)
{
    struct sim *sim = channel->endpoint->sim;
    if (call->sequence < EVENTS)
        sim_at(sim, channel, sim_delay(sim, 10 * SIM_DELAY), emit)->of = call;
}

/* One more event of a subscription. What is refused is lost, and told with the next. */
static void emit(struct sim_event *event)
{
    struct sim_channel *channel = event->channel;
    struct sim_endpoint *endpoint = channel->endpoint;
    struct sim_call *call = event->of;
    struct kn_message message = {.kind = KN_MESSAGE_EVENT,
                                 .member = call->member,
                                 .serial = call->serial,
                                 .lost = call->lost,
                                 .interface = call->interface};
    void *value = test_service_event(&message.body, &endpoint->state, call->interface,
                                     (struct test_event){call->member, call->sequence});
    uint64_t serial = call->serial;
    call->sequence++;
    int rc = sim_tell_send(channel, &message);
    free(value);
    if (rc && rc != KOINE_EFULL) {
        sim_channel_close(channel, rc);
        return;
    }
    /* Nothing is delivered during a send of an event but what ends it. */
    call = find_call(channel, serial);
    if (!call)
        return;
    call->lost = rc ? call->lost + 1 : 0;
    emit_later(channel, call);
}

static void reply(struct sim_event *event)
{
    struct sim_channel *channel = event->channel;
    struct sim_call *call = event->of;
    struct test_reply answer = call->reply;
    struct kn_message message = {.kind = answer.is_fault ? KN_MESSAGE_FAULT : KN_MESSAGE_REPLY,
                                 .member = call->member,
                                 .serial = call->serial,
                                 .interface = call->interface};
    if (answer.is_fault)
        message.fault = &answer.fault;
    else
        message.body = (struct kn_body){answer.type, answer.value};
    call->reply.value = NULL;
    call->waiting = false;
    channel->waiting--;
    bool subscribed = call->kind == KN_MESSAGE_SUBSCRIBE && !answer.is_fault;
    if (!subscribed)
        free_call(channel, call);
    else
        emit_later(channel, call);
    int rc = sim_tell_send(channel, &message);
    free(answer.value);
    test_require(rc != KOINE_EFULL && rc != KOINE_EUNSUPPORTED, "an answer is not taken");
    if (rc)
        sim_channel_close(channel, rc);
}

static bool is_full(struct sim_channel *channel)
{
    struct sim *sim = channel->endpoint->sim;
    return channel->waiting && sim->plan->full_every &&
           random_below(&sim->random, sim->plan->full_every) == 0;
}

static int serve(struct sim_channel *channel, const struct kn_message *message)
{
    struct sim *sim = channel->endpoint->sim;
    struct test_reply answer;
    check_request(channel, message);
    test_require(!find_call(channel, message->serial), "a serial that is in use");
    if (is_full(channel))
        return KOINE_EFULL;
    test_service_serve(&answer, &channel->endpoint->state, message);
    if (message->flags & KN_MESSAGE_ONEWAY) {
        free(answer.value);
        return 0;
    }
    struct sim_call *call = calloc(1, sizeof *call);
    *call = (struct sim_call){.serial = message->serial,
                              .kind = message->kind,
                              .member = message->member,
                              .interface = message->interface,
                              .reply = answer,
                              .waiting = true};
    kn_list_append(&channel->calls, &call->in_channel);
    channel->waiting++;
    sim_at(sim, channel, sim_delay(sim, answer.slow ? SLOW : SIM_DELAY), reply)->of = call;
    return 0;
}

/* By whoever asked: a request that waits, or a subscription. */
static int stop(struct sim_channel *channel, const struct kn_message *message)
{
    struct sim_call *call = find_call(channel, message->serial);
    bool cancel = message->kind == KN_MESSAGE_CANCEL;
    test_require(call && call->waiting == cancel, "ended what is not there");
    free_call(channel, call);
    return 0;
}

/* ---------------------------------------------------------------- callers */

static struct sim_want *find_want(const struct sim_channel *channel, uint64_t serial)
{
    KN_LIST_EACH(at, &channel->wants)
    {
        struct sim_want *want = KN_LIST_ENTRY(at, struct sim_want, in_channel);
        if (want->serial == serial)
            return want;
    }
    return NULL;
}

static void finish(struct sim_want *want, const struct kn_message *answer, int error)
{
    KN_LIST_EACH(at, &want->channel->events)
    {
        struct sim_event *event = KN_LIST_ENTRY(at, struct sim_event, in_channel);
        if (event->of == want)
            sim_forget(event);
    }
    kn_list_unlink(&want->in_channel);
    if (want->done)
        want->done(want, answer, error);
    free(want->value);
    free(want);
}

static int answered(struct sim_channel *channel, const struct kn_message *message)
{
    struct sim_want *want = find_want(channel, message->serial);
    test_require(want && want->sent, "an answer to nobody");
    test_require(!want->subscribed || message->kind == KN_MESSAGE_FAULT, "answered twice");
    if (message->kind == KN_MESSAGE_FAULT)
        check_fault(message->fault);
    else
        check_body(&message->body, answer_type(want->kind, want->interface, want->member));
    if (want->kind == KN_MESSAGE_SUBSCRIBE && message->kind == KN_MESSAGE_REPLY)
        want->subscribed = true;
    else
        finish(want, message, 0);
    return 0;
}

static int event_came(struct sim_channel *channel, const struct kn_message *message)
{
    struct sim_want *want = find_want(channel, message->serial);
    test_require(want && want->subscribed, "an event for nobody");
    check_body(&message->body, kn_feature_in(want->interface, want->member));
    uint64_t sequence = test_service_sequence(&message->body, want->interface, want->member);
    if (sequence == UINT64_MAX) /* an attribute's */
        return 0;
    test_require(sequence == want->next_event + message->lost, "another event than the next");
    want->next_event = sequence + 1;
    return 0;
}

int sim_deliver(const struct kn_message *message)
{
    struct sim_channel *channel = channel_of(message->channel);
    uint8_t what[10] = {message->kind, message->flags};
    memcpy(what + 2, &message->serial, 8);
    sim_note(channel->endpoint->sim, channel, "deliver",
             (struct kn_str){(const char *)what, sizeof what});
    if (message->kind >= KN_MESSAGE_OPEN)
        return sim_stack_deliver(channel, message);
    if (is_request(message->kind))
        return serve(channel, message);
    if (message->kind == KN_MESSAGE_CANCEL || message->kind == KN_MESSAGE_UNSUBSCRIBE)
        return stop(channel, message);
    if (message->kind == KN_MESSAGE_REPLY || message->kind == KN_MESSAGE_FAULT)
        return answered(channel, message);
    test_require(message->kind == KN_MESSAGE_EVENT, "a message of no known kind");
    return event_came(channel, message);
}

/* ---------------------------------------------------------------- asking */

/* The channel that was written to since this was asked last: it shows where a request went. */
static struct sim_channel *written_to(struct sim_endpoint *endpoint)
{
    struct sim_channel *found = NULL;
    KN_LIST_EACH(at, &endpoint->channels)
    {
        struct sim_channel *channel = KN_LIST_ENTRY(at, struct sim_channel, in_endpoint);
        if (channel->written > channel->noted)
            found = channel;
        channel->noted = channel->written;
    }
    return found;
}

static void host_answers(struct sim_want *want, int error)
{
    struct koine_fault fault = kn_fault_of(error, NULL);
    struct kn_message answer = {.kind = KN_MESSAGE_FAULT, .serial = want->serial, .fault = &fault};
    finish(want, &answer, error);
}

static void tell_want(struct sim_want *want, uint8_t kind)
{
    struct kn_message message = {.kind = kind,
                                 .member = want->member,
                                 .serial = want->serial,
                                 .service = want->service,
                                 .interface = want->interface};
    int rc = sim_tell_send(want->channel, &message);
    test_require(rc == 0, "the end of a request is not taken");
}

/* Once more or for the first time. The answer may come during it, and then the want is gone. */
static void try(struct sim_want *want)
{
    struct sim_channel *channel = want->channel;
    struct sim_endpoint *endpoint = channel->endpoint;
    uint64_t serial = want->serial;
    struct kn_message message = {.kind = want->kind,
                                 .flags = want->flags,
                                 .member = want->member,
                                 .serial = serial,
                                 .deadline = want->deadline,
                                 .service = want->service,
                                 .interface = want->interface,
                                 .body = {want->type, want->value}};
    (void)written_to(endpoint);
    want->sent = true;
    bool oneway = want->flags & KN_MESSAGE_ONEWAY;
    int rc = sim_tell_send(channel, &message);
    if (!find_want(channel, serial)) {
        test_require(!rc, "answered, and refused");
        return;
    }
    want->sent = rc == 0;
    want->via = rc ? NULL : written_to(endpoint);
    if (rc && rc != KOINE_EFULL)
        host_answers(want, rc);
    else if (!rc && oneway)
        finish(want, NULL, 0);
}

static bool retry(struct sim_channel *channel)
{
    KN_LIST_EACH(at, &channel->wants)
    {
        struct sim_want *want = KN_LIST_ENTRY(at, struct sim_want, in_channel);
        if (!want->sent) {
            try(want);
            return true;
        }
    }
    return false;
}

void sim_wants_retry(struct sim_endpoint *endpoint)
{
    if (endpoint->home)
        (void)retry(endpoint->home);
    KN_LIST_EACH(at, &endpoint->channels)
    {
        if (retry(KN_LIST_ENTRY(at, struct sim_channel, in_endpoint)))
            return;
    }
}

static void deadline(struct sim_event *event)
{
    struct sim_want *want = event->of;
    if (want->sent && !want->subscribed)
        tell_want(want, KN_MESSAGE_CANCEL);
    if (!want->subscribed)
        finish(want, NULL, KOINE_EDEADLINE);
}

struct sim_want *sim_want(struct sim_channel *channel, const struct sim_want *about)
{
    struct sim *sim = channel->endpoint->sim;
    struct sim_want *want = malloc(sizeof *want);
    *want = *about;
    want->channel = channel;
    want->serial = ++sim->serial;
    want->value = NULL;
    if (about->type && about->type->size)
        test_require(!koine_value_copy(&want->value, about->type, about->value), "no value");
    uint64_t serial = want->serial;
    kn_list_append(&channel->wants, &want->in_channel);
    if (want->deadline != KOINE_FOREVER)
        sim_at(sim, channel, want->deadline - sim->now, deadline)->of = want;
    try(want);
    return find_want(channel, serial);
}

void sim_cancel(struct sim_want *want)
{
    if (want->sent)
        tell_want(want, want->subscribed ? KN_MESSAGE_UNSUBSCRIBE : KN_MESSAGE_CANCEL);
    finish(want, NULL, KOINE_ECANCELLED);
}

/* ---------------------------------------------------------------- the end of a channel */

void sim_native_gone(struct sim_channel *channel)
{
    while (!kn_list_empty(&channel->calls))
        free_call(channel, KN_LIST_ENTRY(channel->calls.next, struct sim_call, in_channel));
    while (!kn_list_empty(&channel->wants))
        finish(KN_LIST_ENTRY(channel->wants.next, struct sim_want, in_channel), NULL, KOINE_EDOWN);
}

void sim_wants_check(const struct sim_channel *channel)
{
    const struct sim_channel *home = channel->endpoint->home;
    if (!home || channel == home || channel->channel.shape == KN_DATAGRAM)
        return;
    KN_LIST_EACH(at, &home->wants)
    {
        struct sim_want *want = KN_LIST_ENTRY(at, struct sim_want, in_channel);
        bool excused = want->subscribed || (want->flags & KN_MESSAGE_IDEMPOTENT);
        test_require(want->via != channel || excused, "a request is not ended with its connection");
    }
}
