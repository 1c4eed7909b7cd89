/* SPDX-License-Identifier: Apache-2.0 */
/* A shard that cannot be read breaks the sequence, since nobody knows how much is missing: windows that would
 * reach into it are lost, and the shard behind it begins with a window of its own. */
#include "engine/joined.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "registry.h"
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEAD_NBYTES = 4096 };
static const uint64_t most_elements = (uint64_t)1 << 60; /* of a shard; more is made up */

typedef struct counted {
    enum { UNKNOWN, BUSY, GOOD, BAD } state;
    mill__piece piece;
    uint64_t nbytes;
    int64_t mtime_ns;
    uint64_t before;   /* elements of the unbroken sequence in front of it; most_elements: or more */
    uint64_t over;     /* them modulo the stride, exactly */
    mill_error *error; /* bad: why */
} counted;

struct mill__joined {
    mill__joined_config config;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    counted *shards;
    size_t known; /* so many at the front are good or bad, and what is before them is counted */
};

static bool joins(const mill__format_ops *format)
{
    return format && format->piece && format->settings.joined;
}

mill_status mill__joined_check(const mill__format_ops *format, const mill__shard_name *shard, mill_error *err)
{
    if (!joins(format) || !mill__named_gzip(shard->locator))
        return MILL_OK;
    return mill_fail(
        err, MILL_USAGE, "format",
        "\"%.300s\" is compressed, and windows cannot run on from one compressed shard to the next: "
        "unpack the shards, or add within=shard to the format",
        shard->locator);
}

mill_status mill__joined_new(mill__joined **joined, const mill__joined_config *config, mill_error *err)
{
    *joined = NULL;
    if (!joins(config->format))
        return MILL_OK;
    for (size_t i = 0; i < config->nshards; i++) {
        mill_status status = mill__joined_check(config->format, &config->shards[i], err);
        if (status)
            return status;
    }
    mill__joined *j = calloc(1, sizeof *j);
    counted *shards = calloc(config->nshards + 1, sizeof *shards);
    if (!j || !shards) {
        free(j);
        free(shards);
        return mill__no_memory(err, config->nshards * sizeof *shards, "the list of shards");
    }
    j->config = *config;
    j->shards = shards;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->changed, NULL);
    *joined = j;
    return MILL_OK;
}

void mill__joined_free(mill__joined *j)
{
    if (!j)
        return;
    for (size_t i = 0; i < j->config.nshards; i++)
        free(j->shards[i].error);
    pthread_cond_destroy(&j->changed);
    pthread_mutex_destroy(&j->lock);
    free(j->shards);
    free(j);
}

/* ---- what shards hold ---- */

static const mill__shard_name *name_of(const mill__joined *j, size_t i)
{
    return &j->config.shards[i];
}

static const mill_source_ops *source_of(const mill__joined *j, size_t i)
{
    return j->config.source           ? j->config.source
           : name_of(j, i)->is_folder ? &mill__source_folder
                                      : &mill__source_file;
}

static mill_status open_stored(const mill__joined *j, size_t i, void **handle, mill_shard_info *info,
                               mill_error *err)
{
    *info = (mill_shard_info){0};
    return source_of(j, i)->open(j->config.source_user, name_of(j, i)->locator, handle, info, err);
}

/* Its head is read only if the format asks for it. */
static mill_status look_at(const mill__joined *j, size_t i, void *handle, counted *c, mill_error *err)
{
    const mill__format_ops *format = j->config.format;
    uint8_t *head = NULL;
    size_t need = 0, got = 0, n = 0;
    mill_status status;
    for (;;) {
        const mill__window window = {
            .data = head ? head : (const uint8_t *)"", .nbytes = got, .last = got == c->nbytes};
        status = format->piece(format, &window, c->nbytes, &c->piece, &need, err);
        if (status != MILL_AGAIN || got < n || window.last)
            break;
        mill__free(head);
        n = need > HEAD_NBYTES ? need : HEAD_NBYTES;
        n = c->nbytes < n ? (size_t)c->nbytes : n;
        head = mill__alloc(n);
        status = head ? source_of(j, i)->read(handle, 0, head, n, &got, err)
                      : mill__no_memory(err, n, "the head of a shard");
        if (status)
            break;
    }
    mill__free(head);
    if (status == MILL_AGAIN)
        return mill_fail(err, MILL_BAD_DATA, "truncated",
                         "the shard has %" PRIu64 " bytes and ends within its header", c->nbytes);
    if (!status && c->piece.n > most_elements)
        return mill_fail(err, MILL_LIMIT, "limit", "%" PRIu64 " elements in a shard", c->piece.n);
    return status;
}

