/* SPDX-License-Identifier: Apache-2.0 */
/* engine/loader_shard.c: shards of a loader: jobs on I/O threads index, open and close them. A shard stays
 * open while groups use it, and then until others want its place. */
#include "base/clock.h"
#include "base/error.h"
#include "engine/loader_state.h"
#include "engine/viewed.h"
#include "registry.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_NBYTES = 64 << 10 };

typedef struct job {
    mill__io_request request;
    mill__loader *loader;
    size_t shard;
    bool index; /* else only open */
    void *handle;
    const mill__format_ops *format; /* to index it with */
    mill_shard_info info;
    mill__index made;
    mill_status status;
    mill_error error;
} job;

const mill__shard_name *mill__load_name(const mill__loader *l, size_t shard)
{
    return &l->config.engine.shards[shard];
}

static const mill__format_ops *format_of(const mill__loader *l, size_t shard)
{
    const mill__shard_name *name = mill__load_name(l, shard);
    return l->config.engine.format ? l->config.engine.format
           : name->is_folder       ? &mill__format_folder
                                   : mill__format_for_path(name->locator);
}

void mill__load_formats(mill__loader *l)
{
    for (size_t i = 0; i < l->config.engine.nshards; i++)
        l->shards[i].format = format_of(l, i);
}

const mill__format_ops *mill__load_format(const mill__loader *l, size_t shard)
{
    return l->shards[shard].format;
}

static const mill_source_ops *stored_source(const mill__loader *l, size_t shard)
{
    return l->config.engine.source                ? l->config.engine.source
           : mill__load_name(l, shard)->is_folder ? &mill__source_folder
                                                  : &mill__source_file;
}

const mill_source_ops *mill__load_source(const mill__loader *l, size_t shard)
{
    return l->joined ? &mill__joined_ops
                     : mill__viewed_source(stored_source(l, shard), mill__load_format(l, shard),
                                           mill__load_name(l, shard)->locator);
}

/* ---- on I/O threads ---- */

/* What the plan was made for is what every shard must hold. */
static mill_status check_type(job *j, const mill__indexed *shard)
{
    const mill_type *planned = &j->loader->config.engine.job.plan->input;
    bool by_head = shard->format->locate && !shard->info->nmembers;
    size_t n = !by_head ? 0 : shard->info->nbytes < HEAD_NBYTES ? (size_t)shard->info->nbytes : HEAD_NBYTES;
    size_t got = 0;
    uint8_t *head = mill__alloc(n);
    if (!head)
        return mill__no_memory(&j->error, n, "the head of a shard");
    mill_type type = *planned;
    mill_status status = n ? shard->source->read(shard->handle, 0, head, n, &got, &j->error) : MILL_OK;
    const mill__window window = {.data = head, .nbytes = got, .last = got == shard->info->nbytes};
    bool known = !status && shard->format->peek(shard->format, shard->info, &window, &type, NULL) ==
                                MILL_OK; /* else index() says why */
    mill__free(head);
    bool same = type.dtype == planned->dtype && type.layout == planned->layout && type.rank == planned->rank;
    for (int i = 0; same && i < type.rank; i++)
        same = type.shape[i] == planned->shape[i];
    if (status || !known || same)
        return status;
    char here[96], there[96];
    mill__type_text(&type, here, sizeof here);
    mill__type_text(planned, there, sizeof there);
    return mill_fail(&j->error, MILL_BAD_DATA, "shape", "samples are %s here and %s in the first shard", here,
                     there);
}

static void make_index(job *j, const mill_source_ops *source)
{
    mill__loader *l = j->loader;
    const mill__indexed shard = {.name = mill__load_name(l, j->shard),
                                 .format = j->format,
                                 .source = source,
                                 .handle = j->handle,
                                 .info = &j->info,
                                 .max_sample_nbytes = l->max_sample_nbytes,
                                 .stop = &l->stop};
    int64_t begin = mill__trace_now(l->config.engine.trace), start = mill__now_ns();
    j->status = check_type(j, &shard);
    if (!j->status)
        j->status = mill__index_get(&j->made, &shard, &l->config.index, &j->error);
    atomic_fetch_add(&l->index_ns, mill__now_ns() - start);
    mill__trace_span(l->config.engine.trace, "index", begin, "\"shard\":%zu", j->shard);
}

static void run_job(void *arg)
{
    job *j = arg;
    mill__loader *l = j->loader;
    const mill_source_ops *source = mill__load_source(l, j->shard);
    int64_t begin = mill__trace_now(l->config.engine.trace);
    j->format = mill__load_format(l, j->shard);
    j->status = l->joined
                    ? mill__joined_open(l->joined, j->shard, &j->handle, &j->info, &j->format, &j->error)
                    : mill__viewed_open(stored_source(l, j->shard), l->config.engine.source_user, j->format,
                                        mill__load_name(l, j->shard)->locator, l->view_nbytes, &j->handle,
                                        &j->info, &j->error);
    if (j->status) {
        j->handle = NULL;
    } else if ((j->status = mill__viewed_settle(source, j->handle, &j->info, &j->error))) {
        source->close(j->handle);
        j->handle = NULL;
    }
    mill__trace_span(l->config.engine.trace, "open", begin, "\"shard\":%zu", j->shard);
    if (j->status)
        return;
    if (j->index)
        make_index(j, source);
}

/* ---- what they found ---- */

static void close_now(void *arg)
{
    job *j = arg;
    mill__load_source(j->loader, j->shard)->close(j->handle);
}

static void on_closed(mill__io_request *request)
{
    job *j = request->owner;
    mill__loader *l = j->loader;
    pthread_mutex_lock(&l->lock);
    l->shards[j->shard].state = MILL__SHARD_CLOSED;
    l->open--;
    l->closing--;
    free(j);
    mill__load_pump(l);
    pthread_mutex_unlock(&l->lock);
}

