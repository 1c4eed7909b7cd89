/* SPDX-License-Identifier: Apache-2.0 */
/* engine/step.c: the work itself. A step is claimed under the lock, walked by one thread, transformed in
 * chunks by any, and its batch completed when nothing of it is outstanding. */
#include "base/clock.h"
#include "base/error.h"
#include "engine/state.h"
#include <stdlib.h>
#include <string.h>

void mill__engine_fail(mill__engine *e, mill_status status, const mill_error *err)
{
    if (!e->failure) {
        e->failure = status;
        e->failure_error = *err;
    }
    atomic_store(&e->stop, true);
    pthread_cond_broadcast(&e->work);
    pthread_cond_broadcast(&e->out);
}

/* ---- claiming ---- */

/* The last free batch is kept for the oldest shard: it always gets on, so all others do in their turn. */
static bool has_place(const mill__engine *e, const mill__shard *s, bool oldest)
{
    return s->filling || e->free_slots > 1 || (e->free_slots && oldest);
}

/* How the first block of s and the tail in front of it come together. */
static void plan_join(const mill__engine *e, const mill__shard *s, mill__step *step)
{
    const mill__block *b = s->blocks, *tail = s->tail;
    step->joined_nbytes = step->charged = 0;
    step->adopts = step->too_long = false;
    if (b->joined || !tail || tail->left <= b->room || b->request.status)
        return;
    size_t wanted = tail->left + b->nbytes;
    if (wanted < s->need)
        wanted = s->need;
    step->joined_nbytes = step->charged = (wanted + 4095) & ~(size_t)4095;
    step->adopts = tail->capacity && tail->steps == 1;
    if (step->adopts && step->joined_nbytes < tail->capacity)
        step->joined_nbytes = tail->capacity;
    if (step->adopts)
        step->charged = step->joined_nbytes - tail->capacity;
    step->too_long = step->joined_nbytes > e->reserve_nbytes;
    if (step->too_long) /* for its walk to report */
        step->charged = 0;
}

static bool has_memory(const mill__engine *e, const mill__shard *s, bool oldest)
{
    mill__step step;
    plan_join(e, s, &step);
    uint64_t most = e->joined_nbytes - (oldest ? 0 : e->reserve_nbytes);
    return !step.charged || e->joined_used + step.charged <= most;
}

static mill__shard *startable(mill__engine *e)
{
    if (atomic_load_explicit(&e->stop, memory_order_relaxed))
        return NULL;
    bool oldest = true;
    for (mill__shard *s = e->shards; s && s->ordinal < e->limit; s = s->next) {
        if (s->ended)
            continue;
        if (!s->walking && s->blocks && s->blocks->ready && has_place(e, s, oldest) &&
            has_memory(e, s, oldest))
            return s;
        oldest = false;
    }
    return NULL;
}

static bool can_claim(void *self)
{
    return startable(self) != NULL;
}

static bool all_claimed(void *self)
{
    const mill__engine *e = self;
    if (atomic_load_explicit(&e->stop, memory_order_relaxed))
        return true;
    if (e->next_ordinal < e->limit)
        return false;
    for (mill__shard *s = e->shards; s && s->ordinal < e->limit; s = s->next)
        if (!s->ended)
            return false;
    return true;
}

static void clear_done(const mill__engine *e, mill__batch *batch)
{
    const mill__reduction *reduction = e->config.job.reduction;
    for (size_t i = 0; reduction && i < e->places / reduction->unit; i++)
        atomic_store_explicit(&batch->done[i], 0, memory_order_relaxed);
}

static mill__slot *take_slot(mill__engine *e, mill__shard *s)
{
    for (int i = 0; i < e->nslots; i++) {
        mill__slot *slot = &e->slots[i];
        if (slot->batch.state != MILL__BATCH_FREE)
            continue;
        slot->shard = s;
        slot->batch.state = MILL__BATCH_FILLING;
        slot->batch.pending = 0;
        slot->batch.closed = false;
        slot->batch.shard = s->ordinal;
        slot->batch.sequence = s->sequence++;
        slot->batch.first = s->samples;
        slot->batch.epoch = e->config.job.epoch;
        clear_done(e, &slot->batch);
        s->batches++;
        e->free_slots--;
        return slot;
    }
    return NULL;
}

/* Into how many pieces a step is cut. */
static int count_chunks(const mill__engine *e, const mill__step *step)
{
    if (step->block->small)
        return 1;
    size_t most = e->places - step->first;
    if (step->shard->unit_nbytes)
        most = step->block->nbytes / step->shard->unit_nbytes + 1; /* and, at the end, a part of one */
    return most < (size_t)e->chunks ? (int)most : e->chunks;
}