/* open: the shard's handle, if it is open. */
static mill_status count(const mill__joined *j, size_t i, void *open, mill_shard_info info, counted *c,
                         mill_error *err)
{
    void *handle = open;
    mill__error_clear(err);
    mill_status status = open ? MILL_OK : open_stored(j, i, &handle, &info, err);
    if (status)
        return status;
    c->nbytes = info.nbytes;
    c->mtime_ns = info.mtime_ns;
    status = look_at(j, i, handle, c, err);
    if (!open)
        source_of(j, i)->close(handle);
    return status;
}

/* Not the data's fault: it may be read another time. */
static bool is_shortage(const mill_error *why)
{
    return why->status == MILL_NO_MEMORY || why->os_error == EMFILE || why->os_error == ENFILE;
}

static bool stopped(const mill__joined *j)
{
    return j->config.stop && atomic_load_explicit(j->config.stop, memory_order_relaxed);
}

static bool follows(const counted *c, const counted *last)
{
    return c->state == GOOD && last->state == GOOD && c->piece.dtype == last->piece.dtype;
}

/* Those at the front that are known now. lock held */
static void advance(mill__joined *j)
{
    for (; j->known < j->config.nshards && j->shards[j->known].state >= GOOD; j->known++) {
        counted *c = &j->shards[j->known];
        const counted *last = c - 1;
        if (!j->known || !follows(c, last))
            continue; /* it begins anew */
        c->before = last->before + last->piece.n;
        c->before = c->before < most_elements ? c->before : most_elements;
        c->over = (last->over + last->piece.n) % j->config.format->settings.stride;
    }
    pthread_cond_broadcast(&j->changed);
}

/* lock held; let go of meanwhile */
static mill_status count_one(mill__joined *j, size_t i, void *open, mill_shard_info info, mill_error *err)
{
    counted found = {.state = BUSY};
    mill_error why;
    j->shards[i].state = BUSY;
    pthread_mutex_unlock(&j->lock);
    mill_status status = count(j, i, open, info, &found, &why);
    why.status = status;
    found.state = status && is_shortage(&why) ? UNKNOWN : status ? BAD : GOOD;
    if (found.state == BAD && !(found.error = malloc(sizeof *found.error))) {
        status = mill__no_memory(&why, sizeof *found.error, "an error");
        found.state = UNKNOWN;
    }
    if (found.error)
        *found.error = why;
    pthread_mutex_lock(&j->lock);
    j->shards[i] = found;
    advance(j);
    if (found.state == UNKNOWN) {
        mill_fail(err, status, why.kind, "%s, whose tokens have to be counted first: %.300s",
                  name_of(j, i)->locator, why.message);
        err->os_error = why.os_error;
        return status;
    }
    return MILL_OK;
}

/* Shard i is open: then it need not be opened to be counted. */
static mill_status know_open(mill__joined *j, size_t i, void *open, mill_shard_info info, mill_error *err)
{
    mill_status status = MILL_OK;
    pthread_mutex_lock(&j->lock);
    if (j->shards[i].state == UNKNOWN)
        status = count_one(j, i, open, info, err);
    pthread_mutex_unlock(&j->lock);
    return status;
}

/* Have the first n shards counted. All threads that want that take part. */
static mill_status know(mill__joined *j, size_t n, mill_error *err)
{
    mill_status status = MILL_OK;
    pthread_mutex_lock(&j->lock);
    while (j->known < n && !status) {
        size_t i = j->known;
        while (i < n && j->shards[i].state != UNKNOWN)
            i++;
        if (stopped(j))
            status = mill_fail(err, MILL_CANCELED, "canceled", "stopped on request");
        else if (i < n)
            status = count_one(j, i, NULL, (mill_shard_info){0}, err);
        else
            pthread_cond_wait(&j->changed, &j->lock);
    }
    pthread_mutex_unlock(&j->lock);
    return status;
}

/* ---- an open shard ---- */

typedef struct shard {
    mill__joined *all;
    size_t i;
    void *handle;
    uint64_t nbytes; /* of its own */
    mill__stretch part;
    mill_error lost;
    mill__format_ops format;
} shard;

/* Where its windows lie, in elements from its first one on; those before it are negative. */
typedef struct reach {
    int64_t first, last, end; /* first and last window, end of the last one */
    int64_t there;            /* elements that there are, as far as they are needed */
    size_t next;              /* the first shard that is not needed, or not to be had */
} reach;

