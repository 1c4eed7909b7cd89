/* SPDX-License-Identifier: Apache-2.0 */
/* Output as NumPy files, for each shard NAME:
 *
 *   NAME.image.npy    the tensors, rows first ("data" instead of "image" when they are not images)
 *   NAME.label.npy    i64, -1 for a row without one; only if some row has one
 *   NAME.mask.npy     u8, 1 for a good row, 0 for one replaced by zeros; with policy substitute
 *   NAME.keys.txt     one key a line; control characters and backslashes written as \xNN
 *   NAME.json.jsonl   one document of the json field a line, null for a row without one; only if some row has
 * one
 *
 * Row i of each belongs to the same sample. Files that some shards have and others lack are begun at the
 * first row that needs them, with the fillers of the rows before it. */
#include "base/error.h"
#include "format/format.h"
#include "sink/sink.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum part { TENSOR, LABEL, MASK, KEYS, JSON, PARTS };

typedef struct npy_shard {
    mill_type type;
    bool substitute;
    size_t row_nbytes;
    int64_t nrows;
    mill__file *files[PARTS]; /* NULL: not begun */
    char *folder, *name;
} npy_shard;

static bool is_image(const mill_type *type)
{
    return type->layout == MILL_HWC || type->layout == MILL_CHW;
}

/* Bytes of one row, or 0 when they cannot be counted. */
static size_t count_row_nbytes(const mill_type *type)
{
    size_t nbytes = mill_dtype_nbytes(type->dtype);
    for (int i = 0; i < type->rank; i++)
        if (type->shape[i] < 0 || __builtin_mul_overflow(nbytes, (size_t)type->shape[i], &nbytes))
            return 0;
    return nbytes;
}

static mill_status check(const mill__sink_config *config, mill_error *err)
{
    if (!config->type.dtype || config->type.layout == MILL_ENCODED)
        return mill_fail(
            err, MILL_USAGE, "pipeline",
            "--as npy needs tensors: begin the pipeline with decode, or use --as tar to keep the files "
            "as they are");
    if (!config->fixed && is_image(&config->type))
        return mill_fail(
            err, MILL_USAGE, "pipeline",
            "--as npy needs images of one size: end the pipeline with center_crop or resize WxH");
    if (!config->fixed)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "--as npy needs tensors of one shape, but the pipeline gives shapes that vary");
    if (!count_row_nbytes(&config->type))
        return mill_fail(err, MILL_USAGE, "pipeline", "--as npy needs tensors that have elements");
    return MILL_OK;
}

/* ---- files ---- */

static char *part_name(const npy_shard *shard, enum part part)
{
    static const char *const names[PARTS] = {NULL, "label.npy", "mask.npy", "keys.txt", "json.jsonl"};
    const char *tensor = is_image(&shard->type) ? "image.npy" : "data.npy";
    char *name;
    return asprintf(&name, "%s.%s", shard->name, part == TENSOR ? tensor : names[part]) < 0 ? NULL : name;
}

static mill_status begin_part(npy_shard *shard, enum part part, mill_error *err)
{
    char *name = part_name(shard, part);
    if (!name)
        return mill__no_memory(err, strlen(shard->name), "the name of an output file");
    mill_status status = mill__file_create(&shard->files[part], shard->folder, name, err);
    free(name);
    return status || part >= KEYS ? status
                                  : mill__file_reserve(shard->files[part], MILL__NPY_HEADER_NBYTES, err);
}

/* Begin a part that all rows before this one lack. */
static mill_status begin_late(npy_shard *shard, enum part part, const void *filler, size_t nbytes,
                              mill_error *err)
{
    mill_status status = begin_part(shard, part, err);
    for (int64_t i = 0; i < shard->nrows && !status; i++)
        status = mill__file_write(shard->files[part], filler, nbytes, err);
    return status;
}

static void abandon(void *self)
{
    npy_shard *shard = self;
    for (int i = 0; i < PARTS; i++)
        mill__file_abandon(shard->files[i]);
    free(shard->folder);
    free(shard->name);
    free(shard);
}

static mill_status begin(const mill__sink_config *config, const char *name, void **self, mill_error *err)
{
    npy_shard *shard = calloc(1, sizeof *shard);
    if (!shard)
        return mill__no_memory(err, sizeof *shard, "an output shard");
    shard->type = config->type;
    shard->row_nbytes = count_row_nbytes(&config->type);
    shard->substitute = config->policy == MILL_POLICY_SUBSTITUTE;
    shard->folder = strdup(config->folder);
    shard->name = strdup(name);
    if (!shard->folder || !shard->name) {
        abandon(shard);
        return mill__no_memory(err, strlen(name), "an output shard");
    }
    mill_status status = begin_part(shard, TENSOR, err);
    if (!status)
        status = begin_part(shard, KEYS, err);
    if (!status && shard->substitute)
        status = begin_part(shard, MASK, err);
    if (status)
        abandon(shard);
    else
        *self = shard;
    return status;
}

