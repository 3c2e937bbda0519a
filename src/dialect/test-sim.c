/* SPDX-License-Identifier: MIT */
#include "dialect/test-sim.h"

#include "base/hash.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const struct sim_plan sim_plain = {.allocations = -1};
bool test_inside;
char test_run_name[200];

enum { ALIVE = 0x6c697665, DEAD = 0x64656164, STEPS_MAX = 4000000 };

void test_broken(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s%s\n", file, line, what, test_run_name);
    abort();
}

/* ---------------------------------------------------------------- trace and chance */

static void print_note(const struct sim *sim, const struct sim_channel *channel, const char *what,
                       struct kn_str octets)
{
    fprintf(stderr, "%12.6f %u.%u %s ", (double)sim->now / 1e9,
            channel ? channel->endpoint->number : 0, channel ? channel->number : 0, what);
    for (size_t i = 0; i < octets.length && i < 100; i++)
        fprintf(stderr, isprint((unsigned char)octets.ptr[i]) ? "%c" : "\\%02x",
                (unsigned char)octets.ptr[i]);
    fprintf(stderr, "\n");
}

void sim_note(struct sim *sim, const struct sim_channel *channel, const char *what,
              struct kn_str octets)
{
    uint64_t trace = kn_hash_u64(sim->trace, (uint64_t)sim->now);
    trace = kn_hash_u64(trace, channel ? channel->number : 0);
    trace = kn_hash(trace, what, strlen(what));
    sim->trace = octets.length ? kn_hash(trace, octets.ptr, octets.length) : trace;
    if (sim->print)
        print_note(sim, channel, what, octets);
}

int64_t sim_delay(struct sim *sim, int64_t most)
{
    if (!sim->plan->shuffle)
        return 0;
    /* Mostly short, sometimes all of it, so that both races and order are seen. */
    int64_t bound = most >> random_below(&sim->random, 8);
    return (int64_t)(random_next(&sim->random) % (uint64_t)(bound + 1));
}

bool sim_chance(struct sim *sim, unsigned of, unsigned in)
{
    return of && random_below(&sim->random, in) < of;
}

bool sim_trouble(struct sim *sim, unsigned of, unsigned in)
{
    if (sim->calm || !sim_chance(sim, of, in))
        return false;
    sim->troubles++;
    return true;
}

/* ---------------------------------------------------------------- events */

struct sim_event *sim_at(struct sim *sim, struct sim_channel *channel, int64_t delay,
                         void (*happen)(struct sim_event *event))
{
    struct sim_event *event = calloc(1, sizeof *event);
    event->sim = sim;
    event->channel = channel;
    event->happen = happen;
    event->when = delay < INT64_MAX - sim->now ? sim->now + (delay > 0 ? delay : 0) : INT64_MAX;
    struct kn_list *before = sim->events.prev;
    while (before != &sim->events &&
           KN_LIST_ENTRY(before, struct sim_event, in_sim)->when > event->when)
        before = before->prev;
    kn_list_append(before->next, &event->in_sim);
    kn_list_init(&event->in_channel);
    if (channel)
        kn_list_append(&channel->events, &event->in_channel);
    return event;
}

void sim_forget(struct sim_event *event)
{
    kn_list_unlink(&event->in_sim);
    kn_list_unlink(&event->in_channel);
    free(event->owned);
    free(event);
}

static void retry_all(struct sim *sim)
{
    KN_LIST_EACH(at, &sim->endpoints)
    {
        sim_wants_retry(KN_LIST_ENTRY(at, struct sim_endpoint, in_sim));
    }
}

long sim_run(struct sim *sim, long steps, int64_t until)
{
    long done = 0;
    while (done != steps && !kn_list_empty(&sim->events)) {
        struct sim_event *event = KN_LIST_ENTRY(sim->events.next, struct sim_event, in_sim);
        if (event->when > until)
            break;
        sim->now = event->when > sim->now ? event->when : sim->now;
        kn_list_unlink(&event->in_sim);
        kn_list_unlink(&event->in_channel);
        event->happen(event);
        sim_forget(event);
        retry_all(sim);
        test_require(++done < STEPS_MAX, "it comes to no rest");
    }
    if (until != KOINE_FOREVER && done != steps && sim->now < until)
        sim->now = until;
    return done;
}

