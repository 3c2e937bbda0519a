/* SPDX-License-Identifier: MIT */
#include "runtime/endpoint.h"
#include "runtime/internal.h"
#include "runtime/limits.h"
#include "runtime/policy.h"

#include "value/why.h"

#include <stdlib.h>
#include <unistd.h>

static const struct kn_transport *const transports[] = {&kn_transport_http, &kn_transport_stream,
                                                        &kn_transport_unix};

/* ---------------------------------------------------------------- the list */

static const struct kn_dialect *find_dialect(const char *name)
{
    for (const struct kn_dialect *const *at = kn_dialects; *at; at++)
        if (!strcmp((*at)->identity->name, name))
            return *at;
    return NULL;
}

const char *koine_dialect_name(size_t index)
{
    for (const struct kn_dialect *const *at = kn_dialects; *at; at++)
        if (!index--)
            return (*at)->identity->name;
    return NULL;
}

int koine_dialect_address(char **textp, const char *dialect, const char *service,
                          const struct koine_interface *interface, uint32_t member)
{
    const struct kn_dialect *found = find_dialect(dialect);
    struct kn_buffer text;
    if (!found)
        return KOINE_EUNSUPPORTED;
    if (member >= interface->features.length)
        return KOINE_EMEMBER;
    kn_buffer_init(&text, 0);
    found->identity->address(&text, kn_str(service), interface, member);
    int rc = kn_buffer_steal(textp, NULL, &text);
    kn_buffer_deinit(&text);
    return rc;
}

static int unknown_dialect(const char *name, struct koine_why *why)
{
    struct kn_buffer known;
    kn_buffer_init(&known, 0);
    for (size_t i = 0; koine_dialect_name(i); i++)
        kn_buffer_print(&known, "%s%s", i ? ", " : "", koine_dialect_name(i));
    int rc = kn_refuse(why, KOINE_EUNSUPPORTED, NULL, "no dialect '%.40s' here; there are: %.150s",
                       name, known.ptr ? known.ptr : "none");
    kn_buffer_deinit(&known);
    return rc;
}

static const struct kn_transport *find_transport(const struct kn_identity *identity,
                                                 const char *name)
{
    const char *const *own = identity->transports;
    while (*own && strcmp(*own, name))
        own++;
    for (size_t i = 0; *own && i < sizeof transports / sizeof *transports; i++)
        if (!strcmp(transports[i]->name, name))
            return transports[i];
    return NULL;
}

static int unknown_transport(const struct kn_identity *identity, const char *name,
                             struct koine_why *why)
{
    struct kn_buffer known;
    kn_buffer_init(&known, 0);
    for (size_t i = 0; identity->transports[i]; i++)
        kn_buffer_print(&known, "%s%s", i ? ", " : "", identity->transports[i]);
    int rc = kn_refuse(why, KOINE_EUNSUPPORTED, NULL,
                       "%s has no transport '%.40s' here; there are: %.100s", identity->name, name,
                       known.ptr ? known.ptr : "none");
    kn_buffer_deinit(&known);
    return rc;
}

/* ---------------------------------------------------------------- callbacks of the node */

static void on_connection(void *arg, unsigned events)
{
    (void)events;
    kn_conn_accept(arg);
}

static void on_soon(void *arg)
{
    kn_settle(arg);
}

static void on_retry(void *arg)
{
    kn_bonds_pump(arg);
}

/* ---------------------------------------------------------------- attaching */

static int identify(struct koine_attachment *attachment, const char *uri, struct koine_why *why)
{
    int rc = kn_uri_parse(&attachment->uri, uri, why);
    if (rc)
        return rc;
    attachment->dialect = find_dialect(attachment->uri->dialect);
    if (!attachment->dialect)
        return unknown_dialect(attachment->uri->dialect, why);
    const struct kn_identity *identity = attachment->dialect->identity;
    attachment->transport = find_transport(identity, attachment->uri->transport);
    if (!attachment->transport)
        return unknown_transport(identity, attachment->uri->transport, why);
    return 0;
}

static int start_dialect(struct koine_attachment *attachment, const struct kn_options *options,
                         struct koine_why *why)
{
    attachment->home = (struct kn_channel){.host = &kn_runtime_host, .shape = KN_HOME};
    int rc = attachment->dialect->start(&attachment->endpoint, &attachment->home, options);
    if (rc)
        return kn_refuse(why, rc, NULL, "%s does not start: %s",
                         attachment->dialect->identity->name, koine_strerror(rc));
    return 0;
}

static int watch(struct koine_attachment *attachment, struct koine_why *why)
{
    struct koine_node *node = attachment->node;
    int rc = koine_timer_open(&attachment->soon, node, on_soon, attachment);
    if (!rc)
        rc = koine_timer_open(&attachment->retry, node, on_retry, attachment);
    if (rc)
        return rc;
    attachment->netlink = kn_gone_open();
    rc = koine_watch_open(&attachment->watch, node, attachment->listener.fd, KOINE_READABLE,
                          on_connection, attachment);
    return rc ? kn_refuse(why, rc, NULL, "the listener cannot be watched: %s", koine_strerror(rc))
              : 0;
}

