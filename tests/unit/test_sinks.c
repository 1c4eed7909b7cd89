/* SPDX-License-Identifier: Apache-2.0 */
/* Output files and the three sinks. */
#include "base/hash.h"
#include "format/format.h"
#include "registry.h"
#include "sink/sink.h"
#include "unit/folder_of_test.h"
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

/* ---- file.c ---- */

START_TEST(a_file_appears_when_it_is_finished)
{
    mill__file *file;
    mill__output_file out;
    ck_assert(!mill__file_create(&file, folder, "a.bin", NULL));
    ck_assert(!mill__file_write(file, "hello", 5, NULL));
    ck_assert(!is_there("a.bin") && is_there("a.bin.partial"));
    ck_assert(!mill__file_finish(file, &out, NULL));
    ck_assert(is_there("a.bin") && !is_there("a.bin.partial"));
    ck_assert_str_eq(out.name, "a.bin");
    ck_assert_uint_eq(out.nbytes, 5);
    ck_assert_uint_eq(out.xxh3, mill__hash_bytes("hello", 5));
    free(out.name);
}
END_TEST

START_TEST(an_abandoned_file_leaves_nothing)
{
    mill__file *file;
    ck_assert(!mill__file_create(&file, folder, "a.bin", NULL));
    ck_assert(!mill__file_write(file, "hello", 5, NULL));
    mill__file_abandon(file);
    mill__file_abandon(NULL);
    ck_assert_int_eq(count_files(), 0);
}
END_TEST

START_TEST(pieces_of_any_size_give_the_same_file)
{
    enum { N = 3000000, FRONT = 256 };
    char *data = malloc(N);
    for (size_t i = 0; i < N; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    for (int round = 0; round < 4; round++) {
        mill__file *file;
        mill__output_file out;
        size_t begin = round % 2 ? FRONT : 0, nbytes;
        ck_assert(!mill__file_create(&file, folder, "a.bin", NULL));
        if (begin)
            ck_assert(!mill__file_reserve(file, begin, NULL));
        for (size_t i = begin, n, k = 1; i < N; i += n, k++) {
            n = k * k * 7919 % (round / 2 ? 400000 : 90000);
            n = n < N - i ? n : N - i;
            ck_assert(!mill__file_write(file, data + i, n, NULL));
        }
        if (begin)
            ck_assert(!mill__file_front(file, data, begin, NULL));
        ck_assert(!mill__file_finish(file, &out, NULL));
        char *read = content("a.bin", &nbytes);
        ck_assert(nbytes == N && !memcmp(read, data, N));
        ck_assert(out.nbytes == N && out.xxh3 == mill__hash_bytes(data, N));
        free(read);
        free(out.name);
    }
    free(data);
}
END_TEST

START_TEST(of_several_files_all_appear_or_none)
{
    mill__file *files[2];
    mill__output_file out[2];
    mill_error err;
    ck_assert(!mill__file_create(&files[0], folder, "a", NULL) &&
              !mill__file_create(&files[1], folder, "b", NULL));
    ck_assert(!mill__file_write(files[0], "x", 1, NULL) && !mill__file_reserve(files[1], 8, NULL));
    ck_assert_int_eq(mill__files_finish(files, 2, out, &err), MILL_INTERNAL); /* the front is missing */
    ck_assert_int_eq(count_files(), 0);
    ck_assert(!out[0].name && !out[1].name);
}
END_TEST

START_TEST(a_missing_folder_is_an_io_error)
{
    mill__file *file;
    mill_error err;
    ck_assert_int_eq(mill__file_create(&file, path_of("nowhere"), "a", &err), MILL_IO);
    ck_assert(err.os_error == ENOENT && strstr(err.message, "nowhere/a.partial"));
}
END_TEST

/* ---- rows ---- */

static const mill_type image = {.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3, .shape = {2, 2, 3}};
static const mill_type vector = {.dtype = MILL_F32, .rank = 1, .shape = {3}};

static mill__sink_config config_of(mill_type type, mill_policy policy)
{
    return (mill__sink_config){.folder = folder, .type = type, .fixed = true, .policy = policy};
}

/* Carry one field more. The engine gives a row exactly as many places as it needs; so do we. */
static void carry(mill__row *row, const char *name, const char *text)
{
    size_t n = (size_t)row->ncarried + 1;
    mill__carried *grown = realloc(row->carried, n * sizeof *grown);
    ck_assert_ptr_nonnull(grown);
    row->carried = grown;
    mill__carried *field = &grown[row->ncarried++];
    *field = (mill__carried){0};
    snprintf(field->name, sizeof field->name, "%s", name);
    field->offset = row->blob.nbytes;
    field->nbytes = strlen(text);
    ck_assert(!mill__buffer_append(&row->blob, text, field->nbytes));
}

static void free_rows(mill__row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mill__buffer_free(&rows[i].blob);
        free(rows[i].carried);
    }
}

