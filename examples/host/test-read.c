// SPDX-License-Identifier: MIT
//
// What is read from /proc, shown to the readers as files in a folder of their own.
#include "disks.h"
#include "figures.h"
#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char root[256];
static int proc = -1;

static void put(const char *path, const char *octets, size_t length)
{
    int fd = openat(proc, path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, octets, length), length);
    close(fd);
}

/* A process as the kernel would show it. */
static void put_process(int pid, const char *name, char state, unsigned uid, unsigned pages)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "%d", pid);
    (void)mkdirat(proc, path, 0700);
    snprintf(path, sizeof path, "%d/stat", pid);
    int length = snprintf(text, sizeof text,
                          "%d (%s) %c 1 1 7 0 -1 4194304 5 0 0 0 150 50 0 0 20 -5 3 0 4200 8192000 "
                          "%u 18446744073709551615 1",
                          pid, name, state, pages);
    put(path, text, (size_t)length);
    snprintf(path, sizeof path, "%d/status", pid);
    length = snprintf(text, sizeof text,
                      "Name:\tx\nTgid:\t%d\nUid:\t%u\t11\t12\t13\nVmSwap:\t 4 kB\n"
                      "SigCgt:\t0000000180004a02\nCapEff:\t0000000000000020\n"
                      "voluntary_ctxt_switches:\t9\nnonvoluntary_ctxt_switches:\t8\n",
                      pid, uid);
    put(path, text, (size_t)length);
    snprintf(path, sizeof path, "%d/cmdline", pid);
    put(path, "a\0b\nc\0", 6);
}

static int make_root(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/host-read-XXXXXX", parent ? parent : "/tmp");
    proc = mkdtemp(root) ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    return proc < 0;
}

static int remove_root(void **state)
{
    char command[300];
    (void)state;
    close(proc);
    snprintf(command, sizeof command, "rm -r '%s'", root);
    return system(command);
}

static struct text as_text(const char *octets)
{
    size_t length = strlen(octets);
    return (struct text){.ptr = strdup(octets), .length = length, .room = length + 1};
}

/* ---------------------------------------------------------------- text */

static void text_that_is_no_utf8_is_mended(void **state)
{
    static const struct {
        const char *from, *to;
        bool one_line;
    } rows[] = {
        {"plain", "plain", false},
        {"caf\xc3\xa9", "caf\xc3\xa9", false},
        {"a\xff\xfe", "a\xef\xbf\xbd\xef\xbf\xbd", false},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd", false},                 /* too long a form */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", false}, /* a surrogate */
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", false},
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", false},
        {"\xe0\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", false}, /* too long too */
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd", false},                 /* cut */
        {"a\nb\tc\x7f", "a b c ", true},
        {"a\nb", "a\nb", false},
    };
    char to[64];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t length =
            text_clean(to, sizeof to, rows[i].from, strlen(rows[i].from), rows[i].one_line);
        assert_string_equal(to, rows[i].to);
        assert_int_equal(length, strlen(rows[i].to));
    }
}

static void text_is_cut_between_characters(void **state)
{
    char to[5];
    (void)state;
    assert_int_equal(text_clean(to, sizeof to, "ab\xe2\x82\xac", 5, false), 2);
    assert_string_equal(to, "ab");
    assert_int_equal(text_clean(to, sizeof to, "a\xe2\x82\xac", 4, false), 4);
    assert_int_equal(text_clean(to, 1, "a", 1, false), 0);
}

static void a_file_is_read_up_to_its_limit(void **state)
{
    struct text text = {0};
    (void)state;
    put("file", "0123456789", 10);
    assert_int_equal(text_read(&text, proc, "file", 10), 0);
    assert_int_equal(text.length, 10);
    assert_false(text.cut);
    assert_int_equal(text_read(&text, proc, "file", 9), 0);
    assert_string_equal(text.ptr, "012345678");
    assert_true(text.cut);
    assert_int_equal(text_read(&text, proc, "nothing", 9), ENOENT);
    text_deinit(&text);
}

static void a_large_file_grows_its_memory(void **state)
{
    struct text text = {0};
    char *large = malloc(20000);
    (void)state;
    memset(large, 'x', 20000);
    put("file", large, 20000);
    assert_int_equal(text_read(&text, proc, "file", 65536), 0);
    assert_int_equal(text.length, 20000);
    assert_memory_equal(text.ptr, large, 20000);
    text_deinit(&text);
    free(large);
}