/* ---------------------------------------------------------------- functions of a dialect */

void sim_enter(struct sim_endpoint *endpoint)
{
    test_require(!endpoint->sim->inside, "a function within a function");
    endpoint->sim->inside = endpoint;
    test_inside = true;
}

int sim_leave(struct sim_endpoint *endpoint, int rc)
{
    struct sim *sim = endpoint->sim;
    test_inside = false;
    sim->inside = NULL;
    test_require(rc <= 0, "a function answers 0 or an error");
    KN_LIST_EACH(at, &sim->scratch)
    {
        struct sim_scratch *block = KN_LIST_ENTRY(at, struct sim_scratch, in_sim);
        kn_list_unlink(at);
        free(block->owned);
        free(block);
    }
    return rc;
}

/* The answer of a function: an error ends the channel, or, where that is home, everything. */
static bool settle(struct sim_channel *channel, int rc)
{
    struct sim_endpoint *endpoint = channel->endpoint;
    if (!rc)
        return true;
    sim_note(endpoint->sim, channel, "failed", kn_str(koine_strerror(rc)));
    if (channel != endpoint->home) {
        sim_channel_close(channel, rc);
        return false;
    }
    sim_kill(endpoint);
    endpoint->error = rc;
    return false;
}

bool sim_tell_feed(struct sim_channel *channel, const struct kn_input *input)
{
    struct sim_endpoint *endpoint = channel->endpoint;
    struct kn_input copy = *input;
    /* A copy without a NUL, so that a sanitizer sees a read beyond the end. */
    char *octets = input->data.length ? malloc(input->data.length) : NULL;
    if (octets)
        memcpy(octets, input->data.ptr, input->data.length);
    copy.data.ptr = octets;
    sim_note(endpoint->sim, channel, input->end ? "feed, end" : "feed", input->data);
    if (endpoint->heard)
        kn_buffer_str(endpoint->heard, input->data);
    sim_enter(endpoint);
    int rc = sim_leave(endpoint, endpoint->dialect->feed(&channel->channel, &copy));
    free(octets);
    return settle(channel, rc);
}

bool sim_tell_change(struct sim_channel *channel, enum kn_change change)
{
    static const char *const names[] = {"", "opened", "refused", "writable", "closed"};
    struct sim_endpoint *endpoint = channel->endpoint;
    sim_note(endpoint->sim, channel, names[change], KN_STR(""));
    sim_enter(endpoint);
    int rc = sim_leave(endpoint, endpoint->dialect->channel(&channel->channel, change));
    if (change == KN_CLOSED || change == KN_REFUSED)
        return !rc;
    return settle(channel, rc);
}

bool sim_tell_wake(struct sim_channel *channel, uint64_t cookie, const struct kn_answer *answer)
{
    struct sim_endpoint *endpoint = channel->endpoint;
    sim_note(endpoint->sim, channel, answer->kind == KN_TIMER ? "timer" : "wake", answer->data);
    sim_enter(endpoint);
    int rc = sim_leave(endpoint, endpoint->dialect->wake(endpoint->endpoint, cookie, answer));
    return settle(channel, rc);
}

int sim_tell_send(struct sim_channel *channel, struct kn_message *message)
{
    struct sim_endpoint *endpoint = channel->endpoint;
    uint8_t what[10] = {message->kind, message->flags};
    memcpy(what + 2, &message->serial, 8);
    message->channel = &channel->channel;
    sim_note(endpoint->sim, channel, "send", (struct kn_str){(const char *)what, sizeof what});
    sim_enter(endpoint);
    return sim_leave(endpoint, endpoint->dialect->send(endpoint->endpoint, message));
}

/* ---------------------------------------------------------------- channels */

struct sim_channel *sim_channel_new(struct sim_endpoint *endpoint, enum kn_shape shape,
                                    uint64_t cookie)
{
    struct sim_channel *channel = calloc(1, sizeof *channel);
    channel->channel = (struct kn_channel){
        .host = &sim_host, .endpoint = endpoint->endpoint, .shape = shape, .cookie = cookie};
    channel->mark = ALIVE;
    channel->number = ++endpoint->sim->channel_count;
    channel->endpoint = endpoint;
    kn_list_append(&endpoint->channels, &channel->in_endpoint);
    kn_list_init(&channel->events);
    kn_list_init(&channel->memory);
    kn_list_init(&channel->fds);
    kn_list_init(&channel->calls);
    kn_list_init(&channel->wants);
    kn_buffer_init(&channel->out, 0);
    return channel;
}

