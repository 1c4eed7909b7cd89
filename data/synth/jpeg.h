/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth/jpeg.h: a picture as a JPEG file. */
#ifndef SYNTH_JPEG_H
#define SYNTH_JPEG_H

#include "random.h"
#include <string.h>
/* jpeglib.h needs stdio.h before it */
#include <jpeglib.h>

typedef struct {
    int width, height; /* as stored */
    int class_id, quality, ncomponents, sampling, orientation, restart;
    bool progressive;
    unsigned char *jpeg;
    unsigned long njpeg;
} picture;

static const struct {
    const char *name;
    int h, v;
} samplings[] = {{"4:2:0", 2, 2}, {"4:2:2", 2, 1}, {"4:4:4", 1, 1}, {"4:4:0", 1, 2}};

/* Stores an upright picture so that it needs the EXIF orientation to be upright again. */
static void turn(const uint8_t *upright, const picture *p, uint8_t *stored)
{
    int o = p->orientation, n = p->ncomponents, upright_width = o >= 5 ? p->height : p->width;
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            int u = o == 2 || o == 3 || o == 7 || o == 8 ? p->width - 1 - x : x;
            int v = o == 3 || o == 4 || o == 6 || o == 7 ? p->height - 1 - y : y;
            size_t from = o >= 5 ? (size_t)u * (size_t)upright_width + (size_t)v
                                 : (size_t)v * (size_t)upright_width + (size_t)u;
            memcpy(stored + ((size_t)y * (size_t)p->width + (size_t)x) * (size_t)n,
                   upright + from * (size_t)n, (size_t)n);
        }
}

static void write_orientation(struct jpeg_compress_struct *c, int orientation)
{
    uint8_t exif[] = {'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                      1,   18,  0,   3,   0, 0, 0,   1,   0, 0,  0, 0, 0, 0, 0, 0};
    exif[25] = (uint8_t)orientation;
    jpeg_write_marker(c, JPEG_APP0 + 1, exif, sizeof exif);
}

static void encode(picture *p, uint8_t *pixels)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    p->jpeg = NULL;
    p->njpeg = 0;
    jpeg_mem_dest(&c, &p->jpeg, &p->njpeg);
    c.image_width = (JDIMENSION)p->width;
    c.image_height = (JDIMENSION)p->height;
    c.input_components = p->ncomponents;
    c.in_color_space = p->ncomponents == 3 ? JCS_YCbCr : JCS_GRAYSCALE;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, p->quality, TRUE);
    c.dct_method = JDCT_ISLOW;
    c.restart_in_rows = p->restart;
    if (p->ncomponents == 3) {
        c.comp_info[0].h_samp_factor = samplings[p->sampling].h;
        c.comp_info[0].v_samp_factor = samplings[p->sampling].v;
    }
    if (p->progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    if (p->orientation > 1)
        write_orientation(&c, p->orientation);
    while (c.next_scanline < c.image_height) {
        JSAMPROW row = pixels + (size_t)c.next_scanline * (size_t)p->width * (size_t)p->ncomponents;
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
}

#endif
