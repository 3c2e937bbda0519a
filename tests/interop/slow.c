/* SPDX-License-Identifier: MIT
 *
 * slow NAME: serves test::Slow until it is killed, and says "ready" when it does.
 */
#include "slow.h"

#include <stdio.h>
#include <string.h>

enum { KEPT_MAX = 512 };

struct slow {
    struct koine_request *kept[KEPT_MAX];
    uint32_t count, noted;
};

static int keep(void *self, struct koine_request *request)
{
    struct slow *slow = self;
    if (slow->count == KEPT_MAX)
        return koine_request_fault(request, KOINE_FAULT_RESOURCE_EXHAUSTED, "enough is kept");
    slow->kept[slow->count++] = request;
    return KOINE_PENDING;
}

static int release(void *self, struct koine_request *request, struct test_Slow_release_out *out)
{
    struct slow *slow = self;
    (void)request;
    out->return_ = slow->count;
    while (slow->count)
        (void)koine_reply(slow->kept[--slow->count], NULL);
    return 0;
}

static int kept(void *self, struct koine_request *request, struct test_Slow_kept_out *out)
{
    const struct slow *slow = self;
    (void)request;
    out->return_ = slow->count;
    return 0;
}

static int cancelled(void *self, struct koine_request *request, struct test_Slow_cancelled_out *out)
{
    const struct slow *slow = self;
    (void)request;
    for (uint32_t i = 0; i < slow->count; i++)
        out->return_ += (uint32_t)koine_request_cancelled(slow->kept[i]);
    return 0;
}

static int big(void *self, struct koine_request *request, const struct test_Slow_big_in *in,
               struct test_Slow_big_out *out)
{
    (void)self;
    char *text = koine_request_alloc(request, (size_t)in->length + 1);
    if (!text)
        return KOINE_ENOMEM;
    memset(text, 'x', in->length);
    text[in->length] = '\0';
    out->return_ = (struct koine_string)KOINE_MANY(text, in->length);
    return 0;
}

static int note(void *self, struct koine_request *request)
{
    struct slow *slow = self;
    (void)request;
    slow->noted++;
    return 0;
}

static int noted(void *self, struct koine_request *request, struct test_Slow_noted_out *out)
{
    const struct slow *slow = self;
    (void)request;
    out->return_ = slow->noted;
    return 0;
}

static const struct test_Slow_handlers handlers = {
    .keep = keep,
    .release = release,
    .kept = kept,
    .cancelled = cancelled,
    .big = big,
    .note = note,
    .noted = noted,
};

int main(int argc, char **argv)
{
    struct slow slow = {.count = 0};
    struct koine_node *node;
    struct koine_service *service;
    if (argc != 2 || koine_node_open(&node, NULL))
        return 2;
    int rc = koine_service_open(&service, node, argv[1], &test_Slow, &handlers, &slow, NULL);
    if (!rc) {
        puts("ready");
        fflush(stdout);
        rc = koine_node_run(node);
    }
    fprintf(stderr, "slow: %s\n", rc ? koine_node_why(node) : "");
    koine_node_close(node);
    return 1;
}
