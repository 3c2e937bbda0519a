/* SPDX-License-Identifier: MIT
 *
 * The reader's state, and what its files give each other.
 *
 * Failures that are not the text's (no memory, a limit) set `fatal`: from then on the lexer answers the
 * end of the file, so every loop ends, and allocations answer `spare`, so nobody has to look.
 */
#ifndef KN_IDL_PARSE_H
#define KN_IDL_PARSE_H

#include "base/buffer.h"
#include "idl/model.h"

enum kn_idl_token_sort {
    KN_IDL_END = 0, /* up to 255: the character itself */
    KN_IDL_NAME = 256,
    KN_IDL_WHOLE,  /* integer literal */
    KN_IDL_REAL,   /* floating literal */
    KN_IDL_STRING, /* string literal, its octets in text */
    KN_IDL_SCOPE,  /* :: */
    KN_IDL_BAD     /* an error was reported */
};

struct kn_idl_token {
    int sort;
    bool escaped; /* an identifier written with a leading underscore */
    bool glued;   /* nothing between it and the token before */
    bool included;
    struct kn_str text; /* as written, a string: its value */
    uint64_t whole;
    double real;
    const char *file;
    uint32_t line, column;
    struct kn_str doc;      /* documentation before it */
    struct kn_str trailing; /* documentation behind the token before */
    uint32_t trailing_line;
};

struct kn_idl_source {
    struct kn_idl_source *outer;
    const char *file;
    const char *at, *end, *line_start;
    uint32_t line;
    const char *counted; /* columns are counted up to here, so a long line is walked once */
    uint32_t column;
};

struct kn_x;

struct kn_idl_parser {
    struct koine_idl *idl;
    struct kn_idl_token token; /* the one looked at */
    struct kn_idl_source *source;
    koine_idl_open *open;
    void *arg;
    struct kn_map once; /* files that were read */
    struct kn_buffer errors;
    struct kn_buffer scratch;
    struct kn_idl_decl *scope;       /* where declarations go */
    const struct kn_idl_note *notes; /* of the last annotations, for an interface */
    struct kn_idl_decl *last;        /* what a trailing comment belongs to */
    struct kn_idl_include **include_end;
    size_t text; /* octets read */
    unsigned error_count;
    unsigned depth;
    int fatal;
    struct kn_x *x; /* reading the RPC language, else NULL */
    bool syntax;    /* an error of syntax was among the errors */
    struct {
        struct kn_idl_decl decl;
        struct kn_idl_type type;
        struct kn_idl_source source;
        struct kn_idl_include include;
    } spare;
};

/* lex.c */
void kn_idl_lex(struct kn_idl_parser *p);
int kn_idl_source_push(struct kn_idl_parser *p, const char *file, const char *text, size_t length);
/* Where the lexer is now. */
void kn_idl_place(const struct kn_idl_parser *p, struct kn_idl_token *token);
/* The rest of the line. */
struct kn_str kn_idl_line(struct kn_idl_source *s);
/* include.c */
void kn_idl_directive(struct kn_idl_parser *p);
/* text.c: comments and literals */
struct kn_str kn_idl_doc(struct kn_idl_parser *p, struct kn_str raw, bool lines);
struct kn_str kn_idl_join_docs(struct kn_idl_parser *p, struct kn_str a, struct kn_str b);
void kn_idl_literal(struct kn_idl_parser *p, struct kn_idl_token *token);
void kn_idl_number(struct kn_idl_parser *p, struct kn_idl_token *token);

