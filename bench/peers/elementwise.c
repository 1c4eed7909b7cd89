/* SPDX-License-Identifier: Apache-2.0 */
/* bench/peers/elementwise.c: the loop that one would write oneself, from an array in memory to another of its
 * size, both touched before. Built by bench/elementwise.sh with all that a compiler can do: -O3 -ffast-math
 * -march=native -fopenmp (and glibc's vector sine).
 *
 *   elementwise sin|standardize MEGABYTES ROUNDS   gigabytes a second that go in, the median */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    double rates[99];
    if (argc != 4)
        return 2;
    size_t n = (size_t)atoi(argv[2]) * 1000000 / sizeof(float) / 64 * 64;
    int rounds = atoi(argv[3]), sine = !strcmp(argv[1], "sin");
    float *in = aligned_alloc(64, n * sizeof *in), *out = aligned_alloc(64, n * sizeof *out);
    if (!in || !out || rounds < 1 || rounds > 99)
        return 1;
    omp_set_num_threads(2);
#pragma omp parallel for
    for (size_t i = 0; i < n; i++) {
        in[i] = (float)(i % 1999) * 0.01f - 10;
        out[i] = 0;
    }
    for (int r = 0; r < rounds; r++) {
        double begin = omp_get_wtime();
        if (sine) {
#pragma omp parallel for simd
            for (size_t i = 0; i < n; i++)
                out[i] = sinf(in[i]);
        } else {
#pragma omp parallel for simd
            for (size_t i = 0; i < n; i++)
                out[i] = (in[i] - 0.5f) / 2.0f;
        }
        rates[r] = (double)n * sizeof *in / (omp_get_wtime() - begin) * 1e-9;
    }
    qsort(rates, (size_t)rounds, sizeof *rates, by_value);
    fprintf(stderr, "%g\n", out[n / 3]); /* it was wanted */
    printf("%.3f\n", rates[rounds / 2]);
    return 0;
}
