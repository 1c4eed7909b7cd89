/* SPDX-License-Identifier: Apache-2.0 */
/* What a loader gives: every sample in the order that the options say, bit for bit the same for all teams,
 * executors, back ends, depths and timings, and from every state on. Every test forks, so no OpenMP is
 * touched before. */
#include "unit/loader_fixture.h"

/* ---- the orders and how they are made ---- */

typedef struct order {
    const char *name, *pipeline;
    mill_shuffle shuffle;
    int64_t window, first_samples, repeat;
    int drop_last;
} order;

static const order orders[] = {{"sequential", "check", MILL_SHUFFLE_NONE, 0, 0, 1, 0},
                               {"window", "check | mul 3", MILL_SHUFFLE_WINDOW, 20, 0, 1, 1},
                               {"global", "check", MILL_SHUFFLE_GLOBAL, 0, 0, 1, 0},
                               {"random", "noise | mul 2", MILL_SHUFFLE_WINDOW, 40, 0, 2, 0},
                               {"subset", "noise", MILL_SHUFFLE_GLOBAL, 0, 50, 1, 1}};
enum { ORDERS = sizeof orders / sizeof *orders };

/* How it is computed must not matter. */
typedef struct manner {
    int threads, prefetch, io_depth;
    const char *executor, *io;
    bool descriptors;
} manner;

static manner manner_number(int i)
{
    static const int teams[] = {1, 2, 3, 8};
    return (manner){.threads = teams[i % 4],
                    .executor = i / 4 % 2 ? "loop" : "tasks",
                    .prefetch = 1 + i % 5,
                    .io_depth = i % 3 ? 8 : 1,
                    .io = i / 8 % 2 ? "auto" : "threads",
                    .descriptors = i / 8 % 2};
}

static const char *manner_name(const manner *m)
{
    static char text[100];
    snprintf(text, sizeof text, "threads %d, %s, io %s, prefetch %d, depth %d", m->threads, m->executor,
             m->io, m->prefetch, m->io_depth);
    return text;
}

static void use_manner(setup *s, const manner *m)
{
    s->o.run.threads = m->threads;
    s->o.run.executor = m->executor;
    s->o.run.io = m->io;
    s->o.run.io_depth = m->io_depth;
    s->o.prefetch = m->prefetch;
    s->o.run.source = m->descriptors ? &memory_source : &fake_source;
}

static int uneven(int shard)
{
    static const int rows[] = {7, 0, 1, 23, 12, 0, 2, 9, 31, 4};
    return rows[shard % 10];
}

static setup setup_for(const order *o)
{
    setup s = setup_of(10, 0); /* 89 samples */
    s.source.rows_of = uneven;
    s.pipeline = o->pipeline;
    s.o.shuffle = o->shuffle;
    s.o.window = o->window;
    s.o.first_samples = o->first_samples;
    s.o.repeat = o->repeat;
    s.o.drop_last = o->drop_last;
    s.o.epochs = 2;
    s.o.run.seed = 11;
    s.o.batch_size = 12;
    return s;
}

static void take_reference(const order *o, record *r, bool states)
{
    setup s = setup_for(o);
    s.o.run.threads = 1;
    s.o.run.executor = "loop";
    mill_loader *l = open_loader(&s);
    take_all(l, r, MOST_STEPS, states);
    expect_end(r);
    close_loader(&s, l);
}

/* ---- order and content ---- */

