/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of random pixels, and the naive way to crop, mirror and resize them: whole images, one pixel at a
 * time, straight from the definitions. */
#ifndef TESTS_PIXEL_FIXTURE_H
#define TESTS_PIXEL_FIXTURE_H

#include "transform/render.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ck_assert tells the parent process of every check: too slow for millions. */
#define EXPECT_MSG(condition, ...) ((condition) ? (void)0 : ck_abort_msg(__VA_ARGS__))
#define EXPECT(condition)          EXPECT_MSG(condition, "%s", #condition)

/* ---- random numbers ---- */

static uint64_t pixel_seed = 42;

static inline uint32_t random_u32(void)
{
    pixel_seed = pixel_seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(pixel_seed >> 32);
}

static inline int64_t random_between(int64_t low, int64_t high)
{
    return low + (int64_t)(random_u32() % (uint64_t)(high - low + 1));
}

static inline int random_one_in(uint32_t n)
{
    return random_u32() % n == 0;
}

/* ---- pictures ---- */

typedef struct picture {
    int64_t width, height;
    int channels;
    uint8_t *pixels; /* dense, height x width x channels */
} picture;

static inline picture picture_new(int64_t width, int64_t height, int channels)
{
    picture p = {width, height, channels, calloc((size_t)(width * height) + 1, (size_t)channels)};
    ck_assert_ptr_nonnull(p.pixels);
    return p;
}

static inline void picture_free(picture *p)
{
    free(p->pixels);
    *p = (picture){0};
}

static inline uint8_t *picture_at(const picture *p, int64_t x, int64_t y)
{
    return p->pixels + (y * p->width + x) * p->channels;
}

static inline size_t picture_nbytes(const picture *p)
{
    return (size_t)(p->width * p->height * p->channels);
}

/* Waves, edges and noise. */
static inline picture picture_random(int64_t width, int64_t height, int channels)
{
    picture p = picture_new(width, height, channels);
    double across = (double)random_between(1, 40) / 50, down = (double)random_between(1, 40) / 50;
    int noise = (int)random_between(1, 60);
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
            for (int c = 0; c < channels; c++) {
                double wave = 128 + 100 * sin(across * (double)x + c) * cos(down * (double)y);
                double edge = (x / 13 + y / 11) % 2 ? 60 : -60;
                double v = wave + edge + (double)random_between(-noise, noise);
                picture_at(&p, x, y)[c] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
            }
    return p;
}

static inline int picture_equal(const picture *a, const picture *b)
{
    return a->width == b->width && a->height == b->height && a->channels == b->channels &&
           !memcmp(a->pixels, b->pixels, picture_nbytes(a));
}

/* ---- geometry ---- */

static inline picture picture_crop(const picture *p, int64_t x0, int64_t y0, int64_t width, int64_t height,
                                   uint8_t fill)
{
    picture out = picture_new(width, height, p->channels);
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
            for (int c = 0; c < p->channels; c++) {
                int inside = x + x0 >= 0 && x + x0 < p->width && y + y0 >= 0 && y + y0 < p->height;
                picture_at(&out, x, y)[c] = inside ? picture_at(p, x + x0, y + y0)[c] : fill;
            }
    return out;
}

static inline picture picture_flip(const picture *p)
{
    picture out = picture_new(p->width, p->height, p->channels);
    for (int64_t y = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++)
            memcpy(picture_at(&out, x, y), picture_at(p, p->width - 1 - x, y), (size_t)p->channels);
    return out;
}

/* Rows become columns. */
static inline picture picture_transpose(const picture *p)
{
    picture out = picture_new(p->height, p->width, p->channels);
    for (int64_t y = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++)
            memcpy(picture_at(&out, y, x), picture_at(p, x, y), (size_t)p->channels);
    return out;
}

/* ---- resizing ---- */

static inline double sine_ratio(double x)
{
    return x == 0 ? 1 : sin(M_PI * x) / (M_PI * x);
}

/* How much a pixel at distance d of an output's centre counts, in units of the filter. */
static inline double filter_weight(mill_filter filter, double d)
{
    double x = fabs(d);
    switch (filter) {
    case MILL_NEAREST:
        return 1;
    case MILL_BOX:
        return d > -0.5 && d <= 0.5;
    case MILL_BILINEAR:
        return x < 1 ? 1 - x : 0;
    case MILL_HAMMING:
        return x < 1 ? sine_ratio(x) * ((double)0.54F + (double)0.46F * cos(M_PI * x)) : 0;
    case MILL_BICUBIC:
        return x < 1   ? 1.5 * x * x * x - 2.5 * x * x + 1
               : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2
                       : 0;
    case MILL_LANCZOS:
        return d >= -3 && d < 3 ? sine_ratio(d) * sine_ratio(d / 3) : 0;
    }
    return 0;
}

