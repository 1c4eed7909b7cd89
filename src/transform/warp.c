/* SPDX-License-Identifier: Apache-2.0 */
/* The nearest pixel is found as Pillow finds it: by steps in 16.16 fixed point, or by sums of doubles where
 * the image is only scaled, or where fixed point does not reach. */
#include "transform/warp.h"
#include <math.h>
#include <string.h>

/* ---- matrices ---- */

/* To 15 decimals: the double nearest to the whole number of 1e-15 that is nearest to x, |x| <= 1. */
static double rounded(double x)
{
    double units = x * 1e15, lost = fma(x, 1e15, -units);
    double whole = rint(units), rest = (units - whole) + lost;
    whole += rest > 0.5 ? 1 : rest < -0.5 ? -1 : 0;
    return whole / 1e15;
}

static double radians(double degrees)
{
    return degrees * (M_PI / 180);
}

/* x' or y', by row 0 or 1 of the matrix. */
static double seen(const double *m, int row, double x, double y)
{
    return m[3 * row] * x + m[3 * row + 1] * y + m[3 * row + 2];
}

/* Rotation about the centre of the image, its functions rounded as Image.rotate has it. */
static mill__matrix rotation(size_t width, size_t height, double degrees)
{
    double angle = -radians(degrees), x = (double)width / 2, y = (double)height / 2;
    double c = rounded(cos(angle)), s = rounded(sin(angle)), minus_s = rounded(-sin(angle));
    mill__matrix matrix = {{c, s, 0, minus_s, c, 0}};
    double from_x = seen(matrix.m, 0, -x, -y), from_y = seen(matrix.m, 1, -x, -y);
    matrix.m[2] = from_x + x;
    matrix.m[5] = from_y + y;
    return matrix;
}

/* The inverse of: move to the centre, rotate, scale, shear, move back and by move_x, move_y. */
mill__matrix mill__matrix_for(const mill__motion *motion)
{
    double turn = radians(motion->degrees), shear_x = radians(motion->shear_x);
    double shear_y = radians(motion->shear_y);
    double a = cos(turn - shear_y) / cos(shear_y);
    double b = -cos(turn - shear_y) * tan(shear_x) / cos(shear_y) - sin(turn);
    double c = sin(turn - shear_y) / cos(shear_y);
    double d = -sin(turn - shear_y) * tan(shear_x) / cos(shear_y) + cos(turn);
    double m[6] = {d / motion->scale, -b / motion->scale, 0, -c / motion->scale, a / motion->scale, 0};
    double x = -motion->center_x - motion->move_x, y = -motion->center_y - motion->move_y;
    m[2] += m[0] * x + m[1] * y;
    m[5] += m[3] * x + m[4] * y;
    m[2] += motion->center_x;
    m[5] += motion->center_y;
    mill__matrix matrix;
    memcpy(matrix.m, m, sizeof m);
    return matrix;
}

/* ---- nearest ---- */

static void put(uint8_t *out, const uint8_t *in, size_t c)
{
    out[0] = in[0];
    if (c == 3) {
        out[1] = in[1];
        out[2] = in[2];
    }
}

/* A coordinate as Pillow cuts it: -1 for all below 0. Doubles beyond an int are outside anyway. */
static ptrdiff_t cut(double x, size_t end)
{
    return x < 0 || !(x < (double)end) ? -1 : (ptrdiff_t)x;
}

/* Rows that are only moved, by whole pixels. */
static void shift_row(const mill__frame *f, const uint8_t *in, uint8_t *out, int64_t shift)
{
    int64_t first = shift < 0 ? -shift : 0, end = (int64_t)f->width - shift;
    end = end > (int64_t)f->out_width ? (int64_t)f->out_width : end;
    if (end > first)
        memcpy(out + (size_t)first * f->c, in + (size_t)(first + shift) * f->c, (size_t)(end - first) * f->c);
}

static void scaled(const mill__frame *f, const double *m)
{
    double at_y = m[5] + m[4] * 0.5;
    bool shifted = m[0] == 1 && m[2] == floor(m[2]) && fabs(m[2]) < 0x1p31;
    for (size_t y = 0; y < f->out_height; y++, at_y += m[4]) {
        ptrdiff_t from_y = cut(at_y, f->height);
        const uint8_t *in = f->in + (size_t)(from_y < 0 ? 0 : from_y) * f->width * f->c;
        uint8_t *out = f->out + y * f->out_width * f->c;
        if (from_y < 0)
            continue;
        if (shifted) { /* the same as below, in one piece */
            shift_row(f, in, out, (int64_t)m[2]);
            continue;
        }
        double at_x = m[2] + m[0] * 0.5;
        for (size_t x = 0; x < f->out_width; x++, out += f->c, at_x += m[0]) {
            ptrdiff_t from_x = cut(at_x, f->width);
            if (from_x >= 0)
                put(out, in + (size_t)from_x * f->c, f->c);
        }
    }
}

