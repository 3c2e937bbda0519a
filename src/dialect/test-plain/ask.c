/* SPDX-License-Identifier: MIT */
#include "dialect/test-plain/plain.h"

#include "dialect/fault.h"
#include "value/types.h"

enum { CONNECT = 1 }; /* cookie; the ids of requests are larger */

static const struct kn_host *host(const struct plain *plain)
{
    return plain->base.home->host;
}

static void drop(struct plain_request *request)
{
    struct plain *plain = (struct plain *)request->channel->endpoint;
    if (plain->datagrams && request->link)
        (void)host(plain)->timer(plain->base.home, request->id, KOINE_FOREVER);
    kn_list_unlink(&request->in_plain);
    request->channel->host->free(request->channel, request);
}

/* Ends it with a fault of ours. */
static void fail(struct plain_request *request, int error, enum koine_completion completion)
{
    struct koine_fault fault = kn_fault_of(error, NULL);
    struct kn_message message = {.kind = KN_MESSAGE_FAULT,
                                 .member = request->member,
                                 .serial = request->serial,
                                 .channel = request->channel,
                                 .fault = &fault};
    fault.completion = (uint8_t)completion;
    if (!(request->flags & KN_MESSAGE_ONEWAY))
        (void)request->channel->host->deliver(&message);
    drop(request);
}

void plain_fail_waiting(struct plain *plain, int error)
{
    KN_LIST_EACH(at, &plain->asked)
    {
        struct plain_request *request = KN_LIST_ENTRY(at, struct plain_request, in_plain);
        if (!request->link)
            fail(request, error, KOINE_COMPLETED_NO);
    }
}

/* ---------------------------------------------------------------- connecting */

int plain_connect_to(struct plain *plain, const struct kn_answer *answer)
{
    if (answer->error || answer->data.length >= sizeof plain->place) {
        plain->connecting = false;
        plain_fail_waiting(plain, KOINE_EDOWN);
        return 0;
    }
    memcpy(plain->place, answer->data.ptr, answer->data.length);
    plain->place[answer->data.length] = '\0';
    int rc = host(plain)->connect(plain->base.home, kn_str(plain->place), CONNECT);
    if (!rc)
        return 0;
    plain->connecting = false;
    plain_fail_waiting(plain, rc);
    return 0;
}

int plain_connect(struct plain *plain)
{
    struct kn_question question = {.kind = KN_ASK_RESOLVE, .name = plain->find};
    struct kn_answer answer;
    int there;
    if (plain->connecting || plain->exchanges)
        return 0;
    plain->connecting = true;
    if (plain->find.length) {
        there = host(plain)->ask(&answer, plain->base.home, &question, CONNECT);
        if (there > 0)
            return plain_connect_to(plain, &answer);
    } else {
        there = host(plain)->connect(plain->base.home, KN_STR(""), CONNECT);
    }
    plain->connecting = there == 0;
    return there < 0 ? there : 0;
}

static struct plain_request *find_id(struct plain *plain, uint64_t id)
{
    KN_LIST_EACH(at, &plain->asked)
    {
        struct plain_request *request = KN_LIST_ENTRY(at, struct plain_request, in_plain);
        if (request->id == id)
            return request;
    }
    return NULL;
}

/* Again after a while, and not for ever. */
int plain_refused(struct plain *plain, uint64_t cookie)
{
    struct plain_request *request = find_id(plain, cookie);
    if (plain->exchanges) {
        if (request)
            fail(request, KOINE_EDOWN, KOINE_COMPLETED_NO);
        return 0;
    }
    int64_t when = host(plain)->now(plain->base.home) + (PLAIN_RETRY << plain->refused);
    if (plain->bug == PLAIN_TIMER)
        return 0;
    if (++plain->refused < PLAIN_TRIES / 3 && !host(plain)->timer(plain->base.home, CONNECT, when))
        return 0;
    plain->connecting = false;
    plain->refused = 0;
    plain_fail_waiting(plain, KOINE_EDOWN);
    return 0;
}

/* ---------------------------------------------------------------- sending */

static int repeat(struct plain_request *request)
{
    struct plain *plain = (struct plain *)request->channel->endpoint;
    struct kn_channel *home = plain->base.home;
    int64_t wait = PLAIN_RETRY << (request->tries < 7 ? request->tries : 7);
    if (plain->bug == PLAIN_LOST)
        return 0;
    return host(plain)->timer(home, request->id, host(plain)->now(home) + wait);
}

static int write_packet(struct plain_link *link, struct plain_request *request)
{
    size_t frame = link->channel->shape == KN_STREAM ? 0 : sizeof(uint32_t);
    struct kn_str octets = {request->packet + frame, request->length - frame};
    if (link->channel->shape == KN_STREAM || link->channel->shape == KN_PACKET)
        return kn_outbox_write(&link->outbox, octets);
    int rc = link->channel->host->write(link->channel, octets);
    return rc == KOINE_EFULL ? 0 : rc;
}

