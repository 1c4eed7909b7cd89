/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/huffman.c: a Huffman decoder's tables and bytes; huffman_levels.c has the bits. */
#include "kernel/huffman.h"
#include <string.h>

enum { INDEX = MILL__HUFFMAN_INDEX, NENTRIES = 1 << INDEX, END = MILL__HUFFMAN_END };

/* ---- tables ---- */

static bool is_same(const mill__huffman_codes *c, const uint8_t counts[16], const uint8_t symbols[256])
{
    return c->is_made && !memcmp(c->counts, counts, sizeof c->counts) &&
           !memcmp(c->symbols, symbols, sizeof c->symbols);
}

/* Codes of one length are consecutive numbers; those of the next length go on at twice the next number. */
static bool make_codes(mill__huffman_codes *c, const uint8_t counts[16], const uint8_t symbols[256])
{
    uint32_t code = 0;
    int32_t at = 0;
    c->is_made = false;
    memcpy(c->counts, counts, sizeof c->counts);
    memcpy(c->symbols, symbols, sizeof c->symbols);
    c->limits[0] = 0;
    for (int n = 1; n <= 16; n++) {
        code <<= 1;
        c->offsets[n] = at - (int32_t)code;
        code += counts[n - 1];
        at += counts[n - 1];
        if (code > 1u << n || at > 256)
            return false;
        c->limits[n] = code << (16 - n);
    }
    return c->is_made = true;
}

/* The symbol that each index begins with. DC symbols tell no step. */
static void make_symbols(const mill__huffman_codes *c, bool is_ac, mill__huffman_symbol entries[NENTRIES])
{
    mill__huffman_symbol *to = entries;
    const uint8_t *symbol = c->symbols;
    for (int n = 1; n <= INDEX; n++)
        for (int i = 0; i < c->counts[n - 1]; i++, symbol++) {
            int size = *symbol & 15, run = *symbol >> 4;
            int step = !is_ac ? 0 : size ? run + 1 : run == 15 ? 16 : END;
            mill__huffman_symbol e = {.nbits = (uint8_t)(n + size),
                                      .code_nbits = (uint8_t)n,
                                      .unused = (uint8_t)(63 - size),
                                      .step = (uint8_t)step};
            for (mill__huffman_symbol *end = to + (1 << (INDEX - n)); to < end; to++)
                *to = e;
        }
    memset(to, 0, (size_t)(entries + NENTRIES - to) * sizeof *to);
}

/* The second symbol of index x, if its code ends within the index too: the bits shifted in behind are not the
 * stream's, but a code that ends before them does not hang on them. */
static void make_pairs(const mill__huffman_symbol entries[NENTRIES], mill__huffman_pair pairs[NENTRIES])
{
    for (unsigned x = 0; x < NENTRIES; x++) {
        mill__huffman_symbol first = entries[x], second = {.unused = 63};
        if (first.nbits < INDEX && first.step != END) {
            mill__huffman_symbol s = entries[x << first.nbits & (NENTRIES - 1)];
            if (s.nbits && first.nbits + s.code_nbits <= INDEX)
                second = s;
        }
        pairs[x] = (mill__huffman_pair){.nbits = first.nbits ? (uint8_t)(first.nbits + second.nbits) : 0,
                                        .first_nbits = first.nbits,
                                        .code_nbits = first.code_nbits,
                                        .unused = first.unused,
                                        .step = first.step,
                                        .second_at = (uint8_t)(first.nbits + second.code_nbits),
                                        .second_unused = second.unused,
                                        .second_step = second.step};
    }
}

static void make_runs(const mill__huffman_symbol entries[NENTRIES], mill__huffman_run runs[NENTRIES])
{
    for (unsigned x = 0; x < NENTRIES; x++) {
        int nbits = 0, step = 0, ends = 0;
        while (nbits < INDEX && !ends) {
            mill__huffman_symbol e = entries[x << nbits & (NENTRIES - 1)];
            if (!e.nbits || nbits + e.code_nbits > INDEX)
                break;
            nbits += e.nbits;
            ends = e.step == END ? MILL__HUFFMAN_ENDS : 0;
            step += ends ? 0 : e.step;
        }
        if (!nbits || step > END)
            step = END; /* symbol by symbol then */
        runs[x] = (mill__huffman_run){.nbits = (uint8_t)nbits, .step = (uint8_t)(step + ends)};
    }
}

