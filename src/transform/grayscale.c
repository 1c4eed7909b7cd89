/* SPDX-License-Identifier: Apache-2.0 */
/* transform/grayscale.c: luma in one channel or in three, as Pillow's convert("L"). */
#include "base/error.h"
#include "base/memory.h"
#include "transform/augment.h"
#include "transform/geometry.h"
#include <string.h>

typedef struct grayscale {
    const mill__augment_kernels *kernels;
    double p;
    size_t channels; /* of the output */
} grayscale;

static const mill_param params[] = {
    {.name = "channels",
     .type = MILL_PARAM_INT,
     .fallback = "",
     .min = 1,
     .max = 3,
     .help = "1 or 3; if not given: 1, or with p those of the input"},
    MILL__PARAM_P("1"),
};

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    mill_status status = mill__geometry_check("grayscale", in, err);
    if (status)
        return status;
    int64_t fallback = values[1].f < 1 ? in->shape[2] : 1, channels = values[0].n ? values[0].i : fallback;
    if (channels == 2)
        return mill_fail(err, MILL_USAGE, "parameter", "grayscale: channels is 2, but must be 1 or 3");
    if (values[1].f < 1 && channels != in->shape[2])
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "grayscale: with p below 1 some images stay as they are, so channels must be %lld, "
                         "as in the input",
                         (long long)in->shape[2]);
    out->shape[2] = channels;
    grayscale planned = {.kernels = mill__augment_best(), .p = values[1].f, .channels = (size_t)channels};
    return mill__keep("grayscale", &planned, sizeof planned, self, err);
}

static void spread(uint8_t *out, const uint8_t *grey, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = grey[i];
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const grayscale *s = self;
    size_t npixels = (size_t)in->type.shape[0] * (size_t)in->type.shape[1], c = (size_t)in->type.shape[2];
    if (!out->data) {
        out->type = in->type;
        out->type.shape[2] = (int64_t)s->channels;
        out->data = mill_context_scratch(ctx, npixels * s->channels);
    }
    if (!out->data)
        return mill__no_memory(err, npixels * s->channels, "grayscale");
    if (!mill__chance(ctx, 0, s->p) || (c == 1 && s->channels == 1))
        memcpy(out->data, in->data, npixels * c);
    else if (c == 1)
        spread(out->data, in->data, npixels);
    else
        (s->channels == 1 ? s->kernels->luma : s->kernels->luma_rgb)(out->data, in->data, npixels);
    return MILL_OK;
}

const mill_transform_ops mill__grayscale_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "grayscale",
    .summary = "take the colour from images: one channel of luma, or three equal ones",
    .example = "decode | grayscale p=0.2",
    .params = params,
    .nparams = sizeof params / sizeof *params,
    .flags = MILL_RANDOM,
    .plan = plan,
    .drop = mill__free,
    .run = run};
