/* SPDX-License-Identifier: Apache-2.0 */
/* cast: the elements in another dtype. To integers they are rounded to the nearest (ties to even) and clipped
 * to the range, NaN gives 0; to floats they are rounded once, to nearest even. */
#include "base/error.h"
#include "base/memory.h"
#include "kernel/convert.h"
#include "transform/pointwise.h"

#define DTYPES "u8|i8|u16|i16|u32|i32|u64|i64|f16|bf16|f32|f64" /* in the order of mill_dtype */

typedef struct cast {
    mill_dtype dtype;
    mill__convert *convert;
} cast;

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    mill_status status = mill__check_numeric("cast", in, err);
    if (status)
        return status;
    cast *c = mill__alloc(sizeof *c);
    if (!c)
        return mill__no_memory(err, sizeof *c, "cast");
    *c = (cast){(mill_dtype)(MILL_U8 + values[0].i),
                mill__convert_get(mill__kernels_get(mill__kernels_cap()))};
    out->dtype = c->dtype;
    *self = c;
    return MILL_OK;
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const cast *c = self;
    size_t n = 0;
    mill_status status = mill__count(in, &n, err);
    if (status || (status = mill__ensure_output(ctx, in, out, err)))
        return status;
    c->convert(out->data, c->dtype, in->data, in->type.dtype, n);
    return MILL_OK;
}

static const mill_param params[] = {
    {.name = "dtype", .type = MILL_PARAM_CHOICE, .choices = DTYPES, .help = "dtype of the result"}};

const mill_transform_ops mill__cast_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "cast",
    .summary = "convert to another dtype; integers are rounded and clipped to their range",
    .example = "decode | center_crop 224 | normalize imagenet | cast f16",
    .params = params,
    .nparams = 1,
    .flags = MILL_POINTWISE,
    .plan = plan,
    .drop = mill__free,
    .run = run};
