/* SPDX-License-Identifier: Apache-2.0 */
/* Models by the library's calls: the eigenvectors, what a fitted matrix does to the data that it was fitted
 * to, what is refused, and that nobody's BLAS is set. tests/cli/test_fit.sh compares with NumPy and
 * scikit-learn. */
#include "base/eigen.h"
#include "base/json_read.h"
#include "unit/folder_of_test.h"
#include <check.h>
#include <dlfcn.h>
#include <math.h>
#include <shardmill/shardmill.h>

static uint64_t state = 88172645463325252u;
static double draw(void) /* from -1 to 1 */
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(int64_t)state * 0x1p-63;
}

/* ---- eigenvectors ---- */

static void check_eigen(const double *matrix, size_t n, double tolerance)
{
    double *v = malloc(n * n * sizeof *v), *l = malloc(n * sizeof *l), scale = 0;
    memcpy(v, matrix, n * n * sizeof *v);
    ck_assert_int_eq(mill__eigen_symmetric(v, n, l, NULL), MILL_OK);
    for (size_t c = 0; c < n; c++)
        scale = fmax(scale, fabs(l[c]));
    for (size_t c = 0; c < n; c++) {
        double most = 0;
        ck_assert(!c || l[c] <= l[c - 1]);
        for (size_t i = 0; i < n; i++) {
            double product = 0;
            for (size_t k = 0; k < n; k++)
                product += matrix[i * n + k] * v[c * n + k];
            ck_assert(fabs(product - l[c] * v[c * n + i]) <= tolerance * scale);
            most = fabs(v[c * n + i]) > fabs(most) * (1 + 1e-6) ? v[c * n + i] : most;
        }
        ck_assert(most > 0);
        for (size_t d = 0; d < n; d++) {
            double product = 0;
            for (size_t k = 0; k < n; k++)
                product += v[c * n + k] * v[d * n + k];
            ck_assert(fabs(product - (c == d)) <= tolerance);
        }
    }
    free(v);
    free(l);
}

START_TEST(eigenvectors_are_such)
{
    static const size_t sizes[] = {1, 2, 3, 17, 64, 150};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s];
        double *matrix = calloc(n * n, sizeof *matrix);
        check_eigen(matrix, n, 1e-13);
        for (size_t i = 0; i < n; i++)
            matrix[i * n + i] = (double)(i % 3) - 1; /* values that occur many times */
        check_eigen(matrix, n, 1e-13);
        for (size_t i = 0; i < n; i++)
            for (size_t k = i; k < n; k++)
                matrix[i * n + k] = matrix[k * n + i] = draw() * 1e6;
        check_eigen(matrix, n, 1e-12);
        for (size_t i = 0; i < n * n; i++)
            matrix[i] = 3; /* rank 1 */
        check_eigen(matrix, n, 1e-13);
        free(matrix);
    }
}
END_TEST

START_TEST(a_sign_does_not_hang_on_rounding)
{
    for (int round = 0; round < 50; round++) { /* the vectors (1, 1) and (1, -1), or nearly */
        double matrix[4] = {2 + 1e-14 * draw(), -1, -1, 2 + 1e-14 * draw()}, values[2];
        ck_assert_int_eq(mill__eigen_symmetric(matrix, 2, values, NULL), MILL_OK);
        ck_assert(matrix[0] > 0.7 && matrix[1] < -0.7 && matrix[2] > 0.7 && matrix[3] > 0.7);
    }
}
END_TEST

START_TEST(outer_products_add_up)
{
    enum { K = 3, N = 5 };
    double rows[K * N], gram[N * N];
    for (size_t i = 0; i < K * N; i++)
        rows[i] = draw();
    ck_assert_int_eq(mill__eigen_gram(rows, K, N, gram, NULL), MILL_OK);
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < N; k++) {
            double sum = 0;
            for (size_t r = 0; r < K; r++)
                sum += rows[r * N + i] * rows[r * N + k];
            ck_assert(fabs(gram[i * N + k] - sum) < 1e-15 && gram[i * N + k] == gram[k * N + i]);
        }
}
END_TEST

/* ---- data ---- */

enum { ROWS = 700, WIDE = 6 };
static double data[ROWS * WIDE];

