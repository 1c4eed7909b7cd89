/* SPDX-License-Identifier: Apache-2.0 */
/* test_npy.c: .npy shards: which headers are read, which refused and why, and that rows come out the same
 * however the shard is cut. */
#include "engine/batch.h"
#include "format/npy_header.h"
#include "format/rows.h"
#include "format_fixture.h"

enum { ROOMY = 1 << 24 };

/* An .npy file: preamble, header text padded to 64 bytes, data. */
static void make(mill__buffer *out, int version, const char *header, const void *data, size_t nbytes)
{
    size_t before = version == 1 ? 10 : 12, length = strlen(header) + 1;
    size_t all = (before + length + 63) / 64 * 64;
    uint8_t head[12] = {0x93, 'N', 'U', 'M', 'P', 'Y', (uint8_t)version, 0};
    for (int i = 0; i < 4; i++)
        head[8 + i] = (uint8_t)((all - before) >> 8 * i);
    out->nbytes = 0;
    mill__buffer_append(out, head, before);
    mill__buffer_append(out, header, length - 1);
    while (out->nbytes + 1 < all)
        mill__buffer_append(out, " ", 1);
    mill__buffer_append(out, "\n", 1);
    mill__buffer_append(out, data, nbytes);
}

static shard npy(const mill__buffer *b, uint64_t max_sample_nbytes)
{
    return (shard){"npy", b->data, b->nbytes, max_sample_nbytes, NULL, 0, -1};
}

static void check_file(int version, const char *header, size_t nbytes, const char *expected)
{
    static const uint8_t data[1024];
    mill__buffer b = {0};
    make(&b, version, header, data, nbytes);
    const shard in = npy(&b, ROOMY);
    assert_walk(&in, expected);
    mill__buffer_free(&b);
}

#define HEADER(descr, order, shape) "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }"
#define SHAPE(shape)                HEADER("<f4", "False", shape)

START_TEST(every_version_and_way_of_writing_is_read)
{
    for (int version = 1; version <= 3; version++)
        check_file(version, SHAPE("(2, 3)"), 24, "000000.data 000001.data");
    check_file(1, "{'shape':(2,3),'fortran_order':False,'descr':'<f4'}", 24, "000000.data 000001.data");
    check_file(1, "{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (2, 3)}", 24,
               "000000.data 000001.data");
    check_file(1, SHAPE("(2L, 3L)"), 24, "000000.data 000001.data");
    check_file(1, " {'descr' : '<f4' ,\n'fortran_order':\tFalse, 'shape': ( 2 , 3 , ) , } ", 24,
               "000000.data 000001.data");
    check_file(1, SHAPE("(2,)"), 8, "000000.data 000001.data");
    check_file(1, SHAPE("(0, 3)"), 0, "");
    check_file(1, HEADER("<f4", "True", "(2,)"), 8, "000000.data 000001.data"); /* both orders are one */
    check_file(1, HEADER("<f4", "True", "(1, 3, 1)"), 12, "000000.data");
}
END_TEST

START_TEST(numeric_dtypes)
{
    static const struct {
        const char *descr;
        mill_dtype dtype;
    } known[] = {{"|b1", MILL_U8},  {"|i1", MILL_I8},  {"|u1", MILL_U8},  {"<i2", MILL_I16},
                 {"<u2", MILL_U16}, {"<i4", MILL_I32}, {"<u4", MILL_U32}, {"<i8", MILL_I64},
                 {"<u8", MILL_U64}, {"<f2", MILL_F16}, {"<f4", MILL_F32}, {"<f8", MILL_F64},
                 {"f4", MILL_F32},  {"=f4", MILL_F32}, {"u1", MILL_U8},   {">u1", MILL_U8},
                 {">i2", MILL_I16}, {">f8", MILL_F64}, {">f2", MILL_F16}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char header[200];
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (5, 4, 3)}",
                 known[i].descr);
        mill__buffer b = {0};
        make(&b, 1, header, "", 0);
        mill_type type;
        const mill__window window = {b.data, b.nbytes, 0, true};
        ck_assert_int_eq(
            mill__format_npy.peek(&mill__format_npy, &(mill_shard_info){0}, &window, &type, NULL), MILL_OK);
        ck_assert_int_eq(type.dtype, known[i].dtype);
        ck_assert_int_eq(type.rank, 2);
        ck_assert_int_eq(type.shape[0], 4);
        ck_assert_int_eq(type.shape[1], 3);
        mill__buffer_free(&b);
    }
}
END_TEST

