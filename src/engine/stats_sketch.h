/* SPDX-License-Identifier: Apache-2.0 */
/* engine/stats_sketch.h: quantiles of each feature from counts of values in buckets whose width is in
 * proportion to the values (after Masson, Rim and Lee, "DDSketch", VLDB 2019). A power of two has 64 buckets
 * of equal width, so that finding one takes no logarithm; the middle of a bucket is within 1/128 of all that
 * is in it. Counts are whole numbers: adding and merging in any order gives the same. Magnitudes below
 * 2^-126 count as 0, those from 2^128 on as the last bucket. */
#ifndef MILL_ENGINE_STATS_SKETCH_H
#define MILL_ENGINE_STATS_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MILL__SKETCH_SLOTS = 64,     /* buckets of a page: a power of two, and a sign */
    MILL__SKETCH_PAGES = 512,    /* negative values first, the largest magnitude first of all */
    MILL__SKETCH_FEATURES = 1024 /* at most */
};
#define MILL__SKETCH_ERROR (1.0 / 128)

typedef struct mill__sketch {
    size_t features;
    uint64_t **pages; /* MILL__SKETCH_PAGES for each feature, made when something falls into them */
} mill__sketch;

bool mill__sketch_open(mill__sketch *sketch, size_t features);
/* A finite value; false without memory. */
bool mill__sketch_add(mill__sketch *sketch, size_t feature, double value);
/* So many values into a bucket. Buckets are numbered by value, from 0 to MILL__SKETCH_BUCKETS - 1. */
enum { MILL__SKETCH_BUCKETS = MILL__SKETCH_PAGES * MILL__SKETCH_SLOTS };
bool mill__sketch_put(mill__sketch *sketch, size_t feature, size_t bucket, uint64_t count);
uint64_t mill__sketch_count(const mill__sketch *sketch, size_t feature, size_t bucket);
bool mill__sketch_merge(mill__sketch *into, const mill__sketch *from);
/* About the value that has a share p of the others below it: of n sorted values, number floor(p (n - 1)).
 * NaN if there are none. */
double mill__sketch_quantile(const mill__sketch *sketch, size_t feature, double p);
void mill__sketch_free(mill__sketch *sketch);

#endif
