/* SPDX-License-Identifier: MIT
 *
 * Peers that lie about further memory. A lie ends the liar's link and nothing else.
 */
#include "node/control.h"
#include "node/internal.h"
#include "node/test-echo.h"
#include "node/test-server.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { MIB = 1 << 20, ROOT = 16 };

struct pair {
    struct echo echo;
    struct koine_node *node, *liar;
    struct koine_ref *ref, *lying;
};

static struct koine_ref *open_ref(struct koine_node *node, const char *name)
{
    struct koine_ref *ref;
    assert_int_equal(koine_ref_open(&ref, node, name, &wire_Echo, 0), 0);
    return ref;
}

static int begin(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);
    test_make_dir();
    pair->echo = echo_start(NULL);
    pair->node = test_node();
    pair->liar = test_node();
    pair->ref = open_ref(pair->node, "wire/echo");
    *state = pair;
    return 0;
}

static int end(void **state)
{
    struct pair *pair = *state;
    koine_node_close(pair->node);
    koine_node_close(pair->liar);
    echo_stop(&pair->echo);
    test_remove_dir();
    free(pair);
    return 0;
}

static int echo(struct koine_ref *ref, uint32_t size)
{
    uint8_t *data = test_data(size, 1);
    struct koine_octets in = {{data}, size, 0}, out;
    int rc = wire_Echo_echo(&out, ref, &in);
    if (!rc && (out.length != size || memcmp(out.ptr, data, size)))
        rc = 1;
    free(data);
    return rc;
}

static uint64_t protocol_errors(const struct pair *pair)
{
    struct echo_report report;
    echo_report(&report, &pair->echo);
    return report.protocol_errors;
}

/* A fresh link of a caller who will lie. */
static struct kn_link *lying_link(struct pair *pair)
{
    uint32_t noted;
    koine_ref_close(pair->lying);
    pair->lying = open_ref(pair->liar, "wire/echo");
    assert_int_equal(wire_Echo_noted(&noted, pair->lying), 0);
    return pair->lying->link;
}

/* The link goes down, and everybody else is served as before. */
static void is_hung_up(struct pair *pair, uint64_t errors)
{
    int64_t deadline = kn_now() + 10 * KOINE_SECOND;
    while (protocol_errors(pair) == errors && kn_now() < deadline)
        ;
    assert_int_equal(protocol_errors(pair), errors + 1);
    while (pair->lying->link && kn_now() < deadline)
        assert_true(koine_node_process(pair->liar, 10 * KOINE_MILLISECOND) >= 0);
    assert_null(pair->lying->link);
    assert_int_equal(echo(pair->ref, MIB - ROOT), 0);
}

/* ---------------------------------------------------------------- callers */

