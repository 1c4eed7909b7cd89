/* SPDX-License-Identifier: Apache-2.0 */
/* test_tar_hostile.c: damaged and malicious tar shards. All that is lost is told, nothing that is told wrong
 * becomes a sample, and what stands behind the damage is found again. */
#include "format_fixture.h"
#include "tar_writer.h"

enum { ROOMY = 1 << 24 };

static void check_with_limit(archive *a, uint64_t max_sample_nbytes, const char *expected)
{
    const shard in = {"tar", a->data, a->nbytes, max_sample_nbytes, NULL, 0, -1};
    assert_walk(&in, expected);
    mill__buffer_free(a);
}

static void check_and_free(archive *a, const char *expected)
{
    check_with_limit(a, ROOMY, expected);
}

/* ---- the end of the archive ---- */

START_TEST(a_missing_or_single_end_marker_is_told)
{
    archive a = {0};
    add_pair(&a, "0");
    check_and_free(&a, "0.jpg,cls warning:eof");
    add_pair(&a, "0");
    add_zeros(&a, 512);
    check_and_free(&a, "0.jpg,cls warning:eof");
    add_pair(&a, "0");
    add_zeros(&a, 512 + 100);
    check_and_free(&a, "0.jpg,cls warning:eof");
    add_zeros(&a, 512);
    check_and_free(&a, "warning:eof");
}
END_TEST

START_TEST(members_behind_the_end_marker_are_taken_and_told)
{
    archive a = {0};
    add_pair(&a, "0");
    add_end(&a);
    add_pair(&a, "1");
    add_pair(&a, "2");
    add_end(&a);
    check_and_free(&a, "0.jpg,cls warning:eof 1.jpg,cls 2.jpg,cls");
    add_zeros(&a, 512);
    add_head(&a, (head){.name = "/l.jpg", .type = '2'});
    add_end(&a);
    check_and_free(&a, "warning:eof warning:member"); /* two findings at one place */
}
END_TEST

START_TEST(garbage_behind_the_end_marker_is_told)
{
    archive a = {0};
    add_pair(&a, "0");
    add_end(&a);
    append(&a, "garbage", 7);
    check_and_free(&a, "0.jpg,cls error:trailing");
    add_pair(&a, "0");
    add_end(&a);
    append(&a, "garbage", 7);
    add_zeros(&a, 10240);
    check_and_free(&a, "0.jpg,cls error:trailing");
    add_pair(&a, "0");
    add_end(&a);
    add_zeros(&a, 10000);
    check_and_free(&a, "0.jpg,cls");
}
END_TEST

START_TEST(what_is_no_archive_is_told)
{
    archive a = {0};
    const shard empty = {"tar", "", 0, ROOMY, NULL, 0, -1};
    assert_walk(&empty, "error:truncated");
    append(&a, "<html>404</html>", 16);
    check_and_free(&a, "error:truncated warning:eof");
    for (int i = 0; i < 100; i++)
        append(&a, "<html>404</html>", 16);
    check_and_free(&a, "error:checksum warning:eof");
    archive shifted = {0};
    add_pair(&a, "0");
    add_end(&a);
    append(&shifted, "", 1);
    append(&shifted, a.data, a.nbytes);
    mill__buffer_free(&a);
    check_and_free(&shifted, "error:checksum");
}
END_TEST

/* ---- truncation ---- */

