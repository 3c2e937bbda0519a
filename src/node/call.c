/* SPDX-License-Identifier: MIT
 *
 * The calling end: a call is pending from the moment that it is sent until its answer, its deadline, its
 * cancellation or the death of the service ends it, whichever is first. What comes later is dropped.
 */
#include "node/fault.h"
#include "node/internal.h"

#include "value/json.h"
#include "value/types.h"

#include <stdlib.h>

enum { ANSWER_MAX = 4 * KN_BODY_MAX };

void kn_pending_finish(struct koine_pending *pending, int error, const void *out,
                       const struct koine_fault *fault)
{
    kn_list_unlink(&pending->in_link);
    pending->link = NULL;
    koine_done *done = pending->done;
    void *arg = pending->arg;
    if (done)
        done(arg, error, out, fault);
    if (pending->owned)
        free(pending);
}

static struct koine_pending *find(struct kn_link *link, uint64_t serial)
{
    KN_LIST_EACH(at, &link->pending)
    {
        struct koine_pending *pending = KN_LIST_ENTRY(at, struct koine_pending, in_link);
        if (pending->serial == serial)
            return pending;
    }
    return NULL;
}

/* The declared exception, against our own type of it. */
static void unwrap_exception(struct koine_fault *fault, struct kn_arena *arena,
                             const struct koine_interface *interface, uint32_t member,
                             const struct koine_octets *octets)
{
    if (!interface || member >= interface->features.length || !octets->length)
        return;
    const struct koine_feature *feature = &interface->features.ptr[member];
    size_t padded = (octets->length + 7u) & ~(size_t)7;
    void *flight = kn_arena_alloc(arena, padded);
    if (!flight)
        return;
    kn_copy_in(flight, octets->ptr, octets->length);
    for (uint32_t i = 0; i < feature->raises.length; i++) {
        const struct koine_type *type = interface->types.ptr + feature->raises.ptr[i];
        if (!kn_str_equal(kn_str(fault->name), (struct kn_str){type->name.ptr, type->name.length}))
            continue;
        if (!kn_value_admit_private(type, flight, octets->length, NULL)) {
            fault->type = type;
            fault->value = flight;
        }
        return;
    }
}

static void finish_fault(struct koine_pending *pending, struct kn_arena *arena,
                         const struct kn_body *body)
{
    const void *value;
    struct koine_why why;
    int rc = kn_value_admit(&value, arena, kn_fault_type(), body->octets, body->length, &why);
    if (rc) {
        kn_pending_finish(pending, rc, NULL, NULL);
        return;
    }
    const struct kn_fault_value *given = value;
    struct koine_fault fault = {.code = given->code,
                                .completion = given->completion,
                                .retryable = given->retryable,
                                .name = given->name.ptr,
                                .message = given->message.ptr,
                                .origin = given->origin.ptr};
    unwrap_exception(&fault, arena, pending->ref->interface, pending->member, &given->exception);
    kn_pending_finish(pending, KOINE_EFAULT, NULL, &fault);
}

/* Copied whole, leaves included. */
static int admit_whole(const void **outp, struct kn_arena *arena, const struct koine_type *type,
                       const struct kn_body *body, struct koine_why *why)
{
    void *copy = kn_arena_alloc(arena, (body->length + 7) & ~(size_t)7);
    if (!copy)
        return KOINE_ENOMEM;
    kn_copy_in(copy, body->octets, body->length);
    *outp = copy;
    return kn_value_admit_private(type, copy, body->length, why);
}

static void finish_reply(struct koine_pending *pending, struct kn_arena *arena,
                         const struct kn_body *body)
{
    const void *out = NULL;
    struct koine_why *why = &pending->ref->node->why;
    const struct koine_type *type = pending->out && pending->out->size ? pending->out : NULL;
    int rc = 0;
    if (type && pending->whole)
        rc = admit_whole(&out, arena, type, body, why);
    else if (type)
        rc = kn_value_admit(&out, arena, type, body->octets, body->length, why);
    kn_pending_finish(pending, rc, rc ? NULL : out, NULL);
}

