/* SPDX-License-Identifier: MIT
 *
 * The list of names. It wakes no service: what lives is told by one dump of the kernel's listening Unix
 * sockets (sock_diag(7)), matched by device and inode of the name. A name whose socket is not in the dump
 * is asked by a connection, which also buries the dead.
 */
#include <koine/koine.h>

#include "base/buffer.h"
#include "node/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { LISTENING = 10, NAMES_MAX = 100000, DUMP = 32768 };

struct listener {
    uint32_t device, inode;
};

struct lister {
    struct listener *listeners;
    size_t listener_count, listener_room;
    struct koine_name *names;
    size_t count, room;
    const char *dir;
    int failed, unread; /* unread: why a directory of the list was not */
};

static int ask_kernel(void)
{
    struct {
        struct nlmsghdr head;
        struct unix_diag_req body;
    } request = {
        .head = {.nlmsg_len = sizeof request,
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = AF_UNIX,
                 .udiag_states = 1u << LISTENING,
                 .udiag_show = UDIAG_SHOW_VFS},
    };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd >= 0 && send(fd, &request, sizeof request, 0) != (ssize_t)sizeof request) {
        close(fd);
        return -1;
    }
    return fd;
}

static void add_listener(struct lister *lister, uint32_t device, uint32_t inode)
{
    if (lister->listener_count == lister->listener_room) {
        size_t room = lister->listener_room ? 2 * lister->listener_room : 64;
        struct listener *grown = realloc(lister->listeners, room * sizeof *grown);
        if (!grown)
            return;
        lister->listeners = grown;
        lister->listener_room = room;
    }
    lister->listeners[lister->listener_count++] = (struct listener){device, inode};
}

static void read_answer(struct lister *lister, const struct nlmsghdr *head)
{
    const uint8_t *body = NLMSG_DATA(head);
    size_t left = head->nlmsg_len - NLMSG_HDRLEN, at = NLMSG_ALIGN(sizeof(struct unix_diag_msg));
    while (at + sizeof(struct nlattr) <= left) {
        struct nlattr attribute;
        struct unix_diag_vfs vfs;
        memcpy(&attribute, body + at, sizeof attribute);
        if (attribute.nla_len < sizeof attribute || at + attribute.nla_len > left)
            return;
        if (attribute.nla_type == UNIX_DIAG_VFS &&
            attribute.nla_len >= sizeof attribute + sizeof vfs) {
            memcpy(&vfs, body + at + sizeof attribute, sizeof vfs);
            add_listener(lister, vfs.udiag_vfs_dev, vfs.udiag_vfs_ino);
        }
        at += NLMSG_ALIGN(attribute.nla_len);
    }
}

static void dump_listeners(struct lister *lister)
{
    _Alignas(8) uint8_t octets[DUMP];
    bool done = false;
    int fd = ask_kernel();
    while (fd >= 0 && !done) {
        ssize_t got = recv(fd, octets, sizeof octets, 0);
        if (got <= 0)
            break;
        size_t left = (size_t)got;
        for (struct nlmsghdr *head = (void *)octets; NLMSG_OK(head, left);
             head = NLMSG_NEXT(head, left)) {
            done = head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR;
            if (!done)
                read_answer(lister, head);
        }
    }
    if (fd >= 0)
        close(fd);
}

/* The kernel's own form of a device number has 20 bits of minor. */
static bool listens(const struct lister *lister, const struct stat *status)
{
    uint32_t device =
        (uint32_t)(gnu_dev_major(status->st_dev) << 20 | gnu_dev_minor(status->st_dev));
    for (size_t i = 0; i < lister->listener_count; i++)
        if (lister->listeners[i].inode == (uint32_t)status->st_ino &&
            lister->listeners[i].device == device)
            return true;
    return false;
}

static int ask_name(const struct lister *lister, const char *name)
{
    uid_t owner;
    int fd, rc = kn_name_connect(&fd, &owner, lister->dir, name, NULL);
    if (!rc)
        close(fd);
    if (!rc || rc == KOINE_EAGAIN)
        return 1;
    return rc == KOINE_ENOENT ? 0 : -1;
}

