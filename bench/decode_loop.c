/* SPDX-License-Identifier: Apache-2.0 */
/* bench/decode_loop.c: the reference of bench-eval: a bare libjpeg-turbo loop that decodes every .jpg of the
 * given tar files at full size, files in memory, one OpenMP loop over all images, nothing else. Prints images
 * a second. decode_loop THREADS REPEATS FILE.tar ... */
#include <stdio.h> /* jpeglib.h wants it first */

#include <jpeglib.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

typedef struct image {
    const unsigned char *data;
    size_t nbytes;
} image;

static unsigned char *slurp(const char *path, size_t *n)
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

static void decode(const image *im, unsigned char **row, size_t *capacity)
{
    struct jpeg_decompress_struct c;
    struct jpeg_error_mgr e;
    c.err = jpeg_std_error(&e);
    jpeg_create_decompress(&c);
    jpeg_mem_src(&c, im->data, im->nbytes);
    jpeg_read_header(&c, TRUE);
    c.out_color_space = JCS_RGB;
    jpeg_start_decompress(&c);
    size_t stride = (size_t)c.output_width * 3;
    if (stride * c.output_height > *capacity) {
        free(*row);
        *capacity = stride * c.output_height;
        *row = malloc(*capacity);
    }
    while (c.output_scanline < c.output_height) {
        JSAMPROW out = *row + stride * c.output_scanline;
        jpeg_read_scanlines(&c, &out, 1);
    }
    jpeg_finish_decompress(&c);
    jpeg_destroy_decompress(&c);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    int threads = atoi(argv[1]), repeats = atoi(argv[2]);
    image *images = NULL;
    size_t n = 0;
    for (int a = 3; a < argc; a++) {
        size_t size;
        unsigned char *tar = slurp(argv[a], &size);
        if (!tar)
            return 1;
        for (size_t at = 0; at + 512 <= size && tar[at];) {
            size_t length = strtoul((char *)tar + at + 124, NULL, 8);
            if (strstr((char *)tar + at, ".jpg")) {
                images = realloc(images, (n + 1) * sizeof *images);
                images[n++] = (image){tar + at + 512, length};
            }
            at += 512 + ((length + 511) & ~(size_t)511);
        }
    }
    double best = 0;
    for (int r = 0; r < repeats; r++) {
        double begin = omp_get_wtime();
#pragma omp parallel num_threads(threads)
        {
            unsigned char *row = NULL;
            size_t capacity = 0;
#pragma omp for schedule(dynamic, 1)
            for (size_t i = 0; i < n; i++)
                decode(&images[i], &row, &capacity);
            free(row);
        }
        double rate = (double)n / (omp_get_wtime() - begin);
        best = rate > best ? rate : best;
    }
    printf("%.2f\n", best);
    return 0;
}
