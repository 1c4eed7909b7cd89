/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/store_vbmi.c: colour tables by AVX-512 VBMI, whose vpermi2b looks 64 bytes up in 128 at once.
 *
 * A table of entries of several bytes is cut into planes: first all lowest bytes, and so on. 256 bytes of a
 * plane are four registers: two look-ups and a choice by the value's highest bit give 64 bytes of entries.
 * Planes are then interleaved to whole entries. Interleaving works within lanes of 16 bytes and so leaves the
 * pixels in an order of its own; the pixels are therefore taken from the row in the order that undoes it, in
 * the same step that picks one channel of three. */
#include "kernel/store_vbmi.h"
#include "kernel/kernel.h"
#if defined(__x86_64__)
#include <immintrin.h>

/* Arrays of registers are ones only once the loops over them are gone. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 4")
#endif

#define VBMI static inline __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi"), always_inline))

enum { BLOCK = 64, PLANES_MOST = 4 };

/* Which pixel of a block stands at place p before planes are interleaved. */
static const uint8_t orders[3][BLOCK] = {
#define LINE(first) first, first + 1, first + 2, first + 3, first + 4, first + 5, first + 6, first + 7
#define FOUR(first) first, first + 1, first + 2, first + 3
    {LINE(0), LINE(8), LINE(16), LINE(24), LINE(32), LINE(40), LINE(48), LINE(56)},
    {LINE(0), LINE(32), LINE(8), LINE(40), LINE(16), LINE(48), LINE(24), LINE(56)},
    {FOUR(0), FOUR(16), FOUR(32), FOUR(48), FOUR(4), FOUR(20), FOUR(36), FOUR(52), FOUR(8), FOUR(24),
     FOUR(40), FOUR(56), FOUR(12), FOUR(28), FOUR(44), FOUR(60)},
};

/* Channel k of a block of pixels; places: 3 p + k (or p where there is but one) for the pixel p at each. */
VBMI __m512i pick(const uint8_t *in, int c, __m512i places, __mmask64 beyond)
{
    __m512i a = _mm512_loadu_si512(in);
    if (c == 1)
        return _mm512_permutexvar_epi8(places, a);
    __m512i b = _mm512_loadu_si512(in + BLOCK), last = _mm512_loadu_si512(in + 2 * BLOCK);
    return _mm512_mask_permutexvar_epi8(_mm512_permutex2var_epi8(a, places, b), beyond, places, last);
}

VBMI __m512i look_up(const __m512i plane[4], __m512i values)
{
    __m512i low = _mm512_permutex2var_epi8(plane[0], values, plane[1]);
    __m512i high = _mm512_permutex2var_epi8(plane[2], values, plane[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(values), low, high);
}

VBMI void put(uint8_t *out, const __m512i bytes[PLANES_MOST], int nplanes)
{
    if (nplanes == 1) {
        _mm512_storeu_si512(out, bytes[0]);
        return;
    }
    __m512i low = _mm512_unpacklo_epi8(bytes[0], bytes[1]), high = _mm512_unpackhi_epi8(bytes[0], bytes[1]);
    if (nplanes == 2) {
        _mm512_storeu_si512(out, low);
        _mm512_storeu_si512(out + BLOCK, high);
        return;
    }
    __m512i low2 = _mm512_unpacklo_epi8(bytes[2], bytes[3]), high2 = _mm512_unpackhi_epi8(bytes[2], bytes[3]);
    _mm512_storeu_si512(out, _mm512_unpacklo_epi16(low, low2));
    _mm512_storeu_si512(out + BLOCK, _mm512_unpackhi_epi16(low, low2));
    _mm512_storeu_si512(out + 2 * BLOCK, _mm512_unpacklo_epi16(high, high2));
    _mm512_storeu_si512(out + 3 * BLOCK, _mm512_unpackhi_epi16(high, high2));
}

/* One channel of a row of at least a block, planes NULL: the bytes as they are. The last block may overlap
 * the one before it. */
VBMI void store_channel(uint8_t *out, const uint8_t *in, size_t n, int c, int k, const uint8_t *planes,
                        int nplanes, int reverse)
{
    __m512i table[PLANES_MOST][4], bytes[PLANES_MOST];
    UNROLL for (int i = 0; i < nplanes; i++) UNROLL for (int j = 0; j < 4 && planes; j++) table[i][j] =
        _mm512_loadu_si512(planes + (4 * i + j) * BLOCK);
    __m512i places = _mm512_loadu_si512(orders[nplanes / 2]);
    if (reverse)
        places = _mm512_sub_epi8(_mm512_set1_epi8(BLOCK - 1), places);
    if (c == 3)
        places = _mm512_add_epi8(_mm512_add_epi8(places, places),
                                 _mm512_add_epi8(places, _mm512_set1_epi8((char)k)));
    __mmask64 beyond = _mm512_movepi8_mask(places);
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t at = i + BLOCK <= n ? i : n - BLOCK, from = reverse ? n - BLOCK - at : at;
        __m512i values = pick(in + from * (size_t)c, c, places, beyond);
        UNROLL for (int p = 0; p < nplanes; p++) bytes[p] = planes ? look_up(table[p], values) : values;
        put(out + at * (size_t)nplanes, bytes, nplanes);
    }
}

/* With the number of planes known to the compiler. */
#define STORE(name, nplanes, planes_of_channel)                                                              \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi"))) static void name(                        \
        uint8_t *out, size_t plane, const uint8_t *in, size_t n, int c, const uint8_t *planes, int reverse)  \
    {                                                                                                        \
        (void)planes;                                                                                        \
        if (c == 1)                                                                                          \
            store_channel(out, in, n, 1, 0, planes_of_channel(0), nplanes, reverse);                         \
        else                                                                                                 \
            for (int k = 0; k < 3; k++)                                                                      \
                store_channel(out + (size_t)k * plane * (nplanes), in, n, 3, k, planes_of_channel(k),        \
                              nplanes, reverse);                                                             \
    }
#define NO_PLANES(k) NULL
#define PLANES1(k)   (planes + (size_t)(k)*256)
#define PLANES2(k)   (planes + (size_t)(k)*512)
#define PLANES4(k)   (planes + (size_t)(k)*1024)
STORE(store_bytes, 1, NO_PLANES)
STORE(store1, 1, PLANES1)
STORE(store2, 2, PLANES2)
STORE(store4, 4, PLANES4)

void mill__store_prepare_x86_64_v4_vbmi(mill__store_table *t, const void *table, int c, size_t entry_nbytes)
{
    *t = (mill__store_table){.entries = table, .entry_nbytes = entry_nbytes};
    const uint8_t *bytes = table;
    size_t m = entry_nbytes;
    for (size_t i = 0; table && m <= PLANES_MOST && i < 256 * (size_t)c; i++)
        for (size_t p = 0; p < m; p++)
            t->planes[(i / 256 * m + p) * 256 + i % 256] = bytes[i * m + p];
}

void mill__store_chw_x86_64_v4_vbmi(void *out, size_t plane, const uint8_t *in, size_t n, int c,
                                    const mill__store_table *table, int reverse)
{
    size_t m = table->entry_nbytes;
    if (n < BLOCK || m > PLANES_MOST)
        mill__store_chw_x86_64_v4(out, plane, in, n, c, table, reverse);
    else if (!table->entries)
        store_bytes(out, plane, in, n, c, NULL, reverse);
    else if (m == 1)
        store1(out, plane, in, n, c, table->planes, reverse);
    else if (m == 2)
        store2(out, plane, in, n, c, table->planes, reverse);
    else
        store4(out, plane, in, n, c, table->planes, reverse);
}

#endif
