/* SPDX-License-Identifier: Apache-2.0 */
/* transform/solarize.c: the negative of what is bright in a u8 image, as Pillow's ImageOps.solarize. */
#include "base/memory.h"
#include "transform/augment.h"
#include "transform/pointwise.h"
#include <math.h>
#include <string.h>

typedef struct solarize {
    const mill__augment_kernels *kernels;
    double p;
    int threshold;
} solarize;

static const mill_param params[] = {
    {.name = "threshold",
     .type = MILL_PARAM_FLOAT,
     .fallback = "128",
     .max = 256,
     .help = "values from this one on are inverted"},
    MILL__PARAM_P("1"),
};

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out;
    mill_status status = mill__check_bytes("solarize", in, err);
    if (status)
        return status;
    solarize planned = {
        .kernels = mill__augment_best(), .p = values[1].f, .threshold = (int)ceil(values[0].f)};
    return mill__keep("solarize", &planned, sizeof planned, self, err);
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const solarize *s = self;
    size_t n = 0;
    mill_status status = mill__count(in, &n, err);
    if (status)
        return status;
    if (mill__chance(ctx, 0, s->p))
        s->kernels->solarize(out->data, in->data, n, s->threshold);
    else if (out->data != in->data)
        memcpy(out->data, in->data, n);
    return MILL_OK;
}

const mill_transform_ops mill__solarize_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                               .name = "solarize",
                                               .summary = "invert the bright u8 pixels",
                                               .example = "decode | solarize threshold=128 p=0.2",
                                               .params = params,
                                               .nparams = sizeof params / sizeof *params,
                                               .flags = MILL_POINTWISE | MILL_RANDOM,
                                               .plan = plan,
                                               .drop = mill__free,
                                               .run = run};
