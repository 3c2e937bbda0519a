// SPDX-License-Identifier: MIT
//
// A process is read no further than the filter needs: most are refused by their name and state, before
// their user and their arguments cost two more files.
#include "processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_uid(const struct koine_seq_uint32 *wanted, uint32_t uid)
{
    for (uint32_t i = 0; i < wanted->length; i++)
        if (wanted->ptr[i] == uid)
            return true;
    return !wanted->length;
}

static bool has_state(const struct koine_seq_int32 *wanted, int32_t state)
{
    for (uint32_t i = 0; i < wanted->length; i++)
        if (wanted->ptr[i] == state)
            return true;
    return !wanted->length;
}

static bool fits(const struct process *process, const struct machine_Filter *filter)
{
    return process->value.rss >= filter->rss && has_state(&filter->states, process->value.state) &&
           strstr(process->name, filter->name.ptr ? filter->name.ptr : "");
}

/* Whether the process fits, or an errno, negative. */
static int read_one(struct process *process, struct text *text, int dir,
                    const struct machine_Filter *filter)
{
    struct process_status status;
    int rc = process_read_stat(process, text, dir);
    if (rc || !fits(process, filter))
        return -rc;
    rc = process_read_status(&status, text, dir);
    if (rc || !has_uid(&filter->uids, status.uid))
        return -rc;
    process->value.uid = status.uid;
    rc = process_read_command(process, text, dir);
    return rc == ESRCH || rc == ENOMEM ? -rc : 1; /* arguments may be secret, and are empty then */
}

static int make_room(struct processes *processes)
{
    if (processes->count < processes->room)
        return 0;
    size_t room = processes->room ? 2 * processes->room : 128;
    struct process *rows =
        room <= PROCESSES_MOST ? realloc(processes->rows, room * sizeof *rows) : NULL;
    if (!rows)
        return ENOMEM;
    processes->rows = rows;
    processes->room = room;
    return 0;
}

static int read_all(struct processes *processes, struct text *text, DIR *all,
                    const struct machine_Filter *filter)
{
    int rc = 0;
    for (struct dirent *entry; rc != ENOMEM && (entry = readdir(all));) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        if ((rc = make_room(processes)))
            break;
        int dir = openat(dirfd(all), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
            continue;
        int fitting = read_one(&processes->rows[processes->count], text, dir, filter);
        close(dir);
        processes->count += fitting > 0;
        rc = fitting < 0 ? -fitting : 0;
    }
    return rc == ENOMEM ? rc : 0;
}

static int compare_pids(const void *a, const void *b)
{
    const struct process *one = a, *two = b;
    return (one->value.pid > two->value.pid) - (one->value.pid < two->value.pid);
}

static int compare_names(const void *a, const void *b)
{
    int order = strcmp(((const struct process *)a)->name, ((const struct process *)b)->name);
    return order ? order : compare_pids(a, b);
}

static int compare_rss(const void *a, const void *b)
{
    const struct process *one = a, *two = b;
    int order = (one->value.rss < two->value.rss) - (one->value.rss > two->value.rss);
    return order ? order : compare_pids(a, b);
}

static int compare_cpu(const void *a, const void *b)
{
    const struct process *one = a, *two = b;
    int order = (one->value.cpu < two->value.cpu) - (one->value.cpu > two->value.cpu);
    return order ? order : compare_pids(a, b);
}

static int (*const orders[])(const void *, const void *) = {
    [machine_Order_by_pid] = compare_pids,
    [machine_Order_by_name] = compare_names,
    [machine_Order_by_rss] = compare_rss,
    [machine_Order_by_cpu] = compare_cpu,
};

int processes_read(struct processes *processes, int proc, const struct machine_Filter *filter)
{
    struct text text = {0};
    int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *all = fd >= 0 ? fdopendir(fd) : NULL;
    if (!all) {
        int rc = errno;
        if (fd >= 0)
            close(fd);
        return rc;
    }
    int rc = read_all(processes, &text, all, filter);
    closedir(all);
    text_deinit(&text);
    if (processes->count)
        qsort(processes->rows, processes->count, sizeof *processes->rows, orders[filter->order]);
    if (filter->limit && filter->limit < processes->count)
        processes->count = filter->limit;
    return rc;
}

void processes_deinit(struct processes *processes)
{
    free(processes->rows);
    *processes = (struct processes){0};
}
