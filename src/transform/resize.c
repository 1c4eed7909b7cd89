/* SPDX-License-Identifier: Apache-2.0 */
/* transform/resize.c: resize the shorter side, or to an exact size; the same bytes as Pillow's resize. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/geometry.h"
#include "transform/image.h"

typedef struct resize {
    int64_t width, height; /* height 0: width is the shorter side */
    mill_filter filter;
    mill__part box;
} resize;

static const mill_param params[] = {
    {.name = "size",
     .type = MILL_PARAM_SIZE,
     .min = 1,
     .max = MILL__SIDE_MAX,
     .help = "length of the shorter side, or WIDTHxHEIGHT"},
    {.name = "filter",
     .type = MILL_PARAM_CHOICE,
     .fallback = "bilinear",
     .choices = MILL_FILTERS,
     .help = "how pixels are weighed; all but nearest are antialiased"},
    {.name = "box",
     .type = MILL_PARAM_FLOATS,
     .fallback = "",
     .help = "LEFT,TOP,RIGHT,BOTTOM in pixels: the part to resize, with its surroundings looked at; needs "
             "WIDTHxHEIGHT"},
};

static mill_status take_box(resize *r, const mill_value *size, const mill_value *box, mill_error *err)
{
    if (!box->n)
        return MILL_OK;
    if (box->n != 4 || !(box->list[0] >= 0 && box->list[1] >= 0 && box->list[0] < box->list[2] &&
                         box->list[1] < box->list[3]))
        return mill_fail(err, MILL_USAGE, "parameter",
                         "resize: box is %s, but must be LEFT,TOP,RIGHT,BOTTOM with 0 <= LEFT < RIGHT and "
                         "0 <= TOP < BOTTOM",
                         box->text);
    if (size->n < 2)
        return mill_fail(err, MILL_USAGE, "parameter",
                         "resize: with box= both sides are needed: give the size as WIDTHxHEIGHT");
    r->box = (mill__part){true, (float)box->list[0], (float)box->list[1], (float)box->list[2],
                          (float)box->list[3]};
    return MILL_OK;
}

/* The longer side keeps the ratio, cut to a whole number, as in torchvision. */
static void size_for(const resize *r, int64_t width, int64_t height, int64_t *to_width, int64_t *to_height)
{
    *to_width = r->width;
    *to_height = r->height;
    if (r->height)
        return;
    if (width <= height)
        *to_height = r->width * height / width;
    else {
        *to_width = r->width * width / height;
        *to_height = r->width;
    }
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    resize r = {.filter = (mill_filter)values[1].i};
    mill_status status = mill__geometry_check("resize", in, err);
    if (!status)
        status = mill__geometry_size("resize", &values[0], &r.width, &r.height, err);
    if (!status)
        status = take_box(&r, &values[0], &values[2], err);
    if (status)
        return status;
    if (values[0].n < 2)
        r.height = 0;
    out->shape[0] = r.height ? r.height : -1;
    out->shape[1] = r.height ? r.width : -1;
    if (in->shape[0] > 0 && in->shape[1] > 0)
        size_for(&r, in->shape[1], in->shape[0], &out->shape[1], &out->shape[0]);
    resize *kept = mill__alloc(sizeof r);
    if (!kept)
        return mill__no_memory(err, sizeof r, "resize");
    *kept = r;
    *self = kept;
    return MILL_OK;
}

static mill_status view(const void *self, const mill_context *ctx, mill_view *v, mill_error *err)
{
    (void)ctx;
    const resize *r = self;
    int64_t width, height;
    if (r->box.given) {
        mill_status status = mill__view_resize_part(v, &r->box, r->width, r->height, r->filter);
        if (status == MILL_BAD_DATA)
            return mill_fail(err, MILL_BAD_DATA, "shape",
                             "resize: the box %g,%g,%g,%g does not lie within the image of %lldx%lld pixels",
                             (double)r->box.left, (double)r->box.top, (double)r->box.right,
                             (double)r->box.bottom, (long long)mill_view_width(v),
                             (long long)mill_view_height(v));
        return mill__geometry_status("resize", status, err);
    }
    size_for(r, mill_view_width(v), mill_view_height(v), &width, &height);
    return mill__geometry_status("resize", mill_view_resize(v, width, height, r->filter), err);
}

const mill_transform_ops mill__resize_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                             .name = "resize",
                                             .summary = "resize the shorter side, or to WIDTHxHEIGHT",
                                             .example = "resize 256 filter=bicubic",
                                             .params = params,
                                             .nparams = sizeof params / sizeof *params,
                                             .plan = plan,
                                             .drop = mill__free,
                                             .view = view};
