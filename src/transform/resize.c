/* SPDX-License-Identifier: Apache-2.0 */
/* transform/resize.c: resize the shorter side, or to an exact size; the same bytes as Pillow's resize. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/geometry.h"

typedef struct resize {
    int64_t width, height; /* height 0: width is the shorter side */
    mill_filter filter;
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
};

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
