/* SPDX-License-Identifier: Apache-2.0 */
/* transform/random_resized_crop.c: a random piece of random size and shape, resized; the distribution is that
 * of torchvision's RandomResizedCrop, the random numbers are ours. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/geometry.h"
#include "transform/image.h"
#include <math.h>

#define TRIES 10

typedef struct random_resized_crop {
    int64_t width, height;
    double scale[2], ratio[2];
    mill_filter filter;
} random_resized_crop;

static const mill_param params[] = {
    {.name = "size",
     .type = MILL_PARAM_SIZE,
     .min = 1,
     .max = MILL__SIDE_MAX,
     .help = "length of both sides, or WIDTHxHEIGHT"},
    {.name = "scale",
     .type = MILL_PARAM_FLOATS,
     .fallback = "0.08,1",
     .max = 1,
     .help = "least and greatest share of the area"},
    {.name = "ratio",
     .type = MILL_PARAM_FLOATS,
     .fallback = "0.75,1.3333333333333333",
     .min = 1e-3,
     .max = 1e3,
     .help = "least and greatest width over height"},
    {.name = "filter",
     .type = MILL_PARAM_CHOICE,
     .fallback = "bilinear",
     .choices = MILL_FILTERS,
     .help = "how pixels are weighed; all but nearest are antialiased"},
};

static mill_status take_range(const char *name, const mill_value *value, double range[2], mill_error *err)
{
    if (value->n != 2 || !(value->list[0] > 0) || !(value->list[0] <= value->list[1]))
        return mill_fail(err, MILL_USAGE, "parameter",
                         "random_resized_crop: %s is %s, but must be two numbers above 0, the lesser first",
                         name, value->text);
    range[0] = value->list[0];
    range[1] = value->list[1];
    return MILL_OK;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    random_resized_crop c = {.filter = (mill_filter)values[3].i};
    mill_status status = mill__geometry_check("random_resized_crop", in, err);
    if (!status)
        status = mill__geometry_size("random_resized_crop", &values[0], &c.width, &c.height, err);
    if (!status)
        status = take_range("scale", &values[1], c.scale, err);
    if (!status)
        status = take_range("ratio", &values[2], c.ratio, err);
    if (status)
        return status;
    out->shape[0] = c.height;
    out->shape[1] = c.width;
    random_resized_crop *kept = mill__alloc(sizeof c);
    if (!kept)
        return mill__no_memory(err, sizeof c, "random_resized_crop");
    *kept = c;
    *self = kept;
    return MILL_OK;
}

static double between(const mill_context *ctx, uint32_t k, double low, double high)
{
    return low + (high - low) * mill_context_uniform(ctx, k);
}

/* Try number n: a random share of the area in a random shape. Does it fit? */
static bool try_crop(const random_resized_crop *c, const mill_context *ctx, uint32_t n, int64_t width,
                     int64_t height, mill__rect *crop)
{
    double area = (double)width * (double)height * between(ctx, 4 * n, c->scale[0], c->scale[1]);
    double ratio = exp(between(ctx, 4 * n + 1, log(c->ratio[0]), log(c->ratio[1])));
    double wide = rint(sqrt(area * ratio)), high = rint(sqrt(area / ratio));
    if (!(wide >= 1 && wide <= (double)width && high >= 1 && high <= (double)height))
        return false;
    crop->width = (int64_t)wide;
    crop->height = (int64_t)high;
    crop->y = mill_context_below(ctx, 4 * n + 2, height - crop->height + 1);
    crop->x = mill_context_below(ctx, 4 * n + 3, width - crop->width + 1);
    return true;
}

/* The middle, as much of it as the ratio allows. */
static mill__rect central_crop(const random_resized_crop *c, int64_t width, int64_t height)
{
    double ratio = (double)width / (double)height;
    mill__rect crop = {.width = width, .height = height};
    if (ratio < c->ratio[0])
        crop.height = (int64_t)rint((double)width / c->ratio[0]);
    else if (ratio > c->ratio[1])
        crop.width = (int64_t)rint((double)height * c->ratio[1]);
    crop.width = crop.width < 1 ? 1 : crop.width > width ? width : crop.width;
    crop.height = crop.height < 1 ? 1 : crop.height > height ? height : crop.height;
    crop.x = (width - crop.width) / 2;
    crop.y = (height - crop.height) / 2;
    return crop;
}

static mill_status view(const void *self, const mill_context *ctx, mill_view *v, mill_error *err)
{
    const random_resized_crop *c = self;
    int64_t width = mill_view_width(v), height = mill_view_height(v);
    mill__rect crop;
    uint32_t n = 0;
    while (n < TRIES && !try_crop(c, ctx, n, width, height, &crop))
        n++;
    if (n == TRIES)
        crop = central_crop(c, width, height);
    mill_view before = *v;
    mill_status status = mill_view_crop(v, crop.x, crop.y, crop.width, crop.height, 0);
    if (!status)
        status = mill_view_resize(v, c->width, c->height, c->filter);
    if (status)
        *v = before; /* both steps or none: the same call comes again */
    return mill__geometry_status("random_resized_crop", status, err);
}

const mill_transform_ops mill__random_resized_crop_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "random_resized_crop",
    .summary = "cut out a random piece of random size and resize it",
    .example = "random_resized_crop 224 scale=0.08,1",
    .params = params,
    .nparams = sizeof params / sizeof *params,
    .flags = MILL_RANDOM,
    .plan = plan,
    .drop = mill__free,
    .view = view};
