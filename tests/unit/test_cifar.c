/* SPDX-License-Identifier: Apache-2.0 */
/* test_cifar.c: CIFAR-10 and CIFAR-100: which of the two it is, labels, and sizes that are neither. */
#include "rows_fixture.h"

enum { IMAGE = 3072 };

static uint8_t *make(size_t n, int labels)
{
    size_t row = IMAGE + (size_t)labels;
    uint8_t *data = malloc(n * row + 1);
    for (size_t i = 0; i < n * row; i++)
        data[i] = (uint8_t)(i * 7 + i / row);
    for (size_t i = 0; i < n; i++) {
        data[i * row] = (uint8_t)(20 - i);
        data[i * row + (size_t)labels - 1] = (uint8_t)(i + 3);
    }
    return data;
}

static void check_labels(const shard *in, size_t n)
{
    walked w = walk_shard(in, (cuts){0});
    for (size_t i = 0; i < n; i++) {
        char line[64];
        snprintf(line, sizeof line, "sample [%06zu] %zu @", i, i + 3);
        HOLDS(strstr(text_of(&w.log), line), "no \"%s\" in %s", line, text_of(&w.log));
    }
    end_walk(&w);
}

START_TEST(both_data_sets)
{
    uint8_t *ten = make(3, 1), *hundred = make(2, 2);
    static const char *const names[] = {"cifar", "cifar:auto", "cifar:10"};
    for (int i = 0; i < 3; i++) {
        const shard in = rows_of(names[i], ten, 3 * (IMAGE + 1));
        assert_walk(&in, "000000.data 000001.data 000002.data");
        assert_at_is_next(&in);
        check_labels(&in, 3);
    }
    shard in = rows_of("cifar:classes=100", hundred, 2 * (IMAGE + 2));
    check_labels(&in, 2);
    in = rows_of("cifar", hundred, 2 * (IMAGE + 2));
    assert_good(&in, "000000.data,coarse 000001.data,coarse");
    check_labels(&in, 2);
    in = rows_of("cifar", ten, 0);
    assert_walk(&in, "");
    mill_type type = type_of("cifar", ten, 3 * (IMAGE + 1));
    ck_assert_int_eq(type.dtype, MILL_U8);
    ck_assert_int_eq(type.layout, MILL_CHW);
    ck_assert_int_eq(type.rank, 3);
    ck_assert_int_eq(type.shape[0], 3);
    ck_assert_int_eq(type.shape[1], 32);
    free(ten);
    free(hundred);
}
END_TEST

START_TEST(truncated_at_every_byte)
{
    uint8_t *data = make(1, 1);
    for (size_t n = 1; n < IMAGE + 1; n++) {
        const shard in = rows_of("cifar", data, n), said = rows_of("cifar:10", data, n);
        assert_walk(&in, "FAILED:size");
        assert_walk(&said, "FAILED:size");
    }
    free(data);
}
END_TEST

START_TEST(hostile_sizes)
{
    size_t both = (size_t)(IMAGE + 1) * (IMAGE + 2); /* has no common divisor but 1 */
    uint8_t *data = calloc(1, both + 1);
    shard in = rows_of("cifar", data, both);
    assert_walk(&in, "FAILED:size");
    in = rows_of("cifar", data, both + 1);
    assert_walk(&in, "FAILED:size");
    in = rows_of("cifar:100", data, 5 * (IMAGE + 1));
    assert_walk(&in, "FAILED:size");
    in = rows_of("cifar:10", data, IMAGE + 1);
    in.max_sample_nbytes = IMAGE;
    assert_walk(&in, "FAILED:limit");
    walked w = walk_shard(&(shard){"cifar:100", data, both, ROOMY, NULL, 0, -1}, (cuts){.block = 65536});
    ck_assert_int_eq(w.nsamples, IMAGE + 1);
    end_walk(&w);
    free(data);
    assert_no_format("cifar:20", "auto|10|100");
}
END_TEST

RUN_SUITE("cifar", both_data_sets, truncated_at_every_byte, hostile_sizes)