bool sim_channel_open(struct sim_channel *channel)
{
    channel->open = true;
    return sim_tell_change(channel, KN_OPENED);
}

static void free_channel(struct sim_channel *channel)
{
    sim_memory_check(channel);
    test_require(kn_list_empty(&channel->events), "a timer of a channel that is closed");
    KN_LIST_EACH(at, &channel->fds)
    {
        struct sim_fds *fds = KN_LIST_ENTRY(at, struct sim_fds, in_channel);
        for (size_t i = 0; i < fds->count; i++)
            close(fds->fds[i]);
        free(fds);
    }
    kn_buffer_deinit(&channel->out);
    kn_list_unlink(&channel->in_endpoint);
    channel->mark = DEAD;
    free(channel);
}

static void forget_events(struct sim_channel *channel)
{
    KN_LIST_EACH(at, &channel->events)
    {
        sim_forget(KN_LIST_ENTRY(at, struct sim_event, in_channel));
    }
}

void sim_channel_close(struct sim_channel *channel, int error)
{
    if (channel->peer)
        channel->peer->error = error;
    if (channel->peer)
        channel->peer->channel = NULL;
    forget_events(channel);
    sim_native_gone(channel);
    sim_net_gone(channel, error);
    sim_stack_end(channel);
    sim_stack_gone(channel, error);
    channel->open = false;
    channel->channel.error = error;
    (void)sim_tell_change(channel, KN_CLOSED);
    sim_wants_check(channel);
    free_channel(channel);
}

void sim_channel_discard(struct sim_channel *channel)
{
    forget_events(channel);
    channel->other = NULL;
    free_channel(channel);
}

void sim_channel_refuse(struct sim_channel *channel, int error)
{
    channel->channel.error = error;
    (void)sim_tell_change(channel, KN_REFUSED);
    free_channel(channel);
}

/* ---------------------------------------------------------------- endpoints */

static void begin(struct sim_endpoint *endpoint)
{
    struct sim *sim = endpoint->sim;
    endpoint->error = 0;
    endpoint->endpoint = NULL;
    endpoint->home = sim_channel_new(endpoint, KN_HOME, 0);
    kn_list_unlink(&endpoint->home->in_endpoint);
    endpoint->home->open = true;
    sim_note(sim, endpoint->home, "start", KN_STR(""));
    sim_enter(endpoint);
    struct kn_endpoint *made = NULL;
    int rc = endpoint->dialect->start(&made, &endpoint->home->channel, &endpoint->options);
    rc = sim_leave(endpoint, rc);
    if (rc) {
        forget_events(endpoint->home);
        free_channel(endpoint->home);
        endpoint->home = NULL;
        endpoint->error = rc;
        return;
    }
    test_require(made->dialect == endpoint->dialect && made->home == &endpoint->home->channel &&
                     made->home->endpoint == made,
                 "the endpoint is not filled in");
    endpoint->endpoint = made;
    if (endpoint->uri && endpoint->options.role == KN_SERVE)
        test_require(sim_listen(endpoint, kn_str(endpoint->uri), 0) == 0, "nowhere to listen");
}

struct sim_endpoint *sim_start(struct sim *sim, const struct kn_dialect *dialect,
                               const struct kn_options *options, const char *uri)
{
    struct sim_endpoint *endpoint = calloc(1, sizeof *endpoint);
    *endpoint = (struct sim_endpoint){.sim = sim,
                                      .dialect = dialect,
                                      .options = *options,
                                      .uri = uri,
                                      .state = {.services = sim->services},
                                      .number = ++sim->endpoint_count};
    endpoint->state.executed = &sim->executed;
    kn_list_init(&endpoint->channels);
    kn_list_append(&sim->endpoints, &endpoint->in_sim);
    begin(endpoint);
    return endpoint;
}

