/* SPDX-License-Identifier: MIT
 *
 * koine bench: what a message costs, beside what it could cost.
 *
 * Each row is an exchange through Koine; its limit is the same exchange with bare shared memory, measured
 * right before and right after it. The reference, a line of 64 octets sent to and fro, is taken beside
 * every row: on virtual machines it changes with where the host puts the processors, and rows whose
 * references differ do not compare. What counts is the ratio.
 */
#include "cli/bench.h"
#include "cli/cli.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { KEPT = 12, KEPT_LIMIT = 6, ATTEMPTS = 3 };

#define STEADY 1.3 /* references before and after a row differ by less, or it is taken again */

struct row {
    const char *name;
    const struct bench_method *method, *limit;
    bool rate;                        /* messages in a second, not nanoseconds of a round trip */
    bool same;                        /* leader and peer on one processor */
    const struct bench_method *other; /* another candidate for the limit; the better one counts */
};

static const struct row rows[] = {
    {"event-rtt-64-spin", &kn_bench_event_spin, &kn_bench_slot, false, false},
    {"call-rtt-64-spin", &kn_bench_call_spin, &kn_bench_slot, false, false},
    {"call-rtt-64-adaptive", &kn_bench_call_adaptive, &kn_bench_slot, false, false},
    {"loan-rtt-1m", &kn_bench_loan, &kn_bench_slot, false, false},
    {"event-rtt-64-block", &kn_bench_event_block, &kn_bench_futex, false, false},
    {"call-rtt-64-block-same", &kn_bench_call_block, &kn_bench_futex, false, true},
    {"call-rtt-64-block-cross", &kn_bench_call_block, &kn_bench_futex, false, false},
    {"event-rate-64", &kn_bench_rate, &kn_bench_ring, true, false},
    {"event-rate-64-batched", &kn_bench_rate_batched, &kn_bench_ring_16, true, false},
    {"event-rate-64-1to4", &kn_bench_rate_1to4, &kn_bench_ring_1to4, true, false},
    {"echo-4k", &kn_bench_echo_4k, &kn_bench_copy_4k, false, false},
    {"echo-1m", &kn_bench_echo_1m, &kn_bench_pieces_echo, false, false, &kn_bench_many_echo},
    {"event-rate-1m", &kn_bench_rate_1m, &kn_bench_pieces_rate, true, false, &kn_bench_many_rate},
};

enum { ROWS = sizeof rows / sizeof *rows };

struct bench {
    struct cli *cli;
    double seconds;
    int cpus[2];
    bool two; /* processors */
    char dir[64];
};

/* What is printed of a row. */
struct figures {
    char failed[BENCH_TEXT];
    double value, min, max, limit, limit_min, limit_max, reference;
    bool steady;
};

/* ---------------------------------------------------------------- measuring */

