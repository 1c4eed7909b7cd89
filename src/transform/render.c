/* SPDX-License-Identifier: Apache-2.0 */
/* transform/render.c: from source rows to the target: resample, colour table, store. */
#include "transform/render.h"
#include "base/error.h"
#include <stdbool.h>
#include <string.h>

/* ---- store ---- */

static void store(mill__renderer *r, int64_t x, int64_t y, const uint8_t *pixels, int64_t n)
{
    const mill__pass *pass = &r->pass;
    const mill__target *target = &pass->target;
    uint8_t *data = target->data;
    size_t at = (size_t)y * (size_t)pass->width + (size_t)(pass->flip ? pass->width - x - n : x);
    if (target->layout == MILL_CHW)
        r->kernels->store_chw(data + at * pass->entry_nbytes, (size_t)pass->width * (size_t)pass->height,
                              pixels, (size_t)n, target->channels, &r->store_table, pass->flip);
    else
        r->kernels->store_hwc(data + at * pass->entry_nbytes * (size_t)target->channels, pixels, (size_t)n,
                              target->channels, &r->store_table, pass->flip);
}

/* Everything of the canvas that clip leaves open. */
static mill_status store_fill(mill__renderer *r, uint8_t fill, mill_error *err)
{
    const mill__pass *pass = &r->pass;
    const mill__rect *clip = &pass->clip;
    int64_t right = pass->x + clip->width, bottom = pass->y + clip->height;
    if (pass->border || (clip->width == pass->width && clip->height == pass->height))
        return MILL_OK;
    uint64_t nbytes = (uint64_t)pass->width * (uint64_t)pass->target.channels;
    mill_status status = mill__reserve(r, &r->line, nbytes, "a row of padding", err);
    if (status)
        return status;
    memset(r->line.data, fill, (size_t)nbytes);
    for (int64_t y = 0; y < pass->height; y++) {
        if (y < pass->y || y >= bottom) {
            store(r, 0, y, r->line.data, pass->width);
            continue;
        }
        store(r, 0, y, r->line.data, pass->x);
        store(r, right, y, r->line.data, pass->width - right);
    }
    return MILL_OK;
}

/* ---- plan ---- */

/* The inputs that outputs first .. first + n - 1 use: where they begin, and how many. */
static void span_of(const mill__coefficients *c, int64_t first, int64_t n, int64_t *begin, int64_t *count)
{
    *begin = first;
    *count = n;
    if (!c)
        return;
    int64_t end = 0;
    *begin = c->in;
    for (int64_t i = first; i < first + n; i++) {
        int64_t low = c->bounds[2 * i], high = low + c->bounds[2 * i + 1];
        *begin = low < *begin ? low : *begin;
        end = high > end ? high : end;
    }
    *count = end - *begin;
}

/* In one direction; *c stays NULL where every pixel stays what it is. */
static mill_status choose_line(mill__renderer *r, mill_filter filter, int64_t in, float from, float to,
                               int64_t out, const mill__coefficients **c, mill_error *err)
{
    if (in == out && from == 0 && to == (float)in)
        return MILL_OK;
    return mill__coefficients_for(r, in, from, to, out, filter, c, err);
}

static mill_status choose_weights(mill__renderer *r, const mill_view *view, mill_error *err)
{
    mill__pass *pass = &r->pass;
    mill__part part = view->part;
    if (!part.given)
        part = (mill__part){true, 0, 0, (float)view->crop.width, (float)view->crop.height};
    mill_status status = choose_line(r, view->filter, view->crop.width, part.left, part.right,
                                     view->resized_width, &pass->across, err);
    if (!status)
        status = choose_line(r, view->filter, view->crop.height, part.top, part.bottom, view->resized_height,
                             &pass->down, err);
    if (status)
        return status;
    int64_t x, y;
    span_of(pass->across, pass->clip.x, pass->clip.width, &x, &pass->need.width);
    span_of(pass->down, pass->clip.y, pass->clip.height, &y, &pass->need.height);
    pass->need.x = view->crop.x + x;
    pass->need.y = view->crop.y + y;
    return MILL_OK;
}

