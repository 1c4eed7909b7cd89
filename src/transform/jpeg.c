/* SPDX-License-Identifier: Apache-2.0 */
/* transform/jpeg.c: decoding JPEG by libjpeg-turbo.
 *
 * Only the region that a view needs is decoded. Rows above it are entropy-decoded and dropped, rows below it
 * never read; columns are cut to whole MCUs. Chroma upsampling looks at neighbours, and at a cut edge there
 * are none, so a margin is decoded on each side: with it the pixels are those of a full decode. Only the
 * common, tested shapes (Huffman, one scan, luma sampled at most 2x2) are cut; of others everything down to
 * the region's last row is decoded. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/jpeg_entropy.h"
#include "transform/jpeg_memory.h"
#include "transform/jpeg_scale.h"
#include "transform/libjpeg.h"
#include "transform/render.h"
#include "transform/sniff.h"
#include "transform/turn.h"
#include <string.h>

struct mill__jpeg {
    mill__jpeg_entropy entropy; /* first: client_data points to it */
    struct jpeg_decompress_struct decoder;
    struct jpeg_memory_mgr *own_memory; /* the decoder's, where what outlives images is */
    mill__jpeg_memory memory;           /* for images */
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    mill__jpeg_failure failure;
    const uint8_t *data; /* the file */
    size_t nbytes;
    bool is_open;     /* a header was read and no pixels yet */
    bool has_ended;   /* all bytes were given away */
    bool may_run_out; /* the end of the bytes may stand for the end-of-image marker */
    bool by_library;  /* Huffman codes too */
    mill__decode_options options;
    mill__image_info info;
    /* one rendering */
    mill__renderer *renderer;
    int eighths;           /* of the size that it is decoded at */
    int64_t width, height; /* decoded, as it is stored */
    mill__rect region;     /* of the decoded image */
    int64_t left;          /* of region in a decoded row */
    uint8_t *frame;        /* where the turned region goes; NULL: rows are pushed */
    mill__turn turn;
};

/* ---- errors ---- */

static mill_status report(struct mill__jpeg *j, mill_error *err)
{
    mill_status status = mill__jpeg_status(&j->failure);
    size_t at = j->has_ended ? j->nbytes : j->nbytes - j->source.bytes_in_buffer;
    const char *kind = status == MILL_LIMIT ? "limit" : status == MILL_UNSUPPORTED ? "unsupported" : "decode";
    if (j->failure.code == JERR_NO_BACKING_STORE)
        mill_fail(err, status, kind,
                  "decoding this %lldx%lld JPEG needs more memory than a thread may hold; "
                  "raise the memory budget",
                  (long long)j->info.width, (long long)j->info.height);
    else if (status == MILL_BAD_DATA && j->has_ended)
        mill_fail(err, status, kind, "the JPEG is truncated: its %zu bytes end before the image does (%s)",
                  j->nbytes, j->failure.text);
    else
        mill_fail(err, status, kind, "cannot decode the JPEG at byte %zu of %zu: %s", at, j->nbytes,
                  j->failure.text);
    mill__error_where(err, NULL, NULL, at);
    return status;
}

/* Run one stretch of libjpeg calls (see libjpeg.h). That our Huffman decoder gave up is told to nobody. */
static mill_status guarded(struct mill__jpeg *j, void (*step)(struct mill__jpeg *), mill_error *err)
{
    if (setjmp(j->failure.escape))
        return j->entropy.has_given_up ? MILL_BAD_DATA : report(j, err);
    step(j);
    return MILL_OK;
}

/* ---- source of bytes ---- */

static void source_nothing(j_decompress_ptr decoder)
{
    (void)decoder;
}

/* The bytes are all there from the beginning, so this is the end of the file. A file of one scan may lack its
 * last marker: if pixels are missing too, the Huffman decoder will say so (the arithmetic one would not). */
static boolean source_ended(j_decompress_ptr decoder)
{
    static const JOCTET end[] = {0xff, JPEG_EOI};
    struct mill__jpeg *j = decoder->client_data;
    j->has_ended = true;
    if (!j->may_run_out)
        mill__jpeg_refuse(&j->failure, MILL_BAD_DATA, "no end-of-image marker");
    decoder->src->next_input_byte = end;
    decoder->src->bytes_in_buffer = sizeof end;
    return TRUE;
}

