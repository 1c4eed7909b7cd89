/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill/loader.h: batches for a training job, in an order that is a function of (seed, epoch, data set)
 * alone: bit-identical for any number of threads, any timing and, with the same global batch, any world size.
 */
#ifndef SHARDMILL_LOADER_H
#define SHARDMILL_LOADER_H

#include <shardmill/run.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- ranks ---- */

/* Which of how many processes this one is. world_size 0: found out from the environment; the first of these
 * that is set: SHARDMILL_RANK with SHARDMILL_WORLD_SIZE, RANK with WORLD_SIZE, OMPI_COMM_WORLD_RANK and
 * _SIZE, PMIX_RANK with PMIX_SIZE, PMI_RANK with PMI_SIZE, SLURM_PROCID with SLURM_STEP_NUM_TASKS (inside a
 * step only); otherwise rank 0 of 1. */
typedef struct mill_rank_info {
    int rank, world_size;
    char reason[200]; /* one sentence for people */
} mill_rank_info;
MILL_API mill_status mill_ranks(int rank, int world_size, mill_rank_info *info, mill_error *err);

/* ---- options ---- */

typedef enum mill_shuffle {
    MILL_SHUFFLE_NONE = 0, /* shards as the spec names them, samples as they lie */
    MILL_SHUFFLE_WINDOW,   /* shards permuted; then each window of samples permuted */
    MILL_SHUFFLE_GLOBAL /* all samples permuted: the counts of all shards are needed before the first batch */
} mill_shuffle;

/* Rows 2k and 2k + 1 of a batch are mixed with each other, both of them: as random a pair as any if the order
 * is shuffled, and, if the batch size is even, the same at any world size. A row's share of itself is
 * "lambda", drawn from Beta(alpha, alpha) for each pair; the label of the other is "label_b". Rows whose mask
 * is 0, their neighbours and the last of an odd number stay as they are: lambda 1, label_b their own label.
 */
typedef enum mill_mix {
    MILL_MIX_NONE = 0,
    MILL_MIX_MIXUP, /* weighed sums, in float: for f32, f16, bf16 and u8 */
    MILL_MIX_CUTMIX /* a rectangle is exchanged: for images; lambda is the share of the area that stays */
} mill_mix;

/* Memory for the tensors of batches, when it is to be pinned, shared or on a certain node. Both are called on
 * the thread that calls mill_loader_open(), and free on the one that ends the last use of the loader. alloc
 * gives nbytes at an address that is a multiple of 64, or NULL. */
typedef struct mill_allocator {
    void *(*alloc)(void *user, size_t nbytes);
    void (*free)(void *user, void *data, size_t nbytes);
    void *user;
} mill_allocator;

/* Zero or NULL means the default in every field. */
typedef struct mill_loader_options {
    size_t struct_nbytes;
    mill_options run;   /* used: threads, io_depth, io, executor, memory_nbytes, seed, policy, max_errors (bad
                           samples that are allowed in all), max_pixels, trace, source, source_user, format,
                           user, on_issue (called within mill_loader_next) */
    int64_t batch_size; /* samples of one batch of one rank; default 32 */
    mill_shuffle shuffle;
    int64_t window;        /* samples, for MILL_SHUFFLE_WINDOW; default 8192 */
    int64_t epochs;        /* default 1; < 0: endless */
    int drop_last;         /* leave out the samples of an epoch that do not fill a global batch */
    int64_t first_samples; /* only the first n of the data set, in the spec's order; default all */
    int64_t repeat;        /* an epoch has each sample so many times, with other random numbers; default 1 */
    int rank, world_size;  /* world_size 0: see mill_ranks() */
    int prefetch;          /* batches made ahead of the consumer; default 4, fewer if memory is short */
    const char *fields;    /* fields of samples to bring along, blank-separated ("json txt"); NULL: json */
    const char *index;     /* where indexes of shards are kept: NULL or "auto": beside the shard, else in
                              $XDG_CACHE_HOME/shardmill or ~/.cache/shardmill; "none"; or a folder */
    const char *state;     /* continue from here: a text of mill_loader_state() */
    const mill_allocator *allocator; /* copied */
    mill_mix mix;
    double mix_alpha; /* default 1: every share is as likely */
} mill_loader_options;

MILL_API mill_loader_options mill_loader_options_default(void);

/* ---- the loader ---- */

typedef struct mill_loader mill_loader;
typedef struct mill_batch mill_batch;

/* Open a loader and let it begin. The pipeline and all texts may be freed afterwards (transforms and a source
 * of your own must outlive the loader). The number of compute threads is that of the calling thread's OpenMP
 * settings unless options->run.threads says otherwise; nothing of the caller's OpenMP or BLAS is changed. The
 * pipeline must end in tensors of one fixed shape. Several loaders may be open at once. */
MILL_API mill_status mill_loader_open(mill_loader **loader, const char *spec, const mill_pipeline *pipeline,
                                      const mill_loader_options *options, mill_error *err);

