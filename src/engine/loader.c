/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/loader.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/loader_state.h"
#include "engine/viewed.h"
#include "registry.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1024 * KIB, MOST_OPEN = 256, LEAST_OPEN = 16, LEAST_COMPRESSED = 4 };

/* Code, libraries, thread stacks and bookkeeping, as in engine.c. */
static const uint64_t fixed_nbytes = 12u << 20;

/* ---- opening ---- */

static int descriptors_to_use(void)
{
    struct rlimit limit;
    uint64_t most = getrlimit(RLIMIT_NOFILE, &limit) ? 1024 : limit.rlim_cur;
    most /= 4;
    return most < LEAST_OPEN ? LEAST_OPEN : most < MOST_OPEN ? (int)most : MOST_OPEN;
}

/* Compressed shards take memory while they are open: a quarter of what is usable at most, or fewer stay open.
 */
static uint64_t take_views(mill__loader *l, uint64_t usable)
{
    uint64_t each = 0, most = (uint64_t)descriptors_to_use(), nshards = l->config.engine.nshards;
    for (size_t i = 0; i < nshards; i++) {
        uint64_t nbytes = mill__viewed_least(mill__load_format(l, i), mill__load_name(l, i)->locator);
        each = nbytes > each ? nbytes : each;
    }
    if (each && usable / 4 / each < most)
        most = usable / 4 / each < LEAST_COMPRESSED ? LEAST_COMPRESSED : usable / 4 / each;
    l->max_open = (int)most;
    if (most > nshards)
        most = nshards;
    if (!each || !most)
        return 0;
    l->view_nbytes = usable / 4 / most > each ? usable / 4 / most : each;
    return most * l->view_nbytes;
}

/* Half of what is usable for batches at the most, a quarter for scratch, the rest for what is read. */
static mill_status divide_memory(mill__loader *l, int *nbatches, mill_error *err)
{
    mill__engine_config *c = &l->config.engine;
    const uint64_t budget = c->memory_nbytes, all = budget > fixed_nbytes ? budget - fixed_nbytes : 0;
    const uint64_t views = take_views(l, all), usable = all > views ? all - views : 0;
    const uint64_t rows = l->config.order.batch_size;
    /* shuffled samples are a read each */
    const uint64_t row = c->job.plan->row_nbytes + sizeof(mill__row) + sizeof(mill__load_item) + 64 +
                         (l->config.order.shuffle ? sizeof(mill__load_read) : 0);
    const uint64_t most = (uint64_t)1 << 50; /* what is more is absurd, and might overflow below */
    const uint64_t per_batch = row < most / rows ? rows * row : most;
    int wanted = l->config.prefetch + 2;
    while (wanted > 2 && per_batch * (uint64_t)wanted > usable / 2)
        wanted--;
    if (usable < 8 * MIB || per_batch * (uint64_t)wanted > usable / 2)
        return mill_fail(
            err, MILL_LIMIT, "limit",
            "a memory budget of %llu MiB does not do for batches of %llu MiB: give at least %llu MiB, or "
            "make batches smaller",
            (unsigned long long)(budget / MIB), (unsigned long long)(per_batch / MIB + 1),
            (unsigned long long)((4 * per_batch + fixed_nbytes + views) / MIB + 9));
    *nbatches = wanted;
    c->job.scratch_nbytes = usable / 4 / (uint64_t)c->threads;
    l->input_nbytes = usable - usable / 4 - per_batch * (uint64_t)wanted;
    l->max_sample_nbytes = l->input_nbytes / 4;
    uint64_t group = l->input_nbytes / (uint64_t)(c->depth + 2 * c->threads);
    l->group_nbytes = group < 64 * KIB ? 64 * KIB : group < MIB ? group : MIB;
    l->fixed_used = l->peak_used = fixed_nbytes + views + per_batch * (uint64_t)wanted;
    return MILL_OK;
}

static mill_status make_shards(mill__loader *l, mill_error *err)
{
    size_t n = l->config.engine.nshards;
    l->shards = calloc(n + 1, sizeof *l->shards);
    if (!l->shards)
        return mill__no_memory(err, n * sizeof *l->shards, "the list of shards");
    mill__load_formats(l);
    return MILL_OK;
}

