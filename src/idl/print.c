/* SPDX-License-Identifier: MIT
 *
 * Canonical IDL. Two files that declare the same print the same; what is printed reads back as what it
 * was, and prints as itself. Included declarations are printed in their places, so the text stands
 * alone. Constants are printed as their values; annotations that mean nothing to Koine are gone.
 */
#include "idl/print.h"
#include "value/types.h"

struct printer {
    const struct koine_idl *idl;
    struct kn_buffer out;
    struct kn_buffer key;
    unsigned indent;
};

static void indent(struct kn_buffer *b, unsigned depth)
{
    kn_buffer_fill(b, ' ', (size_t)depth * 4);
}

static struct kn_str take_line(struct kn_str *text)
{
    const char *end = memchr(text->ptr, '\n', text->length);
    struct kn_str line = {text->ptr, end ? (size_t)(end - text->ptr) : text->length};
    size_t all = line.length + (end != NULL);
    *text = (struct kn_str){text->ptr + all, text->length - all};
    return line;
}

static void doc_lines(struct kn_buffer *b, unsigned depth, struct kn_str doc, const char *sign)
{
    while (doc.length) {
        struct kn_str line = take_line(&doc);
        indent(b, depth);
        kn_buffer_text(b, sign);
        kn_buffer_text(b, line.length ? " " : "");
        kn_buffer_str(b, line);
        kn_buffer_char(b, '\n');
    }
}

void kn_idl_print_doc(struct kn_buffer *b, unsigned depth, struct kn_str doc)
{
    if (!doc.length)
        return;
    if (memmem(doc.ptr, doc.length, "*/", 2) || doc.ptr[doc.length - 1] == '*') {
        doc_lines(b, depth, doc, "///");
        return;
    }
    if (!memchr(doc.ptr, '\n', doc.length)) {
        indent(b, depth);
        kn_buffer_text(b, "/** ");
        kn_buffer_str(b, doc);
        kn_buffer_text(b, " */\n");
        return;
    }
    indent(b, depth);
    kn_buffer_text(b, "/**\n");
    doc_lines(b, depth, doc, " *");
    indent(b, depth);
    kn_buffer_text(b, " */\n");
}

void kn_idl_print_name(struct kn_buffer *b, struct kn_str name)
{
    bool refused;
    if (kn_idl_word(name, &refused))
        kn_buffer_char(b, '_');
    kn_buffer_str(b, name);
}

void kn_idl_print_scoped(struct kn_buffer *b, struct kn_str scoped)
{
    while (scoped.length) {
        const char *end = memmem(scoped.ptr, scoped.length, "::", 2);
        struct kn_str part = {scoped.ptr, end ? (size_t)(end - scoped.ptr) : scoped.length};
        size_t all = part.length + (end ? 2 : 0);
        kn_buffer_text(b, "::");
        kn_idl_print_name(b, part);
        scoped = (struct kn_str){scoped.ptr + all, scoped.length - all};
    }
}

void kn_idl_print_note(struct kn_buffer *b, struct kn_str *annotation, struct kn_str name,
                       struct kn_str value)
{
    const char *dot = memchr(name.ptr, '.', name.length);
    size_t length = dot ? (size_t)(dot - name.ptr) : name.length;
    struct kn_str own = {name.ptr, length};
    bool more = kn_str_equal(own, *annotation);
    if (!more) {
        kn_idl_print_notes_end(b, *annotation);
        kn_buffer_char(b, '@');
        kn_buffer_str(b, own);
    }
    *annotation = own;
    kn_buffer_text(b, more ? ", " : "(");
    if (dot)
        kn_buffer_add(b, dot + 1, name.length - length - 1);
    kn_buffer_text(b, " = ");
    kn_buffer_str(b, value);
}

void kn_idl_print_notes_end(struct kn_buffer *b, struct kn_str annotation)
{
    kn_buffer_text(b, annotation.length ? ") " : "");
}

/* ---- references to declarations: as short as their meaning allows */

