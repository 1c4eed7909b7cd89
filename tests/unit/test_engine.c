/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's invariants: see docs/design.md. Sources are slow, failing and blocking; teams of 1, 2, 3 and 8
 * threads, both executors, both I/O back ends. Every test forks, so no OpenMP is touched before. */
#include "engine/engine.h"
#include "engine/plan.h"
#include "fake.h"
#include "registry.h"
#include <check.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a transform that watches ---- */

static atomic_int running, most_running, transform_calls;
static atomic_long spin_ns;
static pthread_key_t computes, reads; /* per thread: it has computed, it has read */
static atomic_int both;               /* threads that did both */

static void note_thread(pthread_key_t mine, pthread_key_t other)
{
    if (pthread_getspecific(other))
        atomic_fetch_add(&both, 1);
    pthread_setspecific(mine, &both);
}

static void on_read(void)
{
    note_thread(reads, computes);
}

static void burn(long ns)
{
    struct timespec a, b;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    while ((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec < ns);
}

static mill_status watch_plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                              void **self, mill_error *err)
{
    (void)values, (void)user, (void)in, (void)out, (void)self, (void)err;
    return MILL_OK;
}

static mill_status watch_run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                             mill_tensor *out, mill_error *err)
{
    (void)self, (void)state, (void)ctx;
    note_thread(computes, reads);
    int now = atomic_fetch_add(&running, 1) + 1, most = atomic_load(&most_running);
    while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now))
        continue;
    atomic_fetch_add(&transform_calls, 1);
    burn(atomic_load(&spin_ns));
    const int32_t *from = in->data;
    int32_t *to = out->data;
    mill_status status = MILL_OK;
    for (int64_t i = 0; i < in->type.shape[0]; i++) {
        if (from[i] != from[0])
            status = mill_fail(err, MILL_BAD_DATA, "torn",
                               "a row with different numbers: its read was not complete");
        to[i] = from[i] + 1;
    }
    if (from[0] % 1000000 == 13 && from[0] / 1000000 == 3)
        status = mill_fail(err, MILL_BAD_DATA, "unlucky", "row 13 of shard 3 is made to fail");
    atomic_fetch_sub(&running, 1);
    return status;
}

static const mill_transform_ops watch = {.struct_nbytes = sizeof(mill_transform_ops),
                                         .name = "watch",
                                         .summary = "adds one and watches",
                                         .plan = watch_plan,
                                         .run = watch_run};

/* ---- a run ---- */

typedef struct setup {
    fake source;
    mill__shard_name *shards;
    size_t n;
    mill_pipeline *pipeline;
    mill__plan plan;
    mill__engine_config config;
    mill__engine *engine;
} setup;

static fake quiet(int rows, int elements)
{
    return (fake){.rows = rows, .elements = elements, .fail_open = -1, .fail_read = -1, .shrink = -1};
}

static void set_up(setup *s, fake source, int nshards, int threads, const char *executor, uint64_t memory)
{
    mill_error err;
    char spec[64];
    *s = (setup){.source = source};
    pthread_key_create(&computes, NULL);
    pthread_key_create(&reads, NULL);
    snprintf(spec, sizeof spec, "fake-{000..%03d}", nshards - 1);
    ck_assert_msg(mill__spec_expand(spec, ".npy", true, &s->shards, &s->n, &err) == MILL_OK, "%s",
                  err.message);
    s->pipeline = mill_pipeline_new();
    ck_assert_int_eq(mill_pipeline_register(s->pipeline, &watch, NULL, &err), MILL_OK);
    ck_assert_msg(mill_pipeline_parse(s->pipeline, "watch", &err) == MILL_OK, "%s", err.message);
    s->config = (mill__engine_config){.shards = s->shards,
                                      .nshards = s->n,
                                      .source = &fake_source,
                                      .source_user = &s->source,
                                      .format = mill__format_named("npy"),
                                      .threads = threads,
                                      .depth = 4,
                                      .io = "threads",
                                      .executor = executor,
                                      .memory_nbytes = memory};
    mill_type type = {.dtype = MILL_I32, .rank = 1, .shape = {source.elements}};
    ck_assert_msg(mill__plan_compile(s->pipeline, &type, &s->plan, &err) == MILL_OK, "%s", err.message);
    s->config.job.plan = &s->plan;
}

static void begin(setup *s)
{
    mill_error err;
    ck_assert_msg(mill__engine_open(&s->engine, &s->config, &err) == MILL_OK, "%s", err.message);
}

static void tear_down(setup *s)
{
    mill__engine_close(s->engine);
    ck_assert_int_eq(atomic_load(&s->source.opened), 0); /* every handle was closed */
    ck_assert_int_eq(atomic_load(&s->source.reading), 0);
    mill__plan_free(&s->plan);
    mill_pipeline_free(s->pipeline);
    mill__spec_free(s->shards, s->n);
}

typedef struct tally {
    long rows, bad, issues, batches;
    int ended;
    char kind[32];
} tally;

