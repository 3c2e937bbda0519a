/* SPDX-License-Identifier: MIT
 *
 * ls and tree. ls looks at the name directory alone; tree asks every living service for its interface,
 * many at once and with one short deadline, so one that is stopped costs no more than that. What was
 * learnt is kept as text, so no more than BATCH links are open at a time.
 */
#include "cli/as.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, DEPTH = 16 };

static bool is_below(const char *name, const char *prefix)
{
    size_t length = strlen(prefix);
    return !length || (!strncmp(name, prefix, length) && (!name[length] || name[length] == '/'));
}

static const char *state_of(const struct koine_name *name)
{
    return name->alive > 0 ? "alive" : name->alive ? "unknown" : "dead";
}

/* The names below the argument, if there is one, moved to the front. */
static int list(struct cli *cli, struct koine_name **namesp, size_t *countp)
{
    const char *prefix = cli->arg_count ? cli->args[0] : "";
    size_t count, kept = 0;
    int rc = koine_names(namesp, &count, NULL);
    if (rc == KOINE_EPERM || rc == KOINE_ESYSTEM)
        return kn_cli_error(cli, rc == KOINE_EPERM ? CLI_PERMISSION : CLI_LOCAL,
                            "no directory of names can be read: %s; see $KOINE_DIR",
                            koine_strerror(rc));
    if (rc)
        return kn_cli_node_error(cli, rc);
    for (size_t i = 0; i < count; i++) {
        struct koine_name name = (*namesp)[i];
        if (!is_below(name.name, prefix))
            continue;
        (*namesp)[i] = (*namesp)[kept];
        (*namesp)[kept++] = name;
    }
    *countp = kept;
    return CLI_DONE;
}

int kn_cli_ls(struct cli *cli)
{
    struct koine_name *names;
    size_t count;
    int code = list(cli, &names, &count);
    if (code)
        return code;
    for (size_t i = 0; i < count; i++) {
        const char *state = state_of(&names[i]);
        if (cli->json) {
            fputs("{\"name\":", stdout);
            kn_cli_put_string(stdout, names[i].name);
            printf(",\"state\":\"%s\",\"uid\":%u}\n", state, names[i].uid);
        } else {
            printf("%-40s %-8s uid %u\n", names[i].name, state, names[i].uid);
        }
    }
    koine_names_free(names);
    return CLI_DONE;
}

/* ---------------------------------------------------------------- asking */

/* A service of the tree, and what there is to print of it. */
struct asked {
    struct cli *cli;
    const struct koine_name *name;
    struct koine_ref *ref;
    size_t *waitingp; /* answers that are still out */
    char *interface, *members;
    int error;
};

static void put_object(FILE *to, const struct koine_feature *feature, const char *line,
                       const char *address)
{
    static const char *const sorts[] = {"", "operation", "attribute", "event"};
    fputs("{\"name\":", to);
    kn_cli_put_string(to, feature->name.ptr);
    fprintf(to, ",\"sort\":\"%s\",\"idl\":", sorts[feature->sort]);
    kn_cli_put_string(to, line);
    if (address) {
        fputs(",\"address\":", to);
        kn_cli_put_string(to, address);
    }
    fputc('}', to);
}

/* One member: a line, or with --json an object. */
static int put_member(FILE *to, struct asked *asked, const struct koine_interface *interface,
                      uint32_t member)
{
    const struct cli *cli = asked->cli;
    char *line, *address = NULL;
    int rc = koine_feature_print(&line, interface, member);
    if (rc)
        return rc;
    if (cli->as)
        rc = kn_cli_as_print(&address, cli, asked->name->name, interface, member);
    if (!rc && cli->json) {
        fputs(member ? "," : "", to);
        put_object(to, &interface->features.ptr[member], line, address);
    } else if (!rc) {
        fprintf(to, "%s\n", address ? address : line);
    }
    free(line);
    free(address);
    return rc;
}

static int put_members(struct asked *asked, const struct koine_interface *interface)
{
    size_t length;
    int rc = 0;
    FILE *to = open_memstream(&asked->members, &length);
    if (!to)
        return KOINE_ENOMEM;
    for (uint32_t i = 0; i < interface->features.length && !rc; i++)
        rc = put_member(to, asked, interface, i);
    if (fclose(to))
        rc = KOINE_ENOMEM;
    asked->interface = strdup(interface->name.ptr);
    return rc ? rc : asked->interface ? 0 : KOINE_ENOMEM;
}

