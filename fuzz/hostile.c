/* SPDX-License-Identifier: MIT */
#include "hostile.h"

#include "node/head.h"
#include "plane/layout.h"
#include "value/types.h"

#include <sys/socket.h>
#include <unistd.h>

static char folder[128];

static void remove_folder(void)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command))
        fprintf(stderr, "%s stays\n", folder);
}

const char *hostile_folder(void)
{
    const char *below = getenv("TMPDIR");
    if (*folder)
        return folder;
    snprintf(folder, sizeof folder, "%s/koine-fuzz.XXXXXX", below ? below : "/tmp");
    FUZZ_HOLDS(mkdtemp(folder));
    atexit(remove_folder);
    return folder;
}

/* Small numbers are the interesting ones, and those at the edges. */
static uint64_t number(struct fuzz_input *input)
{
    uint8_t how = fuzz_octet(input);
    if (how < 0xf0)
        return how;
    if (how < 0xf8)
        return fuzz_number(input, 8);
    if (how < 0xfc)
        return UINT64_MAX - (how & 3);
    return UINT64_C(1) << (fuzz_octet(input) & 63);
}

/* ---------------------------------------------------------------- the socket */

void hostile_say(struct hostile *hostile, const struct kn_control *control, const int *fds,
                 size_t count)
{
    union {
        char octets[CMSG_SPACE(HOSTILE_FDS * sizeof(int))];
        struct cmsghdr head;
    } ancillary = {0};
    struct iovec part = {(void *)control, sizeof *control};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        message.msg_control = ancillary.octets;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        ancillary.head = (struct cmsghdr){CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&ancillary.head), fds, count * sizeof(int));
    }
    (void)sendmsg(hostile->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void hostile_babble(struct hostile *hostile)
{
    struct kn_control control = {.type = fuzz_octet(&hostile->input)};
    int fds[HOSTILE_FDS];
    size_t count = fuzz_octet(&hostile->input) % (HOSTILE_FDS + 1);
    control.error = (int8_t)fuzz_octet(&hostile->input);
    for (int i = 0; i < 6; i++)
        control.value[i] = number(&hostile->input);
    for (size_t i = 0; i < count; i++)
        fds[i] = hostile->fd;
    hostile_say(hostile, &control, fds, count);
}

void hostile_noise(struct hostile *hostile)
{
    uint8_t octets[255], length = fuzz_octet(&hostile->input);
    for (int i = 0; i < length; i++)
        octets[i] = fuzz_octet(&hostile->input);
    (void)send(hostile->fd, octets, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int hostile_hear(struct hostile *hostile, struct kn_control *control, int *fds, size_t *countp)
{
    union {
        char octets[CMSG_SPACE(HOSTILE_FDS * sizeof(int)) + 64];
        struct cmsghdr head;
    } ancillary;
    struct iovec part = {control, sizeof *control};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = ancillary.octets,
                             .msg_controllen = sizeof ancillary.octets};
    *countp = 0;
    memset(control, 0, sizeof *control);
    ssize_t length = recvmsg(hostile->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    for (struct cmsghdr *head = length < 0 ? NULL : CMSG_FIRSTHDR(&message); head;
         head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        *countp = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(head), *countp * sizeof(int));
    }
    return length == (ssize_t)sizeof *control;
}

/* ---------------------------------------------------------------- the segments */

/* A message's words: head, then zeros of the member's type, spoilt. */
static size_t compose(struct hostile *hostile, const struct koine_interface *interface,
                      uint64_t *words)
{
    struct fuzz_input *input = &hostile->input;
    struct kn_head head = {.kind = fuzz_octet(input)};
    uint8_t spoilt = fuzz_octet(input);
    head.flags = fuzz_octet(input);
    head.present = spoilt & 1;
    head.member = fuzz_octet(input);
    head.serial = number(input);
    head.remaining = (int64_t)number(input);
    if (head.kind >= 0xf0)
        head.present = 0xffff;
    const struct koine_type *type = NULL;
    if (head.member < interface->features.length)
        type = head.kind == KN_REPLY || head.kind == KN_EVENT || head.kind == KN_SET
                   ? kn_feature_out(interface, head.member)
                   : kn_feature_in(interface, head.member);
    size_t at = kn_head_size(&head), size = at + (type ? type->size : 8);
    size = size < KN_SLOT_ROOM ? size : KN_SLOT_ROOM;
    kn_head_write(words, &head);
    for (int i = 0; i < spoilt >> 4; i++) {
        size_t where = fuzz_octet(input) % KN_SLOT_ROOM;
        ((uint8_t *)words)[where] = fuzz_octet(input);
    }
    return spoilt & 2 ? fuzz_octet(input) : size;
}

void hostile_publish(struct hostile *hostile, const struct koine_interface *interface, int topic)
{
    const struct kn_segment *segment = topic ? &hostile->topic : &hostile->own;
    uint64_t *posp = topic ? &hostile->topic_pos : &hostile->pos;
    uint32_t slots = topic ? hostile->topic_slots : KN_LINK_SLOTS;
    uint64_t words[KN_SLOT_ROOM / 8] = {0};
    size_t length = compose(hostile, interface, words);
    uint32_t ref = fuzz_octet(&hostile->input);
    if (!segment->base)
        return;
    struct kn_slot *slot =
        (void *)(segment->base + (topic ? 0 : KN_RING_AT) + (*posp & (slots - 1)) * KN_SLOT_SIZE);
    memcpy(slot->payload, words, sizeof words);
    if (ref & 0x80) /* in a chunk, whose octets pokes have written */
        length = (length << 8 | fuzz_octet(&hostile->input)) % (KN_CHUNK_SIZE + 64);
    else
        ref = 0;
    atomic_store(&slot->shape, length | (uint64_t)(ref & 0x7f) << 32);
    atomic_store(&slot->stamp, ++*posp);
}

void hostile_poke(struct hostile *hostile, int topic)
{
    const struct kn_segment *segment = topic ? &hostile->topic : &hostile->own;
    uint8_t area = fuzz_octet(&hostile->input);
    uint64_t at = fuzz_number(&hostile->input, 2) * 8, word = number(&hostile->input);
    /* The control page, the ring, or a chunk. */
    if (!topic && area < 0x80)
        at %= KN_RING_AT;
    else if (!topic && area < 0xa0)
        at = KN_RING_AT + at % (KN_POOL_AT - KN_RING_AT);
    else if (!topic)
        at += KN_POOL_AT;
    if (segment->base)
        atomic_store((_Atomic uint64_t *)(segment->base + at % segment->size), word);
}

void hostile_read_all(struct hostile *hostile)
{
    if (!hostile->own.base || !hostile->peer.base)
        return;
    struct kn_control_page *page = (void *)hostile->own.base;
    uint64_t read = atomic_load(&page->cursor);
    for (;; read++) {
        const struct kn_slot *slot = (const void *)(hostile->peer.base + KN_RING_AT +
                                                    (read & (KN_LINK_SLOTS - 1)) * KN_SLOT_SIZE);
        if (atomic_load(&slot->stamp) != read + 1)
            break;
    }
    atomic_store(&page->cursor, read);
}

void hostile_close(struct hostile *hostile)
{
    if (hostile->fd >= 0)
        close(hostile->fd);
    hostile->fd = -1;
    kn_segment_deinit(&hostile->own);
    kn_segment_deinit(&hostile->peer);
    kn_segment_deinit(&hostile->topic);
    hostile->own = hostile->peer = hostile->topic = (struct kn_segment){NULL, 0};
}