static const struct kn_idl_decl *look(struct printer *p, struct kn_str scope, struct kn_str name)
{
    struct kn_buffer *b = &p->key;
    kn_buffer_clear(b);
    kn_buffer_str(b, scope);
    kn_buffer_text(b, scope.length ? "::" : "");
    kn_buffer_str(b, name);
    if (b->failed)
        return NULL;
    for (size_t i = 0; i < b->length; i++) {
        if (b->ptr[i] >= 'A' && b->ptr[i] <= 'Z')
            b->ptr[i] = (char)(b->ptr[i] + 32);
    }
    return kn_map_get_text(&p->idl->names, (struct kn_str){b->ptr, b->length});
}

static const struct kn_idl_decl *meaning(struct printer *p, const struct kn_idl_decl *from,
                                         struct kn_str name)
{
    for (; from; from = from->parent) {
        if (from->sort != KN_IDL_MODULE && from->sort != KN_IDL_INTERFACE)
            continue;
        const struct kn_idl_decl *found = look(p, from->scoped, name);
        for (const struct kn_idl_decl *base = from->base; base && !found; base = base->base)
            found = look(p, base->scoped, name);
        if (found)
            return found;
    }
    return NULL;
}

static void reference(struct printer *p, const struct kn_idl_decl *from,
                      const struct kn_idl_decl *to)
{
    if (meaning(p, from, to->name) == to)
        kn_idl_print_name(&p->out, to->name);
    else
        kn_idl_print_scoped(&p->out, to->scoped);
}

/* ---- types and values */

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
};

static void type(struct printer *p, const struct kn_idl_decl *from, const struct kn_idl_type *t)
{
    struct kn_buffer *b = &p->out;
    while (t->kind == KOINE_KIND_ARRAY && !t->alias)
        t = t->element;
    if (t->alias || t->decl) {
        reference(p, from, t->alias ? t->alias : t->decl);
    } else if (t->kind < KOINE_KIND_STRING) {
        kn_buffer_text(b, basics[t->kind]);
    } else if (t->kind == KOINE_KIND_STRING) {
        kn_buffer_text(b, "string");
        if (t->count)
            kn_buffer_print(b, "<%u>", t->count);
    } else {
        kn_buffer_text(b, "sequence<");
        if (t->kind == KOINE_KIND_OCTETS)
            kn_buffer_text(b, "octet");
        else
            type(p, from, t->element);
        if (t->count)
            kn_buffer_print(b, ", %u", t->count);
        kn_buffer_char(b, '>');
    }
}

/* `type name[3][4]` */
static void declarator(struct printer *p, const struct kn_idl_decl *d)
{
    type(p, d, d->type);
    kn_buffer_char(&p->out, ' ');
    kn_idl_print_name(&p->out, d->name);
    for (const struct kn_idl_type *t = d->type; t->kind == KOINE_KIND_ARRAY && !t->alias;
         t = t->element)
        kn_buffer_print(&p->out, "[%u]", t->count);
}

static void text_value(struct kn_buffer *b, struct kn_str text)
{
    kn_buffer_char(b, '"');
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '\n')
            kn_buffer_text(b, "\\n");
        else if (c == '"' || c == '\\')
            kn_buffer_print(b, "\\%c", c);
        else if (c < ' ' || c == 0x7f)
            kn_buffer_print(b, "\\%03o", c);
        else
            kn_buffer_char(b, (char)c);
    }
    kn_buffer_char(b, '"');
}

static void value(struct printer *p, const struct kn_idl_decl *d)
{
    struct kn_buffer *b = &p->out;
    const struct kn_idl_value *v = &d->value;
    switch (v->sort) {
    case KN_IDL_INTEGER:
        kn_buffer_text(b, v->negative ? "-" : "");
        kn_buffer_uint(b, v->magnitude);
        break;
    case KN_IDL_FLOATING:
        kn_idl_put_double(b, v->floating);
        break;
    case KN_IDL_BOOLEAN:
        kn_buffer_text(b, v->magnitude ? "TRUE" : "FALSE");
        break;
    case KN_IDL_TEXT:
        text_value(b, v->text);
        break;
    default:
        reference(p, d, v->label);
    }
}

