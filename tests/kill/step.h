/* SPDX-License-Identifier: MIT
 *
 * One process under ptrace, brought to a point of its life: after so many system calls, and so many
 * instructions behind the last of them. Once recorded, the way to a point is not stepped: system calls
 * are passed at full speed, and then a hardware breakpoint stops at the point's address, at the pass that
 * the recording says. So all points of a primitive cost little more than as many runs of it.
 */
#ifndef KN_TESTS_KILL_STEP_H
#define KN_TESTS_KILL_STEP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CALLS_MAX = 512, MARKS_MAX = 1024, PLACES_MAX = 65536 };
#define BEFORE_NEXT UINT32_MAX

/* What a recording found: how many instructions lie behind each system call, before the next; and the
 * instructions that changed memory that others map. Between two of those, and the system calls, the
 * victim's life looks the same to everybody else. */
struct recording {
    uint32_t length[CALLS_MAX],
        first[CALLS_MAX]; /* of a stretch: its instructions, their first place */
    uint32_t count;
    struct {
        uintptr_t counter; /* the address of the instruction that comes next */
        uint32_t pass;     /* the how-manieth time in its stretch */
    } places[PLACES_MAX];
    uint32_t place_count;
    struct {
        uint32_t call, instruction; /* the change is done behind so many instructions */
    } marks[MARKS_MAX];
    uint32_t mark_count;
};

enum stop { STEPPED, CALLED, FINISHED, GONE, HUNG };

/* Bounds every wait from now on; 0: no bound. */
void step_patience(int64_t nanoseconds);
/* The child that asked to be traced and stopped itself runs on, to its next stop. */
enum stop step_begin(pid_t pid);
/* From the first stop by itself to the second one. False: it did not get there. */
bool step_record(pid_t pid, struct recording *recording);
/* STEPPED: it stands at the point. CALLED: it went another way than when it was recorded, and stands
 * before the next system call. FINISHED: the primitive was done before. BEFORE_NEXT in place of a
 * number of instructions: the next system call is about to begin, and nothing needs to be stepped. */
enum stop step_to(pid_t pid, const struct recording *recording, uint32_t calls,
                  uint32_t instructions);
/* From before a system call to its end. HUNG: it blocks there. */
enum stop step_through(pid_t pid);
/* Leaves it stopped by a real SIGSTOP, and traced no more. */
bool step_let_go(pid_t pid);
/* Waits for an untraced child to stop itself. */
enum stop step_await(pid_t pid);
void step_reap(pid_t pid);

#endif
