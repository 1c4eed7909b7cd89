/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_huffman.c: a region of a JPEG by our Huffman decoder and by libjpeg-turbo's: the same pixels, or the
 * same error. */
#include "base/error.h"
#include "fuzz.h"
#include "transform/image.h"

enum { HUFFMAN_PIXELS = 1 << 18 };

typedef struct huffman_outcome {
    mill_status status;
    mill_error err;
    uint8_t *pixels;
    size_t nbytes;
} huffman_outcome;

static huffman_outcome huffman_decode(const uint8_t *data, size_t nbytes, bool by_library, uint64_t state)
{
    huffman_outcome out = {0};
    const mill__decode_options options = {.channels = fuzz_draw(&state, 4) ? 3 : 1,
                                          .orient = fuzz_draw(&state, 2),
                                          .max_pixels = HUFFMAN_PIXELS,
                                          .max_scans = 16};
    mill__renderer *renderer = mill__renderer_new(32u << 20);
    PROMISE(renderer);
    mill__renderer_by_library(renderer, by_library);
    mill__error_clear(&out.err);
    mill__image_info info;
    out.status = mill__jpeg_begin(renderer, data, nbytes, &options, &info, &out.err);
    if (!out.status) {
        mill_view view;
        mill__view_init(&view, info.width, info.height);
        if (fuzz_draw(&state, 2)) {
            uint32_t width = 1 + fuzz_draw(&state, (uint32_t)info.width);
            uint32_t height = 1 + fuzz_draw(&state, (uint32_t)info.height);
            uint32_t x = fuzz_draw(&state, (uint32_t)info.width - width + 1);
            mill_view_crop(&view, x, fuzz_draw(&state, (uint32_t)info.height - height + 1), width, height, 0);
        }
        out.nbytes = (size_t)(mill_view_width(&view) * mill_view_height(&view)) * (size_t)options.channels;
        out.pixels = malloc(out.nbytes);
        PROMISE(out.pixels);
        const mill__target target = {
            .data = out.pixels, .layout = MILL_HWC, .channels = options.channels, .dtype = MILL_U8};
        out.status = mill__jpeg_render(renderer, &view, &target, &out.err);
    }
    mill__renderer_free(renderer);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    uint64_t state = fuzz_hash(data, nbytes);
    uint8_t *copy = fuzz_copy(data, nbytes);
    huffman_outcome own = huffman_decode(copy, nbytes, false, state);
    huffman_outcome library = huffman_decode(copy, nbytes, true, state);
    PROMISE(own.status == library.status && own.nbytes == library.nbytes);
    if (own.status) {
        PROMISE(!strcmp(own.err.kind, library.err.kind) && !strcmp(own.err.message, library.err.message));
        PROMISE(own.err.offset == library.err.offset);
    } else {
        PROMISE(!memcmp(own.pixels, library.pixels, own.nbytes));
    }
    free(own.pixels);
    free(library.pixels);
    free(copy);
    return 0;
}
