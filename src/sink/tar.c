/* SPDX-License-Identifier: Apache-2.0 */
/* Output as WebDataset shards: NAME.tar, in which the fields of each good sample lie as members KEY.FIELD,
 * one sample after another. Equal input gives equal bytes. */
#include "base/error.h"
#include "format/format.h"
#include "sink/sink.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BLOCK = 512 };

typedef struct tar_shard {
    mill__file *file;
    mill__buffer scratch;
    char *key;      /* of the sample at hand, safe to unpack */
    char *last_key; /* of the one before, not yet told apart */
} tar_shard;

static mill_status check(const mill__sink_config *config, mill_error *err)
{
    const mill_type *type = &config->type;
    if (config->policy == MILL_POLICY_SUBSTITUTE)
        return mill_fail(
            err, MILL_USAGE, "policy",
            "--as tar cannot mark substituted samples: use --on-error skip or fail, or --as npy");
    if (!type->dtype || type->layout == MILL_ENCODED)
        return MILL_OK;
    if (type->dtype == MILL_U8 && type->layout == MILL_HWC && type->rank == 3 &&
        (type->shape[2] == 1 || type->shape[2] == 3))
        return MILL_OK;
    return mill_fail(
        err, MILL_USAGE, "pipeline",
        "--as tar stores images as JPEG, from u8 in layout hwc with 1 or 3 channels, but the pipeline "
        "gives %s %s: leave out normalize, cast and layout, or use --as npy",
        mill_dtype_name(type->dtype),
        type->layout == MILL_HWC   ? "images in layout hwc"
        : type->layout == MILL_CHW ? "images in layout chw"
                                   : "tensors");
}

static void abandon(void *self)
{
    tar_shard *shard = self;
    mill__file_abandon(shard->file);
    mill__buffer_free(&shard->scratch);
    free(shard->key);
    free(shard->last_key);
    free(shard);
}

static mill_status begin(const mill__sink_config *config, const char *name, void **self, mill_error *err)
{
    char *file_name;
    tar_shard *shard = calloc(1, sizeof *shard);
    if (!shard || asprintf(&file_name, "%s.tar", name) < 0) {
        free(shard);
        return mill__no_memory(err, strlen(name), "an output shard");
    }
    mill_status status = mill__file_create(&shard->file, config->folder, file_name, err);
    free(file_name);
    if (status)
        abandon(shard);
    else
        *self = shard;
    return status;
}

/* ---- names ---- */

/* Make a key safe to unpack anywhere, and such that a reader finds it again: no control characters, not
 * absolute, no
 * "..", and no dot in its base name, where the first one ends a key. Each bad character becomes '_'. */
static void make_safe(char *key)
{
    for (char *c = key; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '\\')
            *c = '_';
    if (*key == '/')
        *key = '_';
    char *part = key;
    for (char *slash; (slash = strchr(part, '/')); part = slash + 1)
        if (slash - part == 2 && part[0] == '.' && part[1] == '.')
            part[0] = part[1] = '_';
    for (; *part; part++)
        if (*part == '.')
            *part = '_';
}

/* The key of row, safe and unlike the one before: two neighbours with one key would be read as one sample. */
static mill_status set_key(tar_shard *shard, const mill__row *row, mill_error *err)
{
    char *safe = strdup(row->key && *row->key ? row->key : "_");
    free(shard->key);
    shard->key = NULL;
    if (safe)
        make_safe(safe);
    if (safe && shard->last_key && !strcmp(safe, shard->last_key)) {
        if (asprintf(&shard->key, "%s_%" PRId64, safe, row->sample) < 0)
            shard->key = NULL;
    } else if (safe) {
        shard->key = strdup(safe);
    }
    free(shard->last_key);
    shard->last_key = safe;
    return shard->key ? MILL_OK : mill__no_memory(err, MILL__MAX_KEY, "the key of a sample");
}

/* ---- members ---- */

static mill_status write_padding(mill__file *file, uint64_t nbytes, mill_error *err)
{
    static const char zeros[2 * BLOCK];
    return mill__file_write(file, zeros, (BLOCK - nbytes % BLOCK) % BLOCK, err);
}

static mill_status write_member(tar_shard *shard, const char *field, const void *data, size_t nbytes,
                                mill_error *err)
{
    char safe[sizeof((mill__carried *)0)->name + 1];
    snprintf(safe, sizeof safe, "%s", field);
    for (char *c = safe; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '/' || *c == '\\')
            *c = '_';
    char *name;
    if (asprintf(&name, "%s.%s", shard->key, safe) < 0)
        return mill__no_memory(err, MILL__MAX_KEY, "the name of a member");
    shard->scratch.nbytes = 0;
    int failed = mill__tar_header(&shard->scratch, name, nbytes);
    mill_status status = failed ? mill__no_memory(err, strlen(name), "a tar header") : MILL_OK;
    free(name);
    if (!status)
        status = mill__file_write(shard->file, shard->scratch.data, shard->scratch.nbytes, err);
    if (!status)
        status = mill__file_write(shard->file, data, nbytes, err);
    return status ? status : write_padding(shard->file, nbytes, err);
}

static bool has_class(const mill__row *row)
{
    for (int i = 0; i < row->ncarried; i++)
        if (!strcasecmp(row->carried[i].name, "cls"))
            return true;
    return false;
}

/* A class that comes from elsewhere than a field, such as the name of a folder, becomes one. */
static mill_status write_class(tar_shard *shard, const mill__row *row, mill_error *err)
{
    if (row->label < 0 || has_class(row))
        return MILL_OK;
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRId64, row->label);
    return write_member(shard, "cls", text, (size_t)n, err);
}

static mill_status write_rows(void *self, const mill__row *rows, size_t n, mill_error *err)
{
    tar_shard *shard = self;
    mill_status status = MILL_OK;
    for (size_t i = 0; i < n && !status; i++) {
        const mill__row *row = &rows[i];
        if (row->status != MILL_OK)
            continue;
        if (!row->ncarried)
            return mill_fail(err, MILL_INTERNAL, "internal", "sample \"%s\" has no field to write", row->key);
        status = set_key(shard, row, err);
        for (int k = 0; k < row->ncarried && !status; k++) {
            const mill__carried *field = &row->carried[k];
            const void *data = field->nbytes ? row->blob.data + field->offset : NULL;
            status = write_member(shard, field->name, data, field->nbytes, err);
        }
        if (!status)
            status = write_class(shard, row, err);
    }
    return status;
}

static mill_status finish(void *self, mill__output_file **files, size_t *nfiles, mill_error *err)
{
    static const char end[2 * BLOCK];
    tar_shard *shard = self;
    mill__output_file *list = calloc(1, sizeof *list);
    mill_status status = list ? mill__file_write(shard->file, end, sizeof end, err)
                              : mill__no_memory(err, sizeof *list, "a list of files");
    if (!status) {
        mill__file *file = shard->file;
        shard->file = NULL;
        status = mill__file_finish(file, list, err);
    }
    abandon(shard);
    if (status) {
        free(list);
        return status;
    }
    *files = list;
    *nfiles = 1;
    return MILL_OK;
}

static const char *const suffixes[] = {"tar", NULL};

const mill__sink_ops mill__sink_tar = {.name = "tar",
                                       .summary =
                                           "WebDataset shards: images as JPEG, other fields as they are",
                                       .suffixes = suffixes,
                                       .check = check,
                                       .wants_encoded = true,
                                       .begin = begin,
                                       .write = write_rows,
                                       .finish = finish,
                                       .abandon = abandon};
