/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices against the loop that defines them, bit for bit, at every level of instruction sets.
 * The memory is of the exact size, so that a sanitizer sees what is read or written beyond it. */
#include "kernel/gemm.h"
#include "pixel_fixture.h"

static const char *const levels[] = {"c", "x86-64-v3", "x86-64-v4", "x86-64-v4-vbmi"};
enum { NLEVELS = sizeof levels / sizeof *levels };

/* NULL: not on this machine. */
static const mill__gemm *level_gemm(int level)
{
    const mill__kernels *kernels = mill__kernels_get(levels[level]);
    if (!strcmp(kernels->level, levels[level]))
        return mill__gemm_get(kernels);
    printf("skip: this machine has no %s\n", levels[level]);
    return NULL;
}

static double random_number(void)
{
    return ((double)random_u32() - 0x1p31) * exp2((double)random_between(-40, -20));
}

static void *aligned(size_t nbytes)
{
    void *p = NULL;
    ck_assert_int_eq(posix_memalign(&p, 64, nbytes ? nbytes : 1), 0);
    return p;
}

/* (rows x depth, lines a_stride apart) times (depth x columns); lines of the result out_stride apart. */
typedef struct shape {
    size_t rows, depth, columns, a_stride, out_stride;
} shape;

static shape random_shape(void)
{
    shape s = {.rows = (size_t)random_between(1, random_one_in(3) ? 130 : 20),
               .depth = (size_t)random_between(1, random_one_in(4) ? 700 : 60),
               .columns = (size_t)random_between(1, 80)};
    s.a_stride = s.depth + (random_one_in(2) ? (size_t)random_between(1, 20) : 0);
    s.out_stride = s.columns + (random_one_in(2) ? (size_t)random_between(1, 20) : 0);
    return s;
}

static size_t extent(size_t rows, size_t stride, size_t width)
{
    return (rows - 1) * stride + width;
}

