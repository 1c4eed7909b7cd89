/* SPDX-License-Identifier: Apache-2.0 */
/* bench/npy_shards.h: .npy shards of f32 rows, for benches of the loader. */
#ifndef MILL_BENCH_NPY_SHARDS_H
#define MILL_BENCH_NPY_SHARDS_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHARDS = 4, ROWS = 12288, ELEMENTS = 3072 };
static const size_t row_nbytes = ELEMENTS * sizeof(float),
                    all_nbytes = (size_t)SHARDS * ROWS * ELEMENTS * sizeof(float);

/* From the disk into the page cache, as reading leaves it there: see warm in common.sh. */
static inline void read_back(const char *path, void *all)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) ||
        lseek(fd, 128, SEEK_SET) != 128) {
        perror(path);
        exit(1);
    }
    char *to = all;
    for (ssize_t n; (n = read(fd, to, 1 << 20)) > 0; to += n)
        ;
    close(fd);
}

/* FOLDER/0.npy, ...; their contents, which are to be freed. */
static inline float *make_shards(const char *folder)
{
    float *all = aligned_alloc(64, all_nbytes);
    char path[4096], header[128];
    if (!all)
        exit(1);
    for (size_t i = 0; i < all_nbytes / sizeof *all; i++)
        all[i] = (float)(i % 1999) * 0.01f - 10;
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
    int n = snprintf(header + 10, sizeof header - 10,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", ROWS, ELEMENTS);
    header[10 + n] = ' ';
    header[127] = '\n';
    for (int s = 0; s < SHARDS; s++) {
        snprintf(path, sizeof path, "%s/%d.npy", folder, s);
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(header, sizeof header, 1, f) != 1 ||
            fwrite(all + (size_t)s * ROWS * ELEMENTS, row_nbytes, ROWS, f) != ROWS || fclose(f)) {
            perror(path);
            exit(1);
        }
        read_back(path, all + (size_t)s * ROWS * ELEMENTS);
    }
    return all;
}

#endif
