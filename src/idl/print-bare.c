/* SPDX-License-Identifier: MIT
 *
 * Canonical IDL from a description alone, such as one that a service gave.
 *
 * It is written plainly first (a module for every type, every name in full), then read and printed by
 * the reader and the printer proper; so the text is canonical, and a description whose names are no
 * IDL is refused rather than printed wrong. What a description does not hold is not there: typedefs,
 * constants, the order of parameters between in and out. An array where IDL wants a name for it gets a
 * typedef of its own.
 */
#include "idl/print.h"

#include <stdlib.h>

enum state { UNSEEN, WITHIN, DONE };

struct bare {
    const struct koine_interface *interface;
    struct kn_buffer out;
    uint8_t *states;      /* enum state, by type */
    uint8_t *announced;   /* by type */
    uint32_t *arrays;     /* number of an array's typedef, by type; 0 none */
    uint32_t count;       /* typedefs */
    bool line;            /* a feature for people, on one line: no comments, short names */
    struct kn_str within; /* interface whose body is being written; empty: none */
};

static struct kn_str str(struct koine_string s)
{
    return (struct kn_str){s.length ? s.ptr : "", s.length};
}

static const struct koine_type *at(const struct bare *b, uint32_t index)
{
    return b->interface->types.ptr + index;
}

static uint32_t far(uint32_t index, int32_t distance)
{
    return (uint32_t)((int64_t)index + distance);
}

/* ---- scopes */

/* "a::b" of "a::b::c"; empty for "c". */
static struct kn_str scope_of(struct kn_str name)
{
    for (size_t i = name.length; i > 1; i--) {
        if (name.ptr[i - 1] == ':' && name.ptr[i - 2] == ':')
            return (struct kn_str){name.ptr, i - 2};
    }
    return KN_STR("");
}

static struct kn_str last_of(struct kn_str name)
{
    struct kn_str scope = scope_of(name);
    size_t skip = scope.length ? scope.length + 2 : 0;
    return (struct kn_str){name.ptr + skip, name.length - skip};
}

static bool is_interface(const struct bare *b, struct kn_str name)
{
    for (uint32_t i = 0; i < b->interface->bases.length; i++) {
        if (kn_str_equal(str(b->interface->bases.ptr[i]), name))
            return true;
    }
    return kn_str_equal(str(b->interface->name), name);
}

/* Opens the modules of `scope`; answers how many there are to close. */
static unsigned open_modules(struct bare *b, struct kn_str scope)
{
    if (!scope.length)
        return 0;
    unsigned outer = open_modules(b, scope_of(scope));
    kn_buffer_text(&b->out, "module ");
    kn_idl_print_name(&b->out, last_of(scope));
    kn_buffer_text(&b->out, " {\n");
    return outer + 1;
}

static void close_modules(struct bare *b, unsigned count)
{
    for (; count; count--)
        kn_buffer_text(&b->out, "};\n");
}

/* ---- types */

static const char *const basics[] = {
    [KOINE_KIND_BOOLEAN] = "boolean",
    [KOINE_KIND_INT8] = "int8",
    [KOINE_KIND_INT16] = "short",
    [KOINE_KIND_INT32] = "long",
    [KOINE_KIND_INT64] = "long long",
    [KOINE_KIND_UINT8] = "octet",
    [KOINE_KIND_UINT16] = "unsigned short",
    [KOINE_KIND_UINT32] = "unsigned long",
    [KOINE_KIND_UINT64] = "unsigned long long",
    [KOINE_KIND_FLOAT] = "float",
    [KOINE_KIND_DOUBLE] = "double",
    [KOINE_KIND_STRING] = "string",
};

static void array_name(struct bare *b, uint32_t index)
{
    kn_buffer_str(&b->out, last_of(str(b->interface->name)));
    kn_buffer_print(&b->out, "_array_%u", b->arrays[index]);
}

static void bound(struct bare *b, const char *before, uint32_t count, const char *after)
{
    if (count)
        kn_buffer_print(&b->out, "%s%u%s", before, count, after);
}