/* The definitions, and what the tests need to call them for floats and doubles alike. */
#define FOR_TYPE(T, id, fused)                                                                               \
    static void naive_##id(T *out, const T *a, const double *mean, const double *b, const shape *s)          \
    {                                                                                                        \
        for (size_t i = 0; i < s->rows; i++)                                                                 \
            for (size_t j = 0; j < s->columns; j++) {                                                        \
                T sum = 0;                                                                                   \
                for (size_t k = 0; k < s->depth; k++) {                                                      \
                    T x = a[i * s->a_stride + k];                                                            \
                    x = mean ? (T)((double)x - mean[k]) : x;                                                 \
                    sum = fused(x, (T)b[k * s->columns + j], sum);                                           \
                }                                                                                            \
                out[i * s->out_stride + j] = sum == sum ? sum : (T)NAN;                                      \
            }                                                                                                \
    }                                                                                                        \
    static T *packed_##id(const mill__gemm *gemm, const double *b, const shape *s)                           \
    {                                                                                                        \
        T *p = aligned(mill__gemm_packed_nbytes(gemm, sizeof(T), s->depth, s->columns));                     \
        mill__gemm_pack_##id(gemm, p, b, s->columns, 1, s->depth, s->columns);                               \
        return p;                                                                                            \
    }                                                                                                        \
    static void product_agrees_##id(const mill__gemm *gemm, const shape *s, bool centred, int special)       \
    {                                                                                                        \
        size_t na = extent(s->rows, s->a_stride, s->depth);                                                  \
        size_t nout = extent(s->rows, s->out_stride, s->columns);                                            \
        T *a = malloc(na * sizeof *a), *out = calloc(nout, sizeof *out), *want = calloc(nout, sizeof *want); \
        double *b = malloc(s->depth * s->columns * sizeof *b), *mean = malloc(s->depth * sizeof *mean);      \
        for (size_t i = 0; i < na; i++)                                                                      \
            a[i] = (T)random_number();                                                                       \
        for (size_t i = 0; i < s->depth * s->columns; i++)                                                   \
            b[i] = random_number();                                                                          \
        for (size_t k = 0; k < s->depth; k++)                                                                \
            mean[k] = random_number();                                                                       \
        for (int i = 0; i < special; i++)                                                                    \
            a[random_u32() % na] = (T)(i % 3 == 0 ? -NAN : i % 3 == 1 ? INFINITY : -INFINITY);               \
        T *panels = packed_##id(gemm, b, s);                                                                 \
        naive_##id(want, a, centred ? mean : NULL, b, s);                                                    \
        gemm->id(out, s->out_stride, a, s->a_stride, s->rows, centred ? mean : NULL, panels, s->depth,       \
                 s->columns);                                                                                \
        EXPECT_MSG(!memcmp(out, want, nout * sizeof *out), "%s %zu x %zu x %zu", #id, s->rows, s->depth,     \
                   s->columns);                                                                              \
        /* A row alone, and the rows in two calls. */                                                        \
        size_t row = random_u32() % s->rows;                                                                 \
        T *one = malloc(s->columns * sizeof *one);                                                           \
        gemm->id(one, s->columns, a + row * s->a_stride, s->a_stride, 1, centred ? mean : NULL, panels,      \
                 s->depth, s->columns);                                                                      \
        EXPECT(!memcmp(one, want + row * s->out_stride, s->columns * sizeof *one));                          \
        memset(out, 0, nout * sizeof *out);                                                                  \
        gemm->id(out, s->out_stride, a, s->a_stride, row, centred ? mean : NULL, panels, s->depth,           \
                 s->columns);                                                                                \
        gemm->id(out + row * s->out_stride, s->out_stride, a + row * s->a_stride, s->a_stride,               \
                 s->rows - row, centred ? mean : NULL, panels, s->depth, s->columns);                        \
        EXPECT(!memcmp(out, want, nout * sizeof *out));                                                      \
        free(a), free(out), free(want), free(b), free(mean), free(panels), free(one);                        \
    }                                                                                                        \
    static void naive_gram_##id(double *triangle, const T *x, size_t stride, size_t rows, size_t n)          \
    {                                                                                                        \
        for (size_t begin = 0; begin < rows; begin += MILL__GRAM_RUN) {                                      \
            size_t end = begin + MILL__GRAM_RUN < rows ? begin + MILL__GRAM_RUN : rows;                      \
            double *to = triangle;                                                                           \
            for (size_t i = 0; i < n; i++)                                                                   \
                for (size_t j = i; j < n; j++) {                                                             \
                    T sum = 0;                                                                               \
                    for (size_t r = begin; r < end; r++)                                                     \
                        sum = fused(x[r * stride + i], x[r * stride + j], sum);                              \
                    *to++ += (double)sum;                                                                    \
                }                                                                                            \
        }                                                                                                    \
    }                                                                                                        \
    static void gram_agrees_##id(const mill__gemm *gemm, size_t rows, size_t n, size_t stride)               \
    {                                                                                                        \
        size_t nx = extent(rows, stride, n), nt = n * (n + 1) / 2;                                           \
        T *x = malloc(nx * sizeof *x);                                                                       \
        double *got = malloc(nt * sizeof *got), *want = malloc(nt * sizeof *want);                           \
        double *twice = malloc(nt * sizeof *twice);                                                          \
        void *work = aligned(mill__gram_work_nbytes(gemm, sizeof(T), n));                                    \
        for (size_t i = 0; i < nx; i++)                                                                      \
            x[i] = (T)random_number();                                                                       \
        for (size_t i = 0; i < nt; i++)                                                                      \
            got[i] = want[i] = twice[i] = random_number();                                                   \
        naive_gram_##id(want, x, stride, rows, n);                                                           \
        gemm->gram_##id(got, false, x, stride, rows, n, work, NULL);                                         \
        EXPECT_MSG(!memcmp(got, want, nt * sizeof *got), "%s gram %zu x %zu", #id, rows, n);                 \
        size_t first = rows / 2 / MILL__GRAM_RUN * MILL__GRAM_RUN;                                           \
        gemm->gram_##id(twice, false, x, stride, first, n, work, NULL);                                      \
        gemm->gram_##id(twice, false, x + first * stride, stride, rows - first, n, work, NULL);              \
        EXPECT(!memcmp(twice, want, nt * sizeof *got));                                                      \
        gemm->gram_##id(got, true, x, stride, rows, n, work, NULL);                                          \
        memset(want, 0, nt * sizeof *want);                                                                  \
        naive_gram_##id(want, x, stride, rows, n);                                                           \
        EXPECT(!rows || !memcmp(got, want, nt * sizeof *got));                                               \
        free(x), free(got), free(want), free(twice), free(work);                                             \
    }
FOR_TYPE(float, f32, fmaf)
FOR_TYPE(double, f64, fma)

START_TEST(a_product_is_its_chain_of_fused_steps)
{
    const mill__gemm *gemm = level_gemm(_i);
    for (int round = 0; gemm && round < 150; round++) {
        shape s = random_shape();
        product_agrees_f32(gemm, &s, round % 2, 0);
        product_agrees_f64(gemm, &s, round % 2, 0);
    }
}
END_TEST

START_TEST(every_number_of_rows_and_columns_is_served)
{
    const mill__gemm *gemm = level_gemm(_i);
    for (size_t n = 1; gemm && n <= 70; n++) {
        shape rows = {n, 3, 5, 3, 5}, columns = {3, 5, n, 5, n}, depth = {2, n, 3, n, 3};
        product_agrees_f32(gemm, &rows, true, 0);
        product_agrees_f64(gemm, &rows, true, 0);
        product_agrees_f32(gemm, &columns, false, 0);
        product_agrees_f64(gemm, &columns, false, 0);
        product_agrees_f32(gemm, &depth, true, 0);
        product_agrees_f64(gemm, &depth, true, 0);
    }
}
END_TEST

START_TEST(what_is_not_finite_gives_the_same_bytes_too)
{
    const mill__gemm *gemm = level_gemm(_i);
    for (int round = 0; gemm && round < 100; round++) {
        shape s = random_shape();
        product_agrees_f32(gemm, &s, round % 2, 1 + round % 7);
        product_agrees_f64(gemm, &s, round % 2, 1 + round % 7);
    }
}
END_TEST

START_TEST(a_product_of_no_depth_is_zero)
{
    const mill__gemm *gemm = level_gemm(_i);
    float out[6] = {1, 2, 3, 4, 5, 6}, a[1] = {7}, *panels = aligned(64);
    const float zeros[6] = {0};
    if (gemm)
        gemm->f32(out, 3, a, 0, 2, NULL, panels, 0, 3);
    ck_assert(!gemm || !memcmp(out, zeros, sizeof out));
    free(panels);
}
END_TEST

START_TEST(a_turned_matrix_is_packed_alike)
{
    const mill__gemm *gemm = level_gemm(_i);
    if (!gemm)
        return;
    shape s = {.rows = 1, .depth = 37, .columns = 45};
    double b[37 * 45], turned[37 * 45];
    for (size_t k = 0; k < s.depth; k++)
        for (size_t j = 0; j < s.columns; j++)
            b[k * s.columns + j] = turned[j * s.depth + k] = random_number();
    size_t n32 = mill__gemm_packed_nbytes(gemm, 4, s.depth, s.columns);
    size_t n64 = mill__gemm_packed_nbytes(gemm, 8, s.depth, s.columns);
    float *p32 = packed_f32(gemm, b, &s), *q32 = aligned(n32);
    double *p64 = packed_f64(gemm, b, &s), *q64 = aligned(n64);
    mill__gemm_pack_f32(gemm, q32, turned, 1, s.depth, s.depth, s.columns);
    mill__gemm_pack_f64(gemm, q64, turned, 1, s.depth, s.depth, s.columns);
    EXPECT(!memcmp(p32, q32, n32));
    EXPECT(!memcmp(p64, q64, n64));
    free(p32), free(q32), free(p64), free(q64);
}
END_TEST

START_TEST(far_from_zero_the_mean_leaves_what_there_is)
{
    const mill__gemm *gemm = level_gemm(_i);
    if (!gemm)
        return;
    const double mean[2] = {1e6 + 0.03, 3e7 + 0.4}, b[2] = {1, 1};
    const float a[2] = {1e6f + 1.0f, 3e7f + 2.0f}; /* both exact */
    shape s = {1, 2, 1, 2, 1};
    float *panels = packed_f32(gemm, b, &s), out;
    gemm->f32(&out, 1, a, 2, 1, mean, panels, 2, 1);
    ck_assert_msg(fabs((double)out - (0.97 + 1.6)) < 1e-6, "%.9g", (double)out);
    free(panels);
}
END_TEST

START_TEST(a_gram_matrix_is_sums_over_runs_of_rows)
{
    const mill__gemm *gemm = level_gemm(_i);
    for (size_t n = 1; gemm && n <= 70; n++) {
        size_t rows = (size_t)random_between(1, n % 8 ? 40 : 900);
        size_t stride = n + (random_one_in(2) ? (size_t)random_between(1, 9) : 0);
        gram_agrees_f32(gemm, rows, n, stride);
        gram_agrees_f64(gemm, rows, n, stride);
    }
}
END_TEST

START_TEST(what_is_too_large_is_said)
{
    const mill__gemm *gemm = mill__gemm_get(mill__kernels_get(NULL));
    EXPECT(mill__gemm_packed_nbytes(gemm, 4, (size_t)1 << 31, (size_t)1 << 31) == SIZE_MAX);
    EXPECT(mill__gemm_packed_nbytes(gemm, 8, 1, SIZE_MAX) == SIZE_MAX);
    EXPECT(mill__gemm_packed_nbytes(gemm, 8, SIZE_MAX, 1) == SIZE_MAX);
    EXPECT(mill__gram_work_nbytes(gemm, 8, SIZE_MAX / 2) == SIZE_MAX);
    EXPECT(mill__gemm_packed_nbytes(gemm, 8, 0, 5) == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gemm");
    TCase *tests = tcase_create("gemm");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, a_product_is_its_chain_of_fused_steps, 0, NLEVELS);
    tcase_add_loop_test(tests, every_number_of_rows_and_columns_is_served, 0, NLEVELS);
    tcase_add_loop_test(tests, what_is_not_finite_gives_the_same_bytes_too, 0, NLEVELS);
    tcase_add_loop_test(tests, a_product_of_no_depth_is_zero, 0, NLEVELS);
    tcase_add_loop_test(tests, a_turned_matrix_is_packed_alike, 0, NLEVELS);
    tcase_add_loop_test(tests, far_from_zero_the_mean_leaves_what_there_is, 0, NLEVELS);
    tcase_add_loop_test(tests, a_gram_matrix_is_sums_over_runs_of_rows, 0, NLEVELS);
    tcase_add_test(tests, what_is_too_large_is_said);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
