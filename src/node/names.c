/* SPDX-License-Identifier: MIT */
#include "node/names.h"

#include "base/clock.h"

#include <koine/error.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, LOCK_NS = 1000000000, LOCK_STEP_NS = 2000000, TAKES = 8 };

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
    char *copy = *path ? strdup(path) : NULL;
    if (!copy) {
        errno = *path ? ENOMEM : ENOENT;
        return -1;
    }
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(copy, 0755);
        *slash = '/';
    }
    int rc = mkdir(copy, geteuid() ? 0700 : 0755);
    free(copy);
    return rc && errno != EEXIST ? -1 : 0;
}

static struct sockaddr_un address(int dir, const char *leaf)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir, leaf);
    return address;
}

/* Whether the lock file is still the directory's: who removes a directory removes that first. */
static bool is_current(int dir, int fd)
{
    struct stat own, there;
    return !fstat(fd, &own) && !fstatat(dir, ".lock", &there, AT_SYMLINK_NOFOLLOW) &&
           own.st_dev == there.st_dev && own.st_ino == there.st_ino;
}

/* A lock that only writers of the directory can take, until `deadline`. Returns its descriptor; ENOENT:
 * the directory was removed. */
static int lock_until(int dir, int64_t deadline)
{
    for (;;) {
        int fd = openat(dir, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return -1;
        bool locked = !flock(fd, LOCK_EX | LOCK_NB);
        int error = locked ? 0 : errno;
        if (locked && is_current(dir, fd))
            return fd;
        close(fd);
        errno = error;
        if (!locked && error != EINTR && (error != EWOULDBLOCK || kn_now() > deadline))
            return -1;
        struct timespec pause = kn_timespec(locked ? 0 : LOCK_STEP_NS);
        nanosleep(&pause, NULL);
    }
}

static int lock(int dir)
{
    return lock_until(dir, kn_now() + LOCK_NS);
}

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

/* Whoever meets a dead name and may write removes it, unless somebody takes it over just now. What is no
 * socket is nobody's name and stays. True: it is gone; errno is kept. */
static bool bury(int dir, const char *leaf)
{
    struct stat status;
    int kept = errno, locked = lock(dir);
    bool gone = locked >= 0 && !fstatat(dir, leaf, &status, AT_SYMLINK_NOFOLLOW) &&
                S_ISSOCK(status.st_mode) && !is_alive(dir, leaf) && !unlinkat(dir, leaf, 0);
    if (locked >= 0)
        close(locked);
    errno = kept;
    return gone;
}

/* One directory down; with `make` it is made if need be, also where a dead service stands. */
static int open_inner(int dir, const char *element, bool make)
{
    int inner = -1;
    for (int tries = 0; inner < 0 && tries < TAKES; tries++) {
        if (make)
            (void)mkdirat(dir, element, geteuid() ? 0700 : 0755);
        inner = openat(dir, element, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        bool dead = inner < 0 && make && errno == ENOTDIR && bury(dir, element);
        if (!dead && !(inner < 0 && make && errno == ENOENT))
            break;
    }
    return inner;
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
        int inner = open_inner(dir, element, make);
        int kept = errno;
        close(dir);
        errno = kept;
        dir = inner;
        at = slash + 1;
    }
    *leafp = at;
    return dir;
}

/* ---------------------------------------------------------------- taking */

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

static bool clear_directory(int above, const char *name, int depth);

/* Removes what is dead; false when something lives there or is none of ours. */
static bool clear_entry(int dir, const struct dirent *entry, int depth)
{
    struct stat status;
    const char *name = entry->d_name;
    if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, ".lock"))
        return true;
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT;
    if (S_ISDIR(status.st_mode))
        return clear_directory(dir, name, depth + 1);
    return S_ISSOCK(status.st_mode) && !is_alive(dir, name) && !unlinkat(dir, name, 0);
}

/* A directory that holds only what killed services left is removed, under its own lock: whoever is
 * about to serve there meets that it is gone and makes it again. */
