/* SPDX-License-Identifier: MIT */
#include "dialect/test-pair.h"

#include "dialect/test-form.h"

#include <koine/value.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ITEMS = 48, LAST = 4, SERVICES = 6, OPTIONS = 8 };

#define QUIET (600 * KOINE_SECOND) /* enough for whatever a dialect waits for */

const char *test_pair_bug;
bool test_pair_print;

/* Of all requests. */
static struct {
    unsigned long replies, exceptions, faults, cancelled, late, died, events;
} totals;

struct pair;

/* A request and what became of it. */
struct item {
    struct pair *pair;
    struct sim_want *want; /* while it is under way */
    uint8_t kind, flags;
    uint32_t member;
    uint64_t key;
    int64_t deadline;
    size_t troubles; /* before it */
    bool back;       /* from the side that serves */
    bool done, replied, cancelled;
};

struct pair {
    const struct kn_dialect *dialect;
    const struct test_services *services;
    struct random_source random;
    struct sim_plan plan;
    struct kn_options serving, reaching;
    struct kn_option options[2][OPTIONS];
    char uri[64];
    enum kn_shape shape;
    bool rough;
    struct sim *sim;
    struct sim_endpoint *serve, *reach;
    struct item items[ITEMS + LAST];
    unsigned count, deaths;
};

/* ---------------------------------------------------------------- what is right */

static bool is_equal(const struct kn_body *body, const void *wanted)
{
    return !koine_value_differ(body->type, body->value, wanted);
}

static void check_reply(const struct item *item, const struct kn_body *body)
{
    const struct test_services *services = item->pair->services;
    struct kn_body wanted;
    if (item->kind == KN_MESSAGE_CALL) {
        test_require(test_outcome(item->key) <= TEST_SLOW, "a reply to what is a fault");
        void *value = test_service_echo(&wanted, services, item->member, item->key, true);
        test_require(is_equal(body, value), "not the answer to this request");
        free(value);
    } else if (item->kind == KN_MESSAGE_GET) {
        test_require(is_equal(body, services->random_value[item->member]), "another value");
    } else if (item->kind == KN_MESSAGE_DESCRIBE) {
        const struct koine_interface *interface = body->value;
        test_require(interface->hash == services->random.hash, "another interface");
    }
}

/* The declared exception with its value, and a fault of the service. */
static bool is_meant(const struct item *item, const struct koine_fault *fault)
{
    if (item->kind != KN_MESSAGE_CALL || test_outcome(item->key) < TEST_FAULT)
        return false;
    if (test_outcome(item->key) == TEST_FAULT)
        return !fault->name[0];
    if (strcmp(fault->name, "test::Odd") != 0 || !fault->value)
        return false;
    test_require(!memcmp(fault->value, &item->key, sizeof item->key), "not the exception thrown");
    return true;
}

static bool is_carried(const struct item *item)
{
    unsigned carries = item->pair->dialect->identity->carries;
    bool stream = item->pair->shape == KN_STREAM || item->pair->shape == KN_PACKET;
    if (item->back || item->kind == KN_MESSAGE_DESCRIBE)
        return false;
    if (item->kind == KN_MESSAGE_GET || item->kind == KN_MESSAGE_SET)
        return carries & KN_CARRIES_ATTRIBUTES;
    return item->kind == KN_MESSAGE_CALL || (stream && carries & KN_CARRIES_EVENTS);
}

static void check_fault(const struct item *item, const struct koine_fault *fault, int error)
{
    const struct sim *sim = item->pair->sim;
    totals.faults++;
    if (is_meant(item, fault)) {
        totals.exceptions++;
        return;
    }
    if (fault->code == KOINE_FAULT_UNIMPLEMENTED && !is_carried(item))
        return;
    /* A client may end its connection while it is asked something, and a subscription ends with it. */
    if (item->back || (item->kind == KN_MESSAGE_SUBSCRIBE && error == 0 && item->replied))
        return;
    if (item->pair->rough && sim->troubles)
        return;
    if (sim->print)
        fprintf(stderr, "%d %s %s\n", fault->code, fault->name, fault->message);
    test_broken(__FILE__, __LINE__, "a fault that nothing explains");
}

