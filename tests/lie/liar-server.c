/* SPDX-License-Identifier: MIT */
#include "liar.h"
#include "raw.h"

#include "aim.h"

#include "node/head.h"
#include "node/names.h"
#include "plane/layout.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOTS = 64, CHUNKS = 4, CHUNK = 69632, TOPIC = SLOTS * KN_SLOT_SIZE + CHUNKS * CHUNK };

struct server {
    struct raw raw;
    int listener;
    struct kn_segment topic;
};

static bool answer_call(struct server *server)
{
    struct pollfd polled = {.fd = server->listener, .events = POLLIN};
    (void)poll(&polled, 1, -1);
    server->raw.fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    server->raw.pos = 0;
    return server->raw.fd >= 0;
}

static bool hear_hello(struct server *server)
{
    struct kn_control control;
    int fds[RAW_FDS];
    size_t count;
    return raw_receive(&server->raw, &control, fds, &count);
}

static bool welcome(struct server *server, int first, int second, uint64_t size)
{
    struct kn_control control = {.type = KN_WELCOME};
    int fds[] = {first, second};
    bool known = raw_draw(&server->raw, 4);
    control.value[0] = known ? aim_Target.interface->hash : raw_edge(&server->raw);
    control.value[1] = size;
    bool sent = raw_send(&server->raw, &control, sizeof control, fds, 2);
    raw_close_all(fds, 2);
    return sent;
}

static bool greet(struct server *server)
{
    struct kn_segment theirs;
    int fds[2];
    if (!answer_call(server) || !hear_hello(server) ||
        kn_segment_create(&server->raw.own, &fds[0], KN_LINK_SEGMENT) ||
        kn_segment_offer(&theirs, &fds[1], KN_LINK_SEGMENT))
        return false;
    kn_segment_deinit(&theirs);
    return welcome(server, fds[0], fds[1], KN_LINK_SEGMENT);
}

static void part(struct server *server)
{
    kn_segment_deinit(&server->raw.own);
    kn_segment_deinit(&server->topic);
    if (server->raw.fd >= 0)
        close(server->raw.fd);
    server->raw.fd = -1;
}

/* ---------------------------------------------------------------- the lies */

static void never_accepts(void *liar)
{
    (void)liar;
    pause();
}

static void says_nothing(void *liar)
{
    if (answer_call(liar))
        (void)raw_hung_up(&((struct server *)liar)->raw, 2000);
}

static void garbage(void *liar)
{
    struct server *server = liar;
    if (answer_call(server) && hear_hello(server))
        for (int i = 0; i < 3 && raw_send_garbage(&server->raw); i++)
            ;
    (void)raw_hung_up(&server->raw, (int)raw_draw(&server->raw, 50));
}

static void no_segments(void *liar)
{
    struct server *server = liar;
    if (!answer_call(server) || !hear_hello(server))
        return;
    int first = raw_descriptor(&server->raw, raw_draw(&server->raw, RAW_LIES));
    int second = raw_descriptor(&server->raw, raw_draw(&server->raw, RAW_LIES));
    uint64_t size = raw_draw(&server->raw, 3) ? KN_LINK_SEGMENT : raw_edge(&server->raw);
    if (welcome(server, first, second, size))
        (void)raw_hung_up(&server->raw, 1000);
}

static void scribbles(void *liar)
{
    struct server *server = liar;
    if (!greet(server))
        return;
    while (!raw_hung_up(&server->raw, 1))
        raw_scribble(&server->raw, server->raw.own.base, server->raw.own.size, 200);
}

static void answers_nearly_right(void *liar)
{
    struct server *server = liar;
    if (!greet(server))
        return;
    uint8_t *base = server->raw.own.base;
    server->raw.kind = KN_REPLY;
    while (!raw_hung_up(&server->raw, 1))
        for (int i = 0; i < 8; i++)
            raw_put(&server->raw, base + KN_RING_AT, KN_LINK_SLOTS, base + KN_POOL_AT,
                    KN_CHUNK_SIZE, KN_LINK_CHUNKS);
}

static void hangs_up(void *liar)
{
    (void)greet(liar);
}

/* The first answer that the caller waits for, late or never; the bell rings all the time. */
static void rings_for_nothing(void *liar)
{
    struct server *server = liar;
    if (!greet(server))
        return;
    struct kn_control_page *page = (void *)server->raw.own.base;
    for (uint32_t i = 0;
         !raw_hung_up(&server->raw, 0) && raw_send(&server->raw, "", 1, NULL, 0) + i < 100000; i++)
        atomic_store(&page->bell, i);
}

static bool give_topic(struct server *server, const struct kn_control *ask)
{
    struct kn_control answer = {.type = KN_SUBSCRIBED,
                                .value = {ask->value[1], SLOTS, CHUNK, CHUNKS, 0, TOPIC}};
    int fd = -1;
    bool wrong = !raw_draw(&server->raw, 3);
    kn_segment_deinit(&server->topic);
    if (kn_segment_create(&server->topic, &fd, TOPIC))
        return false;
    if (wrong)
        answer.value[raw_draw(&server->raw, 6)] = raw_edge(&server->raw);
    server->raw.pos = answer.value[4];
    bool sent = raw_send(&server->raw, &answer, sizeof answer, &fd, 1);
    close(fd);
    return sent;
}

static void publishes_nearly_right(void *liar)
{
    struct server *server = liar;
    struct kn_control ask;
    int fds[RAW_FDS];
    size_t count;
    if (!greet(server))
        return;
    struct kn_control_page *page = (void *)server->raw.own.base;
    server->raw.kind = KN_EVENT;
    while (raw_receive(&server->raw, &ask, fds, &count)) {
        if (ask.type == KN_SUBSCRIBE && !give_topic(server, &ask))
            return;
        if (ask.type == KN_UNSUBSCRIBE || !server->topic.base)
            continue;
        for (int i = 0; i < SLOTS; i++)
            raw_put(&server->raw, server->topic.base, SLOTS,
                    server->topic.base + SLOTS * KN_SLOT_SIZE, CHUNK, CHUNKS);
        atomic_store(&page->revoked, !raw_draw(&server->raw, 10));
    }
}

const struct lie server_lies[] = {
    {"never accepts", never_accepts},
    {"accepts and says nothing", says_nothing},
    {"talks garbage in place of a greeting", garbage},
    {"gives what are no segments", no_segments},
    {"scribbles all over its segment", scribbles},
    {"answers nearly right", answers_nearly_right},
    {"hangs up after the greeting", hangs_up},
    {"rings for nothing and never answers", rings_for_nothing},
    {"publishes nearly right", publishes_nearly_right},
};
const unsigned server_lie_count = sizeof server_lies / sizeof *server_lies;

pid_t liar_serve(const char *dir, const struct lie *lie, uint64_t seed)
{
    struct koine_why why;
    struct kn_name_claim claim;
    struct server server = {.raw = {.fd = -1, .random = seed * 2 + 1}};
    if (kn_name_take(&claim, &server.listener, dir, "liar", 0600, &why))
        return -1;
    pid_t pid = fork();
    if (pid) {
        close(server.listener);
        close(claim.dir);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        lie->tell(&server);
        part(&server);
    }
}
