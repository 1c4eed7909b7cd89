/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/turn.h"
#include <string.h>

/* An orientation is a mirroring of columns, then of rows, then an exchange of the two. */
mill__turn mill__turn_for(int orientation, const mill__rect *need, int64_t width, int64_t height)
{
    int o = orientation;
    bool mirror_columns = o == 2 || o == 3 || o == 7 || o == 8;
    bool mirror_rows = o == 3 || o == 4 || o == 6 || o == 7;
    bool exchange = o > 4;
    mill__turn t = {.stored = *need, .across = 1, .down = (ptrdiff_t)need->width};
    if (exchange) {
        t.stored = (mill__rect){need->y, need->x, need->height, need->width};
        t.across = (ptrdiff_t)need->width;
        t.down = 1;
    }
    if (mirror_columns) {
        t.stored.x = width - t.stored.x - t.stored.width;
        t.at += (ptrdiff_t)(t.stored.width - 1) * t.across;
        t.across = -t.across;
    }
    if (mirror_rows) {
        t.stored.y = height - t.stored.y - t.stored.height;
        t.at += (ptrdiff_t)(t.stored.height - 1) * t.down;
        t.down = -t.down;
    }
    return t;
}

void mill__turn_row(const mill__turn *turn, int channels, int64_t y, const uint8_t *row, uint8_t *frame)
{
    ptrdiff_t at = turn->at + (ptrdiff_t)(y - turn->stored.y) * turn->down;
    for (int64_t x = 0; x < turn->stored.width; x++, at += turn->across, row += channels)
        for (int c = 0; c < channels; c++)
            frame[at * channels + c] = row[c];
}
