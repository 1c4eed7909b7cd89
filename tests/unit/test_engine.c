/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's invariants: see docs/design.md. Sources are slow, failing and blocking; teams of 1, 2, 3 and 8
 * threads, both executors, both I/O back ends. Its end, forks and libraries: test_engine_life.c. */
#include "engine_fixture.h"
#include "seccomp_fixture.h"

START_TEST(each_sample_once_and_in_order_for_every_team)
{
    for (int e = 0; e < 2; e++)
        for (int t = 0; t < 4; t++) {
            setup s;
            tally got;
            fake source = quiet(37, 50);
            source.latency_ns = 200000;
            source.on_read = on_read;
            atomic_store(&most_running, 0);
            set_up(&s, source, 20, teams[t], executors[e], 64u << 20);
            begin(&s);
            ck_assert_int_eq(drain(&s, &got, 20), MILL_END);
            ck_assert_int_eq(got.rows, 20 * 37);
            ck_assert_int_eq(got.bad, 1);
            ck_assert_str_eq(got.kind, "unlucky");
            ck_assert_int_eq(got.ended, 20);
            ck_assert_int_le(atomic_load(&most_running), teams[t]);
            ck_assert_int_eq(atomic_load(&both), 0); /* no compute thread was ever in a read */
            tear_down(&s);
        }
}
END_TEST

static int uneven(int shard)
{
    static const int rows[] = {0, 1, 5000, 2, 0, 63, 64, 65, 1, 300};
    return rows[shard % 10];
}

START_TEST(uneven_empty_and_huge_shards)
{
    for (int e = 0; e < 2; e++)
        for (int t = 0; t < 4; t++) {
            setup s;
            tally got;
            fake source = quiet(0, 33);
            source.rows_of = uneven;
            set_up(&s, source, 30, teams[t], executors[e], 24u << 20);
            begin(&s);
            ck_assert_int_eq(drain(&s, &got, 30), MILL_END);
            ck_assert_int_eq(got.rows, 3 * (1 + 5000 + 2 + 63 + 64 + 65 + 1 + 300));
            ck_assert_int_eq(got.ended, 30);
            tear_down(&s);
        }
}
END_TEST

START_TEST(tiny_budget_with_more_threads_than_places)
{
    for (int e = 0; e < 2; e++)
        for (int repeat = 0; repeat < 20; repeat++) {
            setup s;
            tally got;
            set_up(&s, quiet(9, 500000), 6, 8, executors[e],
                   29u << 20); /* a row is 2 MB: two places in all */
            s.config.depth = 1;
            begin(&s);
            ck_assert_int_eq(drain(&s, &got, 6), MILL_END);
            ck_assert_int_eq(got.rows, 54);
            mill__engine_stats stats;
            mill__engine_stats_get(s.engine, &stats);
            ck_assert_uint_le(stats.peak_nbytes, 29u << 20);
            tear_down(&s);
        }
}
END_TEST

START_TEST(a_shard_ten_times_the_budget)
{
    for (int e = 0; e < 2; e++) {
        setup s;
        tally got;
        set_up(&s, quiet(6000, 12500), 1, 3, executors[e], 30u << 20); /* 300 MB of 50 kB rows */
        begin(&s);
        ck_assert_int_eq(drain(&s, &got, 1), MILL_END);
        ck_assert_int_eq(got.rows, 6000);
        mill__engine_stats stats;
        mill__engine_stats_get(s.engine, &stats);
        ck_assert_uint_le(stats.peak_nbytes, 30u << 20);
        tear_down(&s);
    }
}
END_TEST

START_TEST(a_budget_that_cannot_do_is_refused_with_the_one_that_can)
{
    static const int elements[] = {1500000, 3000000, 10000000};
    for (int i = 0; i < 3; i++) {
        setup s;
        mill_error err;
        tally got;
        set_up(&s, quiet(2, elements[i]), 1, 2, "tasks", 32u << 20);
        ck_assert_int_eq(mill__engine_open(&s.engine, &s.config, &err), MILL_LIMIT);
        const char *advice = strstr(err.message, "give at least ");
        ck_assert_ptr_nonnull(advice);
        s.config.memory_nbytes = strtoull(advice + strlen("give at least "), NULL, 10) << 20;
        begin(&s);
        ck_assert_int_eq(drain(&s, &got, 1), MILL_END);
        ck_assert_int_eq(got.rows, 2);
        tear_down(&s);
    }
}
END_TEST

