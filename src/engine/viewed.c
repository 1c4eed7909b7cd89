/* SPDX-License-Identifier: Apache-2.0 */
/* Whether there is a view is found out by the first read, not by open(): a shard whose beginning is slow to
 * come must not hold up those that are to be opened after it. */
#include "engine/viewed.h"
#include "base/error.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct shard {
    const mill_source_ops *source;
    const mill__format_ops *format;
    void *handle;
    mill_shard_info info;
    pthread_mutex_t lock; /* while it is not known */
    atomic_bool known;
    mill__bytes view;    /* read NULL: the shard is seen as it is stored */
    const uint8_t *head; /* its first bytes, while they are at hand and it is not known; under lock */
    size_t head_nbytes;
} shard;

static void close_shard(void *handle)
{
    shard *s = handle;
    if (s->view.read)
        s->view.close(s->view.handle);
    s->source->close(s->handle);
    pthread_mutex_destroy(&s->lock);
    free(s);
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
    mill_status status = as->source->open(as->user, locator, &s->handle, info, err);
    if (status) {
        free(s);
        return status;
    }
    s->info = *info;
    pthread_mutex_init(&s->lock, NULL);
    *handle = s;
    return MILL_OK;
}

/* The stored bytes, those at hand without another read. */
static mill_status read_stored(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                               mill_error *err)
{
    const shard *s = handle;
    if (s->head && offset <= s->head_nbytes && n <= s->head_nbytes - offset) {
        memcpy(data, s->head + offset, n);
        *got = n;
        return MILL_OK;
    }
    return s->source->read(s->handle, offset, data, n, got, err);
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
        if (!s->info.nmembers)
            status = s->format->view(s->format, &stored, &s->info, &s->view, err);
        s->head = NULL;
        atomic_store_explicit(&s->known, !status, memory_order_release);
    }
    pthread_mutex_unlock(&s->lock);
    return status;
}

/* The first read of a shard brings its head too, where it begins there: then nothing is read twice. */
static mill_status read_first(shard *s, void *data, size_t n, size_t *got, mill_error *err)
{
    mill_status status = s->source->read(s->handle, 0, data, n, got, err);
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
                        : s->source->read(s->handle, offset, data, n, got, err);
}

static int descriptor(void *handle)
{
    shard *s = handle;
    bool plain = atomic_load_explicit(&s->known, memory_order_acquire) && !s->view.read;
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
                              const char *locator, void **handle, mill_shard_info *info, mill_error *err)
{
    mill__viewed as = {.source = source, .user = user, .format = format};
    bool viewed = mill__viewed_source(source, format) != source;
    return viewed ? mill__viewed_ops.open(&as, locator, handle, info, err)
                  : source->open(user, locator, handle, info, err);
}