static void add_name(struct lister *lister, const char *name, int alive, uid_t uid)
{
    if (lister->count == NAMES_MAX)
        return;
    if (lister->count == lister->room) {
        size_t room = lister->room ? 2 * lister->room : 32;
        struct koine_name *grown = realloc(lister->names, room * sizeof *grown);
        if (!grown) {
            lister->failed = KOINE_ENOMEM;
            return;
        }
        lister->names = grown;
        lister->room = room;
    }
    char *copy = strdup(name), *dir = strdup(lister->dir);
    if (!copy || !dir) {
        free(copy);
        free(dir);
        lister->failed = KOINE_ENOMEM;
        return;
    }
    lister->names[lister->count++] = (struct koine_name){copy, dir, alive, uid};
}

static void list_directory(struct lister *lister, int fd, const char *prefix, int depth);

static void list_entry(struct lister *lister, int dir, const char *prefix, const char *entry,
                       int depth)
{
    struct stat status;
    struct kn_buffer name;
    if (entry[0] == '.' || fstatat(dir, entry, &status, AT_SYMLINK_NOFOLLOW))
        return;
    kn_buffer_init(&name, KN_NAME_MAX);
    kn_buffer_print(&name, "%s%s%s", prefix, *prefix ? "/" : "", entry);
    if (!name.failed && S_ISDIR(status.st_mode) && depth < KN_NAME_ELEMENTS) {
        int inner = openat(dir, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (inner >= 0)
            list_directory(lister, inner, name.ptr, depth + 1);
    } else if (!name.failed && S_ISSOCK(status.st_mode)) {
        int alive = listens(lister, &status) ? 1 : ask_name(lister, name.ptr);
        if (alive)
            add_name(lister, name.ptr, alive, status.st_uid);
    }
    kn_buffer_deinit(&name);
}

/* Takes `fd`. */
static void list_directory(struct lister *lister, int fd, const char *prefix, int depth)
{
    DIR *stream = fdopendir(fd);
    if (!stream) {
        close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(stream));)
        list_entry(lister, fd, prefix, entry->d_name, depth);
    closedir(stream);
}

static void list_root(struct lister *lister, const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    lister->dir = dir;
    if (fd >= 0)
        list_directory(lister, fd, "", 0);
    else if (errno != ENOENT)
        lister->unread = errno == EACCES ? KOINE_EPERM : KOINE_ESYSTEM;
}

static int by_name(const void *a, const void *b)
{
    const struct koine_name *left = a, *right = b;
    return strcmp(left->name, right->name);
}

/* Ends with an entry without a name, so that freeing needs no count. */
static int finish(struct koine_name **namesp, size_t *countp, struct lister *lister)
{
    size_t count = lister->count;
    if (!lister->failed && count)
        qsort(lister->names, count, sizeof *lister->names, by_name);
    struct koine_name *names = realloc(lister->names, (count + 1) * sizeof *names);
    if (!names)
        return KOINE_ENOMEM;
    names[count] = (struct koine_name){0};
    lister->names = NULL;
    if (lister->failed) {
        koine_names_free(names);
        return lister->failed;
    }
    *namesp = names;
    *countp = count;
    return 0;
}

int koine_names(struct koine_name **namesp, size_t *countp, const char *dir)
{
    struct lister lister = {0};
    char *dirs = kn_dirs(dir), *rest = dirs, *each;
    if (!dirs)
        return KOINE_ENOMEM;
    dump_listeners(&lister);
    while ((each = strsep(&rest, ":"))) {
        if (*each)
            list_root(&lister, each);
    }
    if (!lister.count && !lister.failed)
        lister.failed = lister.unread;
    int rc = finish(namesp, countp, &lister);
    free(lister.listeners);
    free(dirs);
    return rc;
}

struct koine_name *koine_names_free(struct koine_name *names)
{
    for (struct koine_name *at = names; at && at->name; at++) {
        free((char *)at->name);
        free((char *)at->dir);
    }
    free(names);
    return NULL;
}
