/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/stats_partial.h"
#include "kernel/moments.h"
#include <stdlib.h>
#include <string.h>

enum {
    LISTS = 9,
    STRETCH = 256 /* of a row of products */
};

static size_t triangle(size_t n)
{
    return n * (n + 1) / 2;
}

size_t mill__partial_length(size_t features, bool covariance)
{
    return LISTS * features + (covariance ? 1 + 2 * features + triangle(features) : 0);
}

mill__partial mill__partial_of(double *numbers, size_t features, bool covariance)
{
    double *lists[LISTS];
    for (size_t i = 0; i < LISTS; i++, numbers += features)
        lists[i] = numbers;
    return (mill__partial){.n = lists[0],
                           .nan = lists[1],
                           .above = lists[2],
                           .below = lists[3],
                           .mean = lists[4],
                           .m2 = lists[5],
                           .low = lists[6],
                           .high = lists[7],
                           .rest = lists[8],
                           .vectors = covariance ? numbers : NULL,
                           .centre = covariance ? numbers + 1 : NULL,
                           .centre_rest = covariance ? numbers + 1 + features : NULL,
                           .products = covariance ? numbers + 1 + 2 * features : NULL};
}

/* *mean + *rest moves on by step. The sum is cut in two without loss (Dekker's, by way of Knuth's TwoSum). */
static void move(double *mean, double *rest, double step)
{
    double a = *mean, b = *rest + step, sum = a + b, part = sum - a;
    *mean = sum;
    *rest = (a - (sum - part)) + (b - part);
}

/* Chan, Golub and LeVeque, 1979. */
static void merge_feature(mill__partial *a, const mill__partial *b, size_t k)
{
    double na = a->n[k], nb = b->n[k], n = na + nb;
    a->nan[k] += b->nan[k];
    a->above[k] += b->above[k];
    a->below[k] += b->below[k];
    if (nb == 0)
        return;
    if (na == 0) {
        a->n[k] = nb;
        a->mean[k] = b->mean[k];
        a->rest[k] = b->rest[k];
        a->m2[k] = b->m2[k];
        a->low[k] = b->low[k];
        a->high[k] = b->high[k];
        return;
    }
    double delta = (b->mean[k] - a->mean[k]) + (b->rest[k] - a->rest[k]);
    a->n[k] = n;
    move(&a->mean[k], &a->rest[k], delta * (nb / n));
    a->m2[k] += b->m2[k] + delta * delta * (na * (nb / n));
    a->low[k] = b->low[k] < a->low[k] ? b->low[k] : a->low[k];
    a->high[k] = b->high[k] > a->high[k] ? b->high[k] : a->high[k];
}

static double apart(const mill__partial *a, const mill__partial *b, size_t k)
{
    return (b->centre[k] - a->centre[k]) + (b->centre_rest[k] - a->centre_rest[k]);
}

/* Columns begin to end - 1 of the products. */
static void merge_stretch(mill__partial *a, const mill__partial *b, size_t features, double weight,
                          size_t begin, size_t end, const mill__moments *moments)
{
    double delta[STRETCH], *to = a->products;
    const double *from = b->products;
    for (size_t k = begin; k < end; k++)
        delta[k - begin] = apart(a, b, k);
    for (size_t i = 0; i < end; i++) { /* to and from: where column i of row i is */
        size_t at = i < begin ? begin : i;
        moments->add_scaled(to + (at - i), from + (at - i), apart(a, b, i) * weight, delta + (at - begin),
                            end - at);
        to += features - i;
        from += features - i;
    }
}

static void merge_products(mill__partial *a, const mill__partial *b, size_t features,
                           const mill__moments *moments)
{
    double na = *a->vectors, nb = *b->vectors, n = na + nb;
    if (nb == 0)
        return;
    double weight = na * (nb / n); /* 0 if a is empty */
    for (size_t k = 0; k < features; k += STRETCH)
        merge_stretch(a, b, features, weight, k, features - k < STRETCH ? features : k + STRETCH, moments);
    for (size_t i = 0; i < features; i++) {
        if (na > 0) {
            move(&a->centre[i], &a->centre_rest[i], apart(a, b, i) * (nb / n));
        } else {
            a->centre[i] = b->centre[i];
            a->centre_rest[i] = b->centre_rest[i];
        }
    }
    *a->vectors = n;
}

static void merge(mill__partial *a, const mill__partial *b, size_t features, const mill__moments *moments)
{
    for (size_t k = 0; k < features; k++)
        merge_feature(a, b, k);
    if (a->products)
        merge_products(a, b, features, moments);
}

