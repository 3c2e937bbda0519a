/* SPDX-License-Identifier: MIT */
#include "dialect/jsonrpc/server.h"

#include "dialect/companion.h"
#include "dialect/fault.h"
#include "value/types.h"
#include "value/why.h"

#include <stdlib.h>

/* ---------------------------------------------------------------- one request */

struct call {
    struct jsonrpc_request request;
    struct koine_why why;
    int code; /* of the error that stopped it */
    const struct koine_interface *interface;
    uint8_t kind;
    uint32_t member;
    struct kn_body body;
};

static int find_interface(struct jsonrpc_channel *ch, struct call *call)
{
    struct kn_str name = call->request.service;
    struct kn_question question = {.kind = KN_ASK_INTERFACE, .name = name};
    struct kn_answer answer = {.error = KOINE_EAGAIN};
    int there = 1;
    if (!name.length) {
        call->code = JSONRPC_METHOD_NOT_FOUND;
        return kn_refuse(&call->why, KOINE_ENOENT, NULL,
                         "a method is the name of a service, a dot and a member");
    }
    if (ch->answer)
        answer = *ch->answer;
    else
        there = ch->channel->host->ask(&answer, ch->channel, &question, ++ch->cookie);
    ch->answer = NULL;
    ch->asking = there == 0;
    if (there == 0)
        return KOINE_EAGAIN;
    int rc = there < 0 ? there : answer.error;
    call->interface = answer.interface;
    call->code =
        rc == KOINE_ENOENT || rc == KOINE_EINVAL ? JSONRPC_METHOD_NOT_FOUND : JSONRPC_SERVER_ERROR;
    if (rc)
        return kn_refuse(&call->why, rc, NULL, "service '%.*s': %s", (int)name.length, name.ptr,
                         rc == KOINE_EINVAL ? "not a name"
                         : answer.why       ? answer.why
                                            : koine_strerror(rc));
    return 0;
}

static int find_member(struct call *call)
{
    call->code = JSONRPC_METHOD_NOT_FOUND;
    return kn_companion_find(&call->kind, &call->member, call->interface, call->request.member,
                             &call->why);
}

static int read_arguments(struct jsonrpc_channel *ch, struct call *call)
{
    void *value;
    const struct koine_type *type = kn_feature_in(call->interface, call->member);
    int rc = jsonrpc_read_arguments(&value, &ch->endpoint->arena, call->kind, type,
                                    call->request.params, &call->why);
    call->code = rc == KOINE_ENOMEM ? JSONRPC_SERVER_ERROR : JSONRPC_INVALID_PARAMS;
    if (!rc && call->kind != KN_MESSAGE_GET)
        call->body = (struct kn_body){type, value};
    return rc;
}

static int deliver(struct jsonrpc_channel *ch, struct call *call)
{
    const struct koine_feature *feature = &call->interface->features.ptr[call->member];
    bool oneway = call->kind == KN_MESSAGE_CALL && (feature->flags & KOINE_ONEWAY);
    struct kn_str id = call->request.id;
    struct jsonrpc_pending *pending = NULL;
    struct kn_message message = {.kind = call->kind,
                                 .flags = oneway ? KN_MESSAGE_ONEWAY : 0,
                                 .member = call->member,
                                 .serial = ++ch->serial,
                                 .channel = ch->channel,
                                 .service = call->request.service,
                                 .interface = call->interface,
                                 .body = call->body};
    call->code = JSONRPC_SERVER_ERROR;
    if (!oneway && id.ptr && !(pending = jsonrpc_pending_new(ch, call->kind, id)))
        return kn_refuse(&call->why, KOINE_ENOMEM, NULL, "no room for the request");
    int rc = ch->channel->host->deliver(&message);
    if (rc) {
        jsonrpc_pending_free(ch, pending);
        ch->full = rc == KOINE_EFULL && ch->waiting;
        return kn_refuse(&call->why, rc, NULL, "%s", koine_strerror(rc));
    }
    ch->waiting += !oneway;
    if (pending) {
        pending->serial = message.serial;
        jsonrpc_pending_place(ch, pending);
    }
    return oneway && id.ptr ? jsonrpc_answer_now(ch, id, 0, NULL) : 0;
}

