/* SPDX-License-Identifier: Apache-2.0 */
/* matmul: the last axis times a matrix from an .npy file. */
#include "base/error.h"
#include "format/npy_header.h"
#include "transform/linear.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static mill_status bad_file(const char *path, mill_status status, mill_error *err)
{
    if (err) {
        mill_error inner = *err;
        mill_fail(err, status, inner.kind, "matmul: \"%.200s\": %.300s", path, inner.message);
    }
    return status;
}

/* The header from the front of a file; the rest is read from behind it. */
static mill_status read_header(FILE *file, const char *path, mill__npy *npy, mill_error *err)
{
    uint8_t bytes[12 + MILL__NPY_MAX_HEADER];
    size_t have = 0, need = 12;
    for (;;) {
        have += fread(bytes + have, 1, need - have, file);
        if (ferror(file))
            return mill__fail_os(err, errno ? errno : EIO, "cannot read \"%.200s\"", path);
        mill_status status = mill__npy_parse(bytes, have, npy, &need, err);
        if (status == MILL_AGAIN && have == need) /* cannot be; but better than to go round for ever */
            return mill_fail(err, MILL_INTERNAL, "internal", "an .npy header without end");
        if (status == MILL_AGAIN && feof(file))
            return mill_fail(err, MILL_BAD_DATA, "truncated",
                             "matmul: \"%.200s\" ends at byte %zu, within its header", path, have);
        if (status != MILL_AGAIN)
            return status ? bad_file(path, status, err) : MILL_OK;
    }
}

/* What follows the header must be the matrix: checked before memory is taken for it. */
static mill_status check_header(FILE *file, const char *path, const mill__npy *npy, mill_error *err)
{
    const mill_type *row = &npy->type;
    struct stat info;
    if (row->rank != 1)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "matmul: \"%.200s\" has %d axes, but a matrix has 2: (features, results)", path,
                         row->rank + 1);
    if (row->dtype != MILL_F32 && row->dtype != MILL_F64)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "matmul: \"%.200s\" is of %s; save the matrix as float32 or float64", path,
                         mill_dtype_name(row->dtype));
    if (!npy->rows || !row->shape[0])
        return mill_fail(err, MILL_USAGE, "pipeline", "matmul: the matrix in \"%.200s\" is empty", path);
    if (fstat(fileno(file), &info))
        return mill__fail_os(err, errno, "cannot read \"%.200s\"", path);
    uint64_t want = npy->header_nbytes + npy->rows * npy->row_nbytes; /* below 2^63: see mill__npy_parse */
    if (S_ISREG(info.st_mode) && (uint64_t)info.st_size != want)
        return mill_fail(err, MILL_BAD_DATA, "truncated",
                         "matmul: \"%.200s\" has %llu bytes, but a matrix of %llu x %lld %s makes it %llu",
                         path, (unsigned long long)info.st_size, (unsigned long long)npy->rows,
                         (long long)row->shape[0], mill_dtype_name(row->dtype), (unsigned long long)want);
    return MILL_OK;
}

static double element(const uint8_t *from, const mill__npy *npy)
{
    uint64_t wide = 0;
    uint32_t narrow = 0;
    float f;
    double d;
    if (npy->type.dtype == MILL_F32) {
        memcpy(&narrow, from, sizeof narrow);
        narrow = npy->swapped ? __builtin_bswap32(narrow) : narrow;
        memcpy(&f, &narrow, sizeof f);
        return (double)f;
    }
    memcpy(&wide, from, sizeof wide);
    wide = npy->swapped ? __builtin_bswap64(wide) : wide;
    memcpy(&d, &wide, sizeof d);
    return d;
}

/* The elements in the order of the file. */
static mill_status read_elements(FILE *file, const char *path, const mill__npy *npy, mill__map *map,
                                 mill_error *err)
{
    uint8_t bytes[1 << 15];
    size_t size = mill_dtype_nbytes(npy->type.dtype), n = map->depth * map->columns;
    map->b = !n || n > SIZE_MAX / sizeof *map->b ? NULL : malloc(n * sizeof *map->b);
    if (!map->b)
        return mill__no_memory(err, n * sizeof *map->b, "a matrix");
    for (size_t i = 0; i < n;) {
        size_t want = n - i < sizeof bytes / size ? n - i : sizeof bytes / size;
        size_t got = fread(bytes, size, want, file);
        for (size_t k = 0; k < got; k++, i++) {
            double v = map->b[i] = element(bytes + k * size, npy);
            if (v - v != 0.0)
                return mill_fail(err, MILL_BAD_DATA, "number",
                                 "matmul: \"%.200s\" has a number that is not finite at byte %zu", path,
                                 npy->header_nbytes + i * size);
        }
        if (got < want && ferror(file))
            return mill__fail_os(err, errno ? errno : EIO, "cannot read \"%.200s\"", path);
        if (got < want)
            return mill_fail(err, MILL_BAD_DATA, "truncated", "matmul: \"%.200s\" ends at byte %zu", path,
                             npy->header_nbytes + i * size);
    }
    return MILL_OK;
}

static mill_status read_matrix(const char *path, mill__map *map, mill_error *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return mill__fail_os(err, errno, "matmul: cannot open \"%.200s\"", path);
    mill__npy npy = {0};
    errno = 0;
    *map = (mill__map){0};
    mill_status status = read_header(file, path, &npy, err);
    if (!status)
        status = check_header(file, path, &npy, err);
    if (!status) {
        map->depth = (size_t)npy.rows;
        map->columns = (size_t)npy.type.shape[0];
        map->row_step = npy.fortran ? 1 : map->columns;
        map->column_step = npy.fortran ? map->depth : 1;
        status = read_elements(file, path, &npy, map, err);
    }
    fclose(file);
    if (status)
        mill__map_free(map);
    return status;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    mill__map map;
    mill_status status = read_matrix(values[0].text, &map, err);
    if (status)
        return status;
    status = mill__linear_plan("matmul", values[0].text, &map, in, out, self, err);
    mill__map_free(&map);
    return status;
}

static const mill_param params[] = {
    {.name = "matrix",
     .type = MILL_PARAM_TEXT,
     .choices = "FILE",
     .help = "an .npy file of shape (features, results), float32 or float64, in any order"}};

const mill_transform_ops mill__matmul_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "matmul",
    .summary = "the last axis times a matrix from an .npy file (gives f32, or f64 from f64)",
    .example = "matmul weights.npy",
    .params = params,
    .nparams = 1,
    .flags = MILL_BATCHED,
    .plan = plan,
    .drop = mill__linear_drop,
    .run = mill__linear_run};
