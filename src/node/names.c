/* SPDX-License-Identifier: MIT */
#include "node/names.h"

#include "base/clock.h"

#include <koine/error.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, LOCK_NS = 1000000000, LOCK_STEP_NS = 2000000 };

char *kn_dirs(const char *given)
{
    const char *dirs = given ? given : getenv("KOINE_DIR"), *runtime = getenv("XDG_RUNTIME_DIR");
    char *text = NULL;
    if (dirs && *dirs)
        return strdup(dirs);
    if (!runtime || geteuid() == 0)
        return strdup("/run/koine");
    return asprintf(&text, "%s/koine:/run/koine", runtime) < 0 ? NULL : text;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("_-.%", c));
}

int kn_name_check(const char *name, struct koine_why *why)
{
    size_t elements = 1, length = 0;
    for (const char *c = name;; c++) {
        if (*c && *c != '/') {
            if (!is_plain(*c))
                return kn_refuse(why, KOINE_EINVAL, NULL,
                                 "'%s' is no name: octet 0x%02x must be escaped with %%", name,
                                 (unsigned char)*c);
            if (*c == '.' && !length)
                return kn_refuse(why, KOINE_EINVAL, NULL,
                                 "'%s' is no name: a leading dot is reserved", name);
            length++;
            continue;
        }
        if (!length || length > KN_ELEMENT_MAX)
            return kn_refuse(why, KOINE_EINVAL, NULL,
                             "'%.80s' is no name: an element has %zu octets, 1 to %d are allowed",
                             name, length, KN_ELEMENT_MAX);
        if (!*c)
            return 0;
        if (++elements > KN_NAME_ELEMENTS)
            return kn_refuse(why, KOINE_EINVAL, NULL, "'%.80s' is no name: more than %d elements",
                             name, KN_NAME_ELEMENTS);
        length = 0;
    }
}

static int refuse_errno(struct koine_why *why, const char *doing, const char *what)
{
    int kept = errno;
    int error = kept == EACCES || kept == EPERM || kept == EROFS ? KOINE_EPERM : KOINE_ESYSTEM;
    kn_refuse(why, error, NULL, "%s %s: %s", doing, what, strerror(kept));
    errno = kept;
    return error;
}

/* ---------------------------------------------------------------- directories */

/* Makes every directory of an absolute path; the last one is only for its owner, unless that is root. */
static int make_root(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return -1;
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(copy, 0755);
        *slash = '/';
    }
    int rc = mkdir(copy, geteuid() ? 0700 : 0755);
    free(copy);
    return rc && errno != EEXIST ? -1 : 0;
}

/* Descends to the directory of the last element; `make` creates what is missing. *leafp points into
 * `name`. */
static int open_parent(const char **leafp, const char *root, const char *name, bool make)
{
    int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *at = name, *slash;
    char element[KN_ELEMENT_MAX + 1];
    while (dir >= 0 && (slash = strchr(at, '/'))) {
        snprintf(element, sizeof element, "%.*s", (int)(slash - at), at);
        if (make)
            (void)mkdirat(dir, element, geteuid() ? 0700 : 0755);
        int inner = openat(dir, element, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        int kept = errno;
        close(dir);
        errno = kept;
        dir = inner;
        at = slash + 1;
    }
    *leafp = at;
    return dir;
}

static struct sockaddr_un address(int dir, const char *leaf)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir, leaf);
    return address;
}

/* A lock that only writers of the directory can take. Returns its descriptor. */
static int lock(int dir)
{
    int fd = openat(dir, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int64_t deadline = kn_now() + LOCK_NS;
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno != EINTR && (errno != EWOULDBLOCK || kn_now() > deadline)) {
            int kept = errno;
            close(fd);
            errno = kept;
            return -1;
        }
        struct timespec pause = kn_timespec(LOCK_STEP_NS);
        nanosleep(&pause, NULL);
    }
    return fd;
}

/* ---------------------------------------------------------------- taking */

/* 1 alive, 0 dead or absent. A full backlog is alive. */
static int is_alive(int dir, const char *leaf)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un to = address(dir, leaf);
    if (fd < 0)
        return 1;
    int rc = connect(fd, (struct sockaddr *)&to, sizeof to), error = errno;
    close(fd);
    return !rc || (error != ECONNREFUSED && error != ENOENT);
}

/* The hidden name is the leaf's own, and the lock is held: what a killed taker left is removed here, so
 * there is never more than one of it. */
static int bind_hidden(int dir, char *hidden, size_t room, const char *leaf, unsigned mode)
{
    snprintf(hidden, room, ".%s.new", leaf);
    (void)unlinkat(dir, hidden, 0);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un to = address(dir, hidden);
    if (fd < 0)
        return -1;
    if (!bind(fd, (struct sockaddr *)&to, sizeof to)) {
        if (!fchmodat(dir, hidden, mode, 0) && !listen(fd, BACKLOG))
            return fd;
        (void)unlinkat(dir, hidden, 0);
    }
    int kept = errno;
    close(fd);
    errno = kept;
    return -1;
}

