/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_codes.c: the Huffman decoder alone, under any tables and over any bytes, against one that takes bit by
 * bit: libjpeg, before it, refuses some of these tables, and never asks for blocks of other shapes. */
#include "fuzz.h"
#include "kernel/huffman.h"

typedef struct codes_table {
    uint8_t counts[16], symbols[256];
} codes_table;

typedef struct codes_input {
    const uint8_t *next, *end;
} codes_input;

static unsigned codes_byte(codes_input *in)
{
    return in->next < in->end ? *in->next++ : 0;
}

enum { CODES_ANY, CODES_ONE_MORE, CODES_FEW, CODES_LONG_RUNS, CODES_WAYS = 24 };

/* As many codes of each length as there can be, or fewer; the longest may fill up the rest. */
static void codes_draw_counts(uint64_t *state, unsigned way, codes_table *table)
{
    uint32_t left = 1, n = 0, first = fuzz_draw(state, way == CODES_LONG_RUNS ? 3 : 12);
    bool is_full = fuzz_draw(state, 2);
    for (uint32_t i = 0; i < 16; i++) {
        left *= 2;
        uint32_t most = left < 255 ? left : 255, count;
        most = most < 256 - n ? most : 256 - n;
        count = i < first ? 0 : fuzz_draw(state, (way == CODES_FEW && most > 3 ? 3 : most) + 1);
        if (i == 15 && is_full)
            count = most;
        table->counts[i] = (uint8_t)count;
        left -= count;
        n += count;
    }
}

static void codes_read_table(codes_input *in, uint64_t *state, bool is_ac, codes_table *table)
{
    unsigned way = codes_byte(in) % CODES_WAYS;
    codes_draw_counts(state, way, table);
    for (int i = 0; i < 16 && way == CODES_ANY; i++)
        table->counts[i] = (uint8_t)codes_byte(in);
    if (way == CODES_ONE_MORE)
        table->counts[fuzz_draw(state, 16)]++;
    for (int i = 0; i < 256; i++)
        table->symbols[i] = (uint8_t)(fuzz_draw(state, 256) & (is_ac || way == CODES_ONE_MORE ? 255 : 15));
    for (int i = 0; i < 256 && is_ac && way == CODES_LONG_RUNS; i++)
        table->symbols[i] |= 0xf0;
    for (unsigned i = codes_byte(in) % 32; is_ac && i > 0; i--)
        table->symbols[fuzz_draw(state, 256)] = (uint8_t)codes_byte(in);
}

/* ---- bit by bit ---- */

static bool codes_are_possible(const codes_table *t, bool is_ac)
{
    int64_t code = 0, n = 0;
    for (int i = 0; i < 16; i++) {
        code = 2 * code + t->counts[i];
        n += t->counts[i];
        if (code > (int64_t)2 << i || n > 256)
            return false;
    }
    for (int64_t k = 0; k < n && !is_ac; k++)
        if (t->symbols[k] > 15)
            return false;
    return true;
}

typedef struct codes_bits {
    const uint8_t *next, *end;
    unsigned byte;
    int left; /* of byte */
    bool is_wrong;
} codes_bits;

static unsigned codes_bit(codes_bits *b)
{
    if (!b->left) {
        size_t n = (size_t)(b->end - b->next);
        if (!n || (b->next[0] == 0xff && (n < 2 || b->next[1]))) {
            b->is_wrong = true;
            return 0;
        }
        b->byte = b->next[0];
        b->next += b->byte == 0xff ? 2 : 1;
        b->left = 8;
    }
    return b->byte >> --b->left & 1;
}

static unsigned codes_symbol(codes_bits *b, const codes_table *t)
{
    unsigned code = 0, first = 0, at = 0;
    for (int i = 0; i < 16; i++) {
        code = code << 1 | codes_bit(b);
        first <<= 1;
        if (code - first < t->counts[i])
            return t->symbols[at + code - first];
        first += t->counts[i];
        at += t->counts[i];
    }
    b->is_wrong = true;
    return 0;
}

static int codes_value(codes_bits *b, unsigned size)
{
    int value = 0;
    for (unsigned i = 0; i < size; i++)
        value = 2 * value + (int)codes_bit(b);
    return size && value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
}

