/* SPDX-License-Identifier: MIT
 *
 * The limits: what two processes reach with bare shared memory, on the same processors and with the same
 * work, the sender writing the whole payload and the receiver reading a word of every line. Nothing here
 * survives a peer that dies or lies; that is the difference that `koine bench` shows the price of.
 */
#include "cli/bench.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---------------------------------------------------------------- one slot, a line each way */

struct slot {
    _Alignas(128) _Atomic uint64_t stamp;
    uint64_t words[BENCH_LINE / 8 - 1];
};

struct two_slots {
    struct slot there, back;
};

static void put_slot(struct slot *slot, const uint64_t *words, uint64_t stamp)
{
    memcpy(slot->words, words, sizeof slot->words);
    atomic_store_explicit(&slot->stamp, stamp, memory_order_release);
}

static void get_slot(struct slot *slot, uint64_t *words, uint64_t stamp)
{
    while (atomic_load_explicit(&slot->stamp, memory_order_acquire) != stamp)
        bench_relax();
    memcpy(words, slot->words, sizeof slot->words);
}

struct ping {
    struct two_slots *slots;
    uint64_t stamp;
    uint64_t words[BENCH_LINE / 8 - 1];
};

static bool run_slot(void *arg, uint64_t count)
{
    struct ping *ping = arg;
    for (uint64_t i = 0; i < count; i++) {
        put_slot(&ping->slots->there, ping->words, ++ping->stamp);
        get_slot(&ping->slots->back, ping->words, ping->stamp);
    }
    return true;
}

static bool lead_slot(struct bench_side *side)
{
    struct ping ping = {.slots = (void *)side->shared->memory};
    kn_bench_await(side);
    return kn_bench_measure(side, run_slot, &ping);
}

static bool peer_slot(struct bench_side *side)
{
    struct two_slots *slots = (void *)side->shared->memory;
    uint64_t words[BENCH_LINE / 8 - 1];
    kn_bench_ready(side);
    for (uint64_t stamp = 1; stamp; stamp++) {
        get_slot(&slots->there, words, stamp);
        put_slot(&slots->back, words, stamp);
    }
    return false;
}

const struct bench_method kn_bench_slot = {
    .name = "slot ping-pong", .peers = 1, .lead = lead_slot, .peer = peer_slot};

/* ---------------------------------------------------------------- futex */

struct two_words {
    _Alignas(128) _Atomic uint32_t there;
    _Alignas(128) _Atomic uint32_t back;
};

static void wake(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void sleep_until(_Atomic uint32_t *word, uint32_t value)
{
    uint32_t now;
    while ((now = atomic_load(word)) != value)
        syscall(SYS_futex, word, FUTEX_WAIT, now, NULL, NULL, 0);
}

struct futex {
    struct two_words *words;
    uint32_t turn;
};

static bool run_futex(void *arg, uint64_t count)
{
    struct futex *futex = arg;
    for (uint64_t i = 0; i < count; i++) {
        wake(&futex->words->there, ++futex->turn);
        sleep_until(&futex->words->back, futex->turn);
    }
    return true;
}

static bool lead_futex(struct bench_side *side)
{
    struct futex futex = {.words = (void *)side->shared->memory};
    kn_bench_await(side);
    return kn_bench_measure(side, run_futex, &futex);
}

static bool peer_futex(struct bench_side *side)
{
    struct two_words *words = (void *)side->shared->memory;
    kn_bench_ready(side);
    for (uint32_t turn = 1; side->method; turn++) {
        sleep_until(&words->there, turn);
        wake(&words->back, turn);
    }
    return false;
}

const struct bench_method kn_bench_futex = {
    .name = "futex ping-pong", .peers = 1, .lead = lead_futex, .peer = peer_futex};

/* ---------------------------------------------------------------- a ring of 64-octet slots */

struct ring {
    _Alignas(128) _Atomic uint64_t written;
    struct {
        _Alignas(128) _Atomic uint64_t count;
    } read[BENCH_PEERS];
    _Alignas(128) uint64_t slots[BENCH_SLOTS][BENCH_LINE / 8];
};

_Static_assert(sizeof(struct ring) <= BENCH_MEMORY, "room for a ring");

struct ring_writer {
    struct ring *ring;
    uint32_t batch, readers;
    uint64_t written, read; /* read: by the slowest, as it was last looked at */
    uint64_t words[BENCH_LINE / 8];
};

static uint64_t slowest(const struct ring_writer *writer)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < writer->readers; i++) {
        uint64_t own = atomic_load_explicit(&writer->ring->read[i].count, memory_order_acquire);
        least = own < least ? own : least;
    }
    return least;
}

