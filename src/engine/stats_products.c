/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products of features. Vectors, their differences from a shift, go together in runs: a run's
 * products are summed in the type of the values, runs in double. */
#include "engine/stats_unit.h"
#include <math.h>
#include <string.h>

static size_t vector_nbytes(const mill__tally_unit *u)
{
    return u->features * (u->wide ? sizeof(double) : sizeof(float));
}

void *mill__products_room(mill__tally_unit *u, size_t *vectors)
{
    *vectors = MILL__GRAM_RUN - u->filled;
    return (char *)u->scratch->run + u->filled * vector_nbytes(u);
}

static void multiply(mill__tally_unit *u, const void *ahead)
{
    mill__tally_scratch *s = u->scratch;
    double *triangle = u->partial->products;
    if (u->wide)
        u->gemm->gram_f64(triangle, !u->begun, s->run, u->features, u->filled, u->features, s->work, ahead);
    else
        u->gemm->gram_f32(triangle, !u->begun, s->run, u->features, u->filled, u->features, s->work, ahead);
    u->filled = 0;
    u->begun = true;
}

void mill__products_begin(mill__tally_unit *u)
{
    u->filled = 0;
    u->begun = false;
}

void mill__products_put(mill__tally_unit *u, size_t vectors, const void *ahead)
{
    u->filled += vectors;
    if (u->filled == MILL__GRAM_RUN)
        multiply(u, ahead);
}

void mill__products_end(mill__tally_unit *u, const double *sums, size_t n)
{
    double *product = u->partial->products;
    if (u->filled)
        multiply(u, NULL);
    for (size_t i = 0; i < u->features; product += u->features - i, i++)
        u->moments->add_scaled(product, NULL, -(sums[i] / (double)n), sums + i, u->features - i);
}

bool mill__products_fit(const mill__tally_unit *u, size_t k, double low, double high)
{
    double shift = u->scratch->shift[k], most = fmax(high - shift, shift - low);
    return most == 0 || (most >= 0x1p-50 && most <= 0x1p+58);
}

/* ---- where not all is finite ---- */

/* Those of n vectors that are finite wholly, to scratch->vectors; how many. */
static size_t take_vectors(mill__tally_unit *u, const double *x, size_t n)
{
    double *to = u->scratch->vectors;
    size_t width = u->features, taken = 0;
    for (size_t i = 0; i < n; i++, x += width) {
        bool whole = true;
        for (size_t k = 0; k < width; k++)
            whole &= isfinite(x[k]) != 0;
        if (whole)
            memcpy(to + taken++ * width, x, width * sizeof *x);
    }
    return taken;
}

static void centre_block(mill__tally_unit *u, const void *x, size_t n, size_t plane)
{
    (void)plane;
    size_t taken = take_vectors(u, x, n / u->features);
    *u->partial->vectors += (double)taken;
    u->moments->add_f64(u->scratch->vectors, taken, u->features, u->scratch->sums[0]);
}

static void products_block(mill__tally_unit *u, const void *x, size_t n, size_t plane)
{
    const double *vectors = u->scratch->vectors;
    size_t taken = take_vectors(u, x, n / u->features);
    (void)plane;
    u->moments->centre(u->scratch->vectors, taken, u->features, u->scratch->shift);
    for (size_t m; taken; taken -= m, vectors += m * u->features) {
        void *room = mill__products_room(u, &m);
        m = taken < m ? taken : m;
        memcpy(room, vectors, m * vector_nbytes(u));
        mill__products_put(u, m, NULL);
    }
}

void mill__products_find(mill__tally_unit *u)
{
    const mill__partial *p = u->partial;
    double *sums = u->scratch->sums[0];
    size_t width = u->features;
    memset(sums, 0, width * sizeof *sums);
    mill__products_begin(u);
    u->wide = true;
    mill__unit_all_blocks(u, true, centre_block);
    for (size_t k = 0; k<width && * p->vectors> 0; k++)
        p->centre[k] = sums[k] / *p->vectors;
    mill__unit_set_shift(u, p->centre);
    mill__unit_all_blocks(u, true, products_block);
    if (u->filled)
        multiply(u, NULL);
    if (!u->begun)
        memset(p->products, 0, width * (width + 1) / 2 * sizeof *p->products);
}
