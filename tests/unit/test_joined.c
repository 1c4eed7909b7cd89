/* SPDX-License-Identifier: Apache-2.0 */
/* test_joined.c: windows across token shards, beside windows on all tokens in one row: what is in each shard,
 * to the byte, for random lengths, strides and broken shards; then the loader's, for all ranks. */
#include "api/options.h"
#include "base/error.h"
#include "engine/joined.h"
#include "token_fixture.h"
#include <pthread.h>

/* ---- one shard ---- */

typedef struct seen {
    uint32_t first[4000]; /* the first token of each window of the data set */
    int n, lost, trailing;
} seen;

static void take_issue(void *self, const mill_issue *issue)
{
    ck_assert_str_eq(issue->kind, "trailing");
    ((seen *)self)->trailing += (int)issue->nbytes;
}

/* All bytes that the shard shows, in pieces that do not fit its tokens. */
static uint8_t *read_whole(void *handle, uint64_t nbytes)
{
    uint8_t *bytes = malloc(nbytes + 1);
    for (uint64_t at = 0, n; at < nbytes; at += n) {
        size_t got;
        n = nbytes - at < 7 ? nbytes - at : 7;
        ck_assert_int_eq(mill__joined_ops.read(handle, at, bytes + at, n, &got, NULL), MILL_OK);
        ck_assert_uint_eq(got, n);
    }
    size_t got = 1;
    ck_assert_int_eq(mill__joined_ops.read(handle, nbytes, bytes, 1, &got, NULL), MILL_OK);
    ck_assert_uint_eq(got, 0);
    return bytes;
}

static void walk(const text *t, const mill__format_ops *format, const mill_shard_info *info,
                 const uint8_t *bytes, seen *out, mill_error *why)
{
    void *walker;
    const mill__report report = {.issue = take_issue, .self = out};
    ck_assert_int_eq(format->open(format, &walker, info, -1, 1 << 20, NULL), MILL_OK);
    mill__window window = {.data = bytes, .nbytes = info->nbytes, .last = true};
    mill__sample sample;
    mill__extents extents = {0};
    mill_status located = format->locate(format, info, &window, &extents, NULL);
    for (size_t i = 0;; i++) {
        size_t used = 0, need = 0;
        mill_status status = format->next(walker, &window, &report, &sample, &used, &need, why);
        if (status) {
            ck_assert_uint_eq(i, extents.n);
            ck_assert_int_eq(located, status == MILL_END ? MILL_OK : status);
            out->lost += status != MILL_END;
            break;
        }
        ck_assert_uint_eq(sample.offset, extents.first + i * extents.stride_nbytes);
        uint32_t first = token_at(t, sample.fields[0].data, 0);
        for (size_t k = 0; k < sample.fields[0].nbytes / t->token; k++)
            ck_assert_uint_eq(token_at(t, sample.fields[0].data, k), first + k);
        out->first[out->n++] = first;
        window = (mill__window){window.data + used, window.nbytes - used, window.offset + used, true};
    }
    format->close(walker);
}

/* ---- a data set ---- */

typedef struct set {
    text text;
    mill__shard_name names[MOST_SHARDS];
    char locators[MOST_SHARDS][16];
    mill__format_ops format;
    mill__joined *joined;
} set;

static void open_set(set *s, const char *format)
{
    mill_error err;
    for (int i = 0; i < s->text.n; i++) {
        snprintf(s->locators[i], sizeof s->locators[i], "t-%d", i);
        s->names[i] = (mill__shard_name){.locator = s->locators[i], .class_index = -1};
    }
    ck_assert_msg(!mill__format_parse(format, &s->format, &err), "%s", err.message);
    const mill__joined_config config = {.shards = s->names,
                                        .nshards = (size_t)s->text.n,
                                        .source = &text_source,
                                        .source_user = &s->text,
                                        .format = &s->format};
    ck_assert_int_eq(mill__joined_new(&s->joined, &config, &err), MILL_OK);
}

static void close_set(set *s)
{
    mill__joined_free(s->joined);
    s->joined = NULL;
    ck_assert_int_eq(atomic_load(&s->text.open), 0);
}

static mill_status take_shard(set *s, size_t i, seen *out, mill_error *err)
{
    void *handle;
    mill_shard_info info;
    const mill__format_ops *format;
    mill_status status = mill__joined_open(s->joined, i, &handle, &info, &format, err);
    if (status)
        return status;
    uint8_t *bytes = read_whole(handle, info.nbytes);
    walk(&s->text, format, &info, bytes, out, err);
    free(bytes);
    mill__joined_ops.close(handle);
    return MILL_OK;
}

/* ---- all tokens in one row ---- */

/* Stretches of shards that can be read; windows begin anew in each. Of shard i: the windows that begin in it,
 * and whether others that do cannot be had. */
