/* SPDX-License-Identifier: Apache-2.0 */
/* rows_fixture.h: shards of rows: what the loader takes out (locate, at) is what a walk gives (next), however
 * it is cut; shards cut off at every byte and names of formats that say nonsense are refused. */
#ifndef ROWS_FIXTURE_H
#define ROWS_FIXTURE_H

#include "format_fixture.h"

enum { ROOMY = 1 << 24 };

static inline shard rows_of(const char *format, const void *data, size_t nbytes)
{
    return (shard){format, data, nbytes, ROOMY, NULL, 0, -1};
}

static inline void note_row(walked *w, const mill__format_ops *format, void *walker, mill__extent extent,
                            int64_t ordinal)
{
    uint8_t *bytes = malloc((size_t)extent.nbytes);
    memcpy(bytes, w->data + extent.offset, (size_t)extent.nbytes);
    const mill__window window = {bytes, (size_t)extent.nbytes, extent.offset, false};
    mill__sample sample;
    ck_assert_int_eq(format->at(walker, &window, ordinal, &sample, NULL), MILL_OK);
    note_sample(w, &sample, &window);
    free(bytes);
}

/* The rows in backward order, each by its extent; then both logs, line by line. */
static inline void assert_at_is_next(const shard *in)
{
    walked whole = walk_shard(in, (cuts){0});
    ck_assert_int_eq(whole.status, MILL_END);
    walked w = {.data = in->data, .nbytes = in->nbytes, .covered = calloc(1, in->nbytes + 1)};
    const mill_shard_info info = {.nbytes = in->nbytes};
    mill__format_ops format;
    mill__extents e;
    void *walker;
    ck_assert_int_eq(mill__format_parse(in->format, &format, NULL), MILL_OK);
    ck_assert_int_eq(format.open(&format, &walker, &info, -1, in->max_sample_nbytes, NULL), MILL_OK);
    size_t n = in->nbytes < 65536 ? in->nbytes : 65536;
    const mill__window head = {in->data, n, 0, n == in->nbytes};
    ck_assert_int_eq(format.locate(&format, &info, &head, &e, NULL), MILL_OK);
    ck_assert_int_eq((int64_t)e.n, whole.nsamples);
    ck_assert_ptr_null(e.extents);
    uint64_t stride = e.stride_nbytes ? e.stride_nbytes : e.row_nbytes;
    for (size_t i = e.n; i-- > 0;) {
        w.log.nbytes = 0;
        note_row(&w, &format, walker, (mill__extent){e.first + i * stride, e.row_nbytes}, (int64_t)i);
        HOLDS(strstr(text_of(&whole.log), text_of(&w.log)), "row %zu: %s", i, text_of(&w.log));
    }
    format.close(walker);
    end_walk(&w);
    end_walk(&whole);
}

static inline void assert_good(const shard *in, const char *expected)
{
    assert_walk(in, expected);
    assert_all_cuts_are_same(in);
    assert_at_is_next(in);
}

static inline mill_type type_of(const char *format, const void *data, size_t nbytes)
{
    mill__format_ops ops;
    mill_type type = {0};
    const mill__window head = {data, nbytes, 0, true};
    ck_assert_int_eq(mill__format_parse(format, &ops, NULL), MILL_OK);
    ck_assert_int_eq(ops.peek(&ops, &(mill_shard_info){0}, &head, &type, NULL), MILL_OK);
    return type;
}

/* Each shorter shard is refused with this kind, cut or not; `good` bytes more or less are fine. */
static inline void assert_cut_off(const char *format, const void *data, size_t nbytes, const char *expected)
{
    for (size_t n = 0; n < nbytes; n++) {
        uint8_t *bytes = malloc(n + 1);
        memcpy(bytes, data, n);
        const shard in = rows_of(format, bytes, n);
        assert_walk(&in, expected);
        walked whole = walk_shard(&in, (cuts){0});
        assert_cut_is_same(&in, (cuts){.block = 1}, &whole);
        end_walk(&whole);
        free(bytes);
    }
}

static inline void assert_no_format(const char *text, const char *reason)
{
    mill__format_ops format;
    mill_error err;
    ck_assert_int_eq(mill__format_parse(text, &format, &err), MILL_USAGE);
    HOLDS(strstr(err.message, reason), "%s: \"%s\" does not say \"%s\"", text, err.message, reason);
}

static inline int run_suite(const char *name, const TTest *const *tests, int n)
{
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create("shards");
    tcase_set_timeout(tc, 120);
    for (int i = 0; i < n; i++)
        tcase_add_test(tc, tests[i]);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
#define RUN_SUITE(name, ...)                                                                                 \
    int main(void)                                                                                           \
    {                                                                                                        \
        const TTest *const tests[] = {__VA_ARGS__};                                                          \
        return run_suite(name, tests, sizeof tests / sizeof *tests);                                         \
    }

#endif
