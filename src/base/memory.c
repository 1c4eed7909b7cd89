/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *mill__alloc(size_t nbytes)
{
    if (nbytes > SIZE_MAX / 2)
        return NULL;
    return aligned_alloc(64, nbytes ? (nbytes + 63) & ~(size_t)63 : 64);
}

void mill__free(void *p)
{
    free(p);
}

void *mill__pages_alloc(size_t nbytes)
{
    void *pages = mmap(NULL, nbytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void *mill__pages_resize(void *pages, size_t nbytes, size_t new_nbytes)
{
    void *moved = mremap(pages, nbytes, new_nbytes, MREMAP_MAYMOVE);
    return moved == MAP_FAILED ? NULL : moved;
}

void mill__pages_free(void *pages, size_t nbytes)
{
    if (pages)
        munmap(pages, nbytes);
}

int mill__buffer_reserve(mill__buffer *b, size_t capacity)
{
    if (capacity <= b->capacity)
        return 0;
    if (capacity < b->capacity + b->capacity / 2)
        capacity = b->capacity + b->capacity / 2;
    uint8_t *data = mill__alloc(capacity);
    if (!data)
        return -1;
    if (b->nbytes)
        memcpy(data, b->data, b->nbytes);
    mill__free(b->data);
    b->data = data;
    b->capacity = capacity;
    return 0;
}

int mill__buffer_append(mill__buffer *b, const void *data, size_t nbytes)
{
    if (nbytes > SIZE_MAX / 2 - b->nbytes || mill__buffer_reserve(b, b->nbytes + nbytes))
        return -1;
    if (nbytes)
        memcpy(b->data + b->nbytes, data, nbytes);
    b->nbytes += nbytes;
    return 0;
}

int mill__buffer_printf(mill__buffer *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    int failed = n < 0 || mill__buffer_reserve(b, b->nbytes + (size_t)n + 1);
    if (!failed) {
        vsnprintf((char *)b->data + b->nbytes, (size_t)n + 1, format, again);
        b->nbytes += (size_t)n;
    }
    va_end(again);
    return failed ? -1 : 0;
}

/* Length of the UTF-8 sequence at s (at most n bytes), 0 if it is not valid. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    size_t length = s[0] < 0x80                   ? 1
                    : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                    : (s[0] & 0xf0) == 0xe0       ? 3
                    : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                                  : 0;
    if (!length || length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] >= 0x90))
        return 0;
    return length;
}

int mill__buffer_json_string(mill__buffer *b, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = strlen(text);
    int failed = mill__buffer_append(b, "\"", 1);
    while (n && !failed) {
        size_t length = utf8_length(s, n);
        if (*s == '"' || *s == '\\')
            failed = mill__buffer_printf(b, "\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f || !length)
            failed = mill__buffer_printf(b, "\\u%04x", *s);
        else
            failed = mill__buffer_append(b, s, length);
        length += !length;
        s += length;
        n -= length;
    }
    return failed ? -1 : mill__buffer_append(b, "\"", 1);
}

void mill__buffer_free(mill__buffer *b)
{
    mill__free(b->data);
    *b = (mill__buffer){0};
}
