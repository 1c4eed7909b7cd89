/* SPDX-License-Identifier: Apache-2.0 */
/* transform/jpeg_scale.h: decoding at a half, a quarter or an eighth of the size, where the view shrinks by
 * as much or more (decode scale=fast). */
#ifndef MILL_TRANSFORM_JPEG_SCALE_H
#define MILL_TRANSFORM_JPEG_SCALE_H

#include "transform/image.h"

/* At how many eighths of its size the source may be decoded and still have as many pixels as the resized
 * crop: 8 (not at all less), 4, 2 or 1. */
int mill__jpeg_eighths(const mill_view *view);
/* A side of so many pixels, decoded at eighths. */
int64_t mill__jpeg_shrunk(int64_t side, int eighths);
/* The same view of the shrunk source: the same size, and to a fraction of a pixel the same place.
 * orientation: by which the source is turned (1: not at all). */
void mill__jpeg_shrink(mill_view *view, int eighths, int orientation);

#endif
