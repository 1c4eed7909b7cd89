/* SPDX-License-Identifier: Apache-2.0 */
/* mill_run(): what it is given, what it says, what it leaves. */
#include "unit/run_fixture.h"
#include <limits.h>
#include <stddef.h>

static void expect_totals(const mill_stats *s)
{
    ck_assert_int_eq(s->samples, s->written + s->skipped);
    ck_assert_int_le(s->substituted, s->written);
    ck_assert_uint_eq(s->bytes_in, s->bytes_total);
}

START_TEST(a_run_leaves_what_it_says)
{
    running r = run_of(5, 100);
    expect_run(&r, "out", MILL_OK);
    expect_totals(&r.stats);
    ck_assert_int_eq(r.stats.shards, 5);
    ck_assert_int_eq(r.stats.shards_done, 5);
    ck_assert_int_eq(r.stats.shards_kept, 0);
    ck_assert_int_eq(r.stats.samples, 500);
    ck_assert_int_eq(r.stats.written, 500);
    ck_assert_uint_eq(r.stats.bytes_in, 5 * (FAKE_HEADER + 100 * 20));
    ck_assert(r.stats.threads == 2 && !strcmp(r.stats.io, "threads") && !strcmp(r.stats.executor, "tasks"));
    ck_assert(r.stats.first_sample_ns > 0 && r.stats.first_sample_ns <= r.stats.elapsed_ns);
    ck_assert_int_eq(count_in("out", ".data.npy"), 5);
    ck_assert_int_eq(count_in("out", ".keys.txt"), 5);
    ck_assert_int_eq(count_in("out", "manifest.json"), 1);
    ck_assert_int_eq(count_in("out", "\n"), 11); /* and nothing else */
    size_t nbytes, all = 0;
    char *manifest = content("out/manifest.json", &nbytes);
    ck_assert(strstr(manifest, "\"complete\": true") && strstr(manifest, "\"pipeline\": \"check | mul"));
    free(manifest);
    for (int i = 0; i < 5; i++) {
        char name[40];
        snprintf(name, sizeof name, "out/fake-%d.data.npy", i);
        char *data = content(name, &nbytes);
        for (int row = 0; row < 100; row++) {
            float value; /* of whole numbers below 2^24 */
            memcpy(&value, data + nbytes - (size_t)(100 - row) * 20, sizeof value);
            ck_assert_int_eq((int)value, 3 * (i * 1000000 + row));
        }
        free(data);
        all += nbytes;
    }
    ck_assert_uint_gt(r.stats.bytes_out, all);
}
END_TEST

START_TEST(stats_and_error_may_be_null)
{
    running r = run_of(2, 3);
    r.options.source_user = &r.source;
    mill_pipeline *p = mill_pipeline_new();
    ck_assert(!mill_pipeline_parse(p, "mul 2", NULL));
    ck_assert_int_eq(mill_run(r.spec, p, path_of("out"), &r.options, NULL, NULL), MILL_OK);
    ck_assert_int_eq(mill_run("", p, path_of("none"), NULL, NULL, NULL), MILL_USAGE);
    mill_pipeline_free(p);
}
END_TEST

