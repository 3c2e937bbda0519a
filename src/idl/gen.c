/* SPDX-License-Identifier: MIT
 *
 * C from a file of interfaces: one header, one source. What an included file declares comes from the
 * header that is made of it: #include "rooms.idl" becomes #include "rooms.h".
 */
#include "idl/gen.h"

#include <ctype.h>
#include <stdlib.h>

const char *kn_gen_keep(struct kn_gen *g, const char *text, size_t length)
{
    const char *kept = kn_arena_text(&g->arena, text ? text : "", length);
    if (!kept)
        g->failed = KOINE_ENOMEM;
    return kept;
}

/* ---- the frame of both files */

static void includes(struct kn_gen *g)
{
    for (const struct kn_idl_include *i = g->idl->includes; i; i = i->next) {
        size_t length = strlen(i->path);
        if (length > 4 && !strcmp(i->path + length - 4, ".idl"))
            length -= 4;
        kn_buffer_print(&g->header, "#include \"%.*s.h\"\n", (int)length, i->path);
    }
}

static void guard_name(struct kn_gen *g)
{
    for (const char *c = g->stem; *c; c++)
        kn_buffer_char(&g->header,
                       isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_');
    kn_buffer_text(&g->header, "_KOINE_H");
}

static void open_files(struct kn_gen *g)
{
    struct kn_buffer *h = &g->header;
    kn_buffer_print(h, "/* Made from %s.idl by koine; changes here are lost. */\n#ifndef ",
                    g->stem);
    guard_name(g);
    kn_buffer_text(h, "\n#define ");
    guard_name(g);
    kn_buffer_text(h, "\n\n#include <koine/koine.h>\n\n#include <assert.h>\n#include <stddef.h>\n"
                      "#include <stdint.h>\n\n");
    includes(g);
    kn_buffer_text(h, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    kn_buffer_print(&g->source,
                    "/* Made from %s.idl by koine; changes here are lost. */\n#include \"%s.h\"\n\n"
                    "#include <string.h>\n\n",
                    g->stem, g->stem);
    if (g->idl->count)
        kn_buffer_text(
            &g->source,
            "static int unimplemented(struct koine_request *request, const char *why)\n"
            "{\n    return koine_request_fault(request, KOINE_FAULT_UNIMPLEMENTED, why);\n"
            "}\n\n");
}

/* ---- interfaces */

static uint32_t gather(struct kn_gen *g, struct kn_gen_face *face, const struct kn_idl_decl *decl)
{
    uint32_t at = decl->base ? gather(g, face, decl->base) : 0;
    for (const struct kn_idl_decl *d = decl->first; d; d = d->next) {
        if (d->sort != KN_IDL_OPERATION && d->sort != KN_IDL_ATTRIBUTE && d->sort != KN_IDL_EVENT)
            continue;
        struct kn_gen_feature *f = face->features + at;
        f->decl = d;
        f->feature = face->interface->features.ptr + at;
        f->member = at++;
        f->name = d->name.ptr;
        if (d->sort == KN_IDL_ATTRIBUTE) {
            f->in = f->out = kn_gen_type_index(g, d->type);
            continue;
        }
        f->in = kn_gen_index(g, d, KN_IDL_SIDE_IN);
        f->out = d->sort == KN_IDL_EVENT ? f->in : kn_gen_index(g, d, KN_IDL_SIDE_OUT);
        f->has_in = g->table.types[f->in].members.length != 0;
        f->has_out = g->table.types[f->out].members.length != 0;
    }
    return at;
}

static void name_features(struct kn_gen *g, struct kn_gen_face *face)
{
    struct kn_buffer *h = &g->header;
    if (face->count)
        kn_buffer_text(h, "enum {\n");
    for (uint32_t i = 0; i < face->count; i++) {
        struct kn_gen_feature *f = face->features + i;
        const char *plain = kn_gen_format(g, "%s_%s", face->name, f->name);
        f->whole = f->decl->sort == KN_IDL_OPERATION ? kn_gen_take(g, plain) : plain;
        f->index = kn_gen_take(g, kn_gen_format(g, "%s_index", plain));
        kn_buffer_print(h, "    %s = %u%s\n", f->index, i, i + 1 < face->count ? "," : "");
    }
    if (face->count)
        kn_buffer_text(h, "};\n\n");
}

static void interface(struct kn_gen *g, size_t index)
{
    struct kn_gen_face face = {.interface = g->idl->interfaces + index,
                               .decl = g->idl->declared[index]};
    face.count = face.interface->features.length;
    face.features = kn_arena_zalloc(&g->arena, face.count + 1, sizeof *face.features);
    if (!face.features) {
        g->failed = KOINE_ENOMEM;
        return;
    }
    gather(g, &face, face.decl);
    face.name = kn_gen_take(g, kn_gen_scoped(g, face.decl->scoped));
    kn_gen_doc(&g->header, "", face.decl->doc);
    kn_buffer_print(&g->header, "extern const struct koine_face %s;\n\n", face.name);
    name_features(g, &face);
    kn_gen_tables(g, &face);
    kn_gen_server(g, &face);
    kn_gen_client(g, &face);
    kn_buffer_char(&g->header, '\n');
}

static void declarations(struct kn_gen *g)
{
    for (const struct kn_idl_decl *d = &g->idl->root; d && !g->failed; d = kn_idl_next(g->idl, d)) {
        size_t before = g->header.length;
        kn_gen_decl(g, d);
        if (!d->included || g->header.length == before)
            continue;
        g->header.length = before; /* its names are taken, its text is in another header */
        g->header.ptr[before] = '\0';
    }
}

static int generate(struct kn_gen *g)
{
    int rc = kn_gen_reserve(g);
    if (!rc)
        rc = kn_gen_collect(g);
    if (rc)
        return rc;
    open_files(g);
    declarations(g);
    for (size_t i = 0; i < g->idl->count && !g->failed; i++)
        interface(g, i);
    kn_buffer_text(&g->header, "#ifdef __cplusplus\n}\n#endif\n#endif\n");
    return g->failed ? g->failed : g->header.failed ? g->header.failed : g->source.failed;
}

static int give(char **headerp, char **sourcep, struct kn_gen *g)
{
    char *header = NULL, *source = NULL;
    int rc = kn_buffer_steal(&header, NULL, &g->header);
    if (!rc)
        rc = kn_buffer_steal(&source, NULL, &g->source);
    if (rc) {
        free(header);
        return rc;
    }
    *headerp = header;
    *sourcep = source;
    return 0;
}

int koine_idl_generate_c(char **headerp, char **sourcep, const struct koine_idl *idl,
                         const char *stem)
{
    if (!headerp || !sourcep || !idl || !stem || !*stem)
        return KOINE_EINVAL;
    struct kn_gen g = {.idl = idl, .stem = stem, .table = {.arena = &g.arena}};
    kn_buffer_init(&g.header, 0);
    kn_buffer_init(&g.source, 0);
    kn_arena_init(&g.arena, KN_IDL_MAX_ARENA);
    kn_map_init(&g.names, 0);
    int rc = generate(&g);
    if (!rc)
        rc = give(headerp, sourcep, &g);
    kn_map_deinit(&g.names);
    kn_arena_deinit(&g.arena);
    kn_buffer_deinit(&g.header);
    kn_buffer_deinit(&g.source);
    return rc;
}