static mill__unit *claim(void *self)
{
    mill__engine *e = self;
    mill__shard *s = startable(e);
    if (!s)
        return NULL;
    mill__step *step = e->spare_steps;
    if (step)
        e->spare_steps = step->next;
    else
        step = malloc(sizeof *step);
    if (!step) {
        mill_error err;
        mill__engine_fail(e, mill__no_memory(&err, sizeof *step, "a step"), &err);
        return NULL;
    }
    if (!s->filling)
        s->filling = take_slot(e, s);
    *step = (mill__step){.block = s->blocks, .shard = s, .slot = s->filling, .first = s->filling->batch.n};
    plan_join(e, s, step);
    mill__input_charge(e, (int64_t)step->charged);
    step->left = step->unit.chunks = count_chunks(e, step);
    step->block->steps++;
    s->walking = true;
    e->steps++;
    return &step->unit;
}

/* ---- walking ---- */

static void shard_issue(mill__step *step, mill_severity severity, const char *kind, const char *reason,
                        uint64_t offset, uint64_t nbytes)
{
    mill_issue issue = {.severity = severity,
                        .key = "",
                        .kind = kind,
                        .reason = reason,
                        .sample = -1,
                        .offset = offset,
                        .nbytes = nbytes};
    mill__batch_issue(&step->slot->batch, &issue);
}

static void report_issue(void *self, const mill_issue *issue)
{
    mill__step *step = self;
    mill__batch_issue(&step->slot->batch, issue);
}

/* A shard that cannot be read on: say so, and give up the rest of it. */
static void give_up(mill__step *step, const mill_error *err)
{
    const mill__shard *s = step->shard;
    uint64_t offset = err->offset == MILL_NO_OFFSET ? s->position : err->offset;
    shard_issue(step, MILL_ERROR, err->kind[0] ? err->kind : "io", err->message,
                err->offset != MILL_NO_OFFSET || (s->opened && !s->status) ? offset : MILL_NO_OFFSET,
                s->info.nbytes > s->position ? s->info.nbytes - s->position : 0);
    step->ended = true;
}

/* The tail and the block's bytes into memory of their own, which becomes the block's. */
static bool join_outside(mill__engine *e, mill__step *step)
{
    mill__block *b = step->block, *tail = step->shard->tail;
    void *piece = b->memory;
    if (step->adopts)
        memmove(tail->memory, tail->at, tail->left);
    uint8_t *memory = step->adopts ? mill__pages_resize(tail->memory, tail->capacity, step->joined_nbytes)
                                   : mill__pages_alloc(step->joined_nbytes);
    if (!memory)
        return false;
    if (!step->adopts)
        memcpy(memory, tail->at, tail->left);
    memcpy(memory + tail->left, b->memory + b->room, b->nbytes);
    pthread_mutex_lock(&e->lock);
    if (step->adopts) {
        tail->memory = NULL;
        tail->capacity = 0;
    }
    b->memory = memory;
    b->capacity = step->joined_nbytes;
    b->room = 0;
    step->charged = 0; /* it is the block's now */
    mill__piece_give(e, piece);
    pthread_mutex_unlock(&e->lock);
    b->at = memory;
    b->left = tail->left + b->nbytes;
    return true;
}

static void drop_tail(mill__engine *e, mill__shard *s) /* lock held */
{
    mill__block *tail = s->tail;
    if (!tail)
        return;
    s->tail = NULL;
    tail->steps--;
    mill__block_release(e, tail);
}

/* Put what is left of the last block in front of this one. */
static bool join(mill__engine *e, mill__step *step)
{
    mill__block *b = step->block;
    mill__shard *s = step->shard;
    const mill__block *tail = s->tail;
    b->joined = true;
    b->at = b->memory + b->room;
    b->left = b->nbytes;
    if (!tail)
        return true;
    if (tail->left <= b->room) {
        b->at -= tail->left;
        b->left += tail->left;
        memcpy(b->memory + b->room - tail->left, tail->at, tail->left);
    } else if (!join_outside(e, step)) {
        return false;
    }
    pthread_mutex_lock(&e->lock);
    drop_tail(e, s);
    pthread_mutex_unlock(&e->lock);
    return true;
}

static bool same_type(const mill_type *a, const mill_type *b)
{
    bool same = a->dtype == b->dtype && a->layout == b->layout && a->rank == b->rank;
    for (int i = 0; same && i < a->rank; i++)
        same = a->shape[i] == b->shape[i];
    return same;
}

