/* SPDX-License-Identifier: Apache-2.0 */
/* transform/policy.h: the operations that rand_augment and trivial_augment choose from, by the magnitudes of
 * torchvision's RandAugment and TrivialAugmentWide. */
#ifndef MILL_TRANSFORM_POLICY_H
#define MILL_TRANSFORM_POLICY_H

#include "transform/augment.h"

/* In torchvision's order. */
typedef enum mill__policy_op {
    MILL__IDENTITY,
    MILL__SHEAR_X,
    MILL__SHEAR_Y,
    MILL__TRANSLATE_X,
    MILL__TRANSLATE_Y,
    MILL__ROTATE,
    MILL__BRIGHTNESS,
    MILL__COLOR,
    MILL__CONTRAST,
    MILL__SHARPNESS,
    MILL__POSTERIZE,
    MILL__SOLARIZE,
    MILL__AUTOCONTRAST,
    MILL__EQUALIZE,
    MILL__POLICY_OPS
} mill__policy_op;

/* What one of the two transforms allows. */
typedef struct mill__policy {
    int bins; /* of magnitude */
    bool wide;
    bool bilinear;
    uint8_t fill;
} mill__policy;

typedef struct mill__policy_step {
    mill__policy_op op;
    double magnitude; /* with its sign */
} mill__policy_step;

/* Magnitude bin (0 .. bins - 1) of an operation, in float as torch.linspace has it. width and height: of the
 * image. */
double mill__policy_magnitude(const mill__policy *policy, mill__policy_op op, int bin, size_t width,
                              size_t height);
bool mill__policy_is_signed(mill__policy_op op);

/* All steps, one after the other. Not in place. other: room for one more image, if nsteps is above 1. */
void mill__policy_apply(const mill__policy *policy, const mill__frame *frame, const mill__policy_step *steps,
                        int nsteps, uint8_t *other);

#define MILL__PARAMS_POLICY                                                                                  \
    {.name = "bins",                                                                                         \
     .type = MILL_PARAM_INT,                                                                                 \
     .fallback = "31",                                                                                       \
     .min = 2,                                                                                               \
     .max = 10000,                                                                                           \
     .help = "steps between no and the greatest magnitude"},                                                 \
        {.name = "filter",                                                                                   \
         .type = MILL_PARAM_CHOICE,                                                                          \
         .fallback = "nearest",                                                                              \
         .choices = "nearest|bilinear",                                                                      \
         .help = "the nearest pixel, or the four around weighed"},                                           \
    {                                                                                                        \
        .name = "fill", .type = MILL_PARAM_INT, .fallback = "0", .max = 255,                                 \
        .help = "value of pixels from outside of the image"                                                  \
    }

#endif
