/* SPDX-License-Identifier: Apache-2.0 */
/* Which sums go with which table of kernels. */
#include "kernel/moments.h"

const mill__moments *mill__moments_get(const mill__kernels *kernels)
{
#if defined(__x86_64__)
    if (kernels->others == MILL__X86_64_V4)
        return &mill__moments_x86_64_v4;
    if (kernels->others == MILL__X86_64_V3)
        return &mill__moments_x86_64_v3;
#endif
    (void)kernels;
    return &mill__moments_base;
}