static int refuse(struct jsonrpc_channel *ch, const struct call *call, int error)
{
    struct koine_fault fault = kn_fault_of(error, call->why.text[0] ? call->why.text : NULL);
    if (!call->request.id.ptr)
        return 0;
    return jsonrpc_answer_now(ch, call->request.id, call->code, &fault);
}

/* 1: done with it, whatever came of it. 0: it has to wait, and everything behind it. */
static int serve(struct jsonrpc_channel *ch, struct kn_str text)
{
    struct call call = {.why = {""}};
    struct kn_arena *arena = &ch->endpoint->arena;
    kn_arena_reset(arena);
    int rc = jsonrpc_read_request(&call.request, text, arena, &call.why);
    call.code = rc == KOINE_ENOMEM  ? JSONRPC_SERVER_ERROR
                : rc == KOINE_EDATA ? JSONRPC_INVALID_REQUEST
                                    : JSONRPC_PARSE_ERROR;
    if (!rc)
        rc = find_interface(ch, &call);
    if (!rc)
        rc = find_member(&call);
    if (!rc)
        rc = read_arguments(ch, &call);
    if (!rc)
        rc = deliver(ch, &call);
    if (ch->asking || ch->full)
        return 0;
    if (rc)
        rc = refuse(ch, &call, rc);
    return rc ? rc : 1;
}

/* ---------------------------------------------------------------- texts */

static void take(struct jsonrpc_channel *ch, struct kn_str *input, size_t length)
{
    input->ptr += length;
    input->length -= length;
    ch->searched = 0;
}

static int complain(struct jsonrpc_channel *ch, int code, int error, const char *what)
{
    struct koine_fault fault = kn_fault_of(error, what);
    return jsonrpc_answer_now(ch, KN_STR("null"), code, &fault);
}

/* What follows cannot be told apart any more: what waits is still answered, and nothing else read. */
static int give_up(struct jsonrpc_channel *ch, struct kn_str *input, int code, int error,
                   const char *what)
{
    ch->ended = true;
    ch->taken = ch->channel->shape == KN_EXCHANGE;
    take(ch, input, input->length);
    int rc = complain(ch, code, error, what);
    return !rc && ch->batch && !kn_held_view(&ch->held).length ? jsonrpc_batch_read(ch) : rc;
}

static bool is_blank(struct kn_str text)
{
    while (text.length && strchr(" \t\r\n", text.ptr[0] ? text.ptr[0] : 'x')) {
        text.ptr++;
        text.length--;
    }
    return !text.length;
}

/* 1: *textp is the next text and *usedp what it takes of the input; 0: it is not all there. */
static int find_text(struct jsonrpc_channel *ch, struct kn_str *textp, size_t *usedp,
                     struct kn_str input)
{
    const char *line = NULL;
    if (ch->channel->shape == KN_STREAM && input.length > ch->searched)
        line = memchr(input.ptr + ch->searched, '\n', input.length - ch->searched);
    if (!line)
        ch->searched = input.length;
    if (!line && !ch->ended)
        return 0;
    *textp = (struct kn_str){input.ptr, line ? (size_t)(line - input.ptr) : input.length};
    *usedp = textp->length + (line != NULL);
    return line || input.length || ch->channel->shape == KN_EXCHANGE;
}

static int begin_batch(struct jsonrpc_channel *ch, struct kn_str *input, struct kn_str text,
                       size_t used)
{
    struct koine_why why = {""};
    size_t count = 0;
    int rc = jsonrpc_count(&count, text, &why);
    if (!rc && count && count <= JSONRPC_BATCH_MAX) {
        rc = jsonrpc_batch_open(ch);
        if (!rc) {
            ch->begun = false;
            take(ch, input, (size_t)((const char *)memchr(text.ptr, '[', used) - text.ptr) + 1);
            return 1;
        }
    }
    take(ch, input, used);
    if (rc == KOINE_ENOMEM)
        rc = complain(ch, JSONRPC_SERVER_ERROR, rc, "no room for the batch");
    else if (rc)
        rc = complain(ch, JSONRPC_PARSE_ERROR, rc, why.text);
    else
        rc = complain(ch, JSONRPC_INVALID_REQUEST, KOINE_EDATA,
                      count ? "too many requests in a batch" : "an empty batch");
    return rc ? rc : 1;
}

