/* SPDX-License-Identifier: Apache-2.0 */
/* transform/affine.c: turned, moved, scaled and sheared by random amounts, as torchvision's RandomAffine on
 * Pillow's images; the random numbers are ours. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/geometry.h"
#include "transform/warp.h"
#include <math.h>

typedef struct affine {
    const mill__augment_kernels *kernels;
    double p;
    double degrees[2], move[2], scale[2], shear_x[2], shear_y[2];
    bool bilinear;
    uint8_t fill;
} affine;

static const mill_param params[] = {
    {.name = "degrees",
     .type = MILL_PARAM_FLOATS,
     .min = -1e6,
     .max = 1e6,
     .help = "turned up to that far either way, or LOW,HIGH; with the clock"},
    {.name = "translate",
     .type = MILL_PARAM_FLOATS,
     .fallback = "0,0",
     .max = 1,
     .help = "moved up to these shares of width,height"},
    {.name = "scale",
     .type = MILL_PARAM_FLOATS,
     .fallback = "1,1",
     .min = 1e-3,
     .max = 1e3,
     .help = "made larger by a factor within LOW,HIGH"},
    {.name = "shear",
     .type = MILL_PARAM_FLOATS,
     .fallback = "0",
     .min = -89,
     .max = 89,
     .help = "degrees across: up to X, or LOW,HIGH, or both ways: LOW,HIGH,LOW,HIGH"},
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
};

static mill_status take_pair(const char *parameter, const mill_value *value, double pair[2], mill_error *err)
{
    if (value->n != 2)
        return mill_fail(err, MILL_USAGE, "parameter", "affine: %s is %s, but must be two numbers", parameter,
                         value->text);
    pair[0] = value->list[0];
    pair[1] = value->list[1];
    return MILL_OK;
}

static mill_status take_shear(const mill_value *value, affine *planned, mill_error *err)
{
    if (value->n != 4)
        return mill__take_angles("affine", "shear", value, planned->shear_x, err);
    mill_value across = *value, down = *value;
    across.n = down.n = 2;
    down.list += 2;
    mill_status status = mill__take_range("affine", "shear", &across, planned->shear_x, err);
    return status ? status : mill__take_range("affine", "shear", &down, planned->shear_y, err);
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out;
    affine planned = {.kernels = mill__augment_best(),
                      .p = values[6].f,
                      .bilinear = values[4].i != 0,
                      .fill = (uint8_t)values[5].i};
    mill_status status = mill__geometry_check("affine", in, err);
    if (!status)
        status = mill__take_angles("affine", "degrees", &values[0], planned.degrees, err);
    if (!status)
        status = take_pair("translate", &values[1], planned.move, err);
    if (!status)
        status = mill__take_range("affine", "scale", &values[2], planned.scale, err);
    if (!status)
        status = take_shear(&values[3], &planned, err);
    return status ? status : mill__keep("affine", &planned, sizeof planned, self, err);
}

/* Random numbers: 0 whether, then one an amount. Moves are by whole pixels, halves to even. */
static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const affine *s = self;
    mill__frame frame;
    mill_status status = mill__frame_begin(&frame, s->kernels, ctx, in, out, err);
    if (status)
        return status;
    if (!mill__chance(ctx, 0, s->p)) {
        mill__frame_copy(&frame);
        return MILL_OK;
    }
    double across = s->move[0] * (double)frame.width, down = s->move[1] * (double)frame.height;
    mill__motion motion = {.center_x = (double)frame.width * 0.5,
                           .center_y = (double)frame.height * 0.5,
                           .degrees = mill__draw(ctx, 1, s->degrees[0], s->degrees[1]),
                           .move_x = rint(mill__draw(ctx, 2, -across, across)),
                           .move_y = rint(mill__draw(ctx, 3, -down, down)),
                           .scale = mill__draw(ctx, 4, s->scale[0], s->scale[1]),
                           .shear_x = mill__draw(ctx, 5, s->shear_x[0], s->shear_x[1]),
                           .shear_y = mill__draw(ctx, 6, s->shear_y[0], s->shear_y[1])};
    mill__matrix matrix = mill__matrix_for(&motion);
    mill__warp(&frame, &matrix, s->bilinear, s->fill);
    return MILL_OK;
}

const mill_transform_ops mill__affine_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "affine",
    .summary = "turn, move, scale and shear images at random",
    .example = "decode | center_crop 224 | affine 10 translate=0.1,0.1 scale=0.9,1.1",
    .params = params,
    .nparams = sizeof params / sizeof *params,
    .flags = MILL_RANDOM,
    .plan = plan,
    .drop = mill__free,
    .run = run};
