/* SPDX-License-Identifier: Apache-2.0 */
/* reshape: the same elements in another shape, and perhaps axes with a meaning. */
#include "base/error.h"
#include "transform/tensor.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* "28x28x1"; an extent that is "?" is -1. */
static bool parse_shape(const char *text, mill_type *type)
{
    for (type->rank = 0; type->rank < MILL_MAX_RANK; text++) {
        char *end = (char *)(uintptr_t)text + 1;
        bool digit = *text >= '0' && *text <= '9', open = *text == '?';
        long long extent = digit ? strtoll(text, &end, 10) : -1;
        if ((!digit && !open) || extent == LLONG_MAX || !extent)
            return false;
        type->shape[type->rank++] = extent;
        text = end;
        if (!*text)
            return true;
        if (*text != 'x')
            return false;
    }
    return false;
}

/* The extent that was left open follows from the others. */
static mill_status close_shape(const char *text, const mill_type *in, mill_type *out, mill_error *err)
{
    size_t n = mill__tensor_elements(in), rest = n;
    int open = -1;
    for (int i = 0; i < out->rank; i++) {
        if (out->shape[i] < 0 && open >= 0)
            return mill_fail(err, MILL_USAGE, "pipeline", "reshape: two extents of \"%s\" are left open",
                             text);
        if (out->shape[i] < 0)
            open = i;
        else if (rest % (size_t)out->shape[i])
            rest = 0;
        else
            rest /= (size_t)out->shape[i];
    }
    if (open >= 0)
        out->shape[open] = (int64_t)rest;
    if (!rest || mill__tensor_elements(out) != n)
        return mill_fail(err, MILL_USAGE, "pipeline", "reshape: a sample of %zu elements has no shape \"%s\"",
                         n, text);
    return MILL_OK;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user, (void)self;
    static const mill_layout layouts[] = {MILL_PLAIN, MILL_HWC, MILL_CHW};
    mill_status status = mill__tensor_check("reshape", in, err);
    if (status)
        return status;
    out->layout = layouts[values[1].i];
    if (!parse_shape(values[0].text, out))
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "reshape: a shape is one to %d numbers such as 3x32x32, one of which may be ?, not "
                         "\"%s\"",
                         MILL_MAX_RANK, values[0].text);
    if (out->layout && out->rank != 3)
        return mill_fail(err, MILL_USAGE, "pipeline", "reshape: images have three axes, and \"%s\" has %d",
                         values[0].text, out->rank);
    return close_shape(values[0].text, in, out, err);
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)self, (void)state, (void)ctx, (void)err;
    size_t n = (size_t)in->n * mill__tensor_elements(&in->type);
    memcpy(out->data, in->data, n * mill_dtype_nbytes(in->type.dtype));
    return MILL_OK;
}

static const mill_param params[] = {
    {.name = "shape", .type = MILL_PARAM_TEXT, .help = "of a sample, e.g. 28x28x1; one extent may be ?"},
    {.name = "layout",
     .type = MILL_PARAM_CHOICE,
     .fallback = "plain",
     .choices = "plain|hwc|chw",
     .help = "hwc or chw: the axes are those of an image"}};

const mill_transform_ops mill__reshape_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                              .name = "reshape",
                                              .summary = "the same elements in another shape",
                                              .example = "reshape 28x28x1 layout=hwc",
                                              .params = params,
                                              .nparams = 2,
                                              .flags = MILL_BATCHED,
                                              .plan = plan,
                                              .run = run};