/* Write rows in two calls and finish; the number of files. */
static size_t write_shard(const mill__sink_ops *sink, const mill__sink_config *config, const mill__row *rows,
                          size_t n)
{
    void *shard;
    mill__output_file *files;
    size_t nfiles;
    mill_error err = {0};
    ck_assert_msg(!sink->check(config, &err), "%s", err.message);
    ck_assert_msg(!sink->begin(config, "s", &shard, &err), "%s", err.message);
    ck_assert_msg(!sink->write(shard, rows, n / 2, &err), "%s", err.message);
    ck_assert_msg(!sink->write(shard, rows + n / 2, n - n / 2, &err), "%s", err.message);
    ck_assert_msg(!sink->finish(shard, &files, &nfiles, &err), "%s", err.message);
    ck_assert_uint_eq((size_t)count_files(), nfiles);
    for (size_t i = 0; i < nfiles; i++) {
        size_t nbytes;
        char *data = content(files[i].name, &nbytes);
        ck_assert(nbytes == files[i].nbytes && mill__hash_bytes(data, nbytes) == files[i].xxh3);
        free(data);
    }
    mill__output_files_free(files, nfiles);
    return nfiles;
}

/* ---- npy ---- */

/* Check the header of a .npy file; its data. */
static char *npy_content(const char *name, const char *descr, const char *shape, size_t *nbytes)
{
    char *data = content(name, nbytes);
    ck_assert(*nbytes >= MILL__NPY_HEADER_NBYTES && !memcmp(data, "\x93NUMPY\x01\x00", 8));
    char header[MILL__NPY_HEADER_NBYTES - 9];
    memcpy(header, data + 10, sizeof header - 1);
    header[sizeof header - 1] = 0;
    ck_assert_msg(strstr(header, descr) && strstr(header, shape), "%s: %s", name, header);
    *nbytes -= MILL__NPY_HEADER_NBYTES;
    memmove(data, data + MILL__NPY_HEADER_NBYTES, *nbytes + 1);
    return data;
}

static void expect_npy(const char *name, const char *descr, const char *shape, const void *data,
                       size_t nbytes)
{
    size_t there;
    char *read = npy_content(name, descr, shape, &there);
    ck_assert_uint_eq(there, nbytes);
    ck_assert(!memcmp(read, data, nbytes));
    free(read);
}

/* Four images, the third bad; the tensors of the first two lie on end. */
static void four_rows(mill__row rows[4], uint8_t pixels[5][12])
{
    static char *const keys[] = {"a/one", "two\n\\", "bad", "four"};
    memset(rows, 0, 4 * sizeof *rows);
    for (int i = 0; i < 60; i++)
        pixels[i / 12][i % 12] = (uint8_t)(i + 1);
    for (int i = 0; i < 4; i++)
        rows[i] = (mill__row){
            .key = keys[i], .sample = i, .label = i == 1 ? 7 : -1, .tensor = pixels[i < 2 ? i : 4]};
    rows[2].status = MILL_BAD_DATA;
    rows[2].tensor = NULL;
    carry(&rows[1], "txt", "not json");
    carry(&rows[1], "json", "{\"a\":\r\n 1}");
}

START_TEST(npy_leaves_bad_rows_out)
{
    mill__row rows[4];
    uint8_t pixels[5][12], want[36];
    const int64_t labels[] = {-1, 7, -1};
    four_rows(rows, pixels);
    mill__sink_config config = config_of(image, MILL_POLICY_SKIP);
    ck_assert_uint_eq(write_shard(&mill__sink_npy, &config, rows, 4), 4);
    memcpy(want, pixels, 24);
    memcpy(want + 24, pixels[4], 12);
    expect_npy("s.image.npy", "|u1", "(3, 2, 2, 3)", want, 36);
    expect_npy("s.label.npy", "<i8", "(3,)", labels, sizeof labels);
    expect_text("s.keys.txt", "a/one\ntwo\\x0a\\x5c\nfour\n");
    expect_text("s.json.jsonl", "null\n{\"a\":   1}\nnull\n");
    free_rows(rows, 4);
}
END_TEST

START_TEST(npy_puts_zeros_and_a_mask_for_bad_rows)
{
    mill__row rows[4];
    uint8_t pixels[5][12], want[48] = {0};
    const uint8_t mask[] = {1, 1, 0, 1};
    four_rows(rows, pixels);
    mill__sink_config config = config_of(image, MILL_POLICY_SUBSTITUTE);
    ck_assert_uint_eq(write_shard(&mill__sink_npy, &config, rows, 4), 5);
    memcpy(want, pixels, 24);
    memcpy(want + 36, pixels[4], 12);
    expect_npy("s.image.npy", "|u1", "(4, 2, 2, 3)", want, 48);
    expect_npy("s.mask.npy", "|u1", "(4,)", mask, 4);
    expect_text("s.keys.txt", "a/one\ntwo\\x0a\\x5c\nbad\nfour\n");
    expect_text("s.json.jsonl", "null\n{\"a\":   1}\nnull\nnull\n");
    free_rows(rows, 4);
}
END_TEST

