/* SPDX-License-Identifier: Apache-2.0 */
/* format/rows_view.c: rows as walkers want them, in C order and in the machine's byte order, from arrays that
 * are stored in another one. Nothing is kept: each read makes the bytes that it was asked for, at the offsets
 * that they would have in such a file.
 *
 * An array of shape (n, a, b) in Fortran order is stored as one of shape (b, a, n) in C order: columns of n
 * elements, one for each element of a row. A read of some rows reads their part of each column, or whole
 * columns if that is hardly more. */
#include "base/error.h"
#include "base/memory.h"
#include "format/rows.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_NBYTES = 64 << 10, TILE_NBYTES = 1 << 20, MOST_ROW_NBYTES = 64 << 20 };

typedef struct rows_view {
    mill__bytes stored;
    mill__rows is;
    uint64_t end; /* of the rows */
    size_t element_nbytes, row_elements;
} rows_view;

#define SWAP(bits)                                                                                           \
    static void swap_##bits(void *data, size_t n)                                                            \
    {                                                                                                        \
        char *at = data;                                                                                     \
        for (size_t i = 0; i < n; i++, at += sizeof(uint##bits##_t)) {                                       \
            uint##bits##_t x;                                                                                \
            memcpy(&x, at, sizeof x);                                                                        \
            x = __builtin_bswap##bits(x);                                                                    \
            memcpy(at, &x, sizeof x);                                                                        \
        }                                                                                                    \
    }
SWAP(16)
SWAP(32)
SWAP(64)

static void swap(void *data, size_t n, size_t element_nbytes)
{
    if (element_nbytes == 2)
        swap_16(data, n);
    else if (element_nbytes == 4)
        swap_32(data, n);
    else
        swap_64(data, n);
}

static mill_status read_all(const rows_view *v, uint64_t offset, void *data, size_t n, mill_error *err)
{
    size_t got = 0;
    mill_status status = v->stored.read(v->stored.handle, offset, data, n, &got, err);
    if (!status && got < n)
        return mill_fail(err, MILL_BAD_DATA, "truncated", "the shard has shrunk since it was opened");
    return status;
}

/* ---- byte order ---- */

/* Some bytes of one element. */
static mill_status read_part(const rows_view *v, uint64_t at, uint8_t *data, size_t n, mill_error *err)
{
    uint8_t element[8] = {0};
    size_t inside = (size_t)(at % v->element_nbytes);
    mill_status status = read_all(v, v->is.first + at - inside, element, v->element_nbytes, err);
    if (status)
        return status;
    swap(element, 1, v->element_nbytes);
    memcpy(data, element + inside, n);
    return MILL_OK;
}

/* n bytes from at on, counted from the first row. */
static mill_status read_swapped(const rows_view *v, uint64_t at, uint8_t *data, size_t n, mill_error *err)
{
    size_t size = v->element_nbytes, inside = (size_t)(at % size);
    mill_status status = MILL_OK;
    if (inside) {
        size_t part = n < size - inside ? n : size - inside;
        status = read_part(v, at, data, part, err);
        at += part;
        data += part;
        n -= part;
    }
    if (!status && n / size) {
        status = read_all(v, v->is.first + at, data, n / size * size, err);
        if (!status)
            swap(data, n / size, size);
    }
    if (!status && n % size)
        status = read_part(v, at + n / size * size, data + n / size * size, n % size, err);
    return status;
}

/* ---- Fortran order ---- */

/* Some rows in C order, and room for columns. */
typedef struct tile {
    uint64_t first;
    size_t rows, capacity; /* capacity: rows that there is room for */
    uint8_t *data, *columns;
    size_t columns_nbytes;
} tile;

/* Where in a row the element lies that column number c holds: the same indices, counted the other way. */
static size_t place_of_column(const mill_type *type, size_t c)
{
    size_t place = 0, weight = 1;
    for (int i = 1; i < type->rank; i++)
        weight *= (size_t)type->shape[i];
    for (int i = 0; i < type->rank; i++) {
        size_t extent = (size_t)type->shape[i];
        place += c % extent * weight;
        c /= extent;
        if (i + 1 < type->rank)
            weight /= (size_t)type->shape[i + 1];
    }
    return place;
}

static void scatter(const rows_view *v, tile *t, const uint8_t *column, size_t c)
{
    size_t size = v->element_nbytes, row = v->row_elements * size;
    uint8_t *to = t->data + place_of_column(&v->is.type, c) * size;
    for (size_t i = 0; i < t->rows; i++, to += row, column += size)
        memcpy(to, column, size);
}

/* Whole columns, as many at once as there is room for. */
static mill_status gather_columns(const rows_view *v, tile *t, mill_error *err)
{
    size_t column = (size_t)v->is.rows * v->element_nbytes, most = t->columns_nbytes / column;
    mill_status status = MILL_OK;
    for (size_t c = 0, n; c < v->row_elements && !status; c += n) {
        n = most < v->row_elements - c ? most : v->row_elements - c;
        status = read_all(v, v->is.first + c * column, t->columns, n * column, err);
        for (size_t i = 0; i < n && !status; i++)
            scatter(v, t, t->columns + i * column + (size_t)t->first * v->element_nbytes, c + i);
    }
    return status;
}

static mill_status gather_parts(const rows_view *v, tile *t, mill_error *err)
{
    mill_status status = MILL_OK;
    for (size_t c = 0; c < v->row_elements && !status; c++) {
        uint64_t at = v->is.first + (c * v->is.rows + t->first) * v->element_nbytes;
        status = read_all(v, at, t->columns, t->rows * v->element_nbytes, err);
        if (!status)
            scatter(v, t, t->columns, c);
    }
    return status;
}

static mill_status gather(const rows_view *v, tile *t, mill_error *err)
{
    enum { WASTE = 8 }; /* times what is wanted is read at most, for the sake of longer reads */
    bool whole =
        v->is.rows * v->element_nbytes <= t->columns_nbytes && v->is.rows / WASTE <= (uint64_t)t->rows;
    mill_status status = whole ? gather_columns(v, t, err) : gather_parts(v, t, err);
    if (!status && v->is.swapped)
        swap(t->data, t->rows * v->row_elements, v->element_nbytes);
    return status;
}

static mill_status open_tile(const rows_view *v, tile *t, mill_error *err)
{
    size_t row = (size_t)v->is.row_nbytes;
    t->capacity = row < TILE_NBYTES ? TILE_NBYTES / row : 1;
    t->columns_nbytes = TILE_NBYTES;
    t->data = mill__alloc(t->capacity * row);
    t->columns = mill__alloc(t->columns_nbytes);
    return t->data && t->columns ? MILL_OK : mill__no_memory(err, t->capacity * row, "rows in C order");
}

static mill_status read_fortran(const rows_view *v, uint64_t at, uint8_t *data, size_t n, mill_error *err)
{
    tile t = {0};
    size_t row = (size_t)v->is.row_nbytes;
    mill_status status = open_tile(v, &t, err);
    while (n && !status) {
        size_t inside = (size_t)(at % row), wanted = (inside + n + row - 1) / row;
        t.first = at / row;
        t.rows = wanted < t.capacity ? wanted : t.capacity;
        status = gather(v, &t, err);
        size_t part = t.rows * row - inside < n ? t.rows * row - inside : n;
        if (!status)
            memcpy(data, t.data + inside, part);
        at += part;
        data += part;
        n -= part;
    }
    mill__free(t.data);
    mill__free(t.columns);
    return status;
}

/* ---- the view ---- */

static mill_status read_view(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                             mill_error *err)
{
    const rows_view *v = handle;
    uint8_t *to = data;
    mill_status status = MILL_OK;
    *got = 0;
    if (n && offset < v->is.first) {
        size_t part = v->is.first - offset < n ? (size_t)(v->is.first - offset) : n;
        status = v->stored.read(v->stored.handle, offset, to, part, got, err);
        if (status || *got < part)
            return status;
    }
    if (*got < n && offset + *got < v->end) {
        uint64_t at = offset + *got;
        size_t part = v->end - at < n - *got ? (size_t)(v->end - at) : n - *got;
        status = (v->is.fortran ? read_fortran : read_swapped)(v, at - v->is.first, to + *got, part, err);
        if (status)
            return status;
        *got += part;
    }
    if (*got < n) {
        size_t more = 0;
        status = v->stored.read(v->stored.handle, offset + *got, to + *got, n - *got, &more, err);
        *got += more;
    }
    return status;
}

static void close_view(void *handle)
{
    free(handle);
}

static mill_status read_head(const mill__format_ops *self, const mill__bytes *stored, uint64_t nbytes,
                             mill__rows *is, mill_error *err)
{
    size_t n = nbytes < HEAD_NBYTES ? (size_t)nbytes : HEAD_NBYTES, got = 0, need = 0;
    uint8_t *head = mill__alloc(n);
    if (!head)
        return mill__no_memory(err, n, "the head of a shard");
    mill_status status = stored->read(stored->handle, 0, head, n, &got, err);
    const mill__window window = {.data = head, .nbytes = got, .last = got == nbytes};
    if (!status && self->rows(self, &window, nbytes, is, &need, NULL))
        *is = (mill__rows){0};
    mill__free(head);
    return status;
}

mill_status mill__rows_view(const mill__format_ops *self, const mill__bytes *stored, mill_shard_info *info,
                            uint64_t memory_nbytes, mill__bytes *view, mill_error *err)
{
    (void)memory_nbytes;
    mill__rows is = {0};
    mill_status status = read_head(self, stored, info->nbytes, &is, err);
    bool whole = is.row_nbytes && is.rows && is.first <= info->nbytes &&
                 is.rows <= (info->nbytes - is.first) / is.row_nbytes;
    if (status || (!is.swapped && !is.fortran) || !whole)
        return status;
    if (is.fortran && is.row_nbytes > MOST_ROW_NBYTES)
        return mill_fail(err, MILL_LIMIT, "limit",
                         "samples of %" PRIu64 " bytes in Fortran order; at most %d are gathered",
                         is.row_nbytes, MOST_ROW_NBYTES);
    rows_view *v = malloc(sizeof *v);
    if (!v)
        return mill__no_memory(err, sizeof *v, "a view of rows");
    size_t size = mill_dtype_nbytes(is.type.dtype);
    *v = (rows_view){.stored = *stored,
                     .is = is,
                     .end = is.first + is.rows * is.row_nbytes,
                     .element_nbytes = size,
                     .row_elements = (size_t)is.row_nbytes / size};
    *view = (mill__bytes){.read = read_view, .close = close_view, .handle = v};
    return MILL_OK;
}
