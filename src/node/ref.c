/* SPDX-License-Identifier: MIT */
#include "node/internal.h"

#include "value/types.h"

#include <stdlib.h>

enum { DESCRIPTION_MAX = 2 * KN_BODY_MAX };

static int check_face(struct koine_ref *ref, int64_t deadline);

int kn_ref_link(struct koine_ref *ref, int64_t deadline)
{
    if (ref->link && ref->link->state == KN_LINKED)
        return 0;
    struct kn_link *link;
    int rc = kn_link_connect(&link, ref, deadline);
    if (rc)
        return rc;
    if (ref->link && ref->link->state == KN_LINKED) { /* a call-back was quicker */
        kn_link_drop(link);
        return 0;
    }
    ref->link = link;
    if (ref->hash && ref->hash != link->hash && !ref->face)
        rc = kn_node_fail(ref->node, KOINE_ETYPE,
                          "'%s' came back with another interface; open it again", ref->name);
    ref->hash = link->hash;
    if (!rc && ref->face)
        rc = check_face(ref, deadline);
    if (rc)
        kn_link_drop(link);
    return rc;
}

/* ---------------------------------------------------------------- description */

struct description {
    struct koine_ref *ref;
    bool over;
    int error;
    const struct koine_interface *interface;
};

static void described(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct description *description = arg;
    description->over = true;
    description->error = error;
    description->interface = out;
    if (fault)
        (void)kn_node_fail(description->ref->node, error, "'%s' does not describe itself: %s",
                           description->ref->name, fault->message);
}

static bool is_described(void *arg)
{
    return ((struct description *)arg)->over;
}

static int ask(const struct koine_interface **interfacep, struct koine_ref *ref,
               struct kn_arena *arena, int64_t deadline)
{
    struct kn_link *link = ref->link;
    struct description description = {.ref = ref};
    struct kn_head head = {.kind = KN_DESCRIBE, .serial = ++link->serial};
    struct koine_pending pending = {.link = link,
                                    .serial = head.serial,
                                    .out = kn_interface_type(),
                                    .arena = arena,
                                    .whole = true,
                                    .deadline = deadline,
                                    .done = described,
                                    .arg = &description,
                                    .ref = ref};
    int rc = kn_link_post(link, &head, NULL, NULL, &ref->node->why);
    if (rc)
        return rc;
    kn_list_append(&link->pending, &pending.in_link);
    link->users++;
    rc = kn_node_until(ref->node, is_described, &description, link, KOINE_FOREVER, false);
    link->users--;
    if (!rc)
        rc = description.error;
    if (!rc)
        rc = kn_interface_check(description.interface, &ref->node->why);
    if (!rc)
        *interfacep = description.interface;
    return rc;
}

/* A face was compiled in: the service must have the same interface, and if not, it is asked for its own
 * so that the first difference can be named. */
static int check_face(struct koine_ref *ref, int64_t deadline)
{
    const struct koine_interface *theirs;
    struct kn_arena arena;
    struct koine_why why = {""};
    ref->interface = ref->face->interface;
    if (ref->hash == ref->interface->hash)
        return 0;
    kn_arena_init(&arena, DESCRIPTION_MAX);
    int rc = ask(&theirs, ref, &arena, deadline);
    if (!rc) {
        (void)kn_interface_difference(&why, ref->interface, theirs);
        rc = kn_node_fail(ref->node, KOINE_ETYPE, "'%s' has another interface: %s", ref->name,
                          why.text);
    }
    kn_arena_deinit(&arena);
    return rc;
}

/* ---------------------------------------------------------------- opening without waiting */

/* `ready` may close the reference, so nothing stands on it afterwards. */
static void finish(struct koine_ref *ref, int error)
{
    struct kn_opening opening = ref->opening;
    struct koine_node *node = ref->node;
    ref->opening = (struct kn_opening){0};
    if (error && ref->link)
        kn_link_drop(ref->link);
    node->depth++;
    opening.ready(opening.arg, ref, error);
    node->depth--;
}

