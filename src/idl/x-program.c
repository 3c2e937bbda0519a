/* SPDX-License-Identifier: MIT
 *
 * Programs: each of their versions is an interface, PROGRAM::VERSION, or PROGRAM when the version is
 * called PROGRAM_v1 (or whatever its number is). Numbers are kept.
 *
 * What carries parameters and results, in the forms that x-print.c writes, becomes what it stands for:
 *
 *     struct PROC_in                        in parameters
 *     struct PROC_out                       the result, if it is `result`, and out parameters
 *     union switch (int status) {           raises
 *     case 0: void; | T result;             the result
 *     case 1: X x; ...                      the exceptions, counted without a gap; no default
 *     }
 *
 * A procedure PROGRAM_name is an operation `name`. Procedure 0 takes and answers nothing, every server
 * has it, and it is no operation.
 */
#include "idl/x.h"

#include <stdio.h>

enum { ARGUMENTS = 64, RAISES = 64 };

/* ---- marking, by tokens alone: definitions are not read yet */

static bool with_suffix(struct kn_str name, struct kn_str procedure, const char *suffix)
{
    size_t length = strlen(suffix);
    return name.length == procedure.length + length &&
           !memcmp(name.ptr, procedure.ptr, procedure.length) &&
           !memcmp(name.ptr + procedure.length, suffix, length);
}

static void mark_struct(struct kn_x_def *def, struct kn_str procedure, const char *suffix)
{
    if (def && def->sort == KN_X_STRUCT && with_suffix(def->name.text, procedure, suffix))
        def->side = true;
}

static void without_prefix(struct kn_str *name, struct kn_str prefix)
{
    if (name->length <= prefix.length + 1 || memcmp(name->ptr, prefix.ptr, prefix.length) ||
        name->ptr[prefix.length] != '_')
        return;
    struct kn_str rest = {name->ptr + prefix.length + 1, name->length - prefix.length - 1};
    if ((*rest.ptr >= 'a' && *rest.ptr <= 'z') || (*rest.ptr >= 'A' && *rest.ptr <= 'Z'))
        *name = rest;
}

/* An exception of which there is nothing but the label of a void arm. */
static struct kn_idl_decl *void_exception(struct kn_idl_parser *p, struct kn_idl_token label,
                                          struct kn_str procedure)
{
    struct kn_idl_decl *scope = p->scope, *decl;
    char text[32];
    if (label.sort == KN_IDL_WHOLE) {
        int length = snprintf(text, sizeof text, "Status%llu", (unsigned long long)label.whole);
        label.text = kn_idl_keep(p, text, (size_t)length);
    }
    label.sort = KN_IDL_NAME;
    without_prefix(&label.text, procedure);
    p->scope = &p->idl->root;
    for (decl = p->scope->first; decl; decl = decl->next) {
        if (decl->sort == KN_IDL_EXCEPTION && !decl->first && kn_str_equal(decl->name, label.text))
            break;
    }
    decl = decl ? decl : kn_idl_declare_free(p, KN_IDL_EXCEPTION, &label, KN_STR(""));
    decl->complete = true;
    p->scope = scope;
    return decl;
}

/* `union NAME switch (int status) {` */
static bool status_union(struct kn_idl_parser *p)
{
    struct kn_idl_token name;
    kn_idl_advance(p);
    return kn_x_identifier(p, &name) && kn_idl_accept_word(p, "switch") && kn_idl_accept(p, '(') &&
           kn_idl_accept_word(p, "int") && kn_idl_accept_word(p, "status") &&
           kn_idl_accept(p, ')') && kn_idl_accept(p, '{');
}

/* A constant that is such a label is nothing else. */
static void mark_void(struct kn_idl_parser *p, struct kn_idl_token label, struct kn_str procedure)
{
    struct kn_x_def *def = label.sort == KN_IDL_NAME ? kn_x_find(p, label.text) : NULL;
    if (def && def->sort == KN_X_CONST)
        def->side = true;
    void_exception(p, label, procedure);
}

/* An arm: behind `case`. */
static void mark_arm(struct kn_idl_parser *p, struct kn_str procedure)
{
    struct kn_idl_token label = p->token;
    bool result = label.sort == KN_IDL_WHOLE && !label.whole;
    kn_idl_lex(p);
    kn_idl_lex(p); /* the colon */
    if (kn_idl_is(p, "struct"))
        kn_idl_lex(p);
    struct kn_x_def *def = p->token.sort == KN_IDL_NAME ? kn_x_find(p, p->token.text) : NULL;
    if (result)
        mark_struct(def, procedure, "_out");
    else if (kn_idl_is(p, "void"))
        mark_void(p, label, procedure);
    else if (def && def->sort == KN_X_STRUCT)
        def->exception = true;
}

