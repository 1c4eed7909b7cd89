/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/tensor.h"
#include "base/error.h"
#include "transform/pointwise.h"

mill_status mill__tensor_check(const char *name, const mill_type *in, mill_error *err)
{
    mill_status status = mill__check_numeric(name, in, err);
    for (int i = 0; i < in->rank && !status; i++)
        if (in->shape[i] < 0)
            status =
                mill_fail(err, MILL_USAGE, "pipeline",
                          "%s needs tensors of one shape, but that of what it gets varies from sample to "
                          "sample",
                          name);
    return status;
}

size_t mill__tensor_extent(const mill_type *type, int begin, int end)
{
    size_t n = 1;
    for (int i = begin; i < end; i++)
        n *= (size_t)type->shape[i];
    return n;
}

size_t mill__tensor_elements(const mill_type *type)
{
    size_t n = 1;
    for (int i = 0; i < type->rank; i++)
        if (__builtin_mul_overflow(n, (size_t)type->shape[i], &n) || n >> 56)
            return SIZE_MAX;
    return n;
}

mill_status mill__tensor_axis(const char *name, int64_t argument, int rank, int *axis, mill_error *err)
{
    int64_t from_begin = argument < 0 ? argument + rank : argument;
    if (from_begin < 0 || from_begin >= rank)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "%s: there is no axis %lld: a sample has %d, numbered from 0, or from -1 at the end",
                         name, (long long)argument, rank);
    *axis = (int)from_begin;
    return MILL_OK;
}

mill_status mill__tensor_too_large(const char *name, const mill_type *out, mill_error *err)
{
    return mill__tensor_elements(out) == SIZE_MAX
               ? mill_fail(err, MILL_USAGE, "pipeline", "%s: the result has 2^56 elements or more", name)
               : MILL_OK;
}

#define GATHER(type)                                                                                         \
    static void gather_##type(__typeof__(type) *out, const __typeof__(type) *in, size_t n, ptrdiff_t step)   \
    {                                                                                                        \
        for (size_t i = 0; i < n; i++)                                                                       \
            out[i] = in[(ptrdiff_t)i * step];                                                                \
    }
GATHER(uint8_t)
GATHER(uint16_t)
GATHER(uint32_t)
GATHER(uint64_t)

void mill__tensor_gather(void *out, const void *in, size_t n, ptrdiff_t step, size_t size)
{
    if (size == 1)
        gather_uint8_t(out, in, n, step);
    else if (size == 2)
        gather_uint16_t(out, in, n, step);
    else if (size == 4)
        gather_uint32_t(out, in, n, step);
    else
        gather_uint64_t(out, in, n, step);
}