/* The dimensions of `type name[3][4]`, for members and typedefs, and what stands before. */
static uint32_t without_dimensions(const struct bare *b, uint32_t index)
{
    while (at(b, index)->kind == KOINE_KIND_ARRAY)
        index = far(index, at(b, index)->element);
    return index;
}

static void dimensions(struct bare *b, uint32_t index)
{
    for (; at(b, index)->kind == KOINE_KIND_ARRAY; index = far(index, at(b, index)->element))
        kn_buffer_print(&b->out, "[%u]", at(b, index)->count);
}

/* On a line what is in the interface's own module or in itself goes without their names. */
static void declared(struct bare *b, struct kn_str name)
{
    if (!b->line) {
        kn_idl_print_scoped(&b->out, name);
        return;
    }
    for (struct kn_str scope = str(b->interface->name); scope.length; scope = scope_of(scope)) {
        if (!kn_str_equal(scope_of(name), scope))
            continue;
        kn_idl_print_name(&b->out, last_of(name));
        return;
    }
    kn_buffer_str(&b->out, name);
}

static void type(struct bare *b, uint32_t index);

static void array(struct bare *b, uint32_t index)
{
    if (!b->line) {
        array_name(b, index);
        return;
    }
    type(b, without_dimensions(b, index));
    dimensions(b, index);
}

static void type(struct bare *b, uint32_t index)
{
    const struct koine_type *t = at(b, index);
    switch (t->kind) {
    case KOINE_KIND_ENUM:
    case KOINE_KIND_STRUCT:
    case KOINE_KIND_EXCEPTION:
        declared(b, str(t->name));
        break;
    case KOINE_KIND_ARRAY:
        array(b, index);
        break;
    case KOINE_KIND_OCTETS:
        kn_buffer_text(&b->out, "sequence<octet");
        bound(b, ", ", t->count, "");
        kn_buffer_char(&b->out, '>');
        break;
    case KOINE_KIND_SEQUENCE:
        kn_buffer_text(&b->out, "sequence<");
        type(b, far(index, t->element));
        bound(b, ", ", t->count, "");
        kn_buffer_char(&b->out, '>');
        break;
    default:
        kn_buffer_text(&b->out, basics[t->kind]);
        bound(b, "<", t->count, ">");
    }
}

static void member(struct bare *b, uint32_t owner, const struct koine_member *m)
{
    uint32_t index = far(owner, m->type);
    kn_idl_print_doc(&b->out, 0, str(m->doc));
    type(b, without_dimensions(b, index));
    kn_buffer_char(&b->out, ' ');
    kn_idl_print_name(&b->out, str(m->name));
    dimensions(b, index);
    kn_buffer_text(&b->out, ";\n");
}

static void write_struct(struct bare *b, uint32_t index)
{
    const struct koine_type *t = at(b, index);
    uint32_t inherited = t->base ? at(b, far(index, t->base))->members.length : 0;
    kn_buffer_text(&b->out, t->kind == KOINE_KIND_EXCEPTION ? "exception " : "struct ");
    kn_idl_print_name(&b->out, last_of(str(t->name)));
    if (t->base) {
        kn_buffer_text(&b->out, " : ");
        type(b, far(index, t->base));
    }
    kn_buffer_text(&b->out, " {\n");
    for (uint32_t i = inherited; i < t->members.length; i++)
        member(b, index, t->members.ptr + i);
    kn_buffer_text(&b->out, "};\n");
}

static void write_enum(struct bare *b, uint32_t index)
{
    const struct koine_type *t = at(b, index);
    kn_buffer_text(&b->out, "enum ");
    kn_idl_print_name(&b->out, last_of(str(t->name)));
    kn_buffer_text(&b->out, " {\n");
    for (uint32_t i = 0; i < t->members.length; i++) {
        kn_idl_print_doc(&b->out, 0, str(t->members.ptr[i].doc));
        kn_buffer_print(&b->out, "@value(%d) ", t->members.ptr[i].type);
        kn_idl_print_name(&b->out, str(t->members.ptr[i].name));
        kn_buffer_text(&b->out, i + 1 < t->members.length ? ",\n" : "\n");
    }
    kn_buffer_text(&b->out, "};\n");
}

