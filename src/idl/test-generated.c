/* SPDX-License-Identifier: MIT
 *
 * The generated thermostat against a node that is a few variables: what the stubs hand over, and what
 * the dispatch calls.
 */
#include "thermostat.h"
#include "everything.h"
#include "value/types.h"

#include <koine/idl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct {
    uint32_t member;
    int64_t timeout;
    char in[256];
    size_t in_size; /* how much of `in` the next call is to keep */
    const void *answer;
    int rc;
    int32_t fault;
    const char *message;
    uint32_t which;
    const void *raised;
    const char *function;
} last;

static int note(const char *function, uint32_t member, const void *in)
{
    last.function = function;
    last.member = member;
    if (in)
        memcpy(last.in, in, last.in_size);
    return last.rc;
}

int koine_call(const void **outp, struct koine_ref *ref, uint32_t member, const void *in,
               int64_t timeout)
{
    (void)ref;
    last.timeout = timeout;
    if (outp && !last.rc)
        *outp = last.answer;
    return note("call", member, in);
}

int koine_get(const void **valuep, struct koine_ref *ref, uint32_t member, int64_t timeout)
{
    (void)ref;
    last.timeout = timeout;
    if (!last.rc)
        *valuep = last.answer;
    return note("get", member, NULL);
}

int koine_set(struct koine_ref *ref, uint32_t member, const void *value, int64_t timeout)
{
    (void)ref;
    last.timeout = timeout;
    return note("set", member, value);
}

int koine_changed(struct koine_service *service, uint32_t member, const void *value)
{
    (void)service;
    return note("changed", member, value);
}

int koine_event_loan(void **valuep, struct koine_service *service, uint32_t member)
{
    (void)service;
    *valuep = last.in;
    return note("loan", member, NULL);
}

int koine_event_publish(struct koine_service *service, uint32_t member, const void *value)
{
    (void)service;
    return note("publish", member, value);
}

int koine_subscribe(struct koine_sub **subp, struct koine_ref *ref, uint32_t member,
                    int64_t timeout)
{
    (void)subp;
    (void)ref;
    last.timeout = timeout;
    return note("subscribe", member, NULL);
}

uint32_t koine_request_member(const struct koine_request *request)
{
    (void)request;
    return last.member;
}

int koine_request_fault(struct koine_request *request, int32_t code, const char *message)
{
    (void)request;
    last.fault = code;
    last.message = message;
    return KOINE_EFAULT;
}

int koine_request_raise(struct koine_request *request, uint32_t which, const void *exception)
{
    (void)request;
    last.which = which;
    last.raised = exception;
    return KOINE_EFAULT;
}

static int clear(void **state)
{
    (void)state;
    memset(&last, 0, sizeof last);
    return 0;
}

/* ---- client */

static void a_stub_puts_its_parameters_into_the_struct(void **state)
{
    (void)state;
    struct demo_Thermostat_set_target_in in;
    last.in_size = sizeof in;
    assert_int_equal(demo_Thermostat_set_target(NULL, "hall", 21.5), 0);
    memcpy(&in, last.in, sizeof in);
    assert_int_equal(last.member, demo_Thermostat_set_target_index);
    assert_string_equal(in.room.ptr, "hall");
    assert_int_equal(in.room.length, 4);
    assert_true(in.celsius == 21.5);
}

static void a_stub_gives_results_only_on_success(void **state)
{
    (void)state;
    const struct demo_Thermostat_add_out out = {.return_ = 42};
    int64_t sum = 7;
    last.answer = &out;
    last.rc = KOINE_EDOWN;
    last.in_size = sizeof(struct demo_Thermostat_add_in);
    assert_int_equal(demo_Thermostat_add(&sum, NULL, 40, 2), KOINE_EDOWN);
    assert_int_equal(sum, 7);
    last.rc = 0;
    assert_int_equal(demo_Thermostat_add(&sum, NULL, 40, 2), 0);
    assert_int_equal(sum, 42);
    assert_int_equal(demo_Thermostat_add(NULL, NULL, 40, 2), 0);
}

