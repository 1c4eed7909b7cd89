/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill/stats.h: statistics of what a pipeline makes of a data set: for each channel of images, or each
 * place on the last axis of other tensors (a scalar is one place). Bit-identical for any number of threads,
 * executor and way of reading. docs/statistics.md has the formulas. */
#ifndef SHARDMILL_STATS_H
#define SHARDMILL_STATS_H

#include <shardmill/run.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mill_statistics mill_statistics;

/* How products are summed for the covariance. Fast: those of f32, f16 and bf16 values in float, 256 vectors
 * at a time, which are then added in double: about 10^-7 of the largest variance is lost. Precise, and always
 * of other types: all in double, which takes up to twice as long. Models are fitted to precise ones. */
enum { MILL_COVARIANCE_NONE, MILL_COVARIANCE_FAST, MILL_COVARIANCE_PRECISE };

/* Zero or NULL means the default in every field. */
typedef struct mill_statistics_options {
    size_t struct_nbytes;
    mill_options run; /* used: threads, io, executor, memory, seed, epoch, policy (fail or skip), max_errors,
                         max_pixels, trace, source, format, on_progress, on_issue, user */
    int covariance; /* also the covariance, by MILL_COVARIANCE_...; images must be hwc; at most 2048 features
                     */
    int quantiles;  /* also a sketch of the distribution; at most 1024 features */
} mill_statistics_options;

MILL_API mill_statistics_options mill_statistics_options_default(void);

/* Process every shard that spec names through pipeline and gather statistics of the results. On success
 * *statistics is to be freed. Statuses are those of mill_run(). */
MILL_API mill_status mill_statistics_gather(mill_statistics **statistics, const char *spec,
                                            const mill_pipeline *pipeline,
                                            const mill_statistics_options *options, mill_stats *stats,
                                            mill_error *err);
MILL_API void mill_statistics_free(mill_statistics *statistics); /* NULL is fine */

/* What they say. Lists have one number for each feature, and belong to the statistics. */
typedef struct mill_statistics_view {
    size_t features;
    int channels; /* features are channels of images */
    mill_dtype dtype;
    const char *pipeline;              /* canonical text */
    int64_t samples, skipped;          /* samples that count, bad ones left out */
    const double *count;               /* finite values; nothing else counts in what follows */
    const double *nan, *above, *below; /* how many are NaN, +infinity, -infinity */
    const double *mean, *std;          /* std: of the population, divisor count. NaN where count is 0 */
    const double *min, *max;           /* NaN where count is 0 */
    double covariance_count;           /* vectors without NaN and infinities; 0 without covariance */
    int covariance_precise;            /* its products were summed in double */
    const double *covariance; /* features x features, divisor covariance_count - 1; NULL: not asked for, or
                                 of fewer than 2 vectors */
    size_t classes;           /* different labels */
    const int64_t *labels, *label_counts; /* sorted by label */
    int64_t unlabelled;                   /* samples without a label */
    int quantiles;                        /* mill_statistics_quantile() can be asked */
} mill_statistics_view;
MILL_API void mill_statistics_look(const mill_statistics *statistics, mill_statistics_view *view);

/* Of the count sorted values of a feature, number floor(p * (count - 1)), within 1/128 of it; NaN if there is
 * none, or no sketch. */
MILL_API double mill_statistics_quantile(const mill_statistics *statistics, size_t feature, double p);

/* As JSON, without a newline; see docs/statistics.md. Belongs to the statistics. NULL without memory. */
MILL_API const char *mill_statistics_json(mill_statistics *statistics);
/* That into a file, which is there whole or not at all. */
MILL_API mill_status mill_statistics_write(mill_statistics *statistics, const char *path, mill_error *err);
/* ... and back, to the last bit. */
MILL_API mill_status mill_statistics_read(mill_statistics **statistics, const char *path, mill_error *err);
/* Add what more says. Both must be of the same pipeline and features, and have covariance and quantiles or
 * not. Counts, extremes, classes and quantiles are what one run over both data sets gives; means, squares and
 * covariance are so but for rounding, because the order of sums differs. */
MILL_API mill_status mill_statistics_merge(mill_statistics *statistics, const mill_statistics *more,
                                           mill_error *err);

#ifdef __cplusplus
}
#endif
#endif
