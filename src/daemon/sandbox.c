/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox.h"

#include "daemon/landlock.h"
#include "value/why.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Built with a sanitizer, which opens, maps and traces for itself. */
#ifdef KN_SANITIZED
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

static int refuse(struct koine_why *why, const char *what)
{
    return kn_refuse(why, KOINE_ESYSTEM, NULL, "no sandbox: %s: %s", what, strerror(errno));
}

/* ---------------------------------------------------------------- privileges */

/* All of them are tried: what this process may not drop it does not have. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    for (unsigned long i = 0; i < 64; i++)
        (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return (int)syscall(SYS_capset, &head, none);
}

static int drop_privileges(struct koine_why *why)
{
    const struct rlimit nothing = {0, 0};
    if (setrlimit(RLIMIT_CORE, &nothing) || (!sanitized && setrlimit(RLIMIT_NPROC, &nothing)))
        return refuse(why, "limits");
    if (drop_capabilities())
        return refuse(why, "capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return refuse(why, "no new privileges");
    return 0;
}

/* ---------------------------------------------------------------- seccomp */

/* Whatever their arguments are, they concern what the process holds already. */
static const char *const allowed[] = {
    "accept4",        "brk",
    "clock_gettime",  "clock_nanosleep",
    "close",          "epoll_create1",
    "epoll_ctl",      "epoll_pwait",
    "epoll_pwait2",   "epoll_wait",
    "eventfd2",       "exit",
    "exit_group",     "fallocate",
    "fstat",          "ftruncate",
    "futex",          "geteuid",
    "getpeername",    "getpid",
    "getrandom",      "getsockname",
    "getsockopt",     "gettid",
    "gettimeofday",   "madvise",
    "memfd_create",   "mremap",
    "munmap",         "nanosleep",
    "pidfd_open",     "poll",
    "ppoll",          "read",
    "readv",          "recvfrom",
    "recvmsg",        "restart_syscall",
    "rt_sigaction",   "rt_sigprocmask",
    "rt_sigreturn",   "sched_getaffinity",
    "sched_yield",    "shutdown",
    "timerfd_create", "timerfd_settime",
    "write",          "writev",
};

/* The C library does without. */
static const char *const looks[] = {
    "access", "faccessat", "faccessat2", "getcwd",     "lstat", "newfstatat", "open",
    "openat", "openat2",   "readlink",   "readlinkat", "stat",  "statx",
};

static const struct {
    const char *call;
    unsigned count;
    struct scmp_arg_cmp args[2];
} conditions[] = {
    {"mmap", 1, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}}},
    {"mprotect", 1, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}}},
    {"sendto", 1, {{4, SCMP_CMP_EQ, 0, 0}}}, /* no address */
    {"sendmsg", 1, {{2, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0}}},
    {"fcntl", 1, {{1, SCMP_CMP_EQ, F_DUPFD_CLOEXEC, 0}}},
    {"fcntl", 1, {{1, SCMP_CMP_EQ, F_ADD_SEALS, 0}}},
    {"fcntl", 1, {{1, SCMP_CMP_EQ, F_GET_SEALS, 0}}},
    {"fcntl", 1, {{1, SCMP_CMP_EQ, F_GETFD, 0}}},
    {"fcntl", 1, {{1, SCMP_CMP_EQ, F_GETFL, 0}}},
    {"setsockopt", 2, {{1, SCMP_CMP_EQ, SOL_SOCKET, 0}, {2, SCMP_CMP_EQ, SO_PASSCRED, 0}}},
    {"setsockopt", 2, {{1, SCMP_CMP_EQ, IPPROTO_TCP, 0}, {2, SCMP_CMP_EQ, TCP_NODELAY, 0}}},
};

/* With a sanitizer, these are forbidden and nothing else. */
static const char *const reaches_out[] = {
    "bind",   "bpf",      "chroot", "connect", "execve", "execveat",          "init_module",
    "listen", "mount",    "rename", "socket",  "unlink", "open_by_handle_at", "unshare",
    "setns",  "unlinkat",
};

static int name_all(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t count)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < count; i++) {
        int call = seccomp_syscall_resolve_name(names[i]);
        if (call != __NR_SCMP_ERROR)
            rc = seccomp_rule_add_array(filter, action, call, 0, NULL);
    }
    return rc;
}

/* An abort is to be seen as what it is. */
static int allow_abort(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                            SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
}

static int write_list(scmp_filter_ctx filter)
{
    int rc = name_all(filter, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof *allowed);
    if (!rc)
        rc = name_all(filter, SCMP_ACT_ERRNO(EACCES), looks, sizeof looks / sizeof *looks);
    for (size_t i = 0; !rc && i < sizeof conditions / sizeof *conditions; i++)
        rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
                                    seccomp_syscall_resolve_name(conditions[i].call),
                                    conditions[i].count, conditions[i].args);
    return rc ? rc : allow_abort(filter);
}

/* With the calls in a tree, because each call of the worker is looked up in it. */
static int filter_calls(struct koine_why *why)
{
    uint32_t otherwise = sanitized ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS;
    scmp_filter_ctx filter = seccomp_init(otherwise);
    int rc = filter ? 0 : -ENOMEM;
    if (!rc)
        rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!rc)
        rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (!rc && sanitized)
        rc = name_all(filter, SCMP_ACT_KILL_PROCESS, reaches_out,
                      sizeof reaches_out / sizeof *reaches_out);
    else if (!rc)
        rc = write_list(filter);
    if (!rc)
        rc = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    errno = -rc;
    return rc ? refuse(why, "seccomp") : 0;
}

/* ---------------------------------------------------------------- all of it */

int kn_sandbox_enter(struct koine_why *why)
{
    int rc = drop_privileges(why);
    if (!rc && !sanitized && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        rc = refuse(why, "not dumpable");
    if (!rc && !sanitized && kn_landlock_forbid())
        rc = refuse(why, "Landlock");
    return rc ? rc : filter_calls(why);
}

const char *kn_sandbox_describe(char room[64])
{
    int version = kn_landlock_version();
    if (sanitized)
        return "seccomp for sanitizers";
    if (version <= 0)
        return "seccomp, no Landlock in this kernel";
    snprintf(room, 64, "seccomp, Landlock %d", version);
    return room;
}
