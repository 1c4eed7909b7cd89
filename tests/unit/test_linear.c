/* SPDX-License-Identifier: Apache-2.0 */
/* matmul, project and whiten: what they compute from which files, one sample or many at once, what they
 * refuse, and where in a pipeline samples are put together for them. */
#include "base/memory.h"
#include "engine/plan.h"
#include "folder_of_test.h"
#include "kernel/convert.h"
#include "transform/context.h"
#include <math.h>

enum { D = 5, K = 3, SAMPLES = 7 };
/* b[k][j]: feature k, result j. Exact in f32. */
static const double b[D][K] = {{1, -2, 0.5}, {0.25, 4, -8}, {3, 0, 1}, {-1.5, 7, 2}, {0.125, -0.75, 6}};
static const double mean[D] = {1, -2.5, 1e8 + 0.25, 0, 3};

static mill_status compile(const char *text, const mill_type *type, mill__plan *plan, mill_error *err)
{
    mill_pipeline *p = mill_pipeline_new();
    char whole[1200];
    snprintf(whole, sizeof whole, text, path_of("file")); /* %s is the file */
    mill_status status = mill_pipeline_parse(p, whole, err);
    if (!status)
        status = mill__plan_compile(p, type, plan, err);
    mill_pipeline_free(p);
    return status;
}

static void *malloc_scratch(void *owner, size_t nbytes)
{
    void **to = owner;
    ck_assert_ptr_null(*to);
    return *to = malloc(nbytes); /* exact: a sanitizer sees what is written behind it */
}

/* The only stage of plan on n samples; exact memory. */
static void *run_stage(const mill__plan *plan, const void *data, size_t n)
{
    const mill__stage *stage = &plan->stages[0];
    size_t in_nbytes = n * (size_t)mill__type_nbytes(&stage->in);
    void *copy = memcpy(malloc(in_nbytes), data, in_nbytes), *scratch = NULL;
    const mill_context ctx = {.scratch = malloc_scratch, .owner = &scratch};
    mill_tensor in = {.type = stage->in, .n = (int64_t)n, .data = copy};
    mill_tensor out = {
        .type = stage->out, .n = (int64_t)n, .data = malloc(n * (size_t)mill__type_nbytes(&stage->out))};
    mill_error err;
    ck_assert_int_eq(stage->ops->run(stage->self, NULL, &ctx, &in, &out, &err), MILL_OK);
    free(copy);
    free(scratch);
    return out.data;
}

/* ---- files ---- */

static void put_npy(const char *descr, bool fortran, const char *shape, const void *data, size_t nbytes)
{
    char head[128];
    memset(head, ' ', sizeof head);
    memcpy(head, "\x93NUMPY\1\0\x76\0", 10);
    int n = snprintf(head + 10, sizeof head - 10, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }",
                     descr, fortran ? "True" : "False", shape);
    head[10 + n] = ' ';
    head[127] = '\n';
    FILE *f = fopen(path_of("file"), "wb");
    ck_assert(fwrite(head, sizeof head, 1, f) == 1 && (!nbytes || fwrite(data, nbytes, 1, f) == 1));
    fclose(f);
}

static void reverse(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        uint8_t byte = bytes[i];
        bytes[i] = bytes[n - 1 - i];
        bytes[n - 1 - i] = byte;
    }
}

/* b in one of the eight ways that an .npy file can hold it. */
static void put_b(bool is_double, bool big, bool fortran)
{
    uint8_t bytes[D * K * 8];
    size_t size = is_double ? 8 : 4;
    char descr[4] = {big ? '>' : '<', 'f', is_double ? '8' : '4', 0};
    for (size_t k = 0; k < D; k++)
        for (size_t j = 0; j < K; j++) {
            uint8_t *to = bytes + (fortran ? j * D + k : k * K + j) * size;
            float narrow = (float)b[k][j];
            memcpy(to, is_double ? (const void *)&b[k][j] : &narrow, size);
            if (big)
                reverse(to, size);
        }
    put_npy(descr, fortran, "(5, 3)", bytes, D * K * size);
}

static void put_model(const char *model)
{
    FILE *f = fopen(path_of("file"), "w");
    fprintf(f, "{\"version\":1,\"model\":\"%s\",\"features\":%d,\"components\":%d,\"mean\":[", model, D, K);
    for (int k = 0; k < D; k++)
        fprintf(f, "%s%.17g", k ? "," : "", mean[k]);
    fprintf(f, "],\"matrix\":[");
    for (int j = 0; j < K; j++)
        for (int k = 0; k < D; k++)
            fprintf(f, "%s%.17g", j + k ? "," : "", b[k][j]);
    fprintf(f, "]}");
    fclose(f);
}

