/* SPDX-License-Identifier: Apache-2.0 */
/* layout: images as (height, width, channel) or (channel, height, width). */
#include "base/error.h"
#include "base/memory.h"
#include "transform/pointwise.h"
#include <string.h>

static mill_type in_layout(const mill_type *in, mill_layout layout)
{
    mill_type type = *in;
    int64_t height = in->shape[in->layout == MILL_HWC ? 0 : 1],
            width = in->shape[in->layout == MILL_HWC ? 1 : 2];
    int64_t channels = in->shape[in->layout == MILL_HWC ? 2 : 0];
    type.layout = layout;
    type.shape[0] = layout == MILL_HWC ? height : channels;
    type.shape[1] = layout == MILL_HWC ? width : height;
    type.shape[2] = layout == MILL_HWC ? channels : width;
    return type;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    if ((in->layout != MILL_HWC && in->layout != MILL_CHW) || in->rank != 3)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "layout needs images, but gets %s: put it behind decode",
                         in->layout == MILL_ENCODED ? "the bytes of an encoded file" : "plain tensors");
    mill_layout *layout = mill__alloc(sizeof *layout);
    if (!layout)
        return mill__no_memory(err, sizeof *layout, "layout");
    *layout = values[0].i ? MILL_CHW : MILL_HWC;
    *out = in_layout(in, *layout);
    *self = layout;
    return MILL_OK;
}

/* A matrix of rows x columns elements into one of columns x rows. */
#define TRANSPOSE(type)                                                                                      \
    static void transpose_##type(__typeof__(type) *out, const __typeof__(type) *in, size_t rows,             \
                                 size_t columns)                                                             \
    {                                                                                                        \
        for (size_t c = 0; c < columns; c++)                                                                 \
            for (size_t r = 0; r < rows; r++)                                                                \
                out[c * rows + r] = in[r * columns + c];                                                     \
    }
TRANSPOSE(uint8_t)
TRANSPOSE(uint16_t)
TRANSPOSE(uint32_t)
TRANSPOSE(uint64_t)

static void transpose(void *out, const void *in, size_t rows, size_t columns, size_t element_nbytes)
{
    if (element_nbytes == 1)
        transpose_uint8_t(out, in, rows, columns);
    else if (element_nbytes == 2)
        transpose_uint16_t(out, in, rows, columns);
    else if (element_nbytes == 4)
        transpose_uint32_t(out, in, rows, columns);
    else
        transpose_uint64_t(out, in, rows, columns);
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    mill_layout layout = *(const mill_layout *)self;
    size_t n = 0, element_nbytes = mill_dtype_nbytes(in->type.dtype);
    mill_status status = mill__count(in, &n, err);
    if (status || (status = mill__ensure_output(ctx, in, out, err)))
        return status;
    out->type = in_layout(&in->type, layout);
    if (!n || layout == in->type.layout) {
        memcpy(out->data, in->data, n * element_nbytes);
        return MILL_OK;
    }
    size_t channels = (size_t)in->type.shape[in->type.layout == MILL_HWC ? 2 : 0];
    size_t image = n / (size_t)in->n, pixels = image / channels;
    for (size_t i = 0; i < (size_t)in->n; i++) {
        char *to = (char *)out->data + i * image * element_nbytes;
        const char *from = (const char *)in->data + i * image * element_nbytes;
        if (layout == MILL_CHW)
            transpose(to, from, pixels, channels, element_nbytes);
        else
            transpose(to, from, channels, pixels, element_nbytes);
    }
    return MILL_OK;
}

static const mill_param params[] = {{.name = "layout",
                                     .type = MILL_PARAM_CHOICE,
                                     .choices = "hwc|chw",
                                     .help = "hwc: (height, width, channel); chw: (channel, height, width)"}};

const mill_transform_ops mill__layout_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                             .name = "layout",
                                             .summary =
                                                 "put the channels of images last (hwc) or first (chw)",
                                             .example = "decode | center_crop 224 | layout chw",
                                             .params = params,
                                             .nparams = 1,
                                             .plan = plan,
                                             .drop = mill__free,
                                             .run = run};
