/* SPDX-License-Identifier: MIT */
#include "dialect/test-service.h"

#include "dialect/test-sim.h"
#include "value/types.h"

#include <koine/value.h>

#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- interfaces */

static struct koine_idl *read_idl(const char *path)
{
    struct koine_idl *idl;
    test_require(koine_idl_read_file(&idl, path, NULL) == 0, "the interfaces cannot be read");
    return idl;
}

/* ---------------------------------------------------------------- random interface */

enum { UINT64 = KOINE_KIND_UINT64 - 1, STRING = KOINE_KIND_STRING - 1 }; /* of the simple kinds */

/* How the table goes on after `base` random types: one exception, the structs of tell, then three for
 * each of the random types that have members. */
enum { ODD, TELL_IN, TELL_OUT, SHARED };

static uint32_t place_of(size_t base, uint32_t index, uint32_t which)
{
    return (uint32_t)base + SHARED + 3 * index + which;
}

/* A struct of a uint64 `key` and, unless `type` is -1, of `name`. */
static void make_struct(struct koine_type *types, struct kn_arena *arena, uint32_t at, int32_t type,
                        const char *name)
{
    struct koine_member *members = kn_arena_zalloc(arena, 2, sizeof *members);
    members[0] = (struct koine_member){.name = KOINE_TEXT("key"), .type = UINT64 - (int32_t)at};
    members[1] = (struct koine_member){.name = koine_string(name), .type = type - (int32_t)at};
    types[at].kind = KOINE_KIND_STRUCT;
    types[at].members = (struct koine_seq_member)KOINE_MANY(members, type < 0 ? 1 : 2);
}

/* `return` comes first. */
static void turn_round(struct koine_type *type)
{
    struct koine_member *members = (struct koine_member *)(uintptr_t)type->members.ptr;
    struct koine_member first = members[0];
    members[0] = members[1];
    members[1] = first;
}

static struct koine_string number_name(struct kn_arena *arena, const char *stem, uint32_t number)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%s%u", stem, number);
    return koine_string(kn_arena_text(arena, text, (size_t)length));
}

static struct koine_type *make_types(struct test_services *services, size_t *countp,
                                     struct random_source *source)
{
    struct kn_arena *arena = &services->arena;
    size_t base;
    const struct koine_type *random = random_types(source, arena, &base);
    uint32_t used = base < TEST_MEMBERS / 2 ? (uint32_t)base : TEST_MEMBERS / 2;
    *countp = base + SHARED + 3 * used;
    struct koine_type *types = kn_arena_zalloc(arena, *countp, sizeof *types);
    memcpy(types, random, base * sizeof *types);
    make_struct(types, arena, (uint32_t)base + ODD, STRING, "text");
    types[base + ODD].kind = KOINE_KIND_EXCEPTION;
    types[base + ODD].name = (struct koine_string)KOINE_TEXT("test::Odd");
    make_struct(types, arena, (uint32_t)base + TELL_IN, -1, "");
    types[base + TELL_OUT].kind = KOINE_KIND_STRUCT;
    for (uint32_t i = 0; i < used; i++) {
        make_struct(types, arena, place_of(base, i, 0), (int32_t)i, "value");
        make_struct(types, arena, place_of(base, i, 1), (int32_t)i, "return");
        turn_round(&types[place_of(base, i, 1)]);
        make_struct(types, arena, place_of(base, i, 2), (int32_t)i, "value");
    }
    test_require(kn_types_layout(types, *countp, NULL) == 0, "types that cannot be laid out");
    services->random_count = used;
    return types;
}

static void make_features(struct koine_feature *features, struct kn_arena *arena, uint32_t used,
                          uint32_t base)
{
    uint32_t *raises = kn_arena_zalloc(arena, 1, sizeof *raises);
    *raises = base + ODD;
    for (uint32_t i = 0; i < used; i++) {
        features[i] = (struct koine_feature){
            .name = number_name(arena, "T", i), .sort = KOINE_ATTRIBUTE, .in = i, .out = i};
        features[used + i] = (struct koine_feature){.name = number_name(arena, "echo", i),
                                                    .sort = KOINE_OPERATION,
                                                    .flags = i & 1 ? KOINE_IDEMPOTENT : 0,
                                                    .in = place_of(base, i, 0),
                                                    .out = place_of(base, i, 1),
                                                    .raises = KOINE_MANY(raises, 1)};
        features[2 * used + i] = (struct koine_feature){.name = number_name(arena, "e", i),
                                                        .sort = KOINE_EVENT,
                                                        .in = place_of(base, i, 2),
                                                        .out = place_of(base, i, 2)};
    }
    features[3 * used] = (struct koine_feature){.name = KOINE_TEXT("tell"),
                                                .sort = KOINE_OPERATION,
                                                .flags = KOINE_ONEWAY,
                                                .in = base + TELL_IN,
                                                .out = base + TELL_OUT};
}