/* The leaves of an answer that is waited for stay where they are until koine_ref_done. */
static int keep(struct koine_pending *pending, struct kn_body *body)
{
    struct koine_ref *ref = pending->ref;
    if (!body->loan.link || pending->arena != &ref->answer)
        return 0;
    struct kn_kept *kept = kn_arena_alloc(&ref->answer, sizeof *kept);
    if (!kept)
        return KOINE_ENOMEM;
    *kept = (struct kn_kept){ref->kept, body->loan};
    ref->kept = kept;
    body->loan.link = NULL;
    return 0;
}

void kn_answer_arrived(struct kn_link *link, const struct kn_head *head, struct kn_body *body)
{
    struct koine_pending *pending = find(link, head->serial);
    struct kn_arena own, *arena;
    if (!pending)
        return;
    kn_arena_init(&own, ANSWER_MAX);
    arena = pending->arena ? pending->arena : &own;
    int rc = body->error ? body->error : keep(pending, body);
    if (pending->owned)
        link->node->clock = kn_now();
    link->node->depth++;
    if (rc)
        kn_pending_finish(pending, rc, NULL, NULL);
    else if (head->kind == KN_FAULT)
        finish_fault(pending, arena, body);
    else
        finish_reply(pending, arena, body);
    link->node->depth--;
    kn_arena_deinit(&own);
}

static void send_cancel(struct kn_link *link, uint64_t serial)
{
    struct kn_head head = {.kind = KN_CANCEL, .serial = serial};
    if (!link || link->state != KN_LINKED || kn_late_cancel(link, serial))
        return;
    (void)kn_link_post(link, &head, NULL, NULL, NULL);
}

/* In this order: sending may end the link with all that is pending there. */
static void end_and_cancel(struct koine_pending *pending, int error)
{
    struct kn_link *link = pending->link;
    uint64_t serial = pending->serial;
    if (link)
        link->users++;
    kn_pending_finish(pending, error, NULL, NULL);
    send_cancel(link, serial);
    if (link)
        link->users--;
}

void kn_call_lost(struct kn_link *link, uint64_t serial, int error)
{
    struct koine_pending *pending = find(link, serial);
    if (!pending)
        return;
    link->node->depth++;
    kn_pending_finish(pending, error, NULL, NULL);
    link->node->depth--;
}

/* Starts again after each call-back, which may have changed the list. */
int64_t kn_link_expire(struct kn_link *link, int64_t now)
{
    int64_t next;
    struct koine_pending *over;
    if (link->state == KN_GREETING) {
        if (link->greeted_by <= now) {
            link->error = KOINE_EDEADLINE;
            link->node->expired++;
            kn_link_drop(link);
        }
        return link->greeted_by;
    }
    do {
        next = INT64_MAX;
        over = NULL;
        KN_LIST_EACH(at, &link->pending)
        {
            struct koine_pending *pending = KN_LIST_ENTRY(at, struct koine_pending, in_link);
            if (pending->deadline <= now)
                over = pending;
            else if (pending->deadline < next)
                next = pending->deadline;
        }
        if (over) {
            link->node->expired++;
            end_and_cancel(over, KOINE_EDEADLINE);
        }
    } while (over);
    return next;
}

/* ---------------------------------------------------------------- starting */

static const uint8_t kinds[] = {
    [KOINE_REQUEST_CALL] = KN_CALL,
    [KOINE_REQUEST_GET] = KN_GET,
    [KOINE_REQUEST_SET] = KN_SET,
};

struct sending {
    struct kn_link *link;
    struct kn_head *head;
    int64_t deadline;
    const struct koine_type *type;
    const void *value;
    int rc;
    bool again;
};

static bool try_send(void *arg)
{
    struct sending *sending = arg;
    if (sending->rc != KOINE_EFULL)
        return true;
    if (sending->again && sending->head->present)
        sending->head->remaining = kn_remaining(sending->deadline, kn_now());
    sending->again = true;
    sending->rc = kn_link_send(sending->link, sending->head, sending->type, sending->value,
                               &sending->link->node->why);
    return sending->rc != KOINE_EFULL;
}

