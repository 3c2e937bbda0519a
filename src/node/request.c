/* SPDX-License-Identifier: MIT
 *
 * The serving end of a call: from a message to a handler, and from an answer to a message.
 *
 * A request that its handler keeps (KOINE_PENDING) outlives its link: it is orphaned then, its answer is
 * thrown away, and only its handler ends it. Requests are used again with their memory, so that a call
 * allocates nothing once the node is warm.
 */
#include "node/fault.h"
#include "node/internal.h"

#include "value/json.h"
#include "value/types.h"

#include <stdlib.h>

enum { ARENA_MAX = 4 * KN_BODY_MAX };

static struct koine_request *new_request(struct koine_node *node)
{
    struct koine_request *request;
    if (kn_list_empty(&node->spare)) {
        request = calloc(1, sizeof *request);
        if (!request)
            return NULL;
        kn_list_init(&request->in_link);
        kn_arena_init(&request->arena, ARENA_MAX);
        kn_buffer_init(&request->text, 0);
        return request;
    }
    request = KN_LIST_ENTRY(node->spare.next, struct koine_request, in_link);
    kn_list_unlink(&request->in_link);
    return request;
}

void kn_request_free(struct koine_request *request)
{
    struct koine_node *node = request->service->node;
    kn_loan_give(&request->loan); /* first: the caller may already wait for it */
    if (request->link)
        request->link->request_count--;
    kn_list_unlink(&request->in_link);
    kn_arena_reset(&request->arena);
    kn_buffer_deinit(&request->text);
    struct kn_arena arena = request->arena;
    struct kn_buffer text = request->text;
    *request = (struct koine_request){.arena = arena, .text = text};
    kn_list_init(&request->in_link);
    kn_list_append(&node->spare, &request->in_link);
}

void kn_request_orphan(struct koine_request *request)
{
    kn_list_unlink(&request->in_link);
    kn_list_append(&request->service->orphans, &request->in_link);
    request->link->request_count--;
    request->link = NULL;
    request->cancelled = true;
}

/* ---------------------------------------------------------------- answers */

static int send_fault(struct kn_link *link, const struct kn_head *head,
                      const struct kn_fault_value *value)
{
    if (link->state != KN_LINKED)
        return 0;
    int rc = kn_link_post(link, head, kn_fault_type(), value, NULL);
    return rc == KOINE_EDOWN || rc == KOINE_EPROTOCOL ? 0 : rc;
}

/* In place of what could not be sent. Nobody is left waiting: the last resort is to hang up. */
void kn_answer_lost(struct kn_link *link, const struct kn_head *lost, int error)
{
    struct kn_head head = {.kind = KN_FAULT, .member = lost->member, .serial = lost->serial};
    struct kn_fault_value value = {.code = KOINE_FAULT_RESOURCE_EXHAUSTED,
                                   .completion = KOINE_COMPLETED_YES,
                                   .name = koine_string(""),
                                   .message = koine_string(koine_strerror(error)),
                                   .origin = koine_string("")};
    if (send_fault(link, &head, &value))
        kn_link_drop(link);
}

/* Gathers a declared exception into its flight form, in the request's memory. */
static int wrap_exception(struct koine_octets *octetsp, struct kn_arena *arena,
                          const struct koine_type *type, const void *value)
{
    size_t size;
    int rc = kn_value_size(&size, type, value, NULL);
    if (rc)
        return rc;
    void *flight = kn_arena_alloc(arena, size);
    if (!flight)
        return KOINE_ENOMEM;
    rc = kn_value_gather(flight, size, type, value, NULL);
    if (!rc)
        *octetsp = (struct koine_octets){{flight}, (uint32_t)size, 0};
    return rc;
}