static void make_random(struct test_services *services, uint64_t seed)
{
    struct random_source source = {seed};
    struct kn_arena *arena = &services->arena;
    struct koine_interface *interface = &services->random;
    size_t count;
    struct koine_type *types = make_types(services, &count, &source);
    uint32_t used = services->random_count, base = (uint32_t)count - SHARED - 3 * used;
    struct koine_feature *features = kn_arena_zalloc(arena, 3u * used + 1, sizeof *features);
    make_features(features, arena, used, base);
    for (uint32_t i = 0; i < used; i++)
        services->random_value[i] = random_value(&source, arena, &types[i]);
    *interface = (struct koine_interface){
        .name = KOINE_TEXT("test::Random"),
        .types = KOINE_MANY(types, (uint32_t)count),
        .features = KOINE_MANY(features, 3 * used + 1),
    };
    test_require(!kn_interface_hash(&interface->hash, interface) &&
                     !kn_interface_check(interface, NULL),
                 "no interface");
}

/* A value of an in, out or event struct of the random interface; free(). */
static void *make_value(const struct test_services *services, uint32_t index, uint32_t which,
                        uint64_t key)
{
    const struct koine_interface *interface = &services->random;
    uint32_t base = interface->types.length - SHARED - 3 * services->random_count;
    const struct koine_type *type = interface->types.ptr + place_of(base, index, which);
    const struct koine_member *members = type->members.ptr;
    const struct koine_member *number = &members[which == 1], *value = &members[which != 1];
    char *all = calloc(1, type->size);
    void *copy;
    memcpy(all + number->offset, &key, sizeof key);
    memcpy(all + value->offset, services->random_value[index],
           koine_type_of_member(type, value)->size);
    test_require(!koine_value_copy(&copy, type, all), "no value");
    free(all);
    return copy;
}

void test_services_init(struct test_services *services, uint64_t seed)
{
    *services =
        (struct test_services){.plant = read_idl(KN_SOURCE_DIR "/examples/thermostat.idl"),
                               .every = read_idl(KN_SOURCE_DIR "/src/idl/test/everything.idl")};
    test_require(
        !koine_idl_choose(&services->thermostat, services->plant, NULL, NULL) &&
            !koine_idl_choose(&services->everything, services->every, "a::inner::Second", NULL),
        "an interface is missing");
    kn_arena_init(&services->arena, 0);
    make_random(services, seed);
}

void test_services_deinit(struct test_services *services)
{
    koine_idl_free(services->plant);
    koine_idl_free(services->every);
    kn_arena_deinit(&services->arena);
}

void test_state_deinit(struct test_state *state)
{
    for (int service = 0; service < 2; service++)
        for (int i = 0; i < TEST_MEMBERS; i++)
            free(state->attribute[service][i]);
}

int test_service_find(const struct koine_interface **interfacep,
                      const struct test_services *services, struct kn_str name)
{
    if (kn_str_equal(name, KN_STR("plant/thermostat")))
        *interfacep = services->thermostat;
    else if (kn_str_equal(name, KN_STR("test/everything")))
        *interfacep = services->everything;
    else if (kn_str_equal(name, KN_STR("test/random")) || !name.length)
        *interfacep = &services->random;
    else if (kn_str_equal(name, KN_STR("test/gone")))
        return KOINE_EDOWN;
    else if (kn_str_equal(name, KN_STR("test/secret")))
        return KOINE_EPERM;
    else
        return memchr(name.ptr, ' ', name.length) ? KOINE_EINVAL : KOINE_ENOENT;
    return 0;
}

/* ---------------------------------------------------------------- answers */

static void answer_copy(struct test_reply *reply, const struct koine_type *type, const void *value)
{
    reply->type = type;
    test_require(koine_value_copy(&reply->value, type, value) == 0,
                 "a value that does not fit its type");
}

static void answer_json(struct test_reply *reply, const struct koine_type *type, const char *json)
{
    reply->type = type;
    test_require(koine_value_read(&reply->value, type, json, strlen(json), NULL) == 0,
                 "a script that does not fit its type");
}

/* Each out parameter is the in parameter of its name, or zero. */
static void answer_echo(struct test_reply *reply, const struct kn_message *message)
{
    const struct koine_type *in = message->body.type;
    const struct koine_type *out = kn_feature_out(message->interface, message->member);
    char *value = calloc(1, out->size + 1u);
    for (uint32_t i = 0; i < out->members.length; i++) {
        const struct koine_member *to = &out->members.ptr[i];
        const struct koine_type *type = koine_type_of_member(out, to);
        for (uint32_t j = 0; j < in->members.length; j++) {
            const struct koine_member *from = &in->members.ptr[j];
            if (!strcmp(to->name.ptr, from->name.ptr))
                memcpy(value + to->offset, (const char *)message->body.value + from->offset,
                       type->size);
        }
    }
    answer_copy(reply, out, value);
    free(value);
}

