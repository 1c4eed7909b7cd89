/* SPDX-License-Identifier: Apache-2.0 */
/* transpose: the axes of a tensor in another order. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/tensor.h"
#include <string.h>

/* Axis i of the result is walked with a step of steps[i] elements of the input. */
typedef struct transpose {
    int rank;
    size_t extents[MILL_MAX_RANK];
    ptrdiff_t steps[MILL_MAX_RANK];
    size_t elements;
} transpose;

/* The axes in their new order, checked to be each of them once. */
static mill_status take_axes(const mill_value *value, int rank, int *axes, mill_error *err)
{
    bool taken[MILL_MAX_RANK] = {false};
    for (int i = 0; i < rank; i++)
        axes[i] = rank - 1 - i;
    if (!value->n)
        return MILL_OK;
    if (value->n != rank)
        return mill_fail(err, MILL_USAGE, "pipeline", "transpose: %d axes are given, but a sample has %d",
                         value->n, rank);
    for (int i = 0; i < rank; i++) {
        bool small = value->list[i] > -100 && value->list[i] < 100;
        int64_t axis = small ? (int64_t)value->list[i] : 0;
        if (!small || (double)axis != value->list[i])
            return mill_fail(err, MILL_USAGE, "pipeline", "transpose: %g is no axis", value->list[i]);
        mill_status status = mill__tensor_axis("transpose", axis, rank, &axes[i], err);
        if (status)
            return status;
        if (taken[axes[i]])
            return mill_fail(err, MILL_USAGE, "pipeline", "transpose: axis %d is given twice", axes[i]);
        taken[axes[i]] = true;
    }
    return MILL_OK;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    int axes[MILL_MAX_RANK];
    mill_status status = mill__tensor_check("transpose", in, err);
    if (!status)
        status = take_axes(&values[0], in->rank, axes, err);
    if (status)
        return status;
    transpose *t = mill__alloc(sizeof *t);
    if (!t)
        return mill__no_memory(err, sizeof *t, "transpose");
    *t = (transpose){.rank = in->rank, .elements = mill__tensor_elements(in)};
    for (int i = 0; i < in->rank; i++) {
        out->shape[i] = in->shape[axes[i]];
        t->extents[i] = (size_t)in->shape[axes[i]];
        t->steps[i] = (ptrdiff_t)mill__tensor_extent(in, axes[i] + 1, in->rank);
    }
    out->layout = MILL_PLAIN;
    *self = t;
    return MILL_OK;
}

static void transpose_one(const transpose *t, char *to, const char *from, size_t size)
{
    size_t index[MILL_MAX_RANK] = {0};
    int last = t->rank - 1;
    ptrdiff_t at = 0; /* in the input, in elements */
    for (size_t done = 0; done < t->elements; done += t->extents[last]) {
        mill__tensor_gather(to, from + at * (ptrdiff_t)size, t->extents[last], t->steps[last], size);
        to += t->extents[last] * size;
        for (int i = last - 1; i >= 0; i--) { /* the next index, and where it lies */
            at += t->steps[i];
            if (++index[i] < t->extents[i])
                break;
            at -= (ptrdiff_t)t->extents[i] * t->steps[i];
            index[i] = 0;
        }
    }
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state, (void)ctx, (void)err;
    const transpose *t = self;
    size_t size = mill_dtype_nbytes(in->type.dtype), nbytes = t->elements * size;
    if (!t->rank)
        memcpy(out->data, in->data, (size_t)in->n * size);
    for (size_t sample = 0; sample < (size_t)in->n && t->rank; sample++)
        transpose_one(t, (char *)out->data + sample * nbytes, (const char *)in->data + sample * nbytes, size);
    return MILL_OK;
}

static const mill_param params[] = {
    {.name = "axes",
     .type = MILL_PARAM_FLOATS,
     .fallback = "",
     .help = "of the input, in the order of the result, e.g. 1,2,0; absent: reversed"}};

const mill_transform_ops mill__transpose_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                                .name = "transpose",
                                                .summary = "the axes of a tensor in another order",
                                                .example = "transpose 1,0",
                                                .params = params,
                                                .nparams = 1,
                                                .flags = MILL_BATCHED,
                                                .plan = plan,
                                                .drop = mill__free,
                                                .run = run};
