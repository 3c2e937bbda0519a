/* SPDX-License-Identifier: MIT */
#include "node/test-server.h"

#include "thermostat.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

char test_dir[128];

struct thermostat {
    struct koine_node *node;
    struct koine_service *service;
    struct koine_request *kept;
    char label[64];
    int logged;
    double target;
};

void test_make_dir(void)
{
    const char *below = getenv("TMPDIR");
    int length =
        snprintf(test_dir, sizeof test_dir, "%s/koine-test.XXXXXX", below ? below : "/tmp");
    assert_in_range(length, 1, sizeof test_dir - 1);
    assert_non_null(mkdtemp(test_dir));
}

void test_remove_dir(void)
{
    char command[192];
    snprintf(command, sizeof command, "rm -rf %s", test_dir);
    assert_int_equal(system(command), 0);
}

struct koine_node *test_node(void)
{
    struct koine_node *node;
    struct koine_node_options options = {
        .size = sizeof options, .dir = test_dir, .timeout = 20 * KOINE_SECOND};
    assert_int_equal(koine_node_open(&node, &options), 0);
    return node;
}

static int set_target(void *self, struct koine_request *request,
                      const struct demo_Thermostat_set_target_in *in)
{
    struct thermostat *thermostat = self;
    struct demo_OutOfRange range = {5, 30};
    if (in->celsius < range.min || in->celsius > range.max)
        return demo_Thermostat_raise_OutOfRange(request, &range);
    if (!strcmp(in->room.ptr, "forbidden"))
        return koine_request_fault(request, KOINE_FAULT_PERMISSION_DENIED,
                                   "that room is not yours");
    if (!strcmp(in->room.ptr, "broken"))
        return KOINE_ENOMEM;
    if (!strcmp(in->room.ptr, "keep")) {
        thermostat->kept = request;
        return KOINE_PENDING;
    }
    if (!strcmp(in->room.ptr, "release")) {
        if (thermostat->kept)
            koine_reply(thermostat->kept, NULL);
        thermostat->kept = NULL;
    }
    if (!strcmp(in->room.ptr, "die"))
        raise(SIGKILL);
    thermostat->target = in->celsius;
    return 0;
}

static int add(void *self, struct koine_request *request, const struct demo_Thermostat_add_in *in,
               struct demo_Thermostat_add_out *out)
{
    (void)self;
    (void)request;
    out->return_ = in->a + in->b;
    return 0;
}

static int rooms(void *self, struct koine_request *request, struct demo_Thermostat_rooms_out *out)
{
    struct thermostat *thermostat = self;
    struct demo_Room *room = koine_request_alloc(request, 2 * sizeof *room);
    double *history = koine_request_alloc(request, 3 * sizeof *history);
    for (int i = 0; i < 3; i++)
        history[i] = i * 1.5;
    room[0] = (struct demo_Room){.name = KOINE_TEXT("hall"),
                                 .celsius = thermostat->target,
                                 .mode = demo_Mode_heat,
                                 .history = KOINE_MANY(history, 3)};
    room[1] =
        (struct demo_Room){.name = KOINE_TEXT("attic"), .celsius = -2.25, .mode = demo_Mode_off};
    out->return_ = (struct demo_Room_seq)KOINE_MANY(room, 2);
    return 0;
}

static int swap(void *self, struct koine_request *request, const struct demo_Thermostat_swap_in *in,
                struct demo_Thermostat_swap_out *out)
{
    (void)self;
    (void)request;
    out->a = in->b;
    out->b = in->a;
    out->length = in->a.length + in->b.length;
    return 0;
}

static int log_line(void *self, struct koine_request *request,
                    const struct demo_Thermostat_log_in *in)
{
    struct thermostat *thermostat = self;
    (void)request;
    (void)in;
    thermostat->logged++;
    return 0;
}

static int get_label(void *self, struct koine_request *request, struct koine_string *value)
{
    struct thermostat *thermostat = self;
    (void)request;
    *value = koine_string(thermostat->label);
    return 0;
}

