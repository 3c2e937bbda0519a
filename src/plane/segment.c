/* SPDX-License-Identifier: MIT */
#include "plane/segment.h"

#include <koine/error.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

enum {
    FIXED = F_SEAL_SHRINK | F_SEAL_GROW,
    FINAL = FIXED | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL,
    PATH_MAX_SELF = 40
};

static void close_keeping_errno(int fd)
{
    int kept = errno;
    if (fd >= 0)
        close(fd);
    errno = kept;
}

/* Kernels before 6.3 do not know MFD_NOEXEC_SEAL; there the memfd is executable, which harms nobody. */
static int make_memfd(size_t size)
{
    int fd = memfd_create("koine", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("koine", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && ftruncate(fd, (off_t)size)) {
        close_keeping_errno(fd);
        fd = -1;
    }
    return fd;
}

static int map(struct kn_segment *segment, int fd, size_t size, int protection)
{
    void *base = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return KOINE_ESYSTEM;
    if (madvise(base, size, MADV_DONTFORK)) {
        int kept = errno;
        munmap(base, size);
        errno = kept;
        return KOINE_ESYSTEM;
    }
    *segment = (struct kn_segment){base, size};
    return 0;
}

/* Reserves before mapping, so that running out of memory is an error and not a signal. */
static int reserve_and_map(struct kn_segment *segment, int fd, size_t size, int seals)
{
    int rc;
    do
        rc = fallocate(fd, 0, 0, (off_t)size);
    while (rc && errno == EINTR);
    if (rc || map(segment, fd, size, PROT_READ | PROT_WRITE))
        return KOINE_ESYSTEM;
    if (!fcntl(fd, F_ADD_SEALS, seals))
        return 0;
    int kept = errno;
    kn_segment_deinit(segment);
    errno = kept;
    return KOINE_ESYSTEM;
}

/* Where no /proc is mounted, or this process may open nothing, the writable descriptor is as safe: the seals are what protects. */
static int reopen_read_only(int fd)
{
    char path[PATH_MAX_SELF];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int reading = open(path, O_RDONLY | O_CLOEXEC);
    if (reading >= 0) {
        close(fd);
        return reading;
    }
    return errno == ENOENT || errno == EACCES ? fd : -1;
}

int kn_segment_create(struct kn_segment *segment, int *fdp, size_t size)
{
    int fd = make_memfd(size);
    if (fd < 0)
        return KOINE_ESYSTEM;
    struct kn_segment made;
    int rc = reserve_and_map(&made, fd, size, FINAL);
    int reading = rc ? -1 : reopen_read_only(fd);
    if (reading < 0) {
        close_keeping_errno(fd);
        if (!rc)
            kn_segment_deinit(&made);
        return KOINE_ESYSTEM;
    }
    *segment = made;
    *fdp = reading;
    return 0;
}

int kn_segment_offer(struct kn_segment *segment, int *fdp, size_t size)
{
    int fd = make_memfd(size);
    if (fd < 0)
        return KOINE_ESYSTEM;
    if (fcntl(fd, F_ADD_SEALS, FIXED) || map(segment, fd, size, PROT_READ)) {
        close_keeping_errno(fd);
        return KOINE_ESYSTEM;
    }
    *fdp = fd;
    return 0;
}

/* The C library makes fstat out of a call that can also look at paths, which sandboxes forbid. */
#if defined SYS_fstat && defined __LP64__
#define status_of(fd, status) syscall(SYS_fstat, fd, status)
#else
#define status_of(fd, status) fstat(fd, status)
#endif

static bool has_size(int fd, size_t size, struct stat *status)
{
    return !status_of(fd, status) && S_ISREG(status->st_mode) && status->st_size == (off_t)size;
}

int kn_segment_accept(struct kn_segment *segment, int fd, size_t size)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS), rc = KOINE_EPROTOCOL;
    if (seals >= 0 && (seals & FIXED) == FIXED && has_size(fd, size, &status))
        rc = reserve_and_map(segment, fd, size, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
    close_keeping_errno(fd);
    return rc;
}

/* The order matters: once FUTURE_WRITE is seen no hole can be punched any more, so what fstat says of
 * the reservation stays true. */
int kn_segment_verify(int fd, size_t size)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & FINAL) != FINAL || !has_size(fd, size, &status))
        return KOINE_EPROTOCOL;
    return (uint64_t)status.st_blocks * 512 >= size ? 0 : KOINE_EPROTOCOL;
}

int kn_segment_adopt(struct kn_segment *segment, int fd, size_t size)
{
    int rc = kn_segment_verify(fd, size);
    if (!rc)
        rc = map(segment, fd, size, PROT_READ);
    close_keeping_errno(fd);
    return rc;
}

void kn_segment_deinit(struct kn_segment *segment)
{
    if (segment->base)
        munmap(segment->base, segment->size);
    *segment = (struct kn_segment){NULL, 0};
}
