/* SPDX-License-Identifier: Apache-2.0 */
/* transform/sharpness.c: sharper or smoother, as Pillow's ImageEnhance.Sharpness and torchvision's
 * RandomAdjustSharpness. */
#include "base/memory.h"
#include "transform/enhance.h"
#include "transform/geometry.h"

typedef struct sharpness {
    const mill__augment_kernels *kernels;
    double p;
    double factor[2];
} sharpness;

static const mill_param params[] = {
    {.name = "factor",
     .type = MILL_PARAM_FLOATS,
     .max = 1e3,
     .help = "0: smoothed, 1: as it is, 2: sharper; or a range LOW,HIGH to draw from"},
    MILL__PARAM_P("1"),
};

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out;
    sharpness planned = {.kernels = mill__augment_best(), .p = values[1].f};
    mill_status status = mill__geometry_check("sharpness", in, err);
    if (!status)
        status = mill__take_range("sharpness", "factor", &values[0], planned.factor, err);
    return status ? status : mill__keep("sharpness", &planned, sizeof planned, self, err);
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const sharpness *s = self;
    mill__frame frame;
    mill_status status = mill__frame_begin(&frame, s->kernels, ctx, in, out, err);
    if (status)
        return status;
    if (!mill__chance(ctx, 0, s->p))
        mill__frame_copy(&frame);
    else
        mill__sharpen(&frame, mill__draw(ctx, 1, s->factor[0], s->factor[1]));
    return status;
}

const mill_transform_ops mill__sharpness_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                                .name = "sharpness",
                                                .summary = "make images sharper or smoother",
                                                .example = "decode | center_crop 224 | sharpness 2 p=0.5",
                                                .params = params,
                                                .nparams = sizeof params / sizeof *params,
                                                .flags = MILL_RANDOM,
                                                .plan = plan,
                                                .drop = mill__free,
                                                .run = run};
