/* SPDX-License-Identifier: MIT
 *
 * The functions of struct kn_host. Each checks that it may be called now, and does what it does by the
 * other files of the world.
 */
#include "dialect/test-sim.h"

#include <koine/value.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ALIVE = 0x616c6976, DEAD = 0x64656164 };

struct block {
    struct kn_list in_channel;
    size_t size, mark;
    _Alignas(16) char octets[];
};

struct entry {
    struct kn_list in_sim;
    struct sim_endpoint *owner;
    char *name, *data;
};

static struct sim_channel *channel_of(const struct kn_channel *channel)
{
    return KN_LIST_ENTRY(channel, struct sim_channel, channel);
}

/* Every function of the host begins and ends with these: what it does itself is not the dialect's. */
static struct sim_channel *begin(const struct kn_channel *which)
{
    struct sim_channel *channel = channel_of(which);
    test_require(channel->endpoint->sim->inside == channel->endpoint,
                 "the host is called while no function of the dialect runs");
    test_inside = false;
    return channel;
}

static int end(int answer)
{
    test_inside = true;
    return answer;
}

static void require_open(const struct sim_channel *channel, const char *what)
{
    test_require(channel->open && !channel->closing, what);
}

/* ---------------------------------------------------------------- memory, time, chance */

/* Whether the next allocation is one that fails. */
static bool refuses(struct sim_channel *channel)
{
    struct sim_endpoint *endpoint = channel->endpoint;
    long most = endpoint->sim->plan->allocations;
    bool refused = most >= 0 && endpoint->allocated++ >= most;
    endpoint->refused |= refused;
    return refused;
}

static void *host_alloc(struct kn_channel *which, size_t size)
{
    struct sim_channel *channel = begin(which);
    size_t quota = channel->endpoint->sim->plan->quota;
    struct block *block = NULL;
    bool refused = refuses(channel);
    if (quota && size > quota - channel->memory_used)
        refused = channel->endpoint->refused = true;
    if (!refused)
        block = malloc(sizeof *block + size);
    (void)end(0);
    if (!block)
        return NULL;
    block->size = size;
    block->mark = ALIVE;
    memset(block->octets, 0xa5, size);
    kn_list_append(&channel->memory, &block->in_channel);
    channel->memory_used += size;
    return block->octets;
}

static void host_free(struct kn_channel *which, void *memory)
{
    struct sim_channel *channel = begin(which);
    if (memory) {
        struct block *block = KN_LIST_ENTRY(memory, struct block, octets);
        test_require(block->mark == ALIVE, "freed what is not allocated");
        block->mark = DEAD;
        kn_list_unlink(&block->in_channel);
        test_require(channel->memory_used >= block->size, "freed for another channel");
        channel->memory_used -= block->size;
        free(block);
    }
    (void)end(0);
}

void sim_memory_check(struct sim_channel *channel)
{
    test_require(channel->memory_used == 0 && kn_list_empty(&channel->memory),
                 "memory is left after the channel closed");
}

static int64_t host_now(struct kn_channel *which)
{
    int64_t now = begin(which)->endpoint->sim->now;
    (void)end(0);
    return now;
}

static void host_random(struct kn_channel *which, void *octets, size_t size)
{
    struct sim *sim = begin(which)->endpoint->sim;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)octets)[i] = (uint8_t)random_next(&sim->random);
    (void)end(0);
}

/* ---------------------------------------------------------------- octets */

static int host_write(struct kn_channel *which, struct kn_str octets)
{
    return end(sim_write(begin(which), octets));
}

static int host_pass(struct kn_channel *which, struct kn_str octets, const int *fds, size_t count)
{
    struct sim_channel *channel = begin(which);
    struct sim_peer *peer = channel->peer;
    bool local = channel->place.local || peer;
    if (count && (which->shape != KN_STREAM || !local))
        return end(KOINE_EUNSUPPORTED);
    test_require(octets.length && count <= SIM_FDS, "descriptors without an octet, or too many");
    if (count && !peer) {
        struct sim_fds *passed = calloc(1, sizeof *passed);
        passed->at = channel->written;
        passed->count = count;
        for (size_t i = 0; i < count; i++)
            passed->fds[i] = dup(fds[i]);
        kn_list_append(&channel->fds, &passed->in_channel);
    }
    for (size_t i = 0; peer && i < count && peer->fd_count < SIM_FDS; i++)
        peer->fds[peer->fd_count++] = dup(fds[i]);
    return end(sim_write(channel, octets));
}

