/* SPDX-License-Identifier: Apache-2.0 */
/* engine/loader_plan.c: what comes next: counts of shards as the order needs them, batches as long as there
 * are free ones, the ends of epochs, and replacements for bad samples. */
#include "base/error.h"
#include "engine/loader_state.h"
#include <stdlib.h>

/* ---- epochs ---- */

static mill__load_epoch *take_epoch(mill__loader *l, mill_error *err)
{
    mill__load_epoch *epoch = l->spare_epochs;
    if (epoch) {
        l->spare_epochs = epoch->next;
        return epoch;
    }
    epoch = calloc(1, sizeof *epoch);
    if (!epoch) {
        mill__no_memory(err, sizeof *epoch, "an epoch");
        return NULL;
    }
    mill__order_config config = l->config.order;
    config.nshards = l->nshards;
    if (mill__order_init(&epoch->order, &config, err)) {
        free(epoch);
        return NULL;
    }
    return epoch;
}

void mill__load_epoch_release(mill__loader *l, mill__load_epoch *epoch)
{
    if (--epoch->batches)
        return;
    epoch->next = l->spare_epochs;
    l->spare_epochs = epoch;
}

void mill__load_begin(mill__loader *l)
{
    mill_error err;
    if (l->planning)
        mill__load_epoch_release(l, l->planning);
    l->planning = NULL;
    l->plan_done = l->config.epochs >= 0 && l->plan_epoch >= (uint64_t)l->config.epochs;
    if (l->plan_done) {
        pthread_cond_broadcast(&l->work);
        pthread_cond_broadcast(&l->out);
        return;
    }
    l->planning = take_epoch(l, &err);
    if (!l->planning) {
        mill__load_fail(l, err.status, &err);
        return;
    }
    l->planning->batches = 1; /* the planner's own */
    l->planning->told = 0;
    mill__order_begin(&l->planning->order, l->plan_epoch);
}

/* ---- counts ---- */

static uint64_t count_of(const mill__loader *l, size_t shard)
{
    uint64_t n = l->shards[shard].index.extents.n;
    return shard + 1 == l->nshards && l->last_cap < n ? l->last_cap : n;
}

/* With first_samples: which shards take part is known when the first n samples are counted, in the spec's
 * order. */
static void advance_subset(mill__loader *l)
{
    while (!l->subset_done) {
        size_t ahead = (size_t)l->config.engine.depth;
        for (size_t i = l->subset_counted; i < l->subset_counted + ahead && i < l->nshards; i++)
            mill__load_index(l, i);
        size_t shard = l->subset_counted;
        if (shard == l->nshards) {
            l->subset_done = true;
        } else if (!l->shards[shard].indexed) {
            return;
        } else {
            uint64_t n = l->shards[shard].index.extents.n, wanted = l->config.first_samples;
            l->subset_counted++;
            if (l->subset_known + n >= wanted) {
                l->last_cap = wanted - l->subset_known;
                l->nshards = shard + 1;
                l->subset_done = true;
            }
            l->subset_known += n;
        }
    }
    mill__load_begin(l);
}

void mill__load_advance(mill__loader *l)
{
    if (!l->subset_done)
        advance_subset(l);
    if (!l->planning)
        return;
    mill__order *order = &l->planning->order;
    /* as long as the consumer waits for its first batch, little is indexed that this one may not need */
    size_t ahead = (size_t)l->config.engine.depth, shard, rows;
    ahead = l->stats.first_batch_ns ? 2 * ahead : ahead / 2 + 1;
    /* taken: all that is known, as far as it is wanted; asked for: a little more than that */
    for (;;) {
        bool wanted = l->mending || order->counted <= mill__order_reached(order, l->plan_step) + ahead ||
                      mill__order_batch(order, l->plan_step, &rows) == MILL__ORDER_COUNT;
        if (!wanted)
            return;
        if (!mill__order_wants(order, 0, &shard) || !l->shards[shard].indexed)
            break;
        if (!mill__order_count(order, count_of(l, shard))) {
            mill_error err;
            mill_fail(&err, MILL_LIMIT, "limit", "an epoch of more samples than can be counted: %llu in here",
                      (unsigned long long)count_of(l, shard));
            mill__error_where(&err, mill__load_name(l, shard)->locator, NULL, MILL_NO_OFFSET);
            mill__load_fail(l, MILL_LIMIT, &err);
            return;
        }
    }
    for (size_t i = 0; i < ahead && mill__order_wants(order, i, &shard); i++)
        mill__load_index(l, shard);
}

