/* SPDX-License-Identifier: Apache-2.0 */
/* base/arena.h: many small allocations that end together. Not thread-safe. */
#ifndef MILL_BASE_ARENA_H
#define MILL_BASE_ARENA_H

#include <stddef.h>

typedef struct mill__arena {
    struct mill__arena_page *pages; /* newest first */
    size_t nbytes;                  /* held in pages */
} mill__arena;

void *mill__arena_alloc(mill__arena *arena, size_t nbytes); /* 16-byte aligned; NULL without memory */
void *mill__arena_copy(mill__arena *arena, const void *data, size_t nbytes); /* with a NUL behind it */
void mill__arena_reset(mill__arena *arena);                                  /* keeps one page */
void mill__arena_free(mill__arena *arena);

#endif
