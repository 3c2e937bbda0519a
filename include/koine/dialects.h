/* SPDX-License-Identifier: MIT
 *
 * Foreign dialects: clients of another protocol reach the services of this machine
 * (library koine-dialects).
 *
 * An attachment is one listening endpoint, written dialect+transport://address/path?option=value. It
 * runs in the loop of a node: inside koine_node_run, koine_node_process and whatever waits. It needs no
 * thread, and its node may serve as well: a service that attaches itself is reached without any other
 * process.
 *
 * Options of every endpoint: connections (1024), calls (256: waiting, of one connection), stall (30:
 * seconds for a request that has begun to be complete, and for a peer to take its answers), timeout
 * (30: seconds that a call may take), allow-call (what may be called). tcp and http: public (yes: may listen beyond loopback; there is no
 * authentication yet). http: origin and host (lists with commas: what the fields Origin and Host may
 * say), body (16777216: octets of a request). unix: mode (0600: of the socket file), allow (who may
 * connect; this process's own user). docs/koined.md has the form of all.
 */
#ifndef KOINE_DIALECTS_H
#define KOINE_DIALECTS_H

#include <koine/koine.h>
#include <koine/value.h>

#ifdef __cplusplus
extern "C" {
#endif

struct koine_attachment;

/* Starts to listen. Port 0 takes a free one. Does not block. `why` (may be NULL) says on failure what,
 * where, why and what to try. Errors: KOINE_EINVAL (the URI), KOINE_EUNSUPPORTED (no such dialect or
 * transport in this build), KOINE_EEXIST (the address is taken), KOINE_EPERM, KOINE_ESYSTEM,
 * KOINE_ENOMEM. */
int koine_attach(struct koine_attachment **attachmentp, struct koine_node *node, const char *uri,
                 struct koine_why *why);

/* Closes the endpoint and its connections; calls that run are cancelled, a socket file is removed. NULL
 * is allowed; answers NULL. Attachments are detached before their node is closed. */
struct koine_attachment *koine_detach(struct koine_attachment *attachment);

/* Listens no more and reads no more requests; connections close when their answers are out. It is over
 * when koine_attachment_count says that no connection is left. */
void koine_attachment_drain(struct koine_attachment *attachment);

/* The URI with the real port; lives as long as the attachment. */
const char *koine_attachment_uri(const struct koine_attachment *attachment);

/* Set `size` before the call; later versions append. */
struct koine_attachment_counts {
    size_t size;
    uint64_t connections; /* open now */
    uint64_t accepted, refused;
    uint64_t calls, faults; /* delivered to services; answered by a fault */
    uint64_t dropped;       /* connections closed for what their peer did or did not do */
};
int koine_attachment_count(struct koine_attachment_counts *counts,
                           const struct koine_attachment *attachment);

/* What this library speaks: "jsonrpc". NULL behind the last. Static. */
const char *koine_dialect_name(size_t index);

/* What a client of `dialect` has to say to reach `member` of `service`, as one line of text in one heap
 * block; free with free(). KOINE_EUNSUPPORTED: no such dialect; KOINE_EMEMBER, KOINE_ENOMEM. */
int koine_dialect_address(char **textp, const char *dialect, const char *service,
                          const struct koine_interface *interface, uint32_t member);

#ifdef __cplusplus
}
#endif
#endif
