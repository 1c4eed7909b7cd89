/* SPDX-License-Identifier: Apache-2.0 */
/* Every level of the augmentations' kernels against loops written here, over random input with every kind of
 * tail; hue over every colour there is. */
#include "kernel/augment.h"
#include "pixel_fixture.h"

static const char *const levels[] = {"c", "x86-64-v3", "x86-64-v4"};
enum { NLEVELS = sizeof levels / sizeof *levels, GUARD = 64, MOST = 700 };

/* A level that this machine lacks answers with a lower one. */
static const mill__augment_kernels *kernels_of(const char *level)
{
    const mill__kernels *kernels = mill__kernels_get(level);
    if (strcmp(kernels->level, level)) {
        printf("skip: this machine has no %s\n", level);
        return NULL;
    }
    return mill__augment_get(kernels);
}

typedef struct room {
    uint8_t a[3 * MOST + GUARD], b[3 * MOST + GUARD], out[3 * MOST + GUARD];
    size_t n; /* pixels */
    float factor;
} room;

static void fill_room(room *r)
{
    for (size_t i = 0; i < sizeof r->a; i++) {
        r->a[i] = (uint8_t)(random_u32() >> 7);
        r->b[i] = random_one_in(4) ? r->a[i] : (uint8_t)random_u32();
        r->out[i] = 0xa5;
    }
    r->n = (size_t)random_between(0, random_one_in(2) ? 40 : MOST);
    static const float plain[] = {0, 1, 0.5f, 2, -1};
    r->factor = random_one_in(3) ? plain[random_between(0, 4)] : (float)random_between(-3000, 5000) / 1024;
}

/* Nothing is written behind the last byte. */
static void expect_guard(const room *r, size_t n)
{
    for (size_t i = n; i < n + GUARD && i < sizeof r->out; i++)
        EXPECT(r->out[i] == 0xa5);
}

static uint8_t blended(int from, int to, float factor)
{
    float change = factor * (float)(to - from), v = (float)from + change;
    return v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)v;
}

static uint8_t luma_of(const uint8_t *p)
{
    return (uint8_t)((p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 32768) >> 16);
}

START_TEST(blends)
{
    const mill__augment_kernels *k = kernels_of(levels[_i]);
    static room r;
    for (int round = 0; k && round < 1500; round++) {
        fill_room(&r);
        k->blend(r.out, r.a, r.b, r.n, r.factor);
        for (size_t i = 0; i < r.n; i++)
            EXPECT(r.out[i] == blended(r.a[i], r.b[i], r.factor));
        expect_guard(&r, r.n);
        k->blend_value(r.out, r.b[0], r.a, r.n, r.factor);
        for (size_t i = 0; i < r.n; i++)
            EXPECT(r.out[i] == blended(r.b[0], r.a[i], r.factor));
        k->blend_value(r.out, 0, r.out, r.n, 0.5f); /* in place */
        for (size_t i = 0; i < r.n; i++)
            EXPECT(r.out[i] == blended(0, blended(r.b[0], r.a[i], r.factor), 0.5f));
    }
}
END_TEST

START_TEST(luma_and_saturation)
{
    const mill__augment_kernels *k = kernels_of(levels[_i]);
    static room r;
    for (int round = 0; k && round < 800; round++) {
        fill_room(&r);
        k->luma(r.out, r.a, r.n);
        for (size_t i = 0; i < r.n; i++)
            EXPECT(r.out[i] == luma_of(r.a + 3 * i));
        expect_guard(&r, r.n);
        fill_room(&r);
        k->luma_rgb(r.out, r.a, r.n);
        for (size_t i = 0; i < 3 * r.n; i++)
            EXPECT(r.out[i] == luma_of(r.a + i / 3 * 3));
        expect_guard(&r, 3 * r.n);
        memcpy(r.out, r.a, 3 * r.n);
        k->saturate(r.out, r.out, r.n, r.factor);
        for (size_t i = 0; i < 3 * r.n; i++)
            EXPECT(r.out[i] == blended(luma_of(r.a + i / 3 * 3), r.a[i], r.factor));
        expect_guard(&r, 3 * r.n);
    }
}
END_TEST

