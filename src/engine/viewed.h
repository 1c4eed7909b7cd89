/* SPDX-License-Identifier: Apache-2.0 */
/* engine/viewed.h: shards as their format's walkers want to see them (format.h, view). */
#ifndef MILL_ENGINE_VIEWED_H
#define MILL_ENGINE_VIEWED_H

#include "format/format.h"

/* A source that opens shards of another one and shows them through their format's view. Its open() takes a
 * mill__viewed as user, which is needed during the call only. */
typedef struct mill__viewed {
    const mill_source_ops *source;
    void *user;
    const mill__format_ops *format;
} mill__viewed;

extern const mill_source_ops mill__viewed_ops;

/* The source through which shards of source and format are read. */
static inline const mill_source_ops *mill__viewed_source(const mill_source_ops *source,
                                                         const mill__format_ops *format)
{
    return format && format->view ? &mill__viewed_ops : source;
}

/* Open a shard by that source. */
mill_status mill__viewed_open(const mill_source_ops *source, void *user, const mill__format_ops *format,
                              const char *locator, void **handle, mill_shard_info *info, mill_error *err);

#endif
