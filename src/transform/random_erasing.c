/* SPDX-License-Identifier: Apache-2.0 */
/* transform/random_erasing.c: a random rectangle filled with a value or with noise; the rectangle is
 * distributed as that of torchvision's RandomErasing. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/augment.h"
#include "transform/pointwise.h"
#include <math.h>
#include <string.h>

enum { TRIES = 10, MOST_CHANNELS = 64 };

typedef struct random_erasing {
    double p, scale[2], ratio[2];
    bool noise;
    int nvalues;
    double values[MOST_CHANNELS];
} random_erasing;

static const mill_param params[] = {
    {.name = "p", .type = MILL_PARAM_FLOAT, .fallback = "0.5", .max = 1, .help = "how likely; 1: always"},
    {.name = "scale",
     .type = MILL_PARAM_FLOATS,
     .fallback = "0.02,0.33",
     .max = 1,
     .help = "least and greatest share of the area"},
    {.name = "ratio",
     .type = MILL_PARAM_FLOATS,
     .fallback = "0.3,3.3",
     .min = 1e-3,
     .max = 1e3,
     .help = "least and greatest height over width"},
    {.name = "value",
     .type = MILL_PARAM_FLOATS,
     .fallback = "0",
     .min = -1e9,
     .max = 1e9,
     .help = "of erased elements: one number, or one a channel"},
    {.name = "noise",
     .type = MILL_PARAM_BOOL,
     .fallback = "false",
     .help = "erase with random numbers: mean 0, variance 1 in f32, any byte in u8"},
};

static mill_status check_input(const mill_type *in, mill_error *err)
{
    mill_status status = mill__check_numeric("random_erasing", in, err);
    if (status)
        return status;
    bool image = (in->layout == MILL_HWC || in->layout == MILL_CHW) && in->rank == 3;
    if (!image || (in->dtype != MILL_U8 && in->dtype != MILL_F32))
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "random_erasing works on u8 or f32 images, but gets %s %s; put it before cast",
                         mill_dtype_name(in->dtype), image ? "images" : "tensors that are no images");
    return MILL_OK;
}

static mill_status take_values(const mill_value *value, const mill_type *in, random_erasing *planned,
                               mill_error *err)
{
    int64_t channels = in->shape[in->layout == MILL_HWC ? 2 : 0];
    if (value->n > MOST_CHANNELS || (value->n != 1 && value->n != channels))
        return mill_fail(err, MILL_USAGE, "parameter",
                         "random_erasing: value has %d numbers, but must have 1, or one for each of the %lld "
                         "channels",
                         value->n, (long long)channels);
    for (int i = 0; i < value->n; i++)
        if (in->dtype == MILL_U8 && (value->list[i] < 0 || value->list[i] > 255))
            return mill_fail(err, MILL_USAGE, "parameter",
                             "random_erasing: value is %s, but pixels here are u8: 0 to 255", value->text);
    planned->nvalues = value->n;
    memcpy(planned->values, value->list, (size_t)value->n * sizeof *value->list);
    return MILL_OK;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out;
    random_erasing planned = {.p = values[0].f, .noise = values[4].i != 0};
    mill_status status = check_input(in, err);
    if (!status)
        status = mill__take_range("random_erasing", "scale", &values[1], planned.scale, err);
    if (!status)
        status = mill__take_range("random_erasing", "ratio", &values[2], planned.ratio, err);
    if (!status)
        status = take_values(&values[3], in, &planned, err);
    return status ? status : mill__keep("random_erasing", &planned, sizeof planned, self, err);
}

typedef struct rectangle {
    int64_t x, y, width, height; /* width 0: none */
} rectangle;

/* Random numbers: 0 whether, 1 the noise, 2 and 3 the place, then two a try. */
static rectangle choose(const random_erasing *s, const mill_context *ctx, int64_t width, int64_t height)
{
    double area = (double)width * (double)height;
    for (uint32_t i = 0; i < TRIES; i++) {
        double share = area * mill__draw(ctx, 4 + 2 * i, s->scale[0], s->scale[1]);
        double ratio = exp(mill__draw(ctx, 5 + 2 * i, log(s->ratio[0]), log(s->ratio[1])));
        rectangle r = {.width = (int64_t)rint(sqrt(share / ratio)),
                       .height = (int64_t)rint(sqrt(share * ratio))};
        if (r.width >= width || r.height >= height)
            continue;
        r.y = mill_context_below(ctx, 2, height - r.height + 1);
        r.x = mill_context_below(ctx, 3, width - r.width + 1);
        return r;
    }
    return (rectangle){0};
}

