/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as JSON text: the shortest %.15g, %.16g or %.17g that reads back. */
#include "base/json_read.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANDOM = 60000 };

static void reference(char *text, size_t nbytes, double x)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, nbytes, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            return;
    }
}

static void check_number(double x)
{
    char wanted[40];
    mill__buffer text = {0};
    reference(wanted, sizeof wanted, x);
    ck_assert_int_eq(mill__json_append_number(&text, x), 0);
    ck_assert_int_eq(mill__buffer_append(&text, "", 1), 0);
    ck_assert_str_eq((char *)text.data, wanted);
    mill__buffer_free(&text);
}

static void check_near(double x)
{
    check_number(x);
    check_number(-x);
    check_number(nextafter(x, INFINITY));
    check_number(nextafter(x, 0));
}

START_TEST(numbers_that_are_round)
{
    check_near(0);
    for (int e = -1074; e < 1024; e++)
        check_near(ldexp(1, e));
    for (int e = -320; e <= 308; e++) {
        char text[16];
        snprintf(text, sizeof text, "1e%d", e);
        check_near(strtod(text, NULL));
    }
    for (int i = 0; i < 2000; i++) {
        check_number(i);
        check_number(i / 16.0);
        check_number(i / 100.0);
    }
}
END_TEST

START_TEST(numbers_of_all_sizes)
{
    uint64_t state = 88172645463325252;
    for (int i = 0; i < RANDOM; i++) {
        double x;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(&x, &state, sizeof x);
        if (isfinite(x) && i % 8 == 0)
            check_number(x);
        /* of everyday size, and with few digits */
        x = ldexp((double)(state >> 11), (int)(state % 110) - 100);
        check_number(x);
        check_number(rint(ldexp(x, -40)) / 1e5);
    }
}
END_TEST

START_TEST(lists_have_null_for_what_is_no_number)
{
    const double list[] = {0.1, NAN, -1e300, INFINITY, 1e16};
    mill__buffer text = {0};
    ck_assert_int_eq(mill__json_append_numbers(&text, list, 5), 0);
    ck_assert_uint_eq(text.nbytes, strlen("[0.1,null,-1e+300,null,1e+16]"));
    ck_assert_mem_eq(text.data, "[0.1,null,-1e+300,null,1e+16]", text.nbytes);
    mill__buffer_free(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_number");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, numbers_that_are_round);
    tcase_add_test(tc, numbers_of_all_sizes);
    tcase_add_test(tc, lists_have_null_for_what_is_no_number);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
