/* SPDX-License-Identifier: MIT */
#include "runtime/test-dialect.h"

#include "thermostat.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE = 256, HELD = 16, WAITING = 1024 };

struct plain {
    struct kn_endpoint base;
    bool outside; /* in a function of the host */
};

struct line {
    char text[LINE];
    bool waits; /* for its interface, or for room */
};

struct channel {
    struct kn_channel *channel;
    struct plain *plain;
    char input[LINE];
    size_t length, held_count;
    void *held[HELD];
    struct line lines[WAITING];
    uint64_t serial;
};

static const struct kn_host *enter(struct channel *ch)
{
    ch->plain->outside = true;
    return ch->channel->host;
}

static void check(const struct kn_endpoint *endpoint)
{
    if (((const struct plain *)endpoint)->outside)
        abort();
}

static int say(struct channel *ch, const char *text)
{
    int rc = enter(ch)->write(ch->channel, kn_str(text));
    ch->plain->outside = false;
    return rc;
}

static int say_number(struct channel *ch, const char *before, long long number, int more)
{
    char text[64];
    if (more < 0)
        snprintf(text, sizeof text, "%s %lld\n", before, number);
    else
        snprintf(text, sizeof text, "%s %lld %d\n", before, number, more);
    return say(ch, text);
}

/* ---------------------------------------------------------------- calls */

static int deliver(struct channel *ch, const char *verb, struct kn_str service,
                   const struct koine_interface *interface, const long long number[2])
{
    struct demo_Thermostat_add_in sum = {number[0], number[1]};
    struct demo_Thermostat_set_target_in target = {.room = koine_string("keep"), .celsius = 20};
    bool adds = !strcmp(verb, "add");
    struct kn_message message = {.kind = KN_MESSAGE_CALL,
                                 .serial = ch->serial + 1,
                                 .channel = ch->channel,
                                 .service = service,
                                 .interface = interface};
    if (koine_interface_find(&message.member, interface, adds ? "add" : "set_target"))
        return KOINE_EMEMBER;
    message.body.value = adds ? (void *)&sum : (void *)&target;
    int rc = enter(ch)->deliver(&message);
    ch->plain->outside = false;
    ch->serial += !rc;
    return rc;
}

/* False: it has to wait. */
static bool call(struct channel *ch, struct line *line, const struct kn_answer *given)
{
    char verb[16], service[128];
    long long number[2] = {0, 0};
    struct kn_answer answer = {.error = KOINE_EAGAIN};
    sscanf(line->text, "%15s %127s %lld %lld", verb, service, &number[0], &number[1]);
    struct kn_question question = {.kind = KN_ASK_INTERFACE, .name = kn_str(service)};
    int there = 1;
    if (given)
        answer = *given;
    else
        there = enter(ch)->ask(&answer, ch->channel, &question, (uint64_t)(line - ch->lines));
    ch->plain->outside = false;
    if (!there)
        return false;
    int rc = there < 0 ? there : answer.error;
    if (!rc)
        rc = deliver(ch, verb, question.name, answer.interface, number);
    if (rc == KOINE_EFULL)
        return false;
    if (rc)
        (void)say_number(ch, "?", rc, -1);
    return true;
}

static int begin_call(struct channel *ch, const char *text)
{
    struct line *line = ch->lines;
    while (line->waits)
        if (++line == ch->lines + WAITING)
            return KOINE_ELIMIT;
    snprintf(line->text, sizeof line->text, "%s", text);
    line->waits = true;
    line->waits = !call(ch, line, NULL);
    return 0;
}

/* ---------------------------------------------------------------- lines */

