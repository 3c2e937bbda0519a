/* SPDX-License-Identifier: MIT */
#include "node/test-server.h"

#include "thermostat.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { NOBODY = 65534, TRIES = 10 };

static int refuse(void *self, struct koine_request *request)
{
    (void)self;
    return koine_request_fault(request, KOINE_FAULT_UNIMPLEMENTED, "nothing works here");
}

/* A service for everybody, with few links. */
static pid_t serve(uint32_t max_links, rlim_t descriptors)
{
    int ready[2];
    char octet;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid) {
        close(ready[1]);
        assert_int_equal(read(ready[0], &octet, 1), 1);
        close(ready[0]);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct rlimit limit = {descriptors, descriptors};
    struct koine_node *node;
    struct koine_service *service;
    struct koine_node_options options = {
        .size = sizeof options, .dir = test_dir, .max_links = max_links};
    struct koine_service_options open = {.size = sizeof open, .mode = 0666};
    if (setrlimit(RLIMIT_NOFILE, &limit) || koine_node_open(&node, &options) ||
        koine_service_open_generic(&service, node, "plant/open", demo_Thermostat.interface, refuse,
                                   NULL, &open) ||
        write(ready[1], "", 1) != 1)
        _exit(1);
    koine_node_run(node);
    _exit(1);
}

/* How many of TRIES references a child of this uid can have at once; it hangs up when it has counted. */
static int links_of(uid_t uid)
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        struct koine_node *node = setuid(uid) ? NULL : test_node();
        int count = 0;
        for (int i = 0; node && i < TRIES; i++) {
            struct koine_ref *ref;
            count += !koine_ref_open(&ref, node, "plant/open", &demo_Thermostat, 0);
        }
        _exit(count);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int begin(void **state)
{
    (void)state;
    test_make_dir();
    return chmod(test_dir, 0755);
}

static int clear(void **state)
{
    (void)state;
    test_remove_dir();
    return 0;
}

static void a_user_has_so_many_links_and_has_them_again_after_hanging_up(void **state)
{
    (void)state;
    pid_t server = serve(4, 256);
    assert_int_equal(links_of(getuid()), 4);
    assert_int_equal(links_of(getuid()), 4);
    end(server);
}

/* Run by root the stranger is nobody; else the only user at hand is the service's own, who is none. */
static void strangers_cannot_shut_out_the_services_own_user(void **state)
{
    (void)state;
    bool root = getuid() == 0;
    pid_t server = serve(0, 64);
    struct koine_ref *refs[TRIES];
    struct koine_node *node = test_node();
    assert_int_equal(links_of(root ? NOBODY : getuid()), root ? 4 : TRIES);
    for (int i = 0; i < TRIES; i++)
        assert_int_equal(koine_ref_open(&refs[i], node, "plant/open", &demo_Thermostat, 0), 0);
    assert_int_equal(links_of(root ? NOBODY : getuid()), root ? 4 : TRIES);
    koine_node_close(node);
    end(server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_user_has_so_many_links_and_has_them_again_after_hanging_up),
        TEST(strangers_cannot_shut_out_the_services_own_user),
    };
    return cmocka_run_group_tests_name("users", tests, NULL, NULL);
}