/* ---- hue, in doubles, as the formulas stand in textbooks ---- */

static void to_hsv(const uint8_t *rgb, int hsv[3])
{
    int high = rgb[0], low = rgb[0];
    for (int i = 1; i < 3; i++) {
        high = rgb[i] > high ? rgb[i] : high;
        low = rgb[i] < low ? rgb[i] : low;
    }
    hsv[0] = hsv[1] = 0;
    hsv[2] = high;
    if (high == low)
        return;
    float range = (float)(high - low), saturation = range / (float)high, part[3];
    for (int i = 0; i < 3; i++)
        part[i] = (float)(high - rgb[i]) / range;
    double hue = rgb[0] == high   ? (double)part[2] - (double)part[1]
                 : rgb[1] == high ? 2.0 + (double)part[0] - (double)part[2]
                                  : 4.0 + (double)part[1] - (double)part[0];
    hue = (double)(float)fmod((double)(float)hue / 6.0 + 1.0, 1.0);
    hsv[0] = (int)(hue * 255.0);
    hsv[1] = (int)((double)saturation * 255.0);
}

static void from_hsv(const int hsv[3], uint8_t *rgb)
{
    double sixth = hsv[0] * 6.0 / 255.0, value = hsv[2];
    int corner = (int)floor(sixth);
    double beyond = (double)(float)(sixth - corner), saturation = (double)(float)(hsv[1] / 255.0);
    double falling_share = (double)((float)saturation * (float)beyond);
    int low = (int)round(value * (1.0 - saturation));
    int falling = (int)round(value * (1.0 - falling_share));
    int rising = (int)round(value * (1.0 - saturation * (1.0 - beyond)));
    int high = hsv[2];
    const int table[6][3] = {{high, rising, low},  {falling, high, low}, {low, high, rising},
                             {low, falling, high}, {rising, low, high},  {high, low, falling}};
    for (int i = 0; i < 3; i++)
        rgb[i] = (uint8_t)(hsv[1] ? table[corner % 6][i] : high);
}

/* All colours at the best level; at the others those with one channel in steps. */
START_TEST(hue)
{
    const mill__augment_kernels *k = kernels_of(levels[_i]);
    bool all = k && k == mill__augment_get(mill__kernels_get(NULL));
    uint8_t in[3 * 256], out[3 * 256], wanted[3];
    for (int rg = 0; k && rg < 1 << 16; rg += all ? 1 : 7) {
        uint8_t shift = (uint8_t)(rg * 31 + rg / 256);
        for (int b = 0; b < 256; b++) {
            in[3 * b] = (uint8_t)(rg >> 8);
            in[3 * b + 1] = (uint8_t)rg;
            in[3 * b + 2] = (uint8_t)b;
        }
        k->turn_hue(out, in, 256, shift);
        for (int b = 0; b < 256; b++) {
            int hsv[3];
            to_hsv(in + 3 * b, hsv);
            hsv[0] = (hsv[0] + shift) % 256;
            from_hsv(hsv, wanted);
            EXPECT_MSG(!memcmp(out + 3 * b, wanted, 3), "rgb %d %d %d by %d: %d %d %d, not %d %d %d", rg >> 8,
                       rg & 255, b, shift, out[3 * b], out[3 * b + 1], out[3 * b + 2], wanted[0], wanted[1],
                       wanted[2]);
        }
    }
}
END_TEST

