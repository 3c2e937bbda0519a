/* SPDX-License-Identifier: MIT
 *
 * Constant expressions (IDL 4.2, 7.4.1.4.3), computed while they are read.
 *
 * Integers are a sign and 64 bits, so every value of int64 and uint64 is exact on the way; what leaves
 * them is an error, as is what does not fit the constant's type at the end. Beside a floating number an
 * integer becomes one. `~` takes the width of the type asked for.
 */
#include "idl/parse.h"

#include <float.h>
#include <math.h>

struct expr {
    struct kn_idl_parser *p;
    const struct kn_idl_type *type;
    bool angled; /* directly within < and >: `>>` closes, as in C++ */
};

typedef struct kn_idl_value level(struct expr *e);

static const struct kn_idl_value nothing = {.sort = KN_IDL_NO_VALUE};

static struct kn_idl_value integer(bool negative, uint64_t magnitude)
{
    return (struct kn_idl_value){
        .sort = KN_IDL_INTEGER, .negative = negative && magnitude, .magnitude = magnitude};
}

static struct kn_idl_value floating(double value)
{
    return (struct kn_idl_value){.sort = KN_IDL_FLOATING, .floating = value};
}

static struct kn_idl_value refuse(struct expr *e, const struct kn_idl_token *at, const char *found,
                                  const char *expected)
{
    kn_idl_error(e->p, at, "found %s, expected %s", found, expected);
    return nothing;
}

static double as_double(struct kn_idl_value v)
{
    if (v.sort == KN_IDL_FLOATING)
        return v.floating;
    return v.negative ? -(double)v.magnitude : (double)v.magnitude;
}

/* ---- integers: a sign and a magnitude */

static bool add(struct kn_idl_value a, struct kn_idl_value b, struct kn_idl_value *sump)
{
    uint64_t sum;
    if (a.negative != b.negative) {
        bool less = a.magnitude < b.magnitude;
        sum = less ? b.magnitude - a.magnitude : a.magnitude - b.magnitude;
        *sump = integer(less ? b.negative : a.negative, sum);
        return true;
    }
    if (__builtin_add_overflow(a.magnitude, b.magnitude, &sum))
        return false;
    *sump = integer(a.negative, sum);
    return true;
}

static bool multiply(struct kn_idl_value a, struct kn_idl_value b, struct kn_idl_value *productp)
{
    uint64_t product;
    if (__builtin_mul_overflow(a.magnitude, b.magnitude, &product))
        return false;
    *productp = integer(a.negative != b.negative, product);
    return true;
}

/* Two's complement; false for numbers below -2^63. */
static bool bits(struct kn_idl_value v, uint64_t *bitsp)
{
    if (v.negative && v.magnitude > (uint64_t)1 << 63)
        return false;
    *bitsp = v.negative ? 0 - v.magnitude : v.magnitude;
    return true;
}

static struct kn_idl_value from_bits(uint64_t word, bool negative)
{
    return integer(negative, negative ? 0 - word : word);
}

static bool bitwise(int op, struct kn_idl_value a, struct kn_idl_value b,
                    struct kn_idl_value *resultp)
{
    uint64_t x, y;
    if (!bits(a, &x) || !bits(b, &y))
        return false;
    bool negative = op == '|'   ? a.negative || b.negative
                    : op == '&' ? a.negative && b.negative
                                : a.negative != b.negative;
    *resultp = from_bits(op == '|' ? x | y : op == '&' ? x & y : x ^ y, negative);
    return true;
}

static bool shift(int op, struct kn_idl_value a, struct kn_idl_value b,
                  struct kn_idl_value *resultp)
{
    if (b.negative || b.magnitude > 63)
        return false;
    uint64_t power = (uint64_t)1 << b.magnitude;
    if (op == '<')
        return multiply(a, integer(false, power), resultp);
    uint64_t word = a.magnitude >> b.magnitude;
    if (a.negative && (word << b.magnitude) != a.magnitude)
        word++; /* towards minus infinity, as an arithmetic shift */
    *resultp = integer(a.negative, word);
    return true;
}

static bool whole(int op, struct kn_idl_value a, struct kn_idl_value b,
                  struct kn_idl_value *resultp)
{
    switch (op) {
    case '-':
        b.negative = !b.negative && b.magnitude;
        return add(a, b, resultp);
    case '+':
        return add(a, b, resultp);
    case '*':
        return multiply(a, b, resultp);
    case '/':
        if (b.magnitude)
            *resultp = integer(a.negative != b.negative, a.magnitude / b.magnitude);
        return b.magnitude;
    case '%':
        if (b.magnitude)
            *resultp = integer(a.negative, a.magnitude % b.magnitude);
        return b.magnitude;
    case '<':
    case '>':
        return shift(op, a, b, resultp);
    default:
        return bitwise(op, a, b, resultp);
    }
}

