/* SPDX-License-Identifier: MIT */
#include "liar.h"
#include "raw.h"

#include "node/head.h"
#include "node/names.h"
#include "plane/layout.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SILENT = 20, LARGE_EVENT = 6, NOBODY = 65534 };

struct caller {
    struct raw raw;
    const char *dir;
};

static bool dial(struct caller *caller)
{
    struct koine_why why;
    uid_t owner;
    return !kn_name_connect(&caller->raw.fd, &owner, caller->dir, "service", &why);
}

static bool say(struct caller *caller, uint32_t type, uint64_t first, uint64_t second,
                uint64_t third)
{
    struct kn_control control = {.type = type, .value = {first, second, third}};
    return raw_send(&caller->raw, &control, sizeof control, NULL, 0);
}

static bool say_hello(struct caller *caller)
{
    return say(caller, KN_HELLO, KN_MAGIC, (uint64_t)KN_MAJOR << 32 | KN_MINOR, 0);
}

/* Up to the descriptors: fds[1] is this end's. */
static bool get_descriptors(struct caller *caller, int fds[RAW_FDS])
{
    struct kn_control control;
    size_t count;
    if (!dial(caller) || !say_hello(caller))
        return false;
    if (!raw_receive(&caller->raw, &control, fds, &count))
        return false;
    return count == 2;
}

static bool greet(struct caller *caller)
{
    int fds[RAW_FDS];
    if (!get_descriptors(caller, fds))
        return false;
    close(fds[0]);
    return !kn_segment_accept(&caller->raw.own, fds[1], KN_LINK_SEGMENT) &&
           say(caller, KN_READY, 0, 0, 0);
}

static bool nudge(struct caller *caller)
{
    return raw_send(&caller->raw, "", 1, NULL, 0) || !raw_hung_up(&caller->raw, 0);
}

static void must_be_hung_up_on(struct caller *caller)
{
    if (!raw_hung_up(&caller->raw, 5000))
        _exit(7);
}

/* ---------------------------------------------------------------- the lies */

static void scribble(void *liar)
{
    struct caller *caller = liar;
    if (greet(caller))
        for (int i = 0; i < 400 && nudge(caller); i++)
            raw_scribble(&caller->raw, caller->raw.own.base, caller->raw.own.size, 50);
}

static void put(struct caller *caller)
{
    uint8_t *base = caller->raw.own.base;
    raw_put(&caller->raw, base + KN_RING_AT, KN_LINK_SLOTS, base + KN_POOL_AT, KN_CHUNK_SIZE,
            KN_LINK_CHUNKS);
}

static void nearly_right(void *liar)
{
    struct caller *caller = liar;
    if (greet(caller))
        for (int i = 0; i < 400 && nudge(caller); i++)
            put(caller);
}

/* Messages, while the words that say what was read and held change all the time. */
static void cursor_and_holds(void *liar)
{
    struct caller *caller = liar;
    if (!greet(caller))
        return;
    struct kn_control_page *page = (void *)caller->raw.own.base;
    for (int i = 0; i < 400 && nudge(caller); i++) {
        put(caller);
        atomic_store(&page->cursor,
                     raw_draw(&caller->raw, 2) ? raw_edge(&caller->raw) : caller->raw.pos);
        atomic_store(&page->holds[i % KN_HOLDS], (uint32_t)raw_edge(&caller->raw));
        atomic_store(&page->parked, raw_edge(&caller->raw));
        atomic_store(&page->bell, (uint32_t)raw_edge(&caller->raw));
    }
}

static bool subscribe(struct caller *caller, uint64_t feature, uint64_t entry)
{
    struct kn_control control;
    int fds[RAW_FDS];
    size_t count = 0;
    bool answered = say(caller, KN_SUBSCRIBE, feature, entry, 0) &&
                    raw_receive(&caller->raw, &control, fds, &count);
    raw_close_all(fds, count);
    return answered && say(caller, KN_LISTENING, entry, 0, 0);
}

static void subscriber(void *liar)
{
    struct caller *caller = liar;
    if (!greet(caller))
        return;
    struct kn_control_page *page = (void *)caller->raw.own.base;
    for (uint64_t entry = 0; entry < 3 && subscribe(caller, 4 + entry, entry); entry++)
        ;
    for (int i = 0; i < 100 && !raw_hung_up(&caller->raw, 1); i++) {
        struct kn_reader_words *words = &page->readers[raw_draw(&caller->raw, 3)];
        atomic_store(&words->cursor, raw_draw(&caller->raw, 200));
        atomic_store(&words->holds[i % KN_HOLDS], (uint32_t)raw_draw(&caller->raw, 40));
    }
}