static void on_job(mill__io_request *request);

static job *new_job(mill__loader *l, size_t shard)
{
    job *j = calloc(1, sizeof *j);
    if (!j) {
        mill_error err;
        mill__load_fail(l, mill__no_memory(&err, sizeof *j, "a job"), &err);
        return NULL;
    }
    *j = (job){.loader = l, .shard = shard};
    mill__error_clear(&j->error);
    j->request = (mill__io_request){.fd = -1, .call = run_job, .arg = j, .done = on_job, .owner = j};
    l->shards[shard].state = MILL__SHARD_BUSY;
    return j;
}

static void close_shard(mill__loader *l, size_t shard)
{
    job *j = new_job(l, shard);
    if (!j)
        return;
    j->handle = l->shards[shard].handle;
    l->shards[shard].handle = NULL;
    for (size_t i = 0; i < l->nopen; i++)
        if (l->open_shards[i] == shard)
            l->open_shards[i] = l->open_shards[--l->nopen];
    l->closing++;
    j->request.call = close_now;
    j->request.done = on_closed;
    mill__io_submit(l->io, &j->request);
}

/* Not the data's fault, and over when others have closed files: good samples must not count as bad. */
bool mill__load_shortage(const mill_error *why)
{
    return why->status == MILL_NO_MEMORY || why->os_error == EMFILE || why->os_error == ENFILE ||
           why->os_error == ENOMEM;
}

static void take_index(mill__loader *l, job *j)
{
    mill__load_shard *s = &l->shards[j->shard];
    l->indexing--;
    s->indexed = true;
    if (!j->status) {
        s->index = j->made;
        return;
    }
    mill__index_free(&j->made);
    bool of_the_data = j->status != MILL_CANCELED && !mill__load_shortage(&j->error);
    if (!of_the_data || !mill__index_refuse(&s->index, &j->error)) {
        mill__error_where(&j->error, mill__load_name(l, j->shard)->locator, NULL, MILL_NO_OFFSET);
        mill__load_fail(l, j->status, &j->error);
    }
}

static void take_handle(mill__loader *l, job *j)
{
    mill__load_shard *s = &l->shards[j->shard];
    if (!j->index && j->status && mill__load_shortage(&j->error)) {
        mill__error_where(&j->error, mill__load_name(l, j->shard)->locator, NULL, MILL_NO_OFFSET);
        mill__load_fail(l, j->status, &j->error);
    }
    bool changed = !j->index && !j->status &&
                   (j->info.nbytes != s->index.nbytes || j->info.mtime_ns != s->index.mtime_ns);
    if (changed)
        j->status = mill_fail(&j->error, MILL_BAD_DATA, "index",
                              "the shard has changed since it was indexed: %llu bytes then, %llu now",
                              (unsigned long long)s->index.nbytes, (unsigned long long)j->info.nbytes);
    if (!j->index && j->status && (s->error = malloc(sizeof *s->error)))
        *s->error = j->error;
    s->handle = j->handle;
    s->info = j->info;
    s->state = j->handle ? MILL__SHARD_OPEN : MILL__SHARD_CLOSED;
    s->used = ++l->clock;
    if (j->handle)
        l->open_shards[l->nopen++] = j->shard;
    else
        l->open--;
}

static void on_job(mill__io_request *request)
{
    job *j = request->owner;
    mill__loader *l = j->loader;
    pthread_mutex_lock(&l->lock);
    if (j->index)
        take_index(l, j);
    take_handle(l, j);
    free(j);
    mill__load_pump(l);
    pthread_cond_broadcast(&l->out);
    pthread_mutex_unlock(&l->lock);
}

/* ---- asked for by the others ---- */

/* One place is wanted: close what was unused longest. false: all are in use. */
static bool make_place(mill__loader *l)
{
    if (l->open < l->max_open)
        return true;
    if (l->closing >= l->config.engine.depth)
        return false;
    size_t oldest = SIZE_MAX;
    for (size_t i = 0; i < l->nopen; i++) {
        size_t shard = l->open_shards[i];
        if (!l->shards[shard].users && (oldest == SIZE_MAX || l->shards[shard].used < l->shards[oldest].used))
            oldest = shard;
    }
    if (oldest != SIZE_MAX)
        close_shard(l, oldest);
    return false; /* when it is closed */
}

void mill__load_index(mill__loader *l, size_t shard)
{
    int half = l->config.engine.depth / 2, most = half < 1                 ? 1
                                                  : half < l->max_open / 4 ? half
                                                                           : l->max_open / 4;
    if (l->shards[shard].wanted || l->indexing >= most || l->pinned + l->indexing >= l->max_open ||
        !make_place(l))
        return;
    job *j = new_job(l, shard);
    if (!j)
        return;
    l->shards[shard].wanted = j->index = true;
    l->indexing++;
    l->open++;
    mill__io_submit(l->io, &j->request);
}

bool mill__load_open(mill__loader *l, size_t shard)
{
    mill__load_shard *s = &l->shards[shard];
    if (s->state == MILL__SHARD_OPEN || s->error)
        return true;
    if (s->state == MILL__SHARD_BUSY || !make_place(l))
        return false;
    job *j = new_job(l, shard);
    if (j) {
        l->open++;
        mill__io_submit(l->io, &j->request);
    }
    return false;
}

void mill__load_shards_free(mill__loader *l)
{
    for (size_t i = 0; l->shards && i < l->config.engine.nshards; i++) {
        mill__load_shard *s = &l->shards[i];
        if (s->handle)
            mill__load_source(l, i)->close(s->handle);
        mill__index_free(&s->index);
        free(s->error);
    }
    free(l->shards);
}
