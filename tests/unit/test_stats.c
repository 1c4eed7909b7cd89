/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics by the library's calls: the fixed tree, the sketch, runs over shards that exist in no file, and
 * files that are not what they should be. tests/cli/test_stats.sh compares with NumPy. */
#include "engine/stats_partial.h"
#include "engine/stats_sketch.h"
#include "fake.h"
#include "unit/folder_of_test.h"
#include <check.h>
#include <math.h>

static uint64_t state = 88172645463325252u;
static uint64_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* ---- the tree ---- */

enum { LEAF = 13 }; /* numbers of a partial result of one feature with covariance */

static void put_leaf(double *numbers, double value)
{
    const mill__partial p = mill__partial_of(memset(numbers, 0, LEAF * sizeof *numbers), 1, true);
    *p.n = *p.vectors = 1;
    *p.mean = *p.low = *p.high = *p.centre = value;
}

/* Leaves first to first + n - 1 at once. */
static bool add_leaves(mill__partial_tree *tree, size_t first, size_t n)
{
    double *leaves = malloc(n * LEAF * sizeof *leaves);
    for (size_t i = 0; i < n; i++)
        put_leaf(leaves + i * LEAF, 1e8 + sin((double)(first + i)));
    bool fits = mill__partial_tree_add(tree, first, leaves, n);
    free(leaves);
    return fits;
}

/* In the order of their places, or in any order, each by itself or some neighbours at once. */
static void add_all(mill__partial_tree *tree, size_t n, int round)
{
    enum { MOST = 77 };
    size_t begins[MOST + 1], order[MOST], nruns = 0;
    for (size_t i = 0; i < n; i += round % 2 ? 1 + draw() % 12 : 1)
        begins[nruns++] = i;
    begins[nruns] = n;
    for (size_t i = 0; i < nruns; i++) {
        size_t j = round ? draw() % (i + 1) : i;
        order[i] = order[j];
        order[j] = i;
    }
    for (size_t i = 0; i < nruns; i++)
        ck_assert(add_leaves(tree, begins[order[i]], begins[order[i] + 1] - begins[order[i]]));
}

START_TEST(leaves_in_any_order_give_the_same_bits)
{
    ck_assert_uint_eq(mill__partial_length(1, true), LEAF);
    for (size_t n = 1; n <= 77; n++) {
        double *first = NULL;
        for (int round = 0; round < 8; round++) {
            mill__partial_tree tree = mill__partial_tree_of(1, true, mill__kernels_get(NULL));
            add_all(&tree, n, round);
            double *all = mill__partial_tree_end(&tree);
            const mill__partial p = mill__partial_of(all, 1, true);
            ck_assert(*p.n == (double)n && *p.vectors == (double)n);
            ck_assert(fabs(*p.products - *p.m2) <= 1e-12 * *p.m2);
            if (first)
                ck_assert_mem_eq(all, first, LEAF * sizeof *all);
            if (first)
                free(all);
            else
                first = all;
        }
        free(first);
    }
}
END_TEST

START_TEST(an_empty_part_changes_nothing)
{
    double a[LEAF], same[LEAF], empty[LEAF] = {0};
    put_leaf(a, 3);
    put_leaf(same, 3);
    mill__partial to = mill__partial_of(a, 1, true), none = mill__partial_of(empty, 1, true);
    mill__partial_merge(&to, &none, 1);
    ck_assert_mem_eq(a, same, sizeof a);
    mill__partial_merge(&none, &to, 1);
    ck_assert_mem_eq(empty, same, sizeof a);
}
END_TEST

/* ---- the sketch ---- */

