/* SPDX-License-Identifier: Apache-2.0 */
/* cli/tally.h: what the samples of a shard, or of a data set, are made of. */
#ifndef MILL_CLI_TALLY_H
#define MILL_CLI_TALLY_H

#include "json.h"
#include <shardmill/run.h>

#define CLI_SIDE_MOST 65536 /* longer sides are counted as this long by the median */

/* How often each length of a side was met: medians are exact and the memory fixed. */
typedef struct cli_sides {
    int64_t n;
    int least, most;
    uint32_t *counts; /* CLI_SIDE_MOST + 1 of them */
} cli_sides;

typedef struct cli_field_tally {
    char *name;
    int64_t samples;
    uint64_t nbytes;
} cli_field_tally;

#define CLI_TYPES_MOST 16

typedef struct cli_type_tally {
    mill_type type;
    int64_t samples;
} cli_type_tally;

typedef struct cli_tally {
    cli_field_tally *fields; /* in the order they were met */
    size_t nfields, capacity;
    cli_sides widths, heights;
    int64_t channels[5]; /* images of 1, 2, 3, 4 channels; [0]: of more */
    cli_type_tally
        types[CLI_TYPES_MOST]; /* of samples that are tensors; what is too much is in the last one */
    int ntypes;
} cli_tally;

bool cli_tally_add(cli_tally *tally, const mill_sample_info *sample); /* false: no memory */
void cli_tally_clear(cli_tally *tally);
void cli_tally_free(cli_tally *tally);
void cli_tally_print(const cli_tally *tally);
/* Members "fields", "images" and "tensors" of an open object. */
void cli_tally_json(const cli_tally *tally, cli_json *json);

int cli_sides_median(const cli_sides *sides);
void cli_type_text(const mill_type *type, char *text, size_t nbytes); /* "f32 (3, 224, 224)" */

#endif
