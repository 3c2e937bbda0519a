/* SPDX-License-Identifier: MIT
 *
 * Chunks of a reliable ring, as src/plane/pool.h has it: the reader stores its hold, then its cursor; the
 * writer reads cursors, then holds. Stores are kept in buffers. A release store leaves its buffer only when
 * all that was stored before it is out; a plain one leaves when it likes, also before an earlier release
 * store, and only stores to the same place keep their order. All of the reader's stores are releases, so its
 * buffer is first in, first out; of the writer's only the stamp is. The wrong variants turn a pair round or
 * make a release store a plain one.
 *
 *      CURSOR_FIRST    the reader lets go before it holds
 *      HOLDS_FIRST     the writer looks at holds before cursors
 *      NO_RELEASE      the reader's two stores are plain ones: they come out in any order
 *      STAMP_FIRST     the writer stamps before the chunk is written
 *      PLAIN_STAMP     the stamp is a plain store
 *
 * Checked: a reader that holds a chunk sees the message that it took, whole, until it lets go.
 */
#define MESSAGES 4
#define CHUNKS 2

byte stamps[5], refs[5];            /* the ring is as long as MESSAGES */
byte chunk[CHUNKS];                 /* 0: torn; else the message's number */
byte hold, cursor;                  /* hold: chunk + 1 */

chan writes = [6] of { byte, byte, byte };      /* what, index, value */
chan reads = [3] of { byte, byte };
#define STAMP 0
#define REF   1
#define CHUNK 2
#define HOLD  3
#define CURSOR 4

inline apply_write(what, at, value) {
    if
    :: what == STAMP -> stamps[at] = value
    :: what == REF -> refs[at] = value
    :: what == CHUNK -> chunk[at] = value
    fi
}

active proctype hardware() {
    byte what, at, value;
end: do
    :: atomic { writes?what, at, value -> apply_write(what, at, value); what = 0; at = 0; value = 0 }
    :: atomic { writes??CHUNK, at, value -> chunk[at] = value; at = 0; value = 0 }
    :: atomic { writes??REF, at, value -> refs[at] = value; at = 0; value = 0 }
#ifdef PLAIN_STAMP
    :: atomic { writes??STAMP, at, value -> stamps[at] = value; at = 0; value = 0 }
#endif
    :: atomic { reads?what, value ->
        if :: what == HOLD -> hold = value :: else -> cursor = value fi; what = 0; value = 0 }
#ifdef NO_RELEASE
    :: atomic { reads??CURSOR, value -> cursor = value; value = 0 }
#endif
    od
}

/* Where each chunk was published last; private to the writer. */
byte used[CHUNKS];

active proctype writer() {
    byte n, at, seen_cursor, seen_hold;
    do
    :: n < MESSAGES ->
        n++;
        at = 0;
again:
#ifdef HOLDS_FIRST
        seen_hold = hold;
        seen_cursor = cursor;
#else
        seen_cursor = cursor;
        seen_hold = hold;
#endif
        if
        :: used[0] <= seen_cursor && seen_hold != 1 -> at = 0
        :: used[1] <= seen_cursor && seen_hold != 2 -> at = 1
        :: else -> goto again
        fi;
        used[at] = n;
#ifdef STAMP_FIRST
        writes!REF, n, at;
        writes!STAMP, n, n;
        writes!CHUNK, at, 0;
        writes!CHUNK, at, n
#else
        writes!CHUNK, at, 0;
        writes!CHUNK, at, n;
        writes!REF, n, at;
        writes!STAMP, n, n
#endif
    :: else -> break
    od
}

active proctype reader() {
    byte pos, at;
    do
    :: pos < MESSAGES ->
        stamps[pos + 1] == pos + 1;
        at = refs[pos + 1];
#ifdef CURSOR_FIRST
        reads!CURSOR, pos + 1;
        reads!HOLD, at + 1;
#else
        reads!HOLD, at + 1;
        reads!CURSOR, pos + 1;
#endif
        pos++;
        assert(chunk[at] == pos);
        assert(chunk[at] == pos);
        reads!HOLD, 0
    :: else -> break
    od
}
