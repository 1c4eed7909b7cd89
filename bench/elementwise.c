/* SPDX-License-Identifier: Apache-2.0 */
/* bench/elementwise.c: a pipeline of one element-wise transform over .npy shards in the page cache, to
 * batches.
 *
 *   elementwise make FOLDER               the shards
 *   elementwise load FOLDER PIPE EPOCHS   gigabytes a second that go in, the median of epochs but the first
 *   elementwise reads FOLDER sin|standardize ROUNDS
 *                                         the same with no loader: threads that read and call the kernel, and
 *                                         as much memory as the loader's batches take */
#include "kernel/kernel.h"
#include "measure.h"
#include "npy_shards.h"
#include "source/pread.h"
#include <pthread.h>

enum { BATCH = 256, PREFETCH = 4, THREADS = 2, MOST = 99 };

static volatile float seen;

static double epoch(mill_loader *l)
{
    double begin = 0;
    int64_t rows = 0, batches = 0;
    mill_error err;
    mill_batch *b;
    mill_status status;
    while (!(status = mill_loader_next(l, &b, &err))) {
        mill_tensor tensor;
        must(mill_batch_field(b, "data", &tensor, &err), &err);
        seen = ((const float *)tensor.data)[0];
        if (batches++ < PREFETCH) /* they may have been made before */
            begin = now_s();
        else
            rows += mill_batch_size(b);
        mill_batch_release(b);
    }
    if (status != MILL_END)
        must(status, &err);
    return (double)rows * (double)row_nbytes / (now_s() - begin) * 1e-9;
}

static double load(const char *folder, const char *text, int epochs)
{
    char spec[4096];
    double rates[MOST];
    mill_pipeline *p = pipeline_of(text);
    mill_loader_options o = mill_loader_options_default();
    o.batch_size = BATCH;
    o.epochs = epochs + 1;
    o.shuffle = MILL_SHUFFLE_NONE;
    o.run.threads = THREADS;
    o.world_size = 1;
    o.index = "none";
    o.prefetch = PREFETCH;
    snprintf(spec, sizeof spec, "%s/*.npy", folder);
    mill_loader *l = loader_of(spec, p, &o);
    epoch(l);
    for (int i = 0; i < epochs; i++)
        rates[i] = epoch(l);
    mill_loader_close(l);
    mill_pipeline_free(p);
    return median(rates, epochs);
}

/* ---- without a loader ---- */

enum { TOGETHER = 42 }; /* rows: about 512 KiB, as the loader does it */

typedef struct reader {
    pthread_t thread;
    const char *folder;
    bool sine;
    int first;
    float *buffer;
    size_t nbytes; /* of it */
} reader;

static void *read_all(void *arg)
{
    const reader *r = arg;
    const mill__kernels *kernels = mill__kernels_get(NULL);
    const float mean = 0.5f, std = 2.0f;
    const size_t most = TOGETHER * row_nbytes;
    for (int shard = r->first; shard < SHARDS; shard += THREADS) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%d.npy", r->folder, shard);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        size_t at = 0, got = most, n;
        for (uint64_t offset = 128; got == most; offset += got, at += most) {
            at = at + most > r->nbytes ? 0 : at;
            float *x = r->buffer + at / sizeof *x;
            got = 0;
            if (mill__pread_cached(fd, offset, x, most, &got) && mill__pread_full(fd, offset, x, most, &got))
                exit(1);
            n = got / sizeof *x;
            if (r->sine)
                kernels->f32_sin(x, x, n);
            else
                kernels->f32_standardize(x, x, n, &mean, &std, 1);
        }
        close(fd);
    }
    return NULL;
}

static double reads(const char *folder, bool sine, int rounds)
{
    reader readers[THREADS];
    double rates[MOST];
    const size_t nbytes = (PREFETCH + 2) * BATCH * row_nbytes / THREADS;
    for (int i = 0; i < THREADS; i++) {
        readers[i] = (reader){.folder = folder, .sine = sine, .first = i, .nbytes = nbytes};
        readers[i].buffer = aligned_alloc(64, nbytes);
        if (!readers[i].buffer)
            exit(1);
        memset(readers[i].buffer, 0, nbytes);
    }
    for (int round = 0; round < rounds; round++) {
        double begin = now_s();
        for (int i = 0; i < THREADS; i++)
            pthread_create(&readers[i].thread, NULL, read_all, &readers[i]);
        for (int i = 0; i < THREADS; i++)
            pthread_join(readers[i].thread, NULL);
        rates[round] = (double)all_nbytes / (now_s() - begin) * 1e-9;
    }
    for (int i = 0; i < THREADS; i++)
        free(readers[i].buffer);
    return median(rates, rounds);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "make")) {
        free(make_shards(argv[2]));
        return 0;
    }
    int epochs = argc == 5 ? atoi(argv[4]) : 0;
    if (epochs < 1 || epochs > MOST)
        return 2;
    bool loads = !strcmp(argv[1], "load");
    printf("%.3f\n",
           loads ? load(argv[2], argv[3], epochs) : reads(argv[2], !strcmp(argv[3], "sin"), epochs));
    return 0;
}
