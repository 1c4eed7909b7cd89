/* SPDX-License-Identifier: Apache-2.0 */
#include "format/zip.h"
#include <string.h>

enum { VERSION = 45, UNIX = 3, UTF8_NAMES = 1 << 11, NEW_YEAR_1980 = 1 << 5 | 1 };

static int put(mill__buffer *out, uint64_t value, int nbytes)
{
    uint8_t bytes[8];
    for (int i = 0; i < nbytes; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    return mill__buffer_append(out, bytes, (size_t)nbytes);
}

/* From the version that is needed to the length of the name: alike in both headers. Sizes are in the extra
 * field. */
static int put_common(mill__buffer *out, const mill__zip_member *m, int extra_nbytes)
{
    int failed = put(out, VERSION, 2) || put(out, UTF8_NAMES, 2) || put(out, 0, 2); /* stored */
    failed = failed || put(out, 0, 2) || put(out, NEW_YEAR_1980, 2) || put(out, m->crc, 4);
    failed = failed || put(out, UINT32_MAX, 4) || put(out, UINT32_MAX, 4);
    return failed || put(out, strlen(m->name), 2) || put(out, (uint64_t)extra_nbytes, 2);
}

/* In the order in which readers expect them. */
static int put_sizes(mill__buffer *out, const mill__zip_member *m, int nbytes)
{
    return put(out, 1, 2) || put(out, (uint64_t)nbytes, 2) || put(out, m->nbytes, 8) ||
           put(out, m->nbytes, 8);
}

int mill__zip_local(mill__buffer *out, const mill__zip_member *m)
{
    int failed = put(out, 0x04034b50, 4) || put_common(out, m, 20);
    return failed || mill__buffer_append(out, m->name, strlen(m->name)) || put_sizes(out, m, 16);
}

int mill__zip_central(mill__buffer *out, const mill__zip_member *m)
{
    int failed = put(out, 0x02014b50, 4) || put(out, VERSION | UNIX << 8, 2) || put_common(out, m, 28);
    failed = failed || put(out, 0, 2) || put(out, 0, 2) || put(out, 0, 2); /* comment, part, text or not */
    failed = failed || put(out, (uint64_t)0100644 << 16, 4) || put(out, UINT32_MAX, 4);
    failed = failed || mill__buffer_append(out, m->name, strlen(m->name)) || put_sizes(out, m, 24);
    return failed || put(out, m->header, 8);
}

int mill__zip_end(mill__buffer *out, uint64_t n, uint64_t offset, uint64_t nbytes)
{
    int failed = 0;
    bool wide = offset >= UINT32_MAX;
    if (wide) {
        failed = put(out, 0x06064b50, 4) || put(out, 44, 8) || put(out, VERSION | UNIX << 8, 2);
        failed = failed || put(out, VERSION, 2) || put(out, 0, 4) || put(out, 0, 4) || put(out, n, 8) ||
                 put(out, n, 8);
        failed = failed || put(out, nbytes, 8) || put(out, offset, 8);
        failed = failed || put(out, 0x07064b50, 4) || put(out, 0, 4) || put(out, offset + nbytes, 8) ||
                 put(out, 1, 4);
    }
    failed = failed || put(out, 0x06054b50, 4) || put(out, 0, 2) || put(out, 0, 2) || put(out, n, 2) ||
             put(out, n, 2);
    failed = failed || put(out, nbytes, 4) || put(out, wide ? UINT32_MAX : offset, 4) || put(out, 0, 2);
    return failed ? -1 : 0;
}
