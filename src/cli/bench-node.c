/* SPDX-License-Identifier: MIT
 *
 * The same exchanges through Koine, with the public functions and nothing else. Every process opens its
 * node after the fork. An echo by events has two services, one at each end; what is called or subscribed
 * to finds its name by trying until it is there.
 */
#include "cli/bench.h"

#include "bench-echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_S = 5, BATCH = 16, TAKEN = 16 };

#define WAIT KOINE_SECOND

struct end {
    struct bench_side *side;
    struct koine_node *node;
    struct koine_service *service;
    struct koine_ref *ref;
    struct koine_sub *sub;
    uint32_t event;    /* which is published and taken */
    uint64_t *payload; /* private, as large as the event */
    size_t size;
    uint64_t sum, sent;
};

static bool give_up(struct end *end, const char *what, int error)
{
    const char *why = end->node ? koine_node_why(end->node) : "";
    return kn_bench_fail(end->side, "%s: %s", what, *why ? why : koine_strerror(error));
}

static bool open_node(struct end *end, struct bench_side *side)
{
    const struct koine_node_options options = {
        .size = sizeof options, .dir = side->dir, .spin = side->method->spin};
    *end = (struct end){.side = side};
    int rc = koine_node_open(&end->node, &options);
    return rc ? give_up(end, "node", rc) : true;
}

/* ---------------------------------------------------------------- names */

static int echo_64(void *self, struct koine_request *request,
                   const struct bench_Echo_echo_64_in *in, struct bench_Echo_echo_64_out *out)
{
    (void)self;
    (void)request;
    memcpy(out->return_, in->value, sizeof out->return_);
    return 0;
}

static int echo_4k(void *self, struct koine_request *request,
                   const struct bench_Echo_echo_4k_in *in, struct bench_Echo_echo_4k_out *out)
{
    struct end *end = self;
    (void)request;
    end->sum += bench_touch(in->value, sizeof in->value);
    memcpy(out->return_, end->payload, sizeof out->return_);
    return 0;
}

static const struct bench_Echo_handlers handlers = {.echo_64 = echo_64, .echo_4k = echo_4k};

static bool serve(struct end *end, const char *name)
{
    const struct koine_service_options options = {.size = sizeof options,
                                                  .event_slots = BENCH_SLOTS};
    int rc =
        koine_service_open(&end->service, end->node, name, &bench_Echo, &handlers, end, &options);
    return rc ? give_up(end, name, rc) : true;
}

/* The other end may not have its name yet, or the name is what the last measurement left; this one
 * serves meanwhile. */
static bool connect_to(struct end *end, const char *name)
{
    int64_t until = koine_now() + CONNECT_S * KOINE_SECOND;
    int rc = KOINE_ENOENT;
    while ((rc == KOINE_ENOENT || rc == KOINE_EDOWN) && koine_now() < until) {
        rc = koine_ref_open(&end->ref, end->node, name, &bench_Echo, WAIT);
        if (rc)
            (void)koine_node_process(end->node, KOINE_MILLISECOND);
    }
    return rc ? give_up(end, name, rc) : true;
}

static bool subscribe_to(struct end *end, const char *name)
{
    if (!connect_to(end, name))
        return false;
    int rc = koine_subscribe(&end->sub, end->ref, end->event, WAIT);
    return rc ? give_up(end, "subscription", rc) : true;
}

/* Serves until all peers are up, and what they said on the way is heard. */
static bool await_peers(struct end *end)
{
    struct bench_side *side = end->side;
    while (atomic_load(&side->shared->ready) < side->method->peers) {
        int rc = koine_node_process(end->node, KOINE_MILLISECOND);
        if (rc < 0)
            return give_up(end, "getting ready", rc);
    }
    while (koine_node_process(end->node, 0) > 0)
        ;
    return true;
}

static bool choose(struct end *end, uint32_t event, size_t size)
{
    end->event = event;
    end->size = size;
    end->payload = malloc(size);
    if (!end->payload)
        return kn_bench_fail(end->side, "no memory");
    memset(end->payload, 0x5a, size);
    return true;
}

/* ---------------------------------------------------------------- echo by events */

/* What the method's shape asks for: an event, and whether its payload is written and read. */
enum shape { SMALL, LARGE, UNTOUCHED };

static bool choose_by_shape(struct end *end)
{
    bool small = end->side->method->shape == SMALL;
    return choose(end, small ? bench_Echo_line_index : bench_Echo_mebi_index,
                  small ? BENCH_LINE : BENCH_MEBI);
}

static bool publish_one(struct end *end)
{
    int shape = end->side->method->shape;
    void *value = end->payload;
    int rc = 0;
    if (shape != SMALL)
        rc = koine_event_loan(&value, end->service, end->event);
    if (!rc && shape == LARGE)
        memcpy(value, end->payload, end->size);
    if (!rc)
        rc = koine_event_publish(end->service, end->event, value);
    return rc ? give_up(end, "publish", rc) : true;
}

