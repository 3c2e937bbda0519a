/* SPDX-License-Identifier: MIT
 *
 * A hostile service against a caller: greeting, answers, events and descriptions are a script, an octet
 * for each act and then what the act needs; the first octet says what the caller wants of it. The script
 * runs in the caller's own loop, each time the caller waits; when it ends the socket is closed, so
 * nothing waits for long. Whatever happens the caller gets an answer or an error, and keeps nothing.
 */
#include "hostile.h"

#include "thermostat.h"

#include "node/internal.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACTS_MAX = 512, TOPIC_SLOTS = 8, TOPIC_CHUNK = 65536, TOPIC_CHUNKS = 2, SAMPLES_MAX = 40 };
enum { TOPIC_SIZE = TOPIC_SLOTS * KN_SLOT_SIZE + TOPIC_CHUNK * TOPIC_CHUNKS };
#define PATIENCE (2 * KOINE_SECOND)

static struct koine_node *node;
static struct koine_timer *timer;
static struct koine_watch *watch; /* the listener */
static int listener;
static struct hostile hostile = {.fd = -1};
static int acts, over;

/* ---------------------------------------------------------------- the script */

static void welcome(void)
{
    struct kn_control said,
        control = {.type = KN_WELCOME, .value = {demo_Thermostat.interface->hash, KN_LINK_SEGMENT}};
    int fds[HOSTILE_FDS];
    size_t count;
    if (hostile.own.base)
        return;
    (void)hostile_hear(&hostile, &said, fds, &count);
    FUZZ_HOLDS(!count); /* callers send none */
    FUZZ_HOLDS(!kn_segment_create(&hostile.own, &fds[0], KN_LINK_SEGMENT));
    FUZZ_HOLDS(!kn_segment_offer(&hostile.peer, &fds[1], KN_LINK_SEGMENT));
    uint8_t lie = fuzz_octet(&hostile.input);
    control.value[0] ^= lie & 1;
    control.error = lie & 2 ? (int8_t)fuzz_octet(&hostile.input) : 0;
    if (lie & 4)
        control.value[1] = fuzz_number(&hostile.input, 8);
    hostile_say(&hostile, &control, fds, lie & 8 ? 1 : 2);
    close(fds[0]);
    close(fds[1]);
}

static void subscribed(void)
{
    struct kn_control control = {
        .type = KN_SUBSCRIBED, .value = {0, TOPIC_SLOTS, TOPIC_CHUNK, TOPIC_CHUNKS, 0, TOPIC_SIZE}};
    int fd;
    kn_segment_deinit(&hostile.topic);
    FUZZ_HOLDS(!kn_segment_create(&hostile.topic, &fd, TOPIC_SIZE));
    hostile.topic_slots = TOPIC_SLOTS;
    hostile.topic_pos = 0;
    uint8_t lie = fuzz_octet(&hostile.input);
    uint64_t *value = &control.value[(lie >> 1) % 6];
    if (lie & 1)
        *value ^= UINT64_C(1) << (fuzz_octet(&hostile.input) & 63);
    else if (lie & 0x40)
        *value = fuzz_number(&hostile.input, 8);
    hostile_say(&hostile, &control, &fd, lie & 0x80 ? 0 : 1);
    close(fd);
}

/* Descriptors of other things where a segment is due. */
static void strange_descriptors(void)
{
    struct kn_control control = {.type =
                                     fuzz_octet(&hostile.input) & 1 ? KN_WELCOME : KN_SUBSCRIBED};
    int fds[2] = {open("/dev/null", O_RDONLY | O_CLOEXEC), open("/", O_PATH | O_CLOEXEC)};
    control.value[0] = fuzz_octet(&hostile.input) & 3;
    control.value[1] = KN_LINK_SEGMENT;
    hostile_say(&hostile, &control, fds, 2);
    close(fds[0]);
    close(fds[1]);
}

static void act(uint8_t what)
{
    switch (what & 15) {
    case 0:
        welcome();
        break;
    case 1:
        subscribed();
        break;
    case 2:
        hostile_babble(&hostile);
        break;
    case 3:
        hostile_noise(&hostile);
        break;
    case 4:
        strange_descriptors();
        break;
    case 5:
    case 6:
        hostile_poke(&hostile, 0);
        break;
    case 7:
        hostile_poke(&hostile, 1);
        break;
    case 8:
    case 9:
        hostile_publish(&hostile, demo_Thermostat.interface, 1);
        break;
    case 10:
        hostile_read_all(&hostile);
        break;
    default:
        hostile_publish(&hostile, demo_Thermostat.interface, 0);
    }
}

