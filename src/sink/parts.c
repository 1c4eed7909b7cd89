/* SPDX-License-Identifier: Apache-2.0 */
/* Output as a file for each array, for each shard NAME and a SUFFIX:
 *
 *   NAME.image.SUFFIX  the tensors, rows first ("data" instead of "image" when they are not images)
 *   NAME.label.SUFFIX  i64, -1 for a row without one; only if some row has one
 *   NAME.mask.SUFFIX   u8, 1 for a good row, 0 for one replaced by zeros; with policy substitute
 *   NAME.keys.txt      one key a line; control characters and backslashes written as \xNN
 *   NAME.json.jsonl    one document of the json field a line, null for a row without one; only if some row
 *                      has one
 *   NAME.SUFFIX.json   what the arrays are, if they do not say that themselves
 *
 * Row i of each belongs to the same sample. Files that some shards have and others lack are begun at the
 * first row that needs them, with the fillers of the rows before it. */
#include "base/error.h"
#include "format/format.h"
#include "sink/tensors.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum part { TENSOR, LABEL, MASK, KEYS, JSON, DESCRIPTION, PARTS };

typedef struct parts {
    const mill__parts_kind *kind;
    mill_type type;
    bool substitute;
    size_t row_nbytes;
    int64_t nrows;
    mill__file *files[PARTS]; /* NULL: not begun */
    char *folder, *name;
} parts;

/* ---- files ---- */

static const char *array_name(const parts *shard, enum part part)
{
    static const char *const names[] = {[LABEL] = "label", [MASK] = "mask"};
    return part == TENSOR ? mill__tensors_name(&shard->type) : names[part];
}

/* What follows the shard's name; empty: there is no such part. */
static void part_suffix(const parts *shard, enum part part, char suffix[32])
{
    const mill__parts_kind *kind = shard->kind;
    *suffix = 0;
    if (part < KEYS)
        snprintf(suffix, 32, "%s.%s", array_name(shard, part), kind->suffix);
    else if (part != DESCRIPTION)
        snprintf(suffix, 32, "%s", part == KEYS ? "keys.txt" : "json.jsonl");
    else if (kind->describe)
        snprintf(suffix, 32, "%s.json", kind->suffix);
}

static mill_status begin_part(parts *shard, enum part part, mill_error *err)
{
    char suffix[32];
    part_suffix(shard, part, suffix);
    mill_status status = mill__file_begin(&shard->files[part], shard->folder, shard->name, suffix, err);
    return status || part >= KEYS || !shard->kind->front_nbytes
               ? status
               : mill__file_reserve(shard->files[part], shard->kind->front_nbytes, err);
}

/* Begin a part that all rows before this one lack. */
static mill_status begin_late(parts *shard, enum part part, const void *filler, size_t nbytes,
                              mill_error *err)
{
    mill_status status = begin_part(shard, part, err);
    for (int64_t i = 0; i < shard->nrows && !status; i++)
        status = mill__file_write(shard->files[part], filler, nbytes, err);
    return status;
}

void mill__parts_abandon(void *self)
{
    parts *shard = self;
    for (int i = 0; i < PARTS; i++)
        mill__file_abandon(shard->files[i]);
    free(shard->folder);
    free(shard->name);
    free(shard);
}

mill_status mill__parts_begin(const mill__parts_kind *kind, const mill__sink_config *config, const char *name,
                              void **self, mill_error *err)
{
    parts *shard = calloc(1, sizeof *shard);
    if (!shard)
        return mill__no_memory(err, sizeof *shard, "an output shard");
    shard->kind = kind;
    shard->type = config->type;
    shard->row_nbytes = mill__tensors_row_nbytes(&config->type);
    shard->substitute = config->policy == MILL_POLICY_SUBSTITUTE;
    shard->folder = strdup(config->folder);
    shard->name = strdup(name);
    if (!shard->folder || !shard->name) {
        mill__parts_abandon(shard);
        return mill__no_memory(err, strlen(name), "an output shard");
    }
    mill_status status = begin_part(shard, TENSOR, err);
    if (!status)
        status = begin_part(shard, KEYS, err);
    if (!status && shard->substitute)
        status = begin_part(shard, MASK, err);
    if (status)
        mill__parts_abandon(shard);
    else
        *self = shard;
    return status;
}

/* ---- rows ---- */

static mill_status write_label(parts *shard, int64_t label, mill_error *err)
{
    static const int64_t none = -1;
    mill_status status = MILL_OK;
    if (!shard->files[LABEL] && label != none)
        status = begin_late(shard, LABEL, &none, sizeof none, err);
    if (status || !shard->files[LABEL])
        return status;
    return mill__file_write(shard->files[LABEL], &label, sizeof label, err);
}

static const mill__carried *json_of(const mill__row *row)
{
    for (int i = 0; i < row->ncarried; i++)
        if (!strcasecmp(row->carried[i].name, "json") && row->carried[i].nbytes)
            return &row->carried[i];
    return NULL;
}

/* Raw line ends can only be insignificant white space in JSON: blanks do as well, and keep one document a
 * line. */
