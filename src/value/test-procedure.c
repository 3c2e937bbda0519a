/* SPDX-License-Identifier: MIT */
#include "value/procedure.h"

#include <koine/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { TEXT, REAL, NOTHING, READING, TYPES };
enum { MOST = 8 };

struct sample {
    struct koine_member members[2];
    struct koine_type types[TYPES];
    struct koine_feature features[MOST];
    struct koine_note notes[2];
    struct koine_interface interface;
};

static struct koine_feature feature(const char *name, uint8_t sort, uint8_t flags, uint32_t id)
{
    struct koine_feature f = {.name = koine_string(name), .sort = sort, .flags = flags, .id = id};
    f.in = f.out = sort == KOINE_ATTRIBUTE ? TEXT : sort == KOINE_EVENT ? READING : NOTHING;
    return f;
}

static void make(struct sample *s, uint32_t count, const struct koine_feature *features)
{
    *s = (struct sample){.members = {{.name = KOINE_TEXT("room"), .type = TEXT - READING},
                                     {.name = KOINE_TEXT("celsius"), .type = REAL - READING}}};
    s->types[TEXT] = (struct koine_type){.kind = KOINE_KIND_STRING};
    s->types[REAL] = (struct koine_type){.kind = KOINE_KIND_DOUBLE};
    s->types[NOTHING] =
        (struct koine_type){.name = KOINE_TEXT("x::nothing"), .kind = KOINE_KIND_STRUCT};
    s->types[READING] = (struct koine_type){.name = KOINE_TEXT("demo::Thermostat::reading"),
                                            .kind = KOINE_KIND_STRUCT,
                                            .members = KOINE_MANY(s->members, 2)};
    assert_true(count <= MOST);
    memcpy(s->features, features, count * sizeof *features);
    s->interface = (struct koine_interface){.name = KOINE_TEXT("demo::Thermostat"),
                                            .types = KOINE_MANY(s->types, TYPES),
                                            .features = KOINE_MANY(s->features, count)};
    assert_int_equal(kn_types_layout(s->types, TYPES, NULL), 0);
}

static struct kn_procedures *procedures(const struct sample *s)
{
    struct kn_procedures *made = NULL;
    struct koine_why why = {""};
    if (kn_procedures_new(&made, &s->interface, &why))
        fail_msg("%s", why.text);
    return made;
}

/* "set_target=1 _get_label=0x10001 ..." */
static void assert_numbers(const struct kn_procedures *p, const char *expected)
{
    char text[1024] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        const struct kn_procedure *one = p->list + i;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=%#x", i ? " " : "",
                                 one->name.ptr, one->number);
        assert_ptr_equal(kn_procedures_find(p, one->number), one);
    }
    assert_string_equal(text, expected);
    assert_null(kn_procedures_find(p, 0));
    assert_null(kn_procedures_find(p, 0x7777));
}

static const struct koine_feature mixed[] = {
    {.name = KOINE_TEXT("label"), .sort = KOINE_ATTRIBUTE, .in = TEXT, .out = TEXT},
    {.name = KOINE_TEXT("set_target"), .sort = KOINE_OPERATION, .in = NOTHING, .out = NOTHING},
    {.name = KOINE_TEXT("reading"), .sort = KOINE_EVENT, .in = READING, .out = READING},
    {.name = KOINE_TEXT("uptime"),
     .sort = KOINE_ATTRIBUTE,
     .flags = KOINE_READONLY,
     .in = REAL,
     .out = REAL},
    {.name = KOINE_TEXT("log"), .sort = KOINE_OPERATION, .in = NOTHING, .out = NOTHING},
};

static void everything_is_a_procedure_with_a_number(void **state)
{
    (void)state;
    struct sample s;
    make(&s, 5, mixed);
    struct kn_procedures *p = procedures(&s);
    assert_numbers(p, "set_target=0x1 log=0x2 _get_label=0x10001 _get_uptime=0x10002 "
                      "_set_label=0x20001 _subscribe_reading=0x30001 _next_reading=0x40001 "
                      "_unsubscribe_reading=0x50001");
    kn_procedures_free(p);
}

static void an_event_or_attribute_more_renumbers_nothing(void **state)
{
    (void)state;
    struct sample s;
    struct koine_feature more[] = {
        feature("alarm", KOINE_EVENT, 0, 0), feature("set_target", KOINE_OPERATION, 0, 0),
        feature("mode", KOINE_ATTRIBUTE, 0, 0), feature("log", KOINE_OPERATION, 0, 0)};
    make(&s, 4, more);
    struct kn_procedures *p = procedures(&s);
    assert_numbers(p, "set_target=0x1 log=0x2 _get_mode=0x10001 _set_mode=0x20001 "
                      "_subscribe_alarm=0x30001 _next_alarm=0x40001 _unsubscribe_alarm=0x50001");
    kn_procedures_free(p);
}

