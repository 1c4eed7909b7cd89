/* SPDX-License-Identifier: Apache-2.0 */
/* mill_run() killed, or refused by the system, at every single call that changes something on the disk: what
 * bears a final name is whole, and the next run ends as if nothing had been. The calls are counted by
 * standing in for libc's. */
#include "unit/run_fixture.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static atomic_int calls;  /* that change something, so far */
static int fatal = -1;    /* the call at which the process ends */
static int refused = -1;  /* the call that fails, and all later ones of its kind that write */
static int refusal = EIO; /* with this error */

/* Dies before the call; a torn write is a half one. -1: refuse it. */
static int step(void)
{
    int n = atomic_fetch_add(&calls, 1);
    if (n == fatal)
        _exit(77);
    if (n == refused) {
        errno = refusal;
        return -1;
    }
    return 0;
}

ssize_t pwrite(int fd, const void *data, size_t nbytes, off_t offset);
ssize_t pwrite(int fd, const void *data, size_t nbytes, off_t offset)
{
    if (atomic_load(&calls) == fatal && nbytes > 1)
        (void)!syscall(SYS_pwrite64, fd, data, nbytes / 2, offset);
    return step() ? -1 : syscall(SYS_pwrite64, fd, data, nbytes, offset);
}

int rename(const char *from, const char *to)
{
    return step() ? -1 : (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int fsync(int fd)
{
    return step() ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return step() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int unlink(const char *path)
{
    return step() ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int mkdir(const char *path, mode_t mode)
{
    return step() ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

/* ---- */

static int some_bad(int shard, int row)
{
    return (shard * 31 + row) % 11 == 3;
}

static running small_run(void)
{
    running r = run_of(4, 40);
    r.check.bad = some_bad;
    r.options.policy = MILL_POLICY_SKIP;
    return r;
}

/* Run in a child of its own; its exit status. With seen, how many calls it made. */
static int run_apart(const char *name, int *seen)
{
    int pipe_fds[2];
    ck_assert(!pipe(pipe_fds));
    pid_t pid = fork();
    if (!pid) {
        running r = small_run();
        int status = run_into(&r, name), n = atomic_load(&calls);
        (void)!write(pipe_fds[1], &n, sizeof n);
        _exit(status);
    }
    close(pipe_fds[1]);
    int n = -1, status;
    (void)!read(pipe_fds[0], &n, sizeof n);
    close(pipe_fds[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    if (seen)
        *seen = n;
    return WEXITSTATUS(status);
}

static int undisturbed(void)
{
    int n;
    ck_assert_int_eq(run_apart("whole", &n), MILL_OK);
    ck_assert_int_gt(n, 50);
    return n;
}

START_TEST(killed_at_every_call)
{
    int n = undisturbed(), dead = 0;
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "k%d", i);
        fatal = i;
        dead += run_apart(name, NULL) == 77;
        fatal = -1;
        if (is_there(name))
            expect_no_half_file(name, "whole");
        ck_assert_int_eq(run_apart(name, NULL), MILL_OK);
        expect_same(name, "whole");
    }
    ck_assert_int_ge(dead, n - 5); /* the order of calls may differ a little from run to run */
}
END_TEST

/* Killed again and again, each time a little later than where the last one got. */
START_TEST(killed_over_and_over)
{
    undisturbed();
    for (int stride = 3; stride < 40; stride += 7) {
        int runs = 0;
        char name[16];
        snprintf(name, sizeof name, "o%d", stride);
        for (fatal = stride; run_apart(name, NULL) == 77; fatal += stride / 2) {
            if (is_there(name))
                expect_no_half_file(name, "whole");
            ck_assert_int_lt(++runs, 500);
        }
        fatal = -1;
        expect_same(name, "whole");
    }
}
END_TEST

/* The disk is full, or broken, at every call in turn. */
START_TEST(refused_at_every_call)
{
    static const int errors[] = {ENOSPC, EIO, EDQUOT};
    int n = undisturbed(), failed = 0;
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "r%d", i);
        refused = i;
        refusal = errors[i % 3];
        int status = run_apart(name, NULL);
        refused = -1;
        ck_assert_msg(status == MILL_OK || status == MILL_IO, "call %d: %d", i, status);
        failed += status == MILL_IO;
        if (is_there(name))
            expect_no_half_file(name, "whole");
        ck_assert_int_eq(run_apart(name, NULL), MILL_OK);
        expect_same(name, "whole");
    }
    ck_assert_int_gt(failed, n / 2);
}
END_TEST

START_TEST(the_error_says_which_file_and_why)
{
    int n = undisturbed();
    for (int i = n / 3; i < n / 3 + 12; i++) {
        running r = small_run();
        atomic_store(&calls, 0);
        refused = i;
        refusal = ENOSPC;
        mill_status status = run_into(&r, "full");
        refused = -1;
        if (status) {
            ck_assert_int_eq(status, MILL_IO);
            ck_assert_int_eq(r.err.os_error, ENOSPC);
            ck_assert_msg(strstr(r.err.message, "/full/") && strstr(r.err.message, strerror(ENOSPC)), "%s",
                          r.err.message);
            ck_assert_str_eq(r.err.kind, "io");
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crash");
    TCase *tests = tcase_create("crash");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, killed_at_every_call);
    tcase_add_test(tests, killed_over_and_over);
    tcase_add_test(tests, refused_at_every_call);
    tcase_add_test(tests, the_error_says_which_file_and_why);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
