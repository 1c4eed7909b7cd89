/* SPDX-License-Identifier: Apache-2.0 */
/* engine/loader_read.c: a batch's samples become groups of reads. Samples that lie together in a shard are
 * one read; a group is large enough to be worth a task and small enough that a batch gives work to all
 * threads. Reads are issued in the order of batches, and memory is taken in that order. */
#include "base/clock.h"
#include "base/error.h"
#include "engine/loader_state.h"
#include <stdlib.h>
#include <string.h>

enum { GAP_NBYTES = 32 << 10, PAGE_NBYTES = 64 << 10, MOST_IN_GROUP = 4096 };

/* ---- sorting ---- */

static int by_place_in_shards(const void *a, const void *b, void *items)
{
    const mill__load_item *x = (const mill__load_item *)items + *(const uint32_t *)a;
    const mill__load_item *y = (const mill__load_item *)items + *(const uint32_t *)b;
    if (x->place.shard != y->place.shard)
        return x->place.shard < y->place.shard ? -1 : 1;
    if (x->extent.offset != y->extent.offset)
        return x->extent.offset < y->extent.offset ? -1 : 1;
    return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : *(const uint32_t *)a > *(const uint32_t *)b;
}

static bool is_sorted(mill_batch *b, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (by_place_in_shards(&b->sorted[i - 1], &b->sorted[i], b->items) > 0)
            return false;
    return true;
}

/* ---- groups ---- */

static bool needs_bytes(const mill__load_item *item)
{
    return !item->bad && !item->too_large;
}

static size_t read_nbytes(const mill__load_item *item)
{
    return needs_bytes(item) ? (size_t)item->extent.nbytes : 0;
}

/* Whether item can be had by making read r a little longer. */
static bool extends(const mill__load_read *r, const mill__load_item *item, size_t most)
{
    uint64_t end = r->offset + r->nbytes;
    return r->shard == item->place.shard && item->extent.offset >= r->offset &&
           item->extent.offset <= end + GAP_NBYTES &&
           item->extent.offset + item->extent.nbytes - r->offset <= (uint64_t)most + item->extent.nbytes;
}

static void add_item(mill__load_group *g, mill__load_item *item, size_t most)
{
    mill__load_read *r = g->nreads ? &g->reads[g->nreads - 1] : NULL;
    if (r && extends(r, item, most)) {
        uint64_t end = item->extent.offset + item->extent.nbytes;
        if (end > r->offset + r->nbytes)
            r->nbytes = (size_t)(end - r->offset);
    } else {
        r = &g->reads[g->nreads++];
        *r = (mill__load_read){.group = g,
                               .shard = item->place.shard,
                               .offset = item->extent.offset,
                               .nbytes = (size_t)item->extent.nbytes};
    }
    item->read = r;
}

/* Elements keep the alignment that they have in their file. */
static void lay_out(mill__load_group *g)
{
    mill_batch *b = g->batch;
    for (size_t i = 0; i < g->nreads; i++) {
        mill__load_read *r = &g->reads[i];
        r->at = g->nbytes + (size_t)(r->offset % 64);
        g->nbytes = (r->at + r->nbytes + 63) / 64 * 64;
    }
    for (size_t i = g->first; i < g->first + g->count; i++) {
        mill__load_item *item = &b->items[b->sorted[i]];
        if (item->read)
            item->at = item->read->at + (size_t)(item->extent.offset - item->read->offset);
    }
    g->outstanding = g->nreads;
}

static mill__load_group *new_group(mill_batch *b, size_t first, size_t count, size_t most)
{
    mill__load_group *g = calloc(1, sizeof *g);
    if (g)
        g->reads = malloc(count * sizeof *g->reads);
    if (!g || !g->reads) {
        free(g);
        return NULL;
    }
    *g = (mill__load_group){.batch = b, .first = first, .count = count, .reads = g->reads};
    for (size_t i = first; i < first + count; i++) {
        mill__load_item *item = &b->items[b->sorted[i]];
        item->read = NULL;
        if (needs_bytes(item))
            add_item(g, item, most);
    }
    lay_out(g);
    return g;
}

