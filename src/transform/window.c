/* SPDX-License-Identifier: Apache-2.0 */
/* window: a sequence, which runs along the first axis, as windows on it that may overlap. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/tensor.h"
#include <string.h>

typedef struct window {
    size_t windows, size, stride; /* in bytes but for the first */
} window;

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    int64_t size = values[0].i, stride = values[1].i;
    mill_status status = mill__tensor_check("window", in, err);
    if (status)
        return status;
    if (!in->rank || in->rank == MILL_MAX_RANK)
        return mill_fail(
            err, MILL_USAGE, "pipeline",
            "window needs tensors of 1 to %d axes, the first of which is a sequence; these have %d",
            MILL_MAX_RANK - 1, in->rank);
    if (size > in->shape[0])
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "window: windows of %lld, but the sequence has only %lld elements", (long long)size,
                         (long long)in->shape[0]);
    out->layout = MILL_PLAIN;
    out->rank = in->rank + 1;
    memmove(out->shape + 1, in->shape, (size_t)in->rank * sizeof *in->shape);
    out->shape[0] = (in->shape[0] - size) / stride + 1;
    out->shape[1] = size;
    status = mill__tensor_too_large("window", out, err);
    window *w = status ? NULL : mill__alloc(sizeof *w);
    if (!status && !w)
        return mill__no_memory(err, sizeof *w, "window");
    if (w) {
        size_t element = mill__tensor_extent(in, 1, in->rank) * mill_dtype_nbytes(in->dtype);
        *w = (window){.windows = (size_t)out->shape[0],
                      .size = (size_t)size * element,
                      .stride = (size_t)stride * element};
    }
    *self = w;
    return status;
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state, (void)ctx, (void)err;
    const window *w = self;
    size_t nbytes = mill__tensor_elements(&in->type) * mill_dtype_nbytes(in->type.dtype);
    const char *from = in->data;
    char *to = out->data;
    for (int64_t sample = 0; sample < in->n; sample++, from += nbytes)
        for (size_t i = 0; i < w->windows; i++, to += w->size)
            memcpy(to, from + i * w->stride, w->size);
    return MILL_OK;
}

static const mill_param params[] = {
    {.name = "size", .type = MILL_PARAM_INT, .min = 1, .max = 1LL << 40, .help = "elements of a window"},
    {.name = "stride",
     .type = MILL_PARAM_INT,
     .fallback = "1",
     .min = 1,
     .max = 1LL << 40,
     .help = "elements from window to window; what is left over at the end "
             "is left out"}};

const mill_transform_ops mill__window_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "window",
    .summary = "a sequence along the first axis as windows on it (windows, size, ...)",
    .example = "window 16 stride=8",
    .params = params,
    .nparams = 2,
    .flags = MILL_BATCHED,
    .plan = plan,
    .drop = mill__free,
    .run = run};
