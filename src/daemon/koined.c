/* SPDX-License-Identifier: MIT
 *
 * koined: endpoints of foreign dialects, for the services of this machine. It names what it listens on,
 * one line an endpoint with the real port, then "ready", and runs until SIGTERM or SIGINT; then it
 * listens no more, lets the answers that are under way go out, and ends. A second signal does not wait.
 *
 *      koined.c             the command line          supervisor.c  listeners, workers, the end
 *      config.c, inifile.c  what is to be served      child.c       one worker, as seen from outside
 *      worker.c             a worker, from inside     spawn.c       how it is started
 *      sandbox.c            what it gives up,         letter.c      what the two say to each other
 *      landlock.c           with this
 */
#include "daemon/config.h"
#include "daemon/sandbox.h"
#include "daemon/supervisor.h"
#include "daemon/worker.h"

#include <koine/dialects.h>

#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct arguments {
    const char *dir, *file;
    bool check;
};

static void print_help(void)
{
    puts("usage: koined [--config FILE] [--listen URI ...] [--dir DIR] [--check]\n\n"
         "Clients of another protocol reach the services of this machine.\n\n"
         "  --listen URI  dialect+transport://address/path?option=value, for example");
    for (size_t i = 0; koine_dialect_name(i); i++)
        printf("                %s+http://127.0.0.1:8080, %s+tcp://[::1]:0,\n"
               "                %s+unix:///run/user/1000/koine.sock\n",
               koine_dialect_name(i), koine_dialect_name(i), koine_dialect_name(i));
    puts("  --config FILE what to serve, as sections [endpoint NAME] with `listen = URI` and its\n"
         "                options; " KN_CONFIG_DEFAULT " if it is there and nothing else is given\n"
         "  --check       says what would be served, or what is wrong, and ends\n"
         "  --dir DIR     where services are looked up; $KOINE_DIR if not given, else\n"
         "                $XDG_RUNTIME_DIR/koine and /run/koine\n"
         "  --version\n\n"
         "Prints the URI of each endpoint with its real port, then \"ready\". SIGTERM and SIGINT "
         "end it\n"
         "when the answers under way are out, after five seconds at most; a second signal at "
         "once.\n\n"
         "exit: 0 ended by a signal, 2 usage or configuration, 5 permission, 6 local failure");
}

/* ---------------------------------------------------------------- the command line */

static int take_option(struct arguments *arguments, struct kn_config *config, int option)
{
    struct koine_why why = {""};
    int rc = 0;
    if (option == 'h' || option == 'v') {
        option == 'h' ? print_help() : (void)puts("koined " KOINE_VERSION);
        return KN_EXIT_DONE;
    }
    if (option == 'l')
        rc = kn_config_listen(config, optarg, &why);
    else if (option == 'm')
        rc = kn_config_mount(config, optarg, &why);
    else if (option == 'd')
        arguments->dir = optarg;
    else if (option == 'f')
        arguments->file = optarg;
    else if (option == 'c')
        arguments->check = true;
    else
        return kn_complain(KN_EXIT_USAGE, "see koined --help", "");
    return rc ? kn_complain(kn_exit_code(rc), why.text, "") : -1;
}

/* Negative: go on. */
static int parse(struct arguments *arguments, struct kn_config *config, int argc, char **argv)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'}, {"mount", required_argument, NULL, 'm'},
        {"config", required_argument, NULL, 'f'}, {"check", no_argument, NULL, 'c'},
        {"dir", required_argument, NULL, 'd'},    {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
        int code = take_option(arguments, config, option);
        if (code >= 0)
            return code;
    }
    return optind < argc
               ? kn_complain(KN_EXIT_USAGE, argv[optind], "is no option; see koined --help")
               : -1;
}

/* ---------------------------------------------------------------- what to serve */

static int read_file(const struct arguments *arguments, struct kn_config *config)
{
    struct koine_why why = {""};
    const char *file = arguments->file;
    if (!file && !config->count && !config->mount_count && !access(KN_CONFIG_DEFAULT, F_OK))
        file = KN_CONFIG_DEFAULT;
    int rc = file ? kn_config_read(config, file, &why) : 0;
    if (rc)
        return kn_complain(kn_exit_code(rc), *why.text ? why.text : koine_strerror(rc), "");
    if (!config->count && !config->mount_count)
        return kn_complain(KN_EXIT_USAGE, "nothing to listen on", "see koined --help");
    rc = kn_config_check(&file, config, &why);
    return rc ? kn_complain(kn_exit_code(rc), file, why.text) : KN_EXIT_DONE;
}

static int tell(const struct kn_config *config)
{
    char room[64];
    for (size_t i = 0; i < config->count; i++) {
        const struct kn_endpoint_config *endpoint = &config->endpoints[i];
        printf("%s: %s", endpoint->name ? endpoint->name : "--listen", endpoint->uri);
        if (endpoint->group)
            printf(", group %s", endpoint->group);
        if (endpoint->workers > 1)
            printf(", %u workers", endpoint->workers);
        puts("");
    }
    printf("sandbox: %s\n", kn_sandbox_describe(room));
    return KN_EXIT_DONE;
}

static int run(const struct arguments *arguments, struct kn_config *config)
{
    int code = read_file(arguments, config);
    if (code)
        return code;
    return arguments->check ? tell(config) : kn_supervise(config, arguments->dir);
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
    struct kn_config config = {.count = 0};
    struct arguments arguments = {.dir = NULL};
    if (argc > 2 && !strcmp(argv[1], "--worker"))
        return kn_worker_run(argv + 2, argc - 2);
    hold_standard();
    int code = parse(&arguments, &config, argc, argv);
    if (code < 0)
        code = run(&arguments, &config);
    kn_config_deinit(&config);
    return code;
}
