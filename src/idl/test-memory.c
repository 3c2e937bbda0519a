/* SPDX-License-Identifier: MIT
 *
 * Every allocation fails once; what was asked for is then refused and nothing is lost.
 */
#include <koine/idl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static long left = -1; /* allocations that still succeed; negative: all */

static int refused(void)
{
    if (left < 0)
        return 0;
    return left-- == 0 ? (left = 0, 1) : 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return refused() ? NULL : __real_realloc(old, size);
}

static int everything(const char *path)
{
    struct koine_idl *idl;
    char *text = NULL, *bare = NULL, *x = NULL, *header = NULL, *source = NULL, *errors = NULL;
    int rc = koine_idl_read_file(&idl, path, &errors);
    free(errors);
    if (rc)
        return rc;
    rc = koine_idl_print(&text, idl);
    if (!rc)
        rc = koine_interface_print(&bare, koine_idl_interface(idl, 0));
    if (!rc)
        rc = koine_idl_print_x(&x, idl);
    if (!rc)
        rc = koine_idl_generate_c(&header, &source, idl, "x");
    free(text);
    free(bare);
    free(x);
    free(header);
    free(source);
    koine_idl_free(idl);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    const char *path = *state;
    long failures = 0;
    int rc = KOINE_ENOMEM;
    for (long n = 0; rc; n++) {
        left = n;
        rc = everything(path);
        failures += rc != 0;
        left = -1;
        if (rc && rc != KOINE_ENOMEM)
            fail_msg("allocation %ld: %s", n, koine_strerror(rc));
    }
    assert_in_range(failures, 20, 100000);
}

static void wrong_texts_and_failures_meet(void **state)
{
    (void)state;
    static const char text[] = "struct S { any x; }; const long a = ;";
    for (long n = 0; n < 40; n++) {
        struct koine_idl *idl;
        char *errors = NULL;
        left = n;
        int rc = koine_idl_read(&idl, "t.idl", text, sizeof text - 1, NULL, NULL, &errors);
        left = -1;
        assert_true(rc == KOINE_ENOMEM || (rc == KOINE_ESYNTAX && errors));
        free(errors);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(every_allocation_may_fail, (void *)KN_TEST_DIR "/everything.idl"),
        cmocka_unit_test_prestate(every_allocation_may_fail, (void *)KN_TEST_DIR "/foreign.x"),
        cmocka_unit_test(wrong_texts_and_failures_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
