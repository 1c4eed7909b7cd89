/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth/compose.h: fills a scene: backdrop, ground, clutter and the object that the class is about. */
#ifndef SYNTH_COMPOSE_H
#define SYNTH_COMPOSE_H

#include "scene.h"

static outline ellipse(random_state *r, double radius)
{
    double other = radius * between(r, 60, 256) / 256;
    return (outline){0, between(r, 0, 255), {radius, other}, {0}};
}

static outline box(random_state *r, double radius, int turn)
{
    double other = radius * between(r, 60, 256) / 256;
    return (outline){4, 0, {radius, other, radius, other}, {turn, turn + 64, turn + 128, turn + 192}};
}

static outline triangle(random_state *r, double radius, int turn)
{
    double other = radius * between(r, 150, 256) / 256;
    return (outline){3, 0, {radius * 0.75, other * 0.625, other * 0.625}, {turn, turn + 85, turn + 171}};
}

static outline shape(random_state *r, int kind, double radius)
{
    switch (kind) {
    case 0:
        return ellipse(r, radius);
    case 1:
        return box(r, radius, bell(r, 4) & 255);
    case 2:
        return triangle(r, radius, (64 + bell(r, 5)) & 255);
    default:
        return box(r, radius, (32 + bell(r, 6)) & 255);
    }
}

typedef struct {
    int seed_class, nclasses;
    uint64_t seed;
    palette *palette;
    int hue, horizon, clutter, contrast;
} mood;

static void colour(leaf *l, int luma, int hue, int saturation)
{
    double cb, cr;
    direction_of(hue & 255, &cb, &cr);
    l->luma = at_least(at_most(luma, 245), 8);
    l->cb = 128 + (int)(cb * saturation);
    l->cr = 128 + (int)(cr * saturation);
}

static leaf make_leaf(random_state *r, const mood *m, double x, double y, double radius)
{
    leaf l = {.x = x, .y = y};
    int fall = (int)(65536 * 40 / (radius + 8));
    l.slope_x = bell(r, fall);
    l.slope_y = bell(r, fall);
    l.hollow = one_in(r, 2) ? (int)(between(r, 0, 50) * 65536 / (radius * radius + 64)) : 0;
    int roughness = between(r, 0, ROUGHNESS - 1), direction = between(r, 0, DIRECTIONS - 1);
    l.tile = texture(m->palette, m->seed, roughness, direction);
    l.tile_x = between(r, 0, TILE - 1);
    l.tile_y = between(r, 0, TILE - 1);
    int strength = between(r, 10, 100);
    l.amplitude = (1 + strength * strength * m->contrast / 10000) * 256 / LEVEL;
    l.tint_cb = bell(r, 40) * l.amplitude / 256;
    l.tint_cr = bell(r, 40) * l.amplitude / 256;
    return l;
}

static void paint_backdrop(random_state *r, const mood *m, scene *s)
{
    double side = at_least(s->width, s->height);
    leaf sky = make_leaf(r, m, s->width / 2.0, s->height / 2.0, side);
    sky.hollow = 0;
    sky.amplitude = sky.amplitude * between(r, 20, 256) >> 8;
    int luma = 165 + bell(r, 45), hue = m->hue + 110 + bell(r, 40);
    colour(&sky, luma, hue, between(r, 3, 24));
    outline all = {1, 0, {4.0 * side}, {0}};
    paint(s, &sky, &all, 2 * side);
    if (m->horizon >= s->height)
        return;
    leaf ground = make_leaf(r, m, s->width / 2.0, m->horizon, side);
    ground.hollow = 0;
    luma = 105 + bell(r, 35);
    hue = m->hue + 60 + bell(r, 40);
    colour(&ground, luma, hue, between(r, 4, 28));
    outline below = {1, 0, {0}, {(192 + bell(r, 3)) & 255}};
    paint(s, &ground, &below, 2 * side);
}

/* Radii with a density of about radius^-3, as scale invariance asks. */
static double power_law(random_state *r, double smallest, double largest)
{
    double ratio = smallest / largest, u = between(r, 0, 65535) / 65536.0;
    return smallest / sqrt(1 - u * (1 - ratio * ratio));
}

static void paint_clutter(random_state *r, const mood *m, scene *s)
{
    double largest = at_most(s->width, s->height) * 0.35;
    double smallest = at_most(s->width, s->height) * 0.012 + 1;
    for (int i = 0; i < m->clutter; i++) {
        double radius = power_law(r, smallest, largest);
        int top = one_in(r, 3) ? 0 : at_most(m->horizon, s->height) * 3 / 4;
        double x = between(r, 0, s->width), y = between(r, top, s->height);
        leaf l = make_leaf(r, m, x, y, radius);
        int luma = 110 + bell(r, 68), hue = m->hue + bell(r, 60), most = between(r, 1, 5);
        colour(&l, luma, hue, most * between(r, 1, 9));
        outline o = one_in(r, 3) ? shape(r, between(r, 1, 3), radius) : ellipse(r, radius);
        paint(s, &l, &o, radius * 1.5);
    }
}

/* The object that the class is about, with marks on it. */
static void paint_subject(random_state *r, const mood *m, scene *s)
{
    double side = at_most(s->width, s->height), radius = side * between(r, 18, 42) / 100;
    double x = s->width / 2.0 + bell(r, s->width / 8), y = s->height / 2.0 + bell(r, s->height / 8);
    int kind = m->seed_class % 4, hue = m->hue + bell(r, 6), saturation = between(r, 18, 58);
    leaf l = make_leaf(r, m, x, y, radius);
    l.tile = texture(m->palette, m->seed, between(r, 0, ROUGHNESS - 1), m->seed_class % (DIRECTIONS - 1));
    colour(&l, 100 + 20 * (m->seed_class % 3) + bell(r, 30), hue, saturation);
    outline o = shape(r, kind, radius);
    paint(s, &l, &o, radius * 1.5);
    int marks = between(r, 4, 30);
    for (int i = 0; i < marks; i++) {
        double small = power_law(r, side * 0.012 + 1, radius * 0.3);
        int room = (int)(radius * 0.6);
        double mark_x = x + between(r, -room, room), mark_y = y + between(r, -room, room);
        leaf mark = make_leaf(r, m, mark_x, mark_y, small);
        int luma = l.luma + bell(r, 45);
        colour(&mark, luma, hue + bell(r, 12), saturation);
        o = shape(r, one_in(r, 2) ? 0 : kind, small);
        paint(s, &mark, &o, small * 1.5);
    }
}

static void compose(random_state *r, mood *m, scene *s)
{
    s->nleaves = 0;
    m->hue = m->seed_class * 256 / m->nclasses + bell(r, at_most(12, 160 / m->nclasses + 2));
    m->horizon = one_in(r, 3) ? s->height : s->height * between(r, 25, 80) / 100;
    m->clutter = between(r, 0, 17);
    m->clutter *= between(r, 0, 17);
    m->contrast = between(r, 30, 160);
    paint_backdrop(r, m, s);
    paint_clutter(r, m, s);
    paint_subject(r, m, s);
    if (one_in(r, 3))
        paint_subject(r, m, s);
}

#endif