static void mark_union(struct kn_idl_parser *p, struct kn_x_def *def, struct kn_str procedure)
{
    struct kn_x_spot here = kn_x_save(p);
    kn_x_restore(p, &def->spot);
    def->side = status_union(p);
    for (; def->side && p->token.sort != '}' && p->token.sort != KN_IDL_END; kn_idl_lex(p)) {
        if (!kn_idl_is(p, "case"))
            continue;
        kn_idl_lex(p);
        mark_arm(p, procedure);
    }
    kn_x_restore(p, &here);
}

void kn_x_mark(struct kn_idl_parser *p, struct kn_x_def *program)
{
    struct kn_x_spot here = kn_x_save(p);
    struct kn_idl_token before[2] = {{.sort = 0}, {.sort = 0}};
    struct kn_str procedure = {NULL, 0};
    unsigned depth = 0;
    kn_x_restore(p, &program->spot);
    for (; p->token.sort != KN_IDL_END && !(p->token.sort == ';' && !depth); kn_idl_lex(p)) {
        struct kn_x_def *def = NULL;
        depth += p->token.sort == '{';
        depth -= p->token.sort == '}' && depth;
        if (p->token.sort == '(' && before[0].sort == KN_IDL_NAME) {
            procedure = before[0].text;
            def = before[1].sort == KN_IDL_NAME ? kn_x_find(p, before[1].text) : NULL;
            mark_struct(def, procedure, "_out");
        } else if (p->token.sort == KN_IDL_NAME && procedure.ptr) {
            mark_struct(kn_x_find(p, p->token.text), procedure, "_in");
        } else if (p->token.sort == ')') {
            procedure.ptr = NULL;
        }
        if (def && def->sort == KN_X_UNION && !def->side)
            mark_union(p, def, procedure);
        before[1] = before[0];
        before[0] = p->token;
    }
    kn_x_restore(p, &here);
}

/* ---- parameters */

struct procedure {
    struct kn_idl_token at; /* its name as it is written */
    struct kn_idl_decl *op;
    const struct kn_idl_type *result;
    struct kn_x_def *result_side; /* instead of it, PROC_out or a union */
    const struct kn_idl_type *arguments[ARGUMENTS];
    struct kn_x_def *argument_side; /* instead of them, PROC_in */
    unsigned count;
    int64_t number;
};

static struct kn_idl_decl *find_parameter(const struct kn_idl_decl *op, struct kn_str name)
{
    for (struct kn_idl_decl *d = op->first; d; d = d->next) {
        if (kn_str_equal(d->name, name))
            return d;
    }
    return NULL;
}

/* IDL wants a name for an array that is a parameter or a result: a typedef in the interface. */
static const struct kn_idl_type *with_name(struct kn_idl_parser *p, struct kn_idl_decl *op,
                                           const struct kn_idl_token *name,
                                           const struct kn_idl_type *type)
{
    struct kn_idl_decl *outer = p->scope;
    struct kn_idl_token own = *name;
    char text[2 * KN_IDL_MAX_NAME + 2];
    if (type->kind != KOINE_KIND_ARRAY || type->alias)
        return type;
    int length = snprintf(text, sizeof text, "%.*s_%.*s", (int)op->name.length, op->name.ptr,
                          (int)name->text.length, name->text.ptr);
    own.text = kn_idl_keep(p, text, (size_t)length);
    p->scope = op->parent;
    struct kn_idl_decl *decl = kn_idl_declare_free(p, KN_IDL_TYPEDEF, &own, KN_STR(""));
    decl->type = type;
    p->scope = outer;
    struct kn_idl_type *copy = kn_arena_zalloc(&p->idl->arena, 1, sizeof *copy);
    if (!copy) {
        kn_idl_fail(p, KOINE_ENOMEM);
        return type;
    }
    *copy = *type;
    copy->alias = decl;
    return copy;
}

/* Behind the typedefs that were made for it. */
static void move_to_end(struct kn_idl_decl *op)
{
    struct kn_idl_decl *parent = op->parent, **link = &parent->first;
    if (!op->next)
        return;
    while (*link != op)
        link = &(*link)->next;
    *link = op->next;
    parent->last->next = op;
    parent->last = op;
    op->next = NULL;
}

