/* SPDX-License-Identifier: MIT
 *
 * Any text as a name. Names that are let through are taken, found, listed and given back, and leave
 * nothing behind.
 */
#include "fuzz.h"

#include "node/names.h"

#include <koine/koine.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[128], names[160];

static void remove_folder(void)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command))
        fprintf(stderr, "%s stays\n", folder);
}

static void make_folder(void)
{
    const char *below = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/koine-fuzz.XXXXXX", below ? below : "/tmp");
    FUZZ_HOLDS(mkdtemp(folder));
    snprintf(names, sizeof names, "%s/names", folder);
    atexit(remove_folder);
}

/* docs/limits.md and names.h, in other words than the library's. */
static int is_name(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.%";
    for (int elements = 1;; elements++) {
        size_t length = strspn(text, plain);
        if (!length || length > 64 || *text == '.' || elements > 16)
            return 0;
        if (!text[length])
            return 1;
        if (text[length] != '/')
            return 0;
        text += length + 1;
    }
}

/* How many names there are; the first of them must be `name`. */
static size_t list(const char *name)
{
    struct koine_name *found;
    size_t count;
    FUZZ_HOLDS(!koine_names(&found, &count, names));
    FUZZ_HOLDS(!count || (!strcmp(found[0].name, name) && found[0].alive == 1));
    koine_names_free(found);
    return count;
}

/* Directories of names stay, as they should; here they would become too many. */
static void remove_parents(const char *name)
{
    char path[sizeof names + KN_NAME_MAX + 8];
    for (size_t length = strlen(name); length; length--) {
        if (name[length] != '/')
            continue;
        snprintf(path, sizeof path, "%s/%.*s/.lock", names, (int)length, name);
        FUZZ_HOLDS(!unlink(path) || errno == ENOENT);
        path[strlen(path) - strlen("/.lock")] = 0;
        FUZZ_HOLDS(!rmdir(path));
    }
}

static void serve(const char *name)
{
    struct koine_why why = {""};
    struct kn_name_claim claim;
    uid_t owner;
    int listener, fd;
    FUZZ_HOLDS(!kn_name_take(&claim, &listener, names, name, 0600, &why));
    FUZZ_HOLDS(!kn_name_connect(&fd, &owner, names, name, &why) && owner == geteuid());
    FUZZ_HOLDS(list(name) == 1);
    close(fd);
    kn_name_give(&claim);
    close(listener);
    FUZZ_HOLDS(kn_name_connect(&fd, &owner, names, name, &why) == KOINE_ENOENT);
    FUZZ_HOLDS(list(name) == 0);
    remove_parents(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int made;
    struct koine_why why = {""};
    if (!made++)
        make_folder();
    char *name = malloc(size + 1);
    if (!name)
        return 0;
    memcpy(name, data, size);
    name[size] = 0;
    int rc = kn_name_check(name, &why);
    FUZZ_HOLDS((rc == 0) == is_name(name));
    if (!rc)
        serve(name);
    free(name);
    return 0;
}