/* Rows first to last of the data as a .npy file. */
static void write_rows(const char *name, int first, int last)
{
    char text[128], fields[96];
    int nbytes =
        snprintf(fields, sizeof fields, "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }",
                 last - first, WIDE);
    memset(text, ' ', sizeof text);
    memcpy(text, "\x93NUMPY\x01\x00\x76\x00", 10);
    memcpy(text + 10, fields, (size_t)nbytes);
    text[127] = '\n';
    FILE *file = fopen(path_of(name), "wb");
    ck_assert_ptr_nonnull(file);
    fwrite(text, 1, sizeof text, file);
    fwrite(data + (size_t)first * WIDE, sizeof *data, (size_t)(last - first) * WIDE, file);
    fclose(file);
}

/* Features that depend on one another, of very different sizes, around 1e8. */
static void make_data(void)
{
    for (size_t r = 0; r < ROWS; r++) {
        double common = draw();
        for (size_t k = 0; k < WIDE; k++)
            data[r * WIDE + k] = 1e8 + (double)(k + 1) * (common + draw());
    }
}

static mill_statistics *gather(const char *name, int threads, int covariance)
{
    mill_statistics_options o = mill_statistics_options_default();
    mill_statistics *s = NULL;
    mill_error err;
    mill_pipeline *p = mill_pipeline_new();
    o.covariance = covariance;
    o.run.threads = threads;
    ck_assert_int_eq(mill_pipeline_parse(p, "", NULL), MILL_OK);
    mill_status status = mill_statistics_gather(&s, path_of(name), p, &o, NULL, &err);
    ck_assert_msg(status == MILL_OK, "%s", err.message);
    mill_pipeline_free(p);
    return s;
}

static mill_statistics *gather_data(void)
{
    make_data();
    write_rows("data.npy", 0, ROWS);
    return gather("data.npy", 2, 1);
}

static mill_model *fit(const mill_statistics *s, const char *kind, const char *method, size_t components,
                       double regularisation)
{
    mill_fit_options o = mill_fit_options_default();
    mill_model *m;
    mill_error err;
    o.method = method;
    o.components = components;
    o.regularisation = regularisation;
    mill_status status = mill_model_fit(&m, s, kind, &o, &err);
    ck_assert_msg(status == MILL_OK, "%s", err.message);
    return m;
}

/* The covariance of y = matrix (x - mean), over all rows. */
static void covariance_of(const mill_model_view *v, double *covariance)
{
    double y[WIDE];
    memset(covariance, 0, WIDE * WIDE * sizeof *covariance);
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t c = 0; c < v->components; c++) {
            y[c] = 0;
            for (size_t k = 0; k < WIDE; k++)
                y[c] += v->matrix[c * WIDE + k] * (data[r * WIDE + k] - v->mean[k]);
        }
        for (size_t c = 0; c < v->components; c++)
            for (size_t d = 0; d < v->components; d++)
                covariance[c * WIDE + d] += y[c] * y[d] / (ROWS - 1);
    }
}

/* ---- models ---- */

START_TEST(what_is_whitened_has_covariance_1)
{
    static const struct {
        const char *kind, *method;
        size_t components;
    } cases[] = {{"whiten", NULL, 0},  {"whiten", "zca", WIDE}, {"whiten", "pca", 0},
                 {"whiten", "pca", 2}, {"pca", NULL, 0},        {"pca", NULL, 3}};
    mill_statistics *s = gather_data();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mill_model *m = fit(s, cases[i].kind, cases[i].method, cases[i].components, 0);
        mill_model_view v;
        double covariance[WIDE * WIDE];
        mill_model_look(m, &v);
        ck_assert_uint_eq(v.components, cases[i].components ? cases[i].components : WIDE);
        ck_assert(v.samples == ROWS && v.left_out == 0 && v.rank == WIDE && !v.clipped && v.features == WIDE);
        ck_assert(!v.method == !strcmp(v.model, "pca"));
        covariance_of(&v, covariance);
        for (size_t c = 0; c < v.components; c++)
            for (size_t d = 0; d < v.components; d++) {
                double expected = c != d     ? 0
                                  : v.method ? 1
                                             : v.variances[c],
                       scale = v.method ? 1 : v.variances[0];
                ck_assert(fabs(covariance[c * WIDE + d] - expected) < 1e-12 * scale);
            }
        if (v.method && v.method[0] == 'z')
            for (size_t k = 0; k < WIDE * WIDE; k++)
                ck_assert(v.matrix[k] == v.matrix[k % WIDE * WIDE + k / WIDE]);
        mill_model_free(m);
    }
    mill_statistics_free(s);
}
END_TEST

