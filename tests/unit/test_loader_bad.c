/* SPDX-License-Identifier: Apache-2.0 */
/* What a loader does about what is bad: samples, reads, shards, budgets. By policy, and the same whatever the
 * team, the grouping of reads and the timing. Every test forks, so no OpenMP is touched before. */
#include "unit/loader_fixture.h"

static const int teams[] = {1, 2, 3, 8};
static const char *const executors[] = {"tasks", "loop"};

static int uneven(int shard)
{
    static const int rows[] = {7, 0, 1, 23, 12, 0, 2, 9, 31, 4}; /* 89 */
    return rows[shard % 10];
}

static int some_bad(int shard, int row)
{
    return shard == 3 ? row > 17 : shard == 4 ? row == 0 : shard == 8 ? row % 3 == 1 : shard == 9;
}

enum { BAD = 5 + 1 + 10 + 4 };

static int all_bad(int shard, int row)
{
    (void)shard, (void)row;
    return 1;
}

static setup bad_setup(mill_policy policy)
{
    setup s = setup_of(10, 0);
    s.source.rows_of = uneven;
    s.check.bad = some_bad;
    s.o.run.policy = policy;
    s.o.batch_size = 12;
    return s;
}

/* ---- what is told ---- */

typedef struct told {
    int n, shard[400];
    int64_t sample[400];
    char kind[400][24], key[400][16];
} told;

static void note(void *user, const mill_issue *issue)
{
    told *t = user;
    ck_assert_int_lt(t->n, 400);
    ck_assert_int_eq(issue->severity, MILL_ERROR);
    t->shard[t->n] = atoi(issue->shard + strlen("fake-"));
    t->sample[t->n] = issue->sample;
    snprintf(t->kind[t->n], sizeof t->kind[0], "%s", issue->kind);
    snprintf(t->key[t->n], sizeof t->key[0], "%s", issue->key);
    t->n++;
}

static void tell(setup *s, told *t)
{
    t->n = 0;
    s->o.run.user = t;
    s->o.run.on_issue = note;
}

/* ---- policies ---- */

START_TEST(fail_gives_all_batches_before_the_bad_one)
{
    for (int e = 0; e < 8; e++) {
        setup s = bad_setup(MILL_POLICY_FAIL);
        told t;
        tell(&s, &t);
        s.o.run.threads = teams[e % 4];
        s.o.run.executor = executors[e / 4];
        mill_loader *l = open_loader(&s);
        mill_batch *b;
        char state[MILL_STATE_NBYTES], again[MILL_STATE_NBYTES];
        for (int i = 0; i < 2; i++) { /* rows 0..23; row 26 is the first bad one */
            ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
            mill_batch_release(b);
        }
        mill_loader_state(l, state, NULL);
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_BAD_DATA);
            ck_assert_ptr_null(b);
            ck_assert_str_eq(s.err.kind, "made up");
            ck_assert_str_eq(s.err.shard, "fake-3");
            ck_assert_str_eq(s.err.key, "000018");
            ck_assert_uint_eq(s.err.offset, FAKE_HEADER + 18 * 20);
        }
        ck_assert_int_eq(t.n, 1);
        mill_loader_state(l, again, NULL);
        ck_assert_str_eq(state, again); /* the batch was not given, and comes next */
        mill_loader_stats stats;
        mill_loader_stats_get(l, &stats);
        ck_assert_int_eq(stats.batches, 2);
        ck_assert_int_eq(stats.samples, 24);
        close_loader(&s, l);

        s.check.bad = NULL; /* mended: go on */
        s.o.state = state;
        l = open_loader(&s);
        ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
        ck_assert_int_eq(mill_batch_step(b), 2);
        mill_batch_release(b);
        close_loader(&s, l);
    }
}
END_TEST

