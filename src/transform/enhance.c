/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/enhance.h"
#include <string.h>

void mill__brighten(const mill__frame *frame, double factor)
{
    if ((float)factor == 1.0f)
        mill__frame_copy(frame);
    else
        frame->kernels->blend_value(frame->out, 0, frame->in, frame->nbytes, (float)factor);
}

/* The mean luma to the nearest whole number, halves up. */
static uint8_t mean_grey(const mill__frame *frame)
{
    uint8_t grey[1024];
    size_t npixels = frame->width * frame->height;
    uint64_t sum = 0;
    for (size_t i = 0; i < npixels; i += sizeof grey) {
        size_t m = npixels - i < sizeof grey ? npixels - i : sizeof grey;
        const uint8_t *luma = frame->in + i;
        if (frame->c == 3) {
            frame->kernels->luma(grey, frame->in + 3 * i, m);
            luma = grey;
        }
        sum += frame->kernels->sum(luma, m);
    }
    return (uint8_t)((double)sum / (double)npixels + 0.5);
}

void mill__contrast(const mill__frame *frame, double factor)
{
    if ((float)factor == 1.0f)
        mill__frame_copy(frame);
    else
        frame->kernels->blend_value(frame->out, mean_grey(frame), frame->in, frame->nbytes, (float)factor);
}

void mill__saturate(const mill__frame *frame, double factor)
{
    if (frame->c == 1 || (float)factor == 1.0f)
        mill__frame_copy(frame);
    else
        frame->kernels->saturate(frame->out, frame->in, frame->width * frame->height, (float)factor);
}

void mill__turn_hue(const mill__frame *frame, double turn)
{
    if (frame->c == 1)
        mill__frame_copy(frame);
    else
        frame->kernels->turn_hue(frame->out, frame->in, frame->width * frame->height,
                                 (uint8_t)(int)(turn * 255));
}

/* ---- by histogram ---- */

static void identity(uint8_t *table)
{
    for (int v = 0; v < 256; v++)
        table[v] = (uint8_t)v;
}

/* The least and the greatest value that occur become 0 and 255. */
static void spread(uint8_t *table, const uint32_t *counts)
{
    int low = 0, high = 255;
    while (low < 255 && !counts[low])
        low++;
    while (high > 0 && !counts[high])
        high--;
    if (high <= low) {
        identity(table);
        return;
    }
    double scale = 255.0 / (high - low), offset = -low * scale;
    for (int v = 0; v < 256; v++) {
        double to = v * scale + offset;
        table[v] = (uint8_t)(to < 0 ? 0 : to > 255 ? 255 : to);
    }
}

/* Each value becomes the share of pixels below it, in steps of a 255th of all but those of the last value. */
static void even_out(uint8_t *table, const uint32_t *counts)
{
    uint64_t total = 0, last = 0, kinds = 0;
    for (int v = 0; v < 256; v++)
        if (counts[v]) {
            total += counts[v];
            last = counts[v];
            kinds++;
        }
    uint64_t step = (total - last) / 255, sum = step / 2;
    if (kinds < 2 || !step) {
        identity(table);
        return;
    }
    for (int v = 0; v < 256; v++) {
        uint64_t to = sum / step;
        table[v] = (uint8_t)(to > 255 ? 255 : to);
        sum += counts[v];
    }
}

static void by_histogram(const mill__frame *frame, void (*make)(uint8_t *table, const uint32_t *counts))
{
    uint32_t counts[3 * 256] = {0};
    uint8_t table[3 * 256];
    size_t npixels = frame->width * frame->height;
    frame->kernels->histogram(counts, frame->in, npixels, frame->c);
    for (size_t k = 0; k < frame->c; k++)
        make(table + 256 * k, counts + 256 * k);
    frame->kernels->look_up(frame->out, frame->in, npixels, frame->c, table);
}

void mill__autocontrast(const mill__frame *frame)
{
    by_histogram(frame, spread);
}

void mill__equalize(const mill__frame *frame)
{
    by_histogram(frame, even_out);
}

/* ---- by neighbourhood ---- */

void mill__sharpen(const mill__frame *frame, double factor)
{
    size_t row = frame->width * frame->c;
    if (frame->width < 3 || frame->height < 3 || (float)factor == 1.0f) {
        mill__frame_copy(frame);
        return;
    }
    memcpy(frame->out, frame->in, row);
    for (size_t y = 1; y + 1 < frame->height; y++) {
        const uint8_t *in = frame->in + y * row;
        frame->kernels->sharpen(frame->out + y * row, in - row, in, in + row, frame->width, frame->c,
                                (float)factor);
    }
    memcpy(frame->out + (frame->height - 1) * row, frame->in + (frame->height - 1) * row, row);
}
