/* SPDX-License-Identifier: MIT
 *
 * The commands that read interface files.
 */
#include "cli/cli.h"

#include <koine/idl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_file(struct cli *cli, struct koine_idl **idlp)
{
    char *errors = NULL;
    int rc = koine_idl_read_file(idlp, cli->args[0], &errors);
    if (!rc)
        return CLI_DONE;
    if (errors && *errors)
        fputs(errors, stderr);
    int code = kn_cli_error(
        cli, rc == KOINE_ESYSTEM ? CLI_LOCAL : CLI_USAGE, "%s: %s", cli->args[0],
        rc == KOINE_ESYSTEM || rc == KOINE_ENOENT ? "cannot be read" : koine_strerror(rc));
    free(errors);
    return code;
}

int kn_cli_idl(struct cli *cli)
{
    struct koine_idl *idl;
    const char *dot = strrchr(cli->args[0], '.');
    char *text;
    if (!dot || strcmp(dot, ".idl"))
        return kn_cli_describe(cli);
    int code = read_file(cli, &idl);
    if (code)
        return code;
    int rc = koine_idl_print(&text, idl);
    if (!rc) {
        fputs(text, stdout);
        free(text);
    }
    koine_idl_free(idl);
    return rc ? kn_cli_node_error(cli, rc) : CLI_DONE;
}

static int write_file(const struct cli *cli, const char *stem, const char *suffix, const char *text)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s%s", cli->dir, stem, suffix) >= (int)sizeof path)
        return kn_cli_error(cli, CLI_USAGE, "the path is too long");
    FILE *to = fopen(path, "w");
    int failed = !to || fputs(text, to) < 0;
    if (to && fclose(to))
        failed = 1;
    return failed ? kn_cli_error(cli, CLI_LOCAL, "%s: cannot be written", path) : CLI_DONE;
}

int kn_cli_gen(struct cli *cli)
{
    struct koine_idl *idl;
    char stem[256], *header, *source;
    const char *base = strrchr(cli->args[0], '/');
    int code = read_file(cli, &idl);
    if (code)
        return code;
    snprintf(stem, sizeof stem, "%s", base ? base + 1 : cli->args[0]);
    stem[strcspn(stem, ".")] = 0;
    int rc = koine_idl_generate_c(&header, &source, idl, stem);
    koine_idl_free(idl);
    if (rc)
        return kn_cli_node_error(cli, rc);
    code = write_file(cli, stem, ".h", header);
    if (!code)
        code = write_file(cli, stem, ".c", source);
    free(header);
    free(source);
    return code;
}
