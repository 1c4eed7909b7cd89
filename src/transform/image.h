/* SPDX-License-Identifier: Apache-2.0 */
/* transform/image.h: rendering a view: encoded bytes or pixels in, pixels of the final dtype and layout out.
 */
#ifndef MILL_TRANSFORM_IMAGE_H
#define MILL_TRANSFORM_IMAGE_H

#include <shardmill/extend.h>
#include <stdbool.h>

/* The normal form of a view: crop the source, resize the crop, keep clip of that, show it through a canvas.
 *
 *   source (width x height, oriented)  --crop-->  box  --resize-->  size  --clip, canvas-->  output, mirrored
 * if flip
 *
 * crop lies within the source. clip and canvas are rectangles in the coordinates of the resized crop; clip
 * lies within it; canvas may be anything. Canvas pixels outside of clip are fill, or what border says. */
#define MILL__VIEW_MAX ((int64_t)1 << 30) /* no side of a view is longer, and nothing lies farther off */

typedef struct mill__rect {
    int64_t x, y, width, height;
} mill__rect;

/* What the canvas shows outside of clip. */
typedef enum mill__border {
    MILL__BORDER_FILL,
    MILL__BORDER_EDGE,     /* the nearest pixel of clip */
    MILL__BORDER_REFLECT,  /* clip mirrored in its outermost pixels */
    MILL__BORDER_SYMMETRIC /* clip mirrored in its edges: the outermost pixels come twice */
} mill__border;

/* The part of the crop that becomes the resized crop, in its pixels. What lies around it takes part at its
 * edges, as with Pillow's box. Not given: all. */
typedef struct mill__part {
    bool given;
    float left, top, right, bottom;
} mill__part;

struct mill_view {
    int64_t source_width, source_height;
    mill__rect crop;
    mill__part part;
    int64_t resized_width, resized_height;
    mill_filter filter;
    bool resized; /* a resize step was composed, also when it changed nothing */
    mill__rect clip, canvas;
    uint8_t fill;
    mill__border border;
    bool flip;
};
void mill__view_init(mill_view *view, int64_t width, int64_t height); /* the whole source as it is */
/* mill_view_resize() of a part of what is shown, which must lie within it: else MILL_BAD_DATA. */
mill_status mill__view_resize_part(mill_view *view, const mill__part *part, int64_t width, int64_t height,
                                   mill_filter filter);
/* Put a border, not of fill, around all that is shown; 0 or more pixels on each side. */
mill_status mill__view_border(mill_view *view, int64_t left, int64_t top, int64_t right, int64_t bottom,
                              mill__border border);

/* A colour table: entry [c * 256 + v] is what pixel value v of channel c becomes, in the output dtype (1, 2,
 * 4 or 8 bytes an entry). NULL stands for u8 as it is. */

/* What is known of an encoded image from its header. */
typedef struct mill__image_info {
    int64_t width, height; /* oriented if so asked */
    int channels;          /* that decode yields: 1 or 3 */
    int stored_components; /* 1, 3, 4 */
    int orientation;       /* EXIF, 1..8 */
    bool progressive;
} mill__image_info;

typedef struct mill__decode_options {
    int channels;        /* 1: grey, 3: RGB */
    bool orient;         /* apply the EXIF orientation */
    uint64_t max_pixels; /* refuse larger images: MILL_LIMIT, kind "limit" */
    int max_scans;       /* of a progressive file */
    /* Not the same pixels as a full decode, but soon there: see docs/pixels.md. */
    bool fast_scale;      /* decode at a fraction of the size where the view shrinks */
    bool fast_dct;        /* a less accurate inverse DCT */
    bool fast_upsampling; /* chroma repeated instead of interpolated */
} mill__decode_options;

/* One thread's decoder and scratch; grows as needed up to limit_nbytes, then MILL_LIMIT. */
typedef struct mill__renderer mill__renderer;
mill__renderer *mill__renderer_new(uint64_t limit_nbytes); /* NULL: no memory */
struct mill__kernels;
/* By the kernels of this table instead of the best that the machine has. */
void mill__renderer_use(mill__renderer *r, const struct mill__kernels *kernels);
/* Leave Huffman codes to libjpeg-turbo: the same pixels and errors, later. */
void mill__renderer_by_library(mill__renderer *r, bool by_library);
uint64_t mill__renderer_nbytes(const mill__renderer *r); /* held now */
void mill__renderer_free(mill__renderer *r);

/* Where pixels go. data is row-major in layout (MILL_HWC or MILL_CHW) for the canvas's width and height. */
typedef struct mill__target {
    void *data;
    mill_layout layout;
    int channels;
    mill_dtype dtype;
    const void *table; /* colour table of dtype, or NULL for u8 */
} mill__target;

/* Two steps for a JPEG: read the header (the bytes must stay until render), compose a view, render. Errors
 * have kind "decode", "limit" or "unsupported" and offsets relative to data. Truncated or corrupt entropy
 * data (libjpeg's warnings) is an error: a sample is never silently grey. */
mill_status mill__jpeg_begin(mill__renderer *r, const void *data, size_t nbytes,
                             const mill__decode_options *options, mill__image_info *info, mill_error *err);
mill_status mill__jpeg_render(mill__renderer *r, const mill_view *view, const mill__target *target,
                              mill_error *err);
/* The same from pixels: u8 HWC, rows tightly packed, width and height those of the view's source. */
mill_status mill__pixels_render(mill__renderer *r, const uint8_t *pixels, int channels, const mill_view *view,
                                const mill__target *target, mill_error *err);
/* Header only, without a renderer's state being kept (inspect). */
mill_status mill__jpeg_probe(mill__renderer *r, const void *data, size_t nbytes, mill__image_info *info,
                             mill_error *err);
/* Pixels (u8 HWC, channels 1 or 3) to a JPEG file appended to out. subsampling: 444, 422 or 420. */
struct mill__buffer;
mill_status mill__jpeg_encode(mill__renderer *r, const uint8_t *pixels, int64_t width, int64_t height,
                              int channels, int quality, int subsampling, struct mill__buffer *out,
                              mill_error *err);

/* The decode transform's parameters, as its plan() keeps them (self of mill__decode_ops). */
typedef struct mill__decode {
    mill__decode_options options;
    const char *field; /* "" : the first jpg or jpeg field */
    char field_text[64];
} mill__decode;
extern const mill_transform_ops mill__decode_ops; /* recognised by the plan: it begins an image */

/* layout has no view callback: the plan asks for it by name. */
extern const mill_transform_ops mill__layout_ops;

#endif
