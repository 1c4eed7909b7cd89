/* SPDX-License-Identifier: Apache-2.0 */
/* transform/jpeg_memory.c: a jpeg_memory_mgr (jpeglib.h) over a block that grows to what images need. Pools
 * make no difference here: everything lives until the next image. */
#include "transform/jpeg_memory.h"
#include "base/memory.h"
#include <string.h>

/* Rows are rounded up to twice the widest vector of libjpeg-turbo, whose loops read and write whole vectors
 * behind a row's end; so is everything else, for its alignment. */
#define ALIGNMENT    64
#define BLOCK_NBYTES 65536
#define KEPT_NBYTES  (8u << 20) /* more than this is given back after the image */

/* Coefficients of a whole image, one component; all of it in memory. */
struct jvirt_barray_control {
    struct jvirt_barray_control *next;
    JBLOCKARRAY rows; /* NULL until realized */
    JDIMENSION nblocks, nrows;
};

static mill__jpeg_memory *memory_of(j_common_ptr common)
{
    return (mill__jpeg_memory *)(void *)common->mem;
}

static _Noreturn void refuse(j_common_ptr common)
{
    common->err->msg_code = JERR_NO_BACKING_STORE;
    common->err->error_exit(common);
    __builtin_unreachable();
}

static size_t rounded(size_t nbytes)
{
    return (nbytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* ---- blocks ---- */

static bool open_block(mill__jpeg_memory *memory, mill__jpeg_block *block, size_t capacity)
{
    mill__renderer *r = memory->renderer;
    *block = (mill__jpeg_block){0};
    if (!mill__has_room(r, capacity) || !(block->data = mill__alloc(capacity)))
        return false;
    block->capacity = capacity;
    r->held_nbytes += capacity;
    return true;
}

static void close_block(mill__jpeg_memory *memory, mill__jpeg_block *block)
{
    memory->renderer->held_nbytes -= block->capacity;
    mill__free(block->data);
    *block = (mill__jpeg_block){0};
}

static void *take(mill__jpeg_block *block, size_t nbytes)
{
    if (!block || block->capacity - block->used < nbytes)
        return NULL;
    void *p = block->data + block->used;
    block->used += nbytes;
    return p;
}

/* A block's header is its first tenant. */
static void *take_from_new(mill__jpeg_memory *memory, size_t nbytes)
{
    mill__jpeg_block block;
    size_t header = rounded(sizeof block), capacity = nbytes + header + ALIGNMENT;
    if (!open_block(memory, &block, capacity > BLOCK_NBYTES ? capacity : BLOCK_NBYTES))
        return NULL;
    mill__jpeg_block *kept = take(&block, header);
    block.next = memory->overflow;
    *kept = block;
    memory->overflow = kept;
    return take(kept, nbytes);
}

static void *allocate(j_common_ptr common, size_t nbytes)
{
    mill__jpeg_memory *memory = memory_of(common);
    if (nbytes > SIZE_MAX / 4)
        refuse(common);
    nbytes = rounded(nbytes);
    void *p = take(&memory->home, nbytes);
    if (!p)
        p = take(memory->overflow, nbytes);
    if (!p)
        p = take_from_new(memory, nbytes);
    if (!p)
        refuse(common);
    return p;
}

/* ---- what libjpeg calls ---- */

static void *alloc_any(j_common_ptr common, int pool, size_t nbytes)
{
    (void)pool;
    return allocate(common, nbytes);
}

static JSAMPARRAY alloc_sarray(j_common_ptr common, int pool, JDIMENSION nsamples, JDIMENSION nrows)
{
    (void)pool;
    size_t stride = rounded(nsamples);
    JSAMPARRAY rows = allocate(common, nrows * sizeof *rows);
    JSAMPLE *samples = allocate(common, stride * nrows);
    for (JDIMENSION i = 0; i < nrows; i++)
        rows[i] = samples + i * stride;
    return rows;
}

static JBLOCKARRAY alloc_barray(j_common_ptr common, int pool, JDIMENSION nblocks, JDIMENSION nrows)
{
    (void)pool;
    JBLOCKARRAY rows = allocate(common, nrows * sizeof *rows);
    JBLOCKROW blocks = allocate(common, (size_t)nblocks * nrows * sizeof *blocks);
    for (JDIMENSION i = 0; i < nrows; i++)
        rows[i] = blocks + (size_t)i * nblocks;
    return rows;
}

/* Whole images of samples are kept by colour quantization alone, which nobody asks for here. */
static jvirt_sarray_ptr request_virt_sarray(j_common_ptr common, int pool, boolean zero, JDIMENSION nsamples,
                                            JDIMENSION nrows, JDIMENSION access)
{
    (void)pool, (void)zero, (void)nsamples, (void)nrows, (void)access;
    refuse(common);
}

static JSAMPARRAY access_virt_sarray(j_common_ptr common, jvirt_sarray_ptr array, JDIMENSION first,
                                     JDIMENSION n, boolean writable)
{
    (void)array, (void)first, (void)n, (void)writable;
    refuse(common);
}

static jvirt_barray_ptr request_virt_barray(j_common_ptr common, int pool, boolean zero, JDIMENSION nblocks,
                                            JDIMENSION nrows, JDIMENSION access)
{
    (void)pool, (void)zero, (void)access;
    mill__jpeg_memory *memory = memory_of(common);
    struct jvirt_barray_control *array = allocate(common, sizeof *array);
    *array = (struct jvirt_barray_control){.next = memory->arrays, .nblocks = nblocks, .nrows = nrows};
    memory->arrays = array;
    return array;
}

/* Zeros, asked for or not: a file may leave coefficients out, and none may come from another image. */
static void realize_virt_arrays(j_common_ptr common)
{
    for (struct jvirt_barray_control *a = memory_of(common)->arrays; a; a = a->next) {
        if (a->rows)
            continue;
        a->rows = alloc_barray(common, JPOOL_IMAGE, a->nblocks, a->nrows);
        memset(a->rows[0], 0, (size_t)a->nblocks * a->nrows * sizeof(JBLOCK));
    }
}

static JBLOCKARRAY access_virt_barray(j_common_ptr common, jvirt_barray_ptr array, JDIMENSION first,
                                      JDIMENSION n, boolean writable)
{
    (void)writable;
    if (!array->rows || first > array->nrows || n > array->nrows - first) {
        common->err->msg_code = JERR_BAD_VIRTUAL_ACCESS;
        common->err->error_exit(common);
    }
    return array->rows + first;
}

static void free_pool(j_common_ptr common, int pool)
{
    (void)common, (void)pool;
}

static void self_destruct(j_common_ptr common)
{
    (void)common;
}

/* ---- life ---- */

struct jpeg_memory_mgr *mill__jpeg_memory_init(mill__jpeg_memory *memory, mill__renderer *renderer)
{
    *memory = (mill__jpeg_memory){.renderer = renderer,
                                  .base = {.alloc_small = alloc_any,
                                           .alloc_large = alloc_any,
                                           .alloc_sarray = alloc_sarray,
                                           .alloc_barray = alloc_barray,
                                           .request_virt_sarray = request_virt_sarray,
                                           .request_virt_barray = request_virt_barray,
                                           .realize_virt_arrays = realize_virt_arrays,
                                           .access_virt_sarray = access_virt_sarray,
                                           .access_virt_barray = access_virt_barray,
                                           .free_pool = free_pool,
                                           .self_destruct = self_destruct,
                                           .max_memory_to_use = 0,
                                           .max_alloc_chunk = 1000000000}};
    return &memory->base;
}

/* What did not fit into home makes it larger for the images to come, within reason. */
void mill__jpeg_memory_reset(mill__jpeg_memory *memory)
{
    size_t wanted = memory->home.used;
    bool grow = memory->overflow;
    while (memory->overflow) {
        mill__jpeg_block block = *memory->overflow; /* it lies in its own memory */
        memory->overflow = block.next;
        wanted += block.used;
        close_block(memory, &block);
    }
    memory->arrays = NULL;
    memory->home.used = 0;
    if (!grow || wanted > KEPT_NBYTES)
        return;
    close_block(memory, &memory->home);
    open_block(memory, &memory->home, rounded(wanted + wanted / 4) + ALIGNMENT);
}

void mill__jpeg_memory_free(mill__jpeg_memory *memory)
{
    mill__jpeg_memory_reset(memory);
    close_block(memory, &memory->home);
}