/* While the ring is full the node goes on serving, so two ends that both are full do not lock up. */
static int send_waiting(struct sending *sending)
{
    if (try_send(sending))
        return sending->rc;
    struct koine_node *node = sending->link->node;
    struct kn_link *hot = kn_link_asks(sending->link) ? NULL : sending->link;
    node->full++;
    int rc = kn_node_until(node, try_send, sending, hot, sending->deadline, true);
    node->full--;
    return rc ? rc : sending->rc;
}

static int send_pending(struct koine_pending *pending, struct koine_ref *ref, struct kn_head *head,
                        const struct koine_type *in, const void *value)
{
    struct kn_link *link = ref->link;
    head->serial = pending->serial = ++link->serial;
    if (pending->deadline != INT64_MAX) {
        head->present = KN_PRESENT_DEADLINE;
        head->remaining = kn_remaining(pending->deadline, pending->begun);
    }
    in = in && in->size ? in : NULL;
    struct sending sending = {link, head, pending->deadline, in, value, KOINE_EFULL, false};
    pending->link = link;
    if (head->flags & KN_FLAG_ONEWAY)
        kn_list_init(&pending->in_link);
    else
        kn_list_append(&link->pending, &pending->in_link);
    link->users++;
    int rc = pending->waits ? send_waiting(&sending)
                            : kn_link_post(link, head, in, value, &link->node->why);
    link->users--;
    return rc;
}

/* Checks what can be checked before anything is sent. */
static int check(struct koine_ref *ref, enum koine_request_sort sort, uint32_t member)
{
    struct koine_node *node = ref->node;
    const struct koine_interface *interface = ref->interface;
    if (sort < KOINE_REQUEST_CALL || sort > KOINE_REQUEST_SET)
        return kn_node_fail(node, KOINE_EINVAL, "no such sort of request: %d", (int)sort);
    if (member >= interface->features.length)
        return kn_node_fail(node, KOINE_EMEMBER, "'%s' has no member %u", ref->name, member);
    const struct koine_feature *feature = &interface->features.ptr[member];
    bool attribute = feature->sort == KOINE_ATTRIBUTE;
    if (feature->sort == KOINE_EVENT || attribute != (sort != KOINE_REQUEST_CALL))
        return kn_node_fail(node, KOINE_EMEMBER, "'%s' of '%s' is of another sort",
                            feature->name.ptr, ref->name);
    if (sort == KOINE_REQUEST_SET && (feature->flags & KOINE_READONLY))
        return kn_node_fail(node, KOINE_EPERM, "'%s' of '%s' is read-only", feature->name.ptr,
                            ref->name);
    return 0;
}

static int prepare(struct koine_ref *ref, enum koine_request_sort sort, uint32_t member,
                   int64_t deadline)
{
    const struct koine_interface *unused;
    int rc = kn_ref_link(ref, deadline);
    if (!rc && !ref->interface) {
        rc = koine_ref_interface(&unused, ref, kn_remaining(deadline, kn_now()));
        rc = rc ? rc : kn_ref_link(ref, deadline); /* who described himself may be gone now */
    }
    return rc ? rc : check(ref, sort, member);
}

static int begin(struct koine_pending *pending, struct koine_ref *ref, enum koine_request_sort sort,
                 uint32_t member, const void *in)
{
    bool known = ref->link && ref->interface;
    int rc = prepare(ref, sort, member, pending->deadline);
    if (rc)
        return rc;
    if (!known)
        pending->begun = kn_now();
    const struct koine_feature *feature = &ref->interface->features.ptr[member];
    bool oneway = sort == KOINE_REQUEST_CALL && (feature->flags & KOINE_ONEWAY);
    struct kn_head head = {
        .kind = kinds[sort], .member = member, .flags = oneway ? KN_FLAG_ONEWAY : 0};
    pending->ref = ref;
    pending->member = member;
    pending->out = sort == KOINE_REQUEST_SET ? NULL : kn_feature_out(ref->interface, member);
    rc = send_pending(pending, ref, &head,
                      sort == KOINE_REQUEST_GET ? NULL : kn_feature_in(ref->interface, member), in);
    if (rc && !kn_list_empty(&pending->in_link))
        kn_list_unlink(&pending->in_link);
    return rc ? rc : oneway;
}

