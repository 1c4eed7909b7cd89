/* SPDX-License-Identifier: Apache-2.0 */
/* The order of samples, by properties over random configurations: every sample once on one rank, ranks alike,
 * the same for all world sizes, and no matter when counts become known. */
#include "engine/order.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SHARDS = 40 };

typedef struct setup {
    mill__order_config config;
    uint64_t counts[MOST_SHARDS], samples; /* samples: of an epoch, repetitions counted */
    uint64_t epoch;
} setup;

/* ---- random configurations ---- */

static uint64_t random_state;

static uint64_t draw(uint64_t n) /* xorshift; [0, n) */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

static setup make_up(uint64_t seed)
{
    setup s = {0};
    random_state = seed * 0x9E3779B97F4A7C15u + 1;
    s.config.nshards = 1 + draw(MOST_SHARDS);
    s.config.shuffle = draw(3) > 0;
    s.config.window = draw(2) ? 1 + draw(draw(2) ? 10 : 300) : 0;
    s.config.seed = draw(1000);
    s.config.repeat = draw(3) ? 1 : 1 + draw(4);
    s.config.batch_size = 1 + draw(draw(2) ? 5 : 40);
    s.config.world_size = 1;
    s.config.drop_last = draw(2);
    s.epoch = draw(5);
    uint64_t most = draw(2) ? 4 : 60;
    for (size_t i = 0; i < s.config.nshards; i++) {
        s.counts[i] = draw(4) ? draw(most) : 0;
        s.samples += s.counts[i] * s.config.repeat;
    }
    return s;
}

/* ---- what a rank gets ---- */

typedef struct rows {
    mill__place *places;
    size_t n, batches;
    size_t starts[20000]; /* of batches; the last is n */
} rows;

static void begin(mill__order *o, const setup *s, uint64_t rank, uint64_t world, uint64_t batch_size)
{
    mill_error err;
    mill__order_config c = s->config;
    c.rank = rank;
    c.world_size = world;
    c.batch_size = batch_size;
    ck_assert_int_eq(mill__order_init(o, &c, &err), MILL_OK);
    mill__order_begin(o, s->epoch);
}

static bool count_one(mill__order *o, const setup *s)
{
    size_t shard;
    if (!mill__order_wants(o, 0, &shard))
        return false;
    ck_assert(mill__order_count(o, s->counts[shard]));
    return true;
}

/* Batches from step first on. ahead: counts that are known before they are wanted. */
static void take(const setup *s, uint64_t rank, uint64_t world, uint64_t batch_size, uint64_t first,
                 size_t ahead, rows *r)
{
    mill__order o;
    size_t n;
    begin(&o, s, rank, world, batch_size);
    r->places = malloc((s->samples + batch_size * world + 1) * sizeof *r->places);
    r->n = r->batches = 0;
    for (size_t i = 0; i < ahead && count_one(&o, s); i++)
        continue;
    for (uint64_t step = first;; step++) {
        mill__order_answer answer;
        while ((answer = mill__order_batch(&o, step, &n)) == MILL__ORDER_COUNT)
            ck_assert(count_one(&o, s)); /* if none is wanted, all is known */
        if (answer == MILL__ORDER_END)
            break;
        r->starts[r->batches++] = r->n;
        for (size_t i = 0; i < n; i++)
            ck_assert(mill__order_place(&o, step, n, i, 0, &r->places[r->n++]));
    }
    r->starts[r->batches] = r->n;
    mill__order_free(&o);
}

static bool same_place(const mill__place *a, const mill__place *b)
{
    return a->shard == b->shard && a->sample == b->sample && a->repeat == b->repeat && a->padded == b->padded;
}

static void expect_same(const rows *a, const rows *b, size_t skipped_batches)
{
    size_t from = a->starts[skipped_batches];
    ck_assert_uint_eq(a->n - from, b->n);
    ck_assert_uint_eq(a->batches - skipped_batches, b->batches);
    for (size_t i = 0; i < b->n; i++)
        ck_assert(same_place(&a->places[from + i], &b->places[i]));
}

