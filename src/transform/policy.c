/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/policy.h"
#include "transform/enhance.h"
#include "transform/warp.h"
#include <math.h>
#include <string.h>

/* ---- magnitudes ---- */

/* The greatest magnitude; translation of the narrow policy is a share of the side. */
static const struct {
    float narrow, wide;
    bool is_signed;
} ranges[MILL__POLICY_OPS] = {
    [MILL__SHEAR_X] = {0.3f, 0.99f, true},   [MILL__SHEAR_Y] = {0.3f, 0.99f, true},
    [MILL__TRANSLATE_X] = {0, 32, true},     [MILL__TRANSLATE_Y] = {0, 32, true},
    [MILL__ROTATE] = {30, 135, true},        [MILL__BRIGHTNESS] = {0.9f, 0.99f, true},
    [MILL__COLOR] = {0.9f, 0.99f, true},     [MILL__CONTRAST] = {0.9f, 0.99f, true},
    [MILL__SHARPNESS] = {0.9f, 0.99f, true},
};

bool mill__policy_is_signed(mill__policy_op op)
{
    return ranges[op].is_signed;
}

/* torch.linspace: steps from the nearer end. */
static double spaced(float first, float last, int n, int i)
{
    float step = (last - first) / (float)(n - 1);
    return i < n / 2 ? first + step * (float)i : last - step * (float)(n - i - 1);
}

double mill__policy_magnitude(const mill__policy *policy, mill__policy_op op, int bin, size_t width,
                              size_t height)
{
    if (op == MILL__POSTERIZE) {
        float lost = (float)bin / (float)((double)(policy->bins - 1) / (policy->wide ? 6 : 4));
        return 8 - (double)rintf(lost);
    }
    if (op == MILL__SOLARIZE)
        return spaced(255, 0, policy->bins, bin);
    float most = policy->wide ? ranges[op].wide : ranges[op].narrow;
    if (!policy->wide && (op == MILL__TRANSLATE_X || op == MILL__TRANSLATE_Y))
        most = (float)(150.0 / 331.0 * (double)(op == MILL__TRANSLATE_X ? width : height));
    return spaced(0, most, policy->bins, bin);
}

/* ---- operations ---- */

static bool moves_pixels(mill__policy_op op)
{
    return (op >= MILL__SHEAR_X && op <= MILL__ROTATE) || op == MILL__SHARPNESS;
}

static void warp(const mill__policy *policy, const mill__frame *f, const mill__policy_step *step)
{
    double m = step->magnitude, shear = atan(m) * (180 / M_PI);
    mill__motion motion = {.scale = 1}; /* shearing holds the upper left corner */
    if (step->op == MILL__SHEAR_X)
        motion.shear_x = shear;
    else if (step->op == MILL__SHEAR_Y)
        motion.shear_y = shear;
    else {
        motion.center_x = (double)f->width * 0.5;
        motion.center_y = (double)f->height * 0.5;
        *(step->op == MILL__TRANSLATE_X ? &motion.move_x : &motion.move_y) = trunc(m);
    }
    mill__matrix matrix = mill__matrix_for(&motion);
    mill__warp(f, &matrix, policy->bilinear, policy->fill);
}

static void apply(const mill__policy *policy, const mill__frame *f, const mill__policy_step *step)
{
    double m = step->magnitude;
    switch (step->op) {
    case MILL__ROTATE:
        mill__rotate(f, m, policy->bilinear, policy->fill);
        break;
    case MILL__BRIGHTNESS:
        mill__brighten(f, 1.0 + m);
        break;
    case MILL__COLOR:
        mill__saturate(f, 1.0 + m);
        break;
    case MILL__CONTRAST:
        mill__contrast(f, 1.0 + m);
        break;
    case MILL__SHARPNESS:
        mill__sharpen(f, 1.0 + m);
        break;
    case MILL__POSTERIZE:
        f->kernels->mask(f->out, f->in, f->nbytes, (uint8_t)(0xff00 >> (int)m), 0);
        break;
    case MILL__SOLARIZE:
        f->kernels->solarize(f->out, f->in, f->nbytes, (int)ceil(m));
        break;
    case MILL__AUTOCONTRAST:
        mill__autocontrast(f);
        break;
    case MILL__EQUALIZE:
        mill__equalize(f);
        break;
    case MILL__IDENTITY:
    case MILL__POLICY_OPS:
        mill__frame_copy(f);
        break;
    default:
        warp(policy, f, step);
    }
}

/* Pixels go from memory to memory at the first step, and at each that moves them; the last such move must end
 * in frame->out, so whether one goes there depends on how many are left. */
void mill__policy_apply(const mill__policy *policy, const mill__frame *frame, const mill__policy_step *steps,
                        int nsteps, uint8_t *other)
{
    mill__frame f = *frame;
    int left = 0;
    for (int i = 0; i < nsteps; i++)
        left += !i || moves_pixels(steps[i].op);
    for (int i = 0; i < nsteps; i++) {
        if (!i || moves_pixels(steps[i].op))
            f.out = --left % 2 ? other : frame->out;
        apply(policy, &f, &steps[i]);
        f.in = f.out;
    }
}
