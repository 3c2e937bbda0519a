/* SPDX-License-Identifier: MIT
 *
 * A world for dialects in tests: one endpoint, one channel, services that answer, and a peer that is
 * whoever calls these functions. It decides by a plan when things happen, counts the memory, and aborts
 * when the dialect breaks the contract (dialect.h): writes after KOINE_EFULL or after the end, touches
 * freed memory, delivers what is no value. So it is an oracle for tests and fuzzers alike.
 */
#ifndef KN_DIALECT_TEST_HOST_H
#define KN_DIALECT_TEST_HOST_H

#include "base/buffer.h"
#include "base/list.h"
#include "dialect/dialect.h"
#include "dialect/test-service.h"
#include "value/test-random.h"

/* Prints and aborts. */
#define test_require(condition, what) \
    ((condition) ? (void)0 : test_broken(__FILE__, __LINE__, what))
void test_broken(const char *file, int line, const char *what) __attribute__((noreturn));

struct test_plan {
    uint64_t seed;
    bool late;           /* interfaces come by `wake` */
    bool shuffle;        /* what waits happens in random order */
    unsigned full_every; /* every n-th call is refused by KOINE_EFULL, 0: none */
    unsigned slow_every; /* every n-th write answers KOINE_EFULL */
    long allocations;    /* of the host that succeed, negative: all */
    size_t quota;        /* octets, 0: no limit */
};

extern const struct test_plan test_plain;

struct test_host {
    struct kn_host functions;
    const struct test_plan *plan;
    struct random_source random;
    const struct kn_dialect *dialect;
    struct kn_endpoint *endpoint;
    struct kn_channel home, channel;
    struct test_state state;
    struct kn_buffer out;      /* what the peer has received */
    struct kn_list happenings; /* what is to come */
    struct kn_list memory;
    size_t memory_used;
    size_t waiting; /* delivered calls without an answer */
    unsigned calls, writes;
    bool inside; /* a function of the dialect runs */
    bool may_not_write, stopped;
    bool open, closing;
    int error; /* what a function of the dialect answered, if not 0 */
};

/* Starts the endpoint and opens the channel; look at `error`. */
void test_host_init(struct test_host *host, const struct kn_dialect *dialect,
                    const struct test_plan *plan, const struct test_services *services,
                    enum kn_shape shape);
/* Hangs up if need be, stops the endpoint; nothing may be left. */
void test_host_deinit(struct test_host *host);

/* Octets of the peer; nothing when the channel is closed. */
void test_host_feed(struct test_host *host, struct kn_str octets, bool end);
/* Until nothing is left to happen, or at most `steps` of it (negative: all). */
void test_host_run(struct test_host *host, long steps);
/* The peer is gone. */
void test_host_hang_up(struct test_host *host);

/* Whether memory may be refused now: only what runs for the dialect is. */
extern bool test_inside;

#endif
