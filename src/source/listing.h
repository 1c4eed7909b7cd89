/* SPDX-License-Identifier: Apache-2.0 */
/* source/listing.h: the images below a folder, in the order in which they are visited (see folder.c). */
#ifndef MILL_SOURCE_LISTING_H
#define MILL_SOURCE_LISTING_H

#include "base/memory.h"
#include <shardmill/types.h>

typedef struct mill__entry {
    size_t name;          /* where its name begins in names */
    size_t folder_nbytes; /* how much of the name is its folder; 0: the listed folder itself */
    uint64_t nbytes;
    int os_error; /* why it could not be looked at, or 0 */
} mill__entry;

/* {0} is an empty one. */
typedef struct mill__listing {
    mill__entry *entries;
    size_t nentries, capacity;
    mill__buffer names; /* NUL-terminated, relative to the folder */
    int64_t mtime_ns;   /* the latest of all folders and files */
} mill__listing;

/* List the folder open at fd; path is for messages. On failure too, end with mill__listing_free. */
mill_status mill__listing_walk(mill__listing *listing, int fd, const char *path, mill_error *err);
const char *mill__listing_name(const mill__listing *listing, const mill__entry *entry);
void mill__listing_free(mill__listing *listing);

#endif
