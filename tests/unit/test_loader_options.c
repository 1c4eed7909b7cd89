/* SPDX-License-Identifier: Apache-2.0 */
/* What a loader refuses when it is opened: options, pipelines, states of other loaders. */
#include "unit/loader_fixture.h"

static void refuse(setup *s, mill_status status, const char *why)
{
    mill_loader *l = (mill_loader *)s;
    mill_status got = try_open(s, &l);
    ck_assert_msg(got == status, "%s instead of: %s (%s)", mill_status_name(got), why, s->err.message);
    ck_assert_ptr_null(l);
    ck_assert_msg(strstr(s->err.message, why) != NULL, "\"%s\" does not say \"%s\"", s->err.message, why);
    ck_assert_int_eq(atomic_load(&s->source.opened), 0);
}

START_TEST(numbers_out_of_range)
{
#define REFUSE(member, value, why)                                                                           \
    do {                                                                                                     \
        setup s = setup_of(2, 5);                                                                            \
        s.o.member = value;                                                                                  \
        refuse(&s, MILL_USAGE, why);                                                                         \
    } while (0)
    REFUSE(batch_size, -1, "batch_size");
    REFUSE(batch_size, (1 << 24) + 1, "batch_size");
    REFUSE(window, -5, "window");
    REFUSE(first_samples, -1, "first_samples");
    REFUSE(repeat, -1, "repeat");
    REFUSE(prefetch, -1, "prefetch");
    REFUSE(prefetch, 1025, "prefetch");
    REFUSE(shuffle, (mill_shuffle)7, "shuffle");
    REFUSE(rank, 1, "rank 1 of 1");
    REFUSE(rank, -1, "rank -1");
    REFUSE(world_size, -1, "rank 0 of -1");
    REFUSE(run.threads, -1, "threads");
    REFUSE(run.io, "carrier pigeon", "carrier pigeon");
    REFUSE(run.executor, "hangman", "hangman");
    REFUSE(run.format, "floppy", "floppy");
    REFUSE(struct_nbytes, 0, "mill_loader_options_default");
    REFUSE(struct_nbytes, sizeof(mill_loader_options) + 1, "mill_loader_options_default");
}
END_TEST

START_TEST(pipelines_and_specs_that_will_not_do)
{
    setup s = setup_of(2, 5);
    s.pipeline = "resize 10";
    mill_loader *l;
    ck_assert_int_eq(try_open(&s, &l), MILL_USAGE);
    ck_assert_ptr_null(l);
    s = setup_of(2, 5);
    s.o.run.format = NULL;
    refuse(&s, MILL_USAGE, "format");
    mill_pipeline *p = mill_pipeline_new();
    mill_error err;
    ck_assert_int_eq(mill_loader_open(&l, NULL, p, NULL, &err), MILL_USAGE);
    ck_assert_int_eq(mill_loader_open(NULL, "x", p, NULL, &err), MILL_USAGE);
    ck_assert_int_eq(mill_loader_open(&l, "x", NULL, NULL, &err), MILL_USAGE);
    ck_assert_int_eq(mill_loader_open(&l, "no-such-file.tar", p, NULL, NULL), MILL_USAGE);
    mill_batch *b;
    ck_assert_int_eq(mill_loader_next(NULL, &b, &err), MILL_USAGE);
    ck_assert_int_eq(mill_loader_state(NULL, NULL, &err), MILL_USAGE);
    mill_loader_stats stats;
    mill_loader_stats_get(NULL, &stats);
    mill_loader_cancel(NULL);
    mill_pipeline_free(p);
}
END_TEST

/* ---- states ---- */

static void state_of(setup *s, char state[MILL_STATE_NBYTES])
{
    mill_loader *l = open_loader(s);
    ck_assert_int_eq(mill_loader_state(l, state, &s->err), MILL_OK);
    close_loader(s, l);
}

static void refuse_state(const char *state)
{
    setup s = setup_of(2, 40);
    s.o.state = state;
    refuse(&s, MILL_USAGE, "state");
    ck_assert_str_eq(s.err.kind, "state");
}

START_TEST(a_state_is_one_printable_line)
{
    char state[MILL_STATE_NBYTES];
    setup s = setup_of(2, 40);
    state_of(&s, state);
    ck_assert_uint_lt(strlen(state), MILL_STATE_NBYTES);
    for (char *c = state; *c; c++)
        ck_assert(*c >= ' ' && *c < 0x7f);
    char line[MILL_STATE_NBYTES + 2];
    snprintf(line, sizeof line, "%s\n", state); /* as it comes out of a file */
    s.o.state = line;
    mill_loader *l = open_loader(&s);
    close_loader(&s, l);
}
END_TEST