START_TEST(failures_hit_their_own_shard_only)
{
    for (int e = 0; e < 2; e++)
        for (int t = 0; t < 4; t++) {
            setup s;
            tally got;
            fake source = quiet(40, 100);
            source.fail_open = 2;
            set_up(&s, source, 6, teams[t], executors[e], 64u << 20);
            begin(&s);
            ck_assert_int_eq(drain(&s, &got, 6), MILL_END);
            ck_assert_int_eq(got.rows, 5 * 40);
            ck_assert_int_eq(got.issues, 1);
            ck_assert_int_eq(got.ended, 6);
            tear_down(&s);

            source = quiet(40, 100000); /* 16 MB: several blocks */
            source.fail_read = 1;
            set_up(&s, source, 3, teams[t], executors[e], 64u << 20);
            begin(&s);
            ck_assert_int_eq(drain(&s, &got, 3), MILL_END);
            ck_assert_int_ge(got.rows, 2 * 40);
            ck_assert_int_lt(got.rows, 3 * 40);
            ck_assert_int_eq(got.issues, 1);
            ck_assert_str_eq(got.kind, "io");
            tear_down(&s);

            source = quiet(40, 100);
            source.shrink = 0;
            set_up(&s, source, 3, teams[t], executors[e], 64u << 20);
            begin(&s);
            ck_assert_int_eq(drain(&s, &got, 3), MILL_END);
            ck_assert_int_eq(got.issues, 1);
            ck_assert_str_eq(got.kind, "truncated");
            ck_assert_int_eq(got.rows, 2 * 40);
            tear_down(&s);
        }
}
END_TEST

START_TEST(stop_after_finishes_the_earlier_shards)
{
    for (int t = 0; t < 4; t++) {
        setup s;
        fake source = quiet(30, 100);
        set_up(&s, source, 40, teams[t], "tasks", 64u << 20);
        begin(&s);
        mill__batch *batch;
        mill_error err;
        mill_status status;
        bool ended[40] = {false};
        mill__engine_stop_after(s.engine, 7);
        while ((status = mill__engine_next(s.engine, &batch, -1, &err)) == MILL_OK) {
            ended[batch->shard] |= batch->last;
            mill__engine_release(s.engine, batch);
        }
        ck_assert_int_eq(status, MILL_END);
        for (int i = 0; i <= 7; i++)
            ck_assert(ended[i]);
        tear_down(&s);
    }
}
END_TEST

START_TEST(a_stalled_consumer_burns_no_cpu)
{
    for (int e = 0; e < 2; e++) {
        setup s;
        tally got;
        set_up(&s, quiet(4000, 1000), 20, 3, executors[e], 40u << 20);
        begin(&s);
        fake_sleep(500000000); /* all places are full by now */
        double before = cpu_seconds();
        fake_sleep(1000000000);
        double burned = cpu_seconds() - before;
        ck_assert_msg(burned < 0.3, "%s: %g CPU seconds in an idle second", executors[e], burned);
        ck_assert_int_eq(drain(&s, &got, 20), MILL_END);
        ck_assert_int_eq(got.rows, 80000);
        tear_down(&s);
    }
}
END_TEST

static int one_row(int shard)
{
    (void)shard;
    return 1;
}

START_TEST(idle_threads_sleep_while_one_works)
{
    for (int e = 0; e < 2; e++) {
        setup s;
        tally got;
        fake source = quiet(0, 10);
        source.rows_of = one_row;
        atomic_store(&spin_ns, 1000000000);
        set_up(&s, source, 1, 4, executors[e], 40u << 20);
        double before = cpu_seconds();
        begin(&s);
        ck_assert_int_eq(drain(&s, &got, 1), MILL_END);
        double burned = cpu_seconds() - before;
        ck_assert_msg(burned < 1.6, "%s: %g CPU seconds for one of work", executors[e], burned);
        tear_down(&s);
    }
}
END_TEST

START_TEST(slow_reads_overlap_with_each_other)
{
    setup s;
    tally got;
    fake source = quiet(4, 100);
    source.latency_ns = 20000000;
    set_up(&s, source, 16, 2, "tasks", 64u << 20);
    s.config.depth = 16;
    begin(&s);
    ck_assert_int_eq(drain(&s, &got, 16), MILL_END);
    ck_assert_int_eq(got.rows, 64);
    ck_assert_int_ge(atomic_load(&s.source.most_reading), 4); /* one, where a compute thread waits for each */
    tear_down(&s);
}
END_TEST

START_TEST(samples_larger_than_a_block)
{
    static const int elements[] = {9000, 30000, 100000, 170000};
    for (int e = 0; e < 2; e++)
        for (int t = 0; t < 4; t++)
            for (int k = 0; k < 4; k++) {
                setup s;
                tally got;
                fake source = quiet(3000000 / elements[k] / 4, elements[k]);
                source.jitter_ns = 300000;
                set_up(&s, source, 5, teams[t], executors[e], 24u << 20);
                begin(&s);
                ck_assert_int_eq(drain(&s, &got, 5), MILL_END);
                ck_assert_int_eq(got.issues, 0);
                ck_assert_int_eq(got.rows, 5 * source.rows);
                mill__engine_stats stats;
                mill__engine_stats_get(s.engine, &stats);
                ck_assert_uint_le(stats.peak_nbytes, 24u << 20);
                tear_down(&s);
            }
}
END_TEST

