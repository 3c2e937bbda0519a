/* SPDX-License-Identifier: MIT
 *
 * Texts that are wrong, and every line that is said about them.
 */
#include <koine/idl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct {
    const char *text;
    int rc;
    const char *errors;
} rows[] = {
    {"struct S {};", KOINE_ESYNTAX, "t.idl:1:11: found '}', expected a member"},
    {"struct S { long a };", KOINE_ESYNTAX, "t.idl:1:19: found '}', expected ';'"},
    {"struct S { long a; long A; };", KOINE_EDATA,
     "t.idl:1:25: found 'A', expected a new name ('a' is declared at t.idl:1, which differs only "
     "in case)"},
    {"struct S { nothing x; };", KOINE_EDATA,
     "t.idl:1:12: found 'nothing', expected a type that is declared before"},
    {"union U switch (long) { case 1: long a; };\n"
     "struct S { long x; };\n"
     "struct S { long y; };",
     KOINE_ESYNTAX,
     "t.idl:1:1: not supported yet: union\n"
     "t.idl:3:8: found 'S', expected a new name ('S' is declared at t.idl:2)"},
    {"enum E { a, @value(0) b };", KOINE_EDATA,
     "t.idl:1:23: found label 'b' with value 0, expected one that 'a' does not have"},
    {"enum E { @value(2147483647) a, b };", KOINE_EDATA,
     "t.idl:1:32: found a label behind value 2147483647, expected none or its @value"},
    {"@value(2) struct S { long a; };", KOINE_EDATA,
     "t.idl:1:7: found @value, expected it before a label of an enum only"},
    {"interface B { @id(2) void f(); }; interface I : B { @id(2) void g(); };", KOINE_EDATA,
     "t.idl:1:65: found number 2 for 'g', expected one that 'f' does not have"},
    {"interface I { @id(0) void g(); };", KOINE_EDATA,
     "t.idl:1:18: found @id without a number, expected one from 1"},
    {"@onc(program = 1, program = 2) interface I {};", KOINE_EDATA,
     "t.idl:1:19: found 'program' again, expected it once"},
    {"@onc(progam = 1) interface I {};", KOINE_ESYNTAX,
     "t.idl:1:6: found 'progam', expected a parameter of the annotation"},
    {"any x;", KOINE_ESYNTAX, "t.idl:1:1: not supported yet: any"},
    {"struct S { any x; wstring y; };", KOINE_ESYNTAX,
     "t.idl:1:12: not supported yet: any\n"
     "t.idl:1:19: not supported yet: wstring"},
    {"const octet X = 256;", KOINE_EDATA,
     "t.idl:1:17: found a constant of another kind or size, expected a number in the range of its "
     "type"},
    {"const long X = 1 / 0;", KOINE_EDATA,
     "t.idl:1:18: found a result that is no number of 64 bits, expected one that is"},
    {"const string S = 5;", KOINE_EDATA,
     "t.idl:1:18: found a constant of another kind or size, expected a string"},
    {"const long X = 1.5;", KOINE_EDATA,
     "t.idl:1:16: found a constant of another kind or size, expected an integer"},
    {"const unsigned long X = -1;", KOINE_EDATA,
     "t.idl:1:25: found a constant of another kind or size, expected a number in the range of its "
     "type"},
    {"interface I { oneway long f(); };", KOINE_EDATA,
     "t.idl:1:22: found a result, expected 'void' (a oneway operation answers nothing)"},
    {"interface I { @event long e(in long a); };", KOINE_EDATA,
     "t.idl:1:22: found a result, expected 'void' (an event answers nothing)"},
    {"interface I { @event void e(out long a); };", KOINE_EDATA,
     "t.idl:1:29: found 'out', expected 'in' (events and oneway operations answer nothing)"},
    {"interface I { void f(long a); };", KOINE_ESYNTAX,
     "t.idl:1:22: found 'long', expected 'in', 'out' or 'inout'"},
    {"interface I { void f() raises (I); };", KOINE_EDATA,
     "t.idl:1:32: found 'I', expected an exception"},
    {"interface I { attribute long a; void A(); };", KOINE_EDATA,
     "t.idl:1:38: found 'A', expected a new name ('a' is declared at t.idl:1, which differs only "
     "in case)"},
    {"interface B { void f(); }; interface D : B { void f(); };", KOINE_EDATA,
     "t.idl:1:51: found 'f', expected a new name ('f' is declared at t.idl:1)"},
    {"interface A {}; interface B {}; interface C : A, B {};", KOINE_EDATA,
     "t.idl:1:48: not supported yet: an interface with several bases"},
    {"struct N { N x; };", KOINE_EDATA,
     "t.idl:1:12: found 'N', expected a struct whose body is known (or a sequence of it)"},
    {"struct N; struct M { N x; };", KOINE_EDATA,
     "t.idl:1:22: found 'N', expected a struct whose body is known (or a sequence of it)\n"
     "t.idl:1:1: found 'N' only announced, expected its body somewhere"},
    {"struct N;", KOINE_EDATA, "t.idl:1:1: found 'N' only announced, expected its body somewhere"},
    {"module m { struct S { long x; }; ", KOINE_ESYNTAX,
     "t.idl:1:34: found the end of the file, expected '}'"},
    {"typedef sequence<long, 0> T;", KOINE_EDATA,
     "t.idl:1:24: found 0, expected a positive number"},
    {"typedef long T[-1];", KOINE_EDATA,
     "t.idl:1:16: found a constant of another kind or size, expected a number in the range of its "
     "type"},
    {"enum E {};", KOINE_ESYNTAX, "t.idl:1:9: found '}', expected an identifier"},
    {"enum Interface { a };", KOINE_ESYNTAX,
     "t.idl:1:6: found 'Interface', expected an identifier (a word of IDL is one as _Interface)"},
    {"module M { }; module m { };", KOINE_EDATA,
     "t.idl:1:22: found 'm', expected a new name ('M' is declared at t.idl:1, which differs only "
     "in case)"},
    {"struct S { long x; } struct T { long y; };", KOINE_ESYNTAX,
     "t.idl:1:22: found 'struct', expected ';'"},
    {"const long a = b;", KOINE_EDATA,
     "t.idl:1:16: found 'b', expected a constant that is declared before"},
    {"struct S { long x; }; const S c = 1;", KOINE_EDATA,
     "t.idl:1:29: found a type of many values, expected one of a constant"},
    {"#if 1\n"
     "#endif",
     KOINE_EDATA, "t.idl:1:1: not supported yet: #if"},
    {"#include \"gone.idl\"", KOINE_EDATA,
     "t.idl:1:1: found #include \"gone.idl\", expected a file that can be read"},
    {"/* no end", KOINE_ESYNTAX, "t.idl:1:1: found a comment without end, expected '*/'"},
    {"const string s = \"no end", KOINE_ESYNTAX,
     "t.idl:1:18: found a string without end, expected '\"'\n"
     "t.idl:1:25: found the end of the file, expected ';'"},
    {"$", KOINE_ESYNTAX, "t.idl:1:1: found '$', expected a word or a sign of IDL"},
    {"const char c = 'x';", KOINE_ESYNTAX,
     "t.idl:1:7: not supported yet: char\n"
     "t.idl:1:16: not supported yet: character literals"},
    {"const long x = 99999999999999999999;", KOINE_ESYNTAX,
     "t.idl:1:16: found '99999999999999999999', expected a number of at most 64 bits"},
    {"struct é { long x; };", KOINE_ESYNTAX,
     "t.idl:1:8: found an octet 0xc3, expected a word or a sign of IDL\n"
     "t.idl:1:9: found an octet 0xa9, expected a word or a sign of IDL\n"
     "t.idl:1:10: found '{', expected an identifier"},
    {"struct S { @optional long x; };", KOINE_EDATA, "t.idl:1:12: not supported yet: @optional"},
    {"interface I { void f(in I x); };", KOINE_EDATA,
     "t.idl:1:25: not supported yet: interface 'I' as a type"},
    {"}", KOINE_ESYNTAX, "t.idl:1:1: found '}', expected a definition"},
    {"import x;", KOINE_ESYNTAX, "t.idl:1:1: not supported yet: import"},
    {"const long x = (1;", KOINE_ESYNTAX, "t.idl:1:18: found ';', expected ')'"},
    {"typedef map<long, long> M;", KOINE_ESYNTAX, "t.idl:1:9: not supported yet: map"},
    {"const string s = \"\\q\";", KOINE_ESYNTAX,
     "t.idl:1:18: found an escape in a string that IDL does not have, expected \\n, \\t, \\\\, "
     "\\\", \\x41, \\u00e9 ..."},
    {"interface I { void f(out long _return); };", KOINE_EDATA,
     "t.idl:1:31: found 'return', expected another name (the result has it)"},
    {"module a { const long x = y; };\n"
     "const long z = q;",
     KOINE_EDATA,
     "t.idl:1:27: found 'y', expected a constant that is declared before\n"
     "t.idl:2:16: found 'q', expected a constant that is declared before"},
};