START_TEST(npy_of_plain_tensors_without_labels)
{
    const float data[2][3] = {{1, 2, 3}, {4, 5, 6}};
    mill__row rows[2] = {{.key = "0", .label = -1, .tensor = data[0]},
                         {.key = "1", .label = -1, .tensor = data[1]}};
    mill__sink_config config = config_of(vector, MILL_POLICY_FAIL);
    ck_assert_uint_eq(write_shard(&mill__sink_npy, &config, rows, 2), 2);
    expect_npy("s.data.npy", "<f4", "(2, 3)", data, sizeof data);
    expect_text("s.keys.txt", "0\n1\n");
}
END_TEST

START_TEST(npy_of_no_rows_is_a_file_of_no_rows)
{
    mill__row none = {0};
    mill__sink_config config = config_of(vector, MILL_POLICY_SUBSTITUTE);
    ck_assert_uint_eq(write_shard(&mill__sink_npy, &config, &none, 0), 3);
    expect_npy("s.data.npy", "<f4", "(0, 3)", "", 0);
    expect_npy("s.mask.npy", "|u1", "(0,)", "", 0);
    expect_text("s.keys.txt", "");
}
END_TEST

START_TEST(abandoned_shards_leave_nothing)
{
    mill__row rows[4];
    uint8_t pixels[5][12];
    four_rows(rows, pixels);
    carry(&rows[0], "jpg", "x");
    carry(&rows[3], "jpg", "y");
    const mill__sink_ops *const sinks[] = {&mill__sink_npy, &mill__sink_tar, &mill__sink_null};
    for (int i = 0; i < 3; i++) {
        void *shard;
        mill__sink_config config = config_of(image, MILL_POLICY_SKIP);
        ck_assert(!sinks[i]->begin(&config, "s", &shard, NULL) && !sinks[i]->write(shard, rows, 4, NULL));
        sinks[i]->abandon(shard);
        ck_assert_int_eq(count_files(), 0);
    }
    free_rows(rows, 4);
}
END_TEST

/* A limit on the size of files stands in for a full disk. */
START_TEST(a_full_disk_is_an_io_error_and_leaves_nothing)
{
    static char big[400000];
    mill_type type = {.dtype = MILL_U8, .rank = 1, .shape = {sizeof big}};
    mill__row rows[1] = {{.key = "0", .label = 3, .tensor = big}};
    mill__sink_config config = config_of(type, MILL_POLICY_FAIL);
    mill__output_file *files;
    size_t nfiles;
    void *shard;
    mill_error err = {0};
    signal(SIGXFSZ, SIG_IGN);
    const rlim_t limits[] = {300000, 100}; /* too small for the tensor; for the header of a label */
    for (int i = 0; i < 2; i++) {
        struct rlimit limit = {limits[i], RLIM_INFINITY};
        if (i)
            config.type.shape[0] = 10;
        ck_assert(!mill__sink_npy.begin(&config, "s", &shard, NULL));
        ck_assert(!setrlimit(RLIMIT_FSIZE, &limit));
        mill_status status = mill__sink_npy.write(shard, rows, 1, &err);
        if (status)
            mill__sink_npy.abandon(shard);
        else
            status = mill__sink_npy.finish(shard, &files, &nfiles, &err);
        limit.rlim_cur = RLIM_INFINITY;
        ck_assert(!setrlimit(RLIMIT_FSIZE, &limit));
        ck_assert(status == MILL_IO && err.os_error == EFBIG && strstr(err.message, folder));
        ck_assert_int_eq(count_files(), 0);
    }
}
END_TEST

START_TEST(npy_refuses_what_has_no_fixed_shape)
{
    mill_error err;
    mill__sink_config config = config_of(image, MILL_POLICY_FAIL);
    config.fixed = false;
    ck_assert_int_eq(mill__sink_npy.check(&config, &err), MILL_USAGE);
    ck_assert_str_eq(err.message,
                     "--as npy needs images of one size: end the pipeline with center_crop or resize WxH");
    config = config_of((mill_type){0}, MILL_POLICY_FAIL);
    ck_assert_int_eq(mill__sink_npy.check(&config, &err), MILL_USAGE);
    config =
        config_of((mill_type){.dtype = MILL_F64, .rank = 2, .shape = {INT64_MAX, 1 << 20}}, MILL_POLICY_FAIL);
    ck_assert_int_eq(mill__sink_npy.check(&config, &err), MILL_USAGE);
}
END_TEST

