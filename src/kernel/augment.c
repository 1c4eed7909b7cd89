/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions go with which table of kernels. */
#include "kernel/augment.h"

extern const mill__augment_kernels mill__augment_base;
#if defined(__x86_64__)
extern const mill__augment_kernels mill__augment_x86_64_v3, mill__augment_x86_64_v4;
#endif

const mill__augment_kernels *mill__augment_get(const mill__kernels *kernels)
{
#if defined(__x86_64__)
    if (kernels->others == MILL__X86_64_V4)
        return &mill__augment_x86_64_v4;
    if (kernels->others == MILL__X86_64_V3)
        return &mill__augment_x86_64_v3;
#endif
    (void)kernels;
    return &mill__augment_base;
}
