/* SPDX-License-Identifier: Apache-2.0 */
/* transform/rand_augment.c: a few operations out of fourteen, all of one magnitude, as torchvision's
 * RandAugment on Pillow's images; the random numbers are ours. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/geometry.h"
#include "transform/policy.h"

enum { MOST = 32 };

typedef struct rand_augment {
    mill__policy policy;
    int n, magnitude;
    const mill__augment_kernels *kernels;
    double p;
} rand_augment;

static const mill_param params[] = {
    {.name = "n",
     .type = MILL_PARAM_INT,
     .fallback = "2",
     .min = 1,
     .max = MOST,
     .help = "operations, one after the other"},
    {.name = "magnitude",
     .type = MILL_PARAM_INT,
     .fallback = "9",
     .max = 9999,
     .help = "of all of them: 0 to bins - 1"},
    MILL__PARAMS_POLICY,
    MILL__PARAM_P("1"),
};

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out;
    rand_augment planned = {
        .kernels = mill__augment_best(),
        .policy = {.bins = (int)values[2].i, .bilinear = values[3].i != 0, .fill = (uint8_t)values[4].i},
        .n = (int)values[0].i,
        .magnitude = (int)values[1].i,
        .p = values[5].f};
    mill_status status = mill__geometry_check("rand_augment", in, err);
    if (!status && planned.magnitude >= planned.policy.bins)
        status = mill_fail(err, MILL_USAGE, "parameter",
                           "rand_augment: magnitude is %d, but with bins=%d it must be within 0 to %d",
                           planned.magnitude, planned.policy.bins, planned.policy.bins - 1);
    return status ? status : mill__keep("rand_augment", &planned, sizeof planned, self, err);
}

/* Random numbers: 0 whether, then two a step: which, and its sign. */
static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const rand_augment *s = self;
    mill__frame frame;
    mill_status status = mill__frame_begin(&frame, s->kernels, ctx, in, out, err);
    if (status)
        return status;
    if (!mill__chance(ctx, 0, s->p)) {
        mill__frame_copy(&frame);
        return MILL_OK;
    }
    mill__policy_step steps[MOST];
    for (int i = 0; i < s->n; i++) {
        mill__policy_op op =
            (mill__policy_op)mill_context_below(ctx, (uint32_t)(1 + 2 * i), MILL__POLICY_OPS);
        double m = mill__policy_magnitude(&s->policy, op, s->magnitude, frame.width, frame.height);
        bool negative = mill__policy_is_signed(op) && mill__chance(ctx, (uint32_t)(2 + 2 * i), 0.5);
        steps[i] = (mill__policy_step){op, negative ? -m : m};
    }
    uint8_t *other = s->n > 1 ? mill_context_scratch(ctx, frame.nbytes) : NULL;
    if (s->n > 1 && !other)
        return mill__no_memory(err, frame.nbytes, "rand_augment");
    mill__policy_apply(&s->policy, &frame, steps, s->n, other);
    return MILL_OK;
}

const mill_transform_ops mill__rand_augment_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "rand_augment",
    .summary = "a few random operations of colour and geometry, all of one magnitude",
    .example = "decode | random_resized_crop 224 | hflip | rand_augment n=2 magnitude=9",
    .params = params,
    .nparams = sizeof params / sizeof *params,
    .flags = MILL_RANDOM,
    .plan = plan,
    .drop = mill__free,
    .run = run};
