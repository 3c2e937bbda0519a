/* SPDX-License-Identifier: MIT
 *
 * A segment: one memfd that one process writes and that nobody else can write, shrink or grow.
 *
 * The serving side A makes the memfds of both directions and never receives a descriptor:
 *
 *      A  kn_segment_create   its own: reserved, mapped, sealed; a read-only descriptor to send
 *      A  kn_segment_offer    the caller's: size fixed, mapped read-only; a writable descriptor to send
 *      C  kn_segment_accept   its own: reserved (C pays), mapped, sealed against every later writer
 *      C  kn_segment_adopt    A's: seals, size and reservation checked, mapped read-only
 *      A  kn_segment_verify   the same checks on C's, after C said that it is ready; only then read it
 *
 * A segment never grows; more room is another segment. Maps are not inherited over fork.
 */
#ifndef KN_PLANE_SEGMENT_H
#define KN_PLANE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

struct kn_segment {
    uint8_t *base; /* NULL: none */
    size_t size;
};

/* All answer 0 or KOINE_ESYSTEM (errno says why; ENOMEM and ENOSPC: no memory), and KOINE_EPROTOCOL
 * where a descriptor is not what it should be. On failure nothing stays open. `size` is a multiple of
 * the page size. *fdp is close-on-exec; the caller sends and closes it. */
int kn_segment_create(struct kn_segment *segment, int *fdp, size_t size);
int kn_segment_offer(struct kn_segment *segment, int *fdp, size_t size);
/* These two close `fd` in every case. */
int kn_segment_accept(struct kn_segment *segment, int fd, size_t size);
int kn_segment_adopt(struct kn_segment *segment, int fd, size_t size);
/* `fd` is the descriptor that kn_segment_offer gave; it stays open. */
int kn_segment_verify(int fd, size_t size);

/* Unmaps; safe on a zeroed segment. */
void kn_segment_deinit(struct kn_segment *segment);

#endif
