/* SPDX-License-Identifier: MIT
 *
 * The RPC language: what it is read as, what is said about wrong texts, and what its own print keeps.
 */
#include "value/types.h"

#include <koine/idl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct koine_idl *must(int rc, struct koine_idl *idl, char *errors)
{
    if (rc)
        print_error("%s\n", errors ? errors : koine_strerror(rc));
    free(errors);
    assert_int_equal(rc, 0);
    return idl;
}

static struct koine_idl *read_x(const char *text)
{
    struct koine_idl *idl = NULL;
    char *errors = NULL;
    int rc = koine_idl_read(&idl, "t.x", text, strlen(text), NULL, NULL, &errors);
    return must(rc, idl, errors);
}

static struct koine_idl *read_file(const char *path)
{
    struct koine_idl *idl = NULL;
    char *errors = NULL;
    int rc = koine_idl_read_file(&idl, path, &errors);
    return must(rc, idl, errors);
}

static char *print_x(const struct koine_idl *idl)
{
    char *text = NULL;
    assert_int_equal(koine_idl_print_x(&text, idl), 0);
    return text;
}

static void assert_idl(const struct koine_idl *idl, const char *expected)
{
    char *text;
    assert_int_equal(koine_idl_print(&text, idl), 0);
    assert_string_equal(text, expected);
    free(text);
}

static void programs_become_interfaces_with_their_numbers(void **state)
{
    (void)state;
    struct koine_idl *idl =
        read_x("%#include <x.h>\n"
               "program P { version V1 { void NULLPROC(void) = 0; late F(int, hyper) = 9; } = 1;\n"
               "            version V2 { string G(late) = 0x10; } = 2; } = 0x20000042;\n"
               "struct late { string s<LIMIT>; opaque o<>; opaque f[4]; node n<3>; mode m; };\n"
               "const LIMIT = 0x10;\n"
               "struct node { unsigned u; node next<>; unsigned hyper h; float a; double b; };\n"
               "enum mode { mode_off, mode_on = -1 };\n");
    assert_idl(idl, "const long LIMIT = 16;\n\n"
                    "struct node {\n"
                    "    unsigned long u;\n"
                    "    sequence<node> next;\n"
                    "    unsigned long long h;\n"
                    "    float a;\n"
                    "    double b;\n"
                    "};\n\n"
                    "enum mode {\n"
                    "    off,\n"
                    "    @value(-1) on\n"
                    "};\n\n"
                    "struct late {\n"
                    "    string<16> s;\n"
                    "    sequence<octet> o;\n"
                    "    octet f[4];\n"
                    "    sequence<node, 3> n;\n"
                    "    mode m;\n"
                    "};\n\n"
                    "module P {\n"
                    "    @onc(program = 536870978, version = 1) interface V1 {\n"
                    "        @id(9) late F(in long arg1, in long long arg2);\n"
                    "    };\n\n"
                    "    @onc(program = 536870978, version = 2) interface V2 {\n"
                    "        @id(16) string G(in late arg);\n"
                    "    };\n"
                    "};\n");
    koine_idl_free(idl);
}

static void what_an_operation_prints_as_is_read_as_the_operation(void **state)
{
    (void)state;
    static const char idl_text[] =
        "exception Full {};\n\n"
        "exception Hot {\n"
        "    double most;\n"
        "};\n\n"
        "@onc(program = 7, version = 2) interface I {\n"
        "    typedef long f_return[3];\n\n"
        "    @id(1) f_return f(in long a, inout string b, out octet c) raises (Full, Hot);\n"
        "    @id(2) void g() raises (Hot);\n"
        "    @id(5) oneway void h(in long a, in long b);\n"
        "};\n";
    struct koine_idl *idl = NULL;
    char *errors = NULL;
    int rc = koine_idl_read(&idl, "t.idl", idl_text, sizeof idl_text - 1, NULL, NULL, &errors);
    idl = must(rc, idl, errors);
    char *text = print_x(idl);
    struct koine_idl *back = read_x(text);
    assert_non_null(strstr(text,
                           "union I_f_res switch (int status) {\ncase 0:\n    I_f_out result;\n"
                           "case I_f_Full:\n    void;\ncase 2:\n    Hot Hot;\n};\n"));
    assert_idl(back,
               "exception Full {\n};\n\n"
               "exception Hot {\n"
               "    double most;\n"
               "};\n\n"
               "@onc(program = 7, version = 2) interface I {\n"
               "    typedef long f_result[3];\n"
               "    @id(1) f_result f(in long a, inout string b, out octet c) raises (Full, Hot);\n"
               "    @id(2) void g() raises (Hot);\n"
               "    @id(5) void h(in long a, in long b);\n"
               "};\n");
    free(text);
    koine_idl_free(back);
    koine_idl_free(idl);
}

