/* SPDX-License-Identifier: Apache-2.0 */
/* api/stats_state.h: statistics, shared by the files that gather, write and read them. */
#ifndef MILL_API_STATS_STATE_H
#define MILL_API_STATS_STATE_H

#include "base/memory.h"
#include "engine/stats_partial.h"
#include "engine/stats_sketch.h"
#include <shardmill/stats.h>

typedef struct mill__classes {
    int64_t *labels, *counts; /* by label */
    size_t n, capacity, last; /* last: where the last one was found */
} mill__classes;
bool mill__classes_add(mill__classes *classes, int64_t label, int64_t count);

struct mill_statistics {
    size_t features;
    bool channels, covariance, quantiles;
    bool precise; /* the covariance: its products were summed in double */
    mill_dtype dtype;
    char *pipeline;
    int64_t samples, skipped, unlabelled;
    double *numbers; /* a partial result: that of everything */
    mill__classes classes;
    mill__sketch sketch;
    double *derived; /* std, min and max, and the covariance; made on demand */
    mill__buffer json;
};

/* An empty one; numbers are zeros. */
mill_statistics *mill__statistics_new(size_t features, bool covariance, bool quantiles);
mill__partial mill__statistics_partial(const mill_statistics *s);
/* Make std, min, max and covariance of what was gathered; false without memory. */
bool mill__statistics_derive(mill_statistics *s);

#endif