/* All that is said of a URI without opening anything. The dialect is started only with a node, for it may
 * ask its host for whatever it likes. */
static int prepare(struct koine_attachment **attachmentp, struct koine_node *node, const char *uri,
                   struct koine_why *why)
{
    struct kn_option own[KN_URI_OPTIONS_MAX];
    struct kn_options options = {.role = KN_SERVE, .all = own};
    struct koine_attachment *attachment = calloc(1, sizeof *attachment);
    (void)kn_refuse(why, 0, NULL, "no memory");
    if (!attachment)
        return KOINE_ENOMEM;
    attachment->node = node;
    attachment->listener = (struct kn_listener){.fd = -1, .spare = -1};
    attachment->netlink = -1;
    kn_list_init(&attachment->conns);
    kn_list_init(&attachment->todo);
    kn_list_init(&attachment->late);
    kn_list_init(&attachment->openings);
    int rc = identify(attachment, uri, why);
    if (!rc)
        rc = kn_limits_read(&attachment->limits, own, &options.count, attachment, why);
    if (!rc)
        options.transport = attachment->uri->transport;
    if (!rc && node)
        rc = start_dialect(attachment, &options, why);
    if (!rc)
        rc = kn_listener_check(attachment, why);
    *attachmentp = rc ? koine_detach(attachment) : attachment;
    return rc;
}

static int finish(struct koine_attachment **attachmentp, struct koine_attachment *attachment,
                  int rc)
{
    if (rc)
        koine_detach(attachment);
    else
        *attachmentp = attachment;
    return rc;
}

int koine_attach(struct koine_attachment **attachmentp, struct koine_node *node, const char *uri,
                 struct koine_why *why)
{
    struct koine_attachment *attachment;
    int rc = prepare(&attachment, node, uri, why);
    if (rc)
        return rc;
    rc = kn_listener_open(attachment, why);
    return finish(attachmentp, attachment, rc ? rc : watch(attachment, why));
}

int kn_listen(struct koine_attachment **attachmentp, const char *uri, struct koine_why *why)
{
    struct koine_attachment *attachment;
    int rc = prepare(&attachment, NULL, uri, why);
    return rc ? rc : finish(attachmentp, attachment, kn_listener_open(attachment, why));
}

int kn_attach_fd(struct koine_attachment **attachmentp, struct koine_node *node, const char *uri,
                 int fd, struct koine_why *why)
{
    struct koine_attachment *attachment;
    int rc = prepare(&attachment, node, uri, why);
    if (rc) {
        close(fd);
        return rc;
    }
    rc = kn_listener_take(attachment, fd);
    return finish(attachmentp, attachment, rc ? rc : watch(attachment, why));
}

int kn_endpoint_check(const struct kn_identity **identityp, const char *uri, struct koine_why *why)
{
    struct koine_attachment *attachment;
    int rc = prepare(&attachment, NULL, uri, why);
    if (rc)
        return rc;
    *identityp = attachment->dialect->identity;
    koine_detach(attachment);
    return 0;
}

int kn_attachment_fd(const struct koine_attachment *attachment)
{
    return attachment->listener.fd;
}

bool kn_attachment_reaches(const struct koine_attachment *attachment, struct kn_str service)
{
    return kn_policy_reaches(attachment->limits.calls_allowed, service);
}

static void listen_no_more(struct koine_attachment *attachment)
{
    attachment->watch = koine_watch_close(attachment->watch);
    kn_listener_close(&attachment->listener);
}

struct koine_attachment *koine_detach(struct koine_attachment *attachment)
{
    if (!attachment)
        return NULL;
    listen_no_more(attachment);
    while (!kn_list_empty(&attachment->conns))
        kn_conn_free(KN_LIST_ENTRY(attachment->conns.next, struct kn_conn, in_attachment));
    if (attachment->endpoint)
        attachment->dialect->stop(attachment->endpoint);
    koine_timer_close(attachment->soon);
    koine_timer_close(attachment->retry);
    if (attachment->netlink >= 0)
        close(attachment->netlink);
    free(attachment->uri);
    free(attachment->text);
    free(attachment);
    return NULL;
}

/* Whatever is read already is still answered; who asked nothing is not waited for. */
void koine_attachment_drain(struct koine_attachment *attachment)
{
    listen_no_more(attachment);
    attachment->draining = true;
    KN_LIST_EACH(at, &attachment->conns)
    {
        struct kn_conn *conn = KN_LIST_ENTRY(at, struct kn_conn, in_attachment);
        kn_conn_flow(conn, false);
        kn_conn_touch(conn);
        if (kn_conn_is_idle(conn))
            kn_conn_free(conn);
    }
    kn_settle(attachment);
}

const char *koine_attachment_uri(const struct koine_attachment *attachment)
{
    return attachment->text;
}

int koine_attachment_count(struct koine_attachment_counts *counts,
                           const struct koine_attachment *attachment)
{
    size_t size = counts->size;
    if (size < sizeof size || size > sizeof *counts)
        return KOINE_EINVAL;
    memcpy(counts, &attachment->counts, size);
    counts->size = size;
    return 0;
}
