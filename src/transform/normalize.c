/* SPDX-License-Identifier: Apache-2.0 */
/* normalize: u8 images to f32, (x / 255 - mean) / std channel by channel, in float and in that order with
 * true divisions: what torchvision's ToTensor followed by Normalize computes. */
#include "base/json_read.h"
#include "transform/pointwise.h"
#include <stdbool.h>
#include <stdlib.h>

/* imagenet: torchvision's documentation of its pretrained models. mnist: PyTorch's MNIST example, where the
 * numbers are those of the training set. cifar10, cifar100: mean and standard deviation over all pixels of
 * the training set, as commonly quoted. half: [0, 1] to [-1, 1]. */
#define SETS "imagenet|cifar10|cifar100|mnist|half"
static const struct {
    int n;
    double mean[3], std[3];
} sets[] = {{3, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
            {3, {0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}},
            {3, {0.5071, 0.4865, 0.4409}, {0.2673, 0.2564, 0.2762}},
            {1, {0.1307}, {0.3081}},
            {1, {0.5}, {0.5}}};

static void normalize_f32(const mill__pointwise *p, float *out, const float *in, size_t n, size_t first,
                          size_t period)
{
    static const float zero = 0.0f, white = 255.0f;
    p->kernels->f32_standardize(out, in, n, &zero, &white, 1);
    p->kernels->f32_standardize(out, out, n, p->f[0] + first, p->f[1] + first, period);
}

static mill_status check_arguments(const mill_value *values, const mill_type *in, mill_error *err)
{
    bool named = values[0].n != 0, listed = values[1].n > 0 || values[2].n > 0; /* a set, or a file */
    if ((in->layout != MILL_HWC && in->layout != MILL_CHW) || in->dtype != MILL_U8 || in->rank != 3)
        return mill_fail(
            err, MILL_USAGE, "pipeline",
            "normalize takes u8 images, but gets %s %s: put it behind decode and before cast, or use "
            "standardize",
            mill_dtype_name(in->dtype),
            in->layout == MILL_ENCODED                         ? "bytes of an encoded file"
            : in->layout == MILL_HWC || in->layout == MILL_CHW ? "images"
                                                               : "tensors");
    if (named == listed)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "normalize needs either the name of a set (" SETS
                         "), or a file of statistics, or both mean= and std=");
    if (listed && (!values[1].n || !values[2].n))
        return mill_fail(err, MILL_USAGE, "pipeline", "normalize has %s= but no %s=: give both",
                         values[1].n ? "mean" : "std", values[1].n ? "std" : "mean");
    for (int i = 0; i < values[2].n; i++)
        if ((float)values[2].list[i] == 0.0f)
            return mill_fail(err, MILL_USAGE, "pipeline",
                             "normalize: std is 0 at place %d, and nothing can be divided by that", i + 1);
    return MILL_OK;
}

/* Statistics of u8 images are of 0 to 255; without a dtype they are taken for what mean= and std= are. */
static mill_status plan_file(const char *path, const mill__pointwise *model, const mill_type *in,
                             mill_type *out, void **self, mill_error *err)
{
    double *mean;
    size_t n;
    mill_dtype dtype;
    mill_status status = mill__json_mean_std(path, &mean, &n, &dtype, err);
    if (status)
        return status;
    if (dtype && dtype != MILL_U8) {
        free(mean);
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "normalize needs statistics of u8 images, and \"%.200s\" has them of %s: end that "
                         "pipeline before cast, or use standardize",
                         path, mill_dtype_name(dtype));
    }
    bool zero = false;
    for (size_t i = 0; i < 2 * n; i++) {
        mean[i] /= dtype ? 255.0 : 1.0;
        zero |= i >= n && (float)mean[i] == 0.0f;
    }
    const mill__numbers lists[2] = {{"mean", mean, (int)n}, {"std", mean + n, (int)n}};
    status = zero ? mill_fail(err, MILL_USAGE, "pipeline",
                              "normalize: a std in \"%.200s\" is 0, and nothing can be divided by that", path)
                  : mill__pointwise_plan(model, lists, in, out, self, err);
    free(mean);
    return status;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    static const mill__pointwise model = {.name = "normalize", .f32 = normalize_f32};
    mill_status status = check_arguments(values, in, err);
    if (status)
        return status;
    mill__numbers lists[2] = {{"mean", values[1].list, values[1].n}, {"std", values[2].list, values[2].n}};
    int set = values[0].n > 0 ? (int)values[0].i : -1;
    if (values[0].n < 0 || set >= (int)(sizeof sets / sizeof *sets)) /* the very word FILE */
        return plan_file(values[0].text, &model, in, out, self, err);
    if (set >= 0) {
        lists[0] = (mill__numbers){"mean", sets[set].mean, sets[set].n};
        lists[1] = (mill__numbers){"std", sets[set].std, sets[set].n};
    }
    return mill__pointwise_plan(&model, lists, in, out, self, err);
}

static const mill_param params[] = {
    {.name = "set",
     .type = MILL_PARAM_CHOICE,
     .fallback = "",
     .choices = SETS "|FILE",
     .help = "well-known mean and std, or a file that shardmill stats --out wrote of u8 images"},
    {.name = "mean",
     .type = MILL_PARAM_FLOATS,
     .fallback = "",
     .help = "of x / 255: one number, or one a channel"},
    {.name = "std", .type = MILL_PARAM_FLOATS, .fallback = "", .help = "likewise; not 0"}};

const mill_transform_ops mill__normalize_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "normalize",
    .summary = "u8 images to f32: (x / 255 - mean) / std, a named set or mean= and std=",
    .example = "decode | resize 256 | center_crop 224 | normalize imagenet | layout chw",
    .params = params,
    .nparams = 3,
    .flags = MILL_POINTWISE,
    .plan = plan,
    .drop = mill__pointwise_drop,
    .run = mill__pointwise_run};
