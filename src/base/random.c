/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

static void round_once(uint32_t c[4], const uint32_t k[2])
{
    uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
    uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k[0], (uint32_t)p1, (uint32_t)(p0 >> 32) ^ c[3] ^ k[1],
                        (uint32_t)p0};
    for (int i = 0; i < 4; i++)
        c[i] = next[i];
}

void mill__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t k[2] = {key[0], key[1]};
    for (int i = 0; i < 4; i++)
        out[i] = counter[i];
    for (int i = 0; i < 10; i++) {
        round_once(out, k);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
}

uint32_t mill__random_u32(const mill__random *r, uint32_t k)
{
    /* seed and epoch are mixed into the key by a first application, so that no pair of them shares numbers */
    const uint32_t seed_key[2] = {(uint32_t)r->seed, (uint32_t)(r->seed >> 32)};
    const uint32_t epoch[4] = {(uint32_t)r->epoch, (uint32_t)(r->epoch >> 32), 0x6d696c6c, 0};
    uint32_t key[4], numbers[4];
    mill__philox(epoch, seed_key, key);
    const uint32_t counter[4] = {
        (uint32_t)r->sample, (uint32_t)(r->sample >> 32) << 16 | (r->transform & 0xffff), r->shard, k / 4};
    mill__philox(counter, key, numbers);
    return numbers[k % 4];
}
