/* SPDX-License-Identifier: MIT
 *
 * The handlers of machine::Host: each reads what it is asked for in the moment, and keeps nothing.
 */
#ifndef HOST_ANSWERS_H
#define HOST_ANSWERS_H

#include "sampler.h"

struct host {
    struct koine_node *node;
    struct koine_service *service;
    struct koine_watch *ending;
    int proc; /* a descriptor of /proc */
    int signals;
    struct sampler sampler;
};

extern const struct machine_Host_handlers answers; /* `self` is a struct host */

int answers_processes(void *self, struct koine_request *request,
                      const struct machine_Host_processes_in *in,
                      struct machine_Host_processes_out *out);
int answers_process(void *self, struct koine_request *request,
                    const struct machine_Host_process_in *in, struct machine_Host_process_out *out);

/* A fault that names what could not be read; answers KOINE_EFAULT. */
int answers_fail(struct koine_request *request, const char *what, int error);
/* A copy that lives as long as the request; without memory it is empty. */
struct koine_string answers_keep(struct koine_request *request, const char *text);

#endif
