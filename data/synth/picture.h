/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth/picture.h: picture number i of a data set: its size and coding as a mix of photographs has them.
 */
#ifndef SYNTH_PICTURE_H
#define SYNTH_PICTURE_H

#include "compose.h"
#include "jpeg.h"
#include "options.h"
#include "render.h"

/* Sizes as people's photographs have them, for a usual width of 500. */
static void choose_size(random_state *r, const options *o, int *width, int *height)
{
    static const int usual[][2] = {{500, 375}, {500, 375}, {500, 375}, {375, 500}, {500, 333}, {500, 333},
                                   {333, 500}, {500, 400}, {500, 500}, {640, 480}, {480, 360}, {400, 300}};
    int kind = between(r, 0, 99), w, h;
    if (kind < 75) {
        const int *pair = usual[between(r, 0, 11)];
        w = pair[0];
        h = pair[1];
    } else {
        int side = kind < 82 ? between(r, 60, 200) : kind < 96 ? between(r, 200, 700) : between(r, 800, 1600);
        int other = side * between(r, 160, 256) / 256;
        w = one_in(r, 3) ? other : side;
        h = w == side ? other : side;
    }
    *width = o->fixed ? o->width : at_most(at_least((w * o->width + 250) / 500, 8), MAX_SIDE);
    *height = o->fixed ? o->height : at_most(at_least((h * o->height + 187) / 375, 8), MAX_SIDE);
}

static void choose_coding(random_state *r, const options *o, picture *p)
{
    int kind = between(r, 0, 99);
    p->quality = kind < 55 ? between(r, 91, 96) : kind < 90 ? between(r, 82, 92) : between(r, 75, 85);
    if (o->quality)
        p->quality = o->quality;
    kind = between(r, 0, 99);
    p->sampling = kind < 72 ? 0 : kind < 82 ? 1 : kind < 97 ? 2 : 3;
    p->ncomponents = one_in(r, 30) ? 1 : 3;
    p->progressive = one_in(r, 20);
    p->restart = one_in(r, 50) ? 4 : 0;
    p->orientation = one_in(r, 20) ? (one_in(r, 2) ? 6 : between(r, 2, 8)) : 1;
}

static void fill(random_state *r, enum pattern pattern, uint8_t *pixels, size_t n, int ncomponents)
{
    uint64_t bits = random_next(r);
    for (size_t i = 0; i < n; i++) {
        if (pattern == NOISE && i % 8 == 0)
            bits = random_next(r);
        pixels[i] = (uint8_t)(bits >> 8 * (pattern == NOISE ? i % 8 : i % (size_t)ncomponents));
    }
}

static picture make_picture(const options *o, palette *tones, uint64_t index)
{
    random_state r = random_for(o->seed, (1ull << 32) + index);
    picture p = {.class_id = between(&r, 0, o->nclasses - 1)};
    int width, height;
    choose_size(&r, o, &width, &height);
    choose_coding(&r, o, &p);
    p.width = p.orientation >= 5 ? height : width;
    p.height = p.orientation >= 5 ? width : height;
    size_t npixels = (size_t)width * (size_t)height, nbytes = npixels * (size_t)p.ncomponents;
    uint8_t *upright = must(malloc(nbytes)), *stored = upright;
    if (o->pattern == PHOTO) {
        mood m = {.seed_class = p.class_id, .nclasses = o->nclasses, .seed = o->seed, .palette = tones};
        scene *s = must(malloc(sizeof *s));
        *s = (scene){.width = width, .height = height, .label = must(malloc(npixels * sizeof(uint16_t)))};
        compose(&r, &m, s);
        render(s, &r, grain(tones, o->seed), p.ncomponents, upright);
        free(s->label);
        free(s);
    } else {
        fill(&r, o->pattern, upright, nbytes, p.ncomponents);
    }
    if (p.orientation > 1) {
        stored = must(malloc(nbytes));
        turn(upright, &p, stored);
        free(upright);
    }
    encode(&p, stored);
    free(stored);
    return p;
}

#endif
