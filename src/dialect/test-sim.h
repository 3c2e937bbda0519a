/* SPDX-License-Identifier: MIT
 *
 * The simulated network: a world in virtual time for tests and fuzzers. It has any number of endpoints of
 * any dialects in either role, a host for each with every function of struct kn_host, the connections
 * between them, services behind those that serve, callers before those that reach, and one directory.
 *
 *      caller -> send -> [reach] -> write ~~> delay, split, lost, cut ~~> feed -> [serve] -> deliver -> service
 *
 * Whatever is not the dialects' is drawn from one seed: the same seed is the same run, event by event,
 * which `trace` shows. With an empty plan nothing is ever late, split, lost or refused.
 *
 * It is the oracle too: it aborts when a dialect breaks the contract (dialect.h): writes after KOINE_EFULL,
 * `end` or `close`, frees twice, leaves memory behind, delivers what is no value, answers twice or nobody,
 * takes a request and lets it go under, uses a channel that is gone.
 *
 *      test-sim.c         the world: events, endpoints, channels
 *      test-sim-host.c    what a dialect calls
 *      test-sim-net.c     how octets move
 *      test-sim-native.c  services and callers
 *      test-sim-stack.c   a dialect on another that is a transport
 */
#ifndef KN_DIALECT_TEST_SIM_H
#define KN_DIALECT_TEST_SIM_H

#include "base/buffer.h"
#include "base/list.h"
#include "base/map.h"
#include "dialect/dialect.h"
#include "dialect/test-service.h"
#include "value/test-random.h"

/* Says what, and in which run, and aborts. */
#define test_require(condition, what) \
    ((condition) ? (void)0 : test_broken(__FILE__, __LINE__, what))
void test_broken(const char *file, int line, const char *what) __attribute__((noreturn));
extern char test_run_name[200];

enum {
    SIM_PATH = 108,
    SIM_FDS = 8,             /* passed at once */
    SIM_DATAGRAM_MAX = 65507 /* octets; what is longer is lost */
};

/* Of the time that passes until an input is there; drawn for each where the plan shuffles. */
#define SIM_DELAY (2 * KOINE_MILLISECOND)
/* How long a peer that has closed, and whose last octets nobody reads, is waited for. */
#define SIM_LINGER (30 * KOINE_SECOND)

struct sim_plan {
    uint64_t seed;
    bool late;    /* what is asked is answered by `wake` */
    bool shuffle; /* each thing takes a time of its own, so what may overtake does */
    unsigned
        full_every; /* every n-th delivery, or send of an event, is refused by KOINE_EFULL, 0: none */
    unsigned slow_every; /* every n-th write answers KOINE_EFULL */
    long allocations;    /* of the host that succeed, per endpoint; negative: all */
    size_t quota;        /* octets of a channel, 0: no limit */
    size_t window;  /* octets on their way after which a write answers KOINE_EFULL, 0: any number */
    unsigned split; /* percent of arrivals on a stream that are less than what is there */
    unsigned lost, doubled; /* percent of datagrams */
    unsigned refused;       /* percent of connects */
    unsigned cut;           /* of 10000 arrivals: the connection breaks */
};

extern const struct sim_plan sim_plain;

struct sim;
struct sim_endpoint;
struct sim_channel;

struct sim_event {
    struct kn_list in_sim, in_channel;
    int64_t when;
    void (*happen)(struct sim_event *event);
    struct sim *sim;
    struct sim_channel *channel; /* it does not happen when this is closed; NULL: the world's */
    uint64_t key;
    void *of;    /* what it is about */
    void *owned; /* free() */
};

/* What a function of a dialect was handed. */
struct sim_scratch {
    struct kn_list in_sim;
    void *owned; /* free() */
    _Alignas(16) char octets[];
};

struct sim {
    const struct sim_plan *plan;
    const struct test_services *services;
    struct random_source random;
    int64_t now;
    uint64_t trace;  /* hash of all that happened */
    bool print;      /* it, to stderr */
    bool calm;       /* nothing is lost, refused or cut any more */
    size_t troubles; /* lost, refused, cut, died */
    struct kn_list events, endpoints, directory;
    struct sim_endpoint *inside; /* a function of it runs */
    struct kn_list scratch;      /* struct sim_scratch */
    struct sim_peer *acceptor;   /* whom a connect reaches where nobody listens, once; or NULL */
    uint16_t port;               /* the last that was taken */
    uint64_t serial;
    unsigned endpoint_count, channel_count;
    unsigned filled;        /* by `fill`: how often */
    struct kn_map executed; /* key of a request of test/random: how often it ran */
};

