/* SPDX-License-Identifier: MIT
 *
 * A dialect that is taken over: each line of a client is an attempt to get out of the process, "NAME ARG",
 * which is made right where a real dialect reads its input. The answer is "did", or the name of the error;
 * there is none when the attempt ended the process. What an attempt makes it takes away again.
 */
#include "daemon/letter.h"
#include "dialect/dialect.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int opened(int fd)
{
    return fd < 0 ? -1 : close(fd);
}

/* ---------------------------------------------------------------- files */

static int try_open(const char *path)
{
    return opened(open(path, O_RDONLY | O_CLOEXEC));
}

static int try_create(const char *path)
{
    return opened(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int try_path(const char *path)
{
    return opened(open(path, O_PATH | O_CLOEXEC));
}

static int try_handle(const char *path)
{
    union {
        struct file_handle head;
        char octets[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } handle = {.head.handle_bytes = MAX_HANDLE_SZ};
    int mount;
    (void)path;
    if (name_to_handle_at(AT_FDCWD, "/etc/passwd", &handle.head, &mount, 0))
        return -1;
    return opened(open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY));
}

static int try_stat(const char *path)
{
    struct stat status;
    return stat(path, &status);
}

static int try_readlink(const char *path)
{
    char text[8];
    return readlink(path, text, sizeof text) < 0 ? -1 : 0;
}

static int try_unlink(const char *path)
{
    return unlink(path);
}

static int try_rename(const char *path)
{
    return rename(path, path);
}

static int try_mkdir(const char *path)
{
    return mkdir(path, 0700) ? -1 : rmdir(path);
}

static int try_chdir(const char *path)
{
    return chdir(path);
}

static int try_chroot(const char *path)
{
    return chroot(path);
}

static int try_mount(const char *path)
{
    return mount("none", path, "tmpfs", 0, "") ? -1 : umount(path);
}

/* ---------------------------------------------------------------- sockets */

static int connect_to(int fd, const void *address, socklen_t length)
{
    int rc = fd < 0 ? -1 : connect(fd, address, length), kept = errno;
    if (fd >= 0)
        close(fd);
    errno = kept;
    return rc;
}

static int try_inet(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect_to(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), &address, sizeof address);
}

static int try_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return connect_to(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &address, sizeof address);
}

static int try_datagram(const char *port)
{
    (void)port;
    return opened(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int try_bind(const char *unused)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)unused;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address.sun_family))
        return -1;
    return close(fd);
}

/* On a socket that is there, to an address that is not its peer's. */
static int try_sendto(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int fd = 3; fd < 64; fd++)
        if (sendto(fd, "x", 1, MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL,
                   (struct sockaddr *)&address, sizeof address) == 1)
            return 0;
    return -1;
}

/* ---------------------------------------------------------------- processes */

static int try_exec(const char *path)
{
    return execve(path, (char *[]){(char *)path, NULL}, (char *[]){NULL});
}

static int try_fork(const char *unused)
{
    pid_t pid = fork();
    (void)unused;
    if (!pid)
        _exit(0);
    return pid < 0 || waitpid(pid, NULL, 0) != pid ? -1 : 0;
}

static int try_kill(const char *pid)
{
    return kill(atoi(pid), 0);
}

static int try_ptrace(const char *pid)
{
    (void)pid;
    return ptrace(PTRACE_PEEKDATA, atoi(pid), NULL, NULL) < 0 ? -1 : 0;
}

static int try_peek(const char *pid)
{
    char octet;
    struct iovec own = {&octet, 1}, other = {&octet, 1};
    return process_vm_readv(atoi(pid), &own, 1, &other, 1, 0) < 0 ? -1 : 0;
}

static int try_take_fd(const char *pid)
{
    int pidfd = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
    return pidfd < 0 ? -1 : opened((int)syscall(SYS_pidfd_getfd, pidfd, 0, 0));
}

static int try_signal_fd(const char *pid)
{
    int pidfd = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
    return pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0);
}

static int try_survive(const char *unused)
{
    (void)unused;
    return prctl(PR_SET_PDEATHSIG, 0);
}

static int try_limit(const char *unused)
{
    struct rlimit limit = {0, 0};
    (void)unused;
    return setrlimit(RLIMIT_CORE, &limit);
}

static int try_unshare(const char *unused)
{
    (void)unused;
    return unshare(CLONE_FS);
}

/* ---------------------------------------------------------------- the kernel */

static int try_code(const char *unused)
{
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)unused;
    return page == MAP_FAILED ? -1 : munmap(page, 4096);
}

static int try_ioctl(const char *unused)
{
    struct winsize size;
    (void)unused;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
}

static int try_owner(const char *pid)
{
    (void)pid;
    return fcntl(STDERR_FILENO, F_SETOWN, getpid());
}

static int try_ring(const char *unused)
{
    char parameters[256] = {0};
    (void)unused;
    return opened((int)syscall(SYS_io_uring_setup, 1, parameters));
}

