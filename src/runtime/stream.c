/* SPDX-License-Identifier: MIT
 *
 * Streams: a connection is a channel. What a dialect keeps of a peer's memory while nothing of that peer
 * is being answered is the beginning of something, and its rest is owed within `stall`.
 */
#include "runtime/internal.h"

static int open_stream(struct kn_conn *conn)
{
    conn->self = kn_chan_open(conn, KN_STREAM);
    return conn->self ? 0 : KOINE_ENOMEM;
}

static void close_stream(struct kn_conn *conn)
{
    conn->self = kn_chan_close(conn->self);
}

static void take_input(struct kn_conn *conn, struct kn_str octets)
{
    kn_chan_feed(conn->self, &(struct kn_input){.data = octets});
}

static void take_end(struct kn_conn *conn)
{
    kn_chan_feed(conn->self, &(struct kn_input){.data = {"", 0}, .end = true});
}

static void be_writable(struct kn_conn *conn)
{
    kn_chan_writable(conn->self);
}

static void settle(struct kn_conn *conn)
{
    const struct kn_chan *chan = conn->self;
    bool quiet = !conn->calls && !conn->asks && !conn->full && conn->sent == conn->queue.length;
    if (chan->failed)
        kn_conn_doom(conn);
    else if (chan->closing || (quiet && (conn->ended || conn->attachment->draining)))
        kn_conn_finish(conn);
}

static bool owes(const struct kn_conn *conn)
{
    const struct kn_chan *chan = conn->self;
    size_t queued = conn->queue.length - conn->sent;
    return chan && !conn->calls && !conn->asks && !queued && conn->octets > chan->idle_octets;
}

const struct kn_transport kn_transport_stream = {
    .name = "tcp",
    .open = open_stream,
    .close = close_stream,
    .input = take_input,
    .end = take_end,
    .writable = be_writable,
    .settle = settle,
    .owes = owes,
};

const struct kn_transport kn_transport_unix = {
    .name = "unix",
    .local = true,
    .open = open_stream,
    .close = close_stream,
    .input = take_input,
    .end = take_end,
    .writable = be_writable,
    .settle = settle,
    .owes = owes,
};
