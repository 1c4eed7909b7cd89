/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/index.h"
#include "base/error.h"
#include "base/memory.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_NBYTES = 64 << 10, PIECE_NBYTES = 1 << 20 };

void mill__index_free(mill__index *index)
{
    free(index->extents.extents);
    free(index->issues);
    free(index->bad);
    mill__arena_free(&index->arena);
    *index = (mill__index){0};
}

bool mill__index_refuse(mill__index *index, const mill_error *why)
{
    mill__index_free(index);
    index->issues = calloc(1, sizeof *index->issues);
    if (!index->issues)
        return false;
    const char *kind = why->kind[0] ? why->kind : "io";
    index->issue_capacity = index->nissues = 1;
    index->issues[0] =
        (mill_issue){.severity = MILL_ERROR,
                     .key = "",
                     .kind = mill__arena_copy(&index->arena, kind, strlen(kind)),
                     .reason = mill__arena_copy(&index->arena, why->message, strlen(why->message)),
                     .sample = -1,
                     .offset = why->offset};
    return index->issues[0].kind && index->issues[0].reason;
}

mill__extent mill__index_extent(const mill__index *index, size_t i)
{
    const mill__extents *e = &index->extents;
    if (e->extents)
        return e->extents[i];
    uint64_t stride = e->stride_nbytes ? e->stride_nbytes : e->row_nbytes;
    return (mill__extent){e->first + i * stride, e->row_nbytes};
}

static bool stopped(const mill__indexed *shard)
{
    return shard->stop && atomic_load_explicit(shard->stop, memory_order_relaxed);
}

/* ---- walking a whole shard ---- */

typedef struct walk {
    mill__index *index;
    const mill__indexed *shard;
    size_t capacity;   /* of extents */
    mill__buffer held; /* bytes of the shard from offset on */
    size_t at;         /* how many of them are done with */
    uint64_t offset;
    bool no_memory;
} walk;

static void take_issue(void *self, const mill_issue *issue)
{
    walk *w = self;
    mill__index *index = w->index;
    if (index->nissues == index->issue_capacity) {
        size_t capacity = index->issue_capacity ? 2 * index->issue_capacity : 8;
        mill_issue *more = realloc(index->issues, capacity * sizeof *more);
        if (!more) {
            w->no_memory = true;
            return;
        }
        index->issues = more;
        index->issue_capacity = capacity;
    }
    const char *key = issue->key ? issue->key : "";
    mill_issue *copy = &index->issues[index->nissues];
    *copy = *issue;
    copy->shard = NULL;
    copy->key = mill__arena_copy(&index->arena, key, strlen(key));
    copy->kind = mill__arena_copy(&index->arena, issue->kind, strlen(issue->kind));
    copy->reason = mill__arena_copy(&index->arena, issue->reason, strlen(issue->reason));
    if (!copy->key || !copy->kind || !copy->reason)
        w->no_memory = true;
    else
        index->nissues++;
}

static bool add_extent(walk *w, const mill__sample *sample)
{
    mill__extents *e = &w->index->extents;
    if (e->n == w->capacity) {
        size_t capacity = w->capacity ? 2 * w->capacity : 256;
        mill__extent *more = realloc(e->extents, capacity * sizeof *more);
        if (!more)
            return false;
        e->extents = more;
        w->capacity = capacity;
    }
    e->extents[e->n++] = (mill__extent){.offset = sample->offset, .nbytes = sample->nbytes};
    return true;
}

/* Bad samples have their extents like all others, and an issue that names them. */
static void note_bad(walk *w, const mill__sample *sample)
{
    const mill_issue issue = {.severity = MILL_ERROR,
                              .key = sample->key,
                              .kind = sample->error.kind,
                              .reason = sample->error.message,
                              .sample = (int64_t)w->index->extents.n,
                              .offset = sample->error.offset,
                              .nbytes = sample->nbytes};
    take_issue(w, &issue);
}

/* The shard cannot be walked on: what is behind is lost, and that is said. */
static void give_up(walk *w, const mill_error *err)
{
    uint64_t at = err->offset == MILL_NO_OFFSET ? w->offset + w->at : err->offset;
    const mill_issue issue = {.severity = MILL_ERROR,
                              .kind = err->kind[0] ? err->kind : "io",
                              .reason = err->message,
                              .sample = -1,
                              .offset = at,
                              .nbytes = w->shard->info->nbytes > at ? w->shard->info->nbytes - at : 0};
    take_issue(w, &issue);
}

