/* SPDX-License-Identifier: Apache-2.0 */
/* test_tensor_sinks.c: what --as safetensors writes, byte by byte, and that it leaves nothing behind when it
 * fails. */
#include "base/hash.h"
#include "registry.h"
#include "sink/sink.h"
#include "unit/folder_of_test.h"
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

enum { FRONT = 1024 };

static const mill_type image = {.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3, .shape = {2, 2, 3}};
static const mill_type vector = {.dtype = MILL_BF16, .rank = 1, .shape = {2}};

static mill__sink_config config_of(mill_type type, mill_policy policy)
{
    return (mill__sink_config){.folder = folder, .type = type, .fixed = true, .policy = policy};
}

static void write_shard(const mill__sink_config *config, const mill__row *rows, size_t n)
{
    const mill__sink_ops *sink = &mill__sink_safetensors;
    void *shard;
    mill__output_file *files;
    size_t nfiles;
    mill_error err;
    ck_assert_msg(!sink->check(config, &err), "%s", err.message);
    ck_assert_msg(!sink->begin(config, "s", &shard, &err), "%s", err.message);
    ck_assert_msg(!sink->write(shard, rows, n / 2, &err), "%s", err.message);
    ck_assert_msg(!sink->write(shard, rows + n / 2, n - n / 2, &err), "%s", err.message);
    ck_assert_msg(!sink->finish(shard, &files, &nfiles, &err), "%s", err.message);
    ck_assert_uint_eq(nfiles, 2);
    ck_assert_int_eq(count_files(), 2);
    for (size_t i = 0; i < nfiles; i++) {
        size_t nbytes;
        char *data = content(files[i].name, &nbytes);
        ck_assert(nbytes == files[i].nbytes && mill__hash_bytes(data, nbytes) == files[i].xxh3);
        free(data);
    }
    mill__output_files_free(files, nfiles);
}

static void expect(const char *json, const void *data, size_t nbytes)
{
    size_t there;
    char *read = content("s.safetensors", &there), header[FRONT - 8 + 1];
    static const char length[8] = "\xf8\x03"; /* 1016 */
    ck_assert_uint_eq(there, FRONT + nbytes);
    ck_assert_mem_eq(read, length, 8);
    memset(header, ' ', FRONT - 8);
    memcpy(header, json, strlen(json));
    ck_assert_mem_eq(read + 8, header, FRONT - 8);
    ck_assert(!memcmp(read + FRONT, data, nbytes));
    free(read);
}

static void three_rows(mill__row rows[3], uint8_t pixels[3][12])
{
    static char *const keys[] = {"a\n", "bad", "c"};
    for (int i = 0; i < 36; i++)
        pixels[i / 12][i % 12] = (uint8_t)(i + 1);
    for (int i = 0; i < 3; i++)
        rows[i] = (mill__row){.key = keys[i], .label = i == 2 ? 7 : -1, .tensor = pixels[i]};
    rows[1].status = MILL_BAD_DATA;
}

START_TEST(bad_rows_are_left_out)
{
    mill__row rows[3];
    uint8_t pixels[3][12], want[24 + 16];
    const int64_t labels[] = {-1, 7};
    three_rows(rows, pixels);
    memcpy(want, pixels[0], 12);
    memcpy(want + 12, pixels[2], 12);
    memcpy(want + 24, labels, 16);
    mill__sink_config config = config_of(image, MILL_POLICY_SKIP);
    write_shard(&config, rows, 3);
    expect("{\"image\":{\"dtype\":\"U8\",\"shape\":[2,2,2,3],\"data_offsets\":[0,24]},"
           "\"label\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[24,40]}}",
           want, sizeof want);
    expect_text("s.keys.txt", "a\\x0a\nc\n");
}
END_TEST

START_TEST(zeros_and_a_mask_for_bad_rows)
{
    mill__row rows[3];
    uint8_t pixels[3][12], want[36 + 24 + 3] = {0};
    const int64_t labels[] = {-1, -1, 7};
    three_rows(rows, pixels);
    memcpy(want, pixels[0], 12);
    memcpy(want + 24, pixels[2], 12);
    memcpy(want + 36, labels, 24);
    want[60] = want[62] = 1;
    mill__sink_config config = config_of(image, MILL_POLICY_SUBSTITUTE);
    write_shard(&config, rows, 3);
    expect("{\"image\":{\"dtype\":\"U8\",\"shape\":[3,2,2,3],\"data_offsets\":[0,36]},"
           "\"label\":{\"dtype\":\"I64\",\"shape\":[3],\"data_offsets\":[36,60]},"
           "\"mask\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[60,63]}}",
           want, sizeof want);
}
END_TEST