START_TEST(other_dtypes_are_refused)
{
    static const char *const descr[] = {"<f3", "<f16",    "<c8",  "<U4",  "|S4",     "<M8[s]",
                                        "|O",  "|V8",     "<f4x", "?",    "",        "<",
                                        "|f4", "float32", "f",    "<<f4", "\xff\xfe"};
    for (size_t i = 0; i < sizeof descr / sizeof *descr; i++) {
        char header[200];
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (2,)}", descr[i]);
        check_file(1, header, 8, strcmp(descr[i], "|f4") ? "FAILED:unsupported" : "FAILED:header");
    }
    check_file(1, "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2,)}", 8,
               "FAILED:unsupported");
    check_file(1, SHAPE("()"), 4, "FAILED:unsupported");
    check_file(4, SHAPE("(2,)"), 8, "FAILED:unsupported");
    check_file(0, SHAPE("(2,)"), 8, "FAILED:unsupported");
}
END_TEST

START_TEST(malformed_headers_are_refused)
{
    static const char *const headers[] = {
        SHAPE("6"),
        SHAPE("(6)"),
        SHAPE("(-1, 3)"),
        SHAPE("(2.0, 3)"),
        SHAPE("(2 3)"),
        SHAPE("(,)"),
        SHAPE("(2,,3)"),
        SHAPE("(2, 3"),
        SHAPE("[2, 3]"),
        SHAPE("(0x2,)"),
        SHAPE("(9223372036854775808,)"),
        SHAPE("(99999999999999999999999999,)"),
        HEADER("<f4", "0", "(2,)"),
        HEADER("<f4", "false", "(2,)"),
        HEADER("<f4", "Falsehood", "(2,)"),
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'shape': (2,)}",
        "{'fortran_order': False, 'shape': (2,)}",
        "{}",
        "",
        "[]",
        "{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}",
        SHAPE("(2,)") "x",
        "{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (1,)}",
        "{descr: '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4' 'fortran_order': False}",
        "{'descr'",
        "{'descr':",
        "{'descr': '<f4',",
        "{'shape': (1",
        "{'shape': (1,",
        "{'shape': ("};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        for (int version = 1; version <= 3; version++)
            check_file(version, headers[i], 24, "FAILED:header");
    check_file(1, SHAPE("(1, 1, 1, 1, 1, 1, 1, 1, 1)"), 4, "000000.data");
    check_file(1, SHAPE("(1, 1, 1, 1, 1, 1, 1, 1, 1, 1)"), 4, "FAILED:unsupported");
}
END_TEST

START_TEST(deep_nesting_is_no_recursion)
{
    char *header = malloc(30000);
    strcpy(header, "{'descr': '<f4', 'fortran_order': False, 'shape': ");
    memset(header + strlen(header) + 0, '(', 10000);
    header[50 + 10000] = 0;
    check_file(1, header, 0, "FAILED:header");
    free(header);
}
END_TEST

START_TEST(hostile_sizes_are_refused_before_anything_is_made)
{
    check_file(1, SHAPE("(0, 9223372036854775807, 9223372036854775807)"), 0, "FAILED:header");
    check_file(1, SHAPE("(4294967296, 4294967296)"), 24, "FAILED:header");
    check_file(1, SHAPE("(9223372036854775807,)"), 24, "FAILED:header");
    check_file(1, SHAPE("(1000000000000,)"), 24, "FAILED:truncated");
    check_file(1, SHAPE("(3, 0)"), 0, "FAILED:shape");
    check_file(1, SHAPE("(2, 3)"), 23, "FAILED:truncated");
    mill__buffer b = {0};
    static const uint8_t data[400];
    make(&b, 1, SHAPE("(1, 100)"), data, 400);
    shard in = npy(&b, 399);
    assert_walk(&in, "FAILED:limit");
    in.max_sample_nbytes = 400;
    assert_walk(&in, "000000.data");
    mill__buffer_free(&b);
}
END_TEST

START_TEST(header_lengths_that_lie)
{
    mill__buffer b = {0};
    make(&b, 2, SHAPE("(2,)"), "12345678", 8);
    memset(b.data + 8, 0xff, 4);
    shard in = npy(&b, ROOMY);
    assert_walk(&in, "FAILED:limit");
    make(&b, 1, SHAPE("(2,)"), "12345678", 8);
    b.data[8] = 10;
    in = npy(&b, ROOMY);
    assert_walk(&in, "FAILED:header");
    b.data[9] = 0xea;
    assert_walk(&in, "FAILED:truncated");
    mill__buffer_free(&b);
}
END_TEST

