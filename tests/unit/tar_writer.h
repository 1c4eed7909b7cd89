/* SPDX-License-Identifier: Apache-2.0 */
/* tar_writer.h: tar archives for tests, sound or not, written block by block and independently of the code
 * under test. */
#ifndef TAR_WRITER_H
#define TAR_WRITER_H

#include "base/memory.h"
#include <check.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef mill__buffer archive;

static const char ustar_magic[8] = "ustar\00000";
static const char gnu_magic[8] = "ustar  ";
static const char v7_magic[8] = "";

/* A header's fields; what is zero gets its usual value. */
typedef struct head {
    const char *name;
    uint64_t size;
    char type;
    const char *size_field; /* 12 bytes instead of size */
    const char *prefix;
    const char *magic; /* 8 bytes; NULL: ustar */
    const char *link;
    int checksum_error;
    int sign;    /* 1: sum up signed chars, as some old writers do */
    int flag_at; /* not 0: offset of a byte to set to 1 (sparse maps) */
} head;

static inline void append(archive *a, const void *data, size_t nbytes)
{
    if (mill__buffer_append(a, data, nbytes))
        ck_abort_msg("out of memory");
}

static inline void add_zeros(archive *a, size_t nbytes)
{
    static const char zeros[512];
    for (; nbytes; nbytes -= nbytes < 512 ? nbytes : 512)
        append(a, zeros, nbytes < 512 ? nbytes : 512);
}

static inline void add_padding(archive *a)
{
    add_zeros(a, (512 - a->nbytes % 512) % 512);
}

static inline void put_text(char *field, size_t nbytes, const char *text)
{
    size_t n = strlen(text);
    memcpy(field, text, n < nbytes ? n : nbytes);
}

static inline void add_head(archive *a, head h)
{
    char block[512] = {0}, number[32];
    put_text(block, 100, h.name);
    memcpy(block + 100, "0000644\0000001750\0000001750", 23);
    snprintf(number, sizeof number, "%011llo", (unsigned long long)h.size);
    memcpy(block + 124, h.size_field ? h.size_field : number, 12);
    memcpy(block + 136, "14747452300", 12);
    memset(block + 148, ' ', 8);
    block[156] = h.type ? h.type : '0';
    put_text(block + 157, 100, h.link ? h.link : "");
    memcpy(block + 257, h.magic ? h.magic : ustar_magic, 8);
    if (h.magic != v7_magic)
        put_text(block + 265, 32, "tester");
    put_text(block + 345, 155, h.prefix ? h.prefix : "");
    if (h.flag_at)
        block[h.flag_at] = 1;
    int sum = h.checksum_error;
    for (int i = 0; i < 512; i++)
        sum += h.sign ? (signed char)block[i] : (unsigned char)block[i];
    snprintf(number, sizeof number, "%06o", (unsigned)sum);
    memcpy(block + 148, number, 7);
    append(a, block, sizeof block);
}

static inline void add_data(archive *a, const void *data, size_t nbytes)
{
    append(a, data, nbytes);
    add_padding(a);
}

static inline void add_file(archive *a, const char *name, const char *text)
{
    add_head(a, (head){.name = name, .size = strlen(text)});
    add_data(a, text, strlen(text));
}

/* nbytes bytes that look like no header. */
static inline void add_large(archive *a, const char *name, size_t nbytes)
{
    add_head(a, (head){.name = name, .size = nbytes});
    for (size_t i = 0; i < nbytes; i++) {
        char c = (char)('a' + (i * 7 + i / 512) % 26);
        append(a, &c, 1);
    }
    add_padding(a);
}

/* A record block pair with a given body. */
static inline void add_record(archive *a, char type, const void *body, size_t nbytes)
{
    add_head(a, (head){.name = type == 'L' || type == 'K' ? "././@LongLink" : "PaxHeaders/x",
                       .size = nbytes,
                       .type = type});
    add_data(a, body, nbytes);
}

/* One pax record "key=value", its length worked out. */
static inline size_t pax_record(char *out, const char *key, const char *value)
{
    size_t rest = strlen(key) + strlen(value) + 3, length = rest + 1;
    for (size_t digits = 1, power = 10; length >= power; power *= 10)
        length = rest + ++digits;
    return (size_t)sprintf(out, "%zu %s=%s\n", length, key, value);
}

static inline void add_pax(archive *a, char type, const char *key, const char *value)
{
    char body[8192];
    ck_assert_uint_lt(strlen(key) + strlen(value), 8000);
    add_record(a, type, body, pax_record(body, key, value));
}

static inline void add_end(archive *a)
{
    add_zeros(a, 1024);
}

/* Two files of one sample. */
static inline void add_pair(archive *a, const char *key)
{
    char name[64];
    snprintf(name, sizeof name, "%s.jpg", key);
    add_file(a, name, "a picture, or so it says");
    snprintf(name, sizeof name, "%s.cls", key);
    add_file(a, name, "7");
}

#endif