/* ---- results ---- */

static void naive_f32(float *out, const float *x, bool centred)
{
    for (int j = 0; j < K; j++) {
        out[j] = 0;
        for (int k = 0; k < D; k++)
            out[j] = fmaf(centred ? (float)((double)x[k] - mean[k]) : x[k], (float)b[k][j], out[j]);
    }
}

static void naive_f64(double *out, const double *x, bool centred)
{
    for (int j = 0; j < K; j++) {
        out[j] = 0;
        for (int k = 0; k < D; k++)
            out[j] = fma(centred ? x[k] - mean[k] : x[k], b[k][j], out[j]);
    }
}

/* text on vectors of every dtype: in one call, one by one, and as rows of one sample. */
static void check_dtype(const char *text, mill_dtype dtype, bool centred)
{
    mill__convert *convert = mill__convert_get(mill__kernels_get("c"));
    double numbers[SAMPLES * D], want[SAMPLES * K];
    uint8_t x[sizeof numbers], result[sizeof want];
    for (int i = 0; i < SAMPLES * D; i++)
        numbers[i] =
            i % 5 == 2 && dtype == MILL_F64 ? 1e8 + i : i * 37 % 101 + (dtype >= MILL_F16 ? 0.25 * i : 0);
    convert(x, dtype, numbers, MILL_F64, SAMPLES * D);
    float narrow[SAMPLES * D];
    convert(narrow, MILL_F32, x, dtype, SAMPLES * D);
    for (int i = 0; i < SAMPLES; i++)
        if (dtype == MILL_F64)
            naive_f64(want + i * K, numbers + i * D, centred);
        else
            naive_f32((float *)result + i * K, narrow + i * D, centred);
    size_t size = mill_dtype_nbytes(dtype), row = D * size, out_row = K * (dtype == MILL_F64 ? 8 : 4);
    if (dtype == MILL_F64)
        memcpy(result, want, sizeof want);

    mill_type vector = {.dtype = dtype, .rank = 1, .shape = {D}};
    mill_type table = {.dtype = dtype, .rank = 3, .shape = {1, SAMPLES, D}};
    mill__plan plan = {0};
    mill_error err;
    ck_assert_msg(!compile(text, &vector, &plan, &err), "%s", err.message);
    ck_assert_int_eq(plan.output.dtype, dtype == MILL_F64 ? MILL_F64 : MILL_F32);
    ck_assert_int_eq(plan.output.shape[0], K);
    void *all = run_stage(&plan, x, SAMPLES);
    ck_assert_mem_eq(all, result, SAMPLES * out_row);
    for (size_t i = 0; i < SAMPLES; i++) {
        void *one = run_stage(&plan, x + i * row, 1);
        ck_assert_mem_eq(one, result + i * out_row, out_row);
        free(one);
    }
    mill__plan_free(&plan);
    ck_assert_msg(!compile(text, &table, &plan, &err), "%s", err.message);
    ck_assert(plan.output.rank == 3 && plan.output.shape[1] == SAMPLES && plan.output.shape[2] == K);
    void *rows = run_stage(&plan, x, 1);
    ck_assert_mem_eq(rows, result, SAMPLES * out_row);
    mill__plan_free(&plan);
    free(all);
    free(rows);
}

START_TEST(matmul_takes_a_matrix_in_any_order)
{
    for (int i = 0; i < 8; i++) {
        put_b(i & 1, i & 2, i & 4);
        check_dtype("matmul %s", MILL_F32, false);
        check_dtype("matmul %s", MILL_F64, false);
    }
}
END_TEST

START_TEST(every_dtype_is_multiplied)
{
    put_b(true, false, false);
    for (int d = MILL_U8; d <= MILL_F64; d++)
        check_dtype("matmul %s", (mill_dtype)d, false);
    put_model("whiten");
    for (int d = MILL_U8; d <= MILL_F64; d++)
        check_dtype("whiten %s", (mill_dtype)d, true);
}
END_TEST

