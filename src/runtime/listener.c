/* SPDX-License-Identifier: MIT
 *
 * Sockets that accept. A unix socket is made under a name of its own, gets its mode, listens, and only
 * then is linked to the name that was asked for, so nobody meets it half made. A file that is there
 * already is connected to: who answers is alive and keeps it, a refusal is a dead process's leftover
 * and is replaced. (Two processes that replace the same leftover in the same microseconds may both
 * believe that they have the name; the second one has it.)
 */
#include "runtime/internal.h"

#include "value/why.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    struct sockaddr_un local;
};

static int refuse(struct koine_why *why, int error, const char *what, const char *advice)
{
    int saved = errno;
    (void)kn_refuse(why, error, NULL, "%.120s: %s%s", what,
                    error == KOINE_ESYSTEM ? strerror(saved) : "", advice);
    errno = saved;
    return error;
}

/* ---------------------------------------------------------------- TCP */

/* Literals only: a resolver may block. */
static int read_address(union address *address, const struct kn_uri *uri, struct koine_why *why)
{
    const char *host = strcmp(uri->host, "localhost") ? uri->host : "127.0.0.1";
    uint32_t port = (uint32_t)strtoul(uri->port, NULL, 10);
    if (!*uri->host || !*uri->port)
        return refuse(why, KOINE_EINVAL, uri->transport,
                      "takes an address and a port, as in 127.0.0.1:8080; port 0 takes a free one");
    if (port > UINT16_MAX)
        return refuse(why, KOINE_EINVAL, uri->port, "a port is a number up to 65535");
    *address = (union address){.any = {0}};
    if (!uri->bracketed && inet_pton(AF_INET, host, &address->four.sin_addr) == 1) {
        address->four.sin_family = AF_INET;
        address->four.sin_port = htons((uint16_t)port);
    } else if (uri->bracketed && inet_pton(AF_INET6, host, &address->six.sin6_addr) == 1) {
        address->six.sin6_family = AF_INET6;
        address->six.sin6_port = htons((uint16_t)port);
    } else {
        return refuse(why, KOINE_EINVAL, uri->host,
                      "is no address; 127.0.0.1, [::1] and localhost are");
    }
    return 0;
}

static bool is_loopback(const union address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohl(address->four.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&address->six.sin6_addr);
}

static int bind_tcp(int fd, const union address *address, const struct kn_uri *uri,
                    struct koine_why *why)
{
    int yes = 1;
    char where[160];
    bool six = address->any.sa_family == AF_INET6;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (six)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    if (!bind(fd, &address->any, six ? sizeof address->six : sizeof address->four) &&
        !listen(fd, SOMAXCONN))
        return 0;
    snprintf(where, sizeof where, "cannot listen on %.100s port %.5s", uri->host, uri->port);
    if (errno == EADDRINUSE)
        return refuse(why, KOINE_EEXIST, where,
                      "another program listens there; take another port, or 0 for a free one");
    if (errno == EACCES)
        return refuse(why, KOINE_EPERM, where, "a port below 1024 needs a privilege");
    return refuse(why, KOINE_ESYSTEM, where, "");
}

static int tell_port(char **textp, int fd, const struct kn_uri *uri)
{
    union address address;
    socklen_t length = sizeof address;
    if (getsockname(fd, &address.any, &length))
        return KOINE_ESYSTEM;
    bool six = address.any.sa_family == AF_INET6;
    unsigned port = ntohs(six ? address.six.sin6_port : address.four.sin_port);
    int rc =
        asprintf(textp, "%s+%s://%s%s%s:%u%s", uri->dialect, uri->transport,
                 uri->bracketed ? "[" : "", uri->host, uri->bracketed ? "]" : "", port, uri->path);
    return rc < 0 ? KOINE_ENOMEM : 0;
}

static int check_tcp(union address *address, const struct koine_attachment *attachment,
                     struct koine_why *why)
{
    int rc = read_address(address, attachment->uri, why);
    if (rc)
        return rc;
    if (!is_loopback(address) && !attachment->limits.public)
        return refuse(why, KOINE_EPERM, attachment->uri->host,
                      "is not loopback: whoever reaches it could call everything, so it takes "
                      "the option public=yes");
    return 0;
}

static int open_tcp(struct koine_attachment *attachment, struct koine_why *why)
{
    union address address;
    int rc = check_tcp(&address, attachment, why);
    if (rc)
        return rc;
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return refuse(why, KOINE_ESYSTEM, "no socket", "");
    attachment->listener.fd = fd;
    rc = bind_tcp(fd, &address, attachment->uri, why);
    return rc ? rc : tell_port(&attachment->text, fd, attachment->uri);
}

/* ---------------------------------------------------------------- unix */

/* A path that is too long for an address is not too long below its opened directory. */
static void name_in(union address *address, int directory, const char *leaf)
{
    *address = (union address){.local = {.sun_family = AF_UNIX}};
    (void)snprintf(address->local.sun_path, sizeof address->local.sun_path, "/proc/self/fd/%d/%s",
                   directory, leaf);
}

static bool answers(int directory, const char *leaf)
{
    union address address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    name_in(&address, directory, leaf);
    bool dead = fd >= 0 && connect(fd, &address.any, sizeof address.local) && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return !dead;
}

