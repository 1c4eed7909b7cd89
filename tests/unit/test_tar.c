/* SPDX-License-Identifier: Apache-2.0 */
/* test_tar.c: sound tar shards, and those that are sound but odd: what samples come out, and what is said. */
#include "format_fixture.h"
#include "tar_writer.h"

enum { ROOMY = 1 << 24 };

/* The archive is walked whole and then forgotten. */
static void check_and_free(archive *a, const char *expected)
{
    const shard in = {"tar", a->data, a->nbytes, ROOMY, NULL, 0, -1};
    assert_walk(&in, expected);
    mill__buffer_free(a);
}

static void check_names(const char *const *names, size_t n, const char *expected)
{
    archive a = {0};
    for (size_t i = 0; i < n; i++)
        add_file(&a, names[i], "text");
    add_end(&a);
    check_and_free(&a, expected);
}
#define NAMES(expected, ...)                                                                                 \
    check_names((const char *const[]){__VA_ARGS__},                                                          \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), expected)

START_TEST(files_with_one_key_are_one_sample)
{
    NAMES("0.jpg,cls 1.jpg,cls", "0.jpg", "0.cls", "1.jpg", "1.cls");
    NAMES("0.jpg,cls,json", "0.jpg", "0.cls", "0.json");
}
END_TEST

START_TEST(an_archive_without_members_is_sound)
{
    archive a = {0};
    add_end(&a);
    check_and_free(&a, "");
    add_zeros(&a, 10240);
    check_and_free(&a, "");
}
END_TEST

START_TEST(names_are_split_at_the_first_dot_of_the_last_part)
{
    NAMES("a.left.png,right.png", "a.left.png", "a.right.png");
    NAMES("v1.0/a.jpg,cls", "v1.0/a.jpg", "v1.0/a.cls");
    NAMES("x/a.jpg y/a.jpg", "x/a.jpg", "y/a.jpg");
    NAMES("a.jpg", "./a.jpg");
    NAMES("a.jpg,cls", "././/a.jpg", "a.cls");
    NAMES("x//a.jpg", "x//a.jpg");
    NAMES("a.", "a.");
    NAMES("a.JPG", "a.JPG");
    NAMES("caf\xe9.jpg", "caf\xe9.jpg");
}
END_TEST

START_TEST(what_has_no_key_is_passed_over_and_named)
{
    NAMES("warning:name 0.jpg", "README", "0.jpg");
    NAMES("warning:name 0.jpg", ".hidden.jpg", "0.jpg");
    NAMES("warning:name warning:name", "x/.jpg", "x/README");
    NAMES("warning:name 0.jpg,cls", "0.jpg", "README", "0.cls"); /* it does not cut the sample in two */
    NAMES("warning:name", "");
}
END_TEST

START_TEST(unwise_names_are_told_and_taken)
{
    NAMES("warning:name ../../x/a.jpg", "../../x/a.jpg");
    NAMES("warning:name x/../a.jpg", "x/../a.jpg");
    NAMES("warning:name /x/a.jpg", "/x/a.jpg");
    NAMES("warning:name C:\\x.jpg", "C:\\x.jpg");
    NAMES("warning:name a\x1b[31m.jpg", "a\x1b[31m.jpg");
    NAMES("x/..a/b.jpg", "x/..a/b.jpg");
    NAMES("warning:name warning:name a.jpg b.jpg", "/../README", "a.jpg", "/README", "b.jpg");
}
END_TEST

START_TEST(a_key_that_comes_again_is_told)
{
    NAMES("0.jpg 1.jpg warning:duplicate 0.cls warning:duplicate 1.cls", "0.jpg", "1.jpg", "0.cls", "1.cls");
    NAMES("0.jpg 1.jpg warning:duplicate 0.jpg", "0.jpg", "1.jpg", "0.jpg");
    NAMES("0!duplicate", "0.jpg", "0.cls", "0.jpg");
    NAMES("0!duplicate 1.jpg", "0.jpg", "0.JPG", "1.jpg");
}
END_TEST

