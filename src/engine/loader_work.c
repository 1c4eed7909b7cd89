/* SPDX-License-Identifier: Apache-2.0 */
/* engine/loader_work.c: what compute threads do with a group whose bytes are there: take its samples out of
 * them and transform them into their places. A batch of which nothing is pending is complete, or, with the
 * policy to skip, its bad samples are replaced first. */
#include "base/clock.h"
#include "base/error.h"
#include "engine/loader_state.h"
#include <stdlib.h>
#include <string.h>

/* ---- claiming ---- */

void mill__load_ready(mill__loader *l, mill__load_group *g)
{
    mill__load_group **at = &l->ready;
    while (*at && (*at)->batch->sequence <= g->batch->sequence)
        at = &(*at)->next;
    g->next = *at;
    *at = g;
    pthread_cond_signal(&l->work);
}

static bool can_claim(void *self)
{
    const mill__loader *l = self;
    return l->ready && !atomic_load_explicit(&l->stop, memory_order_relaxed);
}

static bool all_claimed(void *self)
{
    mill__loader *l = self;
    return atomic_load_explicit(&l->stop, memory_order_relaxed) || (l->plan_done && !l->groups);
}

static mill__unit *claim(void *self)
{
    mill__loader *l = self;
    if (!can_claim(l))
        return NULL;
    mill__load_group *g = l->ready;
    l->ready = g->next;
    /* where groups are small, they alone are what threads share */
    size_t most = mill__load_small(l) && !mill__load_is_mix(g) ? 1 : 2 * (size_t)l->config.engine.threads;
    g->left = g->unit.chunks = (int)(g->count < most ? g->count : most);
    return &g->unit;
}

/* ---- walking ---- */

/* A row without a sample: why there is none. */
static void put_failure(mill_batch *b, size_t i, mill_status status, const mill_error *why, const char *key)
{
    const mill__load_item *item = &b->items[i];
    mill__sample none = {.key = key,
                         .label = -1,
                         .offset = item->extent.offset,
                         .nbytes = item->extent.nbytes,
                         .status = status,
                         .error = *why};
    if (none.error.offset == MILL_NO_OFFSET)
        none.error.offset = item->extent.offset;
    mill__batch_put(&b->rows, i, &none, NULL);
}

static void put_known(const mill__loader *l, mill_batch *b, size_t i)
{
    const mill__load_item *item = &b->items[i];
    mill_error why;
    if (item->bad)
        mill_fail(&why, MILL_BAD_DATA, item->bad->kind, "%s", item->bad->reason);
    else
        mill_fail(&why, MILL_LIMIT, "limit",
                  "a sample of %llu bytes, more than the %llu that the memory budget allows; raise it",
                  (unsigned long long)item->extent.nbytes, (unsigned long long)l->max_sample_nbytes);
    if (item->bad)
        why.offset = item->bad->offset;
    put_failure(b, i, why.status, &why, item->bad ? item->bad->key : "");
}

typedef struct walk {
    mill__loader *loader;
    mill__load_group *group;
    void *walker; /* of shard */
    size_t shard;
} walk;

static mill_status change_walker(walk *w, size_t shard, mill_error *err)
{
    mill__loader *l = w->loader;
    if (w->walker && w->shard == shard)
        return MILL_OK;
    if (w->walker)
        mill__load_format(l, w->shard)->close(w->walker);
    w->walker = NULL;
    w->shard = shard;
    const mill__format_ops *format = mill__load_format(l, shard);
    return format->open(format, &w->walker, &l->shards[shard].info, mill__load_name(l, shard)->class_index,
                        l->max_sample_nbytes, err);
}

static void walk_item(walk *w, size_t i)
{
    mill__loader *l = w->loader;
    mill_batch *b = w->group->batch;
    mill__load_item *item = &b->items[i];
    const mill__load_read *read = item->read;
    mill__sample sample;
    mill_error why;
    mill_status status = MILL_OK;
    if (item->unread) {
        status = item->unread->status;
        why = *item->unread;
    } else if (read) {
        const mill__window window = {.data = mill__load_bytes(item),
                                     .nbytes = (size_t)item->extent.nbytes,
                                     .offset = item->extent.offset};
        mill__error_clear(&why);
        status = change_walker(w, item->place.shard, &why);
        if (!status)
            status = mill__load_format(l, item->place.shard)
                         ->at(w->walker, &window, (int64_t)item->place.sample, &sample, &why);
    }
    pthread_mutex_lock(&b->lock);
    if (!read)
        put_known(l, b, i);
    else if (status)
        put_failure(b, i, status, &why, "");
    else if (!mill__batch_put(&b->rows, i, &sample, l->config.engine.job.carry))
        put_failure(b, i, mill__no_memory(&why, (size_t)item->extent.nbytes, "a sample"), &why, "");
    pthread_mutex_unlock(&b->lock);
    mill__row *row = &b->rows.rows[i];
    row->shard = item->place.shard;
    row->sample = (int64_t)item->place.sample;
    row->epoch = b->epoch_number * l->config.order.repeat + item->place.repeat;
}

