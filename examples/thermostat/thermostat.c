/* SPDX-License-Identifier: MIT
 *
 * A first service: two rooms whose temperature wanders towards what was wished, published at a rate that
 * the command line gives.   thermostat [NAME [READINGS-PER-SECOND]]
 */
#include "thermostat.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { ROOMS = 2 };

struct thermostat {
    struct koine_service *service;
    struct demo_Room rooms[ROOMS];
    double targets[ROOMS];
    char label[128];
};

static int find(const struct thermostat *thermostat, const char *room)
{
    for (int i = 0; i < ROOMS; i++)
        if (!strcmp(thermostat->rooms[i].name.ptr, room))
            return i;
    return -1;
}

static int set_target(void *self, struct koine_request *request,
                      const struct demo_Thermostat_set_target_in *in)
{
    struct thermostat *thermostat = self;
    const struct demo_OutOfRange range = {demo_Thermostat_COLDEST, 30};
    int room = find(thermostat, in->room.ptr);
    if (room < 0)
        return koine_request_fault(request, KOINE_FAULT_NOT_FOUND, "no such room");
    if (!(in->celsius >= range.min && in->celsius <= range.max))
        return demo_Thermostat_raise_OutOfRange(request, &range);
    thermostat->targets[room] = in->celsius;
    thermostat->rooms[room].mode = demo_Mode_heat;
    return 0;
}

static int add(void *self, struct koine_request *request, const struct demo_Thermostat_add_in *in,
               struct demo_Thermostat_add_out *out)
{
    (void)self;
    if (__builtin_add_overflow(in->a, in->b, &out->return_))
        return koine_request_fault(request, KOINE_FAULT_OUT_OF_RANGE,
                                   "the sum has more than 64 bits");
    return 0;
}

static int rooms(void *self, struct koine_request *request, struct demo_Thermostat_rooms_out *out)
{
    const struct thermostat *thermostat = self;
    (void)request;
    out->return_ = (struct demo_Room_seq)KOINE_ARRAY(thermostat->rooms);
    return 0;
}

static int swap(void *self, struct koine_request *request, const struct demo_Thermostat_swap_in *in,
                struct demo_Thermostat_swap_out *out)
{
    (void)self;
    (void)request;
    *out = (struct demo_Thermostat_swap_out){
        .a = in->b, .b = in->a, .length = in->a.length + in->b.length};
    return 0;
}

static int log_line(void *self, struct koine_request *request,
                    const struct demo_Thermostat_log_in *in)
{
    (void)self;
    (void)request;
    fprintf(stderr, "log: %s\n", in->line.ptr);
    return 0;
}

static int get_label(void *self, struct koine_request *request, struct koine_string *value)
{
    const struct thermostat *thermostat = self;
    (void)request;
    *value = koine_string(thermostat->label);
    return 0;
}

static int set_label(void *self, struct koine_request *request, const struct koine_string *value)
{
    struct thermostat *thermostat = self;
    if (value->length >= sizeof thermostat->label)
        return koine_request_fault(request, KOINE_FAULT_INVALID_ARGUMENT, "at most 127 octets");
    snprintf(thermostat->label, sizeof thermostat->label, "%s", value->ptr);
    return demo_Thermostat_changed_label(thermostat->service, thermostat->label);
}

static int get_outside(void *self, struct koine_request *request, double *value)
{
    (void)self;
    (void)request;
    *value = -2.5;
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

static int publish(struct thermostat *thermostat, unsigned long turn)
{
    struct demo_Room *room = &thermostat->rooms[turn % ROOMS];
    struct demo_Thermostat_reading *reading;
    room->celsius += (thermostat->targets[turn % ROOMS] - room->celsius) / 100;
    int rc = demo_Thermostat_reading_loan(&reading, thermostat->service);
    if (rc)
        return rc;
    reading->room = room->name;
    reading->celsius = room->celsius;
    return demo_Thermostat_reading_publish(thermostat->service, reading);
}

static int start_timer(double rate)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    long period = (long)(1e9 / rate);
    struct itimerspec each = {.it_interval = {period / 1000000000, period % 1000000000}};
    each.it_value = each.it_interval;
    return fd >= 0 && !timerfd_settime(fd, 0, &each, NULL) ? fd : -1;
}

/* The node in the program's own loop: process until there is nothing, then poll. */
static int serve(struct thermostat *thermostat, struct koine_node *node, int timer)
{
    struct pollfd polled[2] = {{.fd = koine_node_fd(node), .events = POLLIN},
                               {.fd = timer, .events = POLLIN}};
    int rc = 0;
    for (unsigned long turn = 0; rc >= 0;) {
        uint64_t due = 0;
        rc = koine_node_process(node, 0);
        if (!rc)
            (void)poll(polled, 2, -1);
        if (rc >= 0 && read(timer, &due, sizeof due) == (ssize_t)sizeof due)
            for (; due && rc >= 0; due--)
                rc = publish(thermostat, turn++);
    }
    return rc;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "plant/thermostat";
    double rate = argc > 2 ? strtod(argv[2], NULL) : 1;
    struct thermostat thermostat = {.rooms = {{.name = KOINE_TEXT("hall"), .celsius = 18},
                                              {.name = KOINE_TEXT("attic"), .celsius = 9}},
                                    .targets = {20, 10},
                                    .label = "ground floor"};
    struct koine_node *node;
    int timer = rate > 0 && rate <= 1e6 ? start_timer(rate) : -1;
    if (timer < 0) {
        fprintf(stderr, "thermostat: '%s' is no rate\n", argv[2]);
        return 2;
    }
    int rc = koine_node_open(&node, NULL);
    if (rc) {
        fprintf(stderr, "thermostat: %s\n", koine_strerror(rc));
        return 1;
    }
    rc = koine_service_open(&thermostat.service, node, name, &demo_Thermostat, &handlers,
                            &thermostat, NULL);
    if (!rc)
        rc = serve(&thermostat, node, timer);
    fprintf(stderr, "thermostat: %s\n", koine_node_why(node));
    koine_node_close(node);
    return 1;
}