START_TEST(plain_tensors_without_labels)
{
    const uint16_t data[2][2] = {{1, 2}, {3, 4}};
    mill__row rows[2] = {{.key = "0", .label = -1, .tensor = data[0]},
                         {.key = "1", .label = -1, .tensor = data[1]}};
    mill__sink_config config = config_of(vector, MILL_POLICY_FAIL);
    write_shard(&config, rows, 2);
    expect("{\"data\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[0,8]}}", data, 8);
}
END_TEST

START_TEST(no_rows)
{
    mill__row none = {0};
    mill__sink_config config = config_of(vector, MILL_POLICY_SUBSTITUTE);
    write_shard(&config, &none, 0);
    expect("{\"data\":{\"dtype\":\"BF16\",\"shape\":[0,2],\"data_offsets\":[0,0]}}", "", 0);
}
END_TEST

START_TEST(eight_axes)
{
    char byte = 1;
    mill_type type = {.dtype = MILL_BF16, .layout = MILL_PLAIN, .rank = MILL_MAX_RANK};
    for (int i = 0; i < MILL_MAX_RANK; i++)
        type.shape[i] = 1;
    type.dtype = MILL_U8;
    mill__row row = {.key = "0", .label = 1, .tensor = &byte};
    mill__sink_config config = config_of(type, MILL_POLICY_SUBSTITUTE);
    write_shard(&config, &row, 1);
    static const char want[] = {1, 1, 0, 0, 0, 0, 0, 0, 0, 1};
    expect("{\"data\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]},"
           "\"label\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[1,9]},"
           "\"mask\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[9,10]}}",
           want, sizeof want);
}
END_TEST

START_TEST(what_does_not_suit_is_refused)
{
    mill_error err;
    mill_type types[] = {{0},
                         image,
                         {.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}},
                         {.dtype = MILL_F32, .rank = 2, .shape = {INT64_MAX, 1 << 20}}};
    for (int i = 0; i < 4; i++) {
        mill__sink_config config = config_of(types[i], MILL_POLICY_FAIL);
        config.fixed = i != 1;
        ck_assert_int_eq(mill__sink_safetensors.check(&config, &err), MILL_USAGE);
    }
}
END_TEST

START_TEST(an_abandoned_shard_leaves_nothing)
{
    mill__row rows[3];
    uint8_t pixels[3][12];
    void *shard;
    three_rows(rows, pixels);
    mill__sink_config config = config_of(image, MILL_POLICY_SUBSTITUTE);
    ck_assert(!mill__sink_safetensors.begin(&config, "s", &shard, NULL));
    ck_assert(!mill__sink_safetensors.write(shard, rows, 3, NULL));
    mill__sink_safetensors.abandon(shard);
    ck_assert_int_eq(count_files(), 0);
}
END_TEST

/* A limit on the size of files stands in for a full disk. */
START_TEST(a_full_disk_leaves_nothing)
{
    static char big[400000];
    mill_type type = {.dtype = MILL_U8, .rank = 1, .shape = {sizeof big}};
    mill__row row = {.key = "0", .label = 3, .tensor = big};
    mill__sink_config config = config_of(type, MILL_POLICY_FAIL);
    mill__output_file *files;
    size_t nfiles;
    void *shard;
    mill_error err;
    signal(SIGXFSZ, SIG_IGN);
    const rlim_t limits[] = {300000, 1000}; /* too small for the rows; for the header */
    for (int i = 0; i < 2; i++) {
        struct rlimit limit = {limits[i], RLIM_INFINITY};
        if (i)
            config.type.shape[0] = 10;
        ck_assert(!mill__sink_safetensors.begin(&config, "s", &shard, NULL));
        ck_assert(!setrlimit(RLIMIT_FSIZE, &limit));
        mill_status status = mill__sink_safetensors.write(shard, &row, 1, &err);
        if (status)
            mill__sink_safetensors.abandon(shard);
        else
            status = mill__sink_safetensors.finish(shard, &files, &nfiles, &err);
        limit.rlim_cur = RLIM_INFINITY;
        ck_assert(!setrlimit(RLIMIT_FSIZE, &limit));
        ck_assert(status == MILL_IO && err.os_error == EFBIG);
        ck_assert_int_eq(count_files(), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tensor sinks");
    TCase *tc = tcase_create("safetensors");
    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, bad_rows_are_left_out);
    tcase_add_test(tc, zeros_and_a_mask_for_bad_rows);
    tcase_add_test(tc, plain_tensors_without_labels);
    tcase_add_test(tc, no_rows);
    tcase_add_test(tc, eight_axes);
    tcase_add_test(tc, what_does_not_suit_is_refused);
    tcase_add_test(tc, an_abandoned_shard_leaves_nothing);
    tcase_add_test(tc, a_full_disk_leaves_nothing);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
