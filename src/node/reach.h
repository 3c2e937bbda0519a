/* SPDX-License-Identifier: MIT
 *
 * How a node reaches a name, where its process may not open anything by itself.
 */
#ifndef KN_NODE_REACH_H
#define KN_NODE_REACH_H

#include <stdint.h>

struct koine_node;

/* Connects to `name`, which is well formed: *fdp is a connected SOCK_SEQPACKET socket, close-on-exec and
 * non-blocking, and the node's from then on; *ownerp is the uid that owns the directory of the name.
 * Errors as of kn_name_connect. It may wait for a moment and calls nothing of the node. */
typedef int kn_reach(void *arg, int *fdp, uint32_t *ownerp, const char *name);

/* From now on `reach` is asked instead of the name directories; NULL: the directories again. */
void kn_node_reach(struct koine_node *node, kn_reach *reach, void *arg);

#endif
