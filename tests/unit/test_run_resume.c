/* SPDX-License-Identifier: Apache-2.0 */
/* mill_run() into a folder that is not new: interrupted, other settings, changed inputs, inputs and outputs
 * mixed up. (Killed runs: test_run_crash.c.) */
#include "unit/run_fixture.h"

/* ---- interrupted ---- */

typedef struct stopper {
    int calls, stop_at;
} stopper;

static int stop(void *user, const mill_stats *stats)
{
    stopper *s = user;
    ck_assert_int_eq(stats->samples, stats->written + stats->skipped);
    return ++s->calls == s->stop_at;
}

static running slow_run(void)
{
    running r = run_of(8, 50);
    r.source.latency_ns = 60000000;
    r.options.io_depth = 1;
    return r;
}

START_TEST(cancelled_at_each_progress_call)
{
    running whole = slow_run();
    stopper never = {0};
    whole.options.on_progress = stop;
    whole.options.user = &never;
    expect_run(&whole, "whole", MILL_OK);
    ck_assert_int_ge(never.calls, 3);
    for (int at = 1; at <= never.calls; at++) {
        running r = slow_run();
        stopper s = {.stop_at = at};
        char out[16];
        snprintf(out, sizeof out, "out%d", at);
        r.options.on_progress = stop;
        r.options.user = &s;
        mill_status status = run_into(&r, out);
        if (status) {
            ck_assert_int_eq(status, MILL_CANCELED);
            ck_assert_int_eq(s.calls, at);
            ck_assert(strstr(r.err.message, "run it again") != NULL);
            expect_no_half_file(out, "whole");
            ck_assert_int_eq(count_in(out, ".partial"), 0);
            ck_assert_int_eq(count_in(out, "manifest.json"), 1);
            int64_t done = r.stats.shards_done;
            r.options.on_progress = NULL;
            expect_run(&r, out, MILL_OK);
            ck_assert_int_eq(r.stats.shards_kept, done);
        }
        ck_assert_int_eq(r.stats.samples, whole.stats.samples);
        ck_assert_int_eq(r.stats.written, whole.stats.written);
        ck_assert_uint_eq(r.stats.bytes_in, r.stats.bytes_total); /* of what was not kept */
        expect_same(out, "whole");
    }
}
END_TEST

START_TEST(a_finished_run_is_kept_whole)
{
    running r = run_of(5, 20);
    r.options.policy = MILL_POLICY_SKIP;
    r.source.fail_open = -1;
    expect_run(&r, "out", MILL_OK);
    char *before = listing("out");
    mill_stats first = r.stats;
    expect_run(&r, "out", MILL_OK);
    char *after = listing("out");
    ck_assert_str_eq(before, after);
    ck_assert_int_eq(r.stats.shards_kept, 5);
    ck_assert_int_eq(r.stats.written, first.written);
    ck_assert_int_eq(r.stats.samples_kept, first.samples);
    ck_assert_uint_eq(r.stats.bytes_in, 0);
    ck_assert_uint_eq(r.stats.bytes_total, 0);
    ck_assert_uint_eq(r.stats.bytes_out, 0);
    free(before);
    free(after);
}
END_TEST

static int every_third(int shard, int row)
{
    (void)shard;
    return row % 3 == 0;
}

static void count_issue(void *user, const mill_issue *issue)
{
    ck_assert(issue->severity == MILL_ERROR && strstr(issue->reason, "is bad"));
    ck_assert(!strncmp(issue->shard, "fake-", 5));
    ++*(int *)user;
}