/* ---------------------------------------------------------------- processes */

static void any_name_leaves_the_fields_whole(void **state)
{
    static const char *const names[] = {"sh", "a b", ") R 1 1 (",  "((",
                                        "))", "",    "new\nline)", "12 (x) S"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct process process;
        struct text text = {0};
        put_process(77, names[i], 'D', 5, 25);
        int dir = process_open(proc, 77);
        assert_true(dir >= 0);
        assert_int_equal(process_read_stat(&process, &text, dir), 0);
        assert_string_equal(process.name, names[i]);
        assert_int_equal(process.value.pid, 77);
        assert_int_equal(process.value.parent, 1);
        assert_int_equal(process.session, 7);
        assert_int_equal(process.nice, -5);
        assert_int_equal(process.value.state, machine_State_blocked);
        assert_int_equal(process.value.threads, 3);
        assert_int_equal(process.value.rss, 25 * sysconf(_SC_PAGESIZE));
        assert_true(process.value.cpu == 200.0 / (double)sysconf(_SC_CLK_TCK));
        assert_int_equal(process.virtual_size, 8192000);
        assert_false(process.kernel_thread);
        text_deinit(&text);
        close(dir);
    }
}

static void a_broken_stat_is_refused(void **state)
{
    static const char *const wrong[] = {
        "", "77", "77 (x", "77 x) S 1", "77 (x) S 1 2 3", "77 (x)", "77 (x) S a b c"};
    struct process process;
    struct text text = {0};
    (void)state;
    put_process(77, "x", 'S', 5, 1);
    int dir = process_open(proc, 77);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        put("77/stat", wrong[i], strlen(wrong[i]));
        assert_int_equal(process_read_stat(&process, &text, dir), *wrong[i] ? EINVAL : ESRCH);
    }
    put("77/status", "", 0);
    struct process_status status;
    assert_int_equal(process_read_status(&status, &text, dir), ESRCH);
    text_deinit(&text);
    close(dir);
}

static void the_status_tells_users_signals_and_rights(void **state)
{
    struct process_status status;
    struct text text = {0};
    (void)state;
    put_process(77, "x", 'S', 10, 1);
    int dir = process_open(proc, 77);
    assert_int_equal(process_read_status(&status, &text, dir), 0);
    assert_int_equal(status.uid, 10);
    assert_int_equal(status.effective_uid, 11);
    assert_int_equal(status.saved_uid, 12);
    assert_int_equal(status.caught, 0x180004a02);
    assert_int_equal(status.capabilities, 0x20);
    assert_int_equal(status.swapped, 4096);
    assert_int_equal(status.waits, 9);
    assert_int_equal(status.preempted, 8);
    text_deinit(&text);
    close(dir);
}

static void arguments_become_one_line(void **state)
{
    static const char octets[] = "run\0a \xff\0two\nlines\0\0";
    struct process process;
    struct text text = {0};
    (void)state;
    put_process(77, "x", 'S', 5, 1);
    put("77/cmdline", octets, sizeof octets - 1);
    int dir = process_open(proc, 77);
    assert_int_equal(process_read_command(&process, &text, dir), 0);
    assert_string_equal(process.command, "run a \xef\xbf\xbd two lines");
    assert_memory_equal(text.ptr, octets, sizeof octets - 1);
    put("77/cmdline", "", 0);
    assert_int_equal(process_read_command(&process, &text, dir), 0);
    assert_string_equal(process.command, "");
    text_deinit(&text);
    close(dir);
}

static void a_thread_or_a_wrong_number_is_no_process(void **state)
{
    (void)state;
    int real = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    put_process(78, "x", 'S', 5, 1);
    static const char status[] = "Name:\tx\nTgid:\t77\nUid:\t1\t1\t1\t1\n";
    put("78/status", status, sizeof status - 1);
    assert_int_equal(process_open(proc, 78), -1);
    assert_int_equal(errno, ESRCH);
    for (int pid = -1; pid <= 0; pid++) {
        assert_int_equal(process_open(real, pid), -1);
        assert_int_equal(errno, ESRCH);
    }
    close(real);
}

