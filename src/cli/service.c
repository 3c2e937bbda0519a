/* SPDX-License-Identifier: MIT
 *
 * The commands that speak with a service.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int kn_cli_open_node(struct cli *cli)
{
    struct koine_node_options options = {.size = sizeof options, .timeout = cli->timeout};
    int rc = cli->node ? 0 : koine_node_open(&cli->node, &options);
    return rc ? kn_cli_node_error(cli, rc) : CLI_DONE;
}

int kn_cli_connect(struct cli *cli)
{
    if (strstr(cli->args[0], "://"))
        return kn_cli_error(cli, CLI_USAGE, "'%s' is an endpoint; this build reaches names only",
                            cli->args[0]);
    int code = kn_cli_open_node(cli);
    if (code)
        return code;
    int rc = koine_ref_open(&cli->ref, cli->node, cli->args[0], NULL, 0);
    return rc ? kn_cli_node_error(cli, rc) : CLI_DONE;
}

static void print_description(const struct cli *cli, const struct koine_interface *interface,
                              const char *text)
{
    if (!cli->json) {
        kn_cli_put_plain(stdout, text, "\t\n");
        return;
    }
    fputs("{\"name\":", stdout);
    kn_cli_put_string(stdout, cli->args[0]);
    fputs(",\"interface\":", stdout);
    kn_cli_put_string(stdout, interface->name.ptr);
    fputs(",\"idl\":", stdout);
    kn_cli_put_string(stdout, text);
    puts("}");
}

int kn_cli_describe(struct cli *cli)
{
    return kn_cli_describe_as(cli, koine_interface_print);
}

int kn_cli_describe_as(struct cli *cli,
                       int (*print)(char **textp, const struct koine_interface *interface))
{
    const struct koine_interface *interface;
    char *text;
    int code = kn_cli_connect(cli);
    if (code)
        return code;
    int rc = koine_ref_interface(&interface, cli->ref, 0);
    if (!rc)
        rc = print(&text, interface);
    if (rc)
        return kn_cli_node_error(cli, rc);
    print_description(cli, interface, text);
    free(text);
    return CLI_DONE;
}

/* ---------------------------------------------------------------- arguments */

static bool is_verbatim(const struct koine_type *type)
{
    return type->kind == KOINE_KIND_STRING || type->kind == KOINE_KIND_ENUM;
}

/* A JSON string of text as the user typed it, octet by octet: the reader says what is wrong with it. */
static void put_verbatim(FILE *to, const char *text)
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

/* What is written between other arguments must be one value by itself. */
static int check_value(const struct cli *cli, const char *name, const struct koine_type *type,
                       const char *text)
{
    struct koine_why why = {""};
    void *value = NULL;
    int rc = is_verbatim(type) ? 0 : koine_value_read(&value, type, text, strlen(text), &why);
    free(value);
    if (rc && *why.text)
        return kn_cli_error(cli, CLI_USAGE, "'%s': %s", name, why.text);
    return rc ? kn_cli_node_error(cli, rc) : CLI_DONE;
}

