/* SPDX-License-Identifier: Apache-2.0 */
/* bench/entropy_loop.c: what no exact decoder on libjpeg-turbo's own entropy decoder can do without (decode
 * has one of its own: kernel/huffman.h). Of each JPEG it decodes the Huffman codes from the beginning down to
 * the last row that a pipeline's view needs, by libjpeg-turbo's own decoder, and drops the coefficients: no
 * inverse DCT, no colour, no resize. Codes can be decoded in their order only, so crops spare what is below
 * them and nothing else. The views are those of the library itself, made before the clock runs. Files of
 * several scans are decoded to their coefficients, as they must be.
 *
 * Prints the images a second, the microseconds of CPU time an image, and the share of the time that went to
 * the Huffman decoder proper. entropy_loop THREADS PIPELINE FILE.tar ... */
#define JPEG_INTERNALS /* the Huffman decoder, behind a pointer that libjpeg-turbo keeps for itself */
#include "bare.h"

#include "engine/plan.h"
#include "transform/context.h"
#include "transform/render.h"

typedef struct loop {
    bare_set set;
    int64_t *rows;            /* that are needed of each image */
    atomic_ullong decoder_ns; /* within the Huffman decoder, over all threads */
} loop;

/* ---- the rows that a view needs ---- */

static int rows_of(mill__renderer *r, const mill__plan *plan, const bare_image *image, size_t i,
                   int64_t *rows)
{
    static uint8_t pixels[1 << 20];
    const mill__target target = {.data = pixels, .layout = MILL_HWC, .channels = 3, .dtype = MILL_U8};
    const mill__segment *segment = &plan->segments[0];
    mill_context ctx = {.random = {.seed = 1, .sample = i}};
    mill__image_info info;
    mill_view view;
    if (mill__jpeg_probe(r, image->data, image->nbytes, &info, NULL))
        return -1;
    mill__view_init(&view, info.width, info.height);
    for (int k = segment->first; k < segment->first + segment->nviews; k++) {
        ctx.random.transform = (uint32_t)k;
        if (plan->stages[k].ops->view(plan->stages[k].self, &ctx, &view, NULL))
            return -1;
    }
    if ((uint64_t)(view.canvas.width * view.canvas.height * 3) > sizeof pixels ||
        mill__render_begin(r, &view, &target, NULL))
        return -1;
    *rows = r->pass.need.y + r->pass.need.height;
    return 0;
}

static int all_rows(loop *l, const char *text)
{
    const mill_type encoded = {.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}};
    mill_pipeline *pipeline = mill_pipeline_new();
    mill__renderer *r = mill__renderer_new(1 << 28);
    mill__plan plan;
    mill_error err;
    if (mill_pipeline_parse(pipeline, text, &err) || mill__plan_compile(pipeline, &encoded, &plan, &err)) {
        fprintf(stderr, "entropy_loop: %s\n", err.message);
        return -1;
    }
    int failed = plan.nsegments < 1 || !plan.segments[0].decodes;
    l->rows = calloc(l->set.n, sizeof *l->rows);
    for (size_t i = 0; i < l->set.n && !failed; i++)
        failed = rows_of(r, &plan, &l->set.images[i], i, &l->rows[i]);
    mill__plan_free(&plan);
    mill_pipeline_free(pipeline);
    mill__renderer_free(r);
    return failed;
}

/* ---- the loop ---- */

static unsigned long long now_ns(void)
{
    return (unsigned long long)(bare_seconds() * 1e9);
}

static void decode_codes(loop *l, struct jpeg_decompress_struct *c, size_t i)
{
    const bare_image *image = &l->set.images[i];
    jpeg_mem_src(c, image->data, image->nbytes);
    jpeg_read_header(c, TRUE);
    unsigned long long begin = now_ns();
    jpeg_start_decompress(c); /* of several scans: decodes them all */
    if (!jpeg_has_multiple_scans(c))
        begin = now_ns();
    const JDIMENSION each = (JDIMENSION)c->max_v_samp_factor * DCTSIZE;
    const JDIMENSION wanted = ((JDIMENSION)l->rows[i] + each - 1) / each;
    const JDIMENSION rows = wanted < c->MCU_rows_in_scan ? wanted : c->MCU_rows_in_scan;
    for (JDIMENSION n = jpeg_has_multiple_scans(c) ? 0 : rows * c->MCUs_per_row; n; n--)
        c->entropy->decode_mcu(c, NULL); /* no place for coefficients: they are dropped */
    atomic_fetch_add_explicit(&l->decoder_ns, now_ns() - begin, memory_order_relaxed);
    jpeg_abort_decompress(c);
}

static void *loop_thread(void *arg)
{
    loop *l = arg;
    struct jpeg_decompress_struct c;
    struct jpeg_error_mgr e;
    size_t i;
    c.err = jpeg_std_error(&e);
    jpeg_create_decompress(&c);
    while ((i = atomic_fetch_add(&l->set.next, 1)) < l->set.n)
        decode_codes(l, &c, i);
    jpeg_destroy_decompress(&c);
    return NULL;
}

static double run(loop *l, int nthreads)
{
    pthread_t threads[64];
    double begin = bare_seconds();
    atomic_store(&l->set.next, 0);
    atomic_store(&l->decoder_ns, 0);
    for (int i = 1; i < nthreads && i < 64; i++)
        pthread_create(&threads[i], NULL, loop_thread, l);
    loop_thread(l);
    for (int i = 1; i < nthreads && i < 64; i++)
        pthread_join(threads[i], NULL);
    return bare_seconds() - begin;
}

int main(int argc, char **argv)
{
    static loop l;
    if (argc < 4)
        return 2;
    for (int i = 3; i < argc; i++)
        if (bare_load(&l.set, argv[i]))
            return 1;
    const int nthreads = atoi(argv[1]);
    if (!l.set.n || all_rows(&l, argv[2]))
        return 1;
    run(&l, nthreads); /* to warm up */
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    double seconds = run(&l, nthreads), n = (double)l.set.n;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double cpu = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    printf("%.1f %.1f %.3f\n", n / seconds, 1e6 * cpu / n,
           1e-9 * (double)atomic_load(&l.decoder_ns) / (seconds * nthreads));
    free(l.rows);
    free(l.set.images);
    return 0;
}
