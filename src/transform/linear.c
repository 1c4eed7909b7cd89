/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/linear.h"
#include "base/error.h"
#include "base/memory.h"
#include "kernel/convert.h"
#include "kernel/gemm.h"
#include "transform/tensor.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct linear {
    const char *name;
    const mill__gemm *gemm;
    mill__convert *convert;
    size_t rows, depth, columns; /* rows: of a sample */
    double *mean;                /* NULL: none */
    void *panels;                /* b, in the dtype that is computed in */
} linear;

void mill__map_free(mill__map *map)
{
    free(map->mean);
    free(map->b);
    *map = (mill__map){0};
}

/* ---- plan ---- */

static mill_status wrong_depth(const char *name, const char *path, size_t depth, const mill_type *in,
                               mill_error *err)
{
    const char *word =
        in->layout == MILL_HWC ? "channels, the last axis of an image" : "numbers on the last axis";
    char hint[64] = "";
    if (mill__tensor_elements(in) == depth)
        snprintf(hint, sizeof hint, ": put reshape %zu before it", depth);
    return mill_fail(err, MILL_USAGE, "pipeline",
                     "%s: \"%.200s\" is made for %zu features, but there are %" PRId64 " %s%s", name, path,
                     depth, in->shape[in->rank - 1], word, hint);
}

static mill_status check_input(const char *name, const char *path, size_t depth, const mill_type *in,
                               mill_error *err)
{
    mill_status status = mill__tensor_check(name, in, err);
    if (status)
        return status;
    if (!in->rank)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "%s needs vectors, but a sample is one number: put reshape 1 before it", name);
    if (in->layout == MILL_CHW)
        return mill_fail(
            err, MILL_USAGE, "pipeline",
            "%s works on the last axis, which is the width of a chw image: put layout hwc (for the "
            "channels) or reshape (for all pixels) before it",
            name);
    return (size_t)in->shape[in->rank - 1] == depth ? MILL_OK : wrong_depth(name, path, depth, in, err);
}

static mill_status check_range(const char *name, const char *path, const mill__map *map, mill_error *err)
{
    for (size_t k = 0; k < map->depth; k++)
        for (size_t j = 0; j < map->columns; j++) {
            double v = map->b[k * map->row_step + j * map->column_step];
            if (isinf((float)v) && !isinf(v))
                return mill_fail(
                    err, MILL_USAGE, "pipeline",
                    "%s: %g in \"%.200s\" (feature %zu, result %zu, from 0) is too large for f32: put "
                    "cast f64 before it",
                    name, v, path, k, j);
        }
    return MILL_OK;
}

/* The matrix and the mean as the kernels want them. */
static mill_status pack(linear *l, const mill__map *map, bool is_double, mill_error *err)
{
    size_t element = is_double ? sizeof(double) : sizeof(float);
    size_t nbytes = mill__gemm_packed_nbytes(l->gemm, element, map->depth, map->columns);
    l->panels = mill__alloc(nbytes);
    l->mean = map->mean ? mill__alloc(map->depth * sizeof *l->mean) : NULL;
    if (!l->panels || (map->mean && !l->mean))
        return mill__no_memory(err, nbytes, "a matrix");
    if (map->mean)
        memcpy(l->mean, map->mean, map->depth * sizeof *l->mean);
    if (is_double)
        mill__gemm_pack_f64(l->gemm, l->panels, map->b, map->row_step, map->column_step, map->depth,
                            map->columns);
    else
        mill__gemm_pack_f32(l->gemm, l->panels, map->b, map->row_step, map->column_step, map->depth,
                            map->columns);
    return MILL_OK;
}

mill_status mill__linear_plan(const char *transform, const char *path, const mill__map *map,
                              const mill_type *in, mill_type *out, void **self, mill_error *err)
{
    bool is_double = in->dtype == MILL_F64;
    mill_status status = check_input(transform, path, map->depth, in, err);
    if (!status && !is_double)
        status = check_range(transform, path, map, err);
    if (status)
        return status;
    out->dtype = is_double ? MILL_F64 : MILL_F32;
    out->shape[out->rank - 1] = (int64_t)map->columns;
    if (map->columns != map->depth) /* no longer channels */
        out->layout = MILL_PLAIN;
    status = mill__tensor_too_large(transform, out, err);
    if (status)
        return status;
    linear *l = mill__alloc(sizeof *l);
    if (!l)
        return mill__no_memory(err, sizeof *l, transform);
    const mill__kernels *kernels = mill__kernels_get(mill__kernels_cap());
    *l = (linear){.name = transform,
                  .gemm = mill__gemm_get(kernels),
                  .convert = mill__convert_get(kernels),
                  .rows = mill__tensor_extent(in, 0, in->rank - 1),
                  .depth = map->depth,
                  .columns = map->columns};
    status = pack(l, map, is_double, err);
    if (status)
        mill__linear_drop(l);
    else
        *self = l;
    return status;
}

void mill__linear_drop(void *self)
{
    linear *l = self;
    if (!l)
        return;
    mill__free(l->panels);
    mill__free(l->mean);
    mill__free(l);
}

/* ---- run ---- */

static void multiply_f32(const linear *l, float *out, const float *in, size_t rows)
{
    l->gemm->f32(out, l->columns, in, l->depth, rows, l->mean, l->panels, l->depth, l->columns);
}

/* What is no float becomes floats first, some rows at a time. */
static mill_status convert_and_multiply(const linear *l, const mill_context *ctx, const mill_tensor *in,
                                        float *out, size_t rows, mill_error *err)
{
    enum { BLOCK_NBYTES = 1 << 18 };
    size_t row_nbytes = l->depth * sizeof(float), in_nbytes = l->depth * mill_dtype_nbytes(in->type.dtype);
    size_t most = row_nbytes < BLOCK_NBYTES ? BLOCK_NBYTES / row_nbytes : 1;
    if (most > rows)
        most = rows;
    float *floats = ctx ? mill_context_scratch(ctx, most * row_nbytes) : NULL;
    if (!floats)
        return mill__no_memory(err, most * row_nbytes, l->name);
    const char *from = in->data;
    for (size_t n; rows; rows -= n, from += n * in_nbytes, out += n * l->columns) {
        n = rows < most ? rows : most;
        l->convert(floats, MILL_F32, from, in->type.dtype, n * l->depth);
        multiply_f32(l, out, floats, n);
    }
    return MILL_OK;
}

mill_status mill__linear_run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                             mill_tensor *out, mill_error *err)
{
    (void)state;
    const linear *l = self;
    size_t rows = (size_t)in->n * l->rows;
    if (in->type.dtype == MILL_F64)
        l->gemm->f64(out->data, l->columns, in->data, l->depth, rows, l->mean, l->panels, l->depth,
                     l->columns);
    else if (in->type.dtype == MILL_F32)
        multiply_f32(l, out->data, in->data, rows);
    else
        return convert_and_multiply(l, ctx, in, out->data, rows, err);
    return MILL_OK;
}
