/* SPDX-License-Identifier: Apache-2.0 */
/* The sink that keeps nothing: to measure a pipeline, or to only check a data set. */
#include "sink/sink.h"

static mill_status check(const mill__sink_config *config, mill_error *err)
{
    (void)config, (void)err;
    return MILL_OK;
}

static mill_status begin(const mill__sink_config *config, const char *name, void **shard, mill_error *err)
{
    static char nothing;
    (void)config, (void)name, (void)err;
    *shard = &nothing;
    return MILL_OK;
}

static mill_status write_rows(void *shard, const mill__row *rows, size_t n, mill_error *err)
{
    (void)shard, (void)rows, (void)n, (void)err;
    return MILL_OK;
}

static mill_status finish(void *shard, mill__output_file **files, size_t *nfiles, mill_error *err)
{
    (void)shard, (void)err;
    *files = NULL;
    *nfiles = 0;
    return MILL_OK;
}

static void abandon(void *shard)
{
    (void)shard;
}

const mill__sink_ops mill__sink_null = {.name = "null",
                                        .summary = "keeps nothing: to measure a pipeline or check a data set",
                                        .check = check,
                                        .begin = begin,
                                        .write = write_rows,
                                        .finish = finish,
                                        .abandon = abandon};
