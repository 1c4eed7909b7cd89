/* SPDX-License-Identifier: Apache-2.0 */
/* A source of your own: shards that come from somewhere else than files.
 *
 *   custom_source [OUT]
 *
 * Here they are .npy arrays made on the spot, with a delay before every read as a network has one. open, read
 * and close run on I/O threads, where they may block: no compute thread ever waits in them, and several
 * shards are read ahead. A client of an object store would look just like this, with a GET of a byte range in
 * read(). */
#include <shardmill/shardmill.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    DELAY_MS = 50,
    SHARDS = 16,
    ROWS = 1000,
    COLUMNS = 16,
    HEADER = 128,
    NBYTES = HEADER + ROWS * COLUMNS * 4
};

static const struct timespec delay = {.tv_nsec = DELAY_MS * 1000000L};

/* The locator is what the caller's spec says, with its braces expanded: "array-0", "array-1", ... What open()
 * finds out about the shard goes into info, what read() needs into the handle. */
static mill_status open_shard(void *user, const char *locator, void **handle, mill_shard_info *info,
                              mill_error *err)
{
    (void)user; /* options.source_user: a client, a cache, credentials, ... */
    char *bytes = calloc(1, NBYTES);
    if (!bytes)
        return mill_fail(err, MILL_NO_MEMORY, "memory", "out of memory for %s", locator);
    static const char dict[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000, 16), }";
    memcpy(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    memset(bytes + 10, ' ', HEADER - 11);
    bytes[HEADER - 1] = '\n';
    memcpy(bytes + 10, dict, sizeof dict - 1);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        float x = (float)i / COLUMNS;
        memcpy(bytes + HEADER + 4 * i, &x, 4);
    }
    *handle = bytes;
    *info = (mill_shard_info){.nbytes = NBYTES};
    return MILL_OK;
}

/* Up to n bytes from offset on. Fewer only at the end of the shard: a client whose answers come in pieces
 * loops here. Several threads may be in here at once for one handle. */
static mill_status read_shard(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                              mill_error *err)
{
    if (nanosleep(&delay, NULL)) /* stands for the network */
        return mill_fail(err, MILL_IO, "io", "the connection was lost at byte %llu",
                         (unsigned long long)offset);
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
    const char *out = argc > 1 ? argv[1] : "arrays-out";
    mill_error err;
    mill_stats stats;
    mill_options options = mill_options_default();
    options.source = &memory;
    options.format = "npy"; /* the locators have no extension that would tell it */
    options.io_depth = SHARDS;
    char spec[32];
    snprintf(spec, sizeof spec, "array-{0..%d}", SHARDS - 1);
    mill_pipeline *p = mill_pipeline_new();
    mill_status status = mill_pipeline_parse(p, "standardize mean=500 std=250 | sin", &err);
    if (!status)
        status = mill_run(spec, p, out, &options, &stats, &err);
    if (status) {
        fprintf(stderr, "custom_source: %s: %s\n", err.shard, err.message);
    } else {
        printf("%lld rows of %lld shards written to %s\n", (long long)stats.written,
               (long long)stats.shards_done, out);
        if (stats.shards_kept)
            printf("%lld of the shards were there already: remove the folder to make them again\n",
                   (long long)stats.shards_kept);
        else
            printf("%d reads of %d ms each, one beside the other: the run took %.0f ms\n", SHARDS, DELAY_MS,
                   (double)stats.elapsed_ns / 1e6);
    }
    mill_pipeline_free(p);
    return status ? 1 : 0;
}