static size_t group_size(const mill_batch *b, size_t first, size_t n, size_t most)
{
    size_t nbytes = 0, count = 0;
    while (first + count < n && count < MOST_IN_GROUP) {
        size_t more = read_nbytes(&b->items[b->sorted[first + count]]);
        if (count && nbytes + more > most)
            break;
        nbytes += more;
        count++;
    }
    return count;
}

static size_t good_group_nbytes(const mill__loader *l, const mill_batch *b, size_t n)
{
    size_t all = 0, threads = (size_t)l->config.engine.threads;
    for (size_t i = 0; i < n; i++)
        all += read_nbytes(&b->items[b->sorted[i]]);
    size_t most = all / (2 * threads);
    return most < PAGE_NBYTES ? PAGE_NBYTES : most < l->group_nbytes ? most : (size_t)l->group_nbytes;
}

/* The first n of the batch's sorted places are to be made. first: before all others that wait. */
mill_status mill__load_enqueue(mill__loader *l, mill_batch *b, size_t n, bool first, mill_error *err)
{
    if (!is_sorted(b, n))
        qsort_r(b->sorted, n, sizeof *b->sorted, by_place_in_shards, b->items);
    size_t most = good_group_nbytes(l, b, n);
    mill__load_group *ready = NULL, **ready_end = &ready, *wait = NULL, **wait_end = &wait;
    for (size_t at = 0; at < n;) {
        size_t count = group_size(b, at, n, most);
        mill__load_group *g = new_group(b, at, count, most);
        if (!g)
            return mill__no_memory(err, count * sizeof *g->reads, "a group of reads");
        l->groups++;
        mill__load_group ***end = g->nreads ? &wait_end : &ready_end;
        **end = g;
        *end = &g->next;
        at += count;
    }
    b->pending += n;
    if (wait && first) {
        *wait_end = l->queue;
        if (!l->queue)
            l->queue_end = wait_end;
        l->queue = wait;
    } else if (wait) {
        *l->queue_end = wait;
        l->queue_end = wait_end;
    }
    while (ready) {
        mill__load_group *g = ready;
        ready = g->next;
        mill__load_ready(l, g);
    }
    return MILL_OK;
}

/* ---- memory ---- */

static void give_memory(mill__loader *l, uint8_t *memory, size_t capacity)
{
    l->input_used -= capacity;
    if (l->nspare < (int)(sizeof l->spare / sizeof *l->spare) && capacity <= 2 * l->group_nbytes) {
        l->spare[l->nspare].memory = memory;
        l->spare[l->nspare++].capacity = capacity;
        l->input_used += capacity; /* it is still there */
    } else {
        mill__pages_free(memory, capacity);
    }
}

static void drop_spare(mill__loader *l, int i)
{
    l->input_used -= l->spare[i].capacity;
    mill__pages_free(l->spare[i].memory, l->spare[i].capacity);
    l->spare[i] = l->spare[--l->nspare];
}

static bool take_spare(mill__loader *l, mill__load_group *g, size_t capacity)
{
    for (int i = 0; i < l->nspare; i++) {
        if (l->spare[i].capacity < capacity || l->spare[i].capacity > 4 * capacity)
            continue;
        g->memory = l->spare[i].memory;
        g->capacity = l->spare[i].capacity;
        l->spare[i] = l->spare[--l->nspare];
        return true;
    }
    return false;
}

/* false: not now, others have it. */
static bool take_memory(mill__loader *l, mill__load_group *g)
{
    size_t capacity = (g->nbytes + PAGE_NBYTES - 1) / PAGE_NBYTES * PAGE_NBYTES;
    if (take_spare(l, g, capacity))
        return true;
    while (l->nspare && l->input_used + capacity > l->input_nbytes)
        drop_spare(l, l->nspare - 1);
    if (l->input_used && l->input_used + capacity > l->input_nbytes)
        return false;
    g->memory = mill__pages_alloc(capacity);
    if (!g->memory) {
        mill_error err;
        if (!l->input_used)
            mill__load_fail(l, mill__no_memory(&err, capacity, "samples"), &err);
        return false;
    }
    g->capacity = capacity;
    l->input_used += capacity;
    if (l->input_used + l->fixed_used > l->peak_used)
        l->peak_used = l->input_used + l->fixed_used;
    mill__trace_counter(l->config.engine.trace, "input bytes", (int64_t)l->input_used);
    return true;
}

