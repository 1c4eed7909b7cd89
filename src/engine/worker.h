/* SPDX-License-Identifier: Apache-2.0 */
/* engine/worker.h: one compute thread's hands: decoder, scratch, transform states; and what it does with a
 * sample. */
#ifndef MILL_ENGINE_WORKER_H
#define MILL_ENGINE_WORKER_H

#include "engine/batch.h"
#include "engine/plan.h"
#include "engine/reduction.h"
#include "transform/image.h"
#include <stdatomic.h>

/* What is the same for all samples of a run. */
typedef struct mill__job {
    const mill__plan *plan;
    uint64_t seed, epoch, max_pixels;
    uint64_t scratch_nbytes; /* a thread's limit */
    const char *carry;       /* fields that go with the row: see mill__carries */
    bool encode;             /* image outputs leave as JPEG */
    int quality, subsampling;
    bool keep_image;                  /* carry the image field as it is (no tensor to encode) */
    int probe;                        /* 1: image headers, 2: whole images; 0 unless inspecting */
    const mill__reduction *reduction; /* NULL: none. Offline only */
} mill__job;

typedef struct mill__worker {
    const mill__job *job;
    mill__renderer *renderer;
    void **states; /* one a stage */
    unsigned char *started;
    mill__buffer *scratch; /* used in turn; reset for each sample */
    int nscratch, scratch_used;
    uint64_t scratch_held;
    mill__sample sample; /* the one at hand, whole again */
} mill__worker;

void mill__worker_init(mill__worker *worker, const mill__job *job); /* allocates nothing */
void mill__worker_end(mill__worker *worker);
/* Some transform keeps a state for each thread, which must be ended on that thread. */
bool mill__worker_is_bound(const mill__job *job);

/* Transform rows [begin, end) of batch, shard number shard. A bad sample gets status and error, its tensor
 * zeros. */
void mill__worker_rows(mill__worker *worker, mill__batch *batch, size_t begin, size_t end);
/* Their data, if nothing is to be done to them and they lie one behind the other; else NULL. Valid while they
 * are being transformed. */
const void *mill__worker_lying(const mill__worker *worker, const mill__batch *batch, size_t begin,
                               size_t end);

/* The same for n rows; their numbers, in any order, are in rows. */
void mill__worker_list(mill__worker *worker, mill__batch *batch, const uint32_t *rows, size_t n)
    __attribute__((nonnull));

#endif
