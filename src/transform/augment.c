/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/augment.h"
#include "base/error.h"
#include "base/memory.h"
#include "transform/pointwise.h"
#include <string.h>

const mill__augment_kernels *mill__augment_best(void)
{
    return mill__augment_get(mill__kernels_get(mill__kernels_cap()));
}

static void fill_frame(mill__frame *frame, const mill__augment_kernels *kernels, const mill_tensor *in,
                       const mill_tensor *out)
{
    *frame = (mill__frame){.kernels = kernels,
                           .in = in->data,
                           .out = out->data,
                           .height = (size_t)in->type.shape[0],
                           .width = (size_t)in->type.shape[1],
                           .c = (size_t)in->type.shape[2],
                           .out_height = (size_t)out->type.shape[0],
                           .out_width = (size_t)out->type.shape[1]};
    frame->nbytes = frame->width * frame->height * frame->c;
}

mill_status mill__frame_begin(mill__frame *frame, const mill__augment_kernels *kernels,
                              const mill_context *ctx, const mill_tensor *in, mill_tensor *out,
                              mill_error *err)
{
    mill_status status = mill__ensure_output(ctx, in, out, err);
    if (!status)
        fill_frame(frame, kernels, in, out);
    return status;
}

mill_status mill__frame_begin_sized(mill__frame *frame, const mill__augment_kernels *kernels,
                                    const mill_context *ctx, const mill_tensor *in, mill_tensor *out,
                                    size_t width, size_t height, mill_error *err)
{
    const size_t nbytes = width * height * (size_t)in->type.shape[2];
    out->type.rank = 3;
    memcpy(out->type.shape, (int64_t[]){(int64_t)height, (int64_t)width, in->type.shape[2]},
           3 * sizeof(int64_t));
    if (!out->data)
        out->data = mill_context_scratch(ctx, nbytes);
    if (!out->data)
        return mill_fail(err, MILL_LIMIT, "limit",
                         "an image of %zux%zu pixels needs %zu bytes, more than what a thread's share of the "
                         "memory budget has left; raise the budget",
                         width, height, nbytes);
    fill_frame(frame, kernels, in, out);
    return MILL_OK;
}

void mill__frame_copy(const mill__frame *frame)
{
    if (frame->out != frame->in)
        memcpy(frame->out, frame->in, frame->nbytes);
}

bool mill__chance(const mill_context *ctx, uint32_t k, double p)
{
    return p >= 1 || mill_context_uniform(ctx, k) < p;
}

double mill__draw(const mill_context *ctx, uint32_t k, double low, double high)
{
    return low + (high - low) * mill_context_uniform(ctx, k);
}

mill_status mill__take_range(const char *name, const char *parameter, const mill_value *value,
                             double range[2], mill_error *err)
{
    if (value->n > 2 || (value->n == 2 && !(value->list[0] <= value->list[1])))
        return mill_fail(err, MILL_USAGE, "parameter",
                         "%s: %s is %s, but must be one number, or two with the lesser first", name,
                         parameter, value->text);
    range[0] = value->list[0];
    range[1] = value->list[value->n - 1];
    return MILL_OK;
}

mill_status mill__take_angles(const char *name, const char *parameter, const mill_value *value,
                              double range[2], mill_error *err)
{
    mill_status status = mill__take_range(name, parameter, value, range, err);
    if (status || value->n == 2)
        return status;
    if (value->f < 0)
        return mill_fail(err, MILL_USAGE, "parameter",
                         "%s: %s is %s, but one number must not be negative; a range is LOW,HIGH", name,
                         parameter, value->text);
    range[0] = -value->f;
    return MILL_OK;
}

mill_status mill__check_bytes(const char *name, const mill_type *in, mill_error *err)
{
    mill_status status = mill__check_numeric(name, in, err);
    if (!status && in->dtype != MILL_U8)
        status = mill_fail(err, MILL_USAGE, "pipeline",
                           "%s works on u8, but gets %s; put it before normalize and cast", name,
                           mill_dtype_name(in->dtype));
    return status;
}

mill_status mill__keep(const char *name, const void *planned, size_t nbytes, void **self, mill_error *err)
{
    void *kept = mill__alloc(nbytes);
    if (!kept)
        return mill__no_memory(err, nbytes, name);
    memcpy(kept, planned, nbytes);
    *self = kept;
    return MILL_OK;
}
