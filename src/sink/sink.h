/* SPDX-License-Identifier: Apache-2.0 */
/* sink/sink.h: writers of output shards. One file a sink, ending in a const ops struct. Output files appear
 * under their final names complete and synced, or not at all. */
#ifndef MILL_SINK_SINK_H
#define MILL_SINK_SINK_H

#include "base/memory.h"
#include "sample/sample.h"
#include <shardmill/run.h>

/* A field that is carried through to the output, and its bytes in the row's blob. */
typedef struct mill__carried {
    char name[MILL__MAX_FIELD_NAME + 1]; /* extension */
    size_t offset, nbytes;
} mill__carried;

/* One finished sample as a sink sees it. */
typedef struct mill__row {
    char *key;
    size_t shard;            /* ordinal in the data set */
    int64_t sample;          /* ordinal in the shard */
    uint64_t epoch;          /* that its random numbers are of */
    int64_t label;           /* -1: none */
    uint64_t offset, nbytes; /* in the input shard */
    const void *tensor;      /* fixed-size tensor in its slab; NULL when the plan gives none */
    mill__buffer blob;       /* carried fields and encoded image, one after another */
    int ncarried;
    mill__carried *carried; /* ncarried of them */
    mill_status status;     /* not MILL_OK: a bad sample, reason in error */
    mill_error *error;
    int width, height, channels; /* of the encoded image, when probed */
    const mill__field *fields; /* as walked: names, sizes, offsets; data only while it is being transformed */
    int nfields;
} mill__row;

typedef struct mill__output_file {
    char *name; /* within the output folder */
    uint64_t nbytes;
    uint64_t xxh3;
} mill__output_file;

typedef struct mill__sink_config {
    const char *folder;
    mill_type type; /* of the plan's output; dtype 0: no tensor */
    bool fixed;     /* the shape is fully known */
    mill_policy policy;
    int jpeg_quality, jpeg_subsampling;
} mill__sink_config;

typedef struct mill__sink_ops {
    const char *name;
    const char *summary;
    /* Whether a plan's output suits; a clear message if not. */
    mill_status (*check)(const mill__sink_config *config, mill_error *err);
    bool carries_json;           /* json fields are wanted beside the tensor */
    const char *const *suffixes; /* files are called NAME.SUFFIX, with one of these; NULL-terminated */
    bool wants_encoded; /* images are wanted as JPEG (encoded on compute threads), all fields carried through
                         */
    /* Begin output shard name. write() takes rows in order, bad ones included (policy says what becomes of
     * them). finish() completes: flush, header, fsync, rename, and lists the files (malloc'd; free with
     * mill__output_files_free). It ends the shard, also when it fails: then no file of it stays behind under
     * a temporary name. abandon() ends it and leaves nothing. */
    mill_status (*begin)(const mill__sink_config *config, const char *name, void **shard, mill_error *err);
    mill_status (*write)(void *shard, const mill__row *rows, size_t n, mill_error *err);
    mill_status (*finish)(void *shard, mill__output_file **files, size_t *nfiles, mill_error *err);
    void (*abandon)(void *shard);
} mill__sink_ops;

/* ---- file.c: an output file that is there whole or not at all ---- */
typedef struct mill__file mill__file;
mill_status mill__file_create(mill__file **file, const char *folder, const char *name,
                              mill_error *err); /* NAME.partial */
mill_status mill__file_write(mill__file *file, const void *data, size_t nbytes, mill_error *err);
/* Rewrite bytes at the front (a header kept for last). Its bytes are the first of the checksum: call before
 * finish, once, with as many bytes as were reserved by mill__file_reserve right after create. */
mill_status mill__file_reserve(mill__file *file, size_t nbytes, mill_error *err);
mill_status mill__file_front(mill__file *file, const void *data, size_t nbytes, mill_error *err);
/* Both end the files, also on failure. Several of one folder: all are synced before any is renamed. */
mill_status mill__file_finish(mill__file *file, mill__output_file *out,
                              mill_error *err); /* fsync, rename, fsync folder */
mill_status mill__files_finish(mill__file *const *files, size_t n, mill__output_file *out, mill_error *err);
void mill__file_abandon(mill__file *file);                                            /* NULL is fine */
mill_status mill__file_remove(const char *folder, const char *name, mill_error *err); /* absent: fine */
/* A line of keys.txt: control characters and backslashes as \xNN (key_text.c). */
mill_status mill__file_write_key(mill__file *file, const char *key, mill_error *err);
void mill__output_files_free(mill__output_file *files, size_t n);

/* ---- manifest.c ---- */
typedef struct mill__manifest mill__manifest;
typedef struct mill__manifest_shard { /* what the manifest says of one input shard */
    const char *name, *locator;
    uint64_t nbytes;
    int64_t mtime_ns;
    int64_t samples, written, skipped, substituted, errors, warnings;
    const mill__output_file *files;
    size_t nfiles;
    const mill_issue *issues;
    size_t nissues;
} mill__manifest_shard;
/* A shard read back; {0} is an empty one. What shard points to belongs to the entry. */
typedef struct mill__manifest_entry {
    mill__manifest_shard shard;
    mill__output_file *files;
    mill_issue *issues;
    void *tree;
} mill__manifest_entry;
void mill__manifest_entry_free(mill__manifest_entry *entry);

/* Go on from DIR/manifest.json (and the journal beside it, if that run was killed), or begin one; either way
 * it says "complete": false from now on. settings: NULL-terminated pairs key, value of everything that shapes
 * the output (spec, pipeline, sink, seed, ...). A manifest with other settings: MILL_USAGE, naming the one
 * that differs; nothing is changed then. */
mill_status mill__manifest_open(mill__manifest **m, const char *folder, const char *const *settings,
                                mill_error *err);
bool mill__manifest_found(const mill__manifest *m); /* there was one */
/* Whether a shard was finished by an earlier run: same name, locator, size and mtime, and its files there
 * with their sizes. Any thread, also while another one keeps or adds. */
bool mill__manifest_finished(const mill__manifest *m, const char *name, const char *locator, uint64_t nbytes,
                             int64_t mtime_ns);
/* Shard index of the data set was finished before (as told by the above) and stays as it is. Fills *entry,
 * which the caller frees. */
mill_status mill__manifest_keep(mill__manifest *m, size_t index, const char *name,
                                mill__manifest_entry *entry, mill_error *err);
/* A shard is about to be made, and perhaps made anew: what an earlier run says of it does not hold any
 * longer. */
mill_status mill__manifest_redo(mill__manifest *m, const char *name, mill_error *err);
/* Shard index of the data set is finished. A line in the journal: it costs the same however many there are.
 * What an earlier run finished and this one has not come to yet stays until the manifest is complete. */
mill_status mill__manifest_add(mill__manifest *m, size_t index, const mill__manifest_shard *shard,
                               mill_error *err);
/* Write manifest.json whole (temporary name, fsync, rename). Shards are in data-set order; complete tells a
 * finished run. Byte-identical for equal contents. */
mill_status mill__manifest_save(mill__manifest *m, bool complete, mill_error *err);
/* The journal goes too, unless it says more than manifest.json. NULL is fine. */
void mill__manifest_close(mill__manifest *m);

#endif
