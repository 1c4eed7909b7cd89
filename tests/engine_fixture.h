/* SPDX-License-Identifier: Apache-2.0 */
/* tests/engine_fixture.h: an engine over shards of tests/fake.h and a transform that watches it. Every test
 * forks, so no OpenMP is touched before. */
#ifndef TESTS_ENGINE_FIXTURE_H
#define TESTS_ENGINE_FIXTURE_H

#include "engine/engine.h"
#include "engine/plan.h"
#include "fake.h"
#include "registry.h"
#include <check.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* ---- a transform that watches ---- */

static atomic_int running, most_running, transform_calls;
static atomic_long spin_ns;
static pthread_key_t computes, reads; /* per thread: it has computed, it has read */
static atomic_int states, foreign;    /* made and not ended; used or ended on another thread */
static atomic_int both;               /* threads that did both */

static inline void note_thread(pthread_key_t mine, pthread_key_t other)
{
    if (pthread_getspecific(other))
        atomic_fetch_add(&both, 1);
    pthread_setspecific(mine, &both);
}

static inline void on_read(void)
{
    note_thread(reads, computes);
}

static atomic_ullong fingerprint; /* of the random numbers that all samples drew, in any order */

static inline void burn(long ns)
{
    struct timespec a, b;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    while ((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec < ns);
}

static inline mill_status watch_plan(const mill_value *values, void *user, const mill_type *in,
                                     mill_type *out, void **self, mill_error *err)
{
    (void)values, (void)user, (void)in, (void)out, (void)self, (void)err;
    return MILL_OK;
}

static inline mill_status watch_run(const void *self, void *state, const mill_context *ctx,
                                    const mill_tensor *in, mill_tensor *out, mill_error *err)
{
    (void)self;
    atomic_fetch_add(&foreign, !pthread_equal(*(pthread_t *)state, pthread_self()));
    note_thread(computes, reads);
    int now = atomic_fetch_add(&running, 1) + 1, most = atomic_load(&most_running);
    while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now))
        continue;
    atomic_fetch_add(&transform_calls, 1);
    burn(atomic_load(&spin_ns));
    const int32_t *from = in->data;
    atomic_fetch_add(&fingerprint, (unsigned long long)mill_context_random(ctx, 0) * (unsigned)(from[0] | 1));
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

/* The state of a thread is the thread that made it. */

static inline mill_status watch_start(const void *self, void **state, mill_error *err)
{
    (void)self;
    pthread_t *maker = malloc(sizeof *maker);
    if (!maker)
        return mill_fail(err, MILL_NO_MEMORY, "memory", "no memory");
    *maker = pthread_self();
    atomic_fetch_add(&states, 1);
    *state = maker;
    return MILL_OK;
}

static inline void watch_stop(const void *self, void *state)
{
    (void)self;
    atomic_fetch_add(&foreign, !pthread_equal(*(pthread_t *)state, pthread_self()));
    atomic_fetch_sub(&states, 1);
    free(state);
}

static const mill_transform_ops watch = {.struct_nbytes = sizeof(mill_transform_ops),
                                         .name = "watch",
                                         .summary = "adds one and watches",
                                         .plan = watch_plan,
                                         .start = watch_start,
                                         .stop = watch_stop,
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

static inline fake quiet(int rows, int elements)
{
    return (fake){.rows = rows, .elements = elements, .fail_open = -1, .fail_read = -1, .shrink = -1};
}

static inline void set_up(setup *s, fake source, int nshards, int threads, const char *executor,
                          uint64_t memory)
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

static inline void begin(setup *s)
{
    mill_error err;
    ck_assert_msg(mill__engine_open(&s->engine, &s->config, &err) == MILL_OK, "%s", err.message);
}

static inline void tear_down(setup *s)
{
    mill__engine_close(s->engine);
    ck_assert_int_eq(atomic_load(&s->source.opened), 0); /* every handle was closed */
    ck_assert_int_eq(atomic_load(&s->source.reading), 0);
    ck_assert_int_eq(atomic_load(&foreign), 0); /* a thread's state is its own from start to stop */
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
static inline mill_status drain(setup *s, tally *t, int nshards)
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
            uint32_t number = (uint32_t)batch->shard * 1000000u + (uint32_t)row->sample + 1;
            int32_t expected = row->status ? 0 : (int32_t)number;
            bool right =
                row->sample == next[batch->shard]++; /* an assertion costs a message: one a row at most */
            for (int k = 0; k < s->source.elements; k++)
                right = right && values[k] == expected;
            if (!right)
                ck_abort_msg("sample %lld of shard %zu is %d, not %d: %s", (long long)row->sample,
                             batch->shard, values[0], expected, row->error ? row->error->message : "");
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

static const int teams[] __attribute__((unused)) = {1, 2, 3, 8};
static const char *const executors[] __attribute__((unused)) = {"tasks", "loop"};

static inline double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           ((double)u.ru_utime.tv_usec + (double)u.ru_stime.tv_usec) * 1e-6;
}

#endif
