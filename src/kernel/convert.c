/* SPDX-License-Identifier: Apache-2.0 */
/* Which conversion goes with which table of kernels. */
#include "kernel/convert.h"
#include <string.h>

mill__convert *mill__convert_get(const mill__kernels *kernels)
{
#if defined(__x86_64__)
    if (!strncmp(kernels->level, "x86-64-v4", 9))
        return mill__convert_x86_64_v4;
    if (!strcmp(kernels->level, "x86-64-v3"))
        return mill__convert_x86_64_v3;
#endif
    (void)kernels;
    return mill__convert_base;
}