/* The next batch; blocks until it is there, asleep. MILL_END: the epoch is over (once for each epoch: the
 * next call begins the next one, and after the last epoch the answer stays MILL_END). Batches are handed out
 * in order; one thread at a time. Bad samples: with policy fail, the batch that would hold one is not given:
 * MILL_BAD_DATA, MILL_IO or MILL_LIMIT, and the loader stays failed. With skip, the place of a bad sample is
 * taken by the next good one of the epoch's order (which then comes twice), so that all ranks keep the same
 * number of batches without a word between them. With substitute it is zeros, and its mask is 0. A shortage
 * of memory or descriptors is no bad sample: the loader fails, whatever the policy. MILL_USAGE of kind
 * "held": the caller holds all batches that there are (prefetch + 2, or fewer if memory is short); release
 * one and call again. */
MILL_API mill_status mill_loader_next(mill_loader *loader, mill_batch **batch, mill_error *err);
/* The same, but waits at most timeout_ms; MILL_AGAIN: not in time. */
MILL_API mill_status mill_loader_try_next(mill_loader *loader, int timeout_ms, mill_batch **batch,
                                          mill_error *err);

/* Where the consumer is: a printable line of less than 256 bytes. A loader opened with it gives the very next
 * batch after the last one that mill_loader_next() gave; thread count and, as long as batch_size * world_size
 * stays the same, world size may differ. Of another data set, pipeline or order: MILL_USAGE at open. Belongs
 * to the caller. */
#define MILL_STATE_NBYTES 256
MILL_API mill_status mill_loader_state(mill_loader *loader, char state[MILL_STATE_NBYTES], mill_error *err);

typedef struct mill_loader_stats {
    int64_t epoch, step;                  /* of the batch that comes next */
    int64_t batches, samples;             /* given to the consumer, padding not counted */
    int64_t skipped;                      /* bad samples replaced by others */
    int64_t substituted;                  /* bad samples replaced by zeros */
    int64_t padded;                       /* rows that only make ranks alike */
    int64_t epoch_samples, epoch_batches; /* of the epoch and of each rank; -1: not known yet */
    uint64_t bytes_in, bytes_out;
    int64_t elapsed_ns;
    int64_t first_batch_ns; /* from open to the first batch; 0: none yet */
    int64_t waited_ns;      /* the consumer waited within next(): it starved */
    int64_t blocked_ns;     /* the loader had nothing to do, because all batches made ahead were waiting */
    /* busy time by kind of task, over all threads; what is copied from the page cache is part of the walk */
    int64_t index_ns, read_ns, walk_ns, transform_ns;
    int ready;                           /* batches that wait for the consumer: queue depth */
    int held;                            /* batches with the consumer */
    int reads;                           /* in flight */
    uint64_t memory_nbytes, peak_nbytes; /* taken of the budget now, and at the most */
    int threads, rank, world_size;
    const char *io, *executor;
    const char *level; /* instruction sets that kernels use: "c", "x86-64-v3", ... */
} mill_loader_stats;
MILL_API void mill_loader_stats_get(mill_loader *loader, mill_loader_stats *stats);

/* From any thread: mill_loader_next() answers MILL_CANCELED from now on, at once. */
MILL_API void mill_loader_cancel(mill_loader *loader);
/* At any moment; NULL is fine. A call that waits in another thread comes back with MILL_CANCELED first.
 * Batches that are still held stay valid until they are released. */
MILL_API void mill_loader_close(mill_loader *loader);

/* ---- batches ---- */

/* Rows; less than batch_size only at an epoch's end. */
MILL_API int64_t mill_batch_size(const mill_batch *batch);
MILL_API int64_t mill_batch_epoch(const mill_batch *batch);
MILL_API int64_t mill_batch_step(const mill_batch *batch); /* ordinal in its epoch */

/* A field of all rows as one tensor: data of n samples of type, dense, 64-byte aligned, the batch's own until
 * release. Names: "image" (or "data" for what is no image): what the pipeline makes; "label": i64, -1 where
 * there is none; "label_b": i64, and "lambda": f32, if rows are mixed; "mask": u8, 1 for a sample, 0 for
 * padding and for what was substituted; "shard" and "sample": i64, ordinals of the shard in the data set and
 * of the sample in the shard. */
MILL_API mill_status mill_batch_field(const mill_batch *batch, const char *name, mill_tensor *tensor,
                                      mill_error *err);
/* The key of row i; NULL past the last. */
MILL_API const char *mill_batch_key(const mill_batch *batch, int64_t i);
/* The bytes of a field of row i that was brought along ("json", ...); MILL_END when the sample has none. */
MILL_API mill_status mill_batch_bytes(const mill_batch *batch, int64_t i, const char *name, const void **data,
                                      size_t *nbytes);
/* Give it back; from any thread, also after the loader was closed. NULL is fine. */
MILL_API void mill_batch_release(mill_batch *batch);

/* ---- indexes ---- */

typedef struct mill_index_options {
    size_t struct_nbytes;
    mill_options run;   /* used: io_depth, source, source_user, format, user, on_issue, memory_nbytes */
    const char *folder; /* where; NULL: beside each shard */
    int dali;           /* write NVIDIA DALI's wds2idx text (v1.2), as shard.idx, instead of our own; read by
                           loaders when it lies beside the shard and is no older */
    void (*on_shard)(void *user, const char *shard, int64_t samples, const char *path);
} mill_index_options;
MILL_API mill_index_options mill_index_options_default(void);
/* Index every shard that spec names. Formats that need none are passed over (samples are told, path is NULL).
 */
MILL_API mill_status mill_index(const char *spec, const mill_index_options *options, mill_stats *stats,
                                mill_error *err);

#ifdef __cplusplus
}
#endif
#endif
