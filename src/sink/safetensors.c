/* SPDX-License-Identifier: Apache-2.0 */
/* Output as safetensors, for each shard NAME.safetensors with the tensors
 *
 *   image   rows first ("data" when they are no images)
 *   label   i64, -1 for a row without one; only if some row has one
 *   mask    u8, 1 for a good row, 0 for one replaced by zeros; with policy substitute
 *
 * and NAME.keys.txt, as --as npy writes it. The header is as long for every shard, padded with blanks, so
 * that it can be written last and rows begin at a multiple of 64. */
#include "base/error.h"
#include "sink/sink.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRONT_NBYTES = 1024 };

typedef struct tensors {
    mill_type type;
    bool substitute, labelled;
    size_t row_nbytes;
    uint64_t nrows;
    mill__file *file, *keys;
    mill__buffer labels, mask; /* they lie behind the rows */
    char *name;
} tensors;

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
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "--as safetensors needs tensors: begin the pipeline with decode");
    if (!config->fixed)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "--as safetensors needs tensors of one shape, but that of the pipeline's varies");
    if (!count_row_nbytes(&config->type))
        return mill_fail(err, MILL_USAGE, "pipeline", "--as safetensors needs tensors that have elements");
    return MILL_OK;
}

static void abandon(void *self)
{
    tensors *t = self;
    mill__file_abandon(t->file);
    mill__file_abandon(t->keys);
    mill__buffer_free(&t->labels);
    mill__buffer_free(&t->mask);
    free(t->name);
    free(t);
}

static mill_status begin_file(mill__file **file, const mill__sink_config *config, const char *name,
                              const char *suffix, mill_error *err)
{
    char *whole;
    if (asprintf(&whole, "%s.%s", name, suffix) < 0)
        return mill__no_memory(err, strlen(name), "the name of an output file");
    mill_status status = mill__file_create(file, config->folder, whole, err);
    free(whole);
    return status;
}

static mill_status begin(const mill__sink_config *config, const char *name, void **self, mill_error *err)
{
    tensors *t = calloc(1, sizeof *t);
    if (!t)
        return mill__no_memory(err, sizeof *t, "an output shard");
    t->type = config->type;
    t->row_nbytes = count_row_nbytes(&config->type);
    t->substitute = config->policy == MILL_POLICY_SUBSTITUTE;
    mill_status status = begin_file(&t->file, config, name, "safetensors", err);
    if (!status)
        status = mill__file_reserve(t->file, FRONT_NBYTES, err);
    if (!status)
        status = begin_file(&t->keys, config, name, "keys.txt", err);
    if (status)
        abandon(t);
    else
        *self = t;
    return status;
}

/* ---- rows ---- */

static mill_status write_zeros(mill__file *file, size_t nbytes, mill_error *err)
{
    static const char zeros[4096];
    mill_status status = MILL_OK;
    for (size_t n; nbytes && !status; nbytes -= n) {
        n = nbytes < sizeof zeros ? nbytes : sizeof zeros;
        status = mill__file_write(file, zeros, n, err);
    }
    return status;
}

static mill_status write_row(tensors *t, const mill__row *row, mill_error *err)
{
    uint8_t good = row->status == MILL_OK;
    if (!good && !t->substitute)
        return MILL_OK;
    if (good && !row->tensor)
        return mill_fail(err, MILL_INTERNAL, "internal", "a finished sample has no tensor");
    mill_status status = good ? mill__file_write(t->file, row->tensor, t->row_nbytes, err)
                              : write_zeros(t->file, t->row_nbytes, err);
    if (!status)
        status = mill__file_write_key(t->keys, row->key ? row->key : "", err);
    if (status)
        return status;
    if (mill__buffer_append(&t->labels, &row->label, sizeof row->label) ||
        (t->substitute && mill__buffer_append(&t->mask, &good, 1)))
        return mill__no_memory(err, t->labels.nbytes, "labels");
    t->labelled |= row->label != -1;
    t->nrows++;
    return MILL_OK;
}

