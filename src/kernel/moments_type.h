/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/moments_type.h: a template of moments_levels.c: REAL is float or double, NAME(x) x with the type in
 * its name. A few rows at a time, so that the sums are loaded and stored once for all of them; each column is
 * added up row by row all the same. */

static void NAME(add)(const REAL *restrict x, size_t nrows, size_t width, double *restrict sum)
{
    for (; nrows >= 8; nrows -= 8, x += 8 * width)
        for (size_t k = 0; k < width; k++) {
            double s = sum[k];
            UNROLL
            for (size_t r = 0; r < 8; r++)
                s += (double)x[r * width + k];
            sum[k] = s;
        }
    for (; nrows; nrows--, x += width)
        for (size_t k = 0; k < width; k++)
            sum[k] += (double)x[k];
}

/* rows and keeps must be constants for the compiler. */
static inline __attribute__((always_inline)) void NAME(rows)(size_t rows, bool keeps, const REAL *restrict x,
                                                             size_t width, const double *restrict shift,
                                                             double *restrict sum, double *restrict square,
                                                             REAL *restrict low, REAL *restrict high,
                                                             REAL *restrict kept)
{
    for (size_t k = 0; k < width; k++) {
        double s = sum[k], q = square[k], from = shift[k];
        REAL l = low[k], h = high[k];
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            REAL v = x[r * width + k];
            double d = (double)v - from;
            s += d;
            q += d * d;
            l = v < l ? v : l;
            h = v > h ? v : h;
            if (keeps)
                kept[r * width + k] = (REAL)d;
        }
        sum[k] = s;
        square[k] = q;
        low[k] = l;
        high[k] = h;
    }
}

static void NAME(shifted)(const REAL *x, size_t nrows, size_t width, const double *shift, double *sum,
                          double *square, REAL *low, REAL *high, REAL *kept)
{
    if (kept) {
        for (; nrows >= 4; nrows -= 4, x += 4 * width, kept += 4 * width)
            NAME(rows)(4, true, x, width, shift, sum, square, low, high, kept);
        for (; nrows; nrows--, x += width, kept += width)
            NAME(rows)(1, true, x, width, shift, sum, square, low, high, kept);
        return;
    }
    for (; nrows >= 4; nrows -= 4, x += 4 * width)
        NAME(rows)(4, false, x, width, shift, sum, square, low, high, NULL);
    for (; nrows; nrows--, x += width)
        NAME(rows)(1, false, x, width, shift, sum, square, low, high, NULL);
}