START_TEST(regularisation_is_added_to_variances)
{
    mill_statistics *s = gather_data();
    mill_model *m = fit(s, "whiten", "pca", 0, 0.5);
    mill_model_view v;
    double covariance[WIDE * WIDE];
    mill_model_look(m, &v);
    covariance_of(&v, covariance);
    for (size_t c = 0; c < WIDE; c++)
        ck_assert(fabs(covariance[c * WIDE + c] - v.variances[c] / (v.variances[c] + 0.5)) < 1e-12);
    mill_model_free(m);
    mill_statistics_free(s);
}
END_TEST

START_TEST(shares_of_the_variance)
{
    mill_statistics *s = gather_data();
    mill_model *m = fit(s, "pca", NULL, 2, 0);
    mill_model_view v;
    double sum = 0;
    mill_model_look(m, &v);
    for (size_t c = 0; c < WIDE; c++) {
        sum += v.variances[c];
        ck_assert_uint_eq(mill_model_explain(m, sum / v.total_variance), c + 1);
    }
    ck_assert(fabs(sum / v.total_variance - 1) < 1e-14);
    ck_assert_uint_eq(mill_model_explain(m, 1), WIDE);
    ck_assert_uint_eq(mill_model_explain(m, 1e-9), 1);
    ck_assert(!mill_model_explain(m, 0) && !mill_model_explain(m, 1.5) && !mill_model_explain(m, NAN));
    mill_model_free(m);
    mill_statistics_free(s);
}
END_TEST

/* One feature is the sum of two others, and one is constant. */
START_TEST(a_singular_covariance)
{
    make_data();
    for (size_t r = 0; r < ROWS; r++) {
        data[r * WIDE + 5] = 4;
        data[r * WIDE + 2] = data[r * WIDE] + data[r * WIDE + 1];
    }
    write_rows("data.npy", 0, ROWS);
    mill_statistics *s = gather("data.npy", 2, 1);
    mill_model *m;
    mill_model_view v;
    mill_error err;
    ck_assert_int_eq(mill_model_fit(&m, s, "whiten", NULL, &err), MILL_USAGE);
    ck_assert_ptr_null(m);
    ck_assert(strstr(err.message, "rank 4") && strstr(err.message, "regularise"));
    m = fit(s, "whiten", "zca", 0, 1e-3);
    mill_model_look(m, &v);
    ck_assert(v.rank == WIDE - 2);
    mill_model_free(m);
    m = fit(s, "whiten", "pca", 4, 0);
    double covariance[WIDE * WIDE];
    mill_model_look(m, &v);
    covariance_of(&v, covariance);
    for (size_t c = 0; c < 4; c++)
        ck_assert(fabs(covariance[c * WIDE + c] - 1) < 1e-12);
    mill_model_free(m);
    m = fit(s, "pca", NULL, 0, 0);
    mill_model_look(m, &v);
    for (size_t c = 0; c < WIDE; c++)
        ck_assert(v.variances[c] >= 0);
    mill_model_free(m);
    mill_statistics_free(s);
}
END_TEST

START_TEST(constant_data)
{
    for (size_t i = 0; i < ROWS * WIDE; i++)
        data[i] = 0.1;
    write_rows("data.npy", 0, ROWS);
    mill_statistics *s = gather("data.npy", 2, 1);
    mill_model *m = fit(s, "pca", NULL, 0, 0);
    mill_model_view v;
    mill_error err;
    mill_model_look(m, &v);
    ck_assert(v.rank == 0 && v.total_variance == 0 && !mill_model_explain(m, 0.9));
    ck_assert_int_eq(mill_model_plot(m, path_of("none.svg"), &err), MILL_OK);
    mill_model_free(m);
    ck_assert_int_eq(mill_model_fit(&m, s, "whiten", NULL, &err), MILL_USAGE);
    ck_assert_ptr_nonnull(strstr(err.message, "constant"));
    mill_statistics_free(s);
}
END_TEST

/* ---- files ---- */

static char *text_of(const char *name)
{
    size_t nbytes;
    return content(name, &nbytes);
}

static void same_list(const char *text, const char *key, const double *list, size_t n)
{
    mill__json_piece value;
    double *numbers;
    size_t found;
    ck_assert(mill__json_member((mill__json_piece){text, strlen(text)}, key, &value));
    ck_assert(mill__json_numbers(value, &numbers, &found));
    ck_assert_uint_eq(found, n);
    ck_assert_mem_eq(numbers, list, n * sizeof *list);
    free(numbers);
}