/* ---- tar ---- */

START_TEST(tar_refuses_masks_and_what_is_no_picture)
{
    mill_error err;
    mill_type refused[3] = {image, image, vector};
    refused[0].layout = MILL_CHW;
    refused[1].dtype = MILL_F32;
    for (int i = 0; i < 3; i++) {
        mill__sink_config config = config_of(refused[i], MILL_POLICY_SKIP);
        ck_assert_int_eq(mill__sink_tar.check(&config, &err), MILL_USAGE);
        ck_assert(strstr(err.message, "--as npy") != NULL);
    }
    mill__sink_config config = config_of(image, MILL_POLICY_SUBSTITUTE);
    ck_assert_int_eq(mill__sink_tar.check(&config, &err), MILL_USAGE);
    config = config_of((mill_type){0}, MILL_POLICY_SKIP);
    ck_assert_int_eq(mill__sink_tar.check(&config, &err), MILL_OK);
}
END_TEST

/* One member of a plain ustar archive. */
static size_t member(const char *tar, char name[101], const char **data, size_t *nbytes)
{
    snprintf(name, 101, "%s", tar);
    *nbytes = strtoul(tar + 124, NULL, 8);
    *data = tar + 512;
    return 512 + (*nbytes + 511) / 512 * 512;
}

START_TEST(tar_holds_the_fields_of_good_rows)
{
    static char *const keys[] = {"d/a", "bad", "../x", "/y.1\n", "_y_1_"};
    static const char *const names[] = {"d/a.cls",  "d/a.jpg",   "__/x.jpg",
                                        "__/x.cls", "_y_1_.jpg", "_y_1__4.jpg"};
    static const char *const texts[] = {"12", "pixels 0", "pixels 2", "7", "pixels 3", "pixels 4"};
    mill__row rows[5];
    char text[16];
    for (int i = 0; i < 5; i++) {
        rows[i] = (mill__row){.key = keys[i], .sample = i, .label = i == 2 ? 7 : i ? -1 : 12};
        if (!i)
            carry(&rows[i], "cls", "12");
        snprintf(text, sizeof text, "pixels %d", i);
        carry(&rows[i], "jpg", text);
    }
    rows[1].status = MILL_BAD_DATA;
    mill__sink_config config = config_of(image, MILL_POLICY_SKIP);
    ck_assert_uint_eq(write_shard(&mill__sink_tar, &config, rows, 5), 1);
    size_t nbytes, at = 0, n;
    char *tar = content("s.tar", &nbytes), name[101];
    const char *data;
    for (int i = 0; i < 6; i++) {
        at += member(tar + at, name, &data, &n);
        ck_assert_str_eq(name, names[i]);
        ck_assert(n == strlen(texts[i]) && !memcmp(data, texts[i], n));
        for (size_t k = n; k < 512; k++)
            ck_assert(!data[k]);
    }
    ck_assert_uint_eq(nbytes, at + 1024);
    for (; at < nbytes; at++)
        ck_assert(!tar[at]);
    free(tar);
    free_rows(rows, 5);
}
END_TEST

START_TEST(null_takes_everything_and_gives_nothing)
{
    mill__row rows[4];
    uint8_t pixels[5][12];
    four_rows(rows, pixels);
    mill__sink_config config = config_of((mill_type){0}, MILL_POLICY_SUBSTITUTE);
    ck_assert_uint_eq(write_shard(&mill__sink_null, &config, rows, 4), 0);
    free_rows(rows, 4);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_file_appears_when_it_is_finished);
    tcase_add_test(tests, an_abandoned_file_leaves_nothing);
    tcase_add_test(tests, pieces_of_any_size_give_the_same_file);
    tcase_add_test(tests, of_several_files_all_appear_or_none);
    tcase_add_test(tests, a_missing_folder_is_an_io_error);
    tcase_add_test(tests, npy_leaves_bad_rows_out);
    tcase_add_test(tests, npy_puts_zeros_and_a_mask_for_bad_rows);
    tcase_add_test(tests, npy_of_plain_tensors_without_labels);
    tcase_add_test(tests, npy_of_no_rows_is_a_file_of_no_rows);
    tcase_add_test(tests, abandoned_shards_leave_nothing);
    tcase_add_test(tests, a_full_disk_is_an_io_error_and_leaves_nothing);
    tcase_add_test(tests, npy_refuses_what_has_no_fixed_shape);
    tcase_add_test(tests, tar_refuses_masks_and_what_is_no_picture);
    tcase_add_test(tests, tar_holds_the_fields_of_good_rows);
    tcase_add_test(tests, null_takes_everything_and_gives_nothing);
}

int main(void)
{
    Suite *suite = suite_create("sinks");
    TCase *tests = tcase_create("sinks");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
