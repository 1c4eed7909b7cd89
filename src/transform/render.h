/* SPDX-License-Identifier: Apache-2.0 */
/* transform/render.h: inside a renderer. The source's rows are pushed in order, from a JPEG decoder or from
 * memory; each goes through the horizontal weights into a ring of rows, and as soon as the ring holds what an
 * output row needs, that row is made and stored. No more than a few rows are ever held. */
#ifndef MILL_TRANSFORM_RENDER_H
#define MILL_TRANSFORM_RENDER_H

#include "kernel/huffman.h"
#include "transform/image.h"
#include "transform/resample.h"

/* Scratch that grows and is reused. Contents are lost when it grows. */
typedef struct mill__scratch {
    uint8_t *data;
    uint64_t nbytes;
} mill__scratch;

typedef struct mill__cached {
    mill__coefficients coefficients;
    uint64_t used; /* number of the rendering that last used it; 0: empty */
} mill__cached;

/* One rendering. Columns and rows are those of the resized crop. */
typedef struct mill__pass {
    mill__target target;
    int64_t width, height; /* of the target */
    size_t entry_nbytes;
    bool flip;
    mill__border border;
    mill__rect clip; /* what is made */
    int64_t x, y;    /* where clip begins in the canvas */
    mill__rect need; /* what must be pushed, in the source; no height: nothing */
    mill__rect crop;
    const mill__coefficients *across, *down; /* NULL: the size stays */
    int64_t next;                            /* the row of clip to be made next, from clip.y on */
    size_t row_nbytes, stride;               /* a row of clip in u8, and in the ring */
    size_t nring;                            /* rows that the ring holds */
} mill__pass;

struct mill__jpeg; /* jpeg.c */

#define MILL__CACHED 8

struct mill__renderer {
    const mill__kernels *kernels;
    mill__huffman_mcu *huffman_mcu; /* of the same level */
    uint64_t limit_nbytes, held_nbytes;
    uint64_t renderings;
    mill__scratch row;     /* source rows that need a copy of their own */
    mill__scratch ring;    /* rows after the horizontal pass */
    mill__scratch window;  /* pointers into ring */
    mill__scratch line;    /* one finished row, u8 */
    mill__scratch bounds;  /* horizontal bounds relative to need */
    mill__scratch frame;   /* a region to be turned round (EXIF) */
    mill__scratch huffman; /* a mill__huffman, kept from image to image */
    mill__cached cached[MILL__CACHED];
    mill__pass pass;
    mill__store_table store_table; /* the target's */
    struct mill__jpeg *jpeg;       /* NULL until the first JPEG */
    bool by_library;               /* Huffman codes are left to libjpeg-turbo */
    uint64_t own_decodings;        /* JPEGs begun by our Huffman decoder */
    uint64_t second_decodings;     /* of them those that it gave up */
};

/* Whether the limit allows nbytes more. Weights that the present rendering does not use are the first to go
 * when memory is short. */
bool mill__has_room(mill__renderer *r, uint64_t nbytes);
mill_status mill__reserve(mill__renderer *r, mill__scratch *scratch, uint64_t nbytes, const char *what,
                          mill_error *err);
void mill__release(mill__renderer *r, mill__scratch *scratch);
/* The weights that take from .. to of in pixels to out pixels. Valid until the next rendering but seven. */
mill_status mill__coefficients_for(mill__renderer *r, int64_t in, float from, float to, int64_t out,
                                   mill_filter filter, const mill__coefficients **c, mill_error *err);
void mill__jpeg_free(struct mill__jpeg *jpeg); /* NULL is fine */

/* Plan the pass r->pass and store what is fill. Then push every row of pass.need, top to bottom, up to
 * MILL__RESAMPLE_ROWS at once: rows[i] is where pixel need.x of row y + i is, readable MILL__RESAMPLE_SLACK
 * bytes behind its last. */
mill_status mill__render_begin(mill__renderer *r, const mill_view *view, const mill__target *target,
                               mill_error *err);
void mill__render_rows(mill__renderer *r, int64_t y, const uint8_t *const *rows, size_t nrows);
/* When all rows were pushed: make the border, if it is not of fill. */
void mill__render_border(const mill__pass *pass);
/* Push pass.need from pixels that begin at (x, y) of the source, rows of width pixels. */
mill_status mill__render_frame(mill__renderer *r, const uint8_t *pixels, int64_t x, int64_t y, int64_t width,
                               int64_t height, mill_error *err);

#endif