/* No window begins in a shard that is shorter than the step to the next one: then last is before first. */
static reach reach_of(const mill__format_settings *s, const counted *c, size_t i)
{
    int64_t stride = (int64_t)s->stride, n = (int64_t)c->piece.n, over = (int64_t)c->over;
    reach r = {.first = over ? stride - over : 0, .there = n, .next = i + 1};
    r.last = n > r.first ? r.first + (n - 1 - r.first) / stride * stride : r.first - stride;
    r.end = r.last + (int64_t)s->window;
    return r;
}

static mill_status gather(mill__joined *j, reach *r, mill_error *err)
{
    const counted *c = &j->shards[r->next - 1];
    for (; r->there < r->end && r->next < j->config.nshards; r->next++, c++) {
        mill_status status = know(j, r->next + 1, err);
        if (status)
            return status;
        if (!follows(c + 1, c))
            return MILL_OK;
        r->there += (int64_t)c[1].piece.n;
    }
    return MILL_OK;
}

static void say_lost(shard *s, const reach *r, int64_t n)
{
    const mill__joined *j = s->all;
    const counted *c = &j->shards[r->next];
    const counted *own = &j->shards[s->i];
    int64_t first = r->first + (int64_t)s->part.rows * (int64_t)j->config.format->settings.stride;
    const char *locator = name_of(j, r->next)->locator;
    if (c->state == BAD)
        mill_fail(&s->lost, MILL_BAD_DATA, "next", "%" PRId64 " of its windows reach into \"%.200s\": %.250s",
                  n, locator, c->error->message);
    else
        mill_fail(&s->lost, MILL_BAD_DATA, "next",
                  "%" PRId64 " of its windows reach into \"%.200s\", whose elements are %s instead of %s", n,
                  locator, mill_dtype_name(c->piece.dtype), mill_dtype_name(own->piece.dtype));
    s->lost.offset = own->piece.first + (uint64_t)first * mill_dtype_nbytes(own->piece.dtype);
    s->part.lost = &s->lost;
}

/* Windows that reach behind the end of what there is are none. */
static void set_part(shard *s, const reach *r)
{
    const mill__format_settings *settings = &s->all->config.format->settings;
    const counted *c = &s->all->shards[s->i];
    int64_t stride = (int64_t)settings->stride, n = (int64_t)c->piece.n;
    int64_t begun = (r->last - r->first) / stride + 1;
    int64_t missing = r->there < r->end ? (r->end - r->there + stride - 1) / stride : 0;
    int64_t rows = begun > missing ? begun - missing : 0, first = r->first;
    if (!rows) { /* what windows that begin before it reach is used */
        bool any = r->last - missing * stride >= -(int64_t)c->before;
        int64_t used = any ? r->end - missing * stride : 0;
        first = used < 0 ? 0 : used < n ? used : n;
    }
    size_t size = mill_dtype_nbytes(c->piece.dtype);
    s->part = (mill__stretch){.first = c->piece.first + (uint64_t)first * size, .rows = (uint64_t)rows};
    if (begun > rows && r->next < s->all->config.nshards)
        say_lost(s, r, begun - rows);
}

/* Bytes of the shard and of those behind it. */
static uint64_t nbytes_of(const shard *s)
{
    const mill__format_settings *settings = &s->all->config.format->settings;
    size_t size = mill_dtype_nbytes(s->all->shards[s->i].piece.dtype);
    uint64_t end =
        !s->part.rows ? 0 : s->part.first + ((s->part.rows - 1) * settings->stride + settings->window) * size;
    return end > s->nbytes ? end : s->nbytes;
}

static int64_t checksum(const shard *s, const reach *r)
{
    uint64_t sum[6] = {s->part.first, s->part.rows};
    for (size_t k = s->i; k < r->next; k++) {
        const counted *c = &s->all->shards[k];
        sum[2] = c->nbytes;
        sum[3] = (uint64_t)c->mtime_ns;
        sum[4] = c->piece.first;
        sum[5] = mill__hash_bytes(sum, sizeof sum);
    }
    return (int64_t)(sum[5] >> 1);
}

static mill_status check_unchanged(const counted *c, const mill_shard_info *info, mill_error *err)
{
    if (info->nbytes == c->nbytes && info->mtime_ns == c->mtime_ns)
        return MILL_OK;
    return mill_fail(err, MILL_BAD_DATA, "index",
                     "the shard has changed since its elements were counted: %" PRIu64 " bytes then, %" PRIu64
                     " now",
                     c->nbytes, info->nbytes);
}

