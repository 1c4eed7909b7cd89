/* SPDX-License-Identifier: Apache-2.0 */
/* test_raw.c: raw shards: what a format's arguments say, and what does not fit it. */
#include "rows_fixture.h"

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

START_TEST(samples_of_one_size)
{
    shard in = rows_of("raw:u8:4", digits, 36);
    assert_good(&in, "000000.data 000001.data 000002.data 000003.data 000004.data 000005.data 000006.data "
                     "000007.data 000008.data");
    in = rows_of("raw:f32:1x3", digits, 36);
    assert_good(&in, "000000.data 000001.data 000002.data");
    in = rows_of("raw:shape=3x3:dtype=i16:skip=18", digits, 36);
    assert_good(&in, "000000.data");
    in = rows_of("raw:u8:5:skip=1", digits, 36);
    assert_good(&in, "000000.data 000001.data 000002.data 000003.data 000004.data 000005.data 000006.data");
    in = rows_of("raw:f64:4:skip=36", digits, 36);
    assert_good(&in, "");
    in = rows_of("raw:f64:4", digits, 0);
    assert_good(&in, "");
    uint8_t *large = calloc(1, 300000);
    in = rows_of("raw:u8:100000:skip=200000", large, 300000); /* what is skipped is longer than a head */
    assert_walk(&in, "000000.data");
    assert_at_is_next(&in);
    walked whole = walk_shard(&in, (cuts){0});
    assert_cut_is_same(&in, (cuts){.block = 1000}, &whole);
    end_walk(&whole);
    free(large);
}
END_TEST

START_TEST(types)
{
    mill_type type = type_of("raw:bf16:2x3x4:layout=chw", digits, 36);
    ck_assert_int_eq(type.dtype, MILL_BF16);
    ck_assert_int_eq(type.layout, MILL_CHW);
    ck_assert_int_eq(type.rank, 3);
    ck_assert_int_eq(type.shape[0], 2);
    ck_assert_int_eq(type.shape[2], 4);
    type = type_of("raw:f64:1x1x1x1x1x1x1x7", digits, 36);
    ck_assert_int_eq(type.rank, 8);
    ck_assert_int_eq(type.shape[7], 7);
    ck_assert_int_eq(type.layout, MILL_PLAIN);
}
END_TEST

START_TEST(cut_off)
{
    for (size_t n = 1; n <= 36; n++) { /* only whole samples */
        char *bytes = malloc(n);
        memcpy(bytes, digits, n);
        const shard in = rows_of("raw:u8:12", bytes, n);
        assert_walk(&in, n % 12    ? "FAILED:size"
                         : n == 12 ? "000000.data"
                         : n == 24 ? "000000.data 000001.data"
                                   : "000000.data 000001.data 000002.data");
        free(bytes);
    }
    assert_cut_off("raw:u8:12:skip=36", digits, 36, "FAILED:truncated");
}
END_TEST

START_TEST(hostile_arguments)
{
    assert_no_format("raw", "dtype");
    assert_no_format("raw:f32", "shape");
    assert_no_format("raw:f33:3", "one of u8|i8");
    static const char *const shapes[] = {"0",
                                         "-1",
                                         "3x",
                                         "x3",
                                         "3xx3",
                                         "3X4",
                                         "3x-4",
                                         "3x 4",
                                         "1.5",
                                         "3y4",
                                         "+3x3",
                                         "1x1x1x1x1x1x1x1x1",
                                         "99999999999999999999"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char text[100];
        snprintf(text, sizeof text, "raw:f32:\"%s\"", shapes[i]);
        assert_no_format(text, "shape is one to 8 numbers");
    }
    assert_no_format("raw:f64:2147483648x2147483648", "2^62");
    assert_no_format("raw:f32:3:skip=-1", "skip");
    assert_no_format("raw:f32:3:layout=hwc", "three axes");
    assert_no_format("raw:f32:3:order=middle", "little|big");
    assert_no_format("raw:f32:3:skpi=1", "skip");
    assert_no_format("raw:f32:3|tar", "no name of a shard format");
    assert_no_format("", "no name of a shard format");
    assert_no_format(":", "no name of a shard format");
    assert_no_format("npyy", "no shard format \"npyy\"");
    assert_no_format("npy:f32", "npy");
    shard in = rows_of("raw:u8:4611686018427387903", digits, 36);
    assert_walk(&in, "FAILED:size");
    in = rows_of("raw:u8:36", digits, 36);
    in.max_sample_nbytes = 35;
    assert_walk(&in, "FAILED:limit");
}
END_TEST

START_TEST(a_name_alone_says_what_is_missing)
{
    const mill__window head = {(const uint8_t *)digits, 36, 0, true};
    mill_type type;
    mill_error err;
    ck_assert_int_eq(mill__format_raw.peek(&mill__format_raw, &(mill_shard_info){0}, &head, &type, &err),
                     MILL_USAGE);
    ck_assert_ptr_nonnull(strstr(err.message, "raw:f32:3x32x32"));
}
END_TEST

static mill_status read_digits(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                               mill_error *err)
{
    (void)handle, (void)err;
    *got = offset > 36 ? 0 : 36 - offset < n ? 36 - (size_t)offset : n;
    memcpy(data, digits + (*got ? offset : 0), *got);
    return MILL_OK;
}

START_TEST(big_endian)
{
    mill__format_ops format;
    const mill__bytes stored = {.read = read_digits};
    mill__bytes view = {0};
    mill_shard_info info = {.nbytes = 36};
    char piece[16];
    size_t got;
    ck_assert_int_eq(mill__format_parse("raw:u16:2:order=big:skip=4", &format, NULL), MILL_OK);
    ck_assert_int_eq(format.view(&format, &stored, &info, 0, &view, NULL), MILL_OK);
    ck_assert_int_eq(view.read(view.handle, 1, piece, 8, &got, NULL), MILL_OK);
    ck_assert_mem_eq(piece, "12354769", 8);
    view.close(view.handle);
    view = (mill__bytes){0};
    ck_assert_int_eq(mill__format_parse("raw:u8:4:order=big", &format, NULL), MILL_OK);
    ck_assert_int_eq(format.view(&format, &stored, &info, 0, &view, NULL), MILL_OK);
    ck_assert_ptr_null(view.read);
}
END_TEST

RUN_SUITE("raw", samples_of_one_size, types, cut_off, hostile_arguments, a_name_alone_says_what_is_missing,
          big_endian)
