/* SPDX-License-Identifier: MIT
 *
 * Names are SOCK_SEQPACKET sockets in a directory: to find is to connect, to permit is mode and owner.
 *
 * A name is taken by binding under a temporary name, listening, and renaming over the name, under a lock
 * on `.lock` in the same directory; so a name that can be seen can be connected to, and a refused
 * connection means that its owner is dead. Sockets are reached through /proc/self/fd/N/leaf, because the
 * address of a socket holds only 107 octets.
 */
#ifndef KN_NODE_NAMES_H
#define KN_NODE_NAMES_H

#include "value/why.h"

#include <koine/value.h>

#include <stdint.h>
#include <sys/types.h>

enum {
    KN_NAME_ELEMENTS = 16,
    KN_ELEMENT_MAX = 64,
    KN_NAME_MAX = KN_NAME_ELEMENTS * (KN_ELEMENT_MAX + 1)
};

/* The colon list to use: `given`, else $KOINE_DIR, else the default; heap, NULL without memory. */
char *kn_dirs(const char *given);

/* KOINE_EINVAL with a reason when `name` cannot be one. */
int kn_name_check(const char *name, struct koine_why *why);

/* A name that this process serves. */
struct kn_name_claim {
    int dir; /* O_PATH descriptor of the directory that holds the leaf */
    char leaf[KN_ELEMENT_MAX + 1];
    dev_t device; /* of the socket, to know it again */
    ino_t inode;
};

/* Takes `name` in the first directory of `dirs`, making directories as needed; *listenerp is a
 * listening, non-blocking socket. Errors: KOINE_EEXIST, KOINE_EINVAL, KOINE_EPERM, KOINE_ESYSTEM,
 * KOINE_EDEADLINE (somebody holds the lock for over a second). */
int kn_name_take(struct kn_name_claim *claim, int *listenerp, const char *dirs, const char *name,
                 unsigned mode, struct koine_why *why);
/* Removes the name if it is still the one that was taken. Closes the claim's descriptor. */
void kn_name_give(struct kn_name_claim *claim);

/* Connects to `name` in the first directory of `dirs` that has it; *ownerp is the uid that owns the
 * directory. The socket is close-on-exec and non-blocking. A dead name is removed. Errors: KOINE_ENOENT,
 * KOINE_EPERM, KOINE_EINVAL, KOINE_EAGAIN (the backlog is full), KOINE_ESYSTEM. */
int kn_name_connect(int *fdp, uid_t *ownerp, const char *dirs, const char *name,
                    struct koine_why *why);

#endif