static bool clear_directory(int above, const char *name, int depth)
{
    int dir = openat(above, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int locked = dir < 0 || depth > KN_NAME_ELEMENTS ? -1 : lock_until(dir, 0);
    int copy = locked < 0 ? -1 : fcntl(dir, F_DUPFD_CLOEXEC, 0);
    DIR *listing = copy < 0 ? NULL : fdopendir(copy);
    bool clear = listing != NULL;
    for (struct dirent *entry; clear && (entry = readdir(listing));)
        clear = clear_entry(dir, entry, depth);
    if (clear)
        clear = !unlinkat(dir, ".lock", 0) && !unlinkat(above, name, AT_REMOVEDIR);
    if (listing)
        closedir(listing);
    else if (copy >= 0)
        close(copy);
    if (locked >= 0)
        close(locked);
    if (dir >= 0)
        close(dir);
    return clear;
}

/* Under the lock: the name is free, or its owner dead. */
static int put_in_place(struct kn_name_claim *claim, int *listenerp, const char *name,
                        unsigned mode, struct koine_why *why)
{
    struct stat status;
    char hidden[KN_ELEMENT_MAX + 8];
    bool there = !fstatat(claim->dir, claim->leaf, &status, AT_SYMLINK_NOFOLLOW);
    if (there && S_ISDIR(status.st_mode) && !clear_directory(claim->dir, claim->leaf, 0))
        return kn_refuse(why, KOINE_EINVAL, NULL, "'%s' is taken by services below it", name);
    if (there && !S_ISDIR(status.st_mode) && !S_ISSOCK(status.st_mode))
        return kn_refuse(why, KOINE_EINVAL, NULL, "'%s' is a file that is no socket", name);
    if (there && S_ISSOCK(status.st_mode) && is_alive(claim->dir, claim->leaf))
        return kn_refuse(why, KOINE_EEXIST, NULL, "'%s' is served by a living process", name);
    int fd = bind_hidden(claim->dir, hidden, sizeof hidden, claim->leaf, mode);
    if (fd < 0)
        return refuse_errno(why, "serving", name);
    if (fstatat(claim->dir, hidden, &status, AT_SYMLINK_NOFOLLOW) ||
        renameat(claim->dir, hidden, claim->dir, claim->leaf)) {
        /* Somebody who is about to serve below made a directory of the name meanwhile. */
        int error = errno == EISDIR ? KOINE_EAGAIN : refuse_errno(why, "serving", name);
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
    dirs += strspn(dirs, ":");
    return strndup(dirs, strcspn(dirs, ":"));
}

/* ENOTDIR on the way down: an element of the name is itself a service. ENOENT: somebody removes just now
 * what was made here (KOINE_EAGAIN). */
static int open_for_serving(struct kn_name_claim *claim, const char *dirs, const char *name,
                            struct koine_why *why)
{
    const char *leaf = name, *doing = "making the directories of";
    char *root = first_of(dirs);
    int rc = 0;
    if (!root)
        return KOINE_ENOMEM;
    if (make_root(root))
        rc = refuse_errno(why, doing, name);
    else if ((claim->dir = open_parent(&leaf, root, name, true)) < 0)
        rc = errno == ENOENT    ? KOINE_EAGAIN
             : errno == ENOTDIR ? kn_refuse(why, KOINE_EINVAL, NULL,
                                            "'%s' lies below the name of another service", name)
                                : refuse_errno(why, doing, name);
    free(root);
    snprintf(claim->leaf, sizeof claim->leaf, "%s", leaf);
    return rc;
}

static int take_once(struct kn_name_claim *claim, int *listenerp, const char *dirs,
                     const char *name, unsigned mode, struct koine_why *why)
{
    struct kn_name_claim taken;
    int rc = open_for_serving(&taken, dirs, name, why);
    if (rc)
        return rc;
    int locked = lock(taken.dir);
    if (locked < 0 && errno == EWOULDBLOCK)
        rc = kn_refuse(why, KOINE_EDEADLINE, NULL, "the directory of '%s' stays locked", name);
    else if (locked < 0 && errno == ENOENT)
        rc = KOINE_EAGAIN;
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

/* Again when somebody made or removed a directory just then. */
int kn_name_take(struct kn_name_claim *claim, int *listenerp, const char *dirs, const char *name,
                 unsigned mode, struct koine_why *why)
{
    int rc = kn_name_check(name, why);
    if (rc)
        return rc;
    for (int tries = 0; tries < TAKES; tries++) {
        rc = take_once(claim, listenerp, dirs, name, mode, why);
        if (rc != KOINE_EAGAIN)
            return rc;
    }
    return kn_refuse(why, KOINE_EDEADLINE, NULL, "the directory of '%s' changes again and again",
                     name);
}

void kn_name_give(struct kn_name_claim *claim)
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
