/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions go with which table of kernels. */
#include "kernel/augment.h"
#include <string.h>

extern const mill__augment_kernels mill__augment_base;
#if defined(__x86_64__)
extern const mill__augment_kernels mill__augment_x86_64_v3, mill__augment_x86_64_v4;
#endif

const mill__augment_kernels *mill__augment_get(const mill__kernels *kernels)
{
#if defined(__x86_64__)
    if (!strcmp(kernels->level, "x86-64-v4"))
        return &mill__augment_x86_64_v4;
    if (!strcmp(kernels->level, "x86-64-v3"))
        return &mill__augment_x86_64_v3;
#endif
    (void)kernels;
    return &mill__augment_base;
}
