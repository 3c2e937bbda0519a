// SPDX-License-Identifier: MIT
#include "answers.h"

#include "processes.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { LINK = 4096 };

static struct machine_Process row(struct koine_request *request, const struct process *process)
{
    struct machine_Process value = process->value;
    value.name = answers_keep(request, process->name);
    value.command = answers_keep(request, process->command);
    return value;
}

int answers_processes(void *self, struct koine_request *request,
                      const struct machine_Host_processes_in *in,
                      struct machine_Host_processes_out *out)
{
    const struct host *host = self;
    struct processes found = {0};
    int rc = processes_read(&found, host->proc, &in->filter);
    struct machine_Process *rows =
        rc ? NULL : koine_request_alloc(request, (found.count + 1) * sizeof *rows);
    for (size_t i = 0; rows && i < found.count; i++)
        rows[i] = row(request, &found.rows[i]);
    out->return_ = (struct machine_Process_seq)KOINE_MANY(rows, (uint32_t)found.count);
    processes_deinit(&found);
    return rows ? 0 : answers_fail(request, "/proc", rc ? rc : ENOMEM);
}

static uint32_t count_arguments(const struct text *text)
{
    uint32_t count = 0;
    for (size_t at = 0; at < text->length; at += strlen(text->ptr + at) + 1)
        count++;
    return count;
}

static void keep_arguments(struct koine_seq_string *arguments, struct koine_request *request,
                           const struct text *text)
{
    uint32_t count = count_arguments(text), i = 0;
    size_t room = 3 * text->length + 1;
    struct koine_string *list = koine_request_alloc(request, (count + 1) * sizeof *list);
    char *clean = koine_request_alloc(request, room + count);
    if (!list || !clean)
        return;
    for (size_t at = 0; at < text->length; at += strlen(text->ptr + at) + 1, i++) {
        size_t length = strlen(text->ptr + at);
        size_t filled = text_clean(clean, 3 * length + 1, text->ptr + at, length, false);
        list[i] = (struct koine_string)KOINE_MANY(clean, (uint32_t)filled);
        clean += filled + 1;
    }
    *arguments = (struct koine_seq_string)KOINE_MANY(list, count);
}

static struct koine_string keep_link(struct koine_request *request, int dir, const char *name)
{
    char path[LINK];
    process_read_link(path, sizeof path, dir, name);
    return answers_keep(request, path);
}

/* The kernel shows this to root and to the process's own user; a service that is root keeps to that. */
static void look_inside(struct machine_Details *out, struct koine_request *request,
                        const struct process_status *status, int dir)
{
    uint32_t uid = koine_request_caller(request)->uid;
    out->executable = answers_keep(request, "");
    out->directory = answers_keep(request, "");
    if (uid && (uid != status->uid || uid != status->effective_uid || uid != status->saved_uid))
        return;
    out->executable = keep_link(request, dir, "exe");
    out->directory = keep_link(request, dir, "cwd");
    out->files = process_count_files(dir);
}

static int read_details(struct machine_Details *out, struct koine_request *request,
                        struct text *text, int dir)
{
    struct process process;
    struct process_status status;
    int rc = process_read_stat(&process, text, dir);
    if (!rc)
        rc = process_read_status(&status, text, dir);
    if (rc)
        return rc;
    rc = process_read_command(&process, text, dir);
    process.value.uid = status.uid;
    struct machine_Process base = row(request, &process);
    *out = (struct machine_Details){
        .pid = base.pid,
        .parent = base.parent,
        .uid = base.uid,
        .name = base.name,
        .state = base.state,
        .threads = base.threads,
        .rss = base.rss,
        .cpu = base.cpu,
        .started = base.started,
        .command = base.command,
        .effective_uid = status.effective_uid,
        .saved_uid = status.saved_uid,
        .session = process.session,
        .nice = process.nice,
        .virtual_size = process.virtual_size,
        .swapped = status.swapped,
        .waits = status.waits,
        .preempted = status.preempted,
    };
    look_inside(out, request, &status, dir);
    if (!rc) {
        keep_arguments(&out->arguments, request, text);
        out->arguments_cut = text->cut;
    }
    return rc == ESRCH ? rc : 0;
}

int answers_process(void *self, struct koine_request *request,
                    const struct machine_Host_process_in *in, struct machine_Host_process_out *out)
{
    const struct host *host = self;
    const struct machine_NoSuchProcess missing = {in->pid};
    struct text text = {0};
    int dir = process_open(host->proc, in->pid);
    int rc = dir < 0 ? errno : read_details(&out->return_, request, &text, dir);
    text_deinit(&text);
    if (dir >= 0)
        close(dir);
    if (rc == ESRCH || rc == ENOENT)
        return machine_Host_raise_NoSuchProcess(request, &missing);
    return rc ? answers_fail(request, "the process", rc) : 0;
}
