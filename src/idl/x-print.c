/* SPDX-License-Identifier: MIT
 *
 * Interfaces in the RPC language (RFC 5531, 12; RFC 4506, 6), as rpcgen takes it.
 *
 * A program per interface, a procedure per operation and companion (value/procedure.h). The language
 * has one scope and C behind it, so names are scoped ones with '_' for '::', and words get an underscore;
 * what rpcgen makes macros of (programs, versions, procedures, constants) is named first, so that no
 * member is called like one. A type that is written where the language wants a name gets a typedef.
 *
 * One parameter or result stands alone, several are a struct, which is the same on the wire. Where an
 * operation raises, a union of status 0 (the result) and 1, 2 ... (the exceptions) is answered.
 */
#include "idl/gen.h"
#include "idl/print.h"
#include "value/procedure.h"

#include <stdlib.h>

enum { LINE = 900 }; /* rpcgen's lines end at 1024 */

struct face {
    const struct koine_interface *interface;
    struct kn_procedures *procedures;
    const char *name;
    const char **names; /* of the procedures */
};

struct known {
    const char *name;
    bool begun, written;
};

struct printer {
    struct kn_gen gen;              /* names and memory */
    struct kn_map macros;           /* what no member may be called */
    struct kn_map known;            /* scoped or made-up names -> struct known */
    const struct koine_type *types; /* those being walked */
    const char *prefix;             /* of types that have no name */
    struct face *faces;
    size_t count;
    struct known spare;
};

static struct kn_str str(struct koine_string s)
{
    return (struct kn_str){s.length ? s.ptr : "", s.length};
}

static struct kn_buffer *out(struct printer *p)
{
    return &p->gen.header;
}

static void fail(struct printer *p, int error)
{
    if (!p->gen.failed)
        p->gen.failed = error;
}

static const struct koine_type *at(const struct printer *p, uint32_t index)
{
    return p->types + index;
}

static uint32_t far(uint32_t index, int32_t distance)
{
    return (uint32_t)((int64_t)index + distance);
}

/* ---- names */

static bool word(const char *name)
{
    static const char *const words[] = {"bool",   "hyper",   "opaque", "program", "quadruple",
                                        "string", "version", "TRUE",   "FALSE"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(words[i], name))
            return true;
    }
    return kn_gen_word(name);
}

/* A name at the one scope there is; it is taken now. */
static const char *take(struct printer *p, const char *wanted)
{
    const char *base = word(wanted) ? kn_gen_format(&p->gen, "%s_", wanted) : wanted;
    const char *name = base;
    for (int n = 2; kn_gen_taken(&p->gen, name) && !p->gen.failed; n++)
        name = kn_gen_format(&p->gen, "%s_%d", base, n);
    if (!p->gen.failed && kn_map_put_text(&p->gen.names, kn_str(name), p))
        fail(p, KOINE_ENOMEM);
    return name;
}

static const char *take_macro(struct printer *p, const char *wanted)
{
    const char *name = take(p, wanted);
    if (!p->gen.failed && kn_map_put_text(&p->macros, kn_str(name), p))
        fail(p, KOINE_ENOMEM);
    return name;
}

/* What is known of a type by its key: a scoped name, or what an anonymous type is made of. */
static struct known *know(struct printer *p, const char *key, const char *wanted)
{
    struct known *known = kn_map_get_text(&p->known, kn_str(key));
    if (known)
        return known;
    known = kn_arena_zalloc(&p->gen.arena, 1, sizeof *known);
    if (known)
        known->name = take(p, wanted);
    if (!known || kn_map_put_text(&p->known, kn_str(key), known)) {
        fail(p, KOINE_ENOMEM);
        return &p->spare;
    }
    return known;
}

static const char *member_name(struct printer *p, const char *name, bool result)
{
    if (result)
        return "result";
    if (word(name) || kn_map_get_text(&p->macros, kn_str(name)))
        return kn_gen_format(&p->gen, "%s_", name);
    return name;
}

/* names[own], or with _2, _3 ... when one before it is the same. */
static const char *once(struct printer *p, const char *const *names, uint32_t own)
{
    const char *name = names[own];
    int n = 2;
    for (uint32_t i = 0; i < own && !p->gen.failed; i++) {
        if (strcmp(names[i], name) != 0)
            continue;
        name = kn_gen_format(&p->gen, "%s_%d", names[own], n++);
        i = UINT32_MAX; /* from the start */
    }
    return name;
}

