/* SPDX-License-Identifier: Apache-2.0 */
/* bench/augment.c: a pipeline of augmentations over one image, u8 or f32, as a compute thread runs it, from
 * memory to memory. Takes turns with augment.py, which names a file with the image's elements: for each line
 * "N PIPELINE" on standard input the pipeline makes N images, each of other random numbers, and answers with
 * the seconds of CPU time that one took. augment FILE WIDTH HEIGHT u8|f32 */
#include "engine/worker.h"
#include "kernel/kernel.h"
#include "taking_turns.h"
#include <stdio.h>
#include <string.h>

typedef struct bench {
    mill_type type;
    void *data;
    mill__field field;
    mill__row row;
    mill__batch batch;
    uint64_t sample;
} bench;

static int read_image(bench *b, const char *path)
{
    const size_t nbytes = (size_t)mill__type_nbytes(&b->type);
    FILE *f = fopen(path, "rb");
    b->data = malloc(nbytes);
    size_t got = f && b->data ? fread(b->data, 1, nbytes, f) : 0;
    if (f)
        fclose(f);
    b->field = (mill__field){.name = "data", .name_nbytes = 4, .data = b->data, .nbytes = nbytes};
    return got == nbytes ? 0 : -1;
}

/* Seconds of one of n, or < 0. */
static double run(bench *b, const mill__plan *plan, int n)
{
    const mill__job job = {.plan = plan, .seed = 1, .scratch_nbytes = 1 << 28};
    mill__worker worker;
    mill__worker_init(&worker, &job);
    b->batch = (mill__batch){.rows = &b->row, .n = 1, .slab = malloc(plan->row_nbytes + 64)};
    double begin = 0;
    for (int i = -1; i < n && b->batch.slab && !b->row.status; i++) { /* the first one finds the memory */
        if (!i)
            begin = turn_seconds();
        b->row = (mill__row){.key = "", .label = -1, .nfields = 1, .fields = &b->field};
        b->row.sample = (int64_t)b->sample++;
        mill__worker_rows(&worker, &b->batch, 0, 1);
    }
    double seconds = (turn_seconds() - begin) / n;
    if (b->row.status)
        fprintf(stderr, "augment: %s\n", b->row.error ? b->row.error->message : "out of memory");
    free(b->batch.slab);
    mill__worker_end(&worker);
    return b->row.status ? -1 : seconds;
}

static double turn_of(bench *b, const char *text, int n)
{
    mill_error err;
    mill_pipeline *pipeline = mill_pipeline_new();
    mill__plan plan;
    if (mill_pipeline_parse(pipeline, text, &err) || mill__plan_compile(pipeline, &b->type, &plan, &err)) {
        fprintf(stderr, "augment: %s: %s\n", text, err.message);
        return -1;
    }
    double seconds = run(b, &plan, n);
    mill__plan_free(&plan);
    mill_pipeline_free(pipeline);
    return seconds;
}

int main(int argc, char **argv)
{
    bench b = {0};
    char text[512];
    int n;
    if (argc < 5)
        return 2;
    const int64_t width = atoi(argv[2]), height = atoi(argv[3]);
    b.type = strcmp(argv[4], "f32") ? (mill_type){.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3}
                                    : (mill_type){.dtype = MILL_F32, .layout = MILL_CHW, .rank = 3};
    const int64_t hwc[] = {height, width, 3}, chw[] = {3, height, width};
    memcpy(b.type.shape, b.type.layout == MILL_HWC ? hwc : chw, sizeof hwc);
    if (read_image(&b, argv[1]))
        return 1;
    printf("%s\n", mill__kernels_get(mill__kernels_cap())->level);
    fflush(stdout);
    while (scanf("%d %511[^\n]", &n, text) == 2) {
        double seconds = turn_of(&b, text, n);
        if (seconds < 0)
            return 1;
        printf("%.9f\n", seconds);
        fflush(stdout);
    }
    free(b.data);
    return 0;
}