/* ---- properties ---- */

enum { TRIALS = 200 };

typedef struct tally {
    int *times;     /* of each (shard, sample, repetition) */
    size_t padding; /* rows */
} tally;

static size_t place_number(const setup *s, const mill__place *p)
{
    size_t at = 0;
    ck_assert_uint_lt(p->shard, s->config.nshards);
    ck_assert_uint_lt(p->sample, s->counts[p->shard]);
    ck_assert_uint_lt(p->repeat, s->config.repeat);
    for (size_t i = 0; i < p->shard; i++)
        at += s->counts[i] * s->config.repeat;
    return at + p->sample * s->config.repeat + p->repeat;
}

static void add_rows(const setup *s, const rows *r, tally *t)
{
    for (size_t i = 0; i < r->n; i++) {
        size_t at = place_number(s, &r->places[i]); /* padding, too, is some sample of the data set */
        if (r->places[i].padded)
            t->padding++;
        else
            t->times[at]++;
    }
}

START_TEST(the_ranks_together_have_each_sample_once_and_equally_many_batches)
{
    static rows r;
    for (uint64_t seed = 0; seed < TRIALS; seed++) {
        setup s = make_up(seed);
        uint64_t world = 1 + draw(7), global = world * s.config.batch_size;
        tally t = {calloc(s.samples + 1, sizeof(int)), 0};
        uint64_t expected = s.config.drop_last ? s.samples / global : (s.samples + global - 1) / global;
        size_t rank_rows = 0;
        for (uint64_t rank = 0; rank < world; rank++) {
            take(&s, rank, world, s.config.batch_size, 0, draw(50), &r);
            ck_assert_uint_eq(r.batches, expected);
            ck_assert(!rank || r.n == rank_rows); /* the last batch, too, is as long on all ranks */
            rank_rows = r.n;
            for (size_t b = 0; b + 1 < r.batches; b++)
                ck_assert_uint_eq(r.starts[b + 1] - r.starts[b], s.config.batch_size);
            add_rows(&s, &r, &t);
            free(r.places);
        }
        size_t once = 0;
        for (size_t i = 0; i < s.samples; i++) {
            ck_assert_int_le(t.times[i], 1);
            once += (size_t)t.times[i];
        }
        ck_assert_uint_eq(once, s.config.drop_last ? expected * global : s.samples);
        ck_assert_uint_eq(t.padding, world * rank_rows - once);
        ck_assert_uint_lt(t.padding, world); /* no more than makes the ranks alike */
        ck_assert(!s.config.drop_last || !t.padding);
        free(t.times);
    }
}
END_TEST

START_TEST(a_global_batch_is_the_same_for_every_world_size)
{
    static rows whole, part[12];
    for (uint64_t seed = 0; seed < TRIALS; seed++) {
        setup s = make_up(seed);
        enum { GLOBAL = 12 };
        take(&s, 0, 1, GLOBAL, 0, 0, &whole);
        static const uint64_t worlds[] = {2, 3, 4, 6, 12};
        for (int w = 0; w < 5; w++) {
            uint64_t world = worlds[w];
            for (uint64_t rank = 0; rank < world; rank++)
                take(&s, rank, world, GLOBAL / world, 0, draw(10), &part[rank]);
            for (size_t b = 0; b < whole.batches; b++) {
                size_t k = whole.starts[b];
                for (uint64_t rank = 0; rank < world; rank++)
                    for (size_t i = part[rank].starts[b]; i < part[rank].starts[b + 1]; i++)
                        if (!part[rank].places[i].padded)
                            ck_assert(same_place(&part[rank].places[i], &whole.places[k++]));
                ck_assert_uint_eq(k, whole.starts[b + 1]);
            }
            for (uint64_t rank = 0; rank < world; rank++) {
                ck_assert_uint_eq(part[rank].batches, whole.batches);
                free(part[rank].places);
            }
        }
        free(whole.places);
    }
}
END_TEST