static void a_process_that_ends_while_it_is_read_is_gone(void **state)
{
    int real = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC), end[2];
    struct process process;
    struct process_status status;
    struct text text = {0};
    (void)state;
    assert_int_equal(pipe(end), 0);
    pid_t child = fork();
    if (!child) {
        close(end[1]);
        _exit(read(end[0], &child, 1) != 0);
    }
    int dir = process_open(real, child);
    assert_true(dir >= 0);
    assert_int_equal(process_read_stat(&process, &text, dir), 0);
    close(end[0]);
    close(end[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(process_read_stat(&process, &text, dir), ESRCH);
    assert_int_equal(process_read_status(&status, &text, dir), ESRCH);
    assert_int_equal(process_count_files(dir), 0);
    text_deinit(&text);
    close(dir);
    close(real);
}

static void filters_and_orders_choose(void **state)
{
    static const uint32_t uids[] = {5, 6};
    static const int32_t states[] = {machine_State_zombie, machine_State_sleeping};
    const struct {
        struct machine_Filter filter;
        int count, first, last;
    } rows[] = {
        {{.name = KOINE_TEXT("")}, 4, 101, 104},
        {{.name = KOINE_TEXT("al")}, 2, 101, 103},
        {{.name = KOINE_TEXT("nobody")}, 0, 0, 0},
        {{.name = KOINE_TEXT(""), .uids = KOINE_ARRAY(uids)}, 3, 101, 103},
        {{.name = KOINE_TEXT(""), .states = KOINE_ARRAY(states)}, 2, 101, 102},
        {{.name = KOINE_TEXT(""), .rss = 9 * 4096}, 2, 103, 104},
        {{.name = KOINE_TEXT(""), .order = machine_Order_by_rss}, 4, 104, 101},
        {{.name = KOINE_TEXT(""), .order = machine_Order_by_rss, .limit = 2}, 2, 104, 103},
        {{.name = KOINE_TEXT(""), .order = machine_Order_by_name}, 4, 101, 104},
        {{.name = KOINE_TEXT(""), .order = machine_Order_by_name, .limit = 3}, 3, 101, 102},
        {{.name = KOINE_TEXT("al"), .uids = KOINE_ARRAY(uids), .rss = 9 * 4096}, 1, 103, 103},
    };
    (void)state;
    put_process(101, "alpha", 'S', 5, 1);
    put_process(102, "beta", 'Z', 6, 2);
    put_process(103, "alps", 'R', 5, 20);
    put_process(104, "zeta", 'T', 7, 30);
    assert_int_equal(mkdirat(proc, "105", 0700), 0); /* ends before it is read */
    assert_int_equal(mkdirat(proc, "sys", 0700), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct processes found = {0};
        assert_int_equal(processes_read(&found, proc, &rows[i].filter), 0);
        assert_int_equal(found.count, rows[i].count);
        if (found.count) {
            assert_int_equal(found.rows[0].value.pid, rows[i].first);
            assert_int_equal(found.rows[found.count - 1].value.pid, rows[i].last);
        }
        processes_deinit(&found);
    }
}

/* ---------------------------------------------------------------- figures */

static void figures_are_taken_by_their_names(void **state)
{
    struct machine_Memory memory;
    struct machine_Load load;
    struct counters counters;
    struct text text = as_text("MemTotal: 100 kB\nMemFree: 10 kB\nMemAvailable: 60 kB\n"
                               "SwapCached: 1 kB\nCached: 7 kB\n");
    (void)state;
    assert_int_equal(figures_memory(&memory, &text), 0);
    assert_int_equal(memory.used, 40 * 1024);
    assert_int_equal(memory.cached, 7 * 1024);
    assert_int_equal(memory.swap_total, 0);
    text_deinit(&text);
    text =
        as_text("cpu  10 1 5 100 20 2 1 1 9 9\ncpu0 1 1 1 1\nintr 77 1 2\nctxt 5\nprocesses 6\n");
    assert_int_equal(figures_counters(&counters, &text), 0);
    assert_int_equal(counters.busy, 20);
    assert_int_equal(counters.all, 140);
    assert_int_equal(counters.interrupts, 77);
    assert_int_equal(counters.switches, 5);
    assert_int_equal(counters.forks, 6);
    text_deinit(&text);
    text = as_text("0.50 1.25 2.00 3/400 777\n");
    assert_int_equal(figures_load(&load, &text), 0);
    assert_true(load.one == 0.5 && load.five == 1.25 && load.fifteen == 2);
    assert_int_equal(load.runnable, 3);
    assert_int_equal(load.threads, 400);
    assert_int_equal(figures_memory(&memory, &text), EINVAL);
    assert_int_equal(figures_counters(&counters, &text), EINVAL);
    text_deinit(&text);
    text = as_text("nonsense\n");
    assert_int_equal(figures_load(&load, &text), EINVAL);
    text_deinit(&text);
}

/* ---------------------------------------------------------------- disks */

static void only_disks_are_asked_each_once(void **state)
{
    static const struct {
        const char *path;
        bool disk;
    } rows[] = {
        {"/", true},       {"/proc", false},      {"/run", false},
        {"/a b", true},    {"/mnt/nfs", false},   {"/mnt/nfs/inner", false},
        {"/ntfs", false},  {"/mnt/ssh", false},   {"/again", false},
        {"/auto", false},  {"/auto/home", false}, {"/run/media/stick", true},
        {"/layers", true},
    };
    struct text types = as_text("nodev\tproc\nnodev\ttmpfs\n\text4\n\tfuseblk\n\tvfat\n");
    struct text info =
        as_text("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
                "2 1 0:5 / /proc rw shared:1 - proc proc rw\n"
                "3 1 0:6 / /run rw - tmpfs tmpfs rw\n"
                "4 1 8:2 / /a\\040b rw shared:1 master:2 - ext4 /dev/my\\040disk rw\n"
                "5 1 0:7 / /mnt/nfs rw - nfs4 server:/ rw\n"
                "6 5 7:0 / /mnt/nfs/inner rw - ext4 /dev/loop0 rw\n"
                "7 1 8:3 / /ntfs rw - fuseblk /dev/sda3 rw\n"
                "8 1 0:8 / /mnt/ssh rw - fuse.sshfs host: rw\n"
                "9 1 8:1 /x /again rw - ext4 /dev/sda1 rw\n"
                "10 1 0:9 / /auto rw - autofs systemd-1 rw\n"
                "11 10 8:4 / /auto/home rw - ext4 /dev/sda4 rw\n"
                "12 3 8:5 / /run/media/stick rw - vfat /dev/sdb1 rw\n"
                "13 1 0:10 / /layers rw - overlay overlay rw\n"
                "nonsense\n");
    struct mounts mounts;
    (void)state;
    assert_int_equal(mounts_parse(&mounts, &info, &types), 0);
    assert_int_equal(mounts.count, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < mounts.count; i++) {
        assert_string_equal(mounts.rows[i].path, rows[i].path);
        if (mounts.rows[i].disk != rows[i].disk)
            fail_msg("%s", rows[i].path);
    }
    assert_string_equal(mounts.rows[3].source, "/dev/my disk");
    mounts_deinit(&mounts);
    text_deinit(&info);
    text_deinit(&types);
}

static void a_mount_that_is_covered_is_not_asked(void **state)
{
    struct disk *disk = malloc(sizeof *disk);
    struct mount covered = {.id = UINT64_MAX, .path = "/", .type = "ext4", .source = "x"};
    (void)state;
    assert_int_equal(disk_read(disk, &covered), ESTALE);
    covered.path = "/nowhere at all";
    assert_int_equal(disk_read(disk, &covered), ENOENT);
    free(disk);
}

#define FOLDER(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER(text_that_is_no_utf8_is_mended),
        FOLDER(text_is_cut_between_characters),
        FOLDER(a_file_is_read_up_to_its_limit),
        FOLDER(a_large_file_grows_its_memory),
        FOLDER(any_name_leaves_the_fields_whole),
        FOLDER(a_broken_stat_is_refused),
        FOLDER(the_status_tells_users_signals_and_rights),
        FOLDER(arguments_become_one_line),
        FOLDER(a_thread_or_a_wrong_number_is_no_process),
        FOLDER(a_process_that_ends_while_it_is_read_is_gone),
        FOLDER(figures_are_taken_by_their_names),
        FOLDER(only_disks_are_asked_each_once),
        FOLDER(a_mount_that_is_covered_is_not_asked),
        FOLDER(filters_and_orders_choose),
    };
    return cmocka_run_group_tests_name("host/read", tests, NULL, NULL);
}
