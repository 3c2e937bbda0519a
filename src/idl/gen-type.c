/* SPDX-License-Identifier: MIT
 *
 * Types and constants in C. Every struct is written with its padding as members, so the layout is
 * Koine's and not the compiler's; static assertions say so.
 */
#include "idl/gen.h"
#include "value/types.h"

#include <math.h>

static const struct scalar {
    const char *c, *sequence;
} scalars[] = {
    [KOINE_KIND_BOOLEAN] = {"uint8_t", "koine_seq_boolean"},
    [KOINE_KIND_INT8] = {"int8_t", "koine_seq_int8"},
    [KOINE_KIND_INT16] = {"int16_t", "koine_seq_int16"},
    [KOINE_KIND_INT32] = {"int32_t", "koine_seq_int32"},
    [KOINE_KIND_INT64] = {"int64_t", "koine_seq_int64"},
    [KOINE_KIND_UINT8] = {"uint8_t", "koine_seq_uint8"},
    [KOINE_KIND_UINT16] = {"uint16_t", "koine_seq_uint16"},
    [KOINE_KIND_UINT32] = {"uint32_t", "koine_seq_uint32"},
    [KOINE_KIND_UINT64] = {"uint64_t", "koine_seq_uint64"},
    [KOINE_KIND_FLOAT] = {"float", "koine_seq_float"},
    [KOINE_KIND_DOUBLE] = {"double", "koine_seq_double"},
    [KOINE_KIND_STRING] = {"struct koine_string", "koine_seq_string"},
    [KOINE_KIND_OCTETS] = {"struct koine_octets", "koine_seq_octets"},
    [KOINE_KIND_ENUM] = {"int32_t", "koine_seq_int32"},
};

/* ---- the table */

uint32_t kn_gen_index(struct kn_gen *g, const struct kn_idl_decl *decl, enum kn_idl_side side)
{
    if (side == KN_IDL_SIDE_NONE)
        return kn_idl_table_decl(&g->table, decl);
    return kn_idl_table_side(&g->table, decl, side);
}

uint32_t kn_gen_type_index(struct kn_gen *g, const struct kn_idl_type *type)
{
    return kn_idl_table_type(&g->table, type);
}

static void collect_one(struct kn_gen *g, const struct kn_idl_decl *decl)
{
    switch (decl->sort) {
    case KN_IDL_ENUM:
    case KN_IDL_STRUCT:
    case KN_IDL_EXCEPTION:
        kn_idl_table_decl(&g->table, decl);
        break;
    case KN_IDL_OPERATION:
        kn_idl_table_side(&g->table, decl, KN_IDL_SIDE_IN);
        kn_idl_table_side(&g->table, decl, KN_IDL_SIDE_OUT);
        break;
    case KN_IDL_EVENT:
        kn_idl_table_side(&g->table, decl, KN_IDL_SIDE_IN);
        break;
    case KN_IDL_ATTRIBUTE:
        kn_idl_table_type(&g->table, decl->type);
        break;
    default:
        break;
    }
}

static void name_types(struct kn_gen *g)
{
    struct kn_idl_table *t = &g->table;
    g->type_names = kn_arena_zalloc(&g->arena, t->count + 1, sizeof *g->type_names);
    if (!g->type_names) {
        g->failed = KOINE_ENOMEM;
        return;
    }
    for (uint32_t i = 0; i < t->count; i++) {
        struct koine_string name = t->types[i].name;
        if (name.length)
            g->type_names[i] =
                kn_gen_take(g, kn_gen_scoped(g, (struct kn_str){name.ptr, name.length}));
    }
}

int kn_gen_collect(struct kn_gen *g)
{
    for (const struct kn_idl_decl *d = &g->idl->root; d; d = kn_idl_next(g->idl, d))
        collect_one(g, d);
    int rc = g->table.failed;
    if (!rc && g->table.count)
        rc = kn_types_layout(g->table.types, g->table.count, NULL);
    if (!rc)
        name_types(g);
    return rc ? rc : g->failed;
}

/* ---- how a type is written */

static uint32_t element_of(const struct kn_gen *g, uint32_t type)
{
    return (uint32_t)((int64_t)type + g->table.types[type].element);
}

/* What stands in the name of a sequence of `type`: "demo_Room", "koine_double_3x4". */
static const char *element_name(struct kn_gen *g, uint32_t type)
{
    const struct koine_type *t = g->table.types + type;
    if (t->kind == KOINE_KIND_STRUCT)
        return g->type_names[type];
    if (t->kind == KOINE_KIND_SEQUENCE) {
        uint32_t element = element_of(g, type);
        uint8_t kind = g->table.types[element].kind;
        return kind <= KOINE_KIND_ENUM ? scalars[kind].sequence
                                       : kn_gen_format(g, "%s_seq", element_name(g, element));
    }
    if (t->kind != KOINE_KIND_ARRAY)
        return kn_gen_format(g, "koine_%s", kn_kind_name(t->kind));
    uint32_t element = element_of(g, type);
    return kn_gen_format(g, "%s_x%u", element_name(g, element), t->count);
}

