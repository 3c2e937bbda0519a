/* SPDX-License-Identifier: MIT
 *
 * A dialect on a transport that is a dialect: what one endpoint delivers as OPEN, ITEM and END are channels
 * of the one above it, and what is written to those goes down by `send`.
 *
 *      upper    opened      feed         closed         connect      write       close
 *                 |           |            |              |            |           |
 *      lower    OPEN        ITEM         END            OPEN         ITEM        END
 *               (delivered on the lower's channel)      (sent on it, OPEN on home and answered)
 *
 * An item is a whole message, so the upper channel is of shape KN_PACKET.
 */
#include "dialect/test-sim.h"

#include <stdlib.h>

/* ---------------------------------------------------------------- going up */

static struct sim_endpoint *above(const struct sim_endpoint *lower)
{
    KN_LIST_EACH(at, &lower->sim->endpoints)
    {
        struct sim_endpoint *endpoint = KN_LIST_ENTRY(at, struct sim_endpoint, in_sim);
        if (endpoint->below == lower && endpoint->endpoint)
            return endpoint;
    }
    return NULL;
}

/* The upper channel that has `serial` on the lower one. */
static struct sim_channel *find(const struct sim_channel *lower, uint64_t serial)
{
    struct sim_endpoint *upper = above(lower->endpoint);
    if (!upper)
        return NULL;
    KN_LIST_EACH(at, &upper->channels)
    {
        struct sim_channel *channel = KN_LIST_ENTRY(at, struct sim_channel, in_endpoint);
        if (channel->lower == lower && channel->below == serial)
            return channel;
    }
    return NULL;
}

static void upper_opens(struct sim_event *event)
{
    (void)sim_channel_open(event->channel);
}

static void upper_hears(struct sim_event *event)
{
    const struct kn_str *octets = event->owned;
    struct kn_input input = {.data = *octets};
    if (event->channel->open && !event->channel->closing)
        (void)sim_tell_feed(event->channel, &input);
}

static void upper_ends(struct sim_event *event)
{
    event->channel->lower = NULL;
    if (event->channel->open)
        sim_channel_close(event->channel, (int)(int64_t)event->key);
    else
        sim_channel_discard(event->channel);
}

static void item(struct sim_channel *upper, struct kn_str octets)
{
    struct kn_str *copy = malloc(sizeof *copy + octets.length);
    *copy = (struct kn_str){(char *)(copy + 1), octets.length};
    if (octets.length)
        memcpy(copy + 1, octets.ptr, octets.length);
    sim_at(upper->endpoint->sim, upper, 0, upper_hears)->owned = copy;
}

int sim_stack_deliver(struct sim_channel *lower, const struct kn_message *message)
{
    struct sim_endpoint *upper = above(lower->endpoint);
    struct sim_channel *channel = find(lower, message->serial);
    test_require(lower->endpoint->dialect->identity->transport, "no transport, and carries");
    if (message->kind == KN_MESSAGE_OPEN) {
        test_require(!channel, "opened twice");
        if (!upper)
            return KOINE_EDOWN;
        channel = sim_channel_new(upper, KN_PACKET, 0);
        channel->stacked = true;
        channel->lower = lower;
        channel->below = message->serial;
        sim_at(upper->sim, channel, 0, upper_opens);
        return 0;
    }
    if (!channel || channel->closing)
        return 0; /* the upper side has ended it meanwhile */
    if (message->kind == KN_MESSAGE_ITEM)
        item(channel, message->octets);
    else
        sim_at(upper->sim, channel, 0, upper_ends);
    return 0;
}

/* The lower channel closes, and what stood on it. */
void sim_stack_gone(struct sim_channel *lower, int error)
{
    struct sim_endpoint *upper = above(lower->endpoint);
    if (!upper)
        return;
    KN_LIST_EACH(at, &upper->channels)
    {
        struct sim_channel *channel = KN_LIST_ENTRY(at, struct sim_channel, in_endpoint);
        if (channel->lower != lower)
            continue;
        channel->lower = NULL;
        sim_at(upper->sim, channel, 0, upper_ends)->key = (uint64_t)(int64_t)error;
    }
}