/* ---- rows ---- */

static mill_status write_zeros(mill__file *file, size_t nbytes, mill_error *err)
{
    static const char zeros[4096];
    mill_status status = MILL_OK;
    while (nbytes && !status) {
        size_t n = nbytes < sizeof zeros ? nbytes : sizeof zeros;
        status = mill__file_write(file, zeros, n, err);
        nbytes -= n;
    }
    return status;
}

static mill_status write_label(npy_shard *shard, int64_t label, mill_error *err)
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
static mill_status write_json(npy_shard *shard, const mill__row *row, mill_error *err)
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
static mill_status write_rest(npy_shard *shard, const mill__row *row, mill_error *err)
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

static mill_status write_rows(void *self, const mill__row *rows, size_t n, mill_error *err)
{
    npy_shard *shard = self;
    mill_status status = MILL_OK;
    for (size_t i = 0; i < n && !status;) {
        /* Rows whose tensors lie on end in memory go out in one piece. */
        size_t together = 0;
        while (i + together < n && rows[i + together].status == MILL_OK && rows[i + together].tensor &&
               (const char *)rows[i + together].tensor ==
                   (const char *)rows[i].tensor + together * shard->row_nbytes)
            together++;
        if (together) {
            status =
                mill__file_write(shard->files[TENSOR], rows[i].tensor, together * shard->row_nbytes, err);
            for (size_t k = i; k < i + together && !status; k++)
                status = write_rest(shard, &rows[k], err);
            i += together;
            continue;
        }
        const mill__row *row = &rows[i++];
        if (row->status == MILL_OK)
            return mill_fail(err, MILL_INTERNAL, "internal", "a finished sample has no tensor");
        if (!shard->substitute)
            continue;
        status = write_zeros(shard->files[TENSOR], shard->row_nbytes, err);
        if (!status)
            status = write_rest(shard, row, err);
    }
    return status;
}

/* ---- finish ---- */

static mill_status write_header(npy_shard *shard, enum part part, mill_error *err)
{
    const mill_type types[] = {shard->type, {.dtype = MILL_I64}, {.dtype = MILL_U8}};
    char header[MILL__NPY_HEADER_NBYTES];
    mill_status status = mill__npy_header(header, &types[part], shard->nrows, err);
    return status ? status : mill__file_front(shard->files[part], header, sizeof header, err);
}

/* A file that this shard does not have any more, its source having changed, must not stay beside the new
 * ones. */
static mill_status remove_stale(const npy_shard *shard, mill_error *err)
{
    for (int i = 0; i < PARTS; i++) {
        if (shard->files[i])
            continue;
        char *name = part_name(shard, (enum part)i);
        mill_status status = name ? mill__file_remove(shard->folder, name, err)
                                  : mill__no_memory(err, strlen(shard->name), "the name of a file");
        free(name);
        if (status)
            return status;
    }
    return MILL_OK;
}

static mill_status finish(void *self, mill__output_file **files, size_t *nfiles, mill_error *err)
{
    npy_shard *shard = self;
    mill_status status = MILL_OK;
    mill__file *begun[PARTS];
    size_t n = 0;
    mill__output_file *list = calloc(PARTS, sizeof *list);
    if (!list)
        status = mill__no_memory(err, PARTS * sizeof *list, "a list of files");
    for (int i = 0; i < KEYS && !status; i++)
        if (shard->files[i])
            status = write_header(shard, (enum part)i, err);
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
    abandon(shard);
    if (status) {
        free(list);
        return status;
    }
    *files = list;
    *nfiles = n;
    return MILL_OK;
}

static const char *const suffixes[] = {"image.npy", "data.npy",   "label.npy", "mask.npy",
                                       "keys.txt",  "json.jsonl", NULL};

const mill__sink_ops mill__sink_npy = {.name = "npy",
                                       .summary = "NumPy files: tensors, labels, keys, mask, one set a shard",
                                       .suffixes = suffixes,
                                       .carries_json = true,
                                       .check = check,
                                       .begin = begin,
                                       .write = write_rows,
                                       .finish = finish,
                                       .abandon = abandon};