START_TEST(a_saved_model_comes_back_to_the_last_bit)
{
    mill_statistics *s = gather_data();
    mill_model *m = fit(s, "pca", NULL, 4, 0);
    mill_model_view v;
    mill_error err;
    mill_model_look(m, &v);
    ck_assert_int_eq(mill_model_save(m, path_of("model.json"), &err), MILL_OK);
    char *text = text_of("model.json");
    same_list(text, "mean", v.mean, WIDE);
    same_list(text, "matrix", v.matrix, 4 * WIDE);
    same_list(text, "explained_variance", v.variances, 4);
    free(text);
    ck_assert_int_eq(mill_model_save(m, path_of("no/folder.json"), &err), MILL_IO);
    ck_assert_int_eq(mill_model_save(m, "", &err), MILL_USAGE);
    ck_assert_int_eq(mill_model_plot(m, path_of("no/folder.svg"), &err), MILL_IO);
    mill_model_free(m);
    mill_statistics_free(s);
}
END_TEST

START_TEST(the_same_bytes_for_any_number_of_threads)
{
    char *first = NULL;
    make_data();
    write_rows("data.npy", 0, ROWS);
    for (int threads = 1; threads <= 5; threads++) {
        mill_statistics *s = gather("data.npy", threads, 1);
        mill_model *m = fit(s, "whiten", NULL, 0, 0);
        ck_assert_int_eq(mill_model_save(m, path_of("model.json"), NULL), MILL_OK);
        char *text = text_of("model.json");
        first = first ? first : strdup(text);
        ck_assert_str_eq(text, first);
        free(text);
        mill_model_free(m);
        mill_statistics_free(s);
    }
    free(first);
}
END_TEST

START_TEST(merged_parts_give_nearly_the_same)
{
    mill_statistics *all = gather_data();
    write_rows("one.npy", 0, 300);
    write_rows("two.npy", 300, ROWS);
    mill_statistics *one = gather("one.npy", 2, 1), *two = gather("two.npy", 2, 1);
    ck_assert_int_eq(mill_statistics_merge(one, two, NULL), MILL_OK);
    mill_model *a = fit(all, "whiten", NULL, 0, 0), *b = fit(one, "whiten", NULL, 0, 0);
    mill_model_view v, w;
    mill_model_look(a, &v);
    mill_model_look(b, &w);
    for (size_t i = 0; i < WIDE * WIDE; i++)
        ck_assert(fabs(v.matrix[i] - w.matrix[i]) <= 1e-12 * v.matrix[0]);
    mill_model_free(a);
    mill_model_free(b);
    mill_statistics_free(all);
    mill_statistics_free(one);
    mill_statistics_free(two);
}
END_TEST

/* ---- what is refused ---- */

static mill_status status_of(const mill_statistics *s, const char *kind, const char *method,
                             size_t components, double regularisation)
{
    mill_fit_options o = mill_fit_options_default();
    mill_model *m;
    o.method = method;
    o.components = components;
    o.regularisation = regularisation;
    mill_status status = mill_model_fit(&m, s, kind, &o, NULL);
    ck_assert((status == MILL_OK) == (m != NULL));
    mill_model_free(m);
    return status;
}

START_TEST(what_does_not_go_together_is_refused)
{
    mill_statistics *s = gather_data();
    mill_fit_options o = {0};
    mill_model *m;
    ck_assert_int_eq(status_of(s, "whiten", NULL, 0, 0), MILL_OK);
    ck_assert_int_eq(status_of(s, "lda", NULL, 0, 0), MILL_USAGE);
    ck_assert_int_eq(status_of(s, "pca", "zca", 0, 0), MILL_USAGE);
    ck_assert_int_eq(status_of(s, "pca", NULL, WIDE + 1, 0), MILL_USAGE);
    ck_assert_int_eq(status_of(s, "pca", NULL, 0, 1), MILL_USAGE);
    ck_assert_int_eq(status_of(s, "whiten", "ica", 0, 0), MILL_USAGE);
    ck_assert_int_eq(status_of(s, "whiten", "zca", WIDE - 1, 0), MILL_USAGE);
    ck_assert_int_eq(status_of(s, "whiten", NULL, 0, -1), MILL_USAGE);
    ck_assert_int_eq(status_of(s, "whiten", NULL, 0, NAN), MILL_USAGE);
    ck_assert_int_eq(status_of(s, "whiten", NULL, 0, INFINITY), MILL_USAGE);
    ck_assert_int_eq(mill_model_fit(&m, s, "pca", &o, NULL), MILL_USAGE);
    ck_assert_int_eq(mill_model_fit(NULL, s, "pca", NULL, NULL), MILL_USAGE);
    ck_assert_int_eq(mill_model_fit(&m, NULL, "pca", NULL, NULL), MILL_USAGE);
    mill_model_free(NULL);
    mill_statistics_free(s);
    s = gather("data.npy", 1, 0);
    ck_assert_int_eq(status_of(s, "pca", NULL, 0, 0), MILL_USAGE);
    mill_statistics_free(s);
}
END_TEST

