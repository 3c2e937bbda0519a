/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct command {
    const char *name;
    int (*run)(struct cli *cli);
    int least, most; /* arguments */
    const char *usage, *summary, *example;
};

static const struct command commands[] = {
    {"ls", kn_cli_ls, 0, 1, "[PREFIX]", "names that are served", "koine ls plant"},
    {"describe", kn_cli_describe, 1, 1, "NAME", "a service's interface, as IDL",
     "koine describe plant/thermostat"},
    {"call", kn_cli_call, 2, 64, "NAME MEMBER [ARG=VALUE | VALUE ...]", "call an operation",
     "koine call plant/thermostat set_target room=hall celsius=21.5"},
    {"get", kn_cli_get, 2, 2, "NAME ATTRIBUTE", "read an attribute",
     "koine get plant/thermostat label"},
    {"set", kn_cli_set, 3, 3, "NAME ATTRIBUTE VALUE", "write an attribute",
     "koine set plant/thermostat label gate"},
    {"watch", kn_cli_sub, 2, 2, "NAME ATTRIBUTE", "an attribute's value and its changes",
     "koine watch plant/thermostat label --count 2"},
    {"sub", kn_cli_sub, 2, 2, "NAME EVENT", "events as they are published",
     "koine sub plant/thermostat reading"},
    {"idl", kn_cli_idl, 1, 1, "FILE | NAME", "an interface in canonical IDL", "koine idl demo.idl"},
    {"gen", kn_cli_gen, 1, 1, "FILE", "C for an interface: FILE's stem, .h and .c",
     "koine gen demo.idl -o src"},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

int kn_cli_error(const struct cli *cli, int code, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!cli->json) {
        fprintf(stderr, "koine %s: %s\n", cli->command, text);
        return code;
    }
    fputs("{\"error\":\"", stderr);
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fputc('\\', stderr);
        fputc((unsigned char)*c < 0x20 ? ' ' : *c, stderr);
    }
    fprintf(stderr, "\",\"exit\":%d}\n", code);
    return code;
}

int kn_cli_node_error(const struct cli *cli, int error)
{
    static const struct {
        int error, code;
    } codes[] = {
        {KOINE_EFAULT, CLI_FAULT},       {KOINE_EINVAL, CLI_USAGE},
        {KOINE_EMEMBER, CLI_USAGE},      {KOINE_EDATA, CLI_USAGE},
        {KOINE_ESYNTAX, CLI_USAGE},      {KOINE_EDEPTH, CLI_USAGE},
        {KOINE_ETOOBIG, CLI_USAGE},      {KOINE_ENOENT, CLI_UNREACHABLE},
        {KOINE_EDOWN, CLI_UNREACHABLE},  {KOINE_EAGAIN, CLI_UNREACHABLE},
        {KOINE_EDEADLINE, CLI_DEADLINE}, {KOINE_EPERM, CLI_PERMISSION},
    };
    int code = CLI_LOCAL;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].error == error)
            code = codes[i].code;
    const char *why = cli->node ? koine_node_why(cli->node) : "";
    return kn_cli_error(cli, code, "%s", *why ? why : koine_strerror(error));
}

int kn_cli_connect(struct cli *cli)
{
    struct koine_node_options options = {.size = sizeof options, .timeout = cli->timeout};
    if (strstr(cli->args[0], "://"))
        return kn_cli_error(cli, CLI_USAGE, "'%s' is an endpoint; this build reaches names only",
                            cli->args[0]);
    int rc = koine_node_open(&cli->node, &options);
    if (!rc)
        rc = koine_ref_open(&cli->ref, cli->node, cli->args[0], NULL, 0);
    return rc ? kn_cli_node_error(cli, rc) : CLI_DONE;
}

static void print_help(void)
{
    puts("koine: calls, watches and describes services of this machine\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-9s %s\n", commands[i].name, commands[i].summary);
    puts("\nkoine COMMAND --help tells more. Names are looked up in $KOINE_DIR, else in\n"
         "$XDG_RUNTIME_DIR/koine and /run/koine.");
}

static void print_usage(const struct command *command)
{
    printf("usage: koine %s %s\n\n%s\n\n"
           "  --json        compact output, errors as one JSON object on standard error\n"
           "  --timeout S   seconds to wait for an answer; 30 if not given\n"
           "  --count N     sub, watch: end after N lines\n"
           "  -o DIR        gen: where the files go; the present directory if not given\n\n"
           "example: %s\n\n"
           "exit: 0 done, 1 fault of the service, 2 usage, 3 no such service, 4 deadline,\n"
           "      5 permission, 6 local failure\n",
           command->name, command->usage, command->summary, command->example);
}

/* Negative numbers are arguments, so options are read here and not by getopt's permutation alone. */
static int parse(struct cli *cli, int argc, char **argv, bool *helpp)
{
    char *end = NULL;
    cli->args = argv;
    for (int i = 2; i < argc; i++) {
        bool more = i + 1 < argc;
        if (!strcmp(argv[i], "--json"))
            cli->json = true;
        else if (!strcmp(argv[i], "--help"))
            *helpp = true;
        else if (!strcmp(argv[i], "--timeout") && more) {
            double seconds = strtod(argv[++i], &end);
            if (*end || !(seconds > 0 && seconds < 1e9))
                return kn_cli_error(cli, CLI_USAGE, "--timeout takes seconds, not '%s'", argv[i]);
            cli->timeout = (int64_t)(seconds * 1e9);
        } else if (!strcmp(argv[i], "--count") && more) {
            cli->count = strtol(argv[++i], &end, 10);
            if (*end || cli->count <= 0)
                return kn_cli_error(cli, CLI_USAGE, "--count takes a number above 0, not '%s'",
                                    argv[i]);
        } else if (!strcmp(argv[i], "-o") && more)
            cli->dir = argv[++i];
        else if (!strncmp(argv[i], "--", 2))
            return kn_cli_error(cli, CLI_USAGE, "unknown option '%s'; see koine %s --help", argv[i],
                                cli->command);
        else
            cli->args[cli->arg_count++] = argv[i];
    }
    return CLI_DONE;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct cli cli = {.command = command->name, .dir = "."};
    bool help = false;
    int code = parse(&cli, argc, argv, &help);
    if (help) {
        print_usage(command);
        return CLI_DONE;
    }
    if (code)
        return code;
    if (cli.arg_count < command->least || cli.arg_count > command->most)
        return kn_cli_error(&cli, CLI_USAGE, "usage: koine %s %s", command->name, command->usage);
    code = command->run(&cli);
    koine_node_close(cli.node);
    return code;
}

int main(int argc, char **argv)
{
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
        print_help();
        return argc < 2 ? CLI_USAGE : CLI_DONE;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (!strcmp(argv[1], commands[i].name))
            return run(&commands[i], argc, argv);
    fprintf(stderr, "koine: no command '%s'; see koine --help\n", argv[1]);
    return CLI_USAGE;
}
