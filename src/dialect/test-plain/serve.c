/* SPDX-License-Identifier: MIT */
#include "dialect/test-plain/plain.h"

#include "dialect/fault.h"
#include "value/types.h"

enum { STOP_AT = 16 }; /* requests of a channel: no more are read */

static const struct kn_host *host(const struct plain_link *link)
{
    return link->channel->host;
}

static bool is_datagram(const struct plain_link *link)
{
    return link->channel->shape == KN_DATAGRAM;
}

struct plain_served *plain_served_find(struct plain_link *link, uint64_t serial)
{
    KN_LIST_EACH(at, &link->served)
    {
        struct plain_served *served = KN_LIST_ENTRY(at, struct plain_served, in_link);
        if (served->serial == serial)
            return served;
    }
    return NULL;
}

static bool is_same(const struct kn_address *a, const struct kn_address *b)
{
    return a->family == b->family && a->port == b->port && !memcmp(a->octets, b->octets, 16);
}

static struct plain_served *find_id(struct plain_link *link, uint64_t id,
                                    const struct kn_address *from)
{
    KN_LIST_EACH(at, &link->served)
    {
        struct plain_served *served = KN_LIST_ENTRY(at, struct plain_served, in_link);
        if (served->id == id && (!is_datagram(link) || is_same(&served->from, from)))
            return served;
    }
    return NULL;
}

void plain_served_free(struct plain_link *link, struct plain_served *served)
{
    if (is_datagram(link))
        (void)host(link)->timer(link->channel, served->serial, KOINE_FOREVER);
    kn_list_unlink(&served->in_link);
    link->served_count--;
    host(link)->free(link->channel, served->answer);
    host(link)->free(link->channel, served);
}

/* The host forgets it too. */
static void cancel(struct plain_link *link, struct plain_served *served)
{
    struct kn_message message = {.kind = served->state == PLAIN_DELIVERED ? KN_MESSAGE_CANCEL
                                                                          : KN_MESSAGE_UNSUBSCRIBE,
                                 .member = served->member,
                                 .serial = served->serial,
                                 .channel = link->channel,
                                 .interface = served->interface};
    if (served->state == PLAIN_DELIVERED || served->state == PLAIN_SUBSCRIBED)
        (void)host(link)->deliver(&message);
    plain_served_free(link, served);
}

void plain_close(struct plain_link *link)
{
    if (link->closing)
        return;
    link->closing = true;
    while (!kn_list_empty(&link->served))
        cancel(link, KN_LIST_ENTRY(link->served.next, struct plain_served, in_link));
    host(link)->close(link->channel);
}

/* ---------------------------------------------------------------- answers */

/* Nothing more is to be done; over datagrams the answer stays for whoever asks again. */
static int done(struct plain_link *link, struct plain_served *served,
                const struct plain_packet *packet)
{
    size_t length = packet ? plain_size(packet) : 0;
    served->state = PLAIN_DONE;
    if (!is_datagram(link)) {
        plain_served_free(link, served);
        return 0;
    }
    served->answer = packet ? host(link)->alloc(link->channel, length) : NULL;
    if (served->answer)
        plain_write(served->answer, packet);
    served->answer_length = served->answer ? length : 0;
    int64_t when = host(link)->now(link->channel) + PLAIN_KEEP;
    if (host(link)->timer(link->channel, served->serial, when))
        plain_served_free(link, served);
    return 0;
}

static int answer(struct plain_link *link, struct plain_served *served, struct plain_packet *packet)
{
    packet->id = served->id;
    int rc = plain_say(link, packet, &served->from);
    if (!rc)
        rc = done(link, served, packet);
    if (!rc && link->channel->shape == KN_EXCHANGE)
        plain_close(link);
    return rc;
}

static int refuse(struct plain_link *link, struct plain_served *served, int error)
{
    struct koine_fault fault = kn_fault_of(error, NULL);
    struct plain_packet packet = {.kind = KN_MESSAGE_FAULT};
    int rc = plain_flatten_fault(&packet.body, &link->plain->arena, &fault);
    return rc ? rc : answer(link, served, &packet);
}

int plain_reply(struct plain_link *link, const struct kn_message *message)
{
    struct plain_served *served = plain_served_find(link, message->serial);
    struct plain_packet packet = {.kind = message->kind};
    if (!served || link->closing)
        return 0;
    int rc = message->kind == KN_MESSAGE_FAULT
                 ? plain_flatten_fault(&packet.body, &link->plain->arena, message->fault)
                 : plain_flatten(&packet.body, &link->plain->arena, &message->body);
    if (rc)
        return rc;
    packet.id = served->id;
    packet.member = (uint32_t)message->lost;
    if (message->kind == KN_MESSAGE_EVENT)
        return link->outbox.full ? KOINE_EFULL : plain_say(link, &packet, NULL);
    if (served->kind != KN_MESSAGE_SUBSCRIBE || message->kind == KN_MESSAGE_FAULT)
        return answer(link, served, &packet);
    served->state = PLAIN_SUBSCRIBED;
    return plain_say(link, &packet, NULL);
}

