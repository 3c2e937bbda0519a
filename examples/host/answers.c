// SPDX-License-Identifier: MIT
#include "answers.h"

#include "disks.h"
#include "signals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int answers_fail(struct koine_request *request, const char *what, int error)
{
    char message[256];
    int32_t code = error == EACCES || error == EPERM ? KOINE_FAULT_PERMISSION_DENIED
                   : error == ENOMEM                 ? KOINE_FAULT_RESOURCE_EXHAUSTED
                                                     : KOINE_FAULT_INTERNAL;
    snprintf(message, sizeof message, "%s: %s", what, strerror(error));
    return koine_request_fault(request, code, message);
}

struct koine_string answers_keep(struct koine_request *request, const char *text)
{
    struct koine_string kept = KOINE_TEXT("");
    size_t length = strlen(text);
    char *copy = koine_request_alloc(request, length + 1);
    if (!copy)
        return kept;
    kept.ptr = memcpy(copy, text, length + 1);
    kept.length = (uint32_t)length;
    return kept;
}

static int read_file(struct text *text, const struct host *host, const char *path)
{
    *text = (struct text){0};
    return text_read(text, host->proc, path, FIGURES_MOST);
}

/* ---------------------------------------------------------------- attributes */

static int get_hostname(void *self, struct koine_request *request, struct koine_string *value)
{
    struct text text;
    char name[256];
    int rc = read_file(&text, self, "sys/kernel/hostname");
    if (!rc)
        text_clean(name, sizeof name, text.ptr, strcspn(text.ptr, "\n"), true);
    text_deinit(&text);
    if (rc)
        return answers_fail(request, "/proc/sys/kernel/hostname", rc);
    *value = answers_keep(request, name);
    return 0;
}

static int get_uptime(void *self, struct koine_request *request, double *value)
{
    struct text text;
    int rc = read_file(&text, self, "uptime");
    if (!rc)
        *value = strtod(text.ptr, NULL);
    text_deinit(&text);
    return rc ? answers_fail(request, "/proc/uptime", rc) : 0;
}

static int get_load(void *self, struct koine_request *request, struct machine_Load *value)
{
    struct text text;
    int rc = read_file(&text, self, "loadavg");
    if (!rc)
        rc = figures_load(value, &text);
    text_deinit(&text);
    return rc ? answers_fail(request, "/proc/loadavg", rc) : 0;
}

static int get_rate(void *self, struct koine_request *request, uint32_t *value)
{
    const struct host *host = self;
    (void)request;
    *value = host->sampler.rate;
    return 0;
}

static int set_rate(void *self, struct koine_request *request, const uint32_t *value)
{
    struct host *host = self;
    if (*value < RATE_LEAST || *value > RATE_MOST)
        return koine_request_fault(request, KOINE_FAULT_OUT_OF_RANGE,
                                   "the rate is 1 to 20000 samples per second");
    sampler_set_rate(&host->sampler, *value);
    return machine_Host_changed_rate(host->service, *value);
}

/* ---------------------------------------------------------------- signals, memory, disks */

static int send_signal(void *self, struct koine_request *request,
                       const struct machine_Host_send_signal_in *in)
{
    const struct host *host = self;
    const struct machine_NoSuchProcess missing = {in->pid};
    struct machine_SignalRefused refused = {.pid = in->pid};
    const char *reason;
    switch (signals_send(&reason, host->proc, koine_request_caller(request), in->pid, in->signal)) {
    case SIGNALS_SENT:
        return 0;
    case SIGNALS_NO_PROCESS:
        return machine_Host_raise_NoSuchProcess(request, &missing);
    case SIGNALS_DENIED:
        return koine_request_fault(request, KOINE_FAULT_PERMISSION_DENIED,
                                   "the process is another user's");
    case SIGNALS_UNHEARD:
        refused.reason = koine_string(reason);
        return machine_Host_raise_SignalRefused(request, &refused);
    default:
        return koine_request_fault(request, KOINE_FAULT_INTERNAL, reason);
    }
}

static int memory(void *self, struct koine_request *request, struct machine_Host_memory_out *out)
{
    struct text text;
    int rc = read_file(&text, self, "meminfo");
    if (!rc)
        rc = figures_memory(&out->return_, &text);
    text_deinit(&text);
    return rc ? answers_fail(request, "/proc/meminfo", rc) : 0;
}

static int list_disks(struct machine_Disk_seq *out, struct koine_request *request,
                      const struct mounts *mounts)
{
    struct machine_Disk *rows = koine_request_alloc(request, (mounts->count + 1) * sizeof *rows);
    struct disk *disk = malloc(sizeof *disk);
    uint32_t count = 0;
    for (size_t i = 0; rows && disk && i < mounts->count; i++) {
        if (!mounts->rows[i].disk || disk_read(disk, &mounts->rows[i]))
            continue;
        rows[count] = disk->value;
        rows[count].device = answers_keep(request, disk->device);
        rows[count].path = answers_keep(request, disk->path);
        rows[count++].type = answers_keep(request, disk->type);
    }
    *out = (struct machine_Disk_seq)KOINE_MANY(rows, count);
    int rc = rows && disk ? 0 : ENOMEM;
    free(disk);
    return rc;
}

static int disks(void *self, struct koine_request *request, struct machine_Host_disks_out *out)
{
    struct text mountinfo, filesystems;
    struct mounts mounts = {0};
    int rc = read_file(&mountinfo, self, "self/mountinfo");
    int rc_types = read_file(&filesystems, self, "filesystems");
    if (!rc)
        rc = rc_types;
    if (!rc)
        rc = mounts_parse(&mounts, &mountinfo, &filesystems);
    if (!rc)
        rc = list_disks(&out->return_, request, &mounts);
    mounts_deinit(&mounts);
    text_deinit(&mountinfo);
    text_deinit(&filesystems);
    return rc ? answers_fail(request, "the mounts", rc) : 0;
}

const struct machine_Host_handlers answers = {
    .get_hostname = get_hostname,
    .get_uptime = get_uptime,
    .get_load = get_load,
    .get_rate = get_rate,
    .set_rate = set_rate,
    .processes = answers_processes,
    .process = answers_process,
    .memory = memory,
    .disks = disks,
    .send_signal = send_signal,
};
