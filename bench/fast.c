/* SPDX-License-Identifier: Apache-2.0 */
/* bench/fast.c: what decode's fast choices cost in accuracy and save in time: each against the exact decode
 * of the same images to the same sizes, the two in turns on one thread. PSNR is that of an image, over all
 * its channels; images that come out the same are left out of it. fast FILE.tar ... */
#include "bare.h"
#include "taking_turns.h"
#include "transform/image.h"
#include <math.h>

enum { ROUNDS = 3, SIDE_MOST = 256 };

typedef struct choice {
    const char *name;
    bool scale, dct, upsampling;
} choice;

static const choice choices[] = {{"scale=fast", true, false, false},
                                 {"dct=fast", false, true, false},
                                 {"upsampling=fast", false, false, true},
                                 {"all three", true, true, true}};

typedef struct work {
    bare_set set;
    mill__renderer *renderer;
    mill__decode_options exact, fast;
    int64_t side;
    bool bad;
    uint8_t *a, *b;
} work;

/* resize side | center_crop 7/8 of it */
static void compose(mill_view *view, int64_t width, int64_t height, int64_t side)
{
    bool tall = width <= height;
    int64_t w = tall ? side : side * width / height, h = tall ? side * height / width : side,
            crop = side * 7 / 8;
    mill__view_init(view, width, height);
    mill_view_resize(view, w, h, MILL_BILINEAR);
    mill_view_crop(view, (w - crop) / 2, (h - crop) / 2, crop, crop, 0);
}

static void render(work *w, size_t i, const mill__decode_options *options, uint8_t *out)
{
    const bare_image *image = &w->set.images[i % w->set.n];
    const mill__target target = {.data = out, .layout = MILL_HWC, .channels = 3, .dtype = MILL_U8};
    mill__image_info info;
    mill_view view;
    if (mill__jpeg_begin(w->renderer, image->data, image->nbytes, options, &info, NULL)) {
        w->bad = true;
        return;
    }
    compose(&view, info.width, info.height, w->side);
    w->bad |= mill__jpeg_render(w->renderer, &view, &target, NULL) != MILL_OK;
}

static void exactly(void *user, size_t i)
{
    work *w = user;
    render(w, i, &w->exact, w->a);
}

static void fast(void *user, size_t i)
{
    work *w = user;
    render(w, i, &w->fast, w->b);
}

/* Of image i, in dB; infinite where both are the same. */
static double psnr(work *w, size_t i, int *most)
{
    size_t n = (size_t)(w->side * 7 / 8 * (w->side * 7 / 8) * 3);
    double sum = 0;
    exactly(w, i);
    fast(w, i);
    for (size_t k = 0; k < n; k++) {
        int off = abs(w->a[k] - w->b[k]);
        *most = off > *most ? off : *most;
        sum += (double)off * off;
    }
    return sum > 0 ? 10 * log10(255.0 * 255.0 * (double)n / sum) : (double)INFINITY;
}

/* How many times faster. */
static double measure(work *w, const choice *c)
{
    double *list = calloc(w->set.n, sizeof *list), sum = 0;
    size_t n = 0;
    int most = 0;
    w->fast.fast_scale = c->scale;
    w->fast.fast_dct = c->dct;
    w->fast.fast_upsampling = c->upsampling;
    for (size_t i = 0; list && i < w->set.n; i++) {
        double x = psnr(w, i, &most);
        if (x < (double)INFINITY) {
            list[n++] = x;
            sum += x;
        }
    }
    turns t = take_turns(fast, exactly, w, w->set.n * ROUNDS);
    double speed = w->bad || t.a <= 0 ? 0 : t.b / t.a;
    printf("  %-16s %5.2f times as fast (%6.1f and %6.1f us)", c->name, speed, 1e6 * t.a, 1e6 * t.b);
    if (n) {
        double middle = turn_median(list, n); /* sorts */
        printf(
            "   PSNR %5.1f dB on the mean, median %5.1f, least %5.1f; off by %3d at most; %zu images differ",
            sum / (double)n, middle, list[0], most, n);
    }
    printf("\n");
    free(list);
    return speed;
}

int main(int argc, char **argv)
{
    static const int64_t sides[] = {256, 128, 64, 32};
    work w = {.renderer = mill__renderer_new(1 << 28),
              .exact = {.channels = 3, .max_pixels = 1 << 28, .max_scans = 64},
              .a = malloc((size_t)3 * SIDE_MOST * SIDE_MOST),
              .b = malloc((size_t)3 * SIDE_MOST * SIDE_MOST)};
    double at_128 = 0;
    w.fast = w.exact;
    for (int i = 1; i < argc; i++)
        if (bare_load(&w.set, argv[i]))
            return 1;
    if (!w.set.n || !w.renderer || !w.a || !w.b)
        return 1;
    for (size_t s = 0; s < sizeof sides / sizeof *sides; s++) {
        w.side = sides[s];
        printf("%zu images, resize %lld | center_crop %lld\n", w.set.n, (long long)w.side,
               (long long)w.side * 7 / 8);
        for (size_t c = 0; c < sizeof choices / sizeof *choices; c++) {
            double speed = measure(&w, &choices[c]);
            at_128 = w.side == 128 && !c ? speed : at_128;
        }
    }
    mill__renderer_free(w.renderer);
    free(w.a);
    free(w.b);
    free(w.set.images);
    printf("fast ratio=%.3f target=1.10\n", at_128);
    return w.bad;
}