static void send_slot(struct kn_link *link, uint8_t kind, uint32_t length, uint32_t ref)
{
    uint64_t words[KN_HEAD_MAX / 8];
    struct kn_head head = {.kind = kind, .member = wire_Echo_echo_index, .serial = 9999};
    kn_head_write(words, &head);
    kn_copy_out(kn_ring_slot(&link->ring_out)->payload, words, kn_head_size(&head));
    kn_ring_publish(&link->ring_out, length, ref);
    if (kn_wake_look(&link->wake, true))
        (void)send(link->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static const struct {
    uint32_t ref, length;
    bool made; /* after the link's megabyte pool was made */
} slots[] = {
    {1u << 16 | 1, 100000, false}, {3u << 16 | 1, 100000, false}, {4u << 16 | 1, 100000, false},
    {0xffffffff, 100000, false},   {1u << 16 | 5, 100000, true},  {1u << 16, 100000, true},
    {1u << 16 | 1, MIB + 1, true}, {2u << 16 | 1, 100000, true},  {1, 65537, false},
};

static void slots_that_name_what_is_not_there_end_the_link(void **state)
{
    struct pair *pair = *state;
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        struct kn_link *link = lying_link(pair);
        uint64_t errors = protocol_errors(pair);
        if (slots[i].made)
            assert_int_equal(echo(pair->lying, MIB - ROOT), 0);
        send_slot(link, KN_CALL, slots[i].length, slots[i].ref);
        is_hung_up(pair, errors);
    }
}

/* What stands in the chunk is checked like every body. */
static void a_large_body_that_is_no_value_is_refused(void **state)
{
    struct pair *pair = *state;
    struct kn_link *link = lying_link(pair);
    assert_int_equal(echo(pair->lying, MIB - ROOT), 0);
    uint64_t errors = protocol_errors(pair);
    uint8_t *chunk = link->rooms[1].pool.base;
    struct koine_octets lie = {{.offset = ROOT}, 2 * MIB, 0};
    memcpy(chunk, &lie, sizeof lie);
    send_slot(link, KN_CALL, MIB, 1u << 16 | 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(echo(pair->lying, 1000), 0);
    assert_int_equal(protocol_errors(pair), errors);
    struct echo_report before, after;
    echo_report(&before, &pair->echo);
    assert_int_equal(echo(pair->lying, MIB - ROOT), 0);
    echo_report(&after, &pair->echo);
    assert_int_equal(after.calls, before.calls + 1);
}

static void tell(struct kn_link *link, uint32_t type, uint64_t id)
{
    struct kn_control control = {.type = type, .value = {id}};
    assert_int_equal(kn_control_send(link, &control, NULL, 0), 0);
}

static const struct {
    uint32_t type[2];
    uint64_t id[2];
} orders[] = {
    {{KN_MORE}, {0}},
    {{KN_MORE}, {KN_POOLS}},
    {{KN_MORE}, {UINT64_MAX}},
    {{KN_MORE, KN_MORE}, {1, 1}},
    {{KN_FILLED}, {1}},
    {{KN_FILLED}, {UINT64_MAX}},
    {{KN_MORE, KN_FILLED}, {1, 1}}, /* neither reserved nor sealed */
    {{KN_ROOM}, {1}},
    {{KN_POOL}, {0}},
    {{KN_POOL}, {1}},
};

static void callers_that_break_the_order_are_hung_up(void **state)
{
    struct pair *pair = *state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct kn_link *link = lying_link(pair);
        uint64_t errors = protocol_errors(pair);
        for (int k = 0; k < 2 && orders[i].type[k]; k++)
            tell(link, orders[i].type[k], orders[i].id[k]);
        is_hung_up(pair, errors);
    }
}

/* A slot may not name memory that was promised and not made, even while the promise stands. */
static void memory_is_not_read_before_it_is_sealed(void **state)
{
    struct pair *pair = *state;
    struct kn_link *link = lying_link(pair);
    uint64_t errors = protocol_errors(pair);
    tell(link, KN_MORE, 1);
    send_slot(link, KN_CALL, 100000, 1u << 16 | 1);
    is_hung_up(pair, errors);
}

/* Says that it holds every chunk, for ever: its answers wait, its deadline passes, and nobody else. */
static void who_holds_all_answers_gets_no_more(void **state)
{
    struct pair *pair = *state;
    struct kn_link *link = lying_link(pair);
    const struct wire_Echo_make_out *out;
    struct wire_Echo_make_in in = {MIB - ROOT};
    struct kn_control_page *page = (void *)link->out.base;
    for (uint32_t i = 0; i < 4; i++)
        atomic_store(&page->holds[KN_HOLDS - 1 - i], 1u << 16 | (i + 1));
    for (int i = 0; i < 4; i++)
        assert_int_equal(wire_Echo_make_call(&out, pair->lying, &in, KOINE_SECOND), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(wire_Echo_make_call(&out, pair->lying, &in, 20 * KOINE_MILLISECOND),
                         KOINE_EDEADLINE);
    assert_int_equal(echo(pair->ref, MIB - ROOT), 0);
    for (uint32_t i = 0; i < 4; i++)
        atomic_store(&page->holds[KN_HOLDS - 1 - i], 0);
    assert_int_equal(wire_Echo_make_call(&out, pair->lying, &in, 0), 0);
    assert_true(test_is_data(out->return_.ptr, MIB - ROOT, MIB - ROOT));
}

/* ---------------------------------------------------------------- services */

enum lie {
    UNKNOWN_POOL,
    WRONG_NUMBER,
    WRONG_LENGTH,
    POOL_OF_WRONG_SHAPE,
    POOL_UNSEALED,
    POOL_WITHOUT_DESCRIPTOR,
    POOL_TWICE,
    ROOM_UNASKED,
    TWO_DESCRIPTORS,
    ROOM_IS_NO_MEMORY,
    POOL_FOR_NOBODY,
    LIES
};

static void reply(struct kn_link *link, uint64_t serial, uint32_t length, uint32_t ref)
{
    uint64_t words[KN_HEAD_MAX / 8];
    struct kn_head head = {.kind = KN_REPLY, .member = wire_Echo_make_index, .serial = serial};
    kn_head_write(words, &head);
    kn_copy_out(kn_ring_slot(&link->ring_out)->payload, words, kn_head_size(&head));
    kn_ring_publish(&link->ring_out, length, ref);
    if (kn_wake_look(&link->wake, true))
        (void)send(link->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_fds(struct kn_link *link, struct kn_control control, size_t count)
{
    int fds[2] = {memfd_create("lie", MFD_CLOEXEC), memfd_create("lie", MFD_CLOEXEC)};
    (void)kn_control_send(link, &control, fds, count);
    close(fds[0]);
    close(fds[1]);
}

static void lie_by_socket(struct kn_link *link, enum lie lie)
{
    struct kn_control pool = {.type = KN_POOL, .value = {0, 1, MIB, 4, 4 * MIB}};
    struct kn_control room = {.type = KN_ROOM, .value = {1, 4 * MIB}};
    if (lie == POOL_OF_WRONG_SHAPE)
        pool.value[2] = 2 * MIB;
    if (lie == POOL_FOR_NOBODY)
        pool.value[0] = 1;
    bool about_room = lie == ROOM_UNASKED || lie == ROOM_IS_NO_MEMORY;
    size_t count = lie == POOL_WITHOUT_DESCRIPTOR ? 0 : lie == TWO_DESCRIPTORS ? 2 : 1;
    send_fds(link, about_room ? room : pool, count);
}

struct liar {
    struct koine_node *node;
    struct koine_service *service;
    enum lie lie;
};

static int lie_to(void *self, struct koine_request *request)
{
    struct liar *liar = self;
    struct kn_link *link = request->link;
    static const uint32_t refs[][2] = {
        {100000, 2u << 16 | 1}, {100000, 1u << 16 | 9}, {MIB + 1, 1u << 16 | 1}};
    uint32_t ref;
    void *chunk;
    if (liar->lie == WRONG_NUMBER || liar->lie == WRONG_LENGTH || liar->lie == POOL_TWICE)
        (void)kn_link_take(&ref, &chunk, link, MIB);
    if (liar->lie < POOL_OF_WRONG_SHAPE)
        reply(link, request->serial, refs[liar->lie][0], refs[liar->lie][1]);
    else
        lie_by_socket(link, liar->lie);
    return KOINE_PENDING;
}

static void serve_lies(int ready)
{
    struct liar liar = {.node = test_node()};
    if (koine_service_open_generic(&liar.service, liar.node, "wire/liar", wire_Echo.interface,
                                   lie_to, &liar, NULL))
        _exit(1);
    if (write(ready, "k", 1) != 1)
        _exit(2);
    for (;;) {
        uint64_t calls = liar.service->counts.calls;
        if (koine_node_process(liar.node, KOINE_FOREVER) < 0)
            _exit(3);
        if (liar.service->counts.calls != calls)
            liar.lie = (enum lie)(liar.service->counts.calls % LIES);
    }
}

static void services_that_lie_lose_their_callers(void **state)
{
    struct pair *pair = *state;
    int gate[2], fds, maps, status;
    char octet;
    assert_int_equal(pipe(gate), 0);
    pid_t pid = fork();
    if (!pid)
        serve_lies(gate[1]);
    assert_int_equal(read(gate[0], &octet, 1), 1);
    fds = test_fds();
    maps = test_maps();
    for (int lie = 0; lie < LIES; lie++) {
        const struct wire_Echo_make_out *out;
        struct wire_Echo_make_in in = {100};
        struct koine_ref *ref = open_ref(pair->node, "wire/liar");
        ref->link->rooms[1].asked = lie == ROOM_IS_NO_MEMORY;
        int64_t timeout =
            lie == POOL_WITHOUT_DESCRIPTOR || lie == POOL_FOR_NOBODY ? 50 * KOINE_MILLISECOND : 0;
        assert_int_equal(wire_Echo_make_call(&out, ref, &in, timeout),
                         timeout ? KOINE_EDEADLINE : KOINE_EDOWN);
        koine_ref_close(ref);
        (void)koine_node_process(pair->node, 0);
        assert_int_equal(test_fds(), fds);
        assert_int_equal(test_maps(), maps);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    close(gate[0]);
    close(gate[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(slots_that_name_what_is_not_there_end_the_link),
        TEST(a_large_body_that_is_no_value_is_refused),
        TEST(callers_that_break_the_order_are_hung_up),
        TEST(memory_is_not_read_before_it_is_sealed),
        TEST(who_holds_all_answers_gets_no_more),
        TEST(services_that_lie_lose_their_callers),
    };
    return cmocka_run_group_tests_name("lies", tests, NULL, NULL);
}