void sim_kill(struct sim_endpoint *endpoint)
{
    if (!endpoint->endpoint)
        return;
    endpoint->deaths++;
    while (!kn_list_empty(&endpoint->channels))
        sim_channel_close(KN_LIST_ENTRY(endpoint->channels.next, struct sim_channel, in_endpoint),
                          KOINE_EDOWN);
    sim_native_gone(endpoint->home);
    sim_stack_gone(endpoint->home, KOINE_EDOWN);
    sim_note(endpoint->sim, endpoint->home, "stop", KN_STR(""));
    sim_enter(endpoint);
    endpoint->dialect->stop(endpoint->endpoint);
    (void)sim_leave(endpoint, 0);
    forget_events(endpoint->home);
    free_channel(endpoint->home);
    endpoint->home = NULL;
    endpoint->endpoint = NULL;
    sim_directory_drop(endpoint);
}

void sim_restart(struct sim_endpoint *endpoint)
{
    test_require(!endpoint->endpoint, "it runs");
    begin(endpoint);
}

/* ---------------------------------------------------------------- peers that are no endpoints */

void sim_meet(struct sim_peer *peer, struct sim_endpoint *endpoint, enum kn_shape shape)
{
    if (!peer->out.limit)
        kn_buffer_init(&peer->out, 0);
    if (!endpoint->endpoint) {
        peer->error = endpoint->error;
        return;
    }
    peer->channel = sim_channel_new(endpoint, shape, 0);
    peer->channel->peer = peer;
    (void)sim_channel_open(peer->channel);
}

void sim_feed(struct sim_peer *peer, struct kn_str octets, bool end)
{
    struct sim_channel *channel = peer->channel;
    struct kn_input input = {.data = octets, .end = end, .target = KN_STR("/")};
    const char *methods;
    if (!channel || channel->closing)
        return;
    channel->over |= end;
    if (channel->channel.shape == KN_EXCHANGE) {
        methods = channel->endpoint->dialect->identity->exchange_methods;
        input.method = (struct kn_str){methods, strcspn(methods, ",")};
        input.status = channel->endpoint->options.role == KN_REACH ? 200 : 0;
    }
    (void)sim_tell_feed(channel, &input);
}

void sim_hang_up(struct sim_peer *peer)
{
    if (peer->channel)
        sim_channel_close(peer->channel, 0);
}

void sim_part(struct sim_peer *peer)
{
    sim_hang_up(peer);
    for (size_t i = 0; i < peer->fd_count; i++)
        close(peer->fds[i]);
    kn_buffer_deinit(&peer->out);
}

/* ---------------------------------------------------------------- world */

void sim_init(struct sim *sim, const struct sim_plan *plan, const struct test_services *services)
{
    *sim = (struct sim){.plan = plan,
                        .services = services,
                        .random = {plan->seed},
                        .now = KOINE_SECOND,
                        .trace = KN_HASH_START,
                        .port = 40000};
    kn_list_init(&sim->events);
    kn_list_init(&sim->endpoints);
    kn_list_init(&sim->directory);
    kn_list_init(&sim->scratch);
    kn_map_init(&sim->executed, 1);
}

void sim_deinit(struct sim *sim)
{
    sim->calm = true;
    KN_LIST_EACH(at, &sim->endpoints)
    {
        struct sim_endpoint *endpoint = KN_LIST_ENTRY(at, struct sim_endpoint, in_sim);
        sim_kill(endpoint);
        test_state_deinit(&endpoint->state);
        kn_list_unlink(at);
        free(endpoint);
    }
    KN_LIST_EACH(at, &sim->events)
    {
        sim_forget(KN_LIST_ENTRY(at, struct sim_event, in_sim));
    }
    kn_map_deinit(&sim->executed);
}

/* ---------------------------------------------------------------- one endpoint, one peer */

void sim_lone_init(struct sim_lone *lone, const struct kn_dialect *dialect,
                   const struct kn_options *options, const struct sim_plan *plan,
                   const struct test_services *services)
{
    *lone = (struct sim_lone){.peer = {.channel = NULL}};
    sim_init(&lone->sim, plan, services);
    kn_buffer_init(&lone->peer.out, 0);
    bool reaches = options->role == KN_REACH;
    lone->endpoint =
        sim_start(&lone->sim, dialect, options, reaches ? "tcp://127.0.0.1:7000" : NULL);
}

void sim_lone_deinit(struct sim_lone *lone)
{
    sim_part(&lone->peer);
    sim_deinit(&lone->sim);
}

int sim_lone_error(const struct sim_lone *lone)
{
    return lone->endpoint->error ? lone->endpoint->error : lone->peer.error;
}
