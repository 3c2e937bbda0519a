/* SPDX-License-Identifier: MIT
 *
 * The primitives that a victim is killed in. It stops itself before and after the primitive, so the driver knows
 * where it begins and where it was done.
 */
#ifndef KN_TESTS_KILL_VICTIM_H
#define KN_TESTS_KILL_VICTIM_H

#include "survivor.h"

enum side { CALLING, SERVING };

struct victim {
    const char *dir;
    int control;
    bool stopped; /* it will be stopped for a while: being dropped as too slow is in order */
    struct target target;
    struct reader reader;
    char text[REPEATED + 1];
};

struct primitive {
    const char *name;
    enum side side;
    void (*setup)(struct victim *victim);
    void (*run)(struct victim *victim);
    int order;       /* for the first caller, before the primitive; -1: none */
    int event;       /* what it publishes; -1: nothing */
    unsigned rounds; /* what the bystander publishes while the victim stands still */
    enum { NAME_STAYS, NAME_COMING, NAME_GOING } name_state;
};

enum { ROUNDS_BEFORE = 3 };

extern const struct primitive primitives[];
extern const unsigned primitive_count;

_Noreturn void victim_live(const struct primitive *primitive, const char *dir, int control,
                           bool stopped);

#endif
