/* SPDX-License-Identifier: MIT
 *
 * Attachments in the process and on the node that serves, with a dialect that tries out its host.
 */
#include "runtime/endpoint.h"
#include "runtime/test-dialect.h"

#include "thermostat.h"

#include <koine/dialects.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

const struct kn_dialect *const kn_dialects[] = {&kn_dialect_plain, NULL};

enum { TURNS = 20000, KEPT = 8 };

struct world {
    char dir[80], uri[160], path[100];
    struct koine_node *node;
    struct koine_service *service;
    struct koine_attachment *attachment;
    struct koine_request *kept[KEPT];
    int kept_count, added;
    bool detach_at_add;
};

static int handle(void *self, struct koine_request *request)
{
    struct world *world = self;
    const struct demo_Thermostat_add_in *in = koine_request_in(request);
    struct demo_Thermostat_add_out out;
    uint32_t add;
    assert_int_equal(koine_interface_find(&add, demo_Thermostat.interface, "add"), 0);
    if (koine_request_member(request) != add) {
        world->kept[world->kept_count++] = request;
        return KOINE_PENDING;
    }
    if (world->detach_at_add)
        world->attachment = koine_detach(world->attachment);
    world->added++;
    out.return_ = in->a + in->b;
    return koine_reply(request, &out);
}

static void attach(struct world *world, const char *options)
{
    struct koine_why why = {""};
    snprintf(world->uri, sizeof world->uri, "plain+unix://%s%s", world->path, options);
    if (koine_attach(&world->attachment, world->node, world->uri, &why))
        fail_msg("%s", why.text);
}

static int begin(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    const char *where = getenv("TMPDIR");
    snprintf(world->dir, sizeof world->dir, "%s/koine-test.XXXXXX", where ? where : P_tmpdir);
    assert_non_null(mkdtemp(world->dir));
    snprintf(world->path, sizeof world->path, "%s/x.sock", world->dir);
    struct koine_node_options options = {.size = sizeof options, .dir = world->dir};
    assert_int_equal(koine_node_open(&world->node, &options), 0);
    assert_int_equal(koine_service_open_generic(&world->service, world->node, "plant/thermostat",
                                                demo_Thermostat.interface, handle, world, NULL),
                     0);
    *state = world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    char command[128];
    koine_detach(world->attachment);
    koine_node_close(world->node);
    snprintf(command, sizeof command, "rm -r %s", world->dir);
    assert_int_equal(system(command), 0);
    free(world);
    return 0;
}

/* ---------------------------------------------------------------- a client on the same thread */

