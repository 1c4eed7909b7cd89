/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill/fit.h: principal components and whitening, fitted to the mean and covariance of a data set. What
 * mill_model_save() writes is what the transforms "whiten FILE" and "project FILE" read. docs/statistics.md
 * has the formulas and their sources.
 *
 * With C the covariance (divisor n - 1), its eigenvalues l[0] >= l[1] >= ... >= 0 and eigenvectors v[c] of
 * length 1, a model is a mean and a matrix, y = matrix (x - mean):
 *
 * - "pca": row c is v[c], and y has the variances l.
 * - "whiten", method "zca": V' diag(1 / sqrt(l + regularisation)) V, row c of V being v[c]; y has covariance
 * 1 and is as close to x as such a y can be.
 * - "whiten", method "pca": row c is v[c] / sqrt(l[c] + regularisation), and y has covariance 1. */
#ifndef SHARDMILL_FIT_H
#define SHARDMILL_FIT_H

#include <shardmill/stats.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mill_model mill_model;

/* Zero or NULL means the default in every field. */
typedef struct mill_fit_options {
    size_t struct_nbytes;
    const char *method;    /* of whiten: "zca" (default) or "pca" */
    size_t components;     /* how many, those of the largest variance; default: as many as there are features,
                              and nothing else with zca */
    double regularisation; /* of whiten: added to each variance; in the square of the data's unit */
} mill_fit_options;

MILL_API mill_fit_options mill_fit_options_default(void);

/* Fit kind, "pca" or "whiten", to statistics that have a covariance. On success *model is to be freed; it
 * holds on to nothing of the statistics, which stay as they are. Runs on the calling thread; LAPACK and BLAS
 * may use threads of their own as the program has set them, and that setting is left alone. Takes two
 * matrices of features x features numbers, and up to two more while it runs. MILL_USAGE: options that do not
 * go together; no covariance, or of fewer than 2 vectors; a covariance that has no inverse, where whitening
 * needs one (the message says what to do). MILL_BAD_DATA: numbers that no covariance has (not finite, or a
 * variance below 0 by more than rounding). MILL_NO_MEMORY. */
MILL_API mill_status mill_model_fit(mill_model **model, const mill_statistics *statistics, const char *kind,
                                    const mill_fit_options *options, mill_error *err);
MILL_API void mill_model_free(mill_model *model); /* NULL is fine */

/* What it says. Everything belongs to the model. */
typedef struct mill_model_view {
    const char *model, *method; /* as given; method is NULL for pca */
    const char *pipeline;       /* canonical text: what made the data that it was fitted to */
    size_t features;            /* length of x */
    size_t components;          /* length of y */
    const double *mean;         /* features numbers */
    const double *matrix;       /* components x features, row after row */
    const double *variances;    /* l: features numbers, descending; l[c] is what component c explains */
    double total_variance;      /* their sum */
    double regularisation;
    double samples;  /* vectors that count; fewer than features + 1 cannot tell all variances */
    double left_out; /* vectors with NaN or infinities, which do not */
    int precise;     /* the covariance was (MILL_COVARIANCE_PRECISE) */
    size_t rank;     /* variances that are more than rounding: l[c] > l[0] features 2^-52, or, not precise,
                        l[0] 2^-22 */
    size_t clipped;  /* variances that rounding had made negative and that are 0 now */
} mill_model_view;
MILL_API void mill_model_look(const mill_model *model, mill_model_view *view);

/* How many components have at least this share (0 to 1) of the total variance; 0 if there is none. */
MILL_API size_t mill_model_explain(const mill_model *model, double share);

/* As JSON into a file, which is there whole or not at all; numbers come back to the last bit. */
MILL_API mill_status mill_model_save(const mill_model *model, const char *path, mill_error *err);
/* As a picture (SVG): variances, and the share that the first so many components have. Likewise. */
MILL_API mill_status mill_model_plot(const mill_model *model, const char *path, mill_error *err);

#ifdef __cplusplus
}
#endif
#endif
