/* SPDX-License-Identifier: MIT */
#include "daemon/inifile.h"

#include "value/why.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* Files of a folder include nothing themselves. */
enum { DEPTH_MAX = 1, FILES_MAX = 256 };

struct reading {
    struct kn_ini *ini;
    const char *path;
    FILE *file;
    int depth, line, rc;
    struct koine_why *why;
};

static int read_file(struct kn_ini *ini, const char *path, int depth, struct koine_why *why);

static int refuse_errno(struct koine_why *why, const char *what)
{
    int error = errno == EACCES || errno == EPERM ? KOINE_EPERM : KOINE_ESYSTEM;
    return kn_refuse(why, error, NULL, "%.150s: %s", what, strerror(errno));
}

/* Puts the place in front of what is wrong there. */
static int at_line(const struct reading *reading, int error)
{
    struct koine_why *why = reading->why, old = *why;
    (void)kn_refuse(why, error, NULL, "%.120s:%d: %.130s", reading->path, reading->line, old.text);
    return error;
}

/* ---------------------------------------------------------------- folders */

static int is_ini(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 4 && !strcmp(entry->d_name + length - 4, ".ini");
}

static int read_one(struct kn_ini *ini, const char *folder, const char *name, struct koine_why *why)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return kn_refuse(why, KOINE_EINVAL, NULL, "%.150s: too long a path", folder);
    return read_file(ini, path, DEPTH_MAX, why);
}

/* In the order of octets, whatever the locale says. */
static int by_octets(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* A folder that is not there holds no files. */
static int read_folder(struct kn_ini *ini, const char *folder, struct koine_why *why)
{
    struct dirent **names;
    int count = scandir(folder, &names, is_ini, by_octets), rc = 0;
    if (count < 0)
        return errno == ENOENT ? 0 : refuse_errno(why, folder);
    if (count > FILES_MAX)
        rc = kn_refuse(why, KOINE_EINVAL, NULL, "%.150s: more than %d files", folder, FILES_MAX);
    for (int i = 0; i < count; i++) {
        if (!rc)
            rc = read_one(ini, folder, names[i]->d_name, why);
        free(names[i]);
    }
    free(names);
    return rc;
}

static int include(const struct reading *reading, const char *section, const char *folder)
{
    struct koine_why *why = reading->why;
    if (*section || reading->depth || *folder != '/') {
        (void)kn_refuse(why, KOINE_EINVAL, NULL,
                        "include = FOLDER, with an absolute path, stands before all sections of "
                        "the main file");
        return at_line(reading, KOINE_EINVAL);
    }
    return read_folder(reading->ini, folder, why);
}

/* ---------------------------------------------------------------- lines */

/* inih calls it for each line, with the size of its own buffer. */
static char *next_line(char *text, int size, void *stream)
{
    struct reading *reading = stream;
    if (reading->rc || !fgets(text, size, reading->file))
        return NULL;
    reading->line++;
    if (strlen(text) + 1 < (size_t)size || text[size - 2] == '\n')
        return text;
    (void)kn_refuse(reading->why, 0, NULL,
                    "a line of more than %d octets; go on in the next one, which begins with a "
                    "blank",
                    size - 3);
    reading->rc = at_line(reading, KOINE_EINVAL);
    return NULL;
}

static int take_line(void *arg, const char *section, const char *name, const char *value)
{
    struct reading *reading = arg;
    struct kn_ini *ini = reading->ini;
    if (reading->rc)
        return 0;
    if (!strcmp(name, "include")) {
        reading->rc = include(reading, section, value);
        return !reading->rc;
    }
    snprintf(ini->where, sizeof ini->where, "%.180s:%d", reading->path, reading->line);
    reading->rc = ini->line(ini, section, name, value, reading->why);
    if (reading->rc)
        (void)at_line(reading, reading->rc);
    return !reading->rc;
}

/* What inih finds by itself: a line that is neither a section nor a key with a value. */
static int take_all(struct reading *reading)
{
    int line = ini_parse_stream(next_line, reading, take_line, reading);
    if (reading->rc || line == 0)
        return reading->rc;
    reading->line = line;
    (void)kn_refuse(reading->why, 0, NULL, "neither [endpoint NAME] nor key = value");
    return at_line(reading, KOINE_EINVAL);
}

static int read_file(struct kn_ini *ini, const char *path, int depth, struct koine_why *why)
{
    struct reading reading = {.ini = ini, .path = path, .depth = depth, .why = why};
    reading.file = fopen(path, "re");
    if (!reading.file)
        return refuse_errno(why, path);
    int rc = take_all(&reading);
    if (!rc && ferror(reading.file))
        rc = refuse_errno(why, path);
    (void)fclose(reading.file);
    return rc;
}

int kn_ini_read(struct kn_ini *ini, const char *path, struct koine_why *why)
{
    struct koine_why unused;
    return read_file(ini, path, 0, why ? why : &unused);
}
