/* SPDX-License-Identifier: MIT */
#include "idl/model.h"
#include "value/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char *const corpus[] = {
    KN_TEST_DIR "/thermostat.idl",
    KN_TEST_DIR "/everything.idl",
    KN_TEST_DIR "/words.idl",
    KN_TEST_DIR "/shared.idl",
};

static struct koine_idl *read_corpus(size_t index)
{
    struct koine_idl *idl = NULL;
    char *errors = NULL;
    int rc = koine_idl_read_file(&idl, corpus[index], &errors);
    if (rc)
        print_error("%s\n", errors ? errors : koine_strerror(rc));
    free(errors);
    assert_int_equal(rc, 0);
    return idl;
}

static struct koine_idl *read_text(const char *text)
{
    struct koine_idl *idl = NULL;
    char *errors = NULL;
    int rc = koine_idl_read(&idl, "t.idl", text, strlen(text), NULL, NULL, &errors);
    if (rc)
        print_error("%s\n", errors ? errors : koine_strerror(rc));
    free(errors);
    assert_int_equal(rc, 0);
    return idl;
}

static void printing_is_a_fixed_point(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof corpus / sizeof corpus[0]; i++) {
        struct koine_idl *idl = read_corpus(i);
        char *once, *twice;
        assert_int_equal(koine_idl_print(&once, idl), 0);
        struct koine_idl *again = read_text(once);
        assert_int_equal(koine_idl_print(&twice, again), 0);
        assert_string_equal(once, twice);
        for (size_t k = 0; k < koine_idl_interfaces(idl); k++) {
            const struct koine_interface *interface = koine_idl_interface(idl, k), *same;
            assert_int_equal(koine_idl_choose(&same, again, interface->name.ptr, NULL), 0);
            assert_true(same->hash == interface->hash);
        }
        free(once);
        free(twice);
        koine_idl_free(idl);
        koine_idl_free(again);
    }
}

static void printing_a_bare_interface_is_a_fixed_point(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof corpus / sizeof corpus[0]; i++) {
        struct koine_idl *idl = read_corpus(i);
        for (size_t k = 0; k < koine_idl_interfaces(idl); k++) {
            const struct koine_interface *interface = koine_idl_interface(idl, k), *same;
            struct koine_why why;
            char *once, *twice;
            assert_int_equal(kn_interface_check(interface, &why), 0);
            assert_int_equal(koine_interface_print(&once, interface), 0);
            struct koine_idl *again = read_text(once);
            assert_int_equal(koine_idl_choose(&same, again, interface->name.ptr, NULL), 0);
            if (kn_interface_difference(&why, interface, same))
                fail_msg("%s\n%s", why.text, once);
            assert_true(same->hash == interface->hash);
            assert_int_equal(koine_interface_print(&twice, same), 0);
            assert_string_equal(once, twice);
            free(once);
            free(twice);
            koine_idl_free(again);
        }
        koine_idl_free(idl);
    }
}

static void canonical_text_is_what_the_manual_shows(void **state)
{
    (void)state;
    struct koine_idl *idl =
        read_text("module m{const long N=(1<<4)|2;/** Why. */ enum E{a,///< first\n"
                  "b};struct S{sequence<string<N>>x[2][3];E e;};\n"
                  "interface I{@event void ev(in S s);long _long(inout E e);};};");
    char *text;
    assert_int_equal(koine_idl_print(&text, idl), 0);
    assert_string_equal(text, "module m {\n"
                              "    const long N = 18;\n\n"
                              "    /** Why. */\n"
                              "    enum E {\n"
                              "        /** first */\n"
                              "        a,\n"
                              "        b\n"
                              "    };\n\n"
                              "    struct S {\n"
                              "        sequence<string<18>> x[2][3];\n"
                              "        E e;\n"
                              "    };\n\n"
                              "    interface I {\n"
                              "        @event void ev(in S s);\n"
                              "        long _long(inout E e);\n"
                              "    };\n"
                              "};\n");
    free(text);
    koine_idl_free(idl);
}

