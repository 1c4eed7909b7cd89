/* SPDX-License-Identifier: Apache-2.0 */
/* Pixel i of a source that was decoded at n eighths of its size stands for the pixels from 8 i / n to
 * 8 (i + 1) / n. So a crop of whole pixels becomes a part in fractions of pixels, and resizing that part to
 * the same size shows the same piece of the picture. */
#include "transform/jpeg_scale.h"
#include <math.h>

int64_t mill__jpeg_shrunk(int64_t side, int eighths)
{
    return (side * eighths + 7) / 8;
}

static mill__part part_of(const mill_view *view)
{
    if (view->part.given)
        return view->part;
    return (mill__part){true, 0, 0, (float)view->crop.width, (float)view->crop.height};
}

int mill__jpeg_eighths(const mill_view *view)
{
    mill__part part = part_of(view);
    double across = (double)view->resized_width / (double)(part.right - part.left);
    double down = (double)view->resized_height / (double)(part.bottom - part.top);
    double most = across > down ? across : down;
    if (!view->resized || view->filter == MILL_NEAREST) /* wants certain pixels, not means */
        return 8;
    return most <= 0.125 ? 1 : most <= 0.25 ? 2 : most <= 0.5 ? 4 : 8;
}

/* One direction: of a source of length pixels, first and count of the crop, and the part in it. A mirrored
 * source begins with what was its last pixel, which may stand for less than its share. */
static void shrink_line(int64_t *length, int64_t *first, int64_t *count, float *from, float *to, int eighths,
                        bool mirrored)
{
    double scale = eighths / 8.0;
    int64_t shrunk = mill__jpeg_shrunk(*length, eighths);
    double shift = mirrored ? (double)shrunk - (double)*length * scale : 0;
    double begin = (double)*first * scale + shift, end = (double)(*first + *count) * scale + shift;
    int64_t low = (int64_t)floor(begin), high = (int64_t)ceil(end);
    high = high > shrunk ? shrunk : high;
    *from = (float)(begin + (double)*from * scale - (double)low);
    *to = (float)(begin + (double)*to * scale - (double)low);
    *to = *to > (float)(high - low) ? (float)(high - low) : *to;
    *first = low;
    *count = high - low;
    *length = shrunk;
}

void mill__jpeg_shrink(mill_view *view, int eighths, int orientation)
{
    int o = orientation;
    bool right_to_left = o == 2 || o == 3 || o == 6 || o == 7;
    bool upside_down = o == 3 || o == 4 || o == 7 || o == 8;
    view->part = part_of(view);
    shrink_line(&view->source_width, &view->crop.x, &view->crop.width, &view->part.left, &view->part.right,
                eighths, right_to_left);
    shrink_line(&view->source_height, &view->crop.y, &view->crop.height, &view->part.top, &view->part.bottom,
                eighths, upside_down);
}
