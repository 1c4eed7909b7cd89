/* SPDX-License-Identifier: Apache-2.0 */
/* bench/bare.h: the reference of bench-eval, shared by eval.c and decode_loop.c: a bare libjpeg-turbo loop
 * that decodes every .jpg of the given tar files to RGB at full size, files in memory, on plain threads,
 * nothing else. Errors are not looked for. */
#ifndef MILL_BENCH_BARE_H
#define MILL_BENCH_BARE_H

#include <stdio.h> /* jpeglib.h wants it first */

#include <jpeglib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct bare_image {
    const unsigned char *data;
    size_t nbytes;
} bare_image;

typedef struct bare_set {
    bare_image *images;
    size_t n;
    atomic_size_t next;
} bare_set;

static inline double bare_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline unsigned char *bare_slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END))
        return NULL;
    *n = (size_t)ftell(f);
    rewind(f);
    unsigned char *data = malloc(*n + 1);
    if (data && fread(data, 1, *n, f) != *n) {
        free(data);
        data = NULL;
    }
    fclose(f);
    return data;
}

/* Plain ustar with short names is all that the benchmarks' own data need. 0, or -1. */
static inline int bare_load(bare_set *set, const char *path)
{
    size_t size;
    unsigned char *tar = bare_slurp(path, &size);
    if (!tar)
        return -1;
    for (size_t at = 0; at + 512 <= size && tar[at];) {
        const char *name = (const char *)tar + at;
        size_t length = strtoul(name + 124, NULL, 8);
        size_t letters = strnlen(name, 100);
        if (letters > 4 && !memcmp(name + letters - 4, ".jpg", 4)) {
            set->images = realloc(set->images, (set->n + 1) * sizeof *set->images);
            set->images[set->n++] = (bare_image){tar + at + 512, length};
        }
        at += 512 + ((length + 511) & ~(size_t)511);
    }
    return 0;
}

static inline void bare_decode(const bare_image *image, unsigned char **pixels, size_t *capacity)
{
    struct jpeg_decompress_struct c;
    struct jpeg_error_mgr e;
    c.err = jpeg_std_error(&e);
    jpeg_create_decompress(&c);
    jpeg_mem_src(&c, image->data, image->nbytes);
    jpeg_read_header(&c, TRUE);
    c.out_color_space = c.num_components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&c);
    size_t stride = (size_t)c.output_width * (size_t)c.output_components;
    if (stride * c.output_height > *capacity) {
        free(*pixels);
        *capacity = stride * c.output_height;
        *pixels = malloc(*capacity);
    }
    while (c.output_scanline < c.output_height) {
        JSAMPROW out = *pixels + stride * c.output_scanline;
        jpeg_read_scanlines(&c, &out, 1);
    }
    jpeg_finish_decompress(&c);
    jpeg_destroy_decompress(&c);
}

static inline void *bare_thread(void *arg)
{
    bare_set *set = arg;
    unsigned char *pixels = NULL;
    size_t capacity = 0, i;
    while ((i = atomic_fetch_add(&set->next, 1)) < set->n)
        bare_decode(&set->images[i], &pixels, &capacity);
    free(pixels);
    return NULL;
}

/* Seconds to decode all. */
static inline double bare_run(bare_set *set, int nthreads)
{
    pthread_t threads[64];
    double begin = bare_seconds();
    atomic_store(&set->next, 0);
    for (int i = 1; i < nthreads && i < 64; i++)
        pthread_create(&threads[i], NULL, bare_thread, set);
    bare_thread(set);
    for (int i = 1; i < nthreads && i < 64; i++)
        pthread_join(threads[i], NULL);
    return bare_seconds() - begin;
}

#endif
