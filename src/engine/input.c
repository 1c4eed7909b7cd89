/* SPDX-License-Identifier: Apache-2.0 */
/* engine/input.c: shards are opened and their blocks read in data-set order, passing over shards that are not
 * open yet or have cached blocks enough. Memory is taken in that order too, and two pieces of it are kept for
 * a shard that was passed over: of a sample that spans blocks it holds one and needs the next. So no younger
 * shard can starve it. */
#include "base/error.h"
#include "engine/joined.h"
#include "engine/state.h"
#include "engine/viewed.h"
#include "registry.h"
#include <stdlib.h>
#include <string.h>

enum { HEAD_NBYTES = 4096 };

static void on_opened(mill__io_request *request);
static void on_read(mill__io_request *request);
static void on_closed(mill__io_request *request);

/* ---- opening ---- */

/* Where units of rows lie, if they are reduced as they lie: blocks then end where units do, and none has to
 * be put together elsewhere. What cannot be told by the head of the shard is left at 0. */
static void find_units(const mill__engine *e, mill__shard *s)
{
    const mill__reduction *reduction = e->config.job.reduction;
    uint8_t head[HEAD_NBYTES];
    mill__window window = {.data = head};
    mill__extents rows = {0};
    mill_error err;
    if (!reduction || e->config.job.plan->nstages || !s->format->rows ||
        s->info.nbytes != s->stored_nbytes || /* inflated: not to be begun twice */
        s->source->read(s->handle, 0, head, sizeof head, &window.nbytes, &err))
        return;
    window.last = window.nbytes == s->info.nbytes;
    if (s->format->locate(s->format, &s->info, &window, &rows, &err) || rows.stride_nbytes)
        return;
    s->first_unit = rows.first;
    s->unit_nbytes = rows.row_nbytes * reduction->unit;
}

static void open_shard(void *arg) /* on an I/O thread */
{
    mill__shard *s = arg;
    mill__engine *e = s->engine;
    mill__error_clear(&s->error);
    int64_t begin = mill__trace_now(e->config.trace);
    if (e->joined) {
        s->status = mill__joined_open(e->joined, s->ordinal, &s->handle, &s->info, &s->format, &s->error);
        s->source = &mill__joined_ops;
    } else {
        s->status = mill__viewed_open(s->source, s->source_user, s->format, s->name->locator, e->view_nbytes,
                                      &s->handle, &s->info, &s->error);
        s->source = mill__viewed_source(s->source, s->format, s->name->locator);
    }
    s->stored_nbytes = s->info.nbytes;
    s->handle_open = !s->status;
    if (!s->status && e->config.keep)
        s->kept = e->config.keep(e->config.user, s->ordinal, &s->info);
    if (!s->status && !s->kept)
        s->status = mill__viewed_settle(s->source, s->handle, &s->info, &s->error);
    if (!s->status && !s->kept)
        s->status = s->format->open(s->format, &s->walker, &s->info, s->name->class_index,
                                    e->max_sample_nbytes, &s->error);
    if (!s->status && !s->kept)
        find_units(e, s);
    mill__trace_span(e->config.trace, "open", begin, "\"shard\":%zu", s->ordinal);
}

static mill__shard *new_shard(mill__engine *e)
{
    const mill__shard_name *name = &e->config.shards[e->next_ordinal];
    mill__shard *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->engine = e;
    s->ordinal = e->next_ordinal++;
    s->name = name;
    s->source = e->config.source  ? e->config.source
                : name->is_folder ? &mill__source_folder
                                  : &mill__source_file;
    s->source_user = e->config.source_user;
    s->format = e->config.format  ? e->config.format
                : name->is_folder ? &mill__format_folder
                                  : mill__format_for_path(name->locator);
    s->blocks_end = &s->blocks;
    *e->shards_end = s;
    e->shards_end = &s->next;
    if (!e->issuing)
        e->issuing = s;
    e->active++;
    return s;
}

static void pump_opens(mill__engine *e)
{
    while (e->active < e->max_active && e->next_ordinal < e->limit) {
        mill__shard *s = new_shard(e);
        if (!s) {
            mill_error err;
            mill__engine_fail(e, mill__no_memory(&err, sizeof *s, "a shard"), &err);
            return;
        }
        s->request =
            (mill__io_request){.fd = -1, .call = open_shard, .arg = s, .done = on_opened, .owner = s};
        mill__io_submit(e->io, &s->request);
    }
}

/* ---- blocks ---- */

static void append_block(mill__shard *s, mill__block *b)
{
    *s->blocks_end = b;
    s->blocks_end = &b->next;
    s->live_blocks++;
}

void mill__input_charge(mill__engine *e, int64_t joined)
{
    e->joined_used += (uint64_t)joined; /* wraps rightly when it is less */
    uint64_t used = (uint64_t)e->pieces * e->piece_nbytes + e->joined_used;
    if (used + e->fixed_used > e->peak_used)
        e->peak_used = used + e->fixed_used;
    mill__trace_counter(e->config.trace, "input bytes", (int64_t)used);
}

