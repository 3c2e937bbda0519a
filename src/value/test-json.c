/* SPDX-License-Identifier: MIT */
#include "value/json.h"
#include "value/types.h"

#include <koine/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum {
    I8,
    I64,
    U64,
    F32,
    F64,
    TEXT,
    DATA,
    TRUTH,
    MODE,
    PAIR,
    LIST,
    ARGS,
    EMPTY,
    TREE,
    TREES,
    TYPES
};

static const struct koine_member labels[] = {{.name = KOINE_TEXT("off"), .type = 0},
                                             {.name = KOINE_TEXT("heat"), .type = 1}};
static struct koine_member args[] = {{.name = KOINE_TEXT("room"), .type = TEXT - ARGS},
                                     {.name = KOINE_TEXT("mode"), .type = MODE - ARGS}};
static struct koine_member tree[] = {{.name = KOINE_TEXT("sons"), .type = TREES - TREE}};
static struct koine_type types[TYPES] = {
    [I8] = {.kind = KOINE_KIND_INT8},
    [I64] = {.kind = KOINE_KIND_INT64},
    [U64] = {.kind = KOINE_KIND_UINT64},
    [F32] = {.kind = KOINE_KIND_FLOAT},
    [F64] = {.kind = KOINE_KIND_DOUBLE},
    [TEXT] = {.kind = KOINE_KIND_STRING},
    [DATA] = {.kind = KOINE_KIND_OCTETS, .count = 4},
    [TRUTH] = {.kind = KOINE_KIND_BOOLEAN},
    [MODE] = {.name = KOINE_TEXT("demo::Mode"),
              .kind = KOINE_KIND_ENUM,
              .members = KOINE_ARRAY(labels)},
    [PAIR] = {.kind = KOINE_KIND_ARRAY, .element = I8 - PAIR, .count = 2},
    [LIST] = {.kind = KOINE_KIND_SEQUENCE, .element = I8 - LIST, .count = 3},
    [ARGS] = {.kind = KOINE_KIND_STRUCT, .members = KOINE_ARRAY(args)},
    [EMPTY] = {.kind = KOINE_KIND_STRUCT},
    [TREE] = {.kind = KOINE_KIND_STRUCT, .members = KOINE_ARRAY(tree)},
    [TREES] = {.kind = KOINE_KIND_SEQUENCE, .element = TREE - TREES},
};

static int lay_out(void **state)
{
    (void)state;
    return kn_types_layout(types, TYPES, NULL);
}