struct sim_endpoint {
    struct kn_list in_sim;
    struct sim *sim;
    const struct kn_dialect *dialect;
    struct kn_options options;
    const char *uri;              /* transport://address, NULL: it has no place */
    struct kn_endpoint *endpoint; /* NULL: it runs not */
    struct sim_channel *home;
    struct kn_list channels;
    struct test_state state;
    struct sim_endpoint
        *below; /* the transport that it runs on; set after start; NULL: the network */
    unsigned number, writes, deliveries, deaths;
    long allocated;
    bool refused;            /* memory, at some time: now it may fail */
    int error;               /* of `start`, or what it ended by */
    struct kn_buffer *heard; /* all that is fed to it; or NULL */
};

/* Whoever is at the other end of a channel and is no endpoint: the test. */
struct sim_peer {
    struct sim_channel *channel; /* NULL: closed */
    struct kn_buffer out;        /* what was written to it */
    int error;                   /* what the channel was closed with */
    int fds[SIM_FDS];            /* what was passed to it */
    size_t fd_count;
};

/* Where something listens or wants to. */
struct sim_place {
    enum kn_shape shape;
    bool local;
    uint16_t port;
    char path[SIM_PATH];
};

struct sim_fds {
    struct kn_list in_channel;
    uint64_t at; /* octets written before */
    size_t count;
    int fds[SIM_FDS];
};

struct sim_channel {
    struct kn_channel channel;
    unsigned mark, number;
    struct kn_list in_endpoint;
    struct sim_endpoint *endpoint;
    struct sim_channel *other; /* NULL: a peer, or gone */
    struct sim_peer *peer;     /* NULL: an endpoint */
    struct sim_place place;    /* of a listener or datagram socket: where; else where it leads */
    struct kn_list events, memory, fds;
    struct kn_list calls; /* struct sim_call: what it asked of our services */
    struct kn_list wants; /* struct sim_want: what our callers asked of it; in role reach of home */
    struct kn_buffer out; /* written and not arrived; of an exchange: its body */
    uint64_t written, arrived, noted;
    size_t memory_used, waiting; /* waiting: calls without an answer */
    struct {
        char *into;
        size_t at, size;
        uint64_t cookie;
    } fill;
    struct sim_channel *lower; /* of the transport that it is on; NULL: it is over there */
    uint64_t below;            /* its serial there */
    bool stacked;
    bool open, closing;
    bool may_not_write, writable_due;
    bool stopped;  /* by flow */
    bool ended;    /* writes no more */
    bool over;     /* the peer writes no more */
    bool fed_end;  /* and the dialect was told */
    bool arriving; /* an arrival is due */
    unsigned legs; /* of AUTH */
};

/* ------------------------------------------------------------------ world: test-sim.c */

void sim_init(struct sim *sim, const struct sim_plan *plan, const struct test_services *services);
/* Ends all endpoints; nothing may be left. */
void sim_deinit(struct sim *sim);

/* Lets things happen, at most `steps` of them (negative: any number), and not beyond `until`, which
 * becomes the time; KOINE_FOREVER: while there are any. Answers how many. */
long sim_run(struct sim *sim, long steps, int64_t until);

/* Role and transport are in `options`, which it keeps; it serves or reaches at `uri` (NULL: nowhere).
 * Look at `error`. */
struct sim_endpoint *sim_start(struct sim *sim, const struct kn_dialect *dialect,
                               const struct kn_options *options, const char *uri);
/* The process is gone, and all that it had; what its peers see comes later. */
void sim_kill(struct sim_endpoint *endpoint);
/* After sim_kill. */
void sim_restart(struct sim_endpoint *endpoint);

/* A channel between the endpoint and `peer` (all zero at first), whose octets go by the functions below only. */
void sim_meet(struct sim_peer *peer, struct sim_endpoint *endpoint, enum kn_shape shape);
/* Octets from the peer, at once; nothing when the channel is closed. */
void sim_feed(struct sim_peer *peer, struct kn_str octets, bool end);
/* The peer is gone. */
void sim_hang_up(struct sim_peer *peer);
void sim_part(struct sim_peer *peer);

/* One endpoint, and one peer who is the test, in a world of their own. */
struct sim_lone {
    struct sim sim;
    struct sim_endpoint *endpoint;
    struct sim_peer peer;
};

void sim_lone_init(struct sim_lone *lone, const struct kn_dialect *dialect,
                   const struct kn_options *options, const struct sim_plan *plan,
                   const struct test_services *services);
void sim_lone_deinit(struct sim_lone *lone);
/* 0, or what ended the endpoint or the channel. */
int sim_lone_error(const struct sim_lone *lone);

/* Whether memory may be refused now: only what runs for a dialect is. */
extern bool test_inside;

