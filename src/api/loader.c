/* SPDX-License-Identifier: Apache-2.0 */
/* api/loader.c: mill_loader_*(): options checked, the policy on bad samples, state as text. */
#include "engine/loader.h"
#include "api/options.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "base/trace.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mill_loader {
    mill_loader_options options;
    mill__format_ops format; /* that is asked for by name */
    mill__ranks ranks;
    mill__shard_name *shards;
    size_t nshards;
    mill__plan plan;
    mill__trace *trace;
    char *index_cache, *fields, *index_folder;
    mill__loader *loader;
    uint64_t fingerprint, global_batch;
    int64_t errors; /* bad samples told so far */
    mill_status failed;
    mill_error failure;
    /* calls that are under way, which close() sees to their end */
    pthread_mutex_t gate;
    pthread_cond_t left;
    int inside;
};

static void enter(mill_loader *l)
{
    pthread_mutex_lock(&l->gate);
    l->inside++;
    pthread_mutex_unlock(&l->gate);
}

static void leave(mill_loader *l)
{
    pthread_mutex_lock(&l->gate);
    if (!--l->inside)
        pthread_cond_signal(&l->left);
    pthread_mutex_unlock(&l->gate);
}

mill_loader_options mill_loader_options_default(void)
{
    mill_loader_options options = {.struct_nbytes = sizeof options, .run = mill_options_default()};
    return options;
}

mill_status mill_ranks(int rank, int world_size, mill_rank_info *info, mill_error *err)
{
    mill__ranks found;
    mill__error_clear(err);
    mill_status status = mill__ranks_find(&found, rank, world_size, getenv, err);
    if (status)
        return status;
    info->rank = found.rank;
    info->world_size = found.world_size;
    snprintf(info->reason, sizeof info->reason, "rank %d of %d, by %s", found.rank, found.world_size,
             found.by);
    return MILL_OK;
}

/* ---- options ---- */

static mill_status check(const mill_loader_options *o, mill_error *err)
{
    const struct {
        int64_t value, least, most;
        const char *name;
    } numbers[] = {{o->batch_size, 1, 1 << 24, "batch_size"},
                   {o->window, 1, INT64_MAX / 2, "window"},
                   {o->first_samples, 0, INT64_MAX / 2, "first_samples"},
                   {o->repeat, 1, 1 << 24, "repeat"},
                   {o->prefetch, 1, 1024, "prefetch"},
                   {(int64_t)o->shuffle, MILL_SHUFFLE_NONE, MILL_SHUFFLE_GLOBAL, "shuffle"},
                   {(int64_t)o->mix, MILL_MIX_NONE, MILL_MIX_CUTMIX, "mix"}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].value < numbers[i].least || numbers[i].value > numbers[i].most)
            return mill_fail(err, MILL_USAGE, "option",
                             "%s is %" PRId64 "; from %" PRId64 " to %" PRId64 " is allowed", numbers[i].name,
                             numbers[i].value, numbers[i].least, numbers[i].most);
    if (o->allocator && !o->allocator->alloc)
        return mill_fail(err, MILL_USAGE, "option", "the allocator has no alloc()");
    if (!(o->mix_alpha >= 1e-3 && o->mix_alpha <= 1e3))
        return mill_fail(err, MILL_USAGE, "option", "mix_alpha is %g; from 0.001 to 1000 is allowed",
                         o->mix_alpha);
    return MILL_OK;
}

static mill_status fill_options(mill_loader *l, const mill_loader_options *options, mill_error *err)
{
    mill_loader_options *o = &l->options;
    *o = mill_loader_options_default();
    if (options) {
        if (options->struct_nbytes == 0 || options->struct_nbytes > sizeof *o)
            return mill_fail(
                err, MILL_USAGE, "option",
                "options come from mill_loader_options_default() of the same or an older shardmill.h");
        memcpy(o, options, options->struct_nbytes);
    }
    o->batch_size = o->batch_size ? o->batch_size : 32;
    o->window = o->window ? o->window : 8192;
    o->epochs = o->epochs ? o->epochs : 1;
    o->repeat = o->repeat ? o->repeat : 1;
    o->prefetch = o->prefetch ? o->prefetch : 4;
    o->mix_alpha = o->mix_alpha != 0 ? o->mix_alpha : 1;
    mill_options run = o->run;
    mill_status status = mill__options_fill(&o->run, &run, err);
    if (!status)
        status = check(o, err);
    if (!status) /* the caller's texts need not outlive open() */
        o->run.executor = strcmp(o->run.executor, "loop") ? "tasks" : "loop";
    if (!status)
        status = mill__ranks_find(&l->ranks, o->rank, o->world_size, getenv, err);
    l->global_batch = (uint64_t)o->batch_size * (uint64_t)l->ranks.world_size;
    return status;
}

