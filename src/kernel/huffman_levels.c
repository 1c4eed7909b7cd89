/* SPDX-License-Identifier: Apache-2.0 */
/* A Huffman decoder's bits (kernel/huffman.h), compiled once a level (-DMILL__LEVEL): what x86-64-v3 gives
 * are shifts by a register that leave the flags alone, and a load that swaps bytes.
 *
 * refill() leaves at least 56 bits. A symbol takes 31 at most (16 of code, 15 of value), a pair or a run 25:
 * all codes end within the 10 bits of the index, and so do all values but the last. */
#include "kernel/huffman.h"
#include <string.h>

#define JOIN2(a, b) a##_##b
#define JOIN(a, b)  JOIN2(a, b)

enum { LAST = 63 };

/* Where the k-th coefficient of the zigzag goes. Two steps of up to 64 may lead beyond the block. */
/* clang-format off */
static const uint8_t place[LAST + 2 * MILL__HUFFMAN_END + 1] = {
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, [LAST ... LAST + 2 * MILL__HUFFMAN_END] = 63};
/* clang-format on */

typedef struct reader {
    uint64_t bits; /* the next, at the top */
    int nbits;     /* of them; what stands behind is zero or true to the stream */
    bool is_wrong;
    const uint8_t *next;
} reader;

