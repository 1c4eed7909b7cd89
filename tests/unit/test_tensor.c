/* SPDX-License-Identifier: Apache-2.0 */
/* test_tensor.c: the transforms that rearrange tensors against what is written out by hand, element sizes
 * from 1 to 8 bytes, and what they refuse. */
#include "base/memory.h"
#include "engine/plan.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mill_type tensor_type(mill_dtype dtype, int rank, const int64_t *shape)
{
    mill_type type = {.dtype = dtype, .rank = rank};
    memcpy(type.shape, shape, (size_t)rank * sizeof *shape);
    return type;
}
#define TYPE(dtype, ...)                                                                                     \
    tensor_type(dtype, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

static mill_status compile(const char *text, const mill_type *type, mill__plan *plan, mill_error *err)
{
    mill_pipeline *p = mill_pipeline_new();
    mill_status status = mill_pipeline_parse(p, text, err);
    if (!status)
        status = mill__plan_compile(p, type, plan, err);
    mill_pipeline_free(p);
    return status;
}

/* n times the sample in one call give n times its result. */
static void check_many(const mill__stage *stage, const uint8_t *sample, const uint8_t *want)
{
    enum { N = 3 };
    size_t nbytes = (size_t)mill__type_nbytes(&stage->in),
           out_nbytes = (size_t)mill__type_nbytes(&stage->out);
    mill_tensor in = {.type = stage->in, .n = N, .data = malloc(N * nbytes)};
    mill_tensor out = {.type = stage->out, .n = N, .data = malloc(N * out_nbytes)};
    mill_error err;
    for (size_t i = 0; i < N; i++)
        memcpy((uint8_t *)in.data + i * nbytes, sample, nbytes);
    ck_assert_int_eq(stage->ops->run(stage->self, NULL, NULL, &in, &out, &err), MILL_OK);
    for (size_t i = 0; i < N; i++)
        ck_assert_mem_eq((uint8_t *)out.data + i * out_nbytes, want, out_nbytes);
    free(in.data);
    free(out.data);
}

/* Run one transform on one sample; *out is malloc'd. Each buffer has exactly its size. */
static mill_status apply(const char *text, const mill_type *type, const void *data, mill_type *out_type,
                         uint8_t **out, mill_error *err)
{
    mill__plan plan = {0};
    mill_status status = compile(text, type, &plan, err);
    if (status)
        ck_abort_msg("%s: %s", text, err->message);
    ck_assert_int_eq(plan.nstages, 1);
    const mill__stage *stage = &plan.stages[0];
    size_t nbytes = (size_t)mill__type_nbytes(type);
    uint8_t *copy = malloc(nbytes);
    memcpy(copy, data, nbytes);
    *out_type = stage->out;
    *out = malloc((size_t)mill__type_nbytes(out_type));
    memset(*out, 0xee, (size_t)mill__type_nbytes(out_type));
    mill_tensor in = {.type = *type, .n = 1, .data = copy},
                result = {.type = *out_type, .n = 1, .data = *out};
    status = stage->ops->run(stage->self, NULL, NULL, &in, &result, err);
    if (!status && stage->ops->flags & MILL_BATCHED)
        check_many(stage, copy, *out);
    free(copy);
    mill__plan_free(&plan);
    return status;
}

/* Elements number from[0], from[1], ... of 0, 1, 2, ... in each size of elements. */
static void check_moves(const char *text, const mill_type *shape, const mill_type *want, const int *from)
{
    static const mill_dtype dtypes[] = {MILL_U8, MILL_BF16, MILL_F32, MILL_I64};
    for (int d = 0; d < 4; d++) {
        mill_type type = *shape, out_type;
        mill_error err;
        type.dtype = dtypes[d];
        size_t size = mill_dtype_nbytes(dtypes[d]), n = (size_t)mill__type_nbytes(&type) / size;
        uint8_t *in = malloc(n * size), *out;
        for (size_t i = 0; i < n * size; i++)
            in[i] = (uint8_t)(i / size + i % size * 64);
        ck_assert_int_eq(apply(text, &type, in, &out_type, &out, &err), MILL_OK);
        ck_assert_int_eq(out_type.dtype, dtypes[d]);
        ck_assert_int_eq(out_type.layout, want->layout);
        ck_assert_int_eq(out_type.rank, want->rank);
        ck_assert_mem_eq(out_type.shape, want->shape, (size_t)want->rank * sizeof *want->shape);
        n = (size_t)mill__type_nbytes(&out_type) / size;
        for (size_t i = 0; i < n; i++)
            if (memcmp(out + i * size, in + (size_t)from[i] * size, size) != 0)
                ck_abort_msg("%s: element %zu is not element %d", text, i, from[i]);
        free(in);
        free(out);
    }
}
#define MOVES(text, in, out, ...)                                                                            \
    do {                                                                                                     \
        mill_type is = in, becomes = out;                                                                    \
        check_moves(text, &is, &becomes, (const int[]){__VA_ARGS__});                                        \
    } while (0)

START_TEST(select_places)
{
    MOVES("select 0,2,-1", TYPE(0, 2, 4), TYPE(0, 2, 3), 0, 2, 3, 4, 6, 7);
    MOVES("select 1:3", TYPE(0, 2, 4), TYPE(0, 2, 2), 1, 2, 5, 6);
    MOVES("select ::-1", TYPE(0, 2, 3), TYPE(0, 2, 3), 2, 1, 0, 5, 4, 3);
    MOVES("select ::2,0", TYPE(0, 5), TYPE(0, 4), 0, 2, 4, 0);
    MOVES("select -2:", TYPE(0, 5), TYPE(0, 2), 3, 4);
    MOVES("select :-3,3:100", TYPE(0, 5), TYPE(0, 4), 0, 1, 3, 4);
    MOVES("select 4:0:-2", TYPE(0, 5), TYPE(0, 2), 4, 2);
    MOVES("select -100:2", TYPE(0, 5), TYPE(0, 2), 0, 1);
    MOVES("select ::-9", TYPE(0, 5), TYPE(0, 1), 4);
    MOVES("select ::4611686018427387903", TYPE(0, 5), TYPE(0, 1), 0);
    MOVES("select 2,0 axis=0", TYPE(0, 3, 2), TYPE(0, 2, 2), 4, 5, 0, 1);
    MOVES("select ::-2 axis=1", TYPE(0, 2, 3, 2), TYPE(0, 2, 2, 2), 4, 5, 0, 1, 10, 11, 6, 7);
    MOVES("select 0,0,0 axis=-2", TYPE(0, 1, 2), TYPE(0, 3, 2), 0, 1, 0, 1, 0, 1);
}
END_TEST

START_TEST(transpose_axes)
{
    MOVES("transpose", TYPE(0, 2, 3), TYPE(0, 3, 2), 0, 3, 1, 4, 2, 5);
    MOVES("transpose", TYPE(0, 4), TYPE(0, 4), 0, 1, 2, 3);
    MOVES("transpose 0,1", TYPE(0, 2, 3), TYPE(0, 2, 3), 0, 1, 2, 3, 4, 5);
    MOVES("transpose 2,0,1", TYPE(0, 2, 3, 2), TYPE(0, 2, 2, 3), 0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11);
    MOVES("transpose 1,-1,0", TYPE(0, 2, 3, 2), TYPE(0, 3, 2, 2), 0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11);
    MOVES("transpose 0,2,1", TYPE(0, 2, 2, 2), TYPE(0, 2, 2, 2), 0, 2, 1, 3, 4, 6, 5, 7);
    MOVES("transpose", tensor_type(0, 0, (int64_t[]){1}), tensor_type(0, 0, (int64_t[]){1}), 0);
}
END_TEST

/* All orders of four axes, element by element. */
START_TEST(transpose_in_every_order)
{
    enum { N = 2 * 3 * 4 * 5 };
    const int64_t shape[] = {2, 3, 4, 5};
    for (int order = 0; order < 256; order++) {
        int axes[4], seen = 0;
        for (int i = 0; i < 4; i++)
            seen |= 1 << (axes[i] = order >> 2 * i & 3);
        if (seen != 15)
            continue;
        char text[40];
        snprintf(text, sizeof text, "transpose %d,%d,%d,%d", axes[0], axes[1], axes[2], axes[3]);
        mill_type want = {.rank = 4}, is = tensor_type(0, 4, shape);
        for (int i = 0; i < 4; i++)
            want.shape[i] = shape[axes[i]];
        int from[N];
        for (int i = 0; i < N; i++) {
            int rest = i, index[4], at = 0;
            for (int k = 3; k >= 0; k--) {
                index[axes[k]] = rest % (int)want.shape[k];
                rest /= (int)want.shape[k];
            }
            for (int k = 0; k < 4; k++)
                at = at * (int)shape[k] + index[k];
            from[i] = at;
        }
        check_moves(text, &is, &want, from);
    }
}
END_TEST

START_TEST(reshape_shapes)
{
    mill_type image = TYPE(0, 2, 3, 1);
    image.layout = MILL_HWC;
    MOVES("reshape 3x2", TYPE(0, 6), TYPE(0, 3, 2), 0, 1, 2, 3, 4, 5);
    MOVES("reshape 3x?", TYPE(0, 2, 3), TYPE(0, 3, 2), 0, 1, 2, 3, 4, 5);
    MOVES("reshape ?", TYPE(0, 2, 3), TYPE(0, 6), 0, 1, 2, 3, 4, 5);
    MOVES("reshape 1x1x1x1x1x1x2x3", TYPE(0, 6), TYPE(0, 1, 1, 1, 1, 1, 1, 2, 3), 0, 1, 2, 3, 4, 5);
    MOVES("reshape 1", tensor_type(0, 0, (int64_t[]){1}), TYPE(0, 1), 0);
    MOVES("reshape 2x3x1 layout=hwc", TYPE(0, 2, 3), image, 0, 1, 2, 3, 4, 5);
}
END_TEST

START_TEST(window_sequences)
{
    MOVES("window 3", TYPE(0, 5), TYPE(0, 3, 3), 0, 1, 2, 1, 2, 3, 2, 3, 4);
    MOVES("window 2 stride=2", TYPE(0, 5), TYPE(0, 2, 2), 0, 1, 2, 3);
    MOVES("window 1 stride=3", TYPE(0, 5), TYPE(0, 2, 1), 0, 3);
    MOVES("window 5", TYPE(0, 5), TYPE(0, 1, 5), 0, 1, 2, 3, 4);
    MOVES("window 2", TYPE(0, 3, 2), TYPE(0, 2, 2, 2), 0, 1, 2, 3, 2, 3, 4, 5);
}
END_TEST

/* ---- onehot ---- */

static mill_status onehot(const char *text, mill_dtype dtype, int64_t a, int64_t b, uint8_t **out,
                          mill_type *out_type, mill_error *err)
{
    mill_type type = TYPE(dtype, 2);
    uint8_t in[16];
    size_t size = mill_dtype_nbytes(dtype); /* little-endian, as all machines that this is tested on */
    memcpy(in, &a, size);
    memcpy(in + size, &b, size);
    return apply(text, &type, in, out_type, out, err);
}

START_TEST(onehot_vectors)
{
    static const float want[] = {0, 0, 0, 1, 1, 0, 0, 0};
    static const uint8_t small[] = {0, 0, 0, 1, 1, 0, 0, 0};
    for (mill_dtype dtype = MILL_U8; dtype <= MILL_I64; dtype++) {
        uint8_t *out;
        mill_type type;
        mill_error err;
        ck_assert_int_eq(onehot("onehot 4", dtype, 3, 0, &out, &type, &err), MILL_OK);
        ck_assert_int_eq(type.dtype, MILL_F32);
        ck_assert_int_eq(type.rank, 2);
        ck_assert_int_eq(type.shape[1], 4);
        ck_assert_mem_eq(out, want, sizeof want);
        free(out);
        ck_assert_int_eq(onehot("onehot classes=4 dtype=u8", dtype, 3, 0, &out, &type, &err), MILL_OK);
        ck_assert_int_eq(type.dtype, MILL_U8);
        ck_assert_mem_eq(out, small, sizeof small);
        free(out);
        ck_assert_int_eq(onehot("onehot 4", dtype, 0, 4, &out, &type, &err), MILL_BAD_DATA);
        ck_assert_str_eq(err.kind, "class");
        free(out);
        ck_assert_int_eq(onehot("onehot 4", dtype, -1, 0, &out, &type, &err), MILL_BAD_DATA);
        free(out);
    }
}
END_TEST

/* ---- what is refused ---- */

START_TEST(refused)
{
    static const mill_type matrix = {.dtype = MILL_F32, .rank = 2, .shape = {5, 7}},
                           full = {.dtype = MILL_U8, .rank = 8, .shape = {1, 1, 1, 1, 1, 1, 1, 1}},
                           scalar = {.dtype = MILL_U8},
                           any = {.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3, .shape = {-1, -1, 3}},
                           file = {.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}},
                           large = {.dtype = MILL_U8, .rank = 1, .shape = {1 << 30}};
    static const struct {
        const char *text;
        const mill_type *type;
        const char *word;
    } cases[] = {
        {"select 7", &matrix, "does not name places of an axis of 7"},
        {"select -8", &matrix, "does not name places"},
        {"select 1,", &matrix, "does not name places"},
        {"select ,", &matrix, "does not name places"},
        {"select 1:2:0", &matrix, "does not name places"},
        {"select a", &matrix, "does not name places"},
        {"select 1-2", &matrix, "does not name places"},
        {"select 1:2:3:4", &matrix, "does not name places"},
        {"select 1:1", &matrix, "nothing is selected"},
        {"select 0 axis=2", &matrix, "there is no axis 2"},
        {"select 0 axis=-3", &matrix, "there is no axis -3"},
        {"select 0", &scalar, "there is no axis -1"},
        {"select 0", &any, "varies from sample to sample"},
        {"select 0", &file, "decode"},
        {"transpose 0", &matrix, "1 axes are given, but a sample has 2"},
        {"transpose 0,0", &matrix, "axis 0 is given twice"},
        {"transpose 0,-2", &matrix, "axis 0 is given twice"},
        {"transpose 0,2", &matrix, "there is no axis 2"},
        {"transpose 0,0.5", &matrix, "0.5 is no axis"},
        {"transpose 0,1e300", &matrix, "no axis"},
        {"transpose", &any, "varies"},
        {"reshape 5x8", &matrix, "35 elements has no shape \"5x8\""},
        {"reshape ?x?", &matrix, "two extents"},
        {"reshape 4x?", &matrix, "35 elements has no shape"},
        {"reshape 0x?", &matrix, "a shape is one to 8 numbers"},
        {"reshape 35x", &matrix, "a shape is one to 8 numbers"},
        {"reshape -35", &matrix, "a shape is one to 8 numbers"},
        {"reshape 1x1x1x1x1x1x1x1x35", &matrix, "a shape is one to 8 numbers"},
        {"reshape 99999999999999999999", &matrix, "a shape is one to 8 numbers"},
        {"reshape 9223372036854775806x9223372036854775806", &matrix, "has no shape"},
        {"reshape 5x7 layout=hwc", &matrix, "three axes"},
        {"reshape 3x?", &any, "varies"},
        {"window 6", &matrix, "only 5 elements"},
        {"window 1", &scalar, "the first of which is a sequence"},
        {"window 1", &full, "the first of which is a sequence"},
        {"window 536870912", &large, "2^56"},
        {"onehot 3", &matrix, "cast i32"},
        {"onehot 3", &full, "adds an axis"},
        {"onehot 1073741824 | onehot 1073741824 | onehot 9", &scalar, "cast i32"},
        {"onehot 1073741824 dtype=u8 | onehot 1073741824", &scalar, "2^56"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mill__plan plan = {0};
        mill_error err;
        mill_status status = compile(cases[i].text, cases[i].type, &plan, &err);
        if (status != MILL_USAGE || !strstr(err.message, cases[i].word))
            ck_abort_msg("%s: %s", cases[i].text, status ? err.message : "accepted");
        mill__plan_free(&plan);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tensors");
    TCase *tc = tcase_create("transforms");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, select_places);
    tcase_add_test(tc, transpose_axes);
    tcase_add_test(tc, transpose_in_every_order);
    tcase_add_test(tc, reshape_shapes);
    tcase_add_test(tc, window_sequences);
    tcase_add_test(tc, onehot_vectors);
    tcase_add_test(tc, refused);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