START_TEST(what_is_no_state_is_refused)
{
    char state[MILL_STATE_NBYTES], other[600];
    setup s = setup_of(2, 40);
    state_of(&s, state);
    refuse_state("");
    refuse_state("hello");
    for (size_t n = 0; n < strlen(state); n++) {
        snprintf(other, sizeof other, "%.*s", (int)n, state);
        refuse_state(other);
    }
    for (size_t i = 0; i < strlen(state); i++) { /* a step more is another state, and a sound one */
        snprintf(other, sizeof other, "%s", state);
        other[i] = other[i] == 'x' ? 'y' : 'x';
        refuse_state(other);
    }
    snprintf(other, sizeof other, "%s and more", state);
    refuse_state(other);
    snprintf(other, sizeof other, " %s", state);
    refuse_state(other);
    static const char *const steps[] = {"-1",
                                        "+0",
                                        " 0",
                                        "00",
                                        "0x0",
                                        "18446744073709551615",
                                        "99999999999999999999",
                                        "4611686018427387904",
                                        "288230376151711745"};
    const char *rest = strstr(state, " batch"), *begin = strstr(state, "step ");
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        snprintf(other, sizeof other, "%.*sstep %s%s", (int)(begin - state), state, steps[i], rest);
        refuse_state(other);
    }
    snprintf(other, sizeof other, "%.*sstep 288230376151711744%s", (int)(begin - state), state, rest);
    s.o.state = other; /* far behind the end: there is nothing more */
    static record r;
    take_whole(&s, &r);
    expect_end(&r);
    ck_assert_int_eq(r.n, 1);
    refuse_state("shardmill-state 1 epoch 0 step 0 batch 0 fingerprint 0000000000000000");
}
END_TEST

START_TEST(a_state_of_something_else_is_refused)
{
    char state[MILL_STATE_NBYTES];
    setup s = setup_of(2, 40);
    s.o.shuffle = MILL_SHUFFLE_WINDOW;
    state_of(&s, state);
#define OTHER(change)                                                                                        \
    do {                                                                                                     \
        setup t = setup_of(2, 40);                                                                           \
        t.o.shuffle = MILL_SHUFFLE_WINDOW;                                                                   \
        t.o.state = state;                                                                                   \
        change;                                                                                              \
        refuse(&t, MILL_USAGE, "another data set, pipeline");                                                \
    } while (0)
    OTHER(t.o.run.seed = 1);
    OTHER(t.o.shuffle = MILL_SHUFFLE_GLOBAL);
    OTHER(t.o.window = 100);
    OTHER(t.o.drop_last = 1);
    OTHER(t.o.repeat = 2);
    OTHER(t.o.first_samples = 10);
    OTHER(t.o.run.policy = MILL_POLICY_SKIP);
    OTHER(t.o.run.max_pixels = 1000);
    OTHER(t.pipeline = "check | mul 2");
    OTHER(strcpy(t.spec, "fake-{0..2}"));
    OTHER(strcpy(t.spec, "fake-{1..2}"));
    OTHER(strcpy(t.spec, "fake-{1,0}"));
    setup t = setup_of(2, 40);
    t.o.shuffle = MILL_SHUFFLE_WINDOW;
    t.o.state = state;
    t.o.batch_size = 4;
    refuse(&t, MILL_USAGE, "keep the product");
    /* what does not change the order may change */
    t.o.batch_size = 2;
    t.o.world_size = 4;
    t.o.rank = 3;
    t.o.run.threads = 5;
    t.o.prefetch = 9;
    t.o.epochs = 7;
    t.o.run.memory_nbytes = 100u << 20;
    mill_loader *l = open_loader(&t);
    close_loader(&t, l);
}
END_TEST

/* The texts in the options are the caller's, and may be gone when open() has returned. */
START_TEST(options_need_not_outlive_open)
{
    static record r;
    setup s = setup_of(4, 40);
    char executor[] = "loop", io[] = "threads", fields[] = "json", index[] = "none", format[] = "npy";
    s.o.run.executor = executor;
    s.o.run.io = io;
    s.o.run.format = format;
    s.o.fields = fields;
    s.o.index = index;
    mill_loader *l = open_loader(&s);
    memset(executor, 'x', 4);
    memset(io, 'x', 4);
    memset(fields, 'x', 4);
    memset(index, 'x', 4);
    memset(format, 'x', 3);
    memset(&s.o, 0xee, sizeof s.o);
    take_all(l, &r, MOST_STEPS, false);
    expect_end(&r);
    mill_loader_stats stats;
    mill_loader_stats_get(l, &stats);
    ck_assert_str_eq(stats.executor, "loop");
    ck_assert_str_eq(stats.io, "threads");
    close_loader(&s, l);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loader_options");
    TCase *tc = tcase_create("options");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, numbers_out_of_range);
    tcase_add_test(tc, pipelines_and_specs_that_will_not_do);
    tcase_add_test(tc, a_state_is_one_printable_line);
    tcase_add_test(tc, what_is_no_state_is_refused);
    tcase_add_test(tc, a_state_of_something_else_is_refused);
    tcase_add_test(tc, options_need_not_outlive_open);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