START_TEST(skip_takes_the_next_good_sample_of_the_order)
{
    setup s = bad_setup(MILL_POLICY_SKIP);
    told t;
    tell(&s, &t);
    s.o.batch_size = 89;
    mill_loader *l = open_loader(&s);
    mill_batch *b;
    ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
    ck_assert_int_eq(mill_batch_size(b), 89);
    int shards[89], rows[89], n = 0;
    for (int shard = 0; shard < 10; shard++)
        for (int row = 0; row < uneven(shard); row++, n++)
            shards[n] = shard, rows[n] = row;
    mill_tensor data;
    mill_batch_field(b, "data", &data, NULL);
    for (int i = 0; i < 89; i++) {
        int j = i;
        while (some_bad(shards[j], rows[j]))
            j = (j + 1) % 89; /* the end of the epoch is followed by its beginning */
        ck_assert_int_eq(numbers_of(b, "shard")[i], shards[j]);
        ck_assert_int_eq(numbers_of(b, "sample")[i], rows[j]);
        ck_assert_int_eq(((int32_t *)data.data)[5 * i], shards[j] * 1000000 + rows[j]);
        ck_assert_int_eq(mask_of(b)[i], 1);
        char key[24];
        snprintf(key, sizeof key, "%06d", rows[j]);
        ck_assert_str_eq(mill_batch_key(b, i), key);
    }
    mill_batch_release(b);
    ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_END);
    mill_loader_stats stats;
    mill_loader_stats_get(l, &stats);
    ck_assert_int_eq(stats.skipped, BAD);
    ck_assert_int_eq(stats.substituted, 0);
    ck_assert_int_eq(t.n, BAD); /* each once */
    for (int i = 0, k = 0; i < 89; i++)
        if (some_bad(shards[i], rows[i])) {
            ck_assert_int_eq(t.shard[k], shards[i]);
            ck_assert_int_eq(t.sample[k], rows[i]);
            ck_assert_str_eq(t.kind[k], "made up");
            ck_assert_int_eq(atoi(t.key[k++]), rows[i]);
        }
    close_loader(&s, l);
}
END_TEST

START_TEST(substitute_puts_zeros_and_marks_them)
{
    setup s = bad_setup(MILL_POLICY_SUBSTITUTE);
    told t;
    tell(&s, &t);
    mill_loader *l = open_loader(&s);
    mill_batch *b;
    int shard = 0, row = 0, zeros = 0;
    while (mill_loader_next(l, &b, &s.err) == MILL_OK) {
        mill_tensor data;
        mill_batch_field(b, "data", &data, NULL);
        for (int64_t i = 0; i < data.n; i++, row++) {
            while (row == uneven(shard))
                row = 0, shard++;
            bool bad = some_bad(shard, row);
            zeros += bad;
            ck_assert_int_eq(mask_of(b)[i], !bad);
            ck_assert_int_eq(numbers_of(b, "shard")[i], shard);
            ck_assert_int_eq(numbers_of(b, "sample")[i], row);
            for (int k = 0; k < 5; k++)
                ck_assert_int_eq(((int32_t *)data.data)[5 * i + k], bad ? 0 : shard * 1000000 + row);
        }
        mill_batch_release(b);
    }
    ck_assert_int_eq(zeros, BAD);
    mill_loader_stats stats;
    mill_loader_stats_get(l, &stats);
    ck_assert_int_eq(stats.substituted, BAD);
    ck_assert_int_eq(stats.samples, 89);
    ck_assert_int_eq(t.n, BAD);
    close_loader(&s, l);
}
END_TEST

static void jitter(int shard, uint64_t offset)
{
    fake_sleep((int64_t)((offset * 2654435761u + (uint64_t)shard * 40503u) >> 7) % 1500000);
}

/* Bad samples, half a shard that cannot be read, one that has shrunk, one that cannot be opened. */
static setup worst_setup(mill_policy policy, int shuffle)
{
    setup s = bad_setup(policy);
    s.o.shuffle = (mill_shuffle)shuffle;
    s.o.window = 30;
    s.o.epochs = 2;
    s.source.elements = 3000; /* 12 kB a row */
    s.source.fail_read = 8;   /* of its 31 rows 15 can be read, bad ones among them */
    s.source.fail_open = 7;
    return s;
}

static bool same_told(const told *a, const told *b)
{
    return a->n == b->n && !memcmp(a->shard, b->shard, (size_t)a->n * sizeof *a->shard) &&
           !memcmp(a->sample, b->sample, (size_t)a->n * sizeof *a->sample) &&
           !memcmp(a->kind, b->kind, (size_t)a->n * sizeof *a->kind);
}

