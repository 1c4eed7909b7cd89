/* SPDX-License-Identifier: Apache-2.0 */
/* transform/turn.h: turning an image by its EXIF orientation. */
#ifndef MILL_TRANSFORM_TURN_H
#define MILL_TRANSFORM_TURN_H

#include "transform/image.h"
#include <stddef.h>

/* Where the pixels of a stored rectangle go in a turned frame: the steps, in pixels, for a step in the stored
 * one. */
typedef struct mill__turn {
    mill__rect stored; /* what must be decoded */
    ptrdiff_t at, across, down;
} mill__turn;

/* need: what is wanted of the turned image, and the size of the frame. width, height: of the stored image. */
mill__turn mill__turn_for(int orientation, const mill__rect *need, int64_t width, int64_t height);
/* Put row y of the stored image, beginning at pixel stored.x, into frame. */
void mill__turn_row(const mill__turn *turn, int channels, int64_t y, const uint8_t *row, uint8_t *frame);

#endif
