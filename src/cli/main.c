/* SPDX-License-Identifier: MIT
 *
 * The commands, their options and their help: one table.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COMMAND_OPTIONS = 6, ARGUMENTS = 1024 };

/* `value` names what follows it in the help; NULL: a flag. */
struct option {
    const char *name, *value, *help;
    int (*take)(struct cli *cli, const char *text);
};

struct command {
    const char *name;
    int (*run)(struct cli *cli);
    int least, most; /* arguments */
    const char *usage, *summary, *example;
    const struct option *options[COMMAND_OPTIONS];
};

/* ---------------------------------------------------------------- options */

static int take_json(struct cli *cli, const char *text)
{
    (void)text;
    cli->json = true;
    return CLI_DONE;
}

static int take_timeout(struct cli *cli, const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds > 0 && seconds < 1e9))
        return kn_cli_error(cli, CLI_USAGE, "--timeout takes seconds above 0, not '%s'", text);
    cli->timeout = (int64_t)(seconds * 1e9);
    if (!cli->timeout)
        cli->timeout = 1;
    return CLI_DONE;
}

static int take_number(struct cli *cli, long *numberp, const char *name, const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end || errno || number <= 0)
        return kn_cli_error(cli, CLI_USAGE, "%s takes a number above 0, not '%s'", name, text);
    *numberp = number;
    return CLI_DONE;
}

static int take_count(struct cli *cli, const char *text)
{
    return take_number(cli, &cli->count, "--count", text);
}

static int take_wait(struct cli *cli, const char *text)
{
    return take_number(cli, &cli->wait, "--wait", text);
}

static int take_dir(struct cli *cli, const char *text)
{
    cli->dir = text;
    return CLI_DONE;
}

static int take_as(struct cli *cli, const char *text)
{
    cli->as = text;
    return CLI_DONE;
}

static int take_idl(struct cli *cli, const char *text)
{
    cli->idl = text;
    return CLI_DONE;
}

static int take_interface(struct cli *cli, const char *text)
{
    cli->interface = text;
    return CLI_DONE;
}

/* One word is for the shell. */
static int take_exec(struct cli *cli, const char *text)
{
    static char shell[] = "sh", flag[] = "-c";
    static char *argv[4] = {shell, flag};
    argv[2] = (char *)text;
    cli->exec = argv;
    return CLI_DONE;
}

static int take_seconds(struct cli *cli, const char *text)
{
    cli->seconds = text;
    return CLI_DONE;
}

static int take_cpus(struct cli *cli, const char *text)
{
    cli->cpus = text;
    return CLI_DONE;
}

static const struct option
    json = {"--json", NULL, "for programs: compact, errors as objects", take_json},
    timeout = {"--timeout", "S", "seconds to wait; 30 if not given", take_timeout},
    patience = {"--timeout", "S", "end with 4 when nothing came for so long", take_timeout},
    asking = {"--timeout", "S", "seconds that a service has to answer; 1 if not given",
              take_timeout},
    count = {"--count", "N", "end after N lines", take_count},
    wait_for = {"--wait", "N", "begin when N subscribers are there", take_wait},
    dir = {"-o", "DIR", "where the files go; here if not given", take_dir},
    notation = {"--as", "NOTATION", "the notation to print: idl", take_as},
    dialect = {"--as", "DIALECT", "what clients of that dialect use for each member", take_as},
    idl = {"--idl", "FILE", "the file that declares the interface", take_idl},
    interface = {"--interface", "NAME", "which of the file; needed when there are several",
                 take_interface},
    seconds = {"--seconds", "S", "measured for a row; 1 if not given", take_seconds},
    cpus = {"--cpus", "A,B", "the processors to use", take_cpus},
    exec = {"--exec", "CMD", "what answers, run by sh -c; --exec -- ARGV ... without a shell",
            take_exec};

/* ---------------------------------------------------------------- commands */

