/* SPDX-License-Identifier: Apache-2.0 */
/* api/index.c: mill_index(): index files for the shards of a data set. Shards are walked on I/O threads,
 * several at once, and told in the spec's order on the calling thread. */
#include "engine/index.h"
#include "api/options.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/joined.h"
#include "engine/viewed.h"
#include "registry.h"
#include <pthread.h>
#include <shardmill/loader.h>
#include <stdlib.h>
#include <string.h>

typedef struct task {
    struct indexing *all;
    mill__io_request request;
    size_t shard;
    bool done;
    mill__index index;
    char *path; /* what was written; NULL: nothing */
    uint64_t nbytes;
    mill_status status;
    mill_error error;
} task;

typedef struct indexing {
    mill_index_options options;
    mill__format_ops format; /* that is asked for by name */
    mill__shard_name *shards;
    size_t nshards;
    mill__joined *joined; /* NULL: samples lie within shards */
    mill__io *io;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    task *tasks; /* a ring of depth */
    size_t depth;
    mill_stats stats;
} indexing;

mill_index_options mill_index_options_default(void)
{
    mill_index_options options = {.struct_nbytes = sizeof options, .run = mill_options_default()};
    return options;
}

/* ---- on I/O threads ---- */

static const mill__format_ops *format_of(const indexing *all, const mill__shard_name *name)
{
    if (all->options.run.format)
        return &all->format;
    return name->is_folder ? &mill__format_folder : mill__format_for_path(name->locator);
}

static mill_status write_index(task *t, const mill__indexed *shard)
{
    const mill_index_options *o = &t->all->options;
    const char *locator = shard->name->locator;
    const mill__index_keep keep = {.place = MILL__INDEX_FOLDER, .folder = o->folder};
    t->path =
        o->dali ? mill__index_dali_path(o->folder, locator) : mill__index_path(&keep, locator, !o->folder);
    if (!t->path)
        return mill__no_memory(&t->error, strlen(locator), "a path");
    return o->dali ? mill__index_save_dali(shard, t->path, &t->error)
                   : mill__index_save(&t->index, t->path, &t->error);
}

static void index_shard(void *arg)
{
    task *t = arg;
    const indexing *all = t->all;
    const mill__shard_name *name = &all->shards[t->shard];
    const mill_source_ops *stored = all->options.run.source ? all->options.run.source
                                    : name->is_folder       ? &mill__source_folder
                                                            : &mill__source_file;
    const mill__format_ops *format = format_of(all, name);
    const mill_source_ops *source =
        all->joined ? &mill__joined_ops : mill__viewed_source(stored, format, name->locator);
    void *handle;
    mill_shard_info info = {0};
    if (!format) {
        t->status = mill_fail(&t->error, MILL_USAGE, "format", "no shard format is known for it");
        return;
    }
    t->status = all->joined ? mill__joined_open(all->joined, t->shard, &handle, &info, &format, &t->error)
                            : mill__viewed_open(stored, all->options.run.source_user, format, name->locator,
                                                0, &handle, &info, &t->error);
    if (t->status)
        return;
    const mill__indexed shard = {.name = name,
                                 .format = format,
                                 .source = source,
                                 .handle = handle,
                                 .info = &info,
                                 .max_sample_nbytes = all->options.run.memory_nbytes / 4};
    t->status = mill__viewed_settle(source, handle, &info, &t->error);
    t->nbytes = info.nbytes;
    if (!t->status)
        t->status = mill__index_make(&t->index, &shard, &t->error);
    else if (t->status != MILL_IO && t->status != MILL_NO_MEMORY && mill__index_refuse(&t->index, &t->error))
        t->status = MILL_OK;
    if (!t->status && t->index.walked && !t->index.nissues)
        t->status = write_index(t, &shard);
    source->close(handle);
}

static void on_done(mill__io_request *request)
{
    task *t = request->owner;
    pthread_mutex_lock(&t->all->lock);
    t->done = true;
    pthread_cond_signal(&t->all->changed);
    pthread_mutex_unlock(&t->all->lock);
}

/* ---- on the calling thread ---- */

static task *task_of(const indexing *all, size_t shard)
{
    return &all->tasks[all->depth ? shard % all->depth : 0];
}

static void begin_task(indexing *all, size_t shard)
{
    task *t = task_of(all, shard);
    *t = (task){.all = all, .shard = shard};
    mill__error_clear(&t->error);
    t->request = (mill__io_request){.fd = -1, .call = index_shard, .arg = t, .done = on_done, .owner = t};
    mill__io_submit(all->io, &t->request);
}

