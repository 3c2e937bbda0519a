/* SPDX-License-Identifier: MIT */
#include "dialect/jsonrpc/codec.h"

#include "base/utf8.h"
#include "dialect/companion.h"
#include "value/why.h"

#include <koine/error.h>

#include <stdio.h>

enum { VERSION, METHOD, PARAMS, ID, RESULT, ERROR, KNOWN };

static const char *const names[KNOWN] = {"jsonrpc", "method", "params", "id", "result", "error"};

/* The known members of a request, as they stand. What else there is, is skipped. */
struct envelope {
    struct kn_str raw[KNOWN];
    bool object, twice;
};

static int note(struct envelope *envelope, struct kn_json *json, struct kn_arena *arena)
{
    struct kn_str name, value;
    int known = 0, rc = kn_json_name(&name, json, arena);
    if (!rc)
        rc = kn_json_skip(&value, json);
    if (rc)
        return rc;
    while (known < KNOWN && !kn_str_equal(name, kn_str(names[known])))
        known++;
    if (known == KNOWN)
        return 0;
    envelope->twice |= envelope->raw[known].ptr != NULL;
    envelope->raw[known] = value;
    return 0;
}

/* To the end of the text: whether it is JSON at all comes before what is wrong in it. */
static int read_envelope(struct envelope *envelope, struct kn_str text, struct kn_arena *arena,
                         struct koine_why *why)
{
    struct kn_json json;
    int first = 1, more = 0, rc;
    kn_json_init(&json, text, why);
    envelope->object = kn_json_peek(&json) == '{';
    rc = envelope->object ? kn_json_enter(&json, '{') : kn_json_skip(NULL, &json);
    while (envelope->object && !rc && (more = kn_json_more(&json, '{', &first)) > 0)
        rc = note(envelope, &json, arena);
    if (!rc)
        rc = more < 0 ? more : kn_json_end(&json);
    return rc;
}

/* A member that has to be a string, decoded. */
static int read_string(struct kn_str *textp, struct kn_str raw, struct kn_arena *arena)
{
    struct kn_json json;
    if (!raw.ptr || raw.ptr[0] != '"')
        return KOINE_EDATA;
    kn_json_init(&json, raw, NULL);
    return kn_json_string(textp, &json, arena);
}

static bool begins_with(struct kn_str raw, const char *one_of)
{
    return raw.ptr && strchr(one_of, raw.ptr[0]);
}

static int invalid(struct koine_why *why, const char *what)
{
    return kn_refuse(why, KOINE_EDATA, NULL, "%s", what);
}

static int take_id(struct jsonrpc_request *request, const struct envelope *envelope,
                   struct koine_why *why)
{
    struct kn_str id = envelope->raw[ID];
    request->id = KN_STR("null");
    if (!envelope->object)
        return invalid(why, "a request is an object");
    if (envelope->twice)
        return invalid(why, "a member is given twice");
    if (id.ptr && !begins_with(id, "\"-0123456789n"))
        return invalid(why, "'id' is neither a string nor a number nor null");
    if (id.length > JSONRPC_ID_MAX)
        return invalid(why, "'id' is too long");
    if (id.ptr)
        request->id = id;
    return 0;
}

static void split(struct jsonrpc_request *request)
{
    struct kn_str method = request->method;
    const char *dot = method.length ? memrchr(method.ptr, '.', method.length) : NULL;
    size_t before = dot ? (size_t)(dot - method.ptr) : 0, after = dot ? before + 1 : 0;
    request->service = (struct kn_str){method.ptr, before};
    request->member = (struct kn_str){method.ptr + after, method.length - after};
}