START_TEST(a_quantile_is_within_its_error)
{
    static const double values[] = {0.0,   1.0,      -1.0,    0.9999999, 1.0 / 3, -1e30, 1e30,
                                    -1e-9, 0x1p-126, 0x1p127, 255.0,     65504,   -0.0,  3.4e38};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        mill__sketch s;
        ck_assert(mill__sketch_open(&s, 2));
        ck_assert(isnan(mill__sketch_quantile(&s, 1, 0.5)));
        ck_assert(mill__sketch_add(&s, 1, values[i]));
        ck_assert(fabs(mill__sketch_quantile(&s, 1, 0.5) - values[i]) <=
                  MILL__SKETCH_ERROR * fabs(values[i]));
        ck_assert(mill__sketch_add(&s, 1, -4e38));
        ck_assert(mill__sketch_add(&s, 1, 4e38));
        ck_assert(mill__sketch_quantile(&s, 1, 0.0) < -3.3e38 && mill__sketch_quantile(&s, 1, 1.0) > 3.3e38);
        ck_assert(isnan(mill__sketch_quantile(&s, 0, 0.5)));
        mill__sketch_free(&s);
    }
}
END_TEST

START_TEST(buckets_are_in_the_order_of_values)
{
    mill__sketch s;
    ck_assert(mill__sketch_open(&s, 1));
    for (size_t i = 0; i < MILL__SKETCH_BUCKETS; i++)
        ck_assert(mill__sketch_put(&s, 0, i, 1));
    double before = -INFINITY;
    for (size_t i = 0; i < MILL__SKETCH_BUCKETS; i += 61) {
        double now = mill__sketch_quantile(&s, 0, ((double)i + 0.5) / (MILL__SKETCH_BUCKETS - 1));
        ck_assert(now >= before);
        before = now;
    }
    mill__sketch_free(&s);
}
END_TEST

/* ---- runs ---- */

static int uneven(int shard)
{
    return shard == 3 ? 0 : shard == 5 ? 1024 : 1 + shard * 977 % 3000;
}

typedef struct gathered {
    fake source;
    mill_statistics_options options;
    mill_statistics *statistics;
    mill_stats stats;
    mill_error err;
} gathered;

static gathered a_run(void)
{
    gathered g = {
        .source = {.rows_of = uneven, .elements = 3, .fail_open = -1, .fail_read = -1, .shrink = -1},
        .options = mill_statistics_options_default()};
    g.options.covariance = g.options.quantiles = 1;
    g.options.run.source = &fake_source;
    g.options.run.format = "npy";
    g.options.run.io = "threads";
    return g;
}

static mill_status gather(gathered *g, const char *text)
{
    mill_pipeline *p = mill_pipeline_new();
    g->options.run.source_user = &g->source;
    mill_status status = mill_pipeline_parse(p, text, &g->err);
    if (!status)
        status = mill_statistics_gather(&g->statistics, "fake-{0..9}", p, &g->options, &g->stats, &g->err);
    mill_pipeline_free(p);
    return status;
}

START_TEST(the_same_bits_however_it_is_run)
{
    char *first = NULL;
    for (int round = 0; round < 12; round++) {
        gathered g = a_run();
        g.source.jitter_ns = round % 3 * 2000000;
        g.options.run.threads = 1 + round % 5;
        g.options.run.executor = round % 2 ? "loop" : "tasks";
        g.options.run.memory_nbytes = round % 4 == 3 ? 21u << 20 : 0;
        mill_status status = gather(&g, "mul 0.1 | add 1e8");
        ck_assert_msg(status == MILL_OK, "%s", g.err.message);
        const char *text = mill_statistics_json(g.statistics);
        if (first)
            ck_assert_str_eq(text, first);
        else
            first = strdup(text);
        mill_statistics_free(g.statistics);
    }
    free(first);
}
END_TEST

START_TEST(what_it_says_is_right)
{
    gathered g = a_run();
    mill_statistics_view v;
    double n = 0, sum = 0, square = 0;
    for (int s = 0; s < 10; s++)
        for (int r = 0; r < uneven(s); r++, n++)
            sum += s * 1000000.0 + r;
    for (int s = 0; s < 10; s++)
        for (int r = 0; r < uneven(s); r++)
            square += pow(s * 1000000.0 + r - sum / n, 2);
    ck_assert_int_eq(gather(&g, ""), MILL_OK);
    mill_statistics_look(g.statistics, &v);
    ck_assert(v.features == 3 && v.dtype == MILL_I32 && (double)v.samples == n && v.unlabelled == v.samples);
    ck_assert(g.stats.samples == v.samples && g.stats.shards_done == 10);
    for (int k = 0; k < 3; k++) {
        ck_assert(fabs(v.mean[k] / (sum / n) - 1) < 1e-14 && fabs(v.std[k] / sqrt(square / n) - 1) < 1e-13);
        ck_assert(v.min[k] == 0 && v.max[k] == 9000000.0 + uneven(9) - 1 && v.count[k] == n);
        ck_assert(fabs(v.covariance[k] / (square / (n - 1)) - 1) < 1e-13); /* all features are the same */
    }
    mill_statistics_free(g.statistics);
}
END_TEST

