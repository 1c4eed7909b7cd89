/* SPDX-License-Identifier: Apache-2.0 */
/* base/ranks.h: which of how many processes this one is, by what launchers leave in the environment. */
#ifndef MILL_BASE_RANKS_H
#define MILL_BASE_RANKS_H

#include <shardmill/types.h>
#include <stdbool.h>

typedef struct mill__ranks {
    int rank, world_size;
    const char *by; /* a static text: what told */
} mill__ranks;

/* rank and world_size as asked for (world_size 0: find out). get reads a variable (getenv). MILL_USAGE when
 * what is asked or found makes no sense. */
mill_status mill__ranks_find(mill__ranks *ranks, int rank, int world_size, char *(*get)(const char *name),
                             mill_error *err);

#endif