static void parameter(struct kn_idl_parser *p, struct kn_idl_decl *op,
                      const struct kn_idl_token *name, const struct kn_idl_type *type, uint8_t way,
                      struct kn_str doc)
{
    struct kn_idl_decl *outer = p->scope;
    struct kn_idl_decl *both = way == KN_IDL_OUT ? find_parameter(op, name->text) : NULL;
    if (both && both->direction == KN_IDL_IN) {
        both->direction = KN_IDL_INOUT;
        return;
    }
    type = with_name(p, op, name, type);
    p->scope = op;
    struct kn_idl_decl *decl = kn_idl_declare_free(p, KN_IDL_PARAMETER, name, doc);
    decl->type = type;
    decl->direction = way;
    p->scope = outer;
}

/* The members of PROC_in or PROC_out. */
static void side_struct(struct kn_idl_parser *p, struct kn_x_def *def, struct procedure *proc,
                        uint8_t way)
{
    struct kn_x_spot here = kn_x_save(p);
    struct kn_idl_token name;
    bool first = true;
    kn_x_restore(p, &def->spot);
    kn_idl_advance(p);
    bool good = kn_x_identifier(p, &name) && kn_idl_expect(p, '{', "'{'");
    while (good && p->token.sort != '}') {
        struct kn_str doc = p->token.doc;
        const struct kn_idl_type *type = kn_x_declaration(p, &name);
        p->last = NULL;
        if (type && first && way == KN_IDL_OUT && kn_str_equal(name.text, KN_STR("result")))
            proc->op->type = with_name(p, proc->op, &name, type);
        else if (type)
            parameter(p, proc->op, &name, type, way, doc);
        good = type && kn_idl_expect(p, ';', "';'");
        first = false;
    }
    kn_x_restore(p, &here);
}

/* ---- results */

static struct kn_x_def *side_of(const struct kn_idl_parser *p, const struct kn_idl_token *token)
{
    struct kn_x_def *def = token->sort == KN_IDL_NAME ? kn_x_find(p, token->text) : NULL;
    return def && def->side ? def : NULL;
}

/* A type where a side may stand: *sidep, or the type, or neither for void. */
static bool type_or_side(struct kn_idl_parser *p, const struct kn_idl_type **typep,
                         struct kn_x_def **sidep, struct kn_str procedure, const char *suffix)
{
    if (kn_idl_accept_word(p, "void"))
        return true;
    struct kn_x_spot here = kn_x_save(p);
    if (!kn_idl_accept_word(p, "struct"))
        kn_idl_accept_word(p, "union");
    struct kn_x_def *side = side_of(p, &p->token);
    bool result = !strcmp(suffix, "_out");
    if (side && ((result && side->sort == KN_X_UNION) ||
                 (side->sort == KN_X_STRUCT && with_suffix(side->name.text, procedure, suffix)))) {
        kn_idl_advance(p);
        *sidep = side;
        return true;
    }
    kn_x_restore(p, &here);
    struct kn_idl_token at = p->token;
    if (kn_idl_accept_word(p, "string")) {
        static const struct kn_idl_type string = {.kind = KOINE_KIND_STRING};
        if (kn_idl_accept(p, '<'))
            kn_idl_expect(p, '>', "'>'");
        *typep = &string;
        return true;
    }
    const struct kn_idl_type *type = kn_x_type(p);
    *typep = type ? kn_x_whole(p, &at, type) : NULL;
    return *typep;
}

static bool arm_of_result(struct kn_idl_parser *p, struct procedure *proc)
{
    struct kn_idl_token name;
    if (kn_idl_accept_word(p, "void"))
        return true;
    struct kn_x_def *side = side_of(p, &p->token);
    if (side && with_suffix(side->name.text, proc->at.text, "_out")) {
        kn_idl_advance(p);
        side_struct(p, side, proc, KN_IDL_OUT);
        return kn_x_identifier(p, &name);
    }
    const struct kn_idl_type *type = kn_x_declaration(p, &name);
    if (type)
        proc->op->type = with_name(p, proc->op, &name, type);
    return type;
}