static int answer_fault(struct koine_request *request, const struct koine_fault *fault)
{
    struct kn_fault_value value = {.code = fault->code,
                                   .completion = fault->completion,
                                   .retryable = fault->retryable,
                                   .name = koine_string(fault->name),
                                   .message = koine_string(fault->message),
                                   .origin = koine_string(fault->origin)};
    int rc = fault->type
                 ? wrap_exception(&value.exception, &request->arena, fault->type, fault->value)
                 : 0;
    if (rc)
        return rc;
    struct kn_head head = {.kind = KN_FAULT, .member = request->member, .serial = request->serial};
    if (request->link && !request->oneway && (rc = send_fault(request->link, &head, &value)))
        kn_answer_lost(request->link, &head, rc);
    request->answered = true;
    return 0;
}

static void answer_code(struct koine_request *request, int32_t code, const char *message)
{
    struct koine_fault fault = {.code = code, .name = "", .message = message, .origin = ""};
    (void)answer_fault(request, &fault);
}

static const struct koine_type *out_type(const struct koine_request *request)
{
    if (request->sort == KOINE_REQUEST_SET)
        return NULL;
    return kn_feature_out(request->service->interface, request->member);
}

static int answer_value(struct koine_request *request, const void *out)
{
    struct koine_why why = {""};
    struct kn_head head = {.kind = KN_REPLY, .member = request->member, .serial = request->serial};
    const struct koine_type *type = out_type(request);
    if (type && !type->size)
        type = NULL;
    int rc = 0;
    if (request->link && request->link->state == KN_LINKED && !request->oneway)
        rc = kn_link_post(request->link, &head, type, out, &why);
    if (rc == KOINE_EDOWN || rc == KOINE_EPROTOCOL)
        rc = 0;
    if (rc)
        return kn_node_fail(request->service->node, rc, "answer of '%s': %s",
                            request->service->name, why.text[0] ? why.text : koine_strerror(rc));
    request->answered = true;
    return 0;
}

/* Ends a request that was answered, unless its handler still stands on it. */
static int finish(struct koine_request *request, int rc)
{
    if (!rc && !request->inside)
        kn_request_free(request);
    return rc;
}

static int check_open(const struct koine_request *request)
{
    if (!*request->service->node->guard)
        return KOINE_EFORKED;
    return request->answered ? KOINE_EINVAL : 0;
}

int koine_reply(struct koine_request *request, const void *out)
{
    int rc = check_open(request);
    return rc ? rc : finish(request, answer_value(request, out));
}

int koine_reply_text(struct koine_request *request, const char *json, size_t length)
{
    struct koine_node *node = request->service->node;
    const struct koine_type *type = out_type(request);
    void *out = NULL;
    int rc = check_open(request);
    if (!rc && type)
        rc =
            kn_json_read(&out, &request->arena, type, (struct kn_str){json, length}, 0, &node->why);
    return rc ? rc : koine_reply(request, out);
}

int koine_reply_fault(struct koine_request *request, const struct koine_fault *fault)
{
    int rc = check_open(request);
    return rc ? rc : finish(request, answer_fault(request, fault));
}

int koine_request_fault(struct koine_request *request, int32_t code, const char *message)
{
    int rc = check_open(request);
    if (!rc)
        answer_code(request, code, message);
    return rc == KOINE_EFORKED ? rc : KOINE_EFAULT;
}

int koine_request_raise(struct koine_request *request, uint32_t which, const void *exception)
{
    const struct koine_interface *interface = request->service->interface;
    const struct koine_feature *feature = &interface->features.ptr[request->member];
    int rc = check_open(request);
    if (rc || which >= feature->raises.length)
        return rc ? rc : KOINE_EINVAL;
    const struct koine_type *type = interface->types.ptr + feature->raises.ptr[which];
    struct koine_fault fault = {
        .code = KOINE_FAULT_UNKNOWN,
        .completion = KOINE_COMPLETED_YES,
        .name = kn_arena_text(&request->arena, type->name.ptr, type->name.length),
        .message = "",
        .type = type,
        .value = exception,
        .origin = ""};
    rc = fault.name ? answer_fault(request, &fault) : KOINE_ENOMEM;
    return rc ? rc : KOINE_EFAULT;
}