static void await_read(struct ring_writer *writer, uint64_t position)
{
    while (writer->read < position) {
        writer->read = slowest(writer);
        if (writer->read < position)
            bench_relax();
    }
}

static void put_batch(struct ring_writer *writer, uint64_t count)
{
    if (writer->written + count > writer->read + BENCH_SLOTS)
        await_read(writer, writer->written + count - BENCH_SLOTS);
    for (uint64_t i = 0; i < count; i++)
        memcpy(writer->ring->slots[(writer->written + i) % BENCH_SLOTS], writer->words, BENCH_LINE);
    writer->written += count;
    atomic_store_explicit(&writer->ring->written, writer->written, memory_order_release);
}

static bool run_ring(void *arg, uint64_t count)
{
    struct ring_writer *writer = arg;
    while (count) {
        uint64_t batch = count < writer->batch ? count : writer->batch;
        put_batch(writer, batch);
        count -= batch;
    }
    await_read(writer, writer->written);
    return true;
}

static bool lead_ring(struct bench_side *side)
{
    struct ring_writer writer = {.ring = (void *)side->shared->memory,
                                 .batch = (uint32_t)side->method->shape,
                                 .readers = side->method->peers};
    kn_bench_await(side);
    return kn_bench_measure(side, run_ring, &writer);
}

/* Where several readers share a processor, one that has nothing to read lets the others run. */
static uint64_t await_written(const struct ring *ring, uint64_t read, bool crowded)
{
    uint64_t written;
    for (unsigned turn = 1;; turn++) {
        written = atomic_load_explicit(&ring->written, memory_order_acquire);
        if (written != read)
            return written;
        if (crowded && turn % 64 == 0)
            sched_yield();
        else
            bench_relax();
    }
}

static bool peer_ring(struct bench_side *side)
{
    struct ring *ring = (void *)side->shared->memory;
    uint64_t read = 0, written = 0, batch = (uint64_t)side->method->shape, words[BENCH_LINE / 8];
    uint64_t sum = 0;
    kn_bench_ready(side);
    for (;;) {
        if (written == read)
            written = await_written(ring, read, side->method->peers > 1);
        uint64_t count = written - read < batch ? written - read : batch;
        for (uint64_t i = 0; i < count; i++) {
            memcpy(words, ring->slots[(read + i) % BENCH_SLOTS], BENCH_LINE);
            sum += bench_touch(words, BENCH_LINE);
        }
        read += count;
        atomic_store_explicit(&ring->read[side->index].count, read, memory_order_release);
    }
    return sum != 0;
}

const struct bench_method kn_bench_ring = {
    .name = "ring", .peers = 1, .shape = 1, .lead = lead_ring, .peer = peer_ring};
const struct bench_method kn_bench_ring_16 = {
    .name = "ring, batch 16", .peers = 1, .shape = 16, .lead = lead_ring, .peer = peer_ring};
const struct bench_method kn_bench_ring_1to4 = {
    .name = "ring, 4 readers", .peers = 4, .shape = 1, .lead = lead_ring, .peer = peer_ring};

/* ---------------------------------------------------------------- a ring of pieces */

/* Few pieces stay in the caches; many do not have to be fetched from the other processor's, which is
 * slower than memory where the two are far apart. */
enum { FEW = 16, PIECES = 256 };

struct pieces {
    _Alignas(128) _Atomic uint64_t written;
    _Alignas(128) _Atomic uint64_t read;
    _Alignas(4096) uint64_t octets[PIECES][BENCH_PIECE / 8];
};

struct two_pieces {
    struct pieces there, back;
};

_Static_assert(sizeof(struct two_pieces) <= BENCH_MEMORY, "room for two rings of pieces");

struct pump {
    struct two_pieces *rings;
    uint64_t *payload; /* private */
    size_t size;
    uint64_t pieces, sent, received, sum;
};

