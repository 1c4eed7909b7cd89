/* SPDX-License-Identifier: Apache-2.0 */
/* format/tar_write.c: headers of tar members that are made: ustar, with a pax record in front where ustar
 * cannot hold the name or the size. Mode, owner and time are constant: equal input gives equal bytes. */
#include "base/memory.h"
#include "format/format.h"
#include "format/tar_header.h"
#include <stdio.h>
#include <string.h>

/* Where to split a name into prefix and name; 0: it needs none; -1: it cannot be. */
static int split_at(const char *name, size_t n)
{
    if (n <= 100)
        return 0;
    for (size_t i = n - 1; i > 0; i--)
        if (name[i] == '/' && i <= 155 && n - i - 1 <= 100 && n - i - 1 > 0)
            return (int)i;
    return -1;
}

static int append_block(mill__buffer *out, const char *name, size_t n, int split, char type, uint64_t nbytes)
{
    char block[MILL__TAR_BLOCK] = {0}, field[32];
    if (split > 0) {
        memcpy(block + 345, name, (size_t)split);
        name += split + 1;
        n -= (size_t)split + 1;
    }
    memcpy(block, name, n < 100 ? n : 100);
    memcpy(block + 100, "0000444", 8);
    memcpy(block + 108, "0000000", 8);
    memcpy(block + 116, "0000000", 8);
    snprintf(field, sizeof field, "%011llo", (unsigned long long)(nbytes & 077777777777u));
    memcpy(block + 124, field, 12);
    memcpy(block + 136, "00000000000", 12);
    memset(block + 148, ' ', 8);
    block[156] = type;
    memcpy(block + 257, "ustar\00000", 8);
    unsigned sum = 0;
    for (int i = 0; i < MILL__TAR_BLOCK; i++)
        sum += (unsigned char)block[i];
    snprintf(field, sizeof field, "%06o", sum & 0777777);
    memcpy(block + 148, field, 7);
    return mill__buffer_append(out, block, sizeof block);
}

/* A pax record holds its own length. */
static int append_record(mill__buffer *out, const char *key, const char *value, size_t nvalue)
{
    size_t rest = strlen(key) + nvalue + 3, length = rest;
    char digits[24];
    for (size_t before = 0; before != length;) {
        before = length;
        length = rest + (size_t)snprintf(digits, sizeof digits, "%zu", length);
    }
    return mill__buffer_printf(out, "%zu %s=", length, key) || mill__buffer_append(out, value, nvalue) ||
           mill__buffer_append(out, "\n", 1);
}

int mill__tar_header(mill__buffer *out, const char *name, uint64_t nbytes)
{
    size_t n = strlen(name);
    int split = split_at(name, n), failed = 0;
    bool large = nbytes > 077777777777u;
    if (split < 0 || large) {
        mill__buffer records = {0};
        char size[24];
        snprintf(size, sizeof size, "%llu", (unsigned long long)nbytes);
        failed = (split < 0 && append_record(&records, "path", name, n)) ||
                 (large && append_record(&records, "size", size, strlen(size))) ||
                 append_block(out, "PaxHeaders/member", 17, 0, 'x', records.nbytes) ||
                 mill__buffer_append(out, records.data, records.nbytes);
        static const char zeros[MILL__TAR_BLOCK];
        size_t pad = (MILL__TAR_BLOCK - records.nbytes % MILL__TAR_BLOCK) % MILL__TAR_BLOCK;
        failed = failed || mill__buffer_append(out, zeros, pad);
        mill__buffer_free(&records);
    }
    return failed || append_block(out, name, n, split > 0 ? split : 0, '0', nbytes) ? -1 : 0;
}
