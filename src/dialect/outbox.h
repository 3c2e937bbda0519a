/* SPDX-License-Identifier: MIT
 *
 * Output to a peer that may read slowly: while the host says that it is full, what is written waits
 * here, in memory of the peer's own quota, and follows in order when the channel is writable again.
 */
#ifndef KN_DIALECT_OUTBOX_H
#define KN_DIALECT_OUTBOX_H

#include "base/list.h"
#include "base/str.h"

#include <stdbool.h>

struct kn_channel;

struct kn_outbox {
    struct kn_channel *channel;
    struct kn_list waiting;
    bool full; /* since a write answered KOINE_EFULL */
};

void kn_outbox_init(struct kn_outbox *outbox, struct kn_channel *channel);
void kn_outbox_deinit(struct kn_outbox *outbox);

/* Copies. KOINE_ENOMEM: the quota is used up by what this peer does not read; the rest of an answer
 * that was begun cannot follow, so the caller gives the channel up. */
int kn_outbox_write(struct kn_outbox *outbox, struct kn_str octets);
/* At KN_WRITABLE. */
int kn_outbox_writable(struct kn_outbox *outbox);
/* Whether the host has everything. */
bool kn_outbox_idle(const struct kn_outbox *outbox);

#endif