/* Has read what was never written. */
static void ahead(void *liar)
{
    struct caller *caller = liar;
    if (!greet(caller))
        return;
    struct kn_control_page *page = (void *)caller->raw.own.base;
    for (uint64_t entry = 0; entry < 3 && subscribe(caller, 4 + entry, entry); entry++)
        atomic_store(&page->readers[entry].cursor, UINT64_MAX - raw_draw(&caller->raw, 1000));
    must_be_hung_up_on(caller);
}

/* Reads nothing, holds everything. */
static void greedy(void *liar)
{
    struct caller *caller = liar;
    if (!greet(caller) || !subscribe(caller, LARGE_EVENT, 0))
        return;
    struct kn_control_page *page = (void *)caller->raw.own.base;
    for (uint32_t i = 0; i < KN_HOLDS; i++)
        atomic_store(&page->readers[0].holds[i], i + 1);
    (void)raw_hung_up(&caller->raw, 1000);
}

static void garbage_before(void *liar)
{
    struct caller *caller = liar;
    for (int i = 0; i < 40; i++) {
        if (!dial(caller))
            return;
        for (int j = 0; j < 4 && raw_send_garbage(&caller->raw); j++)
            ;
        close(caller->raw.fd);
    }
}

static void garbage_after(void *liar)
{
    struct caller *caller = liar;
    if (greet(caller))
        for (int i = 0; i < 300 && raw_send_garbage(&caller->raw); i++)
            ;
}

static void two_hellos(void *liar)
{
    struct caller *caller = liar;
    int fds[RAW_FDS];
    if (get_descriptors(caller, fds) && say_hello(caller) && say(caller, KN_READY, 0, 0, 0))
        must_be_hung_up_on(caller);
}

/* READY for a segment that is not sealed, is sparse, or is too open. */
static void not_sealed(void *liar)
{
    struct caller *caller = liar;
    static const int seals[] = {0, F_SEAL_SEAL, F_SEAL_FUTURE_WRITE,
                                F_SEAL_FUTURE_WRITE | F_SEAL_SEAL};
    int fds[RAW_FDS];
    if (!get_descriptors(caller, fds))
        return;
    uint64_t which = raw_draw(&caller->raw, 4);
    if (which < 3)
        (void)!fallocate(fds[1], 0, 0, KN_LINK_SEGMENT);
    (void)fcntl(fds[1], F_ADD_SEALS, seals[which]);
    (void)say(caller, KN_READY, 0, 0, 0);
    must_be_hung_up_on(caller);
}

static void silent(void *liar)
{
    struct caller *caller = liar;
    for (int i = 0; i < SILENT && dial(caller); i++)
        if (i % 2)
            (void)say_hello(caller);
    (void)raw_hung_up(&caller->raw, 100);
}

static void subscribe_and_leave(void *liar)
{
    struct caller *caller = liar;
    if (!greet(caller))
        return;
    for (int i = 0; i < 200; i++)
        if (!say(caller, KN_SUBSCRIBE + (uint32_t)raw_draw(&caller->raw, 4) % 4,
                 raw_draw(&caller->raw, 2) ? 4 + raw_draw(&caller->raw, 3) : raw_edge(&caller->raw),
                 raw_draw(&caller->raw, 30), 0))
            return;
}

const struct lie caller_lies[] = {
    {"scribbles all over its segment", scribble},
    {"sends messages that are nearly right", nearly_right},
    {"lies about what it read and holds", cursor_and_holds},
    {"lies about what it read and holds of events", subscriber},
    {"has read what was never written", ahead},
    {"reads nothing and holds everything", greedy},
    {"talks garbage in place of a greeting", garbage_before},
    {"talks garbage after the greeting", garbage_after},
    {"greets twice", two_hellos},
    {"is ready with a segment that is not sealed", not_sealed},
    {"is silent", silent},
    {"subscribes and leaves in any order", subscribe_and_leave},
};
const unsigned caller_lie_count = sizeof caller_lies / sizeof *caller_lies;

pid_t liar_call(const char *dir, const struct lie *lie, uint64_t seed)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    struct caller caller = {{.fd = -1, .random = seed * 2 + 1, .kind = KN_CALL}, dir};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!geteuid() && (setgid(NOBODY) || setuid(NOBODY)))
        _exit(8);
    alarm(20);
    lie->tell(&caller);
    _exit(0);
}
