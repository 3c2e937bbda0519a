// SPDX-License-Identifier: MIT
//
// Subscribes to `sample` of a host and tells how old each is when it is taken: the time at which it was
// published is in it, and both ends read the same clock. Ends with 1 when a sample is missing.
//
//     host-latency [--count N] [--histogram] [NAME]
#include "histogram.h"
#include "host.h"

#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct run {
    const char *name;
    unsigned long count;
    bool draw;
    uint64_t first, last, missing; /* serials */
    int64_t start, end;            /* published */
    struct histogram histogram;
};

static void take(struct run *run, struct koine_sample *sample)
{
    const struct machine_Host_sample *value = koine_sample_value(sample);
    uint64_t serial = koine_sample_serial(sample);
    int64_t now = koine_now();
    run->end = value->published;
    if (!run->first) {
        run->first = serial;
        run->start = run->end;
    } else if (serial != run->last + 1 || koine_sample_lost(sample)) {
        run->missing += serial > run->last ? serial - run->last - 1 : 1;
    }
    run->last = serial;
    histogram_add(&run->histogram, (uint64_t)(now - value->published));
}

static int take_all(struct run *run, struct koine_sub *sub)
{
    struct koine_sample *sample;
    int rc = 0;
    while (!rc && run->histogram.count < run->count) {
        rc = koine_event_wait(&sample, sub, 10 * KOINE_SECOND);
        if (rc)
            break;
        take(run, sample);
        koine_sample_release(sample);
    }
    return rc;
}

static void report(const struct run *run)
{
    char median[16], most[16], max[16];
    const struct histogram_look look = {.unicode = !strcmp(nl_langinfo(CODESET), "UTF-8"),
                                        .colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")};
    double seconds = (double)(run->end - run->start) / 1e9;
    if (run->draw)
        histogram_draw(&run->histogram, stdout, &look);
    histogram_time(median, histogram_quantile(&run->histogram, 0.5));
    histogram_time(most, histogram_quantile(&run->histogram, 0.99));
    histogram_time(max, run->histogram.max);
    printf("  %llu samples, %llu missing, %.0f a second; median %s, p99 %s, max %s\n",
           (unsigned long long)run->histogram.count, (unsigned long long)run->missing,
           seconds > 0 ? (double)(run->histogram.count - 1) / seconds : 0, median, most, max);
}

static int follow(struct run *run, struct koine_node *node)
{
    struct koine_ref *ref;
    struct koine_sub *sub = NULL;
    int rc = koine_ref_open(&ref, node, run->name, &machine_Host, 0);
    if (!rc)
        rc = machine_Host_sample_subscribe(&sub, ref);
    if (!rc)
        rc = take_all(run, sub);
    koine_unsubscribe(sub);
    if (run->histogram.count)
        report(run);
    return rc;
}

static int take_options(struct run *run, int argc, char **argv)
{
    static const struct option options[] = {{"count", required_argument, NULL, 'c'},
                                            {"histogram", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    char *end = "";
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
        if (option == 'c')
            run->count = strtoul(optarg, &end, 10);
        run->draw |= option == 'h';
        if (option == '?' || *end || !run->count)
            return -1;
    }
    if (optind < argc)
        run->name = argv[optind++];
    return optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
    static struct run run = {.name = "host", .count = 10000};
    struct koine_node *node;
    setlocale(LC_CTYPE, "");
    if (take_options(&run, argc, argv)) {
        fprintf(stderr, "usage: host-latency [--count N] [--histogram] [NAME]\n");
        return 2;
    }
    (void)prctl(PR_SET_TIMERSLACK, 1000UL);
    int rc = koine_node_open(&node, NULL);
    if (rc) {
        fprintf(stderr, "host-latency: %s\n", koine_strerror(rc));
        return 6;
    }
    rc = follow(&run, node);
    if (rc)
        fprintf(stderr, "host-latency: %s: %s\n", run.name,
                *koine_node_why(node) ? koine_node_why(node) : koine_strerror(rc));
    koine_node_close(node);
    return rc == KOINE_ENOENT || rc == KOINE_EDOWN ? 3 : rc ? 6 : run.missing != 0;
}
