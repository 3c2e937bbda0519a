/* SPDX-License-Identifier: MIT */
#include "dialect/companion.h"
#include "dialect/dialect.h"
#include "dialect/fault.h"
#include "dialect/held.h"
#include "dialect/outbox.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* ---------------------------------------------------------------- a host that only has memory */

static struct {
    size_t blocks, most; /* allocated now; refused beyond */
    size_t takes;        /* writes until it is full */
    struct kn_buffer out;
} world;

static void *allocate(struct kn_channel *channel, size_t size)
{
    (void)channel;
    if (world.blocks == world.most)
        return NULL;
    world.blocks++;
    return malloc(size);
}

static void release(struct kn_channel *channel, void *memory)
{
    (void)channel;
    world.blocks--;
    free(memory);
}

static int write_out(struct kn_channel *channel, struct kn_str octets)
{
    (void)channel;
    assert_true(world.takes > 0);
    kn_buffer_str(&world.out, octets);
    return --world.takes ? 0 : KOINE_EFULL;
}

static const struct kn_host host = {.alloc = allocate, .free = release, .write = write_out};
static struct kn_channel channel = {.host = &host};

static int begin(void **state)
{
    (void)state;
    world.blocks = 0;
    world.most = world.takes = 1000;
    kn_buffer_init(&world.out, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    kn_buffer_deinit(&world.out);
    return world.blocks != 0;
}

/* ---------------------------------------------------------------- held input */

static void held_input_comes_out_as_it_went_in(void **state)
{
    struct kn_held held;
    char text[3000], back[sizeof text];
    size_t in = 0, out = 0;
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 7);
    kn_held_init(&held, &channel, 2000);
    for (size_t step = 1; out < sizeof text; step = step * 5 % 97) {
        size_t add = step < sizeof text - in ? step : sizeof text - in;
        assert_int_equal(kn_held_add(&held, (struct kn_str){text + in, add}), 0);
        in += add;
        struct kn_str view = kn_held_view(&held);
        assert_int_equal(view.length, in - out);
        size_t drop = in == sizeof text ? view.length : view.length / 3;
        memcpy(back + out, view.ptr, drop);
        kn_held_drop(&held, drop);
        out += drop;
    }
    assert_memory_equal(text, back, sizeof text);
    assert_null(held.octets);
}

static void held_input_has_a_limit(void **state)
{
    struct kn_held held;
    (void)state;
    kn_held_init(&held, &channel, 4);
    assert_int_equal(kn_held_add(&held, KN_STR("abc")), 0);
    assert_int_equal(kn_held_add(&held, KN_STR("de")), KOINE_ELIMIT);
    assert_int_equal(kn_held_add(&held, KN_STR("d")), 0);
    kn_held_drop(&held, 2);
    assert_int_equal(kn_held_add(&held, KN_STR("ef")), 0);
    assert_true(kn_str_equal(kn_held_view(&held), KN_STR("cdef")));
    kn_held_deinit(&held);
    world.most = 0;
    assert_int_equal(kn_held_add(&held, KN_STR("abc")), KOINE_ENOMEM);
}

/* ---------------------------------------------------------------- output */

static void output_waits_while_the_peer_is_slow_and_keeps_its_order(void **state)
{
    struct kn_outbox outbox;
    (void)state;
    kn_outbox_init(&outbox, &channel);
    world.takes = 2;
    assert_int_equal(kn_outbox_write(&outbox, KN_STR("a")), 0);
    assert_int_equal(kn_outbox_write(&outbox, KN_STR("b")), 0);
    assert_true(outbox.full && kn_outbox_idle(&outbox));
    assert_int_equal(kn_outbox_write(&outbox, KN_STR("c")), 0);
    assert_int_equal(kn_outbox_write(&outbox, KN_STR("d")), 0);
    assert_false(kn_outbox_idle(&outbox));
    world.takes = 1;
    assert_int_equal(kn_outbox_writable(&outbox), 0);
    assert_string_equal(world.out.ptr, "abc");
    world.most = world.blocks;
    assert_int_equal(kn_outbox_write(&outbox, KN_STR("e")), KOINE_ENOMEM);
    kn_outbox_deinit(&outbox);
}

/* ---------------------------------------------------------------- companions */