static void source_skip(j_decompress_ptr decoder, long n)
{
    struct jpeg_source_mgr *source = decoder->src;
    size_t skipped = n < 0 ? 0 : (size_t)n;
    if (skipped > source->bytes_in_buffer)
        skipped = source->bytes_in_buffer;
    source->next_input_byte += skipped;
    source->bytes_in_buffer -= skipped;
}

static void check_scans(j_common_ptr common)
{
    struct mill__jpeg *j = common->client_data;
    if (j->options.max_scans > 0 && j->decoder.input_scan_number > j->options.max_scans) {
        char text[JMSG_LENGTH_MAX];
        snprintf(text, sizeof text, "it has more than %d scans", j->options.max_scans);
        mill__jpeg_refuse(&j->failure, MILL_LIMIT, text);
    }
}

/* ---- header ---- */

static void step_create(struct mill__jpeg *j)
{
    jpeg_create_decompress(&j->decoder);
    j->own_memory = j->decoder.mem;
    j->decoder.mem = mill__jpeg_memory_init(&j->memory, j->renderer);
    j->decoder.client_data = j;
    j->decoder.src = &j->source;
    j->decoder.progress = &j->progress;
}

static void step_header(struct mill__jpeg *j)
{
    jpeg_read_header(&j->decoder, TRUE);
    j->may_run_out = !jpeg_has_multiple_scans(&j->decoder) && !j->decoder.arith_code;
}

/* The decoder stays, its tables do not: a file that lacks them must not be decoded by those of whatever came
 * before. */
static void close_image(struct mill__jpeg *j)
{
    struct jpeg_decompress_struct *d = &j->decoder;
    j->is_open = false;
    if (!j->own_memory)
        return;
    jpeg_abort_decompress(d);
    memset(d->quant_tbl_ptrs, 0, sizeof d->quant_tbl_ptrs);
    memset(d->dc_huff_tbl_ptrs, 0, sizeof d->dc_huff_tbl_ptrs);
    memset(d->ac_huff_tbl_ptrs, 0, sizeof d->ac_huff_tbl_ptrs);
    mill__jpeg_memory_reset(&j->memory);
}

static void prepare(struct mill__jpeg *j, const uint8_t *data, size_t nbytes)
{
    j->data = data;
    j->nbytes = nbytes;
    j->entropy.has_given_up = j->has_ended = j->may_run_out = false;
    j->info = (mill__image_info){0};
    j->options = (mill__decode_options){0};
    j->source = (struct jpeg_source_mgr){.next_input_byte = data,
                                         .bytes_in_buffer = nbytes,
                                         .init_source = source_nothing,
                                         .fill_input_buffer = source_ended,
                                         .skip_input_data = source_skip,
                                         .resync_to_restart = jpeg_resync_to_restart,
                                         .term_source = source_nothing};
    j->progress.progress_monitor = check_scans;
    j->decoder.err = mill__jpeg_failure_init(&j->failure);
}

static mill_status ensure_decoder(mill__renderer *r, mill_error *err)
{
    if (r->jpeg)
        return MILL_OK;
    struct mill__jpeg *j = mill__alloc(sizeof *j);
    if (!j)
        return mill__no_memory(err, sizeof *j, "a JPEG decoder");
    memset(j, 0, sizeof *j);
    j->renderer = r;
    j->decoder.err = mill__jpeg_failure_init(&j->failure);
    mill_status status = guarded(j, step_create, err);
    if (status)
        mill__free(j);
    else
        r->jpeg = j;
    return status;
}