static void codes_block(codes_bits *b, const codes_table *dc, const codes_table *ac, uint32_t *prediction,
                        short block[64])
{
    static const uint8_t zigzag[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,
                                       12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
                                       35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
                                       58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};
    *prediction += (uint32_t)codes_value(b, codes_symbol(b, dc));
    block[0] = (short)*prediction;
    for (unsigned k = 1; k < 64 && !b->is_wrong; k++) {
        unsigned symbol = codes_symbol(b, ac), size = symbol & 15, run = symbol >> 4;
        if (!size && run != 15)
            return;
        k += run;
        int value = codes_value(b, size);
        if (size)
            block[zigzag[k < 63 ? k : 63]] = (short)value;
    }
}

/* ---- both ---- */

typedef struct codes_scan {
    codes_table dc[4], ac[4];
    mill__huffman_block blocks[MILL__HUFFMAN_MCU];
    int nblocks;
    const uint8_t *data;
    size_t nbytes;
} codes_scan;

static bool codes_set(mill__huffman *h, const codes_scan *s)
{
    bool all = true;
    for (int i = 0; i < 4; i++) {
        bool dc = mill__huffman_set_dc(h, i, s->dc[i].counts, s->dc[i].symbols);
        bool ac = mill__huffman_set_ac(h, i, s->ac[i].counts, s->ac[i].symbols);
        PROMISE(dc == codes_are_possible(&s->dc[i], false) && ac == codes_are_possible(&s->ac[i], true));
        all &= dc && ac;
    }
    return all;
}

/* MCUs until one is wrong, some of them dropped or with DC alone. */
static void codes_decode(mill__huffman *h, mill__huffman_mcu *decode, const codes_scan *s, uint64_t state)
{
    codes_bits bits = {.next = s->data, .end = s->data + s->nbytes};
    uint32_t predictions[4] = {0};
    mill__huffman_begin(h, s->blocks, s->nblocks, s->data, s->nbytes);
    for (int n = 0; n < 20000 && !bits.is_wrong; n++) {
        short got[MILL__HUFFMAN_MCU][64] = {{0}}, wanted[MILL__HUFFMAN_MCU][64] = {{0}};
        short(*list[MILL__HUFFMAN_MCU])[64];
        unsigned with_ac = fuzz_draw(&state, 3) ? ~0u : fuzz_draw(&state, 1024);
        bool is_dropped = !fuzz_draw(&state, 4);
        for (int i = 0; i < s->nblocks; i++) {
            const mill__huffman_block *b = &s->blocks[i];
            list[i] = &got[i];
            codes_block(&bits, &s->dc[b->dc], &s->ac[b->ac], &predictions[b->component], wanted[i]);
            if (!(with_ac >> i & 1))
                memset(&wanted[i][1], 0, 63 * sizeof(short));
        }
        PROMISE(decode(h, is_dropped ? NULL : list, with_ac) == !bits.is_wrong);
        PROMISE(bits.is_wrong || is_dropped || !memcmp(got, wanted, sizeof got));
    }
    const uint8_t *rest = mill__huffman_rest(h), *end = s->data + s->nbytes;
    PROMISE(rest == end || (end - rest >= 2 && rest[0] == 0xff && rest[1] != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    static const char *const levels[] = {"c", "x86-64-v3", "x86-64-v4"};
    uint64_t state = fuzz_hash(data, nbytes);
    codes_input in = {data, data + nbytes};
    mill__huffman *h = calloc(1, sizeof *h);
    codes_scan s = {.nblocks = (int)(1 + codes_byte(&in) % MILL__HUFFMAN_MCU)};
    PROMISE(h);
    for (int i = 0; i < 4; i++) {
        codes_read_table(&in, &state, false, &s.dc[i]);
        codes_read_table(&in, &state, true, &s.ac[i]);
    }
    for (int i = 0; i < s.nblocks; i++) {
        unsigned byte = codes_byte(&in);
        s.blocks[i] = (mill__huffman_block){byte & 3, byte >> 2 & 3, byte >> 4 & 3};
    }
    s.nbytes = (size_t)(in.end - in.next);
    uint8_t *copy = fuzz_copy(in.next, s.nbytes);
    s.data = copy;
    if (codes_set(h, &s))
        for (int i = 0; i < 3; i++)
            codes_decode(h, mill__huffman_get(mill__kernels_get(levels[i])), &s, state);
    free(copy);
    free(h);
    return 0;
}
