/* SPDX-License-Identifier: Apache-2.0 */
/* engine/worker_parts.h: what worker.c, which transforms one sample, has for worker_rows.c, which transforms
 * many. */
#ifndef MILL_ENGINE_WORKER_PARTS_H
#define MILL_ENGINE_WORKER_PARTS_H

#include "engine/worker.h"

/* Whatever is made for a thread when it first works. */
mill_status mill__worker_start(mill__worker *worker, mill_error *err);
/* The next of the thread's scratch buffers, at least nbytes large; NULL beyond the limit. take says why. */
void *mill__worker_scratch(void *owner, size_t nbytes);
void *mill__worker_take(mill__worker *worker, uint64_t nbytes, mill_error *err);
/* Elements must be aligned for their type; rows of an odd file may not be. */
mill_status mill__worker_align(mill__worker *worker, mill_tensor *tensor, size_t nbytes, mill_error *err);

/* A good row through the first nsegments segments, whose result is nbytes, into place. partial: what the row
 * alone is reduced to; NULL: it is not. */
mill_status mill__worker_transform(mill__worker *worker, mill__row *row, int nsegments, void *place,
                                   size_t nbytes, void *partial, mill_error *err);
void mill__worker_fail_row(mill__row *row, mill_status status, const mill_error *err);
/* Where the tensor of row i goes; NULL without a slab. */
void *mill__worker_place(const mill__worker *worker, const mill__batch *batch, size_t i);
/* Row i, all of it. */
void mill__worker_row(mill__worker *worker, mill__batch *batch, size_t i);

#endif