START_TEST(skip_and_substitute_are_the_same_for_every_team_and_timing)
{
    static record whole, other;
    static told first, again;
    for (int policy = MILL_POLICY_SKIP; policy <= MILL_POLICY_SUBSTITUTE; policy++)
        for (int shuffle = 0; shuffle < 3; shuffle++)
            for (int i = 0; i < 12; i++) {
                setup s = worst_setup((mill_policy)policy, shuffle);
                tell(&s, i ? &again : &first);
                s.o.run.threads = teams[i % 4];
                s.o.run.executor = executors[i / 4 % 2];
                s.o.prefetch = 1 + i % 5;
                s.o.run.io_depth = i % 3 ? 8 : 1;
                s.source.on_read_of = i % 2 ? jitter : NULL;
                s.o.run.source = i / 8 ? &memory_source : &fake_source;
                if (i / 8)
                    s.source.fail_read = -1; /* memory files are read whole when they are opened */
                if (i == 8)
                    tell(&s, &first);
                take_whole(&s, i == 0 || i == 8 ? &whole : &other);
                expect_end(i == 0 || i == 8 ? &whole : &other);
                if (i && i != 8) {
                    expect_same_tail(&whole, 0, &other, executors[i / 4 % 2]);
                    ck_assert(same_told(&first, &again));
                }
            }
}
END_TEST

/* From any state on, and counted over ranks of any number. */
START_TEST(skip_resumes_and_keeps_ranks_alike)
{
    static record whole, tail;
    setup s = worst_setup(MILL_POLICY_SKIP, MILL_SHUFFLE_WINDOW);
    s.o.run.threads = 1;
    mill_loader *l = open_loader(&s);
    take_all(l, &whole, MOST_STEPS, true);
    expect_end(&whole);
    close_loader(&s, l);
    for (int at = 0; at < whole.n; at++) {
        s.o.run.threads = teams[at % 4];
        s.o.state = whole.states[at];
        take_whole(&s, &tail);
        expect_same_tail(&whole, at, &tail, "skip");
    }
    for (int rank = 0; rank < 3; rank++) {
        s.o.state = NULL;
        s.o.rank = rank;
        s.o.world_size = 3;
        s.o.batch_size = 4;
        take_whole(&s, &tail);
        expect_end(&tail);
        ck_assert_int_eq(tail.n, whole.n);
    }
}
END_TEST

START_TEST(skip_with_batches_of_one)
{
    for (int e = 0; e < 8; e++) {
        static record r;
        setup s = bad_setup(MILL_POLICY_SKIP);
        s.o.batch_size = 1;
        s.o.prefetch = 1 + e % 3;
        s.o.run.threads = teams[e % 4];
        s.o.run.executor = executors[e / 4];
        take_whole(&s, &r);
        expect_end(&r);
        ck_assert_int_eq(r.n, 90);
        ck_assert_int_eq(r.rows, 89);
    }
}
END_TEST

START_TEST(all_samples_bad)
{
    for (int e = 0; e < 8; e++) {
        static record r;
        setup s = bad_setup(MILL_POLICY_SKIP);
        s.check.bad = all_bad;
        s.o.run.threads = teams[e % 4];
        s.o.run.executor = executors[e / 4];
        take_whole(&s, &r);
        ck_assert_int_eq(r.status, MILL_TOO_MANY_BAD);
        ck_assert_int_eq(r.n, 0);
        ck_assert_msg(strstr(r.err.message, "all 89") != NULL, "%s", r.err.message);
        s.o.run.policy = MILL_POLICY_SUBSTITUTE;
        take_whole(&s, &r);
        expect_end(&r);
        ck_assert_int_eq(r.rows, 89);
    }
}
END_TEST

static atomic_int rows_made;

static int bad_from_the_second_epoch_on(int shard, int row)
{
    (void)shard, (void)row;
    return atomic_fetch_add(&rows_made, 1) >= 89;
}

/* What goes wrong ahead of the consumer waits for its turn. */
START_TEST(batches_before_a_failure_are_given)
{
    for (int repeat = 0; repeat < 20; repeat++) {
        static record r;
        atomic_store(&rows_made, 0);
        setup s = bad_setup(MILL_POLICY_SKIP);
        s.check.bad = bad_from_the_second_epoch_on;
        s.o.run.threads = 1;
        s.o.epochs = 2;
        s.o.prefetch = 20;
        s.o.run.io_depth = 1; /* one thing after the other */
        mill_loader *l = open_loader(&s);
        fake_sleep(repeat * 500000); /* it has failed by now, or not */
        take_all(l, &r, MOST_STEPS, false);
        ck_assert_int_eq(r.status, MILL_TOO_MANY_BAD);
        ck_assert_int_eq(r.n, 9); /* eight batches and the end of the first epoch */
        close_loader(&s, l);
    }
}
END_TEST

