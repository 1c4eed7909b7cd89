/* SPDX-License-Identifier: Apache-2.0 */
/* api/stats_json.c: statistics as JSON, and back. Besides what is for readers there is what merging needs:
 * m2, products, sketch. Numbers are written so that they come back to the last bit. */
#include "api/stats_state.h"
#include "api/text_file.h"
#include "base/error.h"
#include "base/json_read.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1 };
static const double shares[] = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};
enum { NSHARES = sizeof shares / sizeof *shares };

/* ---- writing ---- */

static int put_named(mill__buffer *out, const char *name, const double *list, size_t n)
{
    return mill__buffer_printf(out, ",\"%s\":", name) || mill__json_append_numbers(out, list, n);
}

static int put_head(mill__buffer *out, const mill_statistics_view *v)
{
    return mill__buffer_printf(out, "{\"version\":%d,\"of\":\"%s\",\"dtype\":\"%s\",\"pipeline\":", VERSION,
                               v->channels ? "channels" : "features", mill_dtype_name(v->dtype)) ||
           mill__buffer_json_string(out, v->pipeline) ||
           mill__buffer_printf(out, ",\"samples\":%lld,\"skipped\":%lld", (long long)v->samples,
                               (long long)v->skipped);
}

static int put_covariance(mill__buffer *out, const mill_statistics *s, const mill_statistics_view *v)
{
    const mill__partial p = mill__statistics_partial(s);
    size_t n = s->features;
    int failed = mill__buffer_printf(out, ",\"covariance\":%s", v->covariance ? "[" : "null");
    for (size_t i = 0; v->covariance && i < n && !failed; i++)
        failed = (i && mill__buffer_append(out, ",", 1)) ||
                 mill__json_append_numbers(out, v->covariance + i * n, n);
    failed = failed || (v->covariance && mill__buffer_append(out, "]", 1));
    return failed ||
           mill__buffer_printf(out, ",\"covariance_products\":\"%s\"", s->precise ? "f64" : "f32") ||
           mill__buffer_printf(out, ",\"covariance_count\":%.0f", *p.vectors) ||
           put_named(out, "covariance_mean", p.centre, n) ||
           put_named(out, "covariance_mean_rest", p.centre_rest, n) ||
           put_named(out, "products", p.products, n * (n + 1) / 2);
}

static int put_quantiles(mill__buffer *out, const mill_statistics *s)
{
    int failed = put_named(out, "quantile_shares", shares, NSHARES) ||
                 mill__buffer_printf(out, ",\"quantile_error\":0.0078125,\"quantiles\":[");
    for (size_t k = 0; k < s->features && !failed; k++) {
        double values[NSHARES];
        for (int i = 0; i < NSHARES; i++)
            values[i] = mill_statistics_quantile(s, k, shares[i]);
        failed = (k && mill__buffer_append(out, ",", 1)) || mill__json_append_numbers(out, values, NSHARES);
    }
    return failed || mill__buffer_append(out, "]", 1);
}

/* For each feature: bucket, count, bucket, count, ... */
static int put_sketch(mill__buffer *out, const mill_statistics *s)
{
    int failed = mill__buffer_printf(out, ",\"sketch\":[");
    for (size_t k = 0; k < s->features && !failed; k++) {
        bool begun = false;
        failed = mill__buffer_printf(out, k ? ",[" : "[");
        for (size_t b = 0; b < MILL__SKETCH_BUCKETS && !failed; b++) {
            uint64_t n = mill__sketch_count(&s->sketch, k, b);
            if (!n)
                continue;
            failed = mill__buffer_printf(out, begun ? ",%zu,%llu" : "%zu,%llu", b, (unsigned long long)n);
            begun = true;
        }
        failed = failed || mill__buffer_append(out, "]", 1);
    }
    return failed || mill__buffer_append(out, "]", 1);
}

static int put_classes(mill__buffer *out, const mill_statistics *s)
{
    int failed = mill__buffer_printf(out, ",\"classes\":{");
    for (size_t i = 0; i < s->classes.n && !failed; i++)
        failed = mill__buffer_printf(out, "%s\"%lld\":%lld", i ? "," : "", (long long)s->classes.labels[i],
                                     (long long)s->classes.counts[i]);
    return failed || mill__buffer_printf(out, "},\"unlabelled\":%lld", (long long)s->unlabelled);
}

