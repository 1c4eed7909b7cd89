/* SPDX-License-Identifier: Apache-2.0 */
/* engine/joined.h: shards that hold one sequence together, on which samples are windows (format.h, piece).
 * Each is shown as a shard of its own: a window is a sample of the shard in which it begins, and the shard's
 * bytes go on with those of the shards behind it as far as its last window reaches. */
#ifndef MILL_ENGINE_JOINED_H
#define MILL_ENGINE_JOINED_H

#include "format/format.h"
#include "source/source.h"
#include <stdatomic.h>

typedef struct mill__joined mill__joined;

typedef struct mill__joined_config {
    const mill__shard_name *shards; /* all of the data set, in its order; they outlive the joined ones */
    size_t nshards;
    const mill_source_ops *source; /* NULL: files and folders */
    void *source_user;
    const mill__format_ops *format; /* NULL: by extension, which none of the formats that join is chosen by */
    const atomic_bool *stop;        /* NULL: nobody stops it */
} mill__joined_config;

/* Samples that run on from shard to shard cannot be had of compressed shards: what is read on demand lies
 * anywhere in them. */
mill_status mill__joined_check(const mill__format_ops *format, const mill__shard_name *shard,
                               mill_error *err);

/* *joined is NULL if samples lie within shards. Reads nothing. */
mill_status mill__joined_new(mill__joined **joined, const mill__joined_config *config, mill_error *err);
void mill__joined_free(mill__joined *joined); /* NULL is fine; every shard is closed */

/* Open shard i, as source->open does, by threads that may block: which windows begin in it depends on what
 * the shards before it hold, so the heads of those are read that nobody has looked at yet. *format is the
 * format to walk it with, until it is closed. info->mtime_ns is no time, but a checksum of all that its
 * samples depend on. A shard behind it that cannot be had, but is needed, is no failure here: the windows
 * that reach into it are lost, and its walker says so. */
mill_status mill__joined_open(mill__joined *joined, size_t i, void **handle, mill_shard_info *info,
                              const mill__format_ops **format, mill_error *err);
/* How they are read and closed. */
extern const mill_source_ops mill__joined_ops;

/* The descriptor by which n bytes at offset of a shard can be read, be it joined or not; < 0: none. */
int mill__joined_descriptor(const mill_source_ops *source, void *handle, uint64_t offset, size_t n);

#endif