/* 1: there was one; 0: nothing can be done now. */
static int next_text(struct jsonrpc_channel *ch, struct kn_str *input)
{
    struct kn_str text = {"", 0};
    struct kn_json json;
    size_t used = 0;
    int rc = ch->taken ? 0 : find_text(ch, &text, &used, *input);
    if (input->length > JSONRPC_TEXT_MAX && (!rc || text.length > JSONRPC_TEXT_MAX))
        return give_up(ch, input, JSONRPC_INVALID_REQUEST, KOINE_ETOOBIG, "the text is too long");
    if (!rc)
        return 0;
    kn_json_init(&json, text, NULL);
    if (ch->channel->shape == KN_EXCHANGE)
        ch->taken = true;
    else if (is_blank(text)) {
        take(ch, input, used);
        return 1;
    }
    if (kn_json_peek(&json) == '[')
        return begin_batch(ch, input, text, used);
    rc = serve(ch, text);
    if (rc == 0)
        ch->taken = false;
    else
        take(ch, input, used);
    return rc;
}

/* The array was checked to its end when it began. */
static int next_of_batch(struct jsonrpc_channel *ch, struct kn_str *input)
{
    struct kn_json json;
    struct kn_str text;
    int first = !ch->begun;
    kn_json_init(&json, *input, NULL);
    int rc = kn_json_more(&json, '[', &first);
    if (rc == 0) {
        take(ch, input, ch->taken ? input->length : (size_t)(json.at - json.start));
        rc = jsonrpc_batch_read(ch);
        return rc ? rc : 1;
    }
    if (rc > 0)
        rc = kn_json_skip(&text, &json);
    if (!rc && (rc = serve(ch, text)) != 0) {
        take(ch, input, (size_t)(json.at - json.start));
        ch->begun = true;
    }
    return rc;
}

/* ---------------------------------------------------------------- the channel */

static bool is_blocked(const struct jsonrpc_channel *ch)
{
    return ch->asking || ch->full || ch->outbox.full || ch->waiting >= JSONRPC_WAITING_MAX;
}

/* Work space that one large request left behind. */
static void tidy(struct jsonrpc_endpoint *endpoint)
{
    if (endpoint->arena.used > JSONRPC_KEPT_MAX)
        kn_arena_deinit(&endpoint->arena);
    if (endpoint->out.room > JSONRPC_KEPT_MAX)
        kn_buffer_deinit(&endpoint->out);
}

static int work(struct jsonrpc_channel *ch, struct kn_str *input)
{
    int rc = 1;
    while (rc > 0 && !is_blocked(ch)) {
        rc = ch->batch ? next_of_batch(ch, input) : next_text(ch, input);
        tidy(ch->endpoint);
    }
    return rc < 0 ? rc : 0;
}

/* Says what is wanted now: input, no input, or the end. */
static void settle(struct jsonrpc_channel *ch)
{
    const struct kn_host *host = ch->channel->host;
    bool busy = is_blocked(ch) || ch->batch;
    if (ch->closing)
        return;
    if (ch->ended && !busy && !ch->waiting && !kn_held_view(&ch->held).length &&
        kn_outbox_idle(&ch->outbox)) {
        ch->closing = true;
        host->close(ch->channel);
    } else if (ch->stopped != (busy && !ch->ended)) {
        ch->stopped = !ch->stopped;
        host->flow(ch->channel, !ch->stopped);
    }
}

static int work_held(struct jsonrpc_channel *ch)
{
    struct kn_str view = kn_held_view(&ch->held);
    size_t length = view.length;
    int rc = work(ch, &view);
    kn_held_drop(&ch->held, length - view.length);
    if (!rc)
        settle(ch);
    return rc;
}