static void companions_reach_attributes_and_real_members_win(void **state)
{
    static const struct koine_feature features[] = {
        {.name = KOINE_TEXT("label"), .sort = KOINE_ATTRIBUTE},
        {.name = KOINE_TEXT("count"), .sort = KOINE_ATTRIBUTE, .flags = KOINE_READONLY},
        {.name = KOINE_TEXT("_get_count"), .sort = KOINE_OPERATION},
        {.name = KOINE_TEXT("moved"), .sort = KOINE_EVENT},
        {.name = KOINE_TEXT("_set_moved"), .sort = KOINE_EVENT},
    };
    static const struct koine_interface interface = {.features = KOINE_ARRAY(features)};
    static const struct {
        const char *name, *why;
        uint8_t kind;
        uint32_t member;
    } cases[] = {
        {"_get_label", NULL, KN_MESSAGE_GET, 0},
        {"_set_label", NULL, KN_MESSAGE_SET, 0},
        {"_get_count", NULL, KN_MESSAGE_CALL, 2},
        {"_set_count", "'count' is read-only", 0, 0},
        {"label", "'label' is an attribute", 0, 0},
        {"moved", "'moved' is an event", 0, 0},
        {"_set_moved", "'_set_moved' is an event", 0, 0},
        {"_get_moved", "'moved' is no attribute", 0, 0},
        {"_get__get_count", "'_get_count' is no attribute", 0, 0},
        {"_get_", "'_get_' is no member", 0, 0},
        {"Label", "'Label' is no member", 0, 0},
        {"", "'' is no member", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct koine_why why = {""};
        uint8_t kind = 0;
        uint32_t member = 77;
        int rc = kn_companion_find(&kind, &member, &interface, kn_str(cases[i].name), &why);
        assert_int_equal(rc, cases[i].why ? KOINE_EMEMBER : 0);
        assert_int_equal(kind, cases[i].kind);
        assert_int_equal(member, cases[i].why ? 77 : cases[i].member);
        if (cases[i].why && !strstr(why.text, cases[i].why))
            fail_msg("%s: %s", cases[i].name, why.text);
    }
    assert_int_equal(
        kn_companion_find(&(uint8_t){0}, &(uint32_t){0}, &interface, KN_STR("_get_label\0"), NULL),
        KOINE_EMEMBER);
}

/* ---------------------------------------------------------------- faults, the list */

static void each_error_is_a_fault(void **state)
{
    (void)state;
    for (int error = KOINE_EINVAL; error >= KOINE_EUNSUPPORTED; error--) {
        struct koine_fault fault = kn_fault_of(error, NULL);
        assert_non_null(koine_fault_code_name(fault.code));
        assert_int_not_equal(fault.code, KOINE_FAULT_OK);
        assert_string_equal(fault.message, koine_strerror(error));
        assert_int_equal(fault.completion, KOINE_COMPLETED_NO);
    }
    assert_int_equal(kn_fault_of(KOINE_EDOWN, "x").code, KOINE_FAULT_UNAVAILABLE);
    assert_int_equal(kn_fault_of(KOINE_EDOWN, "x").retryable, 1);
    assert_int_equal(kn_fault_of(KOINE_EPERM, "x").code, KOINE_FAULT_PERMISSION_DENIED);
    assert_string_equal(kn_fault_of(KOINE_EPERM, "x").message, "x");
}

static void the_list_names_each_dialect_once(void **state)
{
    size_t count = 0;
    (void)state;
    for (; kn_dialects[count]; count++) {
        const struct kn_identity *identity = kn_dialects[count]->identity;
        assert_true(identity->title && identity->spec && identity->transports[0]);
        for (size_t i = 0; i < count; i++)
            assert_string_not_equal(identity->name, kn_dialects[i]->identity->name);
    }
    assert_true(count > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(held_input_comes_out_as_it_went_in),
        TEST(held_input_has_a_limit),
        TEST(output_waits_while_the_peer_is_slow_and_keeps_its_order),
        TEST(companions_reach_attributes_and_real_members_win),
        TEST(each_error_is_a_fault),
        TEST(the_list_names_each_dialect_once),
    };
    return cmocka_run_group_tests_name("helpers", tests, NULL, NULL);
}
