/* SPDX-License-Identifier: MIT
 *
 * Peers that keep to no rule, in this process. The fuzz targets `serve` and `call` say everything; here
 * is what needs a peer that acts while it is being read.
 */
#include "node/control.h"
#include "node/internal.h"
#include "node/test-server.h"

#include "thermostat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* A node that has messages looks at its sockets every 128 turns: until then it may read. */
enum { BEFORE_IT_IS_SEEN = 130 * KN_LINK_SLOTS, ENOUGH = 4 * BEFORE_IT_IS_SEEN };

struct liar {
    struct koine_node *node;
    struct koine_service *service;
    struct kn_segment own, peer;
    int fd;
    uint64_t pos, served;
    int64_t pause;
};

static void publish_call(struct liar *liar)
{
    uint64_t words[KN_HEAD_MAX / 8] = {0};
    struct kn_head head = {.kind = KN_CALL, .flags = KN_FLAG_ONEWAY, .member = 2};
    struct kn_slot *slots = (void *)(liar->own.base + KN_RING_AT);
    struct kn_slot *slot = &slots[liar->pos % KN_LINK_SLOTS];
    kn_head_write(words, &head);
    kn_copy_out(slot->payload, words, KN_HEAD_SIZE);
    atomic_store(&slot->shape, KN_HEAD_SIZE);
    atomic_store(&slot->stamp, ++liar->pos);
}

/* Each message that is handled is followed by another. */
static int handle(void *self, struct koine_request *request)
{
    struct liar *liar = self;
    for (int64_t until = koine_now() + liar->pause; liar->pause && koine_now() < until;)
        ;
    if (++liar->served < ENOUGH)
        publish_call(liar);
    return koine_request_fault(request, KOINE_FAULT_UNIMPLEMENTED, "");
}

static void receive_segments(struct liar *liar)
{
    union {
        char octets[CMSG_SPACE(2 * sizeof(int)) + 64];
        struct cmsghdr head;
    } ancillary;
    struct kn_control welcome;
    struct iovec part = {&welcome, sizeof welcome};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = ancillary.octets,
                             .msg_controllen = sizeof ancillary.octets};
    int fds[2];
    assert_int_equal(recvmsg(liar->fd, &message, 0), sizeof welcome);
    assert_int_equal(CMSG_FIRSTHDR(&message)->cmsg_type, SCM_RIGHTS);
    memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fds);
    assert_int_equal(kn_segment_adopt(&liar->peer, fds[0], KN_LINK_SEGMENT), 0);
    assert_int_equal(kn_segment_accept(&liar->own, fds[1], KN_LINK_SEGMENT), 0);
}

static void settle(struct liar *liar)
{
    while (koine_node_process(liar->node, 0) > 0)
        ;
}

static void greet(struct liar *liar)
{
    struct kn_control hello = {.type = KN_HELLO, .value = {KN_MAGIC, KN_MINOR, 0}};
    struct kn_control ready = {.type = KN_READY};
    uid_t owner;
    assert_int_equal(kn_name_connect(&liar->fd, &owner, test_dir, "victim", NULL), 0);
    assert_int_equal(send(liar->fd, &hello, sizeof hello, 0), sizeof hello);
    settle(liar);
    receive_segments(liar);
    assert_int_equal(send(liar->fd, &ready, sizeof ready, 0), sizeof ready);
    settle(liar);
}

static int begin(void **state)
{
    struct liar *liar = calloc(1, sizeof *liar);
    test_make_dir();
    liar->node = test_node();
    assert_int_equal(koine_service_open_generic(&liar->service, liar->node, "victim",
                                                demo_Thermostat.interface, handle, liar, NULL),
                     0);
    greet(liar);
    *state = liar;
    return 0;
}

static int end(void **state)
{
    struct liar *liar = *state;
    koine_node_close(liar->node);
    kn_segment_deinit(&liar->own);
    kn_segment_deinit(&liar->peer);
    free(liar);
    test_remove_dir();
    return 0;
}

