/* SPDX-License-Identifier: Apache-2.0 */
/* Loaders over shards that exist in no file (fake.h), with transforms that fail where they are told to or
 * draw random numbers; and what a loader gives, as numbers that can be compared. */
#ifndef TESTS_LOADER_FIXTURE_H
#define TESTS_LOADER_FIXTURE_H

#include "base/hash.h"
#include "fake.h"
#include <check.h>
#include <dirent.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- the transform "check": passes on what it gets, unless bad() says no ---- */

typedef struct checker {
    int (*bad)(int shard, int row); /* NULL: all are good */
    void (*on_row)(int shard, int row);
    mill_status status; /* of bad ones; 0: MILL_BAD_DATA */
} checker;

static inline mill_status checker_plan(const mill_value *values, void *user, const mill_type *in,
                                       mill_type *out, void **self, mill_error *err)
{
    (void)values, (void)out;
    if (in->dtype != MILL_I32)
        return mill_fail(err, MILL_USAGE, "pipeline", "check takes i32");
    *self = user;
    return MILL_OK;
}

static inline mill_status checker_run(const void *self, void *state, const mill_context *ctx,
                                      const mill_tensor *in, mill_tensor *out, mill_error *err)
{
    (void)state, (void)ctx;
    const checker *c = self;
    int32_t value;
    memcpy(&value, in->data, sizeof value);
    if (c->on_row)
        c->on_row(value / 1000000, value % 1000000);
    if (c->bad && c->bad(value / 1000000, value % 1000000))
        return mill_fail(err, c->status ? c->status : MILL_BAD_DATA, "made up", "%d is bad", value);
    memcpy(out->data, in->data, (size_t)in->type.shape[0] * sizeof value);
    return MILL_OK;
}

static const mill_transform_ops checker_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                               .name = "check",
                                               .summary = "fails where it is told to",
                                               .plan = checker_plan,
                                               .run = checker_run};

/* ---- the transform "noise": adds a random number to each element ---- */

static inline mill_status noise_plan(const mill_value *values, void *user, const mill_type *in,
                                     mill_type *out, void **self, mill_error *err)
{
    (void)values, (void)user, (void)in, (void)out, (void)self, (void)err;
    return MILL_OK;
}

static inline mill_status noise_run(const void *self, void *state, const mill_context *ctx,
                                    const mill_tensor *in, mill_tensor *out, mill_error *err)
{
    (void)self, (void)state, (void)err;
    const uint32_t *from = in->data;
    uint32_t *to = out->data;
    for (int64_t i = 0; i < in->type.shape[0]; i++)
        to[i] = from[i] + mill_context_random(ctx, (uint32_t)i);
    return MILL_OK;
}

static const mill_transform_ops noise_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                             .name = "noise",
                                             .summary = "adds random numbers",
                                             .flags = MILL_RANDOM,
                                             .plan = noise_plan,
                                             .run = noise_run};

/* ---- the same shards with descriptors, so that io_uring reads them ---- */

typedef struct memory_file {
    void *shard;
    int fd;
} memory_file;

static inline mill_status memory_open(void *user, const char *locator, void **handle, mill_shard_info *info,
                                      mill_error *err)
{
    memory_file *m = calloc(1, sizeof *m);
    mill_status status = fake_open(user, locator, &m->shard, info, err);
    if (status) {
        free(m);
        return status;
    }
    char *bytes = malloc(info->nbytes);
    size_t got = 0;
    status = fake_read(m->shard, 0, bytes, info->nbytes, &got, err);
    m->fd = memfd_create("shard", MFD_CLOEXEC);
    if (m->fd < 0 || write(m->fd, bytes, got) != (ssize_t)got)
        status = mill_fail(err, MILL_IO, "io", "no memory file");
    free(bytes);
    *handle = m;
    return status;
}

static inline mill_status memory_read(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                                      mill_error *err)
{
    return fake_read(((memory_file *)handle)->shard, offset, data, n, got, err);
}

static inline int memory_fd(void *handle)
{
    return ((memory_file *)handle)->fd;
}

static inline void memory_close(void *handle)
{
    memory_file *m = handle;
    fake_close(m->shard);
    close(m->fd);
    free(m);
}

static const mill_source_ops memory_source = {.struct_nbytes = sizeof(mill_source_ops),
                                              .name = "memory",
                                              .summary = "shards in memory files",
                                              .open = memory_open,
                                              .read = memory_read,
                                              .fd = memory_fd,
                                              .close = memory_close};