/* At every byte: what is whole is given, what is not is told. */
START_TEST(truncated_at_every_byte)
{
    archive a = {0};
    add_pair(&a, "0");
    add_pax(&a, 'x', "path", "1.jpg");
    add_large(&a, "short", 700);
    add_file(&a, "1.cls", "1");
    add_end(&a);
    const size_t first = 4 * 512, second = first + 512 * 2 + 512 * 3 + 2 * 512;
    ck_assert_uint_eq(a.nbytes, second + 1024);
    for (size_t n = 0; n <= a.nbytes; n++) {
        uint8_t *bytes = malloc(n + 1);
        memcpy(bytes, a.data, n);
        const shard in = {"tar", bytes, n, ROOMY, NULL, 0, -1};
        walked w = walk_shard(&in, (cuts){0});
        int good = w.nsamples - w.nbad;
        size_t sound = n < first - 511 ? 0 : n < second - 511 ? 1 : 2; /* the last may lack its padding */
        if (n >= 512 + 24 && n < 1536) /* 0.jpg is whole, and nobody knows of 0.cls */
            sound = 1;
        ck_assert_msg((size_t)good == sound, "%zu bytes: %d good samples:\n%s", n, good, text_of(&w.log));
        ck_assert_msg(n == a.nbytes || w.nbad + w.nerrors + w.nwarnings, "%zu bytes, and all is well", n);
        ck_assert_msg(n < second + 1024 || !(w.nbad + w.nerrors + w.nwarnings), "%s", text_of(&w.log));
        ck_assert_int_eq(w.status, MILL_END);
        for (size_t i = 0; i < n && n < second; i++)
            HOLDS(w.covered[i] || !bytes[i], "%zu bytes: byte %zu is not accounted for", n, i);
        end_walk(&w);
        free(bytes);
    }
    mill__buffer_free(&a);
}
END_TEST

START_TEST(a_last_sample_with_fewer_files_is_incomplete)
{
    archive a = {0};
    add_pair(&a, "0");
    add_file(&a, "1.jpg", "");
    check_and_free(&a, "0.jpg,cls 1!incomplete warning:eof");
    add_pair(&a, "0");
    add_file(&a, "1.jpg", "");
    add_end(&a); /* with an end marker it is as it was meant to be */
    check_and_free(&a, "0.jpg,cls 1.jpg");
}
END_TEST

/* ---- damage ---- */

START_TEST(a_wrong_checksum_loses_one_member)
{
    archive a = {0};
    add_pair(&a, "0");
    add_head(&a, (head){.name = "1.jpg", .size = 5, .checksum_error = 1});
    add_data(&a, "12345", 5);
    add_file(&a, "1.cls", "1");
    add_pair(&a, "2");
    add_end(&a);
    check_and_free(&a, "0.jpg,cls error:checksum 1!incomplete 2.jpg,cls");
    add_pair(&a, "0");
    add_file(&a, "1.jpg", "x");
    add_head(&a, (head){.name = "1.cls", .size = 1, .checksum_error = 1});
    add_data(&a, "1", 1);
    add_pair(&a, "2");
    add_end(&a);
    check_and_free(&a, "0.jpg,cls 1!incomplete error:checksum 2.jpg,cls");
}
END_TEST

START_TEST(a_hole_of_zeros_is_told)
{
    archive a = {0};
    for (int i = 0; i < 4; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        add_pair(&a, key);
    }
    add_end(&a);
    memset(a.data + 2048 + 1024, 0, 512); /* the header of 1.cls; its data are there */
    const shard in = {"tar", a.data, a.nbytes, ROOMY, NULL, 0, -1};
    assert_walk(&in, "0.jpg,cls 1!incomplete error:checksum 2.jpg,cls 3.jpg,cls");
    memset(a.data + 2048 + 1024, 0, 1024); /* all of 1.cls */
    assert_walk(&in, "0.jpg,cls 1.jpg warning:eof 2.jpg,cls 3.jpg,cls");
    mill__buffer_free(&a);
}
END_TEST

START_TEST(sizes_that_are_none)
{
    static const char *const sizes[] = {"12x4567890a\0", "-0000000512\0",
                                        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\0",
                                        "\x80\0\0\0\x80\0\0\0\0\0\0\0", "\x80\x01\0\0\0\0\0\0\0\0\0\0"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        archive a = {0};
        add_pair(&a, "0");
        add_head(&a, (head){.name = "1.jpg", .size_field = sizes[i]});
        add_data(&a, "abc", 3);
        add_pair(&a, "2");
        add_end(&a);
        check_and_free(&a, "0.jpg,cls error:size 2.jpg,cls");
    }
}
END_TEST

