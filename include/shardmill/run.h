/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill/run.h: process or inspect a whole data set, offline. */
#ifndef SHARDMILL_RUN_H
#define SHARDMILL_RUN_H

#include <shardmill/pipeline.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mill_policy {
    MILL_POLICY_FAIL = 0,  /* the first bad sample ends the run */
    MILL_POLICY_SKIP,      /* leave bad samples out, and say so */
    MILL_POLICY_SUBSTITUTE /* put zeros in their place, and mark them in a mask (npy only) */
} mill_policy;

/* How far a run is. Times in nanoseconds since its start. */
typedef struct mill_stats {
    int64_t shards;        /* shards the spec names */
    int64_t shards_opened; /* of these, so far */
    int64_t shards_done;   /* finished, those kept from an earlier run included */
    int64_t shards_kept;   /* finished by an earlier run and kept */
    int64_t samples;       /* samples seen = written + skipped */
    int64_t samples_kept;  /* of these, in shards that were kept */
    int64_t written;       /* rows written, substituted ones included */
    int64_t skipped;       /* bad samples left out */
    int64_t substituted;   /* bad samples replaced by zeros */
    int64_t errors;        /* issues of severity MILL_ERROR */
    int64_t warnings;
    uint64_t bytes_total; /* sizes of the shards opened so far; kept ones count nothing */
    uint64_t bytes_in;    /* bytes walked */
    uint64_t bytes_out;   /* bytes written */
    int64_t elapsed_ns;
    int64_t first_sample_ns; /* start to the first finished sample; 0: none yet */
    int64_t busy_ns;         /* time of compute threads inside walks and transforms, added up */
    uint64_t memory_nbytes;  /* the budget */
    uint64_t peak_nbytes;    /* the most memory taken from the budget at one time */
    int threads;             /* compute threads */
    const char *io;          /* "uring" or "threads" */
    const char *executor;    /* "tasks" or "loop" */
    const char *level;       /* instruction sets that kernels use: "c", "x86-64-v3", ...; NULL: none */
} mill_stats;

/* Options of a run. Zero or NULL means the default in every field; take them from mill_options_default(). */
typedef struct mill_options {
    size_t struct_nbytes;
    int threads;    /* compute threads; default: see mill_threads() */
    int io_depth;   /* reads in flight; default 8 */
    const char *io; /* all reads by "uring" or "threads"; "auto" (default): by compute threads where that
                       only copies from the page cache, else by io_uring, or threads if it is forbidden */
    const char *executor;   /* "tasks" (default), "loop" */
    uint64_t memory_nbytes; /* budget; default: a quarter of what the machine or cgroup has, at most 2 GiB */
    uint64_t seed, epoch;   /* of the random transforms */
    mill_policy policy;
    int64_t max_errors;            /* with skip and substitute: bad samples allowed; < 0 or 0: any number */
    double max_errors_fraction;    /* ... of the samples seen, checked at the end; 0: any */
    uint64_t max_pixels;           /* images beyond are refused; default 178956970 (Pillow's limit) */
    const char *sink;              /* "npy" (default), "tar", "null" */
    int jpeg_quality;              /* tar sink: 1..100, default 90 */
    const char *jpeg_subsampling;  /* tar sink: "420" (default), "422", "444" */
    const char *trace;             /* path of a Chrome/Perfetto trace to write; NULL: none */
    const mill_source_ops *source; /* shards come from here; NULL: files and folders. The spec then is a list
                                      of locators, and only braces and @lists are expanded */
    void *source_user;
    const char *format; /* shard format by name, with arguments: "raw:f32:3x32x32"; NULL: by extension */
    void *user;         /* handed to the callbacks, which run on the calling thread */
    int (*on_progress)(void *user, const mill_stats *stats); /* about ten times a second; not 0: cancel */
    void (*on_issue)(void *user, const mill_issue *issue);
} mill_options;

MILL_API mill_options mill_options_default(void);

/* Process every shard that spec names through pipeline into folder out (made if absent). spec: see
 * docs/formats.md. Files appear under their final names only when complete and synced; a manifest.json beside
 * them records what was made. Run again after a kill or cancel with the same arguments to finish; finished
 * shards are kept; different arguments are refused. stats may be NULL. Blocks; callable from several threads
 * at once on different folders. The sink "null" needs no folder: out may be NULL then, and no manifest is
 * kept. MILL_CANCELED: on_progress asked to stop; MILL_TOO_MANY_BAD, MILL_BAD_DATA: data errors. */
MILL_API mill_status mill_run(const char *spec, const mill_pipeline *pipeline, const char *out,
                              const mill_options *options, mill_stats *stats, mill_error *err);

/* ---- inspect ---- */

typedef struct mill_field_info {
    const char *name;
    uint64_t nbytes;
    uint64_t offset;
} mill_field_info;

typedef struct mill_sample_info {
    const char *shard;
    const char *key;
    int64_t sample; /* ordinal in the shard */
    uint64_t offset;
    int64_t label; /* -1: none */
    int nfields;
    const mill_field_info *fields;
    int width, height, channels; /* of the image, from its header; 0: no image */
    mill_type type;              /* of a tensor sample; rank 0 and dtype 0 otherwise */
} mill_sample_info;

typedef struct mill_shard_summary {
    const char *shard;
    const char *format;
    uint64_t nbytes;
    uint64_t nbytes_walked; /* equals nbytes unless the shard could not be read */
    int64_t samples;
    int64_t bad_samples;
    int64_t errors, warnings;
} mill_shard_summary;

typedef struct mill_inspect_options {
    size_t struct_nbytes;
    mill_options run; /* threads, io, memory, source, format, trace, on_progress, on_issue, user are used */
    int deep;         /* decode every image wholly */
    void (*on_sample)(void *user,
                      const mill_sample_info *sample); /* NULL: not wanted; called in shard order */
    void (*on_shard)(void *user, const mill_shard_summary *summary);
} mill_inspect_options;

MILL_API mill_inspect_options mill_inspect_options_default(void);

/* Walk every shard and report what is there and what is wrong. MILL_OK also when issues were found: see
 * stats->errors. */
MILL_API mill_status mill_inspect(const char *spec, const mill_inspect_options *options, mill_stats *stats,
                                  mill_error *err);

/* ---- threads ---- */

/* How the number of compute threads comes about: the least of what OpenMP grants the calling thread
 * (OMP_NUM_THREADS, OMP_THREAD_LIMIT), the affinity mask, the cgroup CPU quota (rounded up) and
 * SLURM_CPUS_PER_TASK, or requested when that is > 0. 0 in a field: no such limit. */
typedef struct mill_threads_info {
    int requested, openmp, affinity, quota, chosen;
    char reason[200]; /* one sentence for people */
} mill_threads_info;
MILL_API mill_threads_info mill_threads(int requested);

#ifdef __cplusplus
}
#endif
#endif