static int stop(void *user, const mill_stats *stats)
{
    (void)user;
    return stats->shards_done >= 1;
}

START_TEST(a_run_that_ends_early_leaves_nothing)
{
    for (int round = 0; round < 10; round++) {
        gathered g = a_run();
        g.options.run.threads = 1 + round % 3;
        g.source.latency_ns = 120000000;
        g.options.run.on_progress = stop;
        ck_assert_int_eq(gather(&g, ""), MILL_CANCELED);
        ck_assert_ptr_null(g.statistics);
        g = a_run();
        g.source.fail_read = round;
        mill_status status = gather(&g, "");
        ck_assert(status == (uneven(round) ? MILL_IO : MILL_OK) || round == 3);
        mill_statistics_free(status ? NULL : g.statistics);
        ck_assert_int_eq(atomic_load(&g.source.opened), 0);
    }
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    gathered g = a_run();
    g.options.run.policy = MILL_POLICY_SUBSTITUTE;
    ck_assert_int_eq(gather(&g, ""), MILL_USAGE);
    g = a_run();
    g.source.elements = 3000;
    ck_assert_int_eq(gather(&g, ""), MILL_LIMIT);
    g = a_run();
    g.options.struct_nbytes = 0;
    ck_assert_int_eq(gather(&g, ""), MILL_USAGE);
    ck_assert_int_eq(mill_statistics_gather(NULL, "x", NULL, NULL, NULL, NULL), MILL_USAGE);
    mill_statistics_free(NULL);
}
END_TEST

/* ---- files ---- */

static mill_status read_text(const char *text, size_t nbytes)
{
    char path[600];
    mill_statistics *s;
    snprintf(path, sizeof path, "%s/hurt.json", folder);
    FILE *file = fopen(path, "w");
    fwrite(text, 1, nbytes, file);
    fclose(file);
    mill_status status = mill_statistics_read(&s, path, NULL);
    ck_assert((status == MILL_OK) == (s != NULL));
    mill_statistics_free(s);
    return status;
}

START_TEST(a_hurt_file_is_refused_or_read)
{
    gathered g = a_run();
    ck_assert_int_eq(gather(&g, "add 0.5"), MILL_OK);
    char *text = strdup(mill_statistics_json(g.statistics));
    size_t n = strlen(text);
    ck_assert_int_eq(read_text(text, n), MILL_OK);
    for (size_t cut = 0; cut < n; cut += 1 + n / 200)
        ck_assert_int_eq(read_text(text, cut), MILL_BAD_DATA);
    for (int round = 0; round < 500; round++) {
        size_t at = draw() % n;
        char was = text[at];
        text[at] = "0]}[{,:\"-e.x\\n"[draw() % 14];
        mill_status status = read_text(text, n);
        ck_assert(status == MILL_OK || status == MILL_BAD_DATA);
        text[at] = was;
    }
    free(text);
    mill_statistics_free(g.statistics);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats");
    TCase *tests = tcase_create("stats");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, leaves_in_any_order_give_the_same_bits);
    tcase_add_test(tests, an_empty_part_changes_nothing);
    tcase_add_test(tests, a_quantile_is_within_its_error);
    tcase_add_test(tests, buckets_are_in_the_order_of_values);
    tcase_add_test(tests, the_same_bits_however_it_is_run);
    tcase_add_test(tests, what_it_says_is_right);
    tcase_add_test(tests, a_run_that_ends_early_leaves_nothing);
    tcase_add_test(tests, what_cannot_be_is_refused);
    tcase_add_test(tests, a_hurt_file_is_refused_or_read);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
