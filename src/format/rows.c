/* SPDX-License-Identifier: Apache-2.0 */
#include "format/rows.h"
#include "base/error.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct walker {
    const mill__format_ops *format;
    const mill__rows *layout; /* NULL: the head says */
    uint64_t nbytes, max_sample_nbytes;
    bool open; /* the header is understood */
    mill__rows is;
    uint64_t row;
    char key[24];
} walker;

static uint64_t stride_of(const mill__rows *r)
{
    return r->stride_nbytes ? r->stride_nbytes : r->row_nbytes;
}

/* Where the last row ends. Cannot overflow: rows() saw to that. */
static uint64_t end_of(const mill__rows *r)
{
    return r->rows ? r->first + (r->rows - 1) * stride_of(r) + r->row_nbytes : r->first;
}

bool mill__rows_nbytes(const mill_type *type, uint64_t *nbytes)
{
    *nbytes = mill_dtype_nbytes(type->dtype);
    for (int i = 0; i < type->rank; i++)
        if (__builtin_mul_overflow(*nbytes, (uint64_t)type->shape[i], nbytes) || *nbytes >> 62)
            return false;
    return *nbytes > 0;
}

static mill_status ends_early(uint64_t nbytes, mill_error *err)
{
    return mill_fail(err, MILL_BAD_DATA, "truncated",
                     "the shard has %" PRIu64 " bytes and ends within its header", nbytes);
}

/* What a shard holds, by its layout or its head. */
static mill_status look(const mill__format_ops *self, const mill__rows *layout, const mill__window *head,
                        uint64_t nbytes, mill__rows *is, size_t *need, mill_error *err)
{
    if (!layout)
        return self->rows(self, head, nbytes, is, need, err);
    *is = *layout;
    return MILL_OK;
}

mill_status mill__rows_peek(const mill__format_ops *self, const mill_shard_info *info,
                            const mill__window *head, mill_type *type, mill_error *err)
{
    mill__rows is = {0};
    size_t need = 0;
    mill_status status = look(self, info->layout, head, UINT64_MAX, &is, &need, err);
    if (status == MILL_AGAIN)
        return ends_early(head->nbytes, err);
    if (!status)
        *type = is.type;
    return status;
}

mill_status mill__rows_open(const mill__format_ops *self, void **out, const mill_shard_info *info,
                            int64_t class_index, uint64_t max_sample_nbytes, mill_error *err)
{
    (void)class_index;
    walker *w = *out = calloc(1, sizeof *w);
    if (!w)
        return mill__no_memory(err, sizeof *w, "a walker over rows");
    w->format = self;
    w->layout = info->layout;
    w->nbytes = info->nbytes;
    w->max_sample_nbytes = max_sample_nbytes;
    return MILL_OK;
}

static mill_status fail_as(const mill_error *why, mill_error *err)
{
    if (err)
        *err = *why;
    return why->status;
}

/* Whether the rows that the header promises are there. */
static mill_status check_size(const mill__rows *r, uint64_t nbytes, mill_error *err)
{
    if (end_of(r) > nbytes)
        return mill_fail(err, MILL_BAD_DATA, "truncated",
                         "%" PRIu64 " rows of %" PRIu64 " bytes are promised, but the shard has %" PRIu64
                         " bytes instead of %" PRIu64,
                         r->rows, r->row_nbytes, nbytes, end_of(r));
    if (!r->row_nbytes && r->rows)
        return mill_fail(err, MILL_BAD_DATA, "shape", "%" PRIu64 " rows without elements", r->rows);
    return MILL_OK;
}

static mill_status begin(walker *w, const mill__window *window, size_t *need, mill_error *err)
{
    mill_status status = look(w->format, w->layout, window, w->nbytes, &w->is, need, err);
    if (status == MILL_AGAIN && window->last)
        return ends_early(w->nbytes, err);
    if (!status)
        status = check_size(&w->is, w->nbytes, err);
    if (!status && w->is.row_nbytes > w->max_sample_nbytes)
        return mill_fail(err, MILL_LIMIT, "limit",
                         "rows of %" PRIu64 " bytes; the memory budget allows samples of %" PRIu64,
                         w->is.row_nbytes, w->max_sample_nbytes);
    w->open = !status;
    return status;
}