START_TEST(only_so_many_errors)
{
    static record r;
    static told t;
    for (int e = 0; e < 4; e++)
        for (int64_t most = 1; most <= BAD; most += 6) {
            setup s = bad_setup(e % 2 ? MILL_POLICY_SKIP : MILL_POLICY_SUBSTITUTE);
            tell(&s, &t);
            s.o.run.threads = teams[e];
            s.o.run.max_errors = most;
            take_whole(&s, &r);
            ck_assert_int_eq(r.status, MILL_TOO_MANY_BAD);
            ck_assert_str_eq(r.err.kind, "budget");
            ck_assert_int_eq(t.n, most + 1);
            ck_assert_int_eq(r.n, most == 1 ? 2 : most == 7 ? 4 : most == 13 ? 6 : 7);
            s.o.run.max_errors = BAD;
            take_whole(&s, &r);
            expect_end(&r);
        }
}
END_TEST

/* Padding that is bad is not told: its sample is, at its own place. */
START_TEST(bad_padding_stays_padding)
{
    static told t;
    int told_in_all = 0;
    for (int rank = 0; rank < 5; rank++) {
        setup s = setup_of(1, 6);
        s.check.bad = all_bad;
        s.o.run.policy = MILL_POLICY_SUBSTITUTE;
        tell(&s, &t);
        s.o.rank = rank;
        s.o.world_size = 5;
        s.o.batch_size = 2;
        mill_loader *l = open_loader(&s);
        mill_batch *b;
        ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
        ck_assert_int_eq(mill_batch_size(b), 2);
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(mask_of(b)[i], 0);
        mill_batch_release(b);
        mill_loader_stats stats;
        mill_loader_stats_get(l, &stats);
        ck_assert_int_eq(stats.padded, rank < 3 ? 0 : 2);
        ck_assert_int_eq(stats.substituted, rank < 3 ? 2 : 0);
        told_in_all += t.n;
        close_loader(&s, l);
    }
    ck_assert_int_eq(told_in_all, 6);
}
END_TEST

/* ---- reads and shards that fail ---- */

/* Samples that were read together with one that cannot be read are not bad. */
START_TEST(only_what_cannot_be_read_is_bad)
{
    static told t;
    for (int e = 0; e < 8; e++) {
        setup s = setup_of(3, 40);
        s.source.elements = 5000; /* 20 kB a row: more than the head, which is always read */
        s.source.fail_read = 1;   /* half of 800128 bytes: 19 rows lie before it */
        s.o.run.policy = MILL_POLICY_SUBSTITUTE;
        s.o.batch_size = 100;
        s.o.run.threads = teams[e % 4];
        tell(&s, &t);
        if (e / 4) {
            s.source.fail_read = -1;
            s.source.shrink = 1; /* a quarter is missing: 29 rows lie before it */
        }
        mill_loader *l = open_loader(&s);
        mill_batch *b;
        ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
        for (int i = 0; i < 100; i++)
            ck_assert_int_eq(mask_of(b)[i], i < 40 || i >= 80 || i < 40 + (e / 4 ? 29 : 19));
        mill_batch_release(b);
        ck_assert_int_eq(t.n, e / 4 ? 11 : 21);
        for (int i = 0; i < t.n; i++)
            ck_assert_str_eq(t.kind[i], e / 4 ? "truncated" : "io");
        close_loader(&s, l);
    }
}
END_TEST

START_TEST(a_shard_that_cannot_be_opened_is_told_once)
{
    static told t;
    static record r;
    for (int e = 0; e < 8; e++) {
        setup s = setup_of(6, 10);
        s.source.fail_open = 2;
        s.o.run.policy = MILL_POLICY_SKIP;
        s.o.epochs = 3;
        s.o.shuffle = e % 2 ? MILL_SHUFFLE_WINDOW : MILL_SHUFFLE_NONE;
        s.o.run.threads = teams[e % 4];
        tell(&s, &t);
        take_whole(&s, &r);
        expect_end(&r);
        ck_assert_int_eq(r.rows, 150);
        ck_assert_int_eq(t.n, 1);
        ck_assert_int_eq(t.shard[0], 2);
        ck_assert_int_eq(t.sample[0], -1);
        ck_assert_str_eq(t.kind[0], "io");

        s.o.run.policy = MILL_POLICY_FAIL;
        take_whole(&s, &r);
        ck_assert_int_eq(r.status, MILL_IO);
        ck_assert_str_eq(r.err.shard, "fake-2");
        ck_assert_int_lt(r.n, 8);
    }
}
END_TEST

