/* SPDX-License-Identifier: Apache-2.0 */
#include "format/npy_header.h"
#include "base/error.h"
#include "format/format.h"
#include <stdio.h>
#include <string.h>

/* The header is a Python dict literal; just the literals that numpy writes are understood. No recursion. */
typedef struct text {
    const char *at, *end;
} text;

static void blanks(text *t)
{
    while (t->at < t->end && strchr(" \t\n\r", *t->at) && *t->at)
        t->at++;
}

static bool take(text *t, char c)
{
    blanks(t);
    if (t->at == t->end || *t->at != c)
        return false;
    t->at++;
    return true;
}

/* A quoted string without escapes. */
static bool quoted(text *t, char *out, size_t nbytes)
{
    blanks(t);
    if (t->at == t->end || (*t->at != '\'' && *t->at != '"'))
        return false;
    char quote = *t->at++;
    size_t n = 0;
    while (t->at < t->end && *t->at != quote) {
        if (n + 1 >= nbytes || *t->at == '\\' || *t->at == '\n' || !*t->at)
            return false;
        out[n++] = *t->at++;
    }
    out[n] = 0;
    return t->at++ < t->end;
}

static bool word(text *t, const char *w)
{
    blanks(t);
    size_t n = strlen(w);
    if ((size_t)(t->end - t->at) < n || memcmp(t->at, w, n) != 0)
        return false;
    t->at += n;
    return true;
}

static bool extent(text *t, int64_t *value)
{
    blanks(t);
    int digits = 0;
    *value = 0;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++, digits++)
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, *t->at - '0', value))
            return false;
    if (digits && t->at < t->end && *t->at == 'L') /* Python 2 */
        t->at++;
    return digits > 0;
}

static mill_status bad(mill_error *err, const char *reason)
{
    return mill_fail(err, MILL_BAD_DATA, "header", "the .npy header is not valid: %s", reason);
}

static mill_status parse_shape(text *t, int64_t *shape, int *rank, mill_error *err)
{
    *rank = 0;
    if (!take(t, '('))
        return bad(err, "shape is no tuple");
    while (!take(t, ')')) {
        if (*rank > MILL_MAX_RANK)
            return mill_fail(err, MILL_UNSUPPORTED, "unsupported", "an array of more than %d dimensions",
                             MILL_MAX_RANK + 1);
        if (!extent(t, &shape[*rank]))
            return bad(err, "an extent in shape is no number from 0 to 2^63 - 1");
        ++*rank;
        bool comma = take(t, ',');
        if (!comma && (*rank == 1 || t->at == t->end || *t->at != ')')) /* to Python, (6) is no tuple */
            return bad(err, "shape is no tuple of numbers");
    }
    return MILL_OK;
}

static mill_status parse_dtype(const char *descr, mill_dtype *dtype, bool *swapped, mill_error *err)
{
    static const struct {
        const char *name;
        mill_dtype dtype;
    } known[] = {{"b1", MILL_U8},  {"i1", MILL_I8},  {"u1", MILL_U8},  {"i2", MILL_I16},
                 {"u2", MILL_U16}, {"i4", MILL_I32}, {"u4", MILL_U32}, {"i8", MILL_I64},
                 {"u8", MILL_U64}, {"f2", MILL_F16}, {"f4", MILL_F32}, {"f8", MILL_F64}};
    char order = strchr("<>=|", descr[0]) && descr[0] ? *descr++ : '=';
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(descr, known[i].name) != 0)
            continue;
        bool one_byte = descr[1] == '1';
        if (order == '|' && !one_byte)
            return bad(err, "an element of several bytes without a byte order");
        *dtype = known[i].dtype;
        *swapped = order == '>' && !one_byte;
        return MILL_OK;
    }
    if (descr[0] == 'O')
        return mill_fail(err, MILL_UNSUPPORTED, "unsupported",
                         "elements are Python objects: reading them would run code from the shard");
    return mill_fail(
        err, MILL_UNSUPPORTED, "unsupported",
        "elements of type \"%.20s\"; booleans, integers of 8 to 64 and floats of 16 to 64 bits are read",
        descr);
}

typedef struct fields {
    char descr[64];
    bool has_descr, has_order, has_shape, fortran;
    int64_t shape[MILL_MAX_RANK + 2];
    int rank;
} fields;

static mill_status parse_item(text *t, fields *f, mill_error *err)
{
    char key[32];
    if (!quoted(t, key, sizeof key) || !take(t, ':'))
        return bad(err, "a key in quotes and a colon are expected");
    bool *had = !strcmp(key, "descr")           ? &f->has_descr
                : !strcmp(key, "fortran_order") ? &f->has_order
                : !strcmp(key, "shape")         ? &f->has_shape
                                                : NULL;
    if (!had)
        return bad(err, "a key that is none of descr, fortran_order, shape");
    if (*had)
        return bad(err, "a key is given twice");
    *had = true;
    blanks(t);
    if (had == &f->has_shape)
        return parse_shape(t, f->shape, &f->rank, err);
    if (had == &f->has_order) {
        f->fortran = word(t, "True");
        return f->fortran || word(t, "False") ? MILL_OK : bad(err, "fortran_order is neither True nor False");
    }
    if (t->at < t->end && *t->at == '[')
        return mill_fail(err, MILL_UNSUPPORTED, "unsupported",
                         "elements of a structured dtype; save each of its fields on its own");
    return quoted(t, f->descr, sizeof f->descr) ? MILL_OK : bad(err, "descr is no short string");
}