static mill_status take_rows(mill__renderer *r, mill_error *err)
{
    mill__pass *pass = &r->pass;
    pass->row_nbytes = (size_t)pass->clip.width * (size_t)pass->target.channels;
    pass->stride = (pass->row_nbytes + MILL__RESAMPLE_SLACK + MILL__RESAMPLE_STRIP - 1) /
                   MILL__RESAMPLE_STRIP * MILL__RESAMPLE_STRIP;
    /* rows are pushed several at once, and the first output made of them may still need its whole window */
    uint64_t nrows = (pass->down ? pass->down->longest : 1) + MILL__RESAMPLE_ROWS - 1;
    pass->nring = nrows;
    mill_status status = mill__reserve(r, &r->line, pass->stride, "a row of pixels", err);
    if (!status)
        status = mill__reserve(r, &r->ring, nrows * pass->stride, "rows of pixels", err);
    if (!status)
        status = mill__reserve(r, &r->window, nrows * sizeof(uint8_t *), "rows of pixels", err);
    if (status || !pass->across)
        return status;
    uint64_t n = 2 * (uint64_t)pass->clip.width;
    status = mill__reserve(r, &r->bounds, n * sizeof(int32_t), "resize weights", err);
    if (status)
        return status;
    int32_t *bounds = (int32_t *)(void *)r->bounds.data;
    memcpy(bounds, pass->across->bounds + 2 * pass->clip.x, n * sizeof *bounds);
    for (uint64_t i = 0; i < n; i += 2)
        bounds[i] -= (int32_t)(pass->need.x - pass->crop.x);
    return MILL_OK;
}

static mill_status check(const mill_view *view, const mill__target *target, mill_error *err)
{
    if (target->channels != 1 && target->channels != 3)
        return mill_fail(err, MILL_INTERNAL, "render", "images of %d channels cannot be rendered",
                         target->channels);
    if (!target->table && target->dtype != MILL_U8)
        return mill_fail(err, MILL_INTERNAL, "render", "%s pixels cannot be stored without a colour table",
                         mill_dtype_name(target->dtype));
    if (target->layout != MILL_HWC && target->layout != MILL_CHW)
        return mill_fail(err, MILL_INTERNAL, "render", "images are stored as hwc or chw only");
    if (view->canvas.width < 1 || view->canvas.height < 1)
        return mill_fail(err, MILL_INTERNAL, "render", "an image of no width or height cannot be rendered");
    return MILL_OK;
}

mill_status mill__render_begin(mill__renderer *r, const mill_view *view, const mill__target *target,
                               mill_error *err)
{
    mill_status status = check(view, target, err);
    if (status)
        return status;
    r->renderings++;
    r->pass = (mill__pass){.target = *target,
                           .width = view->canvas.width,
                           .height = view->canvas.height,
                           .entry_nbytes = mill_dtype_nbytes(target->dtype),
                           .flip = view->flip,
                           .border = view->border,
                           .clip = view->clip,
                           .x = view->clip.x - view->canvas.x,
                           .y = view->clip.y - view->canvas.y,
                           .crop = view->crop,
                           .next = view->clip.y};
    r->kernels->store_prepare(&r->store_table, target->table, target->channels, r->pass.entry_nbytes);
    status = store_fill(r, view->fill, err);
    if (status || !view->clip.width || !view->clip.height)
        return status;
    status = choose_weights(r, view, err);
    return status ? status : take_rows(r, err);
}

/* ---- rows ---- */

static uint8_t *ring_row(mill__renderer *r, int64_t y)
{
    return r->ring.data + (uint64_t)y % r->pass.nring * r->pass.stride;
}

/* Make and store row pass.next of clip; the ring holds its window. */
static void make_row(mill__renderer *r)
{
    mill__pass *pass = &r->pass;
    const mill__coefficients *down = pass->down;
    int64_t first = down->bounds[2 * pass->next], count = down->bounds[2 * pass->next + 1];
    const int16_t *weights = down->weights + (size_t)pass->next * 2 * down->taps;
    const uint8_t *made = r->line.data;
    if (count == 1 && mill__weight(weights, 0) == 1 << MILL__RESAMPLE_BITS) {
        made = ring_row(r, first);
    } else {
        const uint8_t **window = (const uint8_t **)(void *)r->window.data;
        for (int64_t t = 0; t < count; t++)
            window[t] = ring_row(r, first + t);
        r->kernels->resample_column(r->line.data, window, pass->row_nbytes, weights, (size_t)count);
    }
    store(r, pass->x, pass->y + pass->next - pass->clip.y, made, pass->clip.width);
    pass->next++;
}