START_TEST(hue_of_any_length)
{
    const mill__augment_kernels *k = kernels_of(levels[_i]);
    static room r;
    for (int round = 0; k && round < 300; round++) {
        fill_room(&r);
        k->turn_hue(r.out, r.a, r.n, 200);
        for (size_t i = 0; i < r.n; i++) {
            int hsv[3];
            uint8_t wanted[3];
            to_hsv(r.a + 3 * i, hsv);
            hsv[0] = (hsv[0] + 200) % 256;
            from_hsv(hsv, wanted);
            EXPECT(!memcmp(r.out + 3 * i, wanted, 3));
        }
        expect_guard(&r, 3 * r.n);
    }
}
END_TEST

/* ---- counting and tables ---- */

START_TEST(counts_and_tables)
{
    const mill__augment_kernels *k = kernels_of(levels[_i]);
    static room r;
    for (int round = 0; k && round < 500; round++) {
        size_t c = round % 2 ? 1 : 3;
        uint32_t counts[768], wanted[768];
        fill_room(&r);
        for (size_t i = 0; i < 768; i++)
            counts[i] = wanted[i] = random_u32() % 5;
        uint64_t sum = 0;
        for (size_t i = 0; i < r.n * c; i++) {
            wanted[i % c * 256 + r.a[i]]++;
            sum += r.a[i];
        }
        k->histogram(counts, r.a, r.n, c);
        EXPECT(!memcmp(counts, wanted, c * 256 * sizeof *counts));
        EXPECT(k->sum(r.a, r.n * c) == sum);
        k->look_up(r.out, r.a, r.n, c, r.b);
        for (size_t i = 0; i < r.n * c; i++)
            EXPECT(r.out[i] == r.b[i % c * 256 + r.a[i]]);
        expect_guard(&r, r.n * c);
        int threshold = (int)random_between(0, 256);
        k->solarize(r.out, r.a, r.n, threshold);
        for (size_t i = 0; i < r.n; i++)
            EXPECT(r.out[i] == (r.a[i] < threshold ? r.a[i] : 255 - r.a[i]));
        k->mask(r.out, r.a, r.n, 0xf0, 0xff);
        for (size_t i = 0; i < r.n; i++)
            EXPECT(r.out[i] == (uint8_t) ~(r.a[i] / 16 * 16));
    }
}
END_TEST

START_TEST(sums_do_not_overflow)
{
    const mill__augment_kernels *k = kernels_of(levels[_i]);
    size_t n = ((size_t)1 << 25) + 5;
    uint8_t *white = malloc(n);
    ck_assert_ptr_nonnull(white);
    memset(white, 255, n);
    if (k)
        ck_assert_uint_eq(k->sum(white, n), 255 * (uint64_t)n);
    free(white);
}
END_TEST

/* ---- neighbourhoods ---- */

START_TEST(sharpening)
{
    const mill__augment_kernels *k = kernels_of(levels[_i]);
    static room r;
    static uint8_t below[3 * MOST + GUARD];
    for (int round = 0; k && round < 1500; round++) {
        size_t c = round % 2 ? 1 : 3;
        fill_room(&r);
        for (size_t i = 0; i < sizeof below; i++)
            below[i] = (uint8_t)random_u32();
        size_t width = r.n + 1 > MOST ? MOST : r.n + 1;
        k->sharpen(r.out, r.a, r.b, below, width, c, r.factor);
        for (size_t i = 0; i < width * c; i++) {
            if (i < c || i + c >= width * c) {
                EXPECT(r.out[i] == r.b[i]);
                continue;
            }
            int sum = 4 * r.b[i];
            for (int d = -1; d <= 1; d++) {
                size_t at = i + (size_t)d * c;
                sum += r.a[at] + r.b[at] + below[at];
            }
            EXPECT(r.out[i] == blended((int)floor(sum / 13.0 + 0.5), r.b[i], r.factor));
        }
        expect_guard(&r, width * c);
    }
}
END_TEST

