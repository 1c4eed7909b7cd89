/* SPDX-License-Identifier: Apache-2.0 */
/* Whether there is a view is found out by the first read, not by open(), unless the page cache knows: a shard
 * whose beginning is slow to come must not hold up those that are to be opened after it. The size of what a
 * view or gzip shows has to be known before that; hence settle(). */
#include "engine/viewed.h"
#include "base/error.h"
#include "format/inflate.h"
#include "registry.h"
#include "source/pread.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_NBYTES = 64 << 10 }; /* what views look at */

typedef struct shard {
    const mill_source_ops *source;
    const mill__format_ops *format;
    void *handle;
    mill_shard_info info;
    uint64_t keep_nbytes; /* of what is inflated */
    mill__bytes inflated; /* read NULL: it is not compressed */
    pthread_mutex_t lock; /* while it is not known */
    atomic_bool known;
    mill__bytes view;    /* read NULL: the shard is seen as it is stored */
    const uint8_t *head; /* its first bytes, while they are at hand and it is not known; under lock */
    size_t head_nbytes;
} shard;

const mill_source_ops *mill__viewed_source(const mill_source_ops *source, const mill__format_ops *format,
                                           const char *locator)
{
    return (format && format->view) || mill__named_gzip(locator) ? &mill__viewed_ops : source;
}

uint64_t mill__viewed_least(const mill__format_ops *format, const char *locator)
{
    /* those that resize show a member of labels, too */
    return (mill__named_gzip(locator) + (format && format->resizes ? 2 : 0)) * MILL__INFLATE_NBYTES;
}