START_TEST(too_few_vectors_are_refused)
{
    mill_error err;
    mill_model *m;
    make_data();
    write_rows("data.npy", 0, 1);
    mill_statistics *s = gather("data.npy", 1, 1);
    ck_assert_int_eq(mill_model_fit(&m, s, "pca", NULL, &err), MILL_USAGE);
    mill_statistics_free(s);
    for (size_t r = 0; r < ROWS; r++)
        data[r * WIDE + 3] = r % 2 ? NAN : INFINITY;
    write_rows("data.npy", 0, ROWS);
    s = gather("data.npy", 1, 1);
    ck_assert_int_eq(mill_model_fit(&m, s, "pca", NULL, &err), MILL_USAGE);
    ck_assert_ptr_nonnull(strstr(err.message, "feature 3 has no value"));
    mill_statistics_free(s);
    make_data();
    data[7] = 1e200; /* its square overflows; also when it went through a file */
    write_rows("data.npy", 0, ROWS);
    s = gather("data.npy", 1, 1);
    ck_assert_int_eq(mill_model_fit(&m, s, "pca", NULL, &err), MILL_BAD_DATA);
    ck_assert_int_eq(mill_statistics_write(s, path_of("large.json"), NULL), MILL_OK);
    mill_statistics_free(s);
    ck_assert_int_eq(mill_statistics_read(&s, path_of("large.json"), NULL), MILL_OK);
    ck_assert_int_eq(mill_model_fit(&m, s, "pca", NULL, &err), MILL_BAD_DATA);
    mill_statistics_free(s);
}
END_TEST

/* A file that says so may hold what no data have. */
START_TEST(a_matrix_that_is_no_covariance_is_refused)
{
    mill_statistics *s = gather_data();
    mill_model *m;
    char *text = strdup(mill_statistics_json(s)), *at = strstr(text, "\"products\":[");
    ck_assert_ptr_nonnull(at);
    at[strlen("\"products\":[")] = '-'; /* the first variance */
    mill_statistics_free(s);
    put_content("hurt.json", text, strlen(text));
    free(text);
    ck_assert_int_eq(mill_statistics_read(&s, path_of("hurt.json"), NULL), MILL_OK);
    ck_assert_int_eq(mill_model_fit(&m, s, "pca", NULL, NULL), MILL_BAD_DATA);
    mill_statistics_free(s);
}
END_TEST

/* ---- whose BLAS it is ---- */

START_TEST(the_setting_of_blas_is_left_alone)
{
    void *library = dlopen("libopenblas.so.0", RTLD_NOW); /* the one that fit uses */
    ck_assert_ptr_nonnull(library);
    int (*get)(void) = (int (*)(void))dlsym(library, "openblas_get_num_threads");
    void (*set)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
    ck_assert(get && set);
    for (int threads = 1; threads <= 3; threads++) {
        set(threads);
        int before = get(); /* 1 always where it was built without threads */
        mill_statistics *s = gather_data();
        mill_model *m = fit(s, "whiten", NULL, 0, 0);
        ck_assert_int_eq(get(), before);
        mill_model_free(m);
        mill_statistics_free(s);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fit");
    TCase *tests = tcase_create("fit");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, eigenvectors_are_such);
    tcase_add_test(tests, a_sign_does_not_hang_on_rounding);
    tcase_add_test(tests, outer_products_add_up);
    tcase_add_test(tests, what_is_whitened_has_covariance_1);
    tcase_add_test(tests, regularisation_is_added_to_variances);
    tcase_add_test(tests, shares_of_the_variance);
    tcase_add_test(tests, a_singular_covariance);
    tcase_add_test(tests, constant_data);
    tcase_add_test(tests, a_saved_model_comes_back_to_the_last_bit);
    tcase_add_test(tests, the_same_bytes_for_any_number_of_threads);
    tcase_add_test(tests, merged_parts_give_nearly_the_same);
    tcase_add_test(tests, what_does_not_go_together_is_refused);
    tcase_add_test(tests, too_few_vectors_are_refused);
    tcase_add_test(tests, a_matrix_that_is_no_covariance_is_refused);
    tcase_add_test(tests, the_setting_of_blas_is_left_alone);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