void mill__load_group_free(mill__loader *l, mill__load_group *g)
{
    for (size_t i = 0; i < g->nreads; i++)
        if (g->reads[i].issued)
            l->shards[g->reads[i].shard].users--;
    if (g->memory)
        give_memory(l, g->memory, g->capacity);
    free(g->reads);
    free(g);
    l->groups--;
}

void mill__load_reads_free(mill__loader *l)
{
    while (l->queue) {
        mill__load_group *g = l->queue;
        l->queue = g->next;
        mill__load_group_free(l, g);
    }
    while (l->nspare)
        drop_spare(l, l->nspare - 1);
}

/* ---- reading ---- */

static void read_done(mill__loader *l, mill__load_read *r)
{
    mill__load_group *g = r->group;
    if (--g->outstanding == 0)
        mill__load_ready(l, g);
}

static void on_read(mill__io_request *request)
{
    mill__load_read *r = request->owner;
    mill__loader *l = r->group->batch->pool->loader;
    atomic_fetch_add(&l->read_ns, mill__now_ns() - request->begin_ns);
    atomic_fetch_add(&l->bytes_in, request->got);
    if (!request->status && request->got < r->nbytes) {
        request->status = mill_fail(&request->error, MILL_BAD_DATA, "truncated",
                                    "the shard ends %zu bytes early: it has shrunk since it was indexed",
                                    r->nbytes - request->got);
        request->error.offset = r->offset + request->got;
    }
    pthread_mutex_lock(&l->lock);
    l->reads--;
    read_done(l, r);
    mill__load_pump(l);
    pthread_mutex_unlock(&l->lock);
}

/* The shard is open, or cannot be opened: then the read has failed without being made. */
static void issue_read(mill__loader *l, mill__load_read *r)
{
    mill__load_shard *s = &l->shards[r->shard];
    mill__load_group *g = r->group;
    const mill_source_ops *source = mill__load_source(l, r->shard);
    r->issued = true;
    g->issued++;
    s->users++;
    s->used = ++l->clock;
    if (s->error) {
        r->request.status = s->error->status;
        r->request.error = *s->error;
        read_done(l, r);
        return;
    }
    r->request = (mill__io_request){.fd = source->fd ? source->fd(s->handle) : -1,
                                    .read = source->read,
                                    .handle = s->handle,
                                    .offset = r->offset,
                                    .data = g->memory + r->at,
                                    .n = r->nbytes,
                                    .done = on_read,
                                    .owner = r};
    l->reads++;
    mill__io_submit(l->io, &r->request);
}

/* As many of a group's reads as can be issued. */
static void issue_group(mill__loader *l, mill__load_group *g, bool head)
{
    for (size_t i = 0; i < g->nreads && l->reads < l->config.engine.depth; i++)
        if (!g->reads[i].issued && mill__load_open(l, g->reads[i].shard, head))
            issue_read(l, &g->reads[i]);
}

void mill__load_issue(mill__loader *l)
{
    enum { LOOK_AHEAD = 64 };
    bool full = false; /* memory is short: what has none waits, what has some goes on */
    mill__load_group **at = &l->queue;
    for (int looked = 0; *at && l->reads < l->config.engine.depth && looked < LOOK_AHEAD; looked++) {
        mill__load_group *g = *at, *next = g->next;
        full = full || (!g->memory && !take_memory(l, g));
        if (g->memory)
            issue_group(l, g, at == &l->queue); /* g->next changes if its last read fails at once */
        if (g->issued < g->nreads) {
            at = &g->next;
            continue;
        }
        *at = next;
        if (!next)
            l->queue_end = at;
    }
}