static void close_shard(void *handle)
{
    shard *s = handle;
    if (s->view.read)
        s->view.close(s->view.handle);
    if (s->inflated.read)
        s->inflated.close(s->inflated.handle);
    s->source->close(s->handle);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* As the source reads it. */
static mill_status read_source(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                               mill_error *err)
{
    const shard *s = handle;
    return s->source->read(s->handle, offset, data, n, got, err);
}

static mill_status inflate(shard *s, mill_error *err)
{
    const mill__bytes stored = {.read = read_source, .handle = s};
    const mill__deflated all = {.nbytes = s->info.nbytes, .gzip = true, .keep_nbytes = s->keep_nbytes};
    return mill__inflate(&stored, &all, &s->inflated, err);
}

static mill_status read_bytes(shard *s, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err)
{
    return s->inflated.read ? s->inflated.read(s->inflated.handle, offset, data, n, got, err)
                            : s->source->read(s->handle, offset, data, n, got, err);
}

/* For the view; those at hand without another read. */
static mill_status read_stored(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                               mill_error *err)
{
    shard *s = handle;
    if (s->head && offset <= s->head_nbytes && n <= s->head_nbytes - offset) {
        memcpy(data, s->head + offset, n);
        *got = n;
        return MILL_OK;
    }
    return read_bytes(s, offset, data, n, got, err);
}

/* head: the shard's first bytes, or NULL. */
static mill_status find_view(shard *s, const uint8_t *head, size_t head_nbytes, mill_error *err)
{
    const mill__bytes stored = {.read = read_stored, .handle = s};
    mill_status status = MILL_OK;
    pthread_mutex_lock(&s->lock);
    if (!atomic_load_explicit(&s->known, memory_order_relaxed)) {
        s->head = head;
        s->head_nbytes = head_nbytes;
        if (s->format->view && !s->info.nmembers)
            status = s->format->view(s->format, &stored, &s->info, s->inflated.read ? 0 : s->keep_nbytes,
                                     &s->view, err);
        s->head = NULL;
        atomic_store_explicit(&s->known, !status, memory_order_release);
    }
    pthread_mutex_unlock(&s->lock);
    return status;
}

/* If the beginning lies in the page cache, it is not slow to come. */
static void find_cached(shard *s)
{
    size_t n = s->info.nbytes < HEAD_NBYTES ? (size_t)s->info.nbytes : HEAD_NBYTES, got = 0;
    int fd = s->source->fd ? s->source->fd(s->handle) : -1;
    uint8_t *head = fd >= 0 && s->format->view && !s->format->resizes ? mill__alloc(n) : NULL;
    mill_error err; /* is told by the first read */
    if (head && !mill__pread_cached(fd, 0, head, n, &got) && got == n)
        (void)find_view(s, head, n, &err);
    mill__free(head);
}

static mill_status open_shard(void *user, const char *locator, void **handle, mill_shard_info *info,
                              mill_error *err)
{
    const mill__viewed *as = user;
    shard *s = calloc(1, sizeof *s);
    if (!s)
        return mill__no_memory(err, sizeof *s, "an open shard");
    s->source = as->source;
    s->format = as->format;
    uint64_t least = mill__viewed_least(as->format, locator);
    s->keep_nbytes = as->memory_nbytes > least ? as->memory_nbytes - least : 0;
    mill_status status = as->source->open(as->user, locator, &s->handle, info, err);
    if (status) {
        free(s);
        return status;
    }
    s->info = *info;
    pthread_mutex_init(&s->lock, NULL);
    if (mill__named_gzip(locator) && !info->nmembers)
        status = inflate(s, err);
    else
        find_cached(s);
    if (status)
        close_shard(s);
    else
        *handle = s;
    return status;
}

/* The first read of a shard brings its head too, where it begins there: then nothing is read twice. */
static mill_status read_first(shard *s, void *data, size_t n, size_t *got, mill_error *err)
{
    mill_status status = read_bytes(s, 0, data, n, got, err);
    if (!status)
        status = find_view(s, data, *got, err);
    return status || !s->view.read ? status : s->view.read(s->view.handle, 0, data, n, got, err);
}

static mill_status read_shard(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                              mill_error *err)
{
    shard *s = handle;
    *got = 0;
    if (!atomic_load_explicit(&s->known, memory_order_acquire)) {
        if (!offset)
            return read_first(s, data, n, got, err);
        mill_status status = find_view(s, NULL, 0, err);
        if (status)
            return status;
    }
    return s->view.read ? s->view.read(s->view.handle, offset, data, n, got, err)
                        : read_bytes(s, offset, data, n, got, err);
}

static int descriptor(void *handle)
{
    shard *s = handle;
    bool plain = atomic_load_explicit(&s->known, memory_order_acquire) && !s->view.read && !s->inflated.read;
    return plain && s->source->fd ? s->source->fd(s->handle) : -1;
}

const mill_source_ops mill__viewed_ops = {.struct_nbytes = sizeof(mill_source_ops),
                                          .name = "viewed",
                                          .summary = "shards as their format wants to see them",
                                          .open = open_shard,
                                          .read = read_shard,
                                          .fd = descriptor,
                                          .close = close_shard};

mill_status mill__viewed_open(const mill_source_ops *source, void *user, const mill__format_ops *format,
                              const char *locator, uint64_t memory_nbytes, void **handle,
                              mill_shard_info *info, mill_error *err)
{
    mill__viewed as = {.source = source, .user = user, .format = format, .memory_nbytes = memory_nbytes};
    bool viewed = mill__viewed_source(source, format, locator) != source;
    return viewed ? mill__viewed_ops.open(&as, locator, handle, info, err)
                  : source->open(user, locator, handle, info, err);
}

mill_status mill__viewed_settle(const mill_source_ops *source, void *handle, mill_shard_info *info,
                                mill_error *err)
{
    shard *s = handle;
    mill_status status = MILL_OK;
    if (source != &mill__viewed_ops)
        return MILL_OK;
    if (s->inflated.read)
        status = mill__inflate_measure(&s->inflated, &s->info.nbytes, err);
    if (!status && s->format->resizes)
        status = find_view(s, NULL, 0, err);
    *info = s->info;
    return status;
}
