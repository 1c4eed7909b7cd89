/* SPDX-License-Identifier: Apache-2.0 */
/* Which products go with which table of kernels, and matrices made ready for them. */
#include "kernel/gemm.h"
#include <string.h>

const mill__gemm *mill__gemm_get(const mill__kernels *kernels)
{
#if defined(__x86_64__)
    if (kernels->others == MILL__X86_64_V4)
        return &mill__gemm_x86_64_v4;
    if (kernels->others == MILL__X86_64_V3)
        return &mill__gemm_x86_64_v3;
#endif
    (void)kernels;
    return &mill__gemm_base;
}

static size_t panel_of(const mill__gemm *gemm, size_t element_nbytes)
{
    return element_nbytes == sizeof(float) ? gemm->f32_panel : gemm->f64_panel;
}

size_t mill__gemm_packed_nbytes(const mill__gemm *gemm, size_t element_nbytes, size_t depth, size_t columns)
{
    size_t panel = panel_of(gemm, element_nbytes), n = columns / panel + (columns % panel != 0);
    if (__builtin_mul_overflow(n, panel * element_nbytes, &n) || __builtin_mul_overflow(n, depth, &n))
        return SIZE_MAX;
    return n;
}

void mill__gemm_pack_f32(const mill__gemm *gemm, float *panels, const double *b, size_t row_step,
                         size_t column_step, size_t depth, size_t columns)
{
    const size_t panel = gemm->f32_panel;
    for (size_t j = 0; j < columns; j += panel)
        for (size_t k = 0; k < depth; k++)
            for (size_t i = j; i < j + panel; i++)
                *panels++ = i < columns ? (float)b[k * row_step + i * column_step] : 0.0f;
}

void mill__gemm_pack_f64(const mill__gemm *gemm, double *panels, const double *b, size_t row_step,
                         size_t column_step, size_t depth, size_t columns)
{
    const size_t panel = gemm->f64_panel;
    for (size_t j = 0; j < columns; j += panel)
        for (size_t k = 0; k < depth; k++)
            for (size_t i = j; i < j + panel; i++)
                *panels++ = i < columns ? b[k * row_step + i * column_step] : 0.0;
}

size_t mill__gram_work_nbytes(const mill__gemm *gemm, size_t element_nbytes, size_t n)
{
    return mill__gemm_packed_nbytes(gemm, element_nbytes, MILL__GRAM_RUN, n);
}
