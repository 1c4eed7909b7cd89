/* SPDX-License-Identifier: Apache-2.0 */
/* transform/pad.c: a frame around an image, of one value or of its own pixels; the modes are torchvision's.
 */
#include "base/error.h"
#include "base/memory.h"
#include "transform/geometry.h"
#include "transform/image.h"
#include <stdbool.h>

typedef struct pad {
    int64_t left, top, right, bottom;
    uint8_t fill;
    mill__border border;
} pad;

static const mill_param params[] = {
    {.name = "size",
     .type = MILL_PARAM_FLOATS,
     .max = MILL__SIDE_MAX,
     .help = "pixels on every side, or left,top,right,bottom"},
    {.name = "fill", .type = MILL_PARAM_INT, .fallback = "0", .max = 255, .help = "value of added pixels"},
    {.name = "mode",
     .type = MILL_PARAM_CHOICE,
     .fallback = "constant",
     .choices = "constant|edge|reflect|symmetric", /* in the order of mill__border */
     .help = "fill, the nearest pixel, or the image mirrored without or with its outermost pixels"},
};

static mill_status take_sides(const mill_value *value, pad *p, mill_error *err)
{
    int64_t *sides[] = {&p->left, &p->top, &p->right, &p->bottom};
    bool good = value->n == 1 || value->n == 4;
    for (int i = 0; i < value->n; i++)
        good = good && value->list[i] >= 0 && value->list[i] <= MILL__SIDE_MAX &&
               value->list[i] == (double)(int64_t)value->list[i];
    if (!good)
        return mill_fail(err, MILL_USAGE, "parameter",
                         "pad: size is %s, but must be one whole number or four (left,top,right,bottom) of 0 "
                         "to %d",
                         value->text, MILL__SIDE_MAX);
    for (int i = 0; i < 4; i++)
        *sides[i] = (int64_t)value->list[value->n == 4 ? i : 0];
    return MILL_OK;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    pad p = {.fill = (uint8_t)values[1].i, .border = (mill__border)values[2].i};
    mill_status status = mill__geometry_check("pad", in, err);
    if (!status)
        status = take_sides(&values[0], &p, err);
    if (status)
        return status;
    if (in->shape[0] >= 0)
        out->shape[0] = in->shape[0] + p.top + p.bottom;
    if (in->shape[1] >= 0)
        out->shape[1] = in->shape[1] + p.left + p.right;
    pad *kept = mill__alloc(sizeof p);
    if (!kept)
        return mill__no_memory(err, sizeof p, "pad");
    *kept = p;
    *self = kept;
    return MILL_OK;
}

static mill_status view(const void *self, const mill_context *ctx, mill_view *v, mill_error *err)
{
    (void)ctx;
    const pad *p = self;
    if (p->border)
        return mill__geometry_status(
            "pad", mill__view_border(v, p->left, p->top, p->right, p->bottom, p->border), err);
    int64_t width = mill_view_width(v) + p->left + p->right;
    int64_t height = mill_view_height(v) + p->top + p->bottom;
    return mill__geometry_status("pad", mill_view_crop(v, -p->left, -p->top, width, height, p->fill), err);
}

const mill_transform_ops mill__pad_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                          .name = "pad",
                                          .summary = "put a frame around the image",
                                          .example = "pad 4 fill=128",
                                          .params = params,
                                          .nparams = sizeof params / sizeof *params,
                                          .plan = plan,
                                          .drop = mill__free,
                                          .view = view};
