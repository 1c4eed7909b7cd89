/* SPDX-License-Identifier: Apache-2.0 */
/* bench/whiten.c: whitening .npy shards of 200,000 x 256 floats, from the page cache to nowhere, beside a
 * bare loop: the same floats in memory, cblas_sgemm with one thread on blocks of 1024 rows, on as many OpenMP
 * threads, and the mean not even subtracted. whiten make FOLDER      the shards and a model, matrix and mean
 * of no meaning whiten measure FOLDER   the two taking turns; THREADS in the environment, else 2 */
#include "blas.h"
#include "format/format.h"
#include "measure.h"
#include <unistd.h>

enum { SHARDS = 4, SHARD_ROWS = 50000, D = 256, ROWS = SHARDS * SHARD_ROWS, BLOCK = 1024, ROUNDS = 11 };

static float *numbers(size_t n, uint64_t state)
{
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; x && i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)((double)(state >> 32) / 0x1p31 - 1);
    }
    return x;
}

static int make_shard(const char *folder, int shard, const float *x)
{
    char name[4096], header[MILL__NPY_HEADER_NBYTES];
    const mill_type type = {.dtype = MILL_F32, .rank = 1, .shape = {D}};
    snprintf(name, sizeof name, "%s/x-%d.npy", folder, shard);
    FILE *f = fopen(name, "wb");
    if (!f || mill__npy_header(header, &type, SHARD_ROWS, NULL))
        return 1;
    size_t n = (size_t)SHARD_ROWS * D;
    bool good =
        fwrite(header, sizeof header, 1, f) == 1 && fwrite(x + (size_t)shard * n, sizeof *x, n, f) == n;
    return fclose(f) || !good;
}

static void put_list(FILE *f, const char *name, const float *list, size_t n)
{
    fprintf(f, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s%.17g", i ? "," : "", (double)list[i] * 0.1234567890123);
    fprintf(f, "]");
}

static int make(const char *folder, const float *x)
{
    char name[4096];
    int failed = 0;
    for (int i = 0; i < SHARDS; i++)
        failed |= make_shard(folder, i, x);
    snprintf(name, sizeof name, "%s/model.json", folder);
    FILE *f = fopen(name, "w");
    float *m = numbers((size_t)(D + 1) * D, 7);
    if (!f || !m)
        return 1;
    fprintf(f, "{\"model\":\"whiten\",\"method\":\"zca\",\"features\":%d,\"components\":%d", D, D);
    put_list(f, "mean", m, D);
    put_list(f, "matrix", m + D, (size_t)D * D);
    fprintf(f, "}\n");
    free(m);
    return fclose(f) || failed;
}

static double bare(const blas *b, const float *x, const float *w, int threads)
{
    double begin = now_s();
#pragma omp parallel num_threads(threads)
    {
        float *y = malloc(sizeof *y * BLOCK * D);
#pragma omp for schedule(static)
        for (int i = 0; i < ROWS; i += BLOCK) {
            int n = ROWS - i < BLOCK ? ROWS - i : BLOCK;
            b->sgemm(BLAS_ROWS, BLAS_PLAIN, BLAS_TURNED, n, D, D, 1, x + (size_t)i * D, D, w, D, 0, y, D);
        }
        free(y);
    }
    return now_s() - begin;
}

static double mill(const mill_pipeline *p, const char *folder, int threads)
{
    char spec[4096], out[4096], manifest[4200];
    mill_options options = mill_options_default();
    mill_stats stats;
    mill_error err;
    options.threads = threads;
    options.sink = "null";
    snprintf(spec, sizeof spec, "%s/x-{0..%d}.npy", folder, SHARDS - 1);
    snprintf(out, sizeof out, "%s/out", folder);
    snprintf(manifest, sizeof manifest, "%s/manifest.json", out);
    unlink(manifest); /* or it would keep what is done */
    double begin = now_s();
    must(mill_run(spec, p, out, &options, &stats, &err), &err);
    double seconds = now_s() - begin;
    if (stats.written != ROWS)
        exit(1);
    return seconds;
}

static void report(const char *name, const char *what, int threads, double *wall, double *cpu)
{
    double flops = 2e-9 * ROWS * D * D, seconds = median(wall, ROUNDS);
    printf("%-15s %6.3f s  %6.1f GFLOP/s  %d threads, %.3f s of CPU time, %s\n", name, seconds,
           flops / seconds, threads, median(cpu, ROUNDS), what);
}

static int measure(const char *folder, const float *x)
{
    const char *asked = getenv("THREADS");
    int threads = asked ? atoi(asked) : 2;
    double wall[2][ROUNDS], cpu[2][ROUNDS], ratios[ROUNDS];
    char text[4200];
    blas b = {0};
    float *w = numbers((size_t)D * D, 7);
    if (!w)
        return 1;
    if (!blas_open(&b)) {
        printf("skip: there is no %s\n", b.file);
        return 77;
    }
    if (b.threads)
        b.threads(1);
    snprintf(text, sizeof text, "whiten %s/model.json", folder);
    mill_pipeline *p = pipeline_of(text);
    for (int r = -1; r < ROUNDS; r++) {
        double start = cpu_s(), bare_wall = bare(&b, x, w, threads), between = cpu_s();
        double mill_wall = mill(p, folder, threads), end = cpu_s();
        if (r < 0) /* warm up */
            continue;
        wall[0][r] = bare_wall;
        wall[1][r] = mill_wall;
        cpu[0][r] = between - start;
        cpu[1][r] = end - between;
        ratios[r] = bare_wall / mill_wall;
    }
    report("shardmill", "from .npy shards in the page cache", threads, wall[1], cpu[1]);
    report("bare loop", "cblas_sgemm on blocks in memory, no mean", threads, wall[0], cpu[0]);
    printf("whiten ratio=%.3f target=0.80\n", median(ratios, ROUNDS));
    mill_pipeline_free(p);
    free(w);
    return 0;
}

int main(int argc, char **argv)
{
    float *x = argc == 3 ? numbers((size_t)ROWS * D, 42) : NULL;
    if (!x)
        return 2;
    int status = strcmp(argv[1], "make") ? measure(argv[2], x) : make(argv[2], x);
    free(x);
    return status;
}
