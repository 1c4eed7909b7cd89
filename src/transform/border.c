/* SPDX-License-Identifier: Apache-2.0 */
/* transform/border.c: a border of an image's own pixels, copied in the target, where they are in their final
 * form already. */
#include "transform/render.h"
#include <string.h>

/* Which of n pixels stands at place i, which may lie before the first or behind the last. */
static int64_t source_of(mill__border border, int64_t i, int64_t n)
{
    int64_t period = border == MILL__BORDER_REFLECT ? 2 * (n - 1) : 2 * n;
    if (border == MILL__BORDER_EDGE || !period)
        return i < 0 ? 0 : i >= n ? n - 1 : i;
    i = (i % period + period) % period;
    if (i < n)
        return i;
    return border == MILL__BORDER_REFLECT ? period - i : period - 1 - i;
}

/* Pixels of pixel_nbytes, in rows of width; x, y: where the clip begins in the plane. */
static void fill_plane(const mill__pass *pass, uint8_t *plane, size_t pixel_nbytes, int64_t x, int64_t y)
{
    size_t stride = (size_t)pass->width * pixel_nbytes;
    for (int64_t row = y; row < y + pass->clip.height; row++) {
        uint8_t *pixels = plane + (size_t)row * stride;
        for (int64_t i = 0; i < pass->width; i++) {
            if (i == x)
                i += pass->clip.width;
            if (i < pass->width)
                memcpy(pixels + (size_t)i * pixel_nbytes,
                       pixels + (size_t)(x + source_of(pass->border, i - x, pass->clip.width)) * pixel_nbytes,
                       pixel_nbytes);
        }
    }
    for (int64_t row = 0; row < pass->height; row++) {
        int64_t from = y + source_of(pass->border, row - y, pass->clip.height);
        if (from != row)
            memcpy(plane + (size_t)row * stride, plane + (size_t)from * stride, stride);
    }
}

void mill__render_border(const mill__pass *pass)
{
    if (!pass->border)
        return;
    const mill__target *target = &pass->target;
    int64_t x = pass->flip ? pass->width - pass->x - pass->clip.width : pass->x;
    bool planar = target->layout == MILL_CHW;
    size_t nplanes = planar ? (size_t)target->channels : 1;
    size_t pixel_nbytes = pass->entry_nbytes * (planar ? 1 : (size_t)target->channels);
    size_t plane_nbytes = (size_t)pass->width * (size_t)pass->height * pixel_nbytes;
    for (size_t i = 0; i < nplanes; i++)
        fill_plane(pass, (uint8_t *)target->data + i * plane_nbytes, pixel_nbytes, x, pass->y);
}