/* Have at least need bytes from at on, or all there are. */
static mill_status refill(walk *w, size_t need, mill_error *err)
{
    if (w->at) /* nothing is there at first, not even an address */
        memmove(w->held.data, w->held.data + w->at, w->held.nbytes - w->at);
    w->held.nbytes -= w->at;
    w->offset += w->at;
    w->at = 0;
    size_t wanted = need > w->held.nbytes + PIECE_NBYTES ? need : w->held.nbytes + PIECE_NBYTES;
    uint64_t left = w->shard->info->nbytes - w->offset;
    wanted = wanted < left ? wanted : (size_t)left;
    if (mill__buffer_reserve(&w->held, wanted + 1))
        return mill__no_memory(err, wanted, "a sample, to index it");
    size_t got = 0, n = wanted - w->held.nbytes;
    mill_status status = w->shard->source->read(w->shard->handle, w->offset + w->held.nbytes,
                                                w->held.data + w->held.nbytes, n, &got, err);
    w->held.nbytes += got;
    if (!status && got < n)
        status = mill_fail(err, MILL_BAD_DATA, "truncated",
                           "the shard ends %zu bytes early: it has shrunk since it was opened", n - got);
    return status;
}

static mill_status walk_shard(walk *w, void *walker, mill__index_visit visit, void *self, mill_error *err)
{
    const mill__report report = {.issue = take_issue, .self = w};
    mill__sample sample;
    size_t need = PIECE_NBYTES;
    mill_status status = mill__buffer_reserve(&w->held, 1) ? mill__no_memory(err, 1, "an index") : MILL_OK;
    if (!status && w->shard->info->nbytes)
        status = refill(w, need, err);
    while (!status && !stopped(w->shard)) {
        size_t used = 0;
        mill__window window = {.data = w->held.data + w->at,
                               .nbytes = w->held.nbytes - w->at,
                               .offset = w->offset + w->at,
                               .last = w->offset + w->held.nbytes == w->shard->info->nbytes};
        status = w->shard->format->next(walker, &window, &report, &sample, &used, &need, err);
        if (status == MILL_OK) {
            if (sample.status)
                note_bad(w, &sample);
            if (!add_extent(w, &sample))
                status = mill__no_memory(err, w->capacity, "an index");
            else if (visit)
                status = visit(self, &sample, err);
        }
        w->at += used;
        if (status == MILL_AGAIN)
            status = refill(w, need, err);
    }
    return status;
}

/* They were found in the order of samples. */
static bool list_bad(mill__index *index)
{
    size_t n = 0;
    for (size_t i = 0; i < index->nissues; i++)
        n += index->issues[i].sample >= 0;
    index->bad = n ? malloc(n * sizeof *index->bad) : NULL;
    for (size_t i = 0; index->bad && i < index->nissues; i++)
        if (index->issues[i].sample >= 0)
            index->bad[index->nbad++] = i;
    return index->nbad == n;
}