static mill_status open_image(mill__renderer *r, const uint8_t *data, size_t nbytes, mill_error *err)
{
    if (!mill__is_jpeg(data, nbytes)) {
        mill_fail(err, MILL_BAD_DATA, "decode", "this is no JPEG: it looks like %s; re-encode or remove it",
                  mill__looks_like(data, nbytes));
        mill__error_where(err, NULL, NULL, 0);
        return MILL_BAD_DATA;
    }
    mill_status status = ensure_decoder(r, err);
    if (status)
        return status;
    struct mill__jpeg *j = r->jpeg;
    close_image(j);
    prepare(j, data, nbytes);
    status = guarded(j, step_header, err);
    if (status) {
        close_image(j);
        return status;
    }
    bool progressive = jpeg_has_multiple_scans(&j->decoder) && j->decoder.progressive_mode;
    j->info = (mill__image_info){.width = j->decoder.image_width,
                                 .height = j->decoder.image_height,
                                 .channels = j->decoder.num_components == 1 ? 1 : 3,
                                 .stored_components = j->decoder.num_components,
                                 .orientation = mill__exif_orientation(data, nbytes),
                                 .progressive = progressive};
    return MILL_OK;
}

static bool is_turned(const struct mill__jpeg *j)
{
    return j->options.orient && j->info.orientation > 1;
}

static bool is_transposed(const struct mill__jpeg *j)
{
    return is_turned(j) && j->info.orientation > 4;
}

static mill_status check_header(const struct mill__jpeg *j, mill_error *err)
{
    uint64_t pixels = (uint64_t)j->info.width * (uint64_t)j->info.height;
    int n = j->info.stored_components;
    if (j->options.max_pixels && pixels > j->options.max_pixels)
        return mill_fail(err, MILL_LIMIT, "limit",
                         "the image has %lldx%lld pixels, more than the allowed %llu; raise max_pixels if it "
                         "is meant to be so large",
                         (long long)j->info.width, (long long)j->info.height,
                         (unsigned long long)j->options.max_pixels);
    if (n != 1 && n != 3 && n != 4)
        return mill_fail(err, MILL_UNSUPPORTED, "unsupported",
                         "the JPEG has %d colour components; 1, 3 and 4 can be decoded", n);
    return MILL_OK;
}

mill_status mill__jpeg_begin(mill__renderer *r, const void *data, size_t nbytes,
                             const mill__decode_options *options, mill__image_info *info, mill_error *err)
{
    mill_status status = open_image(r, data, nbytes, err);
    if (status)
        return status;
    struct mill__jpeg *j = r->jpeg;
    j->options = *options;
    j->info.channels = options->channels == 1 ? 1 : 3;
    status = check_header(j, err);
    if (status) {
        close_image(j);
        return status;
    }
    j->is_open = true;
    *info = j->info;
    if (is_transposed(j)) {
        info->width = j->info.height;
        info->height = j->info.width;
    }
    return MILL_OK;
}

mill_status mill__jpeg_probe(mill__renderer *r, const void *data, size_t nbytes, mill__image_info *info,
                             mill_error *err)
{
    mill_status status = open_image(r, data, nbytes, err);
    if (status)
        return status;
    *info = r->jpeg->info;
    close_image(r->jpeg);
    return MILL_OK;
}

/* ---- pixels ---- */

static bool can_be_cut(const struct jpeg_decompress_struct *d)
{
    const jpeg_component_info *c = d->comp_info;
    if (d->arith_code || d->progressive_mode || (d->num_components != 1 && d->num_components != 3))
        return false;
    if (d->num_components == 1)
        return c[0].h_samp_factor == 1 && c[0].v_samp_factor == 1;
    for (int i = 1; i < 3; i++)
        if (c[i].h_samp_factor != 1 || c[i].v_samp_factor != 1)
            return false;
    return c[0].h_samp_factor <= 2 && c[0].v_samp_factor <= 2;
}

/* Pixels on each side of a region. Interpolated chroma, sampled at most by half, reaches one sample and so
 * two pixels far. */
#define MARGIN 2

static void begin_entropy(struct mill__jpeg *j, JDIMENSION x, JDIMENSION width)
{
    if (!j->by_library)
        mill__jpeg_entropy_begin(&j->entropy, j->renderer, &j->decoder, x, width);
}