/* ---- declarations */

static void declarations(struct printer *p, const struct kn_idl_decl *first);

static void head(struct printer *p, const struct kn_idl_decl *d, const char *word)
{
    kn_buffer_text(&p->out, word);
    kn_buffer_char(&p->out, ' ');
    kn_idl_print_name(&p->out, d->name);
}

static void close_body(struct printer *p)
{
    p->indent--;
    indent(&p->out, p->indent);
    kn_buffer_text(&p->out, "};\n");
}

static void body(struct printer *p, const struct kn_idl_decl *d, const char *word)
{
    head(p, d, word);
    if (d->base) {
        kn_buffer_text(&p->out, " : ");
        reference(p, d->parent, d->base);
    }
    kn_buffer_text(&p->out, " {\n");
    p->indent++;
    declarations(p, d->first);
    close_body(p);
}

static void labels(struct printer *p, const struct kn_idl_decl *d)
{
    head(p, d, "enum");
    kn_buffer_text(&p->out, " {\n");
    int64_t next = 0;
    for (const struct kn_idl_decl *label = d->first; label; label = label->next) {
        kn_idl_print_doc(&p->out, p->indent + 1, label->doc);
        indent(&p->out, p->indent + 1);
        if (label->label != next)
            kn_buffer_print(&p->out, "@value(%d) ", label->label);
        next = (int64_t)label->label + 1;
        kn_idl_print_name(&p->out, label->name);
        kn_buffer_text(&p->out, label->next ? ",\n" : "\n");
    }
    p->indent++;
    close_body(p);
}

static void parameters(struct printer *p, const struct kn_idl_decl *op)
{
    static const char *const ways[] = {"", "in ", "out ", "inout "};
    bool tall = false;
    for (const struct kn_idl_decl *d = op->first; d; d = d->next)
        tall |= d->doc.length != 0;
    kn_buffer_char(&p->out, '(');
    for (const struct kn_idl_decl *d = op->first; d; d = d->next) {
        if (tall) {
            kn_buffer_char(&p->out, '\n');
            kn_idl_print_doc(&p->out, p->indent + 1, d->doc);
            indent(&p->out, p->indent + 1);
        }
        kn_buffer_text(&p->out, ways[d->direction]);
        declarator(p, d);
        kn_buffer_text(&p->out, !d->next ? "" : tall ? "," : ", ");
    }
    kn_buffer_char(&p->out, ')');
}

static void operation(struct printer *p, const struct kn_idl_decl *d)
{
    struct kn_buffer *b = &p->out;
    if (d->sort == KN_IDL_EVENT)
        kn_buffer_text(b, "@event ");
    if (d->id)
        kn_buffer_print(b, "@id(%u) ", d->id);
    if (d->flags & KOINE_IDEMPOTENT)
        kn_buffer_text(b, "@idempotent ");
    if (d->flags & KOINE_ONEWAY)
        kn_buffer_text(b, "oneway ");
    if (d->type)
        type(p, d, d->type);
    else
        kn_buffer_text(b, "void");
    kn_buffer_char(b, ' ');
    kn_idl_print_name(b, d->name);
    parameters(p, d);
    for (uint32_t i = 0; i < d->raised; i++) {
        kn_buffer_text(b, i ? ", " : " raises (");
        reference(p, d, d->raises[i]);
    }
    kn_buffer_text(b, d->raised ? ");\n" : ";\n");
}

static void notes(struct printer *p, const struct kn_idl_decl *d)
{
    struct kn_str annotation = KN_STR("");
    for (const struct kn_idl_note *n = d->notes; n; n = n->next)
        kn_idl_print_note(&p->out, &annotation, n->name, n->value);
    kn_idl_print_notes_end(&p->out, annotation);
}

static void one_line(struct printer *p, const struct kn_idl_decl *d, const char *word)
{
    kn_buffer_text(&p->out, word);
    declarator(p, d);
    if (d->sort == KN_IDL_CONST) {
        kn_buffer_text(&p->out, " = ");
        value(p, d);
    }
    kn_buffer_text(&p->out, ";\n");
}

