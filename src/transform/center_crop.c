/* SPDX-License-Identifier: Apache-2.0 */
/* transform/center_crop.c: the middle of an image, padded with zeros where it is too small. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/geometry.h"

typedef struct center_crop {
    int64_t width, height;
} center_crop;

static const mill_param params[] = {
    {.name = "size",
     .type = MILL_PARAM_SIZE,
     .min = 1,
     .max = MILL__SIDE_MAX,
     .help = "length of both sides, or WIDTHxHEIGHT"},
};

/* Where the crop begins, as torchvision has it: half the surplus, rounded to even; or minus half of what is
 * missing, the odd pixel at the end. */
static int64_t offset(int64_t have, int64_t wanted)
{
    int64_t surplus = have - wanted;
    if (surplus < 0)
        return -(-surplus / 2);
    int64_t half = surplus / 2;
    return surplus % 2 ? half + half % 2 : half;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    center_crop c;
    mill_status status = mill__geometry_check("center_crop", in, err);
    if (!status)
        status = mill__geometry_size("center_crop", &values[0], &c.width, &c.height, err);
    if (status)
        return status;
    out->shape[0] = c.height;
    out->shape[1] = c.width;
    center_crop *kept = mill__alloc(sizeof c);
    if (!kept)
        return mill__no_memory(err, sizeof c, "center_crop");
    *kept = c;
    *self = kept;
    return MILL_OK;
}

static mill_status view(const void *self, const mill_context *ctx, mill_view *v, mill_error *err)
{
    (void)ctx;
    const center_crop *c = self;
    int64_t x = offset(mill_view_width(v), c->width), y = offset(mill_view_height(v), c->height);
    return mill__geometry_status("center_crop", mill_view_crop(v, x, y, c->width, c->height, 0), err);
}

const mill_transform_ops mill__center_crop_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                                  .name = "center_crop",
                                                  .summary = "cut out the middle",
                                                  .example = "center_crop 224",
                                                  .params = params,
                                                  .nparams = sizeof params / sizeof *params,
                                                  .plan = plan,
                                                  .drop = mill__free,
                                                  .view = view};
