/* SPDX-License-Identifier: MIT
 *
 * What stands in the brackets of an annotation: @id(3), @value(-1), @onc(program = 100005).
 *
 * Annotations that say something to one foreign protocol are kept with their interface as notes,
 * "onc.program" = "100005"; the table has each that is known. All others are passed over.
 */
#include "idl/parse.h"

#include <stdio.h>

static const struct noted {
    const char *annotation, *parameter; /* all of them numbers of 32 bits */
} noted[] = {
    {"onc", "program"},
    {"onc", "version"},
};

static void skip_parentheses(struct kn_idl_parser *p)
{
    unsigned depth = 0;
    if (p->token.sort != '(')
        return;
    do {
        depth += p->token.sort == '(';
        depth -= p->token.sort == ')';
        kn_idl_advance(p);
    } while (depth && p->token.sort != KN_IDL_END);
    if (depth)
        kn_idl_expected(p, "')'");
}

/* `(3)`; false: an error was reported. */
static bool number(struct kn_idl_parser *p, struct kn_idl_value *valuep, uint8_t kind)
{
    const struct kn_idl_type type = {.kind = kind};
    if (!kn_idl_expect(p, '(', "'('"))
        return false;
    *valuep = kn_idl_expression(p, &type);
    return valuep->sort == KN_IDL_INTEGER && kn_idl_expect(p, ')', "')'");
}

void kn_idl_note(struct kn_idl_parser *p, const struct kn_idl_note **listp, const char *name,
                 uint64_t value)
{
    struct kn_idl_note *note = kn_arena_zalloc(&p->idl->arena, 1, sizeof *note);
    char text[24];
    int length = snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    if (!note) {
        kn_idl_fail(p, KOINE_ENOMEM);
        return;
    }
    note->name = kn_idl_keep(p, name, strlen(name));
    note->value = kn_idl_keep(p, text, (size_t)length);
    while (*listp)
        listp = (const struct kn_idl_note **)&(*listp)->next;
    *listp = note;
}

static const struct noted *find_noted(struct kn_str annotation, struct kn_str parameter)
{
    for (size_t i = 0; i < sizeof noted / sizeof *noted; i++) {
        if (kn_str_equal(annotation, kn_str(noted[i].annotation)) &&
            (!parameter.ptr || kn_str_equal(parameter, kn_str(noted[i].parameter))))
            return noted + i;
    }
    return NULL;
}

static bool is_noted(const struct kn_idl_note *note, const char *name)
{
    for (; note; note = note->next) {
        if (kn_str_equal(note->name, kn_str(name)))
            return true;
    }
    return false;
}

/* `program = 100005` */
static bool parameter(struct kn_idl_parser *p, struct kn_idl_annotations *a,
                      struct kn_str annotation)
{
    static const struct kn_idl_type type = {.kind = KOINE_KIND_UINT32};
    struct kn_idl_token at = p->token;
    const struct noted *row = at.sort == KN_IDL_NAME ? find_noted(annotation, at.text) : NULL;
    char name[64];
    if (!row) {
        kn_idl_expected(p, "a parameter of the annotation");
        return false;
    }
    snprintf(name, sizeof name, "%s.%s", row->annotation, row->parameter);
    kn_idl_advance(p);
    if (is_noted(a->notes, name)) {
        kn_idl_error(p, &at, "found '%.*s' again, expected it once", (int)at.text.length,
                     at.text.ptr);
        return false;
    }
    if (!kn_idl_expect(p, '=', "'='"))
        return false;
    struct kn_idl_value value = kn_idl_expression(p, &type);
    if (value.sort != KN_IDL_INTEGER)
        return false;
    kn_idl_note(p, &a->notes, name, value.magnitude);
    return true;
}

static void parameters(struct kn_idl_parser *p, struct kn_idl_annotations *a,
                       struct kn_str annotation)
{
    bool good = kn_idl_expect(p, '(', "'('");
    while (good && (good = parameter(p, a, annotation)) && kn_idl_accept(p, ','))
        continue;
    if (good && kn_idl_expect(p, ')', "',' or ')'"))
        return;
    while (p->token.sort != ')' && p->token.sort != '{' && p->token.sort != KN_IDL_END)
        kn_idl_advance(p);
    kn_idl_accept(p, ')');
}

void kn_idl_brackets(struct kn_idl_parser *p, struct kn_idl_annotations *a, struct kn_str name)
{
    struct kn_idl_token at = p->token;
    struct kn_idl_value value;
    if (find_noted(name, (struct kn_str){NULL, 0})) {
        parameters(p, a, name);
    } else if (kn_str_equal(name, KN_STR("value"))) {
        if (p->scope->sort != KN_IDL_ENUM)
            kn_idl_error(p, &at, "found @value, expected it before a label of an enum only");
        if (number(p, &value, KOINE_KIND_INT32)) {
            a->valued = true;
            a->value =
                (int32_t)(value.negative ? -(int64_t)value.magnitude : (int64_t)value.magnitude);
        }
    } else if (kn_str_equal(name, KN_STR("id")) && p->scope->sort == KN_IDL_INTERFACE) {
        if (number(p, &value, KOINE_KIND_UINT32))
            a->id = (uint32_t)value.magnitude;
        if (!a->id)
            kn_idl_error(p, &at, "found @id without a number, expected one from 1");
    } else {
        skip_parentheses(p);
    }
}

static const struct kn_idl_decl *has_id(const struct kn_idl_decl *interface, uint32_t id)
{
    for (; interface; interface = interface->base) {
        for (const struct kn_idl_decl *d = interface->first; d; d = d->next) {
            if (d->id == id)
                return d;
        }
    }
    return NULL;
}

void kn_idl_identify(struct kn_idl_parser *p, struct kn_idl_decl *operation, uint32_t id,
                     const struct kn_idl_token *at)
{
    const struct kn_idl_decl *other = id ? has_id(p->scope, id) : NULL;
    if (other)
        kn_idl_error(p, at, "found number %u for '%.*s', expected one that '%.*s' does not have",
                     id, (int)operation->name.length, operation->name.ptr, (int)other->name.length,
                     other->name.ptr);
    operation->id = id;
}

void kn_idl_label_value(struct kn_idl_parser *p, struct kn_idl_decl *label,
                        const struct kn_idl_annotations *a, const struct kn_idl_token *at)
{
    const struct kn_idl_decl *before = NULL, *same = NULL;
    for (const struct kn_idl_decl *d = p->scope->first; d && d != label; d = d->next)
        before = d;
    bool last = before && before->label == INT32_MAX && !a->valued;
    label->label = a->valued ? a->value : last ? INT32_MIN : before ? before->label + 1 : 0;
    for (const struct kn_idl_decl *d = p->scope->first; d && d != label && !same; d = d->next)
        same = d->label == label->label ? d : NULL;
    if (last)
        kn_idl_error(p, at, "found a label behind value %d, expected none or its @value",
                     INT32_MAX);
    else if (same)
        kn_idl_error(p, at,
                     "found label '%.*s' with value %d, expected one that '%.*s' does not have",
                     (int)label->name.length, label->name.ptr, label->label, (int)same->name.length,
                     same->name.ptr);
}