static void declaration(struct printer *p, const struct kn_idl_decl *d)
{
    switch (d->sort) {
    case KN_IDL_TYPEDEF:
        one_line(p, d, "typedef ");
        break;
    case KN_IDL_CONST:
        one_line(p, d, "const ");
        break;
    case KN_IDL_MEMBER:
        one_line(p, d, "");
        break;
    case KN_IDL_ATTRIBUTE:
        one_line(p, d, d->flags & KOINE_READONLY ? "readonly attribute " : "attribute ");
        break;
    case KN_IDL_ENUM:
        labels(p, d);
        break;
    case KN_IDL_STRUCT:
        body(p, d, "struct");
        break;
    case KN_IDL_EXCEPTION:
        body(p, d, "exception");
        break;
    case KN_IDL_INTERFACE:
        notes(p, d);
        body(p, d, "interface");
        break;
    case KN_IDL_FORWARD:
        head(p, d, d->base->sort == KN_IDL_STRUCT ? "struct" : "interface");
        kn_buffer_text(&p->out, ";\n");
        break;
    default:
        operation(p, d);
    }
}

static bool same_module(const struct kn_idl_decl *a, const struct kn_idl_decl *b)
{
    return a && b && a->sort == KN_IDL_MODULE && b->sort == KN_IDL_MODULE &&
           kn_str_equal(a->name, b->name);
}

/* The next sibling that prints: a module without anything in it does not. */
static bool empty(const struct kn_idl_decl *d)
{
    if (d->sort != KN_IDL_MODULE)
        return false;
    for (const struct kn_idl_decl *child = d->first; child; child = child->next) {
        if (!empty(child))
            return false;
    }
    return true;
}

static const struct kn_idl_decl *next_printed(const struct kn_idl_decl *d)
{
    do
        d = d->next;
    while (d && empty(d));
    return d;
}

/* A module, together with those that open it again at once. */
static const struct kn_idl_decl *module(struct printer *p, const struct kn_idl_decl *d)
{
    kn_idl_print_doc(&p->out, p->indent, d->doc);
    indent(&p->out, p->indent);
    head(p, d, "module");
    kn_buffer_text(&p->out, " {\n");
    p->indent++;
    const struct kn_idl_decl *next = d;
    do {
        if (next != d)
            kn_buffer_char(&p->out, '\n');
        declarations(p, next->first);
        d = next;
        next = next_printed(d);
    } while (same_module(d, next));
    close_body(p);
    return next;
}

static bool big(const struct kn_idl_decl *d)
{
    return d->sort == KN_IDL_MODULE || d->sort == KN_IDL_INTERFACE || d->sort == KN_IDL_STRUCT ||
           d->sort == KN_IDL_EXCEPTION || d->sort == KN_IDL_ENUM;
}

static void declarations(struct printer *p, const struct kn_idl_decl *d)
{
    const struct kn_idl_decl *before = NULL;
    if (d && empty(d))
        d = next_printed(d);
    while (d) {
        if (before && (big(before) || big(d)))
            kn_buffer_char(&p->out, '\n');
        before = d;
        if (d->sort == KN_IDL_MODULE) {
            d = module(p, d);
            continue;
        }
        kn_idl_print_doc(&p->out, p->indent, d->doc);
        indent(&p->out, p->indent);
        declaration(p, d);
        d = next_printed(d);
    }
}

int koine_idl_print(char **textp, const struct koine_idl *idl)
{
    if (!textp || !idl)
        return KOINE_EINVAL;
    struct printer p = {.idl = idl};
    kn_buffer_init(&p.out, 0);
    kn_buffer_init(&p.key, 0);
    declarations(&p, idl->root.first);
    int rc = p.key.failed ? p.key.failed : kn_buffer_steal(textp, NULL, &p.out);
    kn_buffer_deinit(&p.out);
    kn_buffer_deinit(&p.key);
    return rc;
}
