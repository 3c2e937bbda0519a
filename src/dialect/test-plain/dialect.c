/* SPDX-License-Identifier: MIT */
#include "dialect/test-plain/plain.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIND = 1, SECOND = 2, FILLED = 3 }; /* cookies of home, and of no request */

/* ---------------------------------------------------------------- packets */

int plain_say(struct plain_link *link, const struct plain_packet *packet,
              const struct kn_address *to)
{
    const struct kn_host *host = link->channel->host;
    enum kn_shape shape = link->channel->shape;
    size_t frame = shape == KN_STREAM ? 0 : sizeof(uint32_t), length = plain_size(packet);
    char *octets = kn_arena_alloc(&link->plain->arena, length);
    if (!octets)
        return KOINE_ENOMEM;
    plain_write(octets, packet);
    struct kn_str all = {octets + frame, length - frame};
    if (shape == KN_STREAM || shape == KN_PACKET)
        return kn_outbox_write(&link->outbox, all);
    int rc = shape == KN_DATAGRAM && to ? host->write_to(link->channel, to, all)
                                        : host->write(link->channel, all);
    return rc == KOINE_EFULL ? 0 : rc;
}

static int ready(struct plain_link *link)
{
    link->ready = true;
    return plain_ask_waiting(link->plain);
}

/* The answer to a leg of the proof. */
static int prove(struct plain_link *link, const struct plain_packet *packet)
{
    struct plain_packet next = {.kind = PLAIN_ASK,
                                .member = KN_ASK_AUTH,
                                .id = ++link->plain->id,
                                .service = KN_STR("SIM"),
                                .body = packet ? packet->body : KN_STR("hello")};
    if (link->ready)
        return KOINE_EPROTOCOL;
    if (packet && packet->member)
        return KOINE_EPERM;
    return packet && packet->flags ? ready(link) : plain_say(link, &next, NULL);
}

static int take(struct plain_link *link, const struct kn_input *input, struct kn_str octets)
{
    struct plain_packet packet;
    if (!plain_read(&packet, octets))
        return KOINE_EPROTOCOL;
    kn_arena_reset(&link->plain->arena);
    if (packet.kind == PLAIN_ANSWER)
        return prove(link, &packet);
    if (packet.kind == KN_MESSAGE_REPLY || packet.kind == KN_MESSAGE_FAULT ||
        packet.kind == KN_MESSAGE_EVENT)
        return plain_answered(link, &packet);
    return plain_asked(link, input, &packet, octets);
}

/* ---------------------------------------------------------------- input */

/* The rest of a large packet goes straight to where it is wanted. */
static int fill(struct plain_link *link, struct kn_str view, size_t length)
{
    const struct kn_host *host = link->channel->host;
    link->packet = host->alloc(link->channel, sizeof length + length);
    if (!link->packet)
        return KOINE_ENOMEM;
    memcpy(link->packet, &length, sizeof length);
    memcpy(link->packet + sizeof length, view.ptr, view.length);
    int rc = host->fill(link->channel, link->packet + sizeof length + view.length,
                        length - view.length, FILLED);
    kn_held_drop(&link->held, kn_held_view(&link->held).length);
    return rc;
}

static int filled(struct plain_link *link)
{
    size_t length;
    char *packet = link->packet;
    memcpy(&length, packet, sizeof length);
    link->packet = NULL;
    int rc = take(link, NULL, (struct kn_str){packet + sizeof length, length});
    link->channel->host->free(link->channel, packet);
    return rc;
}

static int take_stream(struct plain_link *link, const struct kn_input *input)
{
    uint32_t length;
    int rc = link->closing ? 0 : kn_held_add(&link->held, input->data);
    while (!rc && !link->closing) {
        struct kn_str view = kn_held_view(&link->held);
        if (view.length < sizeof length)
            break;
        memcpy(&length, view.ptr, sizeof length);
        if (length > PLAIN_PACKET_MAX)
            return KOINE_EPROTOCOL;
        view = (struct kn_str){view.ptr + sizeof length, view.length - sizeof length};
        if (view.length < length && length >= PLAIN_FILL_MIN && view.length && !input->end)
            return fill(link, view, length);
        if (view.length < length)
            break;
        rc = take(link, input, (struct kn_str){view.ptr, length});
        kn_held_drop(&link->held, sizeof length + length);
    }
    return rc;
}

