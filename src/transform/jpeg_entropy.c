/* SPDX-License-Identifier: Apache-2.0 */
/* transform/jpeg_entropy.c: where cinfo->entropy->decode_mcu is replaced. The only file that includes
 * jpegint.h, libjpeg-turbo's inner interface, which Debian and others install beside jpeglib.h.
 *
 * That interface is no promise, so it is used only for the versions that it was looked through for, 2.0 and
 * 2.1: there, as since libjpeg 6, decode_mcu is the second member, is called once for each MCU of a scan in
 * their order, gets blocks of zeros or NULL, and keeps all its state to itself; what it reads of bytes nobody
 * else looks at before the scan's end. For others, and without jpegint.h, libjpeg-turbo's decoder stays.
 *
 * The header says what this was built with; the library it runs with may be another, since 2.x, 3.x and
 * mozjpeg go by one file name and pass for each other. None tells its version. But each came with messages of
 * its own, and so the length of their list tells those from the one in the header. */
#include "transform/jpeg_entropy.h"
#include <string.h>
#if __has_include(<jpegint.h>) && defined(LIBJPEG_TURBO_VERSION_NUMBER) && BITS_IN_JSAMPLE == 8
#if LIBJPEG_TURBO_VERSION_NUMBER >= 2000000 && LIBJPEG_TURBO_VERSION_NUMBER < 2002000
#define IS_KNOWN
#endif
#endif

#ifdef IS_KNOWN
#include <jpegint.h>

#if JPEG_LIB_VERSION >= 70
#define SCALED_SIZE DCT_h_scaled_size
#define LEAST_SIZE  min_DCT_h_scaled_size
#else
#define SCALED_SIZE DCT_scaled_size
#define LEAST_SIZE  min_DCT_scaled_size
#endif

/* Leave the source at the marker behind the scan, as whoever reads on expects it. */
static void end_scan(mill__jpeg_entropy *e, struct jpeg_source_mgr *source)
{
    const uint8_t *rest = mill__huffman_rest(e->huffman);
    source->bytes_in_buffer -= (size_t)(rest - source->next_input_byte);
    source->next_input_byte = rest;
}

/* Blocks beside the columns wanted are decoded, since all bits are a chain, but not stored: libjpeg-turbo
 * does not look at them. */
static boolean decode_mcu(j_decompress_ptr decoder, JBLOCKROW *blocks)
{
    mill__jpeg_entropy *e = decoder->client_data;
    bool wanted = e->first <= e->column && e->column <= e->last;
    if (!e->decode(e->huffman, wanted ? blocks : NULL, e->with_ac)) {
        e->has_given_up = true;
        mill__jpeg_refuse((mill__jpeg_failure *)(void *)decoder->err, MILL_BAD_DATA, "damaged");
    }
    if (++e->column == decoder->MCUs_per_row)
        e->column = 0;
    if (--e->mcus_left == 0)
        end_scan(e, decoder->src);
    return TRUE;
}

bool mill__jpeg_entropy_knows(const struct jpeg_error_mgr *library)
{
    const char *about = library->jpeg_message_table[JMSG_COPYRIGHT];
    return library->last_jpeg_message == JMSG_LASTMSGCODE - 1 && strstr(about, "libjpeg-turbo");
}

static bool is_usual(struct jpeg_decompress_struct *d)
{
    return !d->arith_code && !d->progressive_mode && !jpeg_has_multiple_scans(d) && !d->restart_interval &&
           d->data_precision == 8 && !d->unread_marker && d->blocks_in_MCU <= MILL__HUFFMAN_MCU;
}

/* Start from the tables as libjpeg has read, and by now checked them. */
static bool set_tables(mill__huffman *h, const struct jpeg_decompress_struct *d)
{
    for (int i = 0; i < d->comps_in_scan; i++) {
        const jpeg_component_info *c = d->cur_comp_info[i];
        const JHUFF_TBL *dc = d->dc_huff_tbl_ptrs[c->dc_tbl_no], *ac = d->ac_huff_tbl_ptrs[c->ac_tbl_no];
        if (!dc || !ac || !mill__huffman_set_dc(h, c->dc_tbl_no, dc->bits + 1, dc->huffval) ||
            !mill__huffman_set_ac(h, c->ac_tbl_no, ac->bits + 1, ac->huffval))
            return false;
    }
    return true;
}

/* AC coefficients of components that are not shown, or of which one pixel a block is, are of no use. */
static unsigned describe_blocks(const struct jpeg_decompress_struct *d, mill__huffman_block *blocks)
{
    unsigned with_ac = 0;
    for (int i = 0; i < d->blocks_in_MCU; i++) {
        int member = d->MCU_membership[i];
        const jpeg_component_info *c = d->cur_comp_info[member];
        blocks[i] = (mill__huffman_block){
            .component = (uint8_t)member, .dc = (uint8_t)c->dc_tbl_no, .ac = (uint8_t)c->ac_tbl_no};
        if (c->component_needed && c->SCALED_SIZE > 1)
            with_ac |= 1u << i;
    }
    return with_ac;
}

static mill__huffman *get_huffman(mill__renderer *r)
{
    bool is_new = !r->huffman.data;
    if (mill__reserve(r, &r->huffman, sizeof(mill__huffman), "a Huffman decoder", NULL))
        return NULL; /* libjpeg-turbo's needs less */
    mill__huffman *h = (mill__huffman *)(void *)r->huffman.data;
    if (is_new)
        memset(h, 0, sizeof *h);
    return h;
}

void mill__jpeg_entropy_begin(mill__jpeg_entropy *e, mill__renderer *r, struct jpeg_decompress_struct *d,
                              unsigned x, unsigned width)
{
    mill__huffman_block blocks[MILL__HUFFMAN_MCU];
    mill__huffman *h = mill__jpeg_entropy_knows(d->err) && is_usual(d) ? get_huffman(r) : NULL;
    if (!h || !set_tables(h, d))
        return;
    unsigned across = (unsigned)(d->LEAST_SIZE * (d->num_components == 1 ? 1 : d->max_h_samp_factor));
    *e = (mill__jpeg_entropy){.huffman = h,
                              .decode = r->huffman_mcu,
                              .with_ac = describe_blocks(d, blocks),
                              .first = x / across,
                              .last = (x + width - 1) / across,
                              .mcus_left = (uint64_t)d->MCUs_per_row * d->MCU_rows_in_scan};
    mill__huffman_begin(h, blocks, d->blocks_in_MCU, d->src->next_input_byte, d->src->bytes_in_buffer);
    d->entropy->decode_mcu = decode_mcu;
    r->own_decodings++;
}

#else

void mill__jpeg_entropy_begin(mill__jpeg_entropy *e, mill__renderer *r, struct jpeg_decompress_struct *d,
                              unsigned x, unsigned width)
{
    (void)e, (void)r, (void)d, (void)x, (void)width;
}

bool mill__jpeg_entropy_knows(const struct jpeg_error_mgr *library)
{
    (void)library;
    return false;
}

#endif