START_TEST(bytes_behind_the_last_row_are_told)
{
    check_file(1, SHAPE("(2,)"), 12, "000000.data 000001.data warning:trailing");
    check_file(1, SHAPE("(0, 3)"), 1, "warning:trailing");
}
END_TEST

START_TEST(truncated_at_every_byte)
{
    mill__buffer b = {0};
    make(&b, 1, SHAPE("(3, 2)"), "123456789012345678901234", 24);
    for (size_t n = 0; n < b.nbytes; n++) {
        uint8_t *bytes = malloc(n + 1);
        memcpy(bytes, b.data, n);
        const shard in = {"npy", bytes, n, ROOMY, NULL, 0, -1};
        assert_walk(&in, "FAILED:truncated");
        assert_cut_is_same(&in, (cuts){.block = 1},
                           &(walked){.log = {(uint8_t *)"", 0, 0}, .status = MILL_BAD_DATA});
        mill_type type;
        uint8_t *exact = malloc(n ? n : 1);
        memcpy(exact, bytes, n);
        const mill__window head = {exact, n, 0, true};
        ck_assert_int_eq(mill__format_npy.peek(&mill__format_npy, &(mill_shard_info){0}, &head, &type, NULL),
                         n < 128 ? MILL_BAD_DATA : MILL_OK);
        free(exact);
        free(bytes);
    }
    mill__buffer_free(&b);
}
END_TEST

START_TEST(cut_everywhere)
{
    mill__buffer b = {0};
    uint8_t data[700];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31);
    make(&b, 1, SHAPE("(11, 5, 3)"), data, 11 * 60 + 7); /* and seven bytes too many */
    shard in = npy(&b, ROOMY);
    assert_all_cuts_are_same(&in);
    make(&b, 3, HEADER("|u1", "False", "(700,)"), data, 700);
    in = npy(&b, ROOMY);
    assert_all_cuts_are_same(&in);
    mill__buffer_free(&b);
}
END_TEST

START_TEST(rows_are_numbered_without_end)
{
    enum { ROWS = 1000003 };
    mill__buffer b = {0};
    uint8_t *data = calloc(1, ROWS);
    char header[200];
    snprintf(header, sizeof header, "{'descr': '|u1', 'fortran_order': False, 'shape': (%d,)}", ROWS);
    make(&b, 1, header, data, ROWS);
    const shard in = npy(&b, ROOMY);
    walked w = walk_shard(&in, (cuts){.block = 65536});
    const char *log = text_of(&w.lines);
    ck_assert_int_eq(w.nsamples, ROWS);
    ck_assert_ptr_nonnull(strstr(log, " 000009.data 000010.data "));
    ck_assert_ptr_nonnull(strstr(log, " 099999.data 100000.data "));
    ck_assert_ptr_nonnull(strstr(log, " 999999.data 1000000.data 1000001.data 1000002.data"));
    end_walk(&w);
    mill__buffer_free(&b);
    free(data);
}
END_TEST

START_TEST(written_headers_are_read_again)
{
    for (mill_dtype dtype = MILL_U8; dtype <= MILL_F64; dtype++) {
        char bytes[MILL__NPY_HEADER_NBYTES];
        mill_type type = {.dtype = dtype, .rank = 8, .shape = {1, 2, 3, 4, 5, 6, 7, 8}};
        ck_assert_int_eq(mill__npy_header(bytes, &type, 12345, NULL), MILL_OK);
        mill__npy npy;
        size_t need;
        ck_assert_int_eq(mill__npy_parse((uint8_t *)bytes, sizeof bytes, &npy, &need, NULL), MILL_OK);
        ck_assert_int_eq(npy.type.dtype, dtype == MILL_BF16 ? MILL_U16 : dtype);
        ck_assert_int_eq(npy.type.rank, 8);
        ck_assert_mem_eq(npy.type.shape, type.shape, sizeof type.shape);
        ck_assert_uint_eq(npy.rows, 12345);
        ck_assert_uint_eq(npy.row_nbytes, 40320 * mill_dtype_nbytes(dtype));
        ck_assert_uint_eq(npy.header_nbytes, sizeof bytes);
    }
}
END_TEST