/* What the request's fate is if this fails is up to the end of the link. */
static int dispatch(struct plain_link *link, struct plain_request *request)
{
    request->link = link;
    link->sent++;
    int rc = write_packet(link, request);
    if (!rc && request->flags & KN_MESSAGE_ONEWAY)
        drop(request);
    else if (!rc && link->channel->shape == KN_DATAGRAM)
        rc = repeat(request);
    return rc;
}

void plain_shut(struct plain_link *link)
{
    struct plain *plain = link->plain;
    bool stream = link->channel->shape == KN_STREAM || link->channel->shape == KN_PACKET;
    if (!plain->turn || link->sent < plain->turn || !stream || link->shut || link->closing ||
        plain->role != KN_REACH || link->served_count || !kn_outbox_idle(&link->outbox) ||
        link->outbox.full)
        return;
    link->shut = true;
    if (plain->link == link)
        plain->link = NULL;
    (void)link->channel->host->end(link->channel);
}

int plain_ask_waiting(struct plain *plain)
{
    int rc = 0;
    KN_LIST_EACH(at, &plain->asked)
    {
        struct plain_request *request = KN_LIST_ENTRY(at, struct plain_request, in_plain);
        struct plain_link *link = plain->link;
        if (request->link)
            continue;
        if (!link)
            return plain_connect(plain);
        if (!link->ready || link->outbox.full)
            return 0;
        rc = dispatch(link, request);
        plain_shut(link);
        if (rc)
            return rc;
    }
    return 0;
}

int plain_exchange(struct plain_link *link, uint64_t id)
{
    struct plain_request *request = find_id(link->plain, id);
    if (!request) {
        link->closing = true;
        link->channel->host->close(link->channel);
        return 0;
    }
    int rc = dispatch(link, request);
    return rc ? rc : link->channel->host->end(link->channel);
}

int plain_again(struct plain *plain, uint64_t cookie)
{
    struct plain_request *request = find_id(plain, cookie);
    if (cookie == CONNECT) {
        plain->connecting = false;
        int rc = plain_ask_waiting(plain);
        if (rc)
            plain_fail_waiting(plain, rc);
        return 0;
    }
    if (!request)
        return 0;
    if (!request->link || ++request->tries >= PLAIN_TRIES) {
        fail(request, KOINE_EDOWN, KOINE_COMPLETED_MAYBE);
        return 0;
    }
    (void)write_packet(request->link, request);
    if (repeat(request))
        fail(request, KOINE_ENOMEM, KOINE_COMPLETED_MAYBE);
    return 0;
}

/* ---------------------------------------------------------------- what the host wants */

static struct plain_request *make(struct plain *plain, const struct kn_message *message, int *rcp)
{
    struct kn_channel *channel = message->channel;
    struct plain_packet packet = {.kind = message->kind,
                                  .flags = message->flags,
                                  .member = message->member,
                                  .id = ++plain->id,
                                  .service = message->service};
    if (!packet.service.length && channel == plain->base.home)
        packet.service = plain->target;
    *rcp = plain_flatten(&packet.body, &plain->arena, &message->body);
    size_t length = plain_size(&packet);
    if (!*rcp && length > PLAIN_PACKET_MAX)
        *rcp = KOINE_ETOOBIG;
    if (*rcp)
        return NULL;
    struct plain_request *request = channel->host->alloc(channel, sizeof *request + length);
    *rcp = request ? 0 : KOINE_ENOMEM;
    if (!request)
        return NULL;
    *request = (struct plain_request){.channel = channel,
                                      .interface = message->interface,
                                      .serial = message->serial,
                                      .id = packet.id,
                                      .member = message->member,
                                      .kind = message->kind,
                                      .flags = message->flags,
                                      .length = length};
    plain_write(request->packet, &packet);
    kn_list_append(&plain->asked, &request->in_plain);
    return request;
}

static size_t waiting(const struct plain *plain)
{
    size_t count = 0;
    KN_LIST_EACH(at, &plain->asked)
    {
        count += KN_LIST_ENTRY(at, struct plain_request, in_plain)->link == NULL;
    }
    return count;
}

/* A request to a client, who is there. */
static int ask_client(struct plain *plain, const struct kn_message *message)
{
    struct plain_link *link = message->channel->self;
    enum kn_shape shape = message->channel->shape;
    int rc;
    if (!link || link->ended || link->closing || link->shut ||
        (shape != KN_STREAM && shape != KN_PACKET))
        return KOINE_EUNSUPPORTED;
    if (link->outbox.full)
        return KOINE_EFULL;
    struct plain_request *request = make(plain, message, &rc);
    return request ? dispatch(link, request) : rc;
}