static void answered(void *arg, struct koine_ref *ref, int error)
{
    struct asked *asked = arg;
    const struct koine_interface *interface;
    int rc = error ? error : koine_ref_interface(&interface, ref, KOINE_MILLISECOND);
    asked->error = rc ? rc : put_members(asked, interface);
    (*asked->waitingp)--;
}

/* Asks some services at once and waits for all of them. */
static int ask(struct cli *cli, struct asked *asked, size_t count)
{
    size_t waiting = 0;
    int64_t timeout = cli->timeout ? cli->timeout : KOINE_SECOND;
    for (size_t i = 0; i < count; i++) {
        asked[i].waitingp = &waiting;
        if (asked[i].name->alive > 0)
            asked[i].error = koine_ref_start(&asked[i].ref, cli->node, asked[i].name->name, NULL,
                                             timeout, answered, &asked[i]);
        waiting += asked[i].ref != NULL;
    }
    int64_t end = koine_now() + timeout + KOINE_SECOND;
    while (waiting && koine_now() < end)
        if (koine_node_process(cli->node, end - koine_now()) < 0)
            break;
    for (size_t i = 0; i < count; i++)
        asked[i].ref = koine_ref_close(asked[i].ref);
    return waiting ? kn_cli_error(cli, CLI_LOCAL, "some services could not be asked: %s",
                                  koine_node_why(cli->node))
                   : CLI_DONE;
}

/* ---------------------------------------------------------------- printing */

static const char *trouble(const struct asked *asked)
{
    if (asked->name->alive <= 0)
        return state_of(asked->name);
    return asked->error == KOINE_EDEADLINE || asked->error == KOINE_EAGAIN ? "does not answer"
           : asked->error == KOINE_EDOWN || asked->error == KOINE_ENOENT
               ? "is gone"
               : koine_strerror(asked->error);
}

static void print_object(const struct asked *asked)
{
    fputs("{\"name\":", stdout);
    kn_cli_put_string(stdout, asked->name->name);
    fputs(",\"state\":", stdout);
    kn_cli_put_string(stdout, asked->interface ? "alive" : trouble(asked));
    printf(",\"uid\":%u", asked->name->uid);
    if (asked->interface) {
        fputs(",\"interface\":", stdout);
        kn_cli_put_string(stdout, asked->interface);
        printf(",\"members\":[%s]", asked->members);
    }
    puts("}");
}

static void print_lines(const char *lines, int depth)
{
    for (const char *c = lines; *c;) {
        int length = (int)strcspn(c, "\n");
        printf("%*s%.*s\n", 2 * depth, "", length, c);
        c += length + (c[length] == '\n');
    }
}

/* The elements of `name` that `before` does not begin with, a line each; the depth of the last. */
static int print_path(const char *name, const char *before, const char *suffix)
{
    int depth = 0;
    bool same = true;
    for (const char *at = name;; depth++) {
        size_t length = strcspn(at, "/");
        size_t offset = (size_t)(at - name);
        bool last = !at[length];
        same = same && !strncmp(name, before, offset + length) &&
               (!before[offset + length] || before[offset + length] == '/');
        if (!same || last)
            printf("%*s%.*s%s%s\n", 2 * depth, "", (int)length, at, last ? "  " : "/",
                   last ? suffix : "");
        if (last)
            return depth;
        at += length + 1;
    }
}

static void print_branch(const struct asked *asked, const char *before)
{
    int depth =
        print_path(asked->name->name, before, asked->interface ? asked->interface : trouble(asked));
    if (asked->interface)
        print_lines(asked->members, depth + 1);
}

static void print(const struct cli *cli, const struct asked *asked, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (cli->json)
            print_object(&asked[i]);
        else
            print_branch(&asked[i], i ? asked[i - 1].name->name : "");
    }
}

int kn_cli_tree(struct cli *cli)
{
    struct koine_name *names;
    size_t count;
    int code = kn_cli_as_check(cli);
    if (!code)
        code = kn_cli_open_node(cli);
    if (!code)
        code = list(cli, &names, &count);
    if (code)
        return code;
    struct asked *asked = calloc(count + 1, sizeof *asked);
    if (!asked)
        code = kn_cli_node_error(cli, KOINE_ENOMEM);
    for (size_t i = 0; asked && i < count; i++)
        asked[i] = (struct asked){.cli = cli, .name = &names[i]};
    for (size_t i = 0; i < count && !code; i += BATCH)
        code = ask(cli, asked + i, count - i < BATCH ? count - i : BATCH);
    if (!code)
        print(cli, asked, count);
    for (size_t i = 0; asked && i < count; i++) {
        free(asked[i].interface);
        free(asked[i].members);
    }
    free(asked);
    koine_names_free(names);
    return code;
}