static mill_status parse_dict(text *t, fields *f, mill_error *err)
{
    if (!take(t, '{'))
        return bad(err, "it does not begin with '{'");
    while (!take(t, '}')) {
        mill_status status = parse_item(t, f, err);
        if (status)
            return status;
        if (!take(t, ',') && !(t->at < t->end && *t->at == '}'))
            return bad(err, "a comma or '}' is expected");
    }
    blanks(t);
    if (t->at != t->end)
        return bad(err, "something stands behind the '}'");
    return f->has_descr && f->has_order && f->has_shape
               ? MILL_OK
               : bad(err, "descr, fortran_order or shape is missing");
}

/* How many axes are longer than one: with at most one of them, both orders are the same. */
static int long_axes(const fields *f)
{
    int n = 0;
    for (int i = 0; i < f->rank; i++)
        n += f->shape[i] > 1;
    return n;
}

static mill_status check(const fields *f, mill__npy *npy, mill_error *err)
{
    mill_status status = parse_dtype(f->descr, &npy->type.dtype, &npy->swapped, err);
    if (status)
        return status;
    if (!f->rank)
        return mill_fail(err, MILL_UNSUPPORTED, "unsupported",
                         "a scalar: there is no first axis to count samples");
    npy->fortran = f->fortran && long_axes(f) > 1;
    uint64_t nbytes = mill_dtype_nbytes(npy->type.dtype), all;
    npy->type.rank = f->rank - 1;
    for (int i = 1; i < f->rank; i++) {
        npy->type.shape[i - 1] = f->shape[i];
        /* a zero must not hide that the other extents overflow */
        if (__builtin_mul_overflow(nbytes, (uint64_t)(f->shape[i] ? f->shape[i] : 1), &nbytes))
            return bad(err, "the array is larger than 2^64 bytes");
    }
    if (__builtin_mul_overflow(nbytes, (uint64_t)(f->shape[0] ? f->shape[0] : 1), &all) || all >> 62)
        return bad(err, "the array is larger than 2^62 bytes");
    for (int i = 1; i < f->rank; i++)
        if (!f->shape[i])
            nbytes = 0;
    npy->row_nbytes = nbytes;
    npy->rows = (uint64_t)f->shape[0];
    return MILL_OK;
}

mill_status mill__npy_parse(const uint8_t *data, size_t nbytes, mill__npy *npy, size_t *need, mill_error *err)
{
    *need = 12;
    if (nbytes && memcmp(data, "\x93NUMPY", nbytes < 6 ? nbytes : 6) != 0)
        return bad(err, "it does not begin with \\x93NUMPY");
    if (nbytes < 12)
        return MILL_AGAIN;
    if (data[6] < 1 || data[6] > 3 || data[7])
        return mill_fail(err, MILL_UNSUPPORTED, "unsupported",
                         ".npy version %d.%d; 1.0, 2.0 and 3.0 are read", data[6], data[7]);
    size_t before = data[6] == 1 ? 10 : 12;
    size_t length = (size_t)data[8] | (size_t)data[9] << 8;
    if (data[6] > 1)
        length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (length > MILL__NPY_MAX_HEADER)
        return mill_fail(err, MILL_LIMIT, "limit", "an .npy header of %zu bytes; at most %d are read", length,
                         MILL__NPY_MAX_HEADER);
    *need = before + length;
    if (nbytes < *need)
        return MILL_AGAIN;
    text t = {(const char *)data + before, (const char *)data + before + length};
    fields f = {0};
    *npy = (mill__npy){.header_nbytes = before + length};
    mill_status status = parse_dict(&t, &f, err);
    return status ? status : check(&f, npy, err);
}

mill_status mill__npy_header(char out[MILL__NPY_HEADER_NBYTES], const mill_type *type, int64_t rows,
                             mill_error *err)
{
    static const char *const descr[] = {
        [MILL_U8] = "|u1",  [MILL_I8] = "|i1",   [MILL_U16] = "<u2", [MILL_I16] = "<i2",
        [MILL_U32] = "<u4", [MILL_I32] = "<i4",  [MILL_U64] = "<u8", [MILL_I64] = "<i8",
        [MILL_F16] = "<f2", [MILL_BF16] = "<u2", [MILL_F32] = "<f4", [MILL_F64] = "<f8"};
    char shape[MILL_MAX_RANK * 22 + 32];
    int n = snprintf(shape, sizeof shape, "(%lld,", (long long)rows);
    for (int i = 0; i < type->rank; i++) {
        if (type->shape[i] < 0)
            return mill_fail(err, MILL_INTERNAL, "shape", "an .npy file needs a fixed shape");
        n += snprintf(shape + n, sizeof shape - (size_t)n, "%s%lld", i ? ", " : " ",
                      (long long)type->shape[i]);
    }
    memset(out, ' ', MILL__NPY_HEADER_NBYTES);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (char)((MILL__NPY_HEADER_NBYTES - 10) & 255);
    out[9] = (char)((MILL__NPY_HEADER_NBYTES - 10) >> 8);
    char dict[MILL__NPY_HEADER_NBYTES];
    n = snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': %s), }",
                 descr[type->dtype], shape);
    if (n < 0 || n > MILL__NPY_HEADER_NBYTES - 11)
        return mill_fail(err, MILL_LIMIT, "limit", "the shape does not fit into an .npy header of %d bytes",
                         MILL__NPY_HEADER_NBYTES);
    memcpy(out + 10, dict, (size_t)n);
    out[MILL__NPY_HEADER_NBYTES - 1] = '\n';
    return MILL_OK;
}
