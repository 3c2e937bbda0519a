/* SPDX-License-Identifier: MIT */
#include "raw.h"

#include "node/head.h"
#include "plane/layout.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

uint64_t raw_draw(struct raw *raw, uint64_t below)
{
    raw->random ^= raw->random << 13;
    raw->random ^= raw->random >> 7;
    raw->random ^= raw->random << 17;
    return raw->random % below;
}

uint64_t raw_edge(struct raw *raw)
{
    static const uint64_t edges[] = {
        0,     1,     2,          7,          8,          16,         63,         64,
        112,   113,   127,        128,        4095,       4096,       65535,      65536,
        65537, 65608, UINT32_MAX, 1ull << 31, 1ull << 32, 1ull << 63, UINT64_MAX, UINT64_MAX - 7,
    };
    switch (raw_draw(raw, 4)) {
    case 0:
        return raw->random;
    case 1:
        return raw_draw(raw, 256);
    default:
        return edges[raw_draw(raw, sizeof edges / sizeof *edges)];
    }
}

bool raw_send(struct raw *raw, const void *octets, size_t length, const int *fds, size_t count)
{
    union {
        char octets[CMSG_SPACE(RAW_FDS * sizeof(int))];
        struct cmsghdr head;
    } ancillary = {0};
    struct iovec part = {(void *)octets, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        message.msg_control = ancillary.octets;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        ancillary.head = (struct cmsghdr){CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&ancillary.head), fds, count * sizeof(int));
    }
    return sendmsg(raw->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length;
}

bool raw_receive(struct raw *raw, struct kn_control *control, int fds[RAW_FDS], size_t *countp)
{
    union {
        char octets[CMSG_SPACE(RAW_FDS * sizeof(int)) + 64];
        struct cmsghdr head;
    } ancillary;
    struct iovec part = {control, sizeof *control};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = ancillary.octets,
                             .msg_controllen = sizeof ancillary.octets};
    struct pollfd polled = {.fd = raw->fd, .events = POLLIN};
    *countp = 0;
    if (poll(&polled, 1, 2000) != 1 ||
        recvmsg(raw->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) <= 0)
        return false;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        size_t length = head->cmsg_len - CMSG_LEN(0);
        if (head->cmsg_type != SCM_RIGHTS || length > RAW_FDS * sizeof(int))
            continue;
        memcpy(fds, CMSG_DATA(head), length);
        *countp = length / sizeof(int);
    }
    return true;
}

void raw_close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

bool raw_hung_up(struct raw *raw, int milliseconds)
{
    struct pollfd polled = {.fd = raw->fd, .events = 0};
    return poll(&polled, 1, milliseconds) == 1;
}

static int memory(size_t size, bool reserve, int seals)
{
    int fd = memfd_create("lie", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)size) || (reserve && fallocate(fd, 0, 0, (off_t)size)))
        return fd;
    (void)fcntl(fd, F_ADD_SEALS, seals);
    return fd;
}

int raw_descriptor(struct raw *raw, uint64_t which)
{
    int pair[2] = {-1, -1}, all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
    switch (which % RAW_LIES) {
    case 0:
        if (pipe2(pair, O_CLOEXEC))
            return -1;
        break;
    case 1:
        return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    case 2:
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
            return -1;
        break;
    case 3:
        return open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    case 4:
        return memory(KN_LINK_SEGMENT, true, 0);
    case 5:
        return memory(KN_LINK_SEGMENT, false, all);
    case 6:
        return memory(raw_draw(raw, 2) ? 4096 : KN_LINK_SEGMENT + 4096, true, all);
    default:
        return memory(KN_LINK_SEGMENT, true, all & ~(1 << raw_draw(raw, 5)));
    }
    close(pair[1]);
    return pair[0];
}

bool raw_send_garbage(struct raw *raw)
{
    uint64_t words[32] = {0};
    struct kn_control control = {(uint32_t)raw_draw(raw, 10), (int32_t)raw_draw(raw, 3), {0}};
    int fds[RAW_FDS] = {-1, -1, -1, -1};
    size_t count = raw_draw(raw, 3) ? 0 : raw_draw(raw, RAW_FDS) + 1, length = sizeof control;
    for (int i = 0; i < 6; i++)
        control.value[i] = raw_edge(raw);
    if (!raw_draw(raw, 4)) {
        control.value[0] = KN_MAGIC;
        control.value[1] = raw_draw(raw, 2);
        control.value[2] = raw_draw(raw, 2);
    }
    memcpy(words, &control, sizeof control);
    if (!raw_draw(raw, 5))
        length = raw_draw(raw, sizeof words) + 1;
    for (size_t i = 0; i < count; i++)
        fds[i] = raw_descriptor(raw, raw_draw(raw, RAW_LIES));
    bool sent = raw_send(raw, words, length, fds, count);
    raw_close_all(fds, count);
    return sent;
}

void raw_scribble(struct raw *raw, void *base, size_t size, unsigned count)
{
    _Atomic uint64_t *words = base;
    for (unsigned i = 0; i < count; i++) {
        size_t at = raw_draw(raw, 2) ? raw_draw(raw, 512) : raw_draw(raw, size / 8);
        atomic_store_explicit(&words[at], raw_edge(raw), memory_order_relaxed);
    }
}

static void fill_chunk(struct raw *raw, uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        words[i] = raw_draw(raw, 3) ? raw_draw(raw, 24) * 8 : raw_edge(raw);
}

void raw_put(struct raw *raw, void *slots, uint32_t count, void *pool, uint32_t chunk_size,
             uint32_t chunks)
{
    struct kn_slot *slot = &((struct kn_slot *)slots)[raw->pos & (count - 1)];
    struct kn_head head = {.kind = raw_draw(raw, 8) ? raw->kind : (uint8_t)raw_draw(raw, 10),
                           .flags = (uint8_t)raw_draw(raw, 3),
                           .present = raw_draw(raw, 8) ? 0 : (uint16_t)raw_draw(raw, 3),
                           .member = (uint32_t)raw_draw(raw, 9),
                           .serial = raw_draw(raw, 40),
                           .remaining = (int64_t)raw_edge(raw)};
    uint64_t length = raw_draw(raw, 4) ? raw_draw(raw, 120) : raw_edge(raw), ref = 0;
    fill_chunk(raw, slot->payload, KN_SLOT_ROOM / 8);
    memcpy(slot->payload, &head, raw_draw(raw, 8) ? KN_HEAD_SIZE : 8);
    if (!raw_draw(raw, 3)) {
        ref = raw_draw(raw, 4) ? raw_draw(raw, chunks + 2) : raw_edge(raw);
        length = raw_draw(raw, 3) ? raw_draw(raw, chunk_size + 9) : raw_edge(raw);
        if (ref && ref <= chunks)
            fill_chunk(raw, (uint64_t *)((uint8_t *)pool + (ref - 1) * chunk_size), 64);
    }
    atomic_store_explicit(&slot->shape, (uint32_t)length | ref << 32, memory_order_relaxed);
    atomic_store_explicit(&slot->stamp, ++raw->pos, memory_order_release);
}
