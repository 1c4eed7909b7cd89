/* SPDX-License-Identifier: Apache-2.0 */
/* transform/augment.h: what the augmentations have in common: u8 hwc images in and out, a probability, and
 * kernels. */
#ifndef MILL_TRANSFORM_AUGMENT_H
#define MILL_TRANSFORM_AUGMENT_H

#include "kernel/augment.h"
#include <shardmill/extend.h>
#include <stdbool.h>

/* One image of width x height pixels of c channels and where its successor goes, which is of the same size
 * but where out_width and out_height say another. */
typedef struct mill__frame {
    const mill__augment_kernels *kernels;
    const uint8_t *in;
    uint8_t *out; /* in itself if the transform is MILL_IN_PLACE */
    size_t width, height, c, nbytes;
    size_t out_width, out_height;
} mill__frame;

/* The best kernels of this machine. For plan(): asking the processor is slow on virtual machines. */
const mill__augment_kernels *mill__augment_best(void);

/* Fill frame; out gets in's shape, and memory if it has none. The second: another size; no more memory than a
 * thread may have is MILL_LIMIT. */
mill_status mill__frame_begin(mill__frame *frame, const mill__augment_kernels *kernels,
                              const mill_context *ctx, const mill_tensor *in, mill_tensor *out,
                              mill_error *err);
mill_status mill__frame_begin_sized(mill__frame *frame, const mill__augment_kernels *kernels,
                                    const mill_context *ctx, const mill_tensor *in, mill_tensor *out,
                                    size_t width, size_t height, mill_error *err);
void mill__frame_copy(const mill__frame *frame); /* nothing is to be done: out is in */

/* The k-th random number of the transform: whether a thing of probability p happens; within low..high. */
bool mill__chance(const mill_context *ctx, uint32_t k, double p);
double mill__draw(const mill_context *ctx, uint32_t k, double low, double high);

/* The argument of a transform as a range: one number, which is both ends, or two, the lesser first. */
mill_status mill__take_range(const char *name, const char *parameter, const mill_value *value,
                             double range[2], mill_error *err);

/* The same for angles: one number, not negative, is the range from -x to x. */
mill_status mill__take_angles(const char *name, const char *parameter, const mill_value *value,
                              double range[2], mill_error *err);
/* u8 tensors of any shape; anything else is MILL_USAGE, with a message that says what to do. */
mill_status mill__check_bytes(const char *name, const mill_type *in, mill_error *err);

/* Keep nbytes of what was planned as self. Free with mill__free. */
mill_status mill__keep(const char *name, const void *planned, size_t nbytes, void **self, mill_error *err);

#define MILL__PARAM_P(default)                                                                               \
    {                                                                                                        \
        .name = "p", .type = MILL_PARAM_FLOAT, .fallback = (default), .max = 1,                              \
        .help = "how likely; 1: always"                                                                      \
    }

#endif
