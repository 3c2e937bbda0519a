/* SPDX-License-Identifier: MIT
 *
 * The processes that must outlive the victim, and what the driver orders them to do. Each order is
 * answered by one report; a survivor that does not answer in time hangs, and that is a failure.
 *
 *      service     serves "service" to the victim and to the bystander
 *      bystander   reads and calls "service" all the time, and must lose nothing
 *      caller      reads and calls "victim"
 */
#ifndef KN_TESTS_KILL_SURVIVOR_H
#define KN_TESTS_KILL_SURVIVOR_H

#include "target.h"

#include <sys/types.h>

enum role { SERVICE, BYSTANDER, CALLER };

enum what {
    SETTLE,  /* service: until there are `number` links */
    STAND,   /* bystander: publishes and takes `number` rounds */
    OPEN,    /* caller: connects, subscribes, says ready */
    ECHO,    /* caller: begins a call; answered as soon as that is sent */
    REPEAT,  /* the same with a text of `number` octets */
    CONNECT, /* caller: one more link and a call by it; answered when that is over */
    PROBE,   /* caller: a call that may take 10 ms */
    COLLECT, /* caller: the end of the call and of all samples; closes */
};

struct order {
    uint32_t what, number;
};

struct report {
    int32_t rc, call; /* `call`: of the call begun by ECHO or REPEAT */
    uint32_t links, fds, segments, maps;
    uint64_t taken[EVENTS], wrong; /* protocol errors counted */
    char why[80];                  /* not empty: failed */
};

struct survivor {
    pid_t pid;
    int control;
};

enum { REPEATED = 200 }; /* more than a slot holds */

int survivor_start(struct survivor *survivor, enum role role, const char *dir);
void survivor_end(struct survivor *survivor);
int survivor_tell(const struct survivor *survivor, enum what what, uint32_t number);
/* -1: no report within twenty seconds. */
int survivor_hear(const struct survivor *survivor, struct report *report);

unsigned count_entries(const char *directory);

/* A fresh directory for names below $TMPDIR, that other users may pass through. */
enum { DIR_ROOM = 80 };
bool make_dir(char dir[DIR_ROOM]);
/* With the sockets of "service", "victim" and "liar". */
void remove_dir(const char *dir);

#endif