/* Whether row y of the crop is in the window of an output still to be made. */
static bool is_needed(const mill__pass *pass, int64_t y)
{
    const mill__coefficients *down = pass->down;
    if (!down)
        return true;
    int64_t next = pass->next, end = pass->clip.y + pass->clip.height;
    while (down->filter == MILL_NEAREST && next < end && down->bounds[2 * next] < y)
        next++; /* its windows leave rows between them out */
    return next < end && y >= down->bounds[2 * next];
}

/* Source rows into the ring, resampled across. */
static void fill_ring(mill__renderer *r, int64_t y, const uint8_t *const *rows, size_t nrows)
{
    mill__pass *pass = &r->pass;
    const mill__coefficients *across = pass->across;
    uint8_t *out[MILL__RESAMPLE_ROWS];
    const uint8_t *in[MILL__RESAMPLE_ROWS];
    size_t n = 0;
    for (size_t i = 0; i < nrows; i++)
        if (is_needed(pass, y + (int64_t)i)) {
            out[n] = ring_row(r, y + (int64_t)i);
            in[n++] = rows[i];
        }
    if (across && n)
        r->kernels->resample_rows(out, in, n, (size_t)pass->clip.width, pass->target.channels,
                                  (const int32_t *)(const void *)r->bounds.data,
                                  across->weights + (size_t)pass->clip.x * 2 * across->taps, across->taps);
    for (size_t i = 0; i < n && !across; i++)
        memcpy(out[i], in[i], pass->row_nbytes);
}

void mill__render_rows(mill__renderer *r, int64_t y, const uint8_t *const *rows, size_t nrows)
{
    mill__pass *pass = &r->pass;
    const mill__coefficients *down = pass->down;
    int64_t end = pass->clip.y + pass->clip.height;
    y -= pass->crop.y;
    if (pass->across || down)
        fill_ring(r, y, rows, nrows);
    if (!down)
        for (size_t i = 0; i < nrows && pass->next < end; i++, pass->next++)
            store(r, pass->x, pass->y + pass->next - pass->clip.y,
                  pass->across ? ring_row(r, y + (int64_t)i) : rows[i], pass->clip.width);
    while (down && pass->next < end &&
           down->bounds[2 * pass->next] + down->bounds[2 * pass->next + 1] <= y + (int64_t)nrows)
        make_row(r);
}

mill_status mill__render_frame(mill__renderer *r, const uint8_t *pixels, int64_t x, int64_t y, int64_t width,
                               int64_t height, mill_error *err)
{
    const mill__rect *need = &r->pass.need;
    size_t c = (size_t)r->pass.target.channels, stride = (size_t)width * c, n = (size_t)need->width * c;
    size_t total = stride * (size_t)height, nrows;
    for (int64_t i = need->y, end = need->y + need->height; i < end; i += (int64_t)nrows) {
        const uint8_t *rows[MILL__RESAMPLE_ROWS];
        for (nrows = 0; nrows < MILL__RESAMPLE_ROWS && i + (int64_t)nrows < end; nrows++) {
            size_t at = (size_t)(i + (int64_t)nrows - y) * stride + (size_t)(need->x - x) * c;
            rows[nrows] = pixels + at;
            if (total - at >= n + MILL__RESAMPLE_SLACK)
                continue;
            if (nrows) /* the rest in a push of its own */
                break;
            /* kernels would read behind the end */
            mill_status status = mill__reserve(r, &r->row, n + MILL__RESAMPLE_SLACK, "a row of pixels", err);
            if (status)
                return status;
            rows[nrows++] = memcpy(r->row.data, pixels + at, n);
            memset(r->row.data + n, 0, MILL__RESAMPLE_SLACK);
            break;
        }
        mill__render_rows(r, i, rows, nrows);
    }
    return MILL_OK;
}

mill_status mill__pixels_render(mill__renderer *r, const uint8_t *pixels, int channels, const mill_view *view,
                                const mill__target *target, mill_error *err)
{
    if (channels != target->channels)
        return mill_fail(err, MILL_INTERNAL, "render", "%d channels cannot be rendered into %d", channels,
                         target->channels);
    mill_status status = mill__render_begin(r, view, target, err);
    if (status)
        return status;
    status = mill__render_frame(r, pixels, 0, 0, view->source_width, view->source_height, err);
    if (!status)
        mill__render_border(&r->pass);
    return status;
}