static int set_label(void *self, struct koine_request *request, const struct koine_string *value)
{
    struct thermostat *thermostat = self;
    (void)request;
    snprintf(thermostat->label, sizeof thermostat->label, "%s", value->ptr);
    return demo_Thermostat_changed_label(thermostat->service, thermostat->label);
}

static int get_outside(void *self, struct koine_request *request, double *value)
{
    struct thermostat *thermostat = self;
    (void)request;
    *value = thermostat->logged;
    return 0;
}

static const struct demo_Thermostat_handlers handlers = {
    .set_target = set_target,
    .add = add,
    .rooms = rooms,
    .swap = swap,
    .log = log_line,
    .get_label = get_label,
    .set_label = set_label,
    .get_outside = get_outside,
};

static void publish(struct thermostat *thermostat, int count)
{
    for (int i = 0; i < count; i++) {
        struct demo_Thermostat_reading *reading;
        if (demo_Thermostat_reading_loan(&reading, thermostat->service))
            _exit(10);
        reading->room = koine_string("hall");
        reading->celsius = i;
        if (demo_Thermostat_reading_publish(thermostat->service, reading))
            _exit(11);
    }
}

static int descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* Obeys until the control socket closes; answers each order with an octet. */
static int obey(struct thermostat *thermostat, int control)
{
    char what;
    ssize_t got = recv(control, &what, 1, MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN ? 0 : 1;
    if (!got)
        return 1;
    if (what == 'r')
        publish(thermostat, 100);
    if (what == 'f')
        for (;;)
            publish(thermostat, 100);
    if (what == 'l') {
        int links = (int)koine_service_links(thermostat->service), fds = descriptors();
        int report[2] = {links, fds};
        return send(control, report, sizeof report, 0) < 0;
    }
    return send(control, "k", 1, 0) < 0;
}

static void serve(int control, const struct koine_service_options *options)
{
    struct thermostat thermostat = {.label = "door"};
    thermostat.node = test_node();
    int before = descriptors();
    if (koine_service_open(&thermostat.service, thermostat.node, "plant/thermostat",
                           &demo_Thermostat, &handlers, &thermostat, options)) {
        fprintf(stderr, "# %s\n", koine_node_why(thermostat.node));
        _exit(2);
    }
    if (send(control, "k", 1, 0) < 0)
        _exit(3);
    for (;;) {
        int handled = koine_node_process(thermostat.node, 0);
        if (handled < 0)
            _exit(4);
        if (obey(&thermostat, control))
            break;
        struct pollfd polled[2] = {{.fd = koine_node_fd(thermostat.node), .events = POLLIN},
                                   {.fd = control, .events = POLLIN}};
        if (!handled)
            (void)poll(polled, 2, 1000);
    }
    koine_service_close(thermostat.service);
    if (koine_node_process(thermostat.node, 0) < 0)
        _exit(5);
    if (descriptors() > before)
        _exit(6);
    koine_node_close(thermostat.node);
    _exit(0);
}

struct test_server test_start(const struct koine_service_options *options)
{
    int pair[2];
    char ready;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    if (!pid) {
        close(pair[0]);
        serve(pair[1], options);
    }
    close(pair[1]);
    assert_int_equal(recv(pair[0], &ready, 1, 0), 1);
    return (struct test_server){pid, pair[0]};
}

void test_stop(struct test_server *server)
{
    int status;
    close(server->control);
    waitpid(server->pid, &status, 0);
    assert_int_equal(status, 0);
}

void test_kill(struct test_server *server)
{
    int status;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, &status, 0);
    close(server->control);
}

void test_tell(const struct test_server *server, char what)
{
    char answer;
    assert_int_equal(send(server->control, &what, 1, 0), 1);
    if (what != 'f')
        assert_int_equal(recv(server->control, &answer, 1, 0), 1);
}