static void numbers_for_foreign_protocols_are_kept(void **state)
{
    (void)state;
    static const char text[] = "@onc(program = 536870913, version = 2) interface I {\n"
                               "    enum E {\n"
                               "        a,\n"
                               "        @value(-3) b,\n"
                               "        c\n"
                               "    };\n\n"
                               "    @id(7) @idempotent void f(in E e);\n"
                               "    void g();\n"
                               "};\n";
    struct koine_idl *idl = read_text(text);
    const struct koine_interface *interface = koine_idl_interface(idl, 0);
    const struct koine_type *e =
        koine_type_of_member(kn_feature_in(interface, 0), kn_feature_in(interface, 0)->members.ptr);
    char *printed;
    assert_int_equal(interface->features.ptr[0].id, 7);
    assert_int_equal(interface->features.ptr[1].id, 0);
    assert_string_equal(kn_interface_note(interface, "onc.program").ptr, "536870913");
    assert_string_equal(kn_interface_note(interface, "onc.version").ptr, "2");
    assert_null(kn_interface_note(interface, "onc.host").ptr);
    assert_int_equal(e->members.ptr[1].type, -3);
    assert_int_equal(e->members.ptr[2].type, -2);
    assert_int_equal(koine_idl_print(&printed, idl), 0);
    assert_string_equal(printed, text);
    free(printed);
    assert_int_equal(koine_interface_print(&printed, interface), 0);
    assert_string_equal(printed, text);
    free(printed);
    koine_idl_free(idl);
}

static void a_member_is_printed_on_one_line(void **state)
{
    (void)state;
    struct koine_idl *idl =
        read_text("module n{enum F{x};};module m{enum E{a};exception X{};exception Y{long l;};"
                  "interface I{typedef long T[2];struct Line{long l;};"
                  "/** Why. */ long long f(/** which */ in E e,inout string<5> s,out T t,"
                  "in sequence<n::F> fs) raises(X,Y);@idempotent void g();oneway void h(in Line l);"
                  "readonly attribute double d;attribute sequence<octet,9> o;"
                  "@event void ev(in unsigned short long_);};};");
    static const char *const lines[] = {
        "long long f(in E e, inout string<5> s, in sequence<n::F> fs, out long[2] t) raises (X, Y)",
        "@idempotent void g()",
        "oneway void h(in Line l)",
        "readonly attribute double d",
        "attribute sequence<octet, 9> o",
        "@event void ev(in unsigned short long_)",
    };
    const struct koine_interface *interface = koine_idl_interface(idl, 0);
    char *text = NULL;
    for (uint32_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(koine_feature_print(&text, interface, i), 0);
        assert_string_equal(text, lines[i]);
        free(text);
    }
    assert_int_equal(koine_feature_print(&text, interface, 6), KOINE_EINVAL);
    struct koine_feature hostile = {.name = KOINE_TEXT("d\033[2J"),
                                    .sort = KOINE_ATTRIBUTE,
                                    .in = interface->features.ptr[3].in};
    struct koine_interface copy = *interface;
    copy.features = (struct koine_seq_feature)KOINE_MANY(&hostile, 1);
    assert_int_equal(koine_feature_print(&text, &copy, 0), KOINE_EDATA);
    koine_idl_free(idl);
}

static void the_thermostat_has_its_features_and_structs(void **state)
{
    (void)state;
    struct koine_idl *idl = read_corpus(0);
    const struct koine_interface *t;
    uint32_t member;
    assert_int_equal(koine_idl_choose(&t, idl, NULL, NULL), 0);
    assert_string_equal(t->name.ptr, "demo::Thermostat");
    assert_int_equal(t->features.length, 8);
    assert_int_equal(koine_interface_find(&member, t, "swap"), 0);
    const struct koine_type *in = kn_feature_in(t, member), *out = kn_feature_out(t, member);
    assert_string_equal(in->name.ptr, "demo::Thermostat::swap::in");
    assert_string_equal(out->name.ptr, "demo::Thermostat::swap::out");
    assert_int_equal(in->members.length, 2);
    assert_int_equal(out->members.length, 3);
    assert_int_equal(out->size, 40);
    assert_int_equal(koine_interface_find(&member, t, "rooms"), 0);
    assert_int_equal(kn_feature_in(t, member)->size, 0);
    out = kn_feature_out(t, member);
    assert_string_equal(out->members.ptr[0].name.ptr, "return");
    const struct koine_type *room = koine_type_element(koine_type_of_member(out, out->members.ptr));
    assert_string_equal(room->name.ptr, "demo::Room");
    assert_string_equal(room->doc.ptr, "What one room is like.");
    assert_int_equal(koine_interface_find(&member, t, "reading"), 0);
    assert_int_equal(t->features.ptr[member].sort, KOINE_EVENT);
    assert_string_equal(kn_feature_in(t, member)->name.ptr, "demo::Thermostat::reading");
    koine_idl_free(idl);
}

