/* SPDX-License-Identifier: MIT
 *
 * The limits, and what conversations in files cannot show.
 */
#include "dialect/jsonrpc/server.h"
#include "dialect/test-sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct test_services services;
static struct sim_lone lone;
static const struct kn_options serving = {.role = KN_SERVE, .transport = "tcp"};
static struct kn_buffer text;

static int load(void **state)
{
    (void)state;
    test_services_init(&services, 1);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    test_services_deinit(&services);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    kn_buffer_init(&text, 0);
    sim_lone_init(&lone, &kn_dialect_jsonrpc, &serving, &sim_plain, &services);
    sim_meet(&lone.peer, lone.endpoint, KN_STREAM);
    return sim_lone_error(&lone);
}

static int end(void **state)
{
    (void)state;
    kn_buffer_deinit(&text);
    sim_lone_deinit(&lone);
    return 0;
}

static void add_request(int id)
{
    kn_buffer_print(
        &text,
        "{\"jsonrpc\":\"2.0\",\"method\":\"plant/thermostat.add\",\"params\":[%d,1],\"id\":%d}", id,
        id);
}

static void feed(bool last)
{
    sim_feed(&lone.peer, (struct kn_str){text.ptr ? text.ptr : "", text.length}, last);
    kn_buffer_clear(&text);
}

static size_t lines(void)
{
    size_t count = 0;
    for (size_t i = 0; i < lone.peer.out.length; i++)
        count += lone.peer.out.ptr[i] == '\n';
    return count;
}

static bool said(const char *what)
{
    return lone.peer.out.ptr && strstr(lone.peer.out.ptr, what);
}

static void input_stops_while_too_many_requests_wait(void **state)
{
    (void)state;
    for (int i = 0; i < JSONRPC_WAITING_MAX + 50; i++) {
        add_request(i);
        kn_buffer_char(&text, '\n');
    }
    feed(false);
    assert_int_equal(lone.peer.channel->waiting, JSONRPC_WAITING_MAX);
    assert_true(lone.peer.channel->stopped);
    (void)sim_run(&lone.sim, 1, KOINE_FOREVER);
    assert_int_equal(lone.peer.channel->waiting, JSONRPC_WAITING_MAX);
    assert_int_equal(lines(), 1);
    (void)sim_run(&lone.sim, -1, KOINE_FOREVER);
    assert_int_equal(lines(), JSONRPC_WAITING_MAX + 50);
    assert_false(lone.peer.channel->stopped);
}

static void notifications_count_as_waiting(void **state)
{
    (void)state;
    for (int i = 0; i < JSONRPC_WAITING_MAX + 5; i++)
        kn_buffer_text(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"plant/thermostat.rooms\"}\n");
    feed(true);
    assert_int_equal(lone.peer.channel->waiting, JSONRPC_WAITING_MAX);
    (void)sim_run(&lone.sim, -1, KOINE_FOREVER);
    assert_int_equal(lone.peer.out.length, 0);
    assert_null(lone.peer.channel);
}

/* What it asked is not even read while it does not take what it was answered. */
static void input_stops_while_the_peer_does_not_read(void **state)
{
    static const struct sim_plan slow = {.slow_every = 1, .allocations = -1};
    (void)state;
    lone.sim.plan = &slow;
    for (int i = 0; i < 3; i++) {
        kn_buffer_text(&text, "[]\n");
        add_request(i);
        kn_buffer_char(&text, '\n');
    }
    feed(false);
    assert_int_equal(lines(), 1);
    assert_int_equal(lone.peer.channel->waiting, 0);
    assert_true(lone.peer.channel->stopped);
    (void)sim_run(&lone.sim, -1, KOINE_FOREVER);
    assert_int_equal(lines(), 6);
    assert_false(lone.peer.channel->stopped);
}

static void a_channel_is_closed_once(void **state)
{
    (void)state;
    kn_buffer_text(&text, "[]\n");
    feed(true);
    assert_true(lone.peer.channel->closing);
    assert_true(sim_tell_change(lone.peer.channel, KN_WRITABLE));
    (void)sim_run(&lone.sim, -1, KOINE_FOREVER);
    assert_null(lone.peer.channel);
}

static void make_batch(int count)
{
    kn_buffer_char(&text, '[');
    for (int i = 0; i < count; i++) {
        kn_buffer_text(&text, i ? "," : "");
        add_request(i);
    }
    kn_buffer_text(&text, "]\n");
}

static void batches_have_a_limit_and_one_beyond_it_runs_nothing(void **state)
{
    (void)state;
    make_batch(JSONRPC_BATCH_MAX + 1);
    feed(false);
    assert_int_equal(lone.peer.channel->waiting, 0);
    assert_true(said("\"code\":-32600") && lines() == 1);
    make_batch(JSONRPC_BATCH_MAX);
    add_request(7);
    feed(true);
    assert_true(lone.peer.channel->stopped || lone.peer.channel->waiting == JSONRPC_WAITING_MAX);
    (void)sim_run(&lone.sim, -1, KOINE_FOREVER);
    assert_int_equal(lines(), 3);
    assert_true(said("\"id\":1023}]\n{\"jsonrpc\":\"2.0\",\"result\":8,\"id\":7}\n"));
    assert_null(lone.peer.channel);
}

static void a_line_that_is_too_long_ends_the_channel_after_what_waits(void **state)
{
    (void)state;
    add_request(1);
    kn_buffer_text(&text, "\n\"");
    kn_buffer_fill(&text, 'x', JSONRPC_TEXT_MAX);
    feed(false);
    assert_int_equal(lone.peer.channel->waiting, 1);
    assert_true(said("-32600") && said("too long"));
    sim_feed(&lone.peer, KN_STR("\"\n{}\n"), false);
    (void)sim_run(&lone.sim, -1, KOINE_FOREVER);
    assert_int_equal(lines(), 2);
    assert_true(said("\"result\":2"));
    assert_null(lone.peer.channel);
    assert_int_equal(lone.peer.error, 0);
}

