/* SPDX-License-Identifier: MIT */
#include "node/test-echo.h"
#include "node/test-server.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct server {
    struct koine_node *node;
    struct koine_service *service;
    struct koine_request *kept;
    const struct koine_octets *kept_data;
    uint8_t *blob;
    uint32_t blob_length, noted;
};

struct order {
    char what;
    uint32_t size, seed, count;
};

/* ---------------------------------------------------------------- tools */

uint8_t *test_data(uint32_t size, uint32_t seed)
{
    uint8_t *data = malloc(size + 8u);
    for (uint32_t i = 0; i < size; i += 4) {
        uint32_t word = (i ^ seed * 2654435761u) * 2246822519u;
        memcpy(data + i, &word, 4);
    }
    return data;
}

bool test_is_data(const uint8_t *data, uint32_t size, uint32_t seed)
{
    uint8_t *wanted = test_data(size, seed);
    bool same = !memcmp(data, wanted, size);
    free(wanted);
    return same;
}

uint32_t test_sum(const uint8_t *data, uint32_t size)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < size; i++)
        sum = sum * 31 + data[i];
    return sum & INT32_MAX;
}

int test_fds(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

int test_maps(void)
{
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (fgets(line, sizeof line, maps))
        count += strstr(line, "memfd:koine") != NULL;
    fclose(maps);
    return count;
}

bool test_is_shared(const void *octets)
{
    char line[512];
    bool shared = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (fgets(line, sizeof line, maps)) {
        uintptr_t begin, end;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &begin, &end) == 2 &&
            (uintptr_t)octets >= begin && (uintptr_t)octets < end)
            shared = strstr(line, "memfd:koine") != NULL;
    }
    fclose(maps);
    return shared;
}

/* The only way without privileges to have fallocate fail for want of memory. */
void test_make_poor(uint32_t most)
{
    enum {
        NUMBER = offsetof(struct seccomp_data, nr),
        LENGTH = offsetof(struct seccomp_data, args[3])
    };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fallocate, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LENGTH),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, most, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        abort();
}

/* ---------------------------------------------------------------- the service */

static int on_echo(void *self, struct koine_request *request, const struct wire_Echo_echo_in *in,
                   struct wire_Echo_echo_out *out)
{
    (void)self;
    (void)request;
    out->return_ = in->data;
    return 0;
}

static int on_text(void *self, struct koine_request *request, const struct wire_Echo_text_in *in,
                   struct wire_Echo_text_out *out)
{
    (void)self;
    (void)request;
    out->return_ = in->text;
    return 0;
}

static int on_names(void *self, struct koine_request *request, const struct wire_Echo_names_in *in,
                    struct wire_Echo_names_out *out)
{
    (void)self;
    (void)request;
    out->return_ = in->names;
    return 0;
}

static struct koine_octets data_for(struct koine_request *request, uint32_t size)
{
    uint8_t *made = test_data(size, size), *data = koine_request_alloc(request, size);
    if (!data)
        abort();
    memcpy(data, made, size);
    free(made);
    return (struct koine_octets){{data}, size, 0};
}

static int on_make(void *self, struct koine_request *request, const struct wire_Echo_make_in *in,
                   struct wire_Echo_make_out *out)
{
    (void)self;
    out->return_ = data_for(request, in->size);
    return 0;
}

static int on_fail(void *self, struct koine_request *request, const struct wire_Echo_fail_in *in)
{
    (void)self;
    struct wire_Large large = {data_for(request, in->size)};
    return wire_Echo_raise_Large(request, &large);
}

static int on_keep(void *self, struct koine_request *request, const struct wire_Echo_keep_in *in,
                   struct wire_Echo_keep_out *out)
{
    struct server *server = self;
    (void)out;
    server->kept = request;
    server->kept_data = &in->data;
    return KOINE_PENDING;
}

static int on_release(void *self, struct koine_request *request)
{
    struct server *server = self;
    (void)request;
    if (!server->kept)
        return KOINE_ENOENT;
    struct wire_Echo_keep_out out = {test_sum(server->kept_data->ptr, server->kept_data->length)};
    int rc = koine_reply(server->kept, &out);
    server->kept = NULL;
    return rc;
}

static int on_note(void *self, struct koine_request *request, const struct wire_Echo_note_in *in)
{
    struct server *server = self;
    (void)request;
    server->noted += test_sum(in->data.ptr, in->data.length);
    return 0;
}

static int on_noted(void *self, struct koine_request *request, struct wire_Echo_noted_out *out)
{
    struct server *server = self;
    (void)request;
    out->return_ = server->noted;
    return 0;
}

static int on_die(void *self, struct koine_request *request, const struct wire_Echo_die_in *in)
{
    (void)self;
    (void)request;
    (void)in;
    raise(SIGKILL);
    return 0;
}

static int get_blob(void *self, struct koine_request *request, struct koine_octets *value)
{
    struct server *server = self;
    (void)request;
    *value = (struct koine_octets){{server->blob}, server->blob_length, 0};
    return 0;
}

