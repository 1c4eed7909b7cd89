/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/stats_unit.h"
#include "base/memory.h"
#include "kernel/convert.h"
#include <math.h>
#include <stdlib.h>

enum {
    BLOCK = 4096, /* elements that are converted together, or as many as there are lanes */
    LANES = 64    /* few features: about so many sums run side by side */
};

static size_t lanes_of(size_t features)
{
    return features < LANES ? LANES / features * features : features;
}

static size_t block_length(size_t lanes)
{
    return lanes < BLOCK ? BLOCK / lanes * lanes : lanes;
}

mill__tally_unit mill__unit_of(mill__tally *tally, const mill_tensor *tensor, const mill__row *rows)
{
    const mill_type *type = &tensor->type;
    mill__tally_unit u = {.tally = tally, .tensor = tensor, .rows = rows};
    size_t elements = (size_t)mill__type_nbytes(type) / mill_dtype_nbytes(type->dtype);
    u.planes = type->layout == MILL_CHW && type->rank == 3 ? tally->features : 1;
    u.features = tally->features / u.planes;
    u.lanes = lanes_of(u.features);
    u.plane_length = elements / u.planes;
    u.wide = tally->wide;
    u.moments = mill__moments_get(tally->kernels);
    u.gemm = mill__gemm_get(tally->kernels);
    for (int64_t i = 0; i < tensor->n; i++)
        u.good += !rows[i].status;
    return u;
}

/* ---- going through ---- */

static void each_block_of(mill__tally_unit *u, bool wide, size_t at, size_t n, size_t plane,
                          mill__on_block *take)
{
    const mill_tensor *t = u->tensor;
    const size_t nbytes = mill_dtype_nbytes(t->type.dtype), most = block_length(u->lanes);
    const char *data = (const char *)t->data + at * nbytes;
    mill_dtype as = wide ? MILL_F64 : MILL_F32;
    if (t->type.dtype == as) {
        take(u, data, n, plane);
        return;
    }
    mill__convert *convert = mill__convert_get(u->tally->kernels);
    for (size_t done = 0; done < n; done += most) {
        size_t m = n - done < most ? n - done : most;
        convert(u->scratch->block, as, data + done * nbytes, t->type.dtype, m);
        take(u, u->scratch->block, m, plane);
    }
}

void mill__unit_blocks(mill__tally_unit *u, bool wide, size_t nrows, size_t length, mill__on_block *take)
{
    size_t n = (size_t)u->tensor->n;
    bool together = u->planes == 1 && length == u->plane_length;
    for (size_t i = 0, end; i < n && nrows; i = end) {
        for (end = i; end < n && nrows && !u->rows[end].status && (together || end == i); end++)
            nrows--;
        for (size_t p = 0; p < u->planes && end > i; p++)
            each_block_of(u, wide, (i * u->planes + p) * u->plane_length, (end - i) * length, p, take);
        if (end == i)
            end++; /* a bad one */
    }
}

void mill__unit_all_blocks(mill__tally_unit *u, bool wide, mill__on_block *take)
{
    mill__unit_blocks(u, wide, SIZE_MAX, u->plane_length, take);
}

/* ---- lanes ---- */

static size_t first_lane(const mill__tally_unit *u, size_t k)
{
    return k / u->features * u->lanes + k % u->features;
}

double mill__unit_sum(const mill__tally_unit *u, const double *sums, size_t k)
{
    double sum = 0.0;
    const double *lane = sums + first_lane(u, k);
    for (size_t i = 0; i < u->lanes; i += u->features)
        sum += lane[i];
    return sum;
}

double mill__unit_extreme(const mill__tally_unit *u, bool wide, const void *list, size_t k, bool low)
{
    double most = low ? INFINITY : -INFINITY;
    for (size_t i = first_lane(u, k), n = 0; n < u->lanes; i += u->features, n += u->features) {
        double x = wide ? ((const double *)list)[i] : (double)((const float *)list)[i];
        most = low ? fmin(most, x) : fmax(most, x);
    }
    return most;
}

void mill__unit_set_shift(mill__tally_unit *u, const double *numbers)
{
    for (size_t p = 0; p < u->planes; p++)
        for (size_t i = 0; i < u->lanes; i++)
            u->scratch->shift[p * u->lanes + i] = numbers[p * u->features + i % u->features];
}

/* ---- scratch ---- */

void mill__tally_free_scratch(mill__tally_scratch *s)
{
    mill__free(s->block);
    mill__sketch_free(&s->sketch);
    free(s);
}

/* So many doubles, and what is left of a cache line. */
static size_t lines(size_t doubles)
{
    return (doubles + 7) & ~(size_t)7;
}

static mill__tally_scratch *make_scratch(const mill__tally_unit *u)
{
    const mill__tally *tally = u->tally;
    size_t block = lines(block_length(u->lanes)), all = lines(u->planes * u->lanes), run = 0, work = 0;
    if (tally->covariance) {
        run = lines(MILL__GRAM_RUN * u->features);
        work = lines(mill__gram_work_nbytes(u->gemm, sizeof(double), u->features) / sizeof(double));
    }
    mill__tally_scratch *s = calloc(1, sizeof *s);
    double *numbers = mill__alloc((2 * block + 5 * all + run + work) * sizeof *numbers);
    if (s)
        s->block = numbers;
    if (!s || !numbers || (tally->quantiles && !mill__sketch_open(&s->sketch, tally->features))) {
        if (s)
            mill__tally_free_scratch(s);
        else
            mill__free(numbers);
        return NULL;
    }
    s->vectors = numbers + block;
    for (int i = 0; i < 4; i++)
        s->sums[i] = numbers + 2 * block + (size_t)i * all;
    s->shift = numbers + 2 * block + 4 * all;
    s->run = s->shift + all;
    s->work = s->shift + all + run;
    return s;
}

bool mill__unit_take_scratch(mill__tally_unit *u)
{
    mill__tally *tally = u->tally;
    pthread_mutex_lock(&tally->lock);
    mill__tally_scratch *s = tally->scratch;
    if (s)
        tally->scratch = s->next;
    pthread_mutex_unlock(&tally->lock);
    u->scratch = s ? s : make_scratch(u);
    return u->scratch;
}

void mill__unit_give_scratch(mill__tally_unit *u)
{
    mill__tally *tally = u->tally;
    pthread_mutex_lock(&tally->lock);
    if (u->scratch) {
        u->scratch->next = tally->scratch;
        tally->scratch = u->scratch;
    } else {
        tally->no_memory = true;
    }
    pthread_mutex_unlock(&tally->lock);
}
