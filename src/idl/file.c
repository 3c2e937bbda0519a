/* SPDX-License-Identifier: MIT
 *
 * The one place of this layer that opens files: for callers who have a path and no text.
 */
#include "idl/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int read_all(char **textp, size_t *lengthp, FILE *stream)
{
    struct stat status;
    if (fstat(fileno(stream), &status))
        return KOINE_ESYSTEM;
    if (!S_ISREG(status.st_mode) || status.st_size < 0)
        return KOINE_EINVAL;
    if ((uint64_t)status.st_size > KN_IDL_MAX_TEXT)
        return KOINE_ETOOBIG;
    size_t size = (size_t)status.st_size;
    char *text = malloc(size + 1);
    if (!text)
        return KOINE_ENOMEM;
    size_t length = fread(text, 1, size, stream);
    if (ferror(stream)) {
        free(text);
        return KOINE_ESYSTEM;
    }
    text[length] = '\0';
    *textp = text;
    *lengthp = length;
    return 0;
}

static int read_path(char **textp, size_t *lengthp, const char *path)
{
    FILE *stream = fopen(path, "re");
    if (!stream)
        return errno == ENOMEM ? KOINE_ENOMEM : errno == ENOENT ? KOINE_ENOENT : KOINE_ESYSTEM;
    int rc = read_all(textp, lengthp, stream);
    fclose(stream);
    return rc;
}

static int read_beside(void *arg, char **textp, size_t *lengthp, const char *path,
                       const char *including)
{
    (void)arg;
    const char *slash = strrchr(including, '/');
    int folder = slash && *path != '/' ? (int)(slash - including) + 1 : 0;
    char *whole;
    if (asprintf(&whole, "%.*s%s", folder, including, path) < 0)
        return KOINE_ENOMEM;
    int rc = read_path(textp, lengthp, whole);
    free(whole);
    return rc;
}

int koine_idl_read_file(struct koine_idl **idlp, const char *path, char **errorsp)
{
    char *text;
    size_t length;
    if (!idlp || !path)
        return KOINE_EINVAL;
    int rc = read_path(&text, &length, path);
    if (rc)
        return rc;
    rc = koine_idl_read(idlp, path, text, length, read_beside, NULL, errorsp);
    free(text);
    return rc;
}
