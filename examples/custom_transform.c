/* SPDX-License-Identifier: Apache-2.0 */
/* A transform of your own, in a pipeline with built-in ones.
 *
 *   custom_transform [SPEC [OUT]]      e.g. custom_transform 'data/demo/train-*.tar' /tmp/vignette
 *
 * "vignette" darkens an image towards its corners. It is written against the very struct that the built-in
 * transforms use, so the library checks its arguments, its place in the pipeline and its messages likewise.
 * Without a SPEC, a .npy shard of two grey images is made first. */
#include <shardmill/shardmill.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What may be said in the pipeline: `vignette`, `vignette 0.7` or `vignette strength=0.7`. */
static const mill_param params[] = {
    {.name = "strength",
     .type = MILL_PARAM_FLOAT,
     .fallback = "0.5",
     .min = 0,
     .max = 1,
     .help = "0: none, 1: black corners"},
};

/* What plan() finds out once, and run() reads for each sample. */
typedef struct vignette {
    double strength;
} vignette;

/* Called once, before any sample is read: is this the place for us, and what will come out? The message ends
 * up in the caller's mill_error. */
static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user; /* what mill_pipeline_register() was given */
    (void)out;  /* preset to what comes in, and that is right: neither shape nor dtype changes */
    if (in->dtype != MILL_U8 || in->rank != 3 || in->layout == MILL_CHW)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "vignette takes u8 pixels in layout hwc: put it behind decode and before normalize");
    vignette *v = malloc(sizeof *v);
    if (!v)
        return mill_fail(err, MILL_NO_MEMORY, "memory", "out of memory");
    v->strength = values[0].f; /* in the order of params; checked against min and max already */
    *self = v;
    return MILL_OK;
}

/* Called on several threads at once, each for another sample. */
static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state; /* what start() made for this thread; we have none */
    const vignette *v = self;
    const int64_t *shape = in->type.shape; /* of this very sample: height, width, channels */
    if (!out->data) { /* the size varies from sample to sample, so nobody could set a place aside */
        memcpy(out->type.shape, shape, 3 * sizeof *shape);
        out->data = mill_context_scratch(ctx, (size_t)(shape[0] * shape[1] * shape[2]));
    }
    if (!out->data)
        return mill_fail(err, MILL_LIMIT, "limit", "no scratch left for the vignette");
    const uint8_t *from = in->data;
    uint8_t *to = out->data;
    for (int64_t y = 0; y < shape[0]; y++)
        for (int64_t x = 0; x < shape[1]; x++) {
            double dy = (2.0 * (double)y + 1) / (double)shape[0] - 1;
            double dx = (2.0 * (double)x + 1) / (double)shape[1] - 1;
            double light = 1 - v->strength * (dx * dx + dy * dy) / 2;
            for (int64_t c = 0; c < shape[2]; c++)
                *to++ = (uint8_t)(*from++ * light + 0.5);
        }
    return MILL_OK;
}

static void drop(void *self)
{
    free(self);
}

static const mill_transform_ops vignette_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                                .name = "vignette",
                                                .summary = "darken towards the corners",
                                                .example = "vignette 0.7",
                                                .params = params,
                                                .nparams = 1,
                                                .plan = plan,
                                                .drop = drop,
                                                .run = run};

/* ---- the run ---- */

/* Two grey images of 64 x 96 as one NumPy array of shape (2, 64, 96, 3). */
static int write_grey(const char *path)
{
    enum { NBYTES = 2 * 64 * 96 * 3 };
    static unsigned char pixels[NBYTES];
    static const char header[] = "\x93NUMPY\x01\x00\x46\x00"
                                 "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 64, 96, 3), }  \n";
    memset(pixels, 200, sizeof pixels);
    FILE *file = fopen(path, "wb");
    if (!file)
        return -1;
    int failed = fwrite(header, 1, sizeof header - 1, file) != sizeof header - 1 ||
                 fwrite(pixels, 1, NBYTES, file) != NBYTES;
    return fclose(file) || failed ? -1 : 0;
}

/* How light the middle and a corner of the first image have become. */
static void show_result(const char *path)
{
    unsigned char pixels[64 * 96 * 3];
    FILE *file = fopen(path, "rb");
    if (!file)
        return;
    if (!fseek(file, -2 * (long)sizeof pixels, SEEK_END) && fread(pixels, sizeof pixels, 1, file))
        printf("grey 200 is now %d in the middle and %d in the corner\n", pixels[(32 * 96 + 48) * 3],
               pixels[0]);
    fclose(file);
}

int main(int argc, char **argv)
{
    const char *spec = argc > 1 ? argv[1] : "grey.npy", *out = argc > 2 ? argv[2] : "vignette-out";
    const char *text = argc > 1 ? "decode | vignette 0.7 | resize 128 | center_crop 112" : "vignette 0.7";
    if (argc < 2 && write_grey(spec)) {
        perror(spec);
        return 1;
    }
    mill_error err;
    mill_stats stats;
    mill_pipeline *p = mill_pipeline_new();
    mill_status status = mill_pipeline_register(p, &vignette_ops, NULL, &err);

    /* What is wrong with the arguments is found at once, as with any transform. */
    if (!status && mill_pipeline_parse(p, "vignette strenth=2", &err) == MILL_USAGE)
        printf("refused: %s\n", err.message);

    if (!status)
        status = mill_pipeline_parse(p, text, &err);
    if (!status)
        printf("pipeline: %s\n", mill_pipeline_text(p));
    if (!status)
        status = mill_run(spec, p, out, NULL, &stats, &err);
    if (status)
        fprintf(stderr, "custom_transform: %s %s: %s\n", err.shard, err.key, err.message);
    else
        printf("%lld images darkened, in %s\n", (long long)stats.written, out);
    if (!status && argc < 2)
        show_result("vignette-out/grey.data.npy");
    mill_pipeline_free(p);
    return status ? 1 : 0;
}