/* A small payload is copied out, as the bare slot does. */
static bool take_one(struct end *end)
{
    struct koine_sample *sample;
    int rc = koine_event_wait(&sample, end->sub, WAIT);
    if (rc)
        return give_up(end, "wait", rc);
    int shape = end->side->method->shape;
    if (shape == SMALL)
        memcpy(end->payload, koine_sample_value(sample), BENCH_LINE);
    else if (shape == LARGE)
        end->sum += bench_touch(koine_sample_value(sample), end->size);
    koine_sample_release(sample);
    return true;
}

static bool run_event_echo(void *arg, uint64_t count)
{
    struct end *end = arg;
    for (uint64_t i = 0; i < count; i++)
        if (!publish_one(end) || !take_one(end))
            return false;
    return true;
}

static bool lead_event_echo(struct bench_side *side)
{
    struct end end;
    return open_node(&end, side) && choose_by_shape(&end) && serve(&end, "there") &&
           subscribe_to(&end, "back") && await_peers(&end) &&
           kn_bench_measure(side, run_event_echo, &end);
}

static bool peer_event_echo(struct bench_side *side)
{
    struct end end;
    if (!open_node(&end, side) || !choose_by_shape(&end) || !serve(&end, "back") ||
        !subscribe_to(&end, "there"))
        return false;
    kn_bench_ready(side);
    while (take_one(&end) && publish_one(&end))
        ;
    return false;
}

const struct bench_method kn_bench_event_spin = {.name = "event echo",
                                                 .peers = 1,
                                                 .shape = SMALL,
                                                 .lead = lead_event_echo,
                                                 .peer = peer_event_echo};
const struct bench_method kn_bench_event_block = {.name = "event echo, sleeping",
                                                  .peers = 1,
                                                  .shape = SMALL,
                                                  .spin = -1,
                                                  .lead = lead_event_echo,
                                                  .peer = peer_event_echo};
const struct bench_method kn_bench_loan = {.name = "event echo, pointers",
                                           .peers = 1,
                                           .shape = UNTOUCHED,
                                           .lead = lead_event_echo,
                                           .peer = peer_event_echo};
const struct bench_method kn_bench_echo_1m = {.name = "event echo, 1 MiB",
                                              .peers = 1,
                                              .shape = LARGE,
                                              .lead = lead_event_echo,
                                              .peer = peer_event_echo};

/* ---------------------------------------------------------------- calls */

static bool run_calls(void *arg, uint64_t count)
{
    struct end *end = arg;
    for (uint64_t i = 0; i < count; i++) {
        const struct bench_Echo_echo_64_out *out;
        int rc = bench_Echo_echo_64_call(&out, end->ref, (const void *)end->payload, 0);
        if (rc)
            return give_up(end, "call", rc);
        memcpy(end->payload, out->return_, BENCH_LINE);
    }
    return true;
}

static bool run_large_calls(void *arg, uint64_t count)
{
    struct end *end = arg;
    for (uint64_t i = 0; i < count; i++) {
        const struct bench_Echo_echo_4k_out *out;
        int rc = bench_Echo_echo_4k_call(&out, end->ref, (const void *)end->payload, 0);
        if (rc)
            return give_up(end, "call", rc);
        end->sum += bench_touch(out->return_, sizeof out->return_);
    }
    return true;
}

static bool lead_call(struct bench_side *side)
{
    struct end end;
    size_t size = side->method->shape == SMALL ? BENCH_LINE : sizeof(struct bench_Echo_echo_4k_in);
    if (!open_node(&end, side) || !choose(&end, bench_Echo_line_index, size) ||
        !connect_to(&end, "calls") || !await_peers(&end))
        return false;
    return kn_bench_measure(side, side->method->shape == SMALL ? run_calls : run_large_calls, &end);
}

static bool peer_call(struct bench_side *side)
{
    struct end end;
    if (!open_node(&end, side) ||
        !choose(&end, bench_Echo_line_index, sizeof(struct bench_Echo_echo_4k_in)) ||
        !serve(&end, "calls"))
        return false;
    kn_bench_ready(side);
    return give_up(&end, "serving", koine_node_run(end.node));
}

const struct bench_method kn_bench_call_spin = {.name = "call echo",
                                                .peers = 1,
                                                .shape = SMALL,
                                                .spin = 50 * KOINE_MICROSECOND,
                                                .lead = lead_call,
                                                .peer = peer_call};
const struct bench_method kn_bench_call_adaptive = {.name = "call echo, defaults",
                                                    .peers = 1,
                                                    .shape = SMALL,
                                                    .lead = lead_call,
                                                    .peer = peer_call};
