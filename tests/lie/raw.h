/* SPDX-License-Identifier: MIT
 *
 * A link by hand, without a node: what a peer can send and write that obeys no rule.
 */
#ifndef KN_TESTS_LIE_RAW_H
#define KN_TESTS_LIE_RAW_H

#include "node/control.h"
#include "plane/segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RAW_FDS = 4, RAW_LIES = 8 };

struct raw {
    int fd;
    struct kn_segment own; /* what this end writes */
    uint64_t random, pos;
    uint8_t kind; /* of most messages */
};

uint64_t raw_draw(struct raw *raw, uint64_t below);
/* A number that is at some edge more often than chance would have it. */
uint64_t raw_edge(struct raw *raw);

/* False: the other end hung up. */
bool raw_send(struct raw *raw, const void *octets, size_t length, const int *fds, size_t count);
bool raw_receive(struct raw *raw, struct kn_control *control, int fds[RAW_FDS], size_t *countp);
void raw_close_all(const int *fds, size_t count);
/* Waits a moment for the other end; true when it hung up. */
bool raw_hung_up(struct raw *raw, int milliseconds);

/* Something that is no segment: pipe, directory, socket, unsealed, sparse, small ... */
int raw_descriptor(struct raw *raw, uint64_t which);
/* A control message with nothing right in it, sometimes of a wrong size, sometimes with descriptors. */
bool raw_send_garbage(struct raw *raw);

/* Random words all over memory of its own. */
void raw_scribble(struct raw *raw, void *base, size_t size, unsigned count);
/* A message in the next slot of a ring, nearly right: `chunks` of `chunk_size` lie at `pool`. */
void raw_put(struct raw *raw, void *slots, uint32_t count, void *pool, uint32_t chunk_size,
             uint32_t chunks);

#endif
