/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of mill_run() over shards that exist in no file (fake.h), with a transform that fails where it is
 * told to. Row r of shard s holds the number s * 1000000 + r. */
#ifndef TESTS_RUN_FIXTURE_H
#define TESTS_RUN_FIXTURE_H

#include "base/hash.h"
#include "fake.h"
#include "unit/folder_of_test.h"
#include <stdbool.h>

/* ---- the transform "check": passes on what it gets, unless bad() says no ---- */

typedef struct checker {
    int (*bad)(int shard, int row); /* NULL: all are good */
    int fail_start;
    void (*on_row)(int shard, int row); /* NULL: nothing */
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

static inline mill_status checker_start(const void *self, void **state, mill_error *err)
{
    const checker *c = self;
    *state = NULL;
    return c->fail_start ? mill_fail(err, MILL_LIMIT, "start", "start is made to fail") : MILL_OK;
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
        return mill_fail(err, MILL_BAD_DATA, "made up", "%d is bad", value);
    memcpy(out->data, in->data, (size_t)in->type.shape[0] * sizeof value);
    return MILL_OK;
}

static const mill_transform_ops checker_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                               .name = "check",
                                               .summary = "fails where it is told to",
                                               .plan = checker_plan,
                                               .start = checker_start,
                                               .run = checker_run};

/* ---- a run ---- */

typedef struct running {
    fake source;
    checker check;
    mill_options options;
    const char *spec, *pipeline;
    mill_stats stats;
    mill_error err;
} running;

static inline running run_of(int shards, int rows)
{
    static char spec[32];
    snprintf(spec, sizeof spec, "fake-{0..%d}", shards - 1);
    running r = {.source = {.rows = rows, .elements = 5, .fail_open = -1, .fail_read = -1, .shrink = -1},
                 .options = mill_options_default(),
                 .spec = spec,
                 .pipeline = "check | mul 3"};
    r.options.source = &fake_source;
    r.options.format = "npy";
    r.options.threads = 2;
    r.options.io = "threads";
    return r;
}

/* Run into folder/NAME. */
static inline mill_status run_into(running *r, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    r->options.source_user = r->options.source ? &r->source : NULL;
    mill_pipeline *p = mill_pipeline_new();
    mill_status status = mill_pipeline_register(p, &checker_ops, &r->check, &r->err);
    if (!status)
        status = mill_pipeline_parse(p, r->pipeline, &r->err);
    if (!status)
        status = mill_run(r->spec, p, path, &r->options, &r->stats, &r->err);
    mill_pipeline_free(p);
    return status;
}

static inline void expect_run(running *r, const char *name, mill_status expected)
{
    mill_status status = run_into(r, name);
    ck_assert_msg(status == expected, "%s: %s: %s", mill_status_name(status), r->err.kind, r->err.message);
}

/* ---- what a run left ---- */

/* Every file below folder/NAME with its checksum, sorted; free it. */
static inline char *listing(const char *name)
{
    struct dirent **entries;
    char *text = NULL, path[300];
    size_t nbytes;
    int n = scandir(path_of(name), &entries, NULL, alphasort);
    FILE *out = open_memstream(&text, &nbytes);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%.40s/%.250s", name, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            size_t size;
            char *data = content(path, &size);
            fprintf(out, "%s %zu %016llx\n", entries[i]->d_name, size,
                    (unsigned long long)mill__hash_bytes(data, size));
            free(data);
        }
        free(entries[i]);
    }
    free(entries);
    fclose(out);
    return text;
}

static inline void expect_same(const char *name, const char *other)
{
    char *a = listing(name), *b = listing(other);
    ck_assert_str_eq(a, b);
    free(a);
    free(b);
}

/* Every file of folder/NAME that bears a final name has the bytes that it has in folder/WHOLE. */
static inline void expect_no_half_file(const char *name, const char *whole)
{
    char *some = listing(name), *all = listing(whole), *rest = some;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        bool final = !strstr(line, ".partial ") && strncmp(line, "manifest.", 9) != 0;
        ck_assert_msg(!final || strstr(all, line), "%s is not what it ought to be:\n%s", line, all);
    }
    free(some);
    free(all);
}

static inline int count_in(const char *name, const char *part)
{
    int n = 0;
    char *files = listing(name);
    for (char *at = files; (at = strstr(at, part)); at++)
        n++;
    free(files);
    return n;
}

#endif