static void expect_shard(const text *t, int i, uint32_t window, uint32_t stride, seen *out)
{
    int from = i, to = i + 1;
    while (from && !t->closed[from - 1] && t->other[from - 1] == t->other[i])
        from--;
    while (to < t->n && !t->closed[to] && t->other[to] == t->other[i])
        to++;
    uint32_t base = text_begin(t, from), end = text_begin(t, to), mine = text_begin(t, i);
    uint32_t used = base;
    out->lost = 0;
    for (uint32_t at = base; at < mine + t->lengths[i]; at += stride) {
        bool whole = at + window <= end;
        if (whole)
            used = at + window;
        if (at >= mine && whole)
            out->first[out->n++] = at;
        else if (at >= mine && to < t->n)
            out->lost = 1;
    }
    uint32_t rest = used < mine ? mine : used;
    bool any = rest < mine + t->lengths[i] && !out->lost;
    out->trailing = any ? (int)((mine + t->lengths[i] - rest) * t->token) : 0;
}

static uint32_t draw(uint32_t below)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (uint32_t)(state % below);
}

static void make_text(text *t)
{
    *t = (text){.n = 1 + (int)draw(12), .token = draw(2) ? 2 : 4, .headers = draw(2), .changes = -1};
    uint32_t most = draw(3) ? 30 : 4;
    bool broken = !draw(3);
    for (int i = 0; i < t->n; i++) {
        t->lengths[i] = draw(4) ? draw(most + 1) : 0;
        t->closed[i] = broken && !draw(5);
        t->other[i] = false;
    }
}

START_TEST(each_shard_is_its_windows)
{
    static set s;
    static seen got, want;
    int lost = 0, trailing = 0, windows = 0;
    for (int trial = 0; trial < 1500; trial++) {
        char format[80];
        make_text(&s.text);
        uint32_t window = 2 + draw(12), stride = 1 + draw(window);
        snprintf(format, sizeof format, "tokens:T=%u:stride=%u:dtype=%s", window - 1, stride,
                 s.text.token == 2 ? "u16" : "u32");
        open_set(&s, format);
        size_t begin = draw((uint32_t)s.text.n), n = (size_t)s.text.n;
        for (size_t k = 0; k < n; k++) { /* from anywhere on, as a loader might */
            size_t i = (begin + k) % n;
            mill_error err;
            got.n = got.lost = got.trailing = want.n = 0;
            mill_status status = take_shard(&s, i, &got, &err);
            ck_assert_int_eq(status, s.text.closed[i] ? MILL_IO : MILL_OK);
            if (status)
                continue;
            expect_shard(&s.text, (int)i, window, stride, &want);
            ck_assert_msg(got.n == want.n && got.lost == want.lost && got.trailing == want.trailing &&
                              !memcmp(got.first, want.first, (size_t)want.n * sizeof *want.first),
                          "trial %d, shard %zu: %d windows, %d lost, %d trailing; expected %d, %d, %d", trial,
                          i, got.n, got.lost, got.trailing, want.n, want.lost, want.trailing);
            lost += want.lost;
            trailing += want.trailing > 0;
            windows += want.n;
        }
        close_set(&s);
    }
    ck_assert_int_gt(lost, 50);
    ck_assert_int_gt(trailing, 100);
    ck_assert_int_gt(windows, 10000);
}
END_TEST

START_TEST(errors_name_both_shards)
{
    static set s;
    static seen got;
    mill_error err;
    s.text = (text){.n = 3, .lengths = {10, 10, 10}, .token = 2, .headers = true, .changes = -1};
    s.text.closed[1] = true;
    open_set(&s, "tokens:T=4:stride=2");
    ck_assert_int_eq(take_shard(&s, 0, &got, &err), MILL_OK);
    ck_assert_str_eq(err.kind, "next");
    ck_assert_str_eq(err.message, "2 of its windows reach into \"t-1\": t-1 is closed");
    ck_assert_uint_eq(err.offset, 1024 + 6 * 2); /* the first of them */
    close_set(&s);
    s.text.closed[1] = false;
    s.text.other[1] = true;
    open_set(&s, "tokens:T=4:stride=2");
    ck_assert_int_eq(take_shard(&s, 0, &got, &err), MILL_OK);
    ck_assert_str_eq(err.message,
                     "2 of its windows reach into \"t-1\", whose elements are u32 instead of u16");
    close_set(&s);
    s.text.other[1] = false;
    s.text.changes = 1;
    memset(s.text.opens, 0, sizeof s.text.opens);
    open_set(&s, "tokens:T=4:stride=2");
    void *handle;
    mill_shard_info info;
    const mill__format_ops *format;
    uint8_t bytes[64];
    size_t read;
    ck_assert_int_eq(mill__joined_open(s.joined, 0, &handle, &info, &format, &err), MILL_OK);
    ck_assert_uint_eq(info.nbytes, 1024 + 13 * 2);
    ck_assert_int_eq(mill__joined_ops.read(handle, 1024, bytes, 20, &read, &err), MILL_OK);
    ck_assert_int_eq(mill__joined_ops.read(handle, 1024, bytes, 22, &read, &err), MILL_BAD_DATA);
    ck_assert_str_eq(err.kind, "next");
    ck_assert_ptr_nonnull(strstr(err.message, "\"t-1\": the shard has changed"));
    mill__joined_ops.close(handle);
    close_set(&s);
}
END_TEST