/* Every shard must hold what the plan was made for. Bytes that cannot be understood are the walker's to
 * report. */
static bool check_type(mill__engine *e, mill__step *step, const mill__window *window)
{
    mill_type type;
    const mill_type *planned = &e->config.job.plan->input;
    if (e->config.job.probe ||
        step->shard->format->peek(step->shard->format, &step->shard->info, window, &type, NULL) ||
        same_type(&type, planned))
        return true;
    char here[96], there[96];
    mill_error err;
    mill__type_text(&type, here, sizeof here);
    mill__type_text(planned, there, sizeof there);
    mill_fail(&err, MILL_BAD_DATA, "shape", "samples are %s here and %s in the first shard", here, there);
    give_up(step, &err);
    return false;
}

static bool begin_block(mill__engine *e, mill__step *step)
{
    mill__block *b = step->block;
    mill__shard *s = step->shard;
    mill_error err;
    if (s->kept || s->status) {
        step->ended = true;
        if (s->status)
            give_up(step, &s->error);
        return false;
    }
    if (b->request.status) {
        give_up(step, &b->request.error);
        return false;
    }
    if (b->request.got < b->nbytes) {
        mill_fail(&err, MILL_BAD_DATA, "truncated",
                  "the shard ends %zu bytes early: it has shrunk since it was opened",
                  b->nbytes - b->request.got);
        give_up(step, &err);
        return false;
    }
    if (step->too_long) {
        mill_fail(&err, MILL_LIMIT, "limit",
                  "the sample at offset %llu needs more memory than the budget allows (%zu bytes a sample); "
                  "raise the budget",
                  (unsigned long long)s->position, e->max_sample_nbytes);
        give_up(step, &err);
        return false;
    }
    if (!join(e, step)) {
        mill__no_memory(&err, step->joined_nbytes, "a sample that spans blocks");
        give_up(step, &err);
        return false;
    }
    mill__window window = {.data = b->at, .nbytes = b->left, .offset = s->position, .last = b->last};
    return s->position || check_type(e, step, &window);
}

static void pass(mill__shard *s, mill__block *b, size_t used)
{
    s->position += used;
    b->at += used;
    b->left -= used;
}

static void end_of_shard(mill__step *step)
{
    mill__shard *s = step->shard;
    step->ended = true;
    if (s->position != s->info.nbytes)
        shard_issue(step, MILL_ERROR, "internal", "the walk ended before the shard did; please report this",
                    s->position, s->info.nbytes - s->position);
}

/* One sample into the batch; false: nothing more in this step. */
static bool walk_one(mill__engine *e, mill__step *step, mill__sample *sample, mill_error *err)
{
    mill__shard *s = step->shard;
    mill__block *b = step->block;
    const mill__report report = {.issue = report_issue, .self = step};
    mill__window window = {.data = b->at, .nbytes = b->left, .offset = s->position, .last = b->last};
    size_t used = 0, need = 0;
    mill_status status = s->format->next(s->walker, &window, &report, sample, &used, &need, err);
    if (status == MILL_OK || status == MILL_AGAIN || status == MILL_END)
        pass(s, b, used);
    if (status == MILL_OK) {
        if (mill__batch_add(&step->slot->batch, sample, e->config.job.carry))
            return true;
        mill__no_memory(err, (size_t)sample->nbytes, "a sample");
        give_up(step, err);
    } else if (status == MILL_AGAIN && !b->last) {
        step->block_done = true;
        s->need = need;
    } else if (status == MILL_END) {
        end_of_shard(step);
    } else {
        if (status == MILL_AGAIN)
            mill_fail(err, MILL_INTERNAL, "internal",
                      "the walker wants more than the shard has; please report this");
        give_up(step, err);
    }
    return false;
}

/* Those behind it that are like it, many at a time; as in walk_one. */
static bool walk_more(mill__engine *e, mill__step *step, mill_error *err)
{
    enum { MOST = 256 }; /* what is kept of them is not too much to be had in a piece */
    mill__shard *s = step->shard;
    mill__block *b = step->block;
    mill__batch *batch = &step->slot->batch;
    for (size_t n, stride = 0;; pass(s, b, n * stride)) {
        const mill__window window = {
            .data = b->at, .nbytes = b->left, .offset = s->position, .last = b->last};
        size_t places = e->places - batch->n;
        n = s->format->more(s->walker, &window, places < MOST ? places : MOST, &stride);
        if (!n)
            return true;
        if (!mill__batch_more(batch, n, stride)) {
            mill__no_memory(err, n * sizeof *batch->rows, "samples");
            give_up(step, err);
            return false;
        }
    }
}