static int try_perf(const char *unused)
{
    struct perf_event_attr attributes = {.size = sizeof attributes};
    (void)unused;
    return opened((int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

static int try_bpf(const char *unused)
{
    (void)unused;
    return opened((int)syscall(SYS_bpf, 0, NULL, 0));
}

static int try_key(const char *unused)
{
    (void)unused;
    return (int)syscall(SYS_keyctl, 0, -1, 0) < 0 ? -1 : 0;
}

/* ---------------------------------------------------------------- what it is given */

static int try_memory(const char *unused)
{
    int fd = memfd_create("taken", MFD_CLOEXEC);
    (void)unused;
    if (fd < 0 || ftruncate(fd, 1 << 20))
        return -1;
    void *page = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return page == MAP_FAILED || munmap(page, 1 << 20) ? -1 : close(fd);
}

/* Asks the supervisor, past everything that would ask it properly. */
static int try_reach(const char *name)
{
    struct kn_letter letter = {.kind = KN_LETTER_REACH, .serial = 4711};
    struct pollfd waits = {.fd = STDIN_FILENO, .events = POLLIN};
    int fd = -1;
    snprintf(letter.text, sizeof letter.text, "%s", name);
    if (kn_letter_send(STDIN_FILENO, &letter, -1))
        return -1;
    (void)poll(&waits, 1, 10000);
    errno = EIO;
    if (kn_letter_receive(&letter, &fd, STDIN_FILENO))
        return -1;
    errno = letter.error == KOINE_EPERM ? EPERM : ENOENT;
    return letter.error ? -1 : opened(fd);
}

static int try_lie(const char *unused)
{
    (void)unused;
    return send(STDIN_FILENO, "x", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static int try_crash(const char *unused)
{
    (void)unused;
    abort();
}

static const struct {
    const char *name;
    int (*try)(const char *arg);
} attempts[] = {
    {"open", try_open},       {"create", try_create},   {"path", try_path},
    {"handle", try_handle},   {"stat", try_stat},       {"readlink", try_readlink},
    {"unlink", try_unlink},   {"rename", try_rename},   {"mkdir", try_mkdir},
    {"chdir", try_chdir},     {"chroot", try_chroot},   {"mount", try_mount},
    {"inet", try_inet},       {"unix", try_unix},       {"datagram", try_datagram},
    {"bind", try_bind},       {"sendto", try_sendto},   {"exec", try_exec},
    {"fork", try_fork},       {"kill", try_kill},       {"ptrace", try_ptrace},
    {"peek", try_peek},       {"take-fd", try_take_fd}, {"signal-fd", try_signal_fd},
    {"survive", try_survive}, {"limit", try_limit},     {"unshare", try_unshare},
    {"code", try_code},       {"ioctl", try_ioctl},     {"owner", try_owner},
    {"ring", try_ring},       {"perf", try_perf},       {"bpf", try_bpf},
    {"key", try_key},         {"memory", try_memory},   {"reach", try_reach},
    {"lie", try_lie},         {"crash", try_crash},
};

/* ---------------------------------------------------------------- the dialect */

static int attempt(const char *name, const char *arg)
{
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
        if (!strcmp(attempts[i].name, name))
            return attempts[i].try(arg);
    errno = EDOM;
    return -1;
}

/* A line comes whole: the test waits for each answer. */
static int feed(struct kn_channel *channel, const struct kn_input *input)
{
    char line[256], name[32] = "", arg[200] = "", answer[32];
    snprintf(line, sizeof line, "%.*s", (int)input->data.length, input->data.ptr);
    if (sscanf(line, "%31s %199s", name, arg) < 1)
        return 0;
    const char *result = attempt(name, arg) ? strerrorname_np(errno) : "did";
    snprintf(answer, sizeof answer, "%s\n", result);
    return channel->host->write(channel, kn_str(answer));
}

static int change(struct kn_channel *channel, enum kn_change what)
{
    (void)channel;
    (void)what;
    return 0;
}

static int start(struct kn_endpoint **endpointp, struct kn_channel *home,
                 const struct kn_options *options)
{
    if (options->count)
        return KOINE_EINVAL;
    *endpointp = calloc(1, sizeof **endpointp);
    if (!*endpointp)
        return KOINE_ENOMEM;
    kn_endpoint_init(*endpointp, kn_dialects[0], home);
    return 0;
}

static void stop(struct kn_endpoint *endpoint)
{
    free(endpoint);
}

static int send_nothing(struct kn_endpoint *endpoint, const struct kn_message *message)
{
    (void)endpoint;
    (void)message;
    return 0;
}

static int wake(struct kn_endpoint *endpoint, uint64_t cookie, const struct kn_answer *answer)
{
    (void)endpoint;
    (void)cookie;
    (void)answer;
    return 0;
}

static const char *const transports[] = {"tcp", "unix", NULL};
static const char *const options[] = {"refuse", NULL};

static const struct kn_identity identity = {
    .name = "taken",
    .title = "Taken over",
    .spec = "this file",
    .transports = transports,
    .options = options,
};

static const struct kn_dialect taken = {
    .identity = &identity,
    .start = start,
    .stop = stop,
    .channel = change,
    .feed = feed,
    .send = send_nothing,
    .wake = wake,
};

const struct kn_dialect *const kn_dialects[] = {&taken, NULL};
