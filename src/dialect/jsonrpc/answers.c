/* SPDX-License-Identifier: MIT
 *
 * Answers on their way out. One alone is written as it comes. Those of a batch stand in the order of
 * its requests in one array (the specification leaves the order open), so each is kept until the last
 * has come; a batch of nothing but notifications is answered by nothing at all (section 6).
 */
#include "dialect/jsonrpc/server.h"

#include "dialect/fault.h"

struct jsonrpc_batch {
    struct kn_list in_channel;
    struct jsonrpc_pending *first, *last;
    size_t waiting;
    bool open; /* still being read */
};

static void *allocate(struct jsonrpc_channel *ch, size_t size)
{
    return ch->channel->host->alloc(ch->channel, size);
}

static void release(struct jsonrpc_channel *ch, void *memory)
{
    if (memory)
        ch->channel->host->free(ch->channel, memory);
}

/* ---------------------------------------------------------------- pending */

struct jsonrpc_pending *jsonrpc_pending_new(struct jsonrpc_channel *ch, uint8_t kind,
                                            struct kn_str id)
{
    struct jsonrpc_pending *pending = allocate(ch, sizeof *pending + id.length);
    if (!pending)
        return NULL;
    *pending = (struct jsonrpc_pending){.kind = kind, .id_length = id.length};
    if (id.length)
        memcpy(pending->id, id.ptr, id.length);
    kn_list_init(&pending->in_channel);
    return pending;
}

void jsonrpc_pending_free(struct jsonrpc_channel *ch, struct jsonrpc_pending *pending)
{
    if (!pending)
        return;
    kn_list_unlink(&pending->in_channel);
    release(ch, pending->answer);
    release(ch, pending);
}

struct jsonrpc_pending *jsonrpc_pending_find(const struct jsonrpc_channel *ch, uint64_t serial)
{
    KN_LIST_EACH(at, &ch->pending)
    {
        struct jsonrpc_pending *pending = KN_LIST_ENTRY(at, struct jsonrpc_pending, in_channel);
        if (pending->serial == serial)
            return pending;
    }
    return NULL;
}

void jsonrpc_pending_place(struct jsonrpc_channel *ch, struct jsonrpc_pending *pending)
{
    struct jsonrpc_batch *batch = ch->batch;
    kn_list_append(&ch->pending, &pending->in_channel);
    pending->batch = batch;
    if (!batch)
        return;
    batch->waiting++;
    if (batch->last)
        batch->last->next = pending;
    else
        batch->first = pending;
    batch->last = pending;
}

/* ---------------------------------------------------------------- batches */

int jsonrpc_batch_open(struct jsonrpc_channel *ch)
{
    struct jsonrpc_batch *batch = allocate(ch, sizeof *batch);
    if (!batch)
        return KOINE_ENOMEM;
    *batch = (struct jsonrpc_batch){.open = true};
    kn_list_append(&ch->batches, &batch->in_channel);
    ch->batch = batch;
    return 0;
}

static void free_batch(struct jsonrpc_channel *ch, struct jsonrpc_batch *batch)
{
    for (struct jsonrpc_pending *at = batch->first, *next; at; at = next) {
        next = at->next;
        jsonrpc_pending_free(ch, at);
    }
    kn_list_unlink(&batch->in_channel);
    release(ch, batch);
}

static struct kn_str end_of_batch(const struct jsonrpc_channel *ch)
{
    return ch->channel->shape == KN_STREAM ? KN_STR("]\n") : KN_STR("]");
}

static int finish_batch(struct jsonrpc_channel *ch, struct jsonrpc_batch *batch)
{
    int rc = 0;
    if (batch->open || batch->waiting)
        return 0;
    for (const struct jsonrpc_pending *at = batch->first; at && !rc; at = at->next)
        rc = kn_outbox_write(&ch->outbox, (struct kn_str){at->answer, at->answer_length});
    if (!rc && batch->first)
        rc = kn_outbox_write(&ch->outbox, end_of_batch(ch));
    free_batch(ch, batch);
    return rc;
}

int jsonrpc_batch_read(struct jsonrpc_channel *ch)
{
    struct jsonrpc_batch *batch = ch->batch;
    ch->batch = NULL;
    batch->open = false;
    return finish_batch(ch, batch);
}

void jsonrpc_forget(struct jsonrpc_channel *ch)
{
    KN_LIST_EACH(at, &ch->pending)
    {
        struct jsonrpc_pending *pending = KN_LIST_ENTRY(at, struct jsonrpc_pending, in_channel);
        if (!pending->batch)
            jsonrpc_pending_free(ch, pending);
    }
    while (!kn_list_empty(&ch->batches))
        free_batch(ch, KN_LIST_ENTRY(ch->batches.next, struct jsonrpc_batch, in_channel));
    ch->batch = NULL;
}

