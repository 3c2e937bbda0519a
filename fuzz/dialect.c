/* SPDX-License-Identifier: MIT
 *
 * Any octets as the input of a dialect, through the simulated network of its tests, in either role: from a
 * client, or from a server who was asked the requests of test-pair.h. The last eight octets are the world:
 * role, shape, splits, late and shuffled answers, a slow peer, a full host, little memory, an end
 * in the middle. What must not happen: a crash, a broken contract (test-sim.h aborts), memory that is
 * left, output that is not well-formed, a channel that is never ended.
 */
#include "dialect/test-sim.h"
#include "dialect/test-form.h"
#include "dialect/test-pair.h"

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

static struct sim_plan make_plan(const uint8_t *choice)
{
    return (struct sim_plan){
        .seed = choice[3],
        .late = choice[0] & 2,
        .shuffle = choice[0] & 4,
        .full_every = choice[1] % 5,
        .slow_every = choice[2] % 5,
        .allocations = choice[0] & 8 ? choice[4] : -1,
        .quota = choice[0] & 16 ? 500u + 64u * choice[5] : 0,
    };
}

/* An hour, so that what goes on for ever ends. */
static void run(struct sim_lone *lone, long steps)
{
    (void)sim_run(&lone->sim, steps, lone->sim.now + 3600 * KOINE_SECOND);
}

static void feed_in_pieces(struct sim_lone *lone, struct kn_str octets, unsigned longest)
{
    while (octets.length > longest && lone->peer.channel) {
        size_t length = 1 + random_below(&lone->sim.random, longest);
        sim_feed(&lone->peer, (struct kn_str){octets.ptr, length}, false);
        run(lone, (long)random_below(&lone->sim.random, 4));
        octets.ptr += length;
        octets.length -= length;
    }
    sim_feed(&lone->peer, octets, true);
}

static void check_output(const struct sim_lone *lone, enum kn_shape shape)
{
    struct kn_str output = {lone->peer.out.ptr, lone->peer.out.length};
    while (output.length) {
        size_t length = test_form_unit(output, shape);
        test_require(length > 0, "output that is not well-formed");
        output.ptr += length;
        output.length -= length;
    }
}

/* A server's octets. Whatever it says, each request is answered or ended. */
static void reach(struct kn_str octets, const struct sim_plan *plan, const uint8_t *choice)
{
    struct test_alone alone;
    test_alone_init(&alone, find_dialect(), plan, all_services());
    feed_in_pieces(&alone.lone, octets, 1u + choice[6] * 4u);
    run(&alone.lone, choice[0] & 32 ? (long)choice[7] : -1);
    test_alone_deinit(&alone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct kn_options serving = {.role = KN_SERVE, .transport = "tcp"};
    struct sim_lone lone;
    if (size < CHOICES)
        return 0;
    const uint8_t *choice = data + size - CHOICES;
    struct kn_str octets = {(const char *)data, size - CHOICES};
    struct sim_plan plan = make_plan(choice);
    enum kn_shape shape = choice[0] & 1 ? KN_EXCHANGE : KN_STREAM;
    bool cut = choice[0] & 32;
    if (choice[0] & 64 && find_dialect()->identity->reaches) {
        reach(octets, &plan, choice);
        return 0;
    }
    sim_lone_init(&lone, find_dialect(), &serving, &plan, all_services());
    sim_meet(&lone.peer, lone.endpoint, shape);
    if (shape == KN_EXCHANGE)
        sim_feed(&lone.peer, octets, true);
    else
        feed_in_pieces(&lone, octets, 1u + choice[6] * 4u);
    run(&lone, cut ? (long)choice[7] : -1);
    test_require(cut || !lone.peer.channel, "the channel is not ended");
    if (!sim_lone_error(&lone) && !lone.peer.channel)
        check_output(&lone, shape);
    sim_lone_deinit(&lone);
    return 0;
}