static mill_status first_opens_late(int shard)
{
    fake_sleep(shard ? 0 : 100000000);
    return MILL_OK;
}

/* Younger shards have taken all memory that they may by then. Of a sample that spans blocks the shard holds
 * one and needs another. */
START_TEST(a_shard_that_opens_late_gets_on)
{
    for (int e = 0; e < 2; e++)
        for (int t = 0; t < 4; t++) {
            setup s;
            tally got;
            fake source = quiet(4, 170000);
            source.open_status = first_opens_late;
            set_up(&s, source, 5, teams[t], executors[e], 24u << 20);
            begin(&s);
            ck_assert_int_eq(drain(&s, &got, 5), MILL_END);
            ck_assert_int_eq(got.rows, 5 * 4);
            tear_down(&s);
        }
}
END_TEST

START_TEST(random_numbers_depend_on_nothing_but_the_sample)
{
    unsigned long long first = 0;
    static const int depths[] = {1, 3, 16};
    for (int e = 0; e < 2; e++)
        for (int t = 0; t < 4; t++)
            for (int d = 0; d < 3; d++) {
                setup s;
                tally got;
                fake source = quiet(41, 300);
                source.jitter_ns = 1000000;
                atomic_store(&fingerprint, 0);
                set_up(&s, source, 12, teams[t], executors[e], d ? 64u << 20 : 21u << 20);
                s.config.depth = depths[d];
                begin(&s);
                ck_assert_int_eq(drain(&s, &got, 12), MILL_END);
                ck_assert_int_eq(got.rows, 12 * 41);
                first = first ? first : atomic_load(&fingerprint);
                ck_assert_uint_eq(atomic_load(&fingerprint), first);
                tear_down(&s);
            }
}
END_TEST

/* The shards of a fake source as files, which io_uring can read. */
static void write_files(const char *folder, fake *f, int nshards)
{
    for (int i = 0; i < nshards; i++) {
        char path[256];
        void *handle;
        mill_shard_info info;
        mill_error err;
        size_t got;
        snprintf(path, sizeof path, "%d", i);
        ck_assert_int_eq(fake_open(f, path, &handle, &info, &err), MILL_OK);
        char *bytes = malloc(info.nbytes);
        ck_assert_int_eq(fake_read(handle, 0, bytes, info.nbytes, &got, &err), MILL_OK);
        snprintf(path, sizeof path, "%s/s%03d.npy", folder, i);
        FILE *file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_uint_eq(fwrite(bytes, 1, got, file), got);
        ck_assert_int_eq(fclose(file), 0);
        free(bytes);
        fake_close(handle);
    }
}

static void drain_files(const char *folder, const char *io, const char *executor, int threads, int nshards,
                        long rows)
{
    setup s;
    tally got;
    mill_error err;
    char spec[300];
    set_up(&s, quiet(0, 5000), 1, threads, executor, 30u << 20);
    mill__spec_free(s.shards, s.n);
    snprintf(spec, sizeof spec, "%s/*.npy", folder);
    ck_assert_int_eq(mill__spec_expand(spec, ".npy", false, &s.shards, &s.n, &err), MILL_OK);
    s.config.shards = s.shards;
    s.config.nshards = s.n;
    s.config.source = NULL;
    s.config.io = io;
    mill_status status = mill__engine_open(&s.engine, &s.config, &err);
    if (status == MILL_UNSUPPORTED) {
        printf("skip: %s\n", err.message);
    } else {
        ck_assert_int_eq(status, MILL_OK);
        ck_assert_int_eq(drain(&s, &got, nshards), MILL_END);
        ck_assert_int_eq(got.rows, rows);
        mill__engine_stats stats;
        mill__engine_stats_get(s.engine, &stats);
        if (strcmp(io, "auto") != 0)
            ck_assert_str_eq(stats.io, io);
        else
            ck_assert_str_eq(stats.io, "threads"); /* used where io_uring is forbidden */
    }
    tear_down(&s);
}

