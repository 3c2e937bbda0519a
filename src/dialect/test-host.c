/* SPDX-License-Identifier: MIT */
#include "dialect/test-host.h"

#include <koine/value.h>

#include <stdio.h>
#include <stdlib.h>

const struct test_plan test_plain = {.allocations = -1};
bool test_inside;

enum happening_kind { WAKE, REPLY, WRITABLE, CLOSE };

struct happening {
    struct kn_list in_host;
    enum happening_kind kind;
    uint64_t key; /* cookie or serial */
    int error;
    const struct koine_interface *interface;
    struct test_reply reply;
};

struct block {
    struct kn_list in_host;
    size_t size, mark;
    _Alignas(16) char octets[];
};

enum { ALIVE = 0x616c6976, DEAD = 0x64656164 };

void test_broken(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

static struct test_host *host_of(const struct kn_channel *channel)
{
    return KN_LIST_ENTRY(channel->host, struct test_host, functions);
}

/* Every function of the host begins and ends with these: what it does itself is not the dialect's. */
static struct test_host *begin(const struct kn_channel *channel)
{
    struct test_host *host = host_of(channel);
    test_require(host->inside, "the host is called while no function of the dialect runs");
    test_inside = false;
    return host;
}

static int end(int answer)
{
    test_inside = true;
    return answer;
}

static struct happening *happen(struct test_host *host, enum happening_kind kind)
{
    struct happening *happening = calloc(1, sizeof *happening);
    happening->kind = kind;
    kn_list_append(&host->happenings, &happening->in_host);
    return happening;
}

/* ---------------------------------------------------------------- what the dialect calls */

static void *host_alloc(struct kn_channel *channel, size_t size)
{
    struct test_host *host = begin(channel);
    struct block *block = NULL;
    bool refused = host->plan->allocations >= 0 && (long)host->calls++ >= host->plan->allocations;
    refused |= host->plan->quota && size > host->plan->quota - host->memory_used;
    if (!refused)
        block = malloc(sizeof *block + size);
    (void)end(0);
    if (!block)
        return NULL;
    block->size = size;
    block->mark = ALIVE;
    memset(block->octets, 0xa5, size);
    kn_list_append(&host->memory, &block->in_host);
    host->memory_used += size;
    return block->octets;
}

static void host_free(struct kn_channel *channel, void *memory)
{
    struct test_host *host = begin(channel);
    struct block *block = KN_LIST_ENTRY(memory, struct block, octets);
    test_require(block->mark == ALIVE, "freed what is not allocated");
    block->mark = DEAD;
    kn_list_unlink(&block->in_host);
    host->memory_used -= block->size;
    free(block);
    (void)end(0);
}

static int host_write(struct kn_channel *channel, struct kn_str octets)
{
    struct test_host *host = begin(channel);
    test_require(host->open && !host->closing, "written to a channel that is closed");
    test_require(!host->may_not_write, "written before the channel was writable again");
    kn_buffer_str(&host->out, octets);
    if (!host->plan->slow_every || ++host->writes % host->plan->slow_every)
        return end(0);
    host->may_not_write = true;
    (void)happen(host, WRITABLE);
    return end(KOINE_EFULL);
}

static void host_flow(struct kn_channel *channel, bool reading)
{
    struct test_host *host = begin(channel);
    test_require(host->stopped == reading, "the flow is already so");
    host->stopped = !reading;
    (void)end(0);
}

static void host_close(struct kn_channel *channel)
{
    struct test_host *host = begin(channel);
    test_require(host->open && !host->closing, "closed twice");
    test_require(!host->waiting, "closed while calls wait for answers");
    host->closing = true;
    (void)happen(host, CLOSE);
    (void)end(0);
}

static int host_ask(struct kn_answer *answerp, struct kn_channel *channel,
                    const struct kn_question *question, uint64_t cookie)
{
    struct test_host *host = begin(channel);
    struct kn_answer answer = {.kind = KN_ASK_INTERFACE, .channel = channel};
    test_require(host->open && !host->closing && question->kind == KN_ASK_INTERFACE,
                 "a question that is none");
    answer.error = test_service_find(&answer.interface, host->state.services, question->name);
    if (!host->plan->late || random_below(&host->random, 3) == 0) {
        *answerp = answer;
        return end(1);
    }
    struct happening *wake = happen(host, WAKE);
    wake->key = cookie;
    wake->error = answer.error;
    wake->interface = answer.interface;
    return end(0);
}

static void check_message(const struct test_host *host, const struct kn_message *message)
{
    const struct koine_interface *interface = message->interface;
    test_require(host->open && !host->closing && interface &&
                     message->member < interface->features.length,
                 "a call of no member");
    const struct koine_feature *feature = &interface->features.ptr[message->member];
    bool attribute = message->kind == KN_MESSAGE_GET || message->kind == KN_MESSAGE_SET;
    test_require(feature->sort == (attribute ? KOINE_ATTRIBUTE : KOINE_OPERATION),
                 "a member of another sort");
    test_require(attribute || message->kind == KN_MESSAGE_CALL, "a message of no known kind");
    bool oneway = message->flags & KN_MESSAGE_ONEWAY;
    test_require(oneway == (!attribute && (feature->flags & KOINE_ONEWAY)), "one-way or not");
    if (message->kind == KN_MESSAGE_GET)
        return;
    test_require(message->body.type == interface->types.ptr + feature->in, "another type");
    void *copy;
    test_require(!message->body.type->size ||
                     !koine_value_copy(&copy, message->body.type, message->body.value),
                 "a body that is no value");
    if (message->body.type->size)
        free(copy);
}

static int host_deliver(const struct kn_message *message)
{
    struct test_host *host = begin(message->channel);
    struct test_reply reply;
    check_message(host, message);
    if (host->waiting && host->plan->full_every &&
        random_below(&host->random, host->plan->full_every) == 0)
        return end(KOINE_EFULL);
    test_service_serve(&reply, &host->state, message);
    if (message->flags & KN_MESSAGE_ONEWAY) {
        free(reply.value);
        return end(0);
    }
    struct happening *later = happen(host, REPLY);
    later->key = message->serial;
    later->reply = reply;
    host->waiting++;
    return end(0);
}

static const struct kn_host functions = {
    .alloc = host_alloc,
    .free = host_free,
    .write = host_write,
    .flow = host_flow,
    .close = host_close,
    .ask = host_ask,
    .deliver = host_deliver,
};

/* ---------------------------------------------------------------- what the dialect is told */

#define TELL(host, call)                                               \
    do {                                                               \
        test_require(!(host)->inside, "a function within a function"); \
        (host)->inside = test_inside = true;                           \
        int rc_ = (call);                                              \
        (host)->inside = test_inside = false;                          \
        if (rc_ && !(host)->error)                                     \
            (host)->error = rc_;                                       \
    } while (0)

void test_host_init(struct test_host *host, const struct kn_dialect *dialect,
                    const struct test_plan *plan, const struct test_services *services,
                    enum kn_shape shape)
{
    static const struct kn_options options = {.role = KN_SERVE, .transport = "tcp"};
    *host = (struct test_host){.functions = functions,
                               .plan = plan,
                               .random = {plan->seed},
                               .dialect = dialect,
                               .state = {services}};
    host->home = (struct kn_channel){.host = &host->functions, .shape = KN_HOME};
    kn_buffer_init(&host->out, 0);
    kn_list_init(&host->happenings);
    kn_list_init(&host->memory);
    host->inside = test_inside = true;
    host->error = dialect->start(&host->endpoint, &host->home, &options);
    host->inside = test_inside = false;
    if (host->error)
        return;
    test_require(host->endpoint->dialect == dialect && host->endpoint->home == &host->home &&
                     host->home.endpoint == host->endpoint,
                 "the endpoint is not filled in");
    host->channel =
        (struct kn_channel){.host = &host->functions, .endpoint = host->endpoint, .shape = shape};
    host->open = true;
    TELL(host, dialect->channel(&host->channel, KN_OPENED));
    if (host->error)
        test_host_hang_up(host);
}

static void forget(struct happening *happening)
{
    kn_list_unlink(&happening->in_host);
    free(happening->reply.value);
    free(happening);
}

void test_host_hang_up(struct test_host *host)
{
    if (!host->open)
        return;
    KN_LIST_EACH(at, &host->happenings)
    {
        forget(KN_LIST_ENTRY(at, struct happening, in_host));
    }
    host->open = false;
    TELL(host, host->dialect->channel(&host->channel, KN_CLOSED));
    test_require(host->memory_used == 0, "memory is left after the channel closed");
}

void test_host_deinit(struct test_host *host)
{
    test_host_hang_up(host);
    if (host->endpoint) {
        host->inside = test_inside = true;
        host->dialect->stop(host->endpoint);
        host->inside = test_inside = false;
    }
    kn_buffer_deinit(&host->out);
    test_state_deinit(&host->state);
}

void test_host_feed(struct test_host *host, struct kn_str octets, bool end)
{
    struct kn_input input = {.end = end, .method = KN_STR("POST"), .target = KN_STR("/")};
    /* A copy without a NUL, so that a sanitizer sees a read beyond the end. */
    char *copy = octets.length ? malloc(octets.length) : NULL;
    if (octets.length)
        memcpy(copy, octets.ptr, octets.length);
    input.data = (struct kn_str){copy, octets.length};
    if (host->open && !host->closing) {
        TELL(host, host->dialect->feed(&host->channel, &input));
        if (host->error)
            test_host_hang_up(host);
    }
    free(copy);
}

static void tell_reply(struct test_host *host, const struct happening *happening)
{
    const struct test_reply *reply = &happening->reply;
    struct kn_message message = {.kind = reply->is_fault ? KN_MESSAGE_FAULT : KN_MESSAGE_REPLY,
                                 .serial = happening->key,
                                 .channel = &host->channel};
    if (reply->is_fault)
        message.fault = &reply->fault;
    else
        message.body = (struct kn_body){reply->type, reply->value};
    host->waiting--;
    TELL(host, host->dialect->send(host->endpoint, &message));
}

static void tell(struct test_host *host, const struct happening *happening)
{
    struct kn_answer answer = {.kind = KN_ASK_INTERFACE,
                               .error = happening->error,
                               .channel = &host->channel,
                               .interface = happening->interface};
    switch (happening->kind) {
    case WAKE:
        TELL(host, host->dialect->wake(host->endpoint, happening->key, &answer));
        break;
    case REPLY:
        tell_reply(host, happening);
        break;
    case WRITABLE:
        host->may_not_write = false;
        if (!host->closing)
            TELL(host, host->dialect->channel(&host->channel, KN_WRITABLE));
        break;
    case CLOSE:
        test_host_hang_up(host);
        break;
    }
}

static struct happening *choose(struct test_host *host)
{
    uint32_t count = 0;
    KN_LIST_EACH(at, &host->happenings)
    {
        count++;
    }
    uint32_t skipped = host->plan->shuffle ? random_below(&host->random, count) : 0;
    struct kn_list *chosen = host->happenings.next;
    while (skipped--)
        chosen = chosen->next;
    return KN_LIST_ENTRY(chosen, struct happening, in_host);
}

void test_host_run(struct test_host *host, long steps)
{
    for (; steps && !kn_list_empty(&host->happenings); steps--) {
        struct happening *happening = choose(host);
        kn_list_unlink(&happening->in_host);
        tell(host, happening);
        forget(happening);
        if (host->error)
            test_host_hang_up(host);
    }
}