static mill_status forked(mill_error *err)
{
    return mill_fail(
        err, MILL_USAGE, "fork",
        "this loader was opened before fork(); its threads live in the parent process only. Open "
        "another one in the child");
}

/* ---- state ---- */

static void hash_number(mill__hash *h, uint64_t value)
{
    uint8_t bytes[8]; /* the same on every machine */
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    mill__hash_update(h, bytes, sizeof bytes);
}

/* What makes the order and the contents of batches, and nothing else: not threads, ranks, memory, places. */
static bool take_fingerprint(mill_loader *l)
{
    const mill_loader_options *o = &l->options;
    mill__hash *h = mill__hash_new();
    if (!h)
        return false;
    hash_number(h, l->nshards);
    for (size_t i = 0; i < l->nshards; i++)
        mill__hash_update(h, l->shards[i].name, strlen(l->shards[i].name) + 1);
    mill__hash_update(h, l->plan.text, strlen(l->plan.text) + 1);
    if (strcmp(l->plan.files, "none") != 0)
        mill__hash_update(h, l->plan.files, strlen(l->plan.files));
    if (o->run.format) /* its arguments say what a sample is */
        mill__hash_update(h, o->run.format, strlen(o->run.format) + 1);
    const uint64_t numbers[] = {o->run.seed,
                                (uint64_t)o->shuffle,
                                o->shuffle == MILL_SHUFFLE_WINDOW ? (uint64_t)o->window : 0,
                                (uint64_t) !!o->drop_last,
                                (uint64_t)o->first_samples,
                                (uint64_t)o->repeat,
                                (uint64_t)o->run.policy,
                                o->run.max_pixels};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        hash_number(h, numbers[i]);
    if (o->mix) {
        uint64_t alpha;
        memcpy(&alpha, &o->mix_alpha, sizeof alpha);
        hash_number(h, (uint64_t)o->mix);
        hash_number(h, alpha);
    }
    l->fingerprint = mill__hash_digest(h);
    mill__hash_free(h);
    return true;
}

static const char state_format[] =
    "shardmill-state 1 epoch %" SCNu64 " step %" SCNu64 " batch %" SCNu64 " fingerprint %" SCNx64;

static const uint64_t most_samples = (uint64_t)1 << 61; /* of an epoch; what is more, no loader has written */

static void write_state(char *text, uint64_t epoch, uint64_t step, uint64_t batch, uint64_t fingerprint)
{
    snprintf(text, MILL_STATE_NBYTES,
             "shardmill-state 1 epoch %" PRIu64 " step %" PRIu64 " batch %" PRIu64 " fingerprint %016" PRIx64,
             epoch, step, batch, fingerprint);
}

static mill_status read_state(const mill_loader *l, uint64_t *epoch, uint64_t *step, mill_error *err)
{
    const char *text = l->options.state;
    uint64_t batch, fingerprint;
    char again[MILL_STATE_NBYTES];
    *epoch = *step = 0;
    if (!text)
        return MILL_OK;
    bool read = sscanf(text, state_format, epoch, step, &batch, &fingerprint) == 4;
    if (read) /* sscanf is lenient: what was read must be what is written */
        write_state(again, *epoch, *step, batch, fingerprint);
    size_t n = read ? strlen(again) : 0;
    if (!read || strncmp(text, again, n) != 0 || text[n + strspn(text + n, " \r\n")] ||
        *epoch > most_samples || batch > most_samples || *step > most_samples / (batch ? batch : 1))
        return mill_fail(err, MILL_USAGE, "state", "\"%.60s\" is no state of a loader", text);
    if (fingerprint != l->fingerprint)
        return mill_fail(
            err, MILL_USAGE, "state",
            "the state is of another data set, pipeline, seed or order: its fingerprint is %016" PRIx64
            ", that of these arguments %016" PRIx64,
            fingerprint, l->fingerprint);
    if (batch != l->global_batch)
        return mill_fail(err, MILL_USAGE, "state",
                         "the state counts global batches of %" PRIu64
                         " samples, these arguments make batches of "
                         "%" PRIu64 " (batch size %" PRId64 " x world size %d): keep the product",
                         batch, l->global_batch, l->options.batch_size, l->ranks.world_size);
    return MILL_OK;
}

mill_status mill_loader_state(mill_loader *l, char state[MILL_STATE_NBYTES], mill_error *err)
{
    mill__error_clear(err);
    if (!l || !state)
        return mill_fail(err, MILL_USAGE, "argument", "a loader and a place for its state are needed");
    if (mill__loader_forked(l->loader))
        return forked(err);
    uint64_t epoch, step;
    enter(l);
    mill__loader_position(l->loader, &epoch, &step);
    leave(l);
    write_state(state, epoch, step, l->global_batch, l->fingerprint);
    return MILL_OK;
}