/* Whether the item behind another one, in the order of bytes, is the next sample in all: shard, batch, and
 * what was read. */
static bool is_next(const mill_batch *b, uint32_t last, uint32_t next)
{
    const mill__load_item *x = &b->items[last], *y = &b->items[next];
    return next == last + 1 && x->read && x->read == y->read && !x->unread && !y->unread &&
           y->place.sample == x->place.sample + 1 && y->place.repeat == x->place.repeat &&
           y->at == x->at + (size_t)x->extent.nbytes && y->extent.nbytes == x->extent.nbytes;
}

/* Those behind sorted place i that are like it in all but place, many at a time; how many. */
static size_t walk_more(walk *w, size_t i)
{
    mill__loader *l = w->loader;
    mill__load_group *g = w->group;
    mill_batch *b = g->batch;
    const uint32_t *sorted = b->sorted;
    const mill__load_item *item = &b->items[sorted[i]];
    size_t n = 0, stride = 0, nbytes = (size_t)item->extent.nbytes;
    if (!item->read || b->rows.rows[sorted[i]].status || b->rows.rows[sorted[i]].carried ||
        !mill__load_format(l, item->place.shard)->more)
        return 0;
    while (i + n + 1 < g->first + g->count && is_next(b, sorted[i + n], sorted[i + n + 1]))
        n++;
    if (!n)
        return 0;
    const mill__window window = {.data = mill__load_bytes(item) + nbytes,
                                 .nbytes = n * nbytes,
                                 .offset = item->extent.offset + nbytes};
    n = mill__load_format(l, item->place.shard)->more(w->walker, &window, n, &stride);
    pthread_mutex_lock(&b->lock);
    if (!mill__batch_put_more(&b->rows, sorted[i], n, stride))
        n = 0; /* want of memory is told by one row */
    pthread_mutex_unlock(&b->lock);
    return n;
}

static void walk_fetched(mill__loader *l, mill__load_group *g)
{
    int64_t traced = mill__trace_now(l->config.engine.trace);
    walk w = {.loader = l, .group = g};
    for (size_t i = g->first; i < g->first + g->count; i++) {
        walk_item(&w, g->batch->sorted[i]);
        i += walk_more(&w, i);
    }
    if (w.walker)
        mill__load_format(l, w.shard)->close(w.walker);
    mill__trace_span(l->config.engine.trace, "walk", traced, "\"batch\":%lld,\"samples\":%zu",
                     (long long)g->batch->sequence, g->count);
}

static void walk_group(void *self, mill__unit *unit)
{
    mill__loader *l = self;
    mill__load_group *g = (mill__load_group *)unit;
    if (atomic_load_explicit(&l->stop, memory_order_relaxed) || mill__load_is_mix(g))
        return;
    int64_t start = mill__now_ns();
    if (mill__load_fetch(l, g))
        walk_fetched(l, g);
    atomic_fetch_add_explicit(&l->walk_ns, mill__now_ns() - start, memory_order_relaxed);
}

static void walk_end(void *self, mill__unit *unit)
{
    (void)self, (void)unit;
}

/* ---- transforming ---- */

static size_t chunk_begin(const mill__load_group *g, int chunk)
{
    return g->count * (size_t)chunk / (size_t)g->unit.chunks;
}

static void transform_chunk(void *self, mill__unit *unit, int chunk, int worker)
{
    mill__loader *l = self;
    const mill__load_group *g = (const mill__load_group *)unit;
    if (g->missed || atomic_load_explicit(&l->stop, memory_order_relaxed))
        return;
    if (mill__load_is_mix(g)) {
        mill__load_mix_chunk(l, g->batch, chunk_begin(g, chunk), chunk_begin(g, chunk + 1));
        return;
    }
    int64_t traced = mill__trace_now(l->config.engine.trace), start = mill__now_ns();
    const uint32_t *sorted = g->batch->sorted + g->first;
    size_t begin = chunk_begin(g, chunk), end = chunk_begin(g, chunk + 1);
    mill__worker_list(&l->workers[worker], &g->batch->rows, sorted + begin, end - begin);
    for (size_t i = begin; i < end; i++)
        mill__load_show(g->batch, sorted[i]);
    atomic_fetch_add_explicit(&l->transform_ns, mill__now_ns() - start, memory_order_relaxed);
    mill__trace_span(l->config.engine.trace, "transform", traced, "\"batch\":%lld,\"samples\":%zu",
                     (long long)g->batch->sequence, end - begin);
}

