/* SPDX-License-Identifier: Apache-2.0 */
/* engine/stats_reduce.h: the statistics of some rows, made on compute threads. A feature is a channel of an
 * image, or a place on the last axis of any other tensor; a scalar is one feature. */
#ifndef MILL_ENGINE_STATS_REDUCE_H
#define MILL_ENGINE_STATS_REDUCE_H

#include "engine/plan.h"
#include "engine/reduction.h"
#include "engine/stats_partial.h"
#include "engine/stats_sketch.h"
#include <pthread.h>

/* What they have in common; at rest while none of them runs. */
typedef struct mill__tally {
    mill__reduction reduction;
    size_t features;
    bool covariance, quantiles;
    bool wide; /* values are taken as double, else as float, which holds them exactly */
    const struct mill__kernels *kernels;
    pthread_mutex_t lock;
    struct mill__tally_scratch *scratch; /* free ones; as many as threads ever ran at once */
    bool no_memory;                      /* something is missing */
} mill__tally;

/* For the output of plan, which must outlive the tally. */
mill_status mill__tally_open(mill__tally *tally, const mill__plan *plan, int covariance, bool quantiles,
                             mill_error *err);
bool mill__tally_complete(mill__tally *tally);                     /* false: memory was short */
bool mill__tally_sketch(mill__tally *tally, mill__sketch *sketch); /* all that was counted, added to sketch */
void mill__tally_close(mill__tally *tally);

#endif