START_TEST(no_shard_can_be_read)
{
    static record r;
    setup s = setup_of(1, 10);
    s.source.fail_open = 0;
    mill_loader *l;
    ck_assert_int_eq(try_open(&s, &l), MILL_IO); /* nobody knows what the samples are */
    ck_assert_ptr_null(l);
    s = setup_of(2, 0);
    s.source.fail_open = 1;
    s.o.run.policy = MILL_POLICY_SKIP;
    take_whole(&s, &r);
    ck_assert_int_eq(r.status, MILL_BAD_DATA);
    ck_assert_str_eq(r.err.shard, "fake-1");
}
END_TEST

static mill_status short_of_memory(int shard)
{
    return shard == 4 ? MILL_NO_MEMORY : MILL_OK;
}

/* Want of memory is not the data's fault: no policy passes over it. */
START_TEST(shortage_is_no_bad_sample)
{
    static record r;
    setup s = setup_of(6, 10);
    s.source.open_status = short_of_memory;
    s.o.run.policy = MILL_POLICY_SKIP;
    take_whole(&s, &r);
    ck_assert_int_eq(r.status, MILL_NO_MEMORY);
    ck_assert_str_eq(r.err.shard, "fake-4");
    s = bad_setup(MILL_POLICY_SKIP);
    s.check.status = MILL_NO_MEMORY;
    take_whole(&s, &r);
    ck_assert_int_eq(r.status, MILL_NO_MEMORY);
    ck_assert_str_eq(r.err.shard, "fake-3");
    ck_assert_int_eq(r.n, 2);
}
END_TEST

static int opens_of_5;

static int64_t changing(int shard)
{
    return shard == 5 ? 1000 + __atomic_fetch_add(&opens_of_5, 1, __ATOMIC_RELAXED) / 3 : 1000;
}

/* More shards than stay open: shard 5 is opened anew, and is another by then. */
START_TEST(a_shard_that_changes_is_refused_when_it_is_opened_anew)
{
    static told t;
    static record r;
    opens_of_5 = 0;
    setup s = setup_of(600, 2);
    s.source.mtime_of = changing;
    s.o.run.policy = MILL_POLICY_SUBSTITUTE;
    s.o.epochs = 8;
    s.o.batch_size = 50;
    tell(&s, &t);
    take_whole(&s, &r);
    expect_end(&r);
    ck_assert_int_gt(t.n, 0);
    for (int i = 0; i < t.n; i++) {
        ck_assert_int_eq(t.shard[i], 5);
        ck_assert_str_eq(t.kind[i], "index");
    }
}
END_TEST

/* ---- budgets ---- */

static void expect_peak(mill_loader *l, uint64_t budget)
{
    mill_loader_stats stats;
    mill_loader_stats_get(l, &stats);
    ck_assert_msg(stats.peak_nbytes <= budget, "%llu bytes of %llu", (unsigned long long)stats.peak_nbytes,
                  (unsigned long long)budget);
}

START_TEST(tiny_budgets_do)
{
    static record one, r;
    for (int e = 0; e < 8; e++) {
        setup s = setup_of(9, 50);
        s.source.elements = 10000; /* 18 MB of 40 kB rows */
        s.o.run.memory_nbytes = 21u << 20;
        s.o.batch_size = 16;
        s.o.shuffle = MILL_SHUFFLE_GLOBAL;
        s.o.prefetch = 5;
        s.o.run.io_depth = 16;
        s.o.run.threads = teams[e % 4];
        s.o.run.executor = executors[e / 4];
        mill_loader *l = open_loader(&s);
        take_all(l, e ? &r : &one, MOST_STEPS, false);
        expect_end(e ? &r : &one);
        ck_assert_int_eq(one.rows, 450);
        if (e)
            expect_same_tail(&one, 0, &r, executors[e / 4]);
        expect_peak(l, s.o.run.memory_nbytes);
        close_loader(&s, l);
    }
}
END_TEST

/* Reads bridge gaps between samples, and the gaps take memory, too. */
START_TEST(gaps_between_scattered_samples_stay_in_the_budget)
{
    static record r;
    setup s = setup_of(1, 100000);
    s.source.elements = 100; /* 40 MB of 400 byte rows */
    s.o.run.memory_nbytes = 48u << 20;
    s.o.batch_size = 4096;
    s.o.first_samples = 100000;
    s.o.shuffle = MILL_SHUFFLE_GLOBAL;
    s.o.prefetch = 2;
    mill_loader *l = open_loader(&s);
    take_all(l, &r, 4, false);
    ck_assert_int_eq(r.n, 4);
    expect_peak(l, s.o.run.memory_nbytes);
    close_loader(&s, l);
}
END_TEST

