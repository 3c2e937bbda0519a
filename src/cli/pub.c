/* SPDX-License-Identifier: MIT
 *
 * pub: a service whose only doing is to publish what comes by standard input, one JSON value a line.
 *
 * At the end of the input the service ends at once. Nothing that was published is lost by that: it lies
 * in memory that every subscriber has mapped, and a subscriber reads to the end before it is told that
 * the service is gone.
 */
#include "cli/cli.h"
#include "cli/lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

struct pub {
    struct cli *cli;
    struct koine_service *service;
    uint32_t event;
    struct cli_lines lines;
    unsigned long wrong;
};

/* Nobody calls but for attributes and operations, which a feed does not have. */
static int refuse(void *self, struct koine_request *request)
{
    (void)self;
    return koine_request_fault(request, KOINE_FAULT_UNIMPLEMENTED, "this is a feed: it publishes");
}

static void publish_line(struct pub *pub, const char *line, size_t length)
{
    int rc = strlen(line) == length
                 ? koine_event_publish_text(pub->service, pub->cli->args[1], line)
                 : KOINE_ESYNTAX;
    if (!rc)
        return;
    pub->wrong++;
    const char *why = koine_node_why(pub->cli->node);
    kn_cli_note(pub->cli, "line %lu: %s", pub->lines.number,
                strlen(line) != length ? "octet 0x00"
                : *why                 ? why
                                       : koine_strerror(rc));
}

static void publish_lines(struct pub *pub)
{
    char *line;
    size_t length;
    enum cli_line got;
    while ((got = kn_cli_lines_next(&pub->lines, &line, &length))) {
        if (got == CLI_LINE && length)
            publish_line(pub, line, length);
        if (got == CLI_LINE_TOO_LONG) {
            pub->wrong++;
            kn_cli_note(pub->cli, "line %lu: longer than %d octets", pub->lines.number,
                        CLI_LINE_MAX);
        }
    }
}

static int await_readers(struct pub *pub)
{
    struct cli *cli = pub->cli;
    int64_t end = cli->timeout ? koine_now() + cli->timeout : KOINE_FOREVER;
    while (koine_event_readers(pub->service, pub->event) < (size_t)cli->wait) {
        int64_t left = end == KOINE_FOREVER ? KOINE_FOREVER : end - koine_now();
        int rc = left > 0 ? koine_node_process(cli->node, left) : KOINE_EDEADLINE;
        if (rc == KOINE_EDEADLINE)
            return kn_cli_error(cli, CLI_DEADLINE, "%zu of %ld subscribers came",
                                koine_event_readers(pub->service, pub->event), cli->wait);
        if (rc < 0)
            return kn_cli_node_error(cli, rc);
    }
    return CLI_DONE;
}

/* A file is always readable for poll, so this takes whatever standard input is. */
static int copy_input(struct pub *pub)
{
    struct koine_node *node = pub->cli->node;
    struct pollfd polled[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                               {.fd = koine_node_fd(node), .events = POLLIN}};
    for (;;) {
        int rc = koine_node_process(node, 0);
        if (rc < 0)
            return kn_cli_node_error(pub->cli, rc);
        if (poll(polled, 2, rc ? 0 : -1) < 0 && errno != EINTR)
            return kn_cli_error(pub->cli, CLI_LOCAL, "poll: %s", strerror(errno));
        if (!polled[0].revents)
            continue;
        long got = kn_cli_lines_read(&pub->lines, STDIN_FILENO);
        if (got < 0 && got != -EAGAIN)
            return kn_cli_error(pub->cli, CLI_LOCAL, "standard input: %s", strerror((int)-got));
        publish_lines(pub);
        if (!got)
            return CLI_DONE;
    }
}

static int publish_all(struct pub *pub)
{
    int code = pub->cli->wait ? await_readers(pub) : CLI_DONE;
    if (!code)
        code = copy_input(pub);
    if (!code && pub->wrong)
        code = kn_cli_error(pub->cli, CLI_USAGE, "%lu lines were not published", pub->wrong);
    return code;
}

static int serve(struct pub *pub, const struct koine_interface *interface)
{
    struct cli *cli = pub->cli;
    if (koine_interface_find(&pub->event, interface, cli->args[1]) ||
        interface->features.ptr[pub->event].sort != KOINE_EVENT)
        return kn_cli_error(cli, CLI_USAGE, "'%s' has no event '%s'", interface->name.ptr,
                            cli->args[1]);
    int code = kn_cli_open_node(cli);
    if (code)
        return code;
    int rc = koine_service_open_generic(&pub->service, cli->node, cli->args[0], interface, refuse,
                                        NULL, NULL);
    if (rc)
        return kn_cli_node_error(cli, rc);
    code = publish_all(pub);
    koine_service_close(pub->service);
    return code;
}

int kn_cli_pub(struct cli *cli)
{
    const struct koine_interface *interface;
    struct koine_idl *idl;
    struct pub pub = {.cli = cli};
    if (!cli->idl)
        return kn_cli_error(cli, CLI_USAGE, "--idl FILE must declare the event");
    int code = kn_cli_read_interface(cli, &idl, &interface);
    if (code)
        return code;
    code = serve(&pub, interface);
    kn_cli_lines_deinit(&pub.lines);
    cli->node = koine_node_close(cli->node);
    koine_idl_free(idl);
    return code;
}
