/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <koine/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST = 256, LIMIT = 256 << 20 };

void kn_buffer_init(struct kn_buffer *buffer, size_t limit)
{
    *buffer = (struct kn_buffer){.limit = limit ? limit : LIMIT};
}

void kn_buffer_deinit(struct kn_buffer *buffer)
{
    free(buffer->ptr);
    kn_buffer_init(buffer, buffer->limit);
}

void kn_buffer_clear(struct kn_buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = 0;
    if (buffer->ptr)
        buffer->ptr[0] = 0;
}

/* Room for `more` octets and a NUL. */
static bool reserve(struct kn_buffer *buffer, size_t more)
{
    if (buffer->failed)
        return false;
    if (more > buffer->limit - buffer->length) {
        buffer->failed = KOINE_ETOOBIG;
        return false;
    }
    size_t need = buffer->length + more + 1;
    if (need <= buffer->room)
        return true;
    size_t room = buffer->room ? buffer->room : FIRST;
    while (room < need)
        room *= 2;
    char *grown = realloc(buffer->ptr, room);
    if (!grown) {
        buffer->failed = KOINE_ENOMEM;
        return false;
    }
    buffer->ptr = grown;
    buffer->room = room;
    return true;
}

int kn_buffer_steal(char **textp, size_t *lengthp, struct kn_buffer *buffer)
{
    (void)reserve(buffer, 0);
    int failed = buffer->failed;
    if (failed) {
        kn_buffer_deinit(buffer);
        return failed;
    }
    buffer->ptr[buffer->length] = 0;
    *textp = buffer->ptr;
    if (lengthp)
        *lengthp = buffer->length;
    kn_buffer_init(buffer, buffer->limit);
    return 0;
}

void kn_buffer_add(struct kn_buffer *buffer, const void *octets, size_t length)
{
    if (!reserve(buffer, length))
        return;
    if (length)
        memcpy(buffer->ptr + buffer->length, octets, length);
    buffer->length += length;
    buffer->ptr[buffer->length] = 0;
}

void kn_buffer_char(struct kn_buffer *buffer, char c)
{
    kn_buffer_add(buffer, &c, 1);
}

void kn_buffer_text(struct kn_buffer *buffer, const char *text)
{
    kn_buffer_add(buffer, text, strlen(text));
}

void kn_buffer_str(struct kn_buffer *buffer, struct kn_str str)
{
    kn_buffer_add(buffer, str.ptr, str.length);
}

void kn_buffer_fill(struct kn_buffer *buffer, char c, size_t count)
{
    if (!reserve(buffer, count))
        return;
    memset(buffer->ptr + buffer->length, c, count);
    buffer->length += count;
    buffer->ptr[buffer->length] = 0;
}

void kn_buffer_uint(struct kn_buffer *buffer, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    kn_buffer_add(buffer, digits + at, sizeof digits - at);
}

void kn_buffer_int(struct kn_buffer *buffer, int64_t value)
{
    if (value < 0)
        kn_buffer_char(buffer, '-');
    kn_buffer_uint(buffer, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

char *kn_buffer_room(size_t *roomp, struct kn_buffer *buffer, size_t least)
{
    if (!reserve(buffer, least))
        return NULL;
    size_t room = buffer->room - buffer->length - 1, allowed = buffer->limit - buffer->length;
    *roomp = room < allowed ? room : allowed;
    return buffer->ptr + buffer->length;
}

void kn_buffer_take(struct kn_buffer *buffer, size_t length)
{
    buffer->length += length;
    buffer->ptr[buffer->length] = 0;
}

void kn_buffer_drop(struct kn_buffer *buffer, size_t length)
{
    if (!length)
        return;
    memmove(buffer->ptr, buffer->ptr + length, buffer->length - length + 1);
    buffer->length -= length;
}

void kn_buffer_print(struct kn_buffer *buffer, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0)
        buffer->failed = KOINE_EINVAL;
    else if (reserve(buffer, (size_t)length)) {
        vsnprintf(buffer->ptr + buffer->length, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    }
    va_end(again);
    va_end(args);
}
