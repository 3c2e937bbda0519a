/* SPDX-License-Identifier: MIT */
#include "dialect/test-service.h"

#include "dialect/test-host.h"
#include "value/test-random.h"
#include "value/types.h"

#include <koine/value.h>

#include <stdlib.h>

/* ---------------------------------------------------------------- interfaces */

static struct koine_idl *read_idl(const char *path)
{
    struct koine_idl *idl;
    test_require(koine_idl_read_file(&idl, path, NULL) == 0, "the interfaces cannot be read");
    return idl;
}

/* One attribute for each random type. */
static void make_random(struct test_services *services, uint64_t seed)
{
    struct random_source source = {seed};
    struct kn_arena *arena = &services->arena;
    size_t count;
    struct koine_type *types = random_types(&source, arena, &count);
    uint32_t used = count < TEST_MEMBERS ? (uint32_t)count : TEST_MEMBERS;
    struct koine_feature *features = kn_arena_zalloc(arena, used, sizeof *features);
    for (uint32_t i = 0; i < used; i++) {
        features[i] = (struct koine_feature){
            .name = types[i].name, .sort = KOINE_ATTRIBUTE, .in = i, .out = i};
        services->random_value[i] = random_value(&source, arena, &types[i]);
    }
    services->random = (struct koine_interface){
        .name = KOINE_TEXT("test::Random"),
        .types = KOINE_MANY(types, (uint32_t)count),
        .features = KOINE_MANY(features, used),
    };
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
    else if (kn_str_equal(name, KN_STR("test/random")))
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

static void call(struct test_reply *reply, struct test_state *state,
                 const struct kn_message *message)
{
    const struct koine_feature *feature = &message->interface->features.ptr[message->member];
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

void test_service_serve(struct test_reply *reply, struct test_state *state,
                        const struct kn_message *message)
{
    *reply = (struct test_reply){.type = NULL};
    if (message->kind == KN_MESSAGE_GET)
        get(reply, state, message);
    else if (message->kind == KN_MESSAGE_SET)
        set(state, message);
    else
        call(reply, state, message);
}