START_TEST(sizes_beyond_the_shard)
{
    static const char *const sizes[] = {"77777777777\0", "00000010000\0",
                                        "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        archive a = {0};
        add_pair(&a, "0");
        add_head(&a, (head){.name = "1.jpg", .size_field = sizes[i]});
        add_end(&a);
        check_and_free(&a, "0.jpg,cls 1!truncated warning:eof");
        add_head(&a, (head){.name = "README", .size_field = sizes[i]});
        add_end(&a);
        check_and_free(&a, "warning:name error:truncated warning:eof");
    }
}
END_TEST

/* ---- extensions ---- */

static void check_pax(const void *body, size_t nbytes, const char *expected)
{
    archive a = {0};
    add_record(&a, 'x', body, nbytes);
    add_file(&a, "a.jpg", "a member of which nothing is known for sure");
    add_pair(&a, "b");
    add_end(&a);
    check_and_free(&a, expected);
}

START_TEST(malformed_pax_records_lose_their_member)
{
    static const char *const bodies[] = {"999999999 path=x\n",
                                         "0 path=x\n",
                                         "path=x\n",
                                         "9 path=x",
                                         "9 path=x ",
                                         "8 path=x\n",
                                         "12 path=x\n",
                                         "3 \n",
                                         "5 =x\n",
                                         "6 abc\n",
                                         "11 size=-1\n",
                                         "99999999999999999999 path=x\n",
                                         "11 size=1x\n",
                                         "28 size=9223372036854775808\n",
                                         "29 size=18446744073709551616\n"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        check_pax(bodies[i], strlen(bodies[i]), "error:pax b.jpg,cls");
    check_pax("17 path=a\0.jpg.x\n", 17, "error:pax b.jpg,cls");
    check_pax("14 path=a.jpg\n", 14, "a.jpg b.jpg,cls");
}
END_TEST

START_TEST(records_that_are_too_large_lose_their_member)
{
    archive a = {0};
    add_head(&a, (head){.name = "PaxHeaders/x", .type = 'x', .size = (uint64_t)1 << 30});
    add_end(&a);
    check_and_free(&a, "error:limit warning:eof");
    add_head(&a, (head){.name = "././@LongLink", .type = 'L', .size = (1 << 20) + 1});
    add_zeros(&a, (1 << 20) + 512);
    add_file(&a, "a.jpg", "x");
    add_pair(&a, "b");
    add_end(&a);
    check_and_free(&a, "error:limit b.jpg,cls");
    for (int i = 0; i < 5; i++) {
        add_head(&a, (head){.name = "././@LongLink", .type = 'K', .size = 1 << 20});
        add_zeros(&a, 1 << 20);
    }
    add_file(&a, "a.jpg", "x");
    add_pair(&a, "b");
    add_end(&a);
    check_and_free(&a, "error:limit b.jpg,cls");
    add_head(&a, (head){.name = "PaxHeaders/x", .type = 'x', .size_field = "no number   "});
    add_file(&a, "a.jpg", "x");
    add_pair(&a, "b");
    add_end(&a);
    check_and_free(&a, "error:size b.jpg,cls");
}
END_TEST

START_TEST(names_that_are_too_long_lose_their_member)
{
    char name[5000];
    memset(name, 'n', sizeof name);
    memcpy(name + 1019, ".jpg", 5);
    archive a = {0};
    add_record(&a, 'L', name, 1024);
    add_file(&a, "nnnn", "x");
    memset(name, 'n', sizeof name);
    memcpy(name + 1020, ".jpg", 5);
    add_record(&a, 'L', name, 1025);
    add_head(&a, (head){.name = "nnnn", .size = 512});
    add_head(&a, (head){.name = "evil.jpg"}); /* its data, which look like a member */
    add_pair(&a, "b");
    add_end(&a);
    char expected[5100];
    snprintf(expected, sizeof expected, "%.1019s.jpg error:limit b.jpg,cls", name);
    check_and_free(&a, expected);
}
END_TEST

START_TEST(records_without_a_member_are_told)
{
    archive a = {0};
    add_pair(&a, "0");
    add_record(&a, 'L', "long", 4);
    add_end(&a);
    check_and_free(&a, "0.jpg,cls error:header");
    add_pair(&a, "0");
    add_record(&a, 'L', "long", 4);
    check_and_free(&a, "0.jpg,cls error:truncated warning:eof");
    add_pax(&a, 'x', "path", "1.jpg");
    append(&a, "junk that is no header", 22);
    add_padding(&a);
    add_pair(&a, "0");
    add_end(&a);
    check_and_free(&a, "error:checksum 0.jpg,cls");
}
END_TEST

/* ---- limits ---- */

START_TEST(samples_beyond_the_budget_are_dropped_whole)
{
    archive a = {0};
    add_pair(&a, "0");
    add_large(&a, "1.jpg", 5000);
    add_file(&a, "1.cls", "1"); /* must not become a sample of its own */
    add_pair(&a, "2");
    add_file(&a, "3.cls", "1");
    add_large(&a, "3.jpg", 3000);
    add_file(&a, "3.json", "{}");
    add_pair(&a, "4");
    add_file(&a, "5.cls", "1");
    add_large(&a, "README", 4000);
    add_file(&a, "5.jpg", "1");
    add_large(&a, "LICENSE", 40000); /* no sample: no limit */
    add_end(&a);
    check_with_limit(&a, 4096,
                     "0.jpg,cls 1!limit 2.jpg,cls 3!limit 4.jpg,cls warning:name warning:name 5!limit");
}
END_TEST

START_TEST(headers_beyond_the_budget_are_told)
{
    archive a = {0};
    char value[6000];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = 0;
    add_pax(&a, 'x', "comment", value);
    add_file(&a, "a.jpg", "x");
    add_pair(&a, "b");
    add_end(&a);
    check_with_limit(&a, 4096, "error:limit b.jpg,cls");
}
END_TEST

START_TEST(more_keys_than_are_remembered)
{
    mill__buffer a = {0};
    const int n = (1 << 18) + 1000;
    for (int i = 0; i < n; i++) {
        char name[24];
        snprintf(name, sizeof name, "%d.x", i);
        add_head(&a, (head){.name = name});
    }
    add_head(&a, (head){.name = "5.x"});
    add_end(&a);
    const shard in = {"tar", a.data, a.nbytes, ROOMY, NULL, 0, -1};
    walked w = walk_shard(&in, (cuts){.block = 1 << 16});
    ck_assert_int_eq(w.nsamples, n + 1);
    ck_assert_int_eq(w.nbad + w.nerrors, 0);
    ck_assert_int_eq(w.nwarnings, 1);
    end_walk(&w);
    mill__buffer_free(&a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hostile tar");
    TCase *tc = tcase_create("damage and malice");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, a_missing_or_single_end_marker_is_told);
    tcase_add_test(tc, members_behind_the_end_marker_are_taken_and_told);
    tcase_add_test(tc, garbage_behind_the_end_marker_is_told);
    tcase_add_test(tc, what_is_no_archive_is_told);
    tcase_add_test(tc, truncated_at_every_byte);
    tcase_add_test(tc, a_last_sample_with_fewer_files_is_incomplete);
    tcase_add_test(tc, a_wrong_checksum_loses_one_member);
    tcase_add_test(tc, a_hole_of_zeros_is_told);
    tcase_add_test(tc, sizes_that_are_none);
    tcase_add_test(tc, sizes_beyond_the_shard);
    tcase_add_test(tc, malformed_pax_records_lose_their_member);
    tcase_add_test(tc, records_that_are_too_large_lose_their_member);
    tcase_add_test(tc, names_that_are_too_long_lose_their_member);
    tcase_add_test(tc, records_without_a_member_are_told);
    tcase_add_test(tc, samples_beyond_the_budget_are_dropped_whole);
    tcase_add_test(tc, headers_beyond_the_budget_are_told);
    tcase_add_test(tc, more_keys_than_are_remembered);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
