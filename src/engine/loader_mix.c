/* SPDX-License-Identifier: Apache-2.0 */
/* engine/loader_mix.c: mixup and cutmix. Rows 2k and 2k + 1 of a batch are a pair: each is mixed with the
 * other, both at once, in their place, so that no copy is needed and pairs are independent. As neighbours in
 * an epoch's order they are as random a pair as any when the order is shuffled; and, if the batch size is
 * even, they are the same pairs at any world size. Their share is a function of (seed, epoch, step, pair)
 * alone.
 *
 * A batch all of whose rows are good goes to the team once more, as a unit whose chunks are pairs. */
#include "base/clock.h"
#include "base/random.h"
#include "engine/loader_state.h"
#include <math.h>
#include <string.h>

enum { BLOCK = 512 };

/* ---- random numbers ---- */

typedef struct numbers {
    mill__random random;
    uint32_t k;
} numbers;

/* In (0, 1). */
static double uniform(numbers *n)
{
    uint64_t high = mill__random_u32(&n->random, n->k), low = mill__random_u32(&n->random, n->k + 1);
    n->k += 2;
    return ((double)((high << 20) ^ (low >> 12)) + 0.5) * 0x1p-52;
}

/* Gamma(shape), shape >= 1: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000. */
static double gamma_variate(numbers *n, double shape)
{
    const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = sqrt(-2 * log(uniform(n))) * cos(2 * M_PI * uniform(n)), u = uniform(n), v = 1 + c * x;
        v = v * v * v;
        if (v > 0 && log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

/* Beta(alpha, alpha). Below 1 by Jöhnk's method, in logarithms, so that nothing vanishes. */
static double beta_variate(numbers *n, double alpha)
{
    if (alpha > 1) {
        double x = gamma_variate(n, alpha), y = gamma_variate(n, alpha);
        return x / (x + y);
    }
    for (;;) {
        double x = log(uniform(n)) / alpha, y = log(uniform(n)) / alpha;
        if (exp(x) + exp(y) <= 1)
            return 1 / (1 + exp(y - x));
    }
}

/* ---- pairs ---- */

static numbers numbers_of(const mill__loader *l, const mill_batch *b, size_t pair)
{
    const mill__order_config *c = &l->config.order;
    uint64_t pairs = c->batch_size * c->world_size / 2 + 1, first = c->rank * b->n / 2;
    return (numbers){.random = {.seed = c->seed,
                                .epoch = b->epoch_number,
                                .shard = UINT32_MAX, /* of no sample */
                                .sample = b->step * pairs + first + pair,
                                .transform = UINT16_MAX}};
}

static bool is_good(const mill_batch *b, size_t i)
{
    return !b->rows.rows[i].status && !b->items[i].place.padded;
}

/* a' = share a + (1 - share) b, b' = share b + (1 - share) a; in float, rounded once to where they came from.
 */
static void mix_rows(const mill__mixer *m, uint8_t *a, uint8_t *b, float share)
{
    const mill_dtype dtype = m->type.dtype;
    const size_t element = mill_dtype_nbytes(dtype), n = m->row_nbytes / element;
    float first[BLOCK], second[BLOCK];
    if (dtype == MILL_F32) {
        m->kernels->mix((float *)(void *)a, (float *)(void *)b, n, share);
        return;
    }
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t some = n - i < BLOCK ? n - i : BLOCK;
        uint8_t *from = a + i * element, *to = b + i * element;
        m->convert(first, MILL_F32, from, dtype, some);
        m->convert(second, MILL_F32, to, dtype, some);
        m->kernels->mix(first, second, some, share);
        m->convert(from, dtype, first, MILL_F32, some);
        m->convert(to, dtype, second, MILL_F32, some);
    }
}

static void exchange(uint8_t *a, uint8_t *b, size_t nbytes)
{
    uint8_t kept[BLOCK];
    for (size_t i = 0; i < nbytes; i += BLOCK) {
        size_t some = nbytes - i < BLOCK ? nbytes - i : BLOCK;
        memcpy(kept, a + i, some);
        memcpy(a + i, b + i, some);
        memcpy(b + i, kept, some);
    }
}

static size_t below(numbers *n, size_t end)
{
    return (size_t)(uniform(n) * (double)end);
}

/* From a centre, half to either side, as much as lies in 0 .. end. */
static void side(size_t centre, size_t half, size_t end, size_t *from, size_t *to)
{
    *from = centre < half ? 0 : centre - half;
    *to = centre + half > end ? end : centre + half;
}

/* A rectangle changes places; the share that stays is returned. */
static float cut_rows(const mill__mixer *m, uint8_t *a, uint8_t *b, double share, numbers *n)
{
    const bool planar = m->type.layout == MILL_CHW;
    const int64_t *shape = m->type.shape;
    const size_t width = (size_t)shape[planar ? 2 : 1], height = (size_t)shape[planar ? 1 : 0];
    const size_t channels = (size_t)shape[planar ? 0 : 2], element = mill_dtype_nbytes(m->type.dtype);
    const size_t planes = planar ? channels : 1, pixel = element * (planar ? 1 : channels);
    double half = 0.5 * sqrt(1 - share);
    size_t left, right, top, bottom, x = below(n, width), y = below(n, height);
    side(x, (size_t)(half * (double)width), width, &left, &right);
    side(y, (size_t)(half * (double)height), height, &top, &bottom);
    for (size_t plane = 0; plane < planes; plane++)
        for (size_t row = top; row < bottom; row++) {
            size_t at = ((plane * height + row) * width + left) * pixel;
            exchange(a + at, b + at, (right - left) * pixel);
        }
    return (float)(1 - (double)((right - left) * (bottom - top)) / (double)(width * height));
}

static void mix_pair(const mill__loader *l, mill_batch *b, size_t pair)
{
    const mill__mixer *m = &l->mixer;
    const size_t i = 2 * pair, k = i + 1;
    if (!is_good(b, i) || !is_good(b, k))
        return;
    numbers n = numbers_of(l, b, pair);
    double share = beta_variate(&n, m->alpha);
    uint8_t *first = b->rows.slab + i * m->row_nbytes, *second = first + m->row_nbytes;
    b->others[i] = b->labels[k];
    b->others[k] = b->labels[i];
    b->shares[i] = b->shares[k] = (float)share;
    if (m->kind == MILL__MIX_CUTMIX)
        b->shares[i] = b->shares[k] = cut_rows(m, first, second, share, &n);
    else
        mix_rows(m, first, second, b->shares[i]);
}

/* ---- as a unit of the team ---- */

bool mill__load_is_mix(const mill__load_group *g)
{
    return g == &g->batch->mix;
}

bool mill__load_mix(mill__loader *l, mill_batch *b)
{
    if (!l->mixer.kind)
        return false;
    for (size_t i = 0; i < b->n; i++) {
        b->shares[i] = 1;
        b->others[i] = b->labels[i];
    }
    if (b->n < 2)
        return false;
    b->mix = (mill__load_group){.batch = b, .count = b->n / 2};
    l->groups++;
    mill__load_ready(l, &b->mix);
    return true;
}

void mill__load_mix_chunk(mill__loader *l, mill_batch *b, size_t begin, size_t end)
{
    int64_t traced = mill__trace_now(l->config.engine.trace), start = mill__now_ns();
    for (size_t pair = begin; pair < end; pair++)
        mix_pair(l, b, pair);
    atomic_fetch_add_explicit(&l->transform_ns, mill__now_ns() - start, memory_order_relaxed);
    mill__trace_span(l->config.engine.trace, "mix", traced, "\"batch\":%lld,\"pairs\":%zu",
                     (long long)b->sequence, end - begin);
}

void mill__load_mix_open(mill__loader *l)
{
    const mill__plan *plan = l->config.engine.job.plan;
    const mill__kernels *kernels = mill__kernels_get(NULL);
    l->mixer = (mill__mixer){.kind = l->config.mix,
                             .alpha = l->config.mix_alpha,
                             .type = plan->output,
                             .row_nbytes = plan->row_nbytes,
                             .kernels = mill__augment_get(kernels),
                             .convert = mill__convert_get(kernels)};
}
