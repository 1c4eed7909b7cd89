/* SPDX-License-Identifier: Apache-2.0 */
/* format/tar_member.h: what a shard makes of a tar member: a file of a sample, or something to pass over. */
#ifndef MILL_FORMAT_TAR_MEMBER_H
#define MILL_FORMAT_TAR_MEMBER_H

#include "format/tar_header.h"
#include <shardmill/types.h>

/* Why a member is no file of a sample. */
typedef struct mill__tar_refusal {
    mill_severity severity;
    const char *kind, *reason; /* reason NULL: nothing to be said of it */
} mill__tar_refusal;

/* true: to be passed over. false: a regular file, its key is the first *key_nbytes of its name. */
bool mill__tar_refused(const mill__tar_member *member, size_t *key_nbytes, mill__tar_refusal *why);

/* Links, folders and devices have no data, whatever their size field says; and yet some writers give them
 * some. Only what stands behind the header can tell. */
bool mill__tar_has_doubtful_size(const mill__tar_member *member);

/* Why it would be unwise to write a file of this name; NULL: it is harmless. */
const char *mill__tar_unsafe_name(const mill__tar_member *member);

#endif
