/* SPDX-License-Identifier: MIT */
#include "daemon/letter.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

union ancillary {
    char octets[CMSG_SPACE(sizeof(int))];
    struct cmsghdr head;
};

int kn_letter_send(int fd, const struct kn_letter *letter, int passed)
{
    union ancillary ancillary = {{0}};
    struct iovec part = {(void *)letter, sizeof *letter};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (passed >= 0) {
        message.msg_control = ancillary.octets;
        message.msg_controllen = sizeof ancillary.octets;
        ancillary.head = (struct cmsghdr){CMSG_LEN(sizeof passed), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&ancillary.head), &passed, sizeof passed);
    }
    ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent == (ssize_t)sizeof *letter ? 0 : KOINE_EDOWN;
}

static int passed_with(struct msghdr *message)
{
    int passed = -1;
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
        head->cmsg_len == CMSG_LEN(sizeof passed))
        memcpy(&passed, CMSG_DATA(head), sizeof passed);
    return passed;
}

int kn_letter_receive(struct kn_letter *letter, int *passedp, int fd)
{
    union ancillary ancillary;
    struct iovec part = {letter, sizeof *letter};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (passedp) {
        message.msg_control = ancillary.octets;
        message.msg_controllen = sizeof ancillary.octets;
    }
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0)
        return errno == EAGAIN || errno == EINTR ? KOINE_EAGAIN : KOINE_EDOWN;
    if (passedp)
        *passedp = passed_with(&message);
    letter->text[sizeof letter->text - 1] = '\0';
    if (length == (ssize_t)sizeof *letter && !(message.msg_flags & MSG_TRUNC))
        return 0;
    if (passedp && *passedp >= 0)
        close(*passedp);
    return length ? KOINE_EPROTOCOL : KOINE_EDOWN;
}
