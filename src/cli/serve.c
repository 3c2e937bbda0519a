/* SPDX-License-Identifier: MIT */
#include "cli/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LAST_READS = 256 }; /* pieces that are still read after the command ended */

void kn_serve_note(struct serve *serve, const char *format, ...)
{
    char text[512];
    int64_t now = koine_now();
    if (now - serve->noted > KOINE_SECOND) {
        serve->noted = now;
        serve->notes = 0;
        if (serve->unsaid)
            kn_cli_note(serve->cli, "%lu more such lines", serve->unsaid);
        serve->unsaid = 0;
    }
    if (serve->notes++ >= SERVE_NOTES) {
        serve->unsaid++;
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    kn_cli_note(serve->cli, "%s", text);
}

void kn_serve_fault(struct koine_request *request, int32_t code, const char *message)
{
    struct koine_fault fault = {.code = code,
                                .completion = KOINE_COMPLETED_MAYBE,
                                .name = "",
                                .message = message,
                                .origin = ""};
    (void)koine_reply_fault(request, &fault);
}

/* ---------------------------------------------------------------- what the command has to answer */

static bool is_over(const struct koine_request *request)
{
    return koine_request_cancelled(request) || koine_request_deadline(request) < koine_now();
}

/* Lets go of requests for which nobody waits any more. Their ids stay known until they are needed. */
static void sweep(void *arg)
{
    struct serve *serve = arg;
    for (size_t i = 0; serve->pending && i < SERVE_PENDING; i++) {
        struct serve_asked *asked = &serve->asked[i];
        if (!asked->request || !is_over(asked->request))
            continue;
        kn_serve_fault(asked->request, KOINE_FAULT_DEADLINE_EXCEEDED, "the command was too slow");
        asked->request = NULL;
        serve->pending--;
    }
    koine_timer_set(serve->timer, serve->pending ? koine_now() + KOINE_SECOND : KOINE_FOREVER);
}

/* A place under a fresh id; NULL: the command has as much to do as it may have. */
static struct serve_asked *take_place(struct serve *serve)
{
    if (serve->pending == SERVE_PENDING)
        sweep(serve);
    if (serve->pending == SERVE_PENDING)
        return NULL;
    if (!serve->pending)
        koine_timer_set(serve->timer, koine_now() + KOINE_SECOND);
    while (serve->asked[++serve->last % SERVE_PENDING].request)
        ;
    struct serve_asked *asked = &serve->asked[serve->last % SERVE_PENDING];
    asked->id = serve->last;
    return asked;
}

static void fail_all(struct serve *serve, const char *message)
{
    for (size_t i = 0; i < SERVE_PENDING; i++) {
        if (serve->asked[i].request)
            kn_serve_fault(serve->asked[i].request, KOINE_FAULT_UNAVAILABLE, message);
        serve->asked[i].request = NULL;
    }
    serve->pending = 0;
}

/* ---------------------------------------------------------------- to the command */

/* Nothing reaches the command any more. What it was asked is over, since nobody can tell what of it was
 * read; events and changes that it still writes are heard. */
static void close_input(struct serve *serve, const char *why)
{
    fail_all(serve, why);
    serve->input = koine_watch_close(serve->input);
    kn_cli_child_hang_up(&serve->child);
    serve->sent = serve->queued = 0;
}

static void send_queued(struct serve *serve)
{
    while (serve->sent < serve->queued) {
        ssize_t sent =
            write(serve->child.in, serve->queue + serve->sent, serve->queued - serve->sent);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN) {
            kn_serve_note(serve, "the command reads no more: %s", strerror(errno));
            close_input(serve, "the command behind the service reads no more");
            return;
        }
        if (sent < 0)
            break;
        serve->sent += (size_t)sent;
    }
    if (serve->sent == serve->queued)
        serve->sent = serve->queued = 0;
    (void)koine_watch_change(serve->input, serve->queued ? KOINE_WRITABLE : 0);
}

static void input_ready(void *arg, unsigned events)
{
    (void)events;
    send_queued(arg);
}

static bool reserve(struct serve *serve, size_t more)
{
    if (serve->sent) {
        memmove(serve->queue, serve->queue + serve->sent, serve->queued - serve->sent);
        serve->queued -= serve->sent;
        serve->sent = 0;
    }
    if (serve->queued + more <= serve->room)
        return true;
    size_t room = 2 * serve->room > serve->queued + more ? 2 * serve->room : serve->queued + more;
    char *queue = realloc(serve->queue, room);
    if (!queue)
        return false;
    serve->queue = queue;
    serve->room = room;
    return true;
}

static void add(struct serve *serve, const char *text, size_t length)
{
    memcpy(serve->queue + serve->queued, text, length);
    serve->queued += length;
}

