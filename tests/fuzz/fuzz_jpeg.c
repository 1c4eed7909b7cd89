/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_jpeg.c: decode through a random view into a block of exactly the output's size. */
#include "base/error.h"
#include "fuzz.h"
#include "transform/image.h"

enum { MAX_PIXELS = 1 << 20, MAX_SIDE = 300 };

static void random_view(mill_view *view, uint64_t *state)
{
    for (uint32_t steps = fuzz_draw(state, 5); steps; steps--) {
        int64_t width = mill_view_width(view), height = mill_view_height(view);
        int64_t x = (int64_t)fuzz_draw(state, (uint32_t)width + 8) - 4;
        int64_t y = (int64_t)fuzz_draw(state, (uint32_t)height + 8) - 4;
        switch (fuzz_draw(state, 3)) {
        case 0:
            mill_view_crop(view, x, y, 1 + fuzz_draw(state, (uint32_t)width),
                           1 + fuzz_draw(state, (uint32_t)height), (uint8_t)fuzz_draw(state, 256));
            break;
        case 1:
            mill_view_resize(view, 1 + fuzz_draw(state, MAX_SIDE), 1 + fuzz_draw(state, MAX_SIDE),
                             (mill_filter)fuzz_draw(state, MILL_LANCZOS + 1));
            break;
        default:
            mill_view_hflip(view);
            break;
        }
    }
}

static void render(mill__renderer *renderer, const mill__image_info *info, int channels, uint64_t *state)
{
    static float table[3 * 256];
    mill_view view;
    mill__view_init(&view, info->width, info->height);
    random_view(&view, state);
    bool as_float = fuzz_draw(state, 2);
    size_t n = (size_t)(mill_view_width(&view) * mill_view_height(&view)) * (size_t)channels;
    mill__target target = {.data = malloc(n * (as_float ? sizeof(float) : 1)),
                           .layout = fuzz_draw(state, 2) ? MILL_HWC : MILL_CHW,
                           .channels = channels,
                           .dtype = as_float ? MILL_F32 : MILL_U8,
                           .table = as_float ? table : NULL};
    PROMISE(target.data);
    mill_error err;
    mill__error_clear(&err);
    mill_status status = mill__jpeg_render(renderer, &view, &target, &err);
    PROMISE(!status || (err.kind[0] && err.message[0]));
    free(target.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    uint64_t state = fuzz_hash(data, nbytes);
    uint8_t *copy = fuzz_copy(data, nbytes);
    const mill__decode_options options = {.channels = fuzz_draw(&state, 2) ? 3 : 1,
                                          .orient = fuzz_draw(&state, 2),
                                          .max_pixels = MAX_PIXELS,
                                          .max_scans = 16};
    mill__renderer *renderer = mill__renderer_new(32u << 20);
    PROMISE(renderer);
    mill__image_info info;
    mill_error err;
    mill__error_clear(&err);
    for (int i = 0; i < 2; i++) { /* a decoder that failed must do the next image all the same */
        mill__jpeg_probe(renderer, copy, nbytes, &info, NULL);
        mill_status status = mill__jpeg_begin(renderer, copy, nbytes, &options, &info, &err);
        PROMISE(!status || (err.kind[0] && err.message[0]));
        if (status)
            continue;
        PROMISE(info.width > 0 && info.height > 0 && info.width * info.height <= MAX_PIXELS);
        PROMISE(info.orientation >= 1 && info.orientation <= 8);
        render(renderer, &info, options.channels, &state);
    }
    mill__renderer_free(renderer);
    free(copy);
    return 0;
}