static int put_all(mill__buffer *out, const mill_statistics *s)
{
    mill_statistics_view v;
    const mill__partial p = mill__statistics_partial(s);
    size_t n = s->features;
    mill_statistics_look(s, &v);
    int failed = put_head(out, &v) || put_named(out, "count", v.count, n) ||
                 put_named(out, "nan", v.nan, n) || put_named(out, "above", v.above, n) ||
                 put_named(out, "below", v.below, n) || put_named(out, "mean", v.mean, n) ||
                 put_named(out, "std", v.std, n) || put_named(out, "min", v.min, n) ||
                 put_named(out, "max", v.max, n) || put_named(out, "m2", p.m2, n) ||
                 put_named(out, "mean_rest", p.rest, n) || put_classes(out, s);
    failed = failed || (s->covariance && put_covariance(out, s, &v));
    failed = failed || (s->quantiles && (put_quantiles(out, s) || put_sketch(out, s)));
    return failed || mill__buffer_append(out, "}", 2);
}

const char *mill_statistics_json(mill_statistics *s)
{
    if (!s->json.nbytes && put_all(&s->json, s))
        mill__buffer_free(&s->json);
    return (const char *)s->json.data;
}

mill_status mill_statistics_write(mill_statistics *s, const char *path, mill_error *err)
{
    mill__error_clear(err);
    const char *text = s && path ? mill_statistics_json(s) : NULL;
    if (!s || !path)
        return mill_fail(err, MILL_USAGE, "argument", "statistics and the name of a file are needed");
    return text ? mill__text_file_write(path, text, strlen(text), err)
                : mill__no_memory(err, s->features, "statistics");
}

/* ---- reading ---- */

/* A count: a whole number that a double holds exactly. */
static bool is_count(double x)
{
    return x >= 0 && x <= 9007199254740992.0 && x == floor(x);
}

static bool read_count(mill__json_piece object, const char *key, int64_t *count)
{
    mill__json_piece value;
    double number;
    if (!mill__json_member(object, key, &value) || !mill__json_number(value, &number) || !is_count(number))
        return false;
    *count = (int64_t)number;
    return true;
}

/* n numbers into list; missing is what null stands for. */
static bool read_list(mill__json_piece object, const char *key, double *list, size_t n, double missing)
{
    mill__json_piece value;
    double *numbers;
    size_t found;
    if (!mill__json_member(object, key, &value) || !mill__json_numbers(value, &numbers, &found))
        return false;
    for (size_t i = 0; i < n && found == n; i++)
        list[i] = isfinite(numbers[i]) ? numbers[i] : missing;
    free(numbers);
    return found == n;
}

static bool read_counts(mill__json_piece object, const char *key, double *list, size_t n)
{
    bool good = read_list(object, key, list, n, 0);
    for (size_t i = 0; i < n && good; i++)
        good = is_count(list[i]);
    return good;
}

/* A mean of nothing is 0; sums of squares are null when they overflowed. */
static bool read_moments(mill__json_piece object, mill_statistics *s)
{
    const mill__partial p = mill__statistics_partial(s);
    size_t n = s->features;
    int64_t vectors = 0;
    mill__json_piece products;
    bool good = read_counts(object, "count", p.n, n) && read_counts(object, "nan", p.nan, n) &&
                read_counts(object, "above", p.above, n) && read_counts(object, "below", p.below, n) &&
                read_list(object, "mean", p.mean, n, 0) && read_list(object, "m2", p.m2, n, INFINITY) &&
                read_list(object, "mean_rest", p.rest, n, 0) && read_list(object, "min", p.low, n, 0) &&
                read_list(object, "max", p.high, n, 0);
    if (!s->covariance || !good)
        return good;
    good = read_count(object, "covariance_count", &vectors) &&
           read_list(object, "covariance_mean", p.centre, n, 0) &&
           read_list(object, "covariance_mean_rest", p.centre_rest, n, 0) &&
           read_list(object, "products", p.products, n * (n + 1) / 2, INFINITY);
    *p.vectors = (double)vectors;
    s->precise =
        !mill__json_member(object, "covariance_products", &products) || mill__json_is_text(products, "f64");
    return good;
}

static bool read_label(mill__json_piece key, int64_t *label)
{
    *label = 0;
    for (size_t i = 0; i < key.nbytes && key.nbytes < 19; i++) {
        if (key.text[i] < '0' || key.text[i] > '9')
            return false;
        *label = 10 * *label + (key.text[i] - '0');
    }
    return key.nbytes > 0 && key.nbytes < 19;
}