/* The line for `request`; `id` 0: one-way. Why it cannot be sent, or NULL. */
static const char *queue_line(struct serve *serve, struct koine_request *request, uint64_t id)
{
    static const char *const verbs[] = {"", "member", "get", "set"};
    enum koine_request_sort sort = koine_request_sort(request);
    const char *name = serve->names[koine_request_member(request)], *body = "";
    char head[64];
    size_t length = 0;
    if (sort != KOINE_REQUEST_GET && koine_request_text(&body, &length, request))
        return "the arguments cannot be written as JSON";
    if (serve->queued - serve->sent + length > SERVE_QUEUE && serve->queued > serve->sent)
        return "the command does not read what it is asked";
    if (!reserve(serve, sizeof head + strlen(name) + length + 16))
        return "no memory for the call";
    int used = id ? snprintf(head, sizeof head, "{\"id\":%llu,\"%s\":", (unsigned long long)id,
                             verbs[sort])
                  : snprintf(head, sizeof head, "{\"%s\":", verbs[sort]);
    add(serve, head, (size_t)used);
    add(serve, name, strlen(name));
    if (sort == KOINE_REQUEST_CALL)
        add(serve, ",\"in\":", 6);
    if (sort == KOINE_REQUEST_SET)
        add(serve, ",\"value\":", 9);
    add(serve, body, length);
    add(serve, "}\n", 2);
    return NULL;
}

/* Nobody would see a fault. */
static int hand_on_oneway(struct serve *serve, struct koine_request *request)
{
    const char *wrong =
        serve->child.in < 0 ? "the command reads no more" : queue_line(serve, request, 0);
    if (wrong)
        kn_serve_note(serve, "a one-way call of %s is lost: %s",
                      serve->names[koine_request_member(request)], wrong);
    else
        send_queued(serve);
    return koine_reply(request, NULL);
}

static int hand_on(void *self, struct koine_request *request)
{
    struct serve *serve = self;
    uint32_t member = koine_request_member(request);
    if (serve->interface->features.ptr[member].flags & KOINE_ONEWAY)
        return hand_on_oneway(serve, request);
    if (serve->ending || serve->child.in < 0)
        return koine_request_fault(request, KOINE_FAULT_UNAVAILABLE,
                                   serve->ending ? "the command behind the service has ended"
                                                 : "the command behind the service reads no more");
    struct serve_asked *asked = take_place(serve);
    const char *wrong =
        asked ? queue_line(serve, request, asked->id) : "the command has too many calls to answer";
    if (wrong)
        return koine_request_fault(request, KOINE_FAULT_RESOURCE_EXHAUSTED, wrong);
    asked->request = request;
    serve->pending++;
    send_queued(serve);
    return KOINE_PENDING;
}

/* ---------------------------------------------------------------- from the command */

static void handle_lines(struct serve *serve)
{
    char *line;
    size_t length;
    enum cli_line got;
    while ((got = kn_cli_lines_next(&serve->lines, &line, &length))) {
        if (got == CLI_LINE_TOO_LONG)
            kn_serve_note(serve, "line %lu of the command is longer than %d octets, and is lost",
                          serve->lines.number, CLI_LINE_MAX);
        else if (length)
            kn_serve_line(serve, line, length);
    }
}

static void begin_end(struct serve *serve)
{
    if (serve->ending)
        return;
    serve->ending = true;
    close_input(serve, "the command behind the service has ended");
}

/* It closed its output and so can answer nothing more; it has a moment to end, and is ended then. */
static void output_ended(struct serve *serve)
{
    serve->output = koine_watch_close(serve->output);
    begin_end(serve);
    (void)koine_node_stop(serve->cli->node);
}

static void output_ready(void *arg, unsigned events)
{
    struct serve *serve = arg;
    (void)events;
    long got = kn_cli_lines_read(&serve->lines, serve->child.out);
    handle_lines(serve);
    if (got < 0 && got != -EAGAIN)
        kn_serve_note(serve, "reading from the command: %s", strerror((int)-got));
    if (!got || (got < 0 && got != -EAGAIN))
        output_ended(serve);
}

/* What it wrote before its end still counts. Who else holds its output may write for ever. */
static void life_ended(void *arg, unsigned events)
{
    struct serve *serve = arg;
    (void)events;
    serve->life = koine_watch_close(serve->life);
    for (int i = 0; i < LAST_READS && serve->output; i++) {
        long got = kn_cli_lines_read(&serve->lines, serve->child.out);
        handle_lines(serve);
        if (got <= 0)
            break;
    }
    serve->ended = true;
    begin_end(serve);
    (void)koine_node_stop(serve->cli->node);
}

/* ---------------------------------------------------------------- life */