static inline uint64_t load(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* As many whole bytes as fit; the bits of a byte that does not are read again. */
static inline void refill(reader *r)
{
    r->bits |= load(r->next) >> r->nbits;
    r->next += (63 - r->nbits) >> 3;
    r->nbits |= 56;
}

static inline void take(reader *r, unsigned nbits)
{
    r->bits <<= nbits & 63;
    r->nbits -= (int)nbits;
}

static inline unsigned index_of(const reader *r)
{
    return (unsigned)(r->bits >> (64 - MILL__HUFFMAN_INDEX));
}

/* The value at the top of bits, 63 - unused bits long (T.81, F.12): that which begins with 1 is what it says,
 * any other is negative and has its bits turned over. */
static inline int value_of(uint64_t bits, unsigned unused)
{
    uint64_t negative = ~(uint64_t)((int64_t)bits >> 63);
    uint64_t magnitude = (bits ^ negative) >> 1 >> (unused & 63);
    return (int)((magnitude ^ negative) - negative);
}

/* A code longer than the index. One that there is not ends the block. */
static __attribute__((noinline)) mill__huffman_symbol find(const mill__huffman_codes *c, uint64_t bits,
                                                           bool is_ac, bool *is_wrong)
{
    uint32_t top = (uint32_t)(bits >> 48);
    unsigned n = MILL__HUFFMAN_INDEX + 1;
    while (n <= 16 && top >= c->limits[n])
        n++;
    if (n > 16) {
        *is_wrong = true;
        return (mill__huffman_symbol){.nbits = 16, .code_nbits = 16, .unused = 63, .step = MILL__HUFFMAN_END};
    }
    unsigned symbol = c->symbols[(int32_t)(top >> (16 - n)) + c->offsets[n]];
    unsigned size = symbol & 15, run = symbol >> 4;
    unsigned step = !is_ac ? 0 : size ? run + 1 : run == 15 ? 16 : MILL__HUFFMAN_END;
    return (mill__huffman_symbol){.nbits = (uint8_t)(n + size),
                                  .code_nbits = (uint8_t)n,
                                  .unused = (uint8_t)(63 - size),
                                  .step = (uint8_t)step};
}

static inline int next_dc(reader *r, const mill__huffman_dc *t)
{
    mill__huffman_symbol s = t->entries[index_of(r)];
    if (__builtin_expect(!s.nbits, 0))
        s = find(&t->codes, r->bits, false, &r->is_wrong);
    int value = value_of(r->bits << s.code_nbits, s.unused);
    take(r, s.nbits);
    return value;
}

/* The first symbol of a pair alone, or one whose code is long. */
static inline mill__huffman_symbol next_ac(reader *r, const mill__huffman_ac *t)
{
    const mill__huffman_pair *p = &t->pairs[index_of(r)];
    if (!p->nbits)
        return find(&t->codes, r->bits, true, &r->is_wrong);
    return (mill__huffman_symbol){p->first_nbits, p->code_nbits, p->unused, p->step};
}

static inline bool store_long(reader *r, const mill__huffman_ac *t, short *block, int *k)
{
    refill(r);
    mill__huffman_symbol s = next_ac(r, t);
    *k += s.step;
    block[place[*k]] = (short)value_of(r->bits << s.code_nbits, s.unused);
    take(r, s.nbits);
    refill(r);
    return *k >= LAST;
}

/* Two symbols, or one; true: the block has ended. Both values are stored whatever they are, the second first:
 * an end, a run of zeros or nothing is the value 0 in a place that was not reached yet; and if the block ends
 * with the first, the second is nonsense and was put into the last place, where either the first's value
 * follows or, at an end, there is no second. */
static inline bool store_pair(reader *r, const mill__huffman_ac *t, short *block, int *k)
{
    const mill__huffman_pair *p = &t->pairs[index_of(r)];
    if (__builtin_expect(!p->nbits, 0))
        return store_long(r, t, block, k);
    int first = *k + p->step, second = first + p->second_step;
    block[place[second]] = (short)value_of(r->bits << (p->second_at & 63), p->second_unused);
    block[place[first]] = (short)value_of(r->bits << (p->code_nbits & 63), p->unused);
    *k = second;
    if (__builtin_expect(second >= LAST, 0)) {
        take(r, first >= LAST ? p->first_nbits : p->nbits);
        return true;
    }
    take(r, p->nbits);
    return false;
}

static inline void store_block(reader *r, const mill__huffman_ac *t, short *block)
{
    for (int k = 0;;) {
        if (store_pair(r, t, block, &k)) /* 31 bits were taken for DC */
            return;
        refill(r);
        if (store_pair(r, t, block, &k))
            return;
        if (store_pair(r, t, block, &k))
            return;
        refill(r);
    }
}

/* A run is right as it stands if it is within the block, its end included; a symbol may be the last
 * coefficient and what follows another block's, so it goes symbol by symbol there. */
static inline bool skip_run(reader *r, const mill__huffman_ac *t, int *k)
{
    const mill__huffman_run *run = &t->runs[index_of(r)];
    int to = *k + run->step;
    if (__builtin_expect(to < LAST, 1) || (unsigned)(to - MILL__HUFFMAN_ENDS) < LAST) {
        *k = to;
        take(r, run->nbits);
        return to >= LAST;
    }
    mill__huffman_symbol s = next_ac(r, t);
    *k += s.step;
    take(r, s.nbits);
    refill(r);
    return *k >= LAST;
}

static inline void skip_block(reader *r, const mill__huffman_ac *t)
{
    for (int k = 0;;) {
        refill(r);
        if (skip_run(r, t, &k))
            return;
        if (skip_run(r, t, &k))
            return;
    }
}

bool JOIN(mill__huffman_mcu, MILL__LEVEL)(mill__huffman *h, short (*const *blocks)[64], unsigned with_ac)
{
    if (h->end - h->next < MILL__HUFFMAN_MCU_NBYTES && !h->has_ended)
        mill__huffman_fill(h);
    reader r = {.bits = h->bits, .nbits = h->nbits, .next = h->next};
    for (int i = 0; i < h->nblocks; i++) {
        const mill__huffman_block *b = &h->blocks[i];
        short *block = blocks ? *blocks[i] : NULL;
        refill(&r);
        uint32_t dc = h->predictions[b->component] += (uint32_t)next_dc(&r, &h->dc[b->dc]);
        if (block)
            block[0] = (short)dc;
        if (block && with_ac >> i & 1)
            store_block(&r, &h->ac[b->ac], block);
        else
            skip_block(&r, &h->ac[b->ac]);
    }
    h->bits = r.bits;
    h->nbits = r.nbits;
    h->next = r.next;
    return !r.is_wrong && (!h->has_ended || (h->end - r.next) * 8 + r.nbits >= 0);
}