/* read.c: errors */
void kn_idl_fail(struct kn_idl_parser *p, int error);
/* Adds an error line. */
void kn_idl_error(struct kn_idl_parser *p, const struct kn_idl_token *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "found <the present token>, expected <what>": an error of syntax. */
void kn_idl_expected(struct kn_idl_parser *p, const char *what);
void kn_idl_unsupported(struct kn_idl_parser *p, const struct kn_idl_token *at);
struct kn_str kn_idl_keep(struct kn_idl_parser *p, const char *text, size_t length);

/* parse.c: tokens */
void kn_idl_advance(struct kn_idl_parser *p);
bool kn_idl_is(const struct kn_idl_parser *p, const char *word);
bool kn_idl_accept(struct kn_idl_parser *p, int sort);
bool kn_idl_accept_word(struct kn_idl_parser *p, const char *word);
bool kn_idl_expect(struct kn_idl_parser *p, int sort, const char *what);
/* An identifier: its token in *namep. */
bool kn_idl_identifier(struct kn_idl_parser *p, struct kn_idl_token *namep);
bool kn_idl_enter(struct kn_idl_parser *p);
void kn_idl_leave(struct kn_idl_parser *p);
/* Behind an error: to the next `;` (taken) or the closing brace (left). */
void kn_idl_recover(struct kn_idl_parser *p);
struct kn_idl_annotations {
    bool event, idempotent;
    bool valued;
    int32_t value; /* @value, when `valued` */
    uint32_t id;   /* @id of a member of an interface; 0 none */
    const struct kn_idl_note *notes;
};
struct kn_idl_annotations kn_idl_annotate(struct kn_idl_parser *p);
/* Declarations that may stand in modules and interfaces; false: none of them. */
bool kn_idl_definition(struct kn_idl_parser *p, struct kn_str doc);
void kn_idl_file(struct kn_idl_parser *p);
/* annotate.c: what stands behind the name of an annotation */
void kn_idl_brackets(struct kn_idl_parser *p, struct kn_idl_annotations *a, struct kn_str name);
/* Adds "name" = value to the end of a list. */
void kn_idl_note(struct kn_idl_parser *p, const struct kn_idl_note **listp, const char *name,
                 uint64_t value);
/* Gives an operation of p->scope its number, 0 for none; reports one that is taken. */
void kn_idl_identify(struct kn_idl_parser *p, struct kn_idl_decl *operation, uint32_t id,
                     const struct kn_idl_token *at);
/* Gives the last label of p->scope its value: @value, or one more than the label before it. */
void kn_idl_label_value(struct kn_idl_parser *p, struct kn_idl_decl *label,
                        const struct kn_idl_annotations *a, const struct kn_idl_token *at);
/* parse-type.c */
const struct kn_idl_type *kn_idl_type(struct kn_idl_parser *p); /* NULL: an error was reported */
const struct kn_idl_type *kn_idl_dimensions(struct kn_idl_parser *p,
                                            const struct kn_idl_type *type);
bool kn_idl_no_type(struct kn_idl_parser *p); /* the token is a type of IDL that is not read */
/* parse-face.c */
void kn_idl_interface(struct kn_idl_parser *p, struct kn_str doc);
/* expr.c */
struct kn_idl_value kn_idl_expression(struct kn_idl_parser *p, const struct kn_idl_type *type);
/* A size; `angled` within < and >. 0: an error was reported. */
uint32_t kn_idl_positive(struct kn_idl_parser *p, bool angled);

/* scope.c */
/* A new declaration in p->scope; reports names that are taken. */
struct kn_idl_decl *kn_idl_declare(struct kn_idl_parser *p, enum kn_idl_sort sort,
                                   const struct kn_idl_token *name, struct kn_str doc);
/* The same for a struct or interface, which may have been announced. */
struct kn_idl_decl *kn_idl_define(struct kn_idl_parser *p, enum kn_idl_sort sort,
                                  const struct kn_idl_token *name, struct kn_str doc);
/* The same for names of a notation whose rules are others: one that is taken gets _2, _3 ... */
struct kn_idl_decl *kn_idl_declare_free(struct kn_idl_parser *p, enum kn_idl_sort sort,
                                        const struct kn_idl_token *name, struct kn_str doc);
struct kn_idl_token kn_idl_free_name(struct kn_idl_parser *p, enum kn_idl_sort sort,
                                     const struct kn_idl_token *name);
/* Announces one. */
void kn_idl_announce(struct kn_idl_parser *p, enum kn_idl_sort sort,
                     const struct kn_idl_token *name);
/* Reads a scoped name and looks it up; NULL: an error was reported. *atp: its first token. */
struct kn_idl_decl *kn_idl_resolve(struct kn_idl_parser *p, struct kn_idl_token *atp,
                                   const char *what);

/* build.c */
void kn_idl_build(struct kn_idl_parser *p); /* interfaces from the tree */

#endif
