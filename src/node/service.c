/* SPDX-License-Identifier: MIT */
#include "node/internal.h"

#include "value/types.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

static void free_service(struct koine_service *service)
{
    uint32_t count = service->interface ? service->interface->features.length : 0;
    for (uint32_t i = 0; service->staging && i < count; i++)
        free(service->staging[i]);
    free(service->staging);
    free(service->topics);
    free(service->serials);
    free(service);
}

/* Credentials with every message from its first on; descriptors of strangers never (Linux 6.16; before
 * that the missing room for them does the same). */
static int prepare_listener(struct koine_service *service)
{
    int yes = 1, no = 0;
    (void)setsockopt(service->listener, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof no);
    if (setsockopt(service->listener, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes))
        return KOINE_ESYSTEM;
    return kn_watch_add(service->node, service->listener, &service->watch);
}

static int allocate(struct koine_service **servicep, const struct koine_interface *interface,
                    const char *name, const struct koine_service_options *options)
{
    size_t length = strlen(name) + 1, features = interface->features.length + 1u;
    struct koine_service *service = calloc(1, sizeof *service + length);
    if (!service)
        return KOINE_ENOMEM;
    memcpy(service->name, name, length);
    kn_list_init(&service->links);
    kn_list_init(&service->in_node);
    kn_list_init(&service->orphans);
    if (options)
        memcpy(&service->options, options,
               options->size < sizeof *options ? options->size : sizeof *options);
    service->interface = interface;
    service->topics = calloc(features, sizeof(void *));
    service->serials = calloc(features, sizeof(uint64_t));
    service->staging = calloc(features, sizeof(void *));
    if (!service->topics || !service->serials || !service->staging) {
        free_service(service);
        return KOINE_ENOMEM;
    }
    *servicep = service;
    return 0;
}

static int open_service(struct koine_service **servicep, struct koine_node *node, const char *name,
                        const struct koine_interface *interface,
                        const struct koine_service_options *options)
{
    struct koine_service *service;
    int rc = kn_interface_check(interface, &node->why);
    if (!rc)
        rc = allocate(&service, interface, name, options);
    if (rc)
        return rc;
    unsigned mode = service->options.mode ? service->options.mode : 0600;
    rc = kn_name_take(&service->claim, &service->listener, node->dirs, name, mode, &node->why);
    if (rc) {
        free_service(service);
        return rc;
    }
    service->node = node;
    service->watch.ready = kn_service_accept;
    if ((rc = prepare_listener(service))) {
        kn_name_give(&service->claim);
        close(service->listener);
        free_service(service);
        return rc;
    }
    kn_list_append(&node->services, &service->in_node);
    *servicep = service;
    return 0;
}

int koine_service_open(struct koine_service **servicep, struct koine_node *node, const char *name,
                       const struct koine_face *face, const void *handlers, void *self,
                       const struct koine_service_options *options)
{
    int rc = kn_node_enter(node);
    if (rc)
        return rc;
    rc = face && name && face->dispatch
             ? open_service(servicep, node, name, face->interface, options)
             : kn_node_fail(node, KOINE_EINVAL, "a service needs a name and a face with handlers");
    if (!rc) {
        (*servicep)->face = face;
        (*servicep)->handlers = handlers;
        (*servicep)->self = self;
    }
    kn_node_leave(node);
    return rc;
}

int koine_service_open_generic(struct koine_service **servicep, struct koine_node *node,
                               const char *name, const struct koine_interface *interface,
                               koine_handler *handler, void *self,
                               const struct koine_service_options *options)
{
    int rc = kn_node_enter(node);
    if (rc)
        return rc;
    rc = interface && name && handler
             ? open_service(servicep, node, name, interface, options)
             : kn_node_fail(node, KOINE_EINVAL,
                            "a service needs a name, an interface and a handler");
    if (!rc) {
        (*servicep)->handler = handler;
        (*servicep)->self = self;
    }
    kn_node_leave(node);
    return rc;
}

void kn_service_free(struct koine_service *service)
{
    while (!kn_list_empty(&service->orphans))
        kn_request_free(KN_LIST_ENTRY(service->orphans.next, struct koine_request, in_link));
    kn_topics_close(service);
    kn_list_unlink(&service->in_node);
    free_service(service);
}

struct koine_service *koine_service_close(struct koine_service *service)
{
    if (!service || !*service->node->guard)
        return NULL;
    if (service->listener >= 0) {
        kn_name_give(&service->claim);
        (void)epoll_ctl(service->node->epoll, EPOLL_CTL_DEL, service->listener, NULL);
        close(service->listener);
        service->listener = -1;
    }
    while (!kn_list_empty(&service->links))
        kn_link_drop(KN_LIST_ENTRY(service->links.next, struct kn_link, in_service));
    service->closed = service->node->unswept = true;
    if (!service->node->depth)
        kn_service_free(service);
    return NULL;
}

size_t koine_service_links(const struct koine_service *service)
{
    return service->link_count;
}

int koine_service_counts(struct koine_service_counts *counts, const struct koine_service *service)
{
    size_t size = counts->size;
    if (!*service->node->guard)
        return KOINE_EFORKED;
    if (size < sizeof counts->size || size > sizeof *counts)
        return KOINE_EINVAL;
    memcpy(counts, &service->counts, size);
    counts->size = size;
    return 0;
}
