/* SPDX-License-Identifier: Apache-2.0 */
#include "format/keys.h"
#include <stdlib.h>

static uint64_t hash(const char *key, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)key[i]) * 0x100000001b3u;
    h ^= h >> 32; /* the table takes the low bits, where FNV mixes least */
    return h ? h : 1;
}

/* The place of h, or the free place where it would stand. */
static uint64_t *find(const mill__keys *keys, uint64_t h)
{
    size_t i = h & (keys->capacity - 1);
    while (keys->table[i] && keys->table[i] != h)
        i = (i + 1) & (keys->capacity - 1);
    return &keys->table[i];
}

static bool has_room(const mill__keys *keys)
{
    return 2 * keys->n < keys->capacity;
}

static void grow(mill__keys *keys)
{
    mill__keys larger = {.n = keys->n, .capacity = keys->capacity ? 2 * keys->capacity : 1024};
    larger.table = calloc(larger.capacity, sizeof *larger.table);
    if (!larger.table)
        return; /* then some duplicates go unnoticed, nothing else */
    for (size_t i = 0; i < keys->capacity; i++)
        if (keys->table[i])
            *find(&larger, keys->table[i]) = keys->table[i];
    free(keys->table);
    *keys = larger;
}

bool mill__keys_seen(mill__keys *keys, const char *key, size_t nbytes)
{
    if (!has_room(keys) && keys->n < MILL__KEYS_MAX)
        grow(keys);
    if (!keys->table)
        return false;
    uint64_t h = hash(key, nbytes), *place = find(keys, h);
    if (*place)
        return true;
    if (has_room(keys)) {
        *place = h;
        keys->n++;
    }
    return false;
}

void mill__keys_free(mill__keys *keys)
{
    free(keys->table);
    *keys = (mill__keys){0};
}
