/* SPDX-License-Identifier: MIT
 *
 * Whether the other end of a connection is gone. A peer that writes no more may be waiting for its
 * answers (shutdown) or may be dead, and TCP says the same of both. A unix socket tells them apart; of
 * loopback TCP the kernel is asked whether a process still holds the other end (sock_diag: the socket
 * of nobody has no inode). From another machine only an error at sending tells.
 */
#include "runtime/internal.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

struct request {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

static bool has_hung_up(int fd)
{
    struct pollfd polled = {.fd = fd};
    return poll(&polled, 1, 0) == 1 && (polled.revents & (POLLHUP | POLLERR));
}

static void put(void *to, uint16_t *port, const union address *address)
{
    if (address->any.sa_family == AF_INET) {
        memcpy(to, &address->four.sin_addr, sizeof address->four.sin_addr);
        *port = address->four.sin_port;
    } else {
        memcpy(to, &address->six.sin6_addr, sizeof address->six.sin6_addr);
        *port = address->six.sin6_port;
    }
}

/* Asks for the socket whose own address is `peer` and whose peer is `own`. */
static bool ask(int netlink, const union address *own, const union address *peer)
{
    struct request request = {
        .head = {.nlmsg_len = sizeof request,
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = (uint8_t)own->any.sa_family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = UINT32_MAX,
                 .id.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
    };
    put(request.body.id.idiag_src, &request.body.id.idiag_sport, peer);
    put(request.body.id.idiag_dst, &request.body.id.idiag_dport, own);
    char stale[64];
    while (recv(netlink, stale, sizeof stale, MSG_DONTWAIT) >= 0)
        ; /* nobody took it then */
    return send(netlink, &request, sizeof request, MSG_DONTWAIT) == (ssize_t)sizeof request;
}

/* The kernel answers at once, or not at all. */
static bool is_held_by_nobody(int netlink)
{
    union {
        struct nlmsghdr head;
        char octets[1024];
    } answer;
    ssize_t length = recv(netlink, &answer, sizeof answer, MSG_DONTWAIT);
    if (length < (ssize_t)sizeof answer.head)
        return false;
    if (answer.head.nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = NLMSG_DATA(&answer.head);
        return length >= (ssize_t)NLMSG_LENGTH(sizeof *error) && error->error == -ENOENT;
    }
    const struct inet_diag_msg *found = NLMSG_DATA(&answer.head);
    return answer.head.nlmsg_type == SOCK_DIAG_BY_FAMILY &&
           length >= (ssize_t)NLMSG_LENGTH(sizeof *found) && !found->idiag_inode;
}

static bool is_loopback(const union address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohl(address->four.sin_addr.s_addr) >> 24 == 127;
    return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->six.sin6_addr);
}

int kn_gone_open(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

bool kn_peer_is_gone(int netlink, int fd)
{
    union address own, peer;
    socklen_t own_length = sizeof own, peer_length = sizeof peer;
    if (has_hung_up(fd))
        return true;
    if (getsockname(fd, &own.any, &own_length) || getpeername(fd, &peer.any, &peer_length) ||
        !is_loopback(&own) || !is_loopback(&peer))
        return false;
    return netlink >= 0 && ask(netlink, &own, &peer) && is_held_by_nobody(netlink);
}
