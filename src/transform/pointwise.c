/* SPDX-License-Identifier: Apache-2.0 */
/* What the element-wise transforms share: checks, lists of numbers spread over an axis, and the walk over the
 * elements in blocks that stay in the first-level cache. */
#include "transform/pointwise.h"
#include "base/error.h"
#include "base/memory.h"
#include "kernel/convert.h"
#include <math.h>
#include <string.h>

mill_status mill__check_numeric(const char *name, const mill_type *in, mill_error *err)
{
    if (in->layout == MILL_ENCODED)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "%s needs numbers, but gets the bytes of an encoded file: put decode before it",
                         name);
    if (!mill_dtype_nbytes(in->dtype) || in->rank < 0 || in->rank > MILL_MAX_RANK)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "%s needs a tensor, but there is none: put decode before it", name);
    return MILL_OK;
}

mill_status mill__count(const mill_tensor *in, size_t *n, mill_error *err)
{
    size_t count = 1;
    int bad = in->n < 0 || __builtin_mul_overflow(count, (size_t)in->n, &count);
    for (int i = 0; i < in->type.rank; i++)
        bad |= in->type.shape[i] < 0 || __builtin_mul_overflow(count, (size_t)in->type.shape[i], &count);
    if (bad || count > SIZE_MAX / 16)
        return mill_fail(err, MILL_INTERNAL, "internal", "a transform was given a tensor of no known size");
    *n = count;
    return MILL_OK;
}

mill_status mill__ensure_output(const mill_context *ctx, const mill_tensor *in, mill_tensor *out,
                                mill_error *err)
{
    if (out->data)
        return MILL_OK;
    size_t n = 0;
    mill_status status = mill__count(in, &n, err);
    if (status)
        return status;
    size_t nbytes = n * mill_dtype_nbytes(out->type.dtype);
    out->type.rank = in->type.rank;
    memcpy(out->type.shape, in->type.shape, sizeof out->type.shape);
    out->n = in->n;
    out->data = ctx ? mill_context_scratch(ctx, nbytes) : NULL;
    return out->data ? MILL_OK : mill__no_memory(err, nbytes, "the result of a transform");
}

/* ---- plan ---- */

/* The axis that lists run along: its length, and how many elements lie between two neighbours on it. */
typedef struct axis {
    int64_t length; /* -1: varies */
    size_t stride;
    const char *word;
} axis;

static axis list_axis(const mill_type *type)
{
    if (type->layout == MILL_CHW && type->rank == 3)
        return (axis){type->shape[0], (size_t)type->shape[1] * (size_t)type->shape[2], "channels"};
    if (!type->rank)
        return (axis){1, 1, "elements"};
    return (axis){type->shape[type->rank - 1], 1,
                  type->layout == MILL_HWC ? "channels" : "elements on the last axis"};
}

static mill_status check_lists(const char *name, const mill__numbers lists[2], const mill_type *in,
                               mill_error *err)
{
    axis along = list_axis(in);
    for (int i = 0; i < 2; i++) {
        if (lists[i].n <= 1)
            continue;
        if (along.length < 0)
            return mill_fail(err, MILL_USAGE, "pipeline",
                             "%s: %s has %d numbers, but how many %s there are varies: give one number", name,
                             lists[i].name, lists[i].n, along.word);
        if (lists[i].n != along.length)
            return mill_fail(err, MILL_USAGE, "pipeline",
                             "%s: %s has %d numbers, but there are %lld %s: give 1 or %lld", name,
                             lists[i].name, lists[i].n, (long long)along.length, along.word,
                             (long long)along.length);
    }
    return MILL_OK;
}

