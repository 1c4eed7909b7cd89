/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth.c: makes data sets of any size out of nothing, so that the demo, the tests and the benchmarks
 * need no download: WebDataset tar shards of photograph-like JPEGs, or .npy shards of numbers.
 *
 * A picture is a "dead leaves" scene (Lee, Mumford, Huang: "Occlusion models for natural images", 2001): a
 * backdrop, a ground, many flat shapes whose sizes follow a power law and which hide each other, and a main
 * object. Each shape has its colour, its shading, and a texture whose amplitude falls as about 1/f over the
 * octaves. Then come a lens (a small blur) and a sensor (grain). Such pictures have the spectrum, the sparse
 * edges and, what matters here, the bytes a pixel of photographs at the same JPEG quality. The class sets
 * the hue, outline and texture direction of the main object, with a spread: a linear classifier learns some.
 *
 * The same arguments give the same bytes everywhere: the arithmetic is integers, and doubles of which only
 * exactly rounded operations (+ - * / sqrt) are asked; picture i depends on the seed and i alone.
 * (So no expression may draw two random numbers: C leaves their order to the compiler.) */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
/* jpeglib.h needs stdio.h before it */
#include <jpeglib.h>

enum {
    TILE = 512,    /* side of a texture, which repeats */
    LEVEL = 32,    /* standard deviation of a texture */
    LEAVES = 400,  /* most shapes in a scene */
    ROUGHNESS = 3, /* kinds of texture: roughness times direction, the last direction being none */
    DIRECTIONS = 9,
    MAX_SIDE = 16384
};

/* ---- random numbers: splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators") */

typedef struct {
    uint64_t state;
} random_state;

