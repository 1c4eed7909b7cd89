/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/gemm_tile.h: a template of gemm_levels.c, for one type of element and one level:
 *   REAL           float or double
 *   NAME(x)        x with the type in its name
 *   VECTOR         a vector of LANES of them
 *   FMA(x, y, z)   x * y + z, rounded once; SPLAT(x): x in all lanes
 *   CLEAN(x)       NaNs to the one NaN
 *   ROWS           of a tile: as many as the registers hold
 *
 * A tile is ROWS x PANEL sums that stay in registers while one number of each row of a and PANEL numbers of b
 * are read for each k: every number of b serves ROWS products, every number of a PANEL. b lies in panels: for
 * each PANEL columns (the last ones filled up with zeros, whose sums are thrown away) their numbers for k =
 * 0, then those for k = 1, ... Deep products are cut along k so that what is read again and again stays in
 * the caches; the sums wait in out meanwhile, which changes no bit of them. */

enum {
    NAME(panel) = 2 * NAME(lanes),
    NAME(cut) = 1024 / sizeof(REAL), /* along k: a panel's cut fits the first-level cache */
    NAME(padded) =
        NAME(cut) + 64 / sizeof(REAL), /* rows a power of two apart would share cache lines' places */
    NAME(block) = 4 * ROWS             /* rows of a taken at a time */
};

typedef VECTOR NAME(anywhere) __attribute__((aligned(sizeof(REAL)), may_alias));

/* rows must be a constant for the compiler. a[r * row_step + k * step] is element (r, k). begins: sums start
 * at 0, not at what is in out. */
static inline __attribute__((always_inline)) void NAME(tile)(size_t rows, REAL *out, size_t out_stride,
                                                             const REAL *a, size_t row_step, size_t step,
                                                             const REAL *b, size_t depth, bool begins)
{
    VECTOR sum[ROWS][2];
    UNROLL
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < 2; v++)
            if (begins)
                sum[r][v] = SPLAT((REAL)0);
            else
                sum[r][v] = *(const NAME(anywhere) *)(out + r * out_stride + v * NAME(lanes));
    for (size_t k = 0; k < depth; k++, a += step, b += NAME(panel)) {
        const VECTOR left = *(const VECTOR *)b, right = *(const VECTOR *)(b + NAME(lanes));
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            const VECTOR x = SPLAT(a[r * row_step]);
            sum[r][0] = FMA(x, left, sum[r][0]);
            sum[r][1] = FMA(x, right, sum[r][1]);
        }
    }
    UNROLL
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < 2; v++)
            *(NAME(anywhere) *)(out + r * out_stride + v * NAME(lanes)) = CLEAN(sum[r][v]);
}

/* As many rows as one tile takes of those that are left; how many it were. */
static inline __attribute__((always_inline)) size_t NAME(rows)(size_t left, REAL *out, size_t out_stride,
                                                               const REAL *a, size_t row_step, size_t step,
                                                               const REAL *b, size_t depth, bool begins)
{
#define TILE(rows)                                                                                           \
    if (left >= (rows)) {                                                                                    \
        NAME(tile)((rows), out, out_stride, a, row_step, step, b, depth, begins);                            \
        return (rows);                                                                                       \
    }
    TILE(ROWS)
#if ROWS > 8
    TILE(8)
#endif
    TILE(4)
    TILE(2)
    TILE(1)
#undef TILE
    return 0;
}

/* A tile that reaches over the right edge goes through memory of its own. */
static void NAME(edge)(size_t nrows, REAL *out, size_t out_stride, const REAL *a, size_t row_step,
                       const REAL *b, size_t depth, size_t columns, bool begins)
{
    _Alignas(64) REAL whole[NAME(block)][NAME(panel)];
    for (size_t r = 0; r < nrows && !begins; r++)
        memcpy(whole[r], out + r * out_stride, columns * sizeof(REAL));
    for (size_t r = 0; r < nrows;)
        r += NAME(rows)(nrows - r, whole[r], NAME(panel), a + r * row_step, row_step, 1, b, depth, begins);
    for (size_t r = 0; r < nrows; r++)
        memcpy(out + r * out_stride, whole[r], columns * sizeof(REAL));
}

static void NAME(take)(REAL *restrict to, const REAL *restrict from, size_t stride, size_t rows,
                       const double *mean, size_t depth)
{
    for (size_t r = 0; r < rows; r++, to += NAME(padded), from += stride) {
        if (!mean)
            memcpy(to, from, depth * sizeof(REAL));
        else
            for (size_t k = 0; k < depth; k++)
                to[k] = (REAL)((double)from[k] - mean[k]);
    }
}

