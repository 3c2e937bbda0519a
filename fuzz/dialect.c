/* SPDX-License-Identifier: MIT
 *
 * Any octets as the input of a dialect, through the fake host of its tests. The last eight octets are
 * the world: shape, splits, late and shuffled answers, a slow peer, a full host, little memory, an end
 * in the middle. What must not happen: a crash, a broken contract (test-host.c aborts), memory that is
 * left, output that is not well-formed, a channel that is never ended.
 */
#include "dialect/test-form.h"
#include "dialect/test-host.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHOICES = 8 };

static const struct kn_dialect *find_dialect(void)
{
    for (size_t i = 0; kn_dialects[i]; i++)
        if (!strcmp(kn_dialects[i]->identity->name, FUZZ_TARGET))
            return kn_dialects[i];
    abort();
}

static const struct test_services *all_services(void)
{
    static struct test_services services;
    if (!services.thermostat)
        test_services_init(&services, 1);
    return &services;
}

static struct test_plan make_plan(const uint8_t *choice)
{
    return (struct test_plan){
        .seed = choice[3],
        .late = choice[0] & 2,
        .shuffle = choice[0] & 4,
        .full_every = choice[1] % 5,
        .slow_every = choice[2] % 5,
        .allocations = choice[0] & 8 ? choice[4] : -1,
        .quota = choice[0] & 16 ? 500u + 64u * choice[5] : 0,
    };
}

static void feed_in_pieces(struct test_host *host, struct kn_str octets, unsigned longest)
{
    while (octets.length > longest && host->open) {
        size_t length = 1 + random_below(&host->random, longest);
        test_host_feed(host, (struct kn_str){octets.ptr, length}, false);
        test_host_run(host, (long)random_below(&host->random, 4));
        octets.ptr += length;
        octets.length -= length;
    }
    test_host_feed(host, octets, true);
}

static void check_output(const struct test_host *host)
{
    struct kn_str output = {host->out.ptr, host->out.length};
    while (output.length) {
        size_t length = test_form_unit(output, host->channel.shape);
        test_require(length > 0, "output that is not well-formed");
        output.ptr += length;
        output.length -= length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct test_host host;
    if (size < CHOICES)
        return 0;
    const uint8_t *choice = data + size - CHOICES;
    struct kn_str octets = {(const char *)data, size - CHOICES};
    struct test_plan plan = make_plan(choice);
    bool exchange = choice[0] & 1, cut = choice[0] & 32;
    test_host_init(&host, find_dialect(), &plan, all_services(),
                   exchange ? KN_EXCHANGE : KN_STREAM);
    if (exchange)
        test_host_feed(&host, octets, true);
    else
        feed_in_pieces(&host, octets, 1u + choice[6] * 4u);
    test_host_run(&host, cut ? (long)choice[7] : -1);
    test_require(cut || !host.open, "the channel is not ended");
    if (!host.error && !host.open)
        check_output(&host);
    test_host_deinit(&host);
    return 0;
}