static void wrong_texts_are_refused_with_every_error_in_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct koine_idl *idl = NULL;
        char *errors = NULL;
        int rc =
            koine_idl_read(&idl, "t.idl", rows[i].text, strlen(rows[i].text), NULL, NULL, &errors);
        assert_non_null(errors);
        assert_string_equal(errors, rows[i].errors);
        assert_int_equal(rc, rows[i].rc);
        assert_null(idl);
        free(errors);
    }
}

static void octets_that_are_no_text_are_refused(void **state)
{
    (void)state;
    struct koine_idl *idl;
    char *errors;
    assert_int_equal(koine_idl_read(&idl, "t.idl", "// \n\xff", 5, NULL, NULL, &errors),
                     KOINE_ESYNTAX);
    assert_string_equal(errors, "t.idl:2:1: found an octet 0xff, expected UTF-8");
    free(errors);
    assert_int_equal(koine_idl_read(&idl, "t.idl", "// \0\n", 5, NULL, NULL, &errors),
                     KOINE_ESYNTAX);
    assert_string_equal(errors, "t.idl:1:4: found an octet 0x00, expected UTF-8");
    free(errors);
    assert_int_equal(koine_idl_read(&idl, "t.idl", "$", 1, NULL, NULL, NULL), KOINE_ESYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_texts_are_refused_with_every_error_in_its_place),
        cmocka_unit_test(octets_that_are_no_text_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