static int host_write_to(struct kn_channel *which, const struct kn_address *to,
                         struct kn_str octets)
{
    struct sim_channel *channel = begin(which);
    require_open(channel, "written to a channel that is closed");
    test_require(which->shape == KN_DATAGRAM, "a datagram to somebody, and no socket for them");
    sim_datagram(channel, to, octets);
    return end(0);
}

static int host_fill(struct kn_channel *which, void *into, size_t size, uint64_t cookie)
{
    struct sim_channel *channel = begin(which);
    require_open(channel, "filled from a channel that is closed");
    test_require(which->shape == KN_STREAM && !channel->fill.into && size, "no stream, or twice");
    channel->fill.into = into;
    channel->fill.at = 0;
    channel->fill.size = size;
    channel->fill.cookie = cookie;
    return end(0);
}

static void host_flow(struct kn_channel *which, bool reading)
{
    struct sim_channel *channel = begin(which);
    test_require(channel->open && which->shape != KN_HOME, "the flow of nothing");
    test_require(channel->stopped == reading, "the flow is already so");
    channel->stopped = !reading;
    if (reading)
        sim_arrive(channel);
    (void)end(0);
}

static int host_end(struct kn_channel *which)
{
    struct sim_channel *channel = begin(which);
    require_open(channel, "ended what is closed");
    bool asks = which->shape == KN_EXCHANGE && channel->endpoint->options.role == KN_REACH;
    test_require(which->shape == KN_STREAM || which->shape == KN_PACKET || asks, "no end to write");
    test_require(!channel->ended, "ended twice");
    sim_end(channel);
    return end(0);
}

static void host_close(struct kn_channel *which)
{
    struct sim_channel *channel = begin(which);
    test_require(which->shape != KN_HOME, "home is closed by stop");
    require_open(channel, "closed twice");
    test_require(!channel->waiting, "closed while calls wait for answers");
    channel->closing = true;
    sim_finish(channel);
    (void)end(0);
}

static int host_connect(struct kn_channel *which, struct kn_str uri, uint64_t cookie)
{
    struct sim_channel *channel = begin(which);
    test_require(which->shape == KN_HOME && channel->open, "connected from elsewhere than home");
    return end(refuses(channel) ? KOINE_ENOMEM : sim_connect(channel->endpoint, uri, cookie));
}

static int host_listen(struct kn_channel *which, struct kn_str uri, uint64_t cookie)
{
    struct sim_channel *channel = begin(which);
    test_require(which->shape == KN_HOME && channel->open, "listens from elsewhere than home");
    return end(refuses(channel) ? KOINE_ENOMEM : sim_listen(channel->endpoint, uri, cookie));
}

/* ---------------------------------------------------------------- timers */

static void due(struct sim_event *event)
{
    struct kn_answer answer = {.kind = KN_TIMER, .channel = &event->channel->channel};
    (void)sim_tell_wake(event->channel, event->key, &answer);
}

static int host_timer(struct kn_channel *which, uint64_t cookie, int64_t when)
{
    struct sim_channel *channel = begin(which);
    struct sim *sim = channel->endpoint->sim;
    test_require(channel->open || when == KOINE_FOREVER, "a timer of a channel that is closed");
    KN_LIST_EACH(at, &channel->events)
    {
        struct sim_event *event = KN_LIST_ENTRY(at, struct sim_event, in_channel);
        if (event->happen == due && event->key == cookie)
            sim_forget(event);
    }
    if (when == KOINE_FOREVER)
        return end(0);
    if (refuses(channel))
        return end(KOINE_ENOMEM);
    /* A little late, as clocks are: never early. */
    int64_t late = sim_delay(sim, KOINE_MILLISECOND);
    sim_at(sim, channel, when - sim->now + late, due)->key = cookie;
    return end(0);
}

/* ---------------------------------------------------------------- questions */

/* Memory that is gone when the function is over, of exactly the size, so that a sanitizer sees it. */
static void *scratch(struct sim *sim, size_t size)
{
    struct sim_scratch *block = calloc(1, sizeof *block + size);
    kn_list_append(&sim->scratch, &block->in_sim);
    return block->octets;
}

static struct kn_str keep(struct sim *sim, struct kn_str text)
{
    char *copy = scratch(sim, text.length);
    if (text.length)
        memcpy(copy, text.ptr, text.length);
    return (struct kn_str){copy, text.length};
}

static bool is_below(const char *name, struct kn_str prefix)
{
    size_t length = strlen(name);
    return !prefix.length || (length >= prefix.length && !memcmp(name, prefix.ptr, prefix.length) &&
                              (!name[prefix.length] || name[prefix.length] == '/'));
}

