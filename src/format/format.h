/* SPDX-License-Identifier: Apache-2.0 */
/* format/format.h: a shard format turns a shard's bytes into samples. One file each, ending in a const ops
 * struct. Formats know neither pixels nor batches nor threads. */
#ifndef MILL_FORMAT_FORMAT_H
#define MILL_FORMAT_FORMAT_H

#include "sample/sample.h"
#include <shardmill/extend.h>

/* Where a walker reports what is wrong apart from single samples, and what it walks over. May be called any
 * number of times in a next() call. issue->shard is filled in by the receiver. */
typedef struct mill__report {
    void (*issue)(void *self, const mill_issue *issue);
    void *self;
} mill__report;

/* A window on the shard: data holds nbytes bytes beginning at absolute offset; last: the shard ends with
 * them. */
typedef struct mill__window {
    const uint8_t *data;
    size_t nbytes;
    uint64_t offset;
    bool last;
} mill__window;

/* Where the samples of a shard lie: each at its own place, or, extents being NULL, n rows of row_nbytes from
 * first on, each stride_nbytes behind the one before it (0: row_nbytes). */
typedef struct mill__extent {
    uint64_t offset, nbytes;
} mill__extent;

typedef struct mill__extents {
    size_t n;
    uint64_t first, row_nbytes, stride_nbytes;
    mill__extent *extents; /* malloc'd */
} mill__extents;

/* Bytes that can be read anywhere, by several threads at once; as in mill_source_ops. */
typedef struct mill__bytes {
    mill_status (*read)(void *handle, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err);
    void (*close)(void *handle);
    void *handle;
} mill__bytes;

/* What a shard holds of a sequence that goes on from shard to shard: n elements, behind first bytes. */
typedef struct mill__piece {
    mill_dtype dtype;
    uint64_t first, n;
} mill__piece;

/* Which windows on that sequence are the shard's: those that begin in it. Its bytes go on with those of the
 * shards behind it as far as they are needed. */
typedef struct mill__stretch {
    uint64_t first, rows;   /* where in its bytes the first window begins; how many there are */
    const mill_error *lost; /* NULL: all of them. Why those behind rows cannot be had */
} mill__stretch;

/* What the arguments of a format say, as in raw:f32:3x32x32; all 0 without any. */
typedef struct mill__format_settings {
    mill_type type;
    uint64_t skip;             /* bytes at the beginning of a shard */
    uint64_t window, stride;   /* elements */
    int labels;                /* bytes in front of each sample; 0: find out */
    bool swapped;              /* elements are in the other byte order */
    bool plain;                /* no header, whatever the first bytes look like */
    bool joined;               /* windows are on what all shards hold together (piece) */
    const mill__stretch *part; /* joined: of the shard at hand; NULL: the shard is all there is */
    char data[56], label[56];  /* names of arrays; "": find out */
} mill__format_settings;