static void on_description(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct koine_ref *ref = arg;
    struct koine_node *node = ref->node;
    struct koine_why why = {""};
    const struct koine_interface *theirs = out;
    if (!ref->opening.ready)
        return;
    if (fault)
        (void)kn_node_fail(node, error, "'%s' does not describe itself: %s", ref->name,
                           fault->message);
    else if (!error)
        error = kn_interface_check(theirs, &node->why);
    if (!error && ref->face) {
        (void)kn_interface_difference(&why, ref->interface, theirs);
        error =
            kn_node_fail(node, KOINE_ETYPE, "'%s' has another interface: %s", ref->name, why.text);
    } else if (!error) {
        ref->interface = theirs;
    }
    finish(ref, error);
}

static int ask_later(struct koine_ref *ref)
{
    struct kn_link *link = ref->link;
    struct kn_head head = {.kind = KN_DESCRIBE, .serial = ++link->serial};
    struct koine_pending *pending = calloc(1, sizeof *pending);
    if (!pending)
        return KOINE_ENOMEM;
    *pending = (struct koine_pending){.link = link,
                                      .serial = head.serial,
                                      .out = kn_interface_type(),
                                      .arena = &ref->described,
                                      .whole = true,
                                      .deadline = ref->opening.deadline,
                                      .done = on_description,
                                      .arg = ref,
                                      .ref = ref,
                                      .owned = true};
    int rc = kn_link_send(link, &head, NULL, NULL, &ref->node->why);
    if (rc)
        free(pending);
    else
        kn_list_append(&link->pending, &pending->in_link);
    return rc;
}

void kn_ref_greeted(struct kn_link *link, int error)
{
    struct koine_ref *ref = link->ref;
    if (!ref || ref->opening.link != link || !ref->opening.ready)
        return;
    ref->opening.link = NULL;
    if (error) {
        (void)kn_node_fail(ref->node, error, "'%s' %s", ref->name,
                           error == KOINE_EDEADLINE ? "did not answer the greeting in time"
                                                    : "hung up during the greeting");
        finish(ref, error);
        return;
    }
    ref->link = link;
    ref->hash = link->hash;
    if (ref->face)
        ref->interface = ref->face->interface;
    if (ref->face && ref->hash == ref->interface->hash)
        finish(ref, 0);
    else if ((error = ask_later(ref)))
        finish(ref, error);
}

static int need_interface(struct koine_ref *ref, int64_t deadline)
{
    int rc = kn_ref_link(ref, deadline);
    if (rc || ref->interface)
        return rc;
    kn_arena_reset(&ref->described);
    return ask(&ref->interface, ref, &ref->described, deadline);
}

int koine_ref_interface(const struct koine_interface **interfacep, struct koine_ref *ref,
                        int64_t timeout)
{
    struct koine_node *node = ref->node;
    int rc = kn_node_enter(node);
    if (rc)
        return rc;
    ref->waiting++;
    rc = ref->interface ? 0
                        : need_interface(ref,
                                         kn_deadline(kn_now(), timeout ? timeout : node->timeout));
    ref->waiting--;
    rc = kn_ref_ended(ref, rc);
    if (!rc)
        *interfacep = ref->interface;
    kn_node_leave(node);
    return rc;
}

/* ---------------------------------------------------------------- life */

static void free_ref(struct koine_ref *ref)
{
    koine_ref_done(ref);
    kn_arena_deinit(&ref->described);
    kn_arena_deinit(&ref->answer);
    kn_buffer_deinit(&ref->text);
    free(ref);
}

static struct koine_ref *new_ref(struct koine_node *node, const char *name,
                                 const struct koine_face *face)
{
    size_t length = strlen(name) + 1;
    struct koine_ref *ref = calloc(1, sizeof *ref + length);
    if (!ref)
        return NULL;
    memcpy(ref->name, name, length);
    ref->node = node;
    ref->face = face;
    ref->fault = (struct koine_fault){.name = "", .message = "", .origin = ""};
    kn_list_init(&ref->subs);
    kn_arena_init(&ref->described, DESCRIPTION_MAX);
    kn_arena_init(&ref->answer, 0);
    kn_buffer_init(&ref->text, 0);
    kn_list_append(&node->refs, &ref->in_node);
    return ref;
}

