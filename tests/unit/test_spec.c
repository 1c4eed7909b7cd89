/* SPDX-License-Identifier: Apache-2.0 */
/* test_spec.c: the files, globs, folders and lists that data-set specs stand for, and the names of shards. */
#include "spec_fixture.h"
#include <errno.h>
#include <locale.h>

START_TEST(files_come_in_the_order_of_the_spec)
{
    put("d/b.tar", "");
    put("d/a.tar", "");
    put("d/c.npy", "");
    ASSERT_EXPANDS("d/b.tar d/a.tar", "d/b.tar=b d/a.tar=a");
    ASSERT_EXPANDS("d/{c.npy,a.tar}", "d/c.npy=c d/a.tar=a");
    ASSERT_EXPANDS("d//b.tar", "d//b.tar=b");
}
END_TEST

START_TEST(a_missing_file_is_named_with_its_part_of_the_spec)
{
    put("x-0.tar", "");
    put("x-2.tar", "");
    ASSERT_REFUSED("x-2.tar x-{0..2}.tar", false, "'x-1.tar' does not exist", "'x-{0..2}.tar'");
    ck_assert_int_eq(err.os_error, ENOENT);
    ASSERT_REFUSED("x-0.tar/y.tar", false, "'x-0.tar/y.tar' does not exist", "");
    ck_assert_uint_eq(nshards, 0);
}
END_TEST

