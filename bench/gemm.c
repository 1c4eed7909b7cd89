/* SPDX-License-Identifier: Apache-2.0 */
/* bench/gemm.c: our products of matrices beside the machine's BLAS, on one core.
 *   gemm         speed: ours over cblas's, taking turns, the BLAS with one thread; the last line is the worst
 *   gemm traits  why ours are there: whether a BLAS's bytes of a row depend on the rows beside it, and how
 * many threads one call leaves behind */
#include "kernel/gemm.h"
#include "base/memory.h"
#include "blas.h"
#include "taking_turns.h"
#include <dirent.h>
#include <string.h>

typedef struct work {
    const blas *blas;
    const mill__gemm *gemm;
    size_t rows, depth, columns; /* of x^T x: rows x columns, and depth is 0 */
    int repeat;
    float *a, *b, *c, *own, *panels;
    double *a64, *b64, *c64, *own64, *panels64, *triangle;
    void *scratch;
} work;

static int as_int(size_t n)
{
    return (int)n;
}

static void own_f32(void *user, size_t i)
{
    const work *w = user;
    (void)i;
    for (int r = 0; r < w->repeat; r++)
        w->gemm->f32(w->own, w->columns, w->a, w->depth, w->rows, NULL, w->panels, w->depth, w->columns);
}

static void cblas_f32(void *user, size_t i)
{
    const work *w = user;
    int m = as_int(w->rows), k = as_int(w->depth), n = as_int(w->columns);
    (void)i;
    for (int r = 0; r < w->repeat; r++)
        w->blas->sgemm(BLAS_ROWS, BLAS_PLAIN, BLAS_PLAIN, m, n, k, 1, w->a, k, w->b, n, 0, w->c, n);
}

static void own_f64(void *user, size_t i)
{
    const work *w = user;
    (void)i;
    for (int r = 0; r < w->repeat; r++)
        w->gemm->f64(w->own64, w->columns, w->a64, w->depth, w->rows, NULL, w->panels64, w->depth,
                     w->columns);
}

static void cblas_f64(void *user, size_t i)
{
    const work *w = user;
    int m = as_int(w->rows), k = as_int(w->depth), n = as_int(w->columns);
    (void)i;
    for (int r = 0; r < w->repeat; r++)
        w->blas->dgemm(BLAS_ROWS, BLAS_PLAIN, BLAS_PLAIN, m, n, k, 1, w->a64, k, w->b64, n, 0, w->c64, n);
}

static void own_gram_f32(void *user, size_t i)
{
    const work *w = user;
    (void)i;
    memset(w->triangle, 0, w->columns * (w->columns + 1) / 2 * sizeof *w->triangle);
    for (int r = 0; r < w->repeat; r++)
        w->gemm->gram_f32(w->triangle, true, w->a, w->columns, w->rows, w->columns, w->scratch, NULL);
}

static void cblas_gram_f32(void *user, size_t i)
{
    const work *w = user;
    int m = as_int(w->rows), n = as_int(w->columns);
    (void)i;
    for (int r = 0; r < w->repeat; r++)
        w->blas->ssyrk(BLAS_ROWS, BLAS_UPPER, BLAS_TURNED, n, m, 1, w->a, n, r ? 1 : 0, w->c, n);
}

static void own_gram_f64(void *user, size_t i)
{
    const work *w = user;
    (void)i;
    memset(w->triangle, 0, w->columns * (w->columns + 1) / 2 * sizeof *w->triangle);
    for (int r = 0; r < w->repeat; r++)
        w->gemm->gram_f64(w->triangle, true, w->a64, w->columns, w->rows, w->columns, w->scratch, NULL);
}

static void cblas_gram_f64(void *user, size_t i)
{
    const work *w = user;
    int m = as_int(w->rows), n = as_int(w->columns);
    (void)i;
    for (int r = 0; r < w->repeat; r++)
        w->blas->dsyrk(BLAS_ROWS, BLAS_UPPER, BLAS_TURNED, n, m, 1, w->a64, n, r ? 1 : 0, w->c64, n);
}

static void *get(size_t nbytes)
{
    void *p = mill__alloc(nbytes);
    if (!p)
        exit(1);
    return memset(p, 0, nbytes);
}

/* A matrix of small numbers, as floats and as doubles. */
static void fill(float **f, double **d, size_t n)
{
    uint64_t state = 42;
    *f = get(n * sizeof **f);
    *d = get(n * sizeof **d);
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        (*d)[i] = (double)((*f)[i] = (float)((double)(state >> 32) / 0x1p31 - 1));
    }
}

