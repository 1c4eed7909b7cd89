/* SPDX-License-Identifier: Apache-2.0 */
/* engine/input.c: shards are opened and their blocks read strictly in data-set order. Memory is therefore
 * taken in order too, and the oldest block always has its own: no younger one can starve it. */
#include "base/error.h"
#include "engine/state.h"
#include "registry.h"
#include <stdlib.h>
#include <string.h>

static void on_opened(mill__io_request *request);
static void on_read(mill__io_request *request);
static void on_closed(mill__io_request *request);

/* ---- opening ---- */

static void open_shard(void *arg) /* on an I/O thread */
{
    mill__shard *s = arg;
    mill__engine *e = s->engine;
    mill__error_clear(&s->error);
    int64_t begin = mill__trace_now(e->config.trace);
    s->status = s->source->open(s->source_user, s->name->locator, &s->handle, &s->info, &s->error);
    s->handle_open = !s->status;
    if (!s->status && e->config.keep)
        s->kept = e->config.keep(e->config.user, s->ordinal, &s->info);
    if (!s->status && !s->kept)
        s->status =
            s->format->open(&s->walker, &s->info, s->name->class_index, e->max_sample_nbytes, &s->error);
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
    s->engine->blocks++;
}

static void charge(mill__engine *e, size_t nbytes)
{
    e->input_used += nbytes;
    if (e->input_used + e->fixed_used > e->peak_used)
        e->peak_used = e->input_used + e->fixed_used;
    mill__trace_counter(e->config.trace, "input bytes", (int64_t)e->input_used);
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

static size_t next_block_nbytes(const mill__engine *e, const mill__shard *s)
{
    uint64_t left = s->info.nbytes - s->issued;
    return left <= e->block_nbytes + e->block_nbytes / 4 ? (size_t)left : e->block_nbytes;
}

/* false: not now */
static bool issue_block(mill__engine *e, mill__shard *s)
{
    size_t nbytes = next_block_nbytes(e, s), room = s->issued ? e->block_nbytes / 4 : 0;
    size_t capacity = nbytes + room;
    if (e->blocks && (e->input_used + capacity > e->input_nbytes || e->blocks >= e->max_blocks))
        return false;
    mill__block *b = calloc(1, sizeof *b);
    uint8_t *memory = mill__alloc(capacity);
    if (!b || !memory) {
        free(b);
        mill__free(memory);
        if (!e->blocks) {
            mill_error err;
            mill__engine_fail(e, mill__no_memory(&err, capacity, "a block of a shard"), &err);
        }
        return false; /* else: when others have ended */
    }
    *b = (mill__block){.shard = s, .memory = memory, .capacity = capacity, .room = room, .nbytes = nbytes};
    int fd = s->source->fd ? s->source->fd(s->handle) : -1;
    b->request = (mill__io_request){.fd = fd,
                                    .read = s->source->read,
                                    .handle = s->handle,
                                    .offset = s->issued,
                                    .data = memory + room,
                                    .n = nbytes,
                                    .done = on_read,
                                    .owner = b};
    s->issued += nbytes;
    b->last = s->all_issued = s->issued == s->info.nbytes;
    append_block(s, b);
    charge(e, capacity);
    e->reads++;
    mill__io_submit(e->io, &b->request);
    return true;
}

void mill__input_pump(mill__engine *e)
{
    if (atomic_load_explicit(&e->stop, memory_order_relaxed))
        return;
    pump_opens(e);
    while (e->issuing && e->reads < e->config.depth) {
        mill__shard *s = e->issuing;
        if (s->all_issued)
            e->issuing = s->next;
        else if (!s->opened || s->ordinal >= e->limit || !issue_block(e, s))
            break;
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
    mill__shard *s = b->shard;
    e->input_used -= b->capacity;
    e->blocks--;
    s->live_blocks--;
    mill__free(b->memory);
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
    e->input_used -= s->carry_charged;
    mill__buffer_free(&s->carry);
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
        unlink_shard(e, s);
        if (s->handle_open)
            s->source->close(s->handle);
        free(s);
    }
}
