/* SPDX-License-Identifier: MIT
 *
 * Client stubs and events. A signature is written once and used for the header and the source.
 */
#include "idl/gen.h"

struct stub {
    struct kn_gen *g;
    const struct kn_gen_feature *f;
    uint32_t count;     /* parameters, the result not counted */
    const char **names; /* `ref`, `resultp` or NULL, then one per parameter */
    const char **ins;   /* members of the in struct, in order */
    const char **outs;
};

/* Begins a function in both files; `parameters` go to both. */
static void signature(struct kn_gen *g, const char *name, const char *parameters)
{
    kn_buffer_print(&g->header, "int %s(%s);\n", name, parameters);
    kn_buffer_print(&g->source, "int %s(%s)\n{\n", name, parameters);
}

static const char *finish(struct kn_gen *g, struct kn_buffer *b)
{
    const char *text = b->failed ? NULL : kn_gen_keep(g, b->ptr, b->length);
    kn_buffer_deinit(b);
    return text ? text : "";
}

/* ---- parameters */

static uint8_t kind_of(struct kn_gen *g, uint32_t type)
{
    return g->table.types[type].kind;
}

static bool by_value(uint8_t kind)
{
    return kind < KOINE_KIND_STRING || kind == KOINE_KIND_ENUM;
}

/* `const char *a`, `int32_t a`, `const struct x *a`, `const double a[3]`. */
static void in_parameter(struct kn_gen *g, struct kn_buffer *b, uint32_t type, const char *name)
{
    uint8_t kind = kind_of(g, type);
    if (kind == KOINE_KIND_STRING) {
        kn_buffer_print(b, "const char *%s", name);
        return;
    }
    if (!by_value(kind))
        kn_buffer_text(b, "const ");
    bool pointer = !by_value(kind) && kind != KOINE_KIND_ARRAY;
    kn_gen_declare(g, b, type, pointer ? kn_gen_format(g, "*%s", name) : name);
}

/* `struct x *p`; an array: `double p[3]`. */
static void out_parameter(struct kn_gen *g, struct kn_buffer *b, uint32_t type, const char *name)
{
    bool array = kind_of(g, type) == KOINE_KIND_ARRAY;
    kn_gen_declare(g, b, type, array ? name : kn_gen_format(g, "*%s", name));
}

/* `to.x = *name;` for an in parameter, in the way in_parameter wrote it. */
static void copy_in(struct kn_gen *g, uint32_t type, const char *to, const char *name)
{
    struct kn_buffer *c = &g->source;
    uint8_t kind = kind_of(g, type);
    if (kind == KOINE_KIND_STRING)
        kn_buffer_print(c, "    %s = koine_string(%s);\n", to, name);
    else if (kind == KOINE_KIND_ARRAY)
        kn_buffer_print(c, "    memcpy(%s, %s, sizeof %s);\n", to, name, to);
    else
        kn_buffer_print(c, "    %s = %s%s;\n", to, by_value(kind) ? "" : "*", name);
}

static void copy_inout(struct kn_gen *g, uint32_t type, const char *to, const char *name)
{
    if (kind_of(g, type) == KOINE_KIND_ARRAY)
        kn_buffer_print(&g->source, "    memcpy(%s, %s, sizeof %s);\n", to, name, to);
    else
        kn_buffer_print(&g->source, "    %s = *%s;\n", to, name);
}

/* An out parameter may be NULL; one that is also read may not. */
static void copy_out(struct kn_gen *g, uint32_t type, uint8_t way, const char *name,
                     const char *from)
{
    struct kn_buffer *c = &g->source;
    const char *indent = way == KN_IDL_OUT ? "        " : "    ";
    if (way == KN_IDL_OUT)
        kn_buffer_print(c, "    if (%s)\n", name);
    if (kind_of(g, type) == KOINE_KIND_ARRAY)
        kn_buffer_print(c, "%smemcpy(%s, %s, sizeof %s);\n", indent, name, from, from);
    else
        kn_buffer_print(c, "%s*%s = %s;\n", indent, name, from);
}

/* ---- operations */

static bool prepare(struct stub *s)
{
    struct kn_gen *g = s->g;
    s->count = s->f->decl->count;
    s->names = kn_arena_zalloc(&g->arena, s->count + 2, sizeof *s->names);
    s->ins = kn_gen_member_names(g, s->f->in);
    s->outs = kn_gen_member_names(g, s->f->out);
    if (!s->names || !s->ins || !s->outs) {
        g->failed = KOINE_ENOMEM;
        return false;
    }
    s->names[0] = "ref";
    s->names[1] = "resultp";
    uint32_t i = 2;
    for (const struct kn_idl_decl *p = s->f->decl->first; p; p = p->next, i++) {
        bool out = p->direction & KN_IDL_OUT;
        s->names[i] = out ? kn_gen_format(g, "%sp", p->name.ptr) : p->name.ptr;
    }
    kn_gen_locals(g, s->names, s->count + 2, true);
    return !g->failed;
}