static void on_done(struct sim_want *want, const struct kn_message *answer, int error)
{
    struct item *item = want->arg;
    item->want = NULL;
    test_require(!item->done, "answered twice");
    item->done = true;
    item->replied |= want->subscribed;
    if (answer && answer->kind == KN_MESSAGE_FAULT)
        check_fault(item, answer->fault, error);
    else if (answer)
        check_reply(item, &answer->body);
    else if (error == KOINE_EDOWN)
        test_require(item->back || item->pair->rough, "its endpoint is gone");
    else if (error == KOINE_EDEADLINE)
        test_require(item->deadline != KOINE_FOREVER, "no deadline");
    else if (error == KOINE_ECANCELLED)
        test_require(item->cancelled, "cancelled by nobody");
    item->replied |= answer && answer->kind == KN_MESSAGE_REPLY;
    totals.replies += item->replied;
    totals.events += want->next_event;
    totals.cancelled += error == KOINE_ECANCELLED;
    totals.late += error == KOINE_EDEADLINE;
    totals.died += !answer && error == KOINE_EDOWN;
}

void test_pair_report(void)
{
    printf(
        "%lu replies, %lu faults (%lu of the service), %lu cancelled, %lu late, %lu died with an "
        "endpoint, %lu events\n",
        totals.replies, totals.faults, totals.exceptions, totals.cancelled, totals.late,
        totals.died, totals.events);
}

/* ---------------------------------------------------------------- requests */

static const uint8_t kinds[] = {KN_MESSAGE_CALL,
                                KN_MESSAGE_CALL,
                                KN_MESSAGE_CALL,
                                KN_MESSAGE_CALL,
                                KN_MESSAGE_CALL,
                                KN_MESSAGE_CALL,
                                KN_MESSAGE_GET,
                                KN_MESSAGE_SET,
                                KN_MESSAGE_SUBSCRIBE,
                                KN_MESSAGE_DESCRIBE,
                                0 /* tell */};

static struct item *choose(struct pair *pair)
{
    struct item *item = &pair->items[pair->count];
    struct random_source *random = &pair->random;
    uint32_t used = pair->services->random_count, index = random_below(random, used);
    *item = (struct item){.pair = pair,
                          .kind = kinds[random_below(random, sizeof kinds)],
                          .key = (uint64_t)++pair->count << 8 | random_below(random, 16),
                          .deadline = KOINE_FOREVER,
                          .troubles = pair->sim->troubles};
    if (item->kind == KN_MESSAGE_CALL) {
        item->member = used + index;
        item->flags = index & 1 ? KN_MESSAGE_IDEMPOTENT : 0;
    } else if (item->kind == KN_MESSAGE_SUBSCRIBE) {
        item->member = 2 * used + index;
    } else if (item->kind) {
        item->member = index;
    } else {
        item->kind = KN_MESSAGE_CALL;
        item->member = 3 * used;
        item->flags = KN_MESSAGE_ONEWAY;
    }
    return item;
}

/* The value that goes along; free(). */
static void *make_body(struct kn_body *body, const struct item *item)
{
    const struct test_services *services = item->pair->services;
    const struct koine_interface *interface = &services->random;
    void *copy = NULL;
    *body = (struct kn_body){NULL, NULL};
    if (item->kind == KN_MESSAGE_SET)
        *body = (struct kn_body){interface->types.ptr + item->member,
                                 services->random_value[item->member]};
    else if (item->flags & KN_MESSAGE_ONEWAY)
        *body = (struct kn_body){interface->types.ptr + interface->features.ptr[item->member].in,
                                 &item->key};
    else if (item->kind == KN_MESSAGE_CALL)
        return test_service_echo(body, services, item->member, item->key, false);
    if (body->type)
        test_require(!koine_value_copy(&copy, body->type, body->value), "no value");
    if (body->type)
        body->value = copy;
    return copy;
}