static bool fits(const double *m, double x, double y)
{
    return fabs(x * m[0] + y * m[1] + m[2]) < 32768.0 && fabs(x * m[3] + y * m[4] + m[5]) < 32768.0;
}

static int64_t fixed(double x)
{
    return (int64_t)floor(x * 65536.0 + 0.5);
}

static int64_t floor_ratio(int64_t a, int64_t b) /* b > 0 */
{
    return a / b - (a % b < 0);
}

/* Which of the pixels from *first to *end - 1 have 0 <= begin + x step < limit. */
static void narrow(int64_t begin, int64_t step, int64_t limit, int64_t *first, int64_t *end)
{
    int64_t from = 0, to = *end;
    if (step > 0) {
        from = floor_ratio(-begin - 1, step) + 1;
        to = floor_ratio(limit - begin - 1, step) + 1;
    } else if (step < 0) {
        from = floor_ratio(begin - limit, -step) + 1;
        to = floor_ratio(begin, -step) + 1;
    } else if (begin < 0 || begin >= limit) {
        to = 0;
    }
    *first = from > *first ? from : *first;
    *end = to < *end ? to : *end;
}

/* Of images too large for the kernel's offsets. */
static void step_far(const mill__frame *f, uint8_t *out, size_t n, const mill__fixed_line *line)
{
    uint32_t x = line->x, y = line->y;
    for (; n; n--, out += f->c, x += line->step_x, y += line->step_y)
        put(out, f->in + ((size_t)(y >> 16) * f->width + (x >> 16)) * f->c, f->c);
}

static void stepped(const mill__frame *f, const double *m, uint8_t fill)
{
    const int64_t across_x = fixed(m[0]), down_x = fixed(m[1]), across_y = fixed(m[3]), down_y = fixed(m[4]);
    const int64_t right = (int64_t)f->width << 16, bottom = (int64_t)f->height << 16;
    const size_t c = f->c, row_nbytes = f->out_width * c;
    int64_t begin_x = fixed(m[2] + m[0] * 0.5 + m[1] * 0.5);
    int64_t begin_y = fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
    uint8_t *out = f->out;
    for (size_t y = 0; y < f->out_height; y++, begin_x += down_x, begin_y += down_y, out += row_nbytes) {
        int64_t first = 0, end = (int64_t)f->out_width;
        narrow(begin_x, across_x, right, &first, &end);
        narrow(begin_y, across_y, bottom, &first, &end);
        if (first >= end) {
            memset(out, fill, row_nbytes);
            continue;
        }
        mill__fixed_line line = {.x = (uint32_t)(begin_x + first * across_x),
                                 .y = (uint32_t)(begin_y + first * across_y),
                                 .step_x = (uint32_t)across_x,
                                 .step_y = (uint32_t)across_y};
        memset(out, fill, (size_t)first * c);
        if (f->nbytes <= UINT32_MAX)
            f->kernels->warp_nearest(out + (size_t)first * c, (size_t)(end - first), f->in, f->width,
                                     f->height, c, &line);
        else
            step_far(f, out + (size_t)first * c, (size_t)(end - first), &line);
        memset(out + (size_t)end * c, fill, row_nbytes - (size_t)end * c);
    }
}

static void summed(const mill__frame *f, const double *m)
{
    double begin_x = m[2] + m[1] * 0.5 + m[0] * 0.5, begin_y = m[5] + m[4] * 0.5 + m[3] * 0.5;
    uint8_t *out = f->out;
    for (size_t y = 0; y < f->out_height; y++, begin_x += m[1], begin_y += m[4]) {
        double at_x = begin_x, at_y = begin_y;
        for (size_t x = 0; x < f->out_width; x++, at_x += m[0], at_y += m[3], out += f->c) {
            ptrdiff_t from_x = cut(at_x, f->width), from_y = cut(at_y, f->height);
            if (from_x >= 0 && from_y >= 0)
                put(out, f->in + ((size_t)from_y * f->width + (size_t)from_x) * f->c, f->c);
        }
    }
}