static void inherited_features_come_first_and_say_whose_they_are(void **state)
{
    (void)state;
    struct koine_idl *idl = read_corpus(1);
    const struct koine_interface *third;
    char *errors = NULL;
    assert_int_equal(koine_idl_choose(&third, idl, NULL, NULL), 0);
    assert_string_equal(third->name.ptr, "a::inner::Third");
    assert_int_equal(third->bases.length, 2);
    assert_string_equal(third->bases.ptr[0].ptr, "a::inner::First");
    assert_string_equal(third->features.ptr[0].name.ptr, "one");
    assert_int_equal(third->features.ptr[0].origin, 1);
    assert_int_equal(third->features.ptr[third->features.length - 1].origin, 2);
    assert_int_equal(koine_idl_interfaces(idl), 3); /* not the included one */
    assert_int_equal(koine_idl_choose(&third, idl, "shared::Elsewhere", &errors), KOINE_ENOENT);
    assert_non_null(strstr(errors, "a::inner::First, a::inner::Second"));
    free(errors);
    koine_idl_free(idl);
}

static void constants_are_computed_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *type, *expression, *printed;
    } rows[] = {
        {"long", "1 + 2 * 3 - 4 / 2 % 3", "5"},
        {"long", "-(7) / 2", "-3"},
        {"long", "-7 % 3", "-1"},
        {"long", "-8 >> 1", "-4"},
        {"long", "-7 >> 1", "-4"},
        {"long", "1 | 6 ^ 3 & 2", "5"},
        {"long", "-1 & 0xff", "255"},
        {"long", "~5", "-6"},
        {"octet", "~5", "250"},
        {"unsigned long", "~0", "4294967295"},
        {"unsigned long long", "~0", "18446744073709551615"},
        {"unsigned long long", "1 << 63", "9223372036854775808"},
        {"long long", "-0x8000000000000000", "-9223372036854775808"},
        {"long long", "0777", "511"},
        {"double", "1 / 2.0", "0.5"},
        {"double", "3", "3.0"},
        {"double", "1e300 * 10", "1e+301"},
        {"float", "0.1", "0.1"},
        {"boolean", "FALSE", "FALSE"},
        {"string", "\"a\" \"\\x62\\143\"", "\"abc\""},
        {"string<3>", "\"abc\"", "\"abc\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[200], expected[200], *printed;
        snprintf(text, sizeof text, "const %s c = %s;", rows[i].type, rows[i].expression);
        snprintf(expected, sizeof expected, "const %s c = %s;\n", rows[i].type, rows[i].printed);
        struct koine_idl *idl = read_text(text);
        assert_int_equal(koine_idl_print(&printed, idl), 0);
        assert_string_equal(printed, expected);
        free(printed);
        koine_idl_free(idl);
    }
}

static int open_shared(void *arg, char **textp, size_t *lengthp, const char *path,
                       const char *including)
{
    ++*(unsigned *)arg;
    assert_string_equal(path + strlen(path) - 7, "one.idl");
    *textp = strdup("#include \"one.idl\"\n#include \"t.idl\"\nstruct S { long x; };\n");
    *lengthp = strlen(*textp);
    return *textp && including ? 0 : KOINE_ENOMEM;
}

static void files_are_included_once(void **state)
{
    (void)state;
    unsigned opened = 0;
    struct koine_idl *idl;
    const char *text = "#include <one.idl>\n#include \"./one.idl\"\ninterface I { S f(); };";
    assert_int_equal(koine_idl_read(&idl, "t.idl", text, strlen(text), open_shared, &opened, NULL),
                     0);
    assert_int_equal(opened, 1);
    koine_idl_free(idl);
}

