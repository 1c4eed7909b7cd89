/* SPDX-License-Identifier: Apache-2.0 */
/* engine/loader_state.h: the loader's own state, shared by its files. One mutex guards all that is not said
 * to be someone's alone.
 *
 *   loader_plan.c   which samples a batch is made of, and the groups of reads that bring them
 *   loader_shard.c  shards: indexed, opened and closed on I/O threads
 *   loader_read.c   reads of groups, in order, as far as depth and budget allow
 *   loader_work.c   what compute threads do with a group; completing and mending batches
 *   loader_mix.c    mixup and cutmix
 *   loader_batch.c  batches, which may outlive the loader
 *   loader.c        open, next, close
 */
#ifndef MILL_ENGINE_LOADER_STATE_H
#define MILL_ENGINE_LOADER_STATE_H

#include "base/trace.h"
#include "engine/joined.h"
#include "engine/loader.h"
#include "engine/team.h"
#include "kernel/augment.h"
#include "kernel/convert.h"
#include <pthread.h>

typedef struct mill__load_shard {
    enum { MILL__SHARD_CLOSED, MILL__SHARD_BUSY, MILL__SHARD_OPEN } state; /* busy: a job is at it */
    bool indexed, wanted;                                                  /* wanted: a job was begun */
    bool told; /* what its index has to tell went into a batch */
    const mill__format_ops *format;
    int users;     /* reads of groups that have begun: it is to stay open, or will be opened */
    uint64_t used; /* when last: closed first is what was unused longest */
    void *handle;
    mill_shard_info info;
    mill__index index;
    mill_error *error; /* why it could not be opened again; NULL: none */
} mill__load_shard;

/* A sample at its place in a batch. */
typedef struct mill__load_item {
    mill__place place;
    mill__extent extent;
    uint64_t tries;        /* how many positions farther on than its own */
    const mill_issue *bad; /* known to be bad without being read */
    bool too_large;
    bool direct, joined; /* read to its place in the batch; together with the one before it */
    size_t at;           /* where it lies in its read's memory */
    struct mill__load_read *read;
    const mill_error *unread; /* why its bytes are not there */
} mill__load_item;

/* Bytes of one shard that are read at once. */
typedef struct mill__load_read {
    mill__io_request request;
    struct mill__load_group *group;
    size_t shard;
    uint64_t offset;
    size_t nbytes;
    uint8_t *to; /* where they belong in the batch; NULL: to the group's memory, */
    size_t at;   /* there */
    bool issued;
    bool cached; /* not handed in: to be taken from the page cache when the group is walked */
} mill__load_read;

/* Samples of one batch that are read, walked and transformed together. */
typedef struct mill__load_group {
    mill__unit unit; /* first: a unit is its group */
    struct mill_batch *batch;
    size_t first, count; /* of the batch's sorted places */
    bool begun;          /* it has its memory, and its shards are kept open for it */
    uint8_t *memory;     /* NULL: all is read to its place in the batch */
    size_t nbytes, capacity;
    uint64_t carried_nbytes; /* expected of its rows' fields */
    mill__load_read *reads;
    size_t nreads, issued, outstanding; /* outstanding: not done yet, issued or not */
    int left;                           /* chunks that are not done */
    bool missed;                        /* not all was in the page cache: to be read, and walked then */
    struct mill__load_group *next;      /* queued, ready */
} mill__load_group;

/* The order of an epoch; alive while a batch of it is being made. */
typedef struct mill__load_epoch {
    mill__order order;
    int batches;
    size_t told;                   /* shards of the sequence whose findings went into batches */
    struct mill__load_epoch *next; /* spare */
} mill__load_epoch;

typedef enum mill__load_state {
    MILL__LOAD_FREE,
    MILL__LOAD_MAKING,
    MILL__LOAD_MENDING, /* bad samples are to be replaced, but counts are wanted first */
    MILL__LOAD_COMPLETE,
    MILL__LOAD_HELD
} mill__load_state;

