/* SPDX-License-Identifier: Apache-2.0 */
/* test_folder.c: folders of images as shards: keys, fields, classes, members that are too large or could not
 * be read, and the same samples however the folder's bytes are cut. */
#include "format_fixture.h"
#include <errno.h>

enum { MOST = 16 };

typedef struct tree {
    mill_member members[MOST];
    size_t n;
    mill__buffer bytes;
} tree;

static void add(tree *t, const char *name, size_t nbytes)
{
    t->members[t->n++] = (mill_member){.name = name, .offset = t->bytes.nbytes, .nbytes = nbytes};
    for (size_t i = 0; i < nbytes; i++) {
        uint8_t c = (uint8_t)(t->n * 16 + i);
        mill__buffer_append(&t->bytes, &c, 1);
    }
}

static shard folder(const tree *t, uint64_t max_sample_nbytes)
{
    return (shard){"folder",
                   t->bytes.data ? t->bytes.data : (uint8_t *)"",
                   t->bytes.nbytes,
                   max_sample_nbytes,
                   t->members,
                   t->n,
                   3};
}

START_TEST(a_file_is_a_sample)
{
    tree t = {0};
    add(&t, "a.jpg", 10);
    add(&t, "b.left.JPEG", 0);
    add(&t, "deep/er/c.Jpg", 5);
    add(&t, "v1.0/d", 5);
    add(&t, "deep/.jpg", 5);
    shard in = folder(&t, 100);
    assert_walk(&in, "a.jpg b.left.jpeg deep/er/c.jpg v1.0/d. deep/.jpg.");
    walked w = walk_shard(&in, (cuts){0});
    ck_assert_ptr_nonnull(strstr(text_of(&w.log), "sample [a] 3 @0+10 ok jpg@0+10="));
    ck_assert_ptr_nonnull(strstr(text_of(&w.log), "sample [deep/er/c] 3 @10+5 ok jpg@10+5="));
    end_walk(&w);
    mill__buffer_free(&t.bytes);
}
END_TEST

START_TEST(equal_keys_are_told)
{
    tree t = {0};
    add(&t, "a.jpeg", 10);
    add(&t, "a.jpg", 10);
    add(&t, "b/a.jpg", 10);
    shard in = folder(&t, 100);
    assert_walk(&in, "a.jpeg warning:duplicate a.jpg b/a.jpg");
    mill__buffer_free(&t.bytes);
}
END_TEST

START_TEST(bad_members_are_bad_samples_and_disturb_no_others)
{
    tree t = {0};
    add(&t, "a.jpg", 10);
    add(&t, "gone.jpg", 10);
    add(&t, "large.jpg", 101);
    add(&t, "b.jpg", 100);
    add(&t, "larger.jpg", 1000);
    t.members[1].os_error = ENOENT;
    shard in = folder(&t, 100);
    assert_walk(&in, "a.jpg gone!io large!limit b.jpg larger!limit");
    assert_all_cuts_are_same(&in);
    mill__buffer_free(&t.bytes);
}
END_TEST

START_TEST(cut_everywhere)
{
    tree t = {0};
    static const char *const names[] = {"a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        add(&t, names[i], i % 3 * 37);
    shard in = folder(&t, 100);
    assert_all_cuts_are_same(&in);
    mill__buffer_free(&t.bytes);
}
END_TEST

START_TEST(a_stream_of_bytes_is_no_folder)
{
    void *walker;
    mill_error err;
    const mill_shard_info info = {.nbytes = 10};
    mill__error_clear(&err);
    ck_assert_int_eq(mill__format_folder.open(&mill__format_folder, &walker, &info, -1, 100, &err),
                     MILL_UNSUPPORTED);
    ck_assert_str_eq(err.kind, "unsupported");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("folder");
    TCase *tc = tcase_create("members");
    tcase_add_test(tc, a_file_is_a_sample);
    tcase_add_test(tc, equal_keys_are_told);
    tcase_add_test(tc, bad_members_are_bad_samples_and_disturb_no_others);
    tcase_add_test(tc, cut_everywhere);
    tcase_add_test(tc, a_stream_of_bytes_is_no_folder);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
