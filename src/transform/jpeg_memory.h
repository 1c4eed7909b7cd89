/* SPDX-License-Identifier: Apache-2.0 */
/* transform/jpeg_memory.h: the memory that libjpeg decodes in: kept from image to image, so that decoding
 * allocates nothing once it is warm, and counted, so that no image takes more than the renderer's limit. */
#ifndef MILL_TRANSFORM_JPEG_MEMORY_H
#define MILL_TRANSFORM_JPEG_MEMORY_H

#include "transform/libjpeg.h"
#include "transform/render.h"

typedef struct mill__jpeg_block {
    struct mill__jpeg_block *next;
    uint8_t *data;
    size_t used, capacity;
} mill__jpeg_block;

typedef struct mill__jpeg_memory {
    struct jpeg_memory_mgr base; /* first: libjpeg points to it */
    mill__renderer *renderer;    /* whose limit and held bytes these are */
    mill__jpeg_block home;       /* kept */
    mill__jpeg_block *overflow;  /* of this image, newest first */
    struct jvirt_barray_control *arrays;
} mill__jpeg_memory;

/* For an object whose err is a mill__jpeg_failure; allocations beyond the limit leave the stretch (see
 * libjpeg.h) with JERR_NO_BACKING_STORE. */
struct jpeg_memory_mgr *mill__jpeg_memory_init(mill__jpeg_memory *memory, mill__renderer *renderer);
void mill__jpeg_memory_reset(mill__jpeg_memory *memory); /* all of it is free again */
void mill__jpeg_memory_free(mill__jpeg_memory *memory);

#endif