static void issue(struct item *item, struct sim_channel *channel, struct kn_str service)
{
    struct kn_body body;
    void *value = make_body(&body, item);
    struct sim_want want = {.kind = item->kind,
                            .flags = item->flags,
                            .member = item->member,
                            .key = item->key,
                            .deadline = item->deadline,
                            .interface = &item->pair->services->random,
                            .service = service,
                            .type = body.type,
                            .value = value,
                            .done = on_done,
                            .arg = item};
    struct sim_want *made = sim_want(channel, &want);
    if (!item->done)
        item->want = made;
    free(value);
}

static void issue_some(struct pair *pair)
{
    struct item *item = choose(pair);
    struct kn_str service = random_below(&pair->random, 2) ? KN_STR("") : pair->reaching.target;
    struct sim_channel *channel = pair->reach->home;
    bool oneway = item->flags & KN_MESSAGE_ONEWAY;
    if (random_below(&pair->random, 8) == 0 && !kn_list_empty(&pair->serve->channels)) {
        struct sim_channel *client =
            KN_LIST_ENTRY(pair->serve->channels.prev, struct sim_channel, in_endpoint);
        if (client->open && !client->closing && client->channel.shape != KN_LISTENER &&
            client->channel.shape != KN_DATAGRAM) {
            item->back = true;
            channel = client;
            service = KN_STR("");
        }
    }
    if (!oneway && random_below(&pair->random, 6) == 0)
        item->deadline =
            pair->sim->now + (1 + random_below(&pair->random, 300)) * KOINE_MILLISECOND;
    if (channel)
        issue(item, channel, service);
    else
        item->done = true;
}

/* ---------------------------------------------------------------- what happens meanwhile */

static void request(struct sim_event *event)
{
    struct pair *pair = event->of;
    unsigned burst = 1 + random_below(&pair->random, 4);
    while (burst-- && pair->count < ITEMS)
        issue_some(pair);
    if (pair->count < ITEMS)
        sim_at(pair->sim, NULL, random_below(&pair->random, 100) * KOINE_MILLISECOND, request)->of =
            pair;
}

static void cancel(struct sim_event *event)
{
    struct pair *pair = event->of;
    struct item *item = &pair->items[random_below(&pair->random, ITEMS)];
    if (!item->want)
        return;
    item->cancelled = true;
    sim_cancel(item->want);
}

static void come_back(struct sim_event *event)
{
    struct sim_endpoint *endpoint = event->of;
    if (!endpoint->endpoint)
        sim_restart(endpoint);
}

static void die(struct sim_event *event)
{
    struct pair *pair = event->of;
    struct sim_endpoint *endpoint = random_below(&pair->random, 3) ? pair->serve : pair->reach;
    pair->sim->troubles++;
    pair->deaths++;
    sim_kill(endpoint);
    int64_t away = random_below(&pair->random, 200) * KOINE_MILLISECOND;
    sim_at(pair->sim, NULL, away, come_back)->of = endpoint;
}

static void schedule(struct pair *pair)
{
    struct sim *sim = pair->sim;
    sim_at(sim, NULL, KOINE_MILLISECOND, request)->of = pair;
    for (unsigned i = random_below(&pair->random, 6); i; i--)
        sim_at(sim, NULL, random_below(&pair->random, 1500) * KOINE_MILLISECOND, cancel)->of = pair;
    for (unsigned i = pair->rough ? random_below(&pair->random, 3) : 0; i; i--)
        sim_at(sim, NULL, random_below(&pair->random, 1500) * KOINE_MILLISECOND, die)->of = pair;
}

/* ---------------------------------------------------------------- the run */

static const struct test_services *services_of(uint64_t seed)
{
    static struct test_services all[SERVICES];
    struct test_services *one = &all[seed % SERVICES];
    if (!one->thermostat)
        test_services_init(one, 1 + seed % SERVICES);
    return one;
}