/* What the signal handler may touch: koine_node_stop is one write. */
static struct koine_node *running;
static volatile sig_atomic_t told_to_end;

static void end_by_signal(int signal)
{
    (void)signal;
    told_to_end = 1;
    (void)koine_node_stop(running);
}

static void catch_signals(struct koine_node *node)
{
    struct sigaction action = {.sa_handler = node ? end_by_signal : SIG_DFL};
    if (node)
        running = node;
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
}

static int watch_child(struct serve *serve)
{
    struct koine_node *node = serve->cli->node;
    int rc = koine_watch_open(&serve->input, node, serve->child.in, 0, input_ready, serve);
    if (!rc)
        rc = koine_watch_open(&serve->output, node, serve->child.out, KOINE_READABLE, output_ready,
                              serve);
    if (!rc)
        rc = koine_watch_open(&serve->life, node, serve->child.pidfd, KOINE_READABLE, life_ended,
                              serve);
    return rc ? rc : koine_timer_open(&serve->timer, node, sweep, serve);
}

/* The callers get their faults before their links are hung up, and the command hears of the end by its
 * input first. */
static int end_child(struct serve *serve)
{
    begin_end(serve);
    koine_watch_close(serve->output);
    koine_watch_close(serve->life);
    koine_timer_close(serve->timer);
    koine_service_close(serve->service);
    int status = kn_cli_child_end(&serve->child);
    if (told_to_end && !serve->ended)
        return CLI_DONE;
    if (status > 128)
        kn_cli_note(serve->cli, "the command was ended by signal %d (%s)", status - 128,
                    strsignal(status - 128));
    else if (status)
        kn_cli_note(serve->cli, "the command ended with status %d", status);
    return status;
}

static int run(struct serve *serve)
{
    struct cli *cli = serve->cli;
    int error = kn_cli_child_start(&serve->child, cli->exec);
    if (error) {
        koine_service_close(serve->service);
        return kn_cli_error(cli, CLI_LOCAL, "%s: cannot be started: %s", cli->exec[0],
                            strerror(error));
    }
    int rc = watch_child(serve);
    if (!rc && !told_to_end)
        rc = koine_node_run(cli->node);
    int code = rc ? kn_cli_node_error(cli, rc) : CLI_DONE;
    int status = end_child(serve);
    return code ? code : status;
}

static int quote_names(struct serve *serve)
{
    static const struct koine_type text = {.kind = KOINE_KIND_STRING, .align = 8, .size = 16};
    const struct koine_seq_feature *features = &serve->interface->features;
    serve->names = calloc(features->length + (size_t)1, sizeof *serve->names);
    int rc = serve->names ? 0 : KOINE_ENOMEM;
    for (uint32_t i = 0; i < features->length && !rc; i++)
        rc = koine_value_write(&serve->names[i], NULL, &text, &features->ptr[i].name, 0);
    return rc;
}

static int serve_name(struct serve *serve)
{
    struct cli *cli = serve->cli;
    /* One link may have all; one-way calls need a place while they are handed on. */
    struct koine_node_options options = {.size = sizeof options, .max_pending = SERVE_PENDING + 64};
    int rc = quote_names(serve);
    if (!rc)
        rc = koine_node_open(&cli->node, &options);
    if (!rc) {
        catch_signals(cli->node);
        rc = koine_service_open_generic(&serve->service, cli->node, cli->args[0], serve->interface,
                                        hand_on, serve, NULL);
    }
    return rc ? kn_cli_node_error(cli, rc) : run(serve);
}

static void deinit(struct serve *serve)
{
    catch_signals(NULL);
    serve->cli->node = koine_node_close(serve->cli->node);
    for (uint32_t i = 0; serve->names && i < serve->interface->features.length; i++)
        free(serve->names[i]);
    free(serve->names);
    free(serve->queue);
    kn_cli_lines_deinit(&serve->lines);
    free(serve);
}

int kn_cli_serve(struct cli *cli)
{
    const struct koine_interface *interface;
    struct koine_idl *idl;
    if (!cli->exec || !cli->exec[0])
        return kn_cli_error(cli, CLI_USAGE, "--exec CMD must say what answers");
    if (!cli->idl)
        return kn_cli_error(cli, CLI_USAGE,
                            "a service without --idl FILE would have an open face, which this "
                            "version does not have yet; give the interface by --idl");
    int code = kn_cli_read_interface(cli, &idl, &interface);
    if (code)
        return code;
    struct serve *serve = calloc(1, sizeof *serve);
    if (serve) {
        serve->cli = cli;
        serve->interface = interface;
        code = serve_name(serve);
        deinit(serve);
    } else {
        code = kn_cli_node_error(cli, KOINE_ENOMEM);
    }
    koine_idl_free(idl);
    return code;
}