static void answer_zero(struct test_reply *reply, const struct koine_type *type)
{
    void *zero = calloc(1, type->size + 1u);
    answer_copy(reply, type, zero);
    free(zero);
}

static void add(struct test_reply *reply, const struct kn_message *message)
{
    const struct {
        int64_t a, b;
    } *in = message->body.value;
    int64_t sum = (int64_t)((uint64_t)in->a + (uint64_t)in->b);
    answer_copy(reply, kn_feature_out(message->interface, message->member), &sum);
}

static void fault(struct test_reply *reply, int32_t code, const char *message)
{
    reply->is_fault = true;
    reply->fault = (struct koine_fault){
        .code = code, .name = "", .message = message, .origin = "", .completion = 1};
}

static void set_target(struct test_reply *reply, const struct kn_message *message)
{
    const struct {
        struct koine_string room;
        double celsius;
    } *in = message->body.value;
    if (!strcmp(in->room.ptr, "nowhere")) {
        fault(reply, KOINE_FAULT_NOT_FOUND, "no such room");
    } else if (!strcmp(in->room.ptr, "strange")) {
        fault(reply, 99, "cut in a character: \xc3");
        reply->fault.origin = "test";
        reply->fault.retryable = 1;
        reply->fault.completion = 77;
    } else if (!(in->celsius >= 5 && in->celsius <= 30)) {
        const struct koine_feature *feature = &message->interface->features.ptr[message->member];
        answer_json(reply, message->interface->types.ptr + feature->raises.ptr[0],
                    "{\"min\":5,\"max\":30}");
        fault(reply, KOINE_FAULT_UNKNOWN, in->celsius > 30 ? "too hot" : "");
        reply->fault.name = "demo::OutOfRange";
        reply->fault.type = reply->type;
        reply->fault.value = reply->value;
    }
}

static void rooms(struct test_reply *reply, const struct kn_message *message)
{
    answer_json(reply, kn_feature_out(message->interface, message->member),
                "{\"return\":[{\"name\":\"hall\",\"celsius\":20.5,\"mode\":\"heat\","
                "\"history\":[19,0.1]},{\"name\":\"caf\u00e9 \\\"1\\\"\\n\",\"celsius\":-1e-7,"
                "\"mode\":\"off\",\"history\":[]}]}");
}

static void swap(struct test_reply *reply, const struct kn_message *message)
{
    const struct {
        struct koine_string a, b;
    } *in = message->body.value;
    const struct {
        struct koine_string a, b;
        uint32_t length, pad;
    } out = {in->b, in->a, in->a.length + in->b.length, 0};
    answer_copy(reply, kn_feature_out(message->interface, message->member), &out);
}

static const struct {
    const char *name;
    void (*serve)(struct test_reply *reply, const struct kn_message *message);
} scripts[] = {{"add", add}, {"set_target", set_target}, {"rooms", rooms}, {"swap", swap}};

static void count(struct kn_map *executed, uint64_t key)
{
    if (!executed)
        return;
    uintptr_t before = (uintptr_t)kn_map_take(executed, key);
    test_require(!kn_map_put(executed, key, (void *)(before + 1)), "no memory");
}

/* echo<i> of the random interface. */
static void echo(struct test_reply *reply, struct test_state *state,
                 const struct kn_message *message)
{
    const struct test_services *services = state->services;
    uint32_t index = message->member - services->random_count;
    const struct koine_type *in = message->body.type;
    uint64_t key;
    memcpy(&key, message->body.value, sizeof key);
    count(state->executed, key);
    const struct koine_member *value = &in->members.ptr[1];
    if (koine_value_differ(koine_type_of_member(in, value),
                           (const char *)message->body.value + value->offset,
                           services->random_value[index]))
        state->spoilt++;
    if (test_outcome(key) == TEST_FAULT) {
        fault(reply, TEST_FAULT_CODE, "as the key says");
    } else if (test_outcome(key) == TEST_ODD) {
        const struct {
            uint64_t key;
            struct koine_string text;
        } odd = {key, KOINE_TEXT("odd")};
        const struct koine_feature *feature = &message->interface->features.ptr[message->member];
        answer_copy(reply, message->interface->types.ptr + feature->raises.ptr[0], &odd);
        fault(reply, KOINE_FAULT_UNKNOWN, "an odd key");
        reply->fault.name = "test::Odd";
        reply->fault.type = reply->type;
        reply->fault.value = reply->value;
    } else {
        reply->type = kn_feature_out(message->interface, message->member);
        reply->value = make_value(services, index, 1, key);
        reply->slow = test_outcome(key) == TEST_SLOW;
    }
}