static void make_plan(struct pair *pair, uint64_t seed)
{
    struct random_source *random = &pair->random;
    struct sim_plan *plan = &pair->plan;
    *plan = (struct sim_plan){.seed = seed, .allocations = -1};
    plan->shuffle = random_below(random, 4);
    plan->late = random_below(random, 2);
    plan->full_every = random_below(random, 2) ? 2 + random_below(random, 4) : 0;
    plan->slow_every = random_below(random, 2) ? 1 + random_below(random, 5) : 0;
    plan->window = random_below(random, 2) ? 16u << random_below(random, 10) : 0;
    plan->split = random_below(random, 2) ? random_below(random, 100) : 0;
    pair->rough = random_below(random, 2);
    if (!pair->rough)
        return;
    plan->lost = random_below(random, 30);
    plan->doubled = random_below(random, 30);
    plan->refused = random_below(random, 2) ? random_below(random, 60) : 0;
    plan->cut = random_below(random, 2) ? random_below(random, 800) : 0;
}

static void make_options(struct pair *pair, int side, struct kn_options *options, uint32_t choice)
{
    size_t count;
    const struct kn_option *form = test_form_options(&count, options->role, choice);
    test_require(count < OPTIONS, "too many options");
    memcpy(pair->options[side], form ? form : pair->options[side], count * sizeof *form);
    if (test_pair_bug)
        pair->options[side][count++] = (struct kn_option){"bug", test_pair_bug};
    options->all = pair->options[side];
    options->count = count;
}

static bool is_among(const char *name, const char *const *all)
{
    for (; *all; all++)
        if (!strcmp(*all, name))
            return true;
    return false;
}

/* One of the transports that both roles have. */
static const char *choose_transport(const struct kn_identity *identity, uint32_t choice)
{
    static const char *const known[] = {"tcp", "unix", "packet", "udp", "http"};
    enum { KNOWN = sizeof known / sizeof *known };
    const char *both[KNOWN];
    uint32_t count = 0;
    for (size_t i = 0; i < KNOWN; i++)
        if (is_among(known[i], identity->transports) && is_among(known[i], identity->reaches))
            both[count++] = known[i];
    test_require(count, "no transport that both roles have");
    return both[choice % count];
}

static enum kn_shape shape_of(const char *transport)
{
    if (!strcmp(transport, "udp"))
        return KN_DATAGRAM;
    if (!strcmp(transport, "packet"))
        return KN_PACKET;
    return !strcmp(transport, "http") ? KN_EXCHANGE : KN_STREAM;
}

static void make_ends(struct pair *pair, const char *transport, uint32_t choice)
{
    bool local = !strcmp(transport, "unix") || !strcmp(transport, "packet");
    snprintf(pair->uri, sizeof pair->uri, "%s://%s", transport, local ? "/x" : "127.0.0.1:7000");
    pair->shape = shape_of(transport);
    pair->serving = (struct kn_options){.role = KN_SERVE, .transport = transport};
    pair->reaching = (struct kn_options){
        .role = KN_REACH, .transport = transport, .target = KN_STR("test/random")};
    make_options(pair, 0, &pair->serving, choice);
    make_options(pair, 1, &pair->reaching, choice);
}

static void make_pair(struct pair *pair, const struct kn_dialect *dialect, uint64_t seed)
{
    *pair = (struct pair){.dialect = dialect, .random = {seed}, .services = services_of(seed)};
    const char *transport = choose_transport(dialect->identity, random_below(&pair->random, 60));
    make_plan(pair, seed);
    make_ends(pair, transport, random_below(&pair->random, 60));
    snprintf(test_run_name, sizeof test_run_name,
             " (%s over %s, %s; again by: test-dialect-generic-%s --seed %llu%s%s)",
             dialect->identity->name, transport, pair->rough ? "rough" : "smooth",
             dialect->identity->name, (unsigned long long)seed, test_pair_bug ? " --bug " : "",
             test_pair_bug ? test_pair_bug : "");
}

static void finish_all(struct pair *pair, unsigned from)
{
    pair->sim->calm = true;
    (void)sim_run(pair->sim, -1, pair->sim->now + QUIET);
    for (unsigned i = from; i < pair->count; i++)
        test_require(pair->items[i].done || pair->items[i].kind == KN_MESSAGE_SUBSCRIBE,
                     "a request that nobody ever answers");
}