static inline double filter_support(mill_filter filter)
{
    static const double supports[] = {0, 0.5, 1, 1, 2, 3};
    return supports[filter];
}

/* One line of n inputs to m outputs. As in Pillow: the window is the inputs whose centre is within the
 * support, weights are rounded to 2^-22, halves away from zero, and sums of them to the nearest byte. */
static inline void line_resize(const int64_t *in, int64_t n, int64_t *out, int64_t m, mill_filter filter)
{
    double scale = (double)n / (double)m, stretch = scale > 1 ? scale : 1;
    double reach = filter_support(filter) * stretch, at = scale / 2;
    for (int64_t i = 0; i < m; i++, at += scale) {
        if (filter == MILL_NEAREST) { /* a sum of steps: it matters where a product is whole */
            out[i] = in[(int64_t)at < n ? (int64_t)at : n - 1];
            continue;
        }
        double centre = ((double)i + 0.5) * scale, total = 0;
        int64_t first = (int64_t)fmax(centre - reach + 0.5, 0), sum = 1 << 21;
        int64_t end = (int64_t)fmin(centre + reach + 0.5, (double)n);
        for (int64_t k = first; k < end; k++)
            total += filter_weight(filter, ((double)k - centre + 0.5) * (1 / stretch));
        for (int64_t k = first; k < end; k++) {
            double w = filter_weight(filter, ((double)k - centre + 0.5) * (1 / stretch)) / total;
            sum += (int64_t)round(w * 0x1p22) * in[k];
        }
        sum >>= 22;
        out[i] = sum < 0 ? 0 : sum > 255 ? 255 : sum;
    }
}

/* Across, rounded to bytes, then down. A length that stays is left alone. */
static inline picture picture_resize(const picture *p, int64_t width, int64_t height, mill_filter filter)
{
    picture wide = picture_new(width, p->height, p->channels);
    int64_t longest = p->width + p->height + width + height;
    int64_t *in = calloc((size_t)longest, sizeof *in), *line = calloc((size_t)longest, sizeof *line);
    for (int c = 0; c < p->channels; c++)
        for (int64_t y = 0; y < p->height; y++) {
            for (int64_t x = 0; x < p->width; x++)
                in[x] = picture_at(p, x, y)[c];
            if (width != p->width)
                line_resize(in, p->width, line, width, filter);
            for (int64_t x = 0; x < width; x++)
                picture_at(&wide, x, y)[c] = (uint8_t)(width == p->width ? in[x] : line[x]);
        }
    picture out = picture_new(width, height, p->channels);
    for (int c = 0; c < p->channels; c++)
        for (int64_t x = 0; x < width; x++) {
            for (int64_t y = 0; y < p->height; y++)
                in[y] = picture_at(&wide, x, y)[c];
            if (height != p->height)
                line_resize(in, p->height, line, height, filter);
            for (int64_t y = 0; y < height; y++)
                picture_at(&out, x, y)[c] = (uint8_t)(height == p->height ? in[y] : line[y]);
        }
    free(in);
    free(line);
    picture_free(&wide);
    return out;
}

/* ---- rendering ---- */

/* What a view of pixels looks like, as u8 hwc. */
static inline picture picture_render(mill__renderer *r, const picture *p, const mill_view *view)
{
    picture out = picture_new(mill_view_width(view), mill_view_height(view), p->channels);
    mill__target target = {.data = out.pixels, .layout = MILL_HWC, .channels = p->channels, .dtype = MILL_U8};
    mill_error err;
    mill_status status = mill__pixels_render(r, p->pixels, p->channels, view, &target, &err);
    EXPECT_MSG(status == MILL_OK, "%s", err.message);
    return out;
}

/* Library against library: what the kernels do to a whole image and nothing else. */
static inline picture picture_resize_library(mill__renderer *r, const picture *p, int64_t width,
                                             int64_t height, mill_filter filter)
{
    mill_view view;
    mill__view_init(&view, p->width, p->height);
    EXPECT(mill_view_resize(&view, width, height, filter) == MILL_OK);
    return picture_render(r, p, &view);
}

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
