/* SPDX-License-Identifier: Apache-2.0 */
/* transform/trivial_augment.c: one operation out of fourteen, of random magnitude, as torchvision's
 * TrivialAugmentWide on Pillow's images; the random numbers are ours. */
#include "base/memory.h"
#include "transform/geometry.h"
#include "transform/policy.h"

typedef struct trivial_augment {
    mill__policy policy;
    const mill__augment_kernels *kernels;
    double p;
} trivial_augment;

static const mill_param params[] = {
    MILL__PARAMS_POLICY,
    MILL__PARAM_P("1"),
};

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    (void)out;
    trivial_augment planned = {.kernels = mill__augment_best(),
                               .policy = {.bins = (int)values[0].i,
                                          .wide = true,
                                          .bilinear = values[1].i != 0,
                                          .fill = (uint8_t)values[2].i},
                               .p = values[3].f};
    mill_status status = mill__geometry_check("trivial_augment", in, err);
    return status ? status : mill__keep("trivial_augment", &planned, sizeof planned, self, err);
}

/* Random numbers: 0 whether, 1 which, 2 the magnitude, 3 its sign. */
static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state;
    const trivial_augment *s = self;
    mill__frame frame;
    mill_status status = mill__frame_begin(&frame, s->kernels, ctx, in, out, err);
    if (status)
        return status;
    if (!mill__chance(ctx, 0, s->p)) {
        mill__frame_copy(&frame);
        return MILL_OK;
    }
    mill__policy_op op = (mill__policy_op)mill_context_below(ctx, 1, MILL__POLICY_OPS);
    int bin = (int)mill_context_below(ctx, 2, s->policy.bins);
    double m = mill__policy_magnitude(&s->policy, op, bin, frame.width, frame.height);
    bool negative = mill__policy_is_signed(op) && mill__chance(ctx, 3, 0.5);
    const mill__policy_step step = {op, negative ? -m : m};
    mill__policy_apply(&s->policy, &frame, &step, 1, NULL);
    return MILL_OK;
}

const mill_transform_ops mill__trivial_augment_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "trivial_augment",
    .summary = "one random operation of colour or geometry, of random magnitude",
    .example = "decode | random_resized_crop 224 | hflip | trivial_augment",
    .params = params,
    .nparams = sizeof params / sizeof *params,
    .flags = MILL_RANDOM,
    .plan = plan,
    .drop = mill__free,
    .run = run};