struct mill__rows;
typedef struct mill__format_ops mill__format_ops;
struct mill__format_ops {
    const char *name;
    const char *summary;
    const char *extensions; /* ".tar .tar2", blank-separated; "" when not chosen by extension */
    const char *
        usual; /* likewise: others that files in a folder have, if the format is asked for by name; or NULL */
    /* Arguments, and what becomes of them: a copy of this struct has its settings filled. */
    const mill_param *params;
    int nparams;
    mill_status (*settle)(const mill_value *values, mill__format_settings *settings, mill_error *err);
    mill__format_settings settings;
    /* Formats whose samples are rows of one size (rows.h): what the head of a shard of nbytes says. */
    mill_status (*rows)(const mill__format_ops *self, const mill__window *head, uint64_t nbytes,
                        struct mill__rows *rows, size_t *need, mill_error *err);
    /* Formats whose samples may be windows on what all shards hold together (settings: window, stride,
     * joined): what a shard of nbytes holds, by its head. Answers as next() does. NULL: samples always lie
     * within shards. */
    mill_status (*piece)(const mill__format_ops *self, const mill__window *head, uint64_t nbytes,
                         mill__piece *piece, size_t *need, mill_error *err);
    /* If walkers want other bytes than those that are stored (another byte order, another order of elements),
     * *view gives them; else view->read stays NULL. Asked by the first read of a shard, on its thread. A
     * shard that cannot be understood is no failure here: its walker will say so. stored outlives the view.
     * NULL: never. If resizes: a view gives another number of bytes, says so in *info, and may leave a layout
     * there, its own, for the walker. Asked before a shard is walked or indexed; failures are what is wrong
     * with it. memory_nbytes: what it may keep in memory. */
    mill_status (*view)(const mill__format_ops *self, const mill__bytes *stored, mill_shard_info *info,
                        uint64_t memory_nbytes, mill__bytes *view, mill_error *err);
    bool resizes;
    /* The type of one sample, from the first bytes of a shard (up to 64 KiB, or all of it when last).
     * MILL_ENCODED for samples of named fields. */
    mill_status (*peek)(const mill__format_ops *self, const mill_shard_info *info, const mill__window *head,
                        mill_type *type, mill_error *err);
    /* Begin a shard. class_index: ordinal of a folder shard among its siblings, else -1. max_sample_nbytes:
     * no sample may need more. */
    mill_status (*open)(const mill__format_ops *self, void **walker, const mill_shard_info *info,
                        int64_t class_index, uint64_t max_sample_nbytes, mill_error *err);
    /* The next sample from window, which always begins at the walker's position (the sum of all *used so
     * far). MILL_OK: *sample is complete, *used bytes lie behind us (the sample included). MILL_AGAIN: the
     * window ends within a sample; *used bytes are done with, and at least *need bytes from there on are
     * wanted (need > nbytes - used). Never answered when window->last. MILL_END: the shard is walked to its
     * last byte: offset + used equals its size, whatever was wrong was reported. anything else: the shard
     * cannot be read on; err says why. */
    mill_status (*next)(void *walker, const mill__window *window, const mill__report *report,
                        mill__sample *sample, size_t *used, size_t *need, mill_error *err);
    /* How many samples, at most so many, lie in window behind the one that next() or at() gave last and
     * differ from it only in place and key: each stride bytes behind the one before it, with the next decimal
     * number for a key. They count as walked. Behind at(), most are known to be there, side by side. NULL:
     * they are taken one by one. */
    size_t (*more)(void *walker, const mill__window *window, size_t most, size_t *stride);
    void (*close)(void *walker);
    /* Where the samples lie, if that can be told without reading them, from the head (as for peek) and info
     * alone. On failure too: those samples are there, and err says what is lost behind them. NULL: the shard
     * has to be walked once. */
    mill_status (*locate)(const mill__format_ops *self, const mill_shard_info *info, const mill__window *head,
                          mill__extents *extents, mill_error *err);
    /* Take sample number ordinal out of a window that holds its extent and nothing else, in any order. What
     * the sample points to lives as long as the window and until the walker's next call. MILL_BAD_DATA of
     * kind "index" when the bytes are not one whole sample: the shard is not what was indexed. */
    mill_status (*at)(void *walker, const mill__window *window, int64_t ordinal, mill__sample *sample,
                      mill_error *err);
};

/* What at() answers when the bytes are something else. */
mill_status mill__not_indexed(const mill__window *window, mill_error *err);

/* ---- writing: headers that sinks need ---- */

/* One or more 512-byte tar header blocks (pax where ustar cannot hold it) for a regular file: mode 0444,
 * owner 0, mtime 0, so that equal input gives equal bytes. Appends to out; 0, or -1 without memory. */
struct mill__buffer;
int mill__tar_header(struct mill__buffer *out, const char *name, uint64_t nbytes);

/* A version 1.0 .npy header of exactly MILL__NPY_HEADER_NBYTES bytes for rows samples of type (fixed shape).
 * bf16 has no NumPy dtype and is written as <u2. */
#define MILL__NPY_HEADER_NBYTES 256
mill_status mill__npy_header(char out[MILL__NPY_HEADER_NBYTES], const mill_type *type, int64_t rows,
                             mill_error *err);

#endif
