/* SPDX-License-Identifier: MIT */
#include "dialect/test-form.h"

#include "value/json.h"

/* The members of an answer, as they stand. */
struct answer {
    struct kn_str version, id, result, error;
};

static struct kn_str *place(struct answer *answer, struct kn_str name)
{
    if (kn_str_equal(name, KN_STR("jsonrpc")))
        return &answer->version;
    if (kn_str_equal(name, KN_STR("id")))
        return &answer->id;
    if (kn_str_equal(name, KN_STR("result")))
        return &answer->result;
    return kn_str_equal(name, KN_STR("error")) ? &answer->error : NULL;
}

static bool read_answer(struct answer *answer, struct kn_json *json)
{
    struct kn_arena arena;
    struct kn_str name, value, *to;
    int first = 1, more = 1, rc = kn_json_enter(json, '{');
    *answer = (struct answer){{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    kn_arena_init(&arena, 0);
    while (!rc && (more = kn_json_more(json, '{', &first)) > 0) {
        rc = kn_json_name(&name, json, &arena);
        if (!rc)
            rc = kn_json_skip(&value, json);
        if (rc || !(to = place(answer, name)) || to->ptr)
            break;
        *to = value;
    }
    kn_arena_deinit(&arena);
    return !rc && more == 0 && kn_str_equal(answer->version, KN_STR("\"2.0\"")) && answer->id.ptr &&
           !strchr("{[tf", answer->id.ptr[0]) && !answer->result.ptr != !answer->error.ptr;
}

static bool read_batch(struct kn_json *json)
{
    struct answer answer;
    int first = 1, more, count = 0, rc = kn_json_enter(json, '[');
    while (!rc && (more = kn_json_more(json, '[', &first)) > 0) {
        if (!read_answer(&answer, json))
            return false;
        count++;
    }
    return !rc && more == 0 && count;
}

size_t test_form_unit(struct kn_str output, enum kn_shape shape)
{
    struct kn_json json;
    struct answer answer;
    const char *line = shape == KN_STREAM ? memchr(output.ptr, '\n', output.length) : NULL;
    if (!line && shape == KN_STREAM)
        return 0;
    size_t length = line ? (size_t)(line - output.ptr) + 1 : output.length;
    kn_json_init(&json, (struct kn_str){output.ptr, length}, NULL);
    bool good = kn_json_peek(&json) == '[' ? read_batch(&json) : read_answer(&answer, &json);
    return good && !kn_json_end(&json) ? length : 0;
}

static void begin(struct kn_buffer *request, struct kn_str service, const char *prefix,
                  struct kn_str attribute)
{
    kn_buffer_print(request, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%.*s.%s%.*s\"",
                    (int)service.length, service.ptr, prefix, (int)attribute.length, attribute.ptr);
}

void test_form_get(struct kn_buffer *request, struct kn_str service, struct kn_str attribute)
{
    begin(request, service, "_get_", attribute);
    kn_buffer_text(request, "}\n");
}

void test_form_set(struct kn_buffer *request, struct kn_str service, struct kn_str attribute,
                   struct kn_str answer)
{
    struct kn_json json;
    struct answer read;
    kn_json_init(&json, answer, NULL);
    begin(request, service, "_set_", attribute);
    if (read_answer(&read, &json)) {
        kn_buffer_text(request, ",\"params\":[");
        kn_buffer_str(request, read.result);
        kn_buffer_text(request, "]");
    }
    kn_buffer_text(request, "}\n");
}

const struct kn_option *test_form_options(size_t *countp, enum kn_role role, uint32_t choice)
{
    (void)role;
    (void)choice;
    *countp = 0;
    return NULL;
}