/* ---- batches ---- */

static mill_batch *free_batch(mill__loader *l)
{
    for (int i = 0; i < l->pool->nbatches; i++)
        if (l->pool->batches[i].state == MILL__LOAD_FREE)
            return &l->pool->batches[i];
    return NULL;
}

/* What the indexes of the shards that the order has come to have to tell, once each, in that order. */
static bool tell_shards(mill__loader *l, mill_batch *b, size_t n)
{
    for (size_t *j = &l->planning->told; *j < n; ++*j) {
        size_t shard = mill__order_shard(&l->planning->order, *j);
        mill__load_shard *s = &l->shards[shard];
        for (size_t i = 0; i < s->index.nissues && !s->told; i++) {
            if (s->index.issues[i].sample >= 0)
                continue; /* told when the sample's turn has come */
            if (!mill__batch_issue(&b->rows, &s->index.issues[i]))
                return false;
            b->rows.issues[b->rows.nissues - 1].shard = mill__load_name(l, shard)->locator;
        }
        s->told = true;
    }
    return true;
}

static void set_item(mill__loader *l, mill__load_item *item)
{
    const mill__index *index = &l->shards[item->place.shard].index;
    item->extent = mill__index_extent(index, (size_t)item->place.sample);
    item->bad = index->nissues ? mill__index_bad(index, (int64_t)item->place.sample) : NULL;
    item->too_large = item->extent.nbytes > l->max_sample_nbytes;
}

static void fail_without_memory(mill__loader *l)
{
    mill_error err;
    mill__load_fail(l, mill__no_memory(&err, sizeof(mill_issue), "a batch"), &err);
}

static void begin_batch(mill__loader *l, mill_batch *b)
{
    b->state = MILL__LOAD_MAKING;
    b->sequence = l->next_sequence++;
    b->epoch_number = l->plan_epoch;
    b->step = l->plan_step;
    b->pending = 0;
    b->epoch = NULL;
}

static void fill_batch(mill__loader *l, mill_batch *b, size_t rows)
{
    mill__order *order = &l->planning->order;
    mill_error err;
    b->n = b->rows.n = rows;
    b->epoch = l->planning;
    l->planning->batches++;
    bool told = tell_shards(l, b, mill__order_needed(order, l->plan_step));
    for (size_t i = 0; i < rows; i++) {
        mill__load_item *item = &b->items[i];
        *item = (mill__load_item){0};
        mill__order_place(order, l->plan_step, rows, i, 0, &item->place);
        b->padded += item->place.padded;
        set_item(l, item);
        b->sorted[i] = (uint32_t)i;
    }
    mill_status status = mill__load_enqueue(l, b, rows, false, &err);
    if (status)
        mill__load_fail(l, status, &err);
    else if (!told)
        fail_without_memory(l);
    l->plan_step++;
}