int jsonrpc_feed(struct kn_channel *channel, const struct kn_input *input)
{
    struct jsonrpc_channel *ch = channel->self;
    struct kn_str data = input->data.length ? input->data : KN_STR("");
    int rc = 0;
    if (ch->ended)
        return 0;
    ch->ended = input->end || channel->shape == KN_EXCHANGE;
    if (!kn_held_view(&ch->held).length)
        rc = work(ch, &data);
    if (!rc && kn_held_add(&ch->held, data))
        rc = give_up(ch, &data, JSONRPC_SERVER_ERROR, KOINE_ENOMEM, "no room for the text");
    return rc ? rc : work_held(ch);
}

int jsonrpc_send(struct kn_endpoint *endpoint, const struct kn_message *message)
{
    struct jsonrpc_channel *ch = message->channel->self;
    (void)endpoint;
    if (message->kind != KN_MESSAGE_REPLY && message->kind != KN_MESSAGE_FAULT)
        return KOINE_EUNSUPPORTED;
    if (!ch)
        return 0;
    struct jsonrpc_pending *pending = jsonrpc_pending_find(ch, message->serial);
    ch->waiting -= ch->waiting > 0;
    ch->full = false;
    int rc = pending ? jsonrpc_answer(ch, pending, message) : 0;
    tidy(ch->endpoint);
    return rc ? rc : work_held(ch);
}

int jsonrpc_wake(struct kn_endpoint *endpoint, uint64_t cookie, const struct kn_answer *answer)
{
    struct jsonrpc_channel *ch = answer->channel->self;
    (void)endpoint;
    if (!ch || !ch->asking || cookie != ch->cookie)
        return 0;
    ch->asking = false;
    ch->answer = answer;
    int rc = work_held(ch);
    ch->answer = NULL;
    return rc;
}

static int open_channel(struct kn_channel *channel)
{
    struct jsonrpc_channel *ch = channel->host->alloc(channel, sizeof *ch);
    channel->self = NULL;
    if (!ch)
        return KOINE_ENOMEM;
    *ch = (struct jsonrpc_channel){.channel = channel,
                                   .endpoint = (struct jsonrpc_endpoint *)channel->endpoint};
    kn_outbox_init(&ch->outbox, channel);
    kn_held_init(&ch->held, channel, 2 * (size_t)JSONRPC_TEXT_MAX);
    kn_list_init(&ch->pending);
    kn_list_init(&ch->batches);
    channel->self = ch;
    return 0;
}

static void close_channel(struct kn_channel *channel)
{
    struct jsonrpc_channel *ch = channel->self;
    if (!ch)
        return;
    jsonrpc_forget(ch);
    kn_outbox_deinit(&ch->outbox);
    kn_held_deinit(&ch->held);
    channel->host->free(channel, ch);
    channel->self = NULL;
}

int jsonrpc_change(struct kn_channel *channel, enum kn_change change)
{
    struct jsonrpc_channel *ch = channel->self;
    if (change == KN_OPENED)
        return open_channel(channel);
    if (change == KN_CLOSED)
        close_channel(channel);
    if (change != KN_WRITABLE || !ch)
        return 0;
    int rc = kn_outbox_writable(&ch->outbox);
    return rc ? rc : work_held(ch);
}

int jsonrpc_start(struct kn_endpoint **endpointp, struct kn_channel *home,
                  const struct kn_options *options)
{
    if (options->role != KN_SERVE)
        return KOINE_EUNSUPPORTED;
    struct jsonrpc_endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (!endpoint)
        return KOINE_ENOMEM;
    kn_endpoint_init(&endpoint->base, &kn_dialect_jsonrpc, home);
    kn_arena_init(&endpoint->arena, JSONRPC_VALUE_MAX);
    kn_buffer_init(&endpoint->out, JSONRPC_ANSWER_MAX);
    *endpointp = &endpoint->base;
    return 0;
}

void jsonrpc_stop(struct kn_endpoint *base)
{
    struct jsonrpc_endpoint *endpoint = (struct jsonrpc_endpoint *)base;
    kn_arena_deinit(&endpoint->arena);
    kn_buffer_deinit(&endpoint->out);
    free(endpoint);
}