START_TEST(null_arguments_are_usage_errors)
{
    mill_error err;
    mill_stats stats = {.samples = 7};
    mill_pipeline *p = mill_pipeline_new();
    const char *out = path_of("out");
    ck_assert_int_eq(mill_run(NULL, p, out, NULL, &stats, &err), MILL_USAGE);
    ck_assert_int_eq(stats.samples, 0);
    ck_assert_str_eq(err.kind, "argument");
    ck_assert_int_eq(mill_run("x.npy", NULL, out, NULL, &stats, &err), MILL_USAGE);
    ck_assert_int_eq(mill_inspect(NULL, NULL, &stats, &err), MILL_USAGE);
    ck_assert_int_eq(mill_pipeline_parse(NULL, "mul 2", &err), MILL_USAGE);
    ck_assert_int_eq(mill_pipeline_parse(p, NULL, &err), MILL_USAGE);
    ck_assert_int_eq(mill_pipeline_add(NULL, "mul", "2", &err), MILL_USAGE);
    ck_assert_int_eq(mill_pipeline_add(p, NULL, "2", &err), MILL_USAGE);
    ck_assert_int_eq(mill_pipeline_register(p, NULL, NULL, &err), MILL_USAGE);
    ck_assert_int_eq(mill_pipeline_register(NULL, &checker_ops, NULL, &err), MILL_USAGE);
    mill_pipeline_free(p);
    mill_pipeline_free(NULL);
    ck_assert(!is_there("out"));
}
END_TEST

START_TEST(only_the_null_sink_does_without_a_folder)
{
    running r = run_of(3, 4);
    r.options.source_user = &r.source;
    mill_pipeline *p = mill_pipeline_new();
    ck_assert(!mill_pipeline_parse(p, "mul 2", NULL));
    for (int i = 0; i < 2; i++) {
        r.options.sink = NULL;
        ck_assert_int_eq(mill_run(r.spec, p, i ? "" : NULL, &r.options, &r.stats, &r.err), MILL_USAGE);
        ck_assert(strstr(r.err.message, "needs an output folder") != NULL);
        r.options.sink = "null";
        ck_assert_int_eq(mill_run(r.spec, p, i ? "" : NULL, &r.options, &r.stats, &r.err), MILL_OK);
        ck_assert_int_eq(r.stats.written, 12);
        ck_assert_uint_eq(r.stats.bytes_out, 0);
    }
    mill_pipeline_free(p);
}
END_TEST

/* ---- options ---- */

static void refused(const mill_options *o, const char *name)
{
    running r = run_of(1, 1);
    const mill_source_ops *source = o->source ? o->source : r.options.source;
    r.options = *o;
    r.options.source = source;
    expect_run(&r, "refused", MILL_USAGE);
    ck_assert_msg(strstr(r.err.message, name) != NULL, "%s: %s", name, r.err.message);
    ck_assert(!is_there("refused"));
}