static void end_script(void)
{
    over = 1;
    hostile_close(&hostile);
}

/* Acts until the script says to wait (an octet from 0xf0) or ends. */
static void step(void *arg)
{
    (void)arg;
    if (hostile.fd < 0)
        return;
    for (;;) {
        uint8_t what = fuzz_octet(&hostile.input);
        if (!hostile.input.left || ++acts > ACTS_MAX) {
            end_script();
            return;
        }
        if (what >= 0xf0)
            break;
        act(what);
    }
    koine_timer_set(timer, koine_now());
}

/* A second connection gets nothing. */
static void on_connection(void *arg, unsigned events)
{
    (void)arg, (void)events;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && (hostile.fd >= 0 || over))
        close(fd);
    else if (fd >= 0) {
        hostile.fd = fd;
        step(NULL);
    }
}

/* ---------------------------------------------------------------- the caller */

static void done(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    (void)error, (void)out, (void)fault;
    ++*(int *)arg;
}

static void take_samples(struct koine_sub *sub)
{
    struct koine_sample *held[SAMPLES_MAX];
    const char *json;
    int count = 0, rc = 0;
    while (count < SAMPLES_MAX && !(rc = koine_event_take(&held[count], sub)))
        (void)koine_sample_text(&json, held[count++]);
    while (count)
        (void)koine_sample_release(held[--count]);
}

static void subscribe(struct koine_ref *ref, const char *member)
{
    const struct koine_interface *interface;
    struct koine_sub *sub;
    uint32_t index;
    if (koine_ref_interface(&interface, ref, PATIENCE) ||
        koine_interface_find(&index, interface, member) ||
        koine_subscribe(&sub, ref, index, PATIENCE))
        return;
    take_samples(sub);
    (void)koine_node_process(node, 0);
    take_samples(sub);
    koine_unsubscribe(sub);
}

static void want(struct koine_ref *ref, uint8_t what)
{
    const char *json;
    int64_t sum;
    int answered = 0;
    if (what & 1)
        (void)demo_Thermostat_add(&sum, ref, 1, 2);
    if (what & 2)
        (void)koine_call_text(&json, ref, "rooms", NULL, PATIENCE);
    if (what & 4)
        (void)koine_get_text(&json, ref, "label", PATIENCE);
    int started =
        what & 8 ? koine_start(NULL, ref, KOINE_REQUEST_GET, 5, NULL, PATIENCE, done, &answered)
                 : -1;
    if (what & 16)
        subscribe(ref, "reading");
    if (what & 32)
        subscribe(ref, "label");
    (void)koine_node_process(node, 0);
    koine_ref_close(ref);
    FUZZ_HOLDS(answered == (started == 0));
}

static void open_all(void)
{
    struct koine_node_options options = {.size = sizeof options, .dir = hostile_folder()};
    struct kn_name_claim claim;
    struct koine_why why;
    FUZZ_HOLDS(!koine_node_open(&node, &options));
    FUZZ_HOLDS(!kn_name_take(&claim, &listener, hostile_folder(), "liar", 0600, &why));
    FUZZ_HOLDS(!koine_timer_open(&timer, node, step, NULL));
    FUZZ_HOLDS(!koine_watch_open(&watch, node, listener, KOINE_READABLE, on_connection, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct koine_ref *ref;
    if (!node)
        open_all();
    hostile.input = (struct fuzz_input){data, size};
    hostile.pos = hostile.topic_pos = 0;
    acts = over = 0;
    uint8_t what = fuzz_octet(&hostile.input);
    int64_t start = koine_now();
    if (!koine_ref_open(&ref, node, "liar", what & 64 ? NULL : &demo_Thermostat, PATIENCE))
        want(ref, what);
    end_script();
    (void)koine_node_process(node, 0);
    FUZZ_HOLDS(kn_list_empty(&node->links) && kn_list_empty(&node->refs));
    FUZZ_HOLDS(koine_now() - start < 4 * PATIENCE);
    return 0;
}