/* ---------------------------------------------------------------- questions of the peer */

static const struct koine_type narrow = {
    .kind = KOINE_KIND_INT32, .size = 4, .align = 4, .flags = KOINE_TYPE_FIXED | KOINE_TYPE_PLAIN};
static const struct koine_type wide = {
    .kind = KOINE_KIND_INT64, .size = 8, .align = 8, .flags = KOINE_TYPE_FIXED | KOINE_TYPE_PLAIN};

/* What the answer is made of: names, a converted number, or what there is. */
static int flatten_answer(struct kn_str *bodyp, struct plain_link *link,
                          const struct kn_answer *there)
{
    struct kn_buffer names;
    *bodyp = there->data;
    if (there->kind == KN_ASK_CONVERT && !there->error)
        *bodyp = (struct kn_str){there->body.value, sizeof(int64_t)};
    if (there->kind == KN_ASK_FIND) {
        kn_buffer_init(&names, 0);
        for (size_t i = 0; i < there->name_count; i++) {
            kn_buffer_str(&names, there->names[i]);
            kn_buffer_char(&names, '\n');
        }
        const char *text =
            kn_arena_text(&link->plain->arena, names.ptr ? names.ptr : "", names.length);
        *bodyp = (struct kn_str){text, names.length};
        kn_buffer_deinit(&names);
        if (!text)
            return KOINE_ENOMEM;
    }
    return 0;
}

static int question(struct plain_link *link, struct plain_served *served,
                    const struct plain_packet *packet, const struct kn_answer *there)
{
    struct kn_question asks = {.kind = (enum kn_question_kind)packet->member,
                               .name = packet->service,
                               .data = packet->body,
                               .type = &wide};
    struct plain_packet back = {.kind = PLAIN_ANSWER};
    struct kn_answer now = {.error = 0};
    int32_t number = 0;
    if (asks.kind < KN_ASK_INTERFACE || asks.kind > KN_ASK_CONVERT)
        return refuse(link, served, KOINE_EMEMBER);
    memcpy(&number, packet->body.ptr, packet->body.length < 4 ? packet->body.length : 4);
    asks.body = (struct kn_body){&narrow, &number};
    if (!there) {
        int rc = host(link)->ask(&now, link->channel, &asks, served->serial);
        served->state = rc == 0 ? PLAIN_ASKING : PLAIN_NEW;
        if (rc <= 0)
            return rc;
        there = &now;
    }
    if (there->done)
        link->channel->caller = there->caller;
    back.flags = there->done;
    back.member = (uint32_t)-there->error;
    int rc = flatten_answer(&back.body, link, there);
    return rc ? rc : answer(link, served, &back);
}

/* ---------------------------------------------------------------- requests */

static const uint8_t sorts[] = {[KN_MESSAGE_CALL] = KOINE_OPERATION,
                                [KN_MESSAGE_GET] = KOINE_ATTRIBUTE,
                                [KN_MESSAGE_SET] = KOINE_ATTRIBUTE};

static int check_member(const struct koine_interface *interface, const struct plain_packet *packet)
{
    if (packet->member >= interface->features.length)
        return KOINE_EMEMBER;
    const struct koine_feature *feature = &interface->features.ptr[packet->member];
    bool fits = packet->kind == KN_MESSAGE_SUBSCRIBE ? feature->sort != KOINE_OPERATION
                                                     : feature->sort == sorts[packet->kind];
    if (packet->kind == KN_MESSAGE_SET && feature->flags & KOINE_READONLY)
        return KOINE_EPERM;
    bool oneway = packet->kind == KN_MESSAGE_CALL && feature->flags & KOINE_ONEWAY;
    return fits && oneway == (packet->flags & KN_MESSAGE_ONEWAY) ? 0 : KOINE_EMEMBER;
}

static int deliver(struct plain_link *link, struct plain_served *served,
                   const struct plain_packet *packet, const struct koine_interface *interface)
{
    struct kn_message message = {.kind = packet->kind,
                                 .flags = packet->flags & KN_MESSAGE_ONEWAY,
                                 .member = packet->member,
                                 .serial = served->serial,
                                 .deadline = KOINE_FOREVER,
                                 .channel = link->channel,
                                 .service = packet->service,
                                 .interface = interface};
    bool whole = packet->kind == KN_MESSAGE_CALL || packet->kind == KN_MESSAGE_SET;
    int rc = interface ? check_member(interface, packet) : 0;
    if (!rc && whole)
        rc = plain_raise(&message.body, &link->plain->arena,
                         kn_feature_in(interface, packet->member), packet->body);
    if (!rc)
        rc = host(link)->deliver(&message);
    served->interface = interface;
    served->state = rc ? PLAIN_NEW : PLAIN_DELIVERED;
    if (rc == KOINE_EFULL)
        return 0;
    if (message.flags & KN_MESSAGE_ONEWAY) {
        rc = done(link, served, NULL);
        if (!rc && link->channel->shape == KN_EXCHANGE)
            plain_close(link);
        return rc;
    }
    return rc ? refuse(link, served, rc) : 0;
}