static void walk(void *self, mill__unit *unit)
{
    mill__engine *e = self;
    mill__step *step = (mill__step *)unit;
    if (atomic_load_explicit(&e->stop, memory_order_relaxed))
        return;
    int64_t begin = mill__trace_now(e->config.trace), start = mill__now_ns();
    step->missed = !mill__block_fetch(e, step->block);
    if (!step->missed && (step->block->joined || begin_block(e, step))) {
        mill__sample sample;
        mill_error err;
        mill__batch *batch = &step->slot->batch;
        const bool alike = step->shard->format->more;
        mill__error_clear(&err); /* once: it is large, and whatever fails ends the walk */
        while (batch->n < e->places && (batch->n == 0 || batch->source_nbytes < e->batch_source_nbytes))
            if (!walk_one(e, step, &sample, &err) ||
                (alike && sample.status == MILL_OK && !batch->rows[batch->n - 1].carried &&
                 !walk_more(e, step, &err)))
                break;
        if (!step->block->left && !step->block->last)
            step->block_done = true; /* not another step that finds nothing */
    }
    atomic_fetch_add_explicit(&e->busy_ns, mill__now_ns() - start, memory_order_relaxed);
    mill__trace_span(e->config.trace, "walk", begin, "\"shard\":%zu,\"samples\":%zu", step->shard->ordinal,
                     step->slot->batch.n - step->first);
}

/* The last rows of a shard may be fewer than a unit: so many are missing. */
static size_t missing_rows(const mill__engine *e, const mill__step *step)
{
    const mill__reduction *reduction = e->config.job.reduction;
    size_t rest = step->ended && reduction ? step->slot->batch.n % reduction->unit : 0;
    return rest ? reduction->unit - rest : 0;
}

static void check_complete(mill__engine *e, mill__slot *slot)
{
    if (!slot->batch.closed || slot->batch.pending || slot->batch.state != MILL__BATCH_FILLING)
        return;
    slot->batch.state = MILL__BATCH_COMPLETE;
    mill__trace_counter(e->config.trace, "batches waiting", ++e->complete);
    e->team.tell = true;
}

static void close_batch(mill__engine *e, mill__step *step, bool last)
{
    mill__shard *s = step->shard;
    mill__batch *batch = &step->slot->batch;
    batch->closed = true;
    batch->last = last;
    batch->kept = s->kept;
    batch->shard_nbytes = s->info.nbytes;
    batch->stored_nbytes = s->stored_nbytes;
    batch->shard_mtime_ns = s->info.mtime_ns;
    batch->walked = s->position;
    s->filling = NULL;
    check_complete(e, step->slot);
}

static void walk_end(void *self, mill__unit *unit)
{
    mill__engine *e = self;
    mill__step *step = (mill__step *)unit;
    mill__shard *s = step->shard;
    mill__batch *batch = &step->slot->batch;
    step->count = batch->n - step->first;
    step->missing = missing_rows(e, step);
    batch->pending += step->count + (step->missing > 0);
    s->samples += (int64_t)step->count;
    s->walking = false;
    mill__input_charge(e, -(int64_t)step->charged);
    step->charged = 0;
    mill__block_fetched(e, step->block, !step->missed);
    if (step->block_done || step->ended) {
        s->blocks = step->block->next;
        if (!s->blocks)
            s->blocks_end = &s->blocks;
        step->block->walked = true;
        if (step->block->left && !step->ended) {
            s->tail = step->block;
            s->tail->steps++;
        }
    }
    if (step->ended) {
        s->ended = true;
        drop_tail(e, s);
        mill__input_discard(e, s);
        close_batch(e, step, true);
        pthread_cond_broadcast(&e->work); /* perhaps all is claimed now */
    } else if (batch->n == e->places || batch->source_nbytes >= e->batch_source_nbytes) {
        close_batch(e, step, false);
    }
    pthread_cond_signal(&e->work); /* the shard can give another step */
    mill__input_pump(e);
}

/* ---- transforming ---- */

/* Of the rows of a step. Where rows are only reduced, chunks are units of them as far as may be. */
static size_t chunk_begin(const mill__engine *e, const mill__step *step, int chunk)
{
    const mill__reduction *reduction = e->config.job.reduction;
    size_t at = step->first + step->count * (size_t)chunk / (size_t)step->unit.chunks;
    if (reduction && !e->config.job.plan->nstages && chunk < step->unit.chunks)
        at = at / reduction->unit * reduction->unit;
    return at > step->first ? at - step->first : 0;
}