START_TEST(sequential_batches_hold_what_lies_there)
{
    setup s = setup_for(&orders[0]);
    s.o.epochs = 1;
    mill_loader *l = open_loader(&s);
    mill_batch *b;
    int shard = 0, row = 0;
    int64_t step = 0, rows = 0;
    mill_status status;
    while ((status = mill_loader_next(l, &b, &s.err)) == MILL_OK) {
        mill_tensor data;
        ck_assert_int_eq(mill_batch_field(b, "data", &data, &s.err), MILL_OK);
        ck_assert_uint_eq((uintptr_t)data.data % 64, 0);
        ck_assert_int_eq(data.type.dtype, MILL_I32);
        ck_assert_int_eq(data.type.shape[0], 5);
        ck_assert_int_eq(data.n, mill_batch_size(b));
        ck_assert_int_eq(mill_batch_size(b), step < 7 ? 12 : 5);
        ck_assert_int_eq(mill_batch_step(b), step++);
        ck_assert_int_eq(mill_batch_epoch(b), 0);
        for (int64_t i = 0; i < data.n; i++, row++, rows++) {
            while (row == uneven(shard))
                row = 0, shard++;
            char key[16];
            snprintf(key, sizeof key, "%06d", row);
            ck_assert_str_eq(mill_batch_key(b, i), key);
            ck_assert_int_eq(numbers_of(b, "shard")[i], shard);
            ck_assert_int_eq(numbers_of(b, "sample")[i], row);
            ck_assert_int_eq(numbers_of(b, "label")[i], -1);
            ck_assert_int_eq(mask_of(b)[i], 1);
            for (int k = 0; k < 5; k++)
                ck_assert_int_eq(((int32_t *)data.data)[i * 5 + k], shard * 1000000 + row);
        }
        ck_assert_ptr_null(mill_batch_key(b, data.n));
        ck_assert_ptr_null(mill_batch_key(b, -1));
        ck_assert_int_eq(mill_batch_field(b, "image", &data, &s.err), MILL_USAGE);
        const void *bytes;
        size_t nbytes;
        ck_assert_int_eq(mill_batch_bytes(b, 0, "json", &bytes, &nbytes), MILL_END);
        ck_assert_int_eq(mill_batch_bytes(b, 100, "json", &bytes, &nbytes), MILL_END);
        mill_batch_release(b);
    }
    ck_assert_int_eq(status, MILL_END);
    ck_assert_int_eq(rows, 89);
    mill_loader_stats stats;
    mill_loader_stats_get(l, &stats);
    ck_assert_int_eq(stats.batches, 8);
    ck_assert_int_eq(stats.samples, 89);
    ck_assert_int_eq(stats.epoch_samples, 89);
    ck_assert_int_eq(stats.epoch_batches, 8);
    ck_assert_uint_eq(stats.bytes_out, 89 * 20);
    ck_assert_uint_ge(stats.bytes_in, 89 * 20);
    ck_assert_int_eq(stats.skipped + stats.substituted + stats.padded, 0);
    ck_assert_int_eq(stats.held, 0);
    ck_assert_int_eq(stats.reads, 0);
    ck_assert_int_eq(stats.epoch, 1);
    ck_assert_int_eq(stats.step, 0);
    ck_assert_int_gt(stats.first_batch_ns, 0);
    ck_assert_uint_le(stats.peak_nbytes, 64u << 20);
    close_loader(&s, l);
}
END_TEST

START_TEST(an_epoch_has_each_sample_as_often_as_it_should)
{
    for (int k = 0; k < ORDERS; k++)
        for (int drop = 0; drop < 2; drop++) {
            setup s = setup_for(&orders[k]);
            s.o.epochs = 1;
            s.o.drop_last = drop;
            int times[10][32] = {0};
            mill_loader *l = open_loader(&s);
            mill_batch *b;
            while (mill_loader_next(l, &b, &s.err) == MILL_OK) {
                for (int64_t i = 0; i < mill_batch_size(b); i++)
                    times[numbers_of(b, "shard")[i]][numbers_of(b, "sample")[i]]++;
                mill_batch_release(b);
            }
            close_loader(&s, l);
            int64_t all = 0, left = orders[k].first_samples ? orders[k].first_samples : 89;
            int64_t expected = left * orders[k].repeat;
            for (int shard = 0; shard < 10; shard++)
                for (int i = 0; i < uneven(shard); i++, left--) {
                    int n = times[shard][i], right = left > 0 ? (int)orders[k].repeat : 0;
                    ck_assert_msg(drop ? n <= right : n == right, "%s: sample %d of shard %d %d times",
                                  orders[k].name, i, shard, n);
                    all += n;
                }
            ck_assert_int_eq(all, drop ? expected / 12 * 12 : expected);
        }
}
END_TEST

START_TEST(epochs_differ_as_the_order_says)
{
    for (int k = 0; k < ORDERS; k++) {
        static record r;
        setup s = setup_for(&orders[k]);
        mill_loader *l = open_loader(&s);
        mill_batch *b;
        uint64_t first[2] = {0};
        for (int epoch = 0; epoch < 2; epoch++) {
            for (mill_status st; (st = mill_loader_next(l, &b, &s.err)) != MILL_END;) {
                ck_assert_int_eq(st, MILL_OK);
                ck_assert_int_eq(mill_batch_epoch(b), epoch);
                if (!mill_batch_step(b))
                    for (int64_t i = 0; i < mill_batch_size(b); i++)
                        first[epoch] = first[epoch] * 31 + row_digest(b, i);
                mill_batch_release(b);
            }
        }
        ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_END); /* and it stays so */
        ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_END);
        ck_assert_ptr_null(b);
        close_loader(&s, l);
        ck_assert_msg((first[0] == first[1]) == (k == 0), "%s", orders[k].name);
        s.o.run.seed = 12;
        take_whole(&s, &r);
        static record other;
        take_reference(&orders[k], &other, false);
        ck_assert_msg((r.digests[0] == other.digests[0]) == (k == 0), "%s: seeds", orders[k].name);
    }
}
END_TEST