static void write_typedef(struct bare *b, uint32_t index)
{
    b->arrays[index] = ++b->count;
    kn_buffer_text(&b->out, "typedef ");
    type(b, without_dimensions(b, index));
    kn_buffer_char(&b->out, ' ');
    array_name(b, index);
    dimensions(b, index);
    kn_buffer_text(&b->out, ";\n");
}

/* ---- order: what a type needs is written before it */

static void need(struct bare *b, uint32_t index, bool named);

static void announce(struct bare *b, uint32_t index)
{
    struct kn_str name = str(at(b, index)->name);
    if (b->announced[index]++ || is_interface(b, scope_of(name)))
        return;
    unsigned opened = open_modules(b, scope_of(name));
    kn_buffer_text(&b->out, "struct ");
    kn_idl_print_name(&b->out, last_of(name));
    kn_buffer_text(&b->out, ";\n");
    close_modules(b, opened);
}

static void need_parts(struct bare *b, uint32_t index)
{
    const struct koine_type *t = at(b, index);
    if (t->kind == KOINE_KIND_SEQUENCE)
        need(b, far(index, t->element), true);
    if (t->kind == KOINE_KIND_ARRAY)
        need(b, without_dimensions(b, index), true);
    if (t->kind != KOINE_KIND_STRUCT && t->kind != KOINE_KIND_EXCEPTION)
        return;
    if (t->base)
        need(b, far(index, t->base), true);
    for (uint32_t i = 0; i < t->members.length; i++)
        need(b, far(index, t->members.ptr[i].type), false);
}

static void write_named(struct bare *b, uint32_t index)
{
    const struct koine_type *t = at(b, index);
    bool array = t->kind == KOINE_KIND_ARRAY;
    struct kn_str scope = scope_of(array ? str(b->interface->name) : str(t->name));
    unsigned opened = b->within.length ? 0 : open_modules(b, scope);
    kn_idl_print_doc(&b->out, 0, str(t->doc));
    if (array)
        write_typedef(b, index);
    else if (t->kind == KOINE_KIND_ENUM)
        write_enum(b, index);
    else
        write_struct(b, index);
    close_modules(b, opened);
}

/* Types inside an interface are written in its body and nowhere else; arrays of them not before. */
static bool elsewhere(const struct bare *b, uint32_t index)
{
    const struct koine_type *t = at(b, index);
    for (; t->kind == KOINE_KIND_SEQUENCE || t->kind == KOINE_KIND_ARRAY; t = at(b, index))
        index = far(index, t->element);
    struct kn_str scope = scope_of(str(t->name));
    return t->name.length && b->states[index] != DONE && is_interface(b, scope) &&
           !kn_str_equal(scope, b->within);
}

/* `named`: an array must have a name where it is used. */
static void need(struct bare *b, uint32_t index, bool named)
{
    const struct koine_type *t = at(b, index);
    bool array = t->kind == KOINE_KIND_ARRAY;
    if (b->states[index] == WITHIN && t->kind == KOINE_KIND_STRUCT)
        announce(b, index);
    if (b->states[index] != UNSEEN || elsewhere(b, index))
        return;
    b->states[index] = WITHIN;
    need_parts(b, index);
    bool writes = t->name.length || (array && named);
    b->states[index] = array && !named ? UNSEEN : DONE;
    if (writes && !b->out.failed)
        write_named(b, index);
}

/* ---- features */

static const struct koine_member *find(const struct koine_type *t, struct koine_string name)
{
    for (uint32_t i = 0; i < t->members.length; i++) {
        if (kn_str_equal(str(t->members.ptr[i].name), str(name)))
            return t->members.ptr + i;
    }
    return NULL;
}

static void parameter(struct bare *b, const char **commap, const char *way, uint32_t owner,
                      const struct koine_member *m)
{
    kn_buffer_text(&b->out, *commap);
    *commap = b->line ? ", " : ",\n";
    kn_idl_print_doc(&b->out, 0, b->line ? KN_STR("") : str(m->doc));
    kn_buffer_text(&b->out, way);
    type(b, far(owner, m->type));
    kn_buffer_char(&b->out, ' ');
    kn_idl_print_name(&b->out, str(m->name));
}

