/* SPDX-License-Identifier: Apache-2.0 */
/* format/keys.h: the keys that a shard had so far, to notice one that comes again. */
#ifndef MILL_FORMAT_KEYS_H
#define MILL_FORMAT_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MILL__KEYS_MAX = 1 << 18 }; /* of later ones only those that equal an earlier one are noticed */

/* 64-bit hashes of keys in a table with open addressing; 0 is a free place. {0} is an empty set. */
typedef struct mill__keys {
    uint64_t *table;
    size_t n, capacity;
} mill__keys;

/* Whether the key was there before; it is now, unless the set is full or memory is short. */
bool mill__keys_seen(mill__keys *keys, const char *key, size_t nbytes);
void mill__keys_free(mill__keys *keys);

#endif
