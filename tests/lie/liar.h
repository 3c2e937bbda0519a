/* SPDX-License-Identifier: MIT
 *
 * Peers that lie: processes of their own, seeded, bounded in time.
 */
#ifndef KN_TESTS_LIE_LIAR_H
#define KN_TESTS_LIE_LIAR_H

#include <stdint.h>
#include <sys/types.h>

struct lie {
    const char *name;
    void (*tell)(void *liar);
};

/* Connect to "service" in `dir` and lie, as nobody where this process may become nobody. */
extern const struct lie caller_lies[];
extern const unsigned caller_lie_count;
pid_t liar_call(const char *dir, const struct lie *lie, uint64_t seed);

/* Serve "liar" in `dir`, until killed. Returns when it can be found. */
extern const struct lie server_lies[];
extern const unsigned server_lie_count;
pid_t liar_serve(const char *dir, const struct lie *lie, uint64_t seed);

#endif