static const char *parameters(struct stub *s)
{
    struct kn_gen *g = s->g;
    struct kn_buffer b;
    kn_buffer_init(&b, 0);
    if (s->f->decl->type) {
        out_parameter(g, &b, kn_gen_type_index(g, s->f->decl->type), s->names[1]);
        kn_buffer_text(&b, ", ");
    }
    uint32_t i = 2;
    for (const struct kn_idl_decl *p = s->f->decl->first; p; p = p->next, i++) {
        if (!(p->direction & KN_IDL_OUT))
            continue;
        out_parameter(g, &b, kn_gen_type_index(g, p->type), s->names[i]);
        kn_buffer_text(&b, ", ");
    }
    kn_buffer_text(&b, "struct koine_ref *ref");
    i = 2;
    for (const struct kn_idl_decl *p = s->f->decl->first; p; p = p->next, i++) {
        if (p->direction & KN_IDL_OUT)
            continue;
        kn_buffer_text(&b, ", ");
        in_parameter(g, &b, kn_gen_type_index(g, p->type), s->names[i]);
    }
    return finish(g, &b);
}

static void put_ins(struct stub *s)
{
    uint32_t i = 2, at = 0;
    for (const struct kn_idl_decl *p = s->f->decl->first; p; p = p->next, i++) {
        if (!(p->direction & KN_IDL_IN))
            continue;
        uint32_t type = kn_gen_type_index(s->g, p->type);
        const char *to = kn_gen_format(s->g, "kn_in.%s", s->ins[at++]);
        if (p->direction == KN_IDL_INOUT)
            copy_inout(s->g, type, to, s->names[i]);
        else
            copy_in(s->g, type, to, s->names[i]);
    }
}

static void put_outs(struct stub *s)
{
    uint32_t i = 2, at = 0;
    if (s->f->decl->type)
        copy_out(s->g, kn_gen_type_index(s->g, s->f->decl->type), KN_IDL_OUT, s->names[1],
                 kn_gen_format(s->g, "kn_out->%s", s->outs[at++]));
    for (const struct kn_idl_decl *p = s->f->decl->first; p; p = p->next, i++) {
        if (p->direction & KN_IDL_OUT)
            copy_out(s->g, kn_gen_type_index(s->g, p->type), p->direction, s->names[i],
                     kn_gen_format(s->g, "kn_out->%s", s->outs[at++]));
    }
}

/* The stub with plain parameters, by way of the one with structs. */
static void plain_stub(struct stub *s, const char *call)
{
    struct kn_gen *g = s->g;
    struct kn_buffer *c = &g->source;
    const struct kn_gen_feature *f = s->f;
    kn_gen_doc(&g->header, "", f->decl->doc);
    signature(g, f->whole, parameters(s));
    if (f->has_in)
        kn_buffer_print(c, "    struct %s kn_in;\n", g->type_names[f->in]);
    if (f->has_out)
        kn_buffer_print(c, "    const struct %s *kn_out;\n", g->type_names[f->out]);
    if (f->has_in) {
        kn_buffer_text(c, "    memset(&kn_in, 0, sizeof kn_in);\n");
        put_ins(s);
    }
    kn_buffer_print(c, "    %s%s(%sref%s, 0);\n", f->has_out ? "int kn_rc = " : "return ", call,
                    f->has_out ? "&kn_out, " : "", f->has_in ? ", &kn_in" : "");
    if (f->has_out) {
        kn_buffer_text(c, "    if (kn_rc)\n        return kn_rc;\n");
        put_outs(s);
        kn_buffer_text(c, "    return 0;\n");
    }
    kn_buffer_text(c, "}\n\n");
}

static const char *struct_stub(struct stub *s)
{
    struct kn_gen *g = s->g;
    const struct kn_gen_feature *f = s->f;
    const char *name = kn_gen_take(g, kn_gen_format(g, "%s_call", f->whole));
    const char *out =
        f->has_out ? kn_gen_format(g, "const struct %s **outp, ", g->type_names[f->out]) : "";
    const char *in =
        f->has_in ? kn_gen_format(g, ", const struct %s *in", g->type_names[f->in]) : "";
    signature(g, name, kn_gen_format(g, "%sstruct koine_ref *ref%s, int64_t timeout", out, in));
    const char *argument = f->has_in ? "in" : "NULL";
    if (f->has_out)
        kn_buffer_print(&g->source,
                        "    const void *out;\n    int rc = koine_call(&out, ref, %s, %s, "
                        "timeout);\n    if (!rc && outp)\n        *outp = (const struct %s *)out;\n"
                        "    return rc;\n}\n\n",
                        f->index, argument, g->type_names[f->out]);
    else
        kn_buffer_print(&g->source, "    return koine_call(NULL, ref, %s, %s, timeout);\n}\n\n",
                        f->index, argument);
    return name;
}

