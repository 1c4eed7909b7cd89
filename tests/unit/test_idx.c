/* SPDX-License-Identifier: Apache-2.0 */
/* test_idx.c: IDX arrays, as MNIST is distributed. */
#include "rows_fixture.h"

/* "\0\0" code rank, extents, and what is given behind them. */
static void make(mill__buffer *out, int code, int rank, const uint32_t *extents, const void *data,
                 size_t nbytes)
{
    const uint8_t magic[4] = {0, 0, (uint8_t)code, (uint8_t)rank};
    out->nbytes = 0;
    mill__buffer_append(out, magic, 4);
    for (int i = 0; i < rank; i++) {
        uint32_t big = __builtin_bswap32(extents[i]);
        mill__buffer_append(out, &big, 4);
    }
    mill__buffer_append(out, data, nbytes);
}
#define EXTENTS(...) ((const uint32_t[]){__VA_ARGS__})

static void check(const mill__buffer *b, const char *expected)
{
    const shard in = rows_of("idx", b->data, b->nbytes);
    assert_walk(&in, expected);
}

START_TEST(images_and_labels)
{
    static const char data[64] = "images of 2 x 3 pixels, and labels";
    mill__buffer b = {0};
    make(&b, 8, 3, EXTENTS(3, 2, 3), data, 18);
    shard in = rows_of("idx", b.data, b.nbytes);
    assert_good(&in, "000000.data 000001.data 000002.data");
    mill_type type = type_of("idx", b.data, b.nbytes);
    ck_assert_int_eq(type.dtype, MILL_U8);
    ck_assert_int_eq(type.rank, 2);
    ck_assert_int_eq(type.shape[0], 2);
    ck_assert_int_eq(type.shape[1], 3);
    make(&b, 8, 1, EXTENTS(2), "\7\3", 2);
    in = rows_of("idx", b.data, b.nbytes);
    assert_good(&in, "000000.data 000001.data");
    ck_assert_int_eq(type_of("idx", b.data, b.nbytes).rank, 0);
    make(&b, 8, 1, EXTENTS(0), "", 0);
    check(&b, "");
    make(&b, 8, 1, EXTENTS(2), "\7\3x", 3);
    check(&b, "000000.data 000001.data warning:trailing");
    mill__buffer_free(&b);
}
END_TEST

START_TEST(dtypes)
{
    static const struct {
        int code;
        mill_dtype dtype;
    } known[] = {{8, MILL_U8}, {9, MILL_I8}, {11, MILL_I16}, {12, MILL_I32}, {13, MILL_F32}, {14, MILL_F64}};
    static const char zeros[64];
    mill__buffer b = {0};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        make(&b, known[i].code, 2, EXTENTS(2, 3), zeros, 6 * mill_dtype_nbytes(known[i].dtype));
        check(&b, "000000.data 000001.data");
        ck_assert_int_eq(type_of("idx", b.data, b.nbytes).dtype, known[i].dtype);
    }
    static const int unknown[] = {0, 7, 10, 15, 16, 255};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        make(&b, unknown[i], 1, EXTENTS(1), zeros, 8);
        check(&b, "FAILED:header");
    }
    mill__buffer_free(&b);
}
END_TEST

START_TEST(truncated_at_every_byte)
{
    mill__buffer b = {0};
    make(&b, 12, 2, EXTENTS(2, 2), "0123456789abcdef", 16);
    assert_cut_off("idx", b.data, b.nbytes, "FAILED:truncated");
    mill__buffer_free(&b);
}
END_TEST

START_TEST(hostile_headers)
{
    static const char zeros[64];
    mill__buffer b = {0};
    make(&b, 8, 0, EXTENTS(0), zeros, 8);
    check(&b, "FAILED:unsupported");
    make(&b, 8, 10, EXTENTS(1, 1, 1, 1, 1, 1, 1, 1, 1, 1), zeros, 1);
    check(&b, "FAILED:unsupported");
    make(&b, 8, 9, EXTENTS(1, 1, 1, 1, 1, 1, 1, 1, 1), zeros, 1);
    check(&b, "000000.data");
    make(&b, 14, 2, EXTENTS(0xffffffff, 0xffffffff), zeros, 64);
    check(&b, "FAILED:header");
    make(&b, 8, 3, EXTENTS(0xffffffff, 0xffffffff, 0xffffffff), zeros, 64);
    check(&b, "FAILED:header");
    make(&b, 8, 4, EXTENTS(1, 0, 0xffffffff, 0xffffffff), zeros, 64);
    check(&b, "FAILED:header");
    make(&b, 8, 2, EXTENTS(0xffffffff, 100), zeros, 64);
    check(&b, "FAILED:truncated");
    make(&b, 8, 2, EXTENTS(3, 0), zeros, 0);
    check(&b, "FAILED:shape");
    make(&b, 8, 2, EXTENTS(1, 64), zeros, 64);
    b.data[0] = 1;
    check(&b, "FAILED:header");
    mill__buffer_free(&b);
}
END_TEST

RUN_SUITE("idx", images_and_labels, dtypes, truncated_at_every_byte, hostile_headers)
