/* SPDX-License-Identifier: Apache-2.0 */
/* format/npy_header.h: the header of an .npy file. Format: NumPy's numpy.lib.format documentation (versions 1
 * to 3). */
#ifndef MILL_FORMAT_NPY_HEADER_H
#define MILL_FORMAT_NPY_HEADER_H

#include <shardmill/types.h>
#include <stdbool.h>

enum { MILL__NPY_MAX_HEADER = 65536 - 12 }; /* with its preamble within the first 64 KiB of a shard */

typedef struct mill__npy {
    mill_type type; /* of one row: the shape without its first axis */
    uint64_t rows;
    uint64_t row_nbytes;
    size_t header_nbytes;
    bool swapped; /* elements are big-endian, the machine is not */
    bool fortran; /* the first axis varies fastest, and that makes a difference */
} mill__npy;

/* MILL_AGAIN: *need bytes are wanted. Shapes are checked for overflow, not against a file's size. */
mill_status mill__npy_parse(const uint8_t *data, size_t nbytes, mill__npy *npy, size_t *need,
                            mill_error *err);

#endif