static mill_status begin(shard *s, mill_shard_info *info, mill_error *err)
{
    mill__joined *j = s->all;
    const counted *c = &j->shards[s->i];
    mill_status status = know_open(j, s->i, s->handle, *info, err);
    if (!status)
        status = know(j, s->i + 1, err);
    if (!status && c->state == BAD) {
        *err = *c->error;
        return err->status;
    }
    if (!status)
        status = check_unchanged(c, info, err);
    if (status)
        return status;
    s->nbytes = info->nbytes;
    reach r = reach_of(&j->config.format->settings, c, s->i);
    status = gather(j, &r, err);
    if (status)
        return status;
    set_part(s, &r);
    s->format = *j->config.format;
    s->format.settings.part = &s->part;
    *info = (mill_shard_info){.nbytes = nbytes_of(s), .mtime_ns = checksum(s, &r)};
    return MILL_OK;
}

mill_status mill__joined_open(mill__joined *j, size_t i, void **handle, mill_shard_info *info,
                              const mill__format_ops **format, mill_error *err)
{
    shard *s = calloc(1, sizeof *s);
    if (!s)
        return mill__no_memory(err, sizeof *s, "an open shard");
    s->all = j;
    s->i = i;
    mill_status status = open_stored(j, i, &s->handle, info, err);
    if (status) {
        free(s);
        return status;
    }
    status = begin(s, info, err);
    if (status) {
        source_of(j, i)->close(s->handle);
        free(s);
        return status;
    }
    *handle = s;
    *format = &s->format;
    return MILL_OK;
}

static void close_shard(void *handle)
{
    shard *s = handle;
    source_of(s->all, s->i)->close(s->handle);
    free(s);
}

/* ---- reading ---- */

/* n bytes at offset of what shard k holds of the sequence. */
static mill_status read_piece(const mill__joined *j, size_t k, uint64_t offset, uint8_t *data, size_t n,
                              mill_error *err)
{
    const counted *c = &j->shards[k];
    void *handle;
    mill_shard_info info;
    size_t got = 0;
    mill_status status = open_stored(j, k, &handle, &info, err);
    if (status)
        return status;
    status = check_unchanged(c, &info, err);
    if (!status)
        status = source_of(j, k)->read(handle, c->piece.first + offset, data, n, &got, err);
    if (!status && got < n)
        status = mill_fail(err, MILL_BAD_DATA, "truncated", "the shard has shrunk since it was opened");
    source_of(j, k)->close(handle);
    return status;
}

/* n bytes at offset, counted from the end of the shard. It holds no files of the others open: few windows
 * need them, and many shards may be open. */
static mill_status read_behind(const shard *s, uint64_t offset, uint8_t *data, size_t n, mill_error *err)
{
    const mill__joined *j = s->all;
    size_t size = mill_dtype_nbytes(j->shards[s->i].piece.dtype);
    for (size_t k = s->i + 1; n; k++) {
        uint64_t nbytes = j->shards[k].piece.n * size;
        if (offset >= nbytes) {
            offset -= nbytes;
            continue;
        }
        size_t part = nbytes - offset < n ? (size_t)(nbytes - offset) : n;
        mill_error why;
        mill__error_clear(&why);
        mill_status status = read_piece(j, k, offset, data, part, &why);
        if (status) {
            mill_fail(err, status, "next", "a window reaches into \"%.200s\": %.250s", name_of(j, k)->locator,
                      why.message);
            err->os_error = why.os_error;
            return status;
        }
        data += part;
        n -= part;
        offset = 0;
    }
    return MILL_OK;
}

static mill_status read_shard(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                              mill_error *err)
{
    const shard *s = handle;
    uint64_t end = nbytes_of(s), left = offset < end ? end - offset : 0;
    size_t own = 0;
    mill_status status = MILL_OK;
    *got = 0;
    n = n < left ? n : (size_t)left;
    if (offset < s->nbytes) {
        own = s->nbytes - offset < n ? (size_t)(s->nbytes - offset) : n;
        status = source_of(s->all, s->i)->read(s->handle, offset, data, own, got, err);
        if (status || *got < own)
            return status;
    }
    if (n > own)
        status = read_behind(s, offset + own - s->nbytes, (uint8_t *)data + own, n - own, err);
    *got = status ? own : n;
    return status;
}

const mill_source_ops mill__joined_ops = {.struct_nbytes = sizeof(mill_source_ops),
                                          .name = "joined",
                                          .summary = "shards and what their windows need of the next ones",
                                          .read = read_shard,
                                          .close = close_shard};

int mill__joined_descriptor(const mill_source_ops *source, void *handle, uint64_t offset, size_t n)
{
    if (source != &mill__joined_ops)
        return source->fd ? source->fd(handle) : -1;
    const shard *s = handle;
    source = source_of(s->all, s->i);
    return offset + n <= s->nbytes && source->fd ? source->fd(s->handle) : -1;
}
