/* SPDX-License-Identifier: MIT
 *
 * What the command prints: errors for people or programs, and JSON that is JSON whatever a name holds.
 */
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Octets of the UTF-8 sequence at `text`; 0: it is none. */
static int utf8_length(const unsigned char *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int length = *text < 0x80       ? 1
                 : *text >> 5 == 6  ? 2
                 : *text >> 4 == 14 ? 3
                 : *text >> 3 == 30 ? 4
                                    : 0;
    uint32_t code = length > 1 ? *text & (0x7fu >> length) : *text;
    for (int i = 1; i < length; i++) {
        if (text[i] >> 6 != 2)
            return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return length && code >= least[length] && code <= 0x10ffff && !surrogate ? length : 0;
}

void kn_cli_put_string(FILE *to, const char *text)
{
    fputc('"', to);
    for (const char *c = text; *c;) {
        int length = utf8_length((const unsigned char *)c);
        if (!length)
            fputs("\\ufffd", to);
        else if ((unsigned char)*c < 0x20)
            fprintf(to, "\\u%04x", (unsigned)*c);
        else
            fprintf(to, "%s%.*s", *c == '"' || *c == '\\' ? "\\" : "", length, c);
        c += length ? length : 1;
    }
    fputc('"', to);
}

void kn_cli_put_plain(FILE *to, const char *text, const char *kept)
{
    for (const char *c = text; *c; c++) {
        bool control = (unsigned char)*c < ' ' || *c == 0x7f;
        fputc(control && !strchr(kept, *c) ? '?' : *c, to);
    }
}

void kn_cli_put_indented(FILE *to, const char *json)
{
    for (const char *c = json; *c; c++) {
        fputc(*c, to);
        if (*c == '\n')
            fputs("  ", to);
    }
}

/* ---------------------------------------------------------------- errors */

static void report(const struct cli *cli, int code, const char *text, const char *fault)
{
    flockfile(stderr);
    if (!cli->json) {
        fprintf(stderr, "koine %s: ", cli->command);
        kn_cli_put_plain(stderr, text, "");
        fputc('\n', stderr);
    } else {
        fputs(code ? "{\"error\":" : "{\"note\":", stderr);
        kn_cli_put_string(stderr, text);
        if (code)
            fprintf(stderr, ",\"exit\":%d", code);
        if (fault)
            fprintf(stderr, ",\"fault\":%s", fault);
        fputs("}\n", stderr);
    }
    funlockfile(stderr);
}

int kn_cli_error(const struct cli *cli, int code, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report(cli, code, text, NULL);
    return code;
}

void kn_cli_note(const struct cli *cli, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report(cli, 0, text, NULL);
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

/* {"code":"unknown","name":"demo::OutOfRange","message":"","value":{"min":5,"max":30}} */
static char *fault_json(const struct koine_fault *fault, const char *value)
{
    const char *code = koine_fault_code_name(fault->code);
    char *json = NULL;
    size_t length;
    FILE *to = open_memstream(&json, &length);
    if (!to)
        return NULL;
    fputs("{\"code\":", to);
    kn_cli_put_string(to, code ? code : "unknown");
    fputs(",\"name\":", to);
    kn_cli_put_string(to, fault->name);
    fputs(",\"message\":", to);
    kn_cli_put_string(to, fault->message);
    if (value)
        fprintf(to, ",\"value\":%s", value);
    fputc('}', to);
    return fclose(to) ? NULL : json;
}

int kn_cli_fault(const struct cli *cli)
{
    const struct koine_fault *fault = koine_ref_fault(cli->ref);
    const char *code = koine_fault_code_name(fault->code);
    const char *name = *fault->name ? fault->name : code ? code : "fault";
    char text[1024], *value = NULL;
    if (fault->type)
        (void)koine_value_write(&value, NULL, fault->type, fault->value, 0);
    snprintf(text, sizeof text, "%s%s%s%s%s", name, *fault->message ? ": " : "", fault->message,
             value ? " " : "", value ? value : "");
    char *json = fault_json(fault, value);
    report(cli, CLI_FAULT, text, json);
    free(json);
    free(value);
    return CLI_FAULT;
}

/* ---------------------------------------------------------------- the end of output */

static bool reader_is_gone(void)
{
    struct pollfd to = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&to, 1, 0) > 0 && (to.revents & POLLERR);
}

bool kn_cli_flush(struct cli *cli)
{
    errno = 0;
    if (!fflush(stdout) && !ferror(stdout))
        return true;
    if (!cli->output_error)
        cli->output_error = errno == EPIPE || reader_is_gone() ? EPIPE : errno ? errno : EIO;
    return false;
}

int kn_cli_finish(struct cli *cli, int code)
{
    if (kn_cli_flush(cli) || cli->output_error == EPIPE)
        return code;
    return kn_cli_error(cli, CLI_LOCAL, "standard output: %s", strerror(cli->output_error));
}