static int take_method(struct jsonrpc_request *request, const struct envelope *envelope,
                       struct kn_arena *arena, struct koine_why *why)
{
    const struct kn_str *raw = envelope->raw;
    struct kn_str version;
    int rc = read_string(&version, raw[VERSION], arena);
    if (rc == KOINE_ENOMEM)
        return rc;
    if (rc || !kn_str_equal(version, KN_STR("2.0")))
        return invalid(why, "'jsonrpc' is not \"2.0\"");
    if (raw[RESULT].ptr || raw[ERROR].ptr)
        return invalid(why, "an answer where a request is expected");
    rc = read_string(&request->method, raw[METHOD], arena);
    if (rc == KOINE_ENOMEM)
        return rc;
    if (rc)
        return invalid(why, "'method' is not a string");
    if (raw[PARAMS].ptr && !begins_with(raw[PARAMS], "{["))
        return invalid(why, "'params' is neither an object nor an array");
    request->params = raw[PARAMS];
    split(request);
    return 0;
}

int jsonrpc_read_request(struct jsonrpc_request *request, struct kn_str text,
                         struct kn_arena *arena, struct koine_why *why)
{
    struct envelope envelope = {0};
    *request = (struct jsonrpc_request){.id = KN_STR("null")};
    int rc = read_envelope(&envelope, text, arena, why);
    if (!rc)
        rc = take_id(request, &envelope, why);
    if (!rc)
        rc = take_method(request, &envelope, arena, why);
    if (!rc)
        request->id = envelope.raw[ID];
    return rc;
}

int jsonrpc_count(size_t *countp, struct kn_str text, struct koine_why *why)
{
    struct kn_json json;
    size_t count = 0;
    int first = 1, more = 0;
    kn_json_init(&json, text, why);
    int rc = kn_json_enter(&json, '[');
    while (!rc && (more = kn_json_more(&json, '[', &first)) > 0) {
        rc = kn_json_skip(NULL, &json);
        count++;
    }
    if (!rc)
        rc = more < 0 ? more : kn_json_end(&json);
    if (!rc)
        *countp = count;
    return rc;
}

/* ---------------------------------------------------------------- arguments */

/* {"value": x} or [x]; with no `valuep` {} or []. */
static int take_single(struct kn_str *valuep, struct kn_str params, struct kn_arena *arena,
                       struct koine_why *why)
{
    struct kn_json json;
    struct kn_str name;
    int first = 1, rc;
    kn_json_init(&json, params, why);
    char open = kn_json_peek(&json);
    rc = kn_json_enter(&json, open);
    int more = rc ? rc : kn_json_more(&json, open, &first);
    if (more > 0 && !valuep)
        return kn_json_fail(&json, KOINE_EDATA, "no arguments are expected");
    if (more == 0 && valuep)
        return kn_json_fail(&json, KOINE_EDATA, "'" KN_COMPANION_VALUE "' is missing");
    if (more <= 0)
        return more;
    if (open == '{' && (rc = kn_json_name(&name, &json, arena)))
        return rc;
    if (open == '{' && !kn_str_equal(name, KN_STR(KN_COMPANION_VALUE)))
        return kn_json_fail(&json, KOINE_EDATA, "'%.*s' is not known here", (int)name.length,
                            name.ptr);
    if ((rc = kn_json_skip(valuep, &json)))
        return rc;
    more = kn_json_more(&json, open, &first);
    return more > 0 ? kn_json_fail(&json, KOINE_EDATA, "more than one argument") : more;
}

int jsonrpc_read_arguments(void **valuep, struct kn_arena *arena, uint8_t kind,
                           const struct koine_type *type, struct kn_str params,
                           struct koine_why *why)
{
    struct kn_str value = params.ptr ? params : KN_STR("{}");
    int rc = 0;
    *valuep = NULL;
    if (kind == KN_MESSAGE_GET)
        return take_single(NULL, value, arena, why);
    if (kind == KN_MESSAGE_SET)
        rc = take_single(&value, value, arena, why);
    if (!rc)
        rc = kn_json_read(valuep, arena, type, value,
                          kind == KN_MESSAGE_CALL ? KN_JSON_POSITIONAL : 0, why);
    if (!rc && !type->size)
        *valuep = NULL;
    return rc;
}