static void the_longest_line_is_still_read(void **state)
{
    (void)state;
    add_request(1);
    kn_buffer_fill(&text, ' ', JSONRPC_TEXT_MAX - text.length);
    for (size_t at = 0, length = text.length; at < length; at += 65536)
        sim_feed(&lone.peer, (struct kn_str){text.ptr + at, 65536}, false);
    assert_int_equal(lone.peer.out.length, 0);
    sim_feed(&lone.peer, KN_STR("\n"), false);
    (void)sim_run(&lone.sim, -1, KOINE_FOREVER);
    assert_true(said("\"result\":2") && lines() == 1);
}

static void an_id_may_be_long_but_not_endless(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        kn_buffer_text(&text,
                       "{\"jsonrpc\":\"2.0\",\"method\":\"plant/thermostat.rooms\",\"id\":\"");
        kn_buffer_fill(&text, 'i', (size_t)(JSONRPC_ID_MAX - 2 + i));
        kn_buffer_text(&text, "\"}\n");
    }
    feed(false);
    assert_true(said("'id' is too long") && lines() == 1);
    (void)sim_run(&lone.sim, -1, KOINE_FOREVER);
    assert_true(said("iii\"}\n") && lines() == 2);
}

static void an_answer_that_is_too_long_is_an_error(void **state)
{
    struct jsonrpc_endpoint *endpoint = (struct jsonrpc_endpoint *)lone.endpoint->endpoint;
    (void)state;
    assert_int_equal(endpoint->out.limit, JSONRPC_ANSWER_MAX);
    endpoint->out.limit = 400;
    for (size_t length = 300; length <= 400; length += 100) {
        kn_buffer_print(&text, "{\"jsonrpc\":\"2.0\",\"id\":%zu,", length);
        kn_buffer_text(&text, "\"method\":\"plant/thermostat.swap\",\"params\":[\"\",\"");
        kn_buffer_fill(&text, 'x', length);
        kn_buffer_text(&text, "\"]}\n");
    }
    feed(false);
    (void)sim_run(&lone.sim, -1, KOINE_FOREVER);
    assert_true(said("xxx\",\"b\":\"\",\"length\":300},\"id\":300}"));
    assert_true(said("-32008") && said("\"id\":400") && said("\"completion\":\"yes\""));
    assert_int_equal(lines(), 2);
}

static void work_space_of_a_large_request_is_given_back(void **state)
{
    const struct jsonrpc_endpoint *endpoint =
        (const struct jsonrpc_endpoint *)lone.endpoint->endpoint;
    (void)state;
    kn_buffer_text(
        &text, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"plant/thermostat.swap\",\"params\":[\"");
    kn_buffer_fill(&text, 'x', 1 << 20);
    kn_buffer_text(&text, "\",\"\"]}\n");
    feed(false);
    (void)sim_run(&lone.sim, -1, KOINE_FOREVER);
    assert_true(said("\"length\":1048576"));
    assert_true(endpoint->out.room <= JSONRPC_KEPT_MAX);
    assert_null(endpoint->arena.first);
}

static void a_request_alone_costs_the_peer_one_small_record(void **state)
{
    size_t before = lone.peer.channel->memory_used;
    (void)state;
    add_request(3);
    kn_buffer_char(&text, '\n');
    feed(false);
    assert_true(lone.peer.channel->memory_used - before == sizeof(struct jsonrpc_pending) + 1);
    kn_buffer_text(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"plant/thermostat.rooms\"}\n");
    size_t with_one = lone.peer.channel->memory_used;
    feed(false);
    assert_int_equal(lone.peer.channel->memory_used, with_one);
    (void)sim_run(&lone.sim, -1, KOINE_FOREVER);
    assert_int_equal(lone.peer.channel->memory_used, before);
}

static void addresses_are_what_a_client_has_to_say(void **state)
{
    static const char *const wanted[] = {
        "plant/t.set_target {\"room\": string, \"celsius\": double}",
        "plant/t.add {\"a\": int64, \"b\": int64}",
        "plant/t.rooms {}",
        "plant/t._get_label {}, plant/t._set_label {\"value\": string}",
        "plant/t._get_outside {}",
        "not reachable in this version"};
    static const char *const members[] = {"set_target", "add",     "rooms",
                                          "label",      "outside", "reading"};
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        uint32_t member;
        assert_int_equal(koine_interface_find(&member, services.thermostat, members[i]), 0);
        kn_buffer_clear(&text);
        kn_dialect_jsonrpc.identity->address(&text, KN_STR("plant/t"), services.thermostat, member);
        assert_string_equal(text.ptr, wanted[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(input_stops_while_too_many_requests_wait),
        TEST(notifications_count_as_waiting),
        TEST(input_stops_while_the_peer_does_not_read),
        TEST(a_channel_is_closed_once),
        TEST(batches_have_a_limit_and_one_beyond_it_runs_nothing),
        TEST(a_line_that_is_too_long_ends_the_channel_after_what_waits),
        TEST(the_longest_line_is_still_read),
        TEST(an_id_may_be_long_but_not_endless),
        TEST(an_answer_that_is_too_long_is_an_error),
        TEST(work_space_of_a_large_request_is_given_back),
        TEST(a_request_alone_costs_the_peer_one_small_record),
        TEST(addresses_are_what_a_client_has_to_say),
    };
    return cmocka_run_group_tests(tests, load, drop);
}