START_TEST(project_takes_the_first_components)
{
    put_model("pca");
    check_dtype("project %s", MILL_F32, true);
    mill_type vector = {.dtype = MILL_F32, .rank = 1, .shape = {D}};
    mill__plan plan = {0};
    mill_error err;
    const float x[D] = {1, 2, 3, 4, 5};
    float want[K];
    naive_f32(want, x, true);
    ck_assert_int_eq(compile("project %s k=2", &vector, &plan, &err), MILL_OK);
    ck_assert_int_eq(plan.output.shape[0], 2);
    void *y = run_stage(&plan, x, 1);
    ck_assert_mem_eq(y, want, 2 * sizeof *want);
    free(y);
    mill__plan_free(&plan);
    ck_assert_int_eq(compile("project %s k=4", &vector, &plan, &err), MILL_USAGE);
    ck_assert_msg(strstr(err.message, "k is 4") && strstr(err.message, "has 3 components"), "%s",
                  err.message);
}
END_TEST

START_TEST(channels_are_features)
{
    const double square[4] = {1, 2, 3, 4};
    put_npy("<f8", false, "(2, 2)", square, sizeof square);
    mill_type image = {.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3, .shape = {4, 6, 2}};
    mill__plan plan = {0};
    mill_error err;
    ck_assert_int_eq(compile("matmul %s", &image, &plan, &err), MILL_OK);
    ck_assert_int_eq(plan.output.layout, MILL_HWC); /* as many as before */
    mill__plan_free(&plan);
    put_b(true, false, false);
    image.shape[2] = D;
    ck_assert_int_eq(compile("matmul %s", &image, &plan, &err), MILL_OK);
    ck_assert_int_eq(plan.output.layout, MILL_PLAIN);
    mill__plan_free(&plan);
}
END_TEST

/* ---- where many are put together ---- */

static mill__plan compiled(const char *text, const mill_type *type)
{
    mill__plan plan = {0};
    mill_error err;
    ck_assert_msg(!compile(text, type, &plan, &err), "%s: %s", text, err.message);
    return plan;
}

START_TEST(the_end_of_a_pipeline_takes_many)
{
    static const struct {
        const char *text;
        int tail, nsegments;
        bool batched, gathers;
        size_t between;
    } cases[] = {
        {"", 0, 0, true, false, 0},
        {"cast f64 | clip 0 1", 0, 2, true, false, 40},
        {"matmul %s", 0, 1, true, true, 20},
        {"cast f64 | matmul %s | clip 0 1", 0, 3, true, true, 40},
        {"onehot 5 | matmul %s | reshape ? | sin", 1, 4, false, true, 100},
        {"onehot 5 | cast f64 | matmul %s", 2, 3, false, true, 200},
        {"matmul %s | cast i32 | onehot 4", 3, 3, false, false, 0},
    };
    put_b(true, false, false);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool classes = strstr(cases[i].text, "onehot 5");
        mill_type type = {.dtype = classes ? MILL_I32 : MILL_F32, .rank = 1, .shape = {D}};
        mill__plan plan = compiled(cases[i].text, &type);
        ck_assert_msg(plan.tail == cases[i].tail && plan.nsegments == cases[i].nsegments &&
                          plan.batched == cases[i].batched && plan.gathers == cases[i].gathers &&
                          plan.between_nbytes == cases[i].between,
                      "%s: tail %d of %d, %d, %d, %zu", cases[i].text, plan.tail, plan.nsegments,
                      plan.batched, plan.gathers, plan.between_nbytes);
        mill__plan_free(&plan);
    }
}
END_TEST

START_TEST(images_are_put_together_behind_decode)
{
    put_b(true, false, false);
    mill_type encoded = {.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}};
    mill__plan plan = compiled("decode | resize 10x1 | reshape 6x5 | cast f32 | matmul %s", &encoded);
    ck_assert(plan.tail == 1 && plan.nsegments == 4 && plan.gathers && !plan.batched);
    mill__plan_free(&plan);
}
END_TEST

/* ---- what is refused ---- */

static void refuse(const char *text, const mill_type *type, mill_status status, const char *word)
{
    mill__plan plan = {0};
    mill_error err;
    mill_status got = compile(text, type, &plan, &err);
    if (!got)
        mill__plan_free(&plan);
    ck_assert_msg(got == status && strstr(err.message, word), "%s: %d %s", text, got, got ? err.message : "");
}

