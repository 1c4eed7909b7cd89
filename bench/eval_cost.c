/* SPDX-License-Identifier: Apache-2.0 */
/* bench/eval_cost.c: where the time of the evaluation pipeline goes, in microseconds an image, on one thread.
 * The kernels are timed by a table of wrappers put into a renderer, and so is the Huffman decoder, less what
 * the clock takes, since it is called for every few blocks; IDCT, upsampling and colour conversion are the
 * rest of what libjpeg-turbo does. For comparison: what libjpeg-turbo's Huffman decoder takes to skip as many
 * rows. eval_cost FILE.tar ... */
#include "bare.h"
#include "engine/plan.h"
#include "transform/context.h"
#include "transform/render.h"

enum { SIDE = 256, CROP = 224, ROUNDS = 5 };

static const mill__kernels *real;
static mill__huffman_mcu *real_mcu;
static double row_s, column_s, store_s, mcu_s; /* spent in kernels */
static double mcus;

/* Of this thread: other programs on the machine do not count. Too slow a call for kernels. */
static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#define TIMED(clock, total, call)                                                                            \
    do {                                                                                                     \
        double begin = clock();                                                                              \
        call;                                                                                                \
        (total) += clock() - begin;                                                                          \
    } while (0)

/* A call of a kernel takes some microseconds; where it took long, another program had the processor. */
#define TOO_LONG 1e-4

#define TIMED_KERNEL(total, call)                                                                            \
    do {                                                                                                     \
        double took = 0;                                                                                     \
        TIMED(bare_seconds, took, call);                                                                     \
        (total) += took < TOO_LONG ? took : 0;                                                               \
    } while (0)

static void timed_rows(uint8_t *const *out, const uint8_t *const *in, size_t nrows, size_t n, int c,
                       const int32_t *bounds, const int16_t *weights, size_t taps)
{
    TIMED_KERNEL(row_s, real->resample_rows(out, in, nrows, n, c, bounds, weights, taps));
}

static void timed_column(uint8_t *out, const uint8_t *const *rows, size_t n, const int16_t *weights,
                         size_t taps)
{
    TIMED_KERNEL(column_s, real->resample_column(out, rows, n, weights, taps));
}

static void timed_store(void *out, size_t plane, const uint8_t *in, size_t n, int c,
                        const mill__store_table *table, int reverse)
{
    TIMED_KERNEL(store_s, real->store_chw(out, plane, in, n, c, table, reverse));
}

static bool timed_mcu(mill__huffman *h, short (*const *blocks)[64], unsigned with_ac)
{
    bool good;
    mcus++;
    TIMED_KERNEL(mcu_s, good = real_mcu(h, blocks, with_ac));
    return good;
}

/* Of one reading of the clock: each interval has as much of it in it. */
static double clock_cost(void)
{
    double begin = bare_seconds();
    for (int i = 0; i < 1000000; i++)
        bare_seconds();
    return (bare_seconds() - begin) / 1e6;
}

/* resize 256 | center_crop 224 */
static void compose(mill_view *view, int64_t width, int64_t height)
{
    bool tall = width <= height;
    int64_t w = tall ? SIDE : SIDE * width / height, h = tall ? SIDE * height / width : SIDE;
    mill__view_init(view, width, height);
    mill_view_resize(view, w, h, MILL_BILINEAR);
    mill_view_crop(view, (w - CROP) / 2, (h - CROP) / 2, CROP, CROP, 0);
}

static bool render(mill__renderer *r, const bare_image *image, const mill__target *target, int64_t *rows)
{
    const mill__decode_options options = {.channels = 3, .max_pixels = 1 << 28, .max_scans = 64};
    mill__image_info info;
    mill_view view;
    if (mill__jpeg_begin(r, image->data, image->nbytes, &options, &info, NULL))
        return false;
    compose(&view, info.width, info.height);
    if (mill__jpeg_render(r, &view, target, NULL))
        return false;
    *rows = r->pass.need.y + r->pass.need.height;
    return true;
}

/* Entropy-decode rows rows of an image by libjpeg-turbo, and nothing more. */
static void skip_rows(const bare_image *image, int64_t rows)
{
    struct jpeg_decompress_struct c;
    struct jpeg_error_mgr e;
    c.err = jpeg_std_error(&e);
    jpeg_create_decompress(&c);
    jpeg_mem_src(&c, image->data, image->nbytes);
    jpeg_read_header(&c, TRUE);
    jpeg_start_decompress(&c);
    jpeg_skip_scanlines(&c, (JDIMENSION)rows);
    jpeg_abort_decompress(&c);
    jpeg_destroy_decompress(&c);
}

static void show(const char *what, double seconds, size_t n, double all)
{
    printf("  %-34s %8.1f us  %5.1f %%\n", what, 1e6 * seconds / (double)n, 100 * seconds / all);
}

int main(int argc, char **argv)
{
    bare_set set = {0};
    for (int i = 1; i < argc; i++)
        if (bare_load(&set, argv[i]))
            return 1;
    mill__renderer *plain = mill__renderer_new(1 << 28), *timed = mill__renderer_new(1 << 28);
    float *table = calloc((size_t)3 * 256, sizeof *table),
          *out = calloc((size_t)3 * CROP * CROP, sizeof *out);
    unsigned char *pixels = NULL;
    size_t capacity = 0;
    int64_t rows = 0;
    if (!set.n || !plain || !timed || !table || !out)
        return 1;
    mill__kernels wrapped = *plain->kernels;
    real = plain->kernels;
    wrapped.resample_rows = timed_rows;
    wrapped.resample_column = timed_column;
    wrapped.store_chw = timed_store;
    timed->kernels = &wrapped;
    real_mcu = plain->huffman_mcu;
    timed->huffman_mcu = timed_mcu;
    const mill__target target = {
        .data = out, .layout = MILL_CHW, .channels = 3, .dtype = MILL_F32, .table = table};
    double all = 0, entropy = 0, wrapped_all = 0, bare = 0;
    bool good = true;
    for (int r = 0; r < ROUNDS; r++)
        for (size_t i = 0; i < set.n; i++) {
            const bare_image *image = &set.images[i];
            TIMED(cpu_seconds, bare, bare_decode(image, &pixels, &capacity));
            TIMED(cpu_seconds, all, good = render(plain, image, &target, &rows) && good);
            TIMED(cpu_seconds, wrapped_all, good = render(timed, image, &target, &rows) && good);
            TIMED(cpu_seconds, entropy, skip_rows(image, rows));
        }
    size_t n = set.n * ROUNDS;
    double kernels = row_s + column_s + store_s;
    mcu_s -= mcus * clock_cost();
    printf("one thread, kernels of level %s, %zu images\n", real->level, set.n);
    show("entropy decoding", mcu_s, n, all);
    show("IDCT, upsampling, colour, the rest", all - mcu_s - kernels, n, all);
    show("resample, horizontal", row_s, n, all);
    show("resample, vertical", column_s, n, all);
    show("colour table and store", store_s, n, all);
    show("all of an image", all, n, all);
    show("bare full decode", bare, n, all);
    show("libjpeg-turbo's entropy decoding", entropy, n, all);
    printf("  (the timers themselves: %.1f us)\n", 1e6 * (wrapped_all - all) / (double)n);
    mill__renderer_free(plain);
    mill__renderer_free(timed);
    free(table);
    free(out);
    free(pixels);
    free(set.images);
    return good ? 0 : 1;
}
