/* SPDX-License-Identifier: Apache-2.0 */
/* bench/latency.c: a source whose every read sleeps first, as storage far away does: how busy the compute
 * threads stay from the first batch on, with reads enough in flight. Shards are real ones, read whole into
 * memory before. Busy is the share of time in which a compute thread had work; the process's CPU time is
 * shown beside it, and is less where others use the cores.
 *
 *   latency EPOCHS TAR... */
#include "measure.h"
#include <stdbool.h>

enum { BATCH = 64, MOST_SHARDS = 64 };

static const char text[] = "decode | random_resized_crop 224 | hflip | normalize imagenet | layout chw";

typedef struct shard {
    unsigned char *data;
    size_t nbytes;
} shard;

static struct far {
    shard shards[MOST_SHARDS];
    double latency;
} far;

static bool slurp(const char *path, shard *s)
{
    FILE *f = fopen(path, "rb");
    bool good = f && !fseek(f, 0, SEEK_END);
    s->nbytes = good ? (size_t)ftell(f) : 0;
    s->data = malloc(s->nbytes + 1);
    if (good)
        rewind(f);
    good = good && s->data && fread(s->data, 1, s->nbytes, f) == s->nbytes;
    if (f)
        fclose(f);
    return good;
}

static mill_status far_open(void *user, const char *locator, void **handle, mill_shard_info *info,
                            mill_error *err)
{
    (void)user, (void)err;
    shard *s = &far.shards[atoi(locator + strcspn(locator, "0123456789"))];
    *info = (mill_shard_info){.nbytes = s->nbytes};
    *handle = s;
    return MILL_OK;
}

static mill_status far_read(void *handle, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err)
{
    const shard *s = handle;
    (void)err;
    sleep_s(far.latency);
    *got = offset >= s->nbytes ? 0 : n < s->nbytes - offset ? n : (size_t)(s->nbytes - offset);
    memcpy(data, s->data + offset, *got);
    return MILL_OK;
}

static void far_close(void *handle)
{
    (void)handle;
}

static const mill_source_ops far_source = {.struct_nbytes = sizeof(mill_source_ops),
                                           .name = "far",
                                           .summary = "memory, far away",
                                           .open = far_open,
                                           .read = far_read,
                                           .close = far_close};

static double busy(const char *spec, mill_pipeline *p, int epochs, mill_shuffle shuffle, int depth,
                   double *rate, double *reads, double *cpu)
{
    mill_loader_stats a, b;
    mill_loader_options o = mill_loader_options_default();
    o.batch_size = BATCH;
    o.shuffle = shuffle;
    o.epochs = epochs;
    o.world_size = 1;
    o.run.source = &far_source;
    o.run.format = "tar";
    o.run.io_depth = depth;
    o.prefetch = depth > 64 ? depth / 32 : 4; /* what is in flight is samples of batches made ahead */
    mill_loader *l = loader_of(spec, p, &o);
    mill_batch_release(next_of(l));
    double cpu_begin = cpu_s();
    mill_loader_stats_get(l, &a);
    int64_t rows = drain(l);
    mill_loader_stats_get(l, &b);
    *cpu = (cpu_s() - cpu_begin) / ((double)(b.elapsed_ns - a.elapsed_ns) * 1e-9 * b.threads);
    mill_loader_close(l);
    double wall = (double)(b.elapsed_ns - a.elapsed_ns);
    *rate = (double)rows * 1e9 / wall;
    *reads = (double)(b.read_ns - a.read_ns) / wall;
    return (double)(b.transform_ns + b.walk_ns - a.transform_ns - a.walk_ns) / (wall * b.threads);
}

int main(int argc, char **argv)
{
    static const struct {
        double latency;
        int depth;
    } rows[] = {{0, 8}, {0.005, 16}, {0.020, 64}, {0.100, 512}};
    static const char *const names[] = {"in order", "shuffled"};
    double worst = 1;
    char spec[32];
    int n = argc - 2;
    if (n < 1 || n > MOST_SHARDS)
        return 2;
    for (int i = 0; i < n; i++)
        if (!slurp(argv[i + 2], &far.shards[i]))
            return 1;
    snprintf(spec, sizeof spec, "far-{0..%d}", n - 1);
    mill_pipeline *p = pipeline_of(text);
    printf("%s\n%d threads, batches of %d, %s epochs\n", text, mill_threads(0).chosen, BATCH, argv[1]);
    printf("%-10s %10s %8s %10s %10s %8s %10s\n", "", "latency ms", "depth", "in flight", "samples/s", "busy",
           "CPU time");
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        for (int shuffled = 0; shuffled < 2; shuffled++) {
            double rate, reads, cpu;
            far.latency = rows[k].latency;
            double share = busy(spec, p, atoi(argv[1]), shuffled ? MILL_SHUFFLE_WINDOW : MILL_SHUFFLE_NONE,
                                rows[k].depth, &rate, &reads, &cpu);
            printf("%-10s %10.0f %8d %10.1f %10.0f %7.1f%% %9.1f%%\n", names[shuffled], rows[k].latency * 1e3,
                   rows[k].depth, reads, rate, share * 100, cpu * 100);
            worst = share < worst ? share : worst;
        }
    printf("latency ratio=%.3f target=0.90\n", worst);
    mill_pipeline_free(p);
    return 0;
}
