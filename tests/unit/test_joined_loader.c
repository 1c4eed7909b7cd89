/* SPDX-License-Identifier: Apache-2.0 */
/* test_joined_loader.c: loaders over token shards: all ranks together have every window of the data set once
 * in an epoch, whatever the order and the world size, and go on from a state in the middle. */
#include "token_fixture.h"

enum { MOST_WINDOWS = 2000, T = 6, STRIDE = 4 };

typedef struct trial {
    text text;
    mill_loader_options o;
    int times[MOST_WINDOWS]; /* how often window number i has come */
    int errors;
    char said[300];
} trial;

static void on_issue(void *user, const mill_issue *issue)
{
    trial *t = user;
    if (issue->severity != MILL_ERROR)
        return;
    t->errors++;
    size_t used = strlen(t->said);
    snprintf(t->said + used, sizeof t->said - used, "%s: %s: %s; ", issue->shard, issue->kind, issue->reason);
}

static void prepare(trial *t, int shards)
{
    *t = (trial){.text = {.n = shards, .token = 2, .headers = true, .changes = -1},
                 .o = mill_loader_options_default()};
    for (int i = 0; i < shards; i++)
        t->text.lengths[i] = i % 5 == 4 ? 0 : (uint32_t)(i * 37 % 61);
    t->o.run.threads = 2;
    t->o.run.source = &text_source;
    t->o.run.source_user = &t->text;
    t->o.run.format = "tokens:T=6:stride=4";
    t->o.run.memory_nbytes = 64u << 20;
    t->o.run.user = t;
    t->o.run.on_issue = on_issue;
    t->o.world_size = 1;
    t->o.batch_size = 12;
    t->o.window = 16;
}

static mill_loader *open_loader(trial *t)
{
    char spec[40];
    mill_loader *l;
    mill_error err;
    mill_pipeline *p = mill_pipeline_new();
    snprintf(spec, sizeof spec, "t-{0..%d}", t->text.n - 1);
    mill_status status = mill_loader_open(&l, spec, p, &t->o, &err);
    ck_assert_msg(!status, "%s", err.message);
    mill_pipeline_free(p);
    return l;
}

static void note_batch(trial *t, const mill_batch *b)
{
    mill_tensor data, mask;
    ck_assert_int_eq(mill_batch_field(b, "data", &data, NULL), MILL_OK);
    ck_assert_int_eq(mill_batch_field(b, "mask", &mask, NULL), MILL_OK);
    ck_assert_int_eq(data.type.shape[0], T + 1);
    for (int64_t i = 0; i < data.n; i++) {
        const uint8_t *row = (const uint8_t *)data.data + (size_t)i * (T + 1) * t->text.token;
        uint32_t first = token_at(&t->text, row, 0);
        for (size_t k = 0; k <= T; k++)
            ck_assert_uint_eq(token_at(&t->text, row, k), first + k);
        ck_assert_uint_eq(first % STRIDE, 0);
        t->times[first / STRIDE] += ((const uint8_t *)mask.data)[i];
    }
}

/* At most so many batches; the state behind them, if wanted. */
static void take(trial *t, int most, char *state)
{
    mill_loader *l = open_loader(t);
    mill_batch *b;
    mill_error err;
    mill_status status = MILL_OK;
    for (int i = 0; i < most && !status; i++) {
        status = mill_loader_next(l, &b, &err);
        if (status)
            break;
        note_batch(t, b);
        mill_batch_release(b);
    }
    ck_assert_msg(!status || status == MILL_END, "%s", err.message);
    if (state)
        ck_assert_int_eq(mill_loader_state(l, state, NULL), MILL_OK);
    mill_loader_close(l);
    ck_assert_int_eq(atomic_load(&t->text.open), 0);
}

static uint32_t windows_of(const trial *t)
{
    uint32_t all = text_begin(&t->text, t->text.n);
    return all < T + 1 ? 0 : (all - T - 1) / STRIDE + 1;
}

static void expect_once(const trial *t, const char *what)
{
    for (uint32_t i = 0; i < MOST_WINDOWS; i++)
        ck_assert_msg(t->times[i] == (i < windows_of(t)), "%s: window %u came %d times", what, i,
                      t->times[i]);
}