static int open_deeper(void *arg, char **textp, size_t *lengthp, const char *path,
                       const char *including)
{
    (void)path;
    (void)including;
    char text[40];
    snprintf(text, sizeof text, "#include \"d%u.idl\"\n", ++*(unsigned *)arg);
    *textp = strdup(text);
    *lengthp = strlen(text);
    return 0;
}

static void includes_have_a_greatest_depth(void **state)
{
    (void)state;
    unsigned opened = 0;
    struct koine_idl *idl;
    char *errors;
    const char *text = "#include \"d.idl\"\n";
    assert_int_equal(
        koine_idl_read(&idl, "t.idl", text, strlen(text), open_deeper, &opened, &errors),
        KOINE_EDATA);
    assert_string_equal(errors, "d15.idl:1:1: found an #include within 16 others, expected fewer");
    free(errors);
}

static void a_file_that_is_too_big_or_missing_is_refused(void **state)
{
    (void)state;
    struct koine_idl *idl = NULL;
    size_t length = KN_IDL_MAX_TEXT + 1;
    char *text = malloc(length);
    assert_non_null(text);
    memset(text, ' ', length);
    assert_int_equal(koine_idl_read(&idl, "t.idl", text, length, NULL, NULL, NULL), KOINE_ETOOBIG);
    free(text);
    assert_int_equal(koine_idl_read_file(&idl, KN_TEST_DIR "/none.idl", NULL), KOINE_ENOENT);
    assert_null(idl);
    assert_null(koine_idl_free(NULL));
    assert_int_equal(koine_idl_print(NULL, NULL), KOINE_EINVAL);
}

static void nesting_has_a_greatest_depth(void **state)
{
    (void)state;
    static const char *const units[][2] = {
        {"module m {", "module m"},
        {"const long a = ((((((((((((((((((((((((((((((((((((((((1", "within 32 others"},
        {"typedef sequence<sequence<sequence<sequence<sequence<sequence<sequence<sequence<", ""},
    };
    char text[4000] = "";
    for (int i = 0; i < 40; i++)
        strcat(text, units[0][0]);
    struct koine_idl *idl;
    char *errors;
    assert_int_equal(koine_idl_read(&idl, "t.idl", text, strlen(text), NULL, NULL, &errors),
                     KOINE_EDATA);
    assert_non_null(strstr(errors, units[1][1]));
    free(errors);
    assert_int_not_equal(
        koine_idl_read(&idl, "t.idl", units[1][0], strlen(units[1][0]), NULL, NULL, &errors), 0);
    assert_non_null(strstr(errors, units[1][1]));
    free(errors);
    strcpy(text, "typedef ");
    for (int i = 0; i < 5; i++)
        strcat(text, units[2][0] + 8);
    assert_int_not_equal(koine_idl_read(&idl, "t.idl", text, strlen(text), NULL, NULL, &errors), 0);
    assert_non_null(strstr(errors, units[1][1]));
    free(errors);
}

static void at_most_twenty_errors_are_told(void **state)
{
    (void)state;
    char text[4000] = "";
    for (int i = 0; i < 50; i++)
        strcat(text, "struct S { nothing x; };\n");
    struct koine_idl *idl;
    char *errors;
    assert_int_not_equal(koine_idl_read(&idl, "t.idl", text, strlen(text), NULL, NULL, &errors), 0);
    size_t lines = 1;
    for (const char *c = errors; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 20);
    free(errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printing_is_a_fixed_point),
        cmocka_unit_test(printing_a_bare_interface_is_a_fixed_point),
        cmocka_unit_test(canonical_text_is_what_the_manual_shows),
        cmocka_unit_test(numbers_for_foreign_protocols_are_kept),
        cmocka_unit_test(a_member_is_printed_on_one_line),
        cmocka_unit_test(the_thermostat_has_its_features_and_structs),
        cmocka_unit_test(inherited_features_come_first_and_say_whose_they_are),
        cmocka_unit_test(constants_are_computed_exactly),
        cmocka_unit_test(files_are_included_once),
        cmocka_unit_test(includes_have_a_greatest_depth),
        cmocka_unit_test(a_file_that_is_too_big_or_missing_is_refused),
        cmocka_unit_test(nesting_has_a_greatest_depth),
        cmocka_unit_test(at_most_twenty_errors_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