static bool arm_of_exception(struct kn_idl_parser *p, struct procedure *proc,
                             const struct kn_idl_token *label)
{
    struct kn_idl_token at = p->token, name;
    struct kn_idl_decl *decl = NULL;
    if (kn_idl_accept_word(p, "void")) {
        decl = void_exception(p, *label, proc->at.text);
    } else {
        kn_idl_accept_word(p, "struct");
        struct kn_x_def *def = p->token.sort == KN_IDL_NAME ? kn_x_find(p, p->token.text) : NULL;
        decl = def && def->exception ? def->decl : NULL;
        if (!decl) {
            kn_idl_expected(p, "a struct (an exception)");
            return false;
        }
        kn_idl_advance(p);
        if (!kn_x_identifier(p, &name))
            return false;
    }
    for (uint32_t i = 0; i < proc->op->raised; i++) {
        if (proc->op->raises[i] == decl) {
            kn_idl_error(p, &at, "found '%.*s' again, expected each exception once",
                         (int)decl->name.length, decl->name.ptr);
            return false;
        }
    }
    proc->op->raises[proc->op->raised++] = decl;
    return true;
}

static bool arm(struct kn_idl_parser *p, struct procedure *proc, uint32_t index)
{
    int64_t number;
    if (!kn_idl_accept_word(p, "case")) {
        kn_idl_expected(p, "'case' (only unions of status 0, 1, 2 ... are read)");
        return false;
    }
    struct kn_idl_token label = p->token;
    if (!kn_x_number(p, &number, index, index) || !kn_idl_expect(p, ':', "':'"))
        return false;
    bool good = index ? arm_of_exception(p, proc, &label) : arm_of_result(p, proc);
    return good && kn_idl_expect(p, ';', "';'");
}

static void side_union(struct kn_idl_parser *p, struct kn_x_def *def, struct procedure *proc)
{
    struct kn_x_spot here = kn_x_save(p);
    kn_x_restore(p, &def->spot);
    proc->op->raises = kn_arena_zalloc(&p->idl->arena, RAISES, sizeof(struct kn_idl_decl *));
    if (!proc->op->raises)
        kn_idl_fail(p, KOINE_ENOMEM);
    bool good = !p->fatal && status_union(p);
    for (uint32_t i = 0; good && (!i || p->token.sort != '}'); i++) {
        if (i > RAISES) {
            kn_idl_error(p, &p->token, "found more than %d exceptions, expected fewer", RAISES);
            break;
        }
        good = arm(p, proc, i);
    }
    kn_x_restore(p, &here);
}

/* ---- procedures */

static bool arguments(struct kn_idl_parser *p, struct procedure *proc)
{
    if (!kn_idl_expect(p, '(', "'('"))
        return false;
    while (p->token.sort != ')') {
        const struct kn_idl_type *type = NULL;
        if (proc->count == ARGUMENTS) {
            kn_idl_error(p, &p->token, "found more than %d arguments, expected fewer", ARGUMENTS);
            return false;
        }
        if (!type_or_side(p, &type, &proc->argument_side, proc->at.text, "_in"))
            return false;
        if (type)
            proc->arguments[proc->count++] = type;
        if (!kn_idl_accept(p, ','))
            break;
    }
    return kn_idl_expect(p, ')', "',' or ')'");
}

static void put_parameters(struct kn_idl_parser *p, struct procedure *proc)
{
    if (proc->argument_side)
        side_struct(p, proc->argument_side, proc, KN_IDL_IN);
    for (unsigned i = 0; i < proc->count; i++) {
        struct kn_idl_token name = proc->at;
        char text[16];
        int length = snprintf(text, sizeof text, proc->count > 1 ? "arg%u" : "arg", i + 1);
        name.text = kn_idl_keep(p, text, (size_t)length);
        parameter(p, proc->op, &name, proc->arguments[i], KN_IDL_IN, KN_STR(""));
    }
    proc->op->type = proc->result;
    if (proc->result_side && proc->result_side->sort == KN_X_UNION)
        side_union(p, proc->result_side, proc);
    else if (proc->result_side)
        side_struct(p, proc->result_side, proc, KN_IDL_OUT);
    if (proc->op->parent)
        move_to_end(proc->op);
}

static bool procedure(struct kn_idl_parser *p, struct kn_str program)
{
    struct procedure proc = {.result = NULL};
    struct kn_str doc = p->token.doc;
    struct kn_x_spot start = kn_x_save(p);
    /* The name decides what is a side, and it stands behind the result. */
    while (p->token.sort != '(' && p->token.sort != ';' && p->token.sort != KN_IDL_END) {
        proc.at = p->token;
        kn_idl_lex(p);
    }
    kn_x_restore(p, &start);
    if (!type_or_side(p, &proc.result, &proc.result_side, proc.at.text, "_out") ||
        !kn_x_identifier(p, &proc.at) || !arguments(p, &proc) || !kn_idl_expect(p, '=', "'='") ||
        !kn_x_number(p, &proc.number, 0, UINT32_MAX))
        return false;
    bool nothing = !proc.result && !proc.result_side && !proc.count && !proc.argument_side;
    if (!proc.number && !nothing)
        kn_idl_error(p, &proc.at,
                     "found procedure 0 with a parameter or result, expected another number");
    if (!proc.number)
        return true;
    struct kn_idl_token name = proc.at;
    without_prefix(&name.text, program);
    proc.op = kn_idl_declare_free(p, KN_IDL_OPERATION, &name, doc);
    kn_idl_identify(p, proc.op, (uint32_t)proc.number, &proc.at);
    put_parameters(p, &proc);
    return true;
}