START_TEST(globs_are_sorted_by_bytes)
{
    const char *const names[] = {"b.tar", "B.tar",     "a.tar",  "\xc3\xa4.tar", "a-1.tar",
                                 "_.tar", "sub/c.tar", ".h.tar", "n.txt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        put(names[i], "");
    setlocale(LC_ALL, "C.UTF-8");
    ASSERT_EXPANDS("*.tar", "B.tar=B _.tar=_ a-1.tar=a-1 a.tar=a b.tar=b \xc3\xa4.tar=\xc3\xa4");
    ASSERT_EXPANDS("[ab].tar", "a.tar=a b.tar=b");
    ASSERT_EXPANDS("*/?.tar", "sub/c.tar=c");
    ASSERT_EXPANDS("{b,a*}.tar", "b.tar=b a-1.tar=a-1 a.tar=a");
    ASSERT_REFUSED("*.npy", false, "nothing matches '*.npy'", "");
    ASSERT_REFUSED("a.tar {b,q}*.tar", false, "nothing matches 'q*.tar'", "'{b,q}*.tar'");
    ASSERT_REFUSED("nowhere/*.tar", false, "nowhere/*.tar", "does not exist");
}
END_TEST

START_TEST(what_is_protected_is_no_glob)
{
    put("a*b [1].tar", "");
    put("axb [1].tar", "");
    put("a*b 1.tar", "");
    ASSERT_EXPANDS("\"a*b [1].tar\"", "a*b [1].tar=a*b [1]");
    ASSERT_EXPANDS("a\\*b\\ \\[1\\].tar", "a*b [1].tar=a*b [1]");
    ASSERT_EXPANDS("\"a*b \"*", "a*b 1.tar=a*b 1 a*b [1].tar=a*b [1]");
}
END_TEST

START_TEST(a_folder_stands_for_its_shards)
{
    put("d/b.tar", "");
    put("d/a.NPY", "");
    put("d/readme.txt", "");
    put("d/.hidden.tar", "");
    put("d/e.tar/x", ""); /* a folder, whatever it is called */
    put("d/sub/c.tar", "");
    put("far.tar", "");
    ck_assert_int_eq(symlink("../far.tar", "d/link.tar"), 0);
    ASSERT_EXPANDS("d", "d/a.NPY=a d/b.tar=b d/link.tar=link");
    ASSERT_EXPANDS("d/ far.tar", "d/a.NPY=d_a d/b.tar=d_b d/link.tar=d_link far.tar=far");
    ASSERT_EXPANDS(
        "d/*",
        "d/a.NPY=a d/b.tar=b d/e.tar=e.tar/ d/link.tar=link d/readme.txt=readme.txt d/sub/c.tar=sub_c");
}
END_TEST

START_TEST(subfolders_are_classes)
{
    put("d/dog/1.jpg", "");
    put("d/Zebra/1.jpg", "");
    put("d/cat.big/sub/1.jpg", "");
    put("d/.git/1.jpg", "");
    put("d/loose.jpg", "");
    put("far/1.jpg", "");
    ck_assert_int_eq(symlink("../far", "d/far"), 0);
    const char *expected = "d/Zebra=Zebra/#0 d/cat.big=cat.big/#1 d/dog=dog/#2 d/far=far/#3";
    ASSERT_EXPANDS("d", expected);
    ASSERT_EXPANDS("d/", expected);
    ASSERT_EXPANDS("d/dog", "d/dog=dog/");
    ASSERT_EXPANDS("d/{dog,Zebra}/", "d/dog=dog/ d/Zebra=Zebra/");
}
END_TEST

START_TEST(a_folder_of_neither_is_one_shard_with_a_name)
{
    put("d/cat/1.jpg", "");
    ck_assert_int_eq(chdir("d/cat"), 0);
    ASSERT_EXPANDS(".", ".=cat/");
    ASSERT_EXPANDS("../cat", "../cat=cat/");
    ck_assert_int_eq(chdir(".."), 0);
    ASSERT_EXPANDS("./cat", "./cat=cat/");
    ASSERT_EXPANDS(".", "./cat=cat/#0");
}
END_TEST

START_TEST(a_folder_that_cannot_be_listed_is_an_error)
{
    put("d/a.tar", "");
    chmod("d", 0);
    if (drop_root()) {
        ck_assert_int_eq(expand("d", false), MILL_IO);
        ck_assert_int_eq(err.os_error, EACCES);
        ck_assert_ptr_nonnull(strstr(err.message, "'d'"));
        ck_assert_int_eq(expand("d/*.tar", false), MILL_IO);
        ck_assert_int_eq(expand("d/a.tar", false), MILL_IO);
    } else {
        printf("skip: root may list every folder\n");
    }
    restore_root();
    chmod("d", 0700);
}
END_TEST

/* ---- lists ---- */

START_TEST(lists_name_one_spec_a_line_relative_to_themselves)
{
    put("l/a b.tar", "");
    put("l/c-0.tar", "");
    put("l/c-1.tar", "");
    put("l/#x.tar", "");
    put("l/y#1.tar", "");
    put("top.tar", "");
    put("l/m/n.tar", "");
    put("l/m/list", "n.tar\n");
    put("l/list.txt",
        "# a comment\n\n  a b.tar  \r\nc-{1..0}.tar # both\n\\#x.tar\ny#1.tar\n../top.tar\n@m/list\nm/*.tar");
    ASSERT_REFUSED("@l/list.txt", false, "'l/m/n.tar' twice", "");
    put("l/list.txt",
        "# a comment\n\n  a b.tar  \r\nc-{1..0}.tar # both\n\\#x.tar\ny#1.tar\n../top.tar\n@m/list");
    ASSERT_EXPANDS("@l/list.txt", "l/a b.tar=a b l/c-1.tar=c-1 l/c-0.tar=c-0 l/#x.tar=#x l/y#1.tar=y#1 "
                                  "l/../top.tar=___top l/m/n.tar=m_n");
}
END_TEST

START_TEST(a_list_in_an_odd_folder_finds_its_files)
{
    put("a {b,c} [*]@/x-1.tar", "");
    put("a {b,c} [*]@/list", "x-*.tar\n");
    ASSERT_EXPANDS("\"a {b,c} [*]@/x-1.tar\"", "a {b,c} [*]@/x-1.tar=x-1");
    ASSERT_EXPANDS("@\"a {b,c} [*]@/list\"", "a {b,c} [*]@/x-1.tar=x-1");
    ck_assert_int_eq(chdir("a {b,c} [*]@"), 0);
    char spec[5000];
    char *here = getcwd(NULL, 0);
    snprintf(spec, sizeof spec, "@\"%s/list\"", here);
    ck_assert_int_eq(expand(spec, false), MILL_OK);
    ck_assert_uint_eq(nshards, 1);
    ck_assert_str_eq(shards[0].name, "x-1");
    free(here);
}
END_TEST

START_TEST(bad_lists_are_refused)
{
    ASSERT_REFUSED("@none.txt", false, "list 'none.txt' does not exist", "");
    put("empty", "# nothing\n\n");
    ASSERT_REFUSED("@empty", false, "list 'empty' is empty", "");
    put("self", "@self\n");
    ASSERT_REFUSED("@self", false, "itself", "'self'");
    put("missing", "\n\ngone.tar\n");
    ASSERT_REFUSED("@missing", false, "'gone.tar' does not exist", "line 3 of 'missing'");
    put("braces", "{\n");
    ASSERT_REFUSED("@braces", false, "not closed", "line 1 of 'braces'");
    put_bytes("zero", "a\0b\n", 4);
    ASSERT_REFUSED("@zero", false, "zero byte", "line 1");
    char *longer = malloc(100000);
    memset(longer, 'x', 100000);
    put_bytes("long", longer, 100000);
    free(longer);
    ASSERT_REFUSED("@long", false, "longer than", "line 1");
    mkdir("folder", 0777);
    ck_assert_int_eq(expand("@folder", false), MILL_IO);
    ck_assert_int_eq(err.os_error, EISDIR);
}
END_TEST

/* ---- names ---- */

START_TEST(names_are_the_path_behind_the_common_folder)
{
    ASSERT_PLAIN("a", "a");
    expand("data/a/x.tar data/b/x.tar data/ab/x.y.npy", true);
    ck_assert_str_eq(picture(), "data/a/x.tar=a_x data/b/x.tar=b_x data/ab/x.y.npy=ab_x.y");
    expand("data/abc.tar data/abd.tar", true);
    ck_assert_str_eq(picture(), "data/abc.tar=abc data/abd.tar=abd");
    expand("/r/a.tar q.tar", true);
    ck_assert_str_eq(picture(), "/r/a.tar=r_a q.tar=q");
    expand("../a.tar b.TAR", true);
    ck_assert_str_eq(picture(), "../a.tar=___a b.TAR=b");
    expand("s3://k//a.tar s3://k//b/.tar s3://k//x/", true);
    ck_assert_str_eq(picture(), "s3://k//a.tar=a s3://k//b/.tar=b_.tar s3://k//x/=x_");
    expand("x-000001 x.gz", true);
    ck_assert_str_eq(picture(), "x-000001=x-000001 x.gz=x.gz");
}
END_TEST

START_TEST(two_shards_of_one_name_are_refused)
{
    ASSERT_REFUSED("a/x.tar a/x.npy", true, "'a/x.tar'", "'a/x.npy'");
    ASSERT_REFUSED("a/b.tar c a_b.tar", true, "'a/b.tar'", "'a_b.tar'");
    ASSERT_REFUSED("q{0..200} x q7", true, "'q7' twice", "");
}
END_TEST

START_TEST(a_thousand_shards)
{
    ck_assert_int_eq(expand("s/x-{000000..000999}.tar", true), MILL_OK);
    ck_assert_uint_eq(nshards, 1000);
    for (size_t i = 0; i < nshards; i++) {
        char expected[40];
        snprintf(expected, sizeof expected, "s/x-%06zu.tar", i);
        ck_assert_str_eq(shards[i].locator, expected);
        ck_assert_int_eq(strncmp(shards[i].name, expected + 2, 8), 0);
        ck_assert_int_eq(shards[i].class_index, -1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spec");
    TCase *tc = tcase_create("specs");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, enter_folder, tidy);
    tcase_add_test(tc, files_come_in_the_order_of_the_spec);
    tcase_add_test(tc, a_missing_file_is_named_with_its_part_of_the_spec);
    tcase_add_test(tc, globs_are_sorted_by_bytes);
    tcase_add_test(tc, what_is_protected_is_no_glob);
    tcase_add_test(tc, a_folder_stands_for_its_shards);
    tcase_add_test(tc, subfolders_are_classes);
    tcase_add_test(tc, a_folder_of_neither_is_one_shard_with_a_name);
    tcase_add_test(tc, a_folder_that_cannot_be_listed_is_an_error);
    tcase_add_test(tc, lists_name_one_spec_a_line_relative_to_themselves);
    tcase_add_test(tc, a_list_in_an_odd_folder_finds_its_files);
    tcase_add_test(tc, bad_lists_are_refused);
    tcase_add_test(tc, names_are_the_path_behind_the_common_folder);
    tcase_add_test(tc, two_shards_of_one_name_are_refused);
    tcase_add_test(tc, a_thousand_shards);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
