/* SPDX-License-Identifier: Apache-2.0 */
/* transform/linear.h: what matmul, project and whiten have in common: y = (x - mean) b, where x is the last
 * axis of a sample, or each of many if axes stand before it.
 *
 * f64 in gives f64 out. Every other dtype gives f32 out: the elements are rounded to float first (exact for
 * all but 32- and 64-bit integers), then multiplied in float. The mean is subtracted before the product, not
 * folded into something that is added behind it: of values around 1e8 nothing would be left of the
 * differences that count. It is subtracted in double, whatever the dtype, and the difference rounded once;
 * rounded to float first, a mean would be off by up to 2^-24 of itself in every sample, the same way. */
#ifndef MILL_TRANSFORM_LINEAR_H
#define MILL_TRANSFORM_LINEAR_H

#include <shardmill/extend.h>

/* Lists are malloc'd. */
typedef struct mill__map {
    size_t depth, columns; /* of b: a sample's last axis before and after */
    double *mean;          /* depth numbers; NULL: none */
    double *b;             /* element (k, j) is b[k * row_step + j * column_step] */
    size_t row_step, column_step;
} mill__map;
void mill__map_free(mill__map *map);

/* Read a model as shardmill fit writes it (docs/statistics.md, "The file"); kind: "whiten" or "pca". */
mill_status mill__map_read_model(const char *transform, const char *path, const char *kind, mill__map *map,
                                 mill_error *err);

/* path: where the map is from, for messages. */
mill_status mill__linear_plan(const char *transform, const char *path, const mill__map *map,
                              const mill_type *in, mill_type *out, void **self, mill_error *err);
void mill__linear_drop(void *self);
mill_status mill__linear_run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                             mill_tensor *out, mill_error *err);

#endif