static uint64_t random_next(random_state *r)
{
    uint64_t z = (r->state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* The numbers of one purpose: no two (seed, stream) share them. */
static random_state random_for(uint64_t seed, uint64_t stream)
{
    random_state r = {seed}, s = {0};
    s.state = random_next(&r) ^ stream * 0xD1342543DE82EF95u;
    s.state = random_next(&s);
    return s;
}

/* Uniform, both ends included. */
static int between(random_state *r, int low, int high)
{
    return low + (int)((random_next(r) >> 32) * (uint64_t)(high - low + 1) >> 32);
}

/* Nearly normal, mean 0: a sum of four uniform numbers. */
static int bell(random_state *r, int deviation)
{
    uint64_t bits = random_next(r);
    int sum = 0;
    for (int i = 0; i < 4; i++, bits >>= 16)
        sum += (int)(bits & 0xffff) - 0x8000;
    return (int)((int64_t)sum * deviation / 37837); /* the sum's deviation is 65536 / sqrt(3) */
}

static bool one_in(random_state *r, int n)
{
    return between(r, 1, n) == 1;
}

static void *must(void *p)
{
    if (!p) {
        fputs("synth: out of memory\n", stderr);
        exit(3);
    }
    return p;
}

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

static int at_least(int a, int b)
{
    return a > b ? a : b;
}

static uint8_t to_byte(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* ---- textures */

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

/* ---- scenes */

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

/* ---- pixels */

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

/* ---- files of JPEG */

typedef struct {
    int width, height; /* as stored */
    int class_id, quality, ncomponents, sampling, orientation, restart;
    bool progressive;
    unsigned char *jpeg;
    unsigned long njpeg;
} picture;

static const struct {
    const char *name;
    int h, v;
} samplings[] = {{"4:2:0", 2, 2}, {"4:2:2", 2, 1}, {"4:4:4", 1, 1}, {"4:4:0", 1, 2}};

/* Stores an upright picture so that it needs the EXIF orientation to be upright again. */
static void turn(const uint8_t *upright, const picture *p, uint8_t *stored)
{
    int o = p->orientation, n = p->ncomponents, upright_width = o >= 5 ? p->height : p->width;
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            int u = o == 2 || o == 3 || o == 7 || o == 8 ? p->width - 1 - x : x;
            int v = o == 3 || o == 4 || o == 6 || o == 7 ? p->height - 1 - y : y;
            size_t from = o >= 5 ? (size_t)u * (size_t)upright_width + (size_t)v
                                 : (size_t)v * (size_t)upright_width + (size_t)u;
            memcpy(stored + ((size_t)y * (size_t)p->width + (size_t)x) * (size_t)n,
                   upright + from * (size_t)n, (size_t)n);
        }
}

static void write_orientation(struct jpeg_compress_struct *c, int orientation)
{
    uint8_t exif[] = {'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                      1,   18,  0,   3,   0, 0, 0,   1,   0, 0,  0, 0, 0, 0, 0, 0};
    exif[25] = (uint8_t)orientation;
    jpeg_write_marker(c, JPEG_APP0 + 1, exif, sizeof exif);
}

static void encode(picture *p, uint8_t *pixels)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    p->jpeg = NULL;
    p->njpeg = 0;
    jpeg_mem_dest(&c, &p->jpeg, &p->njpeg);
    c.image_width = (JDIMENSION)p->width;
    c.image_height = (JDIMENSION)p->height;
    c.input_components = p->ncomponents;
    c.in_color_space = p->ncomponents == 3 ? JCS_YCbCr : JCS_GRAYSCALE;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, p->quality, TRUE);
    c.dct_method = JDCT_ISLOW;
    c.restart_in_rows = p->restart;
    if (p->ncomponents == 3) {
        c.comp_info[0].h_samp_factor = samplings[p->sampling].h;
        c.comp_info[0].v_samp_factor = samplings[p->sampling].v;
    }
    if (p->progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    if (p->orientation > 1)
        write_orientation(&c, p->orientation);
    while (c.next_scanline < c.image_height) {
        JSAMPROW row = pixels + (size_t)c.next_scanline * (size_t)p->width * (size_t)p->ncomponents;
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
}

/* ---- what the user asked for */

enum pattern { PHOTO, FLAT, NOISE };
static const char *const pattern_names[] = {"photo", "flat", "noise"};

typedef struct {
    const char *folder, *prefix;
    int nshards, nsamples, nclasses, width, height, reuse, digits, quality;
    bool fixed;
    uint64_t seed;
    enum pattern pattern;
    int row[4], nrow; /* .npy: the shape of a row */
} options;

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
    p->orientation = one_in(r, 25) ? between(r, 2, 8) : 1;
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

/* ---- shards */

static _Noreturn void usage(const char *what, const char *value)
{
    fprintf(stderr, "synth: %s%s%s\ntry: synth --help\n", what, value ? ": " : "", value ? value : "");
    exit(2);
}

typedef struct {
    char path[4096], part[4096 + 8];
    FILE *file;
    uint64_t nbytes;
} shard;

static void give_up(const char *what, const char *path)
{
    fprintf(stderr, "synth: %s %s: %s\n", what, path, strerror(errno));
    exit(3);
}

static void put(shard *s, const void *data, size_t n)
{
    if (n && fwrite(data, 1, n, s->file) != n)
        give_up("cannot write", s->part);
    s->nbytes += n;
}

static shard open_shard(const options *o, int number, const char *suffix)
{
    shard s = {0};
    int n = snprintf(s.path, sizeof s.path, "%s/%s-%0*d.%s", o->folder, o->prefix, o->digits, number, suffix);
    if (n < 0 || (size_t)n >= sizeof s.path)
        usage("too long a path", o->folder);
    snprintf(s.part, sizeof s.part, "%s.part", s.path);
    s.file = fopen(s.part, "wb");
    if (!s.file)
        give_up("cannot make", s.part);
    return s;
}

static void close_shard(shard *s)
{
    if (fclose(s->file) || rename(s->part, s->path))
        give_up("cannot finish", s->path);
}

/* POSIX ustar; mode, owner and time are constant. */
static void put_member(shard *s, const char *name, const void *data, size_t n)
{
    static const char zeros[512];
    char block[512] = {0};
    unsigned sum = 0;
    snprintf(block, 100, "%s", name);
    memcpy(block + 100, "0000444\0000000000\0000000000", 24);
    snprintf(block + 124, 12, "%011o", (unsigned)n);
    memcpy(block + 136, "00000000000\0        0", 21);
    memcpy(block + 257, "ustar\00000", 8);
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)block[i];
    snprintf(block + 148, 8, "%06o", sum);
    block[155] = ' ';
    put(s, block, sizeof block);
    put(s, data, n);
    put(s, zeros, (512 - n % 512) % 512);
}

static void put_sample(shard *s, uint64_t key, uint64_t source, const picture *p)
{
    char name[64], text[512];
    snprintf(name, sizeof name, "%06llu.jpg", (unsigned long long)key);
    put_member(s, name, p->jpeg, p->njpeg);
    snprintf(name, sizeof name, "%06llu.cls", (unsigned long long)key);
    put_member(s, name, text, (size_t)snprintf(text, sizeof text, "%d", p->class_id));
    int n = snprintf(
        text, sizeof text,
        "{\"name\": \"synth-%06llu\", \"class\": %d, \"width\": %d, \"height\": %d, \"quality\": %d, "
        "\"subsampling\": \"%s\", \"progressive\": %s, \"orientation\": %d}",
        (unsigned long long)source, p->class_id, p->width, p->height, p->quality,
        p->ncomponents == 1 ? "grey" : samplings[p->sampling].name, p->progressive ? "true" : "false",
        p->orientation);
    snprintf(name, sizeof name, "%06llu.json", (unsigned long long)key);
    put_member(s, name, text, (size_t)n);
}

/* Pictures that are asked for again (--reuse) are kept encoded. */
static uint64_t make_tar(const options *o)
{
    static const char end[1024];
    palette tones = {0};
    uint64_t nbytes = 0, total = (uint64_t)o->nshards * (uint64_t)o->nsamples;
    uint64_t distinct = o->reuse && (uint64_t)o->reuse < total ? (uint64_t)o->reuse : total;
    picture *kept = distinct < total ? must(calloc(distinct, sizeof *kept)) : NULL;
    for (int i = 0; i < o->nshards; i++) {
        shard s = open_shard(o, i, "tar");
        for (int k = 0; k < o->nsamples; k++) {
            uint64_t key = (uint64_t)i * (uint64_t)o->nsamples + (uint64_t)k, source = key % distinct;
            picture p = kept && kept[source].jpeg ? kept[source] : make_picture(o, &tones, source);
            put_sample(&s, key, source, &p);
            if (kept)
                kept[source] = p;
            else
                free(p.jpeg);
        }
        put(&s, end, sizeof end);
        nbytes += s.nbytes;
        close_shard(&s);
    }
    for (uint64_t i = 0; kept && i < distinct; i++)
        free(kept[i].jpeg);
    free(kept);
    free_palette(&tones);
    return nbytes;
}

/* Rows of numbers: column j has its own mean and spread and follows its left neighbour in part. All are
 * multiples of 2^-10 below 2^13, so exact in float32. */
static void put_rows(const options *o, shard *s, int number, size_t ncolumns)
{
    random_state columns = random_for(o->seed, 1), r = random_for(o->seed, (2ull << 32) + (uint64_t)number);
    int *mean = must(malloc(2 * ncolumns * sizeof *mean)), *spread = mean + ncolumns;
    uint8_t *row = must(malloc(4 * ncolumns));
    for (size_t j = 0; j < ncolumns; j++) {
        mean[j] = bell(&columns, 4096);
        spread[j] = between(&columns, 256, 8192);
    }
    for (int i = 0; i < o->nsamples; i++) {
        int before = 0;
        for (size_t j = 0; j < ncolumns; j++) {
            before = before / 2 + bell(&r, 1024);
            float value = (float)(mean[j] + (int)((int64_t)before * spread[j] / 1024)) / 1024.0f;
            uint32_t bits;
            memcpy(&bits, &value, 4);
            for (int b = 0; b < 4; b++)
                row[4 * j + (size_t)b] = (uint8_t)(bits >> 8 * b);
        }
        put(s, row, 4 * ncolumns);
    }
    free(mean);
    free(row);
}

/* Version 1.0 of the format: magic, length, a Python literal padded to a multiple of 64. */
static uint64_t make_npy(const options *o)
{
    uint64_t nbytes = 0;
    size_t ncolumns = 1;
    char shape[128];
    int n = snprintf(shape, sizeof shape, "%d,", o->nsamples);
    for (int i = 0; i < o->nrow; i++) {
        ncolumns *= (size_t)o->row[i];
        n += snprintf(shape + n, sizeof shape - (size_t)n, " %d%s", o->row[i], i + 1 < o->nrow ? "," : "");
    }
    for (int i = 0; i < o->nshards; i++) {
        char header[257];
        n = snprintf(header + 10, 192, "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", shape);
        int padded = (10 + n + 1 + 63) / 64 * 64;
        memset(header + 10 + n, ' ', (size_t)(padded - 10 - n));
        memcpy(header, "\x93NUMPY\1\0", 8);
        header[8] = (char)((padded - 10) & 255);
        header[9] = (char)((padded - 10) >> 8);
        header[padded - 1] = '\n';
        shard s = open_shard(o, i, "npy");
        put(&s, header, (size_t)padded);
        put_rows(o, &s, i, ncolumns);
        nbytes += s.nbytes;
        close_shard(&s);
    }
    return nbytes;
}

/* ---- the command */

static const char help[] =
    "usage: synth OUTDIR [options]\n"
    "Makes WebDataset shards of photograph-like JPEGs: OUTDIR/train-000000.tar, ...; the same options give "
    "the\n"
    "same bytes everywhere.\n"
    "  --shards N             number of shards (4)\n"
    "  --samples-per-shard N  samples in a shard (100)\n"
    "  --classes N            number of classes (10)\n"
    "  --size WxH             usual size of a picture; others are about it (500x375)\n"
    "  --fixed                every picture has exactly that size\n"
    "  --quality Q            one JPEG quality for all (a mix of 75 to 96)\n"
    "  --pattern NAME         photo, flat or noise (photo)\n"
    "  --seed S               another seed gives another data set (1)\n"
    "  --reuse K              render K pictures only and repeat them under new keys: fast large data sets\n"
    "  --prefix NAME          first part of the shards' names (train)\n"
    "  --digits N             digits of a shard's number (6)\n"
    "  --npy SHAPE            write .npy shards of float32 instead, rows of this shape, e.g. 16 or 3x8x8\n"
    "example: synth /tmp/photos --shards 20 --samples-per-shard 1000 --reuse 500\n";

/* Up to `most` numbers with x between them. */
static int parse_shape(const char *name, const char *text, int most, int *out)
{
    int n = 0;
    for (const char *p = text;; p++) {
        char *end;
        long v = strtol(p, &end, 10);
        if (end == p || v < 1 || v > MAX_SIDE || n == most || (*end && *end != 'x'))
            usage(name, text);
        out[n++] = (int)v;
        if (!*end)
            return n;
        p = end;
    }
}

static int parse_count(const char *name, const char *text, int low, int high)
{
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < low || v > high)
        usage(name, text);
    return (int)v;
}

static uint64_t parse_seed(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-')
        usage("--seed needs a whole number", text);
    return v;
}

static enum pattern parse_pattern(const char *text)
{
    for (int i = 0; i < 3; i++)
        if (!strcmp(text, pattern_names[i]))
            return (enum pattern)i;
    usage("--pattern is photo, flat or noise, not", text);
}

static void parse_size(options *o, const char *text)
{
    int size[2];
    if (parse_shape("--size needs WxH", text, 2, size) != 2)
        usage("--size needs WxH", text);
    o->width = at_least(size[0], 8);
    o->height = at_least(size[1], 8);
}

static void parse_option(options *o, int option, const char *value)
{
    switch (option) {
    case 's':
        o->nshards = parse_count("--shards needs a count", value, 1, 1000000);
        break;
    case 'n':
        o->nsamples = parse_count("--samples-per-shard needs a count", value, 0, 100000000);
        break;
    case 'c':
        o->nclasses = parse_count("--classes needs 1 to 100000", value, 1, 100000);
        break;
    case 'w':
        parse_size(o, value);
        break;
    case 'f':
        o->fixed = true;
        break;
    case 'q':
        o->quality = parse_count("--quality needs 1 to 100", value, 1, 100);
        break;
    case 'p':
        o->pattern = parse_pattern(value);
        break;
    case 'S':
        o->seed = parse_seed(value);
        break;
    case 'r':
        o->reuse = parse_count("--reuse needs a count", value, 1, 10000000);
        break;
    case 'P':
        o->prefix = value;
        break;
    case 'd':
        o->digits = parse_count("--digits needs 1 to 9", value, 1, 9);
        break;
    case 'N':
        o->nrow = parse_shape("--npy needs a shape such as 16 or 3x8x8", value, 4, o->row);
        break;
    case 'h':
        fputs(help, stdout);
        exit(0);
    default:
        usage("unknown option or missing value", NULL);
    }
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"shards", 1, 0, 's'},  {"samples-per-shard", 1, 0, 'n'},
                                          {"classes", 1, 0, 'c'}, {"size", 1, 0, 'w'},
                                          {"fixed", 0, 0, 'f'},   {"quality", 1, 0, 'q'},
                                          {"pattern", 1, 0, 'p'}, {"seed", 1, 0, 'S'},
                                          {"reuse", 1, 0, 'r'},   {"prefix", 1, 0, 'P'},
                                          {"digits", 1, 0, 'd'},  {"npy", 1, 0, 'N'},
                                          {"help", 0, 0, 'h'},    {0, 0, 0, 0}};
    options o = {.prefix = "train",
                 .nshards = 4,
                 .nsamples = 100,
                 .nclasses = 10,
                 .width = 500,
                 .height = 375,
                 .digits = 6,
                 .seed = 1};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;)
        parse_option(&o, c, optarg);
    if (optind + 1 != argc)
        usage("needs one output folder", NULL);
    o.folder = argv[optind];
    if (mkdir(o.folder, 0777) && errno != EEXIST)
        give_up("cannot make folder", o.folder);
    uint64_t nbytes = o.nrow ? make_npy(&o) : make_tar(&o);
    printf("synth: %d shards, %llu samples, %.1f MB in %s (seed %llu)\n", o.nshards,
           (unsigned long long)o.nshards * (unsigned long long)o.nsamples, (double)nbytes / 1e6, o.folder,
           (unsigned long long)o.seed);
    return 0;
}
