/* SPDX-License-Identifier: Apache-2.0 */
/* engine/stats_partial.h: what is known of some values of each feature: how many, mean, sum of squared
 * differences from it, extremes; and how two such become one. */
#ifndef MILL_ENGINE_STATS_PARTIAL_H
#define MILL_ENGINE_STATS_PARTIAL_H

#include "kernel/kernel.h"

/* All numbers of a partial result lie in one array of doubles (counts are exact up to 2^53); zeros are the
 * empty one. Each list has one place for each feature. */
typedef struct mill__partial {
    double *n;                   /* finite values; nothing else counts in mean, m2, low and high */
    double *nan, *above, *below; /* NaN, +infinity, -infinity */
    double *mean, *m2, *low, *high;
    double *rest; /* what rounding took from mean: where a mean is large, differences of means need it */
    /* With covariance: over the vectors of which all values are finite. */
    double *vectors;              /* one number: how many */
    double *centre, *centre_rest; /* their mean */
    double *products;             /* of differences from it: the upper triangle, packed row after row */
} mill__partial;

size_t mill__partial_length(size_t features, bool covariance); /* in doubles */
mill__partial mill__partial_of(double *numbers, size_t features, bool covariance);
/* Put b's values behind those of a. */
void mill__partial_merge(mill__partial *a, const mill__partial *b, size_t features);

/* ---- merging in a fixed tree ---- */

/* Partial results 0, 1, 2, ... are the leaves of a binary tree: node k of a level is made of the nodes 2 k
 * and 2 k + 1 of the level below. Leaves may come in any order; merging is done as soon as both children are
 * there, so few are kept at a time, and always the same ones are merged. */
typedef struct mill__partial_tree {
    size_t features;
    bool covariance;
    const struct mill__moments *moments;
    struct mill__partial_node *nodes, *spare; /* by place; to be used again */
} mill__partial_tree;

mill__partial_tree mill__partial_tree_of(size_t features, bool covariance, const mill__kernels *kernels);
/* So many leaves, from number first on, that lie one behind the other. They are merged where they are as far
 * as the tree goes, and what is left is copied. False without memory. */
bool mill__partial_tree_add(mill__partial_tree *tree, size_t first, double *leaves, size_t n);
/* All leaves from 0 on are there: the whole, malloc'd; the tree is empty then. NULL if it had none. */
double *mill__partial_tree_end(mill__partial_tree *tree);
void mill__partial_tree_free(mill__partial_tree *tree);

#endif
