/* SPDX-License-Identifier: MIT
 *
 * The koine command. It stands on the public headers alone.
 */
#ifndef KN_CLI_CLI_H
#define KN_CLI_CLI_H

#include <koine/idl.h>
#include <koine/koine.h>
#include <koine/value.h>

#include <stdbool.h>
#include <stdio.h>

enum cli_exit {
    CLI_DONE = 0,
    CLI_FAULT = 1,       /* the service answered a fault */
    CLI_USAGE = 2,       /* usage, arguments, a file that cannot be read as what it should be */
    CLI_UNREACHABLE = 3, /* no such service, or it went away */
    CLI_DEADLINE = 4,
    CLI_PERMISSION = 5,
    CLI_LOCAL = 6
};

enum { CLI_LINE_MAX = 32 << 20 }; /* octets of a line of standard input, or of a served command */

struct cli {
    const char *command; /* for messages */
    bool json;
    int64_t timeout;            /* 0: the node's default */
    long count;                 /* watch, sub: end after so many; 0 never */
    long wait;                  /* pub: subscribers to wait for */
    const char *dir;            /* gen: where to write */
    const char *as;             /* idl: the notation; tree: the dialect */
    const char *idl;            /* serve, pub: the file */
    const char *interface;      /* serve, pub: which of the file's; NULL: the only one */
    char **exec;                /* serve: what to run, NULL at its end */
    const char *seconds, *cpus; /* bench: for a row; "A,B" */
    char **args;
    int arg_count;
    int output_error; /* errno of the first failed write to standard output */
    struct koine_node *node;
    struct koine_ref *ref;
};

/* ---- output.c */

/* Prints an error, with --json as one object, and answers `code`. */
int kn_cli_error(const struct cli *cli, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for what a function of the node answered. */
int kn_cli_node_error(const struct cli *cli, int error);
/* The same for the fault that the reference holds. */
int kn_cli_fault(const struct cli *cli);
/* Something that is wrong and does not end the command. */
void kn_cli_note(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A JSON string; what is not UTF-8 becomes U+FFFD. */
void kn_cli_put_string(FILE *to, const char *text);
/* Text for people: nothing that a stranger sent may move the cursor, but for the controls in `kept`. */
void kn_cli_put_plain(FILE *to, const char *text, const char *kept);
/* Each line of `json` behind the first is moved two blanks to the right. */
void kn_cli_put_indented(FILE *to, const char *json);
/* Writes out what was printed. False: standard output takes no more. */
bool kn_cli_flush(struct cli *cli);
/* The exit code, after the last output. A reader that went away is no error. */
int kn_cli_finish(struct cli *cli, int code);

/* ---- service.c */

/* Opens the node, once. */
int kn_cli_open_node(struct cli *cli);
/* Opens the node and args[0] as a reference; answers an exit code. */
int kn_cli_connect(struct cli *cli);

/* ---- notation.c */

/* cli->idl and the interface in it that cli->interface chooses. The caller frees the IDL. */
int kn_cli_read_interface(struct cli *cli, struct koine_idl **idlp,
                          const struct koine_interface **interfacep);

int kn_cli_ls(struct cli *cli);
int kn_cli_tree(struct cli *cli);
int kn_cli_describe(struct cli *cli);
int kn_cli_describe_as(struct cli *cli,
                       int (*print)(char **textp, const struct koine_interface *interface));
int kn_cli_call(struct cli *cli);
int kn_cli_get(struct cli *cli);
int kn_cli_set(struct cli *cli);
int kn_cli_sub(struct cli *cli);
int kn_cli_pub(struct cli *cli);
int kn_cli_serve(struct cli *cli);
int kn_cli_idl(struct cli *cli);
int kn_cli_gen(struct cli *cli);
int kn_cli_bench(struct cli *cli);

#endif
