/* SPDX-License-Identifier: Apache-2.0 */
/* transform/posterize.c: fewer bits for each value of a u8 image, as Pillow's ImageOps.posterize. */
#include "base/memory.h"
#include "transform/augment.h"
#include "transform/pointwise.h"
#include <string.h>

typedef struct posterize {
    const mill__augment_kernels *kernels;
    double p;
    uint8_t kept;
} posterize;

static const mill_param params[] = {
    {.name = "bits",
     .type = MILL_PARAM_INT,
     .min = 1,
     .max = 8,
     .help = "highest bits that are kept; the rest become 0"},
    MILL__PARAM_P("1"),
};

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out;
    mill_status status = mill__check_bytes("posterize", in, err);
    if (status)
        return status;
    posterize planned = {
        .kernels = mill__augment_best(), .p = values[1].f, .kept = (uint8_t)(0xff00 >> values[0].i)};
    return mill__keep("posterize", &planned, sizeof planned, self, err);
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const posterize *s = self;
    size_t n = 0;
    mill_status status = mill__count(in, &n, err);
    if (status)
        return status;
    if (mill__chance(ctx, 0, s->p))
        s->kernels->mask(out->data, in->data, n, s->kept, 0);
    else if (out->data != in->data)
        memcpy(out->data, in->data, n);
    return MILL_OK;
}

const mill_transform_ops mill__posterize_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                                .name = "posterize",
                                                .summary = "keep only the highest bits of u8 pixels",
                                                .example = "decode | posterize bits=4 p=0.5",
                                                .params = params,
                                                .nparams = sizeof params / sizeof *params,
                                                .flags = MILL_POINTWISE | MILL_RANDOM,
                                                .plan = plan,
                                                .drop = mill__free,
                                                .run = run};