/* The next sample, as next() gives it. */
static mill_status step_on(const mill__format_ops *format, void *walker, const uint8_t *data, size_t nbytes,
                           size_t *at, mill__sample *sample)
{
    const mill__window window = {.data = data + *at, .nbytes = nbytes - *at, .offset = *at, .last = true};
    const mill__report report = {0};
    size_t used = 0, need = 0;
    mill_error err;
    mill_status status = format->next(walker, &window, &report, sample, &used, &need, &err);
    *at += used;
    return status;
}

static bool are_alike(const mill__row *row, const mill__sample *sample)
{
    const mill__field *a = row->fields, *b = sample->fields;
    return !strcmp(row->key, sample->key) && row->offset == sample->offset && row->nbytes == sample->nbytes &&
           row->label == sample->label && row->nfields == sample->nfields && a->data == b->data &&
           a->offset == b->offset && a->nbytes == b->nbytes && a->name_nbytes == b->name_nbytes &&
           !memcmp(a->name, b->name, a->name_nbytes);
}

/* All rows with one batch, at most so many at a time and so many bytes in sight, and one by one. */
static void check_many(const mill__buffer *b, size_t nrows, size_t most, size_t sight)
{
    const mill__format_ops *format = &mill__format_npy;
    const mill_shard_info info = {.nbytes = b->nbytes};
    void *one, *many;
    mill_error err;
    mill__sample sample;
    mill__batch batch;
    size_t at = 0, at_many = 0, stride = 0, checked = 0;
    ck_assert_int_eq(format->open(format, &one, &info, -1, ROOMY, &err), MILL_OK);
    ck_assert_int_eq(format->open(format, &many, &info, -1, ROOMY, &err), MILL_OK);
    ck_assert_int_eq(mill__batch_open(&batch, nrows), MILL_OK);
    bool good = true; /* not an assertion for each row: they are slow */
    while (good && step_on(format, many, b->data, b->nbytes, &at_many, &sample) == MILL_OK) {
        good = mill__batch_add(&batch, &sample, NULL);
        const size_t left = b->nbytes - at_many;
        const mill__window window = {.data = b->data + at_many,
                                     .nbytes = left < sight ? left : sight,
                                     .offset = at_many,
                                     .last = left <= sight};
        size_t n = format->more(many, &window, most, &stride);
        good =
            good && n <= most && n * stride <= window.nbytes && (!n || mill__batch_more(&batch, n, stride));
        at_many += n * stride;
        for (; good && checked < batch.n; checked++)
            good = !step_on(format, one, b->data, b->nbytes, &at, &sample) &&
                   batch.rows[checked].sample == (int64_t)checked && are_alike(&batch.rows[checked], &sample);
    }
    ck_assert(good);
    ck_assert_uint_eq(checked, nrows);
    ck_assert_uint_eq(at_many, b->nbytes);
    mill__batch_free(&batch);
    format->close(one);
    format->close(many);
}

START_TEST(many_rows_at_once_are_those_of_one_by_one)
{
    enum { ROWS = 1000123 };
    uint8_t *data = calloc(ROWS, 1);
    mill__buffer b = {0};
    make(&b, 1, HEADER("|u1", "False", "(1000123, 1)"), data, ROWS);
    check_many(&b, ROWS, 256, SIZE_MAX);
    check_many(&b, ROWS, 1000, 777);
    mill__buffer_free(&b);
    make(&b, 1, HEADER("<f4", "False", "(1001, 3)"), data, 1001 * 12);
    for (size_t sight = 0; sight < 40; sight++)
        check_many(&b, 1001, 7, sight);
    mill__buffer_free(&b);
    free(data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("npy");
    TCase *tc = tcase_create("headers and rows");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, every_version_and_way_of_writing_is_read);
    tcase_add_test(tc, numeric_dtypes);
    tcase_add_test(tc, other_dtypes_are_refused);
    tcase_add_test(tc, malformed_headers_are_refused);
    tcase_add_test(tc, deep_nesting_is_no_recursion);
    tcase_add_test(tc, hostile_sizes_are_refused_before_anything_is_made);
    tcase_add_test(tc, header_lengths_that_lie);
    tcase_add_test(tc, bytes_behind_the_last_row_are_told);
    tcase_add_test(tc, truncated_at_every_byte);
    tcase_add_test(tc, cut_everywhere);
    tcase_add_test(tc, rows_are_numbered_without_end);
    tcase_add_test(tc, many_rows_at_once_are_those_of_one_by_one);
    tcase_add_test(tc, written_headers_are_read_again);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
