/* SPDX-License-Identifier: Apache-2.0 */
/* engine/engine.h: shards in, batches out. Reads run ahead on I/O threads, walks and transforms on a team of
 * compute threads, batches are taken by one consumer. Batches of a shard come in order; shards may overtake
 * each other. */
#ifndef MILL_ENGINE_ENGINE_H
#define MILL_ENGINE_ENGINE_H

#include "engine/batch.h"
#include "engine/worker.h"
#include "format/format.h"
#include "source/source.h"
#include <stdatomic.h>

struct mill__joined;
typedef struct mill__engine mill__engine;

typedef struct mill__engine_config {
    const mill__shard_name *shards; /* must outlive the engine */
    size_t nshards;
    const mill_source_ops *source; /* NULL: files and folders */
    void *source_user;
    const mill__format_ops *format; /* NULL: by extension, folders by kind */
    mill__job job;                  /* plan must outlive the engine */
    int threads, depth;
    const char *io, *executor;
    uint64_t memory_nbytes;
    struct mill__trace *trace;
    /* Asked on an I/O thread when a shard was opened: true if it need not be read. NULL: read all. */
    bool (*keep)(void *user, size_t shard, const mill_shard_info *info);
    void *user;
} mill__engine_config;

typedef struct mill__engine_stats {
    uint64_t bytes_total, peak_nbytes;
    size_t opened; /* shards; bytes_total is theirs, without the kept ones */
    int64_t busy_ns;
    const char *io, *executor;
    const char *level; /* of the kernels */
    int threads;
    int64_t steps, regions; /* steps started; times the team was entered */
} mill__engine_stats;

/* A format for every shard, before anything is read. */
mill_status mill__engine_check_formats(const mill__engine_config *config, mill_error *err);
/* Its shards as one sequence, if its format wants that: see joined.h. */
mill_status mill__engine_join(const mill__engine_config *config, const atomic_bool *stop,
                              struct mill__joined **joined, mill_error *err);
/* What open would refuse, found without starting anything. */
mill_status mill__engine_check(const mill__engine_config *config, mill_error *err);
/* Why a budget does not do is said in err, with the least that would. */
mill_status mill__engine_open(mill__engine **engine, const mill__engine_config *config, mill_error *err);

/* The next batch; waits at most timeout_ms (< 0: for ever). MILL_END: all was delivered. MILL_AGAIN: not in
 * time. */
mill_status mill__engine_next(mill__engine *engine, mill__batch **batch, int timeout_ms, mill_error *err);
void mill__engine_release(mill__engine *engine, mill__batch *batch); /* any thread */

/* Start nothing of shards behind this one; those before it go on, and MILL_END comes after them. */
void mill__engine_stop_after(mill__engine *engine, size_t shard);
void mill__engine_cancel(mill__engine *engine); /* any thread; next() answers MILL_CANCELED */
void mill__engine_stats_get(mill__engine *engine, mill__engine_stats *stats);
void mill__engine_close(mill__engine *engine); /* at any moment; NULL is fine */

/* The type of one sample of the first shard that can be read, from its first bytes. */
mill_status mill__engine_peek(const mill__engine_config *config, mill_type *type, mill_error *err);
/* Compile a pipeline for samples of that type; errors name that shard. */
mill_status mill__engine_compile(const mill__engine_config *config, const mill_pipeline *pipeline,
                                 mill__plan *plan, mill_error *err);

#endif
