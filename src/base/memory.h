/* SPDX-License-Identifier: Apache-2.0 */
/* base/memory.h: aligned memory, growing buffers. */
#ifndef MILL_BASE_MEMORY_H
#define MILL_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* 64-byte aligned, NULL when there is none (also for absurd sizes); n 0 gives a valid pointer. Free with
 * mill__free. */
void *mill__alloc(size_t nbytes);
void mill__free(void *p);

/* Whole pages from the system, given back to it when freed: for large pieces that pass between threads, which
 * malloc would keep in the arenas of all of them. NULL when there are none. */
void *mill__pages_alloc(size_t nbytes);
void *mill__pages_resize(void *pages, size_t nbytes, size_t new_nbytes); /* moves, never copies */
void mill__pages_free(void *pages, size_t nbytes);                       /* NULL is fine */

/* Bytes that grow; {0} is an empty one. Contents are 64-byte aligned. */
typedef struct mill__buffer {
    uint8_t *data;
    size_t nbytes, capacity;
} mill__buffer;

int mill__buffer_reserve(mill__buffer *b, size_t capacity); /* 0, or -1 without memory; keeps the contents */
int mill__buffer_append(mill__buffer *b, const void *data, size_t nbytes);
int mill__buffer_printf(mill__buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
int mill__buffer_json_string(mill__buffer *b,
                             const char *text); /* quoted and escaped; bytes that are no UTF-8 as \u00XX */
void mill__buffer_free(mill__buffer *b);

#endif
