/* SPDX-License-Identifier: Apache-2.0 */
/* add: numbers added to the elements, one for all or one for each channel or place on the last axis. */
#include "transform/pointwise.h"

static void add_f32(const mill__pointwise *p, float *out, const float *in, size_t n, size_t first,
                    size_t period)
{
    const float *values = p->f[0] + first;
    if (period == 1) {
        p->kernels->f32_scale_add(out, in, n, 1.0f, values[0]);
        return;
    }
    for (size_t i = 0; i < n; i += period)
        for (size_t k = 0; k < period && i + k < n; k++)
            out[i + k] = in[i + k] + values[k];
}

static void add_f64(const mill__pointwise *p, double *out, const double *in, size_t n, size_t first,
                    size_t period)
{
    const double *values = p->d[0] + first;
    for (size_t i = 0; i < n; i += period)
        for (size_t k = 0; k < period && i + k < n; k++)
            out[i + k] = in[i + k] + values[k];
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    static const mill__pointwise model = {.name = "add", .f32 = add_f32, .f64 = add_f64};
    const mill__numbers lists[2] = {{"values", values[0].list, values[0].n}};
    return mill__pointwise_plan(&model, lists, in, out, self, err);
}

static const mill_param params[] = {
    {.name = "values",
     .type = MILL_PARAM_FLOATS,
     .help = "one number, or one for each channel (images) or place on the last axis"}};

const mill_transform_ops mill__add_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "add",
    .summary = "add a number, or one for each channel or place on the last axis (gives f32, or f64 from f64)",
    .example = "decode | center_crop 224 | add -123.68,-116.78,-103.94",
    .params = params,
    .nparams = 1,
    .flags = MILL_POINTWISE,
    .plan = plan,
    .drop = mill__pointwise_drop,
    .run = mill__pointwise_run};