static int dial(const struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", world->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void tell(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* One octet as soon as it comes, or -1 at the end. */
static int hear_octet(struct world *world, int fd)
{
    unsigned char octet;
    for (int i = 0; i < TURNS; i++) {
        ssize_t length = recv(fd, &octet, 1, MSG_DONTWAIT);
        if (length >= 0 || errno != EAGAIN)
            return length == 1 ? octet : -1;
        assert_true(koine_node_process(world->node, KOINE_MILLISECOND) >= 0);
    }
    fail_msg("nothing came");
    return -1;
}

static void hear(struct world *world, int fd, const char *expected)
{
    char line[1200];
    size_t length = 0;
    int octet;
    while ((octet = hear_octet(world, fd)) >= 0 && octet != '\n' && length < sizeof line - 1)
        line[length++] = (char)octet;
    line[length] = '\0';
    assert_string_equal(line, expected);
}

static void hear_end(struct world *world, int fd)
{
    assert_int_equal(hear_octet(world, fd), -1);
    close(fd);
}

static void turn_until_kept(struct world *world, int count)
{
    for (int i = 0; i < TURNS && world->kept_count < count; i++)
        assert_true(koine_node_process(world->node, KOINE_MILLISECOND) >= 0);
    assert_int_equal(world->kept_count, count);
}

static void turn_until_cancelled(struct world *world, int index)
{
    for (int i = 0; i < TURNS && !koine_request_cancelled(world->kept[index]); i++)
        assert_true(koine_node_process(world->node, KOINE_MILLISECOND) >= 0);
    assert_true(koine_request_cancelled(world->kept[index]));
}

static void release(struct world *world)
{
    while (world->kept_count)
        assert_int_equal(koine_reply(world->kept[--world->kept_count], NULL), 0);
}

static struct koine_attachment_counts count(const struct world *world)
{
    struct koine_attachment_counts counts = {.size = sizeof counts};
    assert_int_equal(koine_attachment_count(&counts, world->attachment), 0);
    return counts;
}

/* ---------------------------------------------------------------- tests */

static void a_service_that_attaches_itself_is_called(void **state)
{
    struct world *world = *state;
    attach(world, "");
    int fd = dial(world);
    for (int i = 0; i < 100; i++) {
        tell(fd, "add plant/thermostat 40 2\n");
        hear(world, fd, "= 42");
    }
    assert_int_equal(count(world).calls, 100);
    assert_int_equal(count(world).connections, 1);
    assert_int_equal(koine_service_links(world->service), 1);
    close(fd);
    for (int i = 0; i < TURNS && koine_service_links(world->service); i++)
        assert_true(koine_node_process(world->node, KOINE_MILLISECOND) >= 0);
    assert_int_equal(koine_service_links(world->service), 0);
    assert_int_equal(count(world).connections, 0);
}

static void more_calls_than_a_ring_has_slots_are_answered(void **state)
{
    struct world *world = *state;
    attach(world, "?calls=1000");
    int fd = dial(world);
    char *calls = calloc(600, 32);
    for (int i = 0; i < 600; i++)
        strcat(calls, "add plant/thermostat 40 2\n");
    tell(fd, calls);
    free(calls);
    for (int i = 0; i < 600; i++)
        hear(world, fd, "= 42");
    close(fd);
}

static void calls_above_the_limit_wait_for_an_answer(void **state)
{
    struct world *world = *state;
    attach(world, "?calls=2");
    int fd = dial(world);
    tell(fd, "keep plant/thermostat\nkeep plant/thermostat\n");
    turn_until_kept(world, 2);
    tell(fd, "add plant/thermostat 1 2\n");
    for (int i = 0; i < 50; i++)
        assert_true(koine_node_process(world->node, 0) >= 0);
    assert_int_equal(count(world).calls, 2);
    release(world);
    hear(world, fd, "done");
    hear(world, fd, "done");
    hear(world, fd, "= 3");
    close(fd);
}

static void a_cancel_reaches_the_service_and_nobody_is_answered(void **state)
{
    struct world *world = *state;
    attach(world, "");
    int fd = dial(world);
    tell(fd, "keep plant/thermostat\n");
    turn_until_kept(world, 1);
    assert_false(koine_request_cancelled(world->kept[0]));
    tell(fd, "cancel\n");
    turn_until_cancelled(world, 0);
    release(world);
    tell(fd, "add plant/thermostat 1 2\n");
    hear(world, fd, "= 3");
    close(fd);
}

static void detaching_cancels_what_runs(void **state)
{
    struct world *world = *state;
    attach(world, "");
    int fd = dial(world);
    tell(fd, "keep plant/thermostat\n");
    turn_until_kept(world, 1);
    world->attachment = koine_detach(world->attachment);
    assert_int_equal(access(world->path, F_OK), -1);
    hear_end(world, fd);
    turn_until_cancelled(world, 0);
    release(world);
}

static void a_service_may_detach_inside_a_call(void **state)
{
    struct world *world = *state;
    attach(world, "");
    int fd = dial(world);
    world->detach_at_add = true;
    tell(fd, "add plant/thermostat 1 2\n");
    hear_end(world, fd);
    assert_null(world->attachment);
    world->detach_at_add = false;
    attach(world, "");
    fd = dial(world);
    tell(fd, "add plant/thermostat 1 2\n");
    hear(world, fd, "= 3");
    close(fd);
}

static void what_was_asked_is_done_although_its_sender_is_gone(void **state)
{
    struct world *world = *state;
    attach(world, "");
    int fd = dial(world);
    tell(fd, "add plant/thermostat 1 2\n");
    close(fd);
    for (int i = 0; i < TURNS && !world->added; i++)
        assert_true(koine_node_process(world->node, KOINE_MILLISECOND) >= 0);
    assert_int_equal(world->added, 1);
}

static void draining_answers_what_runs_and_takes_nothing_new(void **state)
{
    struct world *world = *state;
    attach(world, "");
    int busy = dial(world), idle = dial(world);
    tell(busy, "keep plant/thermostat\n");
    tell(idle, "add plant/thermostat 1 2\n");
    hear(world, idle, "= 3");
    turn_until_kept(world, 1);
    koine_attachment_drain(world->attachment);
    assert_int_equal(access(world->path, F_OK), -1);
    assert_int_equal(count(world).connections, 1);
    hear_end(world, idle);
    release(world);
    hear(world, busy, "done");
    hear_end(world, busy);
    for (int i = 0; i < TURNS && count(world).connections; i++)
        assert_true(koine_node_process(world->node, KOINE_MILLISECOND) >= 0);
    assert_int_equal(count(world).connections, 0);
}

static void unknown_services_are_said_to_be_so(void **state)
{
    struct world *world = *state;
    char text[32];
    attach(world, "");
    int fd = dial(world);
    tell(fd, "add plant/nothing 1 2\n");
    snprintf(text, sizeof text, "? %d", KOINE_ENOENT);
    hear(world, fd, text);
    tell(fd, "add plant/.hidden 1 2\n");
    snprintf(text, sizeof text, "? %d", KOINE_EINVAL);
    hear(world, fd, text);
    close(fd);
}

static void a_service_that_closes_faults_what_runs(void **state)
{
    struct world *world = *state;
    char text[32];
    attach(world, "");
    int fd = dial(world);
    tell(fd, "keep plant/thermostat\n");
    turn_until_kept(world, 1);
    world->service = koine_service_close(world->service);
    snprintf(text, sizeof text, "! %d %d", KOINE_FAULT_UNAVAILABLE, KOINE_COMPLETED_MAYBE);
    hear(world, fd, text);
    tell(fd, "add plant/thermostat 1 2\n");
    snprintf(text, sizeof text, "? %d", KOINE_ENOENT);
    hear(world, fd, text);
    assert_int_equal(count(world).faults, 1);
    close(fd);
}

static size_t links_of(struct koine_service **services, int count)
{
    size_t sum = 0;
    while (count)
        sum += koine_service_links(services[--count]);
    return sum;
}

static void more_services_than_a_connection_may_use_take_turns(void **state)
{
    struct world *world = *state;
    enum { SERVICES = 70 };
    struct koine_service *services[SERVICES];
    char text[64];
    attach(world, "");
    int fd = dial(world);
    for (int i = 0; i < SERVICES; i++) {
        snprintf(text, sizeof text, "many/s%d", i);
        assert_int_equal(koine_service_open_generic(&services[i], world->node, text,
                                                    demo_Thermostat.interface, handle, world, NULL),
                         0);
    }
    for (int i = 0; i < 2 * SERVICES; i++) {
        snprintf(text, sizeof text, "add many/s%d 1 2\n", i % SERVICES);
        tell(fd, text);
        hear(world, fd, "= 3");
    }
    for (int i = 0; i < TURNS && links_of(services, SERVICES) > 64; i++)
        assert_true(koine_node_process(world->node, KOINE_MILLISECOND) >= 0);
    assert_int_equal(links_of(services, SERVICES), 64);
    close(fd);
}

static void output_that_nobody_reads_is_full_and_then_writable(void **state)
{
    struct world *world = *state;
    attach(world, "");
    int fd = dial(world);
    size_t lines = 0;
    char line[1024], expected[1000];
    memset(expected, 'x', 999);
    expected[999] = '\0';
    tell(fd, "write 100000\n");
    for (;;) {
        size_t length = 0;
        for (int octet; (octet = hear_octet(world, fd)) != '\n';) {
            assert_true(octet >= 0 && length < sizeof line - 1);
            line[length++] = (char)octet;
        }
        line[length] = '\0';
        if (strcmp(line, expected))
            break;
        lines++;
    }
    assert_string_equal(line, "full");
    assert_in_range(lines, 100, 2000);
    hear(world, fd, "writable");
    close(fd);
}

/* 700 times 100 000 octets are more than is held for one peer. */
static void who_does_not_read_is_not_read_from(void **state)
{
    struct world *world = *state;
    attach(world, "");
    int fd = dial(world);
    int sent = 0;
    while (sent < 700 && send(fd, "spill 100\n", 10, MSG_DONTWAIT | MSG_NOSIGNAL) == 10) {
        sent++;
        for (int turn = 0; turn < 3; turn++)
            assert_true(koine_node_process(world->node, 0) >= 0);
    }
    assert_in_range(sent, 2, 699);
    assert_int_equal(count(world).dropped, 0);
    assert_int_equal(count(world).connections, 1);
    close(fd);
}

static void the_memory_of_a_peer_is_limited(void **state)
{
    struct world *world = *state;
    attach(world, "");
    int fd = dial(world), other = dial(world);
    tell(fd, "alloc 67108865\n");
    hear(world, fd, "no");
    tell(fd, "alloc 60000000\n");
    hear(world, fd, "yes");
    tell(fd, "alloc 60000000\n");
    hear(world, fd, "no");
    tell(other, "alloc 60000000\n");
    hear(world, other, "yes");
    close(fd);
    close(other);
}

static void an_error_of_the_dialect_ends_that_connection_alone(void **state)
{
    struct world *world = *state;
    attach(world, "");
    int fd = dial(world), other = dial(world);
    tell(fd, "fail\n");
    hear_end(world, fd);
    tell(other, "add plant/thermostat 1 2\n");
    hear(world, other, "= 3");
    close(other);
}

static void what_was_written_before_the_end_arrives(void **state)
{
    struct world *world = *state;
    attach(world, "");
    int fd = dial(world);
    tell(fd, "close\n");
    hear(world, fd, "bye");
    hear_end(world, fd);
}

static void what_is_kept_and_not_answered_is_owed(void **state)
{
    struct world *world = *state;
    attach(world, "?stall=1");
    int fd = dial(world);
    tell(fd, "alloc 10\n");
    hear(world, fd, "yes");
    hear_end(world, fd);
    assert_int_equal(count(world).dropped, 1);
}

static void endpoints_that_cannot_be_are_refused(void **state)
{
    struct world *world = *state;
    struct koine_attachment *attachment = NULL;
    struct koine_why why;
    static const struct {
        const char *uri;
        int error;
        const char *why;
    } rows[] = {
        {"plain", KOINE_EINVAL, "has no '://'"},
        {"other+tcp://127.0.0.1:0", KOINE_EUNSUPPORTED, "there are: plain"},
        {"plain+smoke://127.0.0.1:0", KOINE_EUNSUPPORTED, "there are: tcp, unix, http, smoke"},
        {"plain+tcp://127.0.0.1:0?kind=bad", KOINE_EINVAL, "does not start"},
        {"plain+tcp://127.0.0.1:0?colour=red", KOINE_EINVAL, "no option 'colour'"},
        {"plain+tcp://127.0.0.1:0?calls=0", KOINE_EINVAL, "takes 1 to 65536"},
        {"plain+tcp://0.0.0.0:0", KOINE_EPERM, "public=yes"},
        {"plain+tcp://example.com:0", KOINE_EINVAL, "is no address"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        why.text[0] = '\0';
        assert_int_equal(koine_attach(&attachment, world->node, rows[i].uri, &why), rows[i].error);
        assert_int_equal(koine_attach(&attachment, world->node, rows[i].uri, NULL), rows[i].error);
        assert_null(attachment);
        if (!strstr(why.text, rows[i].why))
            assert_string_equal(why.text, rows[i].why);
    }
    assert_int_equal(
        koine_attach(&attachment, world->node, "plain+tcp://0.0.0.0:0?public=yes", NULL), 0);
    assert_string_not_equal(koine_attachment_uri(attachment), "plain+tcp://0.0.0.0:0");
    koine_detach(attachment);
}

static void a_living_socket_is_not_taken_away(void **state)
{
    struct world *world = *state;
    struct koine_attachment *second = NULL;
    attach(world, "");
    assert_int_equal(koine_attach(&second, world->node, world->uri, NULL), KOINE_EEXIST);
    int fd = dial(world);
    tell(fd, "add plant/thermostat 1 2\n");
    hear(world, fd, "= 3");
    close(fd);
}

static void a_socket_file_that_is_not_ours_any_more_stays(void **state)
{
    struct world *world = *state;
    attach(world, "");
    assert_int_equal(unlink(world->path), 0);
    FILE *file = fopen(world->path, "w");
    fclose(file);
    world->attachment = koine_detach(world->attachment);
    assert_int_equal(access(world->path, F_OK), 0);
}

static void a_call_that_the_rules_do_not_name_is_refused(void **state)
{
    struct world *world = *state;
    char denied[64];
    snprintf(denied, sizeof denied, "! %d %d", KOINE_FAULT_PERMISSION_DENIED, KOINE_COMPLETED_NO);
    attach(world, "?allow-call=plant/thermostat.add,%20lab/*");
    int fd = dial(world);
    tell(fd, "add plant/thermostat 1 2\n");
    hear(world, fd, "= 3");
    tell(fd, "keep plant/thermostat\n");
    hear(world, fd, denied);
    snprintf(denied, sizeof denied, "? %d", KOINE_EPERM);
    tell(fd, "add plant/boiler 1 2\n");
    hear(world, fd, denied);
    assert_int_equal(world->kept_count, 0);
    assert_int_equal(count(world).faults, 1);
    close(fd);
}

static void a_caller_that_the_rules_do_not_name_is_hung_up_on(void **state)
{
    struct world *world = *state;
    char options[40];
    snprintf(options, sizeof options, "?allow=uid:%u", geteuid() + 1);
    attach(world, options);
    hear_end(world, dial(world));
    assert_int_equal(count(world).refused, 1);
    assert_int_equal(count(world).accepted, 0);
}

/* Who listens and who serves may be two processes: what waits in the listener is not lost. */
static void a_listener_that_somebody_else_opened_is_served(void **state)
{
    struct world *world = *state;
    struct koine_attachment *listener;
    const struct kn_identity *identity;
    snprintf(world->uri, sizeof world->uri, "plain+unix://%s", world->path);
    assert_int_equal(kn_endpoint_check(&identity, world->uri, NULL), 0);
    assert_ptr_equal(identity, kn_dialect_plain.identity);
    assert_int_equal(access(world->path, F_OK), -1);
    assert_int_equal(kn_listen(&listener, world->uri, NULL), 0);
    assert_string_equal(koine_attachment_uri(listener), world->uri);
    int fd = dial(world);
    tell(fd, "add plant/thermostat 1 2\n");
    for (int i = 0; i < 2; i++) {
        int copy = dup(kn_attachment_fd(listener));
        assert_int_equal(kn_attach_fd(&world->attachment, world->node, world->uri, copy, NULL), 0);
        assert_string_equal(koine_attachment_uri(world->attachment), world->uri);
        hear(world, fd, "= 3");
        world->attachment = koine_detach(world->attachment);
        assert_int_equal(access(world->path, F_OK), 0);
        hear_end(world, fd);
        fd = dial(world);
        tell(fd, "add plant/thermostat 1 2\n");
    }
    close(fd);
    koine_detach(listener);
    assert_int_equal(access(world->path, F_OK), -1);
}

static void dialects_are_listed_and_tell_addresses(void **state)
{
    char *text;
    (void)state;
    assert_string_equal(koine_dialect_name(0), "plain");
    assert_null(koine_dialect_name(1));
    assert_int_equal(koine_dialect_address(&text, "plain", "a/b", demo_Thermostat.interface, 0), 0);
    assert_non_null(strstr(text, "a/b!"));
    free(text);
    assert_int_equal(koine_dialect_address(&text, "plain", "a/b", demo_Thermostat.interface, 999),
                     KOINE_EMEMBER);
    assert_int_equal(koine_dialect_address(&text, "none", "a/b", demo_Thermostat.interface, 0),
                     KOINE_EUNSUPPORTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_service_that_attaches_itself_is_called),
        TEST(more_calls_than_a_ring_has_slots_are_answered),
        TEST(calls_above_the_limit_wait_for_an_answer),
        TEST(a_cancel_reaches_the_service_and_nobody_is_answered),
        TEST(detaching_cancels_what_runs),
        TEST(a_service_may_detach_inside_a_call),
        TEST(what_was_asked_is_done_although_its_sender_is_gone),
        TEST(draining_answers_what_runs_and_takes_nothing_new),
        TEST(unknown_services_are_said_to_be_so),
        TEST(a_service_that_closes_faults_what_runs),
        TEST(more_services_than_a_connection_may_use_take_turns),
        TEST(output_that_nobody_reads_is_full_and_then_writable),
        TEST(who_does_not_read_is_not_read_from),
        TEST(the_memory_of_a_peer_is_limited),
        TEST(an_error_of_the_dialect_ends_that_connection_alone),
        TEST(what_was_written_before_the_end_arrives),
        TEST(what_is_kept_and_not_answered_is_owed),
        TEST(endpoints_that_cannot_be_are_refused),
        TEST(a_living_socket_is_not_taken_away),
        TEST(a_socket_file_that_is_not_ours_any_more_stays),
        TEST(a_call_that_the_rules_do_not_name_is_refused),
        TEST(a_caller_that_the_rules_do_not_name_is_hung_up_on),
        TEST(a_listener_that_somebody_else_opened_is_served),
        TEST(dialects_are_listed_and_tell_addresses),
    };
    return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
