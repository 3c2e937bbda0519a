/* SPDX-License-Identifier: MIT
 *
 * The service and the reader that all processes of the kill test are made of. Every value that travels
 * is a function of its serial, so a torn, a foreign or a repeated one is seen by whoever gets it.
 */
#ifndef KN_TESTS_KILL_TARGET_H
#define KN_TESTS_KILL_TARGET_H

#include <koine/koine.h>

#include <stdbool.h>

enum { SMALL, MIDDLE, LARGE, EVENTS };

struct target {
    struct koine_node *node;
    struct koine_service *service;
    uint64_t serial; /* of the last round of events */
    uint64_t served, ready;
};

struct reader {
    struct koine_node *node;
    struct koine_ref *ref;
    struct koine_sub *subs[EVENTS];
    uint64_t taken[EVENTS]; /* the serial of the last sample */
};

/* Prints why to standard error and exits: in these processes nothing goes on after a failure. */
_Noreturn void give_up(const char *what, int rc, struct koine_node *node);

struct koine_node *open_node(const char *dir, int64_t timeout);
void target_open(struct target *target, const char *name, int64_t block);
/* One sample; `loan`: filled in place. */
int target_publish(struct target *target, int event, uint64_t serial, bool loan);

/* The answer that echo must give. */
uint64_t echo_of(uint64_t number);
/* Everything that is there. The next serial each, whole, nothing lost: else `why` says what is wrong. 0,
 * KOINE_EAGAIN (no more for now) or KOINE_EDOWN. */
int reader_take(struct reader *reader, int event, int64_t timeout, const char **whyp);
void reader_subscribe(struct reader *reader, int event);
void reader_close(struct reader *reader);

#endif