/* ---------------------------------------------------------------- answers */

static void begin(struct kn_buffer *buffer, const char *name)
{
    kn_buffer_text(buffer, "{\"jsonrpc\":\"2.0\",\"");
    kn_buffer_text(buffer, name);
    kn_buffer_text(buffer, "\":");
}

static int end(struct kn_buffer *buffer, struct kn_str id)
{
    kn_buffer_text(buffer, ",\"id\":");
    kn_buffer_str(buffer, id);
    kn_buffer_char(buffer, '}');
    return buffer->failed;
}

/* Only a result is bare; nothing is null; out parameters make it an object. */
static int write_out(struct kn_buffer *buffer, const struct kn_body *body)
{
    const struct koine_type *type = body->type;
    if (!type || !type->members.length) {
        kn_buffer_text(buffer, "null");
        return 0;
    }
    const struct koine_member *only = type->members.ptr;
    bool bare = type->members.length == 1 &&
                kn_str_equal((struct kn_str){only->name.ptr, only->name.length}, KN_STR("return"));
    if (!bare)
        return kn_json_write(buffer, type, body->value, 0);
    return kn_json_write(buffer, koine_type_of_member(type, only),
                         (const char *)body->value + only->offset, 0);
}

int jsonrpc_write_result(struct kn_buffer *buffer, struct kn_str id, uint8_t kind,
                         const struct kn_body *body)
{
    int rc = 0;
    begin(buffer, "result");
    if (kind == KN_MESSAGE_CALL)
        rc = write_out(buffer, body);
    else if (kind == KN_MESSAGE_GET && body->type)
        rc = kn_json_write(buffer, body->type, body->value, 0);
    else
        kn_buffer_text(buffer, "null");
    int failed = end(buffer, id);
    return rc ? rc : failed;
}

static const struct {
    int code;
    const char *title; /* section 5.1 */
    bool data;         /* whether there is a fault, and not only a text that is no request */
} titles[] = {
    {JSONRPC_PARSE_ERROR, "Parse error: ", false},
    {JSONRPC_INVALID_REQUEST, "Invalid Request: ", false},
    {JSONRPC_METHOD_NOT_FOUND, "Method not found: ", true},
    {JSONRPC_INVALID_PARAMS, "Invalid params: ", true},
    {JSONRPC_SERVER_ERROR, "", true},
};

static const char *what_happened(const struct koine_fault *fault)
{
    if (fault->message && *fault->message)
        return fault->message;
    if (fault->name && *fault->name)
        return fault->name;
    const char *code = koine_fault_code_name(fault->code);
    return code ? code : "unknown";
}

static int number(int code, const struct koine_fault *fault)
{
    bool known = koine_fault_code_name(fault->code) && fault->code != KOINE_FAULT_OK;
    if (code != JSONRPC_SERVER_ERROR)
        return code;
    return code - (known ? fault->code : KOINE_FAULT_UNKNOWN);
}

int jsonrpc_write_error(struct kn_buffer *buffer, struct kn_str id, int code,
                        const struct koine_fault *fault)
{
    char message[512];
    size_t title = 0;
    int rc = 0;
    while (titles[title].code != code)
        title++;
    int length =
        snprintf(message, sizeof message, "%s%s", titles[title].title, what_happened(fault));
    size_t kept = (size_t)length < sizeof message ? (size_t)length : sizeof message - 1;
    begin(buffer, "error");
    kn_buffer_text(buffer, "{\"code\":");
    kn_buffer_int(buffer, number(code, fault));
    kn_buffer_text(buffer, ",\"message\":");
    kn_json_write_string(buffer, (struct kn_str){message, kn_utf8_valid(message, kept)});
    if (titles[title].data) {
        kn_buffer_text(buffer, ",\"data\":");
        rc = kn_json_write_fault(buffer, fault);
    }
    kn_buffer_char(buffer, '}');
    int failed = end(buffer, id);
    return rc ? rc : failed;
}