static mill_status make_tables(mill__loader *l, mill_error *err)
{
    const mill__engine_config *c = &l->config.engine;
    l->workers = calloc((size_t)c->threads, sizeof *l->workers);
    l->group_shards = l->max_open / 4;
    l->open_shards = calloc((size_t)l->max_open, sizeof *l->open_shards);
    if (!l->workers || !l->open_shards)
        return mill__no_memory(err, (size_t)l->max_open * sizeof *l->open_shards, "the list of open shards");
    for (int i = 0; i < c->threads; i++)
        mill__worker_init(&l->workers[i], &c->job);
    return MILL_OK;
}

static mill_status start_io(mill__loader *l, mill_error *err)
{
    cpu_set_t cpus;
    const mill__engine_config *c = &l->config.engine;
    const mill__io_config io = {
        .backend = c->io, .depth = c->depth, .trace = c->trace, .cpus = mill__team_cpus(&cpus)};
    return mill__io_open(&l->io, &io, err);
}

static void leave(void *self, int worker)
{
    mill__loader *l = self;
    mill__worker_end(&l->workers[worker]);
}

static mill_status start_team(mill__loader *l, mill_error *err)
{
    const mill__engine_config *c = &l->config.engine;
    const mill__team_config team = {.ops = &mill__load_ops,
                                    .self = l,
                                    .lock = &l->lock,
                                    .work = &l->work,
                                    .out = &l->out,
                                    .threads = c->threads,
                                    .executor = c->executor,
                                    .leave = mill__worker_is_bound(&c->job) ? leave : NULL,
                                    .trace = c->trace};
    return mill__team_start(&l->team, &team, err);
}

