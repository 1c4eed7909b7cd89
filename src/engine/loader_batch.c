/* SPDX-License-Identifier: Apache-2.0 */
/* engine/loader_batch.c: batches of the loader. Their memory is a pool that the loader and every held batch
 * refer to, so that a batch can be released after the loader was closed, on any thread. */
#include "base/clock.h"
#include "base/error.h"
#include "engine/loader_state.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static void *take(const mill_allocator *a, size_t nbytes)
{
    return a->alloc ? a->alloc(a->user, nbytes) : mill__alloc(nbytes);
}

static void give(const mill_allocator *a, void *data, size_t nbytes)
{
    if (!a->alloc)
        mill__free(data);
    else if (data && a->free)
        a->free(a->user, data, nbytes);
}

static void free_batch(const mill__load_pool *pool, mill_batch *b)
{
    uint8_t *slab = b->rows.slab;
    b->rows.slab = NULL;
    give(&pool->allocator, slab, pool->capacity * pool->row_nbytes);
    if (b->rows.rows && b->items)
        mill__load_empty(b);
    mill__batch_free(&b->rows);
    pthread_mutex_destroy(&b->lock);
    free(b->items);
    free(b->sorted);
    mill__free(b->labels);
    mill__free(b->shards);
    mill__free(b->samples);
    mill__free(b->mask);
    mill__free(b->shares);
    mill__free(b->others);
}

static void free_pool(mill__load_pool *pool)
{
    for (int i = 0; i < pool->nbatches; i++)
        free_batch(pool, &pool->batches[i]);
    pthread_mutex_destroy(&pool->lock);
    free(pool->batches);
    free(pool);
}

static bool open_batch(mill__load_pool *pool, mill_batch *b)
{
    size_t n = pool->capacity, nbytes = n * pool->row_nbytes;
    pthread_mutex_init(&b->lock, NULL);
    b->pool = pool;
    if (mill__batch_open(&b->rows, n))
        return false;
    b->items = calloc(n, sizeof *b->items);
    b->sorted = calloc(n, sizeof *b->sorted);
    b->labels = mill__alloc(n * sizeof *b->labels);
    b->shards = mill__alloc(n * sizeof *b->shards);
    b->samples = mill__alloc(n * sizeof *b->samples);
    b->mask = mill__alloc(n);
    if (pool->mixes) {
        b->shares = mill__alloc(n * sizeof *b->shares);
        b->others = mill__alloc(n * sizeof *b->others);
        if (!b->shares || !b->others)
            return false;
    }
    b->rows.slab = nbytes ? take(&pool->allocator, nbytes) : NULL;
    return b->items && b->sorted && b->labels && b->shards && b->samples && b->mask &&
           (b->rows.slab || !nbytes) && (uintptr_t)b->rows.slab % 64 == 0;
}

mill_status mill__load_pool_open(mill__load_pool **out, mill__loader *l, int nbatches, size_t capacity,
                                 mill_error *err)
{
    const mill__plan *plan = l->config.engine.job.plan;
    mill__load_pool *pool = *out = calloc(1, sizeof *pool);
    mill_batch *batches = calloc((size_t)nbatches, sizeof *batches);
    if (!pool || !batches) {
        free(pool);
        free(batches);
        *out = NULL;
        return mill__no_memory(err, (size_t)nbatches * sizeof *batches, "batches");
    }
    *pool = (mill__load_pool){.pid = getpid(),
                              .references = 1,
                              .loader = l,
                              .allocator = l->config.allocator,
                              .type = plan->output,
                              .row_nbytes = plan->row_nbytes,
                              .capacity = capacity,
                              .mixes = l->config.mix != MILL__MIX_NONE,
                              .batches = batches};
    pthread_mutex_init(&pool->lock, NULL);
    for (; pool->nbatches < nbatches; pool->nbatches++)
        if (!open_batch(pool, &batches[pool->nbatches])) {
            pool->nbatches++;
            return mill__no_memory(err, capacity * pool->row_nbytes, "a batch");
        }
    return MILL_OK;
}

void mill__load_pool_leave(mill__load_pool *pool)
{
    if (atomic_fetch_sub(&pool->references, 1) == 1)
        free_pool(pool);
}

void mill__load_empty(mill_batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].unread)
            mill__load_forget(&b->items[i]);
    b->rows.n = b->n;
    mill__batch_reset(&b->rows);
    b->n = 0;
    b->end = false;
    b->failed = MILL_OK;
    b->carried_nbytes = 0;
    b->replaced = b->substituted = b->padded = 0;
}