static void set_deadline(struct koine_pending *pending, const struct koine_node *node,
                         int64_t timeout)
{
    pending->begun = kn_now();
    pending->deadline = kn_deadline(pending->begun, timeout ? timeout : node->timeout);
}

int koine_start(struct koine_pending **pendingp, struct koine_ref *ref,
                enum koine_request_sort sort, uint32_t member, const void *in, int64_t timeout,
                koine_done *done, void *arg)
{
    int rc = kn_node_enter(ref->node);
    if (rc)
        return rc;
    struct koine_pending *pending = calloc(1, sizeof *pending);
    if (pending) {
        *pending = (struct koine_pending){.arg = arg};
        set_deadline(pending, ref->node, timeout);
        kn_list_init(&pending->in_link);
        ref->waiting++;
        rc = begin(pending, ref, sort, member, in);
        ref->waiting--;
    }
    if (!pending)
        rc = KOINE_ENOMEM;
    else if (rc)
        free(pending);
    else {
        pending->done = done;
        pending->owned = true;
        if (pendingp)
            *pendingp = pending;
    }
    kn_node_leave(ref->node);
    return rc > 0 ? 0 : rc;
}

int koine_cancel(struct koine_pending *pending)
{
    struct koine_node *node = pending->ref->node;
    int rc = kn_node_enter(node);
    if (rc)
        return rc;
    end_and_cancel(pending, KOINE_ECANCELLED);
    kn_node_leave(node);
    return 0;
}

/* ---------------------------------------------------------------- waiting */

struct synchronous {
    struct koine_ref *ref;
    bool over;
    int error;
    const void *out;
};

static void remember(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    struct synchronous *call = arg;
    call->over = true;
    call->ref->held++;
    call->error = error;
    call->out = out;
    if (fault)
        call->ref->fault = *fault;
}

static bool is_answered(void *arg)
{
    return ((struct synchronous *)arg)->over;
}

static int explain(struct koine_ref *ref, int error)
{
    const char *name = ref->name;
    if (error == KOINE_EDOWN)
        return kn_node_fail(ref->node, error,
                            "'%s' went away before it answered; whether it ran is not known", name);
    if (error == KOINE_EDEADLINE)
        return kn_node_fail(ref->node, error, "'%s' did not answer in time", name);
    if (error == KOINE_EFAULT)
        return kn_node_fail(ref->node, error, "'%s' answered a fault: %s%s%s", name,
                            ref->fault.name, *ref->fault.name && *ref->fault.message ? ": " : "",
                            ref->fault.message);
    return error;
}

/* The pending call lies on this frame: it is in the link's list until it is over, and no longer. */
static int call(const void **outp, struct koine_ref *ref, enum koine_request_sort sort,
                uint32_t member, const void *in, int64_t timeout)
{
    struct synchronous call = {.ref = ref};
    struct koine_pending pending = {
        .done = remember, .arg = &call, .waits = true, .arena = &ref->answer};
    set_deadline(&pending, ref->node, timeout);
    kn_list_init(&pending.in_link);
    koine_ref_done(ref);
    ref->waiting++;
    int rc = begin(&pending, ref, sort, member, in);
    if (!rc) {
        struct kn_link *link = pending.link;
        if (link)
            link->users++;
        rc = kn_node_until(ref->node, is_answered, &call, link, KOINE_FOREVER, false);
        if (link)
            link->users--;
        rc = rc ? rc : explain(ref, call.error);
    }
    ref->held -= call.over;
    ref->waiting--;
    if (!rc && outp)
        *outp = call.out;
    return rc > 0 ? 0 : rc;
}

