/* SPDX-License-Identifier: Apache-2.0 */
/* format/inflate.h: compressed bytes as if they were stored plainly: gzip, and the deflate of zip members. */
#ifndef MILL_FORMAT_INFLATE_H
#define MILL_FORMAT_INFLATE_H

#include "format/format.h"

/* Where compressed bytes lie, and what they are. */
typedef struct mill__deflated {
    uint64_t offset, nbytes;
    bool gzip; /* one gzip member or more; else bare deflate, of which must be told: */
    uint64_t inflated_nbytes;
    uint32_t crc;
    uint64_t keep_nbytes; /* as many may be kept in memory */
} mill__deflated;

/* The most memory that one of them takes while it is open, apart from what it may keep. */
#define MILL__INFLATE_NBYTES ((uint64_t)640 << 10)

/* *bytes shows what stored (which outlives it) holds there. Nothing is read yet. Reads that stay within the
 * first 64 KiB inflate just that; before any other one, all of it is inflated once and checked. If it may be
 * kept, that was all. Else reads inflate it again. They run one at a time then, those of lower offsets first;
 * one that goes on where the last one ended costs no more than its own bytes, another one begins at one of 16
 * places. Errors have stored offsets. */
mill_status mill__inflate(const mill__bytes *stored, const mill__deflated *what, mill__bytes *bytes,
                          mill_error *err);
/* How much it is: inflates all of it. */
mill_status mill__inflate_measure(const mill__bytes *bytes, uint64_t *nbytes, mill_error *err);

/* CRC-32 of some bytes behind others that have crc (0: none). */
uint32_t mill__crc32(uint32_t crc, const void *data, size_t nbytes);
/* Of some bytes with the checksum a and, behind them, nbytes with b. */
uint32_t mill__crc32_join(uint32_t a, uint32_t b, uint64_t nbytes);

#endif
