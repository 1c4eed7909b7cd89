/* SPDX-License-Identifier: Apache-2.0 */
/* engine/index.h: where the samples of a shard lie. Made from the head of the shard where its format can tell
 * (npy, folder), from an index file that is there, or by walking the shard once. */
#ifndef MILL_ENGINE_INDEX_H
#define MILL_ENGINE_INDEX_H

#include "base/arena.h"
#include "format/format.h"
#include "source/source.h"
#include <stdatomic.h>

typedef struct mill__index {
    mill__extents extents;
    uint64_t nbytes; /* of the shard */
    int64_t mtime_ns;
    /* what the walk found, bad samples (sample >= 0) and others (-1); shard is NULL */
    mill_issue *issues;
    size_t nissues, issue_capacity;
    size_t *bad, nbad; /* of them, those about bad samples, by sample */
    mill__arena arena;
    bool walked; /* by walking all of it */
} mill__index;

/* An open shard. */
typedef struct mill__indexed {
    const mill__shard_name *name;
    const mill__format_ops *format;
    const mill_source_ops *source;
    void *handle;
    const mill_shard_info *info;
    uint64_t max_sample_nbytes;
    const atomic_bool *stop; /* NULL: nobody stops it */
} mill__indexed;

/* Where index files are looked for and kept. */
typedef enum mill__index_place {
    MILL__INDEX_AUTO,  /* beside the shard, else in the user's cache folder; new ones are kept there */
    MILL__INDEX_NONE,  /* nowhere */
    MILL__INDEX_FOLDER /* in one folder */
} mill__index_place;

typedef struct mill__index_keep {
    mill__index_place place;
    const char *folder; /* MILL__INDEX_FOLDER */
    const char *cache;  /* MILL__INDEX_AUTO; NULL: none */
} mill__index_keep;

/* Fill *index (empty before). A shard that cannot be walked on keeps the samples before that place and an
 * issue; MILL_IO and MILL_NO_MEMORY are failures. Blocks. visit, if any, sees each sample of a walk. */
mill_status mill__index_make(mill__index *index, const mill__indexed *shard, mill_error *err);
typedef mill_status (*mill__index_visit)(void *self, const mill__sample *sample, mill_error *err);
mill_status mill__index_walk(mill__index *index, const mill__indexed *shard, mill__index_visit visit,
                             void *self, mill_error *err);
void mill__index_free(mill__index *index);
/* Of a shard that cannot be read: no samples, and an issue that says why. false without memory. */
bool mill__index_refuse(mill__index *index, const mill_error *why);
mill__extent mill__index_extent(const mill__index *index, size_t i);
const mill_issue *mill__index_bad(const mill__index *index, int64_t sample); /* NULL: none was found */

/* Make it, or take a kept one of this very shard; keep a new one if it took a walk that found nothing wrong.
 */
mill_status mill__index_get(mill__index *index, const mill__indexed *shard, const mill__index_keep *keep,
                            mill_error *err);

/* ---- index_file.c ---- */

/* MILL_END: there is none, or not for this shard as it is now. */
mill_status mill__index_load(mill__index *index, const char *path, const mill_shard_info *info);
mill_status mill__index_save(const mill__index *index, const char *path, mill_error *err);
/* NVIDIA DALI's text, version v1.2 (and v1.1 when reading): one line a sample, for each of its files the
 * extension, the offset and size of the data and the name. Taken only if it is not older than the shard. */
mill_status mill__index_load_dali(mill__index *index, const char *path, const mill_shard_info *info);
mill_status mill__index_save_dali(const mill__indexed *shard, const char *path, mill_error *err);
/* FOLDER/name.index, beside the shard, in the cache: malloc'd; NULL without memory. */
char *mill__index_path(const mill__index_keep *keep, const char *locator, bool beside);
char *mill__index_dali_path(const char *folder, const char *locator); /* folder NULL: beside the shard */

#endif
