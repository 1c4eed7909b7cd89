/* SPDX-License-Identifier: Apache-2.0 */
/* test_tokens.c: windows of tokens, with and without the header of llm.c. */
#include "rows_fixture.h"

/* The header, if magic is not 0, and n tokens that count up from 100. */
static void make(mill__buffer *out, uint32_t magic, uint32_t version, uint32_t stated, size_t n, size_t token)
{
    uint32_t header[256] = {magic, version, stated};
    out->nbytes = 0;
    mill__buffer_append(out, header, magic ? sizeof header : 0);
    for (uint32_t i = 100; i < 100 + n; i++)
        mill__buffer_append(out, &i, token);
}

static void check(const char *format, const mill__buffer *b, const char *expected)
{
    const shard in = rows_of(format, b->data, b->nbytes);
    assert_walk(&in, expected);
}

/* Window i holds T + 1 tokens from i * stride on. */
static void check_windows(const char *text, const mill__buffer *b, size_t window, size_t stride, size_t token)
{
    mill__format_ops format;
    mill__extents e;
    const mill_shard_info info = {.nbytes = b->nbytes};
    const mill__window head = {b->data, b->nbytes, 0, true};
    ck_assert_int_eq(mill__format_parse(text, &format, NULL), MILL_OK);
    ck_assert_int_eq(format.locate(&format, &info, &head, &e, NULL), MILL_OK);
    ck_assert_uint_eq(e.row_nbytes, window * token);
    for (size_t i = 0; i < e.n; i++)
        for (size_t k = 0; k < window; k++) {
            uint32_t found = 0;
            memcpy(&found, b->data + e.first + i * e.stride_nbytes + k * token, token);
            ck_assert_uint_eq(found, 100 + i * stride + k);
        }
}

START_TEST(windows)
{
    mill__buffer b = {0};
    make(&b, 0, 0, 0, 13, 2);
    shard in = rows_of("tokens:T=4:dtype=u16", b.data, b.nbytes);
    assert_good(&in, "000000.data 000001.data 000002.data");
    check_windows("tokens:4:dtype=u16", &b, 5, 4, 2);
    in = rows_of("tokens:T=4:stride=1:dtype=u16", b.data, b.nbytes);
    assert_good(&in, "000000.data 000001.data 000002.data 000003.data 000004.data 000005.data 000006.data "
                     "000007.data 000008.data");
    check_windows("tokens:T=4:stride=1:dtype=u16", &b, 5, 1, 2);
    in = rows_of("tokens:T=4:stride=5:dtype=u16", b.data, b.nbytes);
    assert_good(&in, "000000.data 000001.data warning:trailing");
    in = rows_of("tokens:T=12:dtype=u16", b.data, b.nbytes);
    assert_good(&in, "000000.data");
    in = rows_of("tokens:T=13:dtype=u16", b.data, b.nbytes);
    assert_good(&in, "warning:trailing");
    mill__buffer_free(&b);
}
END_TEST

START_TEST(headers_of_llm_c)
{
    mill__buffer b = {0};
    make(&b, 20240520, 1, 9, 9, 2);
    shard in = rows_of("tokens:T=4:stride=2", b.data, b.nbytes);
    assert_good(&in, "000000.data 000001.data 000002.data");
    check_windows("tokens:T=4:stride=2", &b, 5, 2, 2);
    ck_assert_int_eq(type_of("tokens:T=4", b.data, b.nbytes).dtype, MILL_U16);
    ck_assert_int_eq(type_of("tokens:T=4", b.data, b.nbytes).shape[0], 5);
    make(&b, 20240801, 7, 9, 9, 4);
    in = rows_of("tokens:T=4:dtype=u32", b.data, b.nbytes);
    assert_good(&in, "000000.data 000001.data");
    check_windows("tokens:T=4", &b, 5, 4, 4);
    ck_assert_int_eq(type_of("tokens:T=4", b.data, b.nbytes).dtype, MILL_U32);
    check("tokens:T=4:dtype=u16", &b, "FAILED:header"); /* it says otherwise */
    check("tokens:T=127:dtype=u16:header=none", &b,
          "000000.data 000001.data 000002.data 000003.data "
          "warning:trailing");
    make(&b, 20240801, 7, 5, 9, 4); /* fewer than there are */
    check("tokens:T=4", &b, "000000.data warning:trailing");
    mill__buffer_free(&b);
}
END_TEST

START_TEST(truncated_at_every_byte)
{
    mill__buffer b = {0};
    make(&b, 20240520, 1, 9, 9, 2);
    for (size_t n = 0; n < b.nbytes; n++) {
        uint8_t *bytes = malloc(n + 1);
        memcpy(bytes, b.data, n);
        const shard in = rows_of("tokens:T=4", bytes, n);
        assert_walk(&in, n < 4 ? "FAILED:header" : "FAILED:truncated");
        walked whole = walk_shard(&in, (cuts){0});
        assert_cut_is_same(&in, (cuts){.block = 1}, &whole);
        end_walk(&whole);
        free(bytes);
    }
    mill__buffer_free(&b);
}
END_TEST

START_TEST(hostile_headers)
{
    mill__buffer b = {0};
    make(&b, 20240520, 2, 9, 9, 2);
    check("tokens:T=4", &b, "FAILED:unsupported");
    make(&b, 20240801, 1, 9, 9, 4);
    check("tokens:T=4", &b, "FAILED:unsupported");
    make(&b, 20240520, 1, 10, 9, 2);
    check("tokens:T=4", &b, "FAILED:truncated");
    make(&b, 20240520, 1, 0x7fffffff, 9, 2);
    check("tokens:T=4", &b, "FAILED:truncated");
    make(&b, 20240520, 1, 0xffffffff, 9, 2);
    check("tokens:T=4", &b, "FAILED:header");
    make(&b, 20240520, 1, 0, 0, 2);
    check("tokens:T=4", &b, "");
    make(&b, 12345, 1, 9, 9, 2);
    check("tokens:T=4", &b, "FAILED:header");
    make(&b, 20240520, 1, 9, 9, 2);
    shard in = rows_of("tokens:T=8", b.data, b.nbytes);
    in.max_sample_nbytes = 17;
    assert_walk(&in, "FAILED:limit");
    mill__buffer_free(&b);
}
END_TEST

START_TEST(hostile_arguments)
{
    assert_no_format("tokens", "T");
    assert_no_format("tokens:T=0", "T");
    assert_no_format("tokens:T=-1", "T");
    assert_no_format("tokens:T=4:stride=6", "stride is at most T + 1");
    assert_no_format("tokens:T=4:dtype=u8", "header|u16|u32");
    assert_no_format("tokens:T=4:header=none", "dtype=u16");
    assert_no_format("tokens:T=99999999999", "T");
}
END_TEST

RUN_SUITE("tokens", windows, headers_of_llm_c, truncated_at_every_byte, hostile_headers, hostile_arguments)
