/* SPDX-License-Identifier: MIT
 *
 * A service in a process of its own that takes and gives large values, and lies when told to.
 */
#ifndef KN_NODE_TEST_ECHO_H
#define KN_NODE_TEST_ECHO_H

#include "test-wire.h"

#include <koine/koine.h>

#include <stdbool.h>
#include <sys/types.h>

struct echo_options {
    struct koine_service_options service;
    uint64_t max_octets;
    bool poor; /* reserving more than 64 KiB of shared memory fails with ENOMEM */
};

struct echo {
    pid_t pid;
    int control;
};

/* What the service says of itself. */
struct echo_report {
    int links, fds, maps, sum;
    uint64_t protocol_errors, dropped, calls;
};

/* Publishes in name directory test_dir (test-server.h). */
struct echo echo_start(const struct echo_options *options);
/* Ends it in order and checks that it left nothing open. */
void echo_stop(struct echo *echo);
void echo_kill(struct echo *echo);
void echo_report(struct echo_report *report, const struct echo *echo);
/* The sum of the kept arguments' octets, read now. */
int echo_kept(const struct echo *echo);
/* `count` frames of `size` octets each, numbered from `seed`; answers what publishing did. */
int echo_publish(const struct echo *echo, uint32_t size, uint32_t seed, uint32_t count);

/* Octets that tell their place and their seed. */
uint8_t *test_data(uint32_t size, uint32_t seed);
bool test_is_data(const uint8_t *data, uint32_t size, uint32_t seed);
uint32_t test_sum(const uint8_t *data, uint32_t size);
int test_fds(void);
/* Shared memory of links and topics mapped here. */
int test_maps(void);
/* Whether `octets` lie in it. */
bool test_is_shared(const void *octets);
/* From now on this process cannot reserve more than `most` octets at once. */
void test_make_poor(uint32_t most);

#endif
