/* SPDX-License-Identifier: Apache-2.0 */
/* bench/npyload.c: batches from .npy shards in the page cache, nothing done to the rows, over memcpy() of as
 * many bytes by as many threads: from memory that was touched, as large as the data set, into as many buffers
 * of a batch as the loader has, over and over. In turns; ratio: the median of the turns'.
 *
 *   npyload FOLDER ROUNDS */
#include "measure.h"
#include "npy_shards.h"
#include <pthread.h>

enum { BATCH = 256, PREFETCH = 4, BUFFERS = PREFETCH + 2, THREADS = 2 };
static const size_t batch_nbytes = BATCH * ELEMENTS * sizeof(float);

/* ---- memcpy ---- */

typedef struct copy {
    pthread_t thread;
    const char *from;
    char *buffers;
    size_t nbytes;
} copy;

static void *copy_all(void *arg)
{
    const copy *c = arg;
    for (size_t at = 0, i = 0; at < c->nbytes; at += batch_nbytes, i++)
        memcpy(c->buffers + i % (BUFFERS / THREADS) * batch_nbytes, c->from + at, batch_nbytes);
    return NULL;
}

/* Gigabytes a second. */
static double copied(const void *all, char *buffers)
{
    copy copies[THREADS];
    double begin = now_s();
    for (size_t i = 0; i < THREADS; i++) {
        copies[i] = (copy){.from = (const char *)all + i * (all_nbytes / THREADS),
                           .buffers = buffers + i * (BUFFERS / THREADS) * batch_nbytes,
                           .nbytes = all_nbytes / THREADS};
        pthread_create(&copies[i].thread, NULL, copy_all, &copies[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(copies[i].thread, NULL);
    return (double)all_nbytes / (now_s() - begin) * 1e-9;
}

/* ---- the loader ---- */

static volatile float sink;

/* Epochs of one loader, as in training; gigabytes a second of each but the first. */
static void loaded(const char *spec, mill_pipeline *p, double *rates, int rounds, const void *all,
                   char *buffers, double *copies)
{
    mill_loader_options o = mill_loader_options_default();
    o.batch_size = BATCH;
    o.epochs = rounds + 1;
    o.shuffle = MILL_SHUFFLE_NONE;
    o.run.threads = THREADS;
    o.world_size = 1;
    o.index = "none";
    o.prefetch = PREFETCH;
    mill_loader *l = loader_of(spec, p, &o);
    for (int i = 0; i <= rounds; i++) {
        double begin = 0;
        int64_t rows = 0, batches = 0;
        mill_error err;
        mill_batch *b;
        mill_status status;
        while (!(status = mill_loader_next(l, &b, &err))) {
            mill_tensor tensor;
            must(mill_batch_field(b, "data", &tensor, &err), &err);
            sink = ((const float *)tensor.data)[0];
            if (batches++ < PREFETCH) /* they were made while the clock stood still */
                begin = now_s();
            else
                rows += mill_batch_size(b);
            mill_batch_release(b);
        }
        if (status != MILL_END)
            must(status, &err);
        double rate = (double)rows * (double)row_nbytes / (now_s() - begin) * 1e-9;
        if (!i)
            continue;
        rates[i - 1] = rate;
        sleep_s(0.05); /* the batches that are made ahead */
        copies[i - 1] = copied(all, buffers);
    }
    mill_loader_close(l);
}

int main(int argc, char **argv)
{
    enum { MOST = 99 };
    double rates[MOST], copies[MOST], ratios[MOST];
    int rounds = argc > 2 ? atoi(argv[2]) : 9;
    if (argc < 2 || rounds < 1 || rounds > MOST)
        return 2;
    float *all = make_shards(argv[1]);
    char *buffers = aligned_alloc(64, BUFFERS * batch_nbytes), spec[4096];
    memset(buffers, 1, BUFFERS * batch_nbytes);
    mill_pipeline *p = pipeline_of("");
    snprintf(spec, sizeof spec, "%s/*.npy", argv[1]);
    loaded(spec, p, rates, rounds, all, buffers, copies);
    for (int i = 0; i < rounds; i++)
        ratios[i] = rates[i] / copies[i];
    printf("loader %.2f GB/s, memcpy by %d threads %.2f GB/s\n", median(rates, rounds), THREADS,
           median(copies, rounds));
    printf("npyload ratio=%.3f target=0.80\n", median(ratios, rounds));
    mill_pipeline_free(p);
    free(buffers);
    free(all);
    return 0;
}
