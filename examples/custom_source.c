/* SPDX-License-Identifier: Apache-2.0 */
/* A source of your own: shards that come from somewhere else than files. Here from memory: two .npy shards
 * made on the spot. open, read and close are called on I/O threads and may block; a network client would look
 * just like this. custom_source OUT */
#include <shardmill/shardmill.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 128, ROWS = 1000, COLUMNS = 16, NBYTES = HEADER + ROWS * COLUMNS * 4 };

static mill_status open_shard(void *user, const char *locator, void **handle, mill_shard_info *info,
                              mill_error *err)
{
    (void)user;
    char *bytes = calloc(1, NBYTES);
    if (!bytes)
        return mill_fail(err, MILL_NO_MEMORY, "memory", "out of memory for %s", locator);
    memcpy(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    memset(bytes + 10, ' ', HEADER - 11);
    bytes[HEADER - 1] = '\n';
    const char dict[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000, 16), }";
    memcpy(bytes + 10, dict, sizeof dict - 1);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        float x = (float)i / COLUMNS;
        memcpy(bytes + HEADER + 4 * i, &x, 4);
    }
    *handle = bytes;
    *info = (mill_shard_info){.nbytes = NBYTES};
    return MILL_OK;
}

static mill_status read_shard(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                              mill_error *err)
{
    (void)err;
    *got = offset >= NBYTES ? 0 : n < NBYTES - offset ? n : (size_t)(NBYTES - offset);
    memcpy(data, (char *)handle + offset, *got);
    return MILL_OK;
}

static void close_shard(void *handle)
{
    free(handle);
}

static const mill_source_ops memory = {.struct_nbytes = sizeof(mill_source_ops),
                                       .name = "memory",
                                       .summary = "arrays made on the spot",
                                       .open = open_shard,
                                       .read = read_shard,
                                       .close = close_shard};

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: custom_source OUT\n");
        return 2;
    }
    mill_error err;
    mill_stats stats;
    mill_options options = mill_options_default();
    options.source = &memory;
    options.format = "npy"; /* the locators below have no extension to tell it */
    mill_pipeline *p = mill_pipeline_new();
    mill_status status = mill_pipeline_parse(p, "standardize mean=500 std=250 | sin", &err);
    if (!status)
        status = mill_run("array-{0..1}", p, argv[1], &options, &stats, &err);
    if (status)
        fprintf(stderr, "custom_source: %s: %s\n", err.shard, err.message);
    else
        printf("%lld rows written to %s\n", (long long)stats.written, argv[1]);
    mill_pipeline_free(p);
    return status ? 1 : 0;
}
