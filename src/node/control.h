/* SPDX-License-Identifier: MIT
 *
 * What travels on a link's socket, always whole and of one size; a single octet is a wake-up.
 *
 *      caller                                     service
 *      HELLO magic version features         ->
 *                                           <-    WELCOME hash, segment size, two descriptors
 *      READY                                ->
 *
 *      SUBSCRIBE feature, reader            ->
 *                                           <-    SUBSCRIBED reader, slots, chunk size and count, start,
 *                                                 one descriptor; or an error
 *      LISTENING reader                     ->
 *      UNSUBSCRIBE reader                   ->
 *
 *      MORE pool                            ->                     memory for larger arguments
 *                                           <-    ROOM pool, segment size, one descriptor; or an error
 *      FILLED pool; or an error             ->
 *                                           <-    POOL 0 | 1 + reader, pool, chunk size and count,
 *                                                 segment size, one descriptor: answers, or samples
 *
 * Descriptors go from the service to the caller only. The kernel adds the sender's credentials.
 */
#ifndef KN_NODE_CONTROL_H
#define KN_NODE_CONTROL_H

#include <stdint.h>

#define KN_MAGIC UINT64_C(0x0065006e00690070) /* changes with every incompatible layout */
#define KN_MAJOR 0u
#define KN_MINOR 1u

enum kn_control_type {
    KN_HELLO = 1,
    KN_WELCOME,
    KN_READY,
    KN_SUBSCRIBE,
    KN_SUBSCRIBED,
    KN_LISTENING,
    KN_UNSUBSCRIBE,
    KN_MORE,
    KN_ROOM,
    KN_FILLED,
    KN_POOL
};

struct kn_control {
    uint32_t type;
    int32_t error;
    uint64_t value[6];
};

_Static_assert(sizeof(struct kn_control) == 56, "control message");

#endif