static mill_status write_rows(void *self, const mill__row *rows, size_t n, mill_error *err)
{
    mill_status status = MILL_OK;
    for (size_t i = 0; i < n && !status; i++)
        status = write_row(self, &rows[i], err);
    return status;
}

/* ---- finish ---- */

/* One entry of the header; *end is where the tensor before it ended. */
static void put_tensor(mill__buffer *header, const char *name, const mill_type *type, uint64_t rows,
                       uint64_t nbytes, uint64_t *end)
{
    static const char *const dtypes[] = {
        [MILL_U8] = "U8",   [MILL_I8] = "I8",     [MILL_U16] = "U16", [MILL_I16] = "I16",
        [MILL_U32] = "U32", [MILL_I32] = "I32",   [MILL_U64] = "U64", [MILL_I64] = "I64",
        [MILL_F16] = "F16", [MILL_BF16] = "BF16", [MILL_F32] = "F32", [MILL_F64] = "F64"};
    mill__buffer_printf(header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%" PRIu64, *end ? "," : "", name,
                        dtypes[type->dtype], rows);
    for (int i = 0; i < type->rank; i++)
        mill__buffer_printf(header, ",%" PRId64, type->shape[i]);
    mill__buffer_printf(header, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", *end, *end + nbytes);
    *end += nbytes;
}

static mill_status write_front(tensors *t, mill_error *err)
{
    static const mill_type i64 = {.dtype = MILL_I64}, u8 = {.dtype = MILL_U8};
    bool is_image = t->type.layout == MILL_HWC || t->type.layout == MILL_CHW;
    mill__buffer header = {0};
    uint64_t end = 0;
    mill__buffer_append(&header, "\0\0\0\0\0\0\0\0{", 9); /* the length in front of the JSON, little-endian */
    put_tensor(&header, is_image ? "image" : "data", &t->type, t->nrows, t->nrows * t->row_nbytes, &end);
    if (t->labelled)
        put_tensor(&header, "label", &i64, t->nrows, t->labels.nbytes, &end);
    if (t->substitute && t->nrows)
        put_tensor(&header, "mask", &u8, t->nrows, t->mask.nbytes, &end);
    mill__buffer_append(&header, "}", 1);
    while (header.data && header.nbytes < FRONT_NBYTES && !mill__buffer_append(&header, " ", 1))
        ;
    mill_status status = header.data && header.nbytes == FRONT_NBYTES
                             ? MILL_OK
                             : mill__no_memory(err, FRONT_NBYTES, "the header of an output file");
    for (int i = 0; i < 8 && !status; i++)
        header.data[i] = (uint8_t)((uint64_t)(FRONT_NBYTES - 8) >> 8 * i);
    if (!status)
        status = mill__file_front(t->file, header.data, FRONT_NBYTES, err);
    mill__buffer_free(&header);
    return status;
}

static mill_status finish(void *self, mill__output_file **files, size_t *nfiles, mill_error *err)
{
    tensors *t = self;
    mill_status status = MILL_OK;
    mill__output_file *list = calloc(2, sizeof *list);
    if (!list)
        status = mill__no_memory(err, 2 * sizeof *list, "a list of files");
    if (!status && t->labelled)
        status = mill__file_write(t->file, t->labels.data, t->labels.nbytes, err);
    if (!status)
        status = mill__file_write(t->file, t->mask.data, t->mask.nbytes, err);
    if (!status)
        status = write_front(t, err);
    if (!status) {
        mill__file *const both[] = {t->file, t->keys};
        t->file = t->keys = NULL;
        status = mill__files_finish(both, 2, list, err);
    }
    abandon(t);
    if (status) {
        free(list);
        return status;
    }
    *files = list;
    *nfiles = 2;
    return MILL_OK;
}

static const char *const suffixes[] = {"safetensors", "keys.txt", NULL};

const mill__sink_ops mill__sink_safetensors = {
    .name = "safetensors",
    .summary = "one safetensors file a shard: tensors, labels, mask; keys",
    .suffixes = suffixes,
    .check = check,
    .begin = begin,
    .write = write_rows,
    .finish = finish,
    .abandon = abandon};