/* What an earlier run found wrong is told again, and counts. */
START_TEST(kept_shards_keep_their_issues)
{
    int told = 0;
    running r = run_of(30, 20);
    r.check.bad = every_third;
    r.options.policy = MILL_POLICY_SKIP;
    r.options.on_issue = count_issue;
    r.options.user = &told;
    expect_run(&r, "out", MILL_OK);
    ck_assert_int_eq(told, 30 * 7);
    told = 0;
    expect_run(&r, "out", MILL_OK);
    ck_assert_int_eq(r.stats.shards_kept, 30);
    ck_assert_int_eq(told, 30 * 7);
    ck_assert_int_eq(r.stats.errors, 30 * 7);
    ck_assert_int_eq(r.stats.skipped, 30 * 7);
    r.options.max_errors = 100;
    expect_run(&r, "out", MILL_TOO_MANY_BAD);
}
END_TEST

/* ---- something else than before ---- */

static void refused(running *r, const char *what)
{
    char *before = listing("out");
    expect_run(r, "out", MILL_USAGE);
    ck_assert_msg(strstr(r->err.message, what) && strstr(r->err.message, "manifest.json"), "%s: %s", what,
                  r->err.message);
    char *after = listing("out");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}

START_TEST(another_run_into_the_folder_is_refused_by_what_differs)
{
    running first = run_of(3, 4), r;
    expect_run(&first, "out", MILL_OK);
    r = first;
    r.pipeline = "check | mul 4";
    refused(&r, "another pipeline");
    r = first;
    r.options.seed = 1;
    refused(&r, "another seed: it was \"0\" then and is \"1\" now");
    r = first;
    r.options.epoch = 2;
    refused(&r, "another epoch");
    r = first;
    r.options.sink = "null";
    refused(&r, "another sink");
    r = first;
    r.options.policy = MILL_POLICY_SUBSTITUTE;
    refused(&r, "another on_error");
    r = first;
    r.spec = "fake-{0..1}";
    refused(&r, "another spec");
    r = first;
    r.options.max_pixels = 5;
    refused(&r, "another max_pixels");
    r = first; /* these shape nothing */
    r.options.threads = 3;
    r.options.executor = "loop";
    r.options.memory_nbytes = 64 << 20;
    r.options.io_depth = 2;
    expect_run(&r, "out", MILL_OK);
    ck_assert_int_eq(r.stats.shards_kept, 3);
}
END_TEST

static int longer_first(int shard)
{
    return shard == 1 ? 11 : 10;
}

START_TEST(a_changed_shard_is_done_again)
{
    running r = run_of(4, 10), fresh;
    expect_run(&r, "out", MILL_OK);
    r.source.rows_of = longer_first;
    expect_run(&r, "out", MILL_OK);
    ck_assert_int_eq(r.stats.shards_kept, 3);
    ck_assert_int_eq(r.stats.written, 41);
    fresh = r;
    expect_run(&fresh, "fresh", MILL_OK);
    expect_same("out", "fresh");
    unlink(path_of("out/fake-2.keys.txt"));
    expect_run(&r, "out", MILL_OK);
    ck_assert_int_eq(r.stats.shards_kept, 3);
    expect_same("out", "fresh");
}
END_TEST

START_TEST(leftovers_go_and_what_is_foreign_stays)
{
    running r = run_of(2, 10);
    expect_run(&r, "out", MILL_OK);
    put_content("out/fake-1.data.npy.partial", "half", 4);
    put_content("out/fake-0.label.npy.partial", "half", 4);
    put_content("out/manifest.json.partial", "{", 1);
    put_content("out/fake-7.data.npy.partial", "not of this data set", 20);
    put_content("out/fake-1.zip.partial", "a download", 10);
    expect_run(&r, "out", MILL_OK);
    ck_assert_int_eq(count_in("out", ".partial"), 2);
    ck_assert(is_there("out/fake-7.data.npy.partial") && is_there("out/fake-1.zip.partial"));
}
END_TEST

/* ---- inputs and outputs mixed up ---- */

static void make_inputs(void)
{
    running r = run_of(3, 4);
    expect_run(&r, "in", MILL_OK);
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "in/fake-%d.keys.txt", i);
        unlink(path_of(name));
    }
    unlink(path_of("in/manifest.json"));
}

