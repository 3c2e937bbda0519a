/* SPDX-License-Identifier: MIT
 *
 * Both roles of one dialect, joined on the simulated network. A run is all that comes of one seed: the
 * transport, the plan, the options, the requests and when they are made, what breaks and who dies.
 */
#ifndef KN_DIALECT_TEST_PAIR_H
#define KN_DIALECT_TEST_PAIR_H

#include "dialect/test-sim.h"

/* Put into the options of both; NULL: none. */
extern const char *test_pair_bug;
extern bool test_pair_print;

/* Answers the trace; aborts with the seed when something is wrong. */
uint64_t test_pair_run(const struct kn_dialect *dialect, uint64_t seed);
/* Runs for so many seconds of real time, or so many times, from `seed` on. Answers how often. */
unsigned test_pair_runs(const struct kn_dialect *dialect, uint64_t seed, double seconds,
                        unsigned most);

/* What became of all requests of all runs, as a line. */
void test_pair_report(void);

/* A quiet conversation over TCP: what either side was fed. False: it has no such. */
bool test_pair_record(struct kn_buffer *to_serve, struct kn_buffer *to_reach,
                      const struct kn_dialect *dialect, const struct test_services *services);

/* The side that reaches, alone with a peer; it makes the requests of that conversation, and any fault is
 * right that ends them. */
struct test_alone {
    struct sim_lone lone;
    struct pair *pair;
};

void test_alone_init(struct test_alone *alone, const struct kn_dialect *dialect,
                     const struct sim_plan *plan, const struct test_services *services);
unsigned test_alone_replies(const struct test_alone *alone);
/* Hangs up; whatever was asked must be answered after that. */
void test_alone_deinit(struct test_alone *alone);

#endif