/* ---- opening ---- */

static bool place_of_index(mill_loader *l, mill__index_keep *keep)
{
    const mill_loader_options *o = &l->options;
    const char *word = o->index && o->index[0] ? o->index : "auto";
    *keep = (mill__index_keep){.place = MILL__INDEX_NONE};
    if (o->run.source || !strcmp(word, "none"))
        return true;
    keep->place = MILL__INDEX_AUTO;
    keep->cache = l->index_cache = mill__options_cache();
    if (!strcmp(word, "auto"))
        return true;
    keep->place = MILL__INDEX_FOLDER;
    keep->folder = l->index_folder = strdup(word);
    return keep->folder != NULL;
}

static mill_status check_mix(const mill_loader *l, const char *text, mill_error *err)
{
    const mill_type *type = &l->plan.output;
    bool summed = type->dtype == MILL_F32 || type->dtype == MILL_F16 || type->dtype == MILL_BF16 ||
                  type->dtype == MILL_U8;
    if (l->options.mix == MILL_MIX_MIXUP && (!l->plan.has_tensor || !summed))
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "mixup sums f32, f16, bf16 or u8, but the pipeline gives %s: end it with cast f32",
                         text);
    if (l->options.mix == MILL_MIX_CUTMIX && type->layout != MILL_HWC && type->layout != MILL_CHW)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "cutmix exchanges parts of images, but the pipeline gives %s", text);
    return MILL_OK;
}

static mill_status compile(mill_loader *l, const mill__engine_config *config, const mill_pipeline *pipeline,
                           mill_error *err)
{
    mill_status status = mill__engine_compile(config, pipeline, &l->plan, err);
    if (status)
        return status;
    char text[96];
    mill__type_text(&l->plan.output, text, sizeof text);
    if (l->plan.has_tensor && !l->plan.fixed)
        return mill_fail(
            err, MILL_USAGE, "pipeline",
            "its output is %s, which varies from sample to sample; batches need one size: end it with a "
            "crop or a resize to width x height",
            text);
    return check_mix(l, text, err);
}

static mill_status configure(mill_loader *l, const char *spec, const mill_pipeline *pipeline,
                             mill__loader_config *config, mill_error *err)
{
    const mill_loader_options *o = &l->options;
    mill_status status = mill__options_engine(&o->run, &l->format, &config->engine, err);
    if (!status)
        status = mill__options_expand(&o->run, spec, &l->shards, &l->nshards, err);
    config->engine.shards = l->shards;
    config->engine.nshards = l->nshards;
    if (!status)
        status = compile(l, &config->engine, pipeline, err);
    if (status)
        return status;
    l->fields = strdup(o->fields ? o->fields : "json");
    if (!l->fields || !place_of_index(l, &config->index) || !take_fingerprint(l))
        return mill__no_memory(err, l->nshards, "the options of a loader");
    status = read_state(l, &config->begin_epoch, &config->begin_step, err);
    if (!status && o->run.trace)
        status = mill__trace_open(&l->trace, o->run.trace, err);
    config->engine.trace = l->trace;
    config->engine.job.plan = &l->plan;
    config->engine.job.carry = l->fields[0] ? l->fields : NULL;
    config->first_samples = (uint64_t)o->first_samples;
    config->epochs = o->epochs;
    config->prefetch = o->prefetch;
    config->policy = o->run.policy;
    config->mix = (mill__mix)o->mix; /* in the same order */
    config->mix_alpha = o->mix_alpha;
    if (o->allocator)
        config->allocator = *o->allocator;
    config->order =
        (mill__order_config){.shuffle = o->shuffle != MILL_SHUFFLE_NONE,
                             .window = o->shuffle == MILL_SHUFFLE_WINDOW ? (uint64_t)o->window : 0,
                             .seed = o->run.seed,
                             .repeat = (uint64_t)o->repeat,
                             .batch_size = (uint64_t)o->batch_size,
                             .rank = (uint64_t)l->ranks.rank,
                             .world_size = (uint64_t)l->ranks.world_size,
                             .drop_last = o->drop_last};
    return status;
}

mill_status mill_loader_open(mill_loader **loader, const char *spec, const mill_pipeline *pipeline,
                             const mill_loader_options *options, mill_error *err)
{
    mill__error_clear(err);
    if (loader)
        *loader = NULL;
    if (!loader || !spec || !pipeline)
        return mill_fail(err, MILL_USAGE, "argument",
                         "a spec, a pipeline and a place for the loader are needed");
    mill_loader *l = *loader = calloc(1, sizeof *l);
    if (!l)
        return mill__no_memory(err, sizeof *l, "a loader");
    pthread_mutex_init(&l->gate, NULL);
    pthread_cond_init(&l->left, NULL);
    mill__loader_config config = {0};
    mill_status status = fill_options(l, options, err);
    if (!status)
        status = configure(l, spec, pipeline, &config, err);
    if (!status)
        status = mill__loader_open(&l->loader, &config, err);
    if (status) {
        mill_loader_close(l);
        *loader = NULL;
    }
    return status;
}

