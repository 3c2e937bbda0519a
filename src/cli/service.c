/* SPDX-License-Identifier: MIT
 *
 * The commands that speak with a service.
 */
#include "cli/cli.h"

#include <koine/idl.h>
#include <koine/value.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- names and descriptions */

int kn_cli_ls(struct cli *cli)
{
    struct koine_name *names;
    size_t count, length = cli->arg_count ? strlen(cli->args[0]) : 0;
    int rc = koine_names(&names, &count, NULL);
    if (rc)
        return kn_cli_node_error(cli, rc);
    for (size_t i = 0; i < count; i++) {
        const struct koine_name *name = &names[i];
        bool below = !strncmp(name->name, cli->args[0] ? cli->args[0] : "", length) &&
                     (!name->name[length] || name->name[length] == '/');
        if (length && !below)
            continue;
        const char *state = name->alive > 0 ? "alive" : name->alive ? "unknown" : "dead";
        if (cli->json)
            printf("{\"name\":\"%s\",\"state\":\"%s\",\"uid\":%u}\n", name->name, state, name->uid);
        else
            printf("%-40s %-8s uid %u\n", name->name, state, name->uid);
    }
    koine_names_free(names);
    return CLI_DONE;
}

int kn_cli_describe(struct cli *cli)
{
    const struct koine_interface *interface;
    char *text;
    int code = kn_cli_connect(cli);
    if (code)
        return code;
    int rc = koine_ref_interface(&interface, cli->ref, 0);
    if (!rc)
        rc = koine_interface_print(&text, interface);
    if (rc)
        return kn_cli_node_error(cli, rc);
    fputs(text, stdout);
    free(text);
    return CLI_DONE;
}

/* ---------------------------------------------------------------- arguments */

static bool is_verbatim(const struct koine_type *type)
{
    return type->kind == KOINE_KIND_STRING || type->kind == KOINE_KIND_ENUM;
}

/* A JSON string of text as the user typed it. */
static void put_string(FILE *to, const char *text)
{
    fputc('"', to);
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fputc('\\', to);
        if ((unsigned char)*c < 0x20)
            fprintf(to, "\\u%04x", (unsigned)*c);
        else
            fputc(*c, to);
    }
    fputc('"', to);
}

static void put_value(FILE *to, const struct koine_type *type, const char *text)
{
    if (is_verbatim(type))
        put_string(to, text);
    else
        fputs(text, to);
}

/* The parameter that an argument names before its first '=', or -1. */
static int named(const struct koine_type *type, const char *argument)
{
    const char *equals = strchr(argument, '=');
    for (uint32_t i = 0; equals && i < type->members.length; i++) {
        const struct koine_string *name = &type->members.ptr[i].name;
        if (name->length == (size_t)(equals - argument) &&
            !memcmp(name->ptr, argument, name->length))
            return (int)i;
    }
    return -1;
}

static int put_argument(struct cli *cli, FILE *to, const struct koine_type *type, int index,
                        bool first)
{
    const char *argument = cli->args[2 + index];
    int which = named(type, argument);
    const char *text = which < 0 ? argument : strchr(argument, '=') + 1;
    if (which < 0)
        which = index;
    if ((uint32_t)which >= type->members.length)
        return kn_cli_error(
            cli, CLI_USAGE,
            "'%s' has %u parameters, and '%s' is one too many; see koine describe %s", cli->args[1],
            type->members.length, argument, cli->args[0]);
    const struct koine_member *member = &type->members.ptr[which];
    if (!first)
        fputc(',', to);
    put_string(to, member->name.ptr);
    fputc(':', to);
    put_value(to, koine_type_of_member(type, member), text);
    return CLI_DONE;
}

static int build_arguments(struct cli *cli, char **jsonp, const struct koine_type *type)
{
    size_t length;
    int code = CLI_DONE;
    FILE *to = open_memstream(jsonp, &length);
    if (!to)
        return kn_cli_node_error(cli, KOINE_ENOMEM);
    fputc('{', to);
    for (int i = 0; i < cli->arg_count - 2 && !code; i++)
        code = put_argument(cli, to, type, i, i == 0);
    fputc('}', to);
    fclose(to);
    if (code)
        free(*jsonp);
    return code;
}

/* "-": one JSON object from standard input. */
static int read_arguments(struct cli *cli, char **jsonp)
{
    size_t room = 0;
    *jsonp = NULL;
    if (getdelim(jsonp, &room, EOF, stdin) >= 0)
        return CLI_DONE;
    free(*jsonp);
    return kn_cli_error(cli, CLI_USAGE, "nothing on standard input");
}

/* ---------------------------------------------------------------- answers */

/* Compact with --json, else laid out for people by reading it back with its own type. */
static int print_answer(const struct cli *cli, const struct koine_type *type, const char *json)
{
    void *value;
    char *pretty;
    if (cli->json || koine_value_read(&value, type, json, strlen(json), NULL)) {
        puts(json);
        return CLI_DONE;
    }
    if (!koine_value_write(&pretty, NULL, type, value, KOINE_JSON_PRETTY)) {
        puts(pretty);
        free(pretty);
    }
    free(value);
    return CLI_DONE;
}

