/* SPDX-License-Identifier: Apache-2.0 */
/* api/fit_plot.c: a model as an SVG picture of two panels: the variance of each component, in powers of ten,
 * and the share that the first so many have together. Lengths are whole tenths of a pixel, so that no
 * locale's decimal point gets in. */
#include "api/fit_state.h"
#include "api/text_file.h"
#include "base/error.h"
#include "base/memory.h"
#include <math.h>
#include <stdlib.h>

enum { WIDTH = 7600, HEIGHT = 3600, TOP = 700, TALL = 2200, WIDE = 2900, LEFT = 700, RIGHT = 4450 };
enum { POINTS_MOST = 400, DOTS_MOST = 40, DECADES_MOST = 14 };

/* Axes of a panel: components along x, and y from low to high. */
typedef struct panel {
    int left;
    size_t n;
    double low, high;
} panel;

static int at_x(const panel *p, double component)
{
    return p->left + (int)lround((component + 0.5) / (double)p->n * WIDE);
}

static int at_y(const panel *p, double y)
{
    double share = (y - p->low) / (p->high - p->low);
    return TOP + TALL - (int)lround(fmin(fmax(share, 0.0), 1.0) * TALL);
}

static int put_text(mill__buffer *out, int x, int y, const char *more, const char *text)
{
    return mill__buffer_printf(out, "<text x=\"%d\" y=\"%d\"%s>%s</text>\n", x, y, more, text);
}

static int put_line(mill__buffer *out, const char *class, int x1, int y1, int x2, int y2)
{
    return mill__buffer_printf(out, "<path class=\"%s\" d=\"M%d %dL%d %d\"/>\n", class, x1, y1, x2, y2);
}

static int put_frame(mill__buffer *out, const panel *p, const char *title)
{
    return put_text(out, p->left, TOP - 350, " font-size=\"140\" font-weight=\"bold\"", title) ||
           put_text(out, p->left + WIDE / 2, TOP + TALL + 420, " text-anchor=\"middle\"", "component") ||
           put_line(out, "axis", p->left, TOP + TALL, p->left + WIDE, TOP + TALL) ||
           put_line(out, "axis", p->left, TOP, p->left, TOP + TALL);
}

/* 1, 2 or 5 times a power of ten: about five numbers along the axis. */
static size_t step_of(size_t n)
{
    size_t step = 1;
    for (size_t i = 0; n / step > 6; i++)
        step = i % 3 == 1 ? step / 2 * 5 : step * 2;
    return step;
}

static int put_components(mill__buffer *out, const panel *p)
{
    size_t step = step_of(p->n);
    int failed = 0;
    for (size_t c = step; c <= p->n && !failed; c += step) {
        int x = at_x(p, (double)c - 1);
        failed = put_line(out, "axis", x, TOP + TALL, x, TOP + TALL + 50) ||
                 mill__buffer_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%zu</text>\n", x,
                                     TOP + TALL + 210, c);
    }
    return failed;
}

static int put_level(mill__buffer *out, const panel *p, double y, const char *format, int number)
{
    return put_line(out, "grid", p->left, at_y(p, y), p->left + WIDE, at_y(p, y)) ||
           mill__buffer_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", p->left - 60,
                               at_y(p, y) + 40) ||
           mill__buffer_printf(out, format, number) || mill__buffer_printf(out, "</text>\n");
}

/* The first n of values, all above the panel's low, or of few enough all. */
static int put_curve(mill__buffer *out, const panel *p, const double *values, size_t n)
{
    size_t points = n < POINTS_MOST ? n : POINTS_MOST;
    int failed = n ? mill__buffer_printf(out, "<path class=\"curve\" d=\"") : 0;
    for (size_t i = 0; i < points && !failed; i++) {
        size_t c = points > 1 ? i * (n - 1) / (points - 1) : 0;
        failed = mill__buffer_printf(out, "%s%d %d", i ? "L" : "M", at_x(p, (double)c), at_y(p, values[c]));
    }
    failed = failed || (n && mill__buffer_printf(out, "\"/>\n"));
    for (size_t c = 0; c < n && n <= DOTS_MOST && !failed; c++)
        failed = mill__buffer_printf(out, "<circle cx=\"%d\" cy=\"%d\" r=\"25\"/>\n", at_x(p, (double)c),
                                     at_y(p, values[c]));
    return failed;
}

