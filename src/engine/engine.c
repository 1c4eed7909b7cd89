/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/joined.h"
#include "engine/state.h"
#include "engine/viewed.h"
#include "registry.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Code, libraries, thread stacks and bookkeeping of a process that does nothing else. */
static const uint64_t fixed_nbytes = 12u << 20;

enum { KIB = 1024, MIB = 1024 * KIB };

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* What divide_memory() and divide_input() make of it must do: two finished samples in the output, and in the
 * input one sample beside a piece, which is an eighth of it at most. */
static mill_status too_small(const mill__engine *e, uint64_t sample, uint64_t row, mill_error *err)
{
    uint64_t output = 2 * row, input = 4 * sample + 32 * KIB, least = output > input ? output : input;
    return mill_fail(err, MILL_LIMIT, "limit",
                     "a memory budget of %llu MiB does not do for samples of %llu bytes that become %llu; "
                     "give at least %llu MiB",
                     (unsigned long long)(e->config.memory_nbytes / MIB), (unsigned long long)sample,
                     (unsigned long long)row,
                     (unsigned long long)((8 * (least / 3 + 1) + fixed_nbytes) / MIB + 1));
}

/* Half for pieces, half for samples that do not fit one; three quarters of that for the oldest shard alone.
 */
static void divide_input(mill__engine *e, uint64_t input)
{
    uint64_t wanted = (uint64_t)e->config.depth + 2 * (uint64_t)e->config.threads + 2;
    e->piece_nbytes = (size_t)clamp(input / 2 / wanted, 80 * KIB, 5 * MIB) & ~(size_t)4095;
    e->room_nbytes = e->piece_nbytes / 5 & ~(size_t)4095;
    e->max_pieces = (int)clamp(input / 2 / e->piece_nbytes, 2, wanted);
    e->joined_nbytes = input / 2;
    e->reserve_nbytes = input / 8 * 3;
    e->max_sample_nbytes = (size_t)e->reserve_nbytes - e->piece_nbytes - 4096;
}

/* Compressed shards take memory while they are open: an eighth of what is usable at most, or fewer are open
 * at once. */
static uint64_t take_views(mill__engine *e, uint64_t usable)
{
    const mill__engine_config *c = &e->config;
    uint64_t active = (uint64_t)c->depth + 2 * (uint64_t)c->threads + 4, each = 0;
    for (size_t i = 0; i < c->nshards; i++) {
        const char *locator = c->shards[i].locator;
        uint64_t nbytes = mill__viewed_least(c->format ? c->format : mill__format_for_path(locator), locator);
        each = nbytes > each ? nbytes : each;
    }
    if (each)
        active = clamp(usable / 8 / each, 2, active);
    e->max_active = (int)active;
    if (active > c->nshards)
        active = c->nshards;
    if (!each || !active)
        return 0;
    e->view_nbytes = usable / 8 / active > each ? usable / 8 / active : each;
    return active * e->view_nbytes;
}

/* Shares of the budget: three eighths for what is read, three for what is made, two for the threads' scratch.
 */
static mill_status divide_memory(mill__engine *e, mill_error *err)
{
    mill__engine_config *c = &e->config;
    uint64_t threads = (uint64_t)c->threads, budget = c->memory_nbytes;
    if (budget < fixed_nbytes + 8 * MIB)
        return mill_fail(err, MILL_USAGE, "limit", "a memory budget of %llu bytes; at least %llu are needed",
                         (unsigned long long)budget, (unsigned long long)(fixed_nbytes + 8 * MIB));
    uint64_t views = take_views(e, budget - fixed_nbytes);
    uint64_t usable = budget - fixed_nbytes - views, input = usable / 8 * 3, output = usable / 8 * 3;

    divide_input(e, input);
    c->job.scratch_nbytes = usable / 4 / threads;

    const mill__plan *plan = c->job.plan;
    size_t row = plan->fixed && !c->job.encode && !c->job.probe ? plan->row_nbytes : 0;
    const mill__reduction *reduction = c->job.reduction;
    size_t unit = reduction ? reduction->unit : 1, extra = reduction ? reduction->nbytes : 0;
    uint64_t least = unit * row + extra; /* of a batch */
    uint64_t slots = clamp(2 * threads + 4, 6, 64);
    while (slots > 2 && output / slots < least)
        slots--;
    uint64_t slab = clamp(output / slots, 0, 8 * MIB);
    uint64_t sample = c->job.probe ? 0 : mill__type_nbytes(&plan->input);
    if (least > output / 2 || sample > e->max_sample_nbytes)
        return too_small(e, sample, least, err);
    if (slab < least)
        slab = least;
    e->nslots = (int)slots;
    e->places = row ? (size_t)clamp(slab / least, 1, 4096 / unit) * unit : 64;
    e->batch_source_nbytes = row ? SIZE_MAX : (size_t)(output / slots / 2);
    if (row && (c->job.carry))
        e->batch_source_nbytes = (size_t)clamp(output / slots * 4, 1, SIZE_MAX);
    e->chunks = (int)clamp(2 * threads, 1, 16);
    if (e->chunks > (int)e->places)
        e->chunks = (int)e->places;
    e->fixed_used = fixed_nbytes + views + slots * (e->places * row + e->places / unit * extra);
    e->peak_used = e->fixed_used;
    return MILL_OK;
}

