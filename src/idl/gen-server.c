/* SPDX-License-Identifier: MIT
 *
 * The serving side: a struct of handlers, the dispatch to them, and helpers that raise exceptions.
 */
#include "idl/gen.h"

static bool served(const struct kn_gen_feature *f)
{
    return f->decl->sort != KN_IDL_EVENT;
}

/* A handler's member name: "set_target", "get_label". */
static const char **handler_names(struct kn_gen *g, const struct kn_gen_face *face)
{
    const char **names = kn_arena_zalloc(&g->arena, 2 * (size_t)face->count + 1, sizeof *names);
    if (!names) {
        g->failed = KOINE_ENOMEM;
        return NULL;
    }
    for (uint32_t i = 0; i < face->count; i++) {
        const struct kn_idl_decl *d = face->features[i].decl;
        bool attribute = d->sort == KN_IDL_ATTRIBUTE;
        names[2 * i] = attribute ? kn_gen_format(g, "get_%s", d->name.ptr) : d->name.ptr;
        names[2 * i + 1] = attribute ? kn_gen_format(g, "set_%s", d->name.ptr) : "";
    }
    kn_gen_locals(g, names, 2 * (size_t)face->count, false);
    return names;
}

/* `const double (*value)[3]`, `struct x *value`. */
static void value_parameter(struct kn_gen *g, struct kn_buffer *b, uint32_t type, bool constant)
{
    bool array = g->table.types[type].kind == KOINE_KIND_ARRAY;
    kn_buffer_text(b, constant ? ", const " : ", ");
    kn_gen_declare(g, b, type, array ? "(*value)" : "*value");
}

static void handler_types(struct kn_gen *g, const struct kn_gen_feature *f, const char **names)
{
    struct kn_buffer *h = &g->header;
    kn_buffer_print(h, "    int (*%s)(void *self, struct koine_request *request", names[0]);
    if (f->decl->sort == KN_IDL_OPERATION) {
        if (f->has_in)
            kn_buffer_print(h, ", const struct %s *in", g->type_names[f->in]);
        if (f->has_out)
            kn_buffer_print(h, ", struct %s *out", g->type_names[f->out]);
        kn_buffer_text(h, ");\n");
        return;
    }
    value_parameter(g, h, f->in, false);
    kn_buffer_text(h, ");\n");
    if (f->decl->flags & KOINE_READONLY)
        return;
    kn_buffer_print(h, "    int (*%s)(void *self, struct koine_request *request", names[1]);
    value_parameter(g, h, f->in, true);
    kn_buffer_text(h, ");\n");
}

static void handlers(struct kn_gen *g, const struct kn_gen_face *face, const char *name,
                     const char **names)
{
    kn_buffer_print(
        &g->header,
        "/* The serving side of %s. A handler answers 0, KOINE_PENDING or an error; one "
        "that\n * is NULL makes the fault KOINE_FAULT_UNIMPLEMENTED. */\nstruct %s {\n",
        face->decl->scoped.ptr, name);
    bool any = false;
    for (uint32_t i = 0; i < face->count; i++) {
        if (!served(face->features + i))
            continue;
        handler_types(g, face->features + i, names + (size_t)2 * i);
        any = true;
    }
    if (!any)
        kn_buffer_text(&g->header, "    uint8_t kn_nothing; /* no operation and no attribute */\n");
    kn_buffer_text(&g->header, "};\n\n");
}

/* ---- dispatch */

/* A cast to what the handler takes. */
static void cast(struct kn_gen *g, uint32_t type, bool constant)
{
    struct kn_buffer *c = &g->source;
    bool array = g->table.types[type].kind == KOINE_KIND_ARRAY;
    kn_buffer_text(c, constant ? "(const " : "(");
    kn_gen_declare(g, c, type, array ? "(*)" : "*");
    kn_buffer_char(c, ')');
}

static void open_case(struct kn_gen *g, const struct kn_gen_feature *f, const char *sort,
                      const char *handler)
{
    kn_buffer_print(&g->source,
                    "    if (member == %s && sort == %s)\n        return calls->%s ? "
                    "calls->%s(self, request",
                    f->index, sort, handler, handler);
}

static void close_case(struct kn_gen *g, const struct kn_gen_feature *f)
{
    kn_buffer_print(&g->source, ") : unimplemented(request, \"%s is not implemented here\");\n",
                    f->decl->scoped.ptr);
}

static void operation_case(struct kn_gen *g, const struct kn_gen_feature *f, const char *handler)
{
    open_case(g, f, "KOINE_REQUEST_CALL", handler);
    if (f->has_in)
        kn_buffer_print(&g->source, ", (const struct %s *)in", g->type_names[f->in]);
    if (f->has_out)
        kn_buffer_print(&g->source, ", (struct %s *)out", g->type_names[f->out]);
    close_case(g, f);
}

