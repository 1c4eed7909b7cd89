/* SPDX-License-Identifier: Apache-2.0 */
/* engine/order.h: which sample stands where in an epoch. The order is a function of (seed, epoch, the shards'
 * sample counts); it is computed place by place and takes the counts as they become known:
 *
 *   place --(batch, rank)--> position in the epoch --(shuffled window)--> position among the shards in their
 *   (shuffled) sequence --(counts)--> shard and sample
 *
 * Global batch g holds the positions [g * G, (g + 1) * G), G being the batch size times the world size; of
 * them rank r has the r-th part. So what all ranks together do in a step does not depend on how many they
 * are. */
#ifndef MILL_ENGINE_ORDER_H
#define MILL_ENGINE_ORDER_H

#include "base/permute.h"
#include <shardmill/types.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct mill__order_config {
    size_t nshards;
    bool shuffle;
    uint64_t window; /* samples; 0: all of them */
    uint64_t seed;
    uint64_t repeat;     /* times that an epoch has each sample; >= 1 */
    uint64_t batch_size; /* of one rank */
    uint64_t rank, world_size;
    bool drop_last;
} mill__order_config;

typedef struct mill__order {
    mill__order_config config;
    uint64_t epoch;
    mill__permutation sequence; /* of the shards */
    uint64_t *ends;             /* ends[j]: samples in the first j + 1 shards of the sequence */
    size_t counted;             /* how many of ends are known */
    uint64_t window_at;         /* window number whose permutation is at hand; UINT64_MAX: none */
    mill__permutation window;
    size_t found, found_shard; /* where the last place was found: j and the shard; SIZE_MAX: nowhere */
} mill__order;

mill_status mill__order_init(mill__order *order, const mill__order_config *config, mill_error *err);
void mill__order_free(mill__order *order);
void mill__order_begin(mill__order *order, uint64_t epoch); /* forget the counts, take another epoch */

/* The shard whose count is wanted next; false: all are known. */
bool mill__order_wants(const mill__order *order, size_t ahead, size_t *shard);
/* Of the shard at counted; false: the epoch is too long to be counted. */
bool mill__order_count(mill__order *order, uint64_t samples);

typedef enum mill__order_answer {
    MILL__ORDER_BATCH, /* the batch exists and all of it is known */
    MILL__ORDER_COUNT, /* counts of further shards are wanted first */
    MILL__ORDER_END    /* the epoch has no such batch */
} mill__order_answer;

/* Rows that batch number step has on each rank. The last one of an epoch is shorter, on all ranks alike;
 * positions behind the end that make them alike are taken from the epoch's beginning (see padded). */
mill__order_answer mill__order_batch(const mill__order *order, uint64_t step, size_t *rows);

size_t mill__order_shard(const mill__order *order, size_t j); /* j-th of the sequence */
/* How many shards of the sequence lie wholly before batch step. */
size_t mill__order_reached(const mill__order *order, uint64_t step);
/* How many shards of the sequence must be counted for batch step to be known, as far as that can be told: a
 * function of the counts alone, not of when they became known. */
size_t mill__order_needed(const mill__order *order, uint64_t step);

typedef struct mill__place {
    size_t shard;
    uint64_t sample;
    uint64_t repeat; /* which of its repetitions */
    bool padded;     /* stands for nothing: the epoch was over */
} mill__place;

/* Row i of rank's batch step, which mill__order_batch answered; skip: so many positions farther on in the
 * epoch (for a replacement), begun anew at its end. false: counts of further shards are wanted first. */
bool mill__order_place(mill__order *order, uint64_t step, size_t rows, size_t i, uint64_t skip,
                       mill__place *place);

/* Once all counts are known: samples in the epoch (repetitions counted), batches on each rank. */
bool mill__order_totals(const mill__order *order, uint64_t *samples, uint64_t *batches);

#endif
