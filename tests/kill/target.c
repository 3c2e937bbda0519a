/* SPDX-License-Identifier: MIT */
#include "target.h"

#include "aim.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SLOTS = 64 };

#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

static const struct {
    uint32_t member;
    size_t words, stride; /* every so many words are looked at: the victim pays for each */
} events[EVENTS] = {
    [SMALL] = {aim_Target_small_index, 8, 1},
    [MIDDLE] = {aim_Target_middle_index, 30, 1},
    [LARGE] = {aim_Target_large_index, 8200, 40},
};

void give_up(const char *what, int rc, struct koine_node *node)
{
    fprintf(stderr, "# %d: %s: %s (%s)\n", (int)getpid(), what, koine_strerror(rc),
            node ? koine_node_why(node) : "");
    _exit(9);
}

struct koine_node *open_node(const char *dir, int64_t timeout)
{
    struct koine_node *node;
    struct koine_node_options options = {
        .size = sizeof options, .dir = dir, .timeout = timeout, .spin = -1};
    int rc = koine_node_open(&node, &options);
    if (rc)
        give_up("opening a node", rc, NULL);
    return node;
}

uint64_t echo_of(uint64_t number)
{
    return 3 * number + 1;
}

static void fill(uint64_t *value, int event, uint64_t serial)
{
    value[0] = serial;
    for (size_t i = 0; i < events[event].words; i++)
        value[1 + i] = serial * MULTIPLIER + i;
}

static bool is_whole(const uint64_t *value, int event, uint64_t serial)
{
    bool whole = value[0] == serial;
    for (size_t i = 0; i < events[event].words; i += events[event].stride)
        whole &= value[1 + i] == serial * MULTIPLIER + i;
    return whole;
}

/* ---------------------------------------------------------------- serving */

static int echo(void *self, struct koine_request *request, const struct aim_Target_echo_in *in,
                struct aim_Target_echo_out *out)
{
    struct target *target = self;
    (void)request;
    target->served++;
    out->return_ = echo_of(in->number);
    return 0;
}

static int repeat(void *self, struct koine_request *request, const struct aim_Target_repeat_in *in,
                  struct aim_Target_repeat_out *out)
{
    struct target *target = self;
    (void)request;
    target->served++;
    out->return_ = in->text;
    return 0;
}

static int ready(void *self, struct koine_request *request)
{
    struct target *target = self;
    (void)request;
    target->ready++;
    return 0;
}

static int publish(void *self, struct koine_request *request, struct aim_Target_publish_out *out)
{
    struct target *target = self;
    (void)request;
    target->serial++;
    for (int event = 0; event < EVENTS; event++) {
        int rc = target_publish(target, event, target->serial, true);
        if (rc)
            give_up("publishing", rc, target->node);
    }
    out->return_ = target->serial;
    return 0;
}

int target_publish(struct target *target, int event, uint64_t serial, bool loan)
{
    uint64_t own[32];
    void *value = own;
    int rc = loan ? koine_event_loan(&value, target->service, events[event].member) : 0;
    if (rc)
        return rc;
    fill(value, event, serial);
    return koine_event_publish(target->service, events[event].member, value);
}

void target_open(struct target *target, const char *name, int64_t block)
{
    static const struct aim_Target_handlers handlers = {
        .echo = echo, .repeat = repeat, .ready = ready, .publish = publish};
    struct koine_service_options options = {
        .size = sizeof options, .mode = 0666, .block = block, .event_slots = SLOTS};
    int rc = koine_service_open(&target->service, target->node, name, &aim_Target, &handlers,
                                target, &options);
    if (rc)
        give_up("serving", rc, target->node);
}

/* ---------------------------------------------------------------- reading */

static int check(struct reader *reader, int event, struct koine_sample *sample, const char **whyp)
{
    uint64_t expected = reader->taken[event] + 1;
    const uint64_t *value = koine_sample_value(sample);
    uint64_t serial = value[0], lost = koine_sample_lost(sample);
    bool whole = is_whole(value, event, serial);
    int rc = koine_sample_release(sample);
    if (rc == KOINE_EREVOKED)
        return KOINE_EDOWN;
    if (rc)
        *whyp = "a sample could not be released";
    else if (!whole)
        *whyp = "a torn sample";
    else if (serial < expected)
        *whyp = "a sample came twice";
    else if (lost || serial > expected)
        *whyp = "a sample was lost";
    reader->taken[event] = serial;
    return 0;
}

int reader_take(struct reader *reader, int event, int64_t timeout, const char **whyp)
{
    struct koine_sample *sample;
    struct koine_sub *sub = reader->subs[event];
    int rc = timeout ? koine_event_wait(&sample, sub, timeout) : koine_event_take(&sample, sub);
    return rc ? rc : check(reader, event, sample, whyp);
}

void reader_subscribe(struct reader *reader, int event)
{
    int rc = koine_subscribe(&reader->subs[event], reader->ref, events[event].member, 0);
    if (rc)
        give_up("subscribing", rc, reader->node);
}

void reader_close(struct reader *reader)
{
    for (int event = 0; event < EVENTS; event++) {
        reader->subs[event] = koine_unsubscribe(reader->subs[event]);
        reader->taken[event] = 0;
    }
    reader->ref = koine_ref_close(reader->ref);
}
