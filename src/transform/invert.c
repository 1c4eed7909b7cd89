/* SPDX-License-Identifier: Apache-2.0 */
/* transform/invert.c: the negative of a u8 image. */
#include "base/memory.h"
#include "transform/augment.h"
#include "transform/pointwise.h"
#include <string.h>

typedef struct invert {
    const mill__augment_kernels *kernels;
    double p;
} invert;

static const mill_param params[] = {
    MILL__PARAM_P("1"),
};

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out;
    mill_status status = mill__check_bytes("invert", in, err);
    if (status)
        return status;
    invert planned = {.kernels = mill__augment_best(), .p = values[0].f};
    return mill__keep("invert", &planned, sizeof planned, self, err);
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const invert *s = self;
    size_t n = 0;
    mill_status status = mill__count(in, &n, err);
    if (status)
        return status;
    if (mill__chance(ctx, 0, s->p))
        s->kernels->mask(out->data, in->data, n, 255, 255);
    else if (out->data != in->data)
        memcpy(out->data, in->data, n);
    return MILL_OK;
}

const mill_transform_ops mill__invert_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                             .name = "invert",
                                             .summary = "make the negative of u8 pixels, sometimes or always",
                                             .example = "decode | invert p=0.5",
                                             .params = params,
                                             .nparams = sizeof params / sizeof *params,
                                             .flags = MILL_POINTWISE | MILL_RANDOM,
                                             .plan = plan,
                                             .drop = mill__free,
                                             .run = run};
