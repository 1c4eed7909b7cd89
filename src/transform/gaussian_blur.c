/* SPDX-License-Identifier: Apache-2.0 */
/* transform/gaussian_blur.c: blurred by a Gaussian of random width, as torchvision's GaussianBlur: sampled at
 * whole pixels, its sum 1, the border mirrored in the outermost pixels. Down, then across, in float; weights
 * are computed in double and rounded. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/augment.h"
#include "transform/geometry.h"
#include <math.h>
#include <string.h>

enum { REACH = 127 }; /* the most pixels to either side */

typedef struct gaussian_blur {
    const mill__augment_kernels *kernels;
    double p, sigma[2];
    size_t across, down; /* pixels to either side */
} gaussian_blur;

static const mill_param params[] = {
    {.name = "kernel",
     .type = MILL_PARAM_SIZE,
     .min = 1,
     .max = 2 * REACH + 1,
     .help = "pixels that are weighed, odd: 23, or 23x11 (width x height)"},
    {.name = "sigma",
     .type = MILL_PARAM_FLOATS,
     .fallback = "0.1,2",
     .min = 1e-3,
     .max = 1e3,
     .help = "standard deviation in pixels: one, or a range LOW,HIGH to draw from"},
    MILL__PARAM_P("1"),
};

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out;
    gaussian_blur planned = {.kernels = mill__augment_best(), .p = values[2].f};
    int64_t width = 0, height = 0;
    mill_status status = mill__geometry_check("gaussian_blur", in, err);
    if (!status)
        status = mill__geometry_size("gaussian_blur", &values[0], &width, &height, err);
    if (!status && (width % 2 == 0 || height % 2 == 0))
        status = mill_fail(err, MILL_USAGE, "parameter",
                           "gaussian_blur: kernel is %s, but must be odd, so that it has a middle",
                           values[0].text);
    if (!status)
        status = mill__take_range("gaussian_blur", "sigma", &values[1], planned.sigma, err);
    planned.across = (size_t)width / 2;
    planned.down = (size_t)height / 2;
    return status ? status : mill__keep("gaussian_blur", &planned, sizeof planned, self, err);
}

/* Of the middle, and of the neighbours at each distance. */
static void make_weights(float *weights, size_t reach, double sigma)
{
    double exact[REACH + 1], total = 0;
    for (size_t d = 0; d <= reach; d++) {
        exact[d] = exp(-0.5 * ((double)d / sigma) * ((double)d / sigma));
        total += d ? 2 * exact[d] : exact[d];
    }
    for (size_t d = 0; d <= reach; d++)
        weights[d] = (float)(exact[d] / total);
}

/* Place i of n, mirrored in the outermost ones as often as it takes. */
static size_t mirrored(ptrdiff_t i, size_t n)
{
    ptrdiff_t period = n > 1 ? 2 * ((ptrdiff_t)n - 1) : 1;
    i = (i % period + period) % period;
    return (size_t)(i < (ptrdiff_t)n ? i : period - i);
}

static void blur(const mill__frame *f, const gaussian_blur *s, double sigma, float *line)
{
    float across[REACH + 1], down[REACH + 1];
    const uint8_t *rows[2 * REACH + 1];
    size_t row = f->width * f->c, reach = s->across;
    float *middle = line + reach * f->c;
    make_weights(across, reach, sigma);
    make_weights(down, s->down, sigma);
    for (size_t y = 0; y < f->height; y++) {
        for (size_t k = 0; k < 2 * s->down + 1; k++)
            rows[k] = f->in + mirrored((ptrdiff_t)(y + k) - (ptrdiff_t)s->down, f->height) * row;
        f->kernels->blur_down(middle, rows, row, down, s->down);
        for (size_t d = 1; d <= reach; d++) {
            size_t before = mirrored(-(ptrdiff_t)d, f->width);
            size_t behind = mirrored((ptrdiff_t)(f->width - 1 + d), f->width);
            memcpy(line + (reach - d) * f->c, middle + before * f->c, f->c * sizeof *line);
            memcpy(middle + row + (d - 1) * f->c, middle + behind * f->c, f->c * sizeof *line);
        }
        f->kernels->blur_across(f->out + y * row, middle, f->width, f->c, across, reach);
    }
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const gaussian_blur *s = self;
    mill__frame frame;
    mill_status status = mill__frame_begin(&frame, s->kernels, ctx, in, out, err);
    if (status)
        return status;
    if (!mill__chance(ctx, 0, s->p)) {
        mill__frame_copy(&frame);
        return MILL_OK;
    }
    size_t nbytes = (frame.width + 2 * s->across) * frame.c * sizeof(float);
    float *line = mill_context_scratch(ctx, nbytes);
    if (!line)
        return mill__no_memory(err, nbytes, "gaussian_blur");
    blur(&frame, s, mill__draw(ctx, 1, s->sigma[0], s->sigma[1]), line);
    return MILL_OK;
}

const mill_transform_ops mill__gaussian_blur_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "gaussian_blur",
    .summary = "blur images by a Gaussian of fixed or random width",
    .example = "decode | random_resized_crop 224 | gaussian_blur 23 sigma=0.1,2 p=0.5",
    .params = params,
    .nparams = sizeof params / sizeof *params,
    .flags = MILL_RANDOM,
    .plan = plan,
    .drop = mill__free,
    .run = run};