static void *take_piece(mill__engine *e)
{
    void *piece = e->free_pieces;
    if (piece)
        memcpy(&e->free_pieces, piece, sizeof(void *));
    else
        piece = mill__pages_alloc(e->piece_nbytes);
    if (piece) {
        e->pieces++;
        mill__input_charge(e, 0);
    }
    return piece;
}

void mill__piece_give(mill__engine *e, void *piece)
{
    memcpy(piece, &e->free_pieces, sizeof(void *));
    e->free_pieces = piece;
    e->pieces--;
    mill__input_charge(e, 0);
}

/* A block that carries no bytes: how a failed, empty or kept shard comes to its end. */
static bool append_end_block(mill__shard *s)
{
    mill__block *b = calloc(1, sizeof *b);
    if (!b)
        return false;
    b->shard = s;
    b->last = b->ready = true;
    b->request.status = s->status;
    s->all_issued = true;
    append_block(s, b);
    return true;
}

/* Of the next block, for which there are most: whole units, if it can be. */
static size_t block_nbytes(const mill__shard *s, size_t most)
{
    uint64_t left = s->info.nbytes - s->issued, head = s->issued ? 0 : s->first_unit;
    if (s->unit_nbytes && head <= most && s->unit_nbytes <= most - head)
        most -= (most - (size_t)head) % (size_t)s->unit_nbytes;
    return left < most ? (size_t)left : most;
}

/* Whether blocks of quick work may be small: what is cut by their ends is little then. */
static bool may_be_small(const mill__engine *e)
{
    const mill__plan *plan = e->config.job.plan;
    return plan->batched && mill__type_nbytes(&plan->input) <= MILL__QUICK_NBYTES / 8;
}

/* What one thread does in one go, in its own cache: whole units of rows, or so many bytes. */
static size_t small_nbytes(const mill__shard *s, size_t most)
{
    size_t small = (size_t)s->unit_nbytes + (s->issued ? 0 : (size_t)s->first_unit);
    small = small < MILL__QUICK_NBYTES ? MILL__QUICK_NBYTES : small;
    return small < most ? small : most;
}

/* Cached blocks are no far look ahead, for memory that was just used is in the caches; and they are of
 * several shards, for each is walked by one thread. */
enum { KEPT_PIECES = 2, MOST_CACHED = 2 };

static void submit_block(mill__engine *e, mill__block *b)
{
    b->ready = false;
    e->reads++;
    mill__io_submit(e->io, &b->request);
}

/* kept: pieces that are not for this shard. false: not now */
static bool issue_block(mill__engine *e, mill__shard *s, int kept)
{
    size_t room = s->issued ? e->room_nbytes : 0, most = e->piece_nbytes - room;
    if (e->pieces + kept >= e->max_pieces)
        return false;
    mill__block *b = calloc(1, sizeof *b);
    uint8_t *memory = b ? take_piece(e) : NULL;
    if (!memory) {
        free(b);
        if (!e->pieces) {
            mill_error err;
            mill__engine_fail(e, mill__no_memory(&err, e->piece_nbytes, "a block of a shard"), &err);
        }
        return false; /* else: when others have ended */
    }
    *b = (mill__block){.shard = s, .memory = memory, .room = room};
    b->request = (mill__io_request){.read = s->source->read,
                                    .handle = s->handle,
                                    .offset = s->issued,
                                    .data = memory + room,
                                    .done = on_read,
                                    .owner = b};
    b->request.fd = mill__joined_descriptor(s->source, s->handle, s->issued, block_nbytes(s, most));
    b->cached = b->ready = mill__io_expects_cached(e->io, &b->request);
    b->small = b->cached && may_be_small(e);
    b->request.n = b->nbytes = block_nbytes(s, b->small ? small_nbytes(s, most) : most);
    s->issued += b->nbytes;
    b->last = s->all_issued = s->issued == s->info.nbytes;
    append_block(s, b);
    e->cached += b->cached;
    s->cached += b->cached;
    if (b->cached)
        pthread_cond_signal(&e->work);
    else
        submit_block(e, b);
    return true;
}

bool mill__block_fetch(mill__engine *e, mill__block *b)
{
    return !b->cached || mill__io_take_cached(e->io, &b->request);
}

static void not_cached(mill__engine *e, mill__block *b)
{
    e->cached -= b->cached;
    b->shard->cached -= b->cached;
    b->cached = false;
}

void mill__block_fetched(mill__engine *e, mill__block *b, bool fetched)
{
    not_cached(e, b);
    if (!fetched)
        submit_block(e, b);
}

/* Cached blocks of younger shards may have to wait for memory or a batch until the oldest is done: they must
 * not keep it from getting on. */
