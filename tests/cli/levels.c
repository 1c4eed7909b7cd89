/* SPDX-License-Identifier: Apache-2.0 */
/* tests/cli/levels.c: every kernel of one level over made-up input, and a checksum of what comes out; for
 * test_levels.sh, which also builds it for another kind of processor. Needs nothing but src/kernel.
 * levels [LEVEL] */
#include "kernel/convert.h"
#include "kernel/elementwise.h"
#include "kernel/gemm.h"
#include "kernel/moments.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 500, OUT = 223, TAPS = 8, N = 4096 };

static uint64_t state = 88172645463325252u; /* xorshift64 (Marsaglia, 2003) */

static uint32_t random_u32(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

/* FNV-1a */
static void show(const char *what, const void *data, size_t n)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * 1099511628211u;
    printf("%s %016" PRIx64 "\n", what, hash);
}

static void random_bytes(void *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)data)[i] = (uint8_t)random_u32();
}

/* Windows of one output after the other, weights as resizing has them. */
static void random_windows(int32_t *bounds, int16_t *weights)
{
    memset(weights, 0, sizeof *weights * 2 * TAPS * OUT);
    for (int i = 0; i < OUT; i++) {
        int count = 1 + (int)(random_u32() % TAPS);
        bounds[2 * i] = i * (WIDTH - TAPS) / OUT;
        bounds[2 * i + 1] = count;
        for (int t = 0; t < count; t++) {
            int32_t most = (2 << MILL__RESAMPLE_BITS) / count, w = (int32_t)(random_u32() % (uint32_t)most);
            w = t % 3 == 2 ? -w / 4 : w;
            int16_t *group = weights + (size_t)i * 2 * TAPS + t / 4 * 8 + t % 4;
            group[0] = (int16_t)(w & 2047);
            group[4] = (int16_t)((w - (w & 2047)) / 2048);
        }
    }
}

static void resample(const mill__kernels *k)
{
    static uint8_t in[TAPS][WIDTH * 3 + 64], out[4][1600];
    static int32_t bounds[2 * OUT];
    static int16_t weights[2 * TAPS * OUT];
    const uint8_t *rows[TAPS];
    uint8_t *to[4] = {out[0], out[1], out[2], out[3]};
    random_bytes(in, sizeof in);
    random_windows(bounds, weights);
    for (int t = 0; t < TAPS; t++)
        rows[t] = in[t];
    for (int c = 1; c <= 3; c += 2) {
        k->resample_rows(to, rows, 4, OUT, c, bounds, weights, TAPS);
        for (int y = 0; y < 4; y++)
            show("resample_rows", out[y], (size_t)OUT * (size_t)c);
    }
    for (size_t taps = 1; taps <= TAPS; taps++) {
        k->resample_column(out[0], rows, WIDTH * 3, weights, taps);
        show("resample_column", out[0], WIDTH * 3);
    }
}

static void store(const mill__kernels *k)
{
    static uint8_t in[3 * WIDTH], table[768 * 8], out[3 * WIDTH * 8];
    random_bytes(in, sizeof in);
    random_bytes(table, sizeof table);
    for (size_t entry = 1; entry <= 8; entry *= 2)
        for (int reverse = 0; reverse < 2; reverse++) {
            mill__store_table ready;
            k->store_prepare(&ready, table, 3, entry);
            k->store_hwc(out, in, WIDTH, 3, &ready, reverse);
            show("store_hwc", out, 3 * WIDTH * entry);
            k->store_chw(out, WIDTH, in, WIDTH, 3, &ready, reverse);
            show("store_chw", out, 3 * WIDTH * entry);
        }
}

static void elementwise(const mill__kernels *k)
{
    static float in[N], out[N];
    const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
    for (int i = 0; i < N; i++)
        in[i] = (float)(random_u32() % 2000001) / 1000.0f - 900.0f;
    k->f32_scale_add(out, in, N, 1.7f, -0.3f);
    show("f32_scale_add", out, sizeof out);
    k->f32_clip(out, in, N, -20.5f, 300.0f);
    show("f32_clip", out, sizeof out);
    k->f32_sin(out, in, N);
    show("f32_sin", out, sizeof out);
    for (int i = 0; i < N; i++)
        in[i] = in[i] < 0 ? in[i] / -1000 : in[i];
    k->f32_log1p(out, in, N);
    show("f32_log1p", out, sizeof out);
    k->f32_standardize(out, in, N, mean, std, 3);
    show("f32_standardize", out, sizeof out);
}