START_TEST(samples_have_at_most_32_files)
{
    archive a = {0};
    for (int i = 0; i < 33; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.%d", i > 31, i);
        add_file(&a, name, "");
    }
    add_file(&a, "2.x", "");
    for (int i = 0; i < 33; i++) {
        char name[16];
        snprintf(name, sizeof name, "3.%d", i);
        add_file(&a, name, "");
    }
    add_end(&a);
    check_and_free(&a, "0.0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,"
                       "31 1.32 2.x 3!limit");
}
END_TEST

START_TEST(extensions_have_at_most_55_bytes)
{
    char name[80] = "a.", expected[100];
    memset(name + 2, 'x', 55);
    archive a = {0};
    add_file(&a, name, "");
    name[0] = 'b';
    name[57] = 'x';
    add_file(&a, name, "");
    add_end(&a);
    name[0] = 'a';
    snprintf(expected, sizeof expected, "%.57s b!limit", name);
    check_and_free(&a, expected);
}
END_TEST

/* ---- headers ---- */

START_TEST(every_dialect_of_the_header_is_read)
{
    static const char *const magics[] = {ustar_magic, gnu_magic, v7_magic};
    for (int i = 0; i < 3; i++)
        for (int sign = 0; sign < 2; sign++) {
            archive a = {0};
            add_head(&a, (head){.name = "caf\xe9.jpg", .size = 3, .magic = magics[i], .sign = sign});
            add_data(&a, "abc", 3);
            add_end(&a);
            check_and_free(&a, "caf\xe9.jpg");
        }
}
END_TEST

START_TEST(a_prefix_is_part_of_a_ustar_name_only)
{
    archive a = {0};
    add_head(&a, (head){.name = "a.jpg", .prefix = "x.d/y"});
    add_head(&a, (head){.name = "b.jpg", .prefix = "junk", .magic = gnu_magic});
    add_head(&a, (head){.name = "c.jpg", .prefix = "junk", .magic = v7_magic});
    add_end(&a);
    check_and_free(&a, "x.d/y/a.jpg b.jpg c.jpg");
    char name[101], expected[300];
    memset(name, 'n', 100);
    memcpy(name + 96, ".jpg", 5);
    add_head(&a, (head){.name = name, .prefix = name});
    add_end(&a);
    snprintf(expected, sizeof expected, "%s/%s", name, name);
    check_and_free(&a, expected);
}
END_TEST

START_TEST(sizes_may_be_octal_or_base_256)
{
    static const char *const sizes[] = {"00000000003",  "         03 ",
                                        "3          ",  "3 \0\0\0\0\0\0\0\0\0",
                                        "000000000003", "\x80\0\0\0\0\0\0\0\0\0\0\x03"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        archive a = {0};
        add_head(&a, (head){.name = "a.jpg", .size_field = sizes[i]});
        add_data(&a, "abc", 3);
        add_file(&a, "a.cls", "1");
        add_end(&a);
        check_and_free(&a, "a.jpg,cls");
    }
}
END_TEST