static void tell(struct test_state *state, const struct kn_message *message)
{
    uint64_t key;
    memcpy(&key, message->body.value, sizeof key);
    count(state->executed, key);
    state->logged++;
}

static void call(struct test_reply *reply, struct test_state *state,
                 const struct kn_message *message)
{
    const struct koine_feature *feature = &message->interface->features.ptr[message->member];
    if (message->interface == &state->services->random) {
        if (feature->flags & KOINE_ONEWAY)
            tell(state, message);
        else
            echo(reply, state, message);
        return;
    }
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        if (!strcmp(feature->name.ptr, scripts[i].name)) {
            scripts[i].serve(reply, message);
            return;
        }
    if (feature->flags & KOINE_ONEWAY)
        state->logged++;
    else
        answer_echo(reply, message);
}

/* ---------------------------------------------------------------- attributes */

static void get(struct test_reply *reply, struct test_state *state,
                const struct kn_message *message)
{
    const struct koine_interface *interface = message->interface;
    const struct koine_type *type = kn_feature_out(interface, message->member);
    bool plant = interface == state->services->thermostat;
    if (interface == &state->services->random)
        answer_copy(reply, type, state->services->random_value[message->member]);
    else if (state->attribute[!plant][message->member])
        answer_copy(reply, type, state->attribute[!plant][message->member]);
    else if (plant)
        answer_json(reply, type, type->kind == KOINE_KIND_DOUBLE ? "7.25" : "\"door\"");
    else
        answer_zero(reply, type);
}

static void set(struct test_state *state, const struct kn_message *message)
{
    const struct test_services *services = state->services;
    const struct kn_body *body = &message->body;
    if (message->interface == &services->random) {
        bool equal =
            !koine_value_differ(body->type, body->value, services->random_value[message->member]);
        state->set += equal;
        state->spoilt += !equal;
        return;
    }
    void **kept = &state->attribute[message->interface != services->thermostat][message->member];
    free(*kept);
    *kept = NULL;
    test_require(koine_value_copy(kept, body->type, body->value) == 0, "a value that is none");
}

static void describe(struct test_reply *reply, const struct test_state *state,
                     struct kn_str service)
{
    const struct koine_interface *interface;
    if (test_service_find(&interface, state->services, service))
        fault(reply, KOINE_FAULT_NOT_FOUND, "no such service");
    else
        answer_copy(reply, kn_interface_type(), interface);
}

void test_service_serve(struct test_reply *reply, struct test_state *state,
                        const struct kn_message *message)
{
    *reply = (struct test_reply){.type = NULL};
    if (message->kind == KN_MESSAGE_GET)
        get(reply, state, message);
    else if (message->kind == KN_MESSAGE_SET)
        set(state, message);
    else if (message->kind == KN_MESSAGE_DESCRIBE)
        describe(reply, state, message->service);
    else if (message->kind == KN_MESSAGE_CALL)
        call(reply, state, message);
}

/* ---------------------------------------------------------------- events */

void *test_service_event(struct kn_body *body, struct test_state *state,
                         const struct koine_interface *interface, struct test_event event)
{
    const struct test_services *services = state->services;
    uint32_t used = services->random_count;
    struct test_reply reply = {.type = kn_feature_in(interface, event.member)};
    const struct kn_message message = {.member = event.member, .interface = interface};
    if (interface->features.ptr[event.member].sort == KOINE_ATTRIBUTE)
        get(&reply, state, &message);
    else if (interface == &services->random)
        reply.value = make_value(services, event.member - 2 * used, 2, event.sequence);
    else
        answer_zero(&reply, reply.type);
    *body = (struct kn_body){reply.type, reply.value};
    return reply.value;
}

uint64_t test_service_sequence(const struct kn_body *body, const struct koine_interface *interface,
                               uint32_t member)
{
    uint64_t key = UINT64_MAX;
    if (interface->features.ptr[member].sort == KOINE_EVENT && body->type->members.length == 2 &&
        !strcmp(body->type->members.ptr[0].name.ptr, "key"))
        memcpy(&key, body->value, sizeof key);
    return key;
}

void *test_service_echo(struct kn_body *body, const struct test_services *services, uint32_t member,
                        uint64_t key, bool out)
{
    const struct koine_interface *interface = &services->random;
    void *value = make_value(services, member - services->random_count, out, key);
    *body = (struct kn_body){
        out ? kn_feature_out(interface, member) : kn_feature_in(interface, member), value};
    return value;
}
