/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of the pixel kernels against loops written here, over random input with every kind of tail. */
#include "pixel_fixture.h"

static const char *const levels[] = {"c", "x86-64-v3", "x86-64-v4", "x86-64-v4-vbmi"};
enum { NLEVELS = sizeof levels / sizeof *levels, GUARD = 64 };

/* A level that this machine lacks answers with a lower one. */
static bool is_here(const char *level)
{
    bool here = !strcmp(mill__kernels_get(level)->level, level);
    if (!here)
        printf("skip: this machine has no %s\n", level);
    return here;
}

static void random_bytes(void *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)data)[i] = (uint8_t)random_u32();
}

/* A weight as resizing has them, now and then as large as they come. */
static int32_t random_weight(size_t taps)
{
    int32_t most = (2 << MILL__RESAMPLE_BITS) / (int32_t)taps;
    return random_one_in(8) ? 0 : (int32_t)random_between(-most / 4, most - 1);
}

static void put_weight(int16_t *weights, size_t t, int32_t w)
{
    weights[t / 4 * 8 + t % 4] = (int16_t)(w & 2047);
    weights[t / 4 * 8 + 4 + t % 4] = (int16_t)((w - (w & 2047)) / 2048);
}

static uint8_t clip(int64_t sum)
{
    int64_t v = (sum + (1 << (MILL__RESAMPLE_BITS - 1))) >> MILL__RESAMPLE_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

START_TEST(a_weight_is_its_two_parts)
{
    int16_t weights[8];
    for (int i = 0; i < 100000; i++) {
        int32_t w = random_weight(1);
        put_weight(weights, (size_t)i % 4, w);
        EXPECT(mill__weight(weights, (size_t)i % 4) == w);
    }
}
END_TEST

/* ---- horizontal ---- */

typedef struct across {
    size_t n, taps, nin;
    int c;
    int32_t *bounds, *weights;
    int16_t *split;
} across;

static across across_random(void)
{
    across a = {.n = (size_t)random_between(1, 70), .c = random_one_in(2) ? 3 : 1};
    size_t longest = (size_t)random_between(1, random_one_in(4) ? 40 : 6);
    a.taps = (longest + 3) / 4 * 4;
    a.nin = (size_t)random_between((int64_t)longest, (int64_t)longest + 90);
    a.bounds = calloc(2 * a.n, sizeof *a.bounds);
    a.weights = calloc(a.n * a.taps, sizeof *a.weights);
    a.split = calloc(2 * a.n * a.taps, sizeof *a.split);
    for (size_t i = 0; i < a.n; i++) {
        size_t count = (size_t)random_between(1, (int64_t)longest);
        a.bounds[2 * i] = (int32_t)random_between(0, (int64_t)(a.nin - count));
        a.bounds[2 * i + 1] = (int32_t)count;
        for (size_t t = 0; t < count; t++) {
            a.weights[i * a.taps + t] = random_weight(count);
            put_weight(a.split + 2 * i * a.taps, t, a.weights[i * a.taps + t]);
        }
    }
    return a;
}

static uint8_t across_pixel(const across *a, const uint8_t *in, size_t i, int c)
{
    int64_t sum = 0;
    for (int32_t t = 0; t < a->bounds[2 * i + 1]; t++)
        sum += (int64_t)in[(a->bounds[2 * i] + t) * a->c + c] * a->weights[i * a->taps + (size_t)t];
    return clip(sum);
}

START_TEST(rows_are_weighted_sums)
{
    if (!is_here(levels[_i]))
        return;
    const mill__kernels *k = mill__kernels_get(levels[_i]);
    for (int round = 0; round < 3000; round++) {
        across a = across_random();
        size_t nrows = (size_t)random_between(1, MILL__RESAMPLE_ROWS);
        uint8_t *out[MILL__RESAMPLE_ROWS], *in[MILL__RESAMPLE_ROWS];
        for (size_t y = 0; y < nrows; y++) {
            size_t nbytes = a.nin * (size_t)a.c + MILL__RESAMPLE_SLACK;
            in[y] = malloc(nbytes); /* exact: a sanitizer sees what is read behind it */
            random_bytes(in[y], nbytes);
            out[y] = malloc(a.n * (size_t)a.c + MILL__RESAMPLE_SLACK);
        }
        k->resample_rows(out, (const uint8_t *const *)in, nrows, a.n, a.c, a.bounds, a.split, a.taps);
        for (size_t y = 0; y < nrows; y++) {
            for (size_t i = 0; i < a.n; i++)
                for (int c = 0; c < a.c; c++)
                    EXPECT_MSG(out[y][i * (size_t)a.c + (size_t)c] == across_pixel(&a, in[y], i, c),
                               "row %zu pixel %zu of %zu, %zu taps", y, i, a.n, a.taps);
            free(in[y]);
            free(out[y]);
        }
        free(a.bounds);
        free(a.weights);
        free(a.split);
    }
}
END_TEST

/* ---- vertical ---- */

START_TEST(columns_are_weighted_sums)
{
    if (!is_here(levels[_i]))
        return;
    const mill__kernels *k = mill__kernels_get(levels[_i]);
    for (int round = 0; round < 2000; round++) {
        size_t n = (size_t)random_between(1, 300), taps = (size_t)random_between(1, 19);
        size_t room = (n + MILL__RESAMPLE_STRIP - 1) / MILL__RESAMPLE_STRIP * MILL__RESAMPLE_STRIP;
        uint8_t *rows[20], *out = malloc(room);
        int32_t weights[20];
        int16_t split[48] = {0};
        for (size_t t = 0; t < taps; t++) {
            rows[t] = malloc(room);
            random_bytes(rows[t], room);
            weights[t] = random_weight(taps);
            put_weight(split, t, weights[t]);
        }
        k->resample_column(out, (const uint8_t *const *)rows, n, split, taps);
        for (size_t i = 0; i < n; i++) {
            int64_t sum = 0;
            for (size_t t = 0; t < taps; t++)
                sum += (int64_t)rows[t][i] * weights[t];
            EXPECT_MSG(out[i] == clip(sum), "byte %zu of %zu, %zu taps", i, n, taps);
        }
        for (size_t t = 0; t < taps; t++)
            free(rows[t]);
        free(out);
    }
}
END_TEST

/* ---- store ---- */

typedef struct store_case {
    size_t n, entry, plane;
    int c, reverse, planar;
    uint8_t *in, *table, *out, *wanted;
    size_t nbytes;
} store_case;

static store_case store_random(void)
{
    static const size_t entries[] = {1, 2, 4, 8};
    store_case s = {.n = (size_t)random_between(0, 200),
                    .entry = entries[random_between(0, 3)],
                    .c = random_one_in(2) ? 3 : 1,
                    .reverse = random_one_in(2),
                    .planar = random_one_in(2)};
    bool plain = random_one_in(4);
    s.entry = plain ? 1 : s.entry;
    s.plane = s.n + (size_t)random_between(0, 50);
    s.nbytes = (s.planar ? s.plane * (size_t)s.c : s.n * (size_t)s.c) * s.entry;
    s.in = malloc(s.n * (size_t)s.c + 1);
    s.table = plain ? NULL : malloc(256 * s.entry * (size_t)s.c);
    s.out = malloc(s.nbytes + GUARD);
    s.wanted = malloc(s.nbytes + GUARD);
    random_bytes(s.in, s.n * (size_t)s.c);
    random_bytes(s.out, s.nbytes + GUARD);
    memcpy(s.wanted, s.out, s.nbytes + GUARD);
    if (s.table)
        random_bytes(s.table, 256 * s.entry * (size_t)s.c);
    return s;
}

static void store_naive(const store_case *s)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t c = 0; c < (size_t)s->c; c++) {
            uint8_t v = s->in[(s->reverse ? s->n - 1 - i : i) * (size_t)s->c + c];
            size_t at = s->planar ? c * s->plane + i : i * (size_t)s->c + c;
            const uint8_t *entry = s->table ? s->table + (c * 256 + v) * s->entry : &v;
            memcpy(s->wanted + at * s->entry, entry, s->entry);
        }
}

