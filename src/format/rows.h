/* SPDX-License-Identifier: Apache-2.0 */
/* format/rows.h: what the formats have in common whose samples are rows of one size, one behind the other:
 * npy, npz, raw, idx, cifar, tokens. Such a format says with its rows() what the head of a shard means; the
 * rest is here. */
#ifndef MILL_FORMAT_ROWS_H
#define MILL_FORMAT_ROWS_H

#include "format/format.h"

/* One of several fields that stand side by side in a row. */
typedef struct mill__column {
    const char *name;
    size_t at, nbytes; /* within the row */
} mill__column;

typedef struct mill__rows {
    mill_type type; /* of a sample */
    uint64_t first; /* where the rows begin */
    uint64_t rows, row_nbytes;
    uint64_t stride_nbytes;      /* from row to row; 0: row_nbytes. Less: rows overlap */
    int labels;                  /* bytes in front of a row's tensor, the last of which is its label */
    bool swapped;                /* elements are stored in the other byte order */
    bool fortran;                /* the first axis varies fastest, as in Fortran */
    const mill_error *lost;      /* rows that should follow cannot be had: why; NULL: none */
    int ncolumns;                /* 0: a row is one tensor */
    const mill__column *columns; /* the first one is the tensor, "data" */
    size_t label_at;  /* with columns: where an integer lies that is the label, and its dtype, or */
    mill_dtype label; /* 0: there is none */
} mill__rows;

/* rows() answers as next() does: MILL_AGAIN if the head is too short, with *need. What it promises is not
 * checked against the size of the shard yet, but first + rows * row_nbytes does not overflow. nbytes is
 * UINT64_MAX while only the type is asked for. */

/* A format whose view resizes leaves its mill__rows as info->layout. */
mill_status mill__rows_peek(const mill__format_ops *self, const mill_shard_info *info,
                            const mill__window *head, mill_type *type, mill_error *err);
mill_status mill__rows_open(const mill__format_ops *self, void **out, const mill_shard_info *info,
                            int64_t class_index, uint64_t max_sample_nbytes, mill_error *err);
mill_status mill__rows_next(void *self, const mill__window *window, const mill__report *report,
                            mill__sample *sample, size_t *used, size_t *need, mill_error *err);
size_t mill__rows_more(void *self, const mill__window *window, size_t most, size_t *stride);
void mill__rows_close(void *self);
mill_status mill__rows_locate(const mill__format_ops *self, const mill_shard_info *info,
                              const mill__window *head, mill__extents *extents, mill_error *err);
mill_status mill__rows_at(void *self, const mill__window *window, int64_t ordinal, mill__sample *sample,
                          mill_error *err);
/* rows_view.c: elements in the machine's byte order, rows in C order. */
mill_status mill__rows_view(const mill__format_ops *self, const mill__bytes *stored, mill_shard_info *info,
                            uint64_t memory_nbytes, mill__bytes *view, mill_error *err);

/* npy.c: for npz, which holds such arrays. */
extern const mill__format_ops mill__format_npy;

#define MILL__ROWS_CALLBACKS                                                                                 \
    .peek = mill__rows_peek, .open = mill__rows_open, .next = mill__rows_next, .more = mill__rows_more,      \
    .close = mill__rows_close, .locate = mill__rows_locate, .at = mill__rows_at

/* Bytes of one sample of type; false: more than 2^62, or no elements. */
bool mill__rows_nbytes(const mill_type *type, uint64_t *nbytes);

#endif