/* Want of descriptors is not the data's fault: what could not be counted is counted later. */
START_TEST(a_shortage_passes)
{
    static set s;
    static seen got;
    mill_error err;
    s.text = (text){.n = 3, .lengths = {3, 4, 5}, .token = 2, .changes = -1, .short_of = {1}};
    open_set(&s, "tokens:T=4:dtype=u16");
    got.n = 0;
    ck_assert_int_eq(take_shard(&s, 2, &got, &err), MILL_IO);
    ck_assert_int_eq(err.os_error, 24);
    ck_assert_ptr_nonnull(strstr(err.message, "t-0"));
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(take_shard(&s, i, &got, &err), MILL_OK);
    ck_assert_int_eq(got.n, 2);
    close_set(&s);
}
END_TEST

static int64_t checksum_of(set *s, const char *format)
{
    void *handle;
    mill_shard_info info;
    const mill__format_ops *own;
    open_set(s, format);
    ck_assert_int_eq(mill__joined_open(s->joined, 1, &handle, &info, &own, NULL), MILL_OK);
    mill__joined_ops.close(handle);
    close_set(s);
    return info.mtime_ns;
}

/* What the manifest believes: another value when, and only when, the samples may be others. */
START_TEST(the_checksum_tells_what_a_shard_depends_on)
{
    static set s;
    const char *format = "tokens:T=4:dtype=u16";
    s.text = (text){.n = 4, .lengths = {10, 10, 10, 10}, .token = 2, .changes = -1};
    int64_t whole = checksum_of(&s, format);
    ck_assert_int_gt(whole, 0);
    ck_assert_int_eq(checksum_of(&s, format), whole);
    s.text.lengths[0] = 14; /* windows begin where they did */
    ck_assert_int_eq(checksum_of(&s, format), whole);
    s.text.lengths[0] = 11;
    ck_assert_int_ne(checksum_of(&s, format), whole);
    s.text.lengths[0] = 10;
    s.text.lengths[2] = 11; /* it reaches into that one */
    ck_assert_int_ne(checksum_of(&s, format), whole);
    s.text.lengths[2] = 10;
    s.text.lengths[3] = 11; /* not into that one */
    ck_assert_int_eq(checksum_of(&s, format), whole);
    s.text.closed[2] = true;
    ck_assert_int_ne(checksum_of(&s, format), whole);
}
END_TEST

/* Threads that want any shard, all at once. */
static void *open_all(void *arg)
{
    set *s = arg;
    static _Thread_local seen got;
    mill_error err;
    for (size_t k = 0; k < (size_t)s->text.n; k++)
        ck_assert_int_eq(take_shard(s, (size_t)s->text.n - 1 - k, &got, &err), MILL_OK);
    return (void *)(intptr_t)got.n;
}

START_TEST(threads_count_together)
{
    static set s;
    pthread_t threads[8];
    s.text = (text){.n = MOST_SHARDS, .token = 4, .headers = true, .changes = -1};
    for (int i = 0; i < MOST_SHARDS; i++)
        s.text.lengths[i] = (uint32_t)(i * 7 % 23);
    open_set(&s, "tokens:T=6:stride=5");
    uint32_t all = text_begin(&s.text, MOST_SHARDS);
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, open_all, &s);
    for (int i = 0; i < 8; i++) {
        void *n;
        pthread_join(threads[i], &n);
        ck_assert_int_eq((intptr_t)n, (all - 7) / 5 + 1);
    }
    close_set(&s);
}
END_TEST

START_TEST(only_where_it_is_asked_for)
{
    mill__format_ops format;
    mill__joined *j = (mill__joined *)&format;
    mill__joined_config config = {.format = &format};
    ck_assert_int_eq(mill__format_parse("tokens:T=4:within=shard", &format, NULL), MILL_OK);
    ck_assert_int_eq(mill__joined_new(&j, &config, NULL), MILL_OK);
    ck_assert_ptr_null(j);
    ck_assert_int_eq(mill__format_parse("npy", &format, NULL), MILL_OK);
    ck_assert_int_eq(mill__joined_new(&j, &config, NULL), MILL_OK);
    ck_assert_ptr_null(j);
    config.format = NULL;
    ck_assert_int_eq(mill__joined_new(&j, &config, NULL), MILL_OK);
    ck_assert_ptr_null(j);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("joined");
    TCase *tc = tcase_create("shards");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, each_shard_is_its_windows);
    tcase_add_test(tc, errors_name_both_shards);
    tcase_add_test(tc, a_shortage_passes);
    tcase_add_test(tc, the_checksum_tells_what_a_shard_depends_on);
    tcase_add_test(tc, threads_count_together);
    tcase_add_test(tc, only_where_it_is_asked_for);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