static bool read_classes(mill__json_piece object, mill_statistics *s)
{
    mill__json_piece value, key, count;
    mill__json_walk walk;
    int64_t label;
    double n;
    int more = -1;
    if (!mill__json_member(object, "classes", &value) || !mill__json_begin(&walk, value, '{'))
        return false;
    while ((more = mill__json_next(&walk, &key, &count)) > 0)
        if (!read_label(key, &label) || !mill__json_number(count, &n) || !is_count(n) ||
            !mill__classes_add(&s->classes, label, (int64_t)n))
            return false;
    return more == 0;
}

static bool read_feature_sketch(mill__json_piece list, mill_statistics *s, size_t feature)
{
    double *pairs;
    size_t n;
    if (!mill__json_numbers(list, &pairs, &n))
        return false;
    bool good = n % 2 == 0;
    for (size_t i = 0; i < n && good; i += 2)
        good = is_count(pairs[i]) && pairs[i] < MILL__SKETCH_BUCKETS && is_count(pairs[i + 1]) &&
               mill__sketch_put(&s->sketch, feature, (size_t)pairs[i], (uint64_t)pairs[i + 1]);
    free(pairs);
    return good;
}

static bool read_sketch(mill__json_piece object, mill_statistics *s)
{
    mill__json_piece value, key, list;
    mill__json_walk walk;
    if (!s->quantiles)
        return true;
    if (!mill__json_member(object, "sketch", &value) || !mill__json_begin(&walk, value, '['))
        return false;
    for (size_t k = 0; k < s->features; k++)
        if (mill__json_next(&walk, &key, &list) != 1 || !read_feature_sketch(list, s, k))
            return false;
    return mill__json_next(&walk, &key, &list) == 0;
}

/* The text of a JSON string that mill__buffer_json_string() wrote. */
static char *unquote(mill__json_piece value)
{
    char *text = value.nbytes >= 2 && value.text[0] == '"' ? malloc(value.nbytes) : NULL, *to = text;
    for (size_t i = 1; text && i + 1 < value.nbytes; i++) {
        char c = value.text[i];
        if (c == '\\' && i + 2 < value.nbytes) {
            c = value.text[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
        *to++ = c;
    }
    if (text)
        *to = 0;
    return text;
}

static mill_statistics *parse(mill__json_piece object)
{
    mill__json_piece value, of;
    double *counts, version;
    size_t n;
    if (!mill__json_member(object, "version", &value) || !mill__json_number(value, &version) ||
        version != VERSION || !mill__json_member(object, "count", &value) ||
        !mill__json_numbers(value, &counts, &n))
        return NULL;
    free(counts);
    bool covariance = mill__json_member(object, "products", &value),
         sketch = mill__json_member(object, "sketch", &value);
    mill_statistics *s = n ? mill__statistics_new(n, covariance, sketch) : NULL;
    if (!s)
        return NULL;
    if (mill__json_member(object, "pipeline", &value))
        s->pipeline = unquote(value);
    bool good = s->pipeline && mill__json_member(object, "of", &of) &&
                (s->dtype = mill__json_dtype(object)) != 0 && read_count(object, "samples", &s->samples) &&
                read_count(object, "skipped", &s->skipped) &&
                read_count(object, "unlabelled", &s->unlabelled) && read_moments(object, s) &&
                read_classes(object, s) && read_sketch(object, s) && mill__statistics_derive(s);
    if (!good) {
        mill_statistics_free(s);
        return NULL;
    }
    s->channels = mill__json_is_text(of, "channels");
    return s;
}

mill_status mill_statistics_read(mill_statistics **statistics, const char *path, mill_error *err)
{
    mill__error_clear(err);
    if (!statistics || !path)
        return mill_fail(err, MILL_USAGE, "argument", "a file and a place for its statistics are needed");
    *statistics = NULL;
    mill__buffer text = {0};
    mill_status status = mill__json_load(path, &text, err);
    if (status)
        return status;
    *statistics = parse((mill__json_piece){(char *)text.data, text.nbytes});
    mill__buffer_free(&text);
    return *statistics ? MILL_OK
                       : mill_fail(err, MILL_BAD_DATA, "statistics",
                                   "\"%s\" holds no statistics as shardmill stats --out writes them", path);
}