static bool all_fits(const mill__frame *f, const double *m)
{
    const double width = (double)f->out_width, height = (double)f->out_height;
    return fits(m, 0, 0) && fits(m, width, height) && fits(m, 0, height) && fits(m, width, 0);
}

void mill__warp(const mill__frame *frame, const mill__matrix *matrix, bool bilinear, uint8_t fill)
{
    const double *m = matrix->m;
    const size_t row_nbytes = frame->out_width * frame->c;
    const bool scales = m[1] == 0 && m[3] == 0;
    if (!bilinear && !scales && all_fits(frame, m)) {
        stepped(frame, m, fill);
        return;
    }
    memset(frame->out, fill, frame->out_height * row_nbytes);
    for (size_t y = 0; bilinear && y < frame->out_height; y++)
        frame->kernels->warp_bilinear(frame->out + y * row_nbytes, frame->out_width, frame->in, frame->width,
                                      frame->height, frame->c, m, y);
    if (!bilinear)
        (scales ? scaled : summed)(frame, m);
}

/* ---- rotation ---- */

/* Within 0 .. 360. */
static double one_turn(double degrees)
{
    double turn = fmod(degrees, 360);
    turn = turn < 0 ? turn + 360 : turn;
    return turn == 360 ? 0 : turn;
}

/* Pixel (0, 0) of the output is pixel first of the input; steps in pixels. */
static void turn_whole(const mill__frame *f, ptrdiff_t first, ptrdiff_t across, ptrdiff_t down)
{
    uint8_t *out = f->out;
    ptrdiff_t c = (ptrdiff_t)f->c;
    for (size_t y = 0; y < f->out_height; y++) {
        const uint8_t *in = f->in + (first + (ptrdiff_t)y * down) * c;
        for (size_t x = 0; x < f->out_width; x++, in += across * c, out += c)
            put(out, in, f->c);
    }
}

void mill__rotate(const mill__frame *frame, double degrees, bool bilinear, uint8_t fill)
{
    const ptrdiff_t width = (ptrdiff_t)frame->width, height = (ptrdiff_t)frame->height;
    const bool lies = frame->out_width == frame->height && frame->out_height == frame->width;
    const double turn = one_turn(degrees);
    if (turn == 0) {
        memcpy(frame->out, frame->in, frame->nbytes);
    } else if (turn == 180) {
        turn_whole(frame, width * height - 1, -1, -width);
    } else if (turn == 90 && lies) {
        turn_whole(frame, width - 1, width, -1);
    } else if (turn == 270 && lies) {
        turn_whole(frame, width * (height - 1), -width, 1);
    } else {
        mill__matrix matrix = rotation(frame->width, frame->height, turn);
        double x = -((double)frame->out_width - (double)frame->width) / 2;
        double y = -((double)frame->out_height - (double)frame->height) / 2;
        double from_x = seen(matrix.m, 0, x, y), from_y = seen(matrix.m, 1, x, y);
        matrix.m[2] = from_x;
        matrix.m[5] = from_y;
        mill__warp(frame, &matrix, bilinear, fill);
    }
}

/* Whole pixels from the least to the greatest of the corners; of angles that are no multiple of 90 degrees.
 */
static size_t extent(const mill__matrix *matrix, int row, size_t width, size_t height)
{
    const double w = (double)width, h = (double)height;
    const double corners[] = {seen(matrix->m, row, 0, 0), seen(matrix->m, row, w, 0),
                              seen(matrix->m, row, w, h), seen(matrix->m, row, 0, h)};
    double least = corners[0], most = corners[0];
    for (int i = 1; i < 4; i++) {
        least = fmin(least, corners[i]);
        most = fmax(most, corners[i]);
    }
    return (size_t)(ceil(most) - floor(least));
}

void mill__rotated_size(double degrees, size_t width, size_t height, size_t *out_width, size_t *out_height)
{
    const double turn = one_turn(degrees);
    const bool quarter = turn == 90 || turn == 270;
    *out_width = quarter ? height : width;
    *out_height = quarter ? width : height;
    if (quarter || turn == 0 || turn == 180)
        return;
    mill__matrix matrix = rotation(width, height, turn);
    *out_width = extent(&matrix, 0, width, height);
    *out_height = extent(&matrix, 1, width, height);
}
