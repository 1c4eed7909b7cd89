/* SPDX-License-Identifier: Apache-2.0 */
/* transform/enhance.h: changes of colour and sharpness of a whole image, to the bytes what Pillow's
 * ImageEnhance and ImageOps do. Those up to mill__sharpen work in place too. */
#ifndef MILL_TRANSFORM_ENHANCE_H
#define MILL_TRANSFORM_ENHANCE_H

#include "transform/augment.h"

/* factor 1: nothing changes; 0: black, the mean grey, without colour. */
void mill__brighten(const mill__frame *frame, double factor);
void mill__contrast(const mill__frame *frame, double factor);
void mill__saturate(const mill__frame *frame, double factor);
/* By turn (-0.5 .. 0.5) of the circle, through 8-bit hue, saturation and value. */
void mill__turn_hue(const mill__frame *frame, double turn);

void mill__autocontrast(const mill__frame *frame);
void mill__equalize(const mill__frame *frame);

/* factor 0: smoothed; 1: nothing changes; 2: sharper. Not in place. */
void mill__sharpen(const mill__frame *frame, double factor);

#endif