/* in and inout in the order of `in`; an out before the inout that it stands before in `out`. */
static void parameters(struct bare *b, const struct koine_feature *f, bool result)
{
    const struct koine_type *in = at(b, f->in), *out = at(b, f->out);
    bool event = f->sort == KOINE_EVENT;
    const char *comma = "(";
    uint32_t next = result;
    for (uint32_t i = 0; i < in->members.length; i++) {
        const struct koine_member *m = in->members.ptr + i;
        const struct koine_member *both = event ? NULL : find(out, m->name);
        for (; both && next < out->members.length && out->members.ptr + next != both; next++)
            parameter(b, &comma, "out ", f->out, out->members.ptr + next);
        next += both != NULL;
        parameter(b, &comma, both ? "inout " : "in ", f->in, m);
    }
    for (; !event && next < out->members.length; next++)
        parameter(b, &comma, "out ", f->out, out->members.ptr + next);
    kn_buffer_text(&b->out, *comma == '(' ? "()" : ")");
}

static void operation(struct bare *b, const struct koine_feature *f)
{
    const struct koine_type *out = at(b, f->out);
    bool result = f->sort == KOINE_OPERATION && out->members.length &&
                  kn_str_equal(str(out->members.ptr[0].name), KN_STR("return"));
    if (f->sort == KOINE_EVENT)
        kn_buffer_text(&b->out, "@event ");
    if (f->id && !b->line)
        kn_buffer_print(&b->out, "@id(%u) ", f->id);
    if (f->flags & KOINE_IDEMPOTENT)
        kn_buffer_text(&b->out, "@idempotent ");
    if (f->flags & KOINE_ONEWAY)
        kn_buffer_text(&b->out, "oneway ");
    if (result)
        type(b, far(f->out, out->members.ptr[0].type));
    else
        kn_buffer_text(&b->out, "void");
    kn_buffer_char(&b->out, ' ');
    kn_idl_print_name(&b->out, str(f->name));
    parameters(b, f, result);
    for (uint32_t i = 0; i < f->raises.length; i++) {
        kn_buffer_text(&b->out, i ? ", " : " raises (");
        type(b, f->raises.ptr[i]);
    }
    kn_buffer_text(&b->out, f->raises.length ? ")" : "");
}

static void feature(struct bare *b, const struct koine_feature *f)
{
    if (f->sort != KOINE_ATTRIBUTE) {
        operation(b, f);
        return;
    }
    kn_buffer_text(&b->out, f->flags & KOINE_READONLY ? "readonly attribute " : "attribute ");
    type(b, f->in);
    kn_buffer_char(&b->out, ' ');
    kn_idl_print_name(&b->out, str(f->name));
}

static void need_side(struct bare *b, uint32_t index)
{
    const struct koine_type *t = at(b, index);
    b->states[index] = DONE; /* parameters are no struct of their own */
    for (uint32_t i = 0; i < t->members.length; i++)
        need(b, far(index, t->members.ptr[i].type), true);
}

static void need_feature(struct bare *b, const struct koine_feature *f)
{
    if (f->sort == KOINE_ATTRIBUTE) {
        need(b, f->in, true);
    } else {
        need_side(b, f->in);
        need_side(b, f->out);
    }
    for (uint32_t i = 0; i < f->raises.length; i++)
        need(b, f->raises.ptr[i], true);
}

static void need_features(struct bare *b, uint16_t origin)
{
    for (uint32_t i = 0; i < b->interface->features.length; i++) {
        if (b->interface->features.ptr[i].origin == origin)
            need_feature(b, b->interface->features.ptr + i);
    }
}

static void notes(struct bare *b)
{
    struct kn_str annotation = KN_STR("");
    for (uint32_t i = 0; i < b->interface->notes.length; i++)
        kn_idl_print_note(&b->out, &annotation, str(b->interface->notes.ptr[i].name),
                          str(b->interface->notes.ptr[i].value));
    kn_idl_print_notes_end(&b->out, annotation);
}

