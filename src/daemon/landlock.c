/* SPDX-License-Identifier: MIT */
#include "daemon/landlock.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ruleset {
    uint64_t files, net, scoped;
};

/* All that each version of the interface knows, and how much of the struct. */
static const struct {
    int version;
    size_t size;
    struct ruleset all;
} versions[] = {
    {6, 24, {(1 << 16) - 1, 3, 3}}, {5, 16, {(1 << 16) - 1, 3, 0}}, {4, 16, {(1 << 15) - 1, 3, 0}},
    {3, 8, {(1 << 15) - 1, 0, 0}},  {2, 8, {(1 << 14) - 1, 0, 0}},  {1, 8, {(1 << 13) - 1, 0, 0}},
};

int kn_landlock_version(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

/* Without a rule in the set nothing of what it handles is permitted. */
int kn_landlock_forbid(void)
{
    int version = kn_landlock_version();
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        if (version < versions[i].version)
            continue;
        int set = (int)syscall(SYS_landlock_create_ruleset, &versions[i].all, versions[i].size, 0);
        int rc = set < 0 ? -1 : (int)syscall(SYS_landlock_restrict_self, set, 0), kept = errno;
        if (set >= 0)
            close(set);
        errno = kept;
        return rc;
    }
    return 0;
}