static void an_id_is_a_number_and_the_others_go_around_it(void **state)
{
    (void)state;
    struct sample s;
    struct koine_feature some[] = {
        feature("a", KOINE_OPERATION, 0, 0), feature("b", KOINE_OPERATION, 0, 2),
        feature("c", KOINE_OPERATION, 0, 0), feature("d", KOINE_OPERATION, 0, 0x10001),
        feature("e", KOINE_OPERATION, 0, 0), feature("x", KOINE_ATTRIBUTE, KOINE_READONLY, 0)};
    make(&s, 6, some);
    struct kn_procedures *p = procedures(&s);
    assert_numbers(p, "a=0x1 b=0x2 c=0x3 d=0x10001 e=0x4 _get_x=0x10002");
    kn_procedures_free(p);
    struct koine_why why;
    s.features[0].id = 2;
    assert_int_equal(kn_procedures_new(&p, &s.interface, &why), KOINE_EDATA);
    assert_string_equal(why.text, "another operation has the id of 'b'");
}

/* "return: sequence" ... of a struct in the list's own table, which is laid out. */
static void assert_side(const struct kn_procedures *p, uint32_t index, const char *expected)
{
    const struct koine_type *type = p->types + index;
    char text[256] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < type->members.length; i++) {
        const struct koine_member *m = type->members.ptr + i;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s: %s at %u", i ? ", " : "",
                                 m->name.ptr, kn_kind_name(koine_type_of_member(type, m)->kind),
                                 m->offset);
    }
    assert_string_equal(text, expected);
}

static void companions_have_types_of_their_own(void **state)
{
    (void)state;
    struct sample s;
    make(&s, 5, mixed);
    struct kn_procedures *p = procedures(&s);
    struct koine_why why = {""};
    static const struct {
        uint32_t number;
        const char *in, *out;
    } rows[] = {
        {0x10001, "", "return: string at 0"},
        {0x20001, "value: string at 0", ""},
        {0x30001, "", "return: uint64 at 0"},
        {0x40001, "subscription: uint64 at 0, wait: uint32 at 8, most: uint32 at 12",
         "lost: uint64 at 0, events: sequence at 8"},
        {0x50001, "subscription: uint64 at 0", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct kn_procedure *one = kn_procedures_find(p, rows[i].number);
        assert_side(p, one->in, rows[i].in);
        assert_side(p, one->out, rows[i].out);
    }
    const struct koine_type *next = p->types + kn_procedures_find(p, 0x40001)->out;
    assert_string_equal(next->name.ptr, "demo::Thermostat::_next_reading::out");
    assert_string_equal(
        koine_type_element(koine_type_of_member(next, next->members.ptr + 1))->name.ptr,
        "demo::Thermostat::reading");
    if (kn_types_check(p->types, p->type_count, &why))
        fail_msg("%s", why.text);
    kn_procedures_free(p);
}

static void a_program_is_numbered_by_its_name_or_its_notes(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "x", "4294967296", "-1", "99999999999999999999"};
    struct sample s;
    struct koine_why why;
    make(&s, 5, mixed);
    struct kn_procedures *p = procedures(&s);
    assert_int_equal(p->program, 0x20000000 + (0xb5e6f16c & 0x1fffffff));
    assert_int_equal(p->version, 1);
    kn_procedures_free(p);
    s.notes[0] = (struct koine_note){KOINE_TEXT("onc.program"), KOINE_TEXT("4294967295")};
    s.notes[1] = (struct koine_note){KOINE_TEXT("onc.version"), KOINE_TEXT("3")};
    s.interface.notes = (struct koine_seq_note)KOINE_MANY(s.notes, 2);
    p = procedures(&s);
    assert_int_equal(p->program, UINT32_MAX);
    assert_int_equal(p->version, 3);
    kn_procedures_free(p);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        s.notes[0].value = koine_string(wrong[i]);
        assert_int_equal(kn_procedures_new(&p, &s.interface, &why), KOINE_EDATA);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_a_procedure_with_a_number),
        cmocka_unit_test(an_event_or_attribute_more_renumbers_nothing),
        cmocka_unit_test(an_id_is_a_number_and_the_others_go_around_it),
        cmocka_unit_test(companions_have_types_of_their_own),
        cmocka_unit_test(a_program_is_numbered_by_its_name_or_its_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