/* Names of a struct's members, each once. `out`: those of results, where "result" is the first. */
static const char **member_names(struct printer *p, const struct koine_type *t, bool out_side)
{
    const char **names =
        kn_arena_zalloc(&p->gen.arena, t->members.length + (size_t)1, sizeof *names);
    if (!names) {
        fail(p, KOINE_ENOMEM);
        return NULL;
    }
    for (uint32_t i = 0; i < t->members.length; i++) {
        const char *name = t->members.ptr[i].name.ptr;
        bool result = out_side && !i && !strcmp(name, "return");
        if (out_side && !result && !strcmp(name, "result"))
            name = "result_2";
        names[i] = member_name(p, name, result);
    }
    for (uint32_t i = 0; i < t->members.length; i++)
        names[i] = once(p, names, i);
    return names;
}

/* ---- types where they are used */

static const char *const basics[] = {
    [KOINE_KIND_BOOLEAN] = "bool",          [KOINE_KIND_INT8] = "char",
    [KOINE_KIND_INT16] = "short",           [KOINE_KIND_INT32] = "int",
    [KOINE_KIND_INT64] = "hyper",           [KOINE_KIND_UINT8] = "unsigned char",
    [KOINE_KIND_UINT16] = "unsigned short", [KOINE_KIND_UINT32] = "unsigned int",
    [KOINE_KIND_UINT64] = "unsigned hyper", [KOINE_KIND_FLOAT] = "float",
    [KOINE_KIND_DOUBLE] = "double",
};

static bool is_basic(const struct koine_type *t)
{
    return t->kind <= KOINE_KIND_DOUBLE;
}

static struct known *of_type(struct printer *p, uint32_t index);

/* "unsigned_int", "string_16", "demo_Room_seq", "double_array_3": what a type without a name is. */
static const char *shape(struct printer *p, uint32_t index)
{
    const struct koine_type *t = at(p, index);
    struct kn_gen *g = &p->gen;
    const char *count = t->count ? kn_gen_format(g, "_%u", t->count) : "";
    if (is_basic(t)) {
        char *text = kn_arena_text(&g->arena, basics[t->kind], strlen(basics[t->kind]));
        for (char *c = text; c && *c; c++)
            *c = *c == ' ' ? '_' : *c;
        return text ? kn_gen_format(g, "%s_%s", p->prefix, text) : "";
    }
    if (t->kind == KOINE_KIND_STRING)
        return kn_gen_format(g, "%s_string%s", p->prefix, count);
    if (t->kind == KOINE_KIND_OCTETS)
        return kn_gen_format(g, "%s_opaque%s", p->prefix, count);
    const char *of = of_type(p, far(index, t->element))->name;
    return kn_gen_format(g, t->kind == KOINE_KIND_ARRAY ? "%s_array%s" : "%s_seq%s", of ? of : "",
                         count);
}

static struct known *of_type(struct printer *p, uint32_t index)
{
    const struct koine_type *t = at(p, index);
    if (t->name.length)
        return know(p, t->name.ptr, kn_gen_scoped(&p->gen, str(t->name)));
    const char *made = shape(p, index);
    return know(p, kn_gen_format(&p->gen, "<%s>", made), made);
}

/* A type as one name or word. One that is not written yet can only be a struct around this. */
static void specifier(struct printer *p, uint32_t index)
{
    const struct koine_type *t = at(p, index);
    if (is_basic(t)) {
        kn_buffer_text(out(p), basics[t->kind]);
        return;
    }
    const struct known *known = of_type(p, index);
    if (!known->written && t->kind == KOINE_KIND_STRUCT)
        kn_buffer_text(out(p), "struct ");
    kn_buffer_text(out(p), known->name ? known->name : "");
}

/* `type name`, `type name<3>`, `opaque name[4]` */
static void declaration(struct printer *p, uint32_t index, const char *name)
{
    const struct koine_type *t = at(p, index);
    bool fixed = t->kind == KOINE_KIND_ARRAY;
    if (t->kind == KOINE_KIND_STRING)
        kn_buffer_text(out(p), "string");
    else if (t->kind == KOINE_KIND_OCTETS ||
             (fixed && at(p, far(index, t->element))->kind == KOINE_KIND_UINT8))
        kn_buffer_text(out(p), "opaque");
    else
        specifier(p, t->element ? far(index, t->element) : index);
    kn_buffer_print(out(p), " %s", name);
    if (is_basic(t) || t->name.length)
        return;
    kn_buffer_char(out(p), fixed ? '[' : '<');
    if (t->count)
        kn_buffer_uint(out(p), t->count);
    kn_buffer_char(out(p), fixed ? ']' : '>');
}

