/* SPDX-License-Identifier: MIT */
#include "cli/serve.h"

#include <stdlib.h>
#include <string.h>

static const struct koine_type text_type = {.kind = KOINE_KIND_STRING, .align = 8, .size = 16};
static const struct koine_type id_type = {.kind = KOINE_KIND_UINT64, .align = 8, .size = 8};

enum { EXCERPT = 60 };

/* A note on the present line, with its beginning. In a line of JSON every place is in line 1. */
static void wrong_line(struct serve *serve, const char *line, const char *why)
{
    static const char first[] = "line 1, ";
    if (!strncmp(why, first, sizeof first - 1))
        why += sizeof first - 1;
    kn_serve_note(serve, "line %lu of the command: %s: %.*s%s", serve->lines.number, why, EXCERPT,
                  line, strlen(line) > EXCERPT ? " ..." : "");
}

/* The value of member `name`, or NULL. */
static const struct koine_string *find(const struct koine_json_part *parts, size_t count,
                                       const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(parts[i].name.ptr, name))
            return &parts[i].json;
    return NULL;
}

/* A JSON string as text; free(). */
static int read_text(struct koine_string **textp, const struct koine_string *json,
                     struct koine_why *why)
{
    void *value;
    int rc = koine_value_read(&value, &text_type, json->ptr, json->length, why);
    if (!rc)
        *textp = value;
    return rc;
}

/* ---------------------------------------------------------------- faults */

/* What a fault in JSON holds, before it is a fault. */
struct given {
    struct koine_fault fault;
    struct koine_string *name, *message, *code;
    void *value;
};

static int32_t code_by_name(const char *name)
{
    for (int32_t code = 1; koine_fault_code_name(code); code++)
        if (!strcmp(koine_fault_code_name(code), name))
            return code;
    return 0;
}

/* The declared exception of that name. */
static const struct koine_type *find_raise(const struct serve *serve, uint32_t member,
                                           const struct koine_string *name)
{
    const struct koine_interface *interface = serve->interface;
    const struct koine_feature *feature = &interface->features.ptr[member];
    for (uint32_t i = 0; i < feature->raises.length; i++) {
        const struct koine_type *type = interface->types.ptr + feature->raises.ptr[i];
        if (type->name.length == name->length && !memcmp(type->name.ptr, name->ptr, name->length))
            return type;
    }
    return NULL;
}

/* An exception without members may go without a value. */
static int read_exception(struct given *given, const struct koine_string *json,
                          struct koine_why *why)
{
    const char *text = json ? json->ptr : "{}";
    int rc = koine_value_read(&given->value, given->fault.type, text, strlen(text), why);
    given->fault.value = given->value;
    return rc;
}

static int say(struct koine_why *why, const char *text)
{
    snprintf(why->text, sizeof why->text, "%s", text);
    return KOINE_EDATA;
}

static int read_name(struct given *given, const struct serve *serve, uint32_t member,
                     const struct koine_string *value, struct koine_why *why)
{
    given->fault.type = find_raise(serve, member, given->name);
    given->fault.name = given->name->ptr;
    if (given->fault.type)
        return read_exception(given, value, why);
    snprintf(why->text, sizeof why->text, "%s does not raise '%.100s'", serve->names[member],
             given->name->ptr);
    return KOINE_EDATA;
}

/* A long message is cut between two characters. */
static void cut_message(struct koine_string *message)
{
    char *text = (char *)message->ptr;
    size_t length = message->length;
    if (length <= SERVE_MESSAGE)
        return;
    for (length = SERVE_MESSAGE; length && ((unsigned char)text[length] & 0xc0) == 0x80;)
        length--;
    text[length] = 0;
}

static bool is_known(const struct koine_json_part *part)
{
    static const char *const known[] = {"name", "value", "message", "code"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(part->name.ptr, known[i]))
            return true;
    return false;
}

static int read_given(struct given *given, const struct serve *serve, uint32_t member,
                      const struct koine_string *json, struct koine_why *why)
{
    struct koine_json_part *parts;
    size_t count;
    int rc = koine_json_split(&parts, &count, json->ptr, json->length, why);
    if (rc)
        return rc;
    const struct koine_string *name = find(parts, count, "name"),
                              *message = find(parts, count, "message"),
                              *code = find(parts, count, "code"),
                              *value = find(parts, count, "value");
    for (size_t i = 0; i < count && !rc; i++)
        if (!is_known(&parts[i]))
            rc = say(why, "a fault has name, value, message and code");
    if (!rc && message && !(rc = read_text(&given->message, message, why))) {
        cut_message(given->message);
        given->fault.message = given->message->ptr;
    }
    if (!rc && code && !(rc = read_text(&given->code, code, why)) &&
        !(given->fault.code = code_by_name(given->code->ptr)))
        rc = say(why, "no such fault code");
    if (!rc && name && !(rc = read_text(&given->name, name, why)) && given->name->length)
        rc = read_name(given, serve, member, value, why);
    if (!rc && value && !given->fault.type)
        rc = say(why, "a fault without the name of an exception has no value");
    free(parts);
    return rc;
}