void mill__partial_merge(mill__partial *a, const mill__partial *b, size_t features)
{
    merge(a, b, features, mill__moments_get(mill__kernels_get(mill__kernels_cap())));
}

/* ---- the tree ---- */

typedef struct mill__partial_node {
    struct mill__partial_node *next;
    size_t index; /* among those of its level */
    int level;
    double *numbers;
} node;

mill__partial_tree mill__partial_tree_of(size_t features, bool covariance, const mill__kernels *kernels)
{
    return (mill__partial_tree){
        .features = features, .covariance = covariance, .moments = mill__moments_get(kernels)};
}

static size_t first_leaf(const node *n)
{
    return n->index << n->level;
}

static void merge_numbers(const mill__partial_tree *tree, double *a, double *b)
{
    mill__partial to = mill__partial_of(a, tree->features, tree->covariance);
    const mill__partial from = mill__partial_of(b, tree->features, tree->covariance);
    merge(&to, &from, tree->features, tree->moments);
}

/* b into a. */
static void merge_nodes(mill__partial_tree *tree, node *a, node *b)
{
    merge_numbers(tree, a->numbers, b->numbers);
    a->next = b->next;
    b->next = tree->spare;
    tree->spare = b;
}

static bool are_children(const node *a, const node *b)
{
    return b && a->level == b->level && a->index % 2 == 0 && b->index == a->index + 1;
}

static node *take_node(mill__partial_tree *tree)
{
    node *n = tree->spare;
    if (n) {
        tree->spare = n->next;
        return n;
    }
    n = malloc(sizeof *n);
    double *numbers = malloc(mill__partial_length(tree->features, tree->covariance) * sizeof *numbers);
    if (!n || !numbers) {
        free(n);
        free(numbers);
        return NULL;
    }
    n->numbers = numbers;
    return n;
}

static bool add_node(mill__partial_tree *tree, int level, size_t index, const double *numbers)
{
    node *added = take_node(tree), **at = &tree->nodes;
    if (!added)
        return false;
    size_t nbytes = mill__partial_length(tree->features, tree->covariance) * sizeof *numbers;
    memcpy(added->numbers, numbers, nbytes);
    while (*at && first_leaf(*at) < index << level)
        at = &(*at)->next;
    added->next = *at;
    added->index = index;
    added->level = level;
    *at = added;
    for (bool merged = true; merged;) {
        merged = false;
        for (at = &tree->nodes; *at && !merged; at = &(*at)->next)
            if (are_children(*at, (*at)->next)) {
                merge_nodes(tree, *at, (*at)->next);
                (*at)->level++;
                (*at)->index /= 2;
                merged = true;
            }
    }
    return true;
}

/* 2^level leaves become the first of them. */
static void merge_leaves(const mill__partial_tree *tree, double *leaves, size_t step, int level)
{
    if (!level)
        return;
    double *right = leaves + (step << (level - 1));
    merge_leaves(tree, leaves, step, level - 1);
    merge_leaves(tree, right, step, level - 1);
    merge_numbers(tree, leaves, right);
}

bool mill__partial_tree_add(mill__partial_tree *tree, size_t first, double *leaves, size_t n)
{
    const size_t step = mill__partial_length(tree->features, tree->covariance);
    bool fits = true;
    for (size_t taken; n && fits; n -= taken, first += taken, leaves += taken * step) {
        int level = 0;
        while ((first >> level) % 2 == 0 && (size_t)2 << level <= n)
            level++;
        taken = (size_t)1 << level;
        merge_leaves(tree, leaves, step, level);
        fits = add_node(tree, level, first >> level, leaves);
    }
    return fits;
}

static void free_nodes(node *n)
{
    for (node *next; n; n = next) {
        next = n->next;
        free(n->numbers);
        free(n);
    }
}

double *mill__partial_tree_end(mill__partial_tree *tree)
{
    if (!tree->nodes)
        return NULL;
    while (tree->nodes->next) { /* the smallest, which are last, first */
        node *a = tree->nodes;
        while (a->next->next)
            a = a->next;
        merge_nodes(tree, a, a->next);
    }
    double *numbers = tree->nodes->numbers;
    free(tree->nodes);
    tree->nodes = NULL;
    free_nodes(tree->spare);
    tree->spare = NULL;
    return numbers;
}

void mill__partial_tree_free(mill__partial_tree *tree)
{
    free_nodes(tree->nodes);
    free_nodes(tree->spare);
    tree->nodes = tree->spare = NULL;
}