/* ---- definitions: what a type needs is written before it */

static void doc(struct printer *p, unsigned depth, struct koine_string text)
{
    struct kn_str rest = str(text);
    for (size_t i = 0, start = 0; i < rest.length; i++) {
        start = rest.ptr[i] == '\n' ? i + 1 : start;
        if (i - start > LINE)
            return;
    }
    if (rest.length && (memmem(rest.ptr, rest.length, "*/", 2) || rest.ptr[rest.length - 1] == '*'))
        kn_gen_doc(out(p), depth ? "    " : "", rest);
    else
        kn_idl_print_doc(out(p), depth, rest);
}

static void need_specifier(struct printer *p, uint32_t index);

static void need_declaration(struct printer *p, uint32_t index)
{
    const struct koine_type *t = at(p, index);
    if (t->name.length)
        need_specifier(p, index);
    else if (t->element)
        need_specifier(p, far(index, t->element));
}

static void write_enum(struct printer *p, const struct koine_type *t, const char *name)
{
    kn_buffer_print(out(p), "enum %s {\n", name);
    for (uint32_t i = 0; i < t->members.length; i++) {
        const struct koine_member *label = t->members.ptr + i;
        doc(p, 1, label->doc);
        kn_buffer_print(out(p), "    %s = %d%s\n",
                        take(p, kn_gen_format(&p->gen, "%s_%s", name, label->name.ptr)),
                        label->type, i + 1 < t->members.length ? "," : "");
    }
    kn_buffer_text(out(p), "};\n\n");
}

static void write_struct(struct printer *p, uint32_t index, const char *name, bool out_side)
{
    const struct koine_type *t = at(p, index);
    const char **names = member_names(p, t, out_side);
    if (!t->members.length)
        fail(p, KOINE_EDATA); /* the language has no struct of nothing */
    for (uint32_t i = 0; i < t->members.length; i++)
        need_declaration(p, far(index, t->members.ptr[i].type));
    doc(p, 0, t->doc);
    kn_buffer_print(out(p), "struct %s {\n", name);
    for (uint32_t i = 0; names && i < t->members.length; i++) {
        doc(p, 1, t->members.ptr[i].doc);
        kn_buffer_text(out(p), "    ");
        declaration(p, far(index, t->members.ptr[i].type), names[i]);
        kn_buffer_text(out(p), ";\n");
    }
    kn_buffer_text(out(p), "};\n\n");
}

static void write_typedef(struct printer *p, uint32_t index, const char *name)
{
    need_declaration(p, index);
    kn_buffer_text(out(p), "typedef ");
    declaration(p, index, name);
    kn_buffer_text(out(p), ";\n\n");
}

/* Makes `specifier` possible. Depth is bounded by the check of the types. */
static void need_specifier(struct printer *p, uint32_t index)
{
    if (p->gen.failed)
        return;
    const struct koine_type *t = at(p, index);
    if (is_basic(t))
        return;
    struct known *known = of_type(p, index);
    if (known->begun || p->gen.failed)
        return;
    known->begun = true;
    if (t->kind == KOINE_KIND_ENUM) {
        doc(p, 0, t->doc);
        write_enum(p, t, known->name);
    } else if (t->name.length) {
        write_struct(p, index, known->name, false);
    } else {
        write_typedef(p, index, known->name);
    }
    known->written = true;
}

/* ---- procedures */

/* The struct of several parameters or results, with its name; of one, what it needs. */
static const char *need_side(struct printer *p, uint32_t index, const char *name, bool out_side)
{
    const struct koine_type *t = at(p, index);
    if (t->members.length == 1)
        need_specifier(p, far(index, t->members.ptr->type));
    if (t->members.length < 2)
        return NULL;
    name = take(p, kn_gen_format(&p->gen, "%s_%s", name, out_side ? "out" : "in"));
    write_struct(p, index, name, out_side);
    return name;
}

static void side(struct printer *p, uint32_t index, const char *name)
{
    const struct koine_type *t = at(p, index);
    if (name)
        kn_buffer_text(out(p), name);
    else if (t->members.length)
        specifier(p, far(index, t->members.ptr->type));
    else
        kn_buffer_text(out(p), "void");
}