int plain_ask(struct plain *plain, const struct kn_message *message)
{
    int rc;
    if (message->channel != plain->base.home)
        return ask_client(plain, message);
    if (message->kind == KN_MESSAGE_SUBSCRIBE && (plain->exchanges || plain->datagrams))
        return KOINE_EUNSUPPORTED;
    if (waiting(plain) >= PLAIN_QUEUE_MAX)
        return KOINE_EFULL;
    struct plain_request *request = make(plain, message, &rc);
    if (!request)
        return rc;
    uint64_t id = request->id;
    if (plain->exchanges)
        rc = host(plain)->connect(plain->base.home, KN_STR(""), request->id);
    else
        rc = plain_ask_waiting(plain);
    /* An error now is of a link, which the host cannot know from this: it is closed by what follows. */
    request = rc ? find_id(plain, id) : NULL;
    if (!request || request->link) {
        if (request && plain->link)
            plain_close(plain->link);
        return 0;
    }
    drop(request);
    return rc;
}

int plain_stop_asking(struct plain *plain, const struct kn_message *message)
{
    KN_LIST_EACH(at, &plain->asked)
    {
        struct plain_request *request = KN_LIST_ENTRY(at, struct plain_request, in_plain);
        struct plain_link *link = request->link;
        struct plain_packet packet = {.kind = message->kind, .id = request->id};
        if (request->channel != message->channel || request->serial != message->serial)
            continue;
        drop(request);
        if (!link || link->closing || link->shut || link->channel->shape == KN_DATAGRAM)
            return 0;
        if (link->channel->shape != KN_EXCHANGE && plain_say(link, &packet, NULL) == 0)
            return 0;
        plain_close(link);
        return 0;
    }
    return 0;
}

/* ---------------------------------------------------------------- answers */

static const struct koine_type *answer_type(const struct plain_request *request)
{
    if (request->kind == KN_MESSAGE_DESCRIBE)
        return kn_interface_type();
    if (request->kind == KN_MESSAGE_SET || request->kind == KN_MESSAGE_SUBSCRIBE)
        return NULL;
    return kn_feature_out(request->interface, request->member);
}

static void deliver_event(struct plain_link *link, struct plain_request *request,
                          const struct plain_packet *packet)
{
    struct kn_message message = {.kind = KN_MESSAGE_EVENT,
                                 .member = request->member,
                                 .serial = request->serial,
                                 .lost = packet->member,
                                 .channel = request->channel,
                                 .interface = request->interface};
    if (!request->subscribed ||
        plain_raise(&message.body, &link->plain->arena,
                    kn_feature_in(request->interface, request->member), packet->body))
        return;
    (void)request->channel->host->deliver(&message);
}

static struct plain_request *find_answered(struct plain_link *link, uint64_t id)
{
    KN_LIST_EACH(at, &link->plain->asked)
    {
        struct plain_request *request = KN_LIST_ENTRY(at, struct plain_request, in_plain);
        if (request->link == link && (request->id == id || link->plain->bug == PLAIN_ORDER))
            return request;
    }
    return NULL;
}

int plain_answered(struct plain_link *link, const struct plain_packet *packet)
{
    struct plain_request *request = find_answered(link, packet->id);
    struct kn_arena *arena = &link->plain->arena;
    struct koine_fault fault;
    int rc = 0;
    if (!request)
        return 0;
    if (packet->kind == KN_MESSAGE_EVENT) {
        deliver_event(link, request, packet);
        return 0;
    }
    struct kn_message message = {.kind = packet->kind,
                                 .member = request->member,
                                 .serial = request->serial,
                                 .channel = request->channel,
                                 .interface = request->interface};
    if (packet->kind == KN_MESSAGE_FAULT) {
        rc = plain_raise_fault(&fault, arena, request, packet->body);
        message.fault = &fault;
    } else if (request->subscribed) {
        return 0;
    } else {
        rc = plain_raise(&message.body, arena, answer_type(request), packet->body);
    }
    if (rc) {
        fail(request, rc, KOINE_COMPLETED_MAYBE);
        return 0;
    }
    request->subscribed = request->kind == KN_MESSAGE_SUBSCRIBE && packet->kind == KN_MESSAGE_REPLY;
    (void)request->channel->host->deliver(&message);
    if (!request->subscribed)
        drop(request);
    return 0;
}

/* What may be asked twice takes the next connection; the rest ends here. */
void plain_asked_gone(struct plain_link *link)
{
    struct plain *plain = link->plain;
    KN_LIST_EACH(at, &plain->asked)
    {
        struct plain_request *request = KN_LIST_ENTRY(at, struct plain_request, in_plain);
        if (request->link != link)
            continue;
        bool again = request->flags & KN_MESSAGE_IDEMPOTENT && !request->subscribed &&
                     !plain->exchanges && !plain->datagrams;
        if ((request->channel == link->channel && !link->ended) || plain->bug == PLAIN_DEATH)
            drop(request);
        else if (again && request->channel != link->channel)
            request->link = NULL;
        else
            fail(request, KOINE_EDOWN, KOINE_COMPLETED_MAYBE);
    }
}