static work prepare(const blas *b, size_t rows, size_t depth, size_t columns)
{
    work w = {.blas = b,
              .gemm = mill__gemm_get(mill__kernels_get(mill__kernels_cap())),
              .rows = rows,
              .depth = depth,
              .columns = columns};
    size_t nresult = (depth ? rows : columns) * columns, width = depth ? depth : columns;
    w.repeat = 1 + (int)(5e7 / ((double)rows * (double)width * (double)columns));
    fill(&w.a, &w.a64, rows * width);
    w.c = get(nresult * sizeof *w.c);
    w.own = get(nresult * sizeof *w.own);
    w.c64 = get(nresult * sizeof *w.c64);
    w.own64 = get(nresult * sizeof *w.own64);
    w.triangle = get(columns * (columns + 1) / 2 * sizeof *w.triangle);
    w.scratch = get(mill__gram_work_nbytes(w.gemm, sizeof(double), columns));
    if (!depth)
        return w;
    fill(&w.b, &w.b64, depth * columns);
    w.panels = get(mill__gemm_packed_nbytes(w.gemm, sizeof(float), depth, columns));
    w.panels64 = get(mill__gemm_packed_nbytes(w.gemm, sizeof(double), depth, columns));
    mill__gemm_pack_f32(w.gemm, w.panels, w.b64, columns, 1, depth, columns);
    mill__gemm_pack_f64(w.gemm, w.panels64, w.b64, columns, 1, depth, columns);
    return w;
}

static void release(work *w)
{
    void *all[] = {w->a,   w->b,   w->c,     w->own,      w->panels,   w->a64,
                   w->b64, w->c64, w->own64, w->panels64, w->triangle, w->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        mill__free(all[i]);
}

static double compare(work *w, const char *name, turn *own, turn *other)
{
    enum { TURNS = 15 };
    double width = w->depth ? 2.0 * (double)w->depth : (double)w->columns;
    double work_done = (double)w->repeat * (double)w->rows * (double)w->columns * width * 1e-9;
    turns t = take_turns(own, other, w, TURNS);
    printf("%-8s %5zu x %4zu x %4zu  %7.1f %7.1f  %5.2f\n", name, w->rows, w->depth ? w->depth : w->columns,
           w->columns, work_done / t.a, work_done / t.b, t.ratio);
    fflush(stdout);
    return t.ratio;
}

static int speed(const blas *b)
{
    static const size_t shapes[][3] = {{1024, 256, 256}, {1024, 3072, 128}, {1024, 64, 64}, {1024, 1000, 300},
                                       {64, 256, 256},   {1024, 0, 256},    {1024, 0, 64},  {512, 0, 1024}};
    double worst = 1e9;
    printf("%s\nlevel %s; 10^9 operations a second, one core\n", b->config,
           mill__kernels_get(mill__kernels_cap())->level);
    printf("%-8s %-19s  %7s %7s  %5s\n", "", "rows x depth x cols", "own", "cblas", "ratio");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        work w = prepare(b, shapes[i][0], shapes[i][1], shapes[i][2]);
        double f32 = w.depth ? compare(&w, "gemm f32", own_f32, cblas_f32)
                             : compare(&w, "gram f32", own_gram_f32, cblas_gram_f32);
        double f64 = w.depth ? compare(&w, "gemm f64", own_f64, cblas_f64)
                             : compare(&w, "gram f64", own_gram_f64, cblas_gram_f64);
        worst = f32 < worst ? f32 : worst;
        worst = f64 < worst ? f64 : worst;
        release(&w);
    }
    printf("gemm ratio=%.3f target=0.80\n", worst);
    return 0;
}

static int count_threads(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

/* Rows that change when they are multiplied in calls of n rows, not all at once. */
static size_t changed(work *w, float *again, size_t n)
{
    size_t rows = 0;
    for (size_t i = 0; i < w->rows; i += n) {
        int m = as_int(w->rows - i < n ? w->rows - i : n), d = as_int(w->depth), k = as_int(w->columns);
        w->blas->sgemm(BLAS_ROWS, BLAS_PLAIN, BLAS_PLAIN, m, k, d, 1, w->a + i * w->depth, d, w->b, k, 0,
                       again + i * w->columns, k);
    }
    for (size_t i = 0; i < w->rows; i++)
        rows += memcmp(again + i * w->columns, w->c + i * w->columns, w->columns * sizeof *again) != 0;
    return rows;
}

/* alone: threads before the library was opened */
static int traits(const blas *b, int alone)
{
    static const size_t calls[] = {1, 2, 3, 5, 8, 16, 60, 100, 333};
    work w = prepare(b, 1024, 784, 100);
    float *again = get(w.rows * w.columns * sizeof *again);
    int before = count_threads();
    w.repeat = 1;
    cblas_f32(&w, 0);
    printf("  threads: %d, with the library %d, after a product of %zu x %zu x %zu %d\n", alone, before,
           w.rows, w.depth, w.columns, count_threads());
    if (b->threads)
        b->threads(1);
    cblas_f32(&w, 0);
    printf("  one thread; of %zu rows, so many have other bytes in calls of", w.rows);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        printf(" %zu rows: %zu%s", calls[i], changed(&w, again, calls[i]),
               i + 1 < sizeof calls / sizeof *calls ? "," : "\n");
    mill__free(again);
    release(&w);
    return 0;
}

int main(int argc, char **argv)
{
    int alone = count_threads();
    blas b = {0};
    if (!blas_open(&b)) {
        printf("skip: there is no %s\n", b.file);
        return 77;
    }
    if (argc > 1 && !strcmp(argv[1], "traits"))
        return traits(&b, alone);
    if (b.threads)
        b.threads(1);
    return speed(&b);
}
