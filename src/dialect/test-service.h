/* SPDX-License-Identifier: MIT
 *
 * The services of the simulated network: "plant/thermostat" as in examples/thermostat.idl,
 * "test/everything" of the reader's test file, whose operations give back what they were given,
 * "test/gone", which is down, "test/secret", which is not permitted, and "test/random", also "", whose types
 * are random. For each of its types T that has
 *
 *      attribute T T<i>                                   which has one value, and takes no other
 *      T echo<i>(in uint64 key, in T value, out uint64 key) raises (Odd)       idempotent where i is odd
 *      @event e<i>(uint64 key, T value)                   key: 0, 1, 2 ... of each subscription
 *      oneway tell(in uint64 key)                         once
 *
 * A key says what becomes of a call (test_outcome), and is counted where it ran.
 */
#ifndef KN_DIALECT_TEST_SERVICE_H
#define KN_DIALECT_TEST_SERVICE_H

#include "base/arena.h"
#include "base/map.h"
#include "dialect/message.h"

#include <koine/idl.h>

enum { TEST_MEMBERS = 64 };

/* Read once; shared by many hosts. */
struct test_services {
    struct koine_idl *plant, *every;
    const struct koine_interface *thermostat, *everything;
    struct kn_arena arena;
    struct koine_interface random;
    uint32_t
        random_count; /* of types that have members: attributes come first, then echo, events, tell */
    const void *random_value[TEST_MEMBERS];
};

enum test_outcome {
    TEST_ECHO,
    TEST_SLOW, /* and then echo */
    TEST_FAULT,
    TEST_ODD, /* the declared exception, with the key */
    TEST_OUTCOMES
};

static inline enum test_outcome test_outcome(uint64_t key)
{
    return key % 16 < TEST_OUTCOMES ? (enum test_outcome)(key % 16) : TEST_ECHO;
}

enum { TEST_FAULT_CODE = 9 /* failed precondition */ };

/* The random types and values come from `seed`. */
void test_services_init(struct test_services *services, uint64_t seed);
void test_services_deinit(struct test_services *services);

/* What one host's clients have set. */
struct test_state {
    const struct test_services *services;
    void *attribute[2][TEST_MEMBERS]; /* thermostat, everything: a value each, or NULL */
    unsigned set, spoilt;             /* random attributes that came back, equal or not */
    unsigned logged;                  /* one-way calls */
    struct kn_map *executed;          /* key: how often; NULL: nobody counts */
};

void test_state_deinit(struct test_state *state);

/* 0, or an error in place of the interface. */
int test_service_find(const struct koine_interface **interfacep,
                      const struct test_services *services, struct kn_str name);

struct test_reply {
    const struct koine_type *type;
    void *value; /* free() */
    bool is_fault, slow;
    struct koine_fault fault; /* its value is `value` */
};

void test_service_serve(struct test_reply *reply, struct test_state *state,
                        const struct kn_message *message);

/* The sample number `sequence` of an event, or of what an attribute becomes; free() the answer. */
struct test_event {
    uint32_t member;
    uint64_t sequence;
};
void *test_service_event(struct kn_body *body, struct test_state *state,
                         const struct koine_interface *interface, struct test_event event);
/* The number of a sample of test/random, else UINT64_MAX. */
uint64_t test_service_sequence(const struct kn_body *body, const struct koine_interface *interface,
                               uint32_t member);
/* What echo `member` of test/random is given with this key, or what it gives; free() the answer. */
void *test_service_echo(struct kn_body *body, const struct test_services *services, uint32_t member,
                        uint64_t key, bool out);

#endif
