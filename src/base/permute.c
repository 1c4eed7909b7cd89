/* SPDX-License-Identifier: Apache-2.0 */
#include "base/permute.h"
#include "base/random.h"
#include <stddef.h>

/* Fisher and Yates's shuffle; 32 bits a draw leave a bias of n / 2^32 at the most. */
static void deal(mill__permutation *p, const uint32_t key[2], uint64_t part)
{
    uint32_t draws[4] = {0};
    for (uint32_t i = 0; i < p->n; i++) {
        const uint32_t counter[4] = {(uint32_t)part, (uint32_t)(part >> 32), MILL__PERMUTE_ROUNDS + i / 4, 0};
        if (i % 4 == 0)
            mill__philox(counter, key, draws);
        uint32_t j = (uint32_t)((uint64_t)draws[i % 4] * (i + 1) >> 32);
        p->dealt[i] = p->dealt[j];
        p->dealt[j] = (uint8_t)i;
    }
}

void mill__permutation_init(mill__permutation *p, uint64_t n, uint64_t seed, uint64_t epoch, uint32_t purpose,
                            uint64_t part)
{
    p->n = n;
    p->half_bits = 1;
    while (p->half_bits < 31 && ((uint64_t)1 << (2 * p->half_bits)) < n)
        p->half_bits++;
    /* as in random.c: seed, then epoch and part, then the rounds' keys */
    const uint32_t seed_key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t when[4] = {(uint32_t)epoch, (uint32_t)(epoch >> 32), purpose, 1};
    uint32_t key[4];
    mill__philox(when, seed_key, key);
    for (uint32_t i = 0; i < MILL__PERMUTE_ROUNDS / 4; i++) {
        const uint32_t counter[4] = {(uint32_t)part, (uint32_t)(part >> 32), i, key[2]};
        mill__philox(counter, key, p->keys + (size_t)4 * i);
    }
    if (n <= MILL__PERMUTE_DEALT)
        deal(p, key, part);
}

/* 32 bits that depend on all bits of both: two multiplications by odd constants (those of MurmurHash3's
 * finaliser) with the high half folded in. */
static uint32_t mix(uint32_t x, uint32_t key)
{
    uint64_t h = ((uint64_t)x + 1) * 0x9E3779B97F4A7C15u + key * 0xC2B2AE3D27D4EB4Fu;
    h = (h ^ (h >> 33)) * 0xFF51AFD7ED558CCDu;
    h = (h ^ (h >> 33)) * 0xC4CEB9FE1A85EC53u;
    return (uint32_t)(h >> 32);
}

static uint64_t feistel(const mill__permutation *p, uint64_t i)
{
    const uint32_t mask = (uint32_t)(((uint64_t)1 << p->half_bits) - 1);
    uint32_t left = (uint32_t)(i >> p->half_bits), right = (uint32_t)i & mask;
    for (int round = 0; round < MILL__PERMUTE_ROUNDS; round++) {
        uint32_t next = left ^ (mix(right, p->keys[round]) & mask);
        left = right;
        right = next;
    }
    return (uint64_t)left << p->half_bits | right;
}

uint64_t mill__permute(const mill__permutation *p, uint64_t i)
{
    if (p->n <= MILL__PERMUTE_DEALT)
        return p->dealt[i];
    do
        i = feistel(p, i);
    while (i >= p->n);
    return i;
}
