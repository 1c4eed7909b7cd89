/* SPDX-License-Identifier: Apache-2.0 */
/* A loader beside a host's own BLAS and OpenMP, on all cores and between its calls. Every test forks, so
 * neither is touched before. */
#include "unit/loader_fixture.h"
#include <cblas.h>
#include <omp.h>

enum { N = 96 };

/* A product whose sums are exact in float, so that any way to share it out gives the same. */
static void expect_sgemm(int seed)
{
    static float a[N * N], b[N * N], c[N * N];
    for (int i = 0; i < N * N; i++) {
        a[i] = (float)((i * 7 + seed) % 5);
        b[i] = (float)((i * 3 + seed) % 4);
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, a, N, b, N, 0, c, N);
    for (int i = 0; i < N; i += 31)
        for (int j = 0; j < N; j += 29) {
            float sum = 0;
            for (int k = 0; k < N; k++)
                sum += a[i * N + k] * b[k * N + j];
            ck_assert_msg(sum == c[i * N + j], "c[%d][%d] is %g instead of %g", i, j, (double)c[i * N + j],
                          (double)sum);
        }
}

static int64_t sum_of(const mill_batch *b)
{
    mill_tensor t;
    int64_t sum = 0;
    mill_batch_field(b, "data", &t, NULL);
    const int32_t *x = t.data;
#pragma omp parallel for reduction(+ : sum)
    for (int64_t i = 0; i < t.n; i++)
        sum += x[5 * i];
    return sum;
}

START_TEST(blas_and_regions_between_the_calls)
{
    for (int e = 0; e < 2; e++) {
        setup s = setup_of(10, 40);
        s.o.run.executor = e ? "loop" : "tasks";
        s.o.run.threads = 2;
        s.o.shuffle = MILL_SHUFFLE_WINDOW;
        int threads = omp_get_max_threads(), blas = openblas_get_num_threads(), step = 0;
        expect_sgemm(0);
        mill_loader *l = open_loader(&s);
        mill_batch *b;
        int64_t sum = 0, expected = 0;
        while (mill_loader_next(l, &b, &s.err) == MILL_OK) {
            expect_sgemm(++step);
            sum += sum_of(b);
            mill_batch_release(b);
            ck_assert_int_eq(omp_get_max_threads(), threads);
            ck_assert_int_eq(openblas_get_num_threads(), blas);
        }
        ck_assert_int_eq(step, 50);
        for (int shard = 0; shard < 10; shard++)
            for (int row = 0; row < 40; row++)
                expected += shard * 1000000 + row;
        ck_assert_int_eq(sum, expected);
        close_loader(&s, l);
        expect_sgemm(step);
        ck_assert_int_eq(openblas_get_num_threads(), blas);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loader_host");
    TCase *tc = tcase_create("host");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, blas_and_regions_between_the_calls);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
