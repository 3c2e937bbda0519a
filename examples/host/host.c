// SPDX-License-Identifier: MIT
//
// This machine as a service: what /proc tells of it, called, watched and sampled.
//
//     host [--name NAME] [--rate SAMPLES-PER-SECOND] [--mode OCTAL]
//
// All of it runs in the node's loop, in one thread. A call that reads many processes delays samples by as
// long as it takes; they are made up for at once after it. A subscriber that does not take its samples is
// dropped when 32768 wait for it (1.6 s at the highest rate), so that it holds up nobody else.
#include "answers.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EVENT_SLOTS = 32768 };

struct settings {
    const char *name;
    uint32_t rate, mode;
};

static void on_signal(void *arg, unsigned events)
{
    struct host *host = arg;
    struct signalfd_siginfo info;
    (void)events;
    if (read(host->signals, &info, sizeof info) == (ssize_t)sizeof info)
        koine_node_stop(host->node);
}

static int watch_signals(struct host *host)
{
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &ending, NULL))
        return KOINE_ESYSTEM;
    host->signals = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    return host->signals < 0 ? KOINE_ESYSTEM
                             : koine_watch_open(&host->ending, host->node, host->signals,
                                                KOINE_READABLE, on_signal, host);
}

static int serve(struct host *host, const struct settings *settings)
{
    const struct koine_service_options options = {.size = sizeof options,
                                                  .mode = settings->mode,
                                                  .policy = KOINE_DISCONNECT_SLOW,
                                                  .event_slots = EVENT_SLOTS};
    host->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int rc = host->proc < 0 ? KOINE_ESYSTEM : watch_signals(host);
    if (!rc)
        rc = sampler_init(&host->sampler, host->node, host->proc);
    if (!rc)
        rc = koine_service_open(&host->service, host->node, settings->name, &machine_Host, &answers,
                                host, &options);
    if (rc)
        return rc;
    sampler_start(&host->sampler, host->service, settings->rate);
    printf("host: serving '%s' as process %d\n", settings->name, getpid());
    fflush(stdout);
    return koine_node_run(host->node);
}

static int take_options(struct settings *settings, int argc, char **argv)
{
    static const struct option options[] = {{"name", required_argument, NULL, 'n'},
                                            {"rate", required_argument, NULL, 'r'},
                                            {"mode", required_argument, NULL, 'm'},
                                            {NULL, 0, NULL, 0}};
    unsigned long number;
    char *end = "";
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
        number = option == 'n' || option == '?' ? 0 : strtoul(optarg, &end, option == 'm' ? 8 : 10);
        if (option == 'n')
            settings->name = optarg;
        else if (option == 'r' && !*end && number >= RATE_LEAST && number <= RATE_MOST)
            settings->rate = (uint32_t)number;
        else if (option == 'm' && !*end && number && number <= 0777)
            settings->mode = (uint32_t)number;
        else
            return -1;
    }
    return optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct settings settings = {.name = "host", .rate = 10};
    struct host host = {
        .proc = -1, .signals = -1, .sampler = {.stat = -1, .meminfo = -1, .loadavg = -1}};
    if (take_options(&settings, argc, argv)) {
        fprintf(stderr, "usage: host [--name NAME] [--rate 1..20000] [--mode OCTAL]\n");
        return 2;
    }
    (void)prctl(PR_SET_TIMERSLACK, 1000UL); /* 50 us is half the period of 10 kHz */
    int rc = koine_node_open(&host.node, NULL);
    if (!rc)
        rc = serve(&host, &settings);
    if (rc)
        fprintf(stderr, "host: %s\n",
                host.node && *koine_node_why(host.node) ? koine_node_why(host.node)
                                                        : koine_strerror(rc));
    koine_service_close(host.service);
    if (host.node)
        sampler_deinit(&host.sampler);
    koine_watch_close(host.ending);
    koine_node_close(host.node);
    return rc ? 6 : 0;
}