/* Zero-padded to six digits, as fast as incrementing. */
static void name_row(walker *w)
{
    char *last = w->key + strlen(w->key);
    if (!w->row || last == w->key) {
        snprintf(w->key, sizeof w->key, "%06" PRIu64, w->row);
        return;
    }
    for (char *c = last - 1; c >= w->key; c--) {
        if (*c != '9') {
            ++*c;
            return;
        }
        *c = '0';
    }
    snprintf(w->key, sizeof w->key, "%06" PRIu64, w->row); /* a digit more */
}

static mill_status finish(const walker *w, const mill__window *window, const mill__report *report,
                          size_t *used, size_t *need)
{
    if (!window->last) {
        *used = window->nbytes;
        *need = 1;
        return MILL_AGAIN;
    }
    uint64_t end = end_of(&w->is);
    if (w->nbytes > end) {
        const mill_issue issue = {.severity = MILL_WARNING,
                                  .key = "",
                                  .kind = "trailing",
                                  .reason = "bytes behind the last row",
                                  .sample = -1,
                                  .offset = end,
                                  .nbytes = w->nbytes - end};
        report->issue(report->self, &issue);
    }
    *used = window->nbytes;
    return MILL_END;
}

/* An integer of 64 bits or less, in the machine's byte order; false: beyond 2^63. */
static bool get_label(mill_dtype dtype, const uint8_t *at, int64_t *label)
{
    union {
        int8_t i8;
        uint8_t u8;
        int16_t i16;
        uint16_t u16;
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        uint64_t u64;
    } x;
    memcpy(&x, at, mill_dtype_nbytes(dtype));
    *label = dtype == MILL_I8    ? x.i8
             : dtype == MILL_U8  ? x.u8
             : dtype == MILL_I16 ? x.i16
             : dtype == MILL_U16 ? x.u16
             : dtype == MILL_I32 ? x.i32
             : dtype == MILL_U32 ? x.u32
                                 : x.i64;
    return dtype != MILL_U64 || x.u64 <= INT64_MAX;
}

static void fill_columns(const walker *w, const uint8_t *row, uint64_t offset, mill__sample *sample)
{
    const mill__rows *r = &w->is;
    sample->key = w->key;
    sample->label = -1;
    sample->offset = offset;
    sample->nbytes = (size_t)r->row_nbytes;
    sample->status = MILL_OK;
    sample->nfields = r->ncolumns;
    for (int i = 0; i < r->ncolumns; i++) {
        const mill__column *c = &r->columns[i];
        sample->fields[i] = (mill__field){.name = c->name,
                                          .name_nbytes = (uint32_t)strlen(c->name),
                                          .data = row + c->at,
                                          .nbytes = c->nbytes,
                                          .offset = offset + c->at};
    }
    if (!r->label || get_label(r->label, row + r->label_at, &sample->label))
        return;
    sample->label = -1;
    sample->status = mill_fail(&sample->error, MILL_BAD_DATA, "label", "a label of 2^63 or more");
    mill__error_where(&sample->error, NULL, NULL, offset + r->label_at);
}

static void fill(const walker *w, const uint8_t *row, uint64_t offset, mill__sample *sample)
{
    if (w->is.ncolumns) {
        fill_columns(w, row, offset, sample);
        return;
    }
    size_t labels = (size_t)w->is.labels, nbytes = (size_t)w->is.row_nbytes;
    sample->key = w->key;
    sample->label = labels ? row[labels - 1] : -1;
    sample->offset = offset;
    sample->nbytes = nbytes;
    sample->status = MILL_OK;
    sample->nfields = 1;
    sample->fields[0] = (mill__field){.name = "data",
                                      .name_nbytes = 4,
                                      .data = row + labels,
                                      .nbytes = nbytes - labels,
                                      .offset = offset + labels};
    if (labels > 1)
        sample->fields[sample->nfields++] =
            (mill__field){.name = "coarse", .name_nbytes = 6, .data = row, .nbytes = 1, .offset = offset};
}

