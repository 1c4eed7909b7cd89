/* SPDX-License-Identifier: Apache-2.0 */
/* Output as one file a shard that holds several arrays: the tensors, rows first; then "label", i64, -1 for a
 * row without one, if some row has one; then "mask", u8, 1 for a good row, 0 for one replaced by zeros, with
 * policy substitute. And NAME.keys.txt, as --as npy writes it. Labels and mask stay in memory until the rows
 * are written. What is in front of the rows is as long for every shard, so that it can be written last. */
#include "base/error.h"
#include "format/inflate.h"
#include "sink/tensors.h"
#include <stdlib.h>
#include <string.h>

typedef struct container {
    const mill__container_kind *kind;
    mill_type type;
    bool substitute, labelled;
    size_t row_nbytes;
    uint64_t nrows;
    uint32_t crc;
    mill__file *file, *keys;
    mill__buffer labels, mask;
} container;

void mill__container_abandon(void *self)
{
    container *c = self;
    mill__file_abandon(c->file);
    mill__file_abandon(c->keys);
    mill__buffer_free(&c->labels);
    mill__buffer_free(&c->mask);
    free(c);
}

mill_status mill__container_begin(const mill__container_kind *kind, const mill__sink_config *config,
                                  const char *name, void **self, mill_error *err)
{
    container *c = calloc(1, sizeof *c);
    if (!c)
        return mill__no_memory(err, sizeof *c, "an output shard");
    c->kind = kind;
    c->type = config->type;
    c->row_nbytes = mill__tensors_row_nbytes(&config->type);
    c->substitute = config->policy == MILL_POLICY_SUBSTITUTE;
    mill_status status = mill__file_begin(&c->file, config->folder, name, kind->suffix, err);
    if (!status)
        status = mill__file_reserve(c->file, kind->front_nbytes(&c->type), err);
    if (!status)
        status = mill__file_begin(&c->keys, config->folder, name, "keys.txt", err);
    if (status)
        mill__container_abandon(c);
    else
        *self = c;
    return status;
}

/* ---- rows ---- */

static mill_status write_tensors(container *c, const void *data, size_t nbytes, mill_error *err)
{
    if (c->kind->checksum)
        c->crc = mill__crc32(c->crc, data, nbytes);
    return mill__file_write(c->file, data, nbytes, err);
}

static mill_status write_zeros(container *c, mill_error *err)
{
    static const char zeros[4096];
    mill_status status = MILL_OK;
    for (size_t left = c->row_nbytes, n; left && !status; left -= n) {
        n = left < sizeof zeros ? left : sizeof zeros;
        status = write_tensors(c, zeros, n, err);
    }
    return status;
}

/* Everything of a row but its tensor. */
static mill_status write_rest(container *c, const mill__row *row, mill_error *err)
{
    uint8_t good = row->status == MILL_OK;
    mill_status status = mill__file_write_key(c->keys, row->key ? row->key : "", err);
    if (status)
        return status;
    if (mill__buffer_append(&c->labels, &row->label, sizeof row->label) ||
        (c->substitute && mill__buffer_append(&c->mask, &good, 1)))
        return mill__no_memory(err, c->labels.nbytes, "labels");
    c->labelled |= row->label != -1;
    c->nrows++;
    return MILL_OK;
}

mill_status mill__container_write(void *self, const mill__row *rows, size_t n, mill_error *err)
{
    container *c = self;
    mill_status status = MILL_OK;
    for (size_t i = 0, together; i < n && !status; i += together) {
        together = mill__tensors_together(&rows[i], n - i, c->row_nbytes);
        if (together) {
            status = write_tensors(c, rows[i].tensor, together * c->row_nbytes, err);
            for (size_t k = i; k < i + together && !status; k++)
                status = write_rest(c, &rows[k], err);
            continue;
        }
        together = 1;
        if (rows[i].status == MILL_OK)
            return mill_fail(err, MILL_INTERNAL, "internal", "a finished sample has no tensor");
        if (!c->substitute)
            continue;
        status = write_zeros(c, err);
        if (!status)
            status = write_rest(c, &rows[i], err);
    }
    return status;
}

/* ---- finish ---- */

static mill_status finish_file(container *c, mill_error *err)
{
    const mill__container_array all[3] = {
        {mill__tensors_name(&c->type), c->type, NULL, c->nrows * c->row_nbytes},
        {"label", {.dtype = MILL_I64}, c->labels.data, c->labels.nbytes},
        {"mask", {.dtype = MILL_U8}, c->mask.data, c->mask.nbytes}};
    mill__container_array arrays[3];
    size_t n = 0;
    arrays[n++] = all[0];
    if (c->labelled)
        arrays[n++] = all[1];
    if (c->substitute && c->nrows)
        arrays[n++] = all[2];
    return c->kind->finish(c->file, arrays, n, c->nrows, c->crc, err);
}

mill_status mill__container_finish(void *self, mill__output_file **files, size_t *nfiles, mill_error *err)
{
    container *c = self;
    mill__output_file *list = calloc(2, sizeof *list);
    mill_status status =
        list ? finish_file(c, err) : mill__no_memory(err, 2 * sizeof *list, "a list of files");
    if (!status) {
        mill__file *const both[] = {c->file, c->keys};
        c->file = c->keys = NULL;
        status = mill__files_finish(both, 2, list, err);
    }
    mill__container_abandon(c);
    if (status) {
        free(list);
        return status;
    }
    *files = list;
    *nfiles = 2;
    return MILL_OK;
}