static int find(struct cli *cli, uint32_t *memberp, const struct koine_interface **interfacep)
{
    int code = kn_cli_connect(cli);
    if (code)
        return code;
    int rc = koine_ref_interface(interfacep, cli->ref, 0);
    if (rc)
        return kn_cli_node_error(cli, rc);
    if (koine_interface_find(memberp, *interfacep, cli->args[1]))
        return kn_cli_error(cli, CLI_USAGE, "'%s' (%s) has no member '%s'; see koine describe %s",
                            cli->args[0], (*interfacep)->name.ptr, cli->args[1], cli->args[0]);
    return CLI_DONE;
}

static int fault(const struct cli *cli)
{
    const struct koine_fault *given = koine_ref_fault(cli->ref);
    char *json = NULL;
    if (given->type)
        (void)koine_value_write(&json, NULL, given->type, given->value, 0);
    const char *code = koine_fault_code_name(given->code);
    int rc = kn_cli_error(cli, CLI_FAULT, "%s%s%s%s%s",
                          *given->name ? given->name
                          : code       ? code
                                       : "fault",
                          *given->message ? ": " : "", given->message, json ? " " : "",
                          json ? json : "");
    free(json);
    return rc;
}

int kn_cli_call(struct cli *cli)
{
    const struct koine_interface *interface;
    const char *answer;
    uint32_t member;
    char *json;
    int code = find(cli, &member, &interface);
    if (code)
        return code;
    const struct koine_feature *feature = &interface->features.ptr[member];
    bool piped = cli->arg_count == 3 && !strcmp(cli->args[2], "-");
    code = piped ? read_arguments(cli, &json)
                 : build_arguments(cli, &json, interface->types.ptr + feature->in);
    if (code)
        return code;
    int rc = koine_call_text(&answer, cli->ref, cli->args[1], json, 0);
    free(json);
    if (rc == KOINE_EFAULT)
        return fault(cli);
    if (rc)
        return kn_cli_node_error(cli, rc);
    return print_answer(cli, interface->types.ptr + feature->out, answer);
}

int kn_cli_get(struct cli *cli)
{
    const struct koine_interface *interface;
    const char *json;
    uint32_t member;
    int code = find(cli, &member, &interface);
    if (code)
        return code;
    int rc = koine_get_text(&json, cli->ref, cli->args[1], 0);
    if (rc == KOINE_EFAULT)
        return fault(cli);
    if (rc)
        return kn_cli_node_error(cli, rc);
    printf(cli->json ? "{\"return\":%s}\n" : "{\n  \"return\": %s\n}\n", json);
    return CLI_DONE;
}

int kn_cli_set(struct cli *cli)
{
    const struct koine_interface *interface;
    uint32_t member;
    char *json;
    size_t length;
    int code = find(cli, &member, &interface);
    if (code)
        return code;
    FILE *to = open_memstream(&json, &length);
    if (!to)
        return kn_cli_node_error(cli, KOINE_ENOMEM);
    put_value(to, interface->types.ptr + interface->features.ptr[member].in, cli->args[2]);
    fclose(to);
    int rc = koine_set_text(cli->ref, cli->args[1], json, 0);
    free(json);
    if (rc == KOINE_EFAULT)
        return fault(cli);
    return rc ? kn_cli_node_error(cli, rc) : CLI_DONE;
}

static void print_sample(const struct cli *cli, struct koine_sample *sample, bool event)
{
    const char *json;
    if (koine_sample_text(&json, sample))
        return;
    printf("{\"%s\":\"%s\",\"value\":%s", event ? "event" : "changed", cli->args[1], json);
    if (koine_sample_lost(sample))
        printf(",\"lost\":%llu", (unsigned long long)koine_sample_lost(sample));
    puts("}");
    fflush(stdout);
}

/* Ends by --count, or by an error. */
static int follow(const struct cli *cli, struct koine_sub *sub, bool event)
{
    struct koine_sample *sample;
    int rc = 0;
    for (long seen = 0; !rc && (!cli->count || seen < cli->count); seen++) {
        rc = koine_event_wait(&sample, sub, cli->timeout ? cli->timeout : KOINE_FOREVER);
        if (rc)
            break;
        print_sample(cli, sample, event);
        koine_sample_release(sample);
    }
    return rc;
}

int kn_cli_sub(struct cli *cli)
{
    const struct koine_interface *interface;
    struct koine_sub *sub;
    uint32_t member;
    int code = find(cli, &member, &interface);
    if (code)
        return code;
    bool event = interface->features.ptr[member].sort == KOINE_EVENT;
    if (interface->features.ptr[member].sort !=
        (!strcmp(cli->command, "sub") ? KOINE_EVENT : KOINE_ATTRIBUTE))
        return kn_cli_error(cli, CLI_USAGE,
                            "'%s' is another sort of member; events have sub, attributes watch",
                            cli->args[1]);
    int rc = koine_subscribe(&sub, cli->ref, member, 0);
    if (!rc) {
        rc = follow(cli, sub, event);
        code = rc == KOINE_EDOWN ? kn_cli_error(cli, CLI_UNREACHABLE, "'%s' is gone", cli->args[0])
               : rc              ? kn_cli_node_error(cli, rc)
                                 : CLI_DONE;
        koine_unsubscribe(sub);
        return code;
    }
    return kn_cli_node_error(cli, rc);
}
