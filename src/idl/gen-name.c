/* SPDX-License-Identifier: MIT
 *
 * C names: words of C and C++ and names of the library get an underscore, a name that is taken gets _2,
 * _3 ...
 */
#include "idl/gen.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const words[] = {
    "alignas",
    "alignof",
    "and",
    "and_eq",
    "asm",
    "assert",
    "auto",
    "bitand",
    "bitor",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "char16_t",
    "char32_t",
    "char8_t",
    "class",
    "co_await",
    "co_return",
    "co_yield",
    "compl",
    "concept",
    "const",
    "const_cast",
    "consteval",
    "constexpr",
    "constinit",
    "continue",
    "decltype",
    "default",
    "delete",
    "do",
    "double",
    "dynamic_cast",
    "else",
    "enum",
    "errno",
    "explicit",
    "export",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "inline",
    "int",
    "linux",
    "long",
    "mutable",
    "namespace",
    "new",
    "noexcept",
    "not",
    "not_eq",
    "nullptr",
    "offsetof",
    "operator",
    "or",
    "or_eq",
    "private",
    "protected",
    "public",
    "register",
    "reinterpret_cast",
    "requires",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "static_cast",
    "stderr",
    "stdin",
    "stdout",
    "struct",
    "switch",
    "template",
    "this",
    "thread_local",
    "throw",
    "true",
    "try",
    "typedef",
    "typeid",
    "typename",
    "typeof",
    "union",
    "unix",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "wchar_t",
    "while",
    "xor",
    "xor_eq",
    "NULL",
    "EOF",
};

const char *kn_gen_format(struct kn_gen *g, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof text) {
        g->failed = g->failed ? g->failed : KOINE_ELIMIT;
        return "";
    }
    const char *kept = kn_arena_text(&g->arena, text, (size_t)length);
    if (!kept)
        g->failed = KOINE_ENOMEM;
    return kept ? kept : "";
}

bool kn_gen_word(const char *name)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!strcmp(words[i], name))
            return true;
    }
    return false;
}

static bool refused(const char *name)
{
    static const char *const library[] = {"koine_", "KOINE_", "kn_"};
    for (size_t i = 0; i < sizeof library / sizeof library[0]; i++) {
        if (!strncmp(library[i], name, strlen(library[i])))
            return true;
    }
    return kn_gen_word(name);
}

bool kn_gen_taken(const struct kn_gen *g, const char *name)
{
    return kn_map_get_text(&g->names, kn_str(name)) != NULL;
}

const char *kn_gen_take(struct kn_gen *g, const char *wanted)
{
    const char *base = refused(wanted) ? kn_gen_format(g, "%s_", wanted) : wanted;
    const char *name = base;
    for (int n = 2; kn_gen_taken(g, name) && !g->failed; n++)
        name = kn_gen_format(g, "%s_%d", base, n);
    if (!g->failed && kn_map_put_text(&g->names, kn_str(name), g))
        g->failed = KOINE_ENOMEM;
    return name;
}

const char *kn_gen_scoped(struct kn_gen *g, struct kn_str scoped)
{
    char *text = kn_arena_text(&g->arena, scoped.ptr, scoped.length);
    if (!text) {
        g->failed = KOINE_ENOMEM;
        return "";
    }
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from == ':' && from[1] == ':')
            from++;
        *to++ = *from == ':' ? '_' : *from;
    }
    *to = '\0';
    return text;
}

/* Names of the generated functions' own parameters and variables: free within, taken outside. */
static const char *const own[] = {
    "calls", "exception", "handlers",      "in",    "member",  "out",  "outp",
    "rc",    "ref",       "request",       "self",  "service", "sort", "subp",
    "text",  "timeout",   "unimplemented", "value", "valuep",  "why",
};

int kn_gen_reserve(struct kn_gen *g)
{
    int rc = 0;
    for (size_t i = 0; i < sizeof own / sizeof own[0] && !rc; i++)
        rc = kn_map_put_text(&g->names, kn_str(own[i]), &g->names);
    return rc;
}

/* Is names[at] one of those before it, or, as a parameter, a name of the file? */
static bool clash(const struct kn_gen *g, const char *const *names, size_t at, bool parameters)
{
    for (size_t i = 0; i < at; i++) {
        if (!strcmp(names[i], names[at]))
            return true;
    }
    return parameters && kn_map_get_text(&g->names, kn_str(names[at])) == g;
}

void kn_gen_locals(struct kn_gen *g, const char **names, size_t count, bool parameters)
{
    for (size_t i = 0; i < count && !g->failed; i++) {
        const char *base = refused(names[i]) ? kn_gen_format(g, "%s_", names[i]) : names[i];
        names[i] = base;
        for (int n = 2; clash(g, names, i, parameters) && !g->failed; n++)
            names[i] = kn_gen_format(g, "%s_%d", base, n);
    }
}

/* Text inside a comment: nothing in it begins or ends one. */
static void comment_text(struct kn_buffer *b, struct kn_str text)
{
    for (size_t i = 0; i < text.length; i++) {
        char next = i + 1 < text.length ? text.ptr[i + 1] : '\0';
        kn_buffer_char(b, text.ptr[i]);
        if ((text.ptr[i] == '*' && next == '/') || (text.ptr[i] == '/' && next == '*'))
            kn_buffer_char(b, ' ');
    }
}

void kn_gen_doc(struct kn_buffer *b, const char *indent, struct kn_str doc)
{
    if (!doc.length)
        return;
    bool first = true;
    while (doc.length) {
        const char *end = memchr(doc.ptr, '\n', doc.length);
        struct kn_str line = {doc.ptr, end ? (size_t)(end - doc.ptr) : doc.length};
        kn_buffer_text(b, indent);
        kn_buffer_text(b, first ? "/*" : " *");
        kn_buffer_char(b, line.length ? ' ' : '\n');
        if (line.length)
            comment_text(b, line);
        size_t all = line.length + (end != NULL);
        doc = (struct kn_str){doc.ptr + all, doc.length - all};
        if (doc.length && line.length)
            kn_buffer_char(b, '\n');
        first = false;
    }
    kn_buffer_text(b, " */\n");
}