static int take(struct channel *ch, const char *text)
{
    const struct kn_host *host = ch->channel->host;
    size_t number = strtoul(text + strcspn(text, " "), NULL, 10);
    if (!strncmp(text, "alloc ", 6)) {
        void *memory = ch->held_count < HELD ? host->alloc(ch->channel, number) : NULL;
        if (memory)
            ch->held[ch->held_count++] = memory;
        return say(ch, memory ? "yes\n" : "no\n");
    }
    if (!strncmp(text, "write ", 6) || !strncmp(text, "spill ", 6)) {
        char block[1001];
        memset(block, 'x', 999);
        strcpy(block + 999, "\n");
        while (number--)
            if (say(ch, block) == KOINE_EFULL && *text == 'w')
                return say(ch, "full\n") == KOINE_EFULL ? 0 : KOINE_EPROTOCOL;
        return 0;
    }
    if (!strcmp(text, "cancel")) {
        struct kn_message message = {
            .kind = KN_MESSAGE_CANCEL, .serial = ch->serial, .channel = ch->channel};
        int rc = enter(ch)->deliver(&message);
        ch->plain->outside = false;
        return rc;
    }
    if (!strcmp(text, "close")) {
        (void)say(ch, "bye\n");
        host->close(ch->channel);
        return 0;
    }
    return strcmp(text, "fail") ? begin_call(ch, text) : KOINE_EPROTOCOL;
}

static int feed(struct kn_channel *channel, const struct kn_input *input)
{
    struct channel *ch = channel->self;
    int rc = 0;
    check(channel->endpoint);
    for (size_t i = 0; i < input->data.length && rc >= 0; i++) {
        if (input->data.ptr[i] != '\n') {
            if (ch->length == LINE - 1)
                return KOINE_ELIMIT;
            ch->input[ch->length++] = input->data.ptr[i];
            continue;
        }
        ch->input[ch->length] = '\0';
        ch->length = 0;
        rc = take(ch, ch->input);
        rc = rc == KOINE_EFULL ? 0 : rc;
    }
    return rc;
}

/* What was full may go now. */
static int send_message(struct kn_endpoint *endpoint, const struct kn_message *message)
{
    struct channel *ch = message->channel->self;
    check(endpoint);
    if (message->kind == KN_MESSAGE_FAULT)
        (void)say_number(ch, "!", message->fault->code, message->fault->completion);
    else if (message->body.value)
        (void)say_number(ch, "=", *(const int64_t *)message->body.value, -1);
    else
        (void)say(ch, "done\n");
    for (struct line *line = ch->lines; line < ch->lines + WAITING; line++)
        if (line->waits) {
            line->waits = !call(ch, line, NULL);
            break;
        }
    return 0;
}

static int wake(struct kn_endpoint *endpoint, uint64_t cookie, const struct kn_answer *answer)
{
    struct channel *ch = answer->channel->self;
    check(endpoint);
    ch->lines[cookie].waits = !call(ch, &ch->lines[cookie], answer);
    return 0;
}

/* ---------------------------------------------------------------- life */

static int change(struct kn_channel *channel, enum kn_change what)
{
    struct channel *ch = channel->self;
    check(channel->endpoint);
    if (what == KN_OPENED) {
        ch = channel->self = calloc(1, sizeof *ch);
        ch->channel = channel;
        ch->plain = (struct plain *)channel->endpoint;
    } else if (what == KN_WRITABLE) {
        (void)say(ch, "writable\n");
    } else {
        while (ch->held_count)
            channel->host->free(channel, ch->held[--ch->held_count]);
        free(ch);
    }
    return 0;
}

static int start(struct kn_endpoint **endpointp, struct kn_channel *home,
                 const struct kn_options *options)
{
    struct plain *plain = calloc(1, sizeof *plain);
    kn_endpoint_init(&plain->base, &kn_dialect_plain, home);
    *endpointp = &plain->base;
    return options->count && !strcmp(options->all[0].value, "bad") ? KOINE_EINVAL : 0;
}

static void stop(struct kn_endpoint *endpoint)
{
    free(endpoint);
}

static void address(struct kn_buffer *to, struct kn_str service,
                    const struct koine_interface *interface, uint32_t member)
{
    kn_buffer_print(to, "%.*s!%s", (int)service.length, service.ptr,
                    interface->features.ptr[member].name.ptr);
}

static const char *const transports[] = {"tcp", "unix", "http", "smoke", NULL};
static const char *const options[] = {"kind", NULL};

static const struct kn_identity identity = {
    .name = "plain",
    .title = "Plain",
    .spec = "test-dialect.h",
    .transports = transports,
    .exchange_methods = "POST, PUT",
    .exchange_type = "text/x-plain",
    .options = options,
    .address = address,
};

const struct kn_dialect kn_dialect_plain = {
    .identity = &identity,
    .start = start,
    .stop = stop,
    .channel = change,
    .feed = feed,
    .send = send_message,
    .wake = wake,
};