START_TEST(stores_put_each_entry_in_its_place)
{
    if (!is_here(levels[_i]))
        return;
    const mill__kernels *k = mill__kernels_get(levels[_i]);
    for (int round = 0; round < 5000; round++) {
        store_case s = store_random();
        mill__store_table table;
        store_naive(&s);
        k->store_prepare(&table, s.table, s.c, s.entry);
        if (s.planar)
            k->store_chw(s.out, s.plane, s.in, s.n, s.c, &table, s.reverse);
        else
            k->store_hwc(s.out, s.in, s.n, s.c, &table, s.reverse);
        EXPECT_MSG(!memcmp(s.out, s.wanted, s.nbytes + GUARD), "n %zu c %d entry %zu planar %d reverse %d",
                   s.n, s.c, s.entry, s.planar, s.reverse);
        free(s.in);
        free(s.table);
        free(s.out);
        free(s.wanted);
    }
}
END_TEST

/* ---- the choice of a level ---- */

START_TEST(a_cap_is_kept)
{
    ck_assert_str_eq(mill__kernels_get("c")->level, "c");
    ck_assert_ptr_eq(mill__kernels_get("no such level"), mill__kernels_get(NULL));
    const char *v3 = mill__kernels_get("x86-64-v3")->level;
    ck_assert(!strcmp(v3, "c") || !strcmp(v3, "x86-64-v3"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels");
    TCase *tests = tcase_create("kernels");
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, a_weight_is_its_two_parts);
    tcase_add_loop_test(tests, rows_are_weighted_sums, 0, NLEVELS);
    tcase_add_loop_test(tests, columns_are_weighted_sums, 0, NLEVELS);
    tcase_add_loop_test(tests, stores_put_each_entry_in_its_place, 0, NLEVELS);
    tcase_add_test(tests, a_cap_is_kept);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
