/* SPDX-License-Identifier: Apache-2.0 */
/* scale: every element times one factor. */
#include "transform/pointwise.h"

static void scale_f32(const mill__pointwise *p, float *out, const float *in, size_t n, size_t first,
                      size_t period)
{
    (void)period;
    p->kernels->f32_scale_add(out, in, n, p->f[0][first],
                              -0.0f); /* adding -0 changes no product, not even -0 */
}

static void scale_f64(const mill__pointwise *p, double *out, const double *in, size_t n, size_t first,
                      size_t period)
{
    (void)period;
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] * p->d[0][first];
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    static const mill__pointwise model = {.name = "scale", .f32 = scale_f32, .f64 = scale_f64};
    const mill__numbers lists[2] = {{"factor", &values[0].f, 1}};
    return mill__pointwise_plan(&model, lists, in, out, self, err);
}

static const mill_param params[] = {{.name = "factor",
                                     .type = MILL_PARAM_FLOAT,
                                     .help = "number to multiply by, e.g. 0.00392156862745098 for 1/255"}};

const mill_transform_ops mill__scale_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "scale",
    .summary = "multiply every element by a factor (gives f32, or f64 from f64)",
    .example = "decode | center_crop 224 | scale 0.0078125",
    .params = params,
    .nparams = 1,
    .flags = MILL_POINTWISE,
    .plan = plan,
    .drop = mill__pointwise_drop,
    .run = mill__pointwise_run};