/* A run over real files; each % in the spec is the folder of the test. */
static running over_files(const char *spec)
{
    static char whole[1200];
    running r = run_of(1, 1);
    char *at = whole;
    for (; *spec; spec++)
        at += *spec == '%' ? sprintf(at, "%s", folder) : sprintf(at, "%c", *spec);
    r.spec = whole;
    r.pipeline = "mul 2";
    r.options.source = NULL;
    r.options.format = NULL;
    return r;
}

START_TEST(outputs_do_not_go_among_the_inputs)
{
    make_inputs();
    char *before = listing("in");
    static const char *const specs[] = {"%/in/*.npy", "%/in", "%/in/fake-{0..2}.data.npy", "%/in/../in"};
    static const char *const outs[] = {"in", "in/", "in/../in/.", "link"};
    char target[600];
    snprintf(target, sizeof target, "%s", path_of("in"));
    ck_assert(!symlink(target, path_of("link")));
    for (int s = 0; s < 4; s++)
        for (int o = 0; o < 4; o++) {
            running r = over_files(specs[s]);
            expect_run(&r, outs[o], MILL_USAGE);
            ck_assert_msg(strstr(r.err.message, "among the inputs"), "%s", r.err.message);
        }
    char *after = listing("in");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    running r = over_files("%/in/*.npy"); /* below them is fine: files are not looked for there */
    expect_run(&r, "in/out", MILL_OK);
    expect_run(&r, "in/out", MILL_OK);
    ck_assert_int_eq(r.stats.shards_kept, 3);
}
END_TEST

START_TEST(outputs_do_not_become_a_class)
{
    ck_assert(!mkdir(path_of("photos"), 0777) && !mkdir(path_of("photos/cat"), 0777) &&
              !mkdir(path_of("photos/dog"), 0777));
    put_content("photos/cat/a.jpg", "\xff\xd8", 2);
    static const char *const outs[] = {"photos/out", "photos/cat/out", "photos", "photos/a/b/c"};
    for (int o = 0; o < 4; o++) {
        running r = over_files("%/photos");
        r.pipeline = "";
        r.options.sink = "tar";
        expect_run(&r, outs[o], MILL_USAGE);
        ck_assert_msg(strstr(r.err.message, "the input"), "%s", r.err.message);
    }
    ck_assert(!is_there("photos/out") && !is_there("photos/cat/out") && !is_there("photos/a"));
}
END_TEST

START_TEST(two_shards_of_one_name_in_two_folders)
{
    make_inputs();
    ck_assert(!mkdir(path_of("a"), 0777) && !mkdir(path_of("b"), 0777));
    size_t n;
    char *data = content("in/fake-1.data.npy", &n);
    put_content("a/x.npy", data, n);
    put_content("b/x.npy", data, n);
    free(data);
    running r = over_files("%/a/x.npy %/b/x.npy");
    expect_run(&r, "out", MILL_OK);
    ck_assert_int_eq(count_in("out", "a_x.data.npy"), 1);
    ck_assert_int_eq(count_in("out", "b_x.data.npy"), 1);
    running twice = over_files("%/a/x.npy %/a/x.npy");
    expect_run(&twice, "twice", MILL_USAGE);
    ck_assert(strstr(twice.err.message, "twice") && !is_there("twice"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resume");
    TCase *tests = tcase_create("resume");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, cancelled_at_each_progress_call);
    tcase_add_test(tests, a_finished_run_is_kept_whole);
    tcase_add_test(tests, kept_shards_keep_their_issues);
    tcase_add_test(tests, another_run_into_the_folder_is_refused_by_what_differs);
    tcase_add_test(tests, a_changed_shard_is_done_again);
    tcase_add_test(tests, leftovers_go_and_what_is_foreign_stays);
    tcase_add_test(tests, outputs_do_not_go_among_the_inputs);
    tcase_add_test(tests, outputs_do_not_become_a_class);
    tcase_add_test(tests, two_shards_of_one_name_in_two_folders);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