START_TEST(a_sample_beyond_the_budget)
{
    static record r;
    static told t;
    setup s = setup_of(2, 3);
    s.source.elements = 500000; /* 2 MB */
    s.o.batch_size = 1;
    s.o.prefetch = 1;
    s.o.run.memory_nbytes = 24u << 20;
    take_whole(&s, &r);
    ck_assert_int_eq(r.status, MILL_LIMIT);
    ck_assert_msg(strstr(r.err.message, "budget") != NULL, "%s", r.err.message);
    ck_assert_str_eq(r.err.shard, "fake-0");
    s.o.run.policy = MILL_POLICY_SUBSTITUTE;
    tell(&s, &t);
    take_whole(&s, &r);
    expect_end(&r);
    ck_assert_int_eq(t.n, 6);
    ck_assert_str_eq(t.kind[0], "limit");
    s.o.run.memory_nbytes = 64u << 20;
    s.o.run.policy = MILL_POLICY_FAIL;
    take_whole(&s, &r);
    expect_end(&r);
    ck_assert_int_eq(r.rows, 6);
}
END_TEST

START_TEST(a_budget_that_cannot_do_is_refused_with_the_one_that_can)
{
    static record r;
    static const int elements[] = {30000, 300000, 1000000};
    for (int i = 0; i < 3; i++) {
        setup s = setup_of(2, 20);
        s.source.elements = elements[i];
        s.o.run.memory_nbytes = i ? 16u << 20 : 1u << 20;
        mill_loader *l;
        ck_assert_int_eq(try_open(&s, &l), MILL_LIMIT);
        ck_assert_ptr_null(l);
        const char *advice = strstr(s.err.message, "at least ");
        ck_assert_msg(advice != NULL, "%s", s.err.message);
        s.o.run.memory_nbytes = strtoull(advice + strlen("at least "), NULL, 10) << 20;
        l = open_loader(&s);
        take_all(l, &r, MOST_STEPS, false);
        expect_end(&r);
        ck_assert_int_eq(r.rows, 40);
        expect_peak(l, s.o.run.memory_nbytes);
        close_loader(&s, l);
    }
    setup s = setup_of(1, 1);
    s.source.elements = 1000000;
    s.o.batch_size = 1 << 24;
    mill_loader *l;
    ck_assert_int_eq(try_open(&s, &l), MILL_LIMIT);
}
END_TEST

/* ---- slow ones ---- */

START_TEST(slow_reads_overlap)
{
    static record r;
    setup s = setup_of(30, 4);
    s.source.latency_ns = 20000000;
    s.o.run.io_depth = 16;
    s.o.prefetch = 16;
    s.o.batch_size = 4;
    take_whole(&s, &r);
    expect_end(&r);
    ck_assert_int_gt(atomic_load(&s.source.most_reading), 4);
    ck_assert_int_le(atomic_load(&s.source.most_reading), 16);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loader_bad");
    TCase *tc = tcase_create("bad");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, fail_gives_all_batches_before_the_bad_one);
    tcase_add_test(tc, skip_takes_the_next_good_sample_of_the_order);
    tcase_add_test(tc, substitute_puts_zeros_and_marks_them);
    tcase_add_test(tc, skip_and_substitute_are_the_same_for_every_team_and_timing);
    tcase_add_test(tc, skip_resumes_and_keeps_ranks_alike);
    tcase_add_test(tc, skip_with_batches_of_one);
    tcase_add_test(tc, all_samples_bad);
    tcase_add_test(tc, batches_before_a_failure_are_given);
    tcase_add_test(tc, only_so_many_errors);
    tcase_add_test(tc, bad_padding_stays_padding);
    tcase_add_test(tc, only_what_cannot_be_read_is_bad);
    tcase_add_test(tc, a_shard_that_cannot_be_opened_is_told_once);
    tcase_add_test(tc, no_shard_can_be_read);
    tcase_add_test(tc, shortage_is_no_bad_sample);
    tcase_add_test(tc, a_shard_that_changes_is_refused_when_it_is_opened_anew);
    tcase_add_test(tc, tiny_budgets_do);
    tcase_add_test(tc, gaps_between_scattered_samples_stay_in_the_budget);
    tcase_add_test(tc, a_sample_beyond_the_budget);
    tcase_add_test(tc, a_budget_that_cannot_do_is_refused_with_the_one_that_can);
    tcase_add_test(tc, slow_reads_overlap);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