/* ---- batches ---- */

static mill_status fail(mill_loader *l, const mill_batch *b, const mill_error *why, mill_error *err)
{
    l->failed = why->status;
    l->failure = *why;
    if (err)
        *err = *why;
    mill__loader_refuse(l->loader, b);
    return why->status;
}

static void name_issue(const mill_issue *issue, mill_error *why)
{
    mill_status status = !strcmp(issue->kind, "io")      ? MILL_IO
                         : !strcmp(issue->kind, "limit") ? MILL_LIMIT
                                                         : MILL_BAD_DATA;
    mill_fail(why, status, issue->kind, "%s", issue->reason);
    mill__error_where(why, issue->shard, issue->key, issue->offset);
}

/* Tell what is wrong; the policy says whether the batch may be given. */
static mill_status judge(mill_loader *l, const mill_batch *b, mill_error *err)
{
    size_t n;
    const mill_options *o = &l->options.run;
    const mill_issue *issues = mill__loader_issues(b, &n);
    for (size_t i = 0; i < n; i++) {
        mill_error why;
        if (o->on_issue)
            o->on_issue(o->user, &issues[i]);
        if (issues[i].severity != MILL_ERROR)
            continue;
        name_issue(&issues[i], &why);
        if (o->policy == MILL_POLICY_FAIL)
            return fail(l, b, &why, err);
        if (++l->errors > o->max_errors && o->max_errors > 0) {
            mill_fail(&why, MILL_TOO_MANY_BAD, "budget",
                      "more than the %" PRId64 " errors that are allowed; the last one: %.300s",
                      o->max_errors, issues[i].reason);
            mill__error_where(&why, issues[i].shard, issues[i].key, issues[i].offset);
            return fail(l, b, &why, err);
        }
    }
    return MILL_OK;
}

static mill_status take(mill_loader *l, int timeout_ms, mill_batch **batch, mill_error *err)
{
    mill_batch *b;
    mill_status status = mill__loader_next(l->loader, timeout_ms, &b, err);
    if (!b)
        return status;
    mill_status judged = judge(l, b, err);
    if (judged)
        mill__loader_take_back(l->loader, b);
    if (judged || status == MILL_END)
        mill_batch_release(b);
    else
        *batch = b;
    return judged ? judged : status;
}

mill_status mill_loader_try_next(mill_loader *l, int timeout_ms, mill_batch **batch, mill_error *err)
{
    mill__error_clear(err);
    if (!l || !batch)
        return mill_fail(err, MILL_USAGE, "argument", "a loader and a place for the batch are needed");
    *batch = NULL;
    if (mill__loader_forked(l->loader))
        return forked(err);
    enter(l);
    mill_status status = l->failed;
    if (!status)
        status = take(l, timeout_ms, batch, err);
    else if (err)
        *err = l->failure;
    leave(l);
    return status;
}

mill_status mill_loader_next(mill_loader *l, mill_batch **batch, mill_error *err)
{
    return mill_loader_try_next(l, -1, batch, err);
}

void mill_loader_stats_get(mill_loader *l, mill_loader_stats *stats)
{
    *stats = (mill_loader_stats){0};
    if (!l || mill__loader_forked(l->loader))
        return;
    enter(l);
    mill__loader_stats_get(l->loader, stats);
    leave(l);
}

void mill_loader_cancel(mill_loader *l)
{
    if (!l || mill__loader_forked(l->loader))
        return;
    enter(l);
    mill__loader_cancel(l->loader);
    leave(l);
}

/* Calls of other threads that wait come back: cancelled. */
static void see_out(mill_loader *l)
{
    if (l->loader)
        mill__loader_cancel(l->loader);
    pthread_mutex_lock(&l->gate);
    while (l->inside)
        pthread_cond_wait(&l->left, &l->gate);
    pthread_mutex_unlock(&l->gate);
    pthread_cond_destroy(&l->left);
    pthread_mutex_destroy(&l->gate);
}

void mill_loader_close(mill_loader *l)
{
    if (!l || (l->loader && mill__loader_forked(l->loader)))
        return;
    see_out(l);
    mill__loader_close(l->loader);
    mill__trace_close(l->trace, NULL);
    mill__plan_free(&l->plan);
    mill__spec_free(l->shards, l->nshards);
    free(l->index_cache);
    free(l->index_folder);
    free(l->fields);
    free(l);
}