/* The type without its dimensions. */
static const char *c_type(struct kn_gen *g, uint32_t type)
{
    const struct koine_type *t = g->table.types + type;
    if (t->kind <= KOINE_KIND_ENUM)
        return scalars[t->kind].c;
    if (t->kind == KOINE_KIND_ARRAY)
        return c_type(g, element_of(g, type));
    return kn_gen_format(g, "struct %s", element_name(g, type));
}

void kn_gen_declare(struct kn_gen *g, struct kn_buffer *b, uint32_t type, const char *name)
{
    kn_buffer_text(b, c_type(g, type));
    kn_buffer_char(b, ' ');
    kn_buffer_text(b, name);
    for (; g->table.types[type].kind == KOINE_KIND_ARRAY; type = element_of(g, type))
        kn_buffer_print(b, "[%u]", g->table.types[type].count);
}

/* ---- sequences and arrays that must exist before a struct */

static void guard(struct kn_gen *g, const char *name)
{
    kn_buffer_print(&g->header, "#ifndef KN_HAS_%s\n#define KN_HAS_%s\n", name, name);
}

static void need(struct kn_gen *g, uint32_t type);

static void need_sequence(struct kn_gen *g, uint32_t type)
{
    struct kn_buffer *h = &g->header;
    uint32_t element = element_of(g, type);
    uint8_t kind = g->table.types[element].kind;
    if (kind <= KOINE_KIND_ENUM)
        return;
    need(g, element);
    const char *name = element_name(g, type);
    guard(g, name);
    if (kind == KOINE_KIND_STRUCT)
        kn_buffer_print(h, "%s;\n", c_type(g, element));
    const char *c = kind == KOINE_KIND_ARRAY ? element_name(g, element) : c_type(g, element);
    if (kind == KOINE_KIND_ARRAY) {
        kn_buffer_text(h, "typedef ");
        kn_gen_declare(g, h, element, c);
        kn_buffer_text(h, ";\n");
    }
    kn_buffer_print(h, "KOINE_SEQUENCE(%s, %s);\n#endif\n", name, c);
}

static void need(struct kn_gen *g, uint32_t type)
{
    uint8_t kind = g->table.types[type].kind;
    if (kind == KOINE_KIND_SEQUENCE)
        need_sequence(g, type);
    else if (kind == KOINE_KIND_ARRAY)
        need(g, element_of(g, type));
}

/* ---- structs */

