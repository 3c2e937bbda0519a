/* SPDX-License-Identifier: MIT
 *
 * What Landlock forbids by itself: in a worker the filter of calls stands before it. Each attempt is made
 * without and with it, in a child.
 */
#include "daemon/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* The errno of an attempt, 0: it went well. */
static int in_child(int (*attempt)(void), bool forbidden)
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || (forbidden && kn_landlock_forbid()))
            _exit(255);
        _exit(attempt() < 0 ? errno : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int open_file(void)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static int bind_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return bind(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&address,
                sizeof address);
}

static int signal_parent(void)
{
    return kill(getppid(), 0);
}

static void it_forbids(int (*attempt)(void), int version, int error)
{
    if (kn_landlock_version() < version) {
        print_message("# this kernel does not forbid it\n");
        return;
    }
    assert_int_equal(in_child(attempt, false), 0);
    assert_int_equal(in_child(attempt, true), error);
}

static void files_are_forbidden(void **state)
{
    (void)state;
    it_forbids(open_file, 1, EACCES);
}

static void tcp_is_forbidden(void **state)
{
    (void)state;
    it_forbids(bind_tcp, 4, EACCES);
}

static void signals_are_forbidden(void **state)
{
    (void)state;
    it_forbids(signal_parent, 6, EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_forbidden),
        cmocka_unit_test(tcp_is_forbidden),
        cmocka_unit_test(signals_are_forbidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