static bool fraction(int op, double a, double b, struct kn_idl_value *resultp)
{
    double r = op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : b != 0 ? a / b : NAN;
    *resultp = floating(r);
    return strchr("+-*/", op) && isfinite(r);
}

static bool numeric(struct kn_idl_value v)
{
    return v.sort == KN_IDL_INTEGER || v.sort == KN_IDL_FLOATING;
}

static struct kn_idl_value binary(struct expr *e, const struct kn_idl_token *at,
                                  struct kn_idl_value a, struct kn_idl_value b)
{
    struct kn_idl_value result = nothing;
    if (a.sort == KN_IDL_NO_VALUE || b.sort == KN_IDL_NO_VALUE)
        return nothing;
    if (!numeric(a) || !numeric(b))
        return refuse(e, at, "an operator beside what is no number", "numbers");
    bool exact = a.sort == KN_IDL_INTEGER && b.sort == KN_IDL_INTEGER;
    if (exact ? whole(at->sort, a, b, &result)
              : fraction(at->sort, as_double(a), as_double(b), &result))
        return result;
    return refuse(e, at, "a result that is no number of 64 bits", "one that is");
}

/* ---- reading, one function per level of precedence */

static struct kn_idl_value expression(struct expr *e);

static struct kn_idl_value named(struct expr *e)
{
    struct kn_idl_token at;
    const struct kn_idl_decl *decl = kn_idl_resolve(e->p, &at, "a constant");
    if (!decl)
        return nothing;
    if (decl->sort == KN_IDL_CONST)
        return decl->value;
    if (decl->sort == KN_IDL_LABEL)
        return (struct kn_idl_value){.sort = KN_IDL_LABELLED, .label = decl};
    return refuse(e, &at, "the name of something else", "a constant");
}

static struct kn_idl_value primary(struct expr *e)
{
    struct kn_idl_parser *p = e->p;
    struct kn_idl_token t = p->token;
    if (kn_idl_accept(p, KN_IDL_WHOLE))
        return integer(false, t.whole);
    if (kn_idl_accept(p, KN_IDL_REAL))
        return floating(t.real);
    if (kn_idl_accept(p, KN_IDL_STRING))
        return (struct kn_idl_value){.sort = KN_IDL_TEXT, .text = t.text};
    if (kn_idl_accept_word(p, "TRUE") || kn_idl_accept_word(p, "FALSE"))
        return (struct kn_idl_value){.sort = KN_IDL_BOOLEAN, .magnitude = *t.text.ptr == 'T'};
    if (t.sort == KN_IDL_NAME || t.sort == KN_IDL_SCOPE)
        return named(e);
    if (!kn_idl_accept(p, '(')) {
        kn_idl_expected(p, "a constant expression");
        return nothing;
    }
    struct expr inner = {p, e->type, false};
    struct kn_idl_value v = kn_idl_enter(p) ? expression(&inner) : nothing;
    kn_idl_leave(p);
    if (v.sort != KN_IDL_NO_VALUE && !kn_idl_expect(p, ')', "')'"))
        return nothing;
    return v;
}

static uint64_t widest(const struct kn_idl_type *type)
{
    switch (type ? type->kind : KOINE_KIND_UINT32) {
    case KOINE_KIND_UINT8:
        return UINT8_MAX;
    case KOINE_KIND_UINT16:
        return UINT16_MAX;
    case KOINE_KIND_UINT32:
        return UINT32_MAX;
    case KOINE_KIND_UINT64:
        return UINT64_MAX;
    default:
        return 0;
    }
}

static struct kn_idl_value complement(struct expr *e, const struct kn_idl_token *at,
                                      struct kn_idl_value v)
{
    uint64_t most = widest(e->type);
    struct kn_idl_value result;
    if (most && !v.negative && v.magnitude <= most)
        return integer(false, most - v.magnitude);
    v.negative = !v.negative && v.magnitude;
    if (!most && add(v, integer(true, 1), &result))
        return result;
    return refuse(e, at, "'~' before a number that does not fit the type", "a smaller one");
}

static struct kn_idl_value unary(struct expr *e)
{
    struct kn_idl_token at = e->p->token;
    if (at.sort != '-' && at.sort != '+' && at.sort != '~')
        return primary(e);
    kn_idl_advance(e->p);
    struct kn_idl_value v = primary(e);
    if (v.sort == KN_IDL_NO_VALUE)
        return v;
    if (!numeric(v) || (at.sort == '~' && v.sort != KN_IDL_INTEGER))
        return refuse(e, &at, "a sign before what is no number", "a number");
    if (at.sort == '~')
        return complement(e, &at, v);
    if (at.sort == '-') {
        v.floating = -v.floating;
        v.negative = !v.negative && v.magnitude;
    }
    return v;
}