START_TEST(each_bad_option_is_refused_by_its_name)
{
    const mill_source_ops incomplete = {.struct_nbytes = sizeof incomplete, .name = "incomplete"};
    const mill_source_ops foreign = {
        .struct_nbytes = 8, .open = fake_open, .read = fake_read, .close = fake_close};
#define REFUSED(member, value)                                                                               \
    do {                                                                                                     \
        mill_options o = mill_options_default();                                                             \
        o.format = "npy";                                                                                    \
        o.member = (value);                                                                                  \
        refused(&o, #member);                                                                                \
    } while (0)
    REFUSED(threads, -1);
    REFUSED(threads, 5000);
    REFUSED(io_depth, -1);
    REFUSED(io_depth, 1025);
    REFUSED(io, "smoke signals");
    REFUSED(executor, "pool");
    REFUSED(policy, (mill_policy)3);
    REFUSED(policy, (mill_policy)-1);
    REFUSED(max_errors_fraction, -0.1);
    REFUSED(max_errors_fraction, 1.5);
    REFUSED(max_errors_fraction, __builtin_nan(""));
    REFUSED(sink, "hdf5");
    REFUSED(jpeg_quality, 101);
    REFUSED(jpeg_quality, -1);
    REFUSED(jpeg_subsampling, "411");
    REFUSED(source, &incomplete);
    REFUSED(source, &foreign);
    REFUSED(format, "rar");
#undef REFUSED
    mill_options o = mill_options_default();
    o.format = "npy";
    o.memory_nbytes = 1000;
    refused(&o, "memory budget");
}
END_TEST

START_TEST(an_older_caller_has_a_smaller_struct)
{
    running r = run_of(2, 3);
    /* as if the struct had ended behind format when the caller was compiled: what follows is not read */
    r.options.struct_nbytes = offsetof(mill_options, user);
    memset((char *)&r.options + r.options.struct_nbytes, 0xa5, sizeof r.options - r.options.struct_nbytes);
    expect_run(&r, "out", MILL_OK);
    ck_assert_int_eq(r.stats.written, 6);
    r.options.struct_nbytes = sizeof r.options + 8;
    expect_run(&r, "out", MILL_USAGE);
    r.options.struct_nbytes = 0;
    expect_run(&r, "out", MILL_USAGE);
    ck_assert(strstr(r.err.message, "mill_options_default") != NULL);
}
END_TEST

START_TEST(without_options_the_defaults_hold)
{
    mill_error err;
    mill_stats stats;
    running r = run_of(1, 8);
    expect_run(&r, "first", MILL_OK); /* its output is the input of the next */
    mill_pipeline *p = mill_pipeline_new();
    char in[600];
    snprintf(in, sizeof in, "%s", path_of("first/fake-0.data.npy"));
    mill_status status = mill_run(in, p, path_of("second"), NULL, &stats, &err);
    ck_assert_msg(!status, "%s", err.message);
    ck_assert_int_eq(stats.written, 8);
    size_t one, two;
    char *a = content("first/fake-0.data.npy", &one), *b = content("second/fake-0.data.data.npy", &two);
    ck_assert(one == two && !memcmp(a, b, one)); /* an empty pipeline changes nothing */
    free(a);
    free(b);
    mill_pipeline_free(p);
}
END_TEST

/* ---- what fails ---- */

START_TEST(a_plan_that_cannot_be_leaves_no_folder)
{
    running r = run_of(2, 3);
    r.pipeline = "mul 2 | cast f32 | check";
    expect_run(&r, "out", MILL_USAGE);
    r.pipeline = "decode | resize 8";
    expect_run(&r, "out", MILL_USAGE);
    r.pipeline = "mul 2";
    r.options.sink = "tar";
    expect_run(&r, "out", MILL_USAGE);
    ck_assert(!is_there("out"));
}
END_TEST

START_TEST(a_shard_that_cannot_be_opened)
{
    running r = run_of(5, 10);
    r.source.fail_open = 3;
    expect_run(&r, "fail", MILL_IO);
    ck_assert_str_eq(r.err.shard, "fake-3");
    ck_assert(strstr(r.err.message, "made to fail") && !strcmp(r.err.kind, "io"));
    ck_assert_int_eq(r.stats.errors, 1);
    ck_assert_int_eq(count_in("fail", "fake-3"), 0);
    for (int i = 0; i < 3; i++) { /* those before it are there */
        char name[32];
        snprintf(name, sizeof name, "fake-%d.data.npy", i);
        ck_assert_int_eq(count_in("fail", name), 1);
    }
    r.options.policy = MILL_POLICY_SKIP;
    expect_run(&r, "skip", MILL_OK);
    ck_assert_int_eq(r.stats.written, 40);
    ck_assert_int_eq(r.stats.errors, 1);
    expect_totals(&r.stats);
}
END_TEST

START_TEST(a_shard_that_cannot_be_read_on)
{
    running r = run_of(3, 100000);
    r.source.fail_read = 1;
    expect_run(&r, "fail", MILL_IO);
    ck_assert_str_eq(r.err.shard, "fake-1");
    ck_assert_int_eq(r.stats.samples, r.stats.written + r.stats.skipped);
    r.source.fail_read = -1;
    r.source.shrink = 2;
    expect_run(&r, "fail", MILL_BAD_DATA);
    ck_assert_str_eq(r.err.shard, "fake-2");
    ck_assert_str_eq(r.err.kind, "truncated");
    ck_assert_int_eq(count_in("fail", "fake-2"), 0);
}
END_TEST

START_TEST(a_transform_whose_threads_cannot_start)
{
    running r = run_of(2, 10);
    r.check.fail_start = 1;
    ck_assert(run_into(&r, "fail"));
    ck_assert_str_eq(r.err.kind, "start");
    ck_assert_int_eq(count_in("fail", ".npy"), 0);
    r.options.policy = MILL_POLICY_SKIP;
    expect_run(&r, "skip", MILL_OK);
    ck_assert_int_eq(r.stats.skipped, 20);
    ck_assert_int_eq(r.stats.written, 0);
}
END_TEST

START_TEST(an_output_folder_that_cannot_be)
{
    running r = run_of(1, 1);
    put_content("file", "x", 1);
    expect_run(&r, "file", MILL_IO);
    ck_assert(strstr(r.err.message, "file\"") && r.err.os_error == ENOTDIR);
    expect_run(&r, "file/deep", MILL_IO);
    expect_run(&r, "a/b//c/", MILL_OK);
    ck_assert(is_there("a/b/c/manifest.json"));
}
END_TEST

/* ---- several at once ---- */

static void *run_one(void *arg)
{
    running *r = arg;
    char name[16];
    snprintf(name, sizeof name, "t%ld", (long)r->options.seed);
    r->options.seed = 0;
    expect_run(r, name, MILL_OK);
    return NULL;
}

START_TEST(several_runs_at_once)
{
    enum { RUNS = 6 };
    pthread_t threads[RUNS];
    running runs[RUNS], alone = run_of(6, 200);
    expect_run(&alone, "alone", MILL_OK);
    for (int i = 0; i < RUNS; i++) {
        runs[i] = run_of(6, 200);
        runs[i].options.seed = (uint64_t)i;
        runs[i].options.executor = i % 2 ? "tasks" : "loop";
        ck_assert(!pthread_create(&threads[i], NULL, run_one, &runs[i]));
    }
    for (int i = 0; i < RUNS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < RUNS; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        expect_same(name, "alone");
    }
}
END_TEST

static int run_again(void *user, const mill_stats *stats)
{
    (void)stats;
    running *inner = user;
    inner->options.on_progress = NULL;
    mill_status status = run_into(inner, "out");
    ck_assert_int_eq(status, MILL_USAGE);
    ck_assert(strstr(inner->err.message, "another run is writing") != NULL);
    return 0;
}

START_TEST(a_second_run_into_one_folder_is_refused)
{
    running r = run_of(2, 5), inner = run_of(2, 5), alone = run_of(2, 5);
    r.options.on_progress = run_again;
    r.options.user = &inner;
    expect_run(&r, "out", MILL_OK);
    ck_assert_int_eq(inner.err.status, MILL_USAGE);
    expect_run(&alone, "alone", MILL_OK);
    expect_same("out", "alone");
    expect_run(&inner, "out", MILL_OK); /* the lock has gone */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run");
    TCase *tests = tcase_create("run");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, a_run_leaves_what_it_says);
    tcase_add_test(tests, stats_and_error_may_be_null);
    tcase_add_test(tests, null_arguments_are_usage_errors);
    tcase_add_test(tests, only_the_null_sink_does_without_a_folder);
    tcase_add_test(tests, each_bad_option_is_refused_by_its_name);
    tcase_add_test(tests, an_older_caller_has_a_smaller_struct);
    tcase_add_test(tests, without_options_the_defaults_hold);
    tcase_add_test(tests, a_plan_that_cannot_be_leaves_no_folder);
    tcase_add_test(tests, a_shard_that_cannot_be_opened);
    tcase_add_test(tests, a_shard_that_cannot_be_read_on);
    tcase_add_test(tests, a_transform_whose_threads_cannot_start);
    tcase_add_test(tests, an_output_folder_that_cannot_be);
    tcase_add_test(tests, several_runs_at_once);
    tcase_add_test(tests, a_second_run_into_one_folder_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