static void reduce_unit(const mill__engine *e, const mill__batch *batch, size_t u, const void *data,
                        size_t nrows)
{
    const mill__reduction *reduction = e->config.job.reduction;
    const mill_tensor tensor = {
        .type = e->config.job.plan->output, .n = (int64_t)nrows, .data = (void *)(uintptr_t)data};
    reduction->run(reduction->self, &tensor, &batch->rows[u * reduction->unit],
                   batch->partials + u * reduction->nbytes);
}

/* So many rows of a unit are transformed; so many others will never come. The thread that makes it whole
 * reduces it. In one word: rows, missing ones included, in the lower half; the missing ones in the upper. */
static void rows_done(const mill__engine *e, mill__batch *batch, size_t u, uint64_t rows, uint64_t missing)
{
    const mill__reduction *reduction = e->config.job.reduction;
    const mill__plan *plan = e->config.job.plan;
    uint64_t add = rows + missing + (missing << 32);
    uint64_t now = atomic_fetch_add_explicit(&batch->done[u], add, memory_order_acq_rel) + add;
    if ((uint32_t)now < reduction->unit)
        return;
    reduce_unit(e, batch, u, batch->slab + u * reduction->unit * plan->row_nbytes,
                reduction->unit - (now >> 32));
}

/* Transform rows and reduce what they make whole. A unit that comes out as it lies in the block is reduced
 * there: it is never copied into the batch. */
static void reduced_rows(const mill__engine *e, const mill__step *step, mill__worker *worker, size_t begin,
                         size_t end, bool first)
{
    mill__batch *batch = &step->slot->batch;
    const size_t unit = e->config.job.reduction->unit;
    for (size_t to; begin < end; begin = to) {
        size_t behind = (begin / unit + 1) * unit;
        to = behind < end ? behind : end;
        const void *data = to - begin == unit ? mill__worker_lying(worker, batch, begin, to) : NULL;
        if (data) {
            reduce_unit(e, batch, begin / unit, data, unit);
            continue;
        }
        mill__worker_rows(worker, batch, begin, to);
        rows_done(e, batch, begin / unit, to - begin, 0);
    }
    if (first && step->missing)
        rows_done(e, batch, batch->n / unit, 0, step->missing);
}

static void chunk(void *self, mill__unit *unit, int chunk, int worker)
{
    mill__engine *e = self;
    const mill__step *step = (const mill__step *)unit;
    size_t begin = chunk_begin(e, step, chunk), end = chunk_begin(e, step, chunk + 1);
    bool closes = chunk == 0 && step->missing;
    if ((begin == end && !closes) || atomic_load_explicit(&e->stop, memory_order_relaxed))
        return;
    int64_t traced = mill__trace_now(e->config.trace), start = mill__now_ns();
    mill__worker *hands = &e->workers[worker];
    if (e->config.job.reduction && e->config.job.reduction->unit > 1)
        reduced_rows(e, step, hands, step->first + begin, step->first + end, chunk == 0);
    else /* what is reduced row by row is so there */
        mill__worker_rows(hands, &step->slot->batch, step->first + begin, step->first + end);
    atomic_fetch_add_explicit(&e->busy_ns, mill__now_ns() - start, memory_order_relaxed);
    mill__trace_span(e->config.trace, "transform", traced, "\"shard\":%zu,\"first\":%lld,\"samples\":%zu",
                     step->shard->ordinal,
                     (long long)(step->slot->batch.first + (int64_t)(step->first + begin)), end - begin);
}

static void chunk_end(void *self, mill__unit *unit, int chunk)
{
    mill__engine *e = self;
    mill__step *step = (mill__step *)unit;
    mill__slot *slot = step->slot;
    slot->batch.pending -= chunk_begin(e, step, chunk + 1) - chunk_begin(e, step, chunk);
    if (chunk == 0)
        slot->batch.pending -= step->missing > 0;
    if (--step->left == 0) {
        mill__shard *s = step->shard;
        mill__block *b = step->block;
        if (--b->steps == 1 && b == s->tail)
            pthread_cond_broadcast(&e->work); /* its shard may have waited for its memory */
        mill__block_release(e, b);
        step->next = e->spare_steps;
        e->spare_steps = step;
        check_complete(e, slot);
        mill__shard_settle(e, s);
        mill__input_pump(e);
    } else {
        check_complete(e, slot);
    }
}

const mill__team_ops mill__step_ops = {.can_claim = can_claim,
                                       .claim = claim,
                                       .all_claimed = all_claimed,
                                       .walk = walk,
                                       .walk_end = walk_end,
                                       .chunk = chunk,
                                       .chunk_end = chunk_end};
