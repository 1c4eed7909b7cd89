/* SPDX-License-Identifier: Apache-2.0 */
/* Shuffling without an array: a permutation of every length, spread evenly, another one for another key. */
#include "base/permute.h"
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void expect_bijection(uint64_t n, uint64_t seed)
{
    mill__permutation p;
    unsigned char *seen = calloc(n + 1, 1);
    mill__permutation_init(&p, n, seed, 3, 7, 11);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t j = mill__permute(&p, i);
        if (j >= n || seen[j]++)
            ck_abort_msg("n %llu: %llu goes to %llu, which is outside or taken", (unsigned long long)n,
                         (unsigned long long)i, (unsigned long long)j);
    }
    free(seen);
}

START_TEST(every_length_is_a_bijection)
{
    for (uint64_t n = 0; n <= 3000; n++)
        expect_bijection(n, n * 31);
    static const uint64_t large[] = {4095, 4096, 4097, 65535, 65536, 65537, 262143, 262144, 262145, 1000003};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        expect_bijection(large[i], 5);
}
END_TEST

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Too long to be walked wholly: a sample of it stays within and never meets itself. */
START_TEST(huge_lengths_stay_within_and_never_meet)
{
    static const uint64_t lengths[] = {((uint64_t)1 << 32) - 1, ((uint64_t)1 << 32) + 1, (uint64_t)1 << 40,
                                       ((uint64_t)1 << 62) - 1, 3000000000000000001u};
    enum { N = 20000 };
    uint64_t *out = calloc(N, sizeof *out);
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        mill__permutation p;
        mill__permutation_init(&p, lengths[k], 1, 0, 1, 0);
        for (int half = 0; half < 2; half++) { /* from the beginning, and up to the end */
            for (uint64_t i = 0; i < N; i++) {
                out[i] = mill__permute(&p, half ? lengths[k] - 1 - i : i);
                ck_assert_uint_lt(out[i], lengths[k]);
            }
            qsort(out, N, sizeof *out, by_value);
            for (int i = 1; i < N; i++)
                if (out[i] == out[i - 1])
                    ck_abort_msg("two places of %llu meet", (unsigned long long)lengths[k]);
        }
    }
    free(out);
}
END_TEST

/* Chi-square of the 720 orders of six elements, and of where single elements go, over seeds. The bounds are
 * five standard deviations above the mean: chi-square with k degrees of freedom has mean k, variance 2k. */
static bool within(double chi, double degrees)
{
    double excess = chi - degrees;
    return excess < 0 || excess * excess < 25 * 2 * degrees;
}

static int rank_of(const mill__permutation *p, int n)
{
    int rank = 0;
    uint64_t v[8];
    for (int i = 0; i < n; i++)
        v[i] = mill__permute(p, (uint64_t)i);
    for (int i = 0; i < n; i++) {
        int smaller = 0;
        for (int j = i + 1; j < n; j++)
            smaller += v[j] < v[i];
        rank = rank * (n - i) + smaller;
    }
    return rank;
}

START_TEST(all_orders_of_six_are_about_equally_frequent)
{
    enum { TRIALS = 144000, CELLS = 720 };
    for (int what = 0; what < 4; what++) { /* what varies: seed, epoch, purpose, part */
        int counts[CELLS] = {0};
        for (uint64_t i = 0; i < TRIALS; i++) {
            mill__permutation p;
            mill__permutation_init(&p, 6, what == 0 ? i : 42, what == 1 ? i : 0, what == 2 ? (uint32_t)i : 1,
                                   what == 3 ? i : 0);
            counts[rank_of(&p, 6)]++;
        }
        double chi = 0, expected = (double)TRIALS / CELLS;
        for (int i = 0; i < CELLS; i++)
            chi += (counts[i] - expected) * (counts[i] - expected) / expected;
        ck_assert_msg(within(chi, CELLS - 1), "key part %d: chi-square %g for 719 degrees", what, chi);
    }
}
END_TEST

START_TEST(each_place_gets_each_element_about_equally_often)
{
    static const uint64_t lengths[] = {5, 16, 17, 33, 60};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        uint64_t n = lengths[k];
        int trials = (int)n * 400, *counts = calloc(n * n, sizeof *counts);
        for (int t = 0; t < trials; t++) {
            mill__permutation p;
            mill__permutation_init(&p, n, (uint64_t)t, 0, 1, 0);
            for (uint64_t i = 0; i < n; i++)
                counts[i * n + mill__permute(&p, i)]++;
        }
        double chi = 0, expected = (double)trials / (double)n;
        for (uint64_t i = 0; i < n * n; i++)
            chi += (counts[i] - expected) * (counts[i] - expected) / expected;
        double degrees = (double)((n - 1) * (n - 1));
        ck_assert_msg(within(chi, degrees), "n %d: chi-square %g for %g degrees", (int)n, chi, degrees);
        free(counts);
    }
}
END_TEST

static int fixed_points(uint64_t seed, uint64_t epoch, uint32_t purpose, uint64_t part)
{
    enum { N = 1000 };
    mill__permutation a, b;
    int same = 0;
    mill__permutation_init(&a, N, 9, 0, 1, 0);
    mill__permutation_init(&b, N, seed, epoch, purpose, part);
    for (uint64_t i = 0; i < N; i++)
        same += mill__permute(&a, i) == mill__permute(&b, i);
    return same;
}

/* Of two random permutations one element agrees on average; more than ten happens once in 10^8. */
START_TEST(every_part_of_the_key_matters)
{
    ck_assert_int_eq(fixed_points(9, 0, 1, 0), 1000);
    ck_assert_int_le(fixed_points(10, 0, 1, 0), 10);
    ck_assert_int_le(fixed_points(9 + ((uint64_t)1 << 32), 0, 1, 0), 10);
    ck_assert_int_le(fixed_points(9, 1, 1, 0), 10);
    ck_assert_int_le(fixed_points(9, (uint64_t)1 << 32, 1, 0), 10);
    ck_assert_int_le(fixed_points(9, 0, 2, 0), 10);
    ck_assert_int_le(fixed_points(9, 0, 1, 1), 10);
    ck_assert_int_le(fixed_points(9, 0, 1, (uint64_t)1 << 32), 10);
}
END_TEST

/* Written down so that an order that somebody resumes into can never change unseen. */
START_TEST(the_order_is_what_it_was)
{
    mill__permutation p;
    static const uint64_t few[] = {4, 0, 2, 3, 7, 1, 9, 6, 8, 5};
    static const uint64_t many[] = {16467,  35545,  19594,  478988, 745223,
                                    750780, 794178, 443794, 494018, 170267};
    mill__permutation_init(&p, 10, 42, 1, 0x73686172, 0);
    for (uint64_t i = 0; i < 10; i++)
        ck_assert_uint_eq(mill__permute(&p, i), few[i]);
    mill__permutation_init(&p, 1000000, 42, 1, 0x77696e64, 3);
    for (uint64_t i = 0; i < 10; i++)
        ck_assert_uint_eq(mill__permute(&p, i), many[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("permute");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, every_length_is_a_bijection);
    tcase_add_test(tc, huge_lengths_stay_within_and_never_meet);
    tcase_add_test(tc, all_orders_of_six_are_about_equally_frequent);
    tcase_add_test(tc, each_place_gets_each_element_about_equally_often);
    tcase_add_test(tc, every_part_of_the_key_matters);
    tcase_add_test(tc, the_order_is_what_it_was);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
