/* SPDX-License-Identifier: Apache-2.0 */
/* engine/state.h: the engine's own state, shared by its files. One mutex guards everything that is not said
 * to be someone's alone.
 *
 *   input.c   opens shards and reads their blocks, in order, as far ahead as depth and budget allow
 *   step.c    what a compute thread can take up: steps; walking and transforming them; completing batches
 *   team.c    the compute threads: the OpenMP task graph and the plain loop (knows none of this)
 *   engine.c  open, next, release, close */
#ifndef MILL_ENGINE_STATE_H
#define MILL_ENGINE_STATE_H

#include "base/trace.h"
#include "engine/engine.h"
#include "engine/team.h"
#include <pthread.h>
#include <stdatomic.h>

typedef struct mill__shard mill__shard;

/* A stretch of a shard in memory. Alive until it is walked and the last step that looks into it is done.
 *
 * Its bytes lie in a piece, one of a fixed number of equal ones that go round. Where a sample is cut by the
 * end of a block, the block's tail stays until the next block is walked, and is then put in front of that
 * one's bytes, into room kept there. A tail that does not fit goes with the next block into memory of its
 * own, which grows as the sample does. That memory has a share of the budget which no piece uses, and of it
 * as much as one sample can take is kept for the oldest shard: so that one always gets on. */
typedef struct mill__block {
    mill__shard *shard;
    mill__io_request request;
    uint8_t *memory;   /* a piece, or capacity bytes of its own */
    size_t capacity;   /* 0: a piece */
    size_t room;       /* in front of the bytes, for what the block before cut off */
    size_t nbytes;     /* read */
    bool last;         /* of its shard */
    bool ready;        /* to be walked: read, or failed, or cached */
    bool cached;       /* not handed in: to be taken from the page cache by the walk */
    bool small;        /* one thread does all that is to be done with it */
    bool joined;       /* at and left are set */
    bool walked;       /* nothing more to take from it */
    int steps;         /* that still look into it; one more while it is a tail */
    const uint8_t *at; /* the walk's: what is left of it */
    size_t left;
    struct mill__block *next;
} mill__block;

struct mill__shard {
    struct mill__engine *engine;
    size_t ordinal;
    const mill__shard_name *name;
    const mill_source_ops *source;
    void *source_user;
    const mill__format_ops *format;
    mill__io_request request; /* open, close */
    mill_error error;         /* of open */
    mill_status status;
    bool opened, kept; /* the open request is done; the shard need not be read */
    bool handle_open;
    void *handle;
    mill_shard_info info;   /* as it is seen: */
    uint64_t stored_nbytes; /* its file may be smaller */
    uint64_t issued;        /* bytes whose read was handed in */
    /* rows that are reduced where they lie: where the first unit begins, and how long one is; else 0 */
    uint64_t first_unit, unit_nbytes;
    bool all_issued;
    mill__block *blocks, **blocks_end; /* in order, not walked yet */
    int live_blocks, cached;           /* cached: of those, to be taken from the page cache */
    /* the walk's alone (one walk at a time) */
    void *walker;
    mill__block *tail; /* the last block, if it ended within a sample: what is left of it */
    size_t need;       /* bytes that the sample is known to want */
    uint64_t position;
    bool walking, ended;
    struct mill__slot *filling; /* batch that has free places */
    int64_t sequence, delivered, samples;
    int batches;         /* not yet released */
    bool last_delivered; /* the consumer has had its last batch */
    mill__shard *next;
};

typedef struct mill__slot {
    mill__batch batch; /* first: a batch is its slot */
    mill__shard *shard;
} mill__slot;

/* A walk over at most as many samples as a batch has places, then chunks of transforms. */
typedef struct mill__step {
    mill__unit unit; /* first: a unit is its step */
    mill__block *block;
    mill__shard *shard;
    mill__slot *slot;
    size_t first, count;
    int left;       /* chunks that are not done */
    size_t missing; /* rows of the shard's last unit that do not exist; the first chunk sees to that */
    bool block_done, ended;
    bool missed;          /* the block was not in the page cache: it is to be read first */
    size_t joined_nbytes; /* memory for the tail and this block; 0: the tail fits in front */
    size_t charged;       /* of the budget, for that */
    bool adopts;          /* that memory is the tail's, made larger */
    bool too_long;        /* the sample takes more memory than any may */
    struct mill__step *next;
} mill__step;

struct mill__engine {
    mill__engine_config config;
    pthread_mutex_t lock;
    pthread_cond_t work; /* compute threads and driver */
    pthread_cond_t out;  /* consumer */
    pid_t pid;
    mill__io *io;
    struct mill__joined *joined; /* NULL: samples lie within shards */

    /* limits, fixed at open */
    size_t piece_nbytes, room_nbytes; /* of a piece, kept in front for a tail */
    uint64_t joined_nbytes;           /* for tails and blocks that do not fit a piece; of it: */
    uint64_t reserve_nbytes;          /* kept for the oldest shard */
    size_t max_sample_nbytes;
    uint64_t view_nbytes; /* what a compressed shard may take while it is open */
    int max_active, max_pieces, chunks;
    size_t places;              /* rows of a batch */
    size_t batch_source_nbytes; /* a batch takes no more samples beyond this */

    /* input */
    mill__shard *shards, **shards_end; /* active ones, in order */
    mill__shard *issuing;              /* the next to read from */
    size_t next_ordinal;
    int active, pieces, reads; /* pieces: in use */
    int cached;                /* blocks to be taken from the page cache */
    void *free_pieces;         /* each begins with a pointer to the next */
    uint64_t joined_used, peak_used, fixed_used, bytes_total;
    size_t opened;

    /* output */
    mill__slot *slots;
    int nslots, free_slots, complete;
    size_t limit; /* shards to deliver: all, or fewer after stop_after */

    /* compute */
    mill__worker *workers;
    mill__step *spare_steps;
    mill__team team;
    int64_t steps;
    atomic_llong busy_ns; /* inside walks and transforms, all threads */
    atomic_bool stop;
    mill_status failure; /* the engine itself broke */
    mill_error failure_error;
};

/* input.c; lock held unless said otherwise */
void mill__input_pump(mill__engine *e);
bool mill__block_fetch(mill__engine *e, mill__block *block); /* if it is cached; lock not held */
void mill__block_fetched(mill__engine *e, mill__block *block, bool fetched); /* it was, or is to be read */
void mill__block_release(mill__engine *e, mill__block *block);               /* one step less, or walked */
void mill__piece_give(mill__engine *e, void *piece);
void mill__input_charge(mill__engine *e, int64_t joined);      /* note what is in use */
void mill__shard_settle(mill__engine *e, mill__shard *shard);  /* close it if nothing needs it any more */
void mill__input_discard(mill__engine *e, mill__shard *shard); /* what is not walked is not wanted */
void mill__input_free(mill__engine *e);                        /* at close, I/O at rest */

/* step.c */
extern const mill__team_ops mill__step_ops;
void mill__engine_fail(mill__engine *e, mill_status status, const mill_error *err); /* lock held */

#endif