/* ------------------------------------------------------------------ callers: test-sim-native.c */

struct sim_want {
    struct kn_list in_channel;
    struct sim_channel *channel;
    struct sim_channel *via; /* where it was written to, if that is known */
    uint64_t serial, key;
    uint8_t kind, flags;
    uint32_t member;
    int64_t deadline;
    const struct koine_interface *interface;
    struct kn_str service;
    const struct koine_type *type;
    void *value; /* free() */
    uint64_t next_event;
    bool sent, subscribed;
    /* Called once; `answer` NULL: no answer, but `error`. */
    void (*done)(struct sim_want *want, const struct kn_message *answer, int error);
    void *arg;
};

/* A request to `channel` with a copy of what `want` says (kind, flags, member, deadline, interface,
 * service, type, value, key, done, arg). Lives until `done`, a subscription until it ends. */
struct sim_want *sim_want(struct sim_channel *channel, const struct sim_want *want);
/* By the caller: nothing more comes. */
void sim_cancel(struct sim_want *want);

/* ------------------------------------------------------------------ among the files of the world */

void sim_note(struct sim *sim, const struct sim_channel *channel, const char *what,
              struct kn_str octets);
/* After `delay` of at least 0. */
struct sim_event *sim_at(struct sim *sim, struct sim_channel *channel, int64_t delay,
                         void (*happen)(struct sim_event *event));
void sim_forget(struct sim_event *event);
/* 0, or where the plan shuffles something up to `most`. */
int64_t sim_delay(struct sim *sim, int64_t most);
bool sim_chance(struct sim *sim, unsigned of, unsigned in);
bool sim_trouble(struct sim *sim, unsigned of, unsigned in);

struct sim_channel *sim_channel_new(struct sim_endpoint *endpoint, enum kn_shape shape,
                                    uint64_t cookie);
/* KN_OPENED; false: the dialect did not want it, and it is closed. */
bool sim_channel_open(struct sim_channel *channel);
/* KN_CLOSED, now, and all that belongs to it is gone. */
void sim_channel_close(struct sim_channel *channel, int error);
/* One that was never opened. */
void sim_channel_discard(struct sim_channel *channel);
/* The same, but there is no such channel: KN_REFUSED. */
void sim_channel_refuse(struct sim_channel *channel, int error);

/* Around each call of a function of the dialect. What it answered is the answer of the second. */
void sim_enter(struct sim_endpoint *endpoint);
int sim_leave(struct sim_endpoint *endpoint, int rc);
/* Each closes the channel when the dialect answers an error; false then. */
bool sim_tell_feed(struct sim_channel *channel, const struct kn_input *input);
bool sim_tell_change(struct sim_channel *channel, enum kn_change change);
bool sim_tell_wake(struct sim_channel *channel, uint64_t cookie, const struct kn_answer *answer);
int sim_tell_send(struct sim_channel *channel, struct kn_message *message);

extern const struct kn_host sim_host;
/* Of one that is being closed. */
void sim_memory_check(struct sim_channel *channel);
void sim_directory_drop(struct sim_endpoint *endpoint);

bool sim_place(struct sim_place *place, const struct sim_endpoint *endpoint, struct kn_str uri);
int sim_connect(struct sim_endpoint *endpoint, struct kn_str uri, uint64_t cookie);
int sim_listen(struct sim_endpoint *endpoint, struct kn_str uri, uint64_t cookie);
int sim_write(struct sim_channel *channel, struct kn_str octets);
void sim_datagram(struct sim_channel *channel, const struct kn_address *to, struct kn_str octets);
/* Lets arrive what is on its way to the channel. */
void sim_arrive(struct sim_channel *channel);
void sim_end(struct sim_channel *channel);
void sim_finish(struct sim_channel *channel);
/* The other end learns that this one is gone. */
void sim_net_gone(struct sim_channel *channel, int error);

/* On a transport that is a dialect. */
int sim_stack_deliver(struct sim_channel *lower, const struct kn_message *message);
void sim_stack_gone(struct sim_channel *lower, int error);
int sim_stack_write(struct sim_channel *channel, struct kn_str octets);
void sim_stack_finish(struct sim_channel *channel);
void sim_stack_end(struct sim_channel *channel);
int sim_stack_connect(struct sim_endpoint *upper, uint64_t cookie);

int sim_deliver(const struct kn_message *message);
/* Those that a dialect did not take, once more. */
void sim_wants_retry(struct sim_endpoint *endpoint);
void sim_native_gone(struct sim_channel *channel);
/* Those that were written to it and may not be asked again must have been answered. */
void sim_wants_check(const struct sim_channel *channel);

#endif