/* At most once, unless it may be asked again, and at least once where it was answered. */
static void check_executed(struct pair *pair)
{
    bool stream = pair->shape == KN_STREAM || pair->shape == KN_PACKET;
    for (unsigned i = 0; i < pair->count; i++) {
        const struct item *item = &pair->items[i];
        if (item->kind != KN_MESSAGE_CALL)
            continue;
        uintptr_t times = (uintptr_t)kn_map_get(&pair->sim->executed, item->key);
        uintptr_t most = pair->shape == KN_DATAGRAM ? 1 + pair->deaths : 1;
        test_require(times <= most || item->flags & KN_MESSAGE_IDEMPOTENT, "ran more than once");
        test_require(times || !item->replied, "answered, and never ran");
        if (item->flags & KN_MESSAGE_ONEWAY && !pair->rough && stream && !item->back)
            test_require(times == 1, "a one-way call did not arrive");
    }
}

/* When all is well again, so are calls. */
static void call_at_last(struct pair *pair)
{
    unsigned from = pair->count;
    for (unsigned i = 0; i < LAST; i++) {
        struct item *item = choose(pair);
        item->kind = KN_MESSAGE_CALL;
        item->member = pair->services->random_count;
        item->flags = 0;
        item->key = (uint64_t)pair->count << 8;
        issue(item, pair->reach->home, pair->reaching.target);
        finish_all(pair, from);
        test_require(item->replied, "a call that fails although all is well");
    }
}

static void give_up_subscriptions(struct pair *pair)
{
    for (unsigned i = 0; i < pair->count; i++)
        if (pair->items[i].want) {
            pair->items[i].cancelled = true;
            sim_cancel(pair->items[i].want);
        }
    (void)sim_run(pair->sim, -1, pair->sim->now + QUIET);
    if (pair->shape != KN_DATAGRAM)
        return;
    KN_LIST_EACH(at, &pair->serve->channels)
    {
        test_require(!KN_LIST_ENTRY(at, struct sim_channel, in_endpoint)->waiting, "it goes on");
    }
}