/* A repetition has random numbers of its own. */
START_TEST(repetitions_are_drawn_anew)
{
    setup s = setup_of(1, 10);
    s.pipeline = "noise";
    s.o.repeat = 3;
    s.o.batch_size = 30;
    mill_loader *l = open_loader(&s);
    mill_batch *b;
    ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
    ck_assert_int_eq(mill_batch_size(b), 30);
    for (int64_t i = 0; i < 30; i++) {
        ck_assert_int_eq(numbers_of(b, "sample")[i], i / 3);
        for (int64_t j = i / 3 * 3; j < i; j++)
            ck_assert(row_digest(b, i) != row_digest(b, j));
    }
    mill_batch_release(b);
    close_loader(&s, l);
}
END_TEST

START_TEST(endless_epochs_go_on)
{
    setup s = setup_of(2, 5);
    s.o.epochs = -1;
    s.o.shuffle = MILL_SHUFFLE_GLOBAL;
    mill_loader *l = open_loader(&s);
    mill_batch *b;
    for (int64_t epoch = 0; epoch < 200; epoch++) {
        for (int64_t step = 0; step < 2; step++) {
            ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
            ck_assert_int_eq(mill_batch_epoch(b), epoch);
            ck_assert_int_eq(mill_batch_step(b), step);
            mill_batch_release(b);
        }
        ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_END);
        ck_assert_ptr_null(b);
    }
    close_loader(&s, l);
}
END_TEST

/* ---- the same for all manners, from every state ---- */

START_TEST(the_same_for_every_team_executor_back_end_and_depth)
{
    static record whole, other;
    for (int k = 0; k < ORDERS; k++) {
        take_reference(&orders[k], &whole, false);
        for (int i = 0; i < 16; i++) {
            manner m = manner_number(i);
            setup s = setup_for(&orders[k]);
            use_manner(&s, &m);
            take_whole(&s, &other);
            expect_end(&other);
            expect_same_tail(&whole, 0, &other, manner_name(&m));
        }
    }
}
END_TEST

static void jitter(int shard, uint64_t offset)
{
    fake_sleep((int64_t)((offset * 2654435761u + (uint64_t)shard * 40503u) >> 7) % 1500000);
}

START_TEST(the_same_for_every_timing)
{
    static record whole, other;
    for (int k = 0; k < ORDERS; k++) {
        take_reference(&orders[k], &whole, false);
        for (int i = 0; i < 8; i++) {
            manner m = manner_number(i * 3);
            setup s = setup_for(&orders[k]);
            use_manner(&s, &m);
            s.source.on_read_of = jitter;
            take_whole(&s, &other);
            expect_same_tail(&whole, 0, &other, manner_name(&m));
        }
    }
}
END_TEST

static void resume_from(int k, const record *whole, int at, int manner_at)
{
    static record tail;
    manner m = manner_number(manner_at);
    setup s = setup_for(&orders[k]);
    use_manner(&s, &m);
    s.o.state = whole->states[at];
    mill_loader *l = open_loader(&s);
    char again[MILL_STATE_NBYTES];
    ck_assert_int_eq(mill_loader_state(l, again, NULL), MILL_OK);
    ck_assert_str_eq(again, whole->states[at]);
    take_all(l, &tail, MOST_STEPS, false);
    expect_end(&tail);
    expect_same_tail(whole, at, &tail, manner_name(&m));
    close_loader(&s, l);
}

/* The states that stand before each step, the last one behind the last end included. */
START_TEST(from_every_state_on_the_tail_is_the_same)
{
    static record whole;
    take_reference(&orders[_i], &whole, true);
    ck_assert_int_ge(whole.n, 10);
    for (int at = 0; at < whole.n; at++)
        for (int i = 0; i < 16; i++)
            if (i % 4 == at % 4) /* a quarter of all pairs: each manner at every fourth state */
                resume_from(_i, &whole, at, i);
}
END_TEST

START_TEST(states_of_all_manners_are_the_same)
{
    static record whole, other;
    for (int k = 0; k < ORDERS; k++) {
        take_reference(&orders[k], &whole, true);
        manner m = manner_number(k + 9);
        setup s = setup_for(&orders[k]);
        use_manner(&s, &m);
        mill_loader *l = open_loader(&s);
        take_all(l, &other, MOST_STEPS, true);
        close_loader(&s, l);
        for (int i = 0; i <= whole.n; i++)
            ck_assert_str_eq(whole.states[i], other.states[i]);
    }
}
END_TEST