static bool check_epoch(mill__loader *l, mill_error *err)
{
    uint64_t samples, batches;
    const mill__order_config *c = &l->config.order;
    mill__order_totals(&l->planning->order, &samples, &batches);
    l->stats.epoch_samples = (int64_t)samples;
    l->stats.epoch_batches = (int64_t)batches;
    if (batches)
        return true;
    if (samples)
        mill_fail(
            err, MILL_USAGE, "option",
            "an epoch of %llu samples does not fill one global batch of %llu (batch size %llu, world size "
            "%llu), and drop_last leaves out what does not",
            (unsigned long long)samples, (unsigned long long)(c->batch_size * c->world_size),
            (unsigned long long)c->batch_size, (unsigned long long)c->world_size);
    else
        mill_fail(err, MILL_BAD_DATA, "empty", "the data set has no samples");
    /* what is wrong with the shards is the better reason, if something is */
    for (size_t i = 0; i < l->nshards && !samples; i++) {
        const mill__index *index = &l->shards[i].index;
        if (index->nissues && index->issues[0].severity == MILL_ERROR) {
            mill_fail(err, MILL_BAD_DATA, index->issues[0].kind, "the data set has no samples: %s",
                      index->issues[0].reason);
            mill__error_where(err, mill__load_name(l, i)->locator, NULL, index->issues[0].offset);
            break;
        }
    }
    return false;
}

/* Nothing comes behind it. */
static void refuse_epoch(mill__loader *l, mill_batch *b, const mill_error *why)
{
    mill__load_epoch_release(l, l->planning);
    l->planning = NULL;
    l->plan_done = true;
    mill__load_refuse(l, b, why);
    pthread_cond_broadcast(&l->work);
}

static void end_epoch(mill__loader *l, mill_batch *b)
{
    b->end = true;
    b->n = b->rows.n = 0;
    if (!tell_shards(l, b, l->nshards))
        fail_without_memory(l);
    b->state = MILL__LOAD_COMPLETE;
    l->plan_epoch++;
    l->plan_step = 0;
    mill__load_begin(l);
    l->team.tell = true;
}

bool mill__load_plan(mill__loader *l)
{
    mill_batch *b = l->planning ? free_batch(l) : NULL;
    size_t rows = 0;
    if (!b)
        return false;
    mill_error err;
    mill__error_clear(&err);
    mill__order_answer answer = mill__order_batch(&l->planning->order, l->plan_step, &rows);
    if (answer == MILL__ORDER_COUNT)
        return false;
    begin_batch(l, b);
    if (answer == MILL__ORDER_BATCH)
        fill_batch(l, b, rows);
    else if (check_epoch(l, &err))
        end_epoch(l, b);
    else
        refuse_epoch(l, b, &err);
    return true;
}

/* ---- mending ---- */

/* The next sample of the epoch's order for row i; false: there is none, and the batch is refused. */
static bool replace(mill__loader *l, mill_batch *b, size_t i)
{
    mill__load_item *item = &b->items[i];
    mill__order *order = &b->epoch->order;
    mill__place place;
    uint64_t samples, batches;
    mill__order_place(order, b->step, b->n, i, item->tries + 1, &place); /* known: mend() has looked */
    if (mill__order_totals(order, &samples, &batches) && item->tries + 1 >= samples) {
        mill_error err;
        mill_fail(&err, MILL_TOO_MANY_BAD, "budget", "all %llu samples of the epoch are bad",
                  (unsigned long long)samples);
        mill__load_refuse(l, b, &err);
        return false;
    }
    item->tries++;
    item->place = place;
    mill__load_forget(item);
    set_item(l, item);
    return true;
}

/* sorted[0 .. pending) are the rows to mend; what is found is moved to the front and made. */
void mill__load_mend(mill__loader *l, mill_batch *b)
{
    size_t n = b->pending;
    mill_error err;
    if (b->state != MILL__LOAD_MENDING)
        l->mending++;
    b->state = MILL__LOAD_MENDING;
    for (size_t k = 0; k < n; k++) {
        mill__place place;
        const mill__load_item *item = &b->items[b->sorted[k]];
        if (!mill__order_place(&b->epoch->order, b->step, b->n, b->sorted[k], item->tries + 1, &place))
            return; /* when more is counted */
    }
    l->mending--;
    for (size_t k = 0; k < n; k++)
        if (!replace(l, b, b->sorted[k]))
            return;
    b->pending = 0;
    b->state = MILL__LOAD_MAKING;
    mill_status status = mill__load_enqueue(l, b, n, true, &err);
    if (status)
        mill__load_fail(l, status, &err);
}
