/* SPDX-License-Identifier: Apache-2.0 */
/* transform/hflip.c: mirror left to right, with a probability. The shortest complete transform. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/geometry.h"

static const mill_param params[] = {
    {.name = "p", .type = MILL_PARAM_FLOAT, .fallback = "0.5", .max = 1, .help = "how likely; 1: always"},
};

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out;
    mill_status status = mill__geometry_check("hflip", in, err);
    if (status)
        return status;
    double *p = mill__alloc(sizeof *p);
    if (!p)
        return mill__no_memory(err, sizeof *p, "hflip");
    *p = values[0].f;
    *self = p;
    return MILL_OK;
}

static mill_status view(const void *self, const mill_context *ctx, mill_view *v, mill_error *err)
{
    const double *p = self;
    if (mill_context_uniform(ctx, 0) >= *p)
        return MILL_OK;
    return mill__geometry_status("hflip", mill_view_hflip(v), err);
}

const mill_transform_ops mill__hflip_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                            .name = "hflip",
                                            .summary = "mirror left to right, sometimes or always",
                                            .example = "hflip p=0.5",
                                            .params = params,
                                            .nparams = sizeof params / sizeof *params,
                                            .flags = MILL_RANDOM,
                                            .plan = plan,
                                            .drop = mill__free,
                                            .view = view};