/* ---- ranks ---- */

typedef struct rank_rows {
    uint64_t rows[4000];
    int starts[600], nsteps; /* of batches; an epoch's end is a batch without rows */
    int64_t padded;
} rank_rows;

static void take_rank(int k, int rank, int world, const char *state, int manner_at, rank_rows *r)
{
    manner m = manner_number(manner_at);
    setup s = setup_for(&orders[k]);
    use_manner(&s, &m);
    s.o.rank = rank;
    s.o.world_size = world;
    s.o.batch_size = 12 / world;
    s.o.state = state;
    mill_loader *l = open_loader(&s);
    mill_batch *b;
    bool over = false;
    int n = 0;
    r->nsteps = 0;
    for (;;) {
        mill_status status = mill_loader_next(l, &b, &s.err);
        if (status == MILL_END && over)
            break;
        over = status == MILL_END;
        ck_assert(over || !status);
        r->starts[r->nsteps++] = n;
        for (int64_t i = 0; b && i < mill_batch_size(b); i++)
            if (mask_of(b)[i])
                r->rows[n++] = row_digest(b, i);
        mill_batch_release(b);
    }
    r->starts[r->nsteps] = n;
    mill_loader_stats stats;
    mill_loader_stats_get(l, &stats);
    r->padded = stats.padded;
    ck_assert_int_eq(stats.samples, n);
    close_loader(&s, l);
}

static void expect_global(const rank_rows *whole, int from, const rank_rows *ranks, int world)
{
    for (int step = 0; step < whole->nsteps - from; step++) {
        int k = whole->starts[from + step];
        for (int rank = 0; rank < world; rank++)
            for (int i = ranks[rank].starts[step]; i < ranks[rank].starts[step + 1]; i++)
                ck_assert_msg(ranks[rank].rows[i] == whole->rows[k++], "step %d, rank %d of %d", step, rank,
                              world);
        ck_assert_int_eq(k, whole->starts[from + step + 1]);
    }
}

START_TEST(all_ranks_together_are_one_world_whatever_its_size)
{
    static rank_rows whole, ranks[12];
    static record states;
    static const int worlds[] = {2, 3, 4, 12};
    for (int k = 0; k < ORDERS; k++) {
        take_rank(k, 0, 1, NULL, 0, &whole);
        take_reference(&orders[k], &states, true);
        ck_assert_int_eq(whole.padded, 0);
        for (int w = 0; w < 4; w++) {
            int from = w ? (w * 5 + k) % whole.nsteps : 0; /* some of them taken up half way */
            for (int rank = 0; rank < worlds[w]; rank++) {
                take_rank(k, rank, worlds[w], from ? states.states[from] : NULL, rank + w, &ranks[rank]);
                ck_assert_int_eq(ranks[rank].nsteps, whole.nsteps - from);
            }
            expect_global(&whole, from, ranks, worlds[w]);
        }
    }
}
END_TEST

START_TEST(fewer_samples_than_ranks)
{
    int times[3] = {0};
    for (int rank = 0; rank < 8; rank++) {
        setup s = setup_of(3, 1);
        s.o.rank = rank;
        s.o.world_size = 8;
        s.o.batch_size = 4;
        mill_loader *l = open_loader(&s);
        mill_batch *b;
        ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
        ck_assert_int_eq(mill_batch_size(b), 1);
        ck_assert_int_eq(mask_of(b)[0], rank < 3);
        times[numbers_of(b, "shard")[0]] += rank < 3;
        mill_batch_release(b);
        ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_END);
        mill_loader_stats stats;
        mill_loader_stats_get(l, &stats);
        ck_assert_int_eq(stats.padded, rank >= 3);
        ck_assert_int_eq(stats.rank, rank);
        ck_assert_int_eq(stats.world_size, 8);
        close_loader(&s, l);
    }
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(times[i], 1);
}
END_TEST

/* ---- odd data sets ---- */

START_TEST(one_sample_in_all)
{
    for (int shuffle = 0; shuffle < 3; shuffle++) {
        static record r;
        setup s = setup_of(1, 1);
        s.o.shuffle = (mill_shuffle)shuffle;
        s.o.epochs = 3;
        take_whole(&s, &r);
        expect_end(&r);
        ck_assert_int_eq(r.n, 6);
        ck_assert_int_eq(r.rows, 3);
    }
}
END_TEST

