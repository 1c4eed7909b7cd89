/* SPDX-License-Identifier: Apache-2.0 */
/* transform/jpeg_entropy.h: our Huffman decoder (kernel/huffman.h) in the place of libjpeg-turbo's.
 *
 * It is used for what nearly all photographs are: one sequential scan of 8 bits with Huffman codes and
 * without restarts. It takes no decision of its own about files that are damaged: at whatever is not plainly
 * right it gives up, and jpeg.c decodes the image anew, all by libjpeg-turbo. So pixels can only be those of
 * sound data, and errors are libjpeg-turbo's own, text and place. */
#ifndef MILL_TRANSFORM_JPEG_ENTROPY_H
#define MILL_TRANSFORM_JPEG_ENTROPY_H

#include "transform/libjpeg.h"
#include "transform/render.h"

typedef struct mill__jpeg_entropy {
    mill__huffman *huffman; /* in the renderer's scratch */
    mill__huffman_mcu *decode;
    unsigned with_ac;             /* see mill__huffman_mcu */
    unsigned column, first, last; /* MCUs: the next one's, and those that are wanted */
    uint64_t mcus_left;           /* of the scan */
    bool has_given_up;
} mill__jpeg_entropy;

/* After jpeg_start_decompress and jpeg_crop_scanline: decode by ours from here on, if that can be. Of each
 * row the samples from x on, width of them, are wanted. decoder->client_data points to entropy, or to a
 * struct that begins with it; decoder->err is a mill__jpeg_failure, whose stretch is left when it gives up.
 */
void mill__jpeg_entropy_begin(mill__jpeg_entropy *entropy, mill__renderer *renderer,
                              struct jpeg_decompress_struct *decoder, unsigned x, unsigned width);
/* Whether this build knows how, with the library whose jpeg_std_error filled this in: see jpeg_entropy.c. */
bool mill__jpeg_entropy_knows(const struct jpeg_error_mgr *library);

#endif
