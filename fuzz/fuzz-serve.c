/* SPDX-License-Identifier: MIT
 *
 * A hostile caller against a service: what it says on the socket and what it writes into its segment is
 * a script, an octet for each act and then what the act needs. A good caller of the same service, in the
 * same process, must be served after each script, and nothing of the hostile one may be left.
 */
#include "hostile.h"

#include "thermostat.h"

#include "node/internal.h"
#include "value/types.h"

#include <sys/socket.h>
#include <unistd.h>

enum { ACTS_MAX = 512, KEPT_MAX = 8, SETTLE_TURNS = 1000 };

static struct koine_node *serving, *calling;
static struct koine_service *service;
static struct koine_ref *good;
static struct koine_request *kept[KEPT_MAX];

/* ---------------------------------------------------------------- the service */

static int answer(struct koine_request *request)
{
    static const uint64_t zeros[64];
    const struct koine_interface *interface = demo_Thermostat.interface;
    uint32_t member = koine_request_member(request);
    const char *json;
    size_t length;
    (void)koine_request_text(&json, &length, request);
    if (koine_request_sort(request) == KOINE_REQUEST_SET)
        return koine_reply(request, NULL);
    FUZZ_HOLDS(kn_feature_out(interface, member)->size <= sizeof zeros);
    return koine_reply(request, zeros);
}

static int handle(void *self, struct koine_request *request)
{
    uint32_t add = *(uint32_t *)self;
    if (koine_request_member(request) == add) {
        const struct demo_Thermostat_add_in *in = koine_request_in(request);
        struct demo_Thermostat_add_out out = {.return_ =
                                                  (int64_t)((uint64_t)in->a + (uint64_t)in->b)};
        return koine_reply(request, &out);
    }
    for (int i = 0; koine_request_member(request) == 0 && i < KEPT_MAX; i++) {
        if (kept[i])
            continue;
        kept[i] = request;
        return KOINE_PENDING;
    }
    return answer(request);
}

static void answer_kept(void)
{
    for (int i = 0; i < KEPT_MAX; i++) {
        if (kept[i])
            (void)koine_reply_fault(
                kept[i], &(struct koine_fault){
                             .code = KOINE_FAULT_ABORTED, .name = "", .message = "", .origin = ""});
        kept[i] = NULL;
    }
}

static void open_all(void)
{
    static uint32_t add;
    struct koine_node_options options = {.size = sizeof options, .dir = hostile_folder()};
    FUZZ_HOLDS(!koine_interface_find(&add, demo_Thermostat.interface, "add"));
    FUZZ_HOLDS(!koine_node_open(&serving, &options));
    FUZZ_HOLDS(!koine_node_open(&calling, &options));
    struct koine_service_options open = {.size = sizeof open, .policy = KOINE_DISCONNECT_SLOW};
    FUZZ_HOLDS(!koine_service_open_generic(&service, serving, "victim", demo_Thermostat.interface,
                                           handle, &add, &open));
}

/* ---------------------------------------------------------------- the good caller */

static void done(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    const struct demo_Thermostat_add_out *sum = out;
    (void)fault;
    FUZZ_HOLDS(!error && sum->return_ == 42);
    *(int *)arg = 1;
}

static void ready(void *arg, struct koine_ref *ref, int error)
{
    (void)ref;
    FUZZ_HOLDS(!error);
    *(int *)arg = 1;
}

static void settle(const int *flag)
{
    for (int i = 0; !*flag; i++) {
        FUZZ_HOLDS(i < SETTLE_TURNS);
        (void)koine_node_process(serving, 0);
        (void)koine_node_process(calling, *flag ? 0 : KOINE_MILLISECOND / 10);
    }
}

static void good_call(void)
{
    int opened = good != NULL, answered = 0;
    uint32_t add;
    if (!opened)
        FUZZ_HOLDS(!koine_ref_start(&good, calling, "victim", &demo_Thermostat, 0, ready, &opened));
    settle(&opened);
    FUZZ_HOLDS(!koine_interface_find(&add, demo_Thermostat.interface, "add"));
    struct demo_Thermostat_add_in in = {.a = 40, .b = 2};
    FUZZ_HOLDS(
        !koine_start(NULL, good, KOINE_REQUEST_CALL, add, &in, KOINE_FOREVER, done, &answered));
    settle(&answered);
}

