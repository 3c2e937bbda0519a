/* SPDX-License-Identifier: MIT */
#include "value/why.h"

#include <stdarg.h>
#include <stdio.h>

enum { FRAMES = 40 };

static size_t put(char *to, size_t room, size_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static size_t put(char *to, size_t room, size_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(to + at, room - at, format, args);
    va_end(args);
    if (length < 0)
        return at;
    return (size_t)length < room - at ? at + (size_t)length : room - 1;
}

static size_t put_path(char *to, size_t room, const struct kn_frame *frame)
{
    const struct kn_frame *chain[FRAMES];
    size_t depth = 0, at = 0;
    for (; frame && depth < FRAMES; frame = frame->outer)
        chain[depth++] = frame;
    while (depth--) {
        const struct kn_frame *step = chain[depth];
        if (!step->name.ptr)
            at = put(to, room, at, "[%zu]", step->index);
        else
            at = put(to, room, at, "%s%.*s", at ? "." : "", (int)step->name.length, step->name.ptr);
    }
    return at ? put(to, room, at, ": ") : 0;
}

int kn_refuse(struct koine_why *why, int error, const struct kn_frame *frame, const char *format,
              ...)
{
    if (!why)
        return error;
    size_t at = put_path(why->text, sizeof why->text, frame);
    va_list args;
    va_start(args, format);
    vsnprintf(why->text + at, sizeof why->text - at, format, args);
    va_end(args);
    return error;
}