int plain_serve(struct plain_link *link, struct plain_served *served, const struct kn_answer *there)
{
    struct plain_packet packet;
    struct kn_question asks = {.kind = KN_ASK_INTERFACE};
    struct kn_answer now = {.error = 0};
    (void)plain_read(&packet, (struct kn_str){served->packet, served->length});
    if (packet.kind == PLAIN_ASK)
        return question(link, served, &packet, there);
    if (packet.kind == KN_MESSAGE_DESCRIBE)
        return deliver(link, served, &packet, NULL);
    if (!there) {
        asks.name = packet.service;
        int rc = host(link)->ask(&now, link->channel, &asks, served->serial);
        served->state = rc == 0 ? PLAIN_ASKING : PLAIN_NEW;
        if (rc <= 0)
            return rc;
        there = &now;
    }
    if (there->error)
        return refuse(link, served, there->error);
    return deliver(link, served, &packet, there->interface);
}

int plain_serve_all(struct plain_link *link)
{
    int rc = 0;
    KN_LIST_EACH(at, &link->served)
    {
        struct plain_served *served = KN_LIST_ENTRY(at, struct plain_served, in_link);
        if (served->state == PLAIN_NEW && !rc && !link->closing)
            rc = plain_serve(link, served, NULL);
    }
    return rc;
}

/* ---------------------------------------------------------------- packets */

static int stop_serving(struct plain_link *link, uint64_t id, const struct kn_address *from)
{
    struct plain_served *served = find_id(link, id, from);
    if (!served || served->state == PLAIN_DONE)
        return 0;
    cancel(link, served);
    return plain_serve_all(link); /* there may be room again, and no `send` to come that says so */
}

static int again(struct plain_link *link, const struct plain_served *served)
{
    if (!served->answer_length)
        return 0;
    int rc = host(link)->write_to(link->channel, &served->from,
                                  (struct kn_str){served->answer + sizeof(uint32_t),
                                                  served->answer_length - sizeof(uint32_t)});
    return rc == KOINE_EFULL ? 0 : rc;
}

static int begin(struct plain_link *link, const struct kn_address *from,
                 const struct plain_packet *packet, struct kn_str octets)
{
    if (link->served_count >= PLAIN_SERVED_MAX)
        return is_datagram(link) ? 0 : KOINE_ELIMIT;
    struct plain_served *served = host(link)->alloc(link->channel, sizeof *served + octets.length);
    if (!served)
        return is_datagram(link) ? 0 : KOINE_ENOMEM;
    *served = (struct plain_served){.serial = ++link->serial,
                                    .from = *from,
                                    .id = packet->id,
                                    .member = packet->member,
                                    .kind = packet->kind,
                                    .length = octets.length};
    memcpy(served->packet, octets.ptr, octets.length);
    kn_list_append(&link->served, &served->in_link);
    link->served_count++;
    return plain_serve(link, served, NULL);
}

int plain_asked(struct plain_link *link, const struct kn_input *input,
                const struct plain_packet *packet, struct kn_str octets)
{
    static const struct kn_address nowhere;
    const struct kn_address *from = input ? &input->from : &nowhere;
    if (link->shut || link->closing)
        return 0;
    if (packet->kind == KN_MESSAGE_CANCEL || packet->kind == KN_MESSAGE_UNSUBSCRIBE)
        return stop_serving(link, packet->id, from);
    if (packet->kind == PLAIN_BACK) {
        int rc = host(link)->pass(link->channel, KN_STR("back"), input ? input->fds : NULL,
                                  input ? input->fd_count : 0);
        return rc == KOINE_EFULL ? 0 : rc;
    }
    if (packet->kind != PLAIN_ASK && packet->kind > KN_MESSAGE_SUBSCRIBE)
        return KOINE_EPROTOCOL;
    struct plain_served *served = is_datagram(link) ? find_id(link, packet->id, from) : NULL;
    if (served && link->plain->bug != PLAIN_TWICE)
        return again(link, served);
    return begin(link, from, packet, octets);
}

/* ---------------------------------------------------------------- the state of a link */

static size_t unanswered(const struct plain_link *link)
{
    size_t count = 0;
    KN_LIST_EACH(at, &link->served)
    {
        count += KN_LIST_ENTRY(at, struct plain_served, in_link)->state < PLAIN_SUBSCRIBED;
    }
    return count;
}

void plain_settle(struct plain_link *link)
{
    size_t left = unanswered(link);
    /* Who does not read while he cannot write must be one of the two, never both. */
    bool stop = left >= STOP_AT || (link->outbox.full && link->plain->role == KN_SERVE);
    if (link->closing || link->channel->shape == KN_EXCHANGE || is_datagram(link))
        return;
    bool idle = kn_outbox_idle(&link->outbox);
    plain_shut(link);
    if (link->ended && ((!left && idle) || link->plain->bug == PLAIN_HALF)) {
        plain_close(link);
    } else if (link->stopped != stop) {
        link->stopped = stop;
        host(link)->flow(link->channel, !stop);
    }
}