bool mill__huffman_set_dc(mill__huffman *h, int i, const uint8_t counts[16], const uint8_t symbols[256])
{
    mill__huffman_dc *t = &h->dc[i];
    if (is_same(&t->codes, counts, symbols))
        return true;
    if (!make_codes(&t->codes, counts, symbols))
        return false;
    for (int32_t k = 0, n = t->codes.offsets[16] + (int32_t)t->codes.limits[16]; k < n; k++)
        if (symbols[k] > 15)
            return t->codes.is_made = false;
    make_symbols(&t->codes, false, t->entries);
    return true;
}

bool mill__huffman_set_ac(mill__huffman *h, int i, const uint8_t counts[16], const uint8_t symbols[256])
{
    mill__huffman_ac *t = &h->ac[i];
    mill__huffman_symbol entries[NENTRIES];
    if (is_same(&t->codes, counts, symbols))
        return true;
    if (!make_codes(&t->codes, counts, symbols))
        return false;
    make_symbols(&t->codes, true, entries);
    make_pairs(entries, t->pairs);
    make_runs(entries, t->runs);
    return true;
}

/* ---- bytes ---- */

void mill__huffman_begin(mill__huffman *h, const mill__huffman_block *blocks, int nblocks,
                         const uint8_t *data, size_t nbytes)
{
    h->bits = 0;
    h->nbits = 0;
    h->next = h->end = h->window;
    h->from = data;
    h->stop = data + nbytes;
    h->has_ended = false;
    h->nblocks = nblocks;
    memcpy(h->blocks, blocks, (size_t)nblocks * sizeof *blocks);
    memset(h->predictions, 0, sizeof h->predictions);
}

/* Copy up to n bytes, eight at once, as far as none of them is 0xff. How many. */
static size_t copy_plain(uint8_t *to, const uint8_t *from, size_t n)
{
    static const uint64_t low = 0x0101010101010101, high = 0x8080808080808080;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t word;
        memcpy(&word, from + i, sizeof word);
        memcpy(to + i, &word, sizeof word);
        uint64_t rest = ~word; /* 0 where a byte is 0xff */
        if ((rest - low) & word & high)
            break;
    }
    for (; i < n && from[i] != 0xff; i++)
        to[i] = from[i];
    return i;
}

/* What is left moves to the front; behind it come bytes up to the window's end, or to a marker, and then
 * zeros for an MCU that takes more than there is. */
void mill__huffman_fill(mill__huffman *h)
{
    size_t left = (size_t)(h->end - h->next);
    memmove(h->window, h->next, left);
    h->next = h->window;
    uint8_t *to = h->window + left, *limit = h->window + MILL__HUFFMAN_WINDOW;
    while (to < limit && !h->has_ended) {
        size_t room = (size_t)(limit - to), have = (size_t)(h->stop - h->from);
        size_t n = copy_plain(to, h->from, room < have ? room : have);
        to += n;
        h->from += n;
        if (n == room)
            break;
        if (n + 1 >= have || h->from[1] != 0) {
            h->has_ended = true;
        } else {
            *to++ = 0xff;
            h->from += 2;
        }
    }
    h->end = to;
    if (h->has_ended)
        memset(to, 0, MILL__HUFFMAN_MCU_NBYTES);
}

const uint8_t *mill__huffman_rest(const mill__huffman *h)
{
    const uint8_t *p = h->from;
    while (h->stop - p >= 2 && !(p[0] == 0xff && p[1] != 0))
        p++;
    return h->stop - p >= 2 ? p : h->stop;
}

/* ---- levels ---- */

mill__huffman_mcu *mill__huffman_get(const mill__kernels *kernels)
{
#if defined(__x86_64__)
    if (kernels->others == MILL__X86_64_V4)
        return mill__huffman_mcu_x86_64_v4;
    if (kernels->others == MILL__X86_64_V3)
        return mill__huffman_mcu_x86_64_v3;
#endif
    (void)kernels;
    return mill__huffman_mcu_base;
}
