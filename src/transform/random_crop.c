/* SPDX-License-Identifier: Apache-2.0 */
/* transform/random_crop.c: a piece of fixed size from a random place, as torchvision's RandomCrop. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/geometry.h"

typedef struct random_crop {
    int64_t width, height, padding;
    uint8_t fill;
    int pad_if_needed;
} random_crop;

static const mill_param params[] = {
    {.name = "size",
     .type = MILL_PARAM_SIZE,
     .min = 1,
     .max = MILL__SIDE_MAX,
     .help = "length of both sides, or WIDTHxHEIGHT"},
    {.name = "padding",
     .type = MILL_PARAM_INT,
     .fallback = "0",
     .max = MILL__SIDE_MAX,
     .help = "pixels added on every side first"},
    {.name = "fill", .type = MILL_PARAM_INT, .fallback = "0", .max = 255, .help = "value of added pixels"},
    {.name = "pad_if_needed",
     .type = MILL_PARAM_BOOL,
     .fallback = "false",
     .help = "pad images that are too small rather than refuse them"},
};

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    random_crop c = {.padding = values[1].i, .fill = (uint8_t)values[2].i, .pad_if_needed = values[3].i != 0};
    mill_status status = mill__geometry_check("random_crop", in, err);
    if (!status)
        status = mill__geometry_size("random_crop", &values[0], &c.width, &c.height, err);
    if (status)
        return status;
    out->shape[0] = c.height;
    out->shape[1] = c.width;
    random_crop *kept = mill__alloc(sizeof c);
    if (!kept)
        return mill__no_memory(err, sizeof c, "random_crop");
    *kept = c;
    *self = kept;
    return MILL_OK;
}

/* Padding along one axis: what is asked for, and where that is not enough, what is missing on both sides. */
static int64_t padding_for(const random_crop *c, int64_t have, int64_t wanted)
{
    int64_t missing = wanted - have - 2 * c->padding;
    return c->padding + (c->pad_if_needed && missing > 0 ? missing : 0);
}

static mill_status view(const void *self, const mill_context *ctx, mill_view *v, mill_error *err)
{
    const random_crop *c = self;
    int64_t width = mill_view_width(v), height = mill_view_height(v);
    int64_t pad_x = padding_for(c, width, c->width), pad_y = padding_for(c, height, c->height);
    int64_t free_x = width + 2 * pad_x - c->width, free_y = height + 2 * pad_y - c->height;
    if (free_x < 0 || free_y < 0)
        return mill_fail(err, MILL_BAD_DATA, "size",
                         "random_crop wants %lldx%lld pixels, but the image has %lldx%lld with its padding; "
                         "resize before, or say pad_if_needed=true",
                         (long long)c->width, (long long)c->height, (long long)(width + 2 * pad_x),
                         (long long)(height + 2 * pad_y));
    int64_t y = mill_context_below(ctx, 0, free_y + 1) - pad_y;
    int64_t x = mill_context_below(ctx, 1, free_x + 1) - pad_x;
    return mill__geometry_status("random_crop", mill_view_crop(v, x, y, c->width, c->height, c->fill), err);
}

const mill_transform_ops mill__random_crop_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                                  .name = "random_crop",
                                                  .summary = "cut out a random piece of fixed size",
                                                  .example = "random_crop 32 padding=4",
                                                  .params = params,
                                                  .nparams = sizeof params / sizeof *params,
                                                  .flags = MILL_RANDOM,
                                                  .plan = plan,
                                                  .drop = mill__free,
                                                  .view = view};
