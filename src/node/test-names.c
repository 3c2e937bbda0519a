/* SPDX-License-Identifier: MIT */
#include "node/names.h"
#include "node/reach.h"
#include "node/test-server.h"

#include "thermostat.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static const struct demo_Thermostat_handlers none = {0};

static int begin(void **state)
{
    test_make_dir();
    *state = test_node();
    return 0;
}

static int end(void **state)
{
    koine_node_close(*state);
    test_remove_dir();
    return 0;
}

/* A process that serves these names (NULL at the end) until it is killed. */
static pid_t serve(const char *const *names)
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
    struct koine_node *node = test_node();
    for (; *names; names++) {
        struct koine_service *service;
        if (koine_service_open(&service, node, *names, &demo_Thermostat, &none, NULL, NULL))
            _exit(1);
    }
    if (write(ready[1], "", 1) == 1)
        koine_node_run(node);
    _exit(1);
}

static void kill_it(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int open_and_close(struct koine_node *node, const char *name)
{
    struct koine_service *service;
    int rc = koine_service_open(&service, node, name, &demo_Thermostat, &none, NULL, NULL);
    if (!rc)
        koine_service_close(service);
    return rc;
}

/* As looking up a name skips it. */
static void an_empty_directory_in_the_list_is_none(void **state)
{
    char dirs[sizeof test_dir + 2];
    struct koine_node *node;
    struct koine_node_options options = {.size = sizeof options, .dir = dirs};
    (void)state;
    snprintf(dirs, sizeof dirs, ":%s", test_dir);
    assert_int_equal(koine_node_open(&node, &options), 0);
    assert_int_equal(open_and_close(node, "plant/a"), 0);
    koine_node_close(node);
    snprintf(dirs, sizeof dirs, ":");
    assert_int_equal(koine_node_open(&node, &options), 0);
    assert_int_equal(open_and_close(node, "plant/a"), KOINE_ESYSTEM);
    koine_node_close(node);
}

struct way {
    int error, asked;
    const char *dirs;
};

static int go(void *arg, int *fdp, uint32_t *ownerp, const char *name)
{
    struct way *way = arg;
    way->asked++;
    return way->error ? way->error : kn_name_connect(fdp, ownerp, way->dirs, name, NULL);
}

static void a_node_may_be_told_the_way_to_names(void **state)
{
    struct way way = {.dirs = test_dir};
    struct koine_ref *ref;
    struct koine_node *node;
    struct koine_node_options options = {.size = sizeof options, .dir = "/nowhere"};
    pid_t pid = serve((const char *const[]){"plant/a", NULL});
    (void)state;
    assert_int_equal(koine_node_open(&node, &options), 0);
    assert_int_equal(koine_ref_open(&ref, node, "plant/a", NULL, 0), KOINE_ENOENT);
    kn_node_reach(node, go, &way);
    assert_int_equal(koine_ref_open(&ref, node, "plant/a", NULL, 0), 0);
    koine_ref_close(ref);
    assert_int_equal(koine_ref_open(&ref, node, "plant/b", NULL, 0), KOINE_ENOENT);
    assert_int_equal(way.asked, 2);
    assert_int_equal(koine_ref_open(&ref, node, "../a", NULL, 0), KOINE_EINVAL);
    assert_int_equal(way.asked, 2);
    way.error = KOINE_EPERM;
    assert_int_equal(koine_ref_open(&ref, node, "plant/a", NULL, 0), KOINE_EPERM);
    assert_non_null(strstr(koine_node_why(node), "'plant/a' was not reached"));
    kn_node_reach(node, NULL, NULL);
    assert_int_equal(koine_ref_open(&ref, node, "plant/a", NULL, 0), KOINE_ENOENT);
    koine_node_close(node);
    kill_it(pid);
}

static void a_name_above_dead_ones_can_be_served(void **state)
{
    struct koine_node *node = *state;
    pid_t pid = serve((const char *const[]){"plant/a/one", "plant/a/b/c/two", NULL});
    assert_int_equal(open_and_close(node, "plant/a"), KOINE_EINVAL);
    assert_non_null(strstr(koine_node_why(node), "services below it"));
    kill_it(pid);
    assert_int_equal(open_and_close(node, "plant/a"), 0);
    assert_int_equal(open_and_close(node, "plant/a/one"), 0);
}

static void a_living_name_among_dead_ones_keeps_its_directory(void **state)
{
    struct koine_node *node = *state;
    struct koine_ref *ref;
    pid_t dead = serve((const char *const[]){"plant/a/one", "plant/a/b/c/two", NULL});
    pid_t alive = serve((const char *const[]){"plant/a/b/three", NULL});
    kill_it(dead);
    assert_int_equal(open_and_close(node, "plant/a"), KOINE_EINVAL);
    assert_int_equal(koine_ref_open(&ref, node, "plant/a/b/three", NULL, 0), 0);
    kill_it(alive);
    assert_int_equal(open_and_close(node, "plant/a"), 0);
}

static void a_name_below_a_dead_one_can_be_served(void **state)
{
    struct koine_node *node = *state;
    pid_t pid = serve((const char *const[]){"plant/a", NULL});
    assert_int_equal(open_and_close(node, "plant/a/one"), KOINE_EINVAL);
    assert_non_null(strstr(koine_node_why(node), "below the name of another service"));
    kill_it(pid);
    assert_int_equal(open_and_close(node, "plant/a/one"), 0);
}

/* connect() says of a plain file what it says of a dead socket. */
static void a_file_that_is_no_socket_is_never_removed(void **state)
{
    struct koine_node *node = *state;
    struct koine_ref *ref;
    struct stat status;
    char path[sizeof test_dir + 16];
    snprintf(path, sizeof path, "%s/notes", test_dir);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(koine_ref_open(&ref, node, "notes", NULL, 0), KOINE_ENOENT);
    assert_int_equal(open_and_close(node, "notes"), KOINE_EINVAL);
    assert_non_null(strstr(koine_node_why(node), "no socket"));
    assert_int_equal(open_and_close(node, "notes/one"), KOINE_EINVAL);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(unlink(path), 0);
}

/* Processes that take names above and below each other, each again and again: all of them that answer 0
 * can be connected to, and nothing hangs. */
static void takers_of_clashing_names_never_serve_beside_each_other(void **state)
{
    static const char *const names[] = {"x", "x/y", "x/y/z", "x/w"};
    pid_t pids[4];
    (void)state;
    for (int i = 0; i < 4; i++) {
        if ((pids[i] = fork()))
            continue;
        struct koine_node *node = test_node();
        int served = 0;
        for (int turn = 0; turn < 300; turn++) {
            struct koine_service *service;
            struct koine_ref *ref;
            int rc =
                koine_service_open(&service, node, names[i], &demo_Thermostat, &none, NULL, NULL);
            if (rc && rc != KOINE_EINVAL && rc != KOINE_EDEADLINE)
                _exit(2);
            if (rc)
                continue;
            if (koine_ref_open(&ref, node, names[i], NULL, 0))
                _exit(3);
            served++;
            koine_ref_close(ref);
            koine_service_close(service);
        }
        _exit(!served);
    }
    int status[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(waitpid(pids[i], &status[i], 0), pids[i]);
    int served = 0;
    for (int i = 0; i < 4; i++) {
        assert_true(WIFEXITED(status[i]) && WEXITSTATUS(status[i]) <= 1);
        served += !status[i];
    }
    assert_true(served > 0); /* who loses every race has none */
}

/* Root reads everything, so it takes another user for that. */
static void a_directory_that_cannot_be_read_is_told(void **state)
{
    struct koine_name *names;
    size_t count;
    char list[600];
    (void)state;
    snprintf(list, sizeof list, "%s/none:%s", test_dir, test_dir);
    assert_int_equal(chmod(test_dir, 0), 0);
    int became = geteuid() ? 0 : seteuid(65534);
    int rc = koine_names(&names, &count, list);
    assert_int_equal(became | seteuid(getuid()), 0);
    assert_int_equal(chmod(test_dir, 0700), 0);
    assert_int_equal(rc, KOINE_EPERM);
    assert_int_equal(koine_names(&names, &count, "/dev/null"), KOINE_ESYSTEM);
    assert_int_equal(koine_names(&names, &count, list), 0);
    assert_int_equal(count, 0);
    koine_names_free(names);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_node_may_be_told_the_way_to_names),
        TEST(an_empty_directory_in_the_list_is_none),
        TEST(a_name_above_dead_ones_can_be_served),
        TEST(a_living_name_among_dead_ones_keeps_its_directory),
        TEST(a_name_below_a_dead_one_can_be_served),
        TEST(a_directory_that_cannot_be_read_is_told),
        TEST(a_file_that_is_no_socket_is_never_removed),
        TEST(takers_of_clashing_names_never_serve_beside_each_other),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
