/* SPDX-License-Identifier: Apache-2.0 */
/* test_spec_words.c: cutting specs into words, and braces. */
#include "spec_fixture.h"
#include <stddef.h>

/* ---- braces ---- */

START_TEST(ranges_count_up_down_and_in_steps)
{
    ASSERT_PLAIN("s-{0..3}", "s-0 s-1 s-2 s-3");
    ASSERT_PLAIN("s-{000008..000011}.tar", "s-000008.tar s-000009.tar s-000010.tar s-000011.tar");
    ASSERT_PLAIN("{9..11}", "9 10 11");
    ASSERT_PLAIN("{2..0}", "2 1 0");
    ASSERT_PLAIN("{10..8}", "10 9 8");
    ASSERT_PLAIN("{010..008}", "010 009 008");
    ASSERT_PLAIN("{0..9..3}", "0 3 6 9");
    ASSERT_PLAIN("{00..10..5}", "00 05 10");
    ASSERT_PLAIN("{9..0..4}", "9 5 1");
    ASSERT_PLAIN("{5..5}", "5");
    ASSERT_PLAIN("{999999999999999998..999999999999999999}", "999999999999999998 999999999999999999");
}
END_TEST

START_TEST(lists_nest_and_multiply_from_left_to_right)
{
    ASSERT_PLAIN("{a,b}", "a b");
    ASSERT_PLAIN("{a,b}{1..2}", "a1 a2 b1 b2");
    ASSERT_PLAIN("x{a,b{1..2},c{d,e}f}y", "xay xb1y xb2y xcdfy xcefy");
    ASSERT_PLAIN("x{,.old}", "x x.old");
    ASSERT_PLAIN("x{a,}", "xa x");
    ASSERT_PLAIN("{{a,b},c}", "a b c");
    ASSERT_PLAIN("{0..1..1,z}", "0..1..1 z");
    ASSERT_PLAIN("a,b", "a,b");
}
END_TEST

START_TEST(braces_that_mean_nothing_are_refused)
{
    ASSERT_REFUSED("x{a", true, "not closed", "'x{a'");
    ASSERT_REFUSED("x}a", true, "without its '{'", "'x}a'");
    ASSERT_REFUSED("x{a,b}}", true, "without its '{'", "");
    ASSERT_REFUSED("{a,{b}", true, "not closed", "");
    ASSERT_REFUSED("x{}", true, "'{}' is neither", "");
    ASSERT_REFUSED("x{000000}.tar", true, "'{000000}' is neither", "");
    ASSERT_REFUSED("{0..}", true, "neither", "");
    ASSERT_REFUSED("{0..9..0}", true, "neither", "");
    ASSERT_REFUSED("{a..c}", true, "neither", "");
    ASSERT_REFUSED("{-1..3}", true, "neither", "");
    ASSERT_REFUSED("{0..9999999999999999999}", true, "neither", "");
}
END_TEST

START_TEST(huge_expansions_are_refused_before_they_begin)
{
    ASSERT_REFUSED("x{0..10000000}", true, "more than 10000000 shards", "'x{0..10000000}'");
    ASSERT_REFUSED("{0..999999999999999999}", true, "more than", "");
    ASSERT_REFUSED("{0..9999}{0..9999}", true, "more than", "");
    ASSERT_REFUSED("{0..999999999}{0..999999999}{0..999999999}{0..999999999}", true, "more than", "");
    char text[4000] = "";
    memset(text, '}', 400 * 3 + 400);
    for (int i = 0; i < 400; i++)
        memcpy(text + (ptrdiff_t)i * 3, "{a,", 3);
    text[400 * 3 + 400] = 0;
    ASSERT_REFUSED(text, true, "more than 64 braces", "");
    for (int i = 0; i < 400; i++)
        memcpy(text + (ptrdiff_t)i * 6, "{1..1}", 7);
    ASSERT_REFUSED(text, true, "more than 64 braces", "");
}
END_TEST

/* ---- words ---- */

START_TEST(words_are_joined_by_blanks_and_protected_by_quotes)
{
    ASSERT_PLAIN("  a\tb\nc  ", "a b c");
    ck_assert_int_eq(expand("\"a b\"/c a\\ b/d", true), MILL_OK);
    ck_assert_uint_eq(nshards, 2);
    ck_assert_str_eq(shards[0].locator, "a b/c");
    ck_assert_str_eq(shards[1].locator, "a b/d");
    ASSERT_PLAIN("\"{a,b}\"", "{a,b}");
    ASSERT_PLAIN("\\{a,b\\}", "{a,b}");
    ASSERT_PLAIN("{a\\,b,c}", "a,b c");
    ASSERT_PLAIN("{\"a,{\",c}", "a,{ c");
    ASSERT_PLAIN("\\@a \"@b\"", "@a @b");
    ASSERT_PLAIN("a\\\\b", "a\\b");
    ASSERT_PLAIN("\"say \\\"so\\\"\"", "say \"so\"");
    ASSERT_PLAIN("it's", "it's");
    ASSERT_REFUSED("a \"b", true, "quote", "");
    ASSERT_REFUSED("a\\", true, "lone backslash", "");
    ASSERT_REFUSED("a \"\"", true, "empty name", "");
    ASSERT_REFUSED("@", true, "empty name", "'@'");
}
END_TEST

START_TEST(an_empty_spec_is_refused)
{
    ASSERT_REFUSED("", false, "empty", "");
    ASSERT_REFUSED(" \n ", true, "empty", "");
    ck_assert_int_eq(mill__spec_expand(NULL, NULL, true, &shards, &nshards, NULL), MILL_USAGE);
}
END_TEST

START_TEST(locators_of_custom_sources_are_left_alone)
{
    ASSERT_PLAIN("https://host/a?b=[1] s3://b/{x,y}.tar mem:*",
                 "https://host/a?b=[1] s3://b/x.tar s3://b/y.tar mem:*");
    put("lists/l.txt", "s3://b/z.tar\n/abs\n@m.txt\n");
    put("lists/m.txt", "inner\n");
    ASSERT_PLAIN("@lists/l.txt", "s3://b/z.tar /abs inner");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spec words");
    TCase *tc = tcase_create("words and braces");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, enter_folder, tidy);
    tcase_add_test(tc, ranges_count_up_down_and_in_steps);
    tcase_add_test(tc, lists_nest_and_multiply_from_left_to_right);
    tcase_add_test(tc, braces_that_mean_nothing_are_refused);
    tcase_add_test(tc, huge_expansions_are_refused_before_they_begin);
    tcase_add_test(tc, words_are_joined_by_blanks_and_protected_by_quotes);
    tcase_add_test(tc, an_empty_spec_is_refused);
    tcase_add_test(tc, locators_of_custom_sources_are_left_alone);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