static int feed(struct kn_channel *channel, const struct kn_input *input)
{
    struct plain_link *link = channel->self;
    int rc = 0;
    if (!link)
        return KOINE_EPROTOCOL;
    if (channel->shape == KN_STREAM)
        rc = take_stream(link, input);
    else if (input->status != 204 && (input->data.length || channel->shape == KN_DATAGRAM))
        rc = take(link, input, input->data);
    if (!rc && input->end && channel->shape != KN_EXCHANGE) {
        link->ended = true;
        if (link->plain->link == link)
            link->plain->link = NULL;
        plain_asked_gone(link);
        rc = plain_ask_waiting(link->plain);
    }
    if (rc == KOINE_EPROTOCOL && channel->shape == KN_DATAGRAM)
        return 0; /* a stray one harms nobody */
    plain_settle(link);
    return rc;
}

/* ---------------------------------------------------------------- channels */

static int advertise(struct plain *plain, const struct kn_channel *channel)
{
    char place[64];
    struct kn_answer now;
    int length = snprintf(place, sizeof place, "tcp://127.0.0.1:%u", channel->local.port);
    struct kn_question question = {
        .kind = KN_ASK_ADVERTISE, .name = plain->name, .data = {place, (size_t)length}};
    if (!plain->name.length || channel->cookie)
        return 0;
    int rc = channel->host->ask(&now, plain->base.home, &question, FIND);
    return rc < 0 ? rc : 0;
}

static int open_link(struct plain *plain, struct kn_channel *channel)
{
    channel->self = NULL;
    if (channel->shape == KN_LISTENER)
        return advertise(plain, channel);
    struct plain_link *link = channel->host->alloc(channel, sizeof *link);
    if (!link)
        return KOINE_ENOMEM;
    *link = (struct plain_link){.channel = channel, .plain = plain};
    kn_outbox_init(&link->outbox, channel);
    kn_held_init(&link->held, channel, PLAIN_PACKET_MAX + sizeof(uint32_t) + (64 << 10));
    kn_list_init(&link->served);
    channel->self = link;
    if (plain->role != KN_REACH)
        return 0;
    if (plain->exchanges)
        return plain_exchange(link, channel->cookie);
    plain->connecting = false;
    plain->refused = 0;
    plain->link = link;
    return plain->auth && !plain->datagrams ? prove(link, NULL) : ready(link);
}

static int close_link(struct plain *plain, struct kn_channel *channel)
{
    struct plain_link *link = channel->self;
    if (!link && plain->role == KN_REACH)
        return plain_refused(plain, channel->cookie);
    if (!link)
        return 0;
    if (plain->link == link)
        plain->link = NULL;
    link->closing = true;
    while (!kn_list_empty(&link->served))
        plain_served_free(link, KN_LIST_ENTRY(link->served.next, struct plain_served, in_link));
    link->ended = false;
    plain_asked_gone(link);
    kn_outbox_deinit(&link->outbox);
    kn_held_deinit(&link->held);
    channel->host->free(channel, link->packet);
    channel->host->free(channel, link);
    channel->self = NULL;
    int rc = plain->role == KN_REACH ? plain_ask_waiting(plain) : 0;
    if (rc)
        plain_fail_waiting(plain, rc);
    return 0;
}

static int writable(struct kn_channel *channel)
{
    struct plain_link *link = channel->self;
    if (!link || link->shut)
        return 0;
    int rc = kn_outbox_writable(&link->outbox);
    plain_shut(link);
    if (!rc && link->plain->role == KN_REACH)
        rc = plain_ask_waiting(link->plain);
    plain_settle(link);
    return rc;
}

static int change(struct kn_channel *channel, enum kn_change what)
{
    struct plain *plain = (struct plain *)channel->endpoint;
    kn_arena_reset(&plain->arena);
    switch (what) {
    case KN_OPENED:
        return open_link(plain, channel);
    case KN_REFUSED:
        return plain->role == KN_REACH ? plain_refused(plain, channel->cookie) : 0;
    case KN_WRITABLE:
        return writable(channel);
    case KN_CLOSED:
        return close_link(plain, channel);
    }
    return 0;
}

/* ---------------------------------------------------------------- messages */

static int send_to(struct kn_endpoint *endpoint, const struct kn_message *message)
{
    struct plain *plain = (struct plain *)endpoint;
    struct plain_link *link = message->channel->self;
    int rc;
    kn_arena_reset(&plain->arena);
    switch (message->kind) {
    case KN_MESSAGE_REPLY:
    case KN_MESSAGE_FAULT:
    case KN_MESSAGE_EVENT:
        rc = link ? plain_reply(link, message) : 0;
        break;
    case KN_MESSAGE_CANCEL:
    case KN_MESSAGE_UNSUBSCRIBE:
        rc = plain_stop_asking(plain, message);
        break;
    case KN_MESSAGE_CALL:
    case KN_MESSAGE_GET:
    case KN_MESSAGE_SET:
    case KN_MESSAGE_DESCRIBE:
    case KN_MESSAGE_SUBSCRIBE:
        return plain_ask(plain, message);
    default:
        return KOINE_EUNSUPPORTED;
    }
    if (!rc && link && message->kind != KN_MESSAGE_EVENT)
        rc = plain_serve_all(link);
    if (!rc && link)
        plain_settle(link);
    return rc;
}