static void step_start(struct mill__jpeg *j)
{
    struct jpeg_decompress_struct *d = &j->decoder;
    J_COLOR_SPACE wanted = j->info.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    d->out_color_space = j->info.stored_components == 4 ? JCS_CMYK : wanted;
    d->scale_num = (unsigned)j->eighths;
    d->scale_denom = 8;
    d->dct_method = j->options.fast_dct ? JDCT_IFAST : JDCT_ISLOW;
    d->do_fancy_upsampling = j->options.fast_upsampling ? FALSE : TRUE;
    jpeg_start_decompress(d);
    j->left = j->region.x;
    if (!can_be_cut(d) || jpeg_has_multiple_scans(d)) {
        begin_entropy(j, 0, d->output_width);
        return;
    }
    int64_t begin = j->region.x > MARGIN ? j->region.x - MARGIN : 0;
    int64_t end = j->region.x + j->region.width + MARGIN;
    JDIMENSION x = (JDIMENSION)begin;
    JDIMENSION width = (JDIMENSION)((end < j->width ? end : j->width) - begin);
    if (width < d->output_width) {
        jpeg_crop_scanline(d, &x, &width);
        j->left = j->region.x - x;
    }
    begin_entropy(j, x, width);
    if (j->region.y > MARGIN)
        jpeg_skip_scanlines(d, (JDIMENSION)(j->region.y - MARGIN));
}