START_TEST(files_through_both_back_ends) /* 1: where io_uring is forbidden */
{
    enum { SHARDS = 9, ROWS = 70 };
    char folder[] = "/tmp/shardmill-engine-XXXXXX", path[300];
    if (_i && !forbid(SYS_io_uring_setup, SYS_io_uring_setup, EPERM, false)) {
        printf("skip: no seccomp filters here\n");
        return;
    }
    ck_assert_ptr_nonnull(mkdtemp(folder));
    fake f = quiet(ROWS, 5000); /* 1.4 MB a shard: several blocks */
    write_files(folder, &f, SHARDS);
    for (int e = 0; e < 2; e++)
        for (int t = 0; t < 4; t++) {
            if (_i) {
                drain_files(folder, "auto", executors[e], teams[t], SHARDS, SHARDS * ROWS);
                continue;
            }
            drain_files(folder, "threads", executors[e], teams[t], SHARDS, SHARDS * ROWS);
            drain_files(folder, "uring", executors[e], teams[t], SHARDS, SHARDS * ROWS);
        }
    for (int i = 0; i < SHARDS; i++) {
        snprintf(path, sizeof path, "%s/s%03d.npy", folder, i);
        unlink(path);
    }
    rmdir(folder);
}
END_TEST

START_TEST(a_blocked_read_holds_up_its_own_shard_only)
{
    for (int e = 0; e < 2; e++) {
        setup s;
        mill__batch *batch;
        mill_error err;
        fake source = quiet(20, 100);
        source.blocks = true;
        set_up(&s, source, 6, 2, executors[e], 64u << 20);
        begin(&s);
        for (int ended = 0; ended < 5;) { /* all but shard 0 */
            ck_assert_int_eq(mill__engine_next(s.engine, &batch, -1, &err), MILL_OK);
            ck_assert_uint_ne(batch->shard, 0);
            ended += batch->last;
            mill__engine_release(s.engine, batch);
        }
        ck_assert_int_eq(mill__engine_next(s.engine, &batch, 10, &err), MILL_AGAIN);
        mill__engine_cancel(s.engine); /* next() answers at once; close() waits for the read */
        ck_assert_int_eq(mill__engine_next(s.engine, &batch, -1, &err), MILL_CANCELED);
        atomic_store(&s.source.released, true);
        tear_down(&s);
    }
}
END_TEST

START_TEST(many_shards_of_one_row)
{
    for (int e = 0; e < 2; e++)
        for (int t = 0; t < 4; t++) {
            setup s;
            tally got;
            set_up(&s, quiet(1, 3), 2000, teams[t], executors[e], 32u << 20);
            begin(&s);
            ck_assert_int_eq(drain(&s, &got, 2000), MILL_END);
            ck_assert_int_eq(got.rows, 2000);
            tear_down(&s);
        }
}
END_TEST

static long peak_kib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

START_TEST(memory_is_flat_over_many_shards)
{
    if (SANITIZED) {
        printf("skip: a sanitizer keeps what was freed\n");
        return;
    }
    for (int e = 0; e < 2; e++) {
        long before = 0;
        for (int round = 0; round < 4; round++) {
            setup s;
            tally got;
            fake source = quiet(1, 10);
            set_up(&s, source, 5000, 2, executors[e], 32u << 20);
            begin(&s);
            ck_assert_int_eq(drain(&s, &got, 5000), MILL_END);
            ck_assert_int_eq(got.ended, 5000);
            tear_down(&s);
            before = round ? before : peak_kib();
        }
        ck_assert_int_lt(peak_kib() - before, 8192);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine");
    TCase *quick = tcase_create("quick"), *tc = tcase_create("invariants");
    tcase_set_timeout(quick, 240);
    tcase_set_timeout(tc, 240);
    tcase_add_test(quick, each_sample_once_and_in_order_for_every_team);
    tcase_add_test(quick, uneven_empty_and_huge_shards);
    tcase_add_test(quick, many_shards_of_one_row);
    tcase_add_test(quick, failures_hit_their_own_shard_only);
    tcase_add_test(quick, stop_after_finishes_the_earlier_shards);
    tcase_add_test(tc, tiny_budget_with_more_threads_than_places);
    tcase_add_test(tc, samples_larger_than_a_block);
    tcase_add_test(tc, a_shard_that_opens_late_gets_on);
    tcase_add_test(tc, a_shard_ten_times_the_budget);
    tcase_add_test(tc, a_budget_that_cannot_do_is_refused_with_the_one_that_can);
    tcase_add_test(tc, random_numbers_depend_on_nothing_but_the_sample);
    tcase_add_loop_test(tc, files_through_both_back_ends, 0, 2);
    tcase_add_test(tc, a_blocked_read_holds_up_its_own_shard_only);
    tcase_add_test(tc, slow_reads_overlap_with_each_other);
    tcase_add_test(tc, a_stalled_consumer_burns_no_cpu);
    tcase_add_test(tc, idle_threads_sleep_while_one_works);
    tcase_add_test(tc, memory_is_flat_over_many_shards);
    suite_add_tcase(suite, quick);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
