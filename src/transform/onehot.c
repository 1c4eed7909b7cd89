/* SPDX-License-Identifier: Apache-2.0 */
/* onehot: class numbers as vectors that are 1 at the place of the class and 0 elsewhere. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/tensor.h"
#include <inttypes.h>
#include <string.h>

typedef struct onehot {
    int64_t classes;
} onehot;

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    mill_status status = mill__tensor_check("onehot", in, err);
    if (status)
        return status;
    if (in->dtype >= MILL_F16)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "onehot needs class numbers, but gets %s: put cast i32 before it",
                         mill_dtype_name(in->dtype));
    if (in->rank == MILL_MAX_RANK)
        return mill_fail(err, MILL_USAGE, "pipeline", "onehot adds an axis, and there are %d already",
                         MILL_MAX_RANK);
    out->dtype = values[1].i ? MILL_U8 : MILL_F32;
    out->layout = MILL_PLAIN;
    out->shape[out->rank++] = values[0].i;
    status = mill__tensor_too_large("onehot", out, err);
    onehot *o = status ? NULL : mill__alloc(sizeof *o);
    if (!status && !o)
        return mill__no_memory(err, sizeof *o, "onehot");
    if (o)
        o->classes = values[0].i;
    *self = o;
    return status;
}

/* Element i as an i64; what is larger is no class either way. */
static int64_t class_at(const mill_tensor *in, size_t i)
{
    uint64_t large;
    switch (in->type.dtype) {
    case MILL_U8:
        return ((const uint8_t *)in->data)[i];
    case MILL_I8:
        return ((const int8_t *)in->data)[i];
    case MILL_U16:
        return ((const uint16_t *)in->data)[i];
    case MILL_I16:
        return ((const int16_t *)in->data)[i];
    case MILL_U32:
        return ((const uint32_t *)in->data)[i];
    case MILL_I32:
        return ((const int32_t *)in->data)[i];
    case MILL_U64:
        large = ((const uint64_t *)in->data)[i];
        return large > INT64_MAX ? INT64_MAX : (int64_t)large;
    default:
        return ((const int64_t *)in->data)[i];
    }
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state, (void)ctx;
    const onehot *o = self;
    size_t n = mill__tensor_elements(&in->type), classes = (size_t)o->classes;
    memset(out->data, 0, n * classes * mill_dtype_nbytes(out->type.dtype));
    for (size_t i = 0; i < n; i++) {
        int64_t value = class_at(in, i);
        if (value < 0 || value >= o->classes)
            return mill_fail(err, MILL_BAD_DATA, "class",
                             "onehot: element %zu is %" PRId64 ", which is none of %" PRId64 " classes", i,
                             value, o->classes);
        if (out->type.dtype == MILL_U8)
            ((uint8_t *)out->data)[i * classes + (size_t)value] = 1;
        else
            ((float *)out->data)[i * classes + (size_t)value] = 1;
    }
    return MILL_OK;
}

static const mill_param params[] = {{.name = "classes",
                                     .type = MILL_PARAM_INT,
                                     .min = 1,
                                     .max = 1 << 30,
                                     .help = "how many there are, numbered from 0"},
                                    {.name = "dtype",
                                     .type = MILL_PARAM_CHOICE,
                                     .fallback = "f32",
                                     .choices = "f32|u8",
                                     .help = "of the result"}};

const mill_transform_ops mill__onehot_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "onehot",
    .summary = "class numbers as vectors of 0 with a 1 (one axis more, at the end)",
    .example = "cast i32 | onehot 10",
    .params = params,
    .nparams = 2,
    .plan = plan,
    .drop = mill__free,
    .run = run};