/* ---------------------------------------------------------------- arrival */

static int run_handler(struct koine_request *request, void *out)
{
    struct koine_service *service = request->service;
    if (service->handler)
        return service->handler(service->self, request);
    return service->face->dispatch(service->handlers, service->self, request, request->member,
                                   request->sort, request->in, out);
}

static int32_t fault_code_of(int error)
{
    static const struct {
        int error;
        int32_t code;
    } table[] = {
        {KOINE_EINVAL, KOINE_FAULT_INVALID_ARGUMENT},
        {KOINE_EDATA, KOINE_FAULT_INVALID_ARGUMENT},
        {KOINE_ENOENT, KOINE_FAULT_NOT_FOUND},
        {KOINE_EPERM, KOINE_FAULT_PERMISSION_DENIED},
        {KOINE_ENOMEM, KOINE_FAULT_RESOURCE_EXHAUSTED},
        {KOINE_ELIMIT, KOINE_FAULT_RESOURCE_EXHAUSTED},
        {KOINE_EFULL, KOINE_FAULT_RESOURCE_EXHAUSTED},
        {KOINE_EHOLDS, KOINE_FAULT_RESOURCE_EXHAUSTED},
        {KOINE_ETOOBIG, KOINE_FAULT_RESOURCE_EXHAUSTED},
        {KOINE_EDEADLINE, KOINE_FAULT_DEADLINE_EXCEEDED},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].error == error)
            return table[i].code;
    return KOINE_FAULT_INTERNAL;
}

static void answer_error(struct koine_request *request, int error)
{
    answer_code(request, fault_code_of(error), koine_strerror(error));
}

/* A generic handler answers itself, a typed one by its out struct. */
static void serve(struct koine_request *request)
{
    const struct koine_type *type = out_type(request);
    void *out = type && type->size ? kn_arena_zalloc(&request->arena, 1, type->size) : NULL;
    if (type && type->size && !out) {
        answer_code(request, KOINE_FAULT_RESOURCE_EXHAUSTED, "no memory for the answer");
        kn_request_free(request);
        return;
    }
    request->inside = true;
    int rc = run_handler(request, out);
    request->inside = false;
    if (!request->answered && rc == KOINE_PENDING)
        return;
    if (!request->answered && !rc && !request->service->handler &&
        (rc = answer_value(request, out)))
        answer_code(request, fault_code_of(rc), koine_node_why(request->service->node));
    if (!request->answered)
        answer_error(request, rc ? rc : KOINE_ESYSTEM);
    kn_request_free(request);
}

/* What the message asks for, or NULL and the reason. */
static const char *check_sort(const struct koine_request *request, const struct kn_head *head)
{
    const struct koine_interface *interface = request->service->interface;
    if (head->member >= interface->features.length)
        return "no such member";
    const struct koine_feature *feature = &interface->features.ptr[head->member];
    bool attribute = feature->sort == KOINE_ATTRIBUTE;
    if (feature->sort == KOINE_EVENT || attribute != (head->kind != KN_CALL))
        return "the member is of another sort";
    if (head->kind == KN_SET && (feature->flags & KOINE_READONLY))
        return "the attribute is read-only";
    return NULL;
}

static void describe(struct koine_request *request)
{
    struct kn_head head = {.kind = KN_REPLY, .serial = request->serial};
    struct koine_why why;
    int rc =
        kn_link_post(request->link, &head, kn_interface_type(), request->service->interface, &why);
    if (rc && rc != KOINE_EDOWN)
        answer_code(request, KOINE_FAULT_RESOURCE_EXHAUSTED,
                    "the description is too large for a message");
    kn_request_free(request);
}

static void admit_and_serve(struct koine_request *request, const struct kn_head *head,
                            const struct kn_body *body)
{
    const struct koine_type *type = kn_feature_in(request->service->interface, head->member);
    struct koine_why why = {""};
    if (head->kind != KN_GET && type->size &&
        kn_value_admit(&request->in, &request->arena, type, body->octets, body->length, &why)) {
        answer_code(request, KOINE_FAULT_INVALID_ARGUMENT, why.text);
        kn_request_free(request);
        return;
    }
    request->service->counts.calls++;
    serve(request);
}