static const char *last_of(const char *scoped)
{
    const char *last = scoped, *next;
    while ((next = strstr(last, "::")))
        last = next + 2;
    return last;
}

/* An exception without members is nothing on the wire; a constant keeps its name. */
static const char **arms(struct printer *p, const struct kn_procedure *procedure, const char *name)
{
    const char **labels =
        kn_arena_zalloc(&p->gen.arena, procedure->raises.length + (size_t)1, sizeof *labels);
    for (uint32_t i = 0; labels && i < procedure->raises.length; i++) {
        uint32_t index = procedure->raises.ptr[i];
        labels[i] = kn_gen_format(&p->gen, "%u", i + 1);
        if (at(p, index)->members.length) {
            need_specifier(p, index);
            continue;
        }
        const char *scoped = kn_gen_scoped(&p->gen, str(at(p, index)->name));
        labels[i] = take_macro(p, kn_gen_format(&p->gen, "%s_%s", name, scoped));
        kn_buffer_print(out(p), "const %s = %u;\n\n", labels[i], i + 1);
    }
    if (!labels)
        fail(p, KOINE_ENOMEM);
    return labels;
}

static const char *write_union(struct printer *p, const struct kn_procedure *procedure,
                               const char *name, const char *result)
{
    const char **labels = arms(p, procedure, name);
    const struct koine_type *t = at(p, procedure->out);
    const char *own = take(p, kn_gen_format(&p->gen, "%s_res", name));
    if (p->gen.failed)
        return own;
    kn_buffer_print(out(p), "union %s switch (int status) {\ncase 0:\n    ", own);
    if (result)
        kn_buffer_print(out(p), "%s result", result);
    else if (t->members.length)
        declaration(p, far(procedure->out, t->members.ptr->type), "result");
    else
        kn_buffer_text(out(p), "void");
    for (uint32_t i = 0; i < procedure->raises.length; i++) {
        uint32_t index = procedure->raises.ptr[i];
        kn_buffer_print(out(p), ";\ncase %s:\n    ", labels[i]);
        if (at(p, index)->members.length)
            declaration(p, index, member_name(p, last_of(at(p, index)->name.ptr), false));
        else
            kn_buffer_text(out(p), "void");
    }
    kn_buffer_text(out(p), ";\n};\n\n");
    return own;
}

struct sides {
    const char *in, *out;
};

static struct sides need_procedure(struct printer *p, const struct kn_procedure *procedure,
                                   const char *name)
{
    struct sides sides = {need_side(p, procedure->in, name, false),
                          need_side(p, procedure->out, name, true)};
    if (procedure->raises.length)
        sides.out = write_union(p, procedure, name, sides.out);
    return sides;
}

static void write_program(struct printer *p, struct face *face)
{
    struct kn_procedures *procedures = face->procedures;
    struct sides *sides =
        kn_arena_zalloc(&p->gen.arena, procedures->count + (size_t)1, sizeof *sides);
    if (!sides)
        fail(p, KOINE_ENOMEM);
    p->types = procedures->types;
    for (uint32_t i = 0; i < procedures->count && !p->gen.failed; i++)
        sides[i] = need_procedure(p, procedures->list + i, face->names[i]);
    if (p->gen.failed)
        return;
    doc(p, 0, face->interface->doc);
    kn_buffer_print(out(p), "program %s {\n    version %s_v%u {\n", face->name, face->name,
                    procedures->version);
    for (uint32_t i = 0; i < procedures->count; i++) {
        const struct kn_procedure *procedure = procedures->list + i;
        if (procedure->sort == KN_PROCEDURE_CALL)
            doc(p, 2, face->interface->features.ptr[procedure->member].doc);
        kn_buffer_fill(out(p), ' ', 8);
        side(p, procedure->out, sides[i].out);
        kn_buffer_print(out(p), " %s(", face->names[i]);
        side(p, procedure->in, sides[i].in);
        kn_buffer_print(out(p), procedure->number < KN_PROCEDURE_ROW ? ") = %u;\n" : ") = %#x;\n",
                        procedure->number);
    }
    if (!procedures->count) /* the language has no version of nothing */
        kn_buffer_print(out(p), "        void %s = 0;\n",
                        kn_gen_format(&p->gen, "%s_null(void)", face->name));
    kn_buffer_print(out(p), "    } = %u;\n} = %#x;\n", procedures->version, procedures->program);
}