static void send_pieces(struct pieces *ring, struct pump *pump)
{
    for (size_t at = 0; at < pump->size; at += BENCH_PIECE) {
        size_t octets = pump->size - at < BENCH_PIECE ? pump->size - at : BENCH_PIECE;
        while (pump->sent - atomic_load_explicit(&ring->read, memory_order_acquire) >= pump->pieces)
            bench_relax();
        memcpy(ring->octets[pump->sent % pump->pieces], (uint8_t *)pump->payload + at, octets);
        atomic_store_explicit(&ring->written, ++pump->sent, memory_order_release);
    }
}

static void receive_pieces(struct pieces *ring, struct pump *pump)
{
    for (size_t at = 0; at < pump->size; at += BENCH_PIECE) {
        size_t octets = pump->size - at < BENCH_PIECE ? pump->size - at : BENCH_PIECE;
        while (atomic_load_explicit(&ring->written, memory_order_acquire) == pump->received)
            bench_relax();
        pump->sum += bench_touch(ring->octets[pump->received % pump->pieces], octets);
        atomic_store_explicit(&ring->read, ++pump->received, memory_order_release);
    }
}

static bool open_pump(struct pump *pump, struct bench_side *side)
{
    *pump = (struct pump){.rings = (void *)side->shared->memory,
                          .payload = malloc(BENCH_MEBI),
                          .size = (size_t)side->method->shape,
                          .pieces = side->method->many ? PIECES : FEW};
    if (!pump->payload)
        return kn_bench_fail(side, "no memory");
    memset(pump->payload, 0x5a, BENCH_MEBI);
    return true;
}

static bool run_echo(void *arg, uint64_t count)
{
    struct pump *pump = arg;
    for (uint64_t i = 0; i < count; i++) {
        send_pieces(&pump->rings->there, pump);
        receive_pieces(&pump->rings->back, pump);
    }
    return true;
}

static bool lead_echo(struct bench_side *side)
{
    struct pump pump;
    if (!open_pump(&pump, side))
        return false;
    kn_bench_await(side);
    bool done = kn_bench_measure(side, run_echo, &pump);
    free(pump.payload);
    return done;
}

static bool peer_echo(struct bench_side *side)
{
    struct pump pump;
    if (!open_pump(&pump, side))
        return false;
    kn_bench_ready(side);
    for (;;) {
        receive_pieces(&pump.rings->there, &pump);
        send_pieces(&pump.rings->back, &pump);
    }
}

static bool run_pieces(void *arg, uint64_t count)
{
    struct pump *pump = arg;
    for (uint64_t i = 0; i < count; i++)
        send_pieces(&pump->rings->there, pump);
    while (atomic_load_explicit(&pump->rings->there.read, memory_order_acquire) != pump->sent)
        bench_relax();
    return true;
}

static bool lead_pieces(struct bench_side *side)
{
    struct pump pump;
    if (!open_pump(&pump, side))
        return false;
    kn_bench_await(side);
    bool done = kn_bench_measure(side, run_pieces, &pump);
    free(pump.payload);
    return done;
}

static bool peer_pieces(struct bench_side *side)
{
    struct pump pump;
    if (!open_pump(&pump, side))
        return false;
    kn_bench_ready(side);
    for (;;)
        receive_pieces(&pump.rings->there, &pump);
}

#define ECHO    .peers = 1, .lead = lead_echo, .peer = peer_echo
#define ONE_WAY .peers = 1, .lead = lead_pieces, .peer = peer_pieces

const struct bench_method kn_bench_copy_4k = {.name = "copy echo", .shape = 4096, ECHO};
const struct bench_method kn_bench_pieces_echo = {
    .name = "pieces, echo", .shape = BENCH_MEBI, ECHO};
const struct bench_method kn_bench_many_echo = {
    .name = "many pieces, echo", .shape = BENCH_MEBI, .many = true, ECHO};
const struct bench_method kn_bench_pieces_rate = {
    .name = "pieces, one way", .shape = BENCH_MEBI, ONE_WAY};
const struct bench_method kn_bench_many_rate = {
    .name = "many pieces, one way", .shape = BENCH_MEBI, .many = true, ONE_WAY};
