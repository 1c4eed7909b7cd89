/* SPDX-License-Identifier: Apache-2.0 */
/* bench/memory.c: the most memory that a run has resident, over its budget.
 *
 *   memory [MiB [SPEC PIPELINE]]   without SPEC: 2 GB of float-like tensors that exist in no file
 *
 * Prints "peak KiB ..." lines; the whole process counts: code, libraries, stacks and what malloc keeps. */
#include "../tests/fake.h"
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static long peak_kib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

/* Cheaper than fake_read(), which makes every number on its own. */
static mill_status fill(void *handle, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err)
{
    size_t header = offset < FAKE_HEADER ? (size_t)(FAKE_HEADER - offset) : 0;
    header = header < n ? header : n;
    *got = 0;
    if (header && fake_read(handle, offset, data, header, got, err))
        return MILL_IO;
    memset((char *)data + header, 1, n - header);
    *got = n;
    return MILL_OK;
}

int main(int argc, char **argv)
{
    enum { SHARDS = 40, ROWS = 17000, ELEMENTS = 768 }; /* 40 x 52 MB */
    uint64_t budget = (argc > 1 ? strtoull(argv[1], NULL, 10) : 64) << 20;
    char out[] = "/tmp/shardmill-memory-XXXXXX", manifest[64], spec[32];
    fake source = {.rows = ROWS, .elements = ELEMENTS, .fail_open = -1, .fail_read = -1, .shrink = -1};
    mill_source_ops filling = fake_source;
    mill_error err;
    mill_stats stats;
    mill_options o = mill_options_default();
    filling.read = fill;
    snprintf(spec, sizeof spec, "fake-{00..%02d}", SHARDS - 1);
    o.sink = "null";
    o.memory_nbytes = budget;
    o.policy = MILL_POLICY_SKIP;
    if (argc < 4) {
        o.source = &filling;
        o.source_user = &source;
        o.format = "npy";
    }
    mill_pipeline *p = mill_pipeline_new();
    mill_status status = mill_pipeline_parse(p, argc > 3 ? argv[3] : "cast f32 | add 1 | mul 0.5", &err);
    if (!status && !mkdtemp(out))
        return 1;
    if (!status)
        status = mill_run(argc > 3 ? argv[2] : spec, p, out, &o, &stats, &err);
    snprintf(manifest, sizeof manifest, "%s/manifest.json", out);
    unlink(manifest);
    rmdir(out);
    mill_pipeline_free(p);
    if (status) {
        fprintf(stderr, "bench memory: %s\n", err.message);
        return 1;
    }
    printf("%llu MiB in %.1f s, budget %llu MiB, accounted %.1f MiB, peak resident %.1f MiB, ratio %.3f\n",
           (unsigned long long)(stats.bytes_in >> 20), (double)stats.elapsed_ns * 1e-9,
           (unsigned long long)(budget >> 20), (double)stats.peak_nbytes / 1048576, (double)peak_kib() / 1024,
           (double)peak_kib() * 1024 / (double)budget);
    return 0;
}