static void one_interface(struct bare *b, struct kn_str name, struct kn_str base, uint16_t origin)
{
    need_features(b, origin);
    unsigned opened = open_modules(b, scope_of(name));
    if (!origin)
        kn_idl_print_doc(&b->out, 0, str(b->interface->doc));
    if (!origin)
        notes(b);
    kn_buffer_text(&b->out, "interface ");
    kn_idl_print_name(&b->out, last_of(name));
    if (base.length) {
        kn_buffer_text(&b->out, " : ");
        kn_idl_print_scoped(&b->out, base);
    }
    kn_buffer_text(&b->out, " {\n");
    b->within = name;
    for (uint32_t i = 0; i < b->interface->types.length; i++) {
        if (kn_str_equal(scope_of(str(at(b, i)->name)), name))
            need(b, i, true);
    }
    need_features(b, origin);
    for (uint32_t i = 0; i < b->interface->features.length; i++) {
        const struct koine_feature *f = b->interface->features.ptr + i;
        if (f->origin != origin)
            continue;
        kn_idl_print_doc(&b->out, 0, str(f->doc));
        feature(b, f);
        kn_buffer_text(&b->out, ";\n");
    }
    b->within = KN_STR("");
    kn_buffer_text(&b->out, "};\n");
    close_modules(b, opened);
}

/* Parameter structs and events are features, not types. */
static void mark_sides(struct bare *b)
{
    for (uint32_t i = 0; i < b->interface->features.length; i++) {
        const struct koine_feature *f = b->interface->features.ptr + i;
        if (f->sort != KOINE_ATTRIBUTE)
            b->states[f->in] = b->states[f->out] = DONE;
    }
}

static void write_all(struct bare *b)
{
    const struct koine_interface *interface = b->interface;
    struct kn_str base = KN_STR("");
    b->within = KN_STR("");
    mark_sides(b);
    for (uint32_t i = 0; i < interface->bases.length; i++) {
        one_interface(b, str(interface->bases.ptr[i]), base, (uint16_t)(i + 1));
        base = str(interface->bases.ptr[i]);
    }
    one_interface(b, str(interface->name), base, 0);
}

static int canonical(char **textp, const struct kn_buffer *plain)
{
    struct koine_idl *idl;
    if (plain->failed)
        return plain->failed;
    int rc = koine_idl_read(&idl, "interface", plain->ptr, plain->length, NULL, NULL, NULL);
    if (rc)
        return rc == KOINE_ESYNTAX ? KOINE_EDATA : rc;
    rc = koine_idl_print(textp, idl);
    koine_idl_free(idl);
    return rc;
}

int koine_interface_print(char **textp, const struct koine_interface *interface)
{
    if (!textp || !interface)
        return KOINE_EINVAL;
    size_t count = interface->types.length + (size_t)1;
    struct bare b = {.interface = interface};
    b.states = calloc(count, 2 * sizeof *b.states);
    b.arrays = calloc(count, sizeof *b.arrays);
    int rc = KOINE_ENOMEM;
    kn_buffer_init(&b.out, 0);
    if (b.states && b.arrays) {
        b.announced = b.states + count;
        write_all(&b);
        rc = canonical(textp, &b.out);
    }
    kn_buffer_deinit(&b.out);
    free(b.states);
    free(b.arrays);
    return rc;
}

/* A description may come from a stranger, and this goes to terminals. */
static bool is_printable(const struct kn_buffer *line)
{
    for (size_t i = 0; i < line->length; i++)
        if ((unsigned char)line->ptr[i] < ' ' || line->ptr[i] == 0x7f)
            return false;
    return true;
}

int koine_feature_print(char **textp, const struct koine_interface *interface, uint32_t member)
{
    if (!textp || !interface || member >= interface->features.length)
        return KOINE_EINVAL;
    struct bare b = {.interface = interface, .line = true};
    kn_buffer_init(&b.out, 0);
    feature(&b, interface->features.ptr + member);
    int rc = is_printable(&b.out) ? kn_buffer_steal(textp, NULL, &b.out) : KOINE_EDATA;
    kn_buffer_deinit(&b.out);
    return rc;
}