static int set_blob(void *self, struct koine_request *request, const struct koine_octets *value)
{
    struct server *server = self;
    (void)request;
    free(server->blob);
    server->blob = malloc(value->length + 1u);
    memcpy(server->blob, value->ptr, value->length);
    server->blob_length = value->length;
    return koine_changed(server->service, wire_Echo_blob_index, value);
}

static const struct wire_Echo_handlers handlers = {
    .echo = on_echo,
    .text = on_text,
    .names = on_names,
    .make = on_make,
    .fail = on_fail,
    .keep = on_keep,
    .release = on_release,
    .note = on_note,
    .noted = on_noted,
    .die = on_die,
    .get_blob = get_blob,
    .set_blob = set_blob,
};

static int publish(struct server *server, const struct order *order)
{
    int rc = 0;
    for (uint32_t i = 0; i < order->count && !rc; i++) {
        uint8_t *data = test_data(order->size, order->seed + i);
        struct wire_Echo_frame frame = {{{data}, order->size, 0}};
        rc = koine_event_publish(server->service, wire_Echo_frame_index, &frame);
        free(data);
    }
    return rc;
}

static void report(const struct server *server, int control)
{
    struct koine_service_counts counts = {.size = sizeof counts};
    koine_service_counts(&counts, server->service);
    struct echo_report report = {(int)koine_service_links(server->service),
                                 test_fds(),
                                 test_maps(),
                                 0,
                                 counts.protocol_errors,
                                 counts.dropped_slow + counts.revoked,
                                 counts.calls};
    if (send(control, &report, sizeof report, 0) < 0)
        _exit(7);
}

/* False: the control socket was closed. */
static bool obey(struct server *server, int control)
{
    struct order order;
    ssize_t got = recv(control, &order, sizeof order, MSG_DONTWAIT);
    int answer = 0;
    if (got < 0 && errno == EAGAIN)
        return true;
    if (got != (ssize_t)sizeof order)
        return false;
    if (order.what == 'r') {
        report(server, control);
        return true;
    }
    if (order.what == 'p')
        answer = publish(server, &order);
    if (order.what == 'k' && server->kept)
        answer = (int)test_sum(server->kept_data->ptr, server->kept_data->length);
    return send(control, &answer, sizeof answer, 0) > 0;
}

static void open_server(struct server *server, const struct echo_options *options)
{
    struct koine_node_options node = {.size = sizeof node,
                                      .dir = test_dir,
                                      .timeout = 20 * KOINE_SECOND,
                                      .max_octets = options->max_octets};
    if (koine_node_open(&server->node, &node) ||
        koine_service_open(&server->service, server->node, "wire/echo", &wire_Echo, &handlers,
                           server, &options->service))
        _exit(2);
    if (options->poor)
        test_make_poor(512 << 10);
}

static void serve(int control, const struct echo_options *options)
{
    struct server server = {0};
    int before = test_fds();
    open_server(&server, options);
    if (send(control, "k", 1, 0) < 0)
        _exit(3);
    while (obey(&server, control)) {
        int handled = koine_node_process(server.node, 0);
        struct pollfd polled[2] = {{.fd = koine_node_fd(server.node), .events = POLLIN},
                                   {.fd = control, .events = POLLIN}};
        if (handled < 0)
            _exit(4);
        if (!handled)
            (void)poll(polled, 2, 1000);
    }
    koine_service_close(server.service);
    koine_node_close(server.node);
    free(server.blob);
    if (test_fds() > before)
        _exit(6);
    _exit(test_maps() ? 8 : 0);
}

/* ---------------------------------------------------------------- and its master */

struct echo echo_start(const struct echo_options *options)
{
    static const struct echo_options usual = {.service = {.size = sizeof usual.service}};
    int pair[2];
    char ready;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    if (!pid) {
        close(pair[0]);
        serve(pair[1], options ? options : &usual);
    }
    close(pair[1]);
    assert_int_equal(recv(pair[0], &ready, 1, 0), 1);
    return (struct echo){pid, pair[0]};
}

void echo_stop(struct echo *echo)
{
    int status;
    close(echo->control);
    waitpid(echo->pid, &status, 0);
    assert_int_equal(status, 0);
}

void echo_kill(struct echo *echo)
{
    int status;
    kill(echo->pid, SIGKILL);
    waitpid(echo->pid, &status, 0);
    close(echo->control);
}

static int tell(const struct echo *echo, const struct order *order)
{
    int answer;
    assert_int_equal(send(echo->control, order, sizeof *order, 0), (int)sizeof *order);
    assert_int_equal(recv(echo->control, &answer, sizeof answer, 0), (int)sizeof answer);
    return answer;
}

void echo_report(struct echo_report *report, const struct echo *echo)
{
    struct order order = {.what = 'r'};
    assert_int_equal(send(echo->control, &order, sizeof order, 0), (int)sizeof order);
    assert_int_equal(recv(echo->control, report, sizeof *report, 0), (int)sizeof *report);
}

int echo_kept(const struct echo *echo)
{
    struct order order = {.what = 'k'};
    return tell(echo, &order);
}

int echo_publish(const struct echo *echo, uint32_t size, uint32_t seed, uint32_t count)
{
    struct order order = {'p', size, seed, count};
    return tell(echo, &order);
}
