/* SPDX-License-Identifier: MIT
 *
 * What `koine bench` is made of: methods (bench-raw.c, bench-node.c), each a leading process that does
 * the timing and one to four peers; the machinery that runs them (bench-run.c); rows, options and output
 * (bench.c).
 */
#ifndef KN_CLI_BENCH_H
#define KN_CLI_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BENCH_PEERS = 4,
    BENCH_KEPT = 48,        /* repetitions at most */
    BENCH_LINE = 64,        /* octets of a cache line, and of a small payload */
    BENCH_SLOTS = 4096,     /* of every ring, Koine's or bare */
    BENCH_PIECE = 64 << 10, /* octets of a piece of a large payload */
    BENCH_MEBI = 1 << 20,
    BENCH_MEMORY = 33 << 20, /* shared memory for a bare method */
    BENCH_TEXT = 160
};

/* What the processes of one measurement share. Not touched while the clock runs, but for `done`, which
 * its peer alone writes and the leader reads when it has sent all. */
struct bench_shared {
    _Alignas(128) _Atomic uint32_t ready;
    struct {
        _Alignas(128) _Atomic uint64_t count;
    } done[BENCH_PEERS];
    _Alignas(4096) uint8_t memory[BENCH_MEMORY];
};

struct bench_sample {
    double value; /* nanoseconds of one operation */
    double noise; /* nanoseconds that our processes waited for a processor, for each that passed */
};

/* What a child hands back, in one write to the pipe. */
struct bench_report {
    bool failed;
    char text[BENCH_TEXT];
    uint32_t count;
    struct bench_sample samples[BENCH_KEPT];
};

struct bench_side;

struct bench_method {
    const char *name;
    uint32_t peers;
    bool many;     /* pieces, of those that there are */
    int32_t shape; /* the method's own: a batch, a size */
    int64_t spin;  /* nodes: as in koine_node_options */
    /* Both run in children of their own. The leader gets ready, calls kn_bench_measure and returns; a peer
     * returns only when something failed, and is killed. False: kn_bench_fail said why. */
    bool (*lead)(struct bench_side *side);
    bool (*peer)(struct bench_side *side);
};

/* A child's view. */
struct bench_side {
    const struct bench_method *method;
    struct bench_shared *shared;
    const char *dir; /* of names, for this measurement alone */
    uint32_t index;  /* of a peer */
    bool same_cpu;
    int64_t ns;           /* length of a repetition */
    uint32_t repetitions; /* to be made; the quietest third counts */
    const int32_t *pids;
    struct bench_report *report;
};

/* `run` does so many operations and answers false when it failed. */
bool kn_bench_measure(struct bench_side *side, bool (*run)(void *arg, uint64_t count), void *arg);
bool kn_bench_fail(struct bench_side *side, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A peer is up. */
void kn_bench_ready(struct bench_side *side);
/* For a leader that has nothing else to do while its peers get ready. */
void kn_bench_await(struct bench_side *side);

/* How a measurement is run. */
struct bench_plan {
    int cpus[2];    /* the leader's, the peers' */
    double seconds; /* measured, without getting ready */
    uint32_t kept;  /* repetitions that count */
    const char *dir;
};

struct bench_result {
    char failed[BENCH_TEXT]; /* "" or why there is no result */
    double median, min, max; /* nanoseconds of one operation */
};

/* Runs one method in children of its own, none of which outlives the call. False: interrupted. */
bool kn_bench_run(struct bench_result *result, const struct bench_method *method,
                  const struct bench_plan *plan);
/* From now on SIGINT, SIGTERM and SIGHUP end the measurement at hand; kn_bench_interrupted tells which. */
void kn_bench_catch(void);
int kn_bench_interrupted(void);

/* Bare limits, and Koine's side. */
extern const struct bench_method kn_bench_slot, kn_bench_futex, kn_bench_ring, kn_bench_ring_16,
    kn_bench_ring_1to4, kn_bench_copy_4k, kn_bench_pieces_echo, kn_bench_many_echo,
    kn_bench_pieces_rate, kn_bench_many_rate;
extern const struct bench_method kn_bench_event_spin, kn_bench_event_block, kn_bench_call_spin,
    kn_bench_call_adaptive, kn_bench_call_block, kn_bench_loan, kn_bench_rate,
    kn_bench_rate_batched, kn_bench_rate_1to4, kn_bench_echo_4k, kn_bench_echo_1m, kn_bench_rate_1m;

static inline void bench_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* What a receiver does with a payload: one word of every line. */
static inline uint64_t bench_touch(const uint64_t *words, size_t octets)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < octets / 8; i += BENCH_LINE / 8)
        sum += ((const volatile uint64_t *)words)[i];
    return sum;
}

#endif
