/* SPDX-License-Identifier: Apache-2.0 */
/* sample/sample.h: the thing that flows. While it is being walked, a sample's fields point into the bytes of
 * its shard; what must live longer is copied into the batch. */
#ifndef MILL_SAMPLE_SAMPLE_H
#define MILL_SAMPLE_SAMPLE_H

#include <shardmill/types.h>
#include <stdbool.h>

#define MILL__MAX_FIELDS     32
#define MILL__MAX_FIELD_NAME 55
#define MILL__MAX_KEY        4096 /* a path longer than PATH_MAX is refused */

typedef struct mill__field {
    const char *name; /* extension without its dot, in the case it is stored in; NOT NUL-terminated */
    uint32_t name_nbytes;
    const uint8_t *data;
    size_t nbytes;
    uint64_t offset; /* of data, in the shard */
} mill__field;

typedef struct mill__sample {
    const char *key;    /* NUL-terminated; owned by the walker, valid until its next call */
    int64_t label;      /* class from the folder, else -1 (.cls is parsed by the engine) */
    uint64_t offset;    /* first byte of the sample in the shard */
    uint64_t nbytes;    /* bytes the sample takes, headers and padding included */
    mill_status status; /* not MILL_OK: a bad sample; its reason is in error; fields may be incomplete */
    mill_error error;   /* kind, message, offset; valid if status is not MILL_OK */
    int nfields;
    mill__field fields[MILL__MAX_FIELDS];
} mill__sample;

/* Case-insensitive; NULL when absent. */
const mill__field *mill__sample_field(const mill__sample *sample, const char *name);
/* The first field that is an image by extension (jpg, jpeg, in any case); NULL when there is none. */
const mill__field *mill__sample_image(const mill__sample *sample);

#endif
