/* SPDX-License-Identifier: Apache-2.0 */
/* base/hash.h: XXH3 64-bit checksums (the only file that includes xxhash.h is hash.c). */
#ifndef MILL_BASE_HASH_H
#define MILL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct mill__hash mill__hash;
mill__hash *mill__hash_new(void);
void mill__hash_update(mill__hash *h, const void *data, size_t nbytes);
uint64_t mill__hash_digest(const mill__hash *h);
void mill__hash_reset(mill__hash *h);
void mill__hash_free(mill__hash *h);
uint64_t mill__hash_bytes(const void *data, size_t nbytes);

#endif
