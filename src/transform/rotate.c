/* SPDX-License-Identifier: Apache-2.0 */
/* transform/rotate.c: turned about the centre by a random angle, as Pillow's Image.rotate and torchvision's
 * RandomRotation. */
#include "base/memory.h"
#include "transform/geometry.h"
#include "transform/warp.h"

typedef struct rotate {
    const mill__augment_kernels *kernels;
    double p;
    double degrees[2];
    bool bilinear, expand;
    uint8_t fill;
} rotate;

static const mill_param params[] = {
    {.name = "degrees",
     .type = MILL_PARAM_FLOATS,
     .min = -1e6,
     .max = 1e6,
     .help = "up to that far either way, or LOW,HIGH; against the clock"},
    {.name = "filter",
     .type = MILL_PARAM_CHOICE,
     .fallback = "nearest",
     .choices = MILL__WARP_FILTERS,
     .help = "the nearest pixel, or the four around weighed"},
    {.name = "fill",
     .type = MILL_PARAM_INT,
     .fallback = "0",
     .max = 255,
     .help = "value of pixels from outside of the image"},
    MILL__PARAM_P("1"),
    {.name = "expand",
     .type = MILL_PARAM_BOOL,
     .fallback = "false",
     .help = "make images large enough to hold all that was turned; their size then depends on the angle"},
};

/* Known if the input's is and the angle is no matter of chance. */
static void plan_size(const rotate *r, const mill_type *in, mill_type *out)
{
    size_t width, height;
    out->shape[0] = out->shape[1] = -1;
    if (in->shape[0] < 0 || in->shape[1] < 0 || !(r->degrees[0] >= r->degrees[1]))
        return;
    mill__rotated_size(r->degrees[0], (size_t)in->shape[1], (size_t)in->shape[0], &width, &height);
    if (r->p < 1 && ((int64_t)width != in->shape[1] || (int64_t)height != in->shape[0]))
        return;
    out->shape[0] = (int64_t)height;
    out->shape[1] = (int64_t)width;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    rotate planned = {.kernels = mill__augment_best(), .p = values[3].f, .expand = values[4].i};
    mill_status status = mill__geometry_check("rotate", in, err);
    planned.bilinear = values[1].i != 0;
    planned.fill = (uint8_t)values[2].i;
    if (!status)
        status = mill__take_angles("rotate", "degrees", &values[0], planned.degrees, err);
    if (!status && planned.expand)
        plan_size(&planned, in, out);
    return status ? status : mill__keep("rotate", &planned, sizeof planned, self, err);
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const rotate *s = self;
    const double degrees = mill__chance(ctx, 0, s->p) ? mill__draw(ctx, 1, s->degrees[0], s->degrees[1]) : 0;
    size_t width = (size_t)in->type.shape[1], height = (size_t)in->type.shape[0];
    mill__frame frame;
    if (s->expand)
        mill__rotated_size(degrees, width, height, &width, &height);
    mill_status status = mill__frame_begin_sized(&frame, s->kernels, ctx, in, out, width, height, err);
    if (!status)
        mill__rotate(&frame, degrees, s->bilinear, s->fill);
    return status;
}

const mill_transform_ops mill__rotate_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                             .name = "rotate",
                                             .summary = "turn images about their centre",
                                             .example =
                                                 "decode | center_crop 224 | rotate 15 filter=bilinear",
                                             .params = params,
                                             .nparams = sizeof params / sizeof *params,
                                             .flags = MILL_RANDOM,
                                             .plan = plan,
                                             .drop = mill__free,
                                             .run = run};
