/* SPDX-License-Identifier: Apache-2.0 */
/* format/zip.h: what lies where in a zip archive, and the headers to write one. Format: PKWARE's APPNOTE.TXT.
 */
#ifndef MILL_FORMAT_ZIP_H
#define MILL_FORMAT_ZIP_H

#include "base/memory.h"
#include "format/format.h"

typedef struct mill__zip_member {
    char *name;              /* no control characters */
    uint64_t header;         /* where its local header lies */
    uint64_t offset, nbytes; /* of its data as stored */
    uint64_t inflated_nbytes;
    uint32_t crc;
    bool deflated;
} mill__zip_member;

typedef struct mill__zip {
    size_t n;
    mill__zip_member *members; /* in the order of their bytes; they do not overlap */
} mill__zip;

/* Of an archive of nbytes; refuses what is encrypted, split or compressed otherwise than by deflate. */
mill_status mill__zip_read(const mill__bytes *stored, uint64_t nbytes, mill__zip *zip, mill_error *err);
void mill__zip_free(mill__zip *zip);

/* Appended to out, for a member that is stored plainly; 0, or -1 without memory. Sizes are written in 64
 * bits, so that a header is as long for all of them; times are that of 1 January 1980. */
#define MILL__ZIP_LOCAL_NBYTES(name_nbytes) ((size_t)30 + (name_nbytes) + 20)
int mill__zip_local(mill__buffer *out, const mill__zip_member *member);
int mill__zip_central(mill__buffer *out, const mill__zip_member *member);
/* What follows n central headers of nbytes that begin at offset. */
int mill__zip_end(mill__buffer *out, uint64_t n, uint64_t offset, uint64_t nbytes);

#endif
