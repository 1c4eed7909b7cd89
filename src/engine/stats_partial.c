/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/stats_partial.h"
#include <stdlib.h>

enum { LISTS = 9 };

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

static void merge_products(mill__partial *a, const mill__partial *b, size_t features)
{
    double na = *a->vectors, nb = *b->vectors, n = na + nb;
    if (nb == 0)
        return;
    double *to = a->products;
    const double *from = b->products;
    double weight = na * (nb / n); /* 0 if a is empty */
    for (size_t i = 0; i < features; i++) {
        double delta = apart(a, b, i) * weight;
        for (size_t k = i; k < features; k++)
            *to++ += *from++ + delta * apart(a, b, k);
    }
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

void mill__partial_merge(mill__partial *a, const mill__partial *b, size_t features)
{
    for (size_t k = 0; k < features; k++)
        merge_feature(a, b, k);
    if (a->products)
        merge_products(a, b, features);
}

/* ---- the tree ---- */

typedef struct mill__partial_node {
    struct mill__partial_node *next;
    size_t index; /* among those of its level */
    int level;
    double *numbers;
} node;

static size_t first_leaf(const node *n)
{
    return n->index << n->level;
}

/* b into a; b is gone. */
static void merge_nodes(const mill__partial_tree *tree, node *a, node *b)
{
    mill__partial to = mill__partial_of(a->numbers, tree->features, tree->covariance);
    const mill__partial from = mill__partial_of(b->numbers, tree->features, tree->covariance);
    mill__partial_merge(&to, &from, tree->features);
    a->next = b->next;
    free(b->numbers);
    free(b);
}

static bool are_children(const node *a, const node *b)
{
    return b && a->level == b->level && a->index % 2 == 0 && b->index == a->index + 1;
}

bool mill__partial_tree_add(mill__partial_tree *tree, size_t leaf, double *numbers)
{
    node *added = malloc(sizeof *added), **at = &tree->nodes;
    if (!added) {
        free(numbers);
        return false;
    }
    while (*at && first_leaf(*at) < leaf)
        at = &(*at)->next;
    *added = (node){.next = *at, .index = leaf, .numbers = numbers};
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
    return numbers;
}

void mill__partial_tree_free(mill__partial_tree *tree)
{
    for (node *n = tree->nodes, *next; n; n = next) {
        next = n->next;
        free(n->numbers);
        free(n);
    }
    tree->nodes = NULL;
}
