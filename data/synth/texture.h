/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth/texture.h: textures: noise whose amplitude falls with the octaves, with or without fibres, and
 * the grain of a sensor. All repeat, so that one serves any size and place. */
#ifndef SYNTH_TEXTURE_H
#define SYNTH_TEXTURE_H

#include "random.h"
#include <math.h>
#include <string.h>

enum {
    TILE = 512,    /* side of a texture */
    LEVEL = 32,    /* its standard deviation */
    ROUGHNESS = 3, /* kinds: roughness times direction, the last direction being none */
    DIRECTIONS = 9
};

/* Twice the size of a field of n x n that repeats: out(2i), out(2i+1) lie a quarter beside in(i). */
static void enlarge(const int *in, int n, int *out)
{
    for (int y = 0; y < 2 * n; y++) {
        const int *near = in + y / 2 * n, *far = in + (y / 2 + (y & 1 ? 1 : n - 1)) % n * n;
        for (int x = 0; x < n; x++) {
            int left = (x + n - 1) % n, right = (x + 1) % n;
            int middle = 9 * near[x] + 3 * far[x];
            out[y * 2 * n + 2 * x] = (middle + 3 * near[left] + far[left] + 8) >> 4;
            out[y * 2 * n + 2 * x + 1] = (middle + 3 * near[right] + far[right] + 8) >> 4;
        }
    }
}

/* Noise of every octave from 4 to TILE cells a side; an octave has falloff/256 of the amplitude of the one
 * before it: 256 gives a spectrum of 1/f, less a steeper one. */
static void make_octaves(random_state *r, int *field, int *spare, int falloff)
{
    int amplitude = 8192;
    memset(field, 0, 16 * sizeof *field);
    for (int n = 4;; n *= 2) {
        for (int i = 0; i < n * n; i++)
            field[i] += bell(r, amplitude);
        if (n == TILE)
            return;
        enlarge(field, n, spare);
        memcpy(field, spare, (size_t)(4 * n * n) * sizeof *field);
        amplitude = amplitude * falloff >> 8;
    }
}

/* Fibres: half the field, half the mean of seven points along a direction. */
static void comb(const int *in, int dx, int dy, int *out)
{
    for (int y = 0; y < TILE; y++)
        for (int x = 0; x < TILE; x++) {
            int sum = 0;
            for (int k = -3; k <= 3; k++)
                sum += in[((y + k * dy) & (TILE - 1)) * TILE + ((x + k * dx) & (TILE - 1))];
            out[y * TILE + x] = sum / 14 + in[y * TILE + x] / 2;
        }
}

/* Rows are stored twice side by side, so that a run of up to TILE may start anywhere. */
static int8_t *finish_tile(const int *field)
{
    int8_t *tile = must(malloc((size_t)2 * TILE * TILE));
    double squares = 0;
    for (int i = 0; i < TILE * TILE; i++)
        squares += (double)field[i] * field[i];
    int deviation = at_least((int)sqrt(squares / (TILE * TILE)), 1);
    for (int y = 0; y < TILE; y++)
        for (int x = 0; x < TILE; x++) {
            int v = field[y * TILE + x] * LEVEL / deviation;
            tile[y * 2 * TILE + x] = tile[y * 2 * TILE + x + TILE] = (int8_t)at_least(at_most(v, 127), -127);
        }
    return tile;
}

typedef struct {
    int8_t *textures[ROUGHNESS][DIRECTIONS];
    int8_t *grain;
} palette;

static int8_t *make_tile(uint64_t seed, int roughness, int direction)
{
    static const int falloffs[ROUGHNESS] = {230, 262, 288};
    static const int steps[DIRECTIONS][2] = {{1, 0},  {2, 1},  {1, 1},  {1, 2}, {0, 1},
                                             {-1, 2}, {-1, 1}, {-2, 1}, {0, 0}};
    random_state r = random_for(seed, (uint64_t)(1000 + roughness * DIRECTIONS + direction));
    int *field = must(malloc(TILE * TILE * sizeof *field)),
        *spare = must(malloc(TILE * TILE * sizeof *spare));
    make_octaves(&r, field, spare, falloffs[roughness]);
    comb(field, steps[direction][0], steps[direction][1], spare);
    int8_t *tile = finish_tile(spare);
    free(field);
    free(spare);
    return tile;
}

static const int8_t *texture(palette *p, uint64_t seed, int roughness, int direction)
{
    int8_t **tile = &p->textures[roughness][direction];
    if (!*tile)
        *tile = make_tile(seed, roughness, direction);
    return *tile;
}

static const int8_t *grain(palette *p, uint64_t seed)
{
    if (p->grain)
        return p->grain;
    random_state r = random_for(seed, 999);
    int *field = must(malloc(TILE * TILE * sizeof *field));
    for (int i = 0; i < TILE * TILE; i++)
        field[i] = bell(&r, 1000);
    p->grain = finish_tile(field);
    free(field);
    return p->grain;
}

static void free_palette(palette *p)
{
    for (int i = 0; i < ROUGHNESS * DIRECTIONS; i++)
        free(p->textures[i / DIRECTIONS][i % DIRECTIONS]);
    free(p->grain);
}

#endif