mill_status mill__rows_next(void *self, const mill__window *window, const mill__report *report,
                            mill__sample *sample, size_t *used, size_t *need, mill_error *err)
{
    walker *w = self;
    *used = 0;
    if (!w->open) {
        mill_status status = begin(w, window, need, err);
        if (status)
            return status;
    }
    uint64_t start = w->row < w->is.rows ? w->is.first + w->row * stride_of(&w->is) : end_of(&w->is);
    if (window->offset + *used < start) { /* a header to be passed over */
        uint64_t left = start - window->offset;
        *used = left < window->nbytes ? (size_t)left : window->nbytes;
    }
    if (w->row == w->is.rows && w->is.lost)
        return fail_as(w->is.lost, err);
    if (w->row == w->is.rows)
        return finish(w, window, report, used, need);
    size_t row_nbytes = (size_t)w->is.row_nbytes;
    if (window->offset + *used < start || window->nbytes - *used < row_nbytes) {
        *need = row_nbytes;
        return MILL_AGAIN;
    }
    name_row(w);
    fill(w, window->data + *used, window->offset + *used, sample);
    w->row++;
    *used += (size_t)(w->row == w->is.rows ? row_nbytes : stride_of(&w->is));
    return MILL_OK;
}

/* The last row is left to next(), which knows where it ends. */
size_t mill__rows_more(void *self, const mill__window *window, size_t most, size_t *stride)
{
    walker *w = self;
    const mill__rows *r = &w->is;
    const size_t step = (size_t)stride_of(r), nbytes = (size_t)r->row_nbytes;
    if (r->labels || r->label || w->row + 1 >= r->rows || window->nbytes < nbytes)
        return 0;
    size_t n = (window->nbytes - nbytes) / step + 1;
    n = n < most ? n : most;
    n = n < r->rows - w->row - 1 ? n : (size_t)(r->rows - w->row - 1);
    if (n * step > window->nbytes) /* a gap that is not there yet is next()'s, too */
        n--;
    if (n)
        w->key[0] = 0;
    w->row += n;
    *stride = step;
    return n;
}

void mill__rows_close(void *self)
{
    free(self);
}

mill_status mill__rows_locate(const mill__format_ops *self, const mill_shard_info *info,
                              const mill__window *head, mill__extents *extents, mill_error *err)
{
    mill__rows is = {0};
    size_t need = 0;
    mill_status status = look(self, info->layout, head, info->nbytes, &is, &need, err);
    if (status == MILL_AGAIN)
        return ends_early(info->nbytes, err);
    if (!status)
        status = check_size(&is, info->nbytes, err);
    if (!status)
        *extents = (mill__extents){.n = (size_t)is.rows,
                                   .first = is.first,
                                   .row_nbytes = is.row_nbytes,
                                   .stride_nbytes = is.stride_nbytes};
    return status || !is.lost ? status : fail_as(is.lost, err);
}

mill_status mill__rows_at(void *self, const mill__window *window, int64_t ordinal, mill__sample *sample,
                          mill_error *err)
{
    walker *w = self;
    (void)err;
    if (!w->open) { /* what can be told without a head, such as how many labels there are */
        const mill__window none = {.data = (const uint8_t *)""};
        size_t need = 0;
        if (look(w->format, w->layout, &none, w->nbytes, &w->is, &need, NULL))
            w->is = (mill__rows){0};
        w->open = true;
        w->is.rows = UINT64_MAX; /* who asks knows which there are, */
        w->is.stride_nbytes = 0; /* and where */
    }
    w->is.row_nbytes = window->nbytes;
    w->row = (uint64_t)ordinal;
    w->key[0] = 0;
    name_row(w);
    fill(w, window->data, window->offset, sample);
    w->row++;
    return MILL_OK;
}