static mill_status make_partials(const mill__engine *e, mill__batch *batch, mill_error *err)
{
    const mill__reduction *reduction = e->config.job.reduction;
    if (!reduction)
        return MILL_OK;
    size_t n = e->places / reduction->unit;
    batch->partials = mill__alloc(n * reduction->nbytes);
    batch->done = calloc(n, sizeof *batch->done);
    return batch->partials && batch->done ? MILL_OK
                                          : mill__no_memory(err, n * reduction->nbytes, "partial results");
}

static mill_status make_slots(mill__engine *e, mill_error *err)
{
    const mill__engine_config *c = &e->config;
    const mill__plan *plan = c->job.plan;
    bool rows = plan->fixed && !c->job.encode && !c->job.probe && plan->row_nbytes;
    e->slots = calloc((size_t)e->nslots, sizeof *e->slots);
    for (int i = 0; e->slots && i < e->nslots; i++) {
        mill__batch *batch = &e->slots[i].batch;
        size_t nbytes = e->places * plan->row_nbytes;
        if (mill__batch_open(batch, e->places) || (rows && !(batch->slab = mill__alloc(nbytes))))
            return mill__no_memory(err, nbytes, "a batch");
        mill_status status = make_partials(e, batch, err);
        if (status)
            return status;
    }
    e->free_slots = e->nslots;
    return e->slots ? MILL_OK : mill__no_memory(err, sizeof *e->slots, "batches");
}

static mill_status make_workers(mill__engine *e, mill_error *err)
{
    e->workers = calloc((size_t)e->config.threads, sizeof *e->workers);
    if (!e->workers)
        return mill__no_memory(err, sizeof *e->workers, "compute threads");
    for (int i = 0; i < e->config.threads; i++)
        mill__worker_init(&e->workers[i], &e->config.job);
    return MILL_OK;
}

mill_status mill__engine_check_formats(const mill__engine_config *c, mill_error *err)
{
    for (size_t i = 0; i < c->nshards; i++) {
        const mill__shard_name *name = &c->shards[i];
        mill_status status = mill__joined_check(c->format, name, err);
        if (status)
            return status;
        if (!c->format && !name->is_folder && !mill__format_for_path(name->locator))
            return mill_fail(
                err, MILL_USAGE, "format",
                "no shard format is known for \"%s\": its name ends in none of the known extensions; name "
                "the format (shardmill formats lists them)",
                name->locator);
    }
    return MILL_OK;
}

mill_status mill__engine_check(const mill__engine_config *config, mill_error *err)
{
    mill__engine e = {.config = *config};
    mill_status status = mill__engine_check_formats(config, err);
    return status ? status : divide_memory(&e, err);
}

static mill_status open_io(mill__engine *e, mill_error *err)
{
    cpu_set_t cpus;
    const mill__io_config config = {.backend = e->config.io ? e->config.io : "auto",
                                    .depth = e->config.depth,
                                    .trace = e->config.trace,
                                    .cpus = mill__team_cpus(&cpus)};
    return mill__io_open(&e->io, &config, err);
}

static void leave(void *self, int worker)
{
    mill__engine *e = self;
    mill__worker_end(&e->workers[worker]);
}

static mill_status start_team(mill__engine *e, mill_error *err)
{
    const mill__team_config config = {.ops = &mill__step_ops,
                                      .self = e,
                                      .lock = &e->lock,
                                      .work = &e->work,
                                      .out = &e->out,
                                      .threads = e->config.threads,
                                      .executor = e->config.executor,
                                      .leave = mill__worker_is_bound(&e->config.job) ? leave : NULL,
                                      .trace = e->config.trace};
    return mill__team_start(&e->team, &config, err);
}

static void init_locks(mill__engine *e)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->work, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&e->out, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