/* ---- versions and programs */

static bool is_v(struct kn_str version, struct kn_str program)
{
    struct kn_str rest = {version.ptr + program.length, version.length - program.length};
    if (version.length < program.length + 3 || memcmp(version.ptr, program.ptr, program.length) ||
        rest.ptr[0] != '_' || rest.ptr[1] != 'v')
        return false;
    for (size_t i = 2; i < rest.length; i++) {
        if (rest.ptr[i] < '0' || rest.ptr[i] > '9')
            return false;
    }
    return true;
}

/* The interface of a version, open. */
static struct kn_idl_decl *interface(struct kn_idl_parser *p, const struct kn_idl_token *program,
                                     const struct kn_idl_token *version, struct kn_str doc)
{
    bool alone = is_v(version->text, program->text);
    p->scope = &p->idl->root;
    if (!alone) {
        struct kn_idl_decl *last = p->scope->last;
        bool again = last && last->sort == KN_IDL_MODULE && kn_str_equal(last->name, program->text);
        p->scope = again ? last : kn_idl_declare_free(p, KN_IDL_MODULE, program, KN_STR(""));
    }
    p->scope = kn_idl_declare_free(p, KN_IDL_INTERFACE, alone ? program : version, doc);
    return p->scope;
}

static bool version(struct kn_idl_parser *p, const struct kn_idl_token *program,
                    struct kn_str program_doc)
{
    struct kn_idl_token name;
    int64_t number;
    struct kn_str doc = p->token.doc.length ? p->token.doc : program_doc;
    if (!kn_idl_accept_word(p, "version")) {
        kn_idl_expected(p, "'version'");
        return false;
    }
    if (!kn_x_identifier(p, &name) || !kn_idl_expect(p, '{', "'{'"))
        return false;
    struct kn_idl_decl *decl = interface(p, program, &name, doc);
    while (p->token.sort != '}' && p->token.sort != KN_IDL_END) {
        if (!procedure(p, program->text) || !kn_idl_expect(p, ';', "';'"))
            kn_idl_recover(p);
    }
    decl->complete = true;
    p->scope = &p->idl->root;
    if (!kn_idl_expect(p, '}', "'}'") || !kn_idl_expect(p, '=', "'='") ||
        !kn_x_number(p, &number, 0, UINT32_MAX))
        return false;
    kn_idl_note(p, &decl->notes, "onc.version", (uint64_t)number);
    return kn_idl_expect(p, ';', "';'");
}

/* The program's number stands at its end, and before the version's in the notes. */
static void number_versions(struct kn_idl_parser *p, struct kn_idl_decl *first, uint64_t number)
{
    for (struct kn_idl_decl *d = first; d; d = d->next) {
        if (d->sort == KN_IDL_MODULE)
            number_versions(p, d->first, number);
        const struct kn_idl_note *version = d->notes, *program = NULL;
        if (d->sort != KN_IDL_INTERFACE || !version || version->next)
            continue;
        kn_idl_note(p, &program, "onc.program", number);
        if (!program)
            return;
        ((struct kn_idl_note *)program)->next = version;
        d->notes = program;
    }
}

void kn_x_program(struct kn_idl_parser *p, struct kn_x_def *def)
{
    struct kn_idl_token name;
    struct kn_str doc = p->token.doc;
    struct kn_idl_decl *before = p->idl->root.last;
    int64_t number;
    (void)def;
    kn_idl_advance(p);
    bool good = kn_x_identifier(p, &name) && kn_idl_expect(p, '{', "'{'");
    do
        good = good && version(p, &name, doc);
    while (good && p->token.sort != '}');
    if (good && kn_idl_expect(p, '}', "'}'") && kn_idl_expect(p, '=', "'='") &&
        kn_x_number(p, &number, 0, UINT32_MAX)) {
        kn_idl_expect(p, ';', "';'");
        number_versions(p, before ? before->next : p->idl->root.first, (uint64_t)number);
    }
}
