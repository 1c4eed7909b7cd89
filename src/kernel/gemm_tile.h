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

enum {
    NAME(cell) = GRAM_VECTORS * NAME(lanes), /* columns */
    NAME(step) = GRAM_ROWS > NAME(lanes) ? GRAM_ROWS : NAME(lanes)
};

/* GRAM_ROWS columns of x against so many vectors of columns: both are constants for the compiler, and small,
 * so that little of what is computed near the diagonal lies below it. a and b point into what gram_columns
 * made. From ahead a little is fetched for each row: the processor has nothing to load else. */
static inline __attribute__((always_inline)) void NAME(gram_cell)(size_t vectors, REAL out[][NAME(cell)],
                                                                  const REAL *a, const REAL *b, size_t depth,
                                                                  const char *ahead, size_t ahead_step)
{
    VECTOR sum[GRAM_ROWS][GRAM_VECTORS];
    UNROLL
    for (size_t r = 0; r < GRAM_ROWS; r++)
        UNROLL
    for (size_t v = 0; v < vectors; v++)
        sum[r][v] = SPLAT((REAL)0);
    for (size_t k = 0; k < depth; k++, a += NAME(lanes), b += NAME(lanes), ahead += ahead_step) {
        VECTOR right[GRAM_VECTORS];
        __builtin_prefetch(ahead);
        UNROLL
        for (size_t v = 0; v < vectors; v++)
            right[v] = *(const VECTOR *)(b + v * depth * NAME(lanes));
        UNROLL
        for (size_t r = 0; r < GRAM_ROWS; r++) {
            const VECTOR x = SPLAT(a[r / NAME(lanes) * depth * NAME(lanes) + r % NAME(lanes)]);
            UNROLL
            for (size_t v = 0; v < vectors; v++)
                sum[r][v] = FMA(x, right[v], sum[r][v]);
        }
    }
    UNROLL
    for (size_t r = 0; r < GRAM_ROWS; r++)
        UNROLL
    for (size_t v = 0; v < vectors; v++)
        *(VECTOR *)(out[r] + v * NAME(lanes)) = CLEAN(sum[r][v]);
}

/* Some rows of x, a vector of columns behind the other, filled up with zeros. */
static void NAME(gram_columns)(REAL *to, const REAL *x, size_t stride, size_t rows, size_t n)
{
    size_t j = 0;
    for (; n - j >= NAME(lanes); j += NAME(lanes))
        for (size_t r = 0; r < rows; r++, to += NAME(lanes))
            memcpy(to, x + r * stride + j, NAME(lanes) * sizeof(REAL));
    for (; j < (n + NAME(step) - 1) / NAME(step) * NAME(step); j += NAME(lanes))
        for (size_t r = 0; r < rows; r++, to += NAME(lanes)) {
            memset(to, 0, NAME(lanes) * sizeof(REAL));
            if (j < n)
                memcpy(to, x + r * stride + j, (n - j) * sizeof(REAL));
        }
}

/* What of a cell, whose first element is (row, column), lies in the upper triangle goes there: begins, or is
 * added. */
static void NAME(gram_add)(double *restrict triangle, bool begins, size_t n,
                           REAL (*restrict cell)[NAME(cell)], size_t row, size_t column, size_t columns)
{
    columns = n - column < columns ? n - column : columns;
    for (size_t r = 0; r < GRAM_ROWS && row < n; r++, row++) {
        double *line = triangle + row * n - row * (row + 1) / 2; /* of which column `row` is the first */
        size_t first = row > column ? row - column : 0;
        if (begins)
            for (size_t k = first; k < columns; k++)
                line[column + k] = (double)cell[r][k];
        else
            for (size_t k = first; k < columns; k++)
                line[column + k] += (double)cell[r][k];
    }
}

/* Rows i and on of the triangle. */
static void NAME(gram_strip)(double *triangle, bool begins, size_t rows, size_t n, size_t i,
                             const REAL *columns, const char *ahead)
{
    _Alignas(64) REAL cell[GRAM_ROWS][NAME(cell)];
    const REAL *a = columns + i / NAME(lanes) * rows * NAME(lanes) + i % NAME(lanes);
    size_t ahead_step = ahead ? GRAM_ROWS * sizeof(REAL) : 0;
    if (!ahead)
        ahead = (const char *)a;
    for (size_t j = i / NAME(lanes) * NAME(lanes), taken; j < n; j += taken) {
        const REAL *b = columns + j * rows;
        size_t vectors = (n - j + NAME(lanes) - 1) / NAME(lanes);
        vectors = vectors < GRAM_VECTORS ? vectors : GRAM_VECTORS;
        if (vectors == 3)
            NAME(gram_cell)(3, cell, a, b, rows, ahead, ahead_step);
        else if (vectors == 2)
            NAME(gram_cell)(2, cell, a, b, rows, ahead, ahead_step);
        else
            NAME(gram_cell)(1, cell, a, b, rows, ahead, ahead_step);
        taken = vectors * NAME(lanes);
        NAME(gram_add)(triangle, begins, n, cell, i, j, taken);
        ahead_step = 0; /* all is fetched */
    }
}

static void NAME(gram)(double *triangle, bool begins, const REAL *x, size_t stride, size_t rows, size_t n,
                       void *work, const void *ahead)
{
    for (size_t run; rows; rows -= run, x += run * stride, ahead = NULL, begins = false) {
        run = rows < MILL__GRAM_RUN ? rows : MILL__GRAM_RUN;
        NAME(gram_columns)(work, x, stride, run, n);
        for (size_t i = 0; i < n; i += GRAM_ROWS)
            NAME(gram_strip)
        (triangle, begins, run, n, i, work, ahead ? (const char *)ahead + i * run * sizeof(REAL) : NULL);
    }
}