static int answer_fault(struct serve *serve, struct koine_request *request,
                        const struct koine_string *json, struct koine_why *why)
{
    struct given given = {.fault = {.code = KOINE_FAULT_UNKNOWN,
                                    .completion = KOINE_COMPLETED_YES,
                                    .name = "",
                                    .message = "",
                                    .origin = ""}};
    int rc = read_given(&given, serve, koine_request_member(request), json, why);
    if (!rc && (rc = koine_reply_fault(request, &given.fault)))
        snprintf(why->text, sizeof why->text, "%s", koine_strerror(rc));
    free(given.name);
    free(given.message);
    free(given.code);
    free(given.value);
    return rc;
}

/* ---------------------------------------------------------------- answers */

/* get and set have the form of calls: {"return":value} and {}. */
static int answer_attribute(struct koine_request *request, const struct koine_string *out,
                            struct koine_why *why)
{
    bool get = koine_request_sort(request) == KOINE_REQUEST_GET;
    struct koine_json_part *parts;
    size_t count;
    int rc = koine_json_split(&parts, &count, out->ptr, out->length, why);
    if (rc)
        return rc;
    const struct koine_string *value = find(parts, count, "return");
    if (get && value && count == 1)
        rc = koine_reply_text(request, value->ptr, value->length);
    else if (!get && !count)
        rc = koine_reply(request, NULL);
    else
        rc = say(why, get ? "the out of a get is {\"return\":VALUE}" : "the out of a set is {}");
    free(parts);
    return rc;
}

static int answer_out(struct serve *serve, struct koine_request *request,
                      const struct koine_string *out, struct koine_why *why)
{
    int rc = koine_request_sort(request) == KOINE_REQUEST_CALL
                 ? koine_reply_text(request, out->ptr, out->length)
                 : answer_attribute(request, out, why);
    const char *reason = koine_node_why(serve->cli->node);
    if (rc && !*why->text)
        snprintf(why->text, sizeof why->text, "%s", *reason ? reason : koine_strerror(rc));
    return rc;
}

/* The request under `id`, taken out; NULL: there is none, or nobody waits for it any more. */
static struct koine_request *take_asked(struct serve *serve, uint64_t id, bool *knownp)
{
    struct serve_asked *asked = &serve->asked[id % SERVE_PENDING];
    struct koine_request *request = asked->request;
    *knownp = id && asked->id == id;
    if (!*knownp)
        return NULL;
    *asked = (struct serve_asked){0};
    serve->pending -= request != NULL;
    return request;
}

static int answer(struct serve *serve, const struct koine_json_part *parts, size_t count,
                  struct koine_why *why)
{
    const struct koine_string *id = find(parts, count, "id"), *out = find(parts, count, "out"),
                              *fault = find(parts, count, "fault");
    void *value;
    bool known;
    int rc = koine_value_read(&value, &id_type, id->ptr, id->length, why);
    if (rc)
        return rc;
    struct koine_request *request = take_asked(serve, *(uint64_t *)value, &known);
    free(value);
    if (!known)
        return say(why, "nothing with that id waits for an answer");
    if (!request)
        return 0;
    char message[320];
    rc = out ? answer_out(serve, request, out, why) : answer_fault(serve, request, fault, why);
    if (!rc)
        return 0;
    snprintf(message, sizeof message, "the command gave a wrong answer: %s", why->text);
    kn_serve_fault(request, KOINE_FAULT_INTERNAL, message);
    return rc;
}

/* ---------------------------------------------------------------- events and changes */

static int publish(struct serve *serve, const struct koine_json_part *parts, size_t count,
                   struct koine_why *why)
{
    const struct koine_string *event = find(parts, count, "event"),
                              *changed = find(parts, count, "changed"),
                              *value = find(parts, count, "value");
    struct koine_string *name;
    int rc = read_text(&name, event ? event : changed, why);
    if (rc)
        return rc;
    rc = event ? koine_event_publish_text(serve->service, name->ptr, value->ptr)
               : koine_changed_text(serve->service, name->ptr, value->ptr);
    const char *reason = koine_node_why(serve->cli->node);
    if (rc)
        snprintf(why->text, sizeof why->text, "%s", *reason ? reason : koine_strerror(rc));
    free(name);
    return rc;
}

/* ---------------------------------------------------------------- lines */

static const struct form {
    const char *first, *second;
    int (*act)(struct serve *serve, const struct koine_json_part *parts, size_t count,
               struct koine_why *why);
} forms[] = {
    {"id", "out", answer},
    {"id", "fault", answer},
    {"event", "value", publish},
    {"changed", "value", publish},
};

static const struct form *find_form(const struct koine_json_part *parts, size_t count)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (count == 2 && find(parts, count, forms[i].first) && find(parts, count, forms[i].second))
            return &forms[i];
    return NULL;
}

void kn_serve_line(struct serve *serve, const char *line, size_t length)
{
    struct koine_json_part *parts;
    struct koine_why why = {""};
    size_t count;
    int rc = koine_json_split(&parts, &count, line, length, &why);
    if (rc) {
        wrong_line(serve, line, *why.text ? why.text : koine_strerror(rc));
        return;
    }
    const struct form *form = find_form(parts, count);
    if (!form)
        (void)say(&why, "is none of {id, out}, {id, fault}, {event, value}, {changed, value}");
    if (!form || form->act(serve, parts, count, &why))
        wrong_line(serve, line, why.text);
    free(parts);
}
