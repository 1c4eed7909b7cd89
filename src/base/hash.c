/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include <xxhash.h>

mill__hash *mill__hash_new(void)
{
    mill__hash *h = (mill__hash *)XXH3_createState();
    if (h)
        XXH3_64bits_reset((XXH3_state_t *)h);
    return h;
}

void mill__hash_update(mill__hash *h, const void *data, size_t nbytes)
{
    XXH3_64bits_update((XXH3_state_t *)h, data, nbytes);
}

uint64_t mill__hash_digest(const mill__hash *h)
{
    return XXH3_64bits_digest((const XXH3_state_t *)h);
}

void mill__hash_reset(mill__hash *h)
{
    XXH3_64bits_reset((XXH3_state_t *)h);
}

void mill__hash_free(mill__hash *h)
{
    XXH3_freeState((XXH3_state_t *)h);
}

uint64_t mill__hash_bytes(const void *data, size_t nbytes)
{
    return XXH3_64bits(data, nbytes);
}
