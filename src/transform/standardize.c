/* SPDX-License-Identifier: Apache-2.0 */
/* standardize: (x - mean) / std, with one number for all or one for each channel or place on the last axis.
 */
#include "base/json_read.h"
#include "transform/pointwise.h"
#include <stdlib.h>

static void standardize_f32(const mill__pointwise *p, float *out, const float *in, size_t n, size_t first,
                            size_t period)
{
    p->kernels->f32_standardize(out, in, n, p->f[0] + first, p->f[1] + first, period);
}

static void standardize_f64(const mill__pointwise *p, double *out, const double *in, size_t n, size_t first,
                            size_t period)
{
    const double *mean = p->d[0] + first, *std = p->d[1] + first;
    for (size_t i = 0; i < n; i += period)
        for (size_t k = 0; k < period && i + k < n; k++)
            out[i + k] = (in[i + k] - mean[k]) / std[k];
}

static mill_status plan_lists(const double *mean, int nmean, const double *std, int nstd, const mill_type *in,
                              mill_type *out, void **self, mill_error *err)
{
    static const mill__pointwise model = {
        .name = "standardize", .f32 = standardize_f32, .f64 = standardize_f64};
    const mill__numbers lists[2] = {{"mean", mean, nmean}, {"std", std, nstd}};
    for (int i = 0; i < nstd; i++)
        if ((in->dtype == MILL_F64 ? std[i] : (double)(float)std[i]) == 0.0)
            return mill_fail(err, MILL_USAGE, "pipeline",
                             "standardize: std is 0 at place %d, and nothing can be divided by that", i + 1);
    return mill__pointwise_plan(&model, lists, in, out, self, err);
}

static mill_status plan_file(const char *path, const mill_type *in, mill_type *out, void **self,
                             mill_error *err)
{
    double *mean;
    size_t n;
    mill_dtype dtype;
    mill_status status = mill__json_mean_std(path, &mean, &n, &dtype, err);
    if (!status)
        status = plan_lists(mean, (int)n, mean + n, (int)n, in, out, self, err);
    free(mean);
    return status;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    bool from_file = values[0].n < 0;
    if (from_file ? values[1].n != 0 : values[1].n <= 0)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "standardize needs either a file of statistics or both mean= and std=");
    if (from_file)
        return plan_file(values[0].text, in, out, self, err);
    return plan_lists(values[0].list, values[0].n, values[1].list, values[1].n, in, out, self, err);
}

static const mill_param params[] = {
    {.name = "mean",
     .type = MILL_PARAM_FLOATS,
     .choices = "FILE",
     .help = "one number, or one for each channel (images) or place on the last axis; or a file that "
             "shardmill stats --out wrote, for both"},
    {.name = "std", .type = MILL_PARAM_FLOATS, .fallback = "", .help = "likewise; not 0"}};

const mill_transform_ops mill__standardize_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                                  .name = "standardize",
                                                  .summary = "(x - mean) / std (gives f32, or f64 from f64)",
                                                  .example = "standardize mean=0.5 std=0.25",
                                                  .params = params,
                                                  .nparams = 2,
                                                  .flags = MILL_POINTWISE,
                                                  .plan = plan,
                                                  .drop = mill__pointwise_drop,
                                                  .run = mill__pointwise_run};
