/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_NBYTES = 16384 };

struct mill__arena_page {
    struct mill__arena_page *next;
    size_t used, capacity;
    alignas(16) unsigned char data[];
};

void *mill__arena_alloc(mill__arena *arena, size_t nbytes)
{
    if (nbytes > (size_t)1 << 40)
        return NULL;
    nbytes = (nbytes + 15) & ~(size_t)15;
    struct mill__arena_page *page = arena->pages;
    if (!page || page->capacity - page->used < nbytes) {
        size_t capacity = nbytes > PAGE_NBYTES ? nbytes : PAGE_NBYTES;
        page = malloc(sizeof *page + capacity);
        if (!page)
            return NULL;
        *page = (struct mill__arena_page){.next = arena->pages, .capacity = capacity};
        arena->pages = page;
        arena->nbytes += capacity;
    }
    page->used += nbytes;
    return page->data + page->used - nbytes;
}

void *mill__arena_copy(mill__arena *arena, const void *data, size_t nbytes)
{
    char *copy = mill__arena_alloc(arena, nbytes + 1);
    if (copy) {
        if (nbytes)
            memcpy(copy, data, nbytes);
        copy[nbytes] = 0;
    }
    return copy;
}

static void free_pages(mill__arena *arena, struct mill__arena_page *keep)
{
    while (arena->pages != keep) {
        struct mill__arena_page *next = arena->pages->next;
        arena->nbytes -= arena->pages->capacity;
        free(arena->pages);
        arena->pages = next;
    }
}

void mill__arena_reset(mill__arena *arena)
{
    struct mill__arena_page *oldest = arena->pages;
    while (oldest && oldest->next)
        oldest = oldest->next;
    free_pages(arena, oldest);
    if (oldest)
        oldest->used = 0;
}

void mill__arena_free(mill__arena *arena)
{
    free_pages(arena, NULL);
}
