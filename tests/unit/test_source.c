/* SPDX-License-Identifier: Apache-2.0 */
/* test_source.c: files and folders as sources of bytes. */
#include "folder_fixture.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <shardmill/extend.h>
#include <sys/mman.h>

extern const mill_source_ops mill__source_file, mill__source_folder;

static void *handle;
static mill_shard_info info;
static mill_error err;

static mill_status open_as(const mill_source_ops *ops, const char *locator)
{
    handle = NULL;
    info = (mill_shard_info){0};
    err = (mill_error){0};
    return ops->open(NULL, locator, &handle, &info, &err);
}

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

#define ASSERT_READS(ops, offset, n, expected)                                                               \
    do {                                                                                                     \
        char data_[1000];                                                                                    \
        size_t got_ = 999999;                                                                                \
        memset(data_, '#', sizeof data_);                                                                    \
        ck_assert_int_eq((ops).read(handle, offset, data_, n, &got_, &err), MILL_OK);                        \
        ck_assert_uint_eq(got_, sizeof(expected) - 1);                                                       \
        ck_assert_int_eq(memcmp(data_, expected, got_), 0);                                                  \
        ck_assert_int_eq(data_[got_], '#');                                                                  \
    } while (0)

/* ---- files ---- */

START_TEST(a_file_is_read_anywhere)
{
    put("a.tar", "0123456789");
    ck_assert_int_eq(open_as(&mill__source_file, "a.tar"), MILL_OK);
    ck_assert_uint_eq(info.nbytes, 10);
    ck_assert_uint_eq(info.nmembers, 0);
    struct stat st;
    stat("a.tar", &st);
    ck_assert_int_eq(info.mtime_ns, (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
    ASSERT_READS(mill__source_file, 0, 10, "0123456789");
    ASSERT_READS(mill__source_file, 3, 4, "3456");
    ASSERT_READS(mill__source_file, 7, 100, "789");
    ASSERT_READS(mill__source_file, 10, 5, "");
    ASSERT_READS(mill__source_file, 0, 0, "");
    ASSERT_READS(mill__source_file, INT64_MAX, 5, "");
    ASSERT_READS(mill__source_file, UINT64_MAX, 5, "");
    mill__source_file.close(handle);
}
END_TEST

START_TEST(the_descriptor_of_a_file_reads_the_same)
{
    put("a.tar", "0123456789");
    ck_assert_int_eq(open_as(&mill__source_file, "a.tar"), MILL_OK);
    int fd = mill__source_file.fd(handle);
    char data[3];
    ck_assert_int_eq(pread(fd, data, 3, 4), 3);
    ck_assert_int_eq(memcmp(data, "456", 3), 0);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ck_assert(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    mill__source_file.close(handle);
}
END_TEST

START_TEST(an_empty_file_is_a_shard)
{
    put("a.tar", "");
    ck_assert_int_eq(open_as(&mill__source_file, "a.tar"), MILL_OK);
    ck_assert_uint_eq(info.nbytes, 0);
    ASSERT_READS(mill__source_file, 0, 10, "");
    mill__source_file.close(handle);
}
END_TEST

START_TEST(a_huge_sparse_file_is_read_far_behind)
{
    put("a.tar", "");
    const off_t far = (off_t)9 << 30;
    ck_assert_int_eq(truncate("a.tar", far + 4), 0);
    int fd = open("a.tar", O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "far!", 4, far), 4);
    close(fd);
    ck_assert_int_eq(open_as(&mill__source_file, "a.tar"), MILL_OK);
    ck_assert_uint_eq(info.nbytes, (uint64_t)far + 4);
    ASSERT_READS(mill__source_file, (uint64_t)far, 10, "far!");
    mill__source_file.close(handle);
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    int before = count_descriptors();
    mkdir("folder", 0777);
    ck_assert_int_eq(mkfifo("pipe", 0666), 0);
    ck_assert_int_eq(open_as(&mill__source_file, "folder"), MILL_USAGE);
    ck_assert_ptr_nonnull(strstr(err.message, "'folder' is a folder"));
    ck_assert_int_eq(open_as(&mill__source_file, "pipe"), MILL_USAGE); /* and does not wait for a writer */
    ck_assert_ptr_nonnull(strstr(err.message, "a pipe"));
    ck_assert_int_eq(open_as(&mill__source_file, "/dev/null"), MILL_USAGE);
    ck_assert_ptr_nonnull(strstr(err.message, "a device"));
    ck_assert_int_eq(open_as(&mill__source_file, "gone"), MILL_IO);
    ck_assert_int_eq(err.os_error, ENOENT);
    ck_assert_ptr_nonnull(strstr(err.message, "'gone'"));
    ck_assert_ptr_null(handle);
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

START_TEST(what_may_not_be_read_is_an_io_error)
{
    put("secret.tar", "x");
    put("cat/secret.jpg", "secret");
    put("cat/zebra.jpg", "zebra");
    put("dog/sub/x.jpg", "x");
    chmod("secret.tar", 0);
    chmod("cat/secret.jpg", 0);
    chmod("dog/sub", 0);
    if (drop_root()) {
        ck_assert_int_eq(open_as(&mill__source_file, "secret.tar"), MILL_IO);
        ck_assert_int_eq(err.os_error, EACCES);
        ck_assert_int_eq(open_as(&mill__source_folder, "dog"), MILL_IO);
        ck_assert_int_eq(err.os_error, EACCES);
        ck_assert_ptr_nonnull(strstr(err.message, "'dog/sub'"));
        ck_assert_int_eq(open_as(&mill__source_folder, "cat"), MILL_OK);
        ASSERT_READS(mill__source_folder, 0, 100, "\0\0\0\0\0\0zebra");
        ck_assert_int_eq(info.members[0].os_error, EACCES);
        ck_assert_int_eq(info.members[1].os_error, 0);
        mill__source_folder.close(handle);
    } else {
        printf("skip: root may read every file\n");
    }
    restore_root();
    chmod("dog/sub", 0700);
}
END_TEST

/* ---- folders ---- */

static const char *member_names(void)
{
    static char names[1000];
    size_t used = 0;
    names[0] = 0;
    for (size_t i = 0; i < info.nmembers && used < sizeof names; i++)
        used +=
            (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? " " : "", info.members[i].name);
    return names;
}

START_TEST(a_folder_lists_images_as_imagefolder_does)
{
    const char *const files[] = {"c/z.jpg",     "c/B.JPEG",       "c/a.JpG",   "c/a/x.jpg",    "c/a-b/x.jpg",
                                 "c/a/b/x.jpg", "c/notes.txt",    "c/.h.jpg",  "c/.git/x.jpg", "c/jpg",
                                 "c/.jpg",      "c/x.jpg/y.jpeg", "c/a/y.png", "c/e/n.txt"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        put(files[i], "x");
    ck_assert_int_eq(open_as(&mill__source_folder, "c"), MILL_OK);
    /* the order of: for root, _, names in sorted(os.walk("c")): for name in sorted(names) */
    ck_assert_str_eq(member_names(), "B.JPEG a.JpG z.jpg a/x.jpg a-b/x.jpg a/b/x.jpg x.jpg/y.jpeg");
    ck_assert_uint_eq(info.nbytes, 7);
    mill__source_folder.close(handle);
}
END_TEST

START_TEST(members_follow_one_another)
{
    put("c/1.jpg", "one");
    put("c/2.jpg", "");
    put("c/3.jpg", "three");
    put("c/sub/4.jpg", "4");
    ck_assert_int_eq(open_as(&mill__source_folder, "c/"), MILL_OK);
    ck_assert_uint_eq(info.nmembers, 4);
    ck_assert_uint_eq(info.nbytes, 9);
    const uint64_t offsets[] = {0, 3, 3, 8}, sizes[] = {3, 0, 5, 1};
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(info.members[i].offset, offsets[i]);
        ck_assert_uint_eq(info.members[i].nbytes, sizes[i]);
        ck_assert_int_eq(info.members[i].os_error, 0);
    }
    ASSERT_READS(mill__source_folder, 0, 100, "onethree4");
    ASSERT_READS(mill__source_folder, 2, 3, "eth");
    ASSERT_READS(mill__source_folder, 3, 5, "three");
    ASSERT_READS(mill__source_folder, 7, 2, "e4");
    ASSERT_READS(mill__source_folder, 9, 2, "");
    ASSERT_READS(mill__source_folder, UINT64_MAX, 2, "");
    ck_assert_int_gt(info.mtime_ns, 0);
    mill__source_folder.close(handle);
}
END_TEST

START_TEST(a_member_that_vanished_or_changed_is_zeros)
{
    put("c/1.jpg", "one");
    put("c/2.jpg", "two");
    put("c/3.jpg", "three");
    put("c/4.jpg", "four");
    put("c/5.jpg", "five");
    ck_assert_int_eq(open_as(&mill__source_folder, "c"), MILL_OK);
    unlink("c/2.jpg");
    put("c/3.jpg", "3");
    put("c/4.jpg", "fourfour");
    ASSERT_READS(mill__source_folder, 0, 100, "one\0\0\0\0\0\0\0\0\0\0\0\0five");
    const int expected[] = {0, ENOENT, ESTALE, ESTALE, 0};
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(info.members[i].os_error, expected[i]);
    put("c/3.jpg", "three"); /* back again, but given up */
    ASSERT_READS(mill__source_folder, 6, 5, "\0\0\0\0\0");
    mill__source_folder.close(handle);
}
END_TEST

START_TEST(a_member_that_became_a_pipe_does_not_hang)
{
    put("c/1.jpg", "one");
    ck_assert_int_eq(open_as(&mill__source_folder, "c"), MILL_OK);
    unlink("c/1.jpg");
    ck_assert_int_eq(mkfifo("c/1.jpg", 0666), 0);
    ASSERT_READS(mill__source_folder, 0, 3, "\0\0\0");
    ck_assert_int_eq(info.members[0].os_error, ESTALE);
    mill__source_folder.close(handle);
}
END_TEST

START_TEST(links_are_followed_but_not_in_circles)
{
    put("c/a/1.jpg", "1");
    put("far/2.jpg", "2");
    ck_assert_int_eq(symlink("..", "c/a/up"), 0);
    ck_assert_int_eq(symlink(".", "c/here"), 0);
    ck_assert_int_eq(symlink("self", "c/self"), 0);
    ck_assert_int_eq(symlink("../far", "c/far"), 0);
    ck_assert_int_eq(symlink("../far/2.jpg", "c/3.jpg"), 0);
    ck_assert_int_eq(symlink("nowhere", "c/4.jpg"), 0);
    ck_assert_int_eq(open_as(&mill__source_folder, "c"), MILL_OK);
    ck_assert_str_eq(member_names(), "3.jpg 4.jpg a/1.jpg far/2.jpg");
    ck_assert_int_eq(info.members[1].os_error, ENOENT);
    ck_assert_uint_eq(info.members[1].nbytes, 0);
    ASSERT_READS(mill__source_folder, 0, 9, "212");
    mill__source_folder.close(handle);
}
END_TEST

START_TEST(a_folder_without_images_is_an_error)
{
    int before = count_descriptors();
    put("c/readme.txt", "x");
    ck_assert_int_eq(open_as(&mill__source_folder, "c"), MILL_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(err.message, "'c' holds no images"));
    ck_assert_int_eq(open_as(&mill__source_folder, "c/readme.txt"), MILL_IO);
    ck_assert_int_eq(open_as(&mill__source_folder, "gone"), MILL_IO);
    ck_assert_int_eq(err.os_error, ENOENT);
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

/* Files of almost 2^63 bytes exist in memory; the folder holds links to one. */
START_TEST(folders_of_absurd_sizes_are_refused)
{
    int fd = memfd_create("absurd", MFD_CLOEXEC);
    ck_assert_int_eq(ftruncate(fd, INT64_MAX), 0);
    char target[40];
    snprintf(target, sizeof target, "/proc/self/fd/%d", fd);
    mkdir("c", 0777);
    ck_assert_int_eq(symlink(target, "c/1.jpg"), 0);
    ck_assert_int_eq(open_as(&mill__source_folder, "c"), MILL_OK);
    ck_assert_uint_eq(info.nbytes, INT64_MAX);
    ASSERT_READS(mill__source_folder, (uint64_t)INT64_MAX - 2, 5, "\0\0");
    ck_assert_int_eq(info.members[0].os_error, 0);
    mill__source_folder.close(handle);
    ck_assert_int_eq(symlink(target, "c/2.jpg"), 0);
    ck_assert_int_eq(open_as(&mill__source_folder, "c"), MILL_LIMIT);
    close(fd);
}
END_TEST

static void *read_all(void *arg)
{
    size_t *wrong = arg;
    for (int i = 0; i < 50; i++) {
        char data[9];
        size_t got;
        *wrong += mill__source_folder.read(handle, 0, data, sizeof data, &got, NULL) != MILL_OK || got != 9 ||
                  memcmp(data, "one\0\0\0six", 9) != 0;
    }
    return NULL;
}

START_TEST(one_handle_is_read_by_several_threads)
{
    put("c/1.jpg", "one");
    put("c/2.jpg", "two");
    put("c/3.jpg", "six");
    ck_assert_int_eq(open_as(&mill__source_folder, "c"), MILL_OK);
    unlink("c/2.jpg");
    pthread_t threads[4];
    size_t wrong[4] = {0};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all, &wrong[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_uint_eq(wrong[i], 0);
    }
    ck_assert_int_eq(info.members[1].os_error, ENOENT);
    mill__source_folder.close(handle);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("source");
    TCase *tc = tcase_create("files and folders");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, enter_folder, leave_folder);
    tcase_add_test(tc, a_file_is_read_anywhere);
    tcase_add_test(tc, the_descriptor_of_a_file_reads_the_same);
    tcase_add_test(tc, an_empty_file_is_a_shard);
    tcase_add_test(tc, a_huge_sparse_file_is_read_far_behind);
    tcase_add_test(tc, what_is_no_file_is_refused);
    tcase_add_test(tc, what_may_not_be_read_is_an_io_error);
    tcase_add_test(tc, a_folder_lists_images_as_imagefolder_does);
    tcase_add_test(tc, members_follow_one_another);
    tcase_add_test(tc, a_member_that_vanished_or_changed_is_zeros);
    tcase_add_test(tc, a_member_that_became_a_pipe_does_not_hang);
    tcase_add_test(tc, links_are_followed_but_not_in_circles);
    tcase_add_test(tc, a_folder_without_images_is_an_error);
    tcase_add_test(tc, folders_of_absurd_sizes_are_refused);
    tcase_add_test(tc, one_handle_is_read_by_several_threads);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
