/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/huffman.h: a Huffman decoder for the scan of a sequential JPEG of 8 bits (T.81, F.2.2), which knows
 * bytes, tables and blocks and nothing of libjpeg.
 *
 * Why it is faster than decoding symbol by symbol:
 * - A table looked up by the next 10 bits tells the lengths of up to two codes and of their values: a block
 * of a photograph has about 8 coefficients, and so takes about 6 look-ups with DC and the end of the block,
 * not two steps for each. Each look-up waits for the one before it, and this wait is what decoding costs. The
 *   values themselves are taken from the bits by arithmetic beside it, which no look-up waits for.
 *   More than two symbols would make entries wider, and tables that drop out of the first-level cache.
 * - Blocks that nobody looks at are walked through by another table, which tells how many bits and
 *   coefficients all symbols take that fit into 10 bits.
 * - Stuffed zeros are taken out beforehand, for a window of bytes; bits are then refilled eight bytes at once
 *   and without a branch.
 *
 * What it does not do is to judge. Whatever is not plainly right (a code that there is not, bits beyond a
 * marker or the end) ends in false, and the caller decodes the image anew by a decoder that says what is
 * wrong. A run beyond a block's end, which is no error to libjpeg either, is stored as there: in the last
 * coefficient. */
#ifndef MILL_KERNEL_HUFFMAN_H
#define MILL_KERNEL_HUFFMAN_H

#include "kernel/kernel.h"

#define MILL__HUFFMAN_INDEX 10 /* bits that tables are looked up by */
#define MILL__HUFFMAN_MCU   10 /* blocks, at most */
/* Bytes without stuffing that an MCU may take: 64 symbols a block of 16 bits of code and 15 of value; with a
 * word that was read ahead, one that is, and one that begins behind the end. */
#define MILL__HUFFMAN_MCU_NBYTES (MILL__HUFFMAN_MCU * 64 * 31 / 8 + 24)
#define MILL__HUFFMAN_WINDOW     16384 /* bytes without stuffing; half of a first-level cache */
#define MILL__HUFFMAN_END        64    /* steps that end any block */

/* A code and the value behind it. Entries are bytes, so that each part of one is a load of its own, and no
 * shift and mask in the chain from one look-up to the next. */
typedef struct mill__huffman_symbol {
    uint8_t nbits;      /* of code and value; 0: the code is longer than MILL__HUFFMAN_INDEX */
    uint8_t code_nbits; /* of the code */
    uint8_t unused;     /* 63 less the bits of the value */
    uint8_t step;       /* to its place from that of the coefficient before */
} mill__huffman_symbol;

typedef struct mill__huffman_pair {
    uint8_t nbits;       /* of both symbols; 0: the first code is longer than MILL__HUFFMAN_INDEX */
    uint8_t first_nbits; /* of the first */
    uint8_t code_nbits, unused, step;
    uint8_t second_at; /* bits before the second's value */
    uint8_t second_unused, second_step;
} mill__huffman_pair;

/* All symbols that begin and whose codes end within the index. */
typedef struct mill__huffman_run {
    uint8_t nbits;
    uint8_t step; /* of all; the end of the block adds MILL__HUFFMAN_ENDS and no step */
} mill__huffman_run;
#define MILL__HUFFMAN_ENDS 128

/* The codes as a DHT segment has them, and what finds the long ones. */
typedef struct mill__huffman_codes {
    bool is_made;
    uint8_t counts[16], symbols[256];
    uint32_t limits[17]; /* [n]: 16 bits that are not less begin with a code of more than n bits */
    int32_t offsets[17]; /* [n] and a code of n bits give its symbol's place */
} mill__huffman_codes;

typedef struct mill__huffman_dc {
    mill__huffman_codes codes;
    mill__huffman_symbol entries[1 << MILL__HUFFMAN_INDEX];
} mill__huffman_dc;

typedef struct mill__huffman_ac {
    mill__huffman_codes codes;
    mill__huffman_pair pairs[1 << MILL__HUFFMAN_INDEX];
    mill__huffman_run runs[1 << MILL__HUFFMAN_INDEX];
} mill__huffman_ac;

typedef struct mill__huffman_block {
    uint8_t component, dc, ac; /* 0 to 3: whose DC it continues, and its tables */
} mill__huffman_block;

/* One scan; to be zeroed once, then used for scan after scan: tables that stay the same are not made anew. */
typedef struct mill__huffman {
    uint64_t bits;              /* the next, at the top */
    int nbits;                  /* of them */
    const uint8_t *next, *end;  /* in window */
    const uint8_t *from, *stop; /* the scan's bytes that are not in the window yet */
    bool has_ended;             /* a marker is at from, or nothing */
    int nblocks;                /* of an MCU */
    mill__huffman_block blocks[MILL__HUFFMAN_MCU];
    uint32_t predictions[4];
    mill__huffman_dc dc[4];
    mill__huffman_ac ac[4];
    uint8_t window[MILL__HUFFMAN_WINDOW + MILL__HUFFMAN_MCU_NBYTES];
} mill__huffman;

/* Table i (0 to 3) for DC or AC. False: these are no codes that a decoder could have. */
bool mill__huffman_set_dc(mill__huffman *h, int i, const uint8_t counts[16], const uint8_t symbols[256]);
bool mill__huffman_set_ac(mill__huffman *h, int i, const uint8_t counts[16], const uint8_t symbols[256]);
/* Begin a scan of MCUs of these blocks; the bytes must stay. */
void mill__huffman_begin(mill__huffman *h, const mill__huffman_block *blocks, int nblocks,
                         const uint8_t *data, size_t nbytes);
/* Where the marker that ends the scan is, or the end of the bytes. */
const uint8_t *mill__huffman_rest(const mill__huffman *h);
void mill__huffman_fill(mill__huffman *h); /* for the decoders below: more bytes into the window */

/* Decode the next MCU into blocks of zeros, in rows and columns as libjpeg has them; NULL: into nothing. Of
 * block i only DC is stored unless bit i of with_ac is set. False: see above; no more of this scan then. */
typedef bool mill__huffman_mcu(mill__huffman *h, short (*const *blocks)[64], unsigned with_ac);
mill__huffman_mcu mill__huffman_mcu_base;
#if defined(__x86_64__)
mill__huffman_mcu mill__huffman_mcu_x86_64_v3, mill__huffman_mcu_x86_64_v4;
#endif

/* That of a table's level. */
mill__huffman_mcu *mill__huffman_get(const mill__kernels *kernels);

#endif