static void tell(indexing *all, task *t)
{
    const mill_index_options *o = &all->options;
    const char *locator = all->shards[t->shard].locator;
    for (size_t i = 0; i < t->index.nissues; i++) {
        mill_issue issue = t->index.issues[i];
        issue.shard = locator;
        all->stats.errors += issue.severity == MILL_ERROR;
        all->stats.warnings += issue.severity == MILL_WARNING;
        if (o->run.on_issue)
            o->run.on_issue(o->run.user, &issue);
    }
    all->stats.samples += (int64_t)t->index.extents.n;
    all->stats.bytes_in += t->nbytes;
    all->stats.shards_done++;
    if (o->on_shard)
        o->on_shard(o->run.user, locator, (int64_t)t->index.extents.n, t->path);
}

static mill_status wait_for(indexing *all, size_t shard, mill_error *err)
{
    task *t = task_of(all, shard);
    pthread_mutex_lock(&all->lock);
    while (!t->done)
        pthread_cond_wait(&all->changed, &all->lock);
    pthread_mutex_unlock(&all->lock);
    mill_status status = t->status;
    if (status && err) {
        *err = t->error;
        mill__error_where(err, all->shards[shard].locator, NULL, MILL_NO_OFFSET);
    } else if (!status) {
        tell(all, t);
    }
    mill__index_free(&t->index);
    free(t->path);
    t->path = NULL;
    return status;
}

static mill_status index_all(indexing *all, mill_error *err)
{
    size_t begun = 0;
    mill_status status = MILL_OK;
    for (size_t i = 0; i < all->nshards && !status; i++) {
        for (; begun < all->nshards && begun < i + all->depth; begun++)
            begin_task(all, begun);
        status = wait_for(all, i, err);
        for (size_t rest = i + 1; status && rest < begun; rest++) /* what was begun comes to its end */
            wait_for(all, rest, NULL);
    }
    return status;
}

static mill_status set_up(indexing *all, const char *spec, mill_error *err)
{
    const mill_options options = all->options.run;
    mill_status status = mill__options_fill(&all->options.run, &options, err);
    if (!status && all->options.run.format)
        status = mill__format_parse(all->options.run.format, &all->format, err);
    if (!status)
        status = mill__options_expand(&all->options.run, spec, &all->shards, &all->nshards, err);
    if (status)
        return status;
    all->stats.shards = (int64_t)all->nshards;
    const mill__joined_config joined = {.shards = all->shards,
                                        .nshards = all->nshards,
                                        .source = all->options.run.source,
                                        .source_user = all->options.run.source_user,
                                        .format = all->options.run.format ? &all->format : NULL};
    status = mill__joined_new(&all->joined, &joined, err);
    if (status)
        return status;
    all->depth = all->options.run.io_depth > 0 ? (size_t)all->options.run.io_depth : 1;
    all->tasks = calloc(all->depth, sizeof *all->tasks);
    if (!all->tasks)
        return mill__no_memory(err, all->depth * sizeof *all->tasks, "tasks");
    const mill__io_config io = {.backend = "threads", .depth = all->options.run.io_depth};
    return mill__io_open(&all->io, &io, err);
}

mill_status mill_index(const char *spec, const mill_index_options *options, mill_stats *stats,
                       mill_error *err)
{
    indexing all = {.options = mill_index_options_default()};
    int64_t begin = mill__now_ns();
    mill__error_clear(err);
    if (!spec)
        return mill_fail(err, MILL_USAGE, "argument", "a spec is needed");
    if (options) {
        if (options->struct_nbytes == 0 || options->struct_nbytes > sizeof all.options)
            return mill_fail(
                err, MILL_USAGE, "option",
                "options come from mill_index_options_default() of the same or an older shardmill.h");
        memcpy(&all.options, options, options->struct_nbytes);
    }
    pthread_mutex_init(&all.lock, NULL);
    pthread_cond_init(&all.changed, NULL);
    mill_status status = set_up(&all, spec, err);
    if (!status)
        status = index_all(&all, err);
    mill__io_close(all.io);
    mill__joined_free(all.joined);
    pthread_cond_destroy(&all.changed);
    pthread_mutex_destroy(&all.lock);
    mill__spec_free(all.shards, all.nshards);
    free(all.tasks);
    all.stats.elapsed_ns = mill__now_ns() - begin;
    if (stats)
        *stats = all.stats;
    return status;
}