const mill_issue *mill__index_bad(const mill__index *index, int64_t sample)
{
    size_t low = 0, high = index->nbad;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const mill_issue *issue = &index->issues[index->bad[middle]];
        if (issue->sample == sample)
            return issue;
        if (issue->sample < sample)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

mill_status mill__index_walk(mill__index *index, const mill__indexed *shard, mill__index_visit visit,
                             void *self, mill_error *err)
{
    walk w = {.index = index, .shard = shard};
    void *walker = NULL;
    mill_error why;
    mill__error_clear(&why);
    index->nbytes = shard->info->nbytes;
    index->mtime_ns = shard->info->mtime_ns;
    index->walked = true;
    mill_status status = shard->format->open(shard->format, &walker, shard->info, shard->name->class_index,
                                             shard->max_sample_nbytes, &why);
    if (!status) {
        status = walk_shard(&w, walker, visit, self, &why);
        shard->format->close(walker);
    }
    if (status == MILL_BAD_DATA || status == MILL_LIMIT || status == MILL_UNSUPPORTED) {
        give_up(&w, &why);
        status = MILL_END;
    }
    mill__buffer_free(&w.held);
    if (w.no_memory || !list_bad(index))
        status = mill__no_memory(&why, sizeof(mill_issue), "an issue");
    if (stopped(shard))
        status = mill_fail(&why, MILL_CANCELED, "canceled", "stopped on request");
    if (status && status != MILL_END) {
        if (err)
            *err = why;
        return status;
    }
    return MILL_OK;
}

/* ---- by the head alone, where the format can ---- */

static mill_status locate(mill__index *index, const mill__indexed *shard, mill_error *err)
{
    const mill_shard_info *info = shard->info;
    size_t n = info->nmembers ? 0 : info->nbytes < HEAD_NBYTES ? (size_t)info->nbytes : HEAD_NBYTES, got = 0;
    uint8_t *head = mill__alloc(n);
    if (!head)
        return mill__no_memory(err, n, "the head of a shard");
    mill_status status = n ? shard->source->read(shard->handle, 0, head, n, &got, err) : MILL_OK;
    const mill__window window = {.data = head, .nbytes = got, .last = got == info->nbytes};
    if (!status)
        status = shard->format->locate(shard->format, info, &window, &index->extents, err);
    mill__free(head);
    index->nbytes = info->nbytes;
    index->mtime_ns = info->mtime_ns;
    return status;
}

mill_status mill__index_make(mill__index *index, const mill__indexed *shard, mill_error *err)
{
    if (!shard->format->locate)
        return mill__index_walk(index, shard, NULL, NULL, err);
    mill_error why;
    mill_status status = locate(index, shard, &why);
    if (status == MILL_BAD_DATA || status == MILL_LIMIT || status == MILL_UNSUPPORTED) {
        walk w = {.index = index, .shard = shard};
        give_up(&w, &why);
        return w.no_memory ? mill__no_memory(err, sizeof(mill_issue), "an issue") : MILL_OK;
    }
    if (status && err)
        *err = why;
    return status;
}

/* ---- kept ones ---- */

static bool load_from(mill__index *index, const mill_shard_info *info, char *path,
                      mill_status (*load)(mill__index *, const char *, const mill_shard_info *))
{
    bool found = path && load(index, path, info) == MILL_OK;
    free(path);
    return found;
}

/* DALI's index says nothing of what lies behind its last sample: samples there would be lost without a word.
 */
static bool ends_in_zeros(const mill__index *index, const mill__indexed *shard)
{
    const mill__extents *e = &index->extents;
    uint64_t end = e->n ? e->extents[e->n - 1].offset + e->extents[e->n - 1].nbytes : 0;
    size_t n = (size_t)(shard->info->nbytes - end), got = 0; /* little: load_dali() has looked */
    uint8_t *tail = mill__alloc(n);
    bool zeros = tail && !shard->source->read(shard->handle, end, tail, n, &got, NULL) && got == n;
    for (size_t i = 0; zeros && i < n; i++)
        zeros = !tail[i];
    mill__free(tail);
    return zeros;
}

static bool load_dali(mill__index *index, const mill__indexed *shard)
{
    if (!load_from(index, shard->info, mill__index_dali_path(NULL, shard->name->locator),
                   mill__index_load_dali))
        return false;
    if (ends_in_zeros(index, shard))
        return true;
    mill__index_free(index);
    return false;
}

static bool load_kept(mill__index *index, const mill__indexed *shard, const mill__index_keep *keep)
{
    const char *locator = shard->name->locator;
    bool is_auto = keep->place == MILL__INDEX_AUTO;
    return load_from(index, shard->info, mill__index_path(keep, locator, is_auto), mill__index_load) ||
           (is_auto && keep->cache &&
            load_from(index, shard->info, mill__index_path(keep, locator, false), mill__index_load)) ||
           (is_auto && load_dali(index, shard));
}

mill_status mill__index_get(mill__index *index, const mill__indexed *shard, const mill__index_keep *keep,
                            mill_error *err)
{
    bool keepable = keep->place != MILL__INDEX_NONE && !shard->format->locate && shard->info->mtime_ns;
    if (keepable && load_kept(index, shard, keep))
        return MILL_OK;
    mill_status status = mill__index_make(index, shard, err);
    if (status || !keepable || !index->walked || index->nissues)
        return status;
    /* a place that cannot be written to is no reason to stop: it is walked again next time */
    char *path = keep->place == MILL__INDEX_AUTO && !keep->cache
                     ? NULL
                     : mill__index_path(keep, shard->name->locator, false);
    if (path)
        mill__index_save(index, path, NULL);
    free(path);
    return MILL_OK;
}
