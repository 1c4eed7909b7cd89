/* SPDX-License-Identifier: Apache-2.0 */
/* engine/viewed.h: shards as their format's walkers want to see them: those whose names end in .gz inflated,
 * and all through their format's view (format.h). */
#ifndef MILL_ENGINE_VIEWED_H
#define MILL_ENGINE_VIEWED_H

#include "format/format.h"

/* A source that opens shards of another one and shows them so. Its open() takes a mill__viewed as user, which
 * is needed during the call only. */
typedef struct mill__viewed {
    const mill_source_ops *source;
    void *user;
    const mill__format_ops *format;
    uint64_t memory_nbytes;
} mill__viewed;

extern const mill_source_ops mill__viewed_ops;

/* The source through which a shard of source and format is read. */
const mill_source_ops *mill__viewed_source(const mill_source_ops *source, const mill__format_ops *format,
                                           const char *locator);
/* Memory that such a shard takes while it is open, if it is compressed; 0: it cannot be. */
uint64_t mill__viewed_least(const mill__format_ops *format, const char *locator);

/* Open a shard by that source; info is that of what is stored. memory_nbytes: what it may take; what it may
 * take beyond the least is used to keep what was inflated. */
mill_status mill__viewed_open(const mill_source_ops *source, void *user, const mill__format_ops *format,
                              const char *locator, uint64_t memory_nbytes, void **handle,
                              mill_shard_info *info, mill_error *err);
/* Before it is walked or indexed: make info that of what is shown, if that is something else. Compressed
 * shards are inflated for this, all of it. source: the one that reads it. */
mill_status mill__viewed_settle(const mill_source_ops *source, void *handle, mill_shard_info *info,
                                mill_error *err);

#endif
