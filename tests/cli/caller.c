/* SPDX-License-Identifier: MIT
 *
 * Many calls of a thermostat at once, in one link.
 *
 *     caller NAME N           add, N times
 *     caller NAME N log       add, N times, and then log
 *     caller NAME N large     log, N times with 60 kB each
 */
#include <koine/koine.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct add_in {
    int64_t a, b;
};

static long right, wrong, refused, over;

static void done(void *arg, int error, const void *out, const struct koine_fault *fault)
{
    const int64_t *sum = out;
    right += !error && *sum == 2 * (int64_t)(intptr_t)arg;
    wrong += !error && *sum != 2 * (int64_t)(intptr_t)arg;
    refused += fault && fault->code == KOINE_FAULT_RESOURCE_EXHAUSTED;
    over += error == KOINE_EDEADLINE;
    if (error && error != KOINE_EDEADLINE &&
        (!fault || fault->code != KOINE_FAULT_RESOURCE_EXHAUSTED))
        fprintf(stderr, "caller: %s: %s\n", koine_strerror(error), fault ? fault->message : "");
}

/* The ring may be full: room comes by itself. */
static int start(struct koine_node *node, struct koine_ref *ref, uint32_t member, long i)
{
    struct add_in in = {i, i};
    int rc;
    while ((rc = koine_start(NULL, ref, KOINE_REQUEST_CALL, member, &in, 0, done,
                             (void *)(intptr_t)i)) == KOINE_EFULL)
        if (koine_node_process(node, KOINE_MILLISECOND) < 0)
            break;
    return rc;
}

static int log_much(struct koine_ref *ref, long count)
{
    static char json[60000];
    const char *out;
    memset(json, 'x', sizeof json - 1);
    memcpy(json, "{\"line\":\"", 9);
    memcpy(json + sizeof json - 3, "\"}", 2);
    for (long i = 0; i < count; i++) {
        int rc = koine_call_text(&out, ref, "log", json, 0);
        if (rc && rc != KOINE_EFULL)
            return rc;
    }
    return 0;
}

static int call_all(struct koine_node *node, struct koine_ref *ref, long count, bool log)
{
    const struct koine_interface *interface;
    const char *out;
    uint32_t member;
    int rc = koine_ref_interface(&interface, ref, 0);
    if (!rc)
        rc = koine_interface_find(&member, interface, "add");
    for (long i = 0; i < count && !rc; i++)
        rc = start(node, ref, member, i);
    if (!rc && log)
        rc = koine_call_text(&out, ref, "log", "{\"line\":\"all\"}", 0);
    while (!rc && right + wrong + refused + over < count)
        if (koine_node_process(node, 30 * KOINE_SECOND) <= 0)
            rc = KOINE_EDEADLINE;
    return rc;
}

int main(int argc, char **argv)
{
    struct koine_node_options options = {.size = sizeof options, .timeout = 60 * KOINE_SECOND};
    struct koine_node *node;
    struct koine_ref *ref;
    if (argc < 3 || koine_node_open(&node, &options))
        return 2;
    long count = strtol(argv[2], NULL, 10);
    const char *mode = argc > 3 ? argv[3] : "";
    int rc = koine_ref_open(&ref, node, argv[1], NULL, 0);
    if (!rc && !strcmp(mode, "large")) {
        rc = log_much(ref, count);
        count = 0;
    }
    if (!rc)
        rc = call_all(node, ref, count, !strcmp(mode, "log"));
    if (rc)
        fprintf(stderr, "caller: %s: %s\n", koine_strerror(rc), koine_node_why(node));
    printf("%ld right, %ld wrong, %ld refused, %ld over\n", right, wrong, refused, over);
    koine_node_close(node);
    return rc != 0;
}