/* The first print flattens names; from then on reading and printing changes nothing. */
static void reading_what_was_printed_gives_the_same_interfaces(void **state)
{
    (void)state;
    static const char *const files[] = {
        KN_TEST_DIR "/thermostat.idl", KN_TEST_DIR "/everything.idl", KN_TEST_DIR "/words.idl",
        KN_TEST_DIR "/shared.idl",     KN_TEST_DIR "/nasty.idl",      KN_TEST_DIR "/foreign.x"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct koine_idl *idl = read_file(files[i]);
        char *once = print_x(idl);
        struct koine_idl *first = read_x(once);
        char *twice = print_x(first);
        struct koine_idl *second = read_x(twice);
        assert_int_equal(koine_idl_interfaces(first), koine_idl_interfaces(idl));
        assert_true(koine_idl_interfaces(idl) > 0);
        for (size_t k = 0; k < koine_idl_interfaces(first); k++) {
            const struct koine_interface *a = koine_idl_interface(first, k),
                                         *b = koine_idl_interface(second, k);
            struct koine_why why;
            if (kn_interface_difference(&why, a, b))
                fail_msg("%s: %s", files[i], why.text);
            assert_int_equal(kn_interface_check(a, &why), 0);
            for (uint32_t m = 0; m < a->features.length; m++)
                assert_int_equal(a->features.ptr[m].id, b->features.ptr[m].id);
            for (uint32_t n = 0; n < 2; n++)
                assert_string_equal(a->notes.ptr[n].value.ptr, b->notes.ptr[n].value.ptr);
        }
        free(once);
        free(twice);
        koine_idl_free(first);
        koine_idl_free(second);
        koine_idl_free(idl);
    }
}

static void documentation_stays_with_what_it_is_about(void **state)
{
    (void)state;
    struct koine_idl *idl = read_x(
        "/** The program. */\nprogram P { version V { /** Does it. */ void F(F_in) = 1; } = 1; "
        "} = 2;\n/** A pair. */\nstruct pair { int a; ///< first\n int b; ///< second\n};\n"
        "struct F_in { int a; ///< how much\n/** of what */ pair b; };\n");
    assert_idl(idl, "/** A pair. */\nstruct pair {\n    /** first */\n    long a;\n"
                    "    /** second */\n    long b;\n};\n\nmodule P {\n    /** The program. */\n"
                    "    @onc(program = 2, version = 1) interface V {\n        /** Does it. */\n"
                    "        @id(1) void F(\n            /** how much */\n            in long a,\n"
                    "            /** of what */\n            in pair b);\n    };\n};\n");
    koine_idl_free(idl);
}

static void conditions_are_decided_as_for_the_header(void **state)
{
    (void)state;
    struct koine_idl *idl =
        read_x("#ifdef RPC_HDR\nconst A = 1;\n# if NONE\nconst X = 1;\n"
               "# else\nconst B = 2;\n#endif\n#endif\n"
               "#ifndef RPC_HDR\n#ifdef A\n#else\n#endif\nconst X = 1;\n#else\n"
               "const C = 3;\n#endif\n"
               "#define D 4 /* four */\n#ifdef D\n#define E -5\n#endif\n"
               "struct s {\n#ifdef NONE\n int a[D];\n#else\n int b[D];\n#endif\n};\n");
    assert_idl(idl, "const long A = 1;\nconst long B = 2;\nconst long C = 3;\nconst long D = 4;\n"
                    "const long E = -5;\n\nstruct s {\n    long b[4];\n};\n");
    koine_idl_free(idl);
}

