/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth/render.h: the pixels of a scene: shading and texture, then lens and grain. */
#ifndef SYNTH_RENDER_H
#define SYNTH_RENDER_H

#include "scene.h"

/* A run of one leaf in a row, at most TILE long. */
static void shade(const leaf *l, int y, int from, int n, uint8_t *luma, uint8_t *cb, uint8_t *cr)
{
    const int8_t *t = l->tile + ((y + l->tile_y) & (TILE - 1)) * 2 * TILE + ((from + l->tile_x) & (TILE - 1));
    int dy = y - (int)l->y, dx = from - (int)l->x;
    int row = l->luma * 65536 + l->slope_y * dy - l->hollow * dy * dy + 32768;
    for (int i = 0; i < n; i++) {
        int d = dx + i, v = ((row + l->slope_x * d - l->hollow * d * d) >> 16) + (l->amplitude * t[i] >> 8);
        luma[i] = to_byte(v);
    }
    for (int i = 0; i < n; i++)
        cb[i] = to_byte(l->cb + (l->tint_cb * t[i] >> 8));
    for (int i = 0; i < n; i++)
        cr[i] = to_byte(l->cr + (l->tint_cr * t[i] >> 8));
}

static void shade_row(const scene *s, int y, uint8_t *row, int stride)
{
    const uint16_t *label = s->label + (size_t)y * (size_t)s->width;
    for (int x = 0, end; x < s->width; x = end) {
        for (end = x + 1; end < s->width && label[end] == label[x] && end - x < TILE; end++)
            ;
        shade(&s->leaves[label[x]], y, x, end - x, row + x, row + stride + x, row + 2 * stride + x);
    }
}

/* (1 2 1)/4 along a row; the ends stay. */
static void blur_row(const uint8_t *in, int n, uint8_t *out)
{
    out[0] = in[0];
    out[n - 1] = in[n - 1];
    for (int i = 1; i < n - 1; i++)
        out[i] = (uint8_t)((in[i - 1] + 2 * in[i] + in[i + 1] + 2) >> 2);
}

static void blur_rows(const uint8_t *above, const uint8_t *here, const uint8_t *below, int n, uint8_t *out)
{
    for (int i = 0; i < n; i++)
        out[i] = (uint8_t)((above[i] + 2 * here[i] + below[i] + 2) >> 2);
}

static void add_grain(const int8_t *g, int amplitude, uint8_t *row, int n)
{
    for (int i = 0; i < n; i++)
        row[i] = to_byte(row[i] + (amplitude * g[i & (TILE - 1)] >> 8));
}

static void interleave(const uint8_t *row, int stride, int n, int ncomponents, uint8_t *out)
{
    if (ncomponents == 1) {
        memcpy(out, row, (size_t)n);
        return;
    }
    for (int i = 0; i < n; i++) {
        out[3 * i] = row[i];
        out[3 * i + 1] = row[stride + i];
        out[3 * i + 2] = row[2 * stride + i];
    }
}

/* Rows of three planes pass through the lens, three at a time. */
static void render(const scene *s, random_state *r, const int8_t *noise, int ncomponents, uint8_t *out)
{
    int n = s->width, stride = n, nplanes = 3 * stride;
    uint8_t *work = must(malloc((size_t)nplanes * 5)), *raw = work + (size_t)nplanes * 3,
            *row = raw + nplanes;
    bool sharp = one_in(r, 3);
    int amplitude = between(r, 0, 10);
    amplitude *= between(r, 0, 4);
    for (int y = 0; y <= s->height; y++) {
        uint8_t *newest = work + (size_t)(at_most(y, s->height - 1) % 3) * (size_t)nplanes;
        if (y < s->height) {
            shade_row(s, y, raw, stride);
            for (int c = 0; c < 3; c++)
                blur_row(raw + c * stride, n, newest + c * stride);
            if (sharp)
                memcpy(newest, raw, (size_t)nplanes);
        }
        if (y == 0)
            continue;
        const uint8_t *here = work + (size_t)((y - 1) % 3) * (size_t)nplanes;
        const uint8_t *above = work + (size_t)(at_least(y - 2, 0) % 3) * (size_t)nplanes;
        if (sharp)
            memcpy(row, here, (size_t)nplanes);
        else
            blur_rows(above, here, newest, nplanes, row);
        const int8_t *line = noise + between(r, 0, TILE - 1) * 2 * TILE;
        add_grain(line + between(r, 0, TILE - 1), amplitude, row, n);
        interleave(row, stride, n, ncomponents, out + (size_t)(y - 1) * (size_t)n * (size_t)ncomponents);
    }
    free(work);
}

#endif
