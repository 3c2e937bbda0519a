/* SPDX-License-Identifier: MIT
 *
 * The services behind the fake host: "plant/thermostat" as in examples/thermostat.idl, "test/everything"
 * of the reader's test file, whose operations give back what they were given, "test/random", whose
 * attributes have random types, "test/gone", which is down, and "test/secret", which is not permitted.
 */
#ifndef KN_DIALECT_TEST_SERVICE_H
#define KN_DIALECT_TEST_SERVICE_H

#include "base/arena.h"
#include "dialect/message.h"

#include <koine/idl.h>

enum { TEST_MEMBERS = 64 };

/* Read once; shared by many hosts. */
struct test_services {
    struct koine_idl *plant, *every;
    const struct koine_interface *thermostat, *everything;
    struct kn_arena arena;
    struct koine_interface random;
    const void *random_value[TEST_MEMBERS];
};

/* The random types and values come from `seed`. */
void test_services_init(struct test_services *services, uint64_t seed);
void test_services_deinit(struct test_services *services);

/* What one host's clients have set. */
struct test_state {
    const struct test_services *services;
    void *attribute[2][TEST_MEMBERS]; /* thermostat, everything: a value each, or NULL */
    unsigned set, spoilt;             /* random attributes that came back, equal or not */
    unsigned logged;                  /* one-way calls */
};

void test_state_deinit(struct test_state *state);

/* 0, or an error in place of the interface. */
int test_service_find(const struct koine_interface **interfacep,
                      const struct test_services *services, struct kn_str name);

struct test_reply {
    const struct koine_type *type;
    void *value; /* free() */
    bool is_fault;
    struct koine_fault fault; /* its value is `value` */
};

void test_service_serve(struct test_reply *reply, struct test_state *state,
                        const struct kn_message *message);

#endif
