/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/viewed.h"
#include "base/error.h"
#include <stdlib.h>

typedef struct shard {
    const mill_source_ops *source;
    void *handle;
    mill__bytes view; /* read NULL: the shard is seen as it is stored */
} shard;

static void close_shard(void *handle)
{
    shard *s = handle;
    if (s->view.read)
        s->view.close(s->view.handle);
    s->source->close(s->handle);
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
    mill_status status = as->source->open(as->user, locator, &s->handle, info, err);
    if (status) {
        free(s);
        return status;
    }
    const mill__bytes stored = {.read = as->source->read, .handle = s->handle};
    if (!info->nmembers)
        status = as->format->view(as->format, &stored, info, &s->view, err);
    if (status)
        close_shard(s);
    else
        *handle = s;
    return status;
}

static mill_status read_shard(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                              mill_error *err)
{
    const shard *s = handle;
    return s->view.read ? s->view.read(s->view.handle, offset, data, n, got, err)
                        : s->source->read(s->handle, offset, data, n, got, err);
}

static int descriptor(void *handle)
{
    const shard *s = handle;
    return s->view.read || !s->source->fd ? -1 : s->source->fd(s->handle);
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