static struct kn_idl_value series(struct expr *e, level *below, const char *operators)
{
    struct kn_idl_value a = below(e);
    for (;;) {
        struct kn_idl_token at = e->p->token;
        if (at.sort <= 0 || at.sort > 127 || !strchr(operators, at.sort))
            return a;
        kn_idl_advance(e->p);
        a = binary(e, &at, a, below(e));
    }
}

static struct kn_idl_value product(struct expr *e)
{
    return series(e, unary, "*/%");
}

static struct kn_idl_value sum(struct expr *e)
{
    return series(e, product, "+-");
}

/* `<<` and `>>` come as two tokens; a single `>` ends the expression. */
static bool shift_sign(const struct expr *e)
{
    const struct kn_idl_parser *p = e->p;
    const struct kn_idl_source *s = p->source;
    int sort = p->token.sort;
    return (sort == '<' || (sort == '>' && !e->angled)) && s->at < s->end && *s->at == (char)sort;
}

static struct kn_idl_value shifts(struct expr *e)
{
    struct kn_idl_value a = sum(e);
    while (shift_sign(e)) {
        struct kn_idl_token at = e->p->token;
        kn_idl_advance(e->p);
        kn_idl_advance(e->p);
        a = binary(e, &at, a, sum(e));
    }
    return a;
}

static struct kn_idl_value both(struct expr *e)
{
    return series(e, shifts, "&");
}

static struct kn_idl_value either(struct expr *e)
{
    return series(e, both, "^");
}

static struct kn_idl_value expression(struct expr *e)
{
    return series(e, either, "|");
}

/* ---- does it fit? */

struct range {
    uint64_t below, above; /* magnitudes */
};

static const struct range ranges[] = {
    [KOINE_KIND_INT8] = {128, INT8_MAX},
    [KOINE_KIND_INT16] = {32768, INT16_MAX},
    [KOINE_KIND_INT32] = {(uint64_t)1 << 31, INT32_MAX},
    [KOINE_KIND_INT64] = {(uint64_t)1 << 63, INT64_MAX},
    [KOINE_KIND_UINT8] = {0, UINT8_MAX},
    [KOINE_KIND_UINT16] = {0, UINT16_MAX},
    [KOINE_KIND_UINT32] = {0, UINT32_MAX},
    [KOINE_KIND_UINT64] = {0, UINT64_MAX},
};

static const char *mismatch(const struct kn_idl_type *type, struct kn_idl_value *v)
{
    switch (type->kind) {
    case KOINE_KIND_BOOLEAN:
        return v->sort == KN_IDL_BOOLEAN ? NULL : "TRUE or FALSE";
    case KOINE_KIND_STRING:
        if (v->sort == KN_IDL_TEXT && type->count && v->text.length > type->count)
            return "a shorter string";
        return v->sort == KN_IDL_TEXT ? NULL : "a string";
    case KOINE_KIND_ENUM:
        return v->sort == KN_IDL_LABELLED && v->label->parent == type->decl ? NULL
                                                                            : "a label of the enum";
    case KOINE_KIND_FLOAT:
    case KOINE_KIND_DOUBLE:
        if (!numeric(*v))
            return "a number";
        *v = floating(as_double(*v));
        return type->kind == KOINE_KIND_FLOAT && fabs(v->floating) > (double)FLT_MAX
                   ? "a number that a float holds"
                   : NULL;
    default:
        if (v->sort != KN_IDL_INTEGER)
            return "an integer";
        return v->magnitude > (v->negative ? ranges[type->kind].below : ranges[type->kind].above)
                   ? "a number in the range of its type"
                   : NULL;
    }
}

static struct kn_idl_value checked(struct expr *e)
{
    struct kn_idl_token at = e->p->token;
    struct kn_idl_value v = expression(e);
    if (v.sort == KN_IDL_NO_VALUE)
        return v;
    const char *expected = mismatch(e->type, &v);
    return expected ? refuse(e, &at, "a constant of another kind or size", expected) : v;
}

struct kn_idl_value kn_idl_expression(struct kn_idl_parser *p, const struct kn_idl_type *type)
{
    struct expr e = {p, type, false};
    return checked(&e);
}

uint32_t kn_idl_positive(struct kn_idl_parser *p, bool angled)
{
    static const struct kn_idl_type type = {.kind = KOINE_KIND_UINT32};
    struct kn_idl_token at = p->token;
    struct expr e = {p, &type, angled};
    struct kn_idl_value v = checked(&e);
    if (v.sort == KN_IDL_INTEGER && !v.magnitude)
        kn_idl_error(p, &at, "found 0, expected a positive number");
    return (uint32_t)v.magnitude;
}
