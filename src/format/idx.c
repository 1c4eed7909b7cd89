/* SPDX-License-Identifier: Apache-2.0 */
/* format/idx.c: the arrays in which MNIST is distributed: two zero bytes, a code for the dtype, the number of
 * axes, the extents as big-endian 32-bit numbers, then the elements, big-endian too. */
#include "base/error.h"
#include "format/rows.h"
#include <string.h>

static mill_status parse_dtype(uint8_t code, mill__rows *is, mill_error *err)
{
    static const mill_dtype dtypes[] = {[0x08] = MILL_U8,  [0x09] = MILL_I8,  [0x0b] = MILL_I16,
                                        [0x0c] = MILL_I32, [0x0d] = MILL_F32, [0x0e] = MILL_F64};
    if (code >= sizeof dtypes / sizeof *dtypes || !dtypes[code])
        return mill_fail(err, MILL_BAD_DATA, "header", "the code 0x%02x stands for no IDX dtype", code);
    is->type.dtype = dtypes[code];
    is->swapped = mill_dtype_nbytes(dtypes[code]) > 1;
    return MILL_OK;
}

static uint64_t big_endian(const uint8_t *p)
{
    return (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
}

static mill_status parse_shape(const uint8_t *extents, int rank, mill__rows *is, mill_error *err)
{
    uint64_t nbytes = mill_dtype_nbytes(is->type.dtype), all;
    bool empty = false, large = false;
    is->rows = big_endian(extents);
    is->type.rank = rank - 1;
    for (int i = 1; i < rank; i++) {
        uint64_t extent = big_endian(extents + 4 * (size_t)i);
        is->type.shape[i - 1] = (int64_t)extent;
        empty |= !extent; /* must not hide that the others overflow */
        large |= __builtin_mul_overflow(nbytes, extent ? extent : 1, &nbytes) || nbytes >> 62;
    }
    if (large || __builtin_mul_overflow(nbytes, is->rows ? is->rows : 1, &all) || all >> 62)
        return mill_fail(err, MILL_BAD_DATA, "header", "the array is larger than 2^62 bytes");
    is->row_nbytes = empty ? 0 : nbytes;
    return MILL_OK;
}

static mill_status rows(const mill__format_ops *self, const mill__window *head, uint64_t nbytes,
                        mill__rows *is, size_t *need, mill_error *err)
{
    (void)self, (void)nbytes;
    const uint8_t *p = head->data;
    if (memcmp(p, "\0", head->nbytes < 2 ? head->nbytes : 2) != 0)
        return mill_fail(err, MILL_BAD_DATA, "header", "no IDX array: it does not begin with two zero bytes");
    *need = 4;
    if (head->nbytes < 4)
        return MILL_AGAIN;
    *is = (mill__rows){0};
    mill_status status = parse_dtype(p[2], is, err);
    if (status)
        return status;
    if (!p[3] || p[3] > MILL_MAX_RANK + 1)
        return mill_fail(err, MILL_UNSUPPORTED, "unsupported",
                         "an IDX array of %d axes; 1 to %d are read, the first of which counts samples", p[3],
                         MILL_MAX_RANK + 1);
    *need = 4 + 4 * (size_t)p[3];
    if (head->nbytes < *need)
        return MILL_AGAIN;
    is->first = *need;
    return parse_shape(p + 4, p[3], is, err);
}

const mill__format_ops mill__format_idx = {
    .name = "idx",
    .summary = "an IDX array, as MNIST is distributed; the first axis counts samples",
    .extensions = "-ubyte",
    .usual = ".idx",
    .rows = rows,
    .view = mill__rows_view,
    MILL__ROWS_CALLBACKS};
