/* SPDX-License-Identifier: Apache-2.0 */
/* transform/resample.h: the weights of a separable resize in one direction. */
#ifndef MILL_TRANSFORM_RESAMPLE_H
#define MILL_TRANSFORM_RESAMPLE_H

#include <shardmill/extend.h>

/* Which inputs make output i, in the form that the kernels take: bounds[2i + 1] of them from bounds[2i] on,
 * with weights[i * 2 * taps ...] (see kernel/kernel.h). Windows begin in order, so that an image can be
 * streamed.
 */
typedef struct mill__coefficients {
    int64_t in, out;
    float from,
        to; /* the part of the input that becomes the output; its surroundings take part at its ends */
    mill_filter filter;
    size_t taps;    /* from one row of weights to the next */
    size_t longest; /* window */
    int32_t *bounds;
    int16_t *weights;
    void *memory;    /* of both */
    uint64_t nbytes; /* of memory */
} mill__coefficients;

/* in, out: 1..MILL__VIEW_MAX. c is {0} or was made before: its memory is used again where it suffices.
 * MILL_LIMIT, and c empty, when more than limit_nbytes are needed. */
mill_status mill__coefficients_make(mill__coefficients *c, int64_t in, int64_t out, mill_filter filter,
                                    uint64_t limit_nbytes, mill_error *err);
/* The same of the part from .. to of the input (Pillow's box), 0 <= from < to <= in. Single precision,
 * because Pillow's is. */
mill_status mill__coefficients_make_part(mill__coefficients *c, int64_t in, float from, float to, int64_t out,
                                         mill_filter filter, uint64_t limit_nbytes, mill_error *err);
void mill__coefficients_free(mill__coefficients *c);

#endif
