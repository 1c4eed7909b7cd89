/* SPDX-License-Identifier: Apache-2.0 */
/* transform/autocontrast.c: the least value of each channel to 0, the greatest to 255, as Pillow's
 * ImageOps.autocontrast. */
#include "base/memory.h"
#include "transform/enhance.h"
#include "transform/geometry.h"

typedef struct autocontrast {
    const mill__augment_kernels *kernels;
    double p;
} autocontrast;

static const mill_param params[] = {
    MILL__PARAM_P("1"),
};

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out;
    autocontrast planned = {.kernels = mill__augment_best(), .p = values[0].f};
    mill_status status = mill__geometry_check("autocontrast", in, err);
    return status ? status : mill__keep("autocontrast", &planned, sizeof planned, self, err);
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const autocontrast *s = self;
    mill__frame frame;
    mill_status status = mill__frame_begin(&frame, s->kernels, ctx, in, out, err);
    if (status)
        return status;
    if (!mill__chance(ctx, 0, s->p))
        mill__frame_copy(&frame);
    else
        mill__autocontrast(&frame);
    return status;
}

const mill_transform_ops mill__autocontrast_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                                   .name = "autocontrast",
                                                   .summary =
                                                       "stretch each channel to the full range of values",
                                                   .example = "decode | resize 256 | autocontrast p=0.5",
                                                   .params = params,
                                                   .nparams = sizeof params / sizeof *params,
                                                   .flags = MILL_RANDOM | MILL_IN_PLACE,
                                                   .plan = plan,
                                                   .drop = mill__free,
                                                   .run = run};
