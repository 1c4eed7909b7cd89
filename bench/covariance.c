/* SPDX-License-Identifier: Apache-2.0 */
/* bench/covariance.c: `shardmill stats --covariance` over .npy shards of 1,000,000 x 256 f32 in the page
 * cache, the whole command with its JSON file, against a bare loop of ssyrk over the same numbers in memory,
 * in blocks of 1024 rows: each of two OpenMP threads adds its share of the blocks to a matrix of its own,
 * BLAS having one thread. The loop is given its memory for nothing, takes no mean from anything and sums in
 * f32. The two take turns; the ratio is that of the medians of wall time. What the command wrote is compared
 * with sums in long double of some pairs of features.
 *
 *   covariance make FOLDER                 the shards, unless they are there
 *   covariance ROUNDS COMMAND FOLDER OUT   OUT: the command's JSON file */
#include "blas.h"
#include <math.h>
#include <omp.h>
#include <shardmill/shardmill.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SHARDS = 8, SHARD_ROWS = 125000, ROWS = SHARDS * SHARD_ROWS, WIDTH = 256, BLOCK = 1024 };
enum { HEAD = 128, THREADS = 2, ROUNDS_MOST = 99, PAIRS = 48 };
#define SHARD_NBYTES ((size_t)SHARD_ROWS * WIDTH * sizeof(float))

extern char **environ;

/* ---- the shards ---- */

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* About normal: four uniform numbers. */
static float normal(uint64_t *state)
{
    uint64_t x = draw(state);
    uint32_t sum = (x & 0xffff) + (x >> 16 & 0xffff) + (x >> 32 & 0xffff) + (x >> 48);
    return ((float)sum - 131070.0f) / 37837.0f;
}

/* Features with means and deviations of their own, and something that all have a part of. */
static void fill(float *rows, uint64_t seed)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < SHARD_ROWS; i++) {
        float common = normal(&state);
        for (size_t k = 0; k < WIDTH; k++)
            rows[i * WIDTH + k] = (float)k / 16 - 5 + (1 + (float)(k % 7)) * (normal(&state) + common / 4);
    }
}

static void name_shard(char *path, size_t nbytes, const char *folder, int shard)
{
    snprintf(path, nbytes, "%s/shard-%d.npy", folder, shard);
}

static int write_shard(const char *path, const float *rows)
{
    char head[HEAD], text[HEAD];
    int n = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }",
                     SHARD_ROWS, WIDTH);
    memset(head, ' ', sizeof head);
    memcpy(head, "\x93NUMPY\1\0v\0", 10); /* v: so many bytes follow */
    memcpy(head + 10, text, (size_t)n);
    head[HEAD - 1] = '\n';
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(head, HEAD, 1, file) == 1 && fwrite(rows, SHARD_NBYTES, 1, file) == 1;
    return file && !fclose(file) && good ? 0 : 1;
}

static int make(const char *folder)
{
    float *rows = malloc(SHARD_NBYTES);
    int failed = !rows;
    mkdir(folder, 0777);
    for (int s = 0; s < SHARDS && !failed; s++) {
        char path[4096];
        struct stat is;
        name_shard(path, sizeof path, folder, s);
        if (!stat(path, &is) && (size_t)is.st_size == HEAD + SHARD_NBYTES)
            continue;
        fill(rows, (uint64_t)s + 1);
        failed = write_shard(path, rows);
    }
    free(rows);
    return failed;
}

/* Also brings them into the page cache. */
static float *read_all(const char *folder)
{
    float *rows = aligned_alloc(4096, (size_t)ROWS * WIDTH * sizeof *rows);
    for (int s = 0; s < SHARDS && rows; s++) {
        char path[4096], head[HEAD];
        name_shard(path, sizeof path, folder, s);
        FILE *file = fopen(path, "rb");
        bool good = file && fread(head, HEAD, 1, file) == 1 &&
                    fread(rows + (size_t)s * SHARD_ROWS * WIDTH, SHARD_NBYTES, 1, file) == 1;
        if (file)
            fclose(file);
        if (!good)
            return NULL;
    }
    return rows;
}

/* ---- the two ---- */

typedef struct times {
    double wall, cpu;
} times;

static double clock_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static times run_loop(const blas *b, const float *rows)
{
    static float sums[THREADS][WIDTH * WIDTH];
    double begin = clock_seconds(CLOCK_MONOTONIC), cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    memset(sums, 0, sizeof sums);
#pragma omp parallel for num_threads(THREADS) schedule(dynamic, 4)
    for (int i = 0; i < ROWS; i += BLOCK)
        b->ssyrk(BLAS_ROWS, BLAS_UPPER, BLAS_TURNED, WIDTH, ROWS - i < BLOCK ? ROWS - i : BLOCK, 1.0f,
                 rows + (size_t)i * WIDTH, WIDTH, 1.0f, sums[omp_get_thread_num()], WIDTH);
    return (times){clock_seconds(CLOCK_MONOTONIC) - begin, clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu};
}