static void conversions(const mill__kernels *k)
{
    static uint64_t in[N], out[N];
    mill__convert *convert = mill__convert_get(k);
    char what[40];
    random_bytes(in, sizeof in);
    for (int from = MILL_U8; from <= MILL_F64; from++)
        for (int to = MILL_U8; to <= MILL_F64; to++) {
            memset(out, 0, sizeof out);
            convert(out, (mill_dtype)to, in, (mill_dtype)from, N);
            snprintf(what, sizeof what, "convert %d to %d", from, to);
            show(what, out, sizeof out);
        }
}

/* (ROWS x DEPTH) times (DEPTH x COLUMNS), and the products of COLUMNS columns with one another. */
static void products(const mill__kernels *k)
{
    enum { ROWS = 33, DEPTH = 300, COLUMNS = 45 };
    static _Alignas(64) double a[ROWS * DEPTH], b[DEPTH * COLUMNS], mean[DEPTH], out[COLUMNS * COLUMNS];
    static _Alignas(64) double panels[DEPTH * 64];
    static float f[ROWS * DEPTH], f_out[ROWS * COLUMNS];
    const mill__gemm *gemm = mill__gemm_get(k);
    for (int i = 0; i < ROWS * DEPTH; i++)
        f[i] = (float)(a[i] = (double)random_u32() / 0x1p30 - 2);
    a[5] = f[5] = NAN, a[7] = -INFINITY, f[7] = -INFINITY;
    for (int i = 0; i < DEPTH * COLUMNS; i++)
        b[i] = (double)random_u32() / 0x1p30 - 2;
    for (int i = 0; i < DEPTH; i++)
        mean[i] = (double)random_u32() / 0x1p30 - 2;
    mill__gemm_pack_f32(gemm, (float *)panels, b, COLUMNS, 1, DEPTH, COLUMNS);
    gemm->f32(f_out, COLUMNS, f, DEPTH, ROWS, mean, (float *)panels, DEPTH, COLUMNS);
    show("gemm f32", f_out, sizeof f_out);
    mill__gemm_pack_f64(gemm, panels, b, COLUMNS, 1, DEPTH, COLUMNS);
    gemm->f64(out, COLUMNS, a, DEPTH, ROWS, mean, panels, DEPTH, COLUMNS);
    show("gemm f64", out, ROWS * COLUMNS * sizeof *out);
    for (int i = 0; i < DEPTH * COLUMNS; i++)
        ((float *)a)[i] = (float)b[i];
    memset(out, 0, sizeof out);
    gemm->gram_f32(out, true, (float *)a, COLUMNS, DEPTH, COLUMNS, panels, NULL);
    show("gram f32", out, sizeof out);
    gemm->gram_f64(out, true, b, COLUMNS, DEPTH, COLUMNS, panels, NULL);
    show("gram f64", out, sizeof out);
}

/* What statistics are made of: sums of columns, of which the width leaves a rest for every vector. */
static void moments(const mill__kernels *k)
{
    enum { ROWS = 27, WIDTH = 53, ALL = ROWS * WIDTH };
    static double x[ALL], kept[ALL], sums[9][WIDTH], shift[WIDTH];
    static float f[ALL], f_kept[ALL], low[WIDTH], high[WIDTH];
    const mill__moments *m = mill__moments_get(k);
    for (int i = 0; i < ALL; i++)
        f[i] = (float)(x[i] = (double)random_u32() / 0x1p28 - 7);
    for (int i = 0; i < WIDTH; i++)
        shift[i] = (double)random_u32() / 0x1p28;
    m->add_f32(f, ROWS, WIDTH, sums[0]);
    m->add_f64(x, ROWS, WIDTH, sums[0]);
    m->shifted_f32(f, ROWS, WIDTH, shift, sums[1], sums[2], low, high, f_kept);
    m->shifted_f32(f, ROWS, WIDTH, shift, sums[1], sums[2], low, high, NULL);
    m->shifted_f64(x, ROWS, WIDTH, shift, sums[3], sums[4], sums[5], sums[6], kept);
    m->add_scaled(sums[7], sums[3], 0.3, sums[4], WIDTH);
    m->add_scaled(sums[7], NULL, 0.7, sums[1], WIDTH);
    x[9] = NAN;
    m->deviate(x, ROWS, WIDTH, shift, sums[8], sums[0]);
    m->centre(x, ROWS, WIDTH, shift);
    show("moments", sums, sizeof sums);
    show("extremes", low, sizeof low);
    show("shifted f32", f_kept, sizeof f_kept);
    show("shifted f64", kept, sizeof kept);
}

int main(int argc, char **argv)
{
    const mill__kernels *k = mill__kernels_get(argc > 1 ? argv[1] : mill__kernels_cap());
    fprintf(stderr, "%s\n", k->level);
    resample(k);
    store(k);
    elementwise(k);
    conversions(k);
    products(k);
    moments(k);
    return 0;
}