/* Take everything; check that each row is in its place, once, with its own number. */
static mill_status drain(setup *s, tally *t, int nshards)
{
    int64_t *next = calloc((size_t)nshards, sizeof *next);
    mill__batch *batch;
    mill_error err;
    mill_status status;
    *t = (tally){0};
    while ((status = mill__engine_next(s->engine, &batch, -1, &err)) == MILL_OK) {
        if (batch->first != next[batch->shard])
            ck_abort_msg("a batch of shard %zu out of order", batch->shard);
        for (size_t i = 0; i < batch->n; i++) {
            const mill__row *row = &batch->rows[i];
            const int32_t *values = row->tensor;
            int32_t expected = row->status ? 0 : (int32_t)batch->shard * 1000000 + (int32_t)row->sample + 1;
            bool right =
                row->sample == next[batch->shard]++; /* an assertion costs a message: one a row at most */
            for (int k = 0; k < s->source.elements; k++)
                right = right && values[k] == expected;
            if (!right)
                ck_abort_msg("sample %lld of shard %zu is not what it should be", (long long)row->sample,
                             batch->shard);
            if (row->status)
                snprintf(t->kind, sizeof t->kind, "%s", row->error->kind);
            t->bad += row->status != MILL_OK;
        }
        for (size_t i = 0; i < batch->nissues; i++)
            snprintf(t->kind, sizeof t->kind, "%s", batch->issues[i].kind);
        t->rows += (long)batch->n;
        t->issues += (long)batch->nissues;
        t->batches++;
        t->ended += batch->last;
        mill__engine_release(s->engine, batch);
    }
    free(next);
    return status;
}

static const int teams[] = {1, 2, 3, 8};
static const char *const executors[] = {"tasks", "loop"};

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

START_TEST(closed_at_any_moment_without_leak_or_hang)
{
    for (int i = 0; i < 300; i++) {
        setup s;
        fake source = quiet(20, 100);
        source.latency_ns = i % 3 ? 100000 : 0;
        set_up(&s, source, 12, teams[i % 4], executors[i / 4 % 2], 64u << 20);
        begin(&s);
        mill__batch *batch;
        mill_error err;
        for (int k = i % 14; k > 0 && mill__engine_next(s.engine, &batch, -1, &err) == MILL_OK; k--)
            if (k != 1 || i % 2) /* sometimes close while a batch is held */
                mill__engine_release(s.engine, batch);
        if (i % 5 == 0)
            mill__engine_cancel(s.engine);
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

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           ((double)u.ru_utime.tv_usec + (double)u.ru_stime.tv_usec) * 1e-6;
}

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
        ck_assert_msg(burned < 0.05, "%s: %g CPU seconds in an idle second", executors[e], burned);
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
        ck_assert_msg(burned < 1.10, "%s: %g CPU seconds for one of work", executors[e], burned);
        tear_down(&s);
    }
}
END_TEST

START_TEST(after_fork_the_child_gets_an_error_and_may_open_its_own)
{
    setup s;
    tally got;
    set_up(&s, quiet(50, 100), 8, 2, "tasks", 64u << 20);
    begin(&s);
    mill__batch *batch;
    mill_error err;
    ck_assert_int_eq(mill__engine_next(s.engine, &batch, -1, &err), MILL_OK);
    pid_t child = fork();
    if (!child) {
        if (mill__engine_next(s.engine, &batch, -1, &err) != MILL_USAGE || strcmp(err.kind, "fork") != 0)
            _exit(1);
        mill__engine_close(s.engine); /* must not hang */
        setup own;
        set_up(&own, quiet(50, 100), 8, 2, "tasks", 64u << 20);
        begin(&own);
        if (drain(&own, &got, 8) != MILL_END || got.rows != 400)
            _exit(2);
        tear_down(&own);
        _exit(0);
    }
    mill__engine_release(s.engine, batch);
    tear_down(&s);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

static void *whole_run(void *arg)
{
    setup s;
    tally got;
    int i = *(int *)arg;
    set_up(&s, quiet(30, 100), 10, 2, executors[i % 2], 64u << 20);
    begin(&s);
    ck_assert_int_eq(drain(&s, &got, 10), MILL_END);
    ck_assert_int_eq(got.rows, 300);
    tear_down(&s);
    return NULL;
}

START_TEST(several_engines_in_several_threads)
{
    pthread_t threads[4];
    int numbers[4] = {0, 1, 2, 3};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, whole_run, &numbers[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

START_TEST(slow_reads_overlap_with_each_other)
{
    setup s;
    tally got;
    fake source = quiet(4, 100);
    source.latency_ns = 50000000;
    set_up(&s, source, 16, 2, "tasks", 64u << 20);
    s.config.depth = 16;
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    begin(&s);
    ck_assert_int_eq(drain(&s, &got, 16), MILL_END);
    clock_gettime(CLOCK_MONOTONIC, &b);
    ck_assert_int_eq(got.rows, 64);
    /* 0.8 s one after another, 0.05 s at once; only a serial engine could fail this */
    ck_assert_int_lt((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000, 700);
    tear_down(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine");
    TCase *tc = tcase_create("invariants");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, each_sample_once_and_in_order_for_every_team);
    tcase_add_test(tc, uneven_empty_and_huge_shards);
    tcase_add_test(tc, tiny_budget_with_more_threads_than_places);
    tcase_add_test(tc, a_shard_ten_times_the_budget);
    tcase_add_test(tc, a_budget_that_cannot_do_is_refused_with_the_one_that_can);
    tcase_add_test(tc, failures_hit_their_own_shard_only);
    tcase_add_test(tc, closed_at_any_moment_without_leak_or_hang);
    tcase_add_test(tc, stop_after_finishes_the_earlier_shards);
    tcase_add_test(tc, a_stalled_consumer_burns_no_cpu);
    tcase_add_test(tc, idle_threads_sleep_while_one_works);
    tcase_add_test(tc, after_fork_the_child_gets_an_error_and_may_open_its_own);
    tcase_add_test(tc, several_engines_in_several_threads);
    tcase_add_test(tc, slow_reads_overlap_with_each_other);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
