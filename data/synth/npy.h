/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth/npy.h: shards of numbers. */
#ifndef SYNTH_NPY_H
#define SYNTH_NPY_H

#include "shard.h"

/* Rows of numbers: column j has its own mean and spread and follows its left neighbour in part. All are
 * multiples of 2^-10 below 2^13, so exact in float32. */
static void put_rows(const options *o, shard *s, int number, size_t ncolumns)
{
    random_state columns = random_for(o->seed, 1), r = random_for(o->seed, (2ull << 32) + (uint64_t)number);
    int *mean = must(malloc(2 * ncolumns * sizeof *mean)), *spread = mean + ncolumns;
    uint8_t *row = must(malloc(4 * ncolumns));
    for (size_t j = 0; j < ncolumns; j++) {
        mean[j] = bell(&columns, 4096);
        spread[j] = between(&columns, 256, 8192);
    }
    for (int i = 0; i < o->nsamples; i++) {
        int before = 0;
        for (size_t j = 0; j < ncolumns; j++) {
            before = before / 2 + bell(&r, 1024);
            float value = (float)(mean[j] + (int)((int64_t)before * spread[j] / 1024)) / 1024.0f;
            uint32_t bits;
            memcpy(&bits, &value, 4);
            for (int b = 0; b < 4; b++)
                row[4 * j + (size_t)b] = (uint8_t)(bits >> 8 * b);
        }
        put(s, row, 4 * ncolumns);
    }
    free(mean);
    free(row);
}

/* Version 1.0 of the format: magic, length, a Python literal padded to a multiple of 64. */
static uint64_t make_npy(const options *o)
{
    uint64_t nbytes = 0;
    size_t ncolumns = 1;
    char shape[128];
    int n = snprintf(shape, sizeof shape, "%d,", o->nsamples);
    for (int i = 0; i < o->nrow; i++) {
        ncolumns *= (size_t)o->row[i];
        n += snprintf(shape + n, sizeof shape - (size_t)n, " %d%s", o->row[i], i + 1 < o->nrow ? "," : "");
    }
    for (int i = 0; i < o->nshards; i++) {
        char header[257];
        n = snprintf(header + 10, 192, "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", shape);
        int padded = (10 + n + 1 + 63) / 64 * 64;
        memset(header + 10 + n, ' ', (size_t)(padded - 10 - n));
        memcpy(header, "\x93NUMPY\1\0", 8);
        header[8] = (char)((padded - 10) & 255);
        header[9] = (char)((padded - 10) >> 8);
        header[padded - 1] = '\n';
        shard s = open_shard(o, i, "npy");
        put(&s, header, (size_t)padded);
        put_rows(o, &s, i, ncolumns);
        nbytes += s.nbytes;
        close_shard(&s);
    }
    return nbytes;
}

#endif