static void an_inout_parameter_is_read_and_written(void **state)
{
    (void)state;
    const struct demo_Thermostat_swap_out out = {KOINE_TEXT("B"), KOINE_TEXT("A"), 2, {0}};
    struct koine_string a = KOINE_TEXT("A"), b = KOINE_TEXT("B");
    struct demo_Thermostat_swap_in in;
    uint32_t length = 0;
    last.answer = &out;
    last.in_size = sizeof in;
    assert_int_equal(demo_Thermostat_swap(&a, &b, &length, NULL), 0);
    memcpy(&in, last.in, sizeof in);
    assert_string_equal(in.a.ptr, "A");
    assert_string_equal(a.ptr, "B");
    assert_string_equal(b.ptr, "A");
    assert_int_equal(length, 2);
}

static void a_call_with_structs_passes_them_and_the_timeout(void **state)
{
    (void)state;
    const struct demo_Thermostat_rooms_out out = {.return_ = KOINE_NOTHING};
    const struct demo_Thermostat_rooms_out *given = NULL;
    last.answer = &out;
    assert_int_equal(demo_Thermostat_rooms_call(&given, NULL, 5), 0);
    assert_ptr_equal(given, &out);
    assert_int_equal(last.timeout, 5);
    assert_int_equal(last.member, demo_Thermostat_rooms_index);
}

static void attributes_and_events_go_to_their_members(void **state)
{
    (void)state;
    struct koine_string label = KOINE_TEXT("hall"), got, sent;
    struct demo_Thermostat_reading *reading;
    last.answer = &label;
    last.in_size = sizeof sent;
    assert_int_equal(demo_Thermostat_get_label(&got, NULL), 0);
    assert_string_equal(got.ptr, "hall");
    assert_int_equal(demo_Thermostat_set_label(NULL, "attic"), 0);
    memcpy(&sent, last.in, sizeof sent);
    assert_string_equal(sent.ptr, "attic");
    assert_string_equal(last.function, "set");
    last.in_size = 0;
    assert_int_equal(demo_Thermostat_changed_outside(NULL, -3.5), 0);
    assert_int_equal(last.member, demo_Thermostat_outside_index);
    assert_int_equal(demo_Thermostat_reading_loan(&reading, NULL), 0);
    assert_ptr_equal(reading, last.in);
    assert_int_equal(demo_Thermostat_reading_publish(NULL, reading), 0);
    assert_string_equal(last.function, "publish");
    assert_int_equal(demo_Thermostat_reading_subscribe(NULL, NULL), 0);
    assert_int_equal(last.member, demo_Thermostat_reading_index);
}

/* ---- server */

static int on_add(void *self, struct koine_request *request,
                  const struct demo_Thermostat_add_in *in, struct demo_Thermostat_add_out *out)
{
    assert_ptr_equal(self, &last);
    assert_null(request);
    out->return_ = in->a + in->b;
    return 0;
}

static int on_set_target(void *self, struct koine_request *request,
                         const struct demo_Thermostat_set_target_in *in)
{
    (void)self;
    static const struct demo_OutOfRange range = {5, 30};
    return in->celsius > range.max ? demo_Thermostat_raise_OutOfRange(request, &range) : 0;
}

static int on_get_label(void *self, struct koine_request *request, struct koine_string *value)
{
    (void)self;
    (void)request;
    *value = koine_string("door");
    return 0;
}

static int on_set_label(void *self, struct koine_request *request, const struct koine_string *value)
{
    (void)self;
    (void)request;
    return value->length ? 0 : KOINE_EINVAL;
}

static const struct demo_Thermostat_handlers handlers = {.add = on_add,
                                                         .set_target = on_set_target,
                                                         .get_label = on_get_label,
                                                         .set_label = on_set_label};

static int dispatch(uint32_t member, enum koine_request_sort sort, const void *in, void *out)
{
    last.member = member;
    return demo_Thermostat.dispatch(&handlers, &last, NULL, member, sort, in, out);
}

static void dispatch_calls_the_handler_of_the_member(void **state)
{
    (void)state;
    const struct demo_Thermostat_add_in in = {40, 2};
    struct demo_Thermostat_add_out out = {0};
    struct koine_string label = KOINE_TEXT("");
    assert_int_equal(dispatch(demo_Thermostat_add_index, KOINE_REQUEST_CALL, &in, &out), 0);
    assert_int_equal(out.return_, 42);
    assert_int_equal(dispatch(demo_Thermostat_label_index, KOINE_REQUEST_SET, &label, NULL),
                     KOINE_EINVAL);
    assert_int_equal(dispatch(demo_Thermostat_label_index, KOINE_REQUEST_GET, NULL, &label), 0);
    assert_string_equal(label.ptr, "door");
}

