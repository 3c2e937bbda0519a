/* SPDX-License-Identifier: MIT */
#include "dialect/held.h"

#include "dialect/dialect.h"

enum { FIRST = 512 };

void kn_held_init(struct kn_held *held, struct kn_channel *channel, size_t limit)
{
    *held = (struct kn_held){.channel = channel, .limit = limit};
}

void kn_held_deinit(struct kn_held *held)
{
    if (held->octets)
        held->channel->host->free(held->channel, held->octets);
    kn_held_init(held, held->channel, held->limit);
}

/* Moves what is held to the start of memory with `need` octets of room. */
static int move(struct kn_held *held, size_t need)
{
    const struct kn_host *host = held->channel->host;
    size_t room = held->room ? held->room : FIRST, length = held->end - held->at;
    while (room < need)
        room *= 2;
    char *octets = held->octets;
    /* Moving down is cheap only when little is left; else the room doubles, so each octet moves a few
     * times at most. */
    if (room > held->room || length > room / 2) {
        room = room > held->room ? room : 2 * room;
        octets = host->alloc(held->channel, room);
        if (!octets)
            return KOINE_ENOMEM;
    }
    if (length)
        memmove(octets, held->octets + held->at, length);
    if (octets != held->octets && held->octets)
        host->free(held->channel, held->octets);
    *held = (struct kn_held){held->channel, octets, 0, length, room, held->limit};
    return 0;
}

int kn_held_add(struct kn_held *held, struct kn_str octets)
{
    size_t length = held->end - held->at;
    if (!octets.length)
        return 0;
    if (octets.length > held->limit - length)
        return KOINE_ELIMIT;
    if (octets.length > held->room - held->end) {
        int rc = move(held, length + octets.length);
        if (rc)
            return rc;
    }
    memcpy(held->octets + held->end, octets.ptr, octets.length);
    held->end += octets.length;
    return 0;
}

void kn_held_drop(struct kn_held *held, size_t length)
{
    held->at += length;
    if (held->at == held->end)
        kn_held_deinit(held);
}