/* ---------------------------------------------------------------- going down */

static int tell(struct sim_channel *channel, uint8_t kind, struct kn_str octets)
{
    struct kn_message message = {.kind = kind, .serial = channel->below, .octets = octets};
    return sim_tell_send(channel->lower, &message);
}

static void pump(struct sim_event *event)
{
    struct sim_channel *channel = event->channel;
    size_t length;
    while (channel->lower && channel->out.length) {
        memcpy(&length, channel->out.ptr, sizeof length);
        int rc = tell(channel, KN_MESSAGE_ITEM,
                      (struct kn_str){channel->out.ptr + sizeof length, length});
        if (rc == KOINE_EFULL) {
            sim_at(event->sim, channel, KOINE_MILLISECOND, pump);
            return;
        }
        test_require(rc == 0, "an item is not taken");
        kn_buffer_drop(&channel->out, sizeof length + length);
    }
    if (channel->may_not_write && !channel->closing) {
        channel->may_not_write = false;
        if (!sim_tell_change(channel, KN_WRITABLE))
            return;
    }
    if (!channel->closing)
        return;
    sim_channel_close(channel, 0);
}

/* An upper channel closes by itself. */
void sim_stack_end(struct sim_channel *channel)
{
    if (channel->lower)
        (void)tell(channel, KN_MESSAGE_END, KN_STR(""));
    channel->lower = NULL;
}

int sim_stack_write(struct sim_channel *channel, struct kn_str octets)
{
    size_t window = channel->endpoint->sim->plan->window;
    kn_buffer_add(&channel->out, &octets.length, sizeof octets.length);
    kn_buffer_str(&channel->out, octets);
    sim_at(channel->endpoint->sim, channel, 0, pump);
    channel->may_not_write = window && channel->out.length > window;
    return channel->may_not_write ? KOINE_EFULL : 0;
}

void sim_stack_finish(struct sim_channel *channel)
{
    sim_at(channel->endpoint->sim, channel, 0, pump);
}

/* ---------------------------------------------------------------- connecting */

static void upper_refused(struct sim_event *event)
{
    sim_channel_refuse(event->channel, KOINE_EDOWN);
}

static void answered(struct sim_want *want, const struct kn_message *answer, int error)
{
    struct sim_channel *channel = want->arg;
    bool there = answer && answer->kind == KN_MESSAGE_REPLY;
    (void)error;
    /* The lower one ended, and took the upper channel along. */
    if (!channel->lower)
        return;
    /* Not from inside the lower one's function. */
    if (there)
        sim_at(channel->endpoint->sim, channel, 0, upper_opens);
    else
        sim_at(channel->endpoint->sim, channel, 0, upper_refused);
    if (!there)
        channel->lower = NULL;
}

static void connect_down(struct sim_event *event)
{
    struct sim_endpoint *upper = event->channel->endpoint, *lower = upper->below;
    struct sim_channel *channel = sim_channel_new(upper, KN_PACKET, event->key);
    if (!lower->home) {
        sim_channel_refuse(channel, KOINE_EDOWN);
        return;
    }
    channel->stacked = true;
    channel->lower = lower->home;
    channel->below = event->sim->serial + 1; /* what the want is going to have */
    (void)sim_want(lower->home, &(struct sim_want){.kind = KN_MESSAGE_OPEN,
                                                   .deadline = KOINE_FOREVER,
                                                   .done = answered,
                                                   .arg = channel});
}

int sim_stack_connect(struct sim_endpoint *upper, uint64_t cookie)
{
    sim_at(upper->sim, upper->home, 0, connect_down)->key = cookie;
    return 0;
}
