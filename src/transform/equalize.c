/* SPDX-License-Identifier: Apache-2.0 */
/* transform/equalize.c: a flat histogram for each channel, as Pillow's ImageOps.equalize. */
#include "base/memory.h"
#include "transform/enhance.h"
#include "transform/geometry.h"

typedef struct equalize {
    const mill__augment_kernels *kernels;
    double p;
} equalize;

static const mill_param params[] = {
    MILL__PARAM_P("1"),
};

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out;
    equalize planned = {.kernels = mill__augment_best(), .p = values[0].f};
    mill_status status = mill__geometry_check("equalize", in, err);
    return status ? status : mill__keep("equalize", &planned, sizeof planned, self, err);
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const equalize *s = self;
    mill__frame frame;
    mill_status status = mill__frame_begin(&frame, s->kernels, ctx, in, out, err);
    if (status)
        return status;
    if (!mill__chance(ctx, 0, s->p))
        mill__frame_copy(&frame);
    else
        mill__equalize(&frame);
    return status;
}

const mill_transform_ops mill__equalize_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                               .name = "equalize",
                                               .summary = "even out the histogram of each channel",
                                               .example = "decode | resize 256 | equalize p=0.5",
                                               .params = params,
                                               .nparams = sizeof params / sizeof *params,
                                               .flags = MILL_RANDOM | MILL_IN_PLACE,
                                               .plan = plan,
                                               .drop = mill__free,
                                               .run = run};
