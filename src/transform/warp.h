/* SPDX-License-Identifier: Apache-2.0 */
/* transform/warp.h: images turned, moved, scaled and sheared: what Pillow's Image.transform and Image.rotate
 * give, with the matrices of Image.rotate and of torchvision's affine. */
#ifndef MILL_TRANSFORM_WARP_H
#define MILL_TRANSFORM_WARP_H

#include "transform/augment.h"

/* From the place of an output pixel to that of the input: x' = m[0] x + m[1] y + m[2], y' = m[3] x + m[4] y +
 * m[5]. */
typedef struct mill__matrix {
    double m[6];
} mill__matrix;

/* Degrees against the clock; the rest as in torchvision's affine: lengths in pixels, angles in degrees. */
typedef struct mill__motion {
    double center_x, center_y;
    double degrees, move_x, move_y, scale, shear_x, shear_y;
} mill__motion;

mill__matrix mill__matrix_for(const mill__motion *motion);

/* Not in place. What comes from outside of the image becomes fill. */
void mill__warp(const mill__frame *frame, const mill__matrix *matrix, bool bilinear, uint8_t fill);
/* Around the centre; by multiples of 90 degrees pixels move as they are, where the shapes allow. The centre
 * of the input comes to lie in that of the output. */
void mill__rotate(const mill__frame *frame, double degrees, bool bilinear, uint8_t fill);
/* The output size that holds all of an image of width x height. */
void mill__rotated_size(double degrees, size_t width, size_t height, size_t *out_width, size_t *out_height);

#define MILL__WARP_FILTERS "nearest|bilinear"

#endif