/* Where the model ends, if it has not all of them. */
static int put_kept(mill__buffer *out, const panel *p, const mill_model_view *v)
{
    int x = at_x(p, (double)v->components - 0.5);
    return v->components < v->features &&
           (put_line(out, "kept", x, TOP, x, TOP + TALL) ||
            mill__buffer_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%zu kept</text>\n", x,
                                TOP - 60, x < p->left + WIDE / 2 ? "start" : "end", v->components));
}

/* ---- the panels ---- */

static int put_variances(mill__buffer *out, const mill_model_view *v, double *values)
{
    panel p = {LEFT, v->features, -1, 0};
    for (size_t c = 0; c < v->rank; c++)
        values[c] = log10(v->variances[c]);
    if (v->rank) {
        p.high = floor(values[0]) + 1;
        p.low = fmax(floor(values[v->rank - 1]), p.high - DECADES_MOST);
    }
    int failed = put_frame(out, &p, "variance of each component") || put_components(out, &p);
    int step = p.high - p.low > 7 ? 2 : 1;
    for (int decade = (int)p.low; decade <= (int)p.high && v->rank && !failed; decade += step)
        failed = put_level(out, &p, decade, "10<tspan dy=\"-45\" font-size=\"80\">%d</tspan>", decade);
    if (v->rank < v->features && !failed)
        failed =
            mill__buffer_printf(out, "<text x=\"%d\" y=\"%d\">%zu of %zu are 0 but for rounding</text>\n",
                                LEFT, TOP - 200, v->features - v->rank, v->features);
    return failed || put_curve(out, &p, values, v->rank) || put_kept(out, &p, v);
}

static int put_shares(mill__buffer *out, const mill_model *m, double *values)
{
    const mill_model_view *v = &m->view;
    const panel p = {RIGHT, v->features, 0, 100};
    double sum = 0;
    for (size_t c = 0; c < v->features; c++) {
        sum += v->variances[c];
        values[c] = 100 * sum / v->total_variance;
    }
    int failed = put_frame(out, &p, "share of the first components") || put_components(out, &p);
    for (int percent = 0; percent <= 100 && !failed; percent += 20)
        failed = put_level(out, &p, percent, "%d %%", percent);
    if (v->rank && !failed)
        failed = mill__buffer_printf(
            out, "<text x=\"%d\" y=\"%d\">90 %%: %zu, 95 %%: %zu, 99 %%: %zu of %zu</text>\n", RIGHT,
            TOP - 200, mill_model_explain(m, 0.9), mill_model_explain(m, 0.95), mill_model_explain(m, 0.99),
            v->features);
    return failed || put_curve(out, &p, values, v->rank ? v->features : 0) || put_kept(out, &p, v);
}

static int put_picture(mill__buffer *out, const mill_model *m, double *values)
{
    return mill__buffer_printf(
               out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
               "font-family=\"sans-serif\" font-size=\"110\">\n"
               "<style>path{fill:none;stroke-width:10}.axis{stroke:#333}.grid{stroke:#ddd}"
               ".curve{stroke:#1f5fa8;stroke-width:20}.kept{stroke:#b3401a;stroke-dasharray:60}"
               "circle{fill:#1f5fa8}</style>\n"
               "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
               WIDTH / 10, HEIGHT / 10, WIDTH, HEIGHT, WIDTH, HEIGHT) ||
           put_variances(out, &m->view, values) || put_shares(out, m, values) ||
           mill__buffer_append(out, "</svg>", 6);
}

mill_status mill_model_plot(const mill_model *model, const char *path, mill_error *err)
{
    mill__error_clear(err);
    if (!model || !path)
        return mill_fail(err, MILL_USAGE, "argument", "a model and the name of a file are needed");
    mill__buffer text = {0};
    double *values = malloc(model->view.features * sizeof *values);
    mill_status status = !values || put_picture(&text, model, values)
                             ? mill__no_memory(err, text.nbytes, "the picture")
                             : mill__text_file_write(path, (char *)text.data, text.nbytes, err);
    free(values);
    mill__buffer_free(&text);
    return status;
}