static void a_raise_finds_its_place_in_the_operation(void **state)
{
    (void)state;
    const struct demo_Thermostat_set_target_in in = {KOINE_TEXT("hall"), 99};
    last.which = 9;
    assert_int_equal(dispatch(demo_Thermostat_set_target_index, KOINE_REQUEST_CALL, &in, NULL),
                     KOINE_EFAULT);
    assert_int_equal(last.which, 0);
    assert_non_null(last.raised);
    last.member = demo_Thermostat_add_index;
    assert_int_equal(demo_Thermostat_raise_OutOfRange(NULL, last.raised), KOINE_EFAULT);
    assert_int_equal(last.fault, KOINE_FAULT_INTERNAL);
}

static void what_has_no_handler_is_unimplemented(void **state)
{
    (void)state;
    struct demo_Thermostat_rooms_out out;
    assert_int_equal(dispatch(demo_Thermostat_rooms_index, KOINE_REQUEST_CALL, NULL, &out),
                     KOINE_EFAULT);
    assert_int_equal(last.fault, KOINE_FAULT_UNIMPLEMENTED);
    assert_string_equal(last.message, "demo::Thermostat::rooms is not implemented here");
    assert_int_equal(dispatch(demo_Thermostat_outside_index, KOINE_REQUEST_SET, &out, NULL),
                     KOINE_EFAULT);
    assert_string_equal(last.message, "demo::Thermostat has no such member");
    assert_int_equal(dispatch(99, KOINE_REQUEST_CALL, NULL, NULL), KOINE_EFAULT);
}

/* ---- tables */

static void the_tables_are_the_interface_that_was_read(void **state)
{
    (void)state;
    struct koine_why why;
    const struct koine_face *faces[] = {&demo_Thermostat, &a_inner_First, &a_inner_Second,
                                        &a_inner_Third};
    for (size_t i = 0; i < sizeof faces / sizeof faces[0]; i++) {
        if (kn_interface_check(faces[i]->interface, &why))
            fail_msg("%s", why.text);
    }
    struct koine_idl *idl;
    const struct koine_interface *read;
    assert_int_equal(koine_idl_read_file(&idl, KN_TEST_DIR "/everything.idl", NULL), 0);
    assert_int_equal(koine_idl_choose(&read, idl, "a::inner::Second", NULL), 0);
    assert_int_equal(kn_interface_difference(&why, read, a_inner_Second.interface), 0);
    assert_true(read->hash == a_inner_Second.interface->hash);
    assert_string_equal(kn_interface_note(a_inner_Second.interface, "onc.program").ptr,
                        "536870919");
    assert_int_equal(a_inner_Second.interface->features.ptr[a_inner_Second_how_full_index].id, 41);
    koine_idl_free(idl);
}

static void constants_and_labels_have_their_values(void **state)
{
    (void)state;
    assert_int_equal(demo_Mode_cool, 2);
    assert_true(demo_Thermostat_COLDEST == 5.0);
    assert_true(a_BIG == UINT64_MAX);
    assert_true(a_LOW == INT64_MIN);
    assert_int_equal(a_MASK, 0xf0);
    assert_int_equal(a_inner_Second_Level_unknown, -1);
    assert_int_equal(a_inner_Second_Level_full, 18);
    assert_int_equal(a_inner_Second_Level_fuller, 19);
    assert_int_equal(a_FAVOURITE, a_Colour_blue);
    assert_string_equal(a_GREETING, "say \"hello\"\ncaf\xc3\xa9 \?\?= \\");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_stub_puts_its_parameters_into_the_struct, clear),
        cmocka_unit_test_setup(a_stub_gives_results_only_on_success, clear),
        cmocka_unit_test_setup(an_inout_parameter_is_read_and_written, clear),
        cmocka_unit_test_setup(a_call_with_structs_passes_them_and_the_timeout, clear),
        cmocka_unit_test_setup(attributes_and_events_go_to_their_members, clear),
        cmocka_unit_test_setup(dispatch_calls_the_handler_of_the_member, clear),
        cmocka_unit_test_setup(a_raise_finds_its_place_in_the_operation, clear),
        cmocka_unit_test_setup(what_has_no_handler_is_unimplemented, clear),
        cmocka_unit_test(the_tables_are_the_interface_that_was_read),
        cmocka_unit_test(constants_and_labels_have_their_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
