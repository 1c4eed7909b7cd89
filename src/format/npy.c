/* SPDX-License-Identifier: Apache-2.0 */
/* format/npy.c: an .npy array as a shard: the first axis counts samples, a row is a sample with one field,
 * "data". */
#include "format/npy_header.h"
#include "format/rows.h"

static mill_status rows(const mill__format_ops *self, const mill__window *head, uint64_t nbytes,
                        mill__rows *is, size_t *need, mill_error *err)
{
    (void)self, (void)nbytes;
    mill__npy npy;
    mill_status status = mill__npy_parse(head->data, head->nbytes, &npy, need, err);
    if (!status)
        *is = (mill__rows){.type = npy.type,
                           .first = npy.header_nbytes,
                           .rows = npy.rows,
                           .row_nbytes = npy.row_nbytes,
                           .swapped = npy.swapped,
                           .fortran = npy.fortran};
    return status;
}

const mill__format_ops mill__format_npy = {.name = "npy",
                                           .summary = "a NumPy array; the first axis counts samples",
                                           .extensions = ".npy",
                                           .rows = rows,
                                           .view = mill__rows_view,
                                           MILL__ROWS_CALLBACKS};