/* A block of rows and a cut of the depth against all panels. */
static void NAME(against)(REAL *out, size_t out_stride, const REAL *a, size_t nrows, const REAL *b,
                          size_t panel_step, size_t depth, size_t columns, bool begins)
{
    for (; columns >= NAME(panel); columns -= NAME(panel), out += NAME(panel), b += panel_step)
        for (size_t r = 0; r < nrows;)
            r += NAME(rows)(nrows - r, out + r * out_stride, out_stride, a + r * NAME(padded), NAME(padded),
                            1, b, depth, begins);
    if (columns)
        NAME(edge)(nrows, out, out_stride, a, NAME(padded), b, depth, columns, begins);
}

static void NAME(multiply)(REAL *out, size_t out_stride, const REAL *a, size_t a_stride, size_t rows,
                           const double *mean, const REAL *b, size_t depth, size_t columns)
{
    _Alignas(64) REAL block[NAME(block) * NAME(padded)];
    for (size_t i = 0; i < rows; i += NAME(block)) {
        size_t nrows = rows - i < NAME(block) ? rows - i : NAME(block), k = 0;
        do {
            size_t n = depth - k < NAME(cut) ? depth - k : NAME(cut);
            NAME(take)(block, a + i * a_stride + k, a_stride, nrows, mean ? mean + k : NULL, n);
            NAME(against)
            (out + i * out_stride, out_stride, block, nrows, b + k * NAME(panel), depth * NAME(panel), n,
             columns, !k);
            k += n;
        } while (k < depth);
    }
}

/* ---- x^T x ---- */

/* Some rows of x as panels, the last one filled up with zeros. */
static void NAME(panels)(REAL *to, const REAL *x, size_t stride, size_t rows, size_t n)
{
    for (; n >= NAME(panel); n -= NAME(panel), x += NAME(panel))
        for (size_t r = 0; r < rows; r++, to += NAME(panel))
            memcpy(to, x + r * stride, NAME(panel) * sizeof(REAL));
    for (size_t r = 0; r < rows && n; r++, to += NAME(panel)) {
        memset(to, 0, NAME(panel) * sizeof(REAL));
        memcpy(to, x + r * stride, n * sizeof(REAL));
    }
}

/* Add a tile whose first element is (row, column) to what of it lies in the upper triangle. */
static void NAME(add)(double *triangle, size_t n, REAL tile[ROWS][NAME(panel)], size_t row, size_t column)
{
    size_t columns = n - column < NAME(panel) ? n - column : NAME(panel);
    for (size_t r = 0; r < ROWS && row < n; r++, row++) {
        double *line = triangle + row * n - row * (row + 1) / 2; /* of which column `row` is the first */
        for (size_t k = row > column ? row - column : 0; k < columns; k++)
            line[column + k] += (double)tile[r][k];
    }
}

/* ROWS columns of x from i on against the panels that reach to their right. */
static void NAME(turned)(double *triangle, const REAL *x, size_t stride, size_t rows, size_t n, size_t i,
                         const REAL *panels)
{
    _Alignas(64) REAL turned[MILL__GRAM_RUN * ROWS], tile[ROWS][NAME(panel)];
    size_t columns = n - i < ROWS ? n - i : ROWS;
    for (size_t r = 0; r < rows && columns == ROWS; r++)
        memcpy(turned + r * ROWS, x + r * stride + i, ROWS * sizeof(REAL));
    for (size_t r = 0; r < rows && columns < ROWS; r++)
        memcpy(turned + r * ROWS, x + r * stride + i, columns * sizeof(REAL));
    for (size_t j = i / NAME(panel) * NAME(panel); j < n; j += NAME(panel)) {
        for (size_t r = 0; r < columns;)
            r += NAME(rows)(columns - r, tile[r], NAME(panel), turned + r, 1, ROWS, panels + j * rows, rows,
                            true);
        NAME(add)(triangle, n, tile, i, j);
    }
}

static void NAME(gram)(double *triangle, const REAL *x, size_t stride, size_t rows, size_t n, void *work)
{
    for (; rows; x += MILL__GRAM_RUN * stride) {
        size_t run = rows < MILL__GRAM_RUN ? rows : MILL__GRAM_RUN;
        NAME(panels)(work, x, stride, run, n);
        for (size_t i = 0; i < n; i += ROWS)
            NAME(turned)(triangle, x, stride, run, n, i, work);
        rows -= run;
    }
}