void mill__load_show(mill_batch *b, size_t i)
{
    const mill__row *row = &b->rows.rows[i];
    b->labels[i] = row->label;
    b->shards[i] = (int64_t)row->shard;
    b->samples[i] = row->sample;
    b->mask[i] = !b->items[i].place.padded && !row->status;
}

/* ---- what the consumer sees ---- */

int64_t mill_batch_size(const mill_batch *b)
{
    return b ? (int64_t)b->n : 0;
}

int64_t mill_batch_epoch(const mill_batch *b)
{
    return (int64_t)b->epoch_number;
}

int64_t mill_batch_step(const mill_batch *b)
{
    return (int64_t)b->step;
}

mill_status mill_batch_field(const mill_batch *b, const char *name, mill_tensor *tensor, mill_error *err)
{
    const mill_type *type = &b->pool->type;
    bool image = type->layout == MILL_HWC || type->layout == MILL_CHW;
    const mill_type whole = {.dtype = MILL_I64}, byte = {.dtype = MILL_U8}, real = {.dtype = MILL_F32};
    if (!strcmp(name, image ? "image" : "data") && b->rows.slab)
        *tensor = (mill_tensor){.type = *type, .data = b->rows.slab};
    else if (!strcmp(name, "label"))
        *tensor = (mill_tensor){.type = whole, .data = b->labels};
    else if (!strcmp(name, "shard"))
        *tensor = (mill_tensor){.type = whole, .data = b->shards};
    else if (!strcmp(name, "sample"))
        *tensor = (mill_tensor){.type = whole, .data = b->samples};
    else if (!strcmp(name, "mask"))
        *tensor = (mill_tensor){.type = byte, .data = b->mask};
    else if (b->pool->mixes && !strcmp(name, "label_b"))
        *tensor = (mill_tensor){.type = whole, .data = b->others};
    else if (b->pool->mixes && !strcmp(name, "lambda"))
        *tensor = (mill_tensor){.type = real, .data = b->shares};
    else
        return mill_fail(err, MILL_USAGE, "field",
                         "batches have no field \"%s\"; they have %s, label, %smask, shard and sample", name,
                         image ? "image" : "data", b->pool->mixes ? "label_b, lambda, " : "");
    tensor->n = (int64_t)b->n;
    return MILL_OK;
}

const char *mill_batch_key(const mill_batch *b, int64_t i)
{
    if (i < 0 || i >= (int64_t)b->n)
        return NULL;
    const char *key = b->rows.rows[i].key;
    return key ? key : "";
}

mill_status mill_batch_bytes(const mill_batch *b, int64_t i, const char *name, const void **data,
                             size_t *nbytes)
{
    if (i < 0 || i >= (int64_t)b->n)
        return MILL_END;
    const mill__row *row = &b->rows.rows[i];
    for (int k = 0; k < row->ncarried; k++)
        if (!strcasecmp(row->carried[k].name, name)) {
            *data = row->blob.data ? row->blob.data + row->carried[k].offset : NULL; /* NULL: it is empty */
            *nbytes = row->carried[k].nbytes;
            return MILL_OK;
        }
    return MILL_END;
}

const mill_issue *mill__loader_issues(const mill_batch *b, size_t *n)
{
    *n = b->rows.nissues;
    return b->rows.issues;
}

void mill__loader_tally(const mill_batch *b, int64_t *substituted, int64_t *padded, int64_t *replaced)
{
    *substituted = b->substituted;
    *padded = b->padded;
    *replaced = b->replaced;
}

void mill_batch_release(mill_batch *b)
{
    if (!b)
        return;
    mill__load_pool *pool = b->pool;
    if (pool->pid != getpid())
        return; /* forked: the memory is a copy, whose locks and owners are in the parent */
    uint64_t carried = b->carried_nbytes;
    mill__load_empty(b);
    pthread_mutex_lock(&pool->lock); /* close() takes it before the loader goes */
    mill__loader *l = pool->loader;
    if (l) {
        pthread_mutex_lock(&l->lock);
        l->carried_used -= carried;
        b->state = MILL__LOAD_FREE;
        l->held--;
        if (l->blocked_since) {
            l->stats.blocked_ns += mill__now_ns() - l->blocked_since;
            l->blocked_since = 0;
        }
        if (!l->groups) /* else a compute thread does it soon, and not at the consumer's cost */
            mill__load_pump(l);
        pthread_mutex_unlock(&l->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    mill__load_pool_leave(pool);
}