mill_status mill__engine_join(const mill__engine_config *c, const atomic_bool *stop,
                              struct mill__joined **joined, mill_error *err)
{
    const mill__joined_config config = {.shards = c->shards,
                                        .nshards = c->nshards,
                                        .source = c->source,
                                        .source_user = c->source_user,
                                        .format = c->format,
                                        .stop = stop};
    return mill__joined_new(joined, &config, err);
}

static mill_status set_up(mill__engine *e, mill_error *err)
{
    mill_status status = mill__engine_check_formats(&e->config, err);
    if (!status)
        status = divide_memory(e, err);
    if (!status)
        status = make_slots(e, err);
    if (!status)
        status = mill__engine_join(&e->config, &e->stop, &e->joined, err);
    if (!status)
        status = make_workers(e, err);
    if (!status)
        status = open_io(e, err);
    return status ? status : start_team(e, err);
}

mill_status mill__engine_open(mill__engine **engine, const mill__engine_config *config, mill_error *err)
{
    mill__engine *e = *engine = calloc(1, sizeof *e);
    if (!e)
        return mill__no_memory(err, sizeof *e, "the engine");
    e->config = *config;
    e->pid = getpid();
    e->limit = config->nshards;
    e->shards_end = &e->shards;
    init_locks(e);
    mill_status status = set_up(e, err);
    if (status) {
        mill__engine_close(e);
        *engine = NULL;
        return status;
    }
    pthread_mutex_lock(&e->lock);
    mill__input_pump(e);
    pthread_mutex_unlock(&e->lock);
    return MILL_OK;
}

/* ---- the consumer's side ---- */

static mill__slot *deliverable(mill__engine *e)
{
    mill__slot *best = NULL;
    for (int i = 0; i < e->nslots; i++) {
        mill__slot *slot = &e->slots[i];
        if (slot->batch.state == MILL__BATCH_COMPLETE && slot->batch.sequence == slot->shard->delivered &&
            (!best || slot->batch.shard < best->batch.shard))
            best = slot;
    }
    return best;
}

static bool all_delivered(const mill__engine *e)
{
    if (e->next_ordinal < e->limit)
        return false;
    for (const mill__shard *s = e->shards; s && s->ordinal < e->limit; s = s->next)
        if (!s->last_delivered)
            return false;
    return true;
}

static mill_status forked(mill_error *err)
{
    return mill_fail(
        err, MILL_USAGE, "fork",
        "this run was opened before fork(); its threads live in the parent process only. Open another one "
        "in the child");
}

mill_status mill__engine_next(mill__engine *e, mill__batch **batch, int timeout_ms, mill_error *err)
{
    if (e->pid != getpid())
        return forked(err);
    const struct timespec deadline = mill__deadline_in(timeout_ms < 0 ? 0 : timeout_ms);
    mill_status status = MILL_OK;
    mill__slot *slot = NULL;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        if (e->failure || atomic_load(&e->stop)) {
            status = e->failure ? e->failure : MILL_CANCELED;
            break;
        }
        if ((slot = deliverable(e)))
            break;
        if (all_delivered(e)) {
            status = MILL_END;
            break;
        }
        if (timeout_ms < 0)
            pthread_cond_wait(&e->out, &e->lock);
        else if (pthread_cond_timedwait(&e->out, &e->lock, &deadline) == ETIMEDOUT) {
            status = MILL_AGAIN;
            break;
        }
    }
    if (slot) {
        slot->batch.state = MILL__BATCH_HELD;
        mill__trace_counter(e->config.trace, "batches waiting", --e->complete);
        slot->shard->delivered++;
        slot->shard->last_delivered = slot->batch.last;
        *batch = &slot->batch;
    } else if (status == MILL_CANCELED) {
        mill_fail(err, MILL_CANCELED, "canceled", "the run was cancelled");
    } else if (e->failure && err) {
        *err = e->failure_error;
    }
    pthread_mutex_unlock(&e->lock);
    return status;
}

void mill__engine_release(mill__engine *e, mill__batch *batch)
{
    mill__slot *slot = (mill__slot *)batch;
    mill__shard *s = slot->shard;
    mill__batch_reset(batch); /* the consumer's until the state changes */
    pthread_mutex_lock(&e->lock);
    batch->state = MILL__BATCH_FREE;
    slot->shard = NULL;
    e->free_slots++;
    s->batches--;
    mill__shard_settle(e, s);
    pthread_cond_signal(&e->work);
    pthread_mutex_unlock(&e->lock);
}

void mill__engine_stop_after(mill__engine *e, size_t shard)
{
    pthread_mutex_lock(&e->lock);
    if (shard + 1 < e->limit)
        e->limit = shard + 1;
    pthread_cond_broadcast(&e->work);
    pthread_cond_broadcast(&e->out);
    pthread_mutex_unlock(&e->lock);
}

