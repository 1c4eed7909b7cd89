/* SPDX-License-Identifier: Apache-2.0 */
/* transform/jpeg_encode.c: pixels to a baseline JPEG. Equal pixels give equal bytes. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/image.h"
#include "transform/libjpeg.h"

typedef struct encoder {
    struct jpeg_compress_struct compress;
    struct jpeg_destination_mgr destination;
    mill__jpeg_failure failure;
    mill__buffer *out;
    const uint8_t *pixels;
    size_t stride;
    int quality, subsampling;
} encoder;

/* libjpeg writes straight into what is reserved; out->nbytes is set right at the end. */
static void make_room(encoder *e, size_t used)
{
    e->out->nbytes = used;
    if (used > SIZE_MAX / 4 || mill__buffer_reserve(e->out, used + used / 2 + 4096))
        mill__jpeg_refuse(&e->failure, MILL_NO_MEMORY, "out of memory");
    e->destination.next_output_byte = e->out->data + used;
    e->destination.free_in_buffer = e->out->capacity - used;
}

static void begin_output(j_compress_ptr compress)
{
    encoder *e = compress->client_data;
    make_room(e, e->out->nbytes);
}

static boolean more_output(j_compress_ptr compress)
{
    encoder *e = compress->client_data;
    make_room(e, e->out->capacity);
    return TRUE;
}

static void end_output(j_compress_ptr compress)
{
    encoder *e = compress->client_data;
    e->out->nbytes = e->out->capacity - e->destination.free_in_buffer;
}

static void choose(encoder *e)
{
    struct jpeg_compress_struct *c = &e->compress;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, e->quality, TRUE);
    if (c->num_components == 3) {
        c->comp_info[0].h_samp_factor = e->subsampling == 444 ? 1 : 2;
        c->comp_info[0].v_samp_factor = e->subsampling == 420 ? 2 : 1;
    }
}

static void encode(encoder *e, int64_t width, int64_t height, int channels)
{
    struct jpeg_compress_struct *c = &e->compress;
    c->image_width = (JDIMENSION)width;
    c->image_height = (JDIMENSION)height;
    c->input_components = channels;
    c->in_color_space = channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    c->client_data = e;
    c->dest = &e->destination;
    choose(e);
    jpeg_start_compress(c, TRUE);
    while (c->next_scanline < c->image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(e->pixels + c->next_scanline * e->stride);
        jpeg_write_scanlines(c, &row, 1);
    }
    jpeg_finish_compress(c);
}

static mill_status guarded_encode(encoder *e, int64_t width, int64_t height, int channels)
{
    if (setjmp(e->failure.escape))
        return mill__jpeg_status(&e->failure);
    jpeg_create_compress(&e->compress);
    encode(e, width, height, channels);
    return MILL_OK;
}

mill_status mill__jpeg_encode(mill__renderer *r, const uint8_t *pixels, int64_t width, int64_t height,
                              int channels, int quality, int subsampling, struct mill__buffer *out,
                              mill_error *err)
{
    (void)r;
    if ((channels != 1 && channels != 3) || width < 1 || height < 1)
        return mill_fail(err, MILL_UNSUPPORTED, "unsupported",
                         "%lldx%lld pixels of %d channels cannot be made a JPEG; it takes 1 or 3 channels",
                         (long long)width, (long long)height, channels);
    if (width > JPEG_MAX_DIMENSION || height > JPEG_MAX_DIMENSION)
        return mill_fail(err, MILL_LIMIT, "limit",
                         "%lldx%lld pixels are too many for a JPEG, whose sides are at most %ld",
                         (long long)width, (long long)height, (long)JPEG_MAX_DIMENSION);
    size_t begin = out->nbytes;
    encoder *e = mill__alloc(sizeof *e);
    if (!e)
        return mill__no_memory(err, sizeof *e, "a JPEG encoder");
    *e = (encoder){.destination = {.init_destination = begin_output,
                                   .empty_output_buffer = more_output,
                                   .term_destination = end_output},
                   .out = out,
                   .pixels = pixels,
                   .stride = (size_t)width * (size_t)channels,
                   .quality = quality,
                   .subsampling = subsampling};
    e->compress.err = mill__jpeg_failure_init(&e->failure);
    mill_status status = guarded_encode(e, width, height, channels);
    if (status) {
        out->nbytes = begin;
        mill_fail(err, status, status == MILL_LIMIT ? "limit" : "encode", "cannot encode a JPEG: %s",
                  e->failure.text);
    }
    jpeg_destroy_compress(&e->compress);
    mill__free(e);
    return status;
}