static bool may_issue(const mill__engine *e, const mill__shard *s)
{
    bool oldest = s == e->issuing && !s->cached;
    return e->reads < e->config.depth && (oldest || e->cached <= e->config.threads);
}

void mill__input_pump(mill__engine *e)
{
    if (atomic_load_explicit(&e->stop, memory_order_relaxed))
        return;
    pump_opens(e);
    int kept = 0;
    for (mill__shard *s = e->issuing; s && s->ordinal < e->limit && may_issue(e, s);) {
        if (s->all_issued && s == e->issuing)
            e->issuing = s->next;
        if (!s->all_issued && (!s->opened || s->cached >= MOST_CACHED))
            kept = KEPT_PIECES;
        else if (!s->all_issued && !issue_block(e, s, kept))
            break;
        else if (!s->all_issued)
            continue;
        s = s->next;
    }
}

static void on_opened(mill__io_request *request)
{
    mill__shard *s = request->owner;
    mill__engine *e = s->engine;
    pthread_mutex_lock(&e->lock);
    s->opened = true;
    e->opened++;
    if (!s->status && !s->kept)
        e->bytes_total += s->info.nbytes;
    if ((s->status || s->kept || !s->info.nbytes) && !append_end_block(s)) {
        mill_error err;
        mill__engine_fail(e, mill__no_memory(&err, sizeof(mill__block), "a block"), &err);
    }
    mill__input_pump(e);
    pthread_cond_broadcast(&e->work);
    pthread_mutex_unlock(&e->lock);
}

static void free_block(mill__engine *e, mill__block *b)
{
    b->shard->live_blocks--;
    not_cached(e, b);
    if (b->capacity) {
        mill__pages_free(b->memory, b->capacity);
        mill__input_charge(e, -(int64_t)b->capacity);
        pthread_cond_broadcast(&e->work); /* a shard may have waited for it */
    } else if (b->memory) {
        mill__piece_give(e, b->memory);
    }
    free(b);
}

static void on_read(mill__io_request *request)
{
    mill__block *b = request->owner;
    mill__engine *e = b->shard->engine;
    pthread_mutex_lock(&e->lock);
    e->reads--;
    b->ready = true;
    if (b->walked) { /* its shard ended before it was read */
        mill__shard *s = b->shard;
        free_block(e, b);
        mill__shard_settle(e, s);
    }
    mill__input_pump(e);
    pthread_cond_signal(&e->work);
    pthread_mutex_unlock(&e->lock);
}

void mill__block_release(mill__engine *e, mill__block *b)
{
    if (b->walked && b->ready && !b->steps)
        free_block(e, b);
}

void mill__input_discard(mill__engine *e, mill__shard *s)
{
    s->all_issued = true;
    while (s->blocks) {
        mill__block *b = s->blocks;
        s->blocks = b->next;
        b->walked = true;
        mill__block_release(e, b);
    }
    s->blocks_end = &s->blocks;
}

/* ---- the end of a shard ---- */

static void close_shard(void *arg) /* on an I/O thread */
{
    mill__shard *s = arg;
    s->source->close(s->handle);
}

static void unlink_shard(mill__engine *e, mill__shard *s)
{
    mill__shard **at = &e->shards;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    if (e->shards_end == &s->next)
        e->shards_end = at;
    if (e->issuing == s)
        e->issuing = s->next;
    if (s->walker)
        s->format->close(s->walker);
    s->walker = NULL;
}

void mill__shard_settle(mill__engine *e, mill__shard *s)
{
    if (!s->ended || s->live_blocks || s->batches || s->walking)
        return;
    unlink_shard(e, s);
    s->next = NULL;
    if (s->handle_open) { /* counted as active, its file being open, until it is closed */
        s->request =
            (mill__io_request){.fd = -1, .call = close_shard, .arg = s, .done = on_closed, .owner = s};
        mill__io_submit(e->io, &s->request);
        return;
    }
    e->active--;
    free(s);
    mill__input_pump(e);
}

static void on_closed(mill__io_request *request)
{
    mill__shard *s = request->owner;
    mill__engine *e = s->engine;
    pthread_mutex_lock(&e->lock);
    e->active--;
    free(s);
    mill__input_pump(e);
    pthread_mutex_unlock(&e->lock);
}

void mill__input_free(mill__engine *e)
{
    while (e->shards) {
        mill__shard *s = e->shards;
        while (s->blocks) {
            mill__block *b = s->blocks;
            s->blocks = b->next;
            free_block(e, b);
        }
        if (s->tail)
            free_block(e, s->tail);
        unlink_shard(e, s);
        if (s->handle_open)
            s->source->close(s->handle);
        free(s);
    }
    while (e->free_pieces) {
        void *piece = e->free_pieces;
        memcpy(&e->free_pieces, piece, sizeof(void *));
        mill__pages_free(piece, e->piece_nbytes);
    }
}
