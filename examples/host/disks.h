/* SPDX-License-Identifier: MIT
 *
 * Mounted file systems whose room can be asked for without waiting for anybody.
 *
 * statvfs on a dead network mount, or on one that a stopped program serves (FUSE), does not come back,
 * and neither does a walk through it to what is mounted below. So a mount counts only when its type lives
 * in the kernel alone, and so do those of all mounts above it up to the root. (A disk whose hardware
 * hangs does not matter here: its numbers are in memory.) An overlay counts as a disk: the layer that
 * is written answers for it, and that is one.
 */
#ifndef HOST_DISKS_H
#define HOST_DISKS_H

#include "host.h"
#include "text.h"

enum { MOUNTS_TEXT = 4 << 20, MOUNTS_MOST = 4096, MOUNT_PATH = 4096, MOUNT_TYPE = 64 };

struct mount {
    uint64_t id, parent;
    char device[24];                  /* major:minor */
    const char *path, *type, *source; /* octets as the kernel takes them */
    bool disk;                        /* may be asked, and is the first of its device that may */
};

struct mounts {
    struct mount *rows;
    size_t count;
};

/* Parses /proc/self/mountinfo, whose text is changed and must stay, and chooses the disks with the help of
 * /proc/filesystems. Mounts above MOUNTS_MOST are left out. 0 or ENOMEM; deinitialise it always. */
int mounts_parse(struct mounts *mounts, struct text *mountinfo, const struct text *filesystems);
void mounts_deinit(struct mounts *mounts);

struct disk {
    struct machine_Disk value; /* but for its strings */
    char device[MOUNT_PATH], path[MOUNT_PATH], type[MOUNT_TYPE];
};

/* Asks. 0 or an errno; ESTALE when another is mounted over it. */
int disk_read(struct disk *disk, const struct mount *mount);

#endif