const char **kn_gen_member_names(struct kn_gen *g, uint32_t type)
{
    const struct koine_type *t = g->table.types + type;
    size_t count = t->members.length;
    const char **names = kn_arena_zalloc(&g->arena, count + 1, sizeof *names);
    if (!names) {
        g->failed = KOINE_ENOMEM;
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        names[i] = t->members.ptr[i].name.ptr;
    kn_gen_locals(g, names, count, false);
    return names;
}

static void pad(struct kn_gen *g, uint32_t *padsp, uint32_t from, uint32_t to)
{
    if (to > from)
        kn_buffer_print(&g->header, "    uint8_t kn_pad%u[%u];\n", (*padsp)++, to - from);
}

static void assert_layout(struct kn_gen *g, uint32_t type, const char **names)
{
    const struct koine_type *t = g->table.types + type;
    const char *name = g->type_names[type];
    kn_buffer_print(&g->header, "static_assert(sizeof(struct %s) == %u, \"layout\");\n", name,
                    t->size);
    for (uint32_t i = 0; i < t->members.length; i++)
        kn_buffer_print(&g->header, "static_assert(offsetof(struct %s, %s) == %u, \"layout\");\n",
                        name, names[i], t->members.ptr[i].offset);
    kn_buffer_char(&g->header, '\n');
}

static struct kn_str str(struct koine_string text)
{
    return (struct kn_str){text.ptr, text.length};
}

static void structure(struct kn_gen *g, uint32_t type)
{
    const struct koine_type *t = g->table.types + type;
    struct kn_buffer *h = &g->header;
    const char **names = kn_gen_member_names(g, type);
    uint32_t at = 0, pads = 0;
    if (!t->size || !names)
        return;
    for (uint32_t i = 0; i < t->members.length; i++)
        need(g, (uint32_t)((int64_t)type + t->members.ptr[i].type));
    kn_gen_doc(h, "", str(t->doc));
    kn_buffer_print(h, "struct %s {\n", g->type_names[type]);
    for (uint32_t i = 0; i < t->members.length; i++) {
        const struct koine_member *m = t->members.ptr + i;
        uint32_t index = (uint32_t)((int64_t)type + m->type);
        pad(g, &pads, at, m->offset);
        kn_gen_doc(h, "    ", str(m->doc));
        kn_buffer_text(h, "    ");
        kn_gen_declare(g, h, index, names[i]);
        kn_buffer_text(h, ";\n");
        at = m->offset + g->table.types[index].size;
    }
    pad(g, &pads, at, t->size);
    kn_buffer_text(h, "};\n");
    assert_layout(g, type, names);
}

/* ---- enums and constants */

static const char *label_name(struct kn_gen *g, const struct kn_idl_decl *label)
{
    const char *owner = g->type_names[kn_gen_index(g, label->parent, KN_IDL_SIDE_NONE)];
    return kn_gen_format(g, "%s_%s", owner, label->name.ptr);
}

static void enumeration(struct kn_gen *g, const struct kn_idl_decl *decl)
{
    struct kn_buffer *h = &g->header;
    kn_gen_doc(h, "", decl->doc);
    kn_buffer_print(h, "enum %s {\n", g->type_names[kn_gen_index(g, decl, KN_IDL_SIDE_NONE)]);
    for (const struct kn_idl_decl *label = decl->first; label; label = label->next) {
        kn_gen_doc(h, "    ", label->doc);
        kn_buffer_print(h, "    %s = %d%s\n", kn_gen_take(g, label_name(g, label)), label->label,
                        label->next ? "," : "");
    }
    kn_buffer_text(h, "};\n\n");
}

static void integer(struct kn_buffer *b, uint8_t kind, const struct kn_idl_value *v)
{
    bool is_unsigned = kind >= KOINE_KIND_UINT8 && kind <= KOINE_KIND_UINT64;
    bool wide = kind == KOINE_KIND_INT64 || kind == KOINE_KIND_UINT64;
    const char *macro =
        wide ? (is_unsigned ? "UINT64_C" : "INT64_C") : (is_unsigned ? "UINT32_C" : "INT32_C");
    if (!v->negative)
        kn_buffer_print(b, "%s(%llu)", macro, (unsigned long long)v->magnitude);
    else
        kn_buffer_print(b, "(-%s(%llu) - 1)", macro, (unsigned long long)v->magnitude - 1);
}

static void floating(struct kn_buffer *b, uint8_t kind, double value)
{
    kn_buffer_text(b, signbit(value) ? "(" : "");
    kn_idl_put_double(b, value);
    kn_buffer_text(b, kind == KOINE_KIND_FLOAT ? "f" : "");
    kn_buffer_text(b, signbit(value) ? ")" : "");
}

void kn_gen_text(struct kn_buffer *b, struct kn_str text)
{
    kn_buffer_char(b, '"');
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '\n')
            kn_buffer_text(b, "\\n");
        else if (c == '"' || c == '\\' || c == '?')
            kn_buffer_print(b, "\\%c", c);
        else if (c < ' ' || c > '~')
            kn_buffer_print(b, "\\%03o", c);
        else
            kn_buffer_char(b, (char)c);
    }
    kn_buffer_char(b, '"');
}

static void constant(struct kn_gen *g, const struct kn_idl_decl *decl)
{
    struct kn_buffer *h = &g->header;
    const struct kn_idl_value *v = &decl->value;
    kn_gen_doc(h, "", decl->doc);
    kn_buffer_print(h, "#define %s ", kn_gen_take(g, kn_gen_scoped(g, decl->scoped)));
    if (v->sort == KN_IDL_INTEGER)
        integer(h, decl->type->kind, v);
    else if (v->sort == KN_IDL_FLOATING)
        floating(h, decl->type->kind, v->floating);
    else if (v->sort == KN_IDL_BOOLEAN)
        kn_buffer_text(h, v->magnitude ? "1" : "0");
    else if (v->sort == KN_IDL_TEXT)
        kn_gen_text(h, v->text);
    else
        kn_buffer_text(h, label_name(g, v->label));
    kn_buffer_text(h, "\n\n");
}

void kn_gen_decl(struct kn_gen *g, const struct kn_idl_decl *decl)
{
    switch (decl->sort) {
    case KN_IDL_ENUM:
        enumeration(g, decl);
        break;
    case KN_IDL_CONST:
        constant(g, decl);
        break;
    case KN_IDL_STRUCT:
    case KN_IDL_EXCEPTION:
        structure(g, kn_gen_index(g, decl, KN_IDL_SIDE_NONE));
        break;
    case KN_IDL_OPERATION:
        structure(g, kn_gen_index(g, decl, KN_IDL_SIDE_IN));
        structure(g, kn_gen_index(g, decl, KN_IDL_SIDE_OUT));
        break;
    case KN_IDL_EVENT:
        structure(g, kn_gen_index(g, decl, KN_IDL_SIDE_IN));
        break;
    case KN_IDL_ATTRIBUTE:
        need(g, kn_gen_type_index(g, decl->type));
        break;
    default:
        break;
    }
}