static void a_peer_that_hung_up_and_writes_on_is_let_go(void **state)
{
    struct liar *liar = *state;
    publish_call(liar);
    close(liar->fd);
    for (int i = 0; i < ENOUGH && koine_service_links(liar->service); i++)
        assert_true(koine_node_process(liar->node, KOINE_SECOND) >= 0);
    assert_int_equal(koine_service_links(liar->service), 0);
    assert_in_range(liar->served, 1, BEFORE_IT_IS_SEEN);
}

/* A caller that always has one more call for the node that waits. */
static void who_calls_without_end_delays_no_deadline(void **state)
{
    struct liar *liar = *state;
    struct koine_ref *ref;
    struct kn_name_claim claim;
    int listener;
    assert_int_equal(kn_name_take(&claim, &listener, test_dir, "silent", 0600, NULL), 0);
    publish_call(liar);
    assert_int_equal(
        koine_ref_open(&ref, liar->node, "silent", &demo_Thermostat, 10 * KOINE_MILLISECOND),
        KOINE_EDEADLINE);
    assert_in_range(liar->served, 1, ENOUGH - 1);
    close(listener);
    kn_name_give(&claim);
}

enum { SLOW_CALLS = 50 };

static void note_due(void *arg)
{
    *(int64_t *)arg = koine_now();
}

/* Nor a timer, by more than a few of its calls; the handler here takes its time. */
static void slow_calls_without_end_delay_no_timer(void **state)
{
    struct liar *liar = *state;
    struct koine_timer *timer;
    int64_t due = 0;
    assert_int_equal(koine_timer_open(&timer, liar->node, note_due, &due), 0);
    koine_timer_set(timer, koine_now() + 5 * KOINE_MILLISECOND);
    liar->pause = KOINE_MILLISECOND;
    publish_call(liar);
    while (!due && liar->served < SLOW_CALLS)
        assert_true(koine_node_process(liar->node, KOINE_SECOND) >= 0);
    assert_true(due);
    assert_in_range(liar->served, 1, SLOW_CALLS);
    liar->served = ENOUGH;
    settle(liar);
    koine_timer_close(timer);
}

static void say(struct liar *liar, uint32_t type, uint64_t first, uint64_t second)
{
    struct kn_control control = {.type = type, .value = {first, second}};
    assert_int_equal(send(liar->fd, &control, sizeof control, 0), sizeof control);
    settle(liar);
}

/* The service looks at all cursors when somebody joins, and who joins may be another than who lies. */
static void a_cursor_that_lies_harms_nobody_who_joins(void **state)
{
    struct liar *liar = *state;
    const struct demo_Thermostat_reading reading = {.room = KOINE_TEXT("hall")};
    struct kn_control_page *page = (void *)liar->own.base;
    say(liar, KN_SUBSCRIBE, demo_Thermostat_reading_index, 0);
    say(liar, KN_LISTENING, 0, 0);
    atomic_store(&page->readers[0].cursor, UINT64_C(1) << 40);
    say(liar, KN_SUBSCRIBE, demo_Thermostat_reading_index, 1);
    assert_int_equal(koine_event_readers(liar->service, demo_Thermostat_reading_index), 2);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(demo_Thermostat_reading_publish(liar->service, &reading), 0);
    assert_int_equal(koine_event_readers(liar->service, demo_Thermostat_reading_index), 0);
    assert_int_equal(koine_service_links(liar->service), 0);
}

/* ---------------------------------------------------------------- services that lie */

struct ends {
    int count, error;
};

static void note_end(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct ends *ends = arg;
    (void)out;
    (void)fault;
    ends->count++;
    ends->error = error;
}

static void note_ready(void *arg, struct koine_ref *ref, int error)
{
    (void)ref;
    *(int *)arg = error;
}

static struct koine_ref *open_here(struct liar *liar, struct koine_node *node)
{
    struct koine_ref *ref;
    int ready = 1;
    assert_int_equal(koine_ref_start(&ref, node, "victim", &demo_Thermostat, 0, note_ready, &ready),
                     0);
    while (ready == 1) {
        settle(liar);
        assert_true(koine_node_process(node, 0) >= 0);
    }
    assert_int_equal(ready, 0);
    return ref;
}

