/* SPDX-License-Identifier: Apache-2.0 */
/* format/npy.c: an .npy array as a shard: the first axis counts samples, a row is a sample with one field,
 * "data". */
#include "base/error.h"
#include "format/format.h"
#include "format/npy_header.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct walker {
    uint64_t nbytes, max_sample_nbytes;
    bool open; /* the header is parsed */
    mill__npy npy;
    uint64_t row;
    char key[24];
} walker;

static mill_status peek(const mill__window *head, mill_type *type, mill_error *err)
{
    mill__npy npy;
    size_t need;
    mill_status status = mill__npy_parse(head->data, head->nbytes, &npy, &need, err);
    if (status == MILL_AGAIN)
        return mill_fail(err, MILL_BAD_DATA, "truncated", "the shard ends within its .npy header");
    if (!status)
        *type = npy.type;
    return status;
}

static mill_status open_walker(void **out, const mill_shard_info *info, int64_t class_index,
                               uint64_t max_sample_nbytes, mill_error *err)
{
    (void)class_index;
    walker *w = *out = calloc(1, sizeof *w);
    if (!w)
        return mill__no_memory(err, sizeof *w, "an npy walker");
    w->nbytes = info->nbytes;
    w->max_sample_nbytes = max_sample_nbytes;
    return MILL_OK;
}

/* Whether the rows that the header promises are there. */
static mill_status check_size(const mill__npy *n, uint64_t nbytes, mill_error *err)
{
    uint64_t wanted = n->header_nbytes + n->rows * n->row_nbytes; /* cannot overflow: checked by the parser */
    if (wanted > nbytes)
        return mill_fail(err, MILL_BAD_DATA, "truncated",
                         "the header promises %" PRIu64 " rows of %" PRIu64
                         " bytes, but the shard has %" PRIu64 " bytes instead of %" PRIu64,
                         n->rows, n->row_nbytes, nbytes, wanted);
    if (!n->row_nbytes && n->rows)
        return mill_fail(err, MILL_BAD_DATA, "shape", "%" PRIu64 " rows without elements", n->rows);
    return MILL_OK;
}

static mill_status begin(walker *w, const mill__window *window, size_t *used, size_t *need, mill_error *err)
{
    mill_status status = mill__npy_parse(window->data, window->nbytes, &w->npy, need, err);
    if (status == MILL_AGAIN && window->last)
        return mill_fail(err, MILL_BAD_DATA, "truncated",
                         "the shard has %" PRIu64 " bytes and ends within its header", w->nbytes);
    if (status)
        return status;
    const mill__npy *n = &w->npy;
    status = check_size(n, w->nbytes, err);
    if (status)
        return status;
    if (n->row_nbytes > w->max_sample_nbytes)
        return mill_fail(err, MILL_LIMIT, "limit",
                         "rows of %" PRIu64 " bytes; the memory budget allows samples of %" PRIu64,
                         n->row_nbytes, w->max_sample_nbytes);
    w->open = true;
    *used = n->header_nbytes;
    return MILL_OK;
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
    uint64_t end = w->npy.header_nbytes + w->npy.rows * w->npy.row_nbytes;
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

static void fill(const walker *w, const uint8_t *row, uint64_t offset, size_t nbytes, mill__sample *sample)
{
    sample->key = w->key;
    sample->label = -1;
    sample->offset = offset;
    sample->nbytes = nbytes;
    sample->status = MILL_OK;
    sample->nfields = 1;
    sample->fields[0] =
        (mill__field){.name = "data", .name_nbytes = 4, .data = row, .nbytes = nbytes, .offset = offset};
}

static mill_status next(void *self, const mill__window *window, const mill__report *report,
                        mill__sample *sample, size_t *used, size_t *need, mill_error *err)
{
    walker *w = self;
    *used = 0;
    if (!w->open) {
        mill_status status = begin(w, window, used, need, err);
        if (status)
            return status;
    }
    if (w->row == w->npy.rows)
        return finish(w, window, report, used, need);
    size_t row_nbytes = (size_t)w->npy.row_nbytes;
    if (window->nbytes - *used < row_nbytes) {
        *need = row_nbytes;
        return MILL_AGAIN;
    }
    name_row(w);
    fill(w, window->data + *used, window->offset + *used, row_nbytes, sample);
    *used += row_nbytes;
    w->row++;
    return MILL_OK;
}

static mill_status locate(const mill_shard_info *info, const mill__window *head, mill__extents *extents,
                          mill_error *err)
{
    mill__npy npy;
    size_t need;
    mill_status status = mill__npy_parse(head->data, head->nbytes, &npy, &need, err);
    if (status == MILL_AGAIN)
        return mill_fail(err, MILL_BAD_DATA, "truncated", "the shard ends within its .npy header");
    if (!status)
        status = check_size(&npy, info->nbytes, err);
    if (!status)
        *extents =
            (mill__extents){.n = (size_t)npy.rows, .first = npy.header_nbytes, .row_nbytes = npy.row_nbytes};
    return status;
}

static mill_status at(void *self, const mill__window *window, int64_t ordinal, mill__sample *sample,
                      mill_error *err)
{
    (void)err;
    walker *w = self;
    w->row = (uint64_t)ordinal;
    w->key[0] = 0;
    name_row(w);
    fill(w, window->data, window->offset, window->nbytes, sample);
    return MILL_OK;
}

static void close_walker(void *self)
{
    free(self);
}

const mill__format_ops mill__format_npy = {.name = "npy",
                                           .summary = "a NumPy array; the first axis counts samples",
                                           .extensions = ".npy",
                                           .peek = peek,
                                           .open = open_walker,
                                           .next = next,
                                           .close = close_walker,
                                           .locate = locate,
                                           .at = at};