/* ---- the whole */

static int name_face(struct printer *p, struct face *face, const struct koine_interface *interface)
{
    struct koine_why why;
    face->interface = interface;
    int rc = kn_procedures_new(&face->procedures, interface, &why);
    if (rc)
        return rc;
    face->name = take_macro(p, kn_gen_scoped(&p->gen, str(interface->name)));
    take_macro(p, kn_gen_format(&p->gen, "%s_v%u", face->name, face->procedures->version));
    face->names =
        kn_arena_zalloc(&p->gen.arena, face->procedures->count + (size_t)1, sizeof *face->names);
    for (uint32_t i = 0; face->names && i < face->procedures->count; i++) {
        const char *name = face->procedures->list[i].name.ptr;
        face->names[i] =
            take_macro(p, kn_gen_format(&p->gen, "%s_%s", face->name, name + (*name == '_')));
    }
    return face->names ? p->gen.failed : KOINE_ENOMEM;
}

static void constants(struct printer *p, const struct koine_idl *idl)
{
    for (const struct kn_idl_decl *d = &idl->root; d; d = kn_idl_next(idl, d)) {
        if (d->sort != KN_IDL_CONST || d->value.sort != KN_IDL_INTEGER)
            continue;
        doc(p, 0, kn_idl_string(d->doc));
        kn_buffer_print(out(p), "const %s = %s%llu;\n\n",
                        take_macro(p, kn_gen_scoped(&p->gen, d->scoped)),
                        d->value.negative ? "-" : "", (unsigned long long)d->value.magnitude);
    }
}

/* Types of the file, whether an interface uses them or not. */
static void types(struct printer *p, const struct koine_idl *idl)
{
    struct kn_idl_table table = {.arena = &p->gen.arena};
    for (const struct kn_idl_decl *d = &idl->root; d && !p->gen.failed; d = kn_idl_next(idl, d)) {
        bool exception = d->sort == KN_IDL_EXCEPTION && d->first;
        if (d->sort != KN_IDL_ENUM && d->sort != KN_IDL_STRUCT && !exception)
            continue;
        uint32_t index = kn_idl_table_decl(&table, d);
        if (table.failed)
            fail(p, table.failed);
        p->types = table.types;
        need_specifier(p, index);
    }
}

static int print(char **textp, const struct koine_idl *idl, const struct koine_interface *only)
{
    struct printer p = {.count = only ? 1 : koine_idl_interfaces(idl)};
    kn_buffer_init(out(&p), 0);
    kn_arena_init(&p.gen.arena, KN_IDL_MAX_ARENA);
    kn_map_init(&p.gen.names, 0);
    kn_map_init(&p.macros, 0);
    kn_map_init(&p.known, 0);
    p.faces = kn_arena_zalloc(&p.gen.arena, p.count + 1, sizeof *p.faces);
    int rc = p.faces ? 0 : KOINE_ENOMEM;
    for (size_t i = 0; i < p.count && !rc; i++)
        rc = name_face(&p, p.faces + i, only ? only : koine_idl_interface(idl, i));
    p.prefix = !rc && p.count ? p.faces->name : "x";
    if (!rc && idl) {
        constants(&p, idl);
        types(&p, idl);
    }
    for (size_t i = 0; i < p.count && !rc && !p.gen.failed; i++) {
        kn_buffer_text(out(&p), i ? "\n" : "");
        write_program(&p, p.faces + i);
    }
    rc = rc ? rc : p.gen.failed;
    rc = rc ? rc : kn_buffer_steal(textp, NULL, out(&p));
    for (size_t i = 0; p.faces && i < p.count; i++)
        kn_procedures_free(p.faces[i].procedures);
    kn_map_deinit(&p.known);
    kn_map_deinit(&p.macros);
    kn_map_deinit(&p.gen.names);
    kn_buffer_deinit(out(&p));
    kn_arena_deinit(&p.gen.arena);
    return rc;
}

int koine_idl_print_x(char **textp, const struct koine_idl *idl)
{
    return textp && idl ? print(textp, idl, NULL) : KOINE_EINVAL;
}

int koine_interface_print_x(char **textp, const struct koine_interface *interface)
{
    return textp && interface ? print(textp, NULL, interface) : KOINE_EINVAL;
}