static const struct {
    const char *text, *errors;
    int rc;
} rows[] = {
    {"struct s { int *p; };", "t.x:1:16: not supported yet: optional data (*)", KOINE_ESYNTAX},
    {"union u switch (int a) { case 0: void; };", "t.x:1:1: not supported yet: union",
     KOINE_ESYNTAX},
    {"struct s { quadruple q; };", "t.x:1:12: not supported yet: quadruple", KOINE_ESYNTAX},
    {"struct s { struct { int a; } b; };",
     "t.x:1:12: not supported yet: a body within a declaration (give it a name)", KOINE_ESYNTAX},
    {"struct s { unsigned char c<>; };",
     "t.x:1:12: not supported yet: arrays of unsigned char (octets are opaque)", KOINE_ESYNTAX},
    {"struct s { s again; };",
     "t.x:1:12: found 's' within itself, expected it in an array <> or another type", KOINE_EDATA},
    {"struct a { b x; }; struct b { a y; };",
     "t.x:1:31: found 'a' within itself, expected it in an array <> or another type", KOINE_EDATA},
    {"typedef t t;", "t.x:1:9: found 't' within itself, expected another type", KOINE_EDATA},
    {"struct s { none x; };",
     "t.x:1:12: found 'none', expected a type that is declared in this file", KOINE_EDATA},
    {"struct s { int x[N]; };",
     "t.x:1:18: found 'N', expected a number that is declared in this file", KOINE_EDATA},
    {"struct s { int x[0]; };", "t.x:1:18: found '0', expected a number from 1 to 4294967295",
     KOINE_EDATA},
    {"struct s { };", "t.x:1:12: found '}', expected a member", KOINE_ESYNTAX},
    {"struct s { string t; };", "t.x:1:20: found ';', expected '<'", KOINE_ESYNTAX},
    {"const a = 1; const a = 2;",
     "t.x:1:20: found 'a', expected a new name ('a' is declared at t.x:1)", KOINE_EDATA},
    {"enum e { a, b = 0 };",
     "t.x:1:13: found label 'b' with value 0, expected one that 'a' does not have", KOINE_EDATA},
    {"interface I {};",
     "t.x:1:1: found 'interface', expected a definition (const, typedef, enum, struct, union, "
     "program)",
     KOINE_ESYNTAX},
    {"struct int { int a; };",
     "t.x:1:8: found 'int', expected an identifier (a letter, then letters, digits, underscores)",
     KOINE_ESYNTAX},
    {"#include \"other.x\"\n",
     "t.x:1:1: not supported yet: #include (declare here what is used of it)", KOINE_EDATA},
    {"#define MAX(a) a\n", "t.x:1:1: not supported yet: #define of anything but a number",
     KOINE_EDATA},
    {"#ifdef NONE\n", "t.x:1:1: found a condition without end, expected #endif", KOINE_ESYNTAX},
    {"#ifdef RPC_HDR\n", "t.x:2:1: found the end of the file, expected #endif", KOINE_ESYNTAX},
    {"#endif\n", "t.x:1:1: found #endif, expected a condition before it", KOINE_ESYNTAX},
    {"program P { version V { int F(void) = 0; } = 1; } = 1;",
     "t.x:1:29: found procedure 0 with a parameter or result, expected another number",
     KOINE_EDATA},
    {"program P { version V { int F(void) = 2; int G(void) = 2; } = 1; } = 1;",
     "t.x:1:46: found number 2 for 'G', expected one that 'F' does not have", KOINE_EDATA},
    {"program P { version V { r F(void) = 2; } = 1; } = 1;\n"
     "union r switch (int status) { case 0: void; case 2: void; };",
     "t.x:2:50: found '2', expected a number from 1 to 1", KOINE_EDATA},
    {"program P { version V { r F(void) = 2; } = 1; } = 1;\n"
     "union r switch (int status) { case 0: void; default: void; };",
     "t.x:2:45: found 'default', expected 'case' (only unions of status 0, 1, 2 ... are read)",
     KOINE_ESYNTAX},
    {"program P { version V { r F(void) = 2; } = 1; } = 1; struct s { r x; };\n"
     "union r switch (int status) { case 0: void; };",
     "t.x:2:1: not supported yet: union", KOINE_ESYNTAX},
    {"program P { version V { r F(void) = 2; void G(r) = 3; } = 1; } = 1;\n"
     "union r switch (int status) { case 0: void; };",
     "t.x:1:47: not supported yet: union", KOINE_ESYNTAX},
};

static void wrong_texts_are_refused_with_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct koine_idl *idl;
        char *errors = NULL;
        int rc =
            koine_idl_read(&idl, "t.x", rows[i].text, strlen(rows[i].text), NULL, NULL, &errors);
        if (rc != rows[i].rc || !errors || strcmp(errors, rows[i].errors) != 0)
            fail_msg("%s\ngave %d %s", rows[i].text, rc, errors ? errors : "");
        free(errors);
    }
}

static void what_has_no_form_there_is_not_printed(void **state)
{
    (void)state;
    struct koine_feature two[] = {
        {.name = KOINE_TEXT("f"), .sort = KOINE_OPERATION, .in = 0, .out = 0, .id = 4},
        {.name = KOINE_TEXT("g"), .sort = KOINE_OPERATION, .in = 0, .out = 0, .id = 4}};
    struct koine_type nothing = {
        .name = KOINE_TEXT("x"), .kind = KOINE_KIND_STRUCT, .align = 1, .flags = 7};
    struct koine_interface interface = {
        .name = KOINE_TEXT("I"), .types = KOINE_MANY(&nothing, 1), .features = KOINE_MANY(two, 2)};
    char *text = NULL;
    assert_int_equal(koine_interface_print_x(&text, &interface), KOINE_EDATA);
    two[1].id = 0;
    assert_int_equal(koine_interface_print_x(&text, &interface), 0);
    assert_non_null(strstr(text, "void I_f(void) = 4;\n        void I_g(void) = 1;\n"));
    free(text);
    assert_int_equal(koine_idl_print_x(NULL, NULL), KOINE_EINVAL);
    assert_int_equal(koine_interface_print_x(&text, NULL), KOINE_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_become_interfaces_with_their_numbers),
        cmocka_unit_test(what_an_operation_prints_as_is_read_as_the_operation),
        cmocka_unit_test(reading_what_was_printed_gives_the_same_interfaces),
        cmocka_unit_test(documentation_stays_with_what_it_is_about),
        cmocka_unit_test(conditions_are_decided_as_for_the_header),
        cmocka_unit_test(wrong_texts_are_refused_with_their_place),
        cmocka_unit_test(what_has_no_form_there_is_not_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
