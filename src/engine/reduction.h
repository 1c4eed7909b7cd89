/* SPDX-License-Identifier: Apache-2.0 */
/* engine/reduction.h: partial results that compute threads make of finished rows, so that who consumes the
 * batches has but few numbers to put together. What is reduced together are the rows [k unit, (k + 1) unit)
 * of a shard, whatever batches, steps and chunks they fell into: results depend on the data alone. */
#ifndef MILL_ENGINE_REDUCTION_H
#define MILL_ENGINE_REDUCTION_H

#include "sink/sink.h"

typedef struct mill__reduction {
    size_t unit;   /* a power of two. 1: each row by itself, of which the shape may then vary */
    size_t nbytes; /* of a partial result; zeros are the empty one */
    /* On any compute thread, several at once. tensor->n samples, one for each of rows; bad ones (see their
     * status) do not count. partial is written, whatever was in it. */
    void (*run)(void *self, const mill_tensor *tensor, const mill__row *rows, void *partial);
    void *self;
} mill__reduction;

#endif
