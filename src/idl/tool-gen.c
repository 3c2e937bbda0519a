/* SPDX-License-Identifier: MIT
 *
 * kn-gen FILE OUTDIR: FILE.h and FILE.c, for builds. The koine command does the same for users.
 */
#include <koine/idl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int save(const char *dir, const char *stem, const char *suffix, const char *text)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s%s", dir, stem, suffix);
    FILE *out = length > 0 && (size_t)length < sizeof path ? fopen(path, "we") : NULL;
    int bad = !out || fputs(text, out) < 0;
    if (out && fclose(out))
        bad = 1;
    if (bad)
        fprintf(stderr, "kn-gen: cannot write %s\n", path);
    return bad;
}

static int generate(const struct koine_idl *idl, const char *stem, const char *dir)
{
    char *header, *source;
    int rc = koine_idl_generate_c(&header, &source, idl, stem);
    if (rc) {
        fprintf(stderr, "kn-gen: %s\n", koine_strerror(rc));
        return 1;
    }
    int bad = save(dir, stem, ".h", header) || save(dir, stem, ".c", source);
    free(header);
    free(source);
    return bad;
}

int main(int argc, char **argv)
{
    struct koine_idl *idl;
    char *errors = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: kn-gen FILE.idl OUTDIR\n");
        return 2;
    }
    int rc = koine_idl_read_file(&idl, argv[1], &errors);
    if (rc) {
        fprintf(stderr, "%s\n", errors ? errors : argv[1]);
        fprintf(stderr, "kn-gen: %s\n", koine_strerror(rc));
        free(errors);
        return 1;
    }
    const char *slash = strrchr(argv[1], '/');
    char stem[256];
    snprintf(stem, sizeof stem, "%s", slash ? slash + 1 : argv[1]);
    char *dot = strrchr(stem, '.');
    if (dot && dot != stem)
        *dot = '\0';
    int bad = generate(idl, stem, argv[2]);
    koine_idl_free(idl);
    return bad;
}
