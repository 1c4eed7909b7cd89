/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG files of every shape, and libjpeg-turbo's own full decode of them, the plain way. */
#ifndef TESTS_JPEG_FIXTURE_H
#define TESTS_JPEG_FIXTURE_H

#include "pixel_fixture.h"
#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h> /* second: its list of codes hangs on what jpeglib.h defines */

typedef struct jpeg_kind {
    const char *name;
    J_COLOR_SPACE space;    /* as stored */
    int across[4], down[4]; /* sampling factors; 0: libjpeg's defaults */
    bool progressive, arithmetic, optimised;
    int restart; /* MCU rows */
} jpeg_kind;

/* clang-format off */
static const jpeg_kind jpeg_kinds[] = {
    {.name = "444", .space = JCS_YCbCr, .across = {1, 1, 1}, .down = {1, 1, 1}},
    {.name = "422", .space = JCS_YCbCr, .across = {2, 1, 1}, .down = {1, 1, 1}},
    {.name = "420", .space = JCS_YCbCr, .across = {2, 1, 1}, .down = {2, 1, 1}},
    {.name = "440", .space = JCS_YCbCr, .across = {1, 1, 1}, .down = {2, 1, 1}},
    {.name = "411", .space = JCS_YCbCr, .across = {4, 1, 1}, .down = {1, 1, 1}},
    {.name = "410", .space = JCS_YCbCr, .across = {4, 1, 1}, .down = {2, 1, 1}},
    {.name = "4:1:4 upright", .space = JCS_YCbCr, .across = {1, 1, 1}, .down = {4, 1, 1}},
    {.name = "chroma finer than half", .space = JCS_YCbCr, .across = {2, 2, 1}, .down = {2, 1, 2}},
    {.name = "420 with restarts", .space = JCS_YCbCr, .across = {2, 1, 1}, .down = {2, 1, 1}, .restart = 1},
    {.name = "420 arithmetic", .space = JCS_YCbCr, .across = {2, 1, 1}, .down = {2, 1, 1}, .arithmetic = true},
    {.name = "444 progressive", .space = JCS_YCbCr, .across = {1, 1, 1}, .down = {1, 1, 1}, .progressive = true},
    {.name = "420 progressive", .space = JCS_YCbCr, .across = {2, 1, 1}, .down = {2, 1, 1}, .progressive = true},
    {.name = "rgb as it is", .space = JCS_RGB},
    {.name = "grey", .space = JCS_GRAYSCALE},
    {.name = "grey, sampled 2x2", .space = JCS_GRAYSCALE, .across = {2}, .down = {2}},
    {.name = "grey progressive", .space = JCS_GRAYSCALE, .progressive = true},
    {.name = "cmyk", .space = JCS_CMYK},
    {.name = "ycck 420", .space = JCS_YCCK, .across = {2, 1, 1, 2}, .down = {2, 1, 1, 2}},
};
/* clang-format on */
enum { JPEG_KINDS = sizeof jpeg_kinds / sizeof *jpeg_kinds };

typedef struct jpeg_file {
    unsigned char *data;
    unsigned long nbytes;
} jpeg_file;

static inline int kind_channels(const jpeg_kind *kind)
{
    return kind->space == JCS_GRAYSCALE ? 1 : kind->space == JCS_CMYK || kind->space == JCS_YCCK ? 4 : 3;
}

/* An EXIF segment that says how the picture is to be turned; its byte order varies. */
static inline void write_orientation(struct jpeg_compress_struct *c, int orientation)
{
    static const uint8_t little[] = "Exif\0\0II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\0\0\0\0\0\0\0\0";
    static const uint8_t big[] = "Exif\0\0MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\0\0\0\0\0\0\0";
    uint8_t bytes[sizeof little];
    bool is_big = orientation % 2;
    memcpy(bytes, is_big ? big : little, sizeof bytes);
    bytes[6 + 8 + 2 + 8 + (is_big ? 1 : 0)] = (uint8_t)orientation;
    jpeg_write_marker(c, JPEG_APP0 + 1, bytes, sizeof bytes - 1);
}

static inline void choose_kind(struct jpeg_compress_struct *c, const jpeg_kind *kind, int quality)
{
    static const J_COLOR_SPACE from[] = {[1] = JCS_GRAYSCALE, [3] = JCS_RGB, [4] = JCS_CMYK};
    c->input_components = kind_channels(kind);
    c->in_color_space = from[c->input_components];
    jpeg_set_defaults(c);
    jpeg_set_colorspace(c, kind->space);
    jpeg_set_quality(c, quality, TRUE);
    for (int i = 0; i < c->num_components && kind->across[0]; i++) {
        c->comp_info[i].h_samp_factor = kind->across[i];
        c->comp_info[i].v_samp_factor = kind->down[i];
    }
    if (kind->progressive)
        jpeg_simple_progression(c);
    c->arith_code = kind->arithmetic;
    c->optimize_coding = kind->optimised;
    c->restart_in_rows = kind->restart;
}

/* scans: a scan script of nscans, or NULL. orientation 0: no EXIF. */
static inline jpeg_file jpeg_make_scans(const picture *p, const jpeg_kind *kind, int quality, int orientation,
                                        const jpeg_scan_info *scans, int nscans)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr e;
    jpeg_file file = {0};
    c.err = jpeg_std_error(&e);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &file.data, &file.nbytes);
    c.image_width = (JDIMENSION)p->width;
    c.image_height = (JDIMENSION)p->height;
    choose_kind(&c, kind, quality);
    if (scans) {
        c.scan_info = scans;
        c.num_scans = nscans;
    }
    jpeg_start_compress(&c, TRUE);
    if (orientation)
        write_orientation(&c, orientation);
    while (c.next_scanline < c.image_height) {
        JSAMPROW row = picture_at(p, 0, c.next_scanline);
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return file;
}