static mill_status fill_lists(mill__pointwise *p, const mill__numbers lists[2], int is_double,
                              mill_error *err)
{
    double *d = (double *)(p + 1);
    float *f = (float *)(d + 2 * p->nplaces);
    for (int i = 0; i < 2; i++) {
        p->d[i] = d;
        p->f[i] = f;
        for (size_t k = 0; k < p->nplaces; k++, d++, f++) {
            *d = lists[i].n ? lists[i].list[lists[i].n == 1 ? 0 : k] : 0.0;
            *f = (float)*d;
            if (!is_double && isinf(*f) && !isinf(*d))
                return mill_fail(err, MILL_USAGE, "pipeline",
                                 "%s: %s %g is too large for f32: put cast f64 before it", p->name,
                                 lists[i].name, *d);
        }
    }
    return MILL_OK;
}

mill_status mill__pointwise_plan(const mill__pointwise *model, const mill__numbers lists[2],
                                 const mill_type *in, mill_type *out, void **self, mill_error *err)
{
    mill_status status = mill__check_numeric(model->name, in, err);
    if (status || (status = check_lists(model->name, lists, in, err)))
        return status;
    int longest = lists[0].n > lists[1].n ? lists[0].n : lists[1].n;
    size_t nplaces = longest > 1 ? (size_t)longest : 1;
    size_t nbytes = sizeof(mill__pointwise) + nplaces * 2 * (sizeof(double) + sizeof(float));
    mill__pointwise *p = mill__alloc(nbytes);
    if (!p)
        return mill__no_memory(err, nbytes, model->name);
    *p = *model;
    p->kernels = mill__kernels_get(mill__kernels_cap());
    p->nplaces = nplaces;
    status = fill_lists(p, lists, in->dtype == MILL_F64, err);
    if (status) {
        mill__free(p);
        return status;
    }
    out->dtype = in->dtype == MILL_F64 ? MILL_F64 : MILL_F32;
    *self = p;
    return MILL_OK;
}

void mill__pointwise_drop(void *self)
{
    mill__free(self);
}

/* ---- run ---- */

enum { BLOCK = 1024 };

/* Some elements on end whose places in the lists repeat with a period. */
typedef struct span {
    size_t n, first, period;
} span;

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The next span of at most BLOCK of the elements from begin to end. */
static span next_span(const mill__pointwise *p, size_t stride, size_t begin, size_t end)
{
    size_t left = least(BLOCK, end - begin);
    if (p->nplaces <= 1)
        return (span){left, 0, 1};
    size_t place = begin / stride % p->nplaces;
    if (stride > 1)
        return (span){least(left, stride - begin % stride), place, 1};
    if (p->nplaces <= BLOCK)
        return (span){least(left, BLOCK / p->nplaces * p->nplaces), place, p->nplaces};
    size_t n = least(left, p->nplaces - place);
    return (span){n, place, n};
}

mill_status mill__pointwise_run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                                mill_tensor *out, mill_error *err)
{
    (void)state;
    const mill__pointwise *p = self;
    size_t total = 0, in_nbytes = mill_dtype_nbytes(in->type.dtype);
    axis along = list_axis(&in->type);
    mill_status status = mill__count(in, &total, err);
    if (status || (status = mill__ensure_output(ctx, in, out, err)))
        return status;
    if (p->nplaces > 1 && (size_t)along.length != p->nplaces)
        return mill_fail(err, MILL_BAD_DATA, "shape",
                         "%s: %zu numbers were given, but the sample has %lld %s", p->name, p->nplaces,
                         (long long)along.length, along.word);
    mill__convert *convert = mill__convert_get(p->kernels);
    float block[BLOCK];
    for (size_t begin = 0; begin < total;) {
        span s = next_span(p, along.stride, begin, total);
        const char *from = (const char *)in->data + begin * in_nbytes;
        if (in->type.dtype == MILL_F64) {
            p->f64(p, (double *)out->data + begin, (const double *)(const void *)from, s.n, s.first,
                   s.period);
        } else if (in->type.dtype == MILL_F32) {
            p->f32(p, (float *)out->data + begin, (const float *)(const void *)from, s.n, s.first, s.period);
        } else {
            convert(block, MILL_F32, from, in->type.dtype, s.n);
            p->f32(p, (float *)out->data + begin, block, s.n, s.first, s.period);
        }
        begin += s.n;
    }
    return MILL_OK;
}