struct mill_batch {
    mill__batch rows; /* rows, slab, arena, issues */
    struct mill__load_pool *pool;
    mill__load_state state;
    bool end; /* no batch, but the end of an epoch */
    int64_t sequence;
    uint64_t epoch_number, step;
    mill__load_epoch *epoch;
    size_t n;
    mill__load_item *items; /* by place */
    uint32_t *sorted;       /* places in the order of their bytes */
    size_t pending;         /* rows that are being made */
    int64_t replaced, substituted, padded;
    uint64_t carried_nbytes; /* fields that rows bring along: taken of the loader's budget */
    mill_status failed;      /* it cannot be made: the consumer gets this error in its place */
    mill_error why;
    pthread_mutex_t lock; /* of the arena: groups of a batch are walked at once */
    /* what is shown */
    int64_t *labels, *shards, *samples;
    uint8_t *mask;
    /* if rows are mixed */
    mill__load_group mix; /* all pairs; no samples */
    float *shares;        /* of a row in itself; the rest is its neighbour's */
    int64_t *others;      /* labels of the neighbours */
};

/* How rows are mixed. */
typedef struct mill__mixer {
    mill__mix kind;
    double alpha;
    mill_type type; /* of a row */
    size_t row_nbytes;
    const mill__augment_kernels *kernels;
    mill__convert *convert;
} mill__mixer;

/* Batches and what they need; ended by the loader or the last release, whichever comes later. */
typedef struct mill__load_pool {
    pid_t pid;
    pthread_mutex_t lock;
    atomic_int references; /* the loader's, and one for each held batch */
    mill__loader *loader;  /* NULL: closed; under lock */
    mill_allocator allocator;
    mill_type type; /* of a row */
    size_t row_nbytes, capacity;
    bool mixes;
    int nbatches;
    struct mill_batch *batches;
} mill__load_pool;

struct mill__loader {
    mill__loader_config config;
    pthread_mutex_t lock;
    pthread_cond_t work, out;
    pid_t pid;
    mill__io *io;
    mill__joined *joined; /* NULL: samples lie within shards */
    mill__team team;
    mill__worker *workers;
    atomic_bool stop;
    mill_status failure;
    mill_error failure_error;

    uint64_t input_nbytes, group_nbytes, max_sample_nbytes;
    uint64_t view_nbytes; /* what a compressed shard may take while it is open */

    /* shards */
    mill__load_shard *shards;
    int indexing, open, closing; /* open: or being opened or closed */
    int pinned;                  /* shards that have users */
    int max_open, group_shards;  /* open at most; needed by a group at most */
    size_t *open_shards;         /* those that are open */
    size_t nopen;
    uint64_t clock;

    /* planning */
    mill__load_epoch *planning, *spare_epochs; /* planning NULL: not begun, or all epochs are planned */
    uint64_t plan_epoch, plan_step;
    size_t nshards;    /* that take part; fewer with first_samples */
    uint64_t last_cap; /* samples of the last of them that take part */
    uint64_t subset_known;
    size_t subset_counted;
    bool subset_done, plan_done;
    int64_t next_sequence;

    /* reads */
    bool direct; /* rows that are stored as the pipeline takes them may be read to their places */
    mill__load_group *queue, **queue_end; /* groups that have reads to issue, in order */
    int reads;
    bool carried_known;
    double carried_share; /* of a group's bytes: fields that are brought along */
    uint64_t input_used, carried_used, peak_used, fixed_used;
    struct {
        uint8_t *memory;
        size_t capacity;
    } spare[16];
    int nspare;

    /* compute */
    mill__load_group *ready; /* by sequence of their batches */
    int groups;              /* alive */
    int mending;             /* batches that wait for counts */

    mill__mixer mixer;

    /* the consumer */
    mill__load_pool *pool;
    int64_t deliver_sequence;
    uint64_t at_epoch, at_step;
    int held;
    mill_loader_stats stats;
    int64_t opened_ns, blocked_since;
    atomic_llong index_ns, read_ns, walk_ns, transform_ns;
    atomic_ullong bytes_in;
};