START_TEST(samples_must_fit)
{
    mill_type vector = {.dtype = MILL_F32, .rank = 1, .shape = {4}}, table = {.rank = 2, .shape = {1, 5}};
    mill_type scalar = {.dtype = MILL_F32}, any = {.dtype = MILL_F32, .rank = 1, .shape = {-1}};
    mill_type chw = {.dtype = MILL_U8, .layout = MILL_CHW, .rank = 3, .shape = {3, 2, 5}};
    mill_type hwc = {.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3, .shape = {5, 1, 1}};
    mill_type file = {.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}};
    table.dtype = MILL_F32;
    put_model("whiten");
    refuse("whiten %s", &vector, MILL_USAGE, "for 5 features, but there are 4 numbers on the last axis");
    refuse("whiten %s", &vector, MILL_USAGE, "/file\"");
    refuse("reshape 5x1 | whiten %s", &table, MILL_USAGE, "there are 1 numbers");
    refuse("whiten %s", &hwc, MILL_USAGE, "there are 1 channels, the last axis of an image: put reshape 5");
    refuse("whiten %s", &chw, MILL_USAGE, "layout hwc");
    refuse("whiten %s", &scalar, MILL_USAGE, "reshape 1");
    refuse("whiten %s", &any, MILL_USAGE, "varies");
    refuse("whiten %s", &file, MILL_USAGE, "decode");
    refuse("project %s", &vector, MILL_USAGE, "use whiten");
    put_model("pca");
    refuse("whiten %s", &vector, MILL_USAGE, "use project");
}
END_TEST

