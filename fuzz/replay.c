/* SPDX-License-Identifier: MIT
 *
 * The main program of a fuzz target without libFuzzer: runs every file of the folders that are its
 * arguments, one TAP line per folder. A folder that is missing or empty passes with nothing to run.
 */
#include "fuzz.h"

#include <dirent.h>

enum { INPUT_MAX = 1 << 20 };

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_MAX);
    FUZZ_HOLDS(file && data);
    size_t size = fread(data, 1, INPUT_MAX, file);
    uint8_t *exact = malloc(size ? size : 1);
    FUZZ_HOLDS(exact);
    memcpy(exact, data, size);
    fprintf(stderr, "%s\n", path); /* so that a crash has a name */
    LLVMFuzzerTestOneInput(exact, size);
    fclose(file);
    free(exact);
    free(data);
}

static int run_folder(const char *folder)
{
    DIR *open = opendir(folder);
    int count = 0;
    char path[4096];
    for (struct dirent *entry; open && (entry = readdir(open));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        run_file(path);
        count++;
    }
    if (open)
        closedir(open);
    return count;
}

int main(int argc, char **argv)
{
    printf("1..%d\n", argc - 1);
    for (int i = 1; i < argc; i++)
        printf("ok %d - %d inputs of %s\n", i, run_folder(argv[i]), argv[i]);
    return 0;
}
