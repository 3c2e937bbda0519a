// SPDX-License-Identifier: MIT
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 65536, KERNEL_THREAD = 0x00200000 };

/* Fields of /proc/PID/stat behind the name, from 0 (proc_pid_stat(5) has them from 3). */
enum {
    STATE,
    PARENT,
    SESSION = 3,
    FLAGS = 6,
    USER_TIME = 11,
    KERNEL_TIME,
    NICE = 16,
    THREADS,
    STARTED = 19,
    VIRTUAL_SIZE,
    RSS,
    FIELDS
};

int process_open(int proc, int32_t pid)
{
    char path[32];
    struct text text = {0};
    struct process_status status;
    snprintf(path, sizeof path, "%d", pid);
    int dir = pid > 0 ? openat(proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    int rc = dir >= 0 ? process_read_status(&status, &text, dir) : errno;
    text_deinit(&text);
    if (dir >= 0 && !rc && status.group == pid)
        return dir;
    if (dir >= 0)
        close(dir);
    errno = pid <= 0 || !rc || rc == ENOENT ? ESRCH : rc;
    return -1;
}

static int32_t state_of(char letter)
{
    static const struct {
        char letter;
        int32_t state;
    } states[] = {
        {'R', machine_State_running}, {'S', machine_State_sleeping}, {'D', machine_State_blocked},
        {'T', machine_State_stopped}, {'t', machine_State_traced},   {'Z', machine_State_zombie},
        {'X', machine_State_dead},    {'I', machine_State_idle},
    };
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (states[i].letter == letter)
            return states[i].state;
    return machine_State_other;
}

/* Splits the fields behind the name; the state's letter is in `letterp`. */
static int split(int64_t fields[FIELDS], char *letterp, const char *from)
{
    char *end;
    if (from[0] != ' ' || !from[1])
        return EINVAL;
    *letterp = from[1];
    from += 2;
    for (int i = PARENT; i < FIELDS; i++, from = end) {
        fields[i] = (int64_t)strtoull(from, &end, 10); /* takes a sign too */
        if (end == from)
            return EINVAL;
    }
    return 0;
}

/* The name ends at the last parenthesis: it may hold some, and nothing behind it does. */
int process_read_stat(struct process *process, struct text *text, int dir)
{
    int64_t fields[FIELDS];
    char letter = 0;
    int rc = text_read(text, dir, "stat", MOST);
    if (rc)
        return rc;
    const char *name = strchr(text->ptr, '('), *end = strrchr(text->ptr, ')');
    if (!name || !end || end < name || split(fields, &letter, end + 1))
        return text->length ? EINVAL : ESRCH;
    double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
    process->value = (struct machine_Process){
        .pid = (int32_t)strtol(text->ptr, NULL, 10),
        .parent = (int32_t)fields[PARENT],
        .state = state_of(letter),
        .threads = (uint32_t)fields[THREADS],
        .rss = (uint64_t)fields[RSS] * (uint64_t)sysconf(_SC_PAGESIZE),
        .cpu = (double)(fields[USER_TIME] + fields[KERNEL_TIME]) * tick,
        .started = (double)fields[STARTED] * tick,
    };
    process->session = (int32_t)fields[SESSION];
    process->nice = (int32_t)fields[NICE];
    process->virtual_size = (uint64_t)fields[VIRTUAL_SIZE];
    process->kernel_thread = fields[FLAGS] & KERNEL_THREAD;
    process->command[0] = 0;
    text_clean(process->name, sizeof process->name, name + 1, (size_t)(end - name - 1), false);
    return 0;
}

static uint64_t mask(const struct text *text, const char *key)
{
    const char *found = text_find(text, key);
    return found ? strtoull(found, NULL, 16) : 0;
}

/* The kernel escapes line ends in the name here, so no process can forge a line. */
int process_read_status(struct process_status *status, struct text *text, int dir)
{
    int rc = text_read(text, dir, "status", MOST);
    if (rc)
        return rc;
    const char *uids = text_find(text, "Uid:");
    *status = (struct process_status){
        .group = (int32_t)text_number(text, "Tgid:"),
        .caught = mask(text, "SigCgt:"),
        .capabilities = mask(text, "CapEff:"),
        .swapped = text_number(text, "VmSwap:") * 1024,
        .waits = text_number(text, "voluntary_ctxt_switches:"),
        .preempted = text_number(text, "nonvoluntary_ctxt_switches:"),
    };
    int got =
        uids ? sscanf(uids, "%u %u %u", &status->uid, &status->effective_uid, &status->saved_uid)
             : 0;
    return got == 3 ? 0 : text->length ? EINVAL : ESRCH;
}

/* A zombie has none. Programs that write over their arguments may leave out the last NUL. */
int process_read_command(struct process *process, struct text *text, int dir)
{
    int rc = text_read(text, dir, "cmdline", PROCESS_ARGUMENTS);
    size_t length = rc ? 0 : text->length;
    while (length && !text->ptr[length - 1])
        length--;
    text_clean(process->command, sizeof process->command, text->ptr, length, true);
    return rc;
}

uint32_t process_count_files(int dir)
{
    uint32_t count = 0;
    int fd = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *files = fd >= 0 ? fdopendir(fd) : NULL;
    if (!files) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(files));)
        count += entry->d_name[0] != '.';
    closedir(files);
    return count;
}

void process_read_link(char *to, size_t room, int dir, const char *name)
{
    char path[PATH_MAX];
    ssize_t length = readlinkat(dir, name, path, sizeof path);
    text_clean(to, room, path, length > 0 ? (size_t)length : 0, false);
}
