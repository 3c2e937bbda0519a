/* SPDX-License-Identifier: MIT
 *
 * How octets move. What one end of a connection has written waits in its `out`; an arrival at the other
 * end takes all of it or, as the plan says, a part. An exchange moves twice as a whole. A datagram is an
 * event of its own, so it outlives its sender and overtakes others.
 *
 * Whoever closes is waited for until its octets are taken; then the other end reads to the end, and a
 * while later learns that nobody is there. A connection that breaks takes along what was on its way, and
 * its ends learn of it at different times.
 */
#include "dialect/test-sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---------------------------------------------------------------- places */

static const struct {
    const char *transport;
    enum kn_shape shape;
    bool local;
} transports[] = {{"tcp", KN_STREAM, false},   {"unix", KN_STREAM, true},
                  {"exec", KN_STREAM, true},   {"stdio", KN_STREAM, true},
                  {"fifo", KN_STREAM, true},   {"http", KN_EXCHANGE, false},
                  {"udp", KN_DATAGRAM, false}, {"packet", KN_PACKET, true}};

bool sim_place(struct sim_place *place, const struct sim_endpoint *endpoint, struct kn_str uri)
{
    char text[SIM_PATH * 2], *address, *port;
    if (!uri.length && endpoint->uri)
        uri = kn_str(endpoint->uri);
    snprintf(text, sizeof text, "%.*s", (int)uri.length, uri.ptr);
    address = strstr(text, "://");
    if (!address)
        return false;
    *address = '\0';
    address += 3;
    address[strcspn(address, "?#")] = '\0';
    for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
        if (strcmp(transports[i].transport, text) != 0)
            continue;
        *place = (struct sim_place){.shape = transports[i].shape, .local = transports[i].local};
        if (place->local) {
            snprintf(place->path, sizeof place->path, "%.107s", address);
            return true;
        }
        address[strcspn(address, "/")] = '\0';
        port = strrchr(address, ':');
        place->port = port ? (uint16_t)atoi(port + 1) : 0;
        return port != NULL;
    }
    return false;
}

static struct kn_address address_of(const struct sim_place *place)
{
    if (place->local)
        return (struct kn_address){.family = KN_LOCAL};
    return (struct kn_address){.family = KN_IPV4, .octets = {127, 0, 0, 1}, .port = place->port};
}

