/* SPDX-License-Identifier: Apache-2.0 */
/* engine/loader.h: batches of an epoch's order out of shards that are indexed. Reads are single samples, or
 * several that lie together; each is for one batch, and the places in that batch are known before it is read.
 */
#ifndef MILL_ENGINE_LOADER_H
#define MILL_ENGINE_LOADER_H

#include "engine/engine.h"
#include "engine/index.h"
#include "engine/order.h"
#include <shardmill/loader.h>

typedef struct mill__loader mill__loader;

typedef enum mill__mix { MILL__MIX_NONE, MILL__MIX_MIXUP, MILL__MIX_CUTMIX } mill__mix;

typedef struct mill__loader_config {
    mill__engine_config engine; /* shards, source, format, job, threads, depth, io, executor, memory, trace */
    mill__order_config order;   /* nshards is filled in */
    uint64_t first_samples;     /* 0: all */
    int64_t epochs;             /* < 0: endless */
    uint64_t begin_epoch, begin_step;
    int prefetch;
    mill__index_keep index;
    mill_policy policy;
    mill_allocator allocator; /* alloc NULL: our own */
    mill__mix mix;
    double mix_alpha; /* shares are Beta(alpha, alpha) */
} mill__loader_config;

mill_status mill__loader_open(mill__loader **loader, const mill__loader_config *config, mill_error *err);
/* MILL_OK: a batch. MILL_END: the end of an epoch; *batch then has no rows, but perhaps issues, and is to be
 * released too; NULL after the last epoch. MILL_AGAIN: not in time. */
mill_status mill__loader_next(mill__loader *loader, int timeout_ms, mill_batch **batch, mill_error *err);
/* A batch, or an epoch's end, that next() gave does not reach the user: the loader stands before it, and is
 * cancelled. */
void mill__loader_refuse(mill__loader *loader, const mill_batch *batch);
void mill__loader_cancel(mill__loader *loader);
/* Where the consumer is: the batch that comes next. */
void mill__loader_position(mill__loader *loader, uint64_t *epoch, uint64_t *step);
/* A batch that the consumer was not given after all: it comes next. */
void mill__loader_take_back(mill__loader *loader, const mill_batch *batch);
void mill__loader_stats_get(mill__loader *loader, mill_loader_stats *stats);
bool mill__loader_forked(const mill__loader *loader);
void mill__loader_close(mill__loader *loader);

/* What a batch has to tell, in an order that does not depend on timing, with the shards' locators. Valid
 * until it is released, while the loader is open. */
const mill_issue *mill__loader_issues(const mill_batch *batch, size_t *n);
/* Rows of the batch that are no new samples: bad ones that stayed so, and padding. */
void mill__loader_tally(const mill_batch *batch, int64_t *substituted, int64_t *padded, int64_t *replaced);

#endif