/* Fills the ring of calls, and then the service says that it read what was never written. */
static struct koine_pending *fill_and_lie(struct liar *liar, struct koine_ref *ref,
                                          struct ends *ends, int64_t timeout)
{
    const struct demo_Thermostat_add_in in = {1, 2};
    struct koine_pending *first = NULL, *pending;
    for (int i = 0; i < KN_LINK_SLOTS; i++) {
        assert_int_equal(koine_start(&pending, ref, KOINE_REQUEST_CALL, demo_Thermostat_add_index,
                                     &in, timeout, note_end, ends),
                         0);
        first = first ? first : pending;
    }
    struct kn_link *link = KN_LIST_ENTRY(liar->service->links.prev, struct kn_link, in_service);
    struct kn_control_page *page = (void *)link->out.base;
    atomic_store(&page->cursor, UINT64_C(1) << 40);
    return first;
}

static void a_call_ends_once_when_its_cancelling_meets_a_lie(void **state)
{
    struct liar *liar = *state;
    struct koine_node *node = test_node();
    struct ends ends = {0};
    struct koine_pending *first = fill_and_lie(liar, open_here(liar, node), &ends, 0);
    assert_int_equal(koine_cancel(first), 0);
    assert_int_equal(ends.count, KN_LINK_SLOTS);
    koine_node_close(node);
    assert_int_equal(ends.count, KN_LINK_SLOTS);
}

static void a_call_ends_once_when_its_deadline_meets_a_lie(void **state)
{
    struct liar *liar = *state;
    struct koine_node *node = test_node();
    struct ends ends = {0};
    (void)fill_and_lie(liar, open_here(liar, node), &ends, KOINE_MILLISECOND);
    int64_t until = koine_now() + 10 * KOINE_SECOND;
    while (ends.count < KN_LINK_SLOTS && koine_now() < until)
        assert_true(koine_node_process(node, KOINE_MILLISECOND) >= 0);
    koine_node_close(node);
    assert_int_equal(ends.count, KN_LINK_SLOTS);
}

/* What the caller reserves and pays for is what every link has, and not what the service names. */
static void a_service_cannot_make_its_caller_reserve_more(void **state)
{
    enum { LARGE = 64 << 20 };
    struct kn_name_claim claim;
    struct kn_segment own, theirs;
    struct kn_control hello, welcome = {.type = KN_WELCOME, .value = {0, LARGE}};
    struct liar *liar = *state;
    struct koine_node *node = test_node();
    struct koine_ref *ref;
    struct stat status;
    int fds[2], listener, ready = 1;
    assert_int_equal(kn_name_take(&claim, &listener, test_dir, "large", 0600, NULL), 0);
    assert_int_equal(koine_ref_start(&ref, node, "large", NULL, 0, note_ready, &ready), 0);
    struct kn_link link = {.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)};
    assert_int_equal(recv(link.fd, &hello, sizeof hello, 0), sizeof hello);
    assert_int_equal(kn_segment_create(&own, &fds[0], KN_LINK_SEGMENT), 0);
    assert_int_equal(kn_segment_offer(&theirs, &fds[1], LARGE), 0);
    assert_int_equal(kn_control_send(&link, &welcome, fds, 2), 0);
    while (ready == 1)
        assert_true(koine_node_process(node, KOINE_MILLISECOND) >= 0);
    assert_int_equal(ready, KOINE_EDOWN);
    assert_int_equal(fstat(fds[1], &status), 0);
    assert_int_equal(status.st_blocks, 0);
    koine_node_close(node);
    kn_segment_deinit(&own);
    kn_segment_deinit(&theirs);
    close(fds[0]);
    close(fds[1]);
    close(link.fd);
    kn_name_give(&claim);
    close(listener);
    settle(liar);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_peer_that_hung_up_and_writes_on_is_let_go),
        TEST(who_calls_without_end_delays_no_deadline),
        TEST(slow_calls_without_end_delay_no_timer),
        TEST(a_cursor_that_lies_harms_nobody_who_joins),
        TEST(a_call_ends_once_when_its_cancelling_meets_a_lie),
        TEST(a_call_ends_once_when_its_deadline_meets_a_lie),
        TEST(a_service_cannot_make_its_caller_reserve_more),
    };
    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
