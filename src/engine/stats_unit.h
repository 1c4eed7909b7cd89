/* SPDX-License-Identifier: Apache-2.0 */
/* engine/stats_unit.h: a unit of rows while it is reduced, shared by the files that do that.
 *
 *   stats_reduce.c    moments, extremes, what is not finite; and what is asked of the engine
 *   stats_products.c  covariance
 *   stats_unit.c      going through the values; scratch */
#ifndef MILL_ENGINE_STATS_UNIT_H
#define MILL_ENGINE_STATS_UNIT_H

#include "engine/stats_reduce.h"
#include "kernel/gemm.h"
#include "kernel/moments.h"

typedef struct mill__tally_scratch {
    struct mill__tally_scratch *next;
    double *block, *vectors; /* values that were converted; vectors that are wholly finite */
    double *sums[4];         /* of each lane */
    double *shift;           /* what is subtracted from them first */
    void *run, *work;        /* covariance: differences from shift, and what their products need */
    mill__sketch sketch;
} mill__tally_scratch;

/* Values lie as planes, one for each channel of a chw image, else one in which the features come round. A
 * plane is seen as rows of lanes: each has a sum of its own, so that there are enough of them side by side.
 */
typedef struct mill__tally_unit {
    mill__tally *tally;
    mill__tally_scratch *scratch;
    const mill__moments *moments;
    const mill__gemm *gemm;
    const mill_tensor *tensor;
    const mill__row *rows;
    size_t planes, features, lanes; /* features and lanes of a plane; lanes is a multiple of features */
    size_t plane_length;            /* elements of one sample's */
    size_t good;                    /* samples that count */
    bool wide;                      /* values are taken as double, else as float, which holds them exactly */
    size_t filled;                  /* vectors in scratch->run */
    bool begun;                     /* something is in partial->products */
    const mill__partial *partial;   /* that is being made */
} mill__tally_unit;

/* Elements that lie on end, a multiple of features of them: floats or doubles. */
typedef void mill__on_block(mill__tally_unit *u, const void *x, size_t n, size_t plane);

mill__tally_unit mill__unit_of(mill__tally *tally, const mill_tensor *tensor, const mill__row *rows);
/* All values of the first nrows good rows, of each plane the first length. */
void mill__unit_blocks(mill__tally_unit *u, bool wide, size_t nrows, size_t length, mill__on_block *take);
void mill__unit_all_blocks(mill__tally_unit *u, bool wide, mill__on_block *take);

bool mill__unit_take_scratch(mill__tally_unit *u);
void mill__unit_give_scratch(mill__tally_unit *u);
void mill__tally_free_scratch(mill__tally_scratch *s);

/* What the lanes of feature k added up, and their extreme. */
double mill__unit_sum(const mill__tally_unit *u, const double *sums, size_t k);
double mill__unit_extreme(const mill__tally_unit *u, bool wide, const void *list, size_t k, bool low);
/* A number for each feature becomes one for each lane of scratch->shift. */
void mill__unit_set_shift(mill__tally_unit *u, const double *numbers);

/* ---- stats_products.c ---- */

/* Where up to *vectors differences from scratch->shift may be put; so many of them are there. ahead: the
 * values that are wanted next, or NULL. */
void *mill__products_room(mill__tally_unit *u, size_t *vectors);
/* Anew: what was put so far does not count. */
void mill__products_begin(mill__tally_unit *u);
void mill__products_put(mill__tally_unit *u, size_t vectors, const void *ahead);
/* Whether products of differences within these extremes of feature k stay far from the limits of float: where
 * they are too large for it, and where they are so small that it has few digits left for them. */
bool mill__products_fit(const mill__tally_unit *u, size_t k, double low, double high);
/* All n are there. Their sums show that shift is not the mean: so be it. */
void mill__products_end(mill__tally_unit *u, const double *sums, size_t n);
/* From the beginning, of those vectors that are finite. */
void mill__products_find(mill__tally_unit *u);

#endif