static inline jpeg_file jpeg_make(const picture *p, const jpeg_kind *kind, int quality, int orientation)
{
    return jpeg_make_scans(p, kind, quality, orientation, NULL, 0);
}

/* A random picture as a JPEG. */
static inline jpeg_file jpeg_random(int64_t width, int64_t height, const jpeg_kind *kind, int orientation)
{
    picture p = picture_random(width, height, kind_channels(kind));
    jpeg_file file = jpeg_make(&p, kind, (int)random_between(40, 98), orientation);
    picture_free(&p);
    return file;
}

/* ---- the reference decoder ---- */

typedef struct jpeg_escape {
    struct jpeg_error_mgr base;
    jmp_buf to;
} jpeg_escape;

static inline void jpeg_leave(j_common_ptr common)
{
    longjmp(((jpeg_escape *)(void *)common->err)->to, 1);
}

static inline void jpeg_be_quiet(j_common_ptr common, int level)
{
    /* that the end marker is missing does not matter where no pixels are, which has a warning of its own */
    common->err->num_warnings += level < 0 && common->err->msg_code != JWRN_JPEG_EOF;
}

/* Ink to light, as Pillow has it: r = k - round((255 - c) * k / 255) for inverted c and k. */
static inline void ink_to_light(const uint8_t *in, uint8_t *out)
{
    for (int i = 0; i < 3; i++) {
        double v = in[3] - floor((255.0 - in[i]) * in[3] / 255 + 0.5);
        out[i] = (uint8_t)(v < 0 ? 0 : v);
    }
}

static inline void store_line(picture *p, int64_t y, const uint8_t *line, int components)
{
    for (int64_t x = 0; x < p->width; x++) {
        uint8_t *out = picture_at(p, x, y), rgb[3];
        if (components < 4) {
            memcpy(out, line + x * components, (size_t)components);
            continue;
        }
        ink_to_light(line + x * 4, rgb);
        if (p->channels == 3)
            memcpy(out, rgb, 3);
        else
            *out = (uint8_t)((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
    }
}

/* Decode all rows by libjpeg alone, at eighths of the size. False: not without error or warning; *p then is
 * empty. */
static inline bool jpeg_decode_at(const void *data, size_t nbytes, const mill__decode_options *options,
                                  int eighths, picture *p)
{
    int channels = options->channels;
    struct jpeg_decompress_struct d;
    jpeg_escape e;
    uint8_t *volatile line = NULL;
    *p = (picture){0};
    d.err = jpeg_std_error(&e.base);
    e.base.error_exit = jpeg_leave;
    e.base.emit_message = jpeg_be_quiet;
    jpeg_create_decompress(&d);
    volatile bool good = false;
    if (!setjmp(e.to)) {
        jpeg_mem_src(&d, data, nbytes);
        jpeg_read_header(&d, TRUE);
        d.out_color_space = d.num_components == 4 ? JCS_CMYK : channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
        d.scale_num = (unsigned)eighths;
        d.scale_denom = 8;
        d.dct_method = options->fast_dct ? JDCT_IFAST : JDCT_ISLOW;
        d.do_fancy_upsampling = !options->fast_upsampling;
        jpeg_start_decompress(&d);
        *p = picture_new(d.output_width, d.output_height, channels);
        line = malloc((size_t)d.output_width * 4);
        while (d.output_scanline < d.output_height) {
            JSAMPROW row = line;
            jpeg_read_scanlines(&d, &row, 1);
            store_line(p, d.output_scanline - 1, line, d.output_components);
        }
        good = e.base.num_warnings == 0; /* what follows the last row does not matter */
    }
    jpeg_destroy_decompress(&d);
    free(line);
    if (!good)
        picture_free(p);
    return good;
}

/* To 1 or 3 channels, exactly. */
static inline bool jpeg_decode_whole(const void *data, size_t nbytes, int channels, picture *p)
{
    mill__decode_options options = {.channels = channels};
    return jpeg_decode_at(data, nbytes, &options, 8, p);
}

/* ---- the library ---- */

static const mill__decode_options jpeg_as_rgb = {.channels = 3, .max_pixels = 1 << 28, .max_scans = 64};

/* Header, a view of the rectangle or of everything (rect NULL), pixels. */
static inline mill_status jpeg_decode_part(mill__renderer *r, const void *data, size_t nbytes,
                                           const mill__decode_options *options, const mill__rect *rect,
                                           picture *p, mill_error *err)
{
    mill__image_info info;
    *p = (picture){0};
    *err = (mill_error){.offset = MILL_NO_OFFSET};
    mill_status status = mill__jpeg_begin(r, data, nbytes, options, &info, err);
    if (status)
        return status;
    mill_view view;
    mill__view_init(&view, info.width, info.height);
    if (rect)
        EXPECT(mill_view_crop(&view, rect->x, rect->y, rect->width, rect->height, 77) == MILL_OK);
    *p = picture_new(mill_view_width(&view), mill_view_height(&view), options->channels);
    mill__target target = {
        .data = p->pixels, .layout = MILL_HWC, .channels = options->channels, .dtype = MILL_U8};
    status = mill__jpeg_render(r, &view, &target, err);
    if (status)
        picture_free(p);
    return status;
}

#endif
