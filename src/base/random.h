/* SPDX-License-Identifier: Apache-2.0 */
/* base/random.h: counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as
 * easy as 1, 2, 3", SC11). No state: the numbers are a function of key and counter. */
#ifndef MILL_BASE_RANDOM_H
#define MILL_BASE_RANDOM_H

#include <stdint.h>

void mill__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Whose numbers: one for each (seed, epoch, sample, transform). */
typedef struct mill__random {
    uint64_t seed, epoch;
    uint32_t shard;     /* number of the shard in the data set */
    uint64_t sample;    /* ordinal in the shard; below 2^40 */
    uint32_t transform; /* position in the pipeline; below 2^16 */
} mill__random;
uint32_t mill__random_u32(const mill__random *r, uint32_t k);

#endif
