/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth/scene.h: what a scene is made of: shapes that hide each other, kept as one label a pixel. */
#ifndef SYNTH_SCENE_H
#define SYNTH_SCENE_H

#include "texture.h"

enum {
    LEAVES = 400, /* most shapes in a scene */
    MAX_SIDE = 16384
};

/* What a pixel of one shape looks like. Colours are YCbCr, as JPEG stores them. */
typedef struct {
    int luma, cb, cr;
    double x, y;                  /* centre */
    int slope_x, slope_y, hollow; /* shading, in 1/65536 a pixel and a pixel squared */
    const int8_t *tile;
    int tile_x, tile_y, amplitude; /* 256: the texture as it is */
    int tint_cb, tint_cr;          /* how much the texture colours, the same unit */
} leaf;

/* Where it is: an ellipse, or the points within given distances of the centre along `nsides` directions. */
typedef struct {
    int nsides; /* 0: an ellipse with radii[0] along turn and radii[1] across it */
    int turn;
    double radii[4];
    int turns[4];
} outline;

typedef struct {
    int width, height, nleaves;
    leaf leaves[LEAVES];
    uint16_t *label; /* the leaf seen at each pixel */
} scene;

/* A unit vector; 256 is a full turn. (Rational, so exact on every machine; angles are not evenly spaced.) */
static void direction_of(int turn, double *dx, double *dy)
{
    double u = (turn & 63) / 64.0, c = (1 - u * u) / (1 + u * u), s = 2 * u / (1 + u * u);
    const double vectors[4][2] = {{c, s}, {-s, c}, {-c, -s}, {s, -c}};
    *dx = vectors[turn >> 6 & 3][0];
    *dy = vectors[turn >> 6 & 3][1];
}

/* The part of a row, dy below the centre, that an ellipse covers, relative to the centre. */
static bool ellipse_span(const outline *o, double dy, double span[2])
{
    double c, s, p = 1 / (o->radii[0] * o->radii[0]), q = 1 / (o->radii[1] * o->radii[1]);
    direction_of(o->turn, &c, &s);
    double a = c * c * p + s * s * q, b = c * s * (p - q) * dy, d = (s * s * p + c * c * q) * dy * dy - 1;
    double root = b * b - a * d;
    if (root < 0)
        return false;
    root = sqrt(root);
    span[0] = (-b - root) / a;
    span[1] = (-b + root) / a;
    return true;
}

static bool polygon_span(const outline *o, double dy, double span[2])
{
    span[0] = -2 * MAX_SIDE;
    span[1] = 2 * MAX_SIDE;
    for (int i = 0; i < o->nsides; i++) {
        double nx, ny;
        direction_of(o->turns[i], &nx, &ny);
        double room = o->radii[i] - ny * dy;
        if (nx > 0 && room / nx < span[1])
            span[1] = room / nx;
        else if (nx < 0 && room / nx > span[0])
            span[0] = room / nx;
        else if (nx == 0 && room < 0)
            return false;
    }
    return span[0] <= span[1];
}

static void paint(scene *s, const leaf *l, const outline *o, double reach)
{
    if (s->nleaves == LEAVES)
        return;
    int id = s->nleaves++;
    s->leaves[id] = *l;
    int top = at_least((int)(l->y - reach), 0), bottom = at_most((int)(l->y + reach) + 1, s->height);
    for (int y = top; y < bottom; y++) {
        double span[2];
        if (!(o->nsides ? polygon_span(o, y - l->y, span) : ellipse_span(o, y - l->y, span)))
            continue;
        int from = at_least((int)ceil(l->x + span[0]), 0),
            to = at_most((int)floor(l->x + span[1]) + 1, s->width);
        for (int x = from; x < to; x++)
            s->label[(size_t)y * (size_t)s->width + (size_t)x] = (uint16_t)id;
    }
}

#endif