static const mill_shuffle orders[] = {MILL_SHUFFLE_NONE, MILL_SHUFFLE_WINDOW, MILL_SHUFFLE_GLOBAL};

START_TEST(every_rank_has_its_part)
{
    static trial t;
    static const int teams[] = {1, 2, 3, 8};
    for (int world = 1; world <= 3; world++)
        for (size_t order = 0; order < 3; order++)
            for (size_t team = 0; team < 4; team++) {
                char what[60];
                prepare(&t, 33);
                snprintf(what, sizeof what, "world %d, order %zu, %d threads", world, order, teams[team]);
                t.o.run.threads = teams[team];
                t.o.run.io_depth = team % 2 ? 1 : 8;
                t.o.shuffle = orders[order];
                t.o.world_size = world;
                t.o.batch_size = 12 / world;
                for (int rank = 0; rank < world; rank++) {
                    t.o.rank = rank;
                    take(&t, MOST_WINDOWS, NULL);
                }
                expect_once(&t, what);
                ck_assert_int_eq(t.errors, 0);
            }
}
END_TEST

START_TEST(a_state_goes_on_in_another_world)
{
    static trial t;
    char state[MILL_STATE_NBYTES], other[MILL_STATE_NBYTES];
    for (size_t order = 0; order < 3; order++) {
        prepare(&t, 33);
        t.o.shuffle = orders[order];
        t.o.world_size = 3;
        t.o.batch_size = 4;
        for (int rank = 0; rank < 3; rank++) {
            t.o.rank = rank;
            take(&t, 7, rank ? other : state);
        }
        t.o.world_size = 2;
        t.o.batch_size = 6;
        t.o.state = state;
        for (int rank = 0; rank < 2; rank++) {
            t.o.rank = rank;
            take(&t, MOST_WINDOWS, NULL);
        }
        expect_once(&t, "from a state");
    }
}
END_TEST

/* Windows that reach into a shard that cannot be read are lost, and windows begin anew behind it. */
START_TEST(a_broken_shard)
{
    static trial t;
    prepare(&t, 3);
    t.text.lengths[0] = 4 * 10;
    t.text.lengths[1] = 4 * 5;
    t.text.lengths[2] = 4 * 5 + 3;
    t.text.closed[1] = true;
    t.o.run.policy = MILL_POLICY_SKIP;
    take(&t, MOST_WINDOWS, NULL);
    for (int i = 0; i < 30; i++)
        ck_assert_msg(t.times[i] == (i < 9 || (i >= 15 && i < 20)), "window %d came %d times", i, t.times[i]);
    ck_assert_int_eq(t.errors, 2);
    ck_assert_str_eq(
        t.said, "t-0: next: 1 of its windows reach into \"t-1\": t-1 is closed; t-1: io: t-1 is closed; ");
}
END_TEST

START_TEST(only_the_first)
{
    static trial t;
    prepare(&t, 33);
    t.o.first_samples = 50;
    take(&t, MOST_WINDOWS, NULL);
    for (int i = 0; i < MOST_WINDOWS; i++)
        ck_assert_int_eq(t.times[i], i < 50);
}
END_TEST

START_TEST(within_shards)
{
    static trial t;
    prepare(&t, 9);
    t.o.run.format = "tokens:T=6:stride=4:within=shard";
    for (int i = 0; i < 9; i++)
        t.text.lengths[i] = (uint32_t)(4 * i);
    take(&t, MOST_WINDOWS, NULL);
    for (int i = 0; i < 9; i++)
        for (uint32_t k = 0; k < t.text.lengths[i]; k += 4)
            ck_assert_int_eq(t.times[(text_begin(&t.text, i) + k) / STRIDE], k + T + 1 <= t.text.lengths[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("joined loader");
    TCase *tc = tcase_create("windows");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, every_rank_has_its_part);
    tcase_add_test(tc, a_state_goes_on_in_another_world);
    tcase_add_test(tc, a_broken_shard);
    tcase_add_test(tc, only_the_first);
    tcase_add_test(tc, within_shards);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
