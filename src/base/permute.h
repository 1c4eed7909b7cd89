/* SPDX-License-Identifier: Apache-2.0 */
/* base/permute.h: shuffling without an array. A permutation of [0, n) is a function of a key, and any element
 * of it is computed on its own: a Feistel network on the least even number of bits that hold n - 1, walked
 * along its cycle until it lands below n (Black and Rogaway, "Ciphers with arbitrary finite domains",
 * CT-RSA 2002). So an order needs no memory, and an epoch can be taken up anywhere. On a domain of a few
 * elements such a network does not reach all orders alike: short ones are dealt as cards are, into a table.
 */
#ifndef MILL_BASE_PERMUTE_H
#define MILL_BASE_PERMUTE_H

#include <stdint.h>

enum { MILL__PERMUTE_ROUNDS = 8, MILL__PERMUTE_DEALT = 64 };

typedef struct mill__permutation {
    uint64_t n;
    int half_bits; /* of the domain, which is 2^(2 * half_bits) < 4 * n */
    uint32_t keys[MILL__PERMUTE_ROUNDS];
    uint8_t dealt[MILL__PERMUTE_DEALT]; /* all of it, when n is no more */
} mill__permutation;

/* One permutation for each (seed, epoch, purpose, part). n is below 2^62. */
void mill__permutation_init(mill__permutation *p, uint64_t n, uint64_t seed, uint64_t epoch, uint32_t purpose,
                            uint64_t part);
uint64_t mill__permute(const mill__permutation *p, uint64_t i); /* i < n; the answer too */

#endif