/* round(a * b / 255) for bytes, as Pillow has it */
static int times(int a, int b)
{
    int t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* CMYK in JPEG files is stored inverted (Adobe's habit, which Pillow presumes always): 255 is no ink. In
 * place; to grey by the weights of ITU-R 601, as Pillow's convert("L") has them. */
static void convert_cmyk(uint8_t *row, size_t n, int channels)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *in = row + 4 * i;
        int k = in[3], rgb[3];
        for (int c = 0; c < 3; c++) {
            int v = k - times(255 - in[c], k);
            rgb[c] = v < 0 ? 0 : v;
        }
        if (channels == 1)
            row[i] = (uint8_t)((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
        else
            for (int c = 0; c < 3; c++)
                row[3 * i + (size_t)c] = (uint8_t)rgb[c];
    }
}

/* libjpeg-turbo writes rows that are aligned for its vectors past the cache, which is right for a picture
 * kept in memory and ruinous for a row that is read the moment it is there: it took a third of the whole
 * time. */
#define MISALIGNED 4

static size_t row_stride(const struct mill__jpeg *j)
{
    uint64_t widest = (uint64_t)j->width * (uint64_t)(j->info.stored_components == 4 ? 4 : j->info.channels);
    return (size_t)((MISALIGNED + widest + MILL__RESAMPLE_SLACK + 63) / 64 * 64);
}

/* Decode the next rows, as many as are pushed at once. */
static size_t read_rows(struct mill__jpeg *j, int64_t end, JSAMPROW rows[MILL__RESAMPLE_ROWS])
{
    struct jpeg_decompress_struct *d = &j->decoder;
    size_t n = 0, stride = row_stride(j);
    while (n < MILL__RESAMPLE_ROWS && d->output_scanline < end) {
        rows[n] = j->renderer->row.data + n * stride + MISALIGNED;
        n += jpeg_read_scanlines(d, &rows[n], 1);
        if (d->output_components == 4)
            convert_cmyk(rows[n - 1], d->output_width, j->info.channels);
    }
    return n;
}

static void step_rows(struct mill__jpeg *j)
{
    struct jpeg_decompress_struct *d = &j->decoder;
    int64_t end = j->region.y + j->region.height;
    size_t c = (size_t)j->info.channels;
    JSAMPROW rows[MILL__RESAMPLE_ROWS];
    while (d->output_scanline < j->region.y) {
        rows[0] = j->renderer->row.data + MISALIGNED;
        jpeg_read_scanlines(d, rows, 1);
    }
    while (d->output_scanline < end) {
        int64_t y = d->output_scanline;
        size_t n = read_rows(j, end, rows);
        const uint8_t *in[MILL__RESAMPLE_ROWS];
        for (size_t i = 0; i < n; i++) {
            in[i] = rows[i] + (size_t)j->left * c;
            if (j->frame)
                mill__turn_row(&j->turn, j->info.channels, y + (int64_t)i, in[i], j->frame);
        }
        if (!j->frame)
            mill__render_rows(j->renderer, y, in, n);
    }
}

/* Decode j->region, whatever becomes of its rows. */
static mill_status decode_region(struct mill__jpeg *j, mill_error *err)
{
    mill__renderer *r = j->renderer;
    mill_status status =
        mill__reserve(r, &r->row, (uint64_t)row_stride(j) * MILL__RESAMPLE_ROWS, "rows of pixels", err);
    if (!status)
        status = guarded(j, step_start, err);
    if (!status)
        status = guarded(j, step_rows, err);
    return status;
}

static mill_status render_turned(mill__renderer *r, mill_error *err)
{
    struct mill__jpeg *j = r->jpeg;
    mill__rect need = r->pass.need;
    uint64_t nbytes = (uint64_t)need.width * (uint64_t)need.height * (uint64_t)j->info.channels;
    mill_status status =
        mill__reserve(r, &r->frame, nbytes, "an image to be turned by its EXIF orientation", err);
    if (status)
        return status;
    j->turn = mill__turn_for(j->info.orientation, &need, j->width, j->height);
    j->region = j->turn.stored;
    j->frame = r->frame.data;
    status = decode_region(j, err);
    j->frame = NULL;
    if (!status)
        status = mill__render_frame(r, r->frame.data, need.x, need.y, need.width, need.height, err);
    if (r->frame.nbytes > r->limit_nbytes / 8) /* small ones are kept for the next */
        mill__release(r, &r->frame);
    return status;
}

/* Back to where mill__jpeg_begin left the image. */
static mill_status open_again(struct mill__jpeg *j, mill_error *err)
{
    const mill__image_info info = j->info;
    const mill__decode_options options = j->options;
    close_image(j);
    prepare(j, j->data, j->nbytes);
    j->info = info;
    j->options = options;
    return guarded(j, step_header, err);
}

static mill_status render_view(mill__renderer *r, const mill_view *view, const mill__target *target,
                               mill_error *err)
{
    struct mill__jpeg *j = r->jpeg;
    mill_status status = mill__render_begin(r, view, target, err);
    if (status || !r->pass.need.height)
        return status;
    j->region = r->pass.need;
    return is_turned(j) ? render_turned(r, err) : decode_region(j, err);
}

/* What our Huffman decoder gave up is begun anew, down to the target's fill, and done by the library. */
static mill_status render_again(mill__renderer *r, const mill_view *view, const mill__target *target,
                                mill_error *err)
{
    struct mill__jpeg *j = r->jpeg;
    r->second_decodings++;
    j->by_library = true;
    mill_status status = open_again(j, err);
    return status ? status : render_view(r, view, target, err);
}

mill_status mill__jpeg_render(mill__renderer *r, const mill_view *view, const mill__target *target,
                              mill_error *err)
{
    struct mill__jpeg *j = r->jpeg;
    if (!j || !j->is_open)
        return mill_fail(err, MILL_INTERNAL, "render", "no JPEG was begun, or it was rendered before");
    if (target->channels != j->info.channels)
        return mill_fail(err, MILL_INTERNAL, "render",
                         "the JPEG is decoded to %d channels, the target has %d", j->info.channels,
                         target->channels);
    mill_view shrunk = *view;
    j->eighths = j->options.fast_scale ? mill__jpeg_eighths(view) : 8;
    j->width = mill__jpeg_shrunk(j->info.width, j->eighths);
    j->height = mill__jpeg_shrunk(j->info.height, j->eighths);
    if (j->eighths < 8)
        mill__jpeg_shrink(&shrunk, j->eighths, is_turned(j) ? j->info.orientation : 1);
    j->by_library = r->by_library;
    mill_status status = render_view(r, &shrunk, target, err);
    if (j->entropy.has_given_up)
        status = render_again(r, &shrunk, target, err);
    if (!status)
        mill__render_border(&r->pass);
    close_image(j);
    return status;
}

void mill__jpeg_free(struct mill__jpeg *j)
{
    if (!j)
        return;
    close_image(j);
    mill__jpeg_memory_free(&j->memory);
    j->decoder.mem = j->own_memory;
    jpeg_destroy_decompress(&j->decoder);
    mill__free(j);
}