START_TEST(it_does_not_matter_when_counts_become_known)
{
    static rows lazy, eager, some;
    for (uint64_t seed = 0; seed < TRIALS; seed++) {
        setup s = make_up(seed);
        take(&s, 0, 1, s.config.batch_size, 0, 0, &lazy);
        take(&s, 0, 1, s.config.batch_size, 0, MOST_SHARDS, &eager);
        expect_same(&lazy, &eager, 0);
        size_t first = draw(lazy.batches + 1); /* and it can be taken up anywhere */
        take(&s, 0, 1, s.config.batch_size, first, draw(MOST_SHARDS), &some);
        expect_same(&lazy, &some, first);
        free(lazy.places);
        free(eager.places);
        free(some.places);
    }
}
END_TEST

/* What counts() says is wanted for a batch must not depend on how many happen to be known. */
START_TEST(needed_shards_do_not_depend_on_what_is_known)
{
    for (uint64_t seed = 0; seed < TRIALS; seed++) {
        setup s = make_up(seed);
        mill__order lazy, eager;
        size_t n, m;
        begin(&lazy, &s, 0, 1, s.config.batch_size);
        begin(&eager, &s, 0, 1, s.config.batch_size);
        while (count_one(&eager, &s))
            continue;
        for (uint64_t step = 0; mill__order_batch(&eager, step, &m) == MILL__ORDER_BATCH; step++) {
            while (mill__order_batch(&lazy, step, &n) == MILL__ORDER_COUNT)
                ck_assert(count_one(&lazy, &s));
            ck_assert_uint_eq(n, m);
            ck_assert_uint_eq(mill__order_needed(&lazy, step), mill__order_needed(&eager, step));
            ck_assert_uint_le(mill__order_needed(&lazy, step), lazy.counted);
            ck_assert_uint_le(mill__order_reached(&lazy, step), mill__order_needed(&lazy, step));
        }
        mill__order_free(&lazy);
        mill__order_free(&eager);
    }
}
END_TEST

START_TEST(a_replacement_is_a_later_position_of_the_epoch_begun_anew_at_its_end)
{
    static rows all;
    for (uint64_t seed = 0; seed < TRIALS; seed++) {
        setup s = make_up(seed);
        s.config.drop_last = false;
        if (!s.samples)
            continue;
        take(&s, 0, 1, 1, 0, MOST_SHARDS, &all); /* the epoch, place by place */
        mill__order o;
        uint64_t world = 1 + draw(4), rank = draw(world), skip = 1 + draw(3 * s.samples);
        begin(&o, &s, rank, world, s.config.batch_size);
        size_t length = 0;
        mill__place place;
        uint64_t global = world * s.config.batch_size, step = draw(s.samples / global + 1);
        while (mill__order_batch(&o, step, &length) == MILL__ORDER_COUNT)
            ck_assert(count_one(&o, &s));
        if (mill__order_batch(&o, step, &length) == MILL__ORDER_BATCH) {
            size_t i = draw(length);
            while (!mill__order_place(&o, step, length, i, skip, &place))
                ck_assert(count_one(&o, &s)); /* never asks for more than there is */
            uint64_t position = step * global + rank * length + i + skip;
            ck_assert(same_place(&place, &all.places[position % s.samples]));
        }
        mill__order_free(&o);
        free(all.places);
    }
}
END_TEST

START_TEST(unshuffled_is_as_it_lies)
{
    static rows r;
    for (uint64_t seed = 0; seed < 50; seed++) {
        setup s = make_up(seed);
        s.config.shuffle = false;
        s.config.drop_last = false;
        take(&s, 0, 1, s.config.batch_size, 0, 0, &r);
        for (size_t i = 0; i < r.n; i++)
            ck_assert_uint_eq(place_number(&s, &r.places[i]), i);
        ck_assert_uint_eq(r.n, s.samples);
        free(r.places);
    }
}
END_TEST