/* Under the lock: the name is free, or its owner dead. */
static int put_in_place(struct kn_claim *claim, int *listenerp, const char *name, unsigned mode,
                        struct koine_why *why)
{
    struct stat status;
    char hidden[KN_ELEMENT_MAX + 8];
    bool there = !fstatat(claim->dir, claim->leaf, &status, AT_SYMLINK_NOFOLLOW);
    if (there && S_ISDIR(status.st_mode))
        return kn_refuse(why, KOINE_EINVAL, NULL, "'%s' is taken by services below it", name);
    if (there && is_alive(claim->dir, claim->leaf))
        return kn_refuse(why, KOINE_EEXIST, NULL, "'%s' is served by a living process", name);
    int fd = bind_hidden(claim->dir, hidden, sizeof hidden, claim->leaf, mode);
    if (fd < 0)
        return refuse_errno(why, "serving", name);
    if (fstatat(claim->dir, hidden, &status, AT_SYMLINK_NOFOLLOW) ||
        renameat(claim->dir, hidden, claim->dir, claim->leaf)) {
        int error = refuse_errno(why, "serving", name);
        (void)unlinkat(claim->dir, hidden, 0);
        close(fd);
        return error;
    }
    claim->device = status.st_dev;
    claim->inode = status.st_ino;
    *listenerp = fd;
    return 0;
}

static char *first_of(const char *dirs)
{
    return strndup(dirs, strcspn(dirs, ":"));
}

/* ENOTDIR on the way down: an element of the name is itself a service. */
static int open_for_serving(struct kn_claim *claim, const char *dirs, const char *name,
                            struct koine_why *why)
{
    const char *leaf = name;
    char *root = first_of(dirs);
    if (!root)
        return KOINE_ENOMEM;
    claim->dir = make_root(root) ? -1 : open_parent(&leaf, root, name, true);
    int error = claim->dir >= 0    ? 0
                : errno == ENOTDIR ? kn_refuse(why, KOINE_EINVAL, NULL,
                                               "'%s' lies below the name of another service", name)
                                   : refuse_errno(why, "making the directories of", name);
    free(root);
    snprintf(claim->leaf, sizeof claim->leaf, "%s", leaf);
    return error;
}

int kn_name_take(struct kn_claim *claim, int *listenerp, const char *dirs, const char *name,
                 unsigned mode, struct koine_why *why)
{
    struct kn_claim taken;
    int rc = kn_name_check(name, why);
    if (!rc)
        rc = open_for_serving(&taken, dirs, name, why);
    if (rc)
        return rc;
    int locked = lock(taken.dir);
    if (locked < 0 && errno == EWOULDBLOCK)
        rc = kn_refuse(why, KOINE_EDEADLINE, NULL, "the directory of '%s' stays locked", name);
    else if (locked < 0)
        rc = refuse_errno(why, "locking the directory of", name);
    else
        rc = put_in_place(&taken, listenerp, name, mode, why);
    if (locked >= 0)
        close(locked);
    if (rc)
        close(taken.dir);
    else
        *claim = taken;
    return rc;
}

void kn_name_give(struct kn_claim *claim)
{
    struct stat status;
    int locked = lock(claim->dir);
    if (!fstatat(claim->dir, claim->leaf, &status, AT_SYMLINK_NOFOLLOW) &&
        status.st_dev == claim->device && status.st_ino == claim->inode)
        (void)unlinkat(claim->dir, claim->leaf, 0);
    if (locked >= 0)
        close(locked);
    close(claim->dir);
    claim->dir = -1;
}

/* ---------------------------------------------------------------- connecting */

/* Whoever meets a dead name and may write removes it, unless somebody takes it over just now. */
static void bury(int dir, const char *leaf)
{
    int locked = lock(dir);
    if (locked < 0)
        return;
    if (!is_alive(dir, leaf))
        (void)unlinkat(dir, leaf, 0);
    close(locked);
}

static int connect_in(int *fdp, uid_t *ownerp, const char *root, const char *name)
{
    const char *leaf;
    struct stat status;
    int dir = open_parent(&leaf, root, name, false), error;
    if (dir < 0)
        return errno;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un to = address(dir, leaf);
    error =
        fd < 0 || fstat(dir, &status) || connect(fd, (struct sockaddr *)&to, sizeof to) ? errno : 0;
    if (error == ECONNREFUSED)
        bury(dir, leaf);
    close(dir);
    if (error && fd >= 0)
        close(fd);
    if (error)
        return error;
    *ownerp = status.st_uid;
    *fdp = fd;
    return 0;
}

static int connect_error(int error, const char *dirs, const char *name, struct koine_why *why)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENOTSOCK:
        return kn_refuse(why, KOINE_ENOENT, NULL, "no service '%s' in %s", name, dirs);
    case ECONNREFUSED:
        return kn_refuse(why, KOINE_ENOENT, NULL, "the process that served '%s' is dead", name);
    case EAGAIN:
        return kn_refuse(why, KOINE_EAGAIN, NULL, "'%s' has too many waiting connections", name);
    default:
        errno = error;
        return refuse_errno(why, "connecting to", name);
    }
}

int kn_name_connect(int *fdp, uid_t *ownerp, const char *dirs, const char *name,
                    struct koine_why *why)
{
    int rc = kn_name_check(name, why), error = ENOENT;
    if (rc)
        return rc;
    for (const char *at = dirs; *at && error == ENOENT; at += *at == ':') {
        size_t length = strcspn(at, ":");
        char *root = strndup(at, length);
        if (!root)
            return KOINE_ENOMEM;
        error = length ? connect_in(fdp, ownerp, root, name) : ENOENT;
        free(root);
        at += length;
    }
    return error ? connect_error(error, dirs, name, why) : 0;
}