START_TEST(models_must_make_sense)
{
    static const struct {
        const char *text, *word;
        mill_status status;
    } cases[] = {
        {"", "not one JSON object: see near byte 0", MILL_BAD_DATA},
        {"[1]", "not one JSON object: see near byte 0", MILL_BAD_DATA},
        {"{\"model\":\"pca\" \"features\":2}", "see near byte 16", MILL_BAD_DATA},
        {"{\"model\":\"pca\"", "not one JSON object", MILL_BAD_DATA},
        {"{}", "it has no \"model\"", MILL_USAGE},
        {"{\"model\":\"tree\"}", "neither", MILL_USAGE},
        {"{\"model\":\"pca\",\"version\":2}", "version", MILL_USAGE},
        {"{\"model\":\"pca\"}", "\"features\" is no number", MILL_USAGE},
        {"{\"model\":\"pca\",\"features\":0}", "\"features\" is no number", MILL_USAGE},
        {"{\"model\":\"pca\",\"features\":2.5}", "\"features\" is no number", MILL_USAGE},
        {"{\"model\":\"pca\",\"features\":1e300}", "\"features\" is no number", MILL_USAGE},
        {"{\"model\":\"pca\",\"features\":-2}", "\"features\" is no number", MILL_USAGE},
        {"{\"model\":\"pca\",\"features\":null}", "\"features\" is no number", MILL_USAGE},
        {"{\"model\":\"pca\",\"features\":2,\"components\":\"1\"}", "\"components\" is no number",
         MILL_USAGE},
        {"{\"model\":\"pca\",\"features\":2,\"components\":1}", "has no \"mean\"", MILL_BAD_DATA},
        {"{\"model\":\"pca\",\"features\":2,\"components\":1,\"mean\":7}", "element 0", MILL_BAD_DATA},
        {"{\"model\":\"pca\",\"features\":2,\"components\":1,\"mean\":[1,null]}", "\"mean\" in",
         MILL_BAD_DATA},
        {"{\"model\":\"pca\",\"features\":2,\"components\":1,\"mean\":[1,null]}",
         "see element 1 (from 0) at byte 53", MILL_BAD_DATA},
        {"{\"model\":\"pca\",\"features\":2,\"components\":1,\"mean\":[1]}", "has 1 numbers", MILL_USAGE},
        {"{\"model\":\"pca\",\"features\":2,\"components\":1,\"mean\":[1,2],\"matrix\":[1,2,3]}",
         "has 3 numbers where its features and components make it 2", MILL_USAGE},
        {"{\"model\":\"pca\",\"features\":1073741824,\"components\":1073741824,\"mean\":[1,2],\"matrix\":[]}",
         "has 2 numbers", MILL_USAGE},
        {"{\"model\":\"pca\",\"features\":2,\"components\":1,\"mean\":[1,2],\"matrix\":[1,0x2]}", "element 1",
         MILL_BAD_DATA},
        {"{\"model\":\"pca\",\"features\":2,\"components\":1,\"mean\":[1,2],\"matrix\":[1,1e39]}", "1e+39",
         MILL_USAGE},
    };
    mill_type vector = {.dtype = MILL_F32, .rank = 1, .shape = {2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_content("file", cases[i].text, strlen(cases[i].text));
        refuse("project %s", &vector, cases[i].status, cases[i].word);
    }
    remove(path_of("file"));
    refuse("project %s", &vector, MILL_IO, "No such file");
    refuse("matmul %s", &vector, MILL_IO, "No such file");
}
END_TEST

START_TEST(matrices_must_make_sense)
{
    static const struct {
        const char *descr, *shape, *word;
        mill_status status;
    } cases[] = {
        {"<f4", "(2,)", "has 1 axes", MILL_USAGE},
        {"<f4", "(2, 1, 1)", "has 3 axes", MILL_USAGE},
        {"<f4", "()", "scalar", MILL_UNSUPPORTED},
        {"<i4", "(2, 2)", "save the matrix as float32", MILL_USAGE},
        {"<f2", "(2, 2)", "save the matrix as float32", MILL_USAGE},
        {"|O", "(2, 2)", "Python objects", MILL_UNSUPPORTED},
        {"<f4", "(0, 4)", "is empty", MILL_USAGE},
        {"<f4", "(4, 0)", "is empty", MILL_USAGE},
        {"<f4", "(2, 3)", "has 144 bytes, but a matrix of 2 x 3 f32 makes it 152", MILL_BAD_DATA},
        {"<f4", "(1, 3)", "has 144 bytes, but a matrix of 1 x 3 f32 makes it 140", MILL_BAD_DATA},
        {"<f8", "(1099511627776, 65536)", "has 144 bytes", MILL_BAD_DATA},
        {"<f8", "(4611686018427387904, 4611686018427387904)", "larger than", MILL_BAD_DATA},
        {"<f4", "(2, 2)", "not finite at byte 136", MILL_BAD_DATA},
    };
    const float numbers[4] = {1, 2, INFINITY, 4};
    mill_type vector = {.dtype = MILL_F32, .rank = 1, .shape = {2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_npy(cases[i].descr, false, cases[i].shape, numbers, sizeof numbers);
        refuse("matmul %s", &vector, cases[i].status, cases[i].word);
        refuse("matmul %s", &vector, cases[i].status, "/file\"");
    }
    put_content("file", "{\"model\":\"pca\"}", 15);
    refuse("matmul %s", &vector, MILL_BAD_DATA, "does not begin with");
    const double large[2] = {1, 1e39};
    put_npy("<f8", false, "(2, 1)", large, sizeof large);
    refuse("matmul %s", &vector, MILL_USAGE, "cast f64");
    mill__plan plan = compiled("cast f64 | matmul %s", &vector);
    mill__plan_free(&plan);
}
END_TEST

/* Every beginning of a good file is refused, and so is one with a byte more. */
START_TEST(cut_files_are_refused)
{
    mill_type vector = {.dtype = MILL_F32, .rank = 1, .shape = {D}};
    for (int kind = 0; kind < 2; kind++) {
        const char *text = kind ? "matmul %s" : "whiten %s";
        size_t nbytes;
        if (kind)
            put_b(false, false, false);
        else
            put_model("whiten");
        char *good = content("file", &nbytes);
        for (size_t n = 0; n < nbytes; n++) {
            put_content("file", good, n);
            refuse(text, &vector, MILL_BAD_DATA, "file\"");
        }
        put_content("file", good, nbytes);
        mill__plan plan = compiled(text, &vector);
        mill__plan_free(&plan);
        good[nbytes] = 'x';
        put_content("file", good, nbytes + 1);
        refuse(text, &vector, MILL_BAD_DATA, "file\"");
        free(good);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("linear");
    TCase *tc = tcase_create("linear");
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, matmul_takes_a_matrix_in_any_order);
    tcase_add_test(tc, every_dtype_is_multiplied);
    tcase_add_test(tc, project_takes_the_first_components);
    tcase_add_test(tc, channels_are_features);
    tcase_add_test(tc, the_end_of_a_pipeline_takes_many);
    tcase_add_test(tc, images_are_put_together_behind_decode);
    tcase_add_test(tc, samples_must_fit);
    tcase_add_test(tc, models_must_make_sense);
    tcase_add_test(tc, matrices_must_make_sense);
    tcase_add_test(tc, cut_files_are_refused);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