static void find(struct kn_answer *answer, struct sim *sim, struct kn_str prefix)
{
    static const char *const names[] = {"plant/thermostat", "test/everything", "test/random"};
    struct kn_str *found = scratch(sim, sizeof names / sizeof *names * sizeof *found);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_below(names[i], prefix))
            found[answer->name_count++] = keep(sim, kn_str(names[i]));
    answer->names = found;
}

static struct entry *find_entry(const struct sim_endpoint *endpoint, struct kn_str name)
{
    KN_LIST_EACH(at, &endpoint->sim->directory)
    {
        struct entry *entry = KN_LIST_ENTRY(at, struct entry, in_sim);
        if (entry->owner->dialect == endpoint->dialect && kn_str_equal(kn_str(entry->name), name))
            return entry;
    }
    return NULL;
}

static void drop_entry(struct entry *entry)
{
    kn_list_unlink(&entry->in_sim);
    free(entry->name);
    free(entry->data);
    free(entry);
}

void sim_directory_drop(struct sim_endpoint *endpoint)
{
    KN_LIST_EACH(at, &endpoint->sim->directory)
    {
        if (KN_LIST_ENTRY(at, struct entry, in_sim)->owner == endpoint)
            drop_entry(KN_LIST_ENTRY(at, struct entry, in_sim));
    }
}

static void advertise(struct kn_answer *answer, struct sim_endpoint *endpoint,
                      const struct kn_question *question)
{
    struct entry *entry = find_entry(endpoint, question->name);
    if (entry && entry->owner != endpoint) {
        answer->error = KOINE_EEXIST;
        return;
    }
    if (entry)
        drop_entry(entry);
    entry = calloc(1, sizeof *entry);
    entry->owner = endpoint;
    entry->name = strndup(question->name.ptr, question->name.length);
    entry->data = strndup(question->data.length ? question->data.ptr : "", question->data.length);
    kn_list_append(&endpoint->sim->directory, &entry->in_sim);
}

static void withdraw(struct kn_answer *answer, struct sim_endpoint *endpoint, struct kn_str name)
{
    struct entry *entry = find_entry(endpoint, name);
    if (!entry || entry->owner != endpoint)
        answer->error = entry ? KOINE_EPERM : KOINE_ENOENT;
    else
        drop_entry(entry);
}

static void resolve(struct kn_answer *answer, struct sim_endpoint *endpoint, struct kn_str name)
{
    struct kn_buffer all;
    struct entry *entry = name.length ? find_entry(endpoint, name) : NULL;
    kn_buffer_init(&all, 0);
    if (entry)
        kn_buffer_text(&all, entry->data);
    answer->error = name.length && !entry ? KOINE_ENOENT : 0;
    KN_LIST_EACH(at, &endpoint->sim->directory)
    {
        entry = KN_LIST_ENTRY(at, struct entry, in_sim);
        if (!name.length && entry->owner->dialect == endpoint->dialect)
            kn_buffer_print(&all, "%s %s\n", entry->name, entry->data);
    }
    answer->data = keep(endpoint->sim, (struct kn_str){all.ptr ? all.ptr : "", all.length});
    kn_buffer_deinit(&all);
}

/* Mechanism SIM: "hello", then twice the challenge returned; whoever ends with "root" is not let in. */
static void authenticate(struct kn_answer *answer, struct sim_channel *channel,
                         const struct kn_question *question)
{
    static const char *const challenges[] = {"first", "second"};
    struct sim *sim = channel->endpoint->sim;
    const char *wanted = channel->legs ? challenges[channel->legs - 1] : "hello";
    if (!kn_str_equal(question->name, KN_STR("SIM")))
        answer->error = KOINE_EUNSUPPORTED;
    else if (!kn_str_equal(question->data, kn_str(wanted)))
        answer->error = KOINE_EPERM;
    if (answer->error)
        channel->legs = 0;
    else if (channel->legs < 2)
        answer->data = keep(sim, kn_str(challenges[channel->legs++]));
    else
        *answer = (struct kn_answer){.kind = KN_ASK_AUTH,
                                     .channel = &channel->channel,
                                     .done = true,
                                     .caller = {.uid = 1000, .gid = 1000}};
}