/* Against sums in double, and against the plain level to the bit. */
START_TEST(blurring)
{
    const mill__augment_kernels *k = kernels_of(levels[_i]), *plain = kernels_of("c");
    static room r;
    static float line[3 * MOST], other[3 * MOST];
    for (int round = 0; k && round < 300; round++) {
        fill_room(&r);
        size_t reach = (size_t)random_between(0, 12), c = round % 2 ? 1 : 3;
        float weights[13];
        double total = 0;
        for (size_t d = 0; d <= reach; d++) {
            weights[d] = (float)random_between(0, 1000) / 1000;
            total += d ? 2 * weights[d] : weights[d];
        }
        for (size_t d = 0; d <= reach; d++)
            weights[d] = (float)(weights[d] / (total > 0 ? total : 1));
        const uint8_t *rows[25];
        for (size_t d = 0; d < 2 * reach + 1; d++)
            rows[d] = r.a + random_between(0, MOST);
        k->blur_down(line, rows, MOST, weights, reach);
        plain->blur_down(other, rows, MOST, weights, reach);
        EXPECT(!memcmp(line, other, MOST * sizeof *line));
        for (size_t i = 0; i < MOST; i++) {
            double sum = weights[0] * rows[reach][i];
            for (size_t d = 1; d <= reach; d++)
                sum += weights[d] * (double)(rows[reach - d][i] + rows[reach + d][i]);
            EXPECT(fabs(sum - line[i]) < 1e-3);
        }
        size_t n = (size_t)random_between(0, (int64_t)((MOST - 2 * reach * c) / c));
        k->blur_across(r.out, line + reach * c, n, c, weights, reach);
        for (size_t i = 0; i < n * c; i++) {
            const float *at = line + reach * c + i;
            double sum = weights[0] * (double)at[0];
            for (size_t d = 1; d <= reach; d++)
                sum += weights[d] * ((double)at[-(ptrdiff_t)(d * c)] + (double)at[d * c]);
            EXPECT(fabs(sum - r.out[i]) <= 0.501);
        }
        expect_guard(&r, n * c);
        memcpy(r.b, r.out, n * c);
        plain->blur_across(r.out, line + reach * c, n, c, weights, reach);
        EXPECT(!memcmp(r.b, r.out, n * c));
    }
}
END_TEST

/* ---- seen through a matrix ---- */

/* From a place in the image to another, or as near to it as whole steps come. */
static mill__fixed_line random_line(const picture *p, size_t n)
{
    const int64_t right = p->width << 16, bottom = p->height << 16, steps = n > 1 ? (int64_t)n - 1 : 1;
    int64_t x = random_between(0, right - 1), y = random_between(0, bottom - 1);
    int64_t end_x = random_between(0, right - 1), end_y = random_between(0, bottom - 1);
    if (random_one_in(3)) /* along the last row */
        y = end_y = bottom - 1;
    return (mill__fixed_line){.x = (uint32_t)x,
                              .y = (uint32_t)y,
                              .step_x = (uint32_t)((end_x - x) / steps),
                              .step_y = (uint32_t)((end_y - y) / steps)};
}

START_TEST(nearest_along_a_line)
{
    const mill__augment_kernels *k = kernels_of(levels[_i]);
    static room r;
    for (int round = 0; k && round < 3000; round++) {
        const bool tall = round % 100 == 0; /* y reaches the highest bit that it can have */
        picture p = picture_random(random_between(1, 40), tall ? 32768 : random_between(1, 40),
                                   random_one_in(3) ? 1 : 3);
        const size_t c = (size_t)p.channels, nbytes = picture_nbytes(&p);
        uint8_t *exact = malloc(nbytes); /* so that a sanitizer sees what is read behind it */
        memcpy(exact, p.pixels, nbytes);
        fill_room(&r);
        mill__fixed_line line = random_line(&p, r.n);
        if (r.n)
            k->warp_nearest(r.out, r.n, exact, (size_t)p.width, (size_t)p.height, c, &line);
        expect_guard(&r, r.n * c);
        for (size_t i = 0; i < r.n; i++) {
            int64_t x = (int64_t)line.x + (int64_t)i * (int32_t)line.step_x;
            int64_t y = (int64_t)line.y + (int64_t)i * (int32_t)line.step_y;
            EXPECT(!memcmp(r.out + i * c, picture_at(&p, x >> 16, y >> 16), c));
        }
        free(exact);
        picture_free(&p);
    }
}
END_TEST