/* What is read, as it is written back. */
static void texts_mean_what_they_say(void **state)
{
    (void)state;
    static const struct {
        int type;
        const char *json, *back;
    } rows[] = {
        {I8, " -128 ", "-128"},
        {I8, "1e2", "100"},
        {I8, "12.0e0", "12"},
        {I8, "-0", "0"},
        {I8, "0.12e2", "12"},
        {I64, "-9223372036854775808", "-9223372036854775808"},
        {I64, "\"9223372036854775807\"", "9223372036854775807"},
        {U64, "18446744073709551615", "18446744073709551615"},
        {U64, "1844674407370955161.5e1", "18446744073709551615"},
        {F64, "0.1", "0.1"},
        {F64, "-0.0", "-0"},
        {F64, "5e-324", "4.94065645841247e-324"},
        {F64, "1.7976931348623157e308", "1.7976931348623157e+308"},
        {F64, "9007199254740993", "9007199254740992"},
        {F64, "1e-400", "0"},
        {F64, "\"NaN\"", "\"NaN\""},
        {F32, "\"-Infinity\"", "\"-Infinity\""},
        {F32, "0.1", "0.1"},
        {F32, "16777217", "16777216"},
        {TEXT, "\"a\\u00e9\\ud83d\\ude00\\n\\/\"", "\"a\xc3\xa9\xf0\x9f\x98\x80\\n/\""},
        {TEXT, "\"\\u0000\"", "\"\\u0000\""},
        {DATA, "\"aGk=\"", "\"aGk=\""},
        {DATA, "\"\"", "\"\""},
        {DATA, "\"aGlsbA==\"", "\"aGlsbA==\""},
        {TRUTH, "true", "true"},
        {MODE, "\"heat\"", "\"heat\""},
        {PAIR, "[1, 2]", "[1,2]"},
        {LIST, "[ ]", "[]"},
        {ARGS, "{\"mode\":\"off\",\"room\":\"x\"}", "{\"room\":\"x\",\"mode\":\"off\"}"},
        {ARGS, "[\"x\",\"off\"]", "{\"room\":\"x\",\"mode\":\"off\"}"},
        {EMPTY, "{}", "{}"},
        {EMPTY, "[]", "{}"},
        {TREE, "{\"sons\":[{\"sons\":[]}]}", "{\"sons\":[{\"sons\":[]}]}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct koine_why why = {""};
        void *value;
        char *json;
        if (koine_value_read(&value, &types[rows[i].type], rows[i].json, strlen(rows[i].json),
                             &why))
            fail_msg("%s: %s", rows[i].json, why.text);
        assert_int_equal(koine_value_write(&json, NULL, &types[rows[i].type], value, 0), 0);
        assert_string_equal(json, rows[i].back);
        free(json);
        free(value);
    }
}

static void wrong_texts_are_refused_with_reasons(void **state)
{
    (void)state;
    static const struct {
        int type, error;
        const char *json, *why;
    } rows[] = {
        {I8, KOINE_EDATA, "128", "line 1, column 4: 128 is no int8"},
        {I8, KOINE_EDATA, "1.5", "line 1, column 4: 1.5 is no int8"},
        {I8, KOINE_EDATA, "1e999999999999", "line 1, column 15: 1e999999999999 is no int8"},
        {I8, KOINE_EDATA, "\"5\"", "line 1, column 1: found a string, expected int8"},
        {I8, KOINE_ESYNTAX, "05", "line 1, column 2: a number begins with 0"},
        {I8, KOINE_ESYNTAX, "+5", "line 1, column 1: found '+', expected a value"},
        {I8, KOINE_ESYNTAX, "5.", "line 1, column 3: the text ends, expected a digit"},
        {I8, KOINE_ESYNTAX, "5 6", "line 1, column 3: found '6', expected the end of the text"},
        {I8, KOINE_ESYNTAX, "", "line 1, column 1: the text ends, expected a value"},
        {I64, KOINE_EDATA, "9223372036854775808",
         "line 1, column 20: 9223372036854775808 is no int64"},
        {I64, KOINE_EDATA, "\"x\"", "line 1, column 4: the string is no int64"},
        {U64, KOINE_EDATA, "-1", "line 1, column 3: -1 is no uint64"},
        {F64, KOINE_EDATA, "1e400", "line 1, column 6: 1e400 is too large for a double"},
        {F32, KOINE_EDATA, "1e39", "line 1, column 5: 1e39 is too large for a float"},
        {F64, KOINE_EDATA, "\"nan\"",
         "line 1, column 6: found a string, expected a number, \"NaN\" or \"Infinity\""},
        {TEXT, KOINE_ESYNTAX, "\"\\ud800\"",
         "line 1, column 8: a high surrogate without a low one"},
        {TEXT, KOINE_ESYNTAX, "\"\\ud800\\u0041\"",
         "line 1, column 14: a high surrogate without a low one"},
        {TEXT, KOINE_ESYNTAX, "\"\\udc00\"",
         "line 1, column 8: a low surrogate without a high one"},
        {TEXT, KOINE_ESYNTAX, "\"a\nb\"", "line 1, column 3: a control character in a string"},
        {TEXT, KOINE_ESYNTAX, "\"a\xff\"", "line 1, column 3: not UTF-8"},
        {TEXT, KOINE_ESYNTAX, "\"\\x\"", "line 1, column 3: found 'x', expected an escape"},
        {TEXT, KOINE_ESYNTAX, "\"abc", "line 1, column 5: the text ends inside a string"},
        {TEXT, KOINE_EDATA, "null", "line 1, column 1: found null, expected a string"},
        {DATA, KOINE_EDATA, "\"aGk\"", "line 1, column 6: the string is not base64"},
        {DATA, KOINE_EDATA, "\"aGl=\"", "line 1, column 7: the string is not base64"},
        {DATA, KOINE_EDATA, "\"aGVsbG8=\"", "line 1, column 11: length 5, at most 4"},
        {TRUTH, KOINE_EDATA, "1", "line 1, column 1: found a number, expected true or false"},
        {TRUTH, KOINE_ESYNTAX, "truth", "line 1, column 4: found 't', expected true"},
        {MODE, KOINE_EDATA, "\"cold\"", "line 1, column 7: 'cold' is no label of demo::Mode"},
        {PAIR, KOINE_EDATA, "[1]", "line 1, column 4: 1 elements, expected 2"},
        {PAIR, KOINE_EDATA, "[1,2,3]", "line 1, column 6: more than 2 elements"},
        {LIST, KOINE_EDATA, "[1,2,3,4]", "line 1, column 8: length 4, at most 3"},
        {LIST, KOINE_ESYNTAX, "[1,]", "line 1, column 4: found ']', expected a value"},
        {LIST, KOINE_ESYNTAX, "[1 2]", "line 1, column 4: found '2', expected ',' or ']'"},
        {ARGS, KOINE_EDATA, "{\"room\":\"x\"}", "line 1, column 13: 'mode' is missing"},
        {ARGS, KOINE_EDATA, "{\"roof\":1}", "line 1, column 9: 'roof' is not known here"},
        {ARGS, KOINE_ESYNTAX, "{\"room\":\"x\",\n\"room\":\"y\"}",
         "line 2, column 8: 'room' stands twice"},
        {ARGS, KOINE_EDATA, "[\"x\",\"off\",1]", "line 1, column 12: more than 2 arguments"},
        {ARGS, KOINE_ESYNTAX, "{room:1}", "line 1, column 2: found 'r', expected a name in quotes"},
        {EMPTY, KOINE_EDATA, "[1]", "line 1, column 2: more than 0 arguments"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct koine_why why = {""};
        void *value = NULL;
        int rc = koine_value_read(&value, &types[rows[i].type], rows[i].json, strlen(rows[i].json),
                                  &why);
        assert_string_equal(why.text, rows[i].why);
        assert_int_equal(rc, rows[i].error);
        assert_null(value);
    }
}

static void depth_bombs_are_refused(void **state)
{
    (void)state;
    static char bomb[200001];
    struct koine_why why;
    void *value;
    for (size_t i = 0; i < 20000; i++)
        memcpy(bomb + 9 * i, "{\"sons\":[", 9);
    assert_int_equal(koine_value_read(&value, &types[TREE], bomb, 180000, &why), KOINE_EDEPTH);
    memset(bomb, '[', 200000);
    struct kn_json json;
    kn_json_init(&json, (struct kn_str){bomb, 200000}, &why);
    assert_int_equal(kn_json_skip(NULL, &json), KOINE_EDEPTH);
    assert_string_equal(why.text, "line 1, column 66: nested deeper than 64");
}

static void the_scanner_gives_parts_as_they_stand(void **state)
{
    (void)state;
    static const char text[] =
        "{ \"id\" : 1.50e1 , \"params\": [1, {\"a\":\"\\u0041\"}],\"x\":null}";
    struct kn_arena arena;
    struct kn_json json;
    struct kn_str name, raw;
    kn_arena_init(&arena, 0);
    kn_json_init(&json, KN_STR(text), NULL);
    static const char *const names[] = {"id", "params", "x"};
    static const char *const raws[] = {"1.50e1", "[1, {\"a\":\"\\u0041\"}]", "null"};
    int first = 1, seen = 0;
    assert_int_equal(kn_json_enter(&json, '{'), 0);
    while (kn_json_more(&json, '{', &first) == 1) {
        assert_int_equal(kn_json_name(&name, &json, &arena), 0);
        assert_int_equal(kn_json_skip(&raw, &json), 0);
        assert_string_equal(name.ptr, names[seen]);
        assert_true(kn_str_equal(raw, kn_str(raws[seen])));
        seen++;
    }
    assert_int_equal(seen, 3);
    assert_int_equal(kn_json_end(&json), 0);
    kn_arena_deinit(&arena);
}

static void an_object_is_split_into_its_members(void **state)
{
    (void)state;
    static const char text[] = " {\"id\": 7 ,\"o\\u0075t\":{\"a\" :[1]}, \"\\u0000\":\"x\"} ";
    struct koine_json_part *parts;
    size_t count;
    assert_int_equal(koine_json_split(&parts, &count, text, sizeof text - 1, NULL), 0);
    assert_int_equal(count, 3);
    assert_string_equal(parts[0].name.ptr, "id");
    assert_string_equal(parts[0].json.ptr, "7");
    assert_string_equal(parts[1].name.ptr, "out");
    assert_string_equal(parts[1].json.ptr, "{\"a\" :[1]}");
    assert_int_equal(parts[1].json.length, 10);
    assert_int_equal(parts[2].name.length, 1);
    free(parts);
    assert_int_equal(koine_json_split(&parts, &count, "{}", 2, NULL), 0);
    assert_int_equal(count, 0);
    free(parts);
}

static void what_cannot_be_split_is_refused_with_reasons(void **state)
{
    (void)state;
    static const struct {
        int error;
        const char *json, *why;
    } rows[] = {
        {KOINE_ESYNTAX, "", "line 1, column 1: the text ends, expected an object"},
        {KOINE_ESYNTAX, "[]", "line 1, column 1: found '[', expected an object"},
        {KOINE_ESYNTAX, "{} {}", "line 1, column 4: found '{', expected the end of the text"},
        {KOINE_ESYNTAX, "{\"a\":1,}", "line 1, column 8: found '}', expected a name in quotes"},
        {KOINE_ESYNTAX, "{\"a\":nul}", "line 1, column 9: found '}', expected null"},
        {KOINE_ESYNTAX, "{\"a\":\"\xff\"}", "line 1, column 7: not UTF-8"},
        {KOINE_ESYNTAX, "{\"a\":1,\"\\u0061\":2}", "line 1, column 17: 'a' stands twice"},
    };
    struct koine_json_part *parts = NULL;
    size_t count;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct koine_why why = {""};
        int rc = koine_json_split(&parts, &count, rows[i].json, strlen(rows[i].json), &why);
        assert_string_equal(why.text, rows[i].why);
        assert_int_equal(rc, rows[i].error);
        assert_null(parts);
    }
}

static void splitting_has_limits(void **state)
{
    (void)state;
    char many[2048] = "{", deep[256];
    struct koine_json_part *parts;
    size_t count, length = 1;
    for (int i = 0; i <= KOINE_JSON_PARTS; i++)
        length += (size_t)sprintf(many + length, "%s\"%d\":%d", i ? "," : "", i, i);
    many[length++] = '}';
    assert_int_equal(koine_json_split(&parts, &count, many, length, NULL), KOINE_ELIMIT);
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    assert_int_equal(koine_json_split(&parts, &count, deep, sizeof deep, NULL), KOINE_EDEPTH);
}

static void every_cut_of_a_text_is_refused(void **state)
{
    (void)state;
    static const char text[] = "{\"room\":\"\\u00e9\\ud83d\\ude00\",\"mode\":\"off\"}";
    for (size_t length = 0; length < sizeof text - 1; length++) {
        void *value;
        char *cut = malloc(length + 1);
        memcpy(cut, text, length);
        assert_int_not_equal(koine_value_read(&value, &types[ARGS], cut, length, NULL), 0);
        free(cut);
    }
}

static void text_for_people_is_laid_out(void **state)
{
    (void)state;
    void *value;
    char *json;
    assert_int_equal(koine_value_read(&value, &types[ARGS], "[\"x\",\"off\"]", 11, NULL), 0);
    assert_int_equal(koine_value_write(&json, NULL, &types[ARGS], value, KOINE_JSON_PRETTY), 0);
    assert_string_equal(json, "{\n  \"room\": \"x\",\n  \"mode\": \"off\"\n}");
    free(json);
    free(value);
}

static void faults_are_written_without_what_they_lack(void **state)
{
    (void)state;
    struct koine_fault fault = {.code = KOINE_FAULT_NOT_FOUND, .message = "no \"x\""};
    uint8_t pair[2] = {1, 2};
    struct kn_buffer buffer;
    kn_buffer_init(&buffer, 0);
    assert_int_equal(kn_json_write_fault(&buffer, &fault), 0);
    assert_string_equal(buffer.ptr, "{\"code\":\"not_found\",\"message\":\"no \\\"x\\\"\","
                                    "\"completion\":\"no\",\"retryable\":false}");
    fault = (struct koine_fault){.code = 99,
                                 .completion = KOINE_COMPLETED_YES,
                                 .retryable = 1,
                                 .name = "a::B",
                                 .message = "half \xe2\x82",
                                 .origin = "hop",
                                 .type = &types[PAIR],
                                 .value = pair};
    kn_buffer_clear(&buffer);
    assert_int_equal(kn_json_write_fault(&buffer, &fault), 0);
    assert_string_equal(buffer.ptr, "{\"code\":\"unknown\",\"name\":\"a::B\",\"message\":\"half \","
                                    "\"completion\":\"yes\",\"retryable\":true,"
                                    "\"origin\":\"hop\",\"value\":[1,2]}");
    int32_t no_label = 7;
    fault.type = &types[MODE];
    fault.value = &no_label;
    kn_buffer_clear(&buffer);
    assert_int_equal(kn_json_write_fault(&buffer, &fault), KOINE_EDATA);
    kn_buffer_deinit(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_mean_what_they_say),
        cmocka_unit_test(wrong_texts_are_refused_with_reasons),
        cmocka_unit_test(depth_bombs_are_refused),
        cmocka_unit_test(the_scanner_gives_parts_as_they_stand),
        cmocka_unit_test(an_object_is_split_into_its_members),
        cmocka_unit_test(what_cannot_be_split_is_refused_with_reasons),
        cmocka_unit_test(splitting_has_limits),
        cmocka_unit_test(every_cut_of_a_text_is_refused),
        cmocka_unit_test(text_for_people_is_laid_out),
        cmocka_unit_test(faults_are_written_without_what_they_lack),
    };
    return cmocka_run_group_tests_name("json", tests, lay_out, NULL);
}
