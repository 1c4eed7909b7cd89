/* SPDX-License-Identifier: Apache-2.0 */
/* bench/store.c: the last step of an image, u8 pixels through the colour table to f32 in chw, row by row as
 * the renderer does it, into a batch of 32 images; against memcpy that moves as many bytes (read and written,
 * added up) in the same memory. store [LEVEL] */
#include "kernel/kernel.h"
#include "taking_turns.h"
#include <stdio.h>
#include <string.h>

enum { SIDE = 224, IMAGES = 32, ROUNDS = 60, IN = SIDE * SIDE * 3, OUT = IN * 4, HALF = (IN + OUT) / 2 };

typedef struct work {
    const mill__kernels *kernels;
    mill__store_table table;
    uint8_t *in, *out, *from, *copied;
    int reverse;
} work;

static void store(void *user, size_t i)
{
    const work *w = user;
    const uint8_t *in = w->in + i % IMAGES * IN;
    float *out = (float *)(void *)(w->out + i % IMAGES * OUT);
    for (size_t y = 0; y < SIDE; y++)
        w->kernels->store_chw(out + y * SIDE, (size_t)SIDE * SIDE, in + y * SIDE * 3, SIDE, 3, &w->table,
                              w->reverse);
}

static void copy(void *user, size_t i)
{
    const work *w = user;
    memcpy(w->copied + i % IMAGES * HALF, w->from + i % IMAGES * HALF, HALF);
}

int main(int argc, char **argv)
{
    work w = {.kernels = mill__kernels_get(argc > 1 ? argv[1] : mill__kernels_cap())};
    float *table = calloc(768, sizeof *table);
    w.in = malloc((size_t)IMAGES * IN);
    w.out = aligned_alloc(64, (size_t)IMAGES * OUT);
    w.from = aligned_alloc(64, (size_t)IMAGES * HALF);
    w.copied = aligned_alloc(64, (size_t)IMAGES * HALF);
    if (!table || !w.in || !w.out || !w.from || !w.copied)
        return 1;
    for (size_t i = 0; i < (size_t)IMAGES * IN; i++)
        w.in[i] = (uint8_t)(i * 2654435761u >> 13);
    for (int i = 0; i < 768; i++)
        table[i] = ((float)(i % 256) / 255.0f - 0.45f) / 0.225f;
    memset(w.out, 1, (size_t)IMAGES * OUT);
    memset(w.from, 1, (size_t)IMAGES * HALF);
    memset(w.copied, 1, (size_t)IMAGES * HALF);
    w.kernels->store_prepare(&w.table, table, 3, sizeof *table);
    double worst = 1e9;
    for (w.reverse = 0; w.reverse < 2; w.reverse++) {
        turns t = take_turns(store, copy, &w, (size_t)IMAGES * ROUNDS);
        double nbytes = IN + OUT;
        printf("%s, %s: %.1f us an image, %.2f GB/s; memcpy %.2f GB/s\n", w.kernels->level,
               w.reverse ? "mirrored" : "as it is", 1e6 * t.a, nbytes / t.a / 1e9, nbytes / t.b / 1e9);
        worst = t.ratio < worst ? t.ratio : worst;
    }
    printf("store ratio=%.3f target=0.80\n", worst);
    return 0;
}