static inline int descriptors(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* ---- a loader ---- */

typedef struct setup {
    fake source;
    checker check;
    mill_loader_options o;
    char spec[300];
    const char *pipeline;
    mill_error err;
} setup;

static inline setup setup_of(int shards, int rows)
{
    setup s = {.source = {.rows = rows, .elements = 5, .fail_open = -1, .fail_read = -1, .shrink = -1},
               .o = mill_loader_options_default(),
               .pipeline = "check"};
    snprintf(s.spec, sizeof s.spec, "fake-{0..%d}", shards - 1);
    s.o.run.source = &fake_source;
    s.o.run.format = "npy";
    s.o.run.threads = 2;
    s.o.run.executor = "tasks";
    s.o.run.io = "threads";
    s.o.run.memory_nbytes = 64u << 20;
    s.o.world_size = 1;
    s.o.batch_size = 8;
    return s;
}

static inline mill_status try_open(setup *s, mill_loader **l)
{
    mill_error err;
    const char *executor =
        getenv("TEST_EXECUTOR"); /* "loop" for thread checkers, which cannot follow tasks */
    if (executor && s->o.run.executor && strcmp(s->o.run.executor, "tasks") == 0)
        s->o.run.executor = executor;
    s->o.run.source_user = s->o.run.source ? &s->source : NULL;
    mill_pipeline *p = mill_pipeline_new();
    ck_assert_int_eq(mill_pipeline_register(p, &checker_ops, &s->check, &err), MILL_OK);
    ck_assert_int_eq(mill_pipeline_register(p, &noise_ops, NULL, &err), MILL_OK);
    ck_assert_msg(mill_pipeline_parse(p, s->pipeline, &err) == MILL_OK, "%s", err.message);
    mill_status status = mill_loader_open(l, s->spec, p, &s->o, &s->err);
    mill_pipeline_free(p);
    return status;
}

static inline mill_loader *open_loader(setup *s)
{
    mill_loader *l;
    mill_status status = try_open(s, &l);
    ck_assert_msg(!status, "%s: %s: %s", mill_status_name(status), s->err.kind, s->err.message);
    return l;
}

static inline void close_loader(setup *s, mill_loader *l)
{
    mill_loader_close(l);
    ck_assert_int_eq(atomic_load(&s->source.opened), 0); /* every handle was closed */
    ck_assert_int_eq(atomic_load(&s->source.reading), 0);
}

/* ---- what it gives ---- */

/* A row: all there is to see of it, but for where it stands. */
static inline uint64_t row_digest(const mill_batch *b, int64_t i)
{
    mill_tensor data = {0}, label, shard, sample;
    bool has_data = !mill_batch_field(b, "data", &data, NULL) || !mill_batch_field(b, "image", &data, NULL);
    ck_assert_int_eq(mill_batch_field(b, "label", &label, NULL), MILL_OK);
    ck_assert_int_eq(mill_batch_field(b, "shard", &shard, NULL), MILL_OK);
    ck_assert_int_eq(mill_batch_field(b, "sample", &sample, NULL), MILL_OK);
    size_t nbytes = has_data ? mill_dtype_nbytes(data.type.dtype) : 0, n;
    for (int k = 0; k < data.type.rank; k++)
        nbytes *= (size_t)data.type.shape[k];
    const void *json = NULL;
    uint64_t numbers[6] = {mill__hash_bytes(nbytes ? (char *)data.data + (size_t)i * nbytes : "", nbytes),
                           (uint64_t)((int64_t *)label.data)[i], (uint64_t)((int64_t *)shard.data)[i],
                           (uint64_t)((int64_t *)sample.data)[i],
                           mill__hash_bytes(mill_batch_key(b, i), strlen(mill_batch_key(b, i)))};
    if (mill_batch_bytes(b, i, "json", &json, &n) == MILL_OK)
        numbers[5] = mill__hash_bytes(json, n);
    return mill__hash_bytes(numbers, sizeof numbers);
}

static inline const uint8_t *mask_of(const mill_batch *b)
{
    mill_tensor mask;
    ck_assert_int_eq(mill_batch_field(b, "mask", &mask, NULL), MILL_OK);
    return mask.data;
}

static inline const int64_t *numbers_of(const mill_batch *b, const char *name)
{
    mill_tensor t;
    ck_assert_int_eq(mill_batch_field(b, name, &t, NULL), MILL_OK);
    ck_assert_int_eq(t.n, mill_batch_size(b));
    return t.data;
}

static inline uint64_t batch_digest(const mill_batch *b)
{
    uint64_t h = mill__hash_bytes(mask_of(b), (size_t)mill_batch_size(b));
    for (int64_t i = -2; i < mill_batch_size(b); i++) {
        uint64_t pair[2] = {h, i == -2   ? (uint64_t)mill_batch_step(b)
                               : i == -1 ? (uint64_t)mill_batch_epoch(b)
                                         : row_digest(b, i)};
        h = mill__hash_bytes(pair, sizeof pair);
    }
    return h;
}

enum { MOST_STEPS = 4000 };

/* All that comes: the digest of each batch, 1 for the end of an epoch. */
typedef struct record {
    uint64_t digests[MOST_STEPS];
    char states[MOST_STEPS][MILL_STATE_NBYTES]; /* before each of them; filled on request */
    int n;
    int64_t rows;
    mill_status status; /* after the last */
    mill_error err;
} record;

static inline void take_all(mill_loader *l, record *r, int most, bool states)
{
    mill_batch *b;
    bool over = false;
    r->n = 0;
    r->rows = 0;
    for (;;) {
        ck_assert_int_lt(r->n, MOST_STEPS);
        if (states)
            ck_assert_int_eq(mill_loader_state(l, r->states[r->n], NULL), MILL_OK);
        r->status = r->n < most ? mill_loader_next(l, &b, &r->err) : MILL_OK;
        if (r->n == most || (r->status && r->status != MILL_END) || (r->status && over))
            return;
        over = r->status == MILL_END; /* twice: it was the last */
        r->digests[r->n++] = over ? 1 : batch_digest(b);
        if (!over) {
            r->rows += mill_batch_size(b);
            mill_batch_release(b);
        }
    }
}

static inline void take_whole(setup *s, record *r)
{
    mill_loader *l = open_loader(s);
    take_all(l, r, MOST_STEPS, false);
    close_loader(s, l);
}

static inline void expect_end(const record *r)
{
    ck_assert_msg(r->status == MILL_END, "%s: %s: %s", mill_status_name(r->status), r->err.kind,
                  r->err.message);
}

static inline void expect_same_tail(const record *whole, int from, const record *tail, const char *what)
{
    ck_assert_msg(whole->n - from == tail->n, "%s, from %d: %d steps, not %d", what, from, tail->n,
                  whole->n - from);
    for (int i = 0; i < tail->n; i++)
        ck_assert_msg(whole->digests[from + i] == tail->digests[i], "%s, from %d: step %d differs", what,
                      from, i);
}

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
