/* SPDX-License-Identifier: MIT
 *
 * A reader that is dropped, as docs/decisions/0003 has it: the writer stores `revoked`, fences (release),
 * and only then uses the reader's slot again. The reader copies, fences (acquire), and looks at `revoked`
 * last. Stores come out of the writer's buffer in any order but for the fence; the reader may load early
 * but for its fence.
 *
 *      NO_WRITER_FENCE  stores pass each other
 *      REVOKED_LATE     said after the slot was used again
 *      NO_READER_FENCE  the look at `revoked` is done before the copy
 *      HANG_UP_FIRST    the reader sees the hang-up before `revoked` is stored, and looks no more
 *
 * Checked: what the reader keeps is whole.
 */
byte slot = 1;          /* 1: the reader's message; 0: torn; 2: another one */
bool revoked, hung_up;
bool in_slot, in_revoked; /* in the writer's buffer */
byte slot_value;

inline drain() {
    if :: in_slot -> slot = slot_value; in_slot = false :: else fi;
    if :: in_revoked -> revoked = true; in_revoked = false :: else fi
}

active proctype hardware() {
end: do
    :: atomic { in_slot -> slot = slot_value; in_slot = false }
    :: atomic { in_revoked -> revoked = true; in_revoked = false }
    od
}

active proctype writer() {
#ifdef HANG_UP_FIRST
    hung_up = true;
#endif
#ifndef REVOKED_LATE
    in_revoked = true;
#ifndef NO_WRITER_FENCE
    atomic { !in_revoked };     /* nothing stored later is seen before it */
#endif
#endif
#ifndef HANG_UP_FIRST
#ifdef HANG_UP_EARLY
    hung_up = true;
#endif
#endif
    atomic { !in_slot -> slot_value = 0; in_slot = true };
    atomic { !in_slot -> slot_value = 2; in_slot = true };
#ifdef REVOKED_LATE
    in_revoked = true;
#endif
    atomic { drain() };         /* close() is a system call */
    hung_up = true
}

active proctype reader() {
    byte first, second;
    bool said;
    if
    :: hung_up ->
        /* Told by the socket: `revoked` is looked at once, and what lies in the ring is read. */
        said = revoked;
        if :: !said -> first = slot; second = slot; assert(first == 1 && second == 1) :: else fi
    :: true ->
#ifdef NO_READER_FENCE
        said = revoked;
        first = slot; second = slot;
#else
        first = slot; second = slot;
        said = revoked;
#endif
        assert(said || (first == 1 && second == 1))
    fi
}
