/* SPDX-License-Identifier: Apache-2.0 */
/* engine/loader_read.c: a batch's samples become groups of reads. Samples that lie together in a shard are
 * one read; a group is large enough to be worth a task and small enough that a batch gives work to all
 * threads. Reads are issued in the order of batches, and memory is taken in that order. */
#include "base/clock.h"
#include "base/error.h"
#include "engine/loader_state.h"
#include <stdlib.h>
#include <string.h>

enum { GAP_NBYTES = 32 << 10, PAGE_NBYTES = 64 << 10, MOST_IN_GROUP = 4096, DIRECT_NBYTES = 32 << 10 };

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

/* ---- to their places ---- */

static bool needs_bytes(const mill__load_item *item)
{
    return !item->bad && !item->too_large;
}

/* Pipelines that take a row as it is stored and give as many bytes work in place: then there is no need to
 * read it elsewhere. What lies on end in shard and batch is one read; little of it is better read together
 * with what lies near. */
void mill__load_direct_open(mill__loader *l)
{
    const mill__plan *plan = l->config.engine.job.plan;
    const mill__field data = {.name = "data", .name_nbytes = 4};
    l->direct = plan->batched && plan->row_nbytes && plan->row_nbytes == mill__type_nbytes(&plan->input) &&
                !mill__carries(l->config.engine.job.carry, &data);
}

static bool can_be_direct(const mill__loader *l, const mill__load_item *item)
{
    return needs_bytes(item) && item->extent.nbytes == l->config.engine.job.plan->row_nbytes &&
           mill__load_format(l, item->place.shard)->rows;
}

static bool follows(const mill_batch *b, size_t i)
{
    const mill__load_item *last = &b->items[b->sorted[i - 1]], *item = &b->items[b->sorted[i]];
    return b->sorted[i] == b->sorted[i - 1] + 1 && item->place.shard == last->place.shard &&
           item->extent.offset == last->extent.offset + last->extent.nbytes;
}

static void find_direct(const mill__loader *l, mill_batch *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        b->items[b->sorted[i]].direct = b->items[b->sorted[i]].joined = false;
    for (size_t i = 0, end; i < n && l->direct; i = end) {
        end = i + 1;
        if (!can_be_direct(l, &b->items[b->sorted[i]]))
            continue;
        while (end < n && can_be_direct(l, &b->items[b->sorted[end]]) && follows(b, end))
            end++;
        if ((end - i) * l->config.engine.job.plan->row_nbytes < DIRECT_NBYTES)
            continue;
        for (size_t k = i; k < end; k++) {
            b->items[b->sorted[k]].direct = true;
            b->items[b->sorted[k]].joined = k > i;
        }
    }
}

/* ---- groups ---- */

/* A read so far. */
typedef struct reach {
    size_t shard;
    uint64_t offset, end;
    bool direct;
} reach;

/* Whether item can be had by making a read a little longer. */
static bool extends(const reach *r, const mill__load_item *item, size_t most)
{
    return r->shard == item->place.shard && item->extent.offset >= r->offset &&
           item->extent.offset - r->offset <= most && r->direct == item->direct &&
           (item->direct ? item->joined : item->extent.offset <= r->end + GAP_NBYTES);
}

static void add_item(mill__load_group *g, mill__load_item *item, size_t most)
{
    mill__load_read *last = &g->reads[g->nreads ? g->nreads - 1 : 0];
    const mill_batch *b = g->batch;
    const reach so_far = {last->shard, last->offset, last->offset + last->nbytes, last->to != NULL};
    if (g->nreads && extends(&so_far, item, most)) {
        uint64_t end = item->extent.offset + item->extent.nbytes;
        if (end > last->offset + last->nbytes)
            last->nbytes = (size_t)(end - last->offset);
        item->read = last;
        return;
    }
    item->read = &g->reads[g->nreads++];
    *item->read = (mill__load_read){.group = g,
                                    .shard = item->place.shard,
                                    .offset = item->extent.offset,
                                    .nbytes = (size_t)item->extent.nbytes};
    if (item->direct)
        item->read->to = b->rows.slab + (size_t)(item - b->items) * (size_t)item->extent.nbytes;
}

/* Elements keep the alignment that they have in their file. */
static void lay_out(mill__load_group *g)
{
    mill_batch *b = g->batch;
    for (size_t i = 0; i < g->nreads; i++) {
        mill__load_read *r = &g->reads[i];
        if (r->to)
            continue;
        r->at = g->nbytes + (size_t)(r->offset % 64);
        g->nbytes = (r->at + r->nbytes + 63) / 64 * 64;
    }
    for (size_t i = g->first; i < g->first + g->count; i++) {
        mill__load_item *item = &b->items[b->sorted[i]];
        if (item->read)
            item->at = (size_t)(item->extent.offset - item->read->offset);
    }
    g->outstanding = g->nreads;
}

