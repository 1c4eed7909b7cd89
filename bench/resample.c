/* SPDX-License-Identifier: Apache-2.0 */
/* bench/resample.c: the two resample passes alone, u8 RGB 500x375 to 224x224, from memory to memory. Takes
 * turns with resample.py: for each line "FILTER N" on standard input it resizes N times and answers with the
 * seconds of CPU time that one took. */
#include "taking_turns.h"
#include "transform/render.h"
#include <stdio.h>
#include <string.h>

enum { WIDTH = 500, HEIGHT = 375, SIDE = 224 };

static const char *const names[] = {"nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"};

static mill_filter filter_of(const char *name)
{
    int i = 0;
    while (i < MILL_LANCZOS && strcmp(name, names[i]) != 0)
        i++;
    return (mill_filter)i;
}

int main(void)
{
    mill__renderer *r = mill__renderer_new(1 << 26);
    uint8_t *in = malloc((size_t)WIDTH * HEIGHT * 3), *out = malloc((size_t)SIDE * SIDE * 3);
    char name[16];
    int n;
    if (!r || !in || !out)
        return 1;
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT * 3; i++)
        in[i] = (uint8_t)(i * 2654435761u >> 13);
    mill__renderer_use(r, mill__kernels_get(mill__kernels_cap()));
    printf("%s\n", r->kernels->level);
    fflush(stdout);
    while (scanf("%15s %d", name, &n) == 2) {
        mill__target target = {.data = out, .layout = MILL_HWC, .channels = 3, .dtype = MILL_U8};
        mill_view view;
        double begin = turn_seconds();
        for (int i = 0; i < n; i++) {
            mill__view_init(&view, WIDTH, HEIGHT);
            if (mill_view_resize(&view, SIDE, SIDE, filter_of(name)) ||
                mill__pixels_render(r, in, 3, &view, &target, NULL))
                return 1;
        }
        printf("%.9f\n", (turn_seconds() - begin) / n);
        fflush(stdout);
    }
    mill__renderer_free(r);
    free(in);
    free(out);
    return 0;
}