/* ---------------------------------------------------------------- writing */

static int write_error(struct jsonrpc_channel *ch, struct kn_str id, int code,
                       const struct koine_fault *fault)
{
    struct kn_buffer *out = &ch->endpoint->out;
    kn_buffer_clear(out);
    int rc = jsonrpc_write_error(out, id, code, fault);
    if (!rc)
        return 0;
    struct koine_fault instead = kn_fault_of(rc, "the fault cannot be written");
    kn_buffer_clear(out);
    return jsonrpc_write_error(out, id, JSONRPC_SERVER_ERROR, &instead);
}

static int write_result(struct jsonrpc_channel *ch, struct kn_str id, uint8_t kind,
                        const struct kn_body *body)
{
    struct kn_buffer *out = &ch->endpoint->out;
    kn_buffer_clear(out);
    int rc = jsonrpc_write_result(out, id, kind, body);
    if (!rc)
        return 0;
    struct koine_fault instead = kn_fault_of(
        rc, rc == KOINE_ETOOBIG ? "the answer is too long" : "the answer cannot be written");
    instead.completion = KOINE_COMPLETED_YES;
    return write_error(ch, id, JSONRPC_SERVER_ERROR, &instead);
}

/* What is in `out`, alone. */
static int put(struct jsonrpc_channel *ch)
{
    struct kn_buffer *out = &ch->endpoint->out;
    if (ch->channel->shape == KN_STREAM)
        kn_buffer_char(out, '\n');
    if (out->failed)
        return out->failed;
    return kn_outbox_write(&ch->outbox, (struct kn_str){out->ptr, out->length});
}

/* What is in `out`, as the answer of `pending`, which is in a batch. */
static int keep(struct jsonrpc_channel *ch, struct jsonrpc_pending *pending)
{
    const struct kn_buffer *out = &ch->endpoint->out;
    struct jsonrpc_batch *batch = pending->batch;
    pending->answer = allocate(ch, out->length + 1);
    if (!pending->answer)
        return KOINE_ENOMEM;
    pending->answer[0] = pending == batch->first ? '[' : ',';
    memcpy(pending->answer + 1, out->ptr, out->length);
    pending->answer_length = out->length + 1;
    kn_list_unlink(&pending->in_channel);
    batch->waiting--;
    return 0;
}

/* An answer for which there is no room in the peer's quota shrinks to an error. */
static int keep_or_shrink(struct jsonrpc_channel *ch, struct jsonrpc_pending *pending)
{
    int rc = keep(ch, pending);
    if (rc != KOINE_ENOMEM)
        return rc;
    struct koine_fault fault = kn_fault_of(rc, "no room for the answer");
    fault.completion = KOINE_COMPLETED_MAYBE;
    rc = write_error(ch, (struct kn_str){pending->id, pending->id_length}, JSONRPC_SERVER_ERROR,
                     &fault);
    return rc ? rc : keep(ch, pending);
}

int jsonrpc_answer(struct jsonrpc_channel *ch, struct jsonrpc_pending *pending,
                   const struct kn_message *message)
{
    struct kn_str id = {pending->id, pending->id_length};
    int rc = message->kind == KN_MESSAGE_FAULT
                 ? write_error(ch, id, JSONRPC_SERVER_ERROR, message->fault)
                 : write_result(ch, id, pending->kind, &message->body);
    if (rc)
        return rc;
    struct jsonrpc_batch *batch = pending->batch;
    if (!batch) {
        jsonrpc_pending_free(ch, pending);
        return put(ch);
    }
    rc = keep_or_shrink(ch, pending);
    return rc ? rc : finish_batch(ch, batch);
}

int jsonrpc_answer_now(struct jsonrpc_channel *ch, struct kn_str id, int code,
                       const struct koine_fault *fault)
{
    static const struct kn_body nothing;
    int rc =
        fault ? write_error(ch, id, code, fault) : write_result(ch, id, KN_MESSAGE_CALL, &nothing);
    if (rc || !ch->batch)
        return rc ? rc : put(ch);
    struct jsonrpc_pending *pending = jsonrpc_pending_new(ch, 0, (struct kn_str){"", 0});
    if (!pending)
        return KOINE_ENOMEM;
    jsonrpc_pending_place(ch, pending);
    return keep(ch, pending);
}
