/* SPDX-License-Identifier: Apache-2.0 */
/* transform/pointwise.h: what the element-wise transforms have in common. Each is a function on floats, one
 * on doubles, and up to two lists of numbers: one number, or one for each channel of an image or each place
 * on the last axis of a plain tensor.
 *
 * f64 in gives f64 out, computed in double. Every other dtype gives f32 out: the elements are rounded to
 * float first (exact for all but 32- and 64-bit integers), then computed with in float. */
#ifndef MILL_TRANSFORM_POINTWISE_H
#define MILL_TRANSFORM_POINTWISE_H

#include "kernel/kernel.h"
#include <shardmill/extend.h>

/* An argument that is a list of numbers; n 0: the transform has none. */
typedef struct mill__numbers {
    const char *name; /* for messages */
    const double *list;
    int n;
} mill__numbers;

typedef struct mill__pointwise mill__pointwise;
struct mill__pointwise {
    const char *name;
    /* n elements; element i belongs to place (first + i % period) of the lists. out may equal in. */
    void (*f32)(const mill__pointwise *p, float *out, const float *in, size_t n, size_t first, size_t period);
    void (*f64)(const mill__pointwise *p, double *out, const double *in, size_t n, size_t first,
                size_t period);
    /* The rest is filled by mill__pointwise_plan. */
    const mill__kernels *kernels;
    size_t nplaces;    /* length of both lists: 1, or that of the axis */
    const float *f[2]; /* the lists in the precision that is computed in */
    const double *d[2];
};

/* Check in (numbers, lists that fit), set out's dtype, make *self. lists: two, the second may be empty. */
mill_status mill__pointwise_plan(const mill__pointwise *model, const mill__numbers lists[2],
                                 const mill_type *in, mill_type *out, void **self, mill_error *err);
void mill__pointwise_drop(void *self);
mill_status mill__pointwise_run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                                mill_tensor *out, mill_error *err);

/* Refuse the bytes of an encoded file, and what has no dtype. */
mill_status mill__check_numeric(const char *name, const mill_type *in, mill_error *err);
/* Elements of in, all its samples together. */
mill_status mill__count(const mill_tensor *in, size_t *n, mill_error *err);
/* Give out the shape of in and memory if the plan could not: see run in extend.h. */
mill_status mill__ensure_output(const mill_context *ctx, const mill_tensor *in, mill_tensor *out,
                                mill_error *err);

#endif