static mill__load_group *new_group(mill_batch *b, size_t first, size_t count, size_t nreads, size_t most)
{
    mill__load_group *g = calloc(1, sizeof *g);
    if (g)
        g->reads = malloc((nreads + 1) * sizeof *g->reads);
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

/* What the reads of some items come to, gaps between them included. */
typedef struct span {
    size_t nbytes, reads, shards;
    reach last; /* read */
} span;

static void add_to_span(span *s, const mill__load_item *item, size_t most)
{
    uint64_t end = item->extent.offset + item->extent.nbytes;
    if (!needs_bytes(item))
        return;
    if (s->reads && extends(&s->last, item, most)) {
        s->nbytes += end > s->last.end ? (size_t)(end - s->last.end) : 0;
        s->last.end = end > s->last.end ? end : s->last.end;
        return;
    }
    s->shards += !s->reads || s->last.shard != item->place.shard;
    s->reads++;
    s->nbytes += (size_t)item->extent.nbytes + 64;
    s->last = (reach){item->place.shard, item->extent.offset, end, item->direct};
}

/* A group needs all its memory and all its shards at the same time. */
static size_t group_size(const mill__loader *l, const mill_batch *b, size_t first, size_t n, size_t most,
                         size_t *nreads)
{
    span s = {0};
    size_t count = 0;
    for (; first + count < n && count < MOST_IN_GROUP; count++) {
        *nreads = s.reads;
        add_to_span(&s, &b->items[b->sorted[first + count]], most);
        if (count && (s.nbytes > most || s.shards > (size_t)l->group_shards))
            return count;
    }
    *nreads = s.reads;
    return count;
}

bool mill__load_small(const mill__loader *l)
{
    return l->config.engine.job.plan->batched;
}

static size_t good_group_nbytes(const mill__loader *l, const mill_batch *b, size_t n)
{
    span all = {0};
    size_t threads = (size_t)l->config.engine.threads;
    for (size_t i = 0; i < n; i++)
        add_to_span(&all, &b->items[b->sorted[i]], (size_t)l->group_nbytes);
    size_t most = all.nbytes / (2 * threads);
    if (mill__load_small(l) && most > MILL__QUICK_NBYTES)
        most = MILL__QUICK_NBYTES;
    return most < PAGE_NBYTES ? PAGE_NBYTES : most < l->group_nbytes ? most : (size_t)l->group_nbytes;
}

static void free_groups(mill__loader *l, mill__load_group *g)
{
    for (mill__load_group *next; g; g = next) {
        next = g->next;
        mill__load_group_free(l, g);
    }
}

/* The first n of the batch's sorted places are to be made. first: before all others that wait. */
mill_status mill__load_enqueue(mill__loader *l, mill_batch *b, size_t n, bool first, mill_error *err)
{
    if (!is_sorted(b, n))
        qsort_r(b->sorted, n, sizeof *b->sorted, by_place_in_shards, b->items);
    find_direct(l, b, n);
    size_t most = good_group_nbytes(l, b, n);
    mill__load_group *ready = NULL, **ready_end = &ready, *wait = NULL, **wait_end = &wait;
    for (size_t at = 0; at < n;) {
        size_t nreads, count = group_size(l, b, at, n, most, &nreads);
        mill__load_group *g = new_group(b, at, count, nreads, most);
        if (!g) {
            free_groups(l, ready);
            free_groups(l, wait);
            return mill__no_memory(err, nreads * sizeof(mill__load_read), "a group of reads");
        }
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

uint8_t *mill__load_bytes(const mill__load_item *item)
{
    const mill__load_read *r = item->read;
    return (r->to ? r->to : r->group->memory + r->at) + item->at;
}

static void note_peak(mill__loader *l)
{
    uint64_t used = l->fixed_used + l->input_used + l->carried_used;
    l->peak_used = used > l->peak_used ? used : l->peak_used;
}

/* Fields that rows bring along lie in the batch until it is released. Their memory is taken together with
 * the group's own, by the largest share of a group that they have been so far: all of it to begin with. */
static uint64_t expect_carried(const mill__loader *l, const mill__load_group *g)
{
    if (!l->config.engine.job.carry)
        return 0;
    return l->carried_known ? (uint64_t)(l->carried_share * (double)g->nbytes) : g->nbytes;
}

void mill__load_carried(mill__loader *l, const mill__load_group *g)
{
    mill_batch *b = g->batch;
    uint64_t nbytes = 0;
    for (size_t i = g->first; l->config.engine.job.carry && i < g->first + g->count; i++)
        nbytes += b->rows.rows[b->sorted[i]].blob.capacity;
    b->carried_nbytes += nbytes;
    l->carried_used += nbytes - g->carried_nbytes;
    double share = (double)nbytes / (double)(g->nbytes + 1);
    l->carried_share = l->carried_known && l->carried_share > share ? l->carried_share : share;
    l->carried_known = true;
    note_peak(l);
}

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

static bool has_room(const mill__loader *l, uint64_t nbytes)
{
    return l->input_used + l->carried_used + nbytes <= l->input_nbytes;
}

static bool is_direct(const mill__load_group *g)
{
    size_t i = 0;
    while (i < g->nreads && g->reads[i].to)
        i++;
    return i == g->nreads;
}

static void charge_carried(mill__loader *l, mill__load_group *g, uint64_t nbytes)
{
    g->carried_nbytes = nbytes;
    l->carried_used += nbytes;
    note_peak(l);
}

/* false: not now, others have it. When nobody is at work, what the consumer waits for is read come what may.
 */
static bool take_memory(mill__loader *l, mill__load_group *g)
{
    size_t capacity = (g->nbytes / PAGE_NBYTES + 1) * PAGE_NBYTES; /* never nothing: samples may be empty */
    uint64_t carried = expect_carried(l, g);
    g->begun = true;
    if (!carried && is_direct(g))
        return true;
    if (has_room(l, carried) && take_spare(l, g, capacity)) {
        charge_carried(l, g, carried);
        return true;
    }
    while (l->nspare && !has_room(l, capacity + carried))
        drop_spare(l, l->nspare - 1);
    bool must = !l->input_used && (!carried || g->batch->sequence == l->deliver_sequence);
    g->begun = must || has_room(l, capacity + carried);
    if (!g->begun)
        return false;
    g->memory = mill__pages_alloc(capacity);
    if (!g->memory) {
        mill_error err;
        if (!l->input_used)
            mill__load_fail(l, mill__no_memory(&err, capacity, "samples"), &err);
        return g->begun = false;
    }
    g->capacity = capacity;
    l->input_used += capacity;
    charge_carried(l, g, carried);
    mill__trace_counter(l->config.engine.trace, "input bytes", (int64_t)l->input_used);
    return true;
}

/* A group takes its memory and a place for each of its shards at once, so that what has begun can always
 * come to its end: those of its shards that are not open yet can be opened as soon as others, which no group
 * has a claim to, are closed. */
static bool take_all(mill__loader *l, mill__load_group *g)
{
    int fresh = 0;
    for (size_t i = 0; i < g->nreads; i++)
        fresh += !l->shards[g->reads[i].shard].users && (!i || g->reads[i].shard != g->reads[i - 1].shard);
    if (l->pinned + l->indexing + fresh > l->max_open || !take_memory(l, g))
        return false;
    for (size_t i = 0; i < g->nreads; i++)
        l->pinned += !l->shards[g->reads[i].shard].users++;
    return true;
}

void mill__load_group_free(mill__loader *l, mill__load_group *g)
{
    for (size_t i = 0; g->begun && i < g->nreads; i++)
        l->pinned -= !--l->shards[g->reads[i].shard].users;
    if (g->memory)
        give_memory(l, g->memory, g->capacity);
    free(g->reads);
    free(g);
    l->groups--;
}

void mill__load_reads_free(mill__loader *l)
{
    free_groups(l, l->queue);
    while (l->nspare)
        drop_spare(l, l->nspare - 1);
}

/* ---- reading ---- */

/* Without memory even for the reason, that is the reason. */
static const mill_error no_memory = {.status = MILL_NO_MEMORY,
                                     .offset = MILL_NO_OFFSET,
                                     .kind = "memory",
                                     .message = "no memory for an error"};

static void set_unread(mill__load_item *item, const mill_error *why)
{
    mill_error *copy = malloc(sizeof *copy);
    if (copy)
        *copy = *why;
    item->unread = copy ? copy : &no_memory;
}

void mill__load_forget(mill__load_item *item)
{
    if (item->unread != &no_memory)
        free((void *)(uintptr_t)item->unread);
    item->unread = NULL;
}

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
    pthread_mutex_lock(&l->lock);
    l->reads--;
    read_done(l, r);
    mill__load_pump(l);
    pthread_mutex_unlock(&l->lock);
}

static void read_item(mill__loader *l, mill__load_read *r, mill__load_item *item)
{
    const mill__load_shard *s = &l->shards[r->shard];
    uint64_t offset = item->extent.offset;
    size_t got = 0, nbytes = (size_t)item->extent.nbytes;
    mill_error why;
    mill__error_clear(&why);
    mill_status status =
        mill__load_source(l, r->shard)->read(s->handle, offset, mill__load_bytes(item), nbytes, &got, &why);
    if (!status && got < nbytes) {
        status =
            mill_fail(&why, MILL_BAD_DATA, "truncated",
                      "the shard ends %zu bytes early: it has shrunk since it was indexed", nbytes - got);
        why.offset = offset + got;
    }
    why.status = status;
    if (status)
        set_unread(item, &why);
}

/* On an I/O thread: what was read together is read one by one. */
static void read_items(void *arg)
{
    mill__load_read *r = arg;
    const mill__load_group *g = r->group;
    mill_batch *b = g->batch;
    mill__loader *l = b->pool->loader;
    for (size_t i = g->first; i < g->first + g->count; i++)
        if (b->items[b->sorted[i]].read == r && !atomic_load_explicit(&l->stop, memory_order_relaxed))
            read_item(l, r, &b->items[b->sorted[i]]);
}

/* Samples are bad only if their own bytes cannot be read: which of them share a read depends on the number of
 * threads, and must not show. */
static void on_first_read(mill__io_request *request)
{
    mill__load_read *r = request->owner;
    mill__loader *l = r->group->batch->pool->loader;
    if (!request->status && request->got == r->nbytes) {
        on_read(request);
        return;
    }
    *request = (mill__io_request){.fd = -1, .call = read_items, .arg = r, .done = on_read, .owner = r};
    mill__io_submit(l->io, request);
}

/* The shard is open, or cannot be opened: then the read has failed without being made. */
static void issue_read(mill__loader *l, mill__load_read *r)
{
    mill__load_shard *s = &l->shards[r->shard];
    mill__load_group *g = r->group;
    const mill_source_ops *source = mill__load_source(l, r->shard);
    r->issued = true;
    g->issued++;
    s->used = ++l->clock;
    if (s->error) {
        for (size_t i = g->first; i < g->first + g->count; i++)
            if (g->batch->items[g->batch->sorted[i]].read == r)
                set_unread(&g->batch->items[g->batch->sorted[i]], s->error);
        read_done(l, r);
        return;
    }
    r->request = (mill__io_request){.fd = mill__joined_descriptor(source, s->handle, r->offset, r->nbytes),
                                    .read = source->read,
                                    .handle = s->handle,
                                    .offset = r->offset,
                                    .data = r->to ? r->to : g->memory + r->at,
                                    .n = r->nbytes,
                                    .done = on_first_read,
                                    .owner = r};
    r->cached = mill__io_expects_cached(l->io, &r->request);
    if (r->cached) {
        read_done(l, r);
        return;
    }
    l->reads++;
    mill__io_submit(l->io, &r->request);
}

bool mill__load_fetch(mill__loader *l, mill__load_group *g)
{
    uint64_t nbytes = 0;
    for (size_t i = 0; i < g->nreads; i++) {
        mill__load_read *r = &g->reads[i];
        if (!r->cached)
            continue;
        r->cached = !mill__io_take_cached(l->io, &r->request);
        g->missed |= r->cached;
        nbytes += r->cached ? 0 : r->nbytes;
    }
    atomic_fetch_add(&l->bytes_in, nbytes);
    return !g->missed;
}

void mill__load_reissue(mill__loader *l, mill__load_group *g)
{
    size_t n = 0;
    g->missed = false;
    for (size_t i = 0; i < g->nreads; i++)
        n += g->reads[i].cached;
    g->outstanding = n; /* before the first of them can be done */
    for (size_t i = 0; i < g->nreads; i++) {
        if (!g->reads[i].cached)
            continue;
        g->reads[i].cached = false;
        l->reads++;
        mill__io_submit(l->io, &g->reads[i].request);
    }
}

/* As many of a group's reads as can be issued. */
static void issue_group(mill__loader *l, mill__load_group *g)
{
    for (size_t i = 0; i < g->nreads && l->reads < l->config.engine.depth; i++)
        if (!g->reads[i].issued && mill__load_open(l, g->reads[i].shard))
            issue_read(l, &g->reads[i]);
}

void mill__load_issue(mill__loader *l)
{
    enum { LOOK_AHEAD = 64 };
    bool full = false; /* memory or places are short: what has none waits, what has begun goes on */
    mill__load_group **at = &l->queue;
    for (int looked = 0; *at && l->reads < l->config.engine.depth && looked < LOOK_AHEAD; looked++) {
        mill__load_group *g = *at, *next = g->next;
        full = full || (!g->begun && !take_all(l, g));
        if (g->begun)
            issue_group(l, g); /* g->next changes if its last read fails at once */
        if (g->issued < g->nreads) {
            at = &g->next;
            continue;
        }
        *at = next;
        if (!next)
            l->queue_end = at;
    }
}