const struct bench_method kn_bench_call_block = {.name = "call echo, sleeping",
                                                 .peers = 1,
                                                 .shape = SMALL,
                                                 .spin = -1,
                                                 .lead = lead_call,
                                                 .peer = peer_call};
const struct bench_method kn_bench_echo_4k = {
    .name = "call echo, 4 KiB", .peers = 1, .shape = LARGE, .lead = lead_call, .peer = peer_call};

/* ---------------------------------------------------------------- one way */

/* Of the shape of these: how many are published at once; 0: one of a mebibyte. */
static bool choose_one_way(struct end *end)
{
    bool small = end->side->method->shape != 0;
    return choose(end, small ? bench_Echo_line_index : bench_Echo_mebi_index,
                  small ? BATCH * BENCH_LINE : BENCH_MEBI);
}

static bool await_taken(struct end *end)
{
    struct bench_side *side = end->side;
    for (uint32_t i = 0; i < side->method->peers; i++)
        while (atomic_load_explicit(&side->shared->done[i].count, memory_order_relaxed) !=
               end->sent)
            bench_relax();
    return true;
}

static bool run_publish(void *arg, uint64_t count)
{
    struct end *end = arg;
    const void *value = end->payload;
    int rc = 0;
    for (uint64_t i = 0; i < count && !rc; i++)
        rc = koine_event_publish(end->service, end->event, value);
    end->sent += count;
    return rc ? give_up(end, "publish", rc) : await_taken(end);
}

static bool run_publish_many(void *arg, uint64_t count)
{
    struct end *end = arg;
    int rc = 0;
    for (uint64_t left = count; left && !rc;) {
        uint64_t batch = left < BATCH ? left : BATCH;
        rc = koine_event_publish_many(end->service, end->event, end->payload, batch, BENCH_LINE);
        left -= batch;
    }
    end->sent += count;
    return rc ? give_up(end, "publish", rc) : await_taken(end);
}

static bool run_publish_large(void *arg, uint64_t count)
{
    struct end *end = arg;
    for (uint64_t i = 0; i < count; i++) {
        void *value;
        int rc = koine_event_loan(&value, end->service, end->event);
        if (!rc) {
            memcpy(value, end->payload, end->size);
            rc = koine_event_publish(end->service, end->event, value);
        }
        if (rc)
            return give_up(end, "publish", rc);
    }
    end->sent += count;
    return await_taken(end);
}

static bool lead_one_way(struct bench_side *side)
{
    struct end end;
    if (!open_node(&end, side) || !choose_one_way(&end) || !serve(&end, "stream") ||
        !await_peers(&end))
        return false;
    int batch = side->method->shape;
    return kn_bench_measure(side,
                            batch == 0   ? run_publish_large
                            : batch == 1 ? run_publish
                                         : run_publish_many,
                            &end);
}

static int take_some(struct end *end, uint32_t *takenp)
{
    struct koine_sample *sample;
    size_t size = end->side->method->shape ? BENCH_LINE : BENCH_MEBI;
    int rc = koine_event_wait(&sample, end->sub, WAIT);
    *takenp = 0;
    for (uint32_t i = 0; !rc && i < TAKEN; i++) {
        end->sum += bench_touch(koine_sample_value(sample), size);
        koine_sample_release(sample);
        ++*takenp;
        rc = koine_event_take(&sample, end->sub);
    }
    if (!rc) {
        end->sum += bench_touch(koine_sample_value(sample), size);
        koine_sample_release(sample);
        ++*takenp;
    }
    return rc == KOINE_EAGAIN || rc == KOINE_EDEADLINE ? 0 : rc;
}

static bool peer_one_way(struct bench_side *side)
{
    struct end end;
    if (!open_node(&end, side) || !choose_one_way(&end) || !subscribe_to(&end, "stream"))
        return false;
    _Atomic uint64_t *done = &side->shared->done[side->index].count;
    uint32_t taken;
    int rc;
    kn_bench_ready(side);
    while (!(rc = take_some(&end, &taken)))
        atomic_store_explicit(done, end.sent += taken, memory_order_relaxed);
    return give_up(&end, "take", rc);
}

const struct bench_method kn_bench_rate = {
    .name = "events", .peers = 1, .shape = 1, .lead = lead_one_way, .peer = peer_one_way};
const struct bench_method kn_bench_rate_batched = {.name = "events, batch 16",
                                                   .peers = 1,
                                                   .shape = BATCH,
                                                   .lead = lead_one_way,
                                                   .peer = peer_one_way};
const struct bench_method kn_bench_rate_1to4 = {.name = "events, 4 readers",
                                                .peers = BENCH_PEERS,
                                                .shape = 1,
                                                .lead = lead_one_way,
                                                .peer = peer_one_way};
const struct bench_method kn_bench_rate_1m = {
    .name = "events, 1 MiB", .peers = 1, .shape = 0, .lead = lead_one_way, .peer = peer_one_way};