static void complete(mill__loader *l, mill_batch *b)
{
    b->state = MILL__LOAD_COMPLETE;
    if (b->epoch)
        mill__load_epoch_release(l, b->epoch);
    b->epoch = NULL;
    l->team.tell = true;
}

static void chunk_end(void *self, mill__unit *unit, int chunk)
{
    mill__loader *l = self;
    mill__load_group *g = (mill__load_group *)unit;
    (void)chunk;
    if (--g->left)
        return;
    mill_batch *b = g->batch;
    if (mill__load_is_mix(g)) {
        l->groups--;
        complete(l, b);
    } else if (g->missed) {
        mill__load_reissue(l, g);
    } else {
        b->pending -= g->count;
        mill__load_carried(l, g);
        mill__load_group_free(l, g);
        if (!b->pending)
            mill__load_settle(l, b);
    }
    mill__load_go_on(l);
    if (l->plan_done && !l->groups)
        pthread_cond_broadcast(&l->work); /* all is claimed */
}

const mill__team_ops mill__load_ops = {.can_claim = can_claim,
                                       .claim = claim,
                                       .all_claimed = all_claimed,
                                       .walk = walk_group,
                                       .walk_end = walk_end,
                                       .chunk = transform_chunk,
                                       .chunk_end = chunk_end};

/* ---- completing ---- */

static bool note_bad_row(mill__loader *l, mill_batch *b, size_t i)
{
    const mill__row *row = &b->rows.rows[i];
    const mill_error *why = row->error;
    const mill_issue issue = {.severity = MILL_ERROR,
                              .key = row->key ? row->key : "",
                              .kind = why && why->kind[0] ? why->kind : "internal",
                              .reason = why ? why->message : mill_status_name(row->status),
                              .sample = row->sample,
                              .offset = why ? why->offset : row->offset,
                              .nbytes = row->nbytes};
    if (!mill__batch_issue(&b->rows, &issue))
        return false;
    b->rows.issues[b->rows.nissues - 1].shard = mill__load_name(l, row->shard)->locator;
    return true;
}

void mill__load_refuse(mill__loader *l, mill_batch *b, const mill_error *why)
{
    b->failed = why->status;
    b->why = *why;
    complete(l, b);
}

/* A row that could not be made for want of memory says nothing about its sample. */
static bool ran_short(const mill__row *row)
{
    return row->status == MILL_NO_MEMORY || !row->error || mill__load_shortage(row->error);
}

static void refuse_for(mill__loader *l, mill_batch *b, const mill__row *row)
{
    mill_error why;
    if (row->error) {
        why = *row->error;
        why.status = row->status;
    } else {
        mill__no_memory(&why, sizeof why, "an error");
    }
    mill__error_where(&why, mill__load_name(l, row->shard)->locator, NULL, MILL_NO_OFFSET);
    mill__load_refuse(l, b, &why);
}

/* A bad row: false when the batch was refused for it. */
static bool settle_bad(mill__loader *l, mill_batch *b, size_t i)
{
    const mill__load_item *item = &b->items[i];
    if (ran_short(&b->rows.rows[i])) {
        refuse_for(l, b, &b->rows.rows[i]);
        return false;
    }
    b->substituted += l->config.policy != MILL_POLICY_SKIP;
    b->replaced += l->config.policy == MILL_POLICY_SKIP && !item->tries;
    if (item->tries || note_bad_row(l, b, i)) /* a bad replacement is told where it stands itself */
        return true;
    mill_error why;
    mill__no_memory(&why, sizeof(mill_issue), "an issue");
    mill__load_refuse(l, b, &why);
    return false;
}

void mill__load_settle(mill__loader *l, mill_batch *b)
{
    if (atomic_load_explicit(&l->stop, memory_order_relaxed))
        return;
    size_t nbad = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (!b->rows.rows[i].status || b->items[i].place.padded)
            continue; /* padding is marked anyway, and told elsewhere */
        if (!settle_bad(l, b, i))
            return;
        if (l->config.policy == MILL_POLICY_SKIP)
            b->sorted[nbad++] = (uint32_t)i;
    }
    if (nbad) {
        b->pending = nbad; /* how many are to be mended, until they are under way */
        mill__load_mend(l, b);
        return;
    }
    if (!mill__load_mix(l, b))
        complete(l, b);
}
