/* SPDX-License-Identifier: Apache-2.0 */
/* test_io_refused.c: the I/O engine under kernels that refuse what it asks for, by seccomp filters in a
 * child. */
#include "io_fixture.h"
#include "seccomp_fixture.h"
#include <errno.h>
#include <sys/wait.h>

enum { CANNOT_FORBID = 77 };

/* The line where run() found something wrong, 0 if nothing, in a child that may spoil itself. */
static void in_child(int (*run)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (!child)
        _exit(run());
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "the child died of signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) == CANNOT_FORBID)
        printf("skip: no seccomp filters here\n");
    else
        ck_assert_msg(WEXITSTATUS(status) == 0, "step %d of the child failed", WEXITSTATUS(status));
}

static int reads_well(mill__io *io)
{
    enum { N = 40 };
    tally t = TALLY;
    static uint8_t data[N][1000];
    mill__io_request r[N];
    for (int i = 0; i < N; i++) {
        r[i] = read_of(&t, file_fd, (uint64_t)i * 1000, data[i], sizeof data[i]);
        mill__io_submit(io, &r[i]);
    }
    wait_for(&t, N);
    int well = 1;
    for (int i = 0; i < N; i++)
        for (size_t k = 0; k < sizeof data[i]; k++)
            well &= !r[i].status && r[i].got == sizeof data[i] && data[i][k] == byte_at(r[i].offset + k);
    return well;
}

static int without_io_uring(void)
{
    const int reasons[] = {EPERM, ENOSYS, ENOMEM};
    for (int i = 0; i < 3; i++) {
        /* of several filters that forbid, the latest decides on the errno */
        if (!forbid(SYS_io_uring_setup, SYS_io_uring_setup, reasons[i], false))
            return CANNOT_FORBID;
        mill__io *io = NULL;
        mill_error err = {0};
        if (mill__io_open(&io, &(mill__io_config){.backend = "uring", .depth = 2}, &err) !=
                MILL_UNSUPPORTED ||
            io || err.os_error != reasons[i] || err.status != MILL_UNSUPPORTED ||
            !strstr(err.message, "threads"))
            return 1;
        err.message[0] = 0;
        if (mill__io_open(&io, &(mill__io_config){.backend = "auto", .depth = 2}, &err) || err.message[0])
            return 2;
        if (strcmp(mill__io_name(io), "threads") != 0 || !reads_well(io))
            return 3;
        mill__io_close(io);
    }
    return 0;
}

START_TEST(where_io_uring_is_forbidden_threads_read)
{
    in_child(without_io_uring);
}
END_TEST

static int io_uring_lost(void)
{
    mill__io *io = NULL;
    if (mill__io_open(&io, &(mill__io_config){.depth = 2}, NULL) || !reads_well(io))
        return 1;
    if (!forbid(SYS_io_uring_enter, SYS_io_uring_enter, EPERM, true))
        return CANNOT_FORBID;
    for (int i = 0; i < 5; i++)
        if (!reads_well(io))
            return 2;
    mill__io_close(io);
    return 0;
}

START_TEST(io_uring_forbidden_halfway_loses_no_read)
{
    in_child(io_uring_lost);
}
END_TEST

static int without_new_threads(void)
{
    mill__io *io = NULL;
    if (mill__io_open(&io, &(mill__io_config){.backend = "threads", .depth = 8}, NULL))
        return 1;
    if (!forbid(SYS_clone, SYS_clone3, EAGAIN, false))
        return CANNOT_FORBID;
    if (!reads_well(io))
        return 2;
    mill__io_close(io);
    for (int i = 0; i < NBACKENDS; i++) {
        mill_error err = {0};
        io = NULL;
        if (mill__io_open(&io, &(mill__io_config){.backend = backends[i], .depth = 8}, &err) != MILL_IO ||
            io || err.os_error != EAGAIN)
            return 3;
    }
    return 0;
}

START_TEST(where_threads_run_out_those_there_are_serve_all)
{
    in_child(without_new_threads);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("io refused");
    TCase *tc = tcase_create("kernels that refuse");
    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, make_file, drop_file);
    tcase_add_test(tc, where_io_uring_is_forbidden_threads_read);
    tcase_add_test(tc, io_uring_forbidden_halfway_loses_no_read);
    tcase_add_test(tc, where_threads_run_out_those_there_are_serve_all);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