void mill__engine_cancel(mill__engine *e)
{
    pthread_mutex_lock(&e->lock);
    atomic_store(&e->stop, true);
    pthread_cond_broadcast(&e->work);
    pthread_cond_broadcast(&e->out);
    pthread_mutex_unlock(&e->lock);
}

void mill__engine_stats_get(mill__engine *e, mill__engine_stats *stats)
{
    pthread_mutex_lock(&e->lock);
    *stats = (mill__engine_stats){.bytes_total = e->bytes_total,
                                  .opened = e->opened,
                                  .peak_nbytes = e->peak_used,
                                  .busy_ns = e->busy_ns,
                                  .io = mill__io_name(e->io),
                                  .executor = e->config.threads > 1 ? e->config.executor : "loop",
                                  .level = mill__plan_level(e->config.job.plan),
                                  .threads = e->config.threads,
                                  .steps = e->steps,
                                  .regions = e->team.regions};
    pthread_mutex_unlock(&e->lock);
}

void mill__engine_close(mill__engine *e)
{
    if (!e)
        return;
    if (e->pid != getpid()) /* a copy in a forked child: its threads and their locks are not here */
        return;
    mill__engine_cancel(e);
    mill__team_end(&e->team);
    mill__io_close(e->io);
    mill__input_free(e);
    mill__joined_free(e->joined);
    for (int i = 0; e->workers && i < e->config.threads; i++)
        mill__worker_end(&e->workers[i]);
    for (int i = 0; e->slots && i < e->nslots; i++)
        mill__batch_free(&e->slots[i].batch);
    while (e->spare_steps) {
        mill__step *next = e->spare_steps->next;
        free(e->spare_steps);
        e->spare_steps = next;
    }
    pthread_cond_destroy(&e->out);
    pthread_cond_destroy(&e->work);
    pthread_mutex_destroy(&e->lock);
    free(e->workers);
    free(e->slots);
    free(e);
}

/* ---- the type of the samples ---- */

static mill_status peek_shard(const mill__engine_config *c, const mill__shard_name *name, mill_type *type,
                              mill_error *err)
{
    const mill__format_ops *format = c->format ? c->format : mill__format_for_path(name->locator);
    const mill_source_ops *stored = c->source ? c->source : &mill__source_file;
    const mill_source_ops *source = mill__viewed_source(stored, format, name->locator);
    if (!format)
        return mill__engine_check_formats(c, err);
    void *handle;
    mill_shard_info info = {0};
    mill_status status =
        mill__viewed_open(stored, c->source_user, format, name->locator, 0, &handle, &info, err);
    if (status)
        return status;
    const size_t n = 64 * KIB; /* of a compressed shard it is not known yet how many there are */
    size_t got = 0;
    uint8_t *head = mill__alloc(n);
    if (!head)
        status = mill__no_memory(err, n, "the head of a shard");
    if (!status && format->resizes)
        status = mill__viewed_settle(source, handle, &info, err);
    if (!status && !info.layout)
        status = source->read(handle, 0, head, n, &got, err);
    if (!status) {
        mill__window window = {.data = head, .nbytes = got, .last = got < n};
        status = format->peek(format, &info, &window, type, err);
    }
    mill__free(head);
    source->close(handle);
    return status;
}

static mill_status peek(const mill__engine_config *config, mill_type *type, const mill__shard_name **shard,
                        mill_error *err)
{
    mill_status status = MILL_USAGE;
    enum { TRIES = 8 };
    for (size_t i = 0; i < config->nshards && i < TRIES; i++) {
        const mill__shard_name *name = *shard = &config->shards[i];
        if (name->is_folder && !config->source) {
            mill_type encoded = {.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}};
            *type = encoded;
            return MILL_OK;
        }
        mill_error this_error;
        status = peek_shard(config, name, type, i ? &this_error : err);
        if (!status)
            return MILL_OK;
        if (!i)
            mill__error_where(err, name->locator, NULL, MILL_NO_OFFSET);
    }
    return status;
}

mill_status mill__engine_peek(const mill__engine_config *config, mill_type *type, mill_error *err)
{
    const mill__shard_name *shard;
    return peek(config, type, &shard, err);
}

mill_status mill__engine_compile(const mill__engine_config *config, const mill_pipeline *pipeline,
                                 mill__plan *plan, mill_error *err)
{
    mill_type type;
    const mill__shard_name *shard;
    mill_status status = peek(config, &type, &shard, err);
    if (status)
        return status;
    status = mill__plan_compile(pipeline, &type, plan, err);
    if (status)
        mill__error_where(err, shard->locator, NULL, MILL_NO_OFFSET);
    return status;
}
