/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/store_vbmi.h: for the table of kernel.c; meaning as in mill__kernels. */
#ifndef MILL_KERNEL_STORE_VBMI_H
#define MILL_KERNEL_STORE_VBMI_H

#include "kernel/kernel.h"

#if defined(__x86_64__)
void mill__store_prepare_x86_64_v4_vbmi(mill__store_table *t, const void *table, int c, size_t entry_nbytes);
void mill__store_chw_x86_64_v4_vbmi(void *out, size_t plane, const uint8_t *in, size_t n, int c,
                                    const mill__store_table *table, int reverse);
/* Rows too short for it go to the level below. */
void mill__store_chw_x86_64_v4(void *out, size_t plane, const uint8_t *in, size_t n, int c,
                               const mill__store_table *table, int reverse);
#endif

#endif
