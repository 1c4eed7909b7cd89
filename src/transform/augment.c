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

mill_status mill__frame_begin(mill__frame *frame, const mill__augment_kernels *kernels,
                              const mill_context *ctx, const mill_tensor *in, mill_tensor *out,
                              mill_error *err)
{
    mill_status status = mill__ensure_output(ctx, in, out, err);
    if (status)
        return status;
    *frame = (mill__frame){.kernels = kernels,
                           .in = in->data,
                           .out = out->data,
                           .height = (size_t)in->type.shape[0],
                           .width = (size_t)in->type.shape[1],
                           .c = (size_t)in->type.shape[2]};
    frame->nbytes = frame->width * frame->height * frame->c;
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
