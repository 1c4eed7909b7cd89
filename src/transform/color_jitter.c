/* SPDX-License-Identifier: Apache-2.0 */
/* transform/color_jitter.c: brightness, contrast, saturation and hue changed by random amounts in random
 * order, as torchvision's ColorJitter on Pillow's images; the random numbers are ours. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/enhance.h"
#include "transform/geometry.h"

enum { STEPS = 4 };

typedef struct color_jitter {
    const mill__augment_kernels *kernels;
    double p;
    double range[STEPS][2];
    bool used[STEPS];
} color_jitter;

static const mill_param params[] = {
    {.name = "brightness",
     .type = MILL_PARAM_FLOATS,
     .fallback = "0",
     .max = 1e3,
     .help = "X: factor within 1 - X and 1 + X; or LOW,HIGH; 0: unchanged"},
    {.name = "contrast", .type = MILL_PARAM_FLOATS, .fallback = "0", .max = 1e3, .help = "likewise"},
    {.name = "saturation", .type = MILL_PARAM_FLOATS, .fallback = "0", .max = 1e3, .help = "likewise"},
    {.name = "hue",
     .type = MILL_PARAM_FLOATS,
     .fallback = "0",
     .min = -0.5,
     .max = 0.5,
     .help = "X: turned by -X to X of the circle; or LOW,HIGH"},
    MILL__PARAM_P("1"),
};

static mill_status take_step(color_jitter *planned, int step, const mill_value *value, mill_error *err)
{
    double *range = planned->range[step], middle = step == 3 ? 0 : 1;
    mill_status status = mill__take_range("color_jitter", params[step].name, value, range, err);
    if (status)
        return status;
    if (value->n == 1) {
        if (value->f < 0)
            return mill_fail(
                err, MILL_USAGE, "parameter",
                "color_jitter: %s is %s, but one number must not be negative; a range is LOW,HIGH",
                params[step].name, value->text);
        range[0] = middle - value->f;
        range[1] = middle + value->f;
        if (step != 3 && range[0] < 0)
            range[0] = 0;
    }
    planned->used[step] = range[0] != middle || range[1] != middle;
    return MILL_OK;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out;
    color_jitter planned = {.kernels = mill__augment_best(), .p = values[STEPS].f};
    mill_status status = mill__geometry_check("color_jitter", in, err);
    for (int i = 0; i < STEPS && !status; i++)
        status = take_step(&planned, i, &values[i], err);
    return status ? status : mill__keep("color_jitter", &planned, sizeof planned, self, err);
}

static void (*const steps[STEPS])(const mill__frame *, double) = {mill__brighten, mill__contrast,
                                                                  mill__saturate, mill__turn_hue};

/* Random numbers: 0 whether, 1 to 3 the order, 4 to 7 the amounts. */
static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const color_jitter *s = self;
    mill__frame frame;
    mill_status status = mill__frame_begin(&frame, s->kernels, ctx, in, out, err);
    if (status)
        return status;
    int order[STEPS] = {0, 1, 2, 3};
    for (int i = STEPS - 1; i > 0; i--) {
        int64_t k = mill_context_below(ctx, (uint32_t)i, i + 1);
        int kept = order[k];
        order[k] = order[i];
        order[i] = kept;
    }
    bool chosen = mill__chance(ctx, 0, s->p);
    for (int i = 0; i < STEPS && chosen; i++) {
        int step = order[i];
        if (!s->used[step])
            continue;
        steps[step](&frame, mill__draw(ctx, (uint32_t)(4 + step), s->range[step][0], s->range[step][1]));
        frame.in = frame.out; /* the rest is done in place */
    }
    mill__frame_copy(&frame);
    return MILL_OK;
}

const mill_transform_ops mill__color_jitter_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "color_jitter",
    .summary = "change brightness, contrast, saturation and hue at random, in random order",
    .example = "decode | random_resized_crop 224 | color_jitter 0.4 0.4 0.4 0.1 p=0.8",
    .params = params,
    .nparams = sizeof params / sizeof *params,
    .flags = MILL_RANDOM | MILL_IN_PLACE,
    .plan = plan,
    .drop = mill__free,
    .run = run};