static mill_status write_json(parts *shard, const mill__row *row, mill_error *err)
{
    const mill__carried *json = json_of(row);
    mill_status status = MILL_OK;
    if (json && !shard->files[JSON])
        status = begin_late(shard, JSON, "null\n", 5, err);
    mill__file *file = shard->files[JSON];
    if (status || !file)
        return status;
    if (!json)
        return mill__file_write(file, "null\n", 5, err);
    const char *at = (const char *)row->blob.data + json->offset, *end = at + json->nbytes;
    while (at < end && !status) {
        size_t plain = 0;
        while (at + plain < end && at[plain] != '\n' && at[plain] != '\r')
            plain++;
        status = mill__file_write(file, at, plain, err);
        at += plain;
        if (at < end && !status) {
            at++;
            status = mill__file_write(file, " ", 1, err);
        }
    }
    return status ? status : mill__file_write(file, "\n", 1, err);
}

/* Everything of a row but its tensor. */
static mill_status write_rest(parts *shard, const mill__row *row, mill_error *err)
{
    uint8_t good = row->status == MILL_OK;
    mill_status status = mill__file_write_key(shard->files[KEYS], row->key ? row->key : "", err);
    if (!status)
        status = write_label(shard, row->label, err);
    if (!status && shard->substitute)
        status = mill__file_write(shard->files[MASK], &good, 1, err);
    if (!status)
        status = write_json(shard, row, err);
    shard->nrows++;
    return status;
}

mill_status mill__parts_write(void *self, const mill__row *rows, size_t n, mill_error *err)
{
    parts *shard = self;
    mill_status status = MILL_OK;
    for (size_t i = 0, together; i < n && !status; i += together) {
        together = mill__tensors_together(&rows[i], n - i, shard->row_nbytes);
        if (together) {
            status =
                mill__file_write(shard->files[TENSOR], rows[i].tensor, together * shard->row_nbytes, err);
            for (size_t k = i; k < i + together && !status; k++)
                status = write_rest(shard, &rows[k], err);
            continue;
        }
        together = 1;
        if (rows[i].status == MILL_OK)
            return mill_fail(err, MILL_INTERNAL, "internal", "a finished sample has no tensor");
        if (!shard->substitute)
            continue;
        status = mill__file_write_zeros(shard->files[TENSOR], shard->row_nbytes, err);
        if (!status)
            status = write_rest(shard, &rows[i], err);
    }
    return status;
}

/* ---- finish ---- */

static mill_type type_of(const parts *shard, enum part part)
{
    const mill_type types[] = {
        [TENSOR] = shard->type, [LABEL] = {.dtype = MILL_I64}, [MASK] = {.dtype = MILL_U8}};
    return types[part];
}

static mill_status write_front(parts *shard, enum part part, mill_error *err)
{
    const mill_type type = type_of(shard, part);
    char front[MILL__NPY_HEADER_NBYTES];
    if (!shard->kind->front_nbytes)
        return MILL_OK;
    mill_status status = shard->kind->front(front, &type, shard->nrows, err);
    return status ? status : mill__file_front(shard->files[part], front, shard->kind->front_nbytes, err);
}

static mill_status write_description(parts *shard, mill_error *err)
{
    mill__buffer text = {0};
    if (!shard->kind->describe)
        return MILL_OK;
    int failed = mill__buffer_printf(&text, "{\"rows\":%" PRId64, shard->nrows);
    for (int i = TENSOR; i < KEYS; i++) {
        const mill_type type = type_of(shard, (enum part)i);
        if (shard->files[i])
            failed |= shard->kind->describe(&text, array_name(shard, (enum part)i), &type, shard->nrows);
    }
    failed |= mill__buffer_printf(&text, "}\n");
    mill_status status = failed ? mill__no_memory(err, text.nbytes, "the description of an output shard")
                                : begin_part(shard, DESCRIPTION, err);
    if (!status)
        status = mill__file_write(shard->files[DESCRIPTION], text.data, text.nbytes, err);
    mill__buffer_free(&text);
    return status;
}

/* A file that this shard does not have any more, its source having changed, must not stay beside the new
 * ones. */
static mill_status remove_stale(const parts *shard, mill_error *err)
{
    mill_status status = MILL_OK;
    for (int i = 0; i < PARTS && !status; i++) {
        char suffix[32], *name;
        part_suffix(shard, (enum part)i, suffix);
        if (shard->files[i] || !*suffix)
            continue;
        if (asprintf(&name, "%s.%s", shard->name, suffix) < 0)
            return mill__no_memory(err, strlen(shard->name), "the name of a file");
        status = mill__file_remove(shard->folder, name, err);
        free(name);
    }
    return status;
}

mill_status mill__parts_finish(void *self, mill__output_file **files, size_t *nfiles, mill_error *err)
{
    parts *shard = self;
    mill_status status = MILL_OK;
    mill__file *begun[PARTS];
    size_t n = 0;
    mill__output_file *list = calloc(PARTS, sizeof *list);
    if (!list)
        status = mill__no_memory(err, PARTS * sizeof *list, "a list of files");
    for (int i = 0; i < KEYS && !status; i++)
        if (shard->files[i])
            status = write_front(shard, (enum part)i, err);
    if (!status)
        status = write_description(shard, err);
    if (!status)
        status = remove_stale(shard, err);
    if (!status) {
        for (int i = 0; i < PARTS; i++) {
            if (shard->files[i])
                begun[n++] = shard->files[i];
            shard->files[i] = NULL;
        }
        status = mill__files_finish(begun, n, list, err);
    }
    mill__parts_abandon(shard);
    if (status) {
        free(list);
        return status;
    }
    *files = list;
    *nfiles = n;
    return MILL_OK;
}
