/* SPDX-License-Identifier: Apache-2.0 */
/* api/run_state.h: a run of mill_run(), shared by its files. Everything belongs to the calling thread, but
 * for the question that the engine asks on I/O threads (run_open.c). */
#ifndef MILL_API_RUN_STATE_H
#define MILL_API_RUN_STATE_H

#include "api/issues.h"
#include "api/options.h"
#include "base/trace.h"
#include "registry.h"

/* A shard that is being written. Few are at a time. */
typedef struct mill__output {
    struct mill__output *next;
    size_t shard;
    void *writer; /* the sink's */
    int64_t samples, written, skipped, substituted, errors, warnings;
    uint64_t walked;
    bool finished;
    mill__issues issues;
} mill__output;

typedef struct mill__run {
    mill_options options;
    mill__format_ops format; /* that is asked for by name */
    mill__shard_name *shards;
    size_t nshards;
    const char *folder;
    int folder_lock; /* -1: none */
    mill__plan plan;
    const mill__sink_ops *sink;
    mill__sink_config sink_config;
    mill__trace *trace;
    mill__engine *engine;
    mill__manifest *manifest;

    mill__output *outputs;
    mill__issue_order order;
    mill_stats stats;
    int64_t begin_ns, progress_ns;

    size_t bad_shard; /* policy fail: the first shard with an error, SIZE_MAX: none */
    mill_error bad;
} mill__run;

/* run_open.c: everything up to the running engine; on failure too, the run is to be ended. */
mill_status mill__run_open(mill__run *r, const char *spec, const mill_pipeline *pipeline, mill_error *err);

#endif