/* The listener there, or the socket for datagrams; NULL: nobody. */
static struct sim_channel *find(struct sim *sim, const struct sim_place *place)
{
    KN_LIST_EACH(at, &sim->endpoints)
    {
        struct sim_endpoint *endpoint = KN_LIST_ENTRY(at, struct sim_endpoint, in_sim);
        KN_LIST_EACH(in, &endpoint->channels)
        {
            struct sim_channel *channel = KN_LIST_ENTRY(in, struct sim_channel, in_endpoint);
            enum kn_shape shape = channel->channel.shape;
            if (!channel->open || channel->closing ||
                (shape != KN_LISTENER && (shape != KN_DATAGRAM || place->shape != KN_DATAGRAM)) ||
                channel->place.shape != place->shape || channel->place.local != place->local)
                continue;
            if (place->local ? !strcmp(channel->place.path, place->path)
                             : channel->channel.local.port == place->port)
                return channel;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- the other end is gone */

static void close_late(struct sim_event *event)
{
    sim_channel_close(event->channel, (int)(int64_t)event->key);
}

static void close_after(struct sim_channel *channel, int64_t delay, int error)
{
    sim_at(channel->endpoint->sim, channel, delay, close_late)->key = (uint64_t)(int64_t)error;
}

static void drop_octets(struct sim_channel *channel)
{
    kn_buffer_drop(&channel->out, channel->out.length);
    KN_LIST_EACH(at, &channel->fds)
    {
        struct sim_fds *fds = KN_LIST_ENTRY(at, struct sim_fds, in_channel);
        for (size_t i = 0; i < fds->count; i++)
            close(fds->fds[i]);
        kn_list_unlink(at);
        free(fds);
    }
}

static void part(struct sim_channel *channel, struct sim_channel *other)
{
    channel->other = NULL;
    other->other = NULL;
    drop_octets(channel);
}

/* The connection breaks: neither end gets anything any more, and both learn it. */
static void break_off(struct sim_channel *channel)
{
    struct sim *sim = channel->endpoint->sim;
    struct sim_channel *other = channel->other;
    if (other) {
        part(channel, other);
        drop_octets(other);
        close_after(other, sim_delay(sim, SIM_DELAY), KOINE_EDOWN);
    }
    close_after(channel, sim_delay(sim, SIM_DELAY), KOINE_EDOWN);
}

static void respond(struct sim_event *event);
static void taken(struct sim_channel *channel);

/* The channel closes: with 0 after all it had to say has arrived. */
void sim_net_gone(struct sim_channel *channel, int error)
{
    struct sim *sim = channel->endpoint->sim;
    struct sim_channel *other = channel->other;
    if (!other)
        return;
    if (channel->channel.shape == KN_EXCHANGE && channel->endpoint->options.role == KN_SERVE) {
        struct sim_event *event = sim_at(sim, other, sim_delay(sim, SIM_DELAY), respond);
        bool good = error == 0 && channel->closing;
        event->key = !good ? 500 : channel->out.length ? 200 : 204;
        struct kn_str *body = calloc(1, sizeof *body + channel->out.length);
        *body = (struct kn_str){(char *)(body + 1), good ? channel->out.length : 0};
        if (good && body->length)
            memcpy(body + 1, channel->out.ptr, body->length);
        event->owned = body;
        part(channel, other);
        return;
    }
    part(channel, other);
    drop_octets(other);
    taken(other);
    other->over = true;
    if (error || channel->channel.shape == KN_EXCHANGE || channel->channel.shape == KN_PACKET)
        close_after(other, sim_delay(sim, SIM_DELAY), error ? KOINE_EDOWN : 0);
    else
        sim_arrive(other);
}

/* ---------------------------------------------------------------- streams */

static void writable(struct sim_event *event)
{
    struct sim_channel *channel = event->channel;
    channel->writable_due = channel->may_not_write = false;
    if (!channel->closing)
        (void)sim_tell_change(channel, KN_WRITABLE);
}

static void close_finished(struct sim_channel *channel)
{
    bool waits = channel->other && channel->out.length && channel->channel.shape != KN_EXCHANGE;
    if (channel->closing && !waits)
        close_after(channel, sim_delay(channel->endpoint->sim, SIM_DELAY), 0);
}

/* Some of what was written has been taken. */
static void taken(struct sim_channel *channel)
{
    struct sim *sim = channel->endpoint->sim;
    if (channel->may_not_write && !channel->writable_due &&
        channel->out.length <= sim->plan->window / 2) {
        channel->writable_due = true;
        sim_at(sim, channel, sim_delay(sim, SIM_DELAY), writable);
    }
    if (!channel->out.length)
        close_finished(channel);
}

/* How much of what is there arrives at once; descriptors begin an arrival. */
static size_t portion(struct sim_channel *from)
{
    struct sim *sim = from->endpoint->sim;
    size_t length = from->out.length;
    if (from->channel.shape == KN_PACKET) {
        memcpy(&length, from->out.ptr, sizeof length);
        return sizeof length + length;
    }
    KN_LIST_EACH(at, &from->fds)
    {
        size_t before = KN_LIST_ENTRY(at, struct sim_fds, in_channel)->at - from->arrived;
        if (before && before < length)
            length = before;
    }
    if (length > 1 && sim_chance(sim, sim->plan->split, 100)) {
        size_t most = random_below(&sim->random, 2) ? length : (length < 8 ? length : 8);
        length = 1 + random_below(&sim->random, (uint32_t)most);
    }
    return length;
}

static void feed_part(struct sim_channel *channel, struct sim_channel *from, struct kn_str octets)
{
    struct kn_input input = {.data = octets};
    struct sim_fds *fds = NULL;
    if (channel->channel.shape == KN_PACKET && octets.length)
        input.data = (struct kn_str){octets.ptr + sizeof(size_t), octets.length - sizeof(size_t)};
    if (from && !kn_list_empty(&from->fds)) {
        fds = KN_LIST_ENTRY(from->fds.next, struct sim_fds, in_channel);
        if (fds->at != from->arrived)
            fds = NULL;
    }
    if (fds) {
        kn_list_unlink(&fds->in_channel);
        input.fds = fds->fds;
        input.fd_count = fds->count;
    }
    if (from) {
        from->arrived += octets.length;
        kn_buffer_drop(&from->out, octets.length);
        taken(from);
    }
    struct sim *sim = channel->endpoint->sim;
    input.end = channel->fed_end = channel->over && (!from || !from->out.length) &&
                                   (!octets.length || random_below(&sim->random, 2) == 0);
    /* The other end may have gone on closing: what follows does not look at `from`. */
    (void)sim_tell_feed(channel, &input);
    for (size_t i = 0; fds && i < fds->count; i++)
        close(fds->fds[i]);
    free(fds);
}

/* True when it took all. */
static bool fill(struct sim_channel *channel, struct kn_str *octets)
{
    size_t left = channel->fill.size - channel->fill.at;
    size_t length = octets->length < left ? octets->length : left;
    memcpy(channel->fill.into + channel->fill.at, octets->ptr, length);
    channel->fill.at += length;
    octets->length = length;
    return channel->fill.at == channel->fill.size;
}

static void fill_part(struct sim_channel *channel, struct sim_channel *from, struct kn_str octets)
{
    struct kn_answer answer = {.kind = KN_FILLED, .channel = &channel->channel};
    bool full = fill(channel, &octets);
    from->arrived += octets.length;
    kn_buffer_drop(&from->out, octets.length);
    taken(from);
    if (!full)
        return;
    channel->fill.into = NULL;
    channel->endpoint->sim->filled++;
    (void)sim_tell_wake(channel, channel->fill.cookie, &answer);
}

static void arrive(struct sim_event *event)
{
    struct sim_channel *channel = event->channel, *from = channel->other;
    uint64_t number = channel->number;
    struct sim_endpoint *endpoint = channel->endpoint;
    channel->arriving = false;
    if (channel->closing || (channel->stopped && random_below(&event->sim->random, 4)))
        return;
    if (from && from->out.length && sim_trouble(event->sim, event->sim->plan->cut, 10000)) {
        break_off(channel);
        return;
    }
    size_t length = from && from->out.length ? portion(from) : 0;
    char *octets = malloc(length + 1);
    if (length)
        memcpy(octets, from->out.ptr, length);
    if (length && channel->fill.into)
        fill_part(channel, from, (struct kn_str){octets, length});
    else if (length || (channel->over && !channel->fed_end))
        feed_part(channel, from, (struct kn_str){octets, length});
    free(octets);
    KN_LIST_EACH(at, &endpoint->channels)
    {
        if (KN_LIST_ENTRY(at, struct sim_channel, in_endpoint)->number == number)
            sim_arrive(KN_LIST_ENTRY(at, struct sim_channel, in_endpoint));
    }
}

void sim_arrive(struct sim_channel *channel)
{
    struct sim *sim = channel->endpoint->sim;
    bool there = channel->other && channel->other->out.length;
    if (channel->closing) {
        /* What is written to somebody who closes is thrown away, as by a socket that is shut. */
        if (there) {
            drop_octets(channel->other);
            taken(channel->other);
        }
        return;
    }
    if (channel->arriving || !channel->open)
        return;
    if (!channel->other && channel->over && !channel->peer && channel->fed_end)
        close_after(channel, sim_delay(sim, SIM_DELAY) + KOINE_MILLISECOND, 0);
    if (!there && (!channel->over || channel->fed_end))
        return;
    if (!channel->other && channel->stopped)
        close_after(channel, KOINE_SECOND, 0);
    if (channel->stopped)
        return;
    channel->arriving = true;
    sim_at(sim, channel, sim_delay(sim, SIM_DELAY), arrive);
}

/* ---------------------------------------------------------------- exchanges */

static void respond(struct sim_event *event)
{
    struct sim_channel *channel = event->channel;
    const struct kn_str *body = event->owned;
    struct kn_input input = {.data = *body, .end = true, .status = (int)event->key};
    channel->over = channel->fed_end = true;
    if (channel->closing)
        return;
    if (sim_trouble(event->sim, event->sim->plan->cut, 10000))
        sim_channel_close(channel, KOINE_EDOWN);
    else if (sim_tell_feed(channel, &input))
        close_after(channel, 0, 0);
}

/* The whole request is at the server. */
static void request(struct sim_event *event)
{
    struct sim_channel *asker = event->channel, *server;
    struct sim_channel *listener = find(event->sim, &asker->place);
    if (!listener || sim_trouble(event->sim, event->sim->plan->cut, 10000)) {
        sim_channel_close(asker, KOINE_EDOWN);
        return;
    }
    const char *methods = asker->endpoint->dialect->identity->exchange_methods;
    struct kn_str body = {asker->out.ptr ? asker->out.ptr : "", asker->out.length};
    struct kn_input input = {.data = body, .end = true, .target = KN_STR("/")};
    input.method = (struct kn_str){methods, strcspn(methods, ",")};
    server = sim_channel_new(listener->endpoint, KN_EXCHANGE, listener->channel.cookie);
    server->other = asker;
    asker->other = server;
    server->over = server->fed_end = true;
    server->channel.local = listener->channel.local;
    server->channel.peer = asker->channel.local;
    if (sim_channel_open(server))
        (void)sim_tell_feed(server, &input);
}

/* ---------------------------------------------------------------- datagrams */

struct datagram {
    struct kn_address from;
    unsigned tries;
    size_t length;
    char octets[];
};

static struct sim_channel *socket_at(struct sim *sim, const struct sim_event *event)
{
    const struct datagram *datagram = event->owned;
    struct sim_place place = {.shape = KN_DATAGRAM, .port = (uint16_t)event->key};
    struct sim_channel *channel = find(sim, &place);
    bool stranger =
        channel && channel->channel.peer.port && channel->channel.peer.port != datagram->from.port;
    return stranger || (channel && channel->channel.shape != KN_DATAGRAM) ? NULL : channel;
}

static void datagram_arrives(struct sim_event *event)
{
    struct datagram *datagram = event->owned;
    struct sim_channel *channel = socket_at(event->sim, event);
    if (channel && channel->stopped && datagram->tries++ < 1000) {
        struct sim_event *again = sim_at(event->sim, NULL, KOINE_MILLISECOND, datagram_arrives);
        again->key = event->key;
        again->owned = datagram;
        event->owned = NULL;
        return;
    }
    if (!channel || channel->stopped) {
        event->sim->troubles++;
        return;
    }
    struct kn_input input = {.data = {datagram->octets, datagram->length}, .from = datagram->from};
    (void)sim_tell_feed(channel, &input);
}

void sim_datagram(struct sim_channel *channel, const struct kn_address *to, struct kn_str octets)
{
    struct sim *sim = channel->endpoint->sim;
    sim_note(sim, channel, "datagram", octets);
    if (channel->peer)
        kn_buffer_str(&channel->peer->out, octets);
    if (channel->peer || octets.length > SIM_DATAGRAM_MAX)
        return;
    int copies =
        1 + sim_trouble(sim, sim->plan->doubled, 100) - sim_trouble(sim, sim->plan->lost, 100);
    for (; copies > 0; copies--) {
        struct datagram *datagram = malloc(sizeof *datagram + octets.length);
        *datagram = (struct datagram){.from = channel->channel.local, .length = octets.length};
        memcpy(datagram->octets, octets.ptr, octets.length);
        struct sim_event *event =
            sim_at(sim, NULL, sim_delay(sim, 4 * SIM_DELAY), datagram_arrives);
        event->key = to->port;
        event->owned = datagram;
    }
}

/* ---------------------------------------------------------------- connect and listen */

static uint16_t free_port(struct sim *sim)
{
    return sim->port = sim->port < 65000 ? (uint16_t)(sim->port + 1) : 40001;
}

static struct sim_channel *join(struct sim_channel *channel, struct sim_channel *listener)
{
    struct sim_channel *server =
        sim_channel_new(listener->endpoint, channel->place.shape, listener->channel.cookie);
    server->place.local = channel->place.local;
    server->other = channel;
    channel->other = server;
    server->channel.local = listener->channel.local;
    server->channel.peer = channel->channel.local;
    if (channel->place.local)
        server->channel.caller = channel->channel.caller =
            (struct koine_caller){.pid = 77, .uid = 1000, .gid = 1000};
    return server;
}

/* Opens both ends, this one first or last; what was written already arrives. */
static void open_both(struct sim_channel *first, struct sim_channel *second)
{
    if (!sim_channel_open(first)) {
        sim_channel_discard(second);
        return;
    }
    if (sim_channel_open(second))
        sim_arrive(second);
}

/* What connect or listen wanted has been decided: `key` is the cookie. */
static void wanted(struct sim_event *event)
{
    const struct sim_place *place = event->owned;
    struct sim_endpoint *endpoint = event->channel->endpoint;
    struct sim *sim = event->sim;
    struct sim_channel *listener = find(sim, place);
    bool datagrams = place->shape == KN_DATAGRAM;
    struct sim_peer *peer = listener ? NULL : sim->acceptor;
    struct sim_channel *channel = sim_channel_new(endpoint, place->shape, event->key);
    channel->place = *place;
    channel->channel.peer = address_of(place);
    channel->channel.local = channel->channel.peer;
    channel->channel.local.port = place->local ? 0 : free_port(sim);
    if (peer && !peer->channel) {
        sim->acceptor = NULL;
        peer->channel = channel;
        channel->peer = peer;
        (void)sim_channel_open(channel);
        return;
    }
    if ((!datagrams && (!listener || listener->channel.shape != KN_LISTENER)) ||
        sim_trouble(sim, sim->plan->refused, 100)) {
        sim->troubles++;
        sim_channel_refuse(channel, KOINE_EDOWN);
        return;
    }
    if (place->shape == KN_EXCHANGE || datagrams) {
        (void)sim_channel_open(channel);
        return;
    }
    struct sim_channel *server = join(channel, listener);
    if (sim_chance(sim, 1, 2))
        open_both(channel, server);
    else
        open_both(server, channel);
}

int sim_connect(struct sim_endpoint *endpoint, struct kn_str uri, uint64_t cookie)
{
    struct sim_place place;
    if (endpoint->below)
        return sim_stack_connect(endpoint, cookie);
    if (!sim_place(&place, endpoint, uri))
        return KOINE_EINVAL;
    struct sim *sim = endpoint->sim;
    struct sim_event *event = sim_at(sim, endpoint->home, sim_delay(sim, SIM_DELAY), wanted);
    event->key = cookie;
    event->owned = malloc(sizeof place);
    memcpy(event->owned, &place, sizeof place);
    return 0;
}

static void listened(struct sim_event *event)
{
    struct sim_place *place = event->owned;
    struct sim *sim = event->sim;
    bool datagrams = place->shape == KN_DATAGRAM;
    if (!place->local && !place->port)
        place->port = free_port(sim);
    bool taken_already = find(sim, place) != NULL;
    struct sim_channel *channel = sim_channel_new(
        event->channel->endpoint, datagrams ? KN_DATAGRAM : KN_LISTENER, event->key);
    channel->place = *place;
    channel->channel.local = address_of(place);
    if (taken_already)
        sim_channel_refuse(channel, KOINE_EEXIST);
    else
        (void)sim_channel_open(channel);
}

int sim_listen(struct sim_endpoint *endpoint, struct kn_str uri, uint64_t cookie)
{
    struct sim_place place;
    if (!sim_place(&place, endpoint, uri))
        return KOINE_EINVAL;
    struct sim_event *event = sim_at(endpoint->sim, endpoint->home, 0, listened);
    event->key = cookie;
    event->owned = malloc(sizeof place);
    memcpy(event->owned, &place, sizeof place);
    return 0;
}

/* ---------------------------------------------------------------- what a dialect does */

static int slow(struct sim_channel *channel, bool full)
{
    struct sim *sim = channel->endpoint->sim;
    unsigned every = sim->plan->slow_every;
    bool now = every && ++channel->endpoint->writes % every == 0;
    if (!full && !now)
        return 0;
    channel->may_not_write = true;
    taken(channel);
    return KOINE_EFULL;
}

int sim_write(struct sim_channel *channel, struct kn_str octets)
{
    struct sim *sim = channel->endpoint->sim;
    enum kn_shape shape = channel->channel.shape;
    size_t length = octets.length;
    test_require(shape != KN_HOME && shape != KN_LISTENER, "written to what moves no octets");
    test_require(channel->open && !channel->closing, "written to a channel that is closed");
    test_require(!channel->ended, "written after the end");
    test_require(!channel->may_not_write, "written before the channel was writable again");
    if (shape == KN_DATAGRAM) {
        sim_datagram(channel, &channel->channel.peer, octets);
        return 0;
    }
    sim_note(sim, channel, "write", octets);
    channel->written += length;
    if (channel->stacked)
        return sim_stack_write(channel, octets);
    if (channel->peer) {
        kn_buffer_str(&channel->peer->out, octets);
        return slow(channel, false);
    }
    if (!channel->other && shape != KN_EXCHANGE)
        return 0;
    if (shape == KN_PACKET)
        kn_buffer_add(&channel->out, &length, sizeof length);
    kn_buffer_str(&channel->out, octets);
    if (shape == KN_EXCHANGE)
        return 0;
    sim_arrive(channel->other);
    return slow(channel, sim->plan->window && channel->out.length > sim->plan->window);
}

void sim_end(struct sim_channel *channel)
{
    struct sim *sim = channel->endpoint->sim;
    sim_note(sim, channel, "end", KN_STR(""));
    channel->ended = true;
    if (channel->channel.shape == KN_EXCHANGE && !channel->peer)
        sim_at(sim, channel, sim_delay(sim, SIM_DELAY), request);
    if (channel->other) {
        channel->other->over = true;
        sim_arrive(channel->other);
    }
}

void sim_finish(struct sim_channel *channel)
{
    sim_note(channel->endpoint->sim, channel, "close", KN_STR(""));
    sim_arrive(channel);
    if (channel->stacked)
        sim_stack_finish(channel);
    else
        close_finished(channel);
    close_after(channel, SIM_LINGER, KOINE_EDOWN);
}