static const struct command commands[] = {
    {"ls", kn_cli_ls, 0, 1, "[PREFIX]", "names that are served", "koine ls plant", {&json}},
    {"tree",
     kn_cli_tree,
     0,
     1,
     "[PREFIX]",
     "names with the members of their services",
     "koine tree plant",
     {&json, &asking, &dialect}},
    {"describe",
     kn_cli_describe,
     1,
     1,
     "NAME",
     "a service's interface, as IDL",
     "koine describe plant/thermostat",
     {&json, &timeout}},
    {"call",
     kn_cli_call,
     2,
     ARGUMENTS,
     "NAME MEMBER [ARG=VALUE | VALUE ... | -]",
     "call an operation; -: with a JSON object from standard input",
     "koine call plant/thermostat set_target room=hall celsius=21.5",
     {&json, &timeout}},
    {"get",
     kn_cli_get,
     2,
     2,
     "NAME ATTRIBUTE",
     "read an attribute",
     "koine get plant/thermostat label",
     {&json, &timeout}},
    {"set",
     kn_cli_set,
     2,
     ARGUMENTS,
     "NAME ATTRIBUTE VALUE | NAME ATTRIBUTE=VALUE ...",
     "write attributes",
     "koine set plant/thermostat label gate",
     {&json, &timeout}},
    {"watch",
     kn_cli_sub,
     2,
     2,
     "NAME ATTRIBUTE",
     "an attribute's value and its changes",
     "koine watch plant/thermostat label --count 2",
     {&json, &patience, &count}},
    {"sub",
     kn_cli_sub,
     2,
     2,
     "NAME EVENT",
     "events as they are published",
     "koine sub plant/thermostat reading",
     {&json, &patience, &count}},
    {"pub",
     kn_cli_pub,
     2,
     2,
     "NAME EVENT --idl FILE",
     "serve NAME and publish the JSON lines of standard input",
     "koine pub plant/feed reading --idl thermostat.idl --wait 1 < readings",
     {&json, &idl, &interface, &wait_for, &timeout}},
    {"serve",
     kn_cli_serve,
     1,
     1,
     "NAME --idl FILE --exec CMD",
     "serve NAME by a command that speaks JSON lines",
     "koine serve plant/thermostat --idl thermostat.idl --exec ./thermostat.py",
     {&json, &idl, &interface, &exec}},
    {"idl",
     kn_cli_idl,
     1,
     1,
     "FILE | NAME",
     "an interface in canonical form",
     "koine idl demo.idl",
     {&json, &timeout, &notation}},
    {"gen",
     kn_cli_gen,
     1,
     1,
     "FILE",
     "C for an interface: FILE's stem, .h and .c",
     "koine gen demo.idl -o src",
     {&json, &dir}},
    {"bench",
     kn_cli_bench,
     0,
     ARGUMENTS,
     "[ROW ...]",
     "what a message costs, beside what it could cost",
     "koine bench call-rtt-64-spin event-rate-64",
     {&json, &seconds, &cpus}},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

/* ---------------------------------------------------------------- help */

static void print_help(void)
{
    puts("koine: calls, watches, describes and serves services of this machine\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-9s %s\n", commands[i].name, commands[i].summary);
    puts("\nkoine COMMAND --help tells more; koine --version says which this is. Names are looked "
         "up\n"
         "in $KOINE_DIR, else in $XDG_RUNTIME_DIR/koine and /run/koine.");
}

static void print_usage(const struct command *command)
{
    printf("usage: koine %s %s\n\n%s\n\n", command->name, command->usage, command->summary);
    for (int i = 0; i < COMMAND_OPTIONS && command->options[i]; i++) {
        const struct option *option = command->options[i];
        char name[32];
        snprintf(name, sizeof name, "%s %s", option->name, option->value ? option->value : "");
        printf("  %-17s %s\n", name, option->help);
    }
    printf("\nexample: %s\n\n"
           "exit: 0 done, 1 fault of the service, 2 usage, 3 no such service, 4 deadline,\n"
           "      5 permission, 6 local failure\n",
           command->example);
}

/* ---------------------------------------------------------------- reading the command line */

/* The option that `text` names, alone or before '='. */
static const struct option *find_option(const struct command *command, const char *text)
{
    size_t length = strcspn(text, "=");
    for (int i = 0; i < COMMAND_OPTIONS && command->options[i]; i++) {
        const struct option *option = command->options[i];
        if (strlen(option->name) == length && !strncmp(option->name, text, length))
            return option;
    }
    return NULL;
}

/* Takes the option at argv[*ip] with what belongs to it. */
static int parse_option(struct cli *cli, const struct command *command, char **argv, int *ip)
{
    const char *text = argv[*ip], *equals = strchr(text, '=');
    const struct option *option = find_option(command, text);
    if (!option)
        return kn_cli_error(cli, CLI_USAGE, "unknown option '%.*s'; see koine %s --help",
                            (int)strcspn(text, "="), text, cli->command);
    if (!option->value)
        return equals ? kn_cli_error(cli, CLI_USAGE, "%s takes no value", option->name)
                      : option->take(cli, NULL);
    const char *value = equals ? equals + 1 : argv[*ip + 1];
    if (!value)
        return kn_cli_error(cli, CLI_USAGE, "%s takes a value: %s", option->name, option->help);
    *ip += !equals;
    return option->take(cli, value);
}

/* "--exec --": all that follows is the command and its arguments. */
static bool is_exec_rest(const struct command *command, char **argv, int i)
{
    return find_option(command, argv[i]) == &exec && argv[i + 1] && !strcmp(argv[i], exec.name) &&
           !strcmp(argv[i + 1], "--");
}

/* Negative numbers, and - alone, are arguments. */
static bool is_option(const char *text)
{
    return !strncmp(text, "--", 2) || !strcmp(text, dir.name);
}

static int parse(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int code = CLI_DONE;
    bool options = true;
    cli->args = argv;
    for (int i = 2; i < argc && !code; i++) {
        if (!options || !is_option(argv[i])) {
            cli->args[cli->arg_count++] = argv[i];
        } else if (!strcmp(argv[i], "--")) {
            options = false;
        } else if (is_exec_rest(command, argv, i)) {
            cli->exec = &argv[i + 2];
            break;
        } else {
            code = parse_option(cli, command, argv, &i);
        }
    }
    return code;
}

/* Anywhere before "--", also behind an option that is wrong. */
static bool has_option(char **argv, const char *name)
{
    for (; *argv && strcmp(*argv, "--"); argv++)
        if (!strcmp(*argv, name))
            return true;
    return false;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct cli cli = {
        .command = command->name, .json = has_option(argv + 2, json.name), .dir = "."};
    if (has_option(argv + 2, "--help")) {
        print_usage(command);
        return kn_cli_finish(&cli, CLI_DONE);
    }
    int code = parse(&cli, command, argc, argv);
    if (code)
        return code;
    if (cli.arg_count < command->least || cli.arg_count > command->most)
        return kn_cli_error(&cli, CLI_USAGE, "usage: koine %s %s", command->name, command->usage);
    code = command->run(&cli);
    koine_node_close(cli.node);
    return kn_cli_finish(&cli, code);
}

/* What is closed is kept from being a socket's number, and still fails to be used. */
static void hold_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
    struct cli cli = {.command = argc < 2 ? "" : argv[1]};
    hold_standard();
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
        print_help();
        return kn_cli_finish(&cli, argc < 2 ? CLI_USAGE : CLI_DONE);
    }
    if (!strcmp(argv[1], "--version")) {
        puts("koine " KOINE_VERSION);
        return kn_cli_finish(&cli, CLI_DONE);
    }
    for (int i = 0; i < COMMANDS; i++)
        if (!strcmp(argv[1], commands[i].name))
            return run(&commands[i], argc, argv);
    cli.json = has_option(argv + 2, json.name);
    return kn_cli_error(&cli, CLI_USAGE, "no command '%s'; see koine --help", argv[1]);
}
