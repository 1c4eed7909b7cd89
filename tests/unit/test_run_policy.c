/* SPDX-License-Identifier: Apache-2.0 */
/* mill_run() over data with bad samples: policies and budgets, the same for any number of threads. */
#include "unit/run_fixture.h"

static const int teams[] = {1, 2, 3, 8};
static const char *const executors[] = {"tasks", "loop"};

static int scattered(int shard, int row)
{
    return (shard * 7919 + row * 104729) % 97 < 3;
}

static int late(int shard, int row)
{
    return shard >= 3 && row >= 20 + shard && row % 2;
}

static running bad_run(mill_policy policy, int t, int e)
{
    running r = run_of(9, 60);
    r.check.bad = scattered;
    r.options.policy = policy;
    r.options.threads = teams[t];
    r.options.executor = executors[e];
    r.options.memory_nbytes = (uint64_t)(24 + 8 * t) << 20; /* batches of other sizes */
    r.source.fail_open = 4;
    r.source.shrink = 7;
    return r;
}

/* How many rows are bad in all, and rows are lost with shard 4 and the last quarter of shard 7. */
static int count_bad(int *rows)
{
    int bad = 0;
    *rows = 0;
    for (int s = 0; s < 9; s++) /* a quarter of the bytes are 45 whole rows less the header's share */
        for (int i = 0; s != 4 && i < (s == 7 ? 0 : 60); i++) {
            bad += scattered(s, i);
            ++*rows;
        }
    return bad;
}

static void every_way(mill_policy policy)
{
    int rows, bad = count_bad(&rows);
    for (int e = 0; e < 2; e++)
        for (int t = 0; t < 4; t++) {
            char name[16];
            snprintf(name, sizeof name, "t%de%d", t, e);
            running r = bad_run(policy, t, e);
            expect_run(&r, name, MILL_OK);
            expect_same(name, "t0e0");
            ck_assert_int_eq(r.stats.samples, rows); /* a shrunken block is given up whole */
            ck_assert_int_eq(r.stats.samples, r.stats.written + r.stats.skipped);
            ck_assert_int_eq(policy == MILL_POLICY_SKIP ? r.stats.skipped : r.stats.substituted, bad);
            ck_assert_int_eq(policy == MILL_POLICY_SKIP ? r.stats.substituted : r.stats.skipped, 0);
            ck_assert_int_eq(r.stats.errors, bad + 2);
        }
}

START_TEST(skip_gives_the_same_for_any_team)
{
    every_way(MILL_POLICY_SKIP);
    size_t nbytes;
    char *manifest = content("t0e0/manifest.json", &nbytes);
    ck_assert(strstr(manifest, "\"class\": \"made up\"") && strstr(manifest, "\"class\": \"truncated\""));
    free(manifest);
    ck_assert_int_eq(count_in("t0e0", ".mask.npy"), 0);
}
END_TEST

START_TEST(substitute_gives_the_same_for_any_team)
{
    every_way(MILL_POLICY_SUBSTITUTE);
    for (int s = 0; s < 4; s++) {
        char name[40];
        size_t nbytes, data_nbytes;
        snprintf(name, sizeof name, "t0e0/fake-%d.mask.npy", s);
        char *mask = content(name, &nbytes);
        snprintf(name, sizeof name, "t0e0/fake-%d.data.npy", s);
        char *data = content(name, &data_nbytes);
        for (int row = 0; row < 60; row++) {
            float value;
            memcpy(&value, data + data_nbytes - (size_t)(60 - row) * 20, sizeof value);
            ck_assert_int_eq(mask[nbytes - (size_t)(60 - row)], !scattered(s, row));
            ck_assert_int_eq((int)value, scattered(s, row) ? 0 : 3 * (s * 1000000 + row));
        }
        free(mask);
        free(data);
    }
}
END_TEST

/* ---- fail ---- */

typedef struct told {
    int n;
    char shard[16], key[32], kind[24];
    uint64_t offset;
} told;

static void tell(void *user, const mill_issue *issue)
{
    told *t = user;
    t->n++;
    t->offset = issue->offset;
    snprintf(t->shard, sizeof t->shard, "%s", issue->shard);
    snprintf(t->key, sizeof t->key, "%s", issue->key);
    snprintf(t->kind, sizeof t->kind, "%s", issue->kind);
}