static int enter_call(const void **outp, struct koine_ref *ref, enum koine_request_sort sort,
                      uint32_t member, const void *in, int64_t timeout)
{
    int rc = kn_node_enter(ref->node);
    if (rc)
        return rc;
    struct koine_node *node = ref->node;
    rc = node->depth > KN_DEPTH_MAX
             ? kn_node_fail(node, KOINE_EDEPTH, "calls are nested deeper than %d", KN_DEPTH_MAX)
             : kn_ref_ended(ref, call(outp, ref, sort, member, in, timeout));
    kn_node_leave(node);
    return rc;
}

int koine_call(const void **outp, struct koine_ref *ref, uint32_t member, const void *in,
               int64_t timeout)
{
    return enter_call(outp, ref, KOINE_REQUEST_CALL, member, in, timeout);
}

int koine_get(const void **valuep, struct koine_ref *ref, uint32_t member, int64_t timeout)
{
    return enter_call(valuep, ref, KOINE_REQUEST_GET, member, NULL, timeout);
}

int koine_set(struct koine_ref *ref, uint32_t member, const void *value, int64_t timeout)
{
    return enter_call(NULL, ref, KOINE_REQUEST_SET, member, value, timeout);
}

/* ---------------------------------------------------------------- with JSON */

static int find_member(uint32_t *memberp, struct koine_ref *ref, const char *member,
                       int64_t timeout)
{
    const struct koine_interface *interface;
    int rc = koine_ref_interface(&interface, ref, timeout);
    if (rc)
        return rc;
    if (koine_interface_find(memberp, interface, member))
        return kn_node_fail(ref->node, KOINE_EMEMBER, "'%s' (%s) has no member '%s'", ref->name,
                            interface->name.ptr, member);
    return 0;
}

static int read_in(void **valuep, struct kn_arena *arena, struct koine_ref *ref, uint32_t member,
                   const char *json)
{
    const struct koine_type *type = kn_feature_in(ref->interface, member);
    return kn_json_read(valuep, arena, type, kn_str(json ? json : "{}"), KN_JSON_POSITIONAL,
                        &ref->node->why);
}

static int write_out(const char **jsonp, struct koine_ref *ref, const struct koine_type *type,
                     const void *value)
{
    kn_buffer_clear(&ref->text);
    int rc = kn_json_write(&ref->text, type, value, 0);
    if (!rc)
        *jsonp = ref->text.ptr;
    return rc;
}

int koine_call_text(const char **jsonp, struct koine_ref *ref, const char *member, const char *json,
                    int64_t timeout)
{
    struct kn_arena arena;
    uint32_t index;
    void *in;
    const void *out = NULL;
    int rc = find_member(&index, ref, member, timeout);
    if (rc)
        return rc;
    kn_arena_init(&arena, 0);
    if (ref->interface->features.ptr[index].sort != KOINE_OPERATION)
        rc = kn_node_fail(ref->node, KOINE_EMEMBER, "'%s' of '%s' is no operation", member,
                          ref->name);
    if (!rc)
        rc = read_in(&in, &arena, ref, index, json);
    if (!rc)
        rc = koine_call(&out, ref, index, in, timeout);
    kn_arena_deinit(&arena);
    return rc ? rc : write_out(jsonp, ref, kn_feature_out(ref->interface, index), out);
}

int koine_get_text(const char **jsonp, struct koine_ref *ref, const char *member, int64_t timeout)
{
    uint32_t index;
    const void *value;
    int rc = find_member(&index, ref, member, timeout);
    if (!rc)
        rc = koine_get(&value, ref, index, timeout);
    return rc ? rc : write_out(jsonp, ref, kn_feature_out(ref->interface, index), value);
}

int koine_set_text(struct koine_ref *ref, const char *member, const char *json, int64_t timeout)
{
    struct kn_arena arena;
    uint32_t index;
    void *value;
    int rc = find_member(&index, ref, member, timeout);
    if (rc)
        return rc;
    kn_arena_init(&arena, 0);
    rc = read_in(&value, &arena, ref, index, json);
    if (!rc)
        rc = koine_set(ref, index, value, timeout);
    kn_arena_deinit(&arena);
    return rc;
}