/* All with the lock held unless said otherwise. */

/* loader.c */
void mill__load_fail(mill__loader *l, mill_status status, const mill_error *err);
/* Begin all that can be begun. The team's threads tell the consumer of complete batches themselves (tell in
 * team.h); for others pump does. */
void mill__load_go_on(mill__loader *l);
void mill__load_pump(mill__loader *l);

/* loader_plan.c */
void mill__load_begin(mill__loader *l);                      /* the epoch plan_epoch */
bool mill__load_plan(mill__loader *l);                       /* one more batch; false: not now */
void mill__load_mend(mill__loader *l, struct mill_batch *b); /* find replacements for bad rows, or wait */
void mill__load_advance(mill__loader *l);                    /* counts: take what is known, ask for more */
void mill__load_epoch_release(mill__loader *l, mill__load_epoch *epoch);

/* loader_shard.c */
void mill__load_index(mill__loader *l, size_t shard);
bool mill__load_open(mill__loader *l, size_t shard); /* is it open? if not, see that it will be */
bool mill__load_shortage(const mill_error *why);     /* of memory or descriptors */
const mill__shard_name *mill__load_name(const mill__loader *l, size_t shard);
const mill_source_ops *mill__load_source(const mill__loader *l, size_t shard);
void mill__load_formats(mill__loader *l); /* find those of all shards */
const mill__format_ops *mill__load_format(const mill__loader *l, size_t shard);
void mill__load_shards_free(mill__loader *l); /* at close, I/O at rest */

/* loader_read.c */
mill_status mill__load_enqueue(mill__loader *l, struct mill_batch *b, size_t n, bool first, mill_error *err);
bool mill__load_small(const mill__loader *l); /* groups fit a core's cache: what is done to them is quick */
void mill__load_issue(mill__loader *l);
bool mill__load_fetch(mill__loader *l, mill__load_group *g);   /* what is cached; lock not held */
void mill__load_reissue(mill__loader *l, mill__load_group *g); /* what was not */
void mill__load_forget(mill__load_item *item);                 /* why it could not be read */
uint8_t *mill__load_bytes(const mill__load_item *item);        /* that were read for it */
void mill__load_direct_open(mill__loader *l);                  /* lock not held */
void mill__load_carried(mill__loader *l,
                        const mill__load_group *g);               /* its rows are made: count their fields */
void mill__load_group_free(mill__loader *l, mill__load_group *g); /* at rest */
void mill__load_reads_free(mill__loader *l);

/* loader_work.c */
extern const mill__team_ops mill__load_ops;
void mill__load_ready(mill__loader *l, mill__load_group *g);   /* all its reads are done */
void mill__load_settle(mill__loader *l, struct mill_batch *b); /* no row is pending */
/* The batch cannot be made. Those before it can, so the consumer is told when it comes to it. */
void mill__load_refuse(mill__loader *l, struct mill_batch *b, const mill_error *why);

/* loader_mix.c */
void mill__load_mix_open(mill__loader *l);                  /* lock not held */
bool mill__load_mix(mill__loader *l, struct mill_batch *b); /* hand out b's pairs; false: nothing to mix */
bool mill__load_is_mix(const mill__load_group *g);
void mill__load_mix_chunk(mill__loader *l, struct mill_batch *b, size_t begin,
                          size_t end); /* lock not held */

/* loader_batch.c */
mill_status mill__load_pool_open(mill__load_pool **out, mill__loader *l, int nbatches, size_t capacity,
                                 mill_error *err);
void mill__load_pool_leave(mill__load_pool *pool);    /* lock not held */
void mill__load_show(struct mill_batch *b, size_t i); /* fill what is shown of a row; lock not held */
void mill__load_empty(struct mill_batch *b);          /* forget what is in it */

#endif
