/* SPDX-License-Identifier: Apache-2.0 */
/* format/tar_header.h: one member's headers: the ustar block and the pax or GNU records in front of it.
 * Layout: POSIX.1 "pax" (ustar, pax) and the GNU tar manual (long names, base-256 numbers). */
#ifndef MILL_FORMAT_TAR_HEADER_H
#define MILL_FORMAT_TAR_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MILL__TAR_BLOCK = 512,
    MILL__TAR_MAX_NAME = 1023,      /* of a member, in bytes */
    MILL__TAR_MAX_RECORD = 1 << 20, /* an extension record: a pax header, a GNU long name */
    MILL__TAR_MAX_HEADERS = 4 << 20 /* a limit for mill__tar_parse: all headers of one member */
};

typedef enum mill__tar_kind {
    MILL__TAR_MEMBER, /* all fields of mill__tar_member are valid */
    MILL__TAR_ZERO,   /* a block of zeros */
    MILL__TAR_MORE,   /* need bytes are wanted from the same place on */
    MILL__TAR_BAD     /* kind and reason say why; skip bytes surely hold no header that can be trusted */
} mill__tar_kind;

typedef struct mill__tar_member {
    char name[MILL__TAR_MAX_NAME + 1];
    size_t name_nbytes;
    char type;
    bool sparse;
    uint64_t size;
    uint64_t header_nbytes; /* all headers; data follow */
    size_t need;
    uint64_t skip;
    bool orphan; /* MILL__TAR_BAD: the next header belongs to what is bad, and must not be taken for a member
                  */
    const char *kind;
    char reason[160];
} mill__tar_member;

/* Parse what begins at data. nbytes is what there is. A global pax header is a member of type 'g'. No more
 * than limit bytes of headers are asked for. */
mill__tar_kind mill__tar_parse(const uint8_t *data, size_t nbytes, uint64_t limit, mill__tar_member *member);
/* Whether a block has the checksum of a header. */
bool mill__tar_is_header(const uint8_t *block);
bool mill__tar_is_zero(const uint8_t *block, size_t nbytes);
/* Whether a header's type is that of a record that says something of the member behind it. */
bool mill__tar_is_record(const uint8_t *block);
/* The bytes that follow a header by its own size field, padded; 0 if that is no number. */
uint64_t mill__tar_body_nbytes(const uint8_t *block);
uint64_t mill__tar_padded(uint64_t nbytes); /* to whole blocks; UINT64_MAX if that overflows */

#endif