uint64_t test_pair_run(const struct kn_dialect *dialect, uint64_t seed)
{
    struct pair *pair = malloc(sizeof *pair);
    make_pair(pair, dialect, seed);
    struct sim sim;
    sim_init(&sim, &pair->plan, pair->services);
    pair->sim = &sim;
    pair->sim->print = test_pair_print;
    pair->serve = sim_start(pair->sim, dialect, &pair->serving, pair->uri);
    pair->reach = sim_start(pair->sim, dialect, &pair->reaching, pair->uri);
    test_require(pair->serve->endpoint && pair->reach->endpoint, "it does not start");
    (void)sim_run(pair->sim, -1, pair->sim->now);
    schedule(pair);
    (void)sim_run(pair->sim, -1, pair->sim->now + 10 * KOINE_SECOND);
    finish_all(pair, 0);
    call_at_last(pair);
    give_up_subscriptions(pair);
    check_executed(pair);
    test_require(!pair->serve->state.spoilt && !pair->reach->state.spoilt, "a value was spoilt");
    sim_deinit(pair->sim);
    free(pair);
    test_run_name[0] = '\0';
    return sim.trace;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

unsigned test_pair_runs(const struct kn_dialect *dialect, uint64_t seed, double seconds,
                        unsigned most)
{
    double end = seconds_now() + seconds;
    unsigned count = 0;
    while (count < most && seconds_now() < end) {
        uint64_t trace = test_pair_run(dialect, seed + count);
        if (count++ % 16 == 0)
            test_require(test_pair_run(dialect, seed + count - 1) == trace,
                         "two runs of one seed differ");
    }
    return count;
}

/* ---------------------------------------------------------------- one side alone */

enum { ALONE = 10 };

static const char *const alone_uri = "tcp://127.0.0.1:7000";

/* Quiet, and always the same: calls with each outcome, a get, a set, a one-way call. */
static void make_alone(struct pair *pair, const struct kn_dialect *dialect,
                       const struct test_services *services)
{
    *pair = (struct pair){.dialect = dialect, .services = services, .random = {7}};
    snprintf(test_run_name, sizeof test_run_name, " (%s, alone)", dialect->identity->name);
    make_ends(pair, "tcp", 0);
    pair->plan = (struct sim_plan){.seed = 7, .allocations = -1};
    pair->rough = true;
}

static void issue_alone(struct pair *pair)
{
    static const uint8_t alone_kinds[] = {KN_MESSAGE_CALL, KN_MESSAGE_GET, KN_MESSAGE_SET};
    uint32_t used = pair->services->random_count;
    for (uint32_t i = 0; i < ALONE && pair->reach->home; i++) {
        struct item *item = choose(pair);
        item->kind = i < 6 ? KN_MESSAGE_CALL : alone_kinds[i % 3];
        item->member = item->kind == KN_MESSAGE_CALL ? used + i * used / ALONE : i;
        item->flags =
            item->kind == KN_MESSAGE_CALL && (item->member - used) & 1 ? KN_MESSAGE_IDEMPOTENT : 0;
        item->key = (uint64_t)pair->count << 8 | i % TEST_OUTCOMES;
        if (i == ALONE - 1) {
            item->kind = KN_MESSAGE_CALL;
            item->member = 3 * used;
            item->flags = KN_MESSAGE_ONEWAY;
        }
        issue(item, pair->reach->home, pair->reaching.target);
    }
}

bool test_pair_record(struct kn_buffer *to_serve, struct kn_buffer *to_reach,
                      const struct kn_dialect *dialect, const struct test_services *services)
{
    const struct kn_identity *identity = dialect->identity;
    struct sim sim;
    if (!identity->reaches || !is_among("tcp", identity->reaches) ||
        !is_among("tcp", identity->transports))
        return false;
    struct pair *pair = malloc(sizeof *pair);
    make_alone(pair, dialect, services);
    sim_init(&sim, &pair->plan, services);
    pair->sim = &sim;
    /* First, so that it draws the same random numbers as when it is alone. */
    pair->reach = sim_start(&sim, dialect, &pair->reaching, alone_uri);
    pair->serve = sim_start(&sim, dialect, &pair->serving, alone_uri);
    (void)sim_run(&sim, -1, sim.now);
    pair->serve->heard = to_serve;
    pair->reach->heard = to_reach;
    issue_alone(pair);
    (void)sim_run(&sim, -1, sim.now + KOINE_SECOND);
    for (unsigned i = 0; i < pair->count; i++)
        test_require(pair->items[i].done, "not answered although all is quiet");
    pair->serve->heard = pair->reach->heard = NULL;
    sim_deinit(&sim);
    free(pair);
    return true;
}

void test_alone_init(struct test_alone *alone, const struct kn_dialect *dialect,
                     const struct sim_plan *plan, const struct test_services *services)
{
    struct pair *pair = alone->pair = malloc(sizeof *pair);
    make_alone(pair, dialect, services);
    sim_lone_init(&alone->lone, dialect, &pair->reaching, plan, services);
    pair->sim = &alone->lone.sim;
    pair->sim->troubles = 1;
    pair->sim->acceptor = &alone->lone.peer;
    pair->reach = alone->lone.endpoint;
    if (pair->reach->home)
        issue_alone(pair);
    (void)sim_run(pair->sim, -1, pair->sim->now + KOINE_SECOND);
}

unsigned test_alone_replies(const struct test_alone *alone)
{
    unsigned count = 0;
    for (unsigned i = 0; i < alone->pair->count; i++)
        count += alone->pair->items[i].replied;
    return count;
}

void test_alone_deinit(struct test_alone *alone)
{
    struct pair *pair = alone->pair;
    sim_hang_up(&alone->lone.peer);
    (void)sim_run(pair->sim, -1, pair->sim->now + QUIET);
    for (unsigned i = 0; i < pair->count; i++)
        test_require(pair->items[i].done, "a request that nobody ever answers");
    sim_lone_deinit(&alone->lone);
    free(pair);
    test_run_name[0] = '\0';
}
