/* SPDX-License-Identifier: MIT */
#include "dialect/outbox.h"

#include "dialect/dialect.h"

struct piece {
    struct kn_list in_outbox;
    size_t length;
    char octets[];
};

void kn_outbox_init(struct kn_outbox *outbox, struct kn_channel *channel)
{
    *outbox = (struct kn_outbox){.channel = channel};
    kn_list_init(&outbox->waiting);
}

static const struct kn_host *host(const struct kn_outbox *outbox)
{
    return outbox->channel->host;
}

static void drop(struct kn_outbox *outbox, struct piece *piece)
{
    kn_list_unlink(&piece->in_outbox);
    host(outbox)->free(outbox->channel, piece);
}

void kn_outbox_deinit(struct kn_outbox *outbox)
{
    KN_LIST_EACH(at, &outbox->waiting)
    {
        drop(outbox, KN_LIST_ENTRY(at, struct piece, in_outbox));
    }
}

static int write_now(struct kn_outbox *outbox, struct kn_str octets)
{
    int rc = host(outbox)->write(outbox->channel, octets);
    if (rc != KOINE_EFULL)
        return rc;
    outbox->full = true;
    return 0;
}

int kn_outbox_write(struct kn_outbox *outbox, struct kn_str octets)
{
    if (!outbox->full)
        return write_now(outbox, octets);
    struct piece *piece = host(outbox)->alloc(outbox->channel, sizeof *piece + octets.length);
    if (!piece)
        return KOINE_ENOMEM;
    piece->length = octets.length;
    memcpy(piece->octets, octets.ptr, octets.length);
    kn_list_append(&outbox->waiting, &piece->in_outbox);
    return 0;
}

int kn_outbox_writable(struct kn_outbox *outbox)
{
    int rc = 0;
    outbox->full = false;
    while (!rc && !outbox->full && !kn_outbox_idle(outbox)) {
        struct piece *piece = KN_LIST_ENTRY(outbox->waiting.next, struct piece, in_outbox);
        rc = write_now(outbox, (struct kn_str){piece->octets, piece->length});
        drop(outbox, piece);
    }
    return rc;
}

bool kn_outbox_idle(const struct kn_outbox *outbox)
{
    return kn_list_empty(&outbox->waiting);
}
