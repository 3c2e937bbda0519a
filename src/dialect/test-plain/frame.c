/* SPDX-License-Identifier: MIT
 *
 * A transport for tests: whole messages on a stream, each behind its length. A connection is one channel of
 * the dialect above; in role reach it is made when that wants one.
 */
#include "dialect/test-plain/frame.h"

#include "dialect/fault.h"
#include "dialect/held.h"
#include "dialect/outbox.h"

#include <stdlib.h>

enum { FRAME_MAX = 1 << 20 };

struct frame {
    struct kn_endpoint base;
    struct kn_list lines;
};

struct line {
    struct kn_list in_frame;
    struct kn_channel *channel;
    struct kn_channel *above; /* whose messages are ours: the channel, or in role reach home */
    uint64_t serial;
    struct kn_outbox outbox;
    struct kn_held held;
    bool closing;
};

static int deliver(const struct line *line, uint8_t kind, struct kn_str octets)
{
    struct kn_message message = {
        .kind = kind, .serial = line->serial, .channel = line->above, .octets = octets};
    return line->above->host->deliver(&message);
}

static void close_line(struct line *line)
{
    if (!line->closing)
        line->channel->host->close(line->channel);
    line->closing = true;
}

static int open_line(struct frame *frame, struct kn_channel *channel)
{
    struct kn_channel *home = frame->base.home;
    channel->self = NULL;
    if (channel->shape == KN_LISTENER)
        return 0;
    struct line *line = channel->host->alloc(channel, sizeof *line);
    if (!line)
        return KOINE_ENOMEM;
    /* What came of a wish of ours has its cookie; whoever connects has none. */
    *line = (struct line){.channel = channel,
                          .above = channel->cookie ? home : channel,
                          .serial = channel->cookie ? channel->cookie : 1};
    kn_outbox_init(&line->outbox, channel);
    kn_held_init(&line->held, channel, 2 * FRAME_MAX);
    kn_list_append(&frame->lines, &line->in_frame);
    channel->self = line;
    return deliver(line, channel->cookie ? KN_MESSAGE_REPLY : KN_MESSAGE_OPEN, KN_STR(""));
}

static int refused(struct frame *frame, struct kn_channel *channel)
{
    struct koine_fault fault = kn_fault_of(KOINE_EDOWN, NULL);
    struct kn_message message = {.kind = KN_MESSAGE_FAULT,
                                 .serial = channel->cookie,
                                 .channel = frame->base.home,
                                 .fault = &fault};
    return channel->cookie ? frame->base.home->host->deliver(&message) : 0;
}

static void closed(struct kn_channel *channel)
{
    struct line *line = channel->self;
    if (!line)
        return;
    if (line->above != channel)
        (void)deliver(line, KN_MESSAGE_END, KN_STR(""));
    kn_list_unlink(&line->in_frame);
    kn_outbox_deinit(&line->outbox);
    kn_held_deinit(&line->held);
    channel->host->free(channel, line);
    channel->self = NULL;
}

static int change(struct kn_channel *channel, enum kn_change what)
{
    struct frame *frame = (struct frame *)channel->endpoint;
    struct line *line = channel->self;
    if (what == KN_OPENED)
        return open_line(frame, channel);
    if (what == KN_REFUSED)
        return refused(frame, channel);
    if (what == KN_CLOSED)
        closed(channel);
    return what == KN_WRITABLE && line ? kn_outbox_writable(&line->outbox) : 0;
}

static int feed(struct kn_channel *channel, const struct kn_input *input)
{
    struct line *line = channel->self;
    uint32_t length;
    int rc = line->closing ? 0 : kn_held_add(&line->held, input->data);
    while (!rc && !line->closing) {
        struct kn_str view = kn_held_view(&line->held);
        if (view.length < sizeof length)
            break;
        memcpy(&length, view.ptr, sizeof length);
        if (length > FRAME_MAX)
            return KOINE_EPROTOCOL;
        if (view.length - sizeof length < length)
            break;
        rc = deliver(line, KN_MESSAGE_ITEM, (struct kn_str){view.ptr + sizeof length, length});
        kn_held_drop(&line->held, sizeof length + length);
    }
    if (!rc && input->end && !line->closing) {
        if (line->above == channel)
            rc = deliver(line, KN_MESSAGE_END, KN_STR(""));
        close_line(line);
    }
    return rc;
}

static struct line *find(struct frame *frame, const struct kn_message *message)
{
    KN_LIST_EACH(at, &frame->lines)
    {
        struct line *line = KN_LIST_ENTRY(at, struct line, in_frame);
        if (line->above == message->channel && line->serial == message->serial)
            return line;
    }
    return NULL;
}

static int write_item(struct line *line, struct kn_str octets)
{
    uint32_t length = (uint32_t)octets.length;
    if (line->outbox.full)
        return KOINE_EFULL;
    int rc = kn_outbox_write(&line->outbox, (struct kn_str){(const char *)&length, sizeof length});
    return rc ? rc : kn_outbox_write(&line->outbox, octets);
}

static int send_down(struct kn_endpoint *endpoint, const struct kn_message *message)
{
    struct line *line = find((struct frame *)endpoint, message);
    if (message->kind == KN_MESSAGE_OPEN)
        return endpoint->home->host->connect(endpoint->home, KN_STR(""), message->serial);
    if (message->kind != KN_MESSAGE_ITEM && message->kind != KN_MESSAGE_END)
        return KOINE_EUNSUPPORTED;
    if (!line || line->closing)
        return 0;
    if (message->kind == KN_MESSAGE_ITEM)
        return write_item(line, message->octets);
    close_line(line);
    return 0;
}

static int wake(struct kn_endpoint *endpoint, uint64_t cookie, const struct kn_answer *answer)
{
    (void)endpoint;
    (void)cookie;
    (void)answer;
    return 0;
}

static int start(struct kn_endpoint **endpointp, struct kn_channel *home,
                 const struct kn_options *options)
{
    struct frame *frame = home->host->alloc(home, sizeof *frame);
    (void)options;
    if (!frame)
        return KOINE_ENOMEM;
    kn_endpoint_init(&frame->base, &kn_dialect_test_frame, home);
    kn_list_init(&frame->lines);
    *endpointp = &frame->base;
    return 0;
}

static void stop(struct kn_endpoint *endpoint)
{
    endpoint->home->host->free(endpoint->home, endpoint);
}

static const char *const transports[] = {"tcp", "unix", NULL};
static const char *const no_options[] = {NULL};

static const struct kn_identity identity = {
    .name = "test-frame",
    .title = "Test transport",
    .spec = "src/dialect/test-plain/frame.c",
    .transport = true,
    .transports = transports,
    .reaches = transports,
    .options = no_options,
};

const struct kn_dialect kn_dialect_test_frame = {
    .identity = &identity,
    .start = start,
    .stop = stop,
    .channel = change,
    .feed = feed,
    .send = send_down,
    .wake = wake,
};
