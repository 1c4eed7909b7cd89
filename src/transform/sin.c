/* SPDX-License-Identifier: Apache-2.0 */
/* sin: the sine of every element, in radians. f32 is within 1.5 units in the last place of the exact value
 * for |x| <= 100,000, see kernel/sine_levels.c; beyond that, and for f64, it is the C library's. */
#include "transform/pointwise.h"
#include <math.h>

static void sin_f32(const mill__pointwise *p, float *out, const float *in, size_t n, size_t first,
                    size_t period)
{
    (void)first, (void)period;
    p->kernels->f32_sin(out, in, n);
}

static void sin_f64(const mill__pointwise *p, double *out, const double *in, size_t n, size_t first,
                    size_t period)
{
    (void)p, (void)first, (void)period;
    for (size_t i = 0; i < n; i++)
        out[i] = sin(in[i]);
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)values, (void)user;
    static const mill__pointwise model = {.name = "sin", .f32 = sin_f32, .f64 = sin_f64};
    const mill__numbers none[2] = {{0}};
    return mill__pointwise_plan(&model, none, in, out, self, err);
}

const mill_transform_ops mill__sin_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                          .name = "sin",
                                          .summary =
                                              "sine of every element in radians (gives f32, or f64 from f64)",
                                          .example = "scale 3.14159265358979 | sin",
                                          .flags = MILL_POINTWISE,
                                          .plan = plan,
                                          .drop = mill__pointwise_drop,
                                          .run = mill__pointwise_run};
