/* SPDX-License-Identifier: MIT
 *
 * Parking and ringing, as src/plane/wake.h has it. Spin is sequentially consistent, so each side's stores
 * go through a buffer that drains at any time and in any order; only a fence, an atomic exchange or a
 * system call empties it.
 *
 *      (nothing)       calls: both sides have the fence
 *      STREAM          the writer has none; the sleeper naps, looks again, then sleeps
 *      BUCKET          calls with a bucket of one token, refilled at any time
 *
 * Each is to fail when a part is left out:
 *
 *      NO_WRITER_FENCE, NO_SLEEPER_FENCE, NO_LOOK, SAME_KEY    of calls
 *      NO_NAP                                                  of STREAM
 *      LATE_THROTTLE, NO_THROTTLE                              of BUCKET
 *
 * Checked: it never comes to an end with a message that is visible and a sleeper that nobody wakes.
 */
#ifndef MESSAGES
#define MESSAGES 3
#endif

byte stamp, parked, bell, throttled;             /* memory that both map */
bool w_stamp, r_parked, w_throttled;             /* what is still in a buffer ... */
byte w_stamp_value, r_parked_value, w_throttled_value;
bool finished, asleep;
byte got;
#ifdef BUCKET
byte tokens = 1;
#else
byte tokens = 100;
#endif

inline drain_writer() {
    if :: w_stamp -> stamp = w_stamp_value; w_stamp = false :: else fi;
    if :: w_throttled -> throttled = w_throttled_value; w_throttled = false :: else fi
}
inline drain_sleeper() {
    if :: r_parked -> parked = r_parked_value; r_parked = false :: else fi
}

active proctype hardware() {
end: do
    :: atomic { w_stamp -> stamp = w_stamp_value; w_stamp = false }
    :: atomic { w_throttled -> throttled = w_throttled_value; w_throttled = false }
    :: atomic { r_parked -> parked = r_parked_value; r_parked = false }
    od
}

#ifdef BUCKET
/* Time: a token comes back within any nap. */
inline refill() { if :: tokens == 0 -> tokens = 1 :: else fi }
#endif

active proctype writer() {
    byte i, key, rung;
    do
    :: i < MESSAGES ->
        i++;
        atomic { !w_stamp -> w_stamp_value = i; w_stamp = true }
#if !defined(STREAM) && !defined(NO_WRITER_FENCE)
        atomic { drain_writer() }
#endif
        key = parked;
        if
        :: key != 0 && key != rung ->
            if
            :: tokens > 0 ->
                atomic {
                    tokens--;
#if defined(BUCKET) && !defined(LATE_THROTTLE) && !defined(NO_THROTTLE)
                    !w_throttled -> w_throttled_value = (tokens == 0); w_throttled = true
#endif
                }
                rung = key;
                atomic { drain_writer(); bell++; asleep = false }   /* the futex call */
            :: else ->
#ifdef LATE_THROTTLE
                atomic { !w_throttled -> w_throttled_value = 1; w_throttled = true }
#else
                skip
#endif
            fi
        :: else
        fi
    :: else -> break
    od;
    atomic { drain_writer(); finished = true }
}

active proctype sleeper() {
    byte seen, counter;
    do
    :: got < MESSAGES ->
        if
        :: stamp > got -> got++
        :: else ->
            seen = bell;
#ifdef SAME_KEY
            counter = 1;
#else
            counter++;
#endif
            atomic { !r_parked -> r_parked_value = counter; r_parked = true }
#ifndef NO_SLEEPER_FENCE
            atomic { drain_sleeper() }
#endif
#ifndef NO_LOOK
            if :: stamp > got -> goto up :: else fi;
#endif
#if defined(STREAM) && !defined(NO_NAP)
            /* Longer than any buffer keeps a word. */
            atomic { drain_sleeper(); !w_stamp && !w_throttled };
            if :: stamp > got -> goto up :: else fi;
#endif
#ifdef BUCKET
            if
            :: throttled != 0 ->
                atomic { drain_sleeper(); !w_stamp && !w_throttled; refill() };
                if :: stamp > got -> goto up :: else fi
            :: else
            fi;
#endif
            atomic { drain_sleeper(); if :: bell == seen -> asleep = true :: else fi }
            !asleep;
up:         atomic { !r_parked -> r_parked_value = 0; r_parked = true }
        fi
    :: else -> break
    od
}

/* Nobody sleeps for ever next to a message: spin reports the invalid end state of a sleeper that waits
 * for `!asleep` when nothing else can move. */
