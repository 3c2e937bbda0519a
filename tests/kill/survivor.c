/* SPDX-License-Identifier: MIT */
#include "survivor.h"

#include "aim.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE (10 * KOINE_SECOND)
#define CALLS_NS (60 * KOINE_SECOND) /* a victim that is recorded step by step answers late */

struct self {
    const char *dir;
    struct target target;
    struct reader reader;
    struct koine_ref *extra;
    bool calling;
    int called;
    char text[REPEATED + 1];
};

unsigned count_entries(const char *directory)
{
    unsigned count = 0;
    DIR *stream = opendir(directory);
    while (stream && readdir(stream))
        count++;
    if (stream)
        closedir(stream);
    return count;
}

bool make_dir(char dir[DIR_ROOM])
{
    const char *below = getenv("TMPDIR");
    int length = snprintf(dir, DIR_ROOM, "%s/koine-test.XXXXXX", below ? below : "/tmp");
    return length > 0 && length < DIR_ROOM && mkdtemp(dir) && !chmod(dir, 0711);
}

void remove_dir(const char *dir)
{
    static const char *const entries[] = {"service", "victim", "liar", ".victim.new", ".lock"};
    char path[DIR_ROOM + 16];
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, entries[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

static void count_maps(struct report *report)
{
    char line[512];
    FILE *file = fopen("/proc/self/maps", "re");
    while (file && fgets(line, sizeof line, file)) {
        report->maps++;
        report->segments += strstr(line, "memfd:koine") != NULL;
    }
    if (file)
        fclose(file);
}

static void settle(struct self *self, uint32_t links, struct report *report)
{
    struct koine_service_counts counts = {.size = sizeof counts};
    int64_t deadline = kn_now() + PATIENCE / 2;
    do
        report->rc = koine_node_process(self->target.node, KOINE_MILLISECOND);
    while (report->rc >= 0 && koine_service_links(self->target.service) != links &&
           kn_now() < deadline);
    report->links = (uint32_t)koine_service_links(self->target.service);
    report->rc = report->rc < 0 ? report->rc : 0;
    (void)koine_service_counts(&counts, self->target.service);
    report->wrong = counts.protocol_errors;
}

/* ---------------------------------------------------------------- bystander */

static void drain(struct self *self, const char **whyp)
{
    for (int event = 0; event < EVENTS && !*whyp; event++)
        while (!*whyp && !reader_take(&self->reader, event, 0, whyp))
            ;
}

static int stand(struct self *self, uint32_t rounds, const char **whyp)
{
    uint64_t answer, serial;
    for (uint32_t i = 0; i < rounds && !*whyp; i++) {
        int rc = aim_Target_echo(&answer, self->reader.ref, i);
        if (!rc)
            rc = aim_Target_publish(&serial, self->reader.ref);
        if (rc)
            return rc;
        if (answer != echo_of(i))
            *whyp = "a wrong answer";
        drain(self, whyp);
        for (int event = 0; event < EVENTS && !*whyp; event++)
            if (self->reader.taken[event] < serial) /* liars may publish, too */
                *whyp = "what was published did not arrive";
    }
    return 0;
}

/* ---------------------------------------------------------------- caller */

static int open_victim(struct self *self)
{
    int rc = koine_ref_open(&self->reader.ref, self->reader.node, "victim", &aim_Target, 0);
    if (rc)
        return rc;
    for (int event = 0; event < EVENTS; event++)
        reader_subscribe(&self->reader, event);
    return aim_Target_ready(self->reader.ref);
}

static void ended(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct self *self = arg;
    const struct aim_Target_echo_out *echo = out;
    (void)fault;
    self->calling = false;
    self->called = error;
    if (!error && echo->return_ != echo_of(14))
        self->called = KOINE_EDATA;
}

static void repeated(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct self *self = arg;
    const struct aim_Target_repeat_out *repeat = out;
    (void)fault;
    self->calling = false;
    self->called = error;
    if (!error && strcmp(repeat->return_.ptr, self->text))
        self->called = KOINE_EDATA;
}

static int begin(struct self *self, bool chunk)
{
    struct aim_Target_echo_in number = {14};
    struct aim_Target_repeat_in text = {koine_string(self->text)};
    self->calling = true;
    return koine_start(NULL, self->reader.ref, KOINE_REQUEST_CALL,
                       chunk ? aim_Target_repeat_index : aim_Target_echo_index,
                       chunk ? (void *)&text : &number, 0, chunk ? repeated : ended, self);
}

static int connect_more(struct self *self)
{
    int rc = koine_ref_open(&self->extra, self->reader.node, "victim", &aim_Target, 0);
    if (!rc)
        rc = aim_Target_ready(self->extra);
    self->extra = koine_ref_close(self->extra);
    return rc;
}

static int probe(struct self *self)
{
    const struct aim_Target_echo_out *out;
    struct aim_Target_echo_in in = {5};
    int rc = aim_Target_echo_call(&out, self->reader.ref, &in, 10 * KOINE_MILLISECOND);
    return rc || out->return_ == echo_of(5) ? rc : KOINE_EDATA;
}

static int collect(struct self *self, struct report *report, const char **whyp)
{
    int64_t deadline = kn_now() + PATIENCE / 2;
    int rc = 0;
    while (self->calling && kn_now() < deadline)
        (void)koine_node_process(self->reader.node, KOINE_SECOND);
    if (self->calling)
        *whyp = "a call has no end";
    for (int event = 0; event < EVENTS && !*whyp; event++) {
        while (!(rc = reader_take(&self->reader, event, PATIENCE / 4, whyp)) && !*whyp)
            ;
        report->taken[event] = self->reader.taken[event];
        if (rc != KOINE_EDOWN && !*whyp)
            *whyp = koine_strerror(rc);
    }
    report->call = self->called;
    reader_close(&self->reader);
    (void)koine_node_process(self->reader.node, 0);
    return 0;
}

/* ---------------------------------------------------------------- both */

static int obey(struct self *self, const struct order *order, struct report *report,
                const char **whyp)
{
    switch (order->what) {
    case SETTLE:
        settle(self, order->number, report);
        return report->rc;
    case STAND:
        return stand(self, order->number, whyp);
    case OPEN:
        return open_victim(self);
    case ECHO:
    case REPEAT:
        return begin(self, order->what == REPEAT);
    case CONNECT:
        return connect_more(self);
    case PROBE:
        return probe(self);
    default:
        return collect(self, report, whyp);
    }
}

static void answer(struct self *self, int control, const struct order *order)
{
    struct report report = {0};
    const char *why = NULL;
    report.rc = obey(self, order, &report, &why);
    report.fds = count_entries("/proc/self/fd");
    count_maps(&report);
    if (why)
        snprintf(report.why, sizeof report.why, "%s", why);
    if (send(control, &report, sizeof report, MSG_NOSIGNAL) != (ssize_t)sizeof report)
        _exit(0);
}

static void open_self(struct self *self, enum role role)
{
    memset(self->text, 't', REPEATED);
    if (role == SERVICE) {
        self->target.node = open_node(self->dir, PATIENCE);
        target_open(&self->target, "service", 20 * KOINE_MILLISECOND);
        return;
    }
    self->reader.node = open_node(self->dir, CALLS_NS);
    if (role == CALLER)
        return;
    int rc = koine_ref_open(&self->reader.ref, self->reader.node, "service", &aim_Target, 0);
    if (rc)
        give_up("the bystander connects", rc, self->reader.node);
    for (int event = 0; event < EVENTS; event++)
        reader_subscribe(&self->reader, event);
}

static _Noreturn void live(enum role role, const char *dir, int control)
{
    static struct self self;
    struct order order;
    self.dir = dir;
    open_self(&self, role);
    struct koine_node *node = role == SERVICE ? self.target.node : self.reader.node;
    (void)send(control, "", 1, MSG_NOSIGNAL);
    for (;;) {
        int handled = koine_node_process(node, 0);
        struct pollfd polled[2] = {{.fd = koine_node_fd(node), .events = POLLIN},
                                   {.fd = control, .events = POLLIN}};
        if (!handled)
            (void)poll(polled, 2, 1000);
        ssize_t got = recv(control, &order, sizeof order, MSG_DONTWAIT);
        if (got == (ssize_t)sizeof order)
            answer(&self, control, &order);
        else if (got == 0 || errno != EAGAIN)
            _exit(0);
    }
}

int survivor_start(struct survivor *survivor, enum role role, const char *dir)
{
    int pair[2];
    char ready;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -1;
    survivor->pid = fork();
    if (!survivor->pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pair[0]);
        live(role, dir, pair[1]);
    }
    close(pair[1]);
    survivor->control = pair[0];
    return recv(pair[0], &ready, 1, 0) == 1 ? 0 : -1;
}

void survivor_end(struct survivor *survivor)
{
    if (survivor->pid <= 0)
        return;
    close(survivor->control);
    kill(survivor->pid, SIGKILL);
    kill(survivor->pid, SIGCONT);
    *survivor = (struct survivor){0};
}

int survivor_tell(const struct survivor *survivor, enum what what, uint32_t number)
{
    struct order order = {what, number};
    return send(survivor->control, &order, sizeof order, MSG_NOSIGNAL) == (ssize_t)sizeof order
               ? 0
               : -1;
}

int survivor_hear(const struct survivor *survivor, struct report *report)
{
    struct pollfd polled = {.fd = survivor->control, .events = POLLIN};
    int rc;
    do
        rc = poll(&polled, 1, (int)(2 * PATIENCE / 1000000));
    while (rc < 0 && errno == EINTR);
    if (rc != 1)
        return -1;
    return recv(survivor->control, report, sizeof *report, 0) == (ssize_t)sizeof *report ? 0 : -1;
}