static void accept_request(struct koine_request *request, const struct kn_head *head,
                           const struct kn_body *body)
{
    struct kn_link *link = request->link;
    struct koine_node *node = link->node;
    const char *wrong = head->kind == KN_DESCRIBE ? NULL : check_sort(request, head);
    if (!wrong && link->request_count > node->max_pending)
        wrong = "too many calls wait for an answer on this link";
    if (!wrong && node->depth > KN_DEPTH_MAX)
        wrong = "calls are nested too deep";
    if (wrong) {
        bool member = head->kind != KN_DESCRIBE && check_sort(request, head);
        answer_code(request, member ? KOINE_FAULT_UNIMPLEMENTED : KOINE_FAULT_RESOURCE_EXHAUSTED,
                    wrong);
        kn_request_free(request);
    } else if (head->kind == KN_DESCRIBE) {
        describe(request);
    } else if (body->error) {
        answer_error(request, body->error);
        kn_request_free(request);
    } else {
        admit_and_serve(request, head, body);
    }
}

void kn_request_arrived(struct kn_link *link, const struct kn_head *head, struct kn_body *body)
{
    struct koine_request *request = link->service ? new_request(link->node) : NULL;
    if (!request) {
        kn_link_drop(link);
        return;
    }
    request->link = link;
    request->service = link->service;
    request->serial = head->serial;
    request->member = head->member;
    request->sort = head->kind == KN_GET   ? KOINE_REQUEST_GET
                    : head->kind == KN_SET ? KOINE_REQUEST_SET
                                           : KOINE_REQUEST_CALL;
    request->oneway = head->flags & KN_FLAG_ONEWAY;
    link->node->clock = kn_now();
    request->deadline =
        head->remaining == INT64_MAX ? INT64_MAX : kn_deadline(link->node->clock, head->remaining);
    request->caller = link->peer;
    request->loan = body->loan;
    body->loan.link = NULL;
    kn_list_append(&link->requests, &request->in_link);
    link->request_count++;
    link->node->depth++;
    accept_request(request, head, body);
    link->node->depth--;
}

void kn_request_cancelled(struct kn_link *link, uint64_t serial)
{
    KN_LIST_EACH(at, &link->requests)
    {
        struct koine_request *request = KN_LIST_ENTRY(at, struct koine_request, in_link);
        if (request->serial == serial)
            request->cancelled = true;
    }
}

/* ---------------------------------------------------------------- what a handler asks */

uint32_t koine_request_member(const struct koine_request *request)
{
    return request->member;
}

enum koine_request_sort koine_request_sort(const struct koine_request *request)
{
    return request->sort;
}

const struct koine_caller *koine_request_caller(const struct koine_request *request)
{
    return &request->caller;
}

int64_t koine_request_deadline(const struct koine_request *request)
{
    return request->deadline;
}

int koine_request_cancelled(const struct koine_request *request)
{
    return request->cancelled;
}

const void *koine_request_in(const struct koine_request *request)
{
    return request->in;
}

void *koine_request_alloc(struct koine_request *request, size_t size)
{
    return kn_arena_alloc(&request->arena, size);
}

int koine_request_text(const char **jsonp, size_t *lengthp, struct koine_request *request)
{
    const struct koine_type *type = kn_feature_in(request->service->interface, request->member);
    int rc = 0;
    if (!*request->service->node->guard)
        return KOINE_EFORKED;
    kn_buffer_clear(&request->text);
    if (request->sort == KOINE_REQUEST_GET)
        kn_buffer_text(&request->text, "null");
    else
        rc = kn_json_write(&request->text, type, request->in, 0);
    if (!rc && !(rc = request->text.failed)) {
        *jsonp = request->text.ptr;
        *lengthp = request->text.length;
    }
    return rc;
}
