/* SPDX-License-Identifier: MIT
 *
 * The commands that read interface files.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Errors have their places; with --json they are one text, lines and all. */
static int read_file(struct cli *cli, struct koine_idl **idlp, const char *path)
{
    char *errors = NULL;
    int code = CLI_DONE, rc = koine_idl_read_file(idlp, path, &errors);
    bool unread = rc == KOINE_ESYSTEM || rc == KOINE_ENOENT;
    if (errors && *errors && !cli->json)
        fputs(errors, stderr);
    if (rc)
        code = kn_cli_error(cli, unread ? CLI_LOCAL : CLI_USAGE, "%s: %s", path,
                            unread                           ? "cannot be read"
                            : cli->json && errors && *errors ? errors
                                                             : koine_strerror(rc));
    free(errors);
    return code;
}

int kn_cli_read_interface(struct cli *cli, struct koine_idl **idlp,
                          const struct koine_interface **interfacep)
{
    char *errors = NULL;
    int code = read_file(cli, idlp, cli->idl);
    if (code)
        return code;
    int rc = koine_idl_choose(interfacep, *idlp, cli->interface, &errors);
    if (rc) {
        code = kn_cli_error(cli, CLI_USAGE, "%s: %s", cli->idl,
                            errors && *errors ? errors
                            : cli->interface  ? "does not declare that interface"
                                              : "--interface must say which interface");
        *idlp = koine_idl_free(*idlp);
    }
    free(errors);
    return code;
}

/* ---------------------------------------------------------------- idl */

/* What stands behind the last dot of a file's name, and what prints it. */
static const struct notation {
    const char *name, *suffix;
    int (*print_file)(char **textp, const struct koine_idl *idl);
    int (*print_interface)(char **textp, const struct koine_interface *interface);
} notations[] = {
    {"idl", ".idl", koine_idl_print, koine_interface_print},
    {"x", ".x", koine_idl_print_x, koine_interface_print_x},
};

enum { NOTATIONS = sizeof notations / sizeof *notations };

static const struct notation *find_notation(const char *name)
{
    for (int i = 0; i < NOTATIONS; i++)
        if (!strcmp(notations[i].name, name))
            return &notations[i];
    return NULL;
}

static bool is_file(const char *argument)
{
    const char *dot = strrchr(argument, '.');
    for (int i = 0; dot && i < NOTATIONS; i++)
        if (!strcmp(dot, notations[i].suffix))
            return true;
    return false;
}

static void print_text(const struct cli *cli, const char *text)
{
    if (!cli->json) {
        fputs(text, stdout);
        return;
    }
    fputs("{\"idl\":", stdout);
    kn_cli_put_string(stdout, text);
    puts("}");
}

int kn_cli_idl(struct cli *cli)
{
    const struct notation *notation = find_notation(cli->as ? cli->as : "idl");
    struct koine_idl *idl;
    char *text;
    if (!notation)
        return kn_cli_error(cli, CLI_USAGE, "no notation '%s'; there are: idl x", cli->as);
    if (!is_file(cli->args[0]))
        return kn_cli_describe_as(cli, notation->print_interface);
    int code = read_file(cli, &idl, cli->args[0]);
    if (code)
        return code;
    int rc = notation->print_file(&text, idl);
    if (!rc) {
        print_text(cli, text);
        free(text);
    }
    koine_idl_free(idl);
    return rc ? kn_cli_node_error(cli, rc) : CLI_DONE;
}

/* ---------------------------------------------------------------- gen */

static int write_file(const struct cli *cli, const char *stem, const char *suffix, const char *text)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s%s", cli->dir, stem, suffix) >= (int)sizeof path)
        return kn_cli_error(cli, CLI_USAGE, "the path is too long");
    errno = 0;
    FILE *to = fopen(path, "w");
    bool failed = !to || fputs(text, to) < 0;
    if (to && fclose(to))
        failed = true;
    if (failed)
        return kn_cli_error(cli, CLI_LOCAL, "%s: %s", path, strerror(errno));
    if (cli->json) {
        fputs("{\"file\":", stdout);
        kn_cli_put_string(stdout, path);
        puts("}");
    }
    return CLI_DONE;
}

int kn_cli_gen(struct cli *cli)
{
    struct koine_idl *idl;
    char stem[256], *header, *source;
    const char *base = strrchr(cli->args[0], '/');
    int code = read_file(cli, &idl, cli->args[0]);
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