static void attribute_cases(struct kn_gen *g, const struct kn_gen_feature *f, const char **names)
{
    open_case(g, f, "KOINE_REQUEST_GET", names[0]);
    kn_buffer_text(&g->source, ", ");
    cast(g, f->in, false);
    kn_buffer_text(&g->source, "out");
    close_case(g, f);
    if (f->decl->flags & KOINE_READONLY)
        return;
    open_case(g, f, "KOINE_REQUEST_SET", names[1]);
    kn_buffer_text(&g->source, ", ");
    cast(g, f->in, true);
    kn_buffer_text(&g->source, "in");
    close_case(g, f);
}

static void dispatch(struct kn_gen *g, const struct kn_gen_face *face, const char *handlers_name,
                     const char **names)
{
    struct kn_buffer *c = &g->source;
    kn_buffer_print(c,
                    "static int %s_dispatch(const void *handlers, void *self, struct koine_request "
                    "*request,\n    uint32_t member, enum koine_request_sort sort, const void *in, "
                    "void *out)\n{\n    const struct %s *calls = (const struct %s *)handlers;\n"
                    "    (void)calls;\n    (void)self;\n    (void)member;\n    (void)sort;\n"
                    "    (void)in;\n    (void)out;\n",
                    face->name, handlers_name, handlers_name);
    for (uint32_t i = 0; i < face->count; i++) {
        const struct kn_gen_feature *f = face->features + i;
        if (f->decl->sort == KN_IDL_OPERATION)
            operation_case(g, f, names[2 * i]);
        else if (f->decl->sort == KN_IDL_ATTRIBUTE)
            attribute_cases(g, f, names + (size_t)2 * i);
    }
    kn_buffer_print(c,
                    "    return unimplemented(request, \"%s has no such member\");\n}\n\n"
                    "const struct koine_face %s = {&%s_interface, %s_dispatch};\n\n",
                    face->decl->scoped.ptr, face->name, face->name, face->name);
}

/* ---- exceptions */

static bool raised_before(const struct kn_gen_face *face, uint32_t feature, uint32_t raise)
{
    const struct kn_idl_decl *wanted = face->features[feature].decl->raises[raise];
    for (uint32_t i = 0; i < feature; i++) {
        const struct kn_idl_decl *d = face->features[i].decl;
        for (uint32_t k = 0; k < d->raised; k++) {
            if (d->raises[k] == wanted)
                return true;
        }
    }
    return false;
}

static void raise_cases(struct kn_gen *g, const struct kn_gen_face *face,
                        const struct kn_idl_decl *exception, const char *value)
{
    for (uint32_t i = 0; i < face->count; i++) {
        const struct kn_gen_feature *f = face->features + i;
        for (uint32_t k = 0; k < f->decl->raised; k++) {
            if (f->decl->raises[k] == exception)
                kn_buffer_print(&g->source,
                                "    case %s:\n        return koine_request_raise(request, %u, "
                                "%s);\n",
                                f->index, k, value);
        }
    }
}

static void raiser(struct kn_gen *g, const struct kn_gen_face *face,
                   const struct kn_idl_decl *exception)
{
    struct kn_buffer *c = &g->source;
    uint32_t type = kn_gen_index(g, exception, KN_IDL_SIDE_NONE);
    bool empty = !g->table.types[type].size;
    const char *name =
        kn_gen_take(g, kn_gen_format(g, "%s_raise_%s", face->name, exception->name.ptr));
    const char *parameters =
        empty ? "struct koine_request *request"
              : kn_gen_format(g, "struct koine_request *request, const struct %s *exception",
                              g->type_names[type]);
    kn_buffer_print(&g->header, "/* For handlers: return %s(...). */\nint %s(%s);\n", name, name,
                    parameters);
    kn_buffer_print(c, "int %s(%s)\n{\n    switch (koine_request_member(request)) {\n", name,
                    parameters);
    raise_cases(g, face, exception, empty ? "NULL" : "exception");
    kn_buffer_print(c,
                    "    default:\n        return koine_request_fault(request, "
                    "KOINE_FAULT_INTERNAL,\n            \"the service raised %s, which this "
                    "operation does not declare\");\n    }\n}\n\n",
                    exception->scoped.ptr);
}

void kn_gen_server(struct kn_gen *g, const struct kn_gen_face *face)
{
    const char *name = kn_gen_take(g, kn_gen_format(g, "%s_handlers", face->name));
    const char **names = handler_names(g, face);
    if (!names || g->failed)
        return;
    handlers(g, face, name, names);
    for (uint32_t i = 0; i < face->count; i++) {
        for (uint32_t k = 0; k < face->features[i].decl->raised; k++) {
            if (!raised_before(face, i, k))
                raiser(g, face, face->features[i].decl->raises[k]);
        }
    }
    dispatch(g, face, name, names);
}