static void put_value(FILE *to, const struct koine_type *type, const char *text)
{
    if (is_verbatim(type))
        put_verbatim(to, text);
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
    const struct koine_type *part = koine_type_of_member(type, member);
    int code = check_value(cli, member->name.ptr, part, text);
    if (code)
        return code;
    if (!first)
        fputc(',', to);
    put_verbatim(to, member->name.ptr);
    fputc(':', to);
    put_value(to, part, text);
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

/* All of standard input, up to CLI_LINE_MAX. */
static int read_input(char **textp, size_t *lengthp)
{
    size_t length = 0, room = 1 << 16, got;
    char *text = malloc(room + 1), *larger;
    while (text && (got = fread(text + length, 1, room - length, stdin)) > 0) {
        length += got;
        if (length < room)
            continue;
        larger = room < CLI_LINE_MAX ? realloc(text, 2 * room + 1) : NULL;
        if (!larger)
            free(text);
        text = larger;
        room *= 2;
    }
    if (!text)
        return room > CLI_LINE_MAX ? KOINE_ETOOBIG : KOINE_ENOMEM;
    if (ferror(stdin)) {
        free(text);
        return KOINE_ESYSTEM;
    }
    text[length] = 0;
    *textp = text;
    *lengthp = length;
    return 0;
}

/* "-": one JSON object from standard input. */
static int read_arguments(struct cli *cli, char **jsonp)
{
    size_t length;
    int rc = read_input(jsonp, &length);
    if (rc)
        return kn_cli_error(cli, rc == KOINE_ETOOBIG ? CLI_USAGE : CLI_LOCAL, "standard input: %s",
                            rc == KOINE_ESYSTEM ? strerror(errno) : koine_strerror(rc));
    if (length && strlen(*jsonp) == length)
        return CLI_DONE;
    free(*jsonp);
    return kn_cli_error(cli, CLI_USAGE,
                        length ? "octet 0x00 on standard input" : "nothing on standard input");
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

static int get_interface(struct cli *cli, const struct koine_interface **interfacep)
{
    int code = kn_cli_connect(cli);
    if (code)
        return code;
    int rc = koine_ref_interface(interfacep, cli->ref, 0);
    return rc ? kn_cli_node_error(cli, rc) : CLI_DONE;
}

static int no_member(struct cli *cli, const struct koine_interface *interface, const char *name)
{
    return kn_cli_error(cli, CLI_USAGE, "'%s' (%s) has no member '%s'; see koine describe %s",
                        cli->args[0], interface->name.ptr, name, cli->args[0]);
}

static int find(struct cli *cli, uint32_t *memberp, const struct koine_interface **interfacep,
                const char *name)
{
    int code = get_interface(cli, interfacep);
    if (!code && koine_interface_find(memberp, *interfacep, name))
        code = no_member(cli, *interfacep, name);
    return code;
}

int kn_cli_call(struct cli *cli)
{
    const struct koine_interface *interface;
    const char *answer;
    uint32_t member;
    char *json;
    int code = find(cli, &member, &interface, cli->args[1]);
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
        return kn_cli_fault(cli);
    if (rc)
        return kn_cli_node_error(cli, rc);
    return print_answer(cli, interface->types.ptr + feature->out, answer);
}

/* {"return": value}, compact or laid out. */
static int print_return(const struct cli *cli, const struct koine_type *type, const char *json)
{
    void *value;
    char *pretty;
    if (cli->json || koine_value_read(&value, type, json, strlen(json), NULL)) {
        printf("{\"return\":%s}\n", json);
        return CLI_DONE;
    }
    int rc = koine_value_write(&pretty, NULL, type, value, KOINE_JSON_PRETTY);
    free(value);
    if (rc)
        return kn_cli_error(cli, CLI_LOCAL, "%s", koine_strerror(rc));
    fputs("{\n  \"return\": ", stdout);
    kn_cli_put_indented(stdout, pretty);
    puts("\n}");
    free(pretty);
    return CLI_DONE;
}

int kn_cli_get(struct cli *cli)
{
    const struct koine_interface *interface;
    const char *json;
    uint32_t member;
    int code = find(cli, &member, &interface, cli->args[1]);
    if (code)
        return code;
    int rc = koine_get_text(&json, cli->ref, cli->args[1], 0);
    if (rc == KOINE_EFAULT)
        return kn_cli_fault(cli);
    if (rc)
        return kn_cli_node_error(cli, rc);
    return print_return(cli, interface->types.ptr + interface->features.ptr[member].out, json);
}

static int set_one(struct cli *cli, const struct koine_interface *interface, const char *attribute,
                   const char *text)
{
    uint32_t member;
    char *json = NULL;
    size_t length;
    if (koine_interface_find(&member, interface, attribute))
        return no_member(cli, interface, attribute);
    FILE *to = open_memstream(&json, &length);
    if (!to)
        return kn_cli_node_error(cli, KOINE_ENOMEM);
    put_value(to, interface->types.ptr + interface->features.ptr[member].in, text);
    int rc = fclose(to) ? KOINE_ENOMEM : koine_set_text(cli->ref, attribute, json, 0);
    free(json);
    if (rc == KOINE_EFAULT)
        return kn_cli_fault(cli);
    return rc ? kn_cli_node_error(cli, rc) : CLI_DONE;
}

/* ATTRIBUTE=VALUE: whether what stands before the first '=' is a member. Cuts it there. */
static char *cut_pair(char *argument, const struct koine_interface *interface)
{
    uint32_t member;
    char *equals = strchr(argument, '=');
    if (!equals)
        return NULL;
    *equals = 0;
    if (!koine_interface_find(&member, interface, argument))
        return equals + 1;
    *equals = '=';
    return NULL;
}

/* One after the other; the first that fails ends it. */
int kn_cli_set(struct cli *cli)
{
    const struct koine_interface *interface;
    int code = get_interface(cli, &interface);
    if (code)
        return code;
    char *value = cut_pair(cli->args[1], interface);
    if (!value && cli->arg_count == 3)
        return set_one(cli, interface, cli->args[1], cli->args[2]);
    for (int i = 1; i < cli->arg_count && !code; i++) {
        if (i > 1)
            value = cut_pair(cli->args[i], interface);
        code = value ? set_one(cli, interface, cli->args[i], value)
                     : kn_cli_error(cli, CLI_USAGE, "'%s' is not ATTRIBUTE=VALUE of '%s'",
                                    cli->args[i], cli->args[0]);
    }
    return code;
}

static void print_sample(const struct cli *cli, struct koine_sample *sample, bool event)
{
    const char *json;
    if (koine_sample_text(&json, sample))
        return;
    printf("{\"%s\":", event ? "event" : "changed");
    kn_cli_put_string(stdout, cli->args[1]);
    printf(",\"value\":%s", json);
    if (koine_sample_lost(sample))
        printf(",\"lost\":%llu", (unsigned long long)koine_sample_lost(sample));
    puts("}");
}

/* Ends by --count, by an error, or when nobody takes what is printed. */
static int follow(struct cli *cli, struct koine_sub *sub, bool event)
{
    struct koine_sample *sample;
    int rc = 0;
    for (long seen = 0; !rc && (!cli->count || seen < cli->count); seen++) {
        rc = koine_event_wait(&sample, sub, cli->timeout ? cli->timeout : KOINE_FOREVER);
        if (rc)
            break;
        print_sample(cli, sample, event);
        koine_sample_release(sample);
        if (!kn_cli_flush(cli))
            break;
    }
    return rc;
}

int kn_cli_sub(struct cli *cli)
{
    const struct koine_interface *interface;
    struct koine_sub *sub;
    uint32_t member;
    int code = find(cli, &member, &interface, cli->args[1]);
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