static int wake_link(struct plain_link *link, uint64_t cookie, const struct kn_answer *answer)
{
    struct plain_served *served;
    int rc = 0;
    if (answer->kind == KN_FILLED) {
        rc = filled(link);
    } else if ((served = plain_served_find(link, cookie))) {
        if (answer->kind == KN_TIMER)
            plain_served_free(link, served);
        else
            rc = plain_serve(link, served, answer);
    }
    plain_settle(link);
    return rc;
}

static int wake(struct kn_endpoint *endpoint, uint64_t cookie, const struct kn_answer *answer)
{
    struct plain *plain = (struct plain *)endpoint;
    struct plain_link *link = answer->channel->self;
    kn_arena_reset(&plain->arena);
    if (answer->channel != endpoint->home)
        return link ? wake_link(link, cookie, answer) : 0;
    if (answer->kind == KN_ASK_RESOLVE)
        return plain_connect_to(plain, answer);
    return answer->kind == KN_TIMER ? plain_again(plain, cookie) : 0;
}

/* ---------------------------------------------------------------- endpoint */

static void read_options(struct plain *plain, const struct kn_options *options)
{
    static const char *const bugs[] = {"right", "lost", "twice", "order", "half", "timer", "death"};
    for (size_t i = 0; i < options->count; i++) {
        const char *key = options->all[i].key, *value = options->all[i].value;
        if (!strcmp(key, "turn"))
            plain->turn = (unsigned)atoi(value);
        if (!strcmp(key, "auth"))
            plain->auth = !strcmp(value, "yes");
        if (!strcmp(key, "find"))
            plain->find = kn_str(value);
        if (!strcmp(key, "name"))
            plain->name = kn_str(value);
        if (!strcmp(key, "second"))
            plain->second = kn_str(value);
        for (int bug = 0; !strcmp(key, "bug") && bug < PLAIN_BUGS; bug++)
            if (!strcmp(bugs[bug], value))
                plain->bug = (enum plain_bug)bug;
    }
}

static int start(struct kn_endpoint **endpointp, struct kn_channel *home,
                 const struct kn_options *options)
{
    uint32_t first;
    struct plain *plain = home->host->alloc(home, sizeof *plain);
    if (!plain)
        return KOINE_ENOMEM;
    *plain = (struct plain){.role = options->role,
                            .target = options->target,
                            .exchanges = !strcmp(options->transport, "http"),
                            .datagrams = !strcmp(options->transport, "udp")};
    kn_endpoint_init(&plain->base, &kn_dialect_test_plain, home);
    kn_arena_init(&plain->arena, 0);
    kn_list_init(&plain->asked);
    home->host->random(home, &first, sizeof first);
    plain->id = (UINT64_C(1) << 32) + first;
    read_options(plain, options);
    int rc = 0;
    if (plain->role == KN_SERVE && plain->second.length)
        rc = home->host->listen(home, plain->second, SECOND);
    if (rc)
        home->host->free(home, plain);
    else
        *endpointp = &plain->base;
    return rc;
}

static void stop(struct kn_endpoint *endpoint)
{
    struct plain *plain = (struct plain *)endpoint;
    KN_LIST_EACH(at, &plain->asked)
    {
        kn_list_unlink(at);
        endpoint->home->host->free(endpoint->home,
                                   KN_LIST_ENTRY(at, struct plain_request, in_plain));
    }
    kn_arena_deinit(&plain->arena);
    endpoint->home->host->free(endpoint->home, plain);
}

static void address(struct kn_buffer *to, struct kn_str service,
                    const struct koine_interface *interface, uint32_t member)
{
    (void)interface;
    kn_buffer_str(to, service);
    kn_buffer_print(to, " %u", member);
}

static const char *const transports[] = {"tcp", "unix", "packet", "udp", "http", NULL};
static const char *const options[] = {"turn", "auth", "find", "name", "second", "bug", NULL};

static const struct kn_identity identity = {
    .name = "test-plain",
    .title = "Test dialect",
    .spec = "src/dialect/test-plain/plain.h",
    .carries = KN_CARRIES_ATTRIBUTES | KN_CARRIES_EVENTS,
    .transports = transports,
    .reaches = transports,
    .exchange_methods = "POST",
    .exchange_type = "application/octet-stream",
    .options = options,
    .address = address,
};

const struct kn_dialect kn_dialect_test_plain = {
    .identity = &identity,
    .start = start,
    .stop = stop,
    .channel = change,
    .feed = feed,
    .send = send_to,
    .wake = wake,
};
