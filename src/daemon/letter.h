/* SPDX-License-Identifier: MIT
 *
 * What a worker and its supervisor say to each other, over a SOCK_SEQPACKET pair that is the worker's
 * standard input. Each letter is one struct. The supervisor takes no descriptors from a worker, and what
 * else a worker writes ends it.
 *
 *      worker                           supervisor
 *      READY, once; or FAILED, text
 *      REACH, serial, text: a name  ->
 *                                   <-  REACHED, serial, error, owner, and a connected socket
 */
#ifndef KN_DAEMON_LETTER_H
#define KN_DAEMON_LETTER_H

#include "node/names.h"

#include <stdint.h>

enum kn_letter_kind { KN_LETTER_READY = 1, KN_LETTER_FAILED, KN_LETTER_REACH, KN_LETTER_REACHED };

struct kn_letter {
    uint32_t kind;
    int32_t error; /* KOINE_E...; FAILED, REACHED */
    uint32_t serial, owner;
    char text[KN_NAME_MAX + 1];
};

/* Does not wait. `passed` is sent along, and stays open; -1: none. KOINE_EDOWN. */
int kn_letter_send(int fd, const struct kn_letter *letter, int passed);
/* Does not wait. `passedp` NULL: descriptors are refused. KOINE_EAGAIN; KOINE_EDOWN: the other side is gone;
 * KOINE_EPROTOCOL: no letter. */
int kn_letter_receive(struct kn_letter *letter, int *passedp, int fd);

#endif
