/* SPDX-License-Identifier: MIT
 *
 * The koine command. It stands on the public headers alone.
 */
#ifndef KN_CLI_CLI_H
#define KN_CLI_CLI_H

#include <koine/koine.h>

#include <stdbool.h>

enum cli_exit {
    CLI_DONE = 0,
    CLI_FAULT = 1,       /* the service answered a fault */
    CLI_USAGE = 2,       /* usage, arguments, a file that cannot be read as what it should be */
    CLI_UNREACHABLE = 3, /* no such service, or it went away */
    CLI_DEADLINE = 4,
    CLI_PERMISSION = 5,
    CLI_LOCAL = 6
};

struct cli {
    const char *command; /* for messages */
    bool json;
    int64_t timeout; /* 0: the node's default */
    long count;      /* watch, sub: end after so many; 0 never */
    const char *dir; /* gen: where to write */
    const char *prefix;
    char **args;
    int arg_count;
    struct koine_node *node;
    struct koine_ref *ref;
};

/* Prints an error, with --json as one object, and answers `code`. */
int kn_cli_error(const struct cli *cli, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for what a function of the node answered. */
int kn_cli_node_error(const struct cli *cli, int error);

/* Opens the node and args[0] as a reference; answers an exit code. */
int kn_cli_connect(struct cli *cli);

int kn_cli_ls(struct cli *cli);
int kn_cli_describe(struct cli *cli);
int kn_cli_call(struct cli *cli);
int kn_cli_get(struct cli *cli);
int kn_cli_set(struct cli *cli);
int kn_cli_sub(struct cli *cli);
int kn_cli_idl(struct cli *cli);
int kn_cli_gen(struct cli *cli);

#endif