/* ---- filling ---- */

/* A run of elements, of channel first and of every - 1 more in turn. */
typedef struct stretch {
    void *data;
    size_t n, first, every;
} stretch;

static uint64_t next_bits(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void fill_noise(const stretch *t, mill_dtype dtype, uint64_t *state)
{
    /* The sum of four uniform numbers of 16 bits is near enough to normal; moved and scaled to mean 0,
     * variance 1. */
    const float mean = 2 * 65535.0f, unit = 1 / 37837.22656f; /* sqrt(4 (2^32 - 1) / 12) */
    for (size_t i = 0; i < t->n; i++) {
        uint64_t bits = next_bits(state);
        if (dtype == MILL_U8)
            ((uint8_t *)t->data)[i] = (uint8_t)(bits >> 56);
        else
            ((float *)t->data)[i] =
                ((float)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48)) -
                 mean) *
                unit;
    }
}

static void fill_values(const stretch *t, mill_dtype dtype, const random_erasing *s)
{
    size_t channel = t->first;
    for (size_t i = 0; i < t->n; i++) {
        double value = s->values[s->nvalues > 1 ? channel : 0];
        if (dtype == MILL_U8)
            ((uint8_t *)t->data)[i] = (uint8_t)rint(value);
        else
            ((float *)t->data)[i] = (float)value;
        channel = channel + 1 < t->first + t->every ? channel + 1 : t->first;
    }
}

/* Rows of one value each are copies of the first. */
static void erase(const random_erasing *s, const mill_tensor *t, const rectangle *r, uint64_t noise)
{
    bool planar = t->type.layout == MILL_CHW;
    const int64_t *shape = t->type.shape;
    size_t width = (size_t)shape[planar ? 2 : 1], height = (size_t)shape[planar ? 1 : 0];
    size_t channels = (size_t)shape[planar ? 0 : 2], element = mill_dtype_nbytes(t->type.dtype);
    size_t nplanes = planar ? channels : 1, every = planar ? 1 : channels;
    for (size_t plane = 0; plane < nplanes; plane++) {
        const void *above = NULL; /* the row above */
        for (size_t y = 0; y < (size_t)r->height; y++) {
            size_t at = ((plane * height + (size_t)r->y + y) * width + (size_t)r->x) * every;
            stretch one = {(char *)t->data + at * element, (size_t)r->width * every, plane, every};
            if (s->noise)
                fill_noise(&one, t->type.dtype, &noise);
            else if (y)
                memcpy(one.data, above, one.n * element);
            else
                fill_values(&one, t->type.dtype, s);
            above = one.data;
        }
    }
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const random_erasing *s = self;
    size_t n = 0;
    mill_status status = mill__count(in, &n, err);
    if (status || (status = mill__ensure_output(ctx, in, out, err)))
        return status;
    if (out->data != in->data)
        memcpy(out->data, in->data, n * mill_dtype_nbytes(in->type.dtype));
    if (!mill__chance(ctx, 0, s->p))
        return MILL_OK;
    bool planar = in->type.layout == MILL_CHW;
    rectangle r = choose(s, ctx, in->type.shape[planar ? 2 : 1], in->type.shape[planar ? 1 : 0]);
    uint64_t noise = (uint64_t)mill_context_random(ctx, 2) << 32 | mill_context_random(ctx, 3);
    erase(s, out, &r, noise);
    return MILL_OK;
}

const mill_transform_ops mill__random_erasing_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "random_erasing",
    .summary = "fill a random rectangle with a value or with noise",
    .example = "decode | random_resized_crop 224 | normalize imagenet | layout chw | random_erasing p=0.25",
    .params = params,
    .nparams = sizeof params / sizeof *params,
    .flags = MILL_RANDOM | MILL_IN_PLACE,
    .plan = plan,
    .drop = mill__free,
    .run = run};
