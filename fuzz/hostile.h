/* SPDX-License-Identifier: MIT
 *
 * One end of a link that keeps to no rule: it says and writes what the input tells it to, at either
 * end. What it should have said is there too, so that an input gets past the greeting.
 */
#ifndef KN_FUZZ_HOSTILE_H
#define KN_FUZZ_HOSTILE_H

#include "fuzz.h"

#include "node/control.h"
#include "plane/segment.h"

#include <koine/koine.h>

enum { HOSTILE_FDS = 4 };

struct hostile {
    int fd; /* the link's socket; -1: none */
    struct fuzz_input input;
    struct kn_segment own, peer, topic; /* topic: of an event that it publishes */
    uint64_t pos, topic_pos;            /* messages written */
    uint32_t topic_slots, topic_chunk;
};

/* Folder for names, made once and removed at exit. */
const char *hostile_folder(void);

/* Sends a control message and `count` descriptors, which stay open. */
void hostile_say(struct hostile *hostile, const struct kn_control *control, const int *fds,
                 size_t count);
/* A control message from the input. */
void hostile_babble(struct hostile *hostile);
/* Octets of any number from the input. */
void hostile_noise(struct hostile *hostile);
/* What the peer said, if it said anything; *count descriptors, which the caller closes. */
int hostile_hear(struct hostile *hostile, struct kn_control *control, int *fds, size_t *countp);

/* Stamps the next slot of the link's ring (or of the topic's) with a message from the input. `type` is
 * what the body would be of; members are below `members`. */
void hostile_publish(struct hostile *hostile, const struct koine_interface *interface, int topic);
/* Writes a word from the input somewhere into its segment; with `topic` into that. */
void hostile_poke(struct hostile *hostile, int topic);
/* Its cursor stands where a good reader's would: everything of `pos` read. */
void hostile_read_all(struct hostile *hostile);

void hostile_close(struct hostile *hostile);

#endif
