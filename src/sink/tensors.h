/* SPDX-License-Identifier: Apache-2.0 */
/* sink/tensors.h: what the sinks that write tensors have in common. */
#ifndef MILL_SINK_TENSORS_H
#define MILL_SINK_TENSORS_H

#include "sink/sink.h"

/* Whether the plan gives tensors of one shape; as: the sink's name. */
mill_status mill__tensors_check(const mill__sink_config *config, const char *as, mill_error *err);
/* "image" or "data". */
const char *mill__tensors_name(const mill_type *type);
size_t mill__tensors_row_nbytes(const mill_type *type); /* 0: they cannot be counted */
/* How many rows, from the first on, are good and lie on end in memory, so that they go out in one piece. */
size_t mill__tensors_together(const mill__row *rows, size_t n, size_t row_nbytes);
/* Create NAME.SUFFIX. */
mill_status mill__file_begin(mill__file **file, const char *folder, const char *name, const char *suffix,
                             mill_error *err);
mill_status mill__file_write_zeros(mill__file *file, size_t nbytes, mill_error *err);

/* ---- parts.c: a file for each array ---- */

typedef struct mill__parts_kind {
    const char *suffix;
    size_t front_nbytes; /* that each array has in front of its rows; 0: none */
    mill_status (*front)(char *front, const mill_type *type, int64_t rows, mill_error *err);
    /* Append what NAME.SUFFIX.json says of an array; 0, or -1 without memory. NULL: there is no such file. */
    int (*describe)(mill__buffer *out, const char *array, const mill_type *type, int64_t rows);
} mill__parts_kind;

mill_status mill__parts_begin(const mill__parts_kind *kind, const mill__sink_config *config, const char *name,
                              void **self, mill_error *err);
mill_status mill__parts_write(void *self, const mill__row *rows, size_t n, mill_error *err);
mill_status mill__parts_finish(void *self, mill__output_file **files, size_t *nfiles, mill_error *err);
void mill__parts_abandon(void *self);

/* ---- container.c: one file for all arrays ---- */

typedef struct mill__container_array {
    const char *name;
    mill_type type;   /* of a row */
    const void *data; /* NULL: the rows, which are written */
    uint64_t nbytes;
} mill__container_array;

typedef struct mill__container_kind {
    const char *suffix;
    size_t (*front_nbytes)(const mill_type *type);
    bool checksum; /* a CRC-32 of the rows is wanted */
    /* The rows are written. Write what is in front of them, and what comes behind: the other arrays. */
    mill_status (*finish)(mill__file *file, const mill__container_array *arrays, size_t n, uint64_t rows,
                          uint32_t crc, mill_error *err);
} mill__container_kind;

mill_status mill__container_begin(const mill__container_kind *kind, const mill__sink_config *config,
                                  const char *name, void **self, mill_error *err);
mill_status mill__container_write(void *self, const mill__row *rows, size_t n, mill_error *err);
mill_status mill__container_finish(void *self, mill__output_file **files, size_t *nfiles, mill_error *err);
void mill__container_abandon(void *self);

#endif
