/* SPDX-License-Identifier: Apache-2.0 */
/* A transform of your own, in a pipeline with built-in ones: "vignette" darkens an image towards its corners.
 *   custom_transform SPEC OUT          e.g. custom_transform data/demo build/vignette */
#include <shardmill/shardmill.h>
#include <stdio.h>
#include <stdlib.h>

static const mill_param params[] = {
    {.name = "strength",
     .type = MILL_PARAM_FLOAT,
     .fallback = "0.5",
     .min = 0,
     .max = 1,
     .help = "0: none, 1: black"},
};

/* What plan() keeps for run(). */
typedef struct vignette {
    double strength;
} vignette;

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out; /* preset to the type that comes in: the shape does not change */
    if (in->dtype != MILL_U8 || in->layout != MILL_HWC)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "takes u8 hwc pixels; put it behind decode and before normalize");
    vignette *v = malloc(sizeof *v);
    if (!v)
        return mill_fail(err, MILL_NO_MEMORY, "memory", "out of memory");
    v->strength = values[0].f;
    *self = v;
    return MILL_OK;
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const vignette *v = self;
    const int64_t *shape = in->type.shape; /* of this very sample: height, width, channels */
    if (!out->data) {                      /* its size was not known when the pipeline was planned */
        for (int i = 0; i < 3; i++)
            out->type.shape[i] = shape[i];
        out->data = mill_context_scratch(ctx, (size_t)(shape[0] * shape[1] * shape[2]));
    }
    if (!out->data)
        return mill_fail(err, MILL_LIMIT, "limit", "no scratch left for the vignette");
    const uint8_t *from = in->data;
    uint8_t *to = out->data;
    for (int64_t y = 0; y < shape[0]; y++)
        for (int64_t x = 0; x < shape[1]; x++) {
            double dy = 2.0 * (double)y / (double)shape[0] - 1, dx = 2.0 * (double)x / (double)shape[1] - 1;
            double light = 1 - v->strength * (dx * dx + dy * dy) / 2;
            for (int64_t c = 0; c < shape[2]; c++)
                *to++ = (uint8_t)(*from++ * light);
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

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: custom_transform SPEC OUT\n");
        return 2;
    }
    mill_error err;
    mill_stats stats;
    mill_pipeline *p = mill_pipeline_new();
    mill_status status = mill_pipeline_register(p, &vignette_ops, NULL, &err);
    if (!status)
        status = mill_pipeline_parse(p, "decode | vignette 0.7 | resize 128 | center_crop 112", &err);
    if (!status)
        status = mill_run(argv[1], p, argv[2], NULL, &stats, &err);
    if (status)
        fprintf(stderr, "custom_transform: %s %s: %s\n", err.shard, err.key, err.message);
    else
        printf("%lld images darkened, in %s\n", (long long)stats.written, argv[2]);
    mill_pipeline_free(p);
    return status ? 1 : 0;
}
