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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_peer_that_hung_up_and_writes_on_is_let_go, begin, end),
    };
    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