START_TEST(no_sample_at_all)
{
    setup s = setup_of(5, 0);
    mill_loader *l = open_loader(&s);
    mill_batch *b;
    ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_BAD_DATA);
    ck_assert_str_eq(s.err.kind, "empty");
    ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_BAD_DATA);
    close_loader(&s, l);

    s = setup_of(2, 5); /* ten samples do not fill a batch of sixteen */
    s.o.batch_size = 16;
    s.o.drop_last = 1;
    l = open_loader(&s);
    ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_USAGE);
    ck_assert_msg(strstr(s.err.message, "drop_last") != NULL, "%s", s.err.message);
    close_loader(&s, l);
}
END_TEST

static int one_huge(int shard)
{
    return shard == 3 ? 2000 : shard % 4 ? 20 : 0;
}

START_TEST(one_shard_a_hundred_times_larger_amid_empty_ones)
{
    for (int shuffle = 0; shuffle < 3; shuffle++) {
        static record one, other;
        setup s = setup_of(16, 0);
        s.source.rows_of = one_huge;
        s.source.latency_ns = 100000;
        s.o.shuffle = (mill_shuffle)shuffle;
        s.o.window = 100;
        s.o.batch_size = 64;
        s.o.run.threads = 1;
        take_whole(&s, &one);
        expect_end(&one);
        ck_assert_int_eq(one.rows, 2000 + 11 * 20);
        s.o.run.threads = 3;
        take_whole(&s, &other);
        expect_same_tail(&one, 0, &other, "3 threads");
    }
}
END_TEST

static int many_rows(int shard)
{
    return shard % 7 ? 3 : 11;
}

START_TEST(more_shards_than_may_be_open)
{
    for (int shuffle = 0; shuffle < 3; shuffle++) {
        static record r;
        setup s = setup_of(700, 0);
        s.source.rows_of = many_rows;
        s.o.shuffle = (mill_shuffle)shuffle;
        s.o.window = 300;
        s.o.batch_size = 100;
        s.o.epochs = 2;
        take_whole(&s, &r);
        expect_end(&r);
        ck_assert_int_eq(r.rows, 2 * 2900);
        ck_assert_int_le(atomic_load(&s.source.most_opened), 256);
    }
}
END_TEST

/* Resuming reads nothing of what was had before but the heads of shards. */
START_TEST(resume_does_not_read_what_it_skips)
{
    setup s = setup_of(40, 1000);
    s.source.elements = 1000; /* 4 MB a shard */
    s.o.batch_size = 100;
    s.o.prefetch = 1;
    s.pipeline = "mul 2";
    mill_loader *l = open_loader(&s);
    char state[MILL_STATE_NBYTES];
    ck_assert_int_eq(mill_loader_state(l, state, &s.err), MILL_OK);
    close_loader(&s, l);
    char *step = strstr(state, "step 0 ");
    char later[MILL_STATE_NBYTES];
    snprintf(later, sizeof later, "%.*sstep 390 %s", (int)(step - state), state, step + strlen("step 0 "));
    atomic_store(&s.source.bytes, 0);
    s.o.state = later;
    l = open_loader(&s);
    mill_batch *b;
    ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
    ck_assert_int_eq(mill_batch_step(b), 390);
    ck_assert_int_eq(numbers_of(b, "shard")[0], 39);
    ck_assert_int_eq(numbers_of(b, "sample")[0], 0);
    mill_batch_release(b);
    close_loader(&s, l);
    ck_assert_int_lt(atomic_load(&s.source.bytes), 20 << 20); /* of 160 MB */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loader");
    TCase *tc = tcase_create("what it gives");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, sequential_batches_hold_what_lies_there);
    tcase_add_test(tc, an_epoch_has_each_sample_as_often_as_it_should);
    tcase_add_test(tc, epochs_differ_as_the_order_says);
    tcase_add_test(tc, repetitions_are_drawn_anew);
    tcase_add_test(tc, endless_epochs_go_on);
    tcase_add_test(tc, the_same_for_every_team_executor_back_end_and_depth);
    tcase_add_test(tc, the_same_for_every_timing);
    tcase_add_loop_test(tc, from_every_state_on_the_tail_is_the_same, 0, ORDERS);
    tcase_add_test(tc, states_of_all_manners_are_the_same);
    tcase_add_test(tc, all_ranks_together_are_one_world_whatever_its_size);
    tcase_add_test(tc, fewer_samples_than_ranks);
    tcase_add_test(tc, one_sample_in_all);
    tcase_add_test(tc, no_sample_at_all);
    tcase_add_test(tc, one_shard_a_hundred_times_larger_amid_empty_ones);
    tcase_add_test(tc, more_shards_than_may_be_open);
    tcase_add_test(tc, resume_does_not_read_what_it_skips);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
