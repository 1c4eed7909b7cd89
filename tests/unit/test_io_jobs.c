/* SPDX-License-Identifier: Apache-2.0 */
/* test_io_jobs.c: jobs and reads by callback, which run in the pool of threads whatever reads descriptors. */
#include "io_fixture.h"
#include <signal.h>

typedef struct job {
    pthread_t thread;
    sigset_t blocked;
    char name[16];
    bool called_before_done;
    tally t;
} job;

static void look_around(void *arg)
{
    job *j = arg;
    j->thread = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &j->blocked);
    pthread_getname_np(pthread_self(), j->name, sizeof j->name);
    j->called_before_done = j->t.ndone == 0;
}

START_TEST(a_job_runs_on_a_named_thread_with_signals_blocked)
{
    mill__io *io = engine(_i, 2);
    if (!io)
        return;
    job j = {.t = TALLY};
    mill__io_request r = {.fd = -1, .call = look_around, .arg = &j, .done = on_done, .owner = &j.t};
    serve(io, &r);
    ck_assert(!pthread_equal(j.thread, pthread_self()));
    ck_assert(j.called_before_done);
    ck_assert_int_eq(strncmp(j.name, "mill-io-", 8), 0);
    ck_assert(sigismember(&j.blocked, SIGINT) && sigismember(&j.blocked, SIGTERM) &&
              sigismember(&j.blocked, SIGALRM));
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    ck_assert(!sigismember(&mine, SIGINT));
    mill__io_close(io);
}
END_TEST

/* Each of n reads waits until all n are being read: without n threads this never ends. */
static mill_status meet(void *handle, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err)
{
    (void)err;
    pthread_barrier_wait(handle);
    memset(data, (int)offset, n);
    *got = n;
    return MILL_OK;
}

START_TEST(blocking_reads_run_side_by_side)
{
    enum { DEPTH = 5 };
    mill__io *io = engine(_i, DEPTH);
    if (!io)
        return;
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, DEPTH);
    tally t = TALLY;
    char data[DEPTH][10];
    mill__io_request r[DEPTH];
    for (int i = 0; i < DEPTH; i++) {
        r[i] = (mill__io_request){.fd = -1,
                                  .read = meet,
                                  .handle = &barrier,
                                  .offset = (uint64_t)i,
                                  .data = data[i],
                                  .n = 10,
                                  .done = on_done,
                                  .owner = &t};
        mill__io_submit(io, &r[i]);
    }
    wait_for(&t, DEPTH);
    for (int i = 0; i < DEPTH; i++)
        ck_assert(r[i].status == MILL_OK && r[i].got == 10 && data[i][9] == i);
    mill__io_close(io);
    pthread_barrier_destroy(&barrier);
}
END_TEST

typedef struct crowd {
    int now, most; /* threads inside; by atomics */
} crowd;

static void join_crowd(void *arg)
{
    crowd *c = arg;
    int now = __atomic_add_fetch(&c->now, 1, __ATOMIC_SEQ_CST),
        most = __atomic_load_n(&c->most, __ATOMIC_SEQ_CST);
    while (now > most &&
           !__atomic_compare_exchange_n(&c->most, &most, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    usleep(2000);
    __atomic_sub_fetch(&c->now, 1, __ATOMIC_SEQ_CST);
}

START_TEST(no_more_threads_than_depth)
{
    enum { NJOBS = 20, DEPTH = 3 };
    mill__io *io = engine(_i, DEPTH);
    if (!io)
        return;
    tally t = TALLY;
    crowd c = {0};
    mill__io_request r[NJOBS];
    for (int i = 0; i < NJOBS; i++) {
        r[i] = (mill__io_request){.fd = -1, .call = join_crowd, .arg = &c, .done = on_done, .owner = &t};
        mill__io_submit(io, &r[i]);
    }
    wait_for(&t, NJOBS);
    ck_assert_int_le(c.most, DEPTH);
    mill__io_close(io);
}
END_TEST

static mill_status refuse(void *handle, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err)
{
    (void)offset, (void)data, (void)n;
    *got = 3;
    const char *reason = handle;
    return *reason ? mill_fail(err, MILL_BAD_DATA, "test", "%s", reason) : MILL_CANCELED;
}

static mill_status boast(void *handle, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err)
{
    (void)handle, (void)offset, (void)data, (void)err;
    *got = n + 1;
    return MILL_OK;
}

START_TEST(what_a_callback_answers_reaches_done)
{
    mill__io *io = engine(_i, 2);
    if (!io)
        return;
    tally t = TALLY;
    char data[4];
    mill__io_request r = {.fd = -1,
                          .read = refuse,
                          .handle = (void *)"the tape is torn",
                          .data = data,
                          .n = 4,
                          .done = on_done,
                          .owner = &t};
    serve(io, &r);
    ck_assert_int_eq(r.status, MILL_BAD_DATA);
    ck_assert_str_eq(r.error.message, "the tape is torn");
    ck_assert_uint_eq(r.got, 0);
    r.handle = (void *)""; /* fails, and does not say why */
    serve(io, &r);
    ck_assert_int_eq(r.status, MILL_CANCELED);
    ck_assert_int_eq(r.error.status, MILL_CANCELED);
    ck_assert_ptr_nonnull(strstr(r.error.message, "canceled"));
    r.read = boast;
    serve(io, &r);
    ck_assert_int_eq(r.status, MILL_INTERNAL);
    ck_assert_uint_eq(r.got, 0);
    mill__io_close(io);
}
END_TEST

START_TEST(an_empty_request_is_an_error)
{
    mill__io *io = engine(_i, 2);
    if (!io)
        return;
    tally t = TALLY;
    mill__io_request r = {.fd = -1, .done = on_done, .owner = &t};
    serve(io, &r);
    ck_assert_int_eq(r.status, MILL_INTERNAL);
    mill__io_close(io);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("io jobs");
    TCase *tc = tcase_create("both backends");
    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, a_job_runs_on_a_named_thread_with_signals_blocked, 0, NBACKENDS);
    tcase_add_loop_test(tc, blocking_reads_run_side_by_side, 0, NBACKENDS);
    tcase_add_loop_test(tc, no_more_threads_than_depth, 0, NBACKENDS);
    tcase_add_loop_test(tc, what_a_callback_answers_reaches_done, 0, NBACKENDS);
    tcase_add_loop_test(tc, an_empty_request_is_an_error, 0, NBACKENDS);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
