/* SPDX-License-Identifier: Apache-2.0 */
/* clip: every element brought into [low, high]; NaN stays NaN. */
#include "transform/pointwise.h"

static void clip_f32(const mill__pointwise *p, float *out, const float *in, size_t n, size_t first,
                     size_t period)
{
    (void)period;
    p->kernels->f32_clip(out, in, n, p->f[0][first], p->f[1][first]);
}

static void clip_f64(const mill__pointwise *p, double *out, const double *in, size_t n, size_t first,
                     size_t period)
{
    (void)period;
    double low = p->d[0][first], high = p->d[1][first];
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] < low ? low : in[i] > high ? high : in[i];
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    static const mill__pointwise model = {.name = "clip", .f32 = clip_f32, .f64 = clip_f64};
    const mill__numbers lists[2] = {{"low", &values[0].f, 1}, {"high", &values[1].f, 1}};
    if (!(values[0].f <= values[1].f))
        return mill_fail(err, MILL_USAGE, "pipeline", "clip: low (%g) must not be above high (%g)",
                         values[0].f, values[1].f);
    return mill__pointwise_plan(&model, lists, in, out, self, err);
}

static const mill_param params[] = {
    {.name = "low", .type = MILL_PARAM_FLOAT, .help = "what is less becomes this"},
    {.name = "high", .type = MILL_PARAM_FLOAT, .help = "what is more becomes this"}};

const mill_transform_ops mill__clip_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "clip",
    .summary = "bring every element into a range (gives f32, or f64 from f64)",
    .example = "standardize mean=0.1 std=2 | clip -3 3",
    .params = params,
    .nparams = 2,
    .flags = MILL_POINTWISE,
    .plan = plan,
    .drop = mill__pointwise_drop,
    .run = mill__pointwise_run};