/* ---------------------------------------------------------------- the script */

static void greet(struct hostile *hostile)
{
    struct kn_control hello = {.type = KN_HELLO, .value = {KN_MAGIC, KN_MINOR, 0}}, welcome;
    int fds[HOSTILE_FDS];
    size_t count;
    hostile_say(hostile, &hello, NULL, 0);
    (void)koine_node_process(serving, 0);
    if (!hostile_hear(hostile, &welcome, fds, &count) || count != 2)
        return;
    kn_segment_deinit(&hostile->peer);
    kn_segment_deinit(&hostile->own);
    FUZZ_HOLDS(!kn_segment_adopt(&hostile->peer, fds[0], KN_LINK_SEGMENT));
    FUZZ_HOLDS(!kn_segment_accept(&hostile->own, fds[1], KN_LINK_SEGMENT));
}

static void say_simply(struct hostile *hostile, uint32_t type)
{
    struct kn_control control = {.type = type};
    control.value[0] = fuzz_octet(&hostile->input);
    control.value[1] = fuzz_octet(&hostile->input);
    hostile_say(hostile, &control, NULL, 0);
}

static void serve_something(struct fuzz_input *input)
{
    static const char *const events[] = {"reading", "label", "outside"};
    static const char *const values[] = {"[\"hall\",21.5]", "\"door\"", "3.5"};
    uint8_t which = fuzz_octet(input);
    if (which & 0x80)
        answer_kept();
    else if (which % 3 == 0)
        (void)koine_event_publish_text(service, events[0], values[0]);
    else
        (void)koine_changed_text(service, events[which % 3], values[which % 3]);
}

static void act(struct hostile *hostile)
{
    uint8_t what = fuzz_octet(&hostile->input);
    switch (what & 15) {
    case 0:
        greet(hostile);
        break;
    case 1:
        say_simply(hostile, KN_READY);
        break;
    case 2:
        say_simply(hostile, KN_SUBSCRIBE);
        break;
    case 3:
        say_simply(hostile, KN_LISTENING);
        break;
    case 4:
        say_simply(hostile, KN_UNSUBSCRIBE);
        break;
    case 5:
        hostile_babble(hostile);
        break;
    case 6:
        hostile_noise(hostile);
        break;
    case 7:
        hostile_read_all(hostile);
        break;
    case 8:
        (void)shutdown(hostile->fd, what >> 4 & 1 ? SHUT_WR : SHUT_RD);
        break;
    case 9:
    case 10:
        hostile_poke(hostile, 0);
        break;
    case 11:
        serve_something(&hostile->input);
        break;
    case 12:
    case 13:
        (void)koine_node_process(serving, 0);
        break;
    default:
        hostile_publish(hostile, demo_Thermostat.interface, 0);
    }
}

static void nobody_greets(void)
{
    KN_LIST_EACH(at, &serving->users)
    {
        const struct kn_user *user = KN_LIST_ENTRY(at, struct kn_user, in_node);
        FUZZ_HOLDS(user->greeting == 0 && user->links == 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hostile hostile = {.fd = -1, .input = {data, size}};
    struct koine_why why;
    uid_t owner;
    if (!serving)
        open_all();
    good_call();
    FUZZ_HOLDS(!kn_name_connect(&hostile.fd, &owner, hostile_folder(), "victim", &why));
    for (int i = 0; i < ACTS_MAX && hostile.input.left; i++)
        act(&hostile);
    (void)koine_node_process(serving, 0);
    hostile_close(&hostile);
    for (int i = 0; koine_service_links(service) > 1; i++) {
        FUZZ_HOLDS(i < SETTLE_TURNS);
        (void)koine_node_process(serving, KOINE_MILLISECOND / 10);
    }
    answer_kept();
    nobody_greets();
    good_call();
    return 0;
}
