/* SPDX-License-Identifier: Apache-2.0 */
/* bench/elementwise.c: a pipeline of one element-wise transform over .npy shards in the page cache, to
 * batches.
 *
 *   elementwise make FOLDER              the shards
 *   elementwise load FOLDER PIPE EPOCHS  gigabytes a second that go in, the median of epochs but the first */
#include "measure.h"
#include "npy_shards.h"

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

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "make")) {
        free(make_shards(argv[2]));
        return 0;
    }
    int epochs = argc == 5 ? atoi(argv[4]) : 0;
    if (epochs < 1 || epochs > MOST)
        return 2;
    printf("%.3f\n", load(argv[2], argv[3], epochs));
    return 0;
}
