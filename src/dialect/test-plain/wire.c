/* SPDX-License-Identifier: MIT */
#include "dialect/test-plain/plain.h"

#include "base/cursor.h"
#include "value/border.h"

enum { HEAD = 16 };

static size_t up(size_t length)
{
    return (length + 7) & ~(size_t)7;
}

bool plain_read(struct plain_packet *packet, struct kn_str octets)
{
    struct kn_cursor cursor = kn_cursor(octets.ptr, octets.length);
    packet->kind = kn_cursor_u8(&cursor);
    packet->flags = kn_cursor_u8(&cursor);
    size_t length = kn_cursor_u16(&cursor);
    packet->member = kn_cursor_u32(&cursor);
    packet->id = kn_cursor_u64(&cursor);
    packet->service = (struct kn_str){(const char *)kn_cursor_take(&cursor, length), length};
    kn_cursor_align(&cursor, 8);
    packet->body = (struct kn_str){(const char *)cursor.at, kn_cursor_left(&cursor)};
    return !cursor.failed;
}

size_t plain_size(const struct plain_packet *packet)
{
    return sizeof(uint32_t) + HEAD + up(packet->service.length) + packet->body.length;
}

void plain_write(char *to, const struct plain_packet *packet)
{
    uint32_t length = (uint32_t)(plain_size(packet) - sizeof length);
    uint16_t service = (uint16_t)packet->service.length;
    memset(to, 0, plain_size(packet));
    memcpy(to, &length, sizeof length);
    to += sizeof length;
    memcpy(to, &packet->kind, 1);
    memcpy(to + 1, &packet->flags, 1);
    memcpy(to + 2, &service, sizeof service);
    memcpy(to + 4, &packet->member, sizeof packet->member);
    memcpy(to + 8, &packet->id, sizeof packet->id);
    if (packet->service.length)
        memcpy(to + HEAD, packet->service.ptr, packet->service.length);
    if (packet->body.length)
        memcpy(to + HEAD + up(packet->service.length), packet->body.ptr, packet->body.length);
}

int plain_flatten(struct kn_str *bodyp, struct kn_arena *arena, const struct kn_body *body)
{
    size_t size = 0;
    *bodyp = (struct kn_str){"", 0};
    if (!body->type || !body->type->size)
        return 0;
    int rc = kn_value_size(&size, body->type, body->value, NULL);
    void *octets = rc ? NULL : kn_arena_zalloc(arena, 1, up(size));
    if (rc || !octets)
        return rc ? rc : KOINE_ENOMEM;
    if ((rc = kn_value_gather(octets, size, body->type, body->value, NULL)))
        return rc;
    *bodyp = (struct kn_str){octets, size};
    return 0;
}

int plain_raise(struct kn_body *bodyp, struct kn_arena *arena, const struct koine_type *type,
                struct kn_str octets)
{
    *bodyp = (struct kn_body){type, NULL};
    if (!type || !type->size)
        return octets.length ? KOINE_EDATA : 0;
    char *copy = kn_arena_zalloc(arena, 1, up(octets.length) + 8);
    if (!copy)
        return KOINE_ENOMEM;
    if (octets.length)
        memcpy(copy, octets.ptr, octets.length);
    bodyp->value = copy;
    return kn_value_admit_private(type, copy, octets.length, NULL);
}

/* ---------------------------------------------------------------- faults */

/* code, completion and retryable as an int32 each; four texts with their NUL, the last the value. */
int plain_flatten_fault(struct kn_str *bodyp, struct kn_arena *arena,
                        const struct koine_fault *fault)
{
    struct kn_str value = {"", 0};
    const char *texts[] = {fault->name, fault->message, fault->origin};
    int32_t numbers[] = {fault->code, fault->completion, fault->retryable};
    size_t length = sizeof numbers;
    int rc = plain_flatten(&value, arena,
                           &(struct kn_body){fault->value ? fault->type : NULL, fault->value});
    if (rc)
        return rc;
    for (size_t i = 0; i < 3; i++)
        length += strlen(texts[i]) + 1;
    char *all = kn_arena_alloc(arena, length + value.length), *at = all;
    if (!all)
        return KOINE_ENOMEM;
    memcpy(at, numbers, sizeof numbers);
    at += sizeof numbers;
    for (size_t i = 0; i < 3; at += strlen(texts[i]) + 1, i++)
        memcpy(at, texts[i], strlen(texts[i]) + 1);
    if (value.length)
        memcpy(at, value.ptr, value.length);
    *bodyp = (struct kn_str){all, length + value.length};
    return 0;
}

static const char *read_text(struct kn_cursor *cursor)
{
    const uint8_t *start = cursor->at;
    const uint8_t *zero = cursor->failed ? NULL : memchr(start, 0, kn_cursor_left(cursor));
    return (const char *)kn_cursor_take(cursor, zero ? (size_t)(zero - start) + 1 : SIZE_MAX);
}

static const struct koine_type *find_exception(const struct plain_request *request,
                                               const char *name)
{
    if (!request->interface || request->kind != KN_MESSAGE_CALL)
        return NULL;
    const struct koine_feature *feature = &request->interface->features.ptr[request->member];
    for (uint32_t i = 0; i < feature->raises.length; i++) {
        const struct koine_type *type = request->interface->types.ptr + feature->raises.ptr[i];
        if (!strcmp(type->name.ptr, name))
            return type;
    }
    return NULL;
}

int plain_raise_fault(struct koine_fault *fault, struct kn_arena *arena,
                      const struct plain_request *request, struct kn_str octets)
{
    struct kn_cursor cursor = kn_cursor(octets.ptr, octets.length);
    struct kn_body body = {NULL, NULL};
    int32_t numbers[3];
    kn_cursor_copy(&cursor, numbers, sizeof numbers);
    const char *texts[3];
    for (size_t i = 0; i < 3; i++)
        texts[i] = read_text(&cursor);
    *fault = (struct koine_fault){.code = numbers[0] ? numbers[0] : KOINE_FAULT_UNKNOWN,
                                  .completion = (uint8_t)numbers[1],
                                  .retryable = numbers[2] != 0,
                                  .name = texts[0],
                                  .message = texts[1],
                                  .origin = texts[2]};
    if (cursor.failed)
        return KOINE_EDATA;
    const struct koine_type *type = find_exception(request, fault->name);
    if (!type)
        return 0;
    int rc = plain_raise(&body, arena, type,
                         (struct kn_str){(const char *)cursor.at, kn_cursor_left(&cursor)});
    fault->type = body.value ? type : NULL;
    fault->value = body.value;
    return rc;
}
