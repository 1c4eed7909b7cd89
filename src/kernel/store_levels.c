/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/store_levels.c: u8 pixels through a colour table to their final place; compiled once a level (see
 * kernel.c). */
#include "kernel/kernel.h"
#include <string.h>

#define PASTE2(name, level) mill__##name##_##level
#define PASTE(name, level)  PASTE2(name, level)
#define KERNEL(name)        PASTE(name, MILL__LEVEL)

void KERNEL(store_prepare)(mill__store_table *t, const void *table, int c, size_t entry_nbytes);
void KERNEL(store_hwc)(void *out, const uint8_t *in, size_t n, int c, const mill__store_table *table,
                       int reverse);
void KERNEL(store_chw)(void *out, size_t plane, const uint8_t *in, size_t n, int c,
                       const mill__store_table *table, int reverse);

/* Entries are moved, not looked at: a float's bits travel in a uint32_t. */
typedef uint8_t entry1;
typedef uint16_t __attribute__((may_alias)) entry2;
typedef uint32_t __attribute__((may_alias)) entry4;
typedef uint64_t __attribute__((may_alias)) entry8;

/* For entries of one type. Planes are written one pixel at a time over all channels, so that the input is
 * read once. */
#define STORE(type)                                                                                          \
    static void hwc_##type(type *out, const uint8_t *in, size_t n, int c, const type *table, int reverse)    \
    {                                                                                                        \
        ptrdiff_t step = reverse ? -c : c;                                                                   \
        const uint8_t *p = reverse && n ? in + (n - 1) * (size_t)c : in;                                     \
        if (c == 3)                                                                                          \
            for (size_t i = 0; i < n; i++, p += step, out += 3) {                                            \
                out[0] = table[p[0]];                                                                        \
                out[1] = table[256 + p[1]];                                                                  \
                out[2] = table[512 + p[2]];                                                                  \
            }                                                                                                \
        else                                                                                                 \
            for (size_t i = 0; i < n; i++, p += step)                                                        \
                out[i] = table[*p];                                                                          \
    }                                                                                                        \
    static void chw_##type(type *out, size_t plane, const uint8_t *in, size_t n, int c, const type *table,   \
                           int reverse)                                                                      \
    {                                                                                                        \
        if (c == 1) {                                                                                        \
            hwc_##type(out, in, n, 1, table, reverse);                                                       \
            return;                                                                                          \
        }                                                                                                    \
        ptrdiff_t step = reverse ? -3 : 3;                                                                   \
        const uint8_t *p = reverse && n ? in + (n - 1) * 3 : in;                                             \
        type *green = out + plane, *blue = green + plane;                                                    \
        for (size_t i = 0; i < n; i++, p += step) {                                                          \
            out[i] = table[p[0]];                                                                            \
            green[i] = table[256 + p[1]];                                                                    \
            blue[i] = table[512 + p[2]];                                                                     \
        }                                                                                                    \
    }

STORE(entry1)
STORE(entry2)
STORE(entry4)
STORE(entry8)

static void copy_hwc(uint8_t *out, const uint8_t *in, size_t n, int c, int reverse)
{
    if (!reverse) {
        memcpy(out, in, n * (size_t)c);
        return;
    }
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < c; k++)
            out[i * (size_t)c + (size_t)k] = in[(n - 1 - i) * (size_t)c + (size_t)k];
}

static void copy_chw(uint8_t *out, size_t plane, const uint8_t *in, size_t n, int c, int reverse)
{
    for (int k = 0; k < c; k++)
        for (size_t i = 0; i < n; i++)
            out[(size_t)k * plane + i] = in[(reverse ? n - 1 - i : i) * (size_t)c + (size_t)k];
}

void KERNEL(store_prepare)(mill__store_table *t, const void *table, int c, size_t entry_nbytes)
{
    (void)c;
    t->entries = table;
    t->entry_nbytes = entry_nbytes;
}

void KERNEL(store_hwc)(void *out, const uint8_t *in, size_t n, int c, const mill__store_table *table,
                       int reverse)
{
    if (!table->entries)
        copy_hwc(out, in, n, c, reverse);
    else if (table->entry_nbytes == 1)
        hwc_entry1(out, in, n, c, table->entries, reverse);
    else if (table->entry_nbytes == 2)
        hwc_entry2(out, in, n, c, table->entries, reverse);
    else if (table->entry_nbytes == 4)
        hwc_entry4(out, in, n, c, table->entries, reverse);
    else
        hwc_entry8(out, in, n, c, table->entries, reverse);
}

void KERNEL(store_chw)(void *out, size_t plane, const uint8_t *in, size_t n, int c,
                       const mill__store_table *table, int reverse)
{
    if (!table->entries)
        copy_chw(out, plane, in, n, c, reverse);
    else if (table->entry_nbytes == 1)
        chw_entry1(out, plane, in, n, c, table->entries, reverse);
    else if (table->entry_nbytes == 2)
        chw_entry2(out, plane, in, n, c, table->entries, reverse);
    else if (table->entry_nbytes == 4)
        chw_entry4(out, plane, in, n, c, table->entries, reverse);
    else
        chw_entry8(out, plane, in, n, c, table->entries, reverse);
}