START_TEST(typeless_and_contiguous_files_are_files)
{
    archive a = {0};
    add_head(&a, (head){.name = "a.jpg", .type = '7'});
    add_head(&a, (head){.name = "a.cls", .magic = v7_magic});
    a.data[a.nbytes - 512 + 156] = 0; /* before POSIX */
    char sum[8];
    unsigned total = 0;
    uint8_t *block = a.data + a.nbytes - 512;
    memset(block + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        total += block[i];
    snprintf(sum, sizeof sum, "%06o", total);
    memcpy(block + 148, sum, 7);
    add_end(&a);
    check_and_free(&a, "a.jpg,cls");
}
END_TEST

START_TEST(folders_are_passed_over_in_silence)
{
    archive a = {0};
    add_head(&a, (head){.name = "x", .type = '5'});
    add_head(&a, (head){.name = "y/", .magic = v7_magic});
    add_file(&a, "x/a.jpg", "");
    add_head(&a, (head){.name = "x/z/", .type = '5', .size = 4096}); /* POSIX: room, not data */
    add_file(&a, "x/a.cls", "1");
    add_end(&a);
    check_and_free(&a, "x/a.jpg,cls");
}
END_TEST

START_TEST(links_and_devices_are_passed_over_and_named)
{
    archive a = {0};
    for (char type = '1'; type <= '6'; type++)
        if (type != '5')
            add_head(&a, (head){.name = "l.jpg", .type = type, .link = "/elsewhere"});
    add_head(&a, (head){.name = "label", .type = 'V', .magic = gnu_magic});
    add_file(&a, "a.jpg", "");
    add_end(&a);
    check_and_free(&a, "warning:member warning:member warning:member warning:member warning:member "
                       "warning:member a.jpg");
}
END_TEST

START_TEST(links_with_a_size_have_data_only_if_no_header_follows)
{
    archive a = {0};
    add_head(&a, (head){.name = "l.jpg", .type = '1', .link = "a.jpg", .size = 600});
    add_file(&a, "a.jpg", "some");
    add_head(&a, (head){.name = "m.jpg", .type = '1', .link = "a.jpg", .size = 600});
    add_end(&a);
    check_and_free(&a, "warning:member warning:member a.jpg");
    add_head(&a, (head){.name = "l.jpg", .type = '1', .link = "a.jpg", .size = 600});
    add_large(&a, "x", 88); /* 600 bytes: a header that must not be one, and 88 more */
    a.data[512] ^= 1;
    add_file(&a, "a.jpg", "some");
    add_end(&a);
    check_and_free(&a, "warning:member a.jpg");
}
END_TEST

/* ---- extensions ---- */

START_TEST(pax_path_and_size_win)
{
    archive a = {0};
    add_pax(&a, 'x', "path", "long/name.jpg");
    add_file(&a, "short", "abc");
    add_pax(&a, 'X', "path", "long/name.cls"); /* Solaris */
    add_file(&a, "short", "abc");
    add_end(&a);
    check_and_free(&a, "long/name.jpg,cls");
    add_pax(&a, 'x', "size", "1024"); /* what would be a member is data */
    add_head(&a, (head){.name = "a.jpg"});
    add_file(&a, "evil.jpg", "x");
    add_file(&a, "b.jpg", "x");
    add_end(&a);
    check_and_free(&a, "a.jpg b.jpg");
    add_pax(&a, 'x', "size", "3");
    add_head(&a, (head){.name = "a.jpg", .size_field = "not a number"});
    add_data(&a, "abc", 3);
    add_file(&a, "b.jpg", "x");
    add_end(&a);
    check_and_free(&a, "a.jpg b.jpg");
}
END_TEST

START_TEST(empty_pax_values_take_back)
{
    archive a = {0};
    char body[100];
    size_t n = pax_record(body, "path", "wrong.jpg");
    n += pax_record(body + n, "path", "");
    n += pax_record(body + n, "size", "512");
    n += pax_record(body + n, "size", "");
    add_record(&a, 'x', body, n);
    add_file(&a, "a.jpg", "");
    add_file(&a, "b.jpg", "");
    add_end(&a);
    check_and_free(&a, "a.jpg b.jpg");
}
END_TEST

START_TEST(other_pax_records_are_ignored)
{
    archive a = {0};
    char body[200];
    size_t n = pax_record(body, "mtime", "1.5");
    n += pax_record(body + n, "SCHILY.xattr.user.x", "a=b\nc");
    n += pax_record(body + n, "hdrcharset", "BINARY");
    n += pax_record(body + n, "comment", "");
    add_record(&a, 'x', body, n);
    add_file(&a, "a.jpg", "");
    add_record(&a, 'x', "", 0);
    add_file(&a, "b.jpg", "");
    add_end(&a);
    check_and_free(&a, "a.jpg b.jpg");
}
END_TEST

START_TEST(global_headers_are_passed_over)
{
    archive a = {0};
    add_pax(&a, 'g', "comment", "0123456789abcdef");
    add_pair(&a, "0");
    add_pax(&a, 'g', "comment", "amid a sample");
    add_file(&a, "0.json", "{}");
    add_pax(&a, 'g', "comment", "at the end");
    add_end(&a);
    check_and_free(&a, "0.jpg,cls,json");
    add_pax(&a, 'g', "path", "for/all.jpg");
    add_file(&a, "a.jpg", "");
    add_end(&a);
    check_and_free(&a, "error:pax a.jpg");
}
END_TEST

START_TEST(gnu_long_names_are_read)
{
    char name[1000];
    memset(name, 'a', sizeof name);
    memcpy(name + sizeof name - 5, ".jpg", 5);
    archive a = {0};
    add_record(&a, 'L', name, sizeof name);
    add_file(&a, "aaaaaaaa", "");
    memcpy(name + sizeof name - 5, ".cls", 5);
    add_record(&a, 'L', name, sizeof name - 1); /* without its NUL */
    add_file(&a, "aaaaaaaa", "");
    add_record(&a, 'K', name, sizeof name);
    add_head(&a, (head){.name = "link", .type = '2'});
    add_end(&a);
    char expected[1100];
    memcpy(name + sizeof name - 5, ".jpg", 5);
    snprintf(expected, sizeof expected, "warning:member %s,cls", name);
    check_and_free(&a, expected);
}
END_TEST

START_TEST(sparse_files_and_volumes_are_refused)
{
    archive a = {0};
    add_head(&a, (head){.name = "s.jpg", .type = 'S', .magic = gnu_magic, .size = 3, .flag_at = 482});
    add_zeros(&a, 504);
    append(&a, "\1\0\0\0\0\0\0\0", 8); /* one block more of the map */
    add_zeros(&a, 512);
    add_data(&a, "abc", 3);
    add_pax(&a, 'x', "GNU.sparse.major", "1");
    add_file(&a, "GNUSparseFile.0/t.jpg", "1\n0\n3\n");
    add_head(&a, (head){.name = "m.jpg", .type = 'M', .magic = gnu_magic, .size = 3});
    add_data(&a, "abc", 3);
    add_file(&a, "a.jpg", "");
    add_end(&a);
    check_and_free(&a, "error:unsupported error:unsupported error:unsupported a.jpg");
}
END_TEST

START_TEST(made_headers_are_read_again)
{
    static const size_t lengths[] = {5, 99, 100, 101, 155, 200, 255, 256, 257, 500, 1023};
    archive a = {0};
    mill__buffer expected = {0};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char name[1024];
        for (size_t j = 0; j < lengths[i]; j++)
            name[j] = j % 50 == 41 ? '/' : (char)('a' + i);
        memcpy(name + lengths[i] - 4, ".jpg", 5);
        ck_assert_int_eq(mill__tar_header(&a, name, 3), 0);
        add_data(&a, "abc", 3);
        mill__buffer_printf(&expected, "%s%s", i ? " " : "", name);
    }
    add_end(&a);
    check_and_free(&a, text_of(&expected));
    mill__buffer_free(&expected);
    ck_assert_int_eq(mill__tar_header(&a, "large.jpg", (uint64_t)9 << 30), 0);
    const shard in = {"tar", a.data, a.nbytes, (uint64_t)1 << 40, NULL, 0, -1};
    assert_walk(&in, "large!truncated warning:eof"); /* and not of some other size */
    mill__buffer_free(&a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tar");
    TCase *tc = tcase_create("sound shards");
    tcase_add_test(tc, files_with_one_key_are_one_sample);
    tcase_add_test(tc, an_archive_without_members_is_sound);
    tcase_add_test(tc, names_are_split_at_the_first_dot_of_the_last_part);
    tcase_add_test(tc, what_has_no_key_is_passed_over_and_named);
    tcase_add_test(tc, unwise_names_are_told_and_taken);
    tcase_add_test(tc, a_key_that_comes_again_is_told);
    tcase_add_test(tc, samples_have_at_most_32_files);
    tcase_add_test(tc, extensions_have_at_most_55_bytes);
    tcase_add_test(tc, every_dialect_of_the_header_is_read);
    tcase_add_test(tc, a_prefix_is_part_of_a_ustar_name_only);
    tcase_add_test(tc, sizes_may_be_octal_or_base_256);
    tcase_add_test(tc, typeless_and_contiguous_files_are_files);
    tcase_add_test(tc, folders_are_passed_over_in_silence);
    tcase_add_test(tc, links_and_devices_are_passed_over_and_named);
    tcase_add_test(tc, links_with_a_size_have_data_only_if_no_header_follows);
    tcase_add_test(tc, pax_path_and_size_win);
    tcase_add_test(tc, empty_pax_values_take_back);
    tcase_add_test(tc, other_pax_records_are_ignored);
    tcase_add_test(tc, global_headers_are_passed_over);
    tcase_add_test(tc, gnu_long_names_are_read);
    tcase_add_test(tc, sparse_files_and_volumes_are_refused);
    tcase_add_test(tc, made_headers_are_read_again);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