/* A window is shuffled within itself: position p comes from the same window of the shards' sequence. */
START_TEST(a_window_holds_what_it_held)
{
    static rows r;
    for (uint64_t seed = 0; seed < TRIALS; seed++) {
        setup s = make_up(seed);
        s.config.shuffle = true;
        s.config.drop_last = false;
        s.config.window = 1 + draw(50);
        take(&s, 0, 1, s.config.batch_size, 0, 0, &r);
        mill__order o;
        begin(&o, &s, 0, 1, 1);
        uint64_t begins[MOST_SHARDS], at = 0;
        for (size_t j = 0; j < s.config.nshards; j++) {
            begins[mill__order_shard(&o, j)] = at;
            at += s.counts[mill__order_shard(&o, j)] * s.config.repeat;
        }
        for (size_t i = 0; i < r.n; i++) {
            const mill__place *p = &r.places[i];
            uint64_t from = begins[p->shard] + p->sample * s.config.repeat + p->repeat;
            ck_assert_uint_eq(from / s.config.window, i / s.config.window);
        }
        mill__order_free(&o);
        free(r.places);
    }
}
END_TEST

static bool moves(const setup *a, const setup *b)
{
    static rows x, y;
    take(a, 0, 1, 8, 0, 0, &x);
    take(b, 0, 1, 8, 0, 0, &y);
    size_t same = 0;
    for (size_t i = 0; i < x.n; i++)
        same += same_place(&x.places[i], &y.places[i]);
    bool other = same < x.n / 4;
    free(x.places);
    free(y.places);
    return other;
}

START_TEST(epochs_and_seeds_have_orders_of_their_own)
{
    for (int window = 0; window < 2; window++) {
        setup s = {.config = {.nshards = 20, .shuffle = true, .window = window ? 64 : 0, .repeat = 1}};
        for (size_t i = 0; i < 20; i++)
            s.samples += s.counts[i] = 20 + i;
        setup t = s;
        ck_assert(!moves(&s, &t));
        t.epoch = 1;
        ck_assert(moves(&s, &t));
        t = s;
        t.config.seed = 1;
        ck_assert(moves(&s, &t));
        t.config.shuffle = s.config.shuffle = false;
        ck_assert(!moves(&s, &t));
    }
}
END_TEST

START_TEST(counts_that_cannot_be_are_refused)
{
    static const struct {
        uint64_t first, second, repeat;
        bool fits;
    } cases[] = {{(uint64_t)1 << 61, 0, 1, true},
                 {(uint64_t)1 << 61, 1, 1, false},
                 {UINT64_MAX, 0, 1, false},
                 {(uint64_t)1 << 40, 5, 1 << 21, false},
                 {(uint64_t)1 << 40, 0, 1 << 21, true},
                 {(uint64_t)1 << 62, 0, 4, false},
                 {UINT64_MAX / 4 + 1, 0, 4, false},
                 {1, UINT64_MAX, 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup s = {.config = {.nshards = 2, .repeat = cases[i].repeat}};
        mill__order o;
        begin(&o, &s, 0, 1, 1);
        bool first = mill__order_count(&o, cases[i].first);
        bool both = first && mill__order_count(&o, cases[i].second);
        ck_assert_msg(both == cases[i].fits, "case %d", (int)i);
        ck_assert_uint_eq(o.counted, (size_t)first + both); /* what is refused is not counted */
        mill__order_free(&o);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("order");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, the_ranks_together_have_each_sample_once_and_equally_many_batches);
    tcase_add_test(tc, a_global_batch_is_the_same_for_every_world_size);
    tcase_add_test(tc, it_does_not_matter_when_counts_become_known);
    tcase_add_test(tc, needed_shards_do_not_depend_on_what_is_known);
    tcase_add_test(tc, a_replacement_is_a_later_position_of_the_epoch_begun_anew_at_its_end);
    tcase_add_test(tc, unshuffled_is_as_it_lies);
    tcase_add_test(tc, a_window_holds_what_it_held);
    tcase_add_test(tc, epochs_and_seeds_have_orders_of_their_own);
    tcase_add_test(tc, counts_that_cannot_be_are_refused);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