static void convert(struct kn_answer *answer, struct sim *sim, const struct kn_question *question)
{
    char *json = NULL;
    size_t length;
    void *value = NULL;
    answer->error = koine_value_write(&json, &length, question->body.type, question->body.value, 0);
    if (!answer->error)
        answer->error = koine_value_read(&value, question->type, json, length, NULL);
    free(json);
    if (answer->error)
        return;
    struct sim_scratch *block = calloc(1, sizeof *block);
    block->owned = value;
    kn_list_append(&sim->scratch, &block->in_sim);
    answer->body = (struct kn_body){question->type, value};
}

static void secret(struct kn_answer *answer, struct sim *sim, struct kn_str name)
{
    if (kn_str_equal(name, KN_STR("none"))) {
        answer->error = KOINE_ENOENT;
        return;
    }
    char text[64];
    int length = snprintf(text, sizeof text, "%s%.*s",
                          answer->kind == KN_ASK_MAP ? "memory of " : "secret of ",
                          (int)(name.length < 32 ? name.length : 32), name.ptr);
    answer->data = keep(sim, (struct kn_str){text, (size_t)length});
}

static void reply_to(struct kn_answer *answer, struct sim_channel *channel,
                     const struct kn_question *question)
{
    struct sim_endpoint *endpoint = channel->endpoint;
    const struct koine_interface *ignored;
    switch (question->kind) {
    case KN_ASK_INTERFACE:
        answer->error =
            test_service_find(&answer->interface, endpoint->sim->services, question->name);
        break;
    case KN_ASK_FIND:
        find(answer, endpoint->sim, question->name);
        break;
    case KN_ASK_ADVERTISE:
        advertise(answer, endpoint, question);
        break;
    case KN_ASK_WITHDRAW:
        withdraw(answer, endpoint, question->name);
        break;
    case KN_ASK_RESOLVE:
        resolve(answer, endpoint, question->name);
        break;
    case KN_ASK_AUTH:
        authenticate(answer, channel, question);
        break;
    case KN_ASK_SECRET:
    case KN_ASK_MAP:
        secret(answer, endpoint->sim, question->name);
        break;
    case KN_ASK_START:
        answer->error = test_service_find(&ignored, endpoint->sim->services, question->name);
        break;
    case KN_ASK_CONVERT:
        convert(answer, endpoint->sim, question);
        break;
    default:
        test_broken(__FILE__, __LINE__, "a question that is none");
    }
}

struct asked {
    struct kn_question question;
    char text[];
};

static void answered(struct sim_event *event)
{
    const struct asked *asked = event->owned;
    struct kn_answer answer = {.kind = asked->question.kind, .channel = &event->channel->channel};
    reply_to(&answer, event->channel, &asked->question);
    (void)sim_tell_wake(event->channel, event->key, &answer);
}

static struct asked *copy_question(const struct kn_question *question)
{
    size_t name = question->name.length, data = question->data.length;
    struct asked *asked = calloc(1, sizeof *asked + name + data);
    asked->question = *question;
    if (name)
        memcpy(asked->text, question->name.ptr, name);
    if (data)
        memcpy(asked->text + name, question->data.ptr, data);
    asked->question.name.ptr = asked->text;
    asked->question.data.ptr = asked->text + name;
    return asked;
}

static int host_ask(struct kn_answer *answerp, struct kn_channel *which,
                    const struct kn_question *question, uint64_t cookie)
{
    struct sim_channel *channel = begin(which);
    struct sim *sim = channel->endpoint->sim;
    struct kn_answer answer = {.kind = question->kind, .channel = which};
    require_open(channel, "asked for a channel that is closed");
    test_require(question->kind >= KN_ASK_INTERFACE && question->kind <= KN_ASK_CONVERT,
                 "a question that is none");
    if (sim->plan->late && question->kind != KN_ASK_CONVERT && random_below(&sim->random, 3)) {
        struct sim_event *event = sim_at(sim, channel, sim_delay(sim, SIM_DELAY), answered);
        event->key = cookie;
        event->owned = copy_question(question);
        return end(0);
    }
    reply_to(&answer, channel, question);
    *answerp = answer;
    return end(1);
}

static int host_deliver(const struct kn_message *message)
{
    (void)begin(message->channel);
    return end(sim_deliver(message));
}

const struct kn_host sim_host = {
    .now = host_now,
    .random = host_random,
    .alloc = host_alloc,
    .free = host_free,
    .write = host_write,
    .pass = host_pass,
    .write_to = host_write_to,
    .fill = host_fill,
    .flow = host_flow,
    .end = host_end,
    .close = host_close,
    .connect = host_connect,
    .listen = host_listen,
    .timer = host_timer,
    .ask = host_ask,
    .deliver = host_deliver,
};