static void remove_dir(const char *dir)
{
    static const char *const left[] = {"there", "back", "calls", "stream", ".lock"};
    char path[128];
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, left[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

static bool take(struct bench *bench, struct bench_result *result,
                 const struct bench_method *method, double share, bool same)
{
    const struct bench_plan plan = {.cpus = {bench->cpus[0], bench->cpus[same ? 0 : 1]},
                                    .seconds = bench->seconds * share,
                                    .kept = share < 0.5 ? KEPT_LIMIT : KEPT,
                                    .dir = bench->dir};
    bool going = kn_bench_run(result, method, &plan);
    return going && !*result->failed;
}

static bool take_limit(struct bench *bench, struct bench_result *result, const struct row *row)
{
    struct bench_result other;
    if (!take(bench, result, row->limit, 0.15, row->same))
        return false;
    if (!row->other)
        return true;
    bool going = take(bench, &other, row->other, 0.15, row->same);
    if (*other.failed || other.median < result->median)
        *result = other;
    return going;
}

static void join(double *meanp, double *minp, double *maxp, const struct bench_result pair[2])
{
    *meanp = (pair[0].median + pair[1].median) / 2;
    *minp = pair[0].min < pair[1].min ? pair[0].min : pair[1].min;
    *maxp = pair[0].max > pair[1].max ? pair[0].max : pair[1].max;
}

static const char *pick_failure(const struct bench_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (*results[i].failed)
            return results[i].failed;
    return "interrupted";
}

/* The reference first and last, the limit within, the row in the middle. */
static void measure_once(struct bench *bench, const struct row *row, struct figures *figures)
{
    struct bench_result own[1] = {{""}}, limits[2] = {{""}}, references[2] = {{""}};
    bool lined = bench->two, own_limit = row->limit != &kn_bench_slot;
    bool done = (!lined || take(bench, &references[0], &kn_bench_slot, 0.1, false)) &&
                (!own_limit || take_limit(bench, &limits[0], row)) &&
                take(bench, own, row->method, 0.5, row->same) &&
                (!own_limit || take_limit(bench, &limits[1], row)) &&
                (!lined || take(bench, &references[1], &kn_bench_slot, 0.1, false));
    double least, most;
    if (!done) {
        const char *why = *own->failed                             ? own->failed
                          : *limits[0].failed || *limits[1].failed ? pick_failure(limits, 2)
                                                                   : pick_failure(references, 2);
        snprintf(figures->failed, sizeof figures->failed, "%s", why);
        return;
    }
    figures->value = own->median;
    figures->min = own->min;
    figures->max = own->max;
    join(&figures->reference, &least, &most, references);
    double drift = references[0].median / (references[1].median + 1e-9);
    figures->steady = !lined || (drift < STEADY && drift > 1 / STEADY);
    join(&figures->limit, &figures->limit_min, &figures->limit_max,
         own_limit ? limits : references);
}

/* Again where the host moved the processors meanwhile. */
static void measure(struct bench *bench, const struct row *row, struct figures *figures)
{
    for (int i = 0; i < ATTEMPTS && !figures->steady && !*figures->failed; i++)
        measure_once(bench, row, figures);
}

static double per_second(double ns)
{
    return 1e9 / ns;
}

/* Nanoseconds of a message become messages in a second; the least becomes the most. */
static void turn_to_rates(struct figures *figures)
{
    double min = figures->min, limit_min = figures->limit_min;
    figures->value = per_second(figures->value);
    figures->min = per_second(figures->max);
    figures->max = per_second(min);
    figures->limit = per_second(figures->limit);
    figures->limit_min = per_second(figures->limit_max);
    figures->limit_max = per_second(limit_min);
}

/* ---------------------------------------------------------------- machine facts */

static void read_first(char *text, size_t size, const char *path, const char *key)
{
    char line[256];
    FILE *from = fopen(path, "re");
    *text = 0;
    while (from && !*text && fgets(line, sizeof line, from)) {
        if (strncmp(line, key, strlen(key)))
            continue;
        const char *value = *key ? strchr(line, ':') : line;
        snprintf(text, size, "%.*s", (int)size - 1, value ? value + (*key ? 2 : 0) : "");
        text[strcspn(text, "\n\"\\")] = 0;
    }
    if (from)
        fclose(from);
}

struct facts {
    char cpu[128], governor[64], date[32];
    struct utsname system;
    long cpus;
};

static void get_facts(struct facts *facts)
{
    time_t now = time(NULL);
    struct tm utc;
    read_first(facts->cpu, sizeof facts->cpu, "/proc/cpuinfo", "model name");
    read_first(facts->governor, sizeof facts->governor,
               "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "");
    if (!*facts->governor)
        snprintf(facts->governor, sizeof facts->governor, "none");
    (void)uname(&facts->system);
    facts->cpus = sysconf(_SC_NPROCESSORS_ONLN);
    strftime(facts->date, sizeof facts->date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
}

static void print_facts(const struct bench *bench)
{
    struct facts facts;
    get_facts(&facts);
    if (bench->cli->json) {
        printf("{\"machine\":{\"cpu\":\"%s\",\"cpus\":%ld,\"used\":[%d,%d],\"architecture\":\"%s\","
               "\"kernel\":\"%s\",\"governor\":\"%s\",\"compiler\":\"%s\",\"koine\":\"%s\","
               "\"date\":\"%s\"}}\n",
               facts.cpu, facts.cpus, bench->cpus[0], bench->cpus[1], facts.system.machine,
               facts.system.release, facts.governor, __VERSION__, KOINE_VERSION, facts.date);
        return;
    }
    printf("%s, %ld processors (used: %d and %d), %s, Linux %s, governor %s\n"
           "koine %s, compiler %s, %s\n\n%-24s %12s %25s %12s %6s %9s\n",
           facts.cpu, facts.cpus, bench->cpus[0], bench->cpus[1], facts.system.machine,
           facts.system.release, facts.governor, KOINE_VERSION, __VERSION__, facts.date, "row",
           "value", "min .. max", "limit", "ratio", "reference");
}

/* ---------------------------------------------------------------- output */

static void print_json(const struct row *row, const struct figures *f)
{
    printf("{\"name\":\"%s\",", row->name);
    if (*f->failed) {
        printf("\"error\":\"");
        for (const char *c = f->failed; *c; c++)
            putchar((unsigned char)*c < 0x20 || *c == '"' || *c == '\\' ? '\'' : *c);
        puts("\"}");
        return;
    }
    printf("\"value\":%.1f,\"unit\":\"%s\",\"limit\":%.1f,\"ratio\":%.3f,\"reference\":", f->value,
           row->rate ? "msg/s" : "ns", f->limit, f->value / f->limit);
    if (f->reference > 0)
        printf("%.1f", f->reference);
    else
        printf("null");
    printf(",\"min\":%.1f,\"max\":%.1f,\"limit_name\":\"%s\",\"limit_min\":%.1f,\"limit_max\":%.1f,"
           "\"steady\":%s}\n",
           f->min, f->max, row->limit->name, f->limit_min, f->limit_max,
           f->steady ? "true" : "false");
}

/* "312.4 ns", "34.12 us", "52.31 M/s" */
static const char *scale(char text[16], double value, bool rate)
{
    static const struct {
        double from;
        const char *unit[2];
    } steps[] = {{1e6, {"ms", "M/s"}}, {1e3, {"us", "k/s"}}, {0, {"ns", "/s"}}};
    size_t at = 0;
    while (steps[at].from > value)
        at++;
    snprintf(text, 16, "%.*f %s", at == 2 ? 1 : 2,
             steps[at].from > 0 ? value / steps[at].from : value, steps[at].unit[rate]);
    return text;
}

static void print_text(const struct row *row, const struct figures *f)
{
    char value[16], min[16], max[16], limit[16], reference[16] = "-";
    if (*f->failed) {
        printf("%-24s %s\n", row->name, f->failed);
        return;
    }
    if (f->reference > 0)
        scale(reference, f->reference, false);
    printf("%-24s %12s %11s .. %10s %12s %6.2f %9s%s\n", row->name,
           scale(value, f->value, row->rate), scale(min, f->min, row->rate),
           scale(max, f->max, row->rate), scale(limit, f->limit, row->rate), f->value / f->limit,
           reference, f->steady ? "" : " ~");
}

static void print_foot(void)
{
    puts("\nratio: value / limit. A time is one round trip, and a lower ratio is better; a rate is "
         "messages\n"
         "in a second, and a higher one is better. The limit is the same exchange with bare shared "
         "memory,\n"
         "reference the round trip of one line of 64 octets; both are taken right before and after "
         "the row.\n"
         "Rows with different references do not compare; ~: it changed during the row, three "
         "times.");
}

/* ---------------------------------------------------------------- the command */

static bool pick_cpus(struct bench *bench)
{
    cpu_set_t set;
    int found = 0;
    if (sched_getaffinity(0, sizeof set, &set))
        return false;
    for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
        if (CPU_ISSET((size_t)cpu, &set))
            bench->cpus[found++] = cpu;
    if (found == 1)
        bench->cpus[1] = bench->cpus[0];
    return found > 0;
}

static bool is_allowed(int cpu)
{
    cpu_set_t set;
    return cpu >= 0 && cpu < CPU_SETSIZE && !sched_getaffinity(0, sizeof set, &set) &&
           CPU_ISSET((size_t)cpu, &set);
}

static int read_options(struct bench *bench)
{
    const struct cli *cli = bench->cli;
    char *end = "";
    bench->seconds = cli->seconds ? strtod(cli->seconds, &end) : 1.0;
    if (*end || !(bench->seconds > 0 && bench->seconds <= 60))
        return kn_cli_error(cli, CLI_USAGE, "--seconds takes 0 to 60, not '%s'", cli->seconds);
    if (!pick_cpus(bench))
        return kn_cli_error(cli, CLI_LOCAL, "the processors cannot be found out");
    char more;
    if (cli->cpus && (sscanf(cli->cpus, "%d,%d%c", &bench->cpus[0], &bench->cpus[1], &more) != 2 ||
                      !is_allowed(bench->cpus[0]) || !is_allowed(bench->cpus[1])))
        return kn_cli_error(cli, CLI_USAGE,
                            "--cpus takes two processors that this process may use, not '%s'",
                            cli->cpus);
    bench->two = bench->cpus[0] != bench->cpus[1];
    return CLI_DONE;
}

static bool is_wanted(const struct cli *cli, const char *name)
{
    for (int i = 0; i < cli->arg_count; i++)
        if (!strcmp(cli->args[i], name))
            return true;
    return !cli->arg_count;
}

static int check_names(const struct cli *cli)
{
    for (int i = 0; i < cli->arg_count; i++) {
        bool known = false;
        for (int r = 0; r < ROWS; r++)
            known |= !strcmp(rows[r].name, cli->args[i]);
        if (!known)
            return kn_cli_error(cli, CLI_USAGE, "no row '%s'; see koine bench --help",
                                cli->args[i]);
    }
    return CLI_DONE;
}

static bool run_rows(struct bench *bench)
{
    bool whole = true;
    for (int i = 0; i < ROWS && !kn_bench_interrupted(); i++) {
        struct figures figures = {""};
        if (!is_wanted(bench->cli, rows[i].name))
            continue;
        if (!bench->two && !rows[i].same)
            snprintf(figures.failed, sizeof figures.failed, "needs 2 cpus");
        else
            measure(bench, &rows[i], &figures);
        if (kn_bench_interrupted())
            break;
        whole &= !*figures.failed || !bench->two;
        if (!*figures.failed && rows[i].rate)
            turn_to_rates(&figures);
        (bench->cli->json ? print_json : print_text)(&rows[i], &figures);
        fflush(stdout);
    }
    return whole;
}

int kn_cli_bench(struct cli *cli)
{
    struct bench bench = {.cli = cli};
    const char *under = getenv("XDG_RUNTIME_DIR");
    int code = check_names(cli);
    if (!code)
        code = read_options(&bench);
    if (code)
        return code;
    if (!under || strlen(under) > 32)
        under = "/tmp";
    snprintf(bench.dir, sizeof bench.dir, "%s/koine-bench-XXXXXX", under);
    if (!mkdtemp(bench.dir))
        return kn_cli_error(cli, CLI_LOCAL, "no directory below %s", under);
    kn_bench_catch();
    print_facts(&bench);
    fflush(stdout);
    bool whole = run_rows(&bench);
    remove_dir(bench.dir);
    if (kn_bench_interrupted()) {
        signal(kn_bench_interrupted(), SIG_DFL);
        raise(kn_bench_interrupted());
    }
    if (!cli->json)
        print_foot();
    return whole ? CLI_DONE : CLI_LOCAL;
}