START_TEST(fail_ends_with_the_first_error_for_any_team)
{
    for (int repeat = 0; repeat < 5; repeat++)
        for (int e = 0; e < 2; e++)
            for (int t = 0; t < 4; t++) {
                char name[24];
                told last = {0};
                snprintf(name, sizeof name, "t%de%dr%d", t, e, repeat);
                running r = run_of(12, 60);
                r.check.bad = late;
                r.source.latency_ns = 300000;
                r.options.threads = teams[t];
                r.options.executor = executors[e];
                r.options.memory_nbytes = (uint64_t)(24 + 8 * t) << 20;
                r.options.on_issue = tell;
                r.options.user = &last;
                expect_run(&r, name, MILL_BAD_DATA);
                ck_assert_str_eq(r.err.shard, "fake-3");
                ck_assert_str_eq(r.err.message, "3000023 is bad");
                ck_assert_uint_eq(r.err.offset, FAKE_HEADER + 23 * 20);
                ck_assert_str_eq(r.err.kind, "made up");
                ck_assert_int_eq(last.n, 1);
                ck_assert(!strcmp(last.shard, r.err.shard) && !strcmp(last.key, r.err.key) &&
                          last.offset == r.err.offset);
                ck_assert_int_eq(r.stats.errors, 1);
                ck_assert_int_eq(r.stats.skipped, 0);
                ck_assert_int_eq(count_in(name, "fake-3"), 0);
                ck_assert_int_eq(count_in(name, ".partial"), 0);
                for (int s = 0; s < 3; s++) {
                    char file[32];
                    snprintf(file, sizeof file, "fake-%d.data.npy", s);
                    ck_assert_int_eq(count_in(name, file), 1);
                }
            }
}
END_TEST

/* Without the bad sample the rest is done, and all is as if nothing had been. */
START_TEST(a_failed_run_goes_on_once_it_can)
{
    running r = run_of(12, 60), whole = run_of(12, 60);
    expect_run(&whole, "whole", MILL_OK);
    r.check.bad = late;
    expect_run(&r, "out", MILL_BAD_DATA);
    expect_no_half_file("out", "whole");
    r.check.bad = NULL;
    expect_run(&r, "out", MILL_OK);
    ck_assert_int_ge(r.stats.shards_kept, 3);
    expect_same("out", "whole");
}
END_TEST

/* ---- budgets ---- */

START_TEST(a_budget_by_count)
{
    int rows, bad = count_bad(&rows) + 2;
    char message[sizeof((mill_error *)0)->message] = "";
    for (int e = 0; e < 2; e++)
        for (int t = 0; t < 4; t++) {
            running r = bad_run(MILL_POLICY_SKIP, t, e);
            r.options.max_errors = bad - 1;
            expect_run(&r, "out", MILL_TOO_MANY_BAD);
            ck_assert_str_eq(r.err.kind, "budget");
            ck_assert(!*message || !strcmp(message, r.err.message));
            strcpy(message, r.err.message);
            r.options.max_errors = bad;
            expect_run(&r, "out", MILL_OK); /* the budget shapes nothing: the run goes on */
            remove_folder();
            ck_assert(!mkdir(folder, 0700));
        }
}
END_TEST

START_TEST(a_budget_by_fraction)
{
    int rows, bad = count_bad(&rows) + 2;
    double fraction = (double)bad / rows;
    for (int t = 0; t < 4; t++) {
        running r = bad_run(MILL_POLICY_SUBSTITUTE, t, t % 2);
        r.options.max_errors_fraction = fraction * 0.999;
        expect_run(&r, "out", MILL_TOO_MANY_BAD);
        ck_assert(strstr(r.err.message, "max_errors_fraction") != NULL);
        ck_assert_int_eq(r.stats.samples, rows);
        r.options.max_errors_fraction = fraction * 1.001;
        expect_run(&r, "out", MILL_OK);
        ck_assert_int_eq(r.stats.shards_kept, 9 - 1); /* the one that cannot be opened is tried again */
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *tests = tcase_create("policy");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, skip_gives_the_same_for_any_team);
    tcase_add_test(tests, substitute_gives_the_same_for_any_team);
    tcase_add_test(tests, fail_ends_with_the_first_error_for_any_team);
    tcase_add_test(tests, a_failed_run_goes_on_once_it_can);
    tcase_add_test(tests, a_budget_by_count);
    tcase_add_test(tests, a_budget_by_fraction);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
