/* SPDX-License-Identifier: Apache-2.0 */
/* log1p: the natural logarithm of 1 + x; -inf for -1, NaN below. f32 is within 0.51 units in the last place
 * of the exact value, see kernel/elementwise_levels.c; f64 is the C library's. */
#include "transform/pointwise.h"
#include <math.h>

static void log1p_f32(const mill__pointwise *p, float *out, const float *in, size_t n, size_t first,
                      size_t period)
{
    (void)first, (void)period;
    p->kernels->f32_log1p(out, in, n);
}

static void log1p_f64(const mill__pointwise *p, double *out, const double *in, size_t n, size_t first,
                      size_t period)
{
    (void)p, (void)first, (void)period;
    for (size_t i = 0; i < n; i++)
        out[i] = log1p(in[i]);
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)values, (void)user;
    static const mill__pointwise model = {.name = "log1p", .f32 = log1p_f32, .f64 = log1p_f64};
    const mill__numbers none[2] = {{0}};
    return mill__pointwise_plan(&model, none, in, out, self, err);
}

const mill_transform_ops mill__log1p_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "log1p",
    .summary = "natural logarithm of 1 + x; -1 gives -inf, less gives NaN (gives f32, or f64 from f64)",
    .example = "clip 0 1000000 | log1p",
    .flags = MILL_POINTWISE,
    .plan = plan,
    .drop = mill__pointwise_drop,
    .run = mill__pointwise_run};