static double children_seconds(void)
{
    struct rusage r;
    getrusage(RUSAGE_CHILDREN, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           1e-6 * (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static times run_command(const char *command, const char *folder, const char *out)
{
    char spec[4096];
    name_shard(spec, sizeof spec, folder, 0);
    strcpy(strrchr(spec, '0'), "*.npy");
    char *const words[] = {
        (char *)(uintptr_t)command, "stats", spec, "--covariance", "--threads", "2", "--quiet", "--out",
        (char *)(uintptr_t)out,     NULL};
    double begin = clock_seconds(CLOCK_MONOTONIC), cpu = children_seconds();
    pid_t child;
    int status = -1;
    if (posix_spawn(&child, command, NULL, NULL, words, environ) || waitpid(child, &status, 0) != child ||
        status)
        return (times){-1, -1};
    return (times){clock_seconds(CLOCK_MONOTONIC) - begin, children_seconds() - cpu};
}

/* ---- is it right? ---- */

static double covariance_of(const float *rows, size_t i, size_t k)
{
    long double a = 0, b = 0, sum = 0;
    for (size_t r = 0; r < ROWS; r++) {
        a += (long double)rows[r * WIDTH + i];
        b += (long double)rows[r * WIDTH + k];
    }
    a /= ROWS;
    b /= ROWS;
    for (size_t r = 0; r < ROWS; r++)
        sum += ((long double)rows[r * WIDTH + i] - a) * ((long double)rows[r * WIDTH + k] - b);
    return (double)(sum / (ROWS - 1));
}

/* The largest error, deviations being 1; or -1. */
static double worst_error(const float *rows, const char *out)
{
    mill_statistics *s;
    mill_statistics_view v;
    uint64_t state = 3;
    double worst = 0;
    if (mill_statistics_read(&s, out, NULL))
        return -1;
    mill_statistics_look(s, &v);
    if (v.features != WIDTH || v.samples != ROWS || !v.covariance)
        return -1;
    for (int p = 0; p < PAIRS; p++) {
        size_t i = draw(&state) % WIDTH, k = p % 4 ? draw(&state) % WIDTH : i;
        double error = (v.covariance[i * WIDTH + k] - covariance_of(rows, i, k)) / (v.std[i] * v.std[k]);
        worst = fabs(error) > worst || isnan(error) ? fabs(error) : worst;
    }
    mill_statistics_free(s);
    return worst;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *list, int n)
{
    qsort(list, (size_t)n, sizeof *list, by_value);
    return n % 2 ? list[n / 2] : (list[n / 2 - 1] + list[n / 2]) / 2;
}

int main(int argc, char **argv)
{
    static double wall[2][ROUNDS_MOST], cpu[2][ROUNDS_MOST];
    if (argc == 3 && !strcmp(argv[1], "make"))
        return make(argv[2]);
    int rounds = argc == 5 ? atoi(argv[1]) : 0;
    if (rounds < 1 || rounds > ROUNDS_MOST)
        return 2;
    blas b;
    if (!blas_open(&b)) {
        printf("no BLAS to compare with: %s\n", b.file);
        return 1;
    }
    if (b.threads)
        b.threads(1);
    float *rows = read_all(argv[3]);
    if (!rows)
        return 1;
    run_loop(&b, rows); /* once each to warm up */
    run_command(argv[2], argv[3], argv[4]);
    for (int r = 0; r < rounds; r++) {
        const times loop = run_loop(&b, rows), mill = run_command(argv[2], argv[3], argv[4]);
        if (mill.wall < 0)
            return 1;
        wall[0][r] = loop.wall;
        wall[1][r] = mill.wall;
        cpu[0][r] = loop.cpu;
        cpu[1][r] = mill.cpu;
    }
    double error = worst_error(rows, argv[4]);
    double loop = median(wall[0], rounds), mill = median(wall[1], rounds);
    double loop_cpu = median(cpu[0], rounds), mill_cpu = median(cpu[1], rounds);
    printf("%d x %d f32, %d threads, medians of %d alternating rounds; BLAS: %s\n", ROWS, WIDTH, THREADS,
           rounds, b.config);
    printf("ssyrk loop over blocks in memory     %.3f s, CPU time %.3f s\n", loop, loop_cpu);
    printf("shardmill stats --covariance --out   %.3f s, CPU time %.3f s; ratio by CPU time %.3f\n", mill,
           mill_cpu, loop_cpu / mill_cpu);
    printf("largest error of %d covariances, in products of deviations: %.1e\n", PAIRS, error);
    free(rows);
    if (!(error >= 0 && error < 1e-6))
        return 1;
    printf("covariance ratio=%.3f target=0.80\n", loop / mill);
    return 0;
}