static double lerp(double a, double b, double way)
{
    return a + (b - a) * way;
}

START_TEST(warping)
{
    const mill__augment_kernels *k = kernels_of(levels[_i]);
    for (int round = 0; k && round < 400; round++) {
        picture p = picture_random(random_between(1, 40), random_between(1, 40), random_one_in(2) ? 1 : 3);
        picture out = picture_new(random_between(1, 130), random_between(1, 40), p.channels);
        double m[6];
        for (int i = 0; i < 6; i++)
            m[i] = (double)random_between(-2000, 2000) / (i % 3 == 2 ? 60 : 1024);
        memset(out.pixels, 77, picture_nbytes(&out));
        for (int64_t y = 0; y < out.height; y++)
            k->warp_bilinear(picture_at(&out, 0, y), (size_t)out.width, p.pixels, (size_t)p.width,
                             (size_t)p.height, (size_t)p.channels, m, (size_t)y);
        for (int64_t y = 0; y < out.height; y++)
            for (int64_t x = 0; x < out.width; x++) {
                double from_x = m[0] * ((double)x + 0.5) + m[1] * ((double)y + 0.5) + m[2];
                double from_y = m[3] * ((double)x + 0.5) + m[4] * ((double)y + 0.5) + m[5];
                bool inside =
                    from_x >= 0 && from_x < (double)p.width && from_y >= 0 && from_y < (double)p.height;
                int64_t left = (int64_t)floor(from_x - 0.5), top = (int64_t)floor(from_y - 0.5);
                double across = from_x - 0.5 - (double)left, down = from_y - 0.5 - (double)top;
                int64_t xs[2], ys[2];
                for (int i = 0; i < 2; i++) {
                    xs[i] = left + i < 0 ? 0 : left + i >= p.width ? p.width - 1 : left + i;
                    ys[i] = top + i < 0 ? 0 : top + i >= p.height ? p.height - 1 : top + i;
                }
                for (int c = 0; c < p.channels; c++) {
                    uint8_t wanted = 77;
                    if (inside) {
                        double upper =
                            lerp(picture_at(&p, xs[0], ys[0])[c], picture_at(&p, xs[1], ys[0])[c], across);
                        double lower =
                            lerp(picture_at(&p, xs[0], ys[1])[c], picture_at(&p, xs[1], ys[1])[c], across);
                        wanted = (uint8_t)lerp(upper, lower, down);
                    }
                    EXPECT(picture_at(&out, x, y)[c] == wanted);
                }
            }
        picture_free(&p);
        picture_free(&out);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("augment_kernels");
    TCase *tests = tcase_create("augment_kernels");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, blends, 0, NLEVELS);
    tcase_add_loop_test(tests, luma_and_saturation, 0, NLEVELS);
    tcase_add_loop_test(tests, hue, 0, NLEVELS);
    tcase_add_loop_test(tests, hue_of_any_length, 0, NLEVELS);
    tcase_add_loop_test(tests, counts_and_tables, 0, NLEVELS);
    tcase_add_loop_test(tests, sums_do_not_overflow, 0, NLEVELS);
    tcase_add_loop_test(tests, sharpening, 0, NLEVELS);
    tcase_add_loop_test(tests, blurring, 0, NLEVELS);
    tcase_add_loop_test(tests, nearest_along_a_line, 0, NLEVELS);
    tcase_add_loop_test(tests, warping, 0, NLEVELS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
