/* SPDX-License-Identifier: MIT
 *
 * An endpoint in two processes: one listens and keeps the listener, another one serves.
 *
 *      kn_listen -> kn_attachment_fd  - handed over ->  kn_attach_fd
 */
#ifndef KN_RUNTIME_ENDPOINT_H
#define KN_RUNTIME_ENDPOINT_H

#include "base/str.h"

#include <koine/dialects.h>

struct kn_identity;

/* All that koine_attach would say of `uri` without opening anything, but for what its dialect says when it
 * is started. */
int kn_endpoint_check(const struct kn_identity **identityp, const char *uri, struct koine_why *why);

/* Only listens: koine_attachment_uri and koine_detach are for it, which removes a socket file. */
int kn_listen(struct koine_attachment **attachmentp, const char *uri, struct koine_why *why);
int kn_attachment_fd(const struct koine_attachment *attachment);
/* Whether the endpoint's rules let any member of `service` be called. */
bool kn_attachment_reaches(const struct koine_attachment *attachment, struct kn_str service);

/* koine_attach over a socket that listens already for `uri` and whose name is somebody else's. Takes `fd`,
 * in every case. After this the endpoint opens nothing but what its node opens. */
int kn_attach_fd(struct koine_attachment **attachmentp, struct koine_node *node, const char *uri,
                 int fd, struct koine_why *why);

#endif