/* Takes what is there away if it is a dead process's socket. */
static int make_room(int directory, const char *leaf, const char *path, struct koine_why *why)
{
    struct stat there;
    if (fstatat(directory, leaf, &there, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : refuse(why, KOINE_ESYSTEM, path, "");
    if (!S_ISSOCK(there.st_mode))
        return refuse(why, KOINE_EEXIST, path, "is there and is no socket; take another path");
    if (answers(directory, leaf))
        return refuse(why, KOINE_EEXIST, path,
                      "a living process listens there; end it or take another path");
    return unlinkat(directory, leaf, 0) ? refuse(why, KOINE_ESYSTEM, path, "") : 0;
}

static int publish(struct kn_listener *listener, int directory, const char *leaf, mode_t mode,
                   struct koine_why *why)
{
    union address address;
    struct stat made;
    char own[32];
    uint64_t number = 0;
    (void)!getrandom(&number, sizeof number, GRND_NONBLOCK);
    snprintf(own, sizeof own, ".koine-%016llx", (unsigned long long)number);
    name_in(&address, directory, own);
    if (bind(listener->fd, &address.any, sizeof address.local))
        return refuse(why, KOINE_ESYSTEM, listener->path, "");
    int rc = 0;
    if (fchmodat(directory, own, mode, 0) || listen(listener->fd, SOMAXCONN) ||
        fstatat(directory, own, &made, AT_SYMLINK_NOFOLLOW))
        rc = refuse(why, KOINE_ESYSTEM, listener->path, "");
    if (!rc)
        rc = make_room(directory, leaf, listener->path, why);
    if (!rc && linkat(directory, own, directory, leaf, 0))
        rc = errno == EEXIST ? refuse(why, KOINE_EEXIST, listener->path,
                                      "another process took it at this moment")
                             : refuse(why, KOINE_ESYSTEM, listener->path, "");
    (void)unlinkat(directory, own, 0);
    if (!rc) {
        listener->device = made.st_dev;
        listener->inode = made.st_ino;
    }
    return rc;
}

static int check_unix(const struct kn_uri *uri, struct koine_why *why)
{
    const char *leaf = strrchr(uri->path, '/');
    if (*uri->host || *uri->port || !leaf || !leaf[1])
        return refuse(why, KOINE_EINVAL, uri->transport,
                      "takes an absolute path behind three slashes, as in unix:///run/koine.sock");
    if (strlen(uri->path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return refuse(why, KOINE_EINVAL, uri->path, "is too long for a socket: 107 octets at most");
    return 0;
}

static int tell_path(char **textp, const struct kn_uri *uri)
{
    int rc = asprintf(textp, "%s+%s://%s", uri->dialect, uri->transport, uri->path);
    return rc < 0 ? KOINE_ENOMEM : 0;
}

/* The URI was checked. */
static int open_unix(struct koine_attachment *attachment, struct koine_why *why)
{
    struct kn_listener *listener = &attachment->listener;
    const struct kn_uri *uri = attachment->uri;
    const char *leaf = strrchr(uri->path, '/');
    char *folder = strndup(uri->path, (size_t)(leaf - uri->path) + 1);
    listener->path = strdup(uri->path);
    if (!folder || !listener->path) {
        free(folder);
        return KOINE_ENOMEM;
    }
    int directory = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int rc = directory < 0 ? refuse(why, KOINE_ESYSTEM, folder, "; the folder must be there") : 0;
    free(folder);
    listener->fd = rc ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (!rc && listener->fd < 0)
        rc = refuse(why, KOINE_ESYSTEM, "no socket", "");
    if (!rc)
        rc = publish(listener, directory, leaf + 1, attachment->limits.mode, why);
    if (directory >= 0)
        close(directory);
    return rc ? rc : tell_path(&attachment->text, uri);
}

/* ---------------------------------------------------------------- both */

/* A copy: that needs no name, so also a process that may open nothing can make it. */
static void reserve(struct kn_listener *listener)
{
    listener->spare = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0);
}

int kn_listener_check(const struct koine_attachment *attachment, struct koine_why *why)
{
    union address address;
    return attachment->transport->local ? check_unix(attachment->uri, why)
                                        : check_tcp(&address, attachment, why);
}

int kn_listener_take(struct koine_attachment *attachment, int fd)
{
    attachment->listener.fd = fd;
    reserve(&attachment->listener);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK))
        return KOINE_ESYSTEM;
    return attachment->transport->local ? tell_path(&attachment->text, attachment->uri)
                                        : tell_port(&attachment->text, fd, attachment->uri);
}

int kn_listener_open(struct koine_attachment *attachment, struct koine_why *why)
{
    int rc = attachment->transport->local ? open_unix(attachment, why) : open_tcp(attachment, why);
    if (!rc)
        reserve(&attachment->listener);
    return rc;
}

/* The socket file is removed if it is still ours. */
void kn_listener_close(struct kn_listener *listener)
{
    struct stat there;
    if (listener->inode && !lstat(listener->path, &there) && there.st_ino == listener->inode &&
        there.st_dev == listener->device)
        (void)unlink(listener->path);
    free(listener->path);
    if (listener->fd >= 0)
        close(listener->fd);
    if (listener->spare >= 0)
        close(listener->spare);
    *listener = (struct kn_listener){.fd = -1, .spare = -1};
}

/* Without a descriptor left nothing can be accepted, and the listener would stay readable for ever. */
static void hang_up_one(struct koine_attachment *attachment)
{
    struct kn_listener *listener = &attachment->listener;
    if (listener->spare >= 0)
        close(listener->spare);
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    reserve(listener);
    attachment->counts.refused++;
}

int kn_listener_accept(struct koine_attachment *attachment)
{
    int yes = 1, fd = accept4(attachment->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        hang_up_one(attachment);
    if (fd >= 0 && !attachment->transport->local)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}
