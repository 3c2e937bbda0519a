/* SPDX-License-Identifier: MIT
 *
 * An interface's description as constant C data: a value at rest.
 */
#include "idl/gen.h"

static void text(struct kn_buffer *c, struct koine_string s)
{
    kn_buffer_text(c, "KOINE_TEXT(");
    kn_gen_text(c, (struct kn_str){s.ptr, s.length});
    kn_buffer_char(c, ')');
}

static void members(struct kn_gen *g, const struct kn_gen_face *face, uint32_t index)
{
    const struct koine_type *t = face->interface->types.ptr + index;
    struct kn_buffer *c = &g->source;
    if (!t->members.length)
        return;
    kn_buffer_print(c, "static const struct koine_member %s_members_%u[] = {\n", face->name, index);
    for (uint32_t i = 0; i < t->members.length; i++) {
        const struct koine_member *m = t->members.ptr + i;
        kn_buffer_text(c, "    {.name = ");
        text(c, m->name);
        kn_buffer_text(c, ",\n     .doc = ");
        text(c, m->doc);
        kn_buffer_print(c, ",\n     .type = %d,\n     .offset = %u},\n", m->type, m->offset);
    }
    kn_buffer_text(c, "};\n\n");
}

static void type(struct kn_gen *g, const struct kn_gen_face *face, uint32_t index)
{
    const struct koine_type *t = face->interface->types.ptr + index;
    struct kn_buffer *c = &g->source;
    kn_buffer_text(c, "    {.name = ");
    text(c, t->name);
    kn_buffer_text(c, ",\n     .doc = ");
    text(c, t->doc);
    kn_buffer_print(c,
                    ",\n     .kind = %u,\n     .flags = %u,\n     .align = %u,\n     .size = %u,\n"
                    "     .element = %d,\n     .count = %u,\n     .base = %d",
                    t->kind, t->flags, t->align, t->size, t->element, t->count, t->base);
    if (t->members.length)
        kn_buffer_print(c, ",\n     .members = KOINE_ARRAY(%s_members_%u)", face->name, index);
    kn_buffer_text(c, "},\n");
}

static void types(struct kn_gen *g, const struct kn_gen_face *face)
{
    uint32_t count = face->interface->types.length;
    for (uint32_t i = 0; i < count; i++)
        members(g, face, i);
    if (!count)
        return;
    kn_buffer_print(&g->source, "static const struct koine_type %s_types[] = {\n", face->name);
    for (uint32_t i = 0; i < count; i++)
        type(g, face, i);
    kn_buffer_text(&g->source, "};\n\n");
}

static void raises(struct kn_gen *g, const struct kn_gen_face *face, uint32_t index)
{
    const struct koine_feature *f = face->interface->features.ptr + index;
    if (!f->raises.length)
        return;
    kn_buffer_print(&g->source, "static const uint32_t %s_raises_%u[] = {", face->name, index);
    for (uint32_t i = 0; i < f->raises.length; i++)
        kn_buffer_print(&g->source, "%s%u", i ? ", " : "", f->raises.ptr[i]);
    kn_buffer_text(&g->source, "};\n\n");
}

static void feature(struct kn_gen *g, const struct kn_gen_face *face, uint32_t index)
{
    const struct koine_feature *f = face->interface->features.ptr + index;
    struct kn_buffer *c = &g->source;
    kn_buffer_text(c, "    {.name = ");
    text(c, f->name);
    kn_buffer_text(c, ",\n     .doc = ");
    text(c, f->doc);
    kn_buffer_print(c,
                    ",\n     .sort = %u,\n     .flags = %u,\n     .origin = %u,\n     .in = %u,\n"
                    "     .out = %u",
                    f->sort, f->flags, f->origin, f->in, f->out);
    if (f->id)
        kn_buffer_print(c, ",\n     .id = %u", f->id);
    if (f->raises.length)
        kn_buffer_print(c, ",\n     .raises = KOINE_ARRAY(%s_raises_%u)", face->name, index);
    kn_buffer_text(c, "},\n");
}

static void features(struct kn_gen *g, const struct kn_gen_face *face)
{
    uint32_t count = face->interface->features.length;
    for (uint32_t i = 0; i < count; i++)
        raises(g, face, i);
    if (!count)
        return;
    kn_buffer_print(&g->source, "static const struct koine_feature %s_features[] = {\n",
                    face->name);
    for (uint32_t i = 0; i < count; i++)
        feature(g, face, i);
    kn_buffer_text(&g->source, "};\n\n");
}

static void bases(struct kn_gen *g, const struct kn_gen_face *face)
{
    const struct koine_interface *interface = face->interface;
    if (!interface->bases.length)
        return;
    kn_buffer_print(&g->source, "static const struct koine_string %s_bases[] = {\n", face->name);
    for (uint32_t i = 0; i < interface->bases.length; i++) {
        kn_buffer_text(&g->source, "    ");
        text(&g->source, interface->bases.ptr[i]);
        kn_buffer_text(&g->source, ",\n");
    }
    kn_buffer_text(&g->source, "};\n\n");
}

static void notes(struct kn_gen *g, const struct kn_gen_face *face)
{
    const struct koine_interface *interface = face->interface;
    if (!interface->notes.length)
        return;
    kn_buffer_print(&g->source, "static const struct koine_note %s_notes[] = {\n", face->name);
    for (uint32_t i = 0; i < interface->notes.length; i++) {
        kn_buffer_text(&g->source, "    {");
        text(&g->source, interface->notes.ptr[i].name);
        kn_buffer_text(&g->source, ", ");
        text(&g->source, interface->notes.ptr[i].value);
        kn_buffer_text(&g->source, "},\n");
    }
    kn_buffer_text(&g->source, "};\n\n");
}

void kn_gen_tables(struct kn_gen *g, const struct kn_gen_face *face)
{
    const struct koine_interface *interface = face->interface;
    struct kn_buffer *c = &g->source;
    types(g, face);
    features(g, face);
    bases(g, face);
    notes(g, face);
    kn_buffer_print(
        c, "static const struct koine_interface %s_interface = {\n    .name = ", face->name);
    text(c, interface->name);
    kn_buffer_text(c, ",\n    .doc = ");
    text(c, interface->doc);
    if (interface->bases.length)
        kn_buffer_print(c, ",\n    .bases = KOINE_ARRAY(%s_bases)", face->name);
    if (interface->types.length)
        kn_buffer_print(c, ",\n    .types = KOINE_ARRAY(%s_types)", face->name);
    if (interface->features.length)
        kn_buffer_print(c, ",\n    .features = KOINE_ARRAY(%s_features)", face->name);
    if (interface->notes.length)
        kn_buffer_print(c, ",\n    .notes = KOINE_ARRAY(%s_notes)", face->name);
    kn_buffer_print(c, ",\n    .hash = UINT64_C(0x%016llx),\n};\n\n",
                    (unsigned long long)interface->hash);
}