static void init(mill__loader *l, const mill__loader_config *config)
{
    pthread_condattr_t monotonic;
    l->config = *config;
    l->pid = getpid();
    l->opened_ns = mill__now_ns();
    l->queue_end = &l->queue;
    l->nshards = config->engine.nshards;
    l->last_cap = UINT64_MAX;
    l->subset_done = !config->first_samples;
    l->plan_epoch = l->at_epoch = config->begin_epoch;
    l->plan_step = l->at_step = config->begin_step;
    l->stats.epoch_samples = l->stats.epoch_batches = -1;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->out, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void begin(mill__loader *l)
{
    pthread_mutex_lock(&l->lock);
    if (l->subset_done)
        mill__load_begin(l);
    mill__load_pump(l);
    pthread_mutex_unlock(&l->lock);
}

mill_status mill__loader_open(mill__loader **loader, const mill__loader_config *config, mill_error *err)
{
    mill__loader *l = *loader = calloc(1, sizeof *l);
    int nbatches = 0;
    if (!l)
        return mill__no_memory(err, sizeof *l, "a loader");
    init(l, config);
    mill_status status = mill__engine_check_formats(&l->config.engine, err);
    if (!status)
        status = make_shards(l, err);
    if (!status)
        status = divide_memory(l, &nbatches, err);
    if (!status)
        status = make_tables(l, err);
    if (!status)
        status = mill__engine_join(&l->config.engine, &l->stop, &l->joined, err);
    if (!status)
        status = mill__load_pool_open(&l->pool, l, nbatches, config->order.batch_size, err);
    mill__load_mix_open(l);
    mill__load_direct_open(l);
    if (!status)
        status = start_io(l, err);
    if (!status)
        status = start_team(l, err);
    if (status) {
        mill__loader_close(l);
        *loader = NULL;
        return status;
    }
    begin(l);
    return MILL_OK;
}

/* ---- going on ---- */

void mill__load_fail(mill__loader *l, mill_status status, const mill_error *err)
{
    if (!l->failure) {
        l->failure = status;
        l->failure_error = *err;
    }
    atomic_store(&l->stop, true);
    pthread_cond_broadcast(&l->work);
    pthread_cond_broadcast(&l->out);
}

static bool has_free(const mill__loader *l)
{
    for (int i = 0; i < l->pool->nbatches; i++)
        if (l->pool->batches[i].state == MILL__LOAD_FREE)
            return true;
    return false;
}

void mill__load_go_on(mill__loader *l)
{
    if (atomic_load_explicit(&l->stop, memory_order_relaxed))
        return;
    do {
        mill__load_advance(l);
        for (int i = 0; l->mending && i < l->pool->nbatches; i++)
            if (l->pool->batches[i].state == MILL__LOAD_MENDING)
                mill__load_mend(l, &l->pool->batches[i]);
    } while (mill__load_plan(l));
    mill__load_issue(l);
    if (!l->groups && !l->blocked_since && !l->plan_done && !has_free(l))
        l->blocked_since = mill__now_ns();
}

void mill__load_pump(mill__loader *l)
{
    mill__load_go_on(l);
    if (l->team.tell)
        pthread_cond_signal(&l->out);
    l->team.tell = false;
}

/* ---- the consumer's side ---- */

bool mill__loader_forked(const mill__loader *l)
{
    return l->pid != getpid();
}

static mill_batch *deliverable(mill__loader *l)
{
    for (int i = 0; i < l->pool->nbatches; i++) {
        mill_batch *b = &l->pool->batches[i];
        if (b->state == MILL__LOAD_COMPLETE && b->sequence == l->deliver_sequence)
            return b;
    }
    return NULL;
}

static mill_status wait_for_batch(mill__loader *l, int timeout_ms, mill_batch **batch, mill_error *err)
{
    const struct timespec deadline = mill__deadline_in(timeout_ms < 0 ? 0 : timeout_ms);
    for (;;) {
        if (l->failure) {
            if (err)
                *err = l->failure_error;
            return l->failure;
        }
        if (atomic_load(&l->stop))
            return mill_fail(err, MILL_CANCELED, "canceled", "the loader was cancelled");
        if ((*batch = deliverable(l)))
            return MILL_OK;
        if (l->plan_done && l->deliver_sequence == l->next_sequence)
            return MILL_END;
        if (l->held == l->pool->nbatches)
            return mill_fail(err, MILL_USAGE, "held",
                             "all %d batches are held and none is released: no other can be made", l->held);
        if (timeout_ms < 0)
            pthread_cond_wait(&l->out, &l->lock);
        else if (pthread_cond_timedwait(&l->out, &l->lock, &deadline) == ETIMEDOUT && !deliverable(l))
            return MILL_AGAIN;
    }
}

static void count_batch(mill__loader *l, const mill_batch *b, int times)
{
    l->stats.batches += times;
    l->stats.samples += times * ((int64_t)b->n - b->padded);
    l->stats.padded += times * b->padded;
    l->stats.substituted += times * b->substituted;
    l->stats.skipped += times * b->replaced;
    l->stats.bytes_out += (uint64_t)(times * (int64_t)(b->n * l->config.engine.job.plan->row_nbytes));
    if (!l->stats.first_batch_ns)
        l->stats.first_batch_ns = mill__now_ns() - l->opened_ns;
}

static mill_status deliver(mill__loader *l, mill_batch *b)
{
    b->state = MILL__LOAD_HELD;
    l->held++;
    atomic_fetch_add(&l->pool->references, 1);
    l->deliver_sequence++;
    if (!b->end)
        count_batch(l, b, 1);
    l->at_epoch = b->epoch_number + b->end;
    l->at_step = b->end ? 0 : b->step + 1;
    return b->end ? MILL_END : MILL_OK;
}

/* It was taken and cannot be given to the user: the loader stands before it again. */
void mill__loader_refuse(mill__loader *l, const mill_batch *b)
{
    pthread_mutex_lock(&l->lock);
    l->at_epoch = b->epoch_number;
    l->at_step = b->step;
    if (!b->end)
        count_batch(l, b, -1);
    pthread_mutex_unlock(&l->lock);
    mill__loader_cancel(l);
}

mill_status mill__loader_next(mill__loader *l, int timeout_ms, mill_batch **batch, mill_error *err)
{
    *batch = NULL;
    pthread_mutex_lock(&l->lock);
    mill_batch *b = deliverable(l);
    mill_status status = MILL_OK;
    if (!b || l->failure || atomic_load(&l->stop)) {
        int64_t begin = mill__now_ns();
        mill__load_pump(l); /* the batch that is wanted may take memory that others may not */
        status = wait_for_batch(l, timeout_ms, &b, err);
        l->stats.waited_ns += mill__now_ns() - begin;
    }
    if (status == MILL_OK && b->failed) {
        mill__load_fail(l, b->failed, &b->why);
        if (err)
            *err = b->why;
        status = b->failed;
    } else if (status == MILL_OK) {
        status = deliver(l, b);
        *batch = b;
    }
    pthread_mutex_unlock(&l->lock);
    return status;
}

void mill__loader_position(mill__loader *l, uint64_t *epoch, uint64_t *step)
{
    pthread_mutex_lock(&l->lock);
    *epoch = l->at_epoch;
    *step = l->at_step;
    pthread_mutex_unlock(&l->lock);
}

void mill__loader_take_back(mill__loader *l, const mill_batch *b)
{
    pthread_mutex_lock(&l->lock);
    l->at_epoch = b->epoch_number;
    l->at_step = b->step;
    pthread_mutex_unlock(&l->lock);
}

void mill__loader_cancel(mill__loader *l)
{
    pthread_mutex_lock(&l->lock);
    atomic_store(&l->stop, true);
    pthread_cond_broadcast(&l->work);
    pthread_cond_broadcast(&l->out);
    pthread_mutex_unlock(&l->lock);
}

void mill__loader_stats_get(mill__loader *l, mill_loader_stats *stats)
{
    const mill__engine_config *c = &l->config.engine;
    pthread_mutex_lock(&l->lock);
    *stats = l->stats;
    stats->epoch = (int64_t)l->at_epoch;
    stats->step = (int64_t)l->at_step;
    stats->elapsed_ns = mill__now_ns() - l->opened_ns;
    stats->bytes_in = atomic_load(&l->bytes_in);
    if (l->blocked_since)
        stats->blocked_ns += mill__now_ns() - l->blocked_since;
    stats->index_ns = atomic_load(&l->index_ns);
    stats->read_ns = atomic_load(&l->read_ns);
    stats->walk_ns = atomic_load(&l->walk_ns);
    stats->transform_ns = atomic_load(&l->transform_ns);
    for (int i = 0; i < l->pool->nbatches; i++)
        stats->ready += l->pool->batches[i].state == MILL__LOAD_COMPLETE && !l->pool->batches[i].end;
    stats->held = l->held;
    stats->reads = l->reads;
    stats->memory_nbytes = l->fixed_used + l->input_used + l->carried_used;
    stats->peak_nbytes = l->peak_used;
    stats->threads = c->threads;
    stats->rank = (int)l->config.order.rank;
    stats->world_size = (int)l->config.order.world_size;
    stats->io = mill__io_name(l->io);
    stats->executor = c->threads > 1 ? c->executor : "loop";
    stats->level = mill__plan_level(c->job.plan);
    pthread_mutex_unlock(&l->lock);
}

/* ---- closing ---- */

static void free_epochs(mill__loader *l)
{
    for (int i = 0; l->pool && i < l->pool->nbatches; i++)
        if (l->pool->batches[i].epoch && l->pool->batches[i].epoch != l->planning)
            mill__load_epoch_release(l, l->pool->batches[i].epoch);
    if (l->planning) {
        l->planning->batches = 1;
        mill__load_epoch_release(l, l->planning);
    }
    while (l->spare_epochs) {
        mill__load_epoch *epoch = l->spare_epochs;
        l->spare_epochs = epoch->next;
        mill__order_free(&epoch->order);
        free(epoch);
    }
}

static void detach_pool(mill__loader *l)
{
    if (!l->pool)
        return;
    pthread_mutex_lock(&l->pool->lock); /* releases that are under way come to their end first */
    l->pool->loader = NULL;
    pthread_mutex_unlock(&l->pool->lock);
}

void mill__loader_close(mill__loader *l)
{
    if (!l || mill__loader_forked(l)) /* in a forked child its threads and their locks are not here */
        return;
    mill__loader_cancel(l);
    mill__team_end(&l->team);
    mill__io_close(l->io);
    detach_pool(l);
    while (l->ready) {
        mill__load_group *g = l->ready;
        l->ready = g->next;
        if (!mill__load_is_mix(g))
            mill__load_group_free(l, g);
    }
    mill__load_reads_free(l);
    free_epochs(l);
    mill__load_shards_free(l);
    mill__joined_free(l->joined);
    for (int i = 0; l->workers && i < l->config.engine.threads; i++)
        mill__worker_end(&l->workers[i]);
    if (l->pool)
        mill__load_pool_leave(l->pool);
    pthread_cond_destroy(&l->out);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    free(l->open_shards);
    free(l->workers);
    free(l);
}