static void operation(struct kn_gen *g, const struct kn_gen_feature *f)
{
    struct stub s = {.g = g, .f = f};
    if (!prepare(&s))
        return;
    const char *call = struct_stub(&s);
    plain_stub(&s, call);
}

/* ---- attributes */

static const char *attribute_name(struct kn_gen *g, const struct kn_gen_face *face,
                                  const struct kn_gen_feature *f, const char *verb)
{
    return kn_gen_take(g, kn_gen_format(g, "%s_%s_%s", face->name, verb, f->decl->name.ptr));
}

static const char *one_parameter(struct kn_gen *g, uint32_t type, const char *before, bool out,
                                 const char *name, const char *after)
{
    struct kn_buffer b;
    kn_buffer_init(&b, 0);
    kn_buffer_text(&b, before);
    if (out)
        out_parameter(g, &b, type, name);
    else
        in_parameter(g, &b, type, name);
    kn_buffer_text(&b, after);
    return finish(g, &b);
}

static void getter(struct kn_gen *g, const struct kn_gen_face *face, const struct kn_gen_feature *f)
{
    kn_gen_doc(&g->header, "", f->decl->doc);
    signature(g, attribute_name(g, face, f, "get"),
              one_parameter(g, f->in, "", true, "valuep", ", struct koine_ref *ref"));
    kn_buffer_print(&g->source,
                    "    const void *value;\n    int rc = koine_get(&value, ref, %s, 0);\n"
                    "    if (!rc)\n        memcpy(valuep, value, %u);\n    return rc;\n}\n\n",
                    f->index, g->table.types[f->in].size);
}

/* Setter and notice differ only in whom they tell. */
static void teller(struct kn_gen *g, const struct kn_gen_feature *f, const char *name,
                   const char *whom, const char *function, const char *last)
{
    struct kn_buffer *c = &g->source;
    uint8_t kind = kind_of(g, f->in);
    signature(g, name,
              one_parameter(g, f->in, kn_gen_format(g, "struct koine_%s *%s, ", whom, whom), false,
                            "value", ""));
    const char *value = by_value(kind) ? "&value" : "value";
    if (kind == KOINE_KIND_STRING) {
        kn_buffer_text(c, "    struct koine_string text = koine_string(value);\n");
        value = "&text";
    }
    kn_buffer_print(c, "    return %s(%s, %s, %s%s);\n}\n\n", function, whom, f->index, value,
                    last);
}

static void subscriber(struct kn_gen *g, const struct kn_gen_feature *f, const char *name)
{
    signature(g, name, "struct koine_sub **subp, struct koine_ref *ref");
    kn_buffer_print(&g->source, "    return koine_subscribe(subp, ref, %s, 0);\n}\n\n", f->index);
}

static void attribute(struct kn_gen *g, const struct kn_gen_face *face,
                      const struct kn_gen_feature *f)
{
    getter(g, face, f);
    if (!(f->decl->flags & KOINE_READONLY))
        teller(g, f, attribute_name(g, face, f, "set"), "ref", "koine_set", ", 0");
    teller(g, f, attribute_name(g, face, f, "changed"), "service", "koine_changed", "");
    subscriber(g, f, attribute_name(g, face, f, "watch"));
}

/* ---- events */

static const char *verb(struct kn_gen *g, const struct kn_gen_feature *f, const char *word)
{
    return kn_gen_take(g, kn_gen_format(g, "%s_%s", f->whole, word));
}

static void loan(struct kn_gen *g, const struct kn_gen_feature *f, const char *type)
{
    kn_gen_doc(&g->header, "", f->decl->doc);
    signature(g, verb(g, f, "loan"),
              kn_gen_format(g, "struct %s **valuep, struct koine_service *service", type));
    kn_buffer_print(&g->source,
                    "    void *value;\n    int rc = koine_event_loan(&value, service, %s);\n"
                    "    if (!rc)\n        *valuep = (struct %s *)value;\n    return rc;\n}\n\n",
                    f->index, type);
}

static void event(struct kn_gen *g, const struct kn_gen_feature *f)
{
    const char *type = g->type_names[f->in];
    if (f->has_in)
        loan(g, f, type);
    signature(g, verb(g, f, "publish"),
              f->has_in
                  ? kn_gen_format(g, "struct koine_service *service, const struct %s *value", type)
                  : "struct koine_service *service");
    kn_buffer_print(&g->source, "    return koine_event_publish(service, %s, %s);\n}\n\n", f->index,
                    f->has_in ? "value" : "NULL");
    subscriber(g, f, verb(g, f, "subscribe"));
}

void kn_gen_client(struct kn_gen *g, const struct kn_gen_face *face)
{
    for (uint32_t i = 0; i < face->count && !g->failed; i++) {
        const struct kn_gen_feature *f = face->features + i;
        if (f->decl->sort == KN_IDL_OPERATION)
            operation(g, f);
        else if (f->decl->sort == KN_IDL_ATTRIBUTE)
            attribute(g, face, f);
        else
            event(g, f);
    }
}
