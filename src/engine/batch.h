/* SPDX-License-Identifier: Apache-2.0 */
/* engine/batch.h: consecutive samples of a shard that are made and delivered together. A batch owns all that
 * is in it: the shard's bytes are gone when it reaches the consumer. */
#ifndef MILL_ENGINE_BATCH_H
#define MILL_ENGINE_BATCH_H

#include "base/arena.h"
#include "sink/sink.h"
#include <stdatomic.h>
#include <stdbool.h>

typedef enum mill__batch_state {
    MILL__BATCH_FREE,
    MILL__BATCH_FILLING,  /* places are being given out, or samples are still being transformed */
    MILL__BATCH_COMPLETE, /* waits for the consumer */
    MILL__BATCH_HELD      /* with the consumer */
} mill__batch_state;

typedef struct mill__batch {
    /* what the consumer reads */
    size_t shard;  /* ordinal in the data set */
    int64_t first; /* ordinal of rows[0] in its shard */
    uint64_t epoch;
    size_t n; /* rows */
    mill__row *rows;
    uint8_t *slab;      /* rows' tensors, dense; NULL when the plan gives none of fixed size */
    uint8_t *partials;  /* one for each unit of rows: see reduction.h; NULL without a reduction */
    mill_issue *issues; /* structural findings of the walk, in order; shard is NULL */
    size_t nissues;
    bool last;                     /* the shard ends with this batch */
    bool kept;                     /* last, and the shard was not read: an earlier run finished it */
    uint64_t shard_nbytes, walked; /* size of the shard and the bytes accounted for so far */
    uint64_t stored_nbytes;        /* size of its file, which is another one if it is compressed */
    int64_t shard_mtime_ns;

    /* the engine's, under its lock */
    mill__batch_state state;
    int64_t sequence; /* among the batches of its shard */
    size_t pending;   /* rows that are not transformed yet */
    bool closed;      /* no more rows will come */
    size_t source_nbytes;
    atomic_ullong *done; /* rows of each unit that are transformed: see step.c. No lock is needed */
    /* the walk's alone (one walk at a time fills a batch) */
    mill__arena arena; /* keys, field lists, issues */
    size_t issue_capacity;
} mill__batch;

mill_status mill__batch_open(mill__batch *batch, size_t capacity);
/* Which fields go with the batch: a blank-separated list of names, "*" for all, NULL for none. */
bool mill__carries(const char *carry, const mill__field *field);
/* Copy a walked sample into row i, whatever is there, or into row n, the next; false without memory. */
bool mill__batch_put(mill__batch *batch, size_t i, const mill__sample *sample, const char *carry);
bool mill__batch_add(mill__batch *batch, const mill__sample *sample, const char *carry);
/* n rows behind row i, like it but for their places, each stride bytes behind the one before it, and keys,
 * which are numbers. Row i is good and carries nothing. False without memory: then nothing is changed. The
 * same behind the last row: they are added. */
bool mill__batch_put_more(mill__batch *batch, size_t i, size_t n, size_t stride);
bool mill__batch_more(mill__batch *batch, size_t n, size_t stride);
bool mill__batch_issue(mill__batch *batch, const mill_issue *issue);
/* Empty again; memory is kept. Called by the consumer without the lock, so not one store may go to what is
 * the engine's. */
void mill__batch_reset(mill__batch *batch);
void mill__batch_free(mill__batch *batch);

#endif
