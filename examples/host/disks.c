// SPDX-License-Identifier: MIT
#include "disks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { DEPTH_MOST = 64 };

static bool is_listed(const char *const *list, const char *type)
{
    for (; *list; list++)
        if (!strcmp(*list, type))
            return true;
    return false;
}

/* Those with a device are told by the kernel; a program may serve one all the same. */
static bool is_disk_type(const char *type, const struct text *filesystems)
{
    static const char *const without_device[] = {"overlay", "zfs", "bcachefs", NULL};
    char line[MOUNT_TYPE + 2] = "\t";
    if (strlen(type) >= MOUNT_TYPE || !strncmp(type, "fuse", 4))
        return false;
    strcat(strcat(line, type), "\n");
    return is_listed(without_device, type) || text_find(filesystems, line);
}

static bool is_kernel_type(const char *type)
{
    static const char *const types[] = {
        "rootfs",    "ramfs",      "tmpfs",       "devtmpfs",  "devpts",  "proc",
        "sysfs",     "cgroup",     "cgroup2",     "configfs",  "debugfs", "tracefs",
        "hugetlbfs", "securityfs", "efivarfs",    "selinuxfs", "mqueue",  "bpf",
        "pstore",    "nsfs",       "binfmt_misc", NULL};
    return is_listed(types, type);
}

static const struct mount *find(const struct mounts *mounts, uint64_t id)
{
    for (size_t i = 0; i < mounts->count; i++)
        if (mounts->rows[i].id == id)
            return &mounts->rows[i];
    return NULL;
}

/* The root of a namespace hangs on a mount that is not listed, or on itself. */
static bool is_reached(const struct mounts *mounts, const struct mount *mount,
                       const struct text *filesystems)
{
    for (int depth = 0; depth < DEPTH_MOST; depth++) {
        const struct mount *above = find(mounts, mount->parent);
        if (!above || above == mount)
            return true;
        if (!is_kernel_type(above->type) && !is_disk_type(above->type, filesystems))
            return false;
        mount = above;
    }
    return false;
}

static bool is_known(const struct mounts *mounts, const struct mount *mount)
{
    for (const struct mount *other = mounts->rows; other < mount; other++)
        if (other->disk && !strcmp(other->device, mount->device))
            return true;
    return false;
}

/* Blanks and the like are written \040 in mountinfo. */
static char *unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        bool octal = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
                     from[2] <= '7' && from[3] >= '0' && from[3] <= '7';
        if (octal)
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
        else
            *to = *from;
        from += octal ? 4 : 1;
    }
    *to = 0;
    return text;
}

/* id parent major:minor root path options [optional ...] - type source options */
static bool parse_line(struct mount *mount, char *line)
{
    char *rest = NULL, *behind = strstr(line, " - ");
    if (!behind)
        return false;
    *behind = 0;
    char *fields[5], *more = NULL;
    for (int i = 0; i < 5; i++)
        if (!(fields[i] = strtok_r(i ? NULL : line, " ", &rest)))
            return false;
    char *type = strtok_r(behind + 3, " ", &more), *source = strtok_r(NULL, " ", &more);
    if (!type || strlen(fields[2]) >= sizeof mount->device)
        return false;
    *mount = (struct mount){.id = strtoull(fields[0], NULL, 10),
                            .parent = strtoull(fields[1], NULL, 10),
                            .path = unescape(fields[4]),
                            .type = unescape(type),
                            .source = source ? unescape(source) : ""};
    strcpy(mount->device, fields[2]);
    return true;
}

int mounts_parse(struct mounts *mounts, struct text *mountinfo, const struct text *filesystems)
{
    char *rest = NULL;
    *mounts = (struct mounts){.rows = calloc(MOUNTS_MOST, sizeof *mounts->rows)};
    if (!mounts->rows)
        return ENOMEM;
    for (char *line = strtok_r(mountinfo->ptr, "\n", &rest); line && mounts->count < MOUNTS_MOST;
         line = strtok_r(NULL, "\n", &rest))
        mounts->count += parse_line(&mounts->rows[mounts->count], line);
    for (size_t i = 0; i < mounts->count; i++) {
        struct mount *mount = &mounts->rows[i];
        mount->disk = is_disk_type(mount->type, filesystems) && !is_known(mounts, mount) &&
                      is_reached(mounts, mount, filesystems);
    }
    return 0;
}

void mounts_deinit(struct mounts *mounts)
{
    free(mounts->rows);
    *mounts = (struct mounts){0};
}

/* The path leads to what is mounted there last, which need not be this one. Linux before 5.8 cannot tell. */
static int ask(struct statvfs *room, int fd, uint64_t id)
{
    struct statx is = {0};
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &is))
        return errno;
    if (is.stx_mask & STATX_MNT_ID && is.stx_mnt_id != id)
        return ESTALE;
    return fstatvfs(fd, room) ? errno : 0;
}

int disk_read(struct disk *disk, const struct mount *mount)
{
    struct statvfs room;
    int fd = open(mount->path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int rc = ask(&room, fd, mount->id);
    close(fd);
    if (rc)
        return rc;
    disk->value = (struct machine_Disk){.read_only = (room.f_flag & ST_RDONLY) != 0,
                                        .total = room.f_blocks * room.f_frsize,
                                        .free = room.f_bfree * room.f_frsize,
                                        .available = room.f_bavail * room.f_frsize,
                                        .files = room.f_files,
                                        .files_free = room.f_ffree};
    text_clean(disk->device, sizeof disk->device, mount->source, strlen(mount->source), false);
    text_clean(disk->path, sizeof disk->path, mount->path, strlen(mount->path), false);
    text_clean(disk->type, sizeof disk->type, mount->type, strlen(mount->type), false);
    return 0;
}
