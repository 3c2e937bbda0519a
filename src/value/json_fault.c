/* SPDX-License-Identifier: MIT */
#include "value/json.h"

#include "base/utf8.h"

#include <koine/error.h>

/* Texts of faults are for people and may have been cut in the middle of a character. */
static void write_text(struct kn_buffer *buffer, const char *text)
{
    kn_json_write_string(buffer, (struct kn_str){text, kn_utf8_valid(text, strlen(text))});
}

static void write_member(struct kn_buffer *buffer, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    kn_buffer_print(buffer, ",\"%s\":", name);
    write_text(buffer, text);
}

static const char *completion_name(unsigned completion)
{
    static const char *const names[] = {"no", "yes", "maybe"};
    return names[completion <= KOINE_COMPLETED_MAYBE ? completion : KOINE_COMPLETED_MAYBE];
}

int kn_json_write_fault(struct kn_buffer *buffer, const struct koine_fault *fault)
{
    const char *code = koine_fault_code_name(fault->code);
    kn_buffer_text(buffer, "{\"code\":");
    write_text(buffer, code ? code : koine_fault_code_name(KOINE_FAULT_UNKNOWN));
    write_member(buffer, "name", fault->name);
    write_member(buffer, "message", fault->message);
    kn_buffer_print(buffer, ",\"completion\":\"%s\",\"retryable\":%s",
                    completion_name(fault->completion), fault->retryable ? "true" : "false");
    write_member(buffer, "origin", fault->origin);
    int rc = 0;
    if (fault->type && fault->value) {
        kn_buffer_text(buffer, ",\"value\":");
        rc = kn_json_write(buffer, fault->type, fault->value, 0);
    }
    kn_buffer_char(buffer, '}');
    return rc ? rc : buffer->failed;
}