int koine_ref_open(struct koine_ref **refp, struct koine_node *node, const char *name,
                   const struct koine_face *face, int64_t timeout)
{
    int rc = kn_node_enter(node);
    if (rc)
        return rc;
    struct koine_ref *ref = new_ref(node, name, face);
    if (ref) {
        ref->waiting++;
        rc = kn_ref_link(ref, kn_deadline(kn_now(), timeout ? timeout : node->timeout));
        ref->waiting--;
        rc = kn_ref_ended(ref, rc);
    } else {
        rc = KOINE_ENOMEM;
    }
    if (!rc)
        *refp = ref;
    else if (ref)
        ref->closed = node->unswept = true;
    kn_node_leave(node);
    return rc;
}

static int start(struct koine_ref *ref, const struct kn_opening *opening)
{
    struct kn_link *link;
    int rc = kn_link_begin(&link, ref);
    if (rc)
        return rc;
    link->greeted_by = opening->deadline;
    ref->opening = *opening;
    ref->opening.link = link;
    return 0;
}

int koine_ref_start(struct koine_ref **refp, struct koine_node *node, const char *name,
                    const struct koine_face *face, int64_t timeout, koine_ref_ready *ready,
                    void *arg)
{
    struct kn_opening opening = {.ready = ready,
                                 .arg = arg,
                                 .deadline =
                                     kn_deadline(kn_now(), timeout ? timeout : node->timeout)};
    int rc = kn_node_enter(node);
    if (rc)
        return rc;
    struct koine_ref *ref = new_ref(node, name, face);
    rc = ref ? start(ref, &opening) : KOINE_ENOMEM;
    if (!rc)
        *refp = ref;
    else if (ref)
        ref->closed = node->unswept = true;
    kn_node_leave(node);
    return rc;
}

/* Who waits for an answer is told, and may close this and everything else again. */
static void hang_up(struct koine_ref *ref)
{
    ref->closed = true;
    ref->waiting++;
    ref->opening.ready = NULL;
    kn_sub_ended(ref);
    KN_LIST_EACH(at, &ref->node->links)
    {
        struct kn_link *link = KN_LIST_ENTRY(at, struct kn_link, in_node);
        if (link->ref == ref)
            kn_link_drop(link);
    }
    ref->waiting--;
}

void kn_ref_free(struct koine_ref *ref)
{
    hang_up(ref);
    KN_LIST_EACH(at, &ref->node->links)
    {
        struct kn_link *link = KN_LIST_ENTRY(at, struct kn_link, in_node);
        if (link->ref == ref)
            link->ref = NULL;
    }
    kn_list_unlink(&ref->in_node);
    free_ref(ref);
}

struct koine_ref *koine_ref_close(struct koine_ref *ref)
{
    struct koine_node *node = ref ? ref->node : NULL;
    if (!ref || kn_node_enter(node))
        return NULL;
    node->unswept = true;
    if (ref->waiting)
        hang_up(ref);
    else
        kn_ref_free(ref);
    kn_node_leave(node);
    return NULL;
}

int kn_ref_ended(const struct koine_ref *ref, int rc)
{
    bool over = ref->node->depth == 1 && (ref->closed || ref->node->closing);
    return !rc && over ? KOINE_ECLOSED : rc;
}

const struct koine_fault *koine_ref_fault(const struct koine_ref *ref)
{
    return &ref->fault;
}

int koine_ref_peer(struct koine_caller *peerp, const struct koine_ref *ref)
{
    if (!*ref->node->guard)
        return KOINE_EFORKED;
    if (!ref->link)
        return KOINE_EDOWN;
    *peerp = ref->link->peer;
    return 0;
}

void koine_ref_done(struct koine_ref *ref)
{
    if (!*ref->node->guard || ref->held)
        return;
    for (; ref->kept; ref->kept = ref->kept->next)
        kn_loan_give(&ref->kept->loan);
    kn_arena_reset(&ref->answer);
    ref->fault = (struct koine_fault){.name = "", .message = "", .origin = ""};
}
